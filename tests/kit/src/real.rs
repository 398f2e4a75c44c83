//! Real servers: what a server does is tested on one that a test starts for itself.
//!
//! Each has a free port, a Unix domain socket and a folder of its own, so tests run side by side. It is gone when it is
//! dropped, when its test panics, and when the process of the test is killed.
//!
//! The program is the one that the environment variable `REDWIRE_SERVER` names, by a path from the root of the
//! repository; without it redis-server or valkey-server is taken from the `PATH`. A test that has no server fails.
//! `make test-servers` runs the tests on servers of many versions; the few that need to know which one they have ask for
//! [`Server::has_since`] and [`Server::version`].

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// More than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A private server.
#[derive(Debug)]
pub struct Server {
    program: &'static Program,
    options: Vec<String>,
    directory: PathBuf,
    address: SocketAddr,
    /// None between [`Server::stop`] and [`Server::start_again`].
    running: Option<Running>,
}

impl Server {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    /// There is no server to start, or it does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with options, as on its command line.
    ///
    /// # Panics
    /// There is no server to start, or it does not start.
    pub fn start_with(options: &[&str]) -> Self {
        let program = Program::get();
        let mut log = String::new();
        // Somebody else may take the free port first: then the server ends at once.
        for _ in 0..5 {
            let mut server = Server {
                program,
                options: options.iter().map(ToString::to_string).collect(),
                directory: new_directory(),
                address: free_address(),
                running: None,
            };
            match server.launch() {
                Ok(()) => return server,
                Err(reason) => log = reason,
            }
        }
        panic!("{} does not start:\n{log}", program.path.display());
    }

