//! The async client in tasks of embassy's executor, on the host: `cargo run -p redwire-embedded-io --example embassy --
//! localhost:6379`. Without an argument the address is that in `REDIS_URL`, or `localhost:6379`.
//!
//! On a device the sockets are those of `embassy-net` or of a modem, and the tasks never end; all else is the same.

use std::fmt::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;

use async_io::Async;
use embassy_executor::Spawner;
use embassy_time::Timer;
use embedded_io_adapters::futures_03::FromFutures;
use redwire_embedded_io::EmbassyClock;
use redwire_embedded_io::prelude::*;

/// How many tasks count.
const COUNTERS: usize = 3;

/// How often each of them does.
const TIMES: usize = 5;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    spawner.spawn(listener().unwrap());
    for number in 0..COUNTERS {
        spawner.spawn(counter(number).unwrap());
    }
}

/// Counts, and tells the listener.
#[embassy_executor::task(pool_size = COUNTERS)]
async fn counter(number: usize) {
    // Each task has its connection, and its memory: receive, transmit, commands in flight.
    let mut memory = StaticBuffers::<128, 300, 4>::new();
    let mut redis = AsyncClient::new(Server, Config::default(), memory.memory(), EmbassyClock::new());
    for _ in 0..TIMES {
        // What failed is not sent again by itself: the next time goes over another connection.
        if let Err(error) = count(&mut redis, number).await {
            println!("counter {number}: {error}");
        }
        Timer::after_millis(10).await;
    }
}

async fn count(redis: &mut AsyncClient<'_, Server, EmbassyClock>, number: usize) -> Result<(), Error> {
    redis.connect().await?;
    let sum: i64 = redis.incr("redwire:sum").await?;
    let mut line = heapless::String::<40>::new();
    let _ = write!(line, "counter {number} has counted up to {sum}");
    redis.publish("redwire:counted", line.as_str()).await?;
    Ok(())
}

/// Waits for what the others tell.
#[embassy_executor::task]
async fn listener() {
    // Two more sizes: for the names of channels, and for messages that come while it waits for something else.
    let mut memory = StaticBuffers::<128, 300, 4, 32, 64>::sized();
    // It asks the server now and then whether it is there.
    let config = Config::default().health_check(Duration::from_secs(5));
    let mut redis = AsyncClient::new(Server, config, memory.memory(), EmbassyClock::new());
    for _ in 0..3 {
        match listen(&mut redis).await {
            Ok(()) => std::process::exit(0),
            Err(error) => println!("listener: {error}"),
        }
        Timer::after_secs(1).await;
    }
    std::process::exit(1);
}

async fn listen(redis: &mut AsyncClient<'_, Server, EmbassyClock>) -> Result<(), Error> {
    // It subscribes again to what it was subscribed to.
    redis.connect().await?;
    redis.subscribe("redwire:counted").await?;
    while let Some(message) = redis.get_message(Duration::from_secs(1)).await? {
        println!("{}", message.payload.escape_ascii());
    }
    println!("nothing more for a second");
    Ok(())
}

/// Where connections come from.
struct Server;

impl AsyncConnector for Server {
    type Stream = FromFutures<Box<dyn Socket>>;
    type Error = std::io::Error;

    // A future of these sockets can be dropped at any time: nothing is lost.
    const CANCEL_SAFE: bool = true;

    async fn connect(&mut self) -> std::io::Result<FromFutures<Box<dyn Socket>>> {
        let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
        let url = url.unwrap_or_else(|| "localhost:6379".to_string());
        if let Some(path) = url.strip_prefix("unix://") {
            return Ok(FromFutures::new(Box::new(Async::<UnixStream>::connect(path).await?)));
        }
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        let address = address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
        Ok(FromFutures::new(Box::new(Async::<TcpStream>::connect(address).await?)))
    }
}

/// A socket of either kind.
trait Socket: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin {}

impl<S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin> Socket for S {}
