//! A real server for tests: private, on a free port and a Unix domain socket, gone when the test is over.
#![allow(dead_code, unreachable_pub, reason = "shared by tests of which not every one needs everything")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redwire::resp::Protocol;
use redwire_std::prelude::*;

pub struct Server {
    child: Child,
    directory: PathBuf,
    pub port: u16,
    options: Vec<String>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with options, as on its command line.
    pub fn start_with(options: &[&str]) -> Self {
        // Another process may take the free port first: then the server ends at once.
        for _ in 0..5 {
            if let Some(server) = Self::try_start(options) {
                return server;
            }
        }
        panic!("redis-server does not start; try it by hand");
    }

    fn try_start(options: &[&str]) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("redwire-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = options.iter().map(ToString::to_string).collect();
        let child = Self::spawn(&directory, port, &options);
        Server { child, directory, port, options }.wait()
    }

    fn spawn(directory: &Path, port: u16, options: &Vec<String>) -> Child {
        let spawn = |program: &str| {
            Command::new(program)
                .args([
                    "--port",
                    &port.to_string(),
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                ])
                .args(["--unixsocket", "redis.sock", "--enable-debug-command", "yes"])
                .args(options)
                .current_dir(directory)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        };
        spawn("redis-server").or_else(|_| spawn("valkey-server")).unwrap_or_else(|error| {
            panic!("cannot start redis-server or valkey-server ({error}): apt-get install redis-server")
        })
    }

    /// Waits until it accepts connections. None if it ends instead.
    fn wait(mut self) -> Option<Self> {
        let patience = Instant::now() + Duration::from_secs(10);
        while Instant::now() < patience {
            if self.child.try_wait().unwrap().is_some() {
                return None;
            }
            let there = |error: &Error| matches!(error.kind(), ErrorKind::Connect(_));
            // One that refuses us is there all the same.
            let both = [self.tcp(), self.unix()];
            if both.iter().all(|config| !config.clone().client().ping().as_ref().is_err_and(there)) {
                return Some(self);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("redis-server does not accept connections");
    }

    /// Ends it at once, as if it had crashed.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again behind `stop`, at the same places and empty.
    pub fn start_again(&mut self) {
        self.child = Self::spawn(&self.directory, self.port, &self.options);
        let patience = Instant::now() + Duration::from_secs(10);
        while self.client().ping().is_err() || self.unix().client().ping().is_err() {
            assert!(Instant::now() < patience, "redis-server does not start again");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("redis.sock")
    }

    pub fn tcp(&self) -> ClientConfig {
        ClientConfig::tcp("127.0.0.1", self.port)
    }

    pub fn unix(&self) -> ClientConfig {
        ClientConfig::unix(self.socket().to_str().unwrap())
    }

    /// Every way to talk to it: TCP and Unix domain socket, RESP2 and RESP3.
    pub fn ways(&self) -> Vec<(String, ClientConfig)> {
        let mut ways = Vec::new();
        for (stream, config) in [("tcp", self.tcp()), ("unix", self.unix())] {
            for (name, protocol) in [("resp2", Protocol::Resp2), ("resp3", Protocol::Resp3)] {
                ways.push((format!("{stream} {name}"), config.clone().protocol(protocol)));
            }
        }
        ways
    }

    pub fn client(&self) -> Client {
        self.tcp().client()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Runs a test over TCP and a Unix domain socket, with RESP2 and RESP3, each with an empty database.
pub fn each_way(test: impl Fn(&Server, &ClientConfig)) {
    let server = Server::start();
    for (name, config) in server.ways() {
        println!("{name}");
        server.client().flushall().unwrap();
        test(&server, &config);
    }
}

/// What the server is asked while `act` runs, by anybody, without the commands that tests use to watch.
pub fn monitored(server: &Server, act: impl FnOnce()) -> Vec<String> {
    use std::io::{BufRead, BufReader, Write};
    let stream = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    (&stream).write_all(b"*1\r\n$7\r\nMONITOR\r\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "+OK");
    act();
    let client = server.client();
    let _: String = client.echo("the end").unwrap();
    let mut seen = Vec::new();
    for line in lines {
        let line = line.unwrap();
        // `+1339518083.107412 [0 127.0.0.1:60866] "get" "key"`
        let words = line.split_once("] ").unwrap().1.replace('"', "");
        if words.starts_with("ECHO the end") {
            break;
        }
        let first = words.split(' ').next().unwrap().to_ascii_uppercase();
        if !["HELLO", "CLIENT"].contains(&first.as_str()) {
            seen.push(words);
        }
    }
    seen
}