    /// Where it listens with TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of [`Server::address`].
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its Unix domain socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("redis.sock")
    }

    /// Whether it has what Redis has from a version on. Valkey has what 7.2 has, and goes its own way from there.
    pub fn has_since(&self, redis: (u32, u32)) -> bool {
        self.program.has_since(redis)
    }

    /// Major and minor version, of Redis or of Valkey.
    pub fn version(&self) -> (u32, u32) {
        self.program.version
    }

    /// Whether it is a Valkey, and not a Redis.
    pub fn is_valkey(&self) -> bool {
        self.program.is_valkey
    }

    /// Ends it at once, as if it had crashed.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it again after [`Server::stop`], at the same places and empty.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_again(&mut self) {
        self.launch()
            .unwrap_or_else(|log| panic!("{} does not start again:\n{log}", self.program.path.display()));
    }

    /// Keeps it from running, as a machine that is too busy does: what is sent to it waits.
    ///
    /// # Panics
    /// It is stopped.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it run again after [`Server::freeze`].
    ///
    /// # Panics
    /// It is stopped.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// What the server is asked while `act` runs, by anybody, a line each; without HELLO and CLIENT, with which
    /// connections begin.
    ///
    /// # Panics
    /// The server does not answer.
    pub fn monitored(&self, act: impl FnOnce()) -> Vec<String> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        (&stream).write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "+OK");
        act();
        ask(TcpStream::connect(self.address).unwrap(), "ECHO end-of-monitored").unwrap();
        let mut seen = Vec::new();
        for line in lines {
            let line = line.unwrap();
            // `+1339518083.107412 [0 127.0.0.1:60866] "get" "key"`
            let words = line.split_once("] ").unwrap().1.replace('"', "");
            if words == "ECHO end-of-monitored" {
                return seen;
            }
            let first = words.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            if !["HELLO", "CLIENT"].contains(&first.as_str()) {
                seen.push(words);
            }
        }
        panic!("MONITOR has ended");
    }

    fn signal(&self, name: &str) {
        let server = &self.running.as_ref().expect("the server is stopped").server;
        let arguments = ["-c", r#"kill -"$1" "$2""#, "sh", name, &server.id().to_string()];
        assert!(Command::new("sh").args(arguments).status().unwrap().success());
    }

    /// Starts the process and waits until it answers at both places. If it ends instead, says what it wrote.
    fn launch(&mut self) -> Result<(), String> {
        let log = self.directory.join("log");
        let file = File::create(&log).unwrap();
        let mut command = Command::new(&self.program.path);
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port().to_string(), "--unixsocket", "redis.sock"])
            .args(["--save", "", "--appendonly", "no"])
            .args(self.program.options())
            .args(&self.options)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let running = self.running.insert(Running::start(command, &self.directory));
        let log = || fs::read_to_string(&log).unwrap_or_default();
        let patience = Instant::now() + PATIENCE;
        while !(TcpStream::connect(self.address).is_ok_and(answers)
            && UnixStream::connect(self.directory.join("redis.sock")).is_ok_and(answers))
        {
            if running.server.try_wait().unwrap().is_some() {
                return Err(log());
            }
            assert!(Instant::now() < patience, "the server does not answer:\n{}", log());
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A process, and what ends it if nobody else does.
#[derive(Debug)]
struct Running {
    server: Child,
    guard: Child,
}

impl Running {
    fn start(mut command: Command, directory: &Path) -> Self {
        let server = command.spawn().unwrap();
        // Reads until this process has ended, however that came about. Its own group keeps Ctrl-C from it.
        let guard = Command::new("sh")
            .args(["-c", r#"read -r _; kill -9 "$1"; rm -rf "$2""#, "sh", &server.id().to_string()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        Running { server, guard }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The guard first: the number of a process that was waited for may be that of another one soon.
        for process in [&mut self.guard, &mut self.server] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The program that all servers of this process run.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    version: (u32, u32),
    is_valkey: bool,
}

impl Program {
    fn get() -> &'static Self {
        static PROGRAM: OnceLock<Program> = OnceLock::new();
        PROGRAM.get_or_init(|| match env::var_os("REDWIRE_SERVER").filter(|path| !path.is_empty()) {
            Some(path) => Self::at(&path).unwrap_or_else(|error| panic!("REDWIRE_SERVER is {path:?}: {error}")),
            None => Self::at(OsStr::new("redis-server"))
                .or_else(|_| Self::at(OsStr::new("valkey-server")))
                .unwrap_or_else(|error| {
                    panic!(
                        "neither redis-server nor valkey-server runs ({error}): apt-get install redis-server, or set \
                         REDWIRE_SERVER to the path of one"
                    )
                }),
        })
    }

    fn at(path: &OsStr) -> io::Result<Self> {
        // A name without a folder is looked for in the `PATH`. Each crate's tests run in the folder of that crate.
        let named = Path::new(path);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let path = if named.components().count() > 1 { root.join(named) } else { named.into() };
        let output = Command::new(&path).arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        // `Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0`
        let version = parse_version(&text)
            .ok_or_else(|| io::Error::other(format!("--version is not understood: {text:?}")))?;
        let is_valkey = text.starts_with("Valkey");
        Ok(Program { path, version, is_valkey })
    }

    fn has_since(&self, redis: (u32, u32)) -> bool {
        if self.is_valkey { redis <= (7, 2) } else { redis <= self.version }
    }

    /// What tests need, without that which an old server does not know.
    fn options(&self) -> &[&str] {
        // DEBUG is always there before.
        if self.has_since((7, 0)) { &["--enable-debug-command", "yes"] } else { &[] }
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_once("v=")?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn new_directory() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from("redwire-");
    name.push(format!("{}-{number}", process::id()));
    let directory = env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Whether a server does, though it may only refuse whoever has no password.
fn answers(stream: impl Read + Write) -> bool {
    ask(stream, "PING").is_ok_and(|reply| reply.starts_with("+PONG") || reply.starts_with("-NOAUTH"))
}

/// The first line of the reply to a command.
fn ask(mut stream: impl Read + Write, command: &str) -> io::Result<String> {
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions() {
        assert_eq!(parse_version("Redis server v=6.2.14 sha=0:0 malloc=libc"), Some((6, 2)));
        assert_eq!(parse_version("Valkey server v=9.1.2 sha=0:0"), Some((9, 1)));
        assert_eq!(parse_version("Usage: ./server [options]"), None);
    }
}
