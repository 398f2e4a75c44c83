//! `redwire` alone over `poll(2)`, to be copied into any other loop: "Your own loop" in README.md walks through it.
//!
//!     cargo run -p redwire-mio --example own_poll [HOST:PORT]

use std::{env, error::Error, io::ErrorKind, io::Read, io::Write, iter, net::TcpStream};

use redwire::command::{get, set, subscribe};
use redwire::connection::{Buffers, CloseReason, Config, Connection, Event, SendError};
use redwire::time::{Duration, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn main() -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect(env::args().nth(1).as_deref().unwrap_or("localhost:6379"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let start = std::time::Instant::now();
    let clock = || Instant::from_micros(start.elapsed().as_micros() as u64);
    let patience = Duration::from_secs(2);
    let config = Config::default().handshake_timeout(patience).command_timeout(patience);
    let mut redis = Connection::new(config, Buffers::growing_to(1 << 20, 1 << 16));
    redis.connected(clock())?; // what is sent from here on waits for the handshake

    redis.send(clock(), &set("greeting", "hello"))?;
    let hello = redis.send(clock(), &get("greeting"))?;
    redis.send(clock(), &subscribe("news"))?;
    let echo = ["ECHO", &"a line of text. ".repeat(1000)];
    let last: [&[&str]; 2] = [&["PUBLISH", "news", "it works"], &["QUIT"]];
    let mut backlog = iter::repeat_n(&echo[..], 1000).chain(last).peekable();
    let (mut echoed, mut ended) = (0, None);
    loop {
        let mut more = true; // until a read would block
        match stream.read(redis.receive_buffer()) {
            Ok(count @ 1..) => redis.received(clock(), count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => more = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            end => ended = Some(end), // no bytes, or an error
        }
        if ended.is_some() {
            redis.handle_eof();
        }
        while let Some(event) = redis.poll_event() {
            match event {
                Event::Reply { frame, .. } if frame.error().is_some() => eprintln!("{:?}", frame.error()),
                Event::Reply { ticket, frame } if ticket == hello => println!("{:?}", frame.decode::<&str>()),
                Event::Reply { frame, .. } => echoed += u32::from(frame.text() == Some(echo[1].as_bytes())),
                Event::Message(message) => println!("{echoed} echoes, {}", message.payload.escape_ascii()),
                Event::Failed { failure, .. } => eprintln!("{failure}"),
                Event::Closed { reason: CloseReason::Quit, .. } => return Ok(()),
                Event::Closed { reason, .. } => return Err(format!("{reason}: {ended:?}").into()),
                _ => {}
            }
        }
        while let Some(command) = backlog.peek() {
            match redis.send(clock(), *command) {
                Ok(_) => drop(backlog.next()),
                Err(SendError::Capacity(_)) if redis.in_flight() > 0 => break, // replies make room
                Err(error) => return Err(error.into()),
            }
        }
        while let (None, Some(bytes)) = (&ended, redis.poll_transmit()) {
            match stream.write(bytes) {
                Ok(count @ 1..) => redis.transmitted(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                end => ended = Some(end),
            }
        }
        let now = clock();
        let due = redis.poll_timeout().map(|(due, _reason)| due.since(now));
        redis.handle_timeout(now); // after the read: a reply that is here is not late
        let wait = if more || ended.is_some() { Some(Duration::ZERO) } else { due };
        let writable = if redis.poll_transmit().is_some() { PollFlags::OUT } else { PollFlags::empty() };
        let mut streams = [PollFd::new(&stream, PollFlags::IN | writable)];
        match poll(&mut streams, wait.map(Timespec::try_from).transpose()?.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
