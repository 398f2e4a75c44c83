//! Clients against a server that runs: what they are measured with.

pub mod callers;
pub mod in_flight;
pub mod messages;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use redwire_mio::Address;
use redwire_mio::redwire::connection::{Config, Event};

/// What went wrong, where there is nothing to measure.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A client, and how to run it.
#[derive(Clone, Copy)]
pub struct Client<W: ?Sized> {
    /// What it is called in the tables.
    pub name: &'static str,
    /// Connects, does the work, and says what that took without the connecting.
    pub run: fn(&Server, &W) -> Result<Measured>,
}

/// What a work took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Until all of it was done.
    pub time: Duration,
    /// Processor time of this process, all its threads and the kernel's part included. The server is another process.
    pub cpu: Duration,
}

impl Measured {
    /// Measures some work.
    pub fn of(work: impl FnOnce() -> Result<()>) -> Result<Self> {
        let (start, before) = (Instant::now(), cpu_time()?);
        work()?;
        let (time, after) = (start.elapsed(), cpu_time()?);
        Ok(Measured { time, cpu: after.saturating_sub(before) })
    }
}

fn cpu_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let used = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(used.num_microseconds())?))
}

/// A private server on a free port, gone when this is dropped.
pub struct Server {
    child: Child,
    directory: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts one that keeps messages for a subscriber who does not read, however many there are.
    ///
    /// # Errors
    /// Neither redis-server nor valkey-server starts.
    pub fn start() -> Result<Self> {
        let directory = env::temp_dir().join(format!("redwire-benches-{}", process::id()));
        fs::create_dir_all(&directory)?;
        // Another process may take the free port first: then the server ends at once.
        for _ in 0..5 {
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            let spawn = |program| {
                Command::new(program)
                    .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
                    .args(["--save", "", "--appendonly", "no"])
                    .args(["--client-output-buffer-limit", "pubsub 0 0 0"])
                    .current_dir(&directory)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
            };
            let child = spawn("redis-server").or_else(|_| spawn("valkey-server"))?;
            let mut server = Server { child, directory: directory.clone(), address };
            if server.accepts()? {
                return Ok(server);
            }
        }
        Err("redis-server does not start".into())
    }

    /// Waits until it accepts connections. False if it ends instead.
    fn accepts(&mut self) -> Result<bool> {
        for _ in 0..1000 {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            if TcpStream::connect(self.address).is_ok() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err("redis-server does not accept connections".into())
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Sends commands over a connection of their own, and gives the replies to them if they have exactly that length.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn exchange(&self, commands: &[u8], length: usize) -> Result<Vec<u8>> {
        exchange(&mut TcpStream::connect(self.address)?, commands, length)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn exchange(stream: &mut TcpStream, commands: &[u8], length: usize) -> Result<Vec<u8>> {
    stream.write_all(commands)?;
    let mut replies = vec![0; length];
    stream.read_exact(&mut replies)?;
    Ok(replies)
}

const REDIS: Token = Token(0);

/// A loop of mio with a connection of redwire-mio, and nothing else.
struct RedwireLoop {
    poll: Poll,
    events: Events,
    redis: redwire_mio::Client,
}

impl RedwireLoop {
    /// One whose connection is there.
    fn connected(server: &Server) -> Result<Self> {
        let (poll, events) = (Poll::new()?, Events::with_capacity(64));
        let address = Address::tcp([server.address]);
        let mut redis = redwire_mio::Client::new(Instant::now(), address, Config::default());
        poll.registry().register(&mut redis, REDIS, Interest::READABLE | Interest::WRITABLE)?;
        let mut connected = RedwireLoop { poll, events, redis };
        let mut now = Instant::now();
        loop {
            match connected.redis.next_event(now) {
                Some(Event::Connected { .. }) => return Ok(connected),
                Some(other) => return Err(unexpected(&other)),
                None => now = connected.wait()?,
            }
        }
    }

    /// Waits until there is something to do, and gives the time: what a turn of a loop begins with.
    fn wait(&mut self) -> Result<Instant> {
        self.poll.poll(&mut self.events, self.redis.timeout(Instant::now()))?;
        self.events
            .iter()
            .filter(|event| event.token() == REDIS)
            .for_each(|event| self.redis.on_event(event));
        let now = Instant::now();
        self.redis.handle_timeout(now);
        Ok(now)
    }
}

fn unexpected(event: &Event<'_>) -> Box<dyn Error + Send + Sync> {
    format!("redwire-mio: {event:?} was not expected").into()
}

/// The same without a client: a socket in a loop of mio.
struct RawLoop {
    poll: Poll,
    events: Events,
    stream: mio::net::TcpStream,
}

impl RawLoop {
    /// One on a stream that is connected.
    fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (poll, events) = (Poll::new()?, Events::with_capacity(64));
        let mut stream = mio::net::TcpStream::from_std(stream);
        poll.registry().register(&mut stream, REDIS, Interest::READABLE | Interest::WRITABLE)?;
        Ok(RawLoop { poll, events, stream })
    }

    /// Waits until there is something to do.
    fn wait(&mut self) -> Result<()> {
        Ok(self.poll.poll(&mut self.events, None)?)
    }

    /// Reads what there is; none when there is nothing.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        match would_block(self.stream.read(buffer))? {
            Some(0) => Err("the server has closed the connection".into()),
            count => Ok(count),
        }
    }

    /// Writes as much as there is room for.
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        Ok(would_block(self.stream.write(bytes))?.unwrap_or(0))
    }
}

fn would_block(result: io::Result<usize>) -> Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}
