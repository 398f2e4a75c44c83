//! One pipeline that never runs dry: GETs on one connection, as many in flight as there may be, beside a loop that only
//! moves the bytes.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::Instant;

use redwire_mio::redwire::command::{get, set};
use redwire_mio::redwire::connection::Event;
use redwire_mio::redwire::resp::encode;

use super::{Client, Measured, RawLoop, RedwireLoop, Result, Server, unexpected};

/// How many GETs, and how many of them at once.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// All of them.
    pub operations: usize,
    /// At most so many are not answered.
    pub in_flight: usize,
}

/// The last one is the bound.
pub const CLIENTS: &[Client<Work>] =
    &[Client { name: "redwire-mio", run: redwire }, Client { name: "raw: bytes counted", run: raw }];

const KEY: &str = "key:in-flight";
const VALUE: &str = "value:0123456789";

fn prepare(server: &Server) -> Result<()> {
    server.exchange(&encode(&set(KEY, VALUE)), b"+OK\r\n".len()).map(drop)
}

/// Sends a command for each reply, which it decodes, and knows by its ticket.
fn redwire(server: &Server, work: &Work) -> Result<Measured> {
    prepare(server)?;
    let mut turns = RedwireLoop::connected(server)?;
    Measured::of(|| {
        let mut now = Instant::now();
        let mut waiting = VecDeque::new();
        for _ in 0..work.in_flight {
            waiting.push_back(turns.redis.send(now, &get(KEY))?);
        }
        let mut unsent = work.operations - work.in_flight;
        loop {
            while let Some(event) = turns.redis.next_event(now) {
                let Event::Reply { ticket, frame } = event else { return Err(unexpected(&event)) };
                if waiting.pop_front() != Some(ticket) || frame.decode() != Ok(VALUE) {
                    return Err("a reply to another command".into());
                }
                if unsent > 0 {
                    unsent -= 1;
                    waiting.push_back(turns.redis.send(now, &get(KEY))?);
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            now = turns.wait()?;
        }
    })
}

/// Writes commands that are ready made, and counts the bytes of replies that all have the same length.
fn raw(server: &Server, work: &Work) -> Result<Measured> {
    prepare(server)?;
    let command = encode(&get(KEY));
    let reply = format!("${}\r\n{VALUE}\r\n", VALUE.len()).len();
    let commands = command.repeat(work.in_flight + 1);
    let mut turns = RawLoop::new(TcpStream::connect(server.address)?)?;
    let mut buffer = vec![0; 64 * 1024];
    Measured::of(|| {
        let (mut written, mut received) = (0, 0);
        loop {
            let may_be_written = (received / reply + work.in_flight).min(work.operations) * command.len();
            if written < may_be_written {
                let start = written % command.len();
                let bytes = commands.get(start..start + may_be_written - written).unwrap_or_default();
                written += turns.write(bytes)?;
            }
            match turns.read(&mut buffer)? {
                Some(count) => received += count,
                None if received == work.operations * reply => return Ok(()),
                None => turns.wait()?,
            }
        }
    })
}
