//! A flood of messages and a subscriber who drains it: one that a process of its own publishes meanwhile, as fast as the
//! server takes it, or one that waits in the server, published while the subscriber did not read.

use std::env;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use futures_util::StreamExt;
use redwire_mio::redwire::command::subscribe;
use redwire_mio::redwire::connection::Event;
use redwire_mio::redwire::resp::encode;
use rustis::commands::PubSubCommands;
use tokio::runtime::Builder;

use super::{Client, Measured, RawLoop, RedwireLoop, Result, Server, exchange, unexpected};

/// How many messages there are.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// All of them.
    pub messages: usize,
    /// They are published before they are drained.
    pub waiting: bool,
}

/// redwire-mio first; the last one is the bound.
pub const CLIENTS: &[Client<Work>] = &[
    Client { name: "redwire-mio, get_message", run: redwire },
    Client { name: "redis-rs PubSub, get_message, blocking", run: redis_rs },
    Client { name: "redis-rs aio::PubSub, current thread", run: redis_rs_stream },
    Client { name: "rustis PubSubStream, current thread", run: rustis },
    Client { name: "raw: bytes counted", run: raw },
];

const CHANNEL: &str = "channel";

/// Every message has so many bytes.
const PAYLOAD: usize = 16;

/// Who publishes: this binary once more.
struct Publisher(Child);

impl Publisher {
    /// Publishes everything if it is to wait in the server; otherwise that is for [`begin`](Self::begin) to do.
    fn prepare(server: &Server, work: &Work) -> Result<Option<Self>> {
        let child = Command::new(env::current_exe()?)
            .args(["publish", &server.address.to_string(), &work.messages.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut publisher = Publisher(child);
        let ready = publisher.0.stdout.as_mut().ok_or("no output")?;
        ready.read_exact(&mut [0])?;
        if !work.waiting {
            return Ok(Some(publisher));
        }
        publisher.begin()?;
        match publisher.0.wait()?.success() {
            true => Ok(None),
            false => Err("the messages were not published".into()),
        }
    }

    fn begin(&mut self) -> Result<()> {
        Ok(self.0.stdin.as_mut().ok_or("no input")?.write_all(b"\n")?)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Most often it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Drains what a publisher sends, and says what that took.
fn drained(server: &Server, work: &Work, drain: impl FnOnce() -> Result<()>) -> Result<Measured> {
    let mut publisher = Publisher::prepare(server, work)?;
    Measured::of(|| {
        publisher.as_mut().map_or(Ok(()), Publisher::begin)?;
        drain()
    })
}

/// What the publisher does: says that it is ready, and when it is told to begin, publishes everything.
///
/// # Errors
/// Those of the connection; and when a message does not have exactly one subscriber.
pub fn publish(server: SocketAddr, messages: usize) -> Result<()> {
    const AT_ONCE: usize = 1000;
    let mut stream = TcpStream::connect(server)?;
    let publish = |number| encode(&["PUBLISH", CHANNEL, &format!("message:{number:08}")]);
    let length = publish(0).len();
    let commands: Vec<u8> = (0..messages).flat_map(publish).collect();
    io::stdout().write_all(b"\n")?;
    io::stdout().flush()?;
    io::stdin().read_exact(&mut [0])?;
    for commands in commands.chunks(AT_ONCE * length) {
        let replies = ":1\r\n".repeat(commands.len() / length);
        if exchange(&mut stream, commands, replies.len())? != replies.as_bytes() {
            return Err("there is not exactly one subscriber".into());
        }
    }
    Ok(())
}

/// Fails if payloads do not have as many bytes as were published.
fn check(work: &Work, bytes: usize) -> Result<()> {
    match bytes == work.messages * PAYLOAD {
        true => Ok(()),
        false => Err(format!("{bytes} bytes of messages").into()),
    }
}

fn redwire(server: &Server, work: &Work) -> Result<Measured> {
    let mut turns = RedwireLoop::connected(server)?;
    let mut now = Instant::now();
    turns.redis.send(now, &subscribe(CHANNEL))?;
    let subscribed = loop {
        if let Some(event) = turns.redis.next_event(now) {
            break matches!(event, Event::Subscription(_)).then_some(()).ok_or_else(|| unexpected(&event));
        }
        now = turns.wait()?;
    };
    subscribed?;
    drained(server, work, || {
        let (mut messages, mut bytes) = (0, 0);
        while messages < work.messages {
            let now = Instant::now();
            while let Some(message) = turns.redis.get_message(now)? {
                messages += 1;
                bytes += message.payload.len();
            }
            // It is told of no event, only looked at again.
            if messages < work.messages {
                turns.poll.poll(&mut turns.events, turns.redis.timeout(now))?;
            }
        }
        check(work, bytes)
    })
}

fn redis_rs(server: &Server, work: &Work) -> Result<Measured> {
    let mut connection = redis::Client::open(server.url())?.get_connection()?;
    let mut pubsub = connection.as_pubsub();
    pubsub.subscribe(CHANNEL)?;
    drained(server, work, || {
        let mut bytes = 0;
        for _ in 0..work.messages {
            bytes += pubsub.get_message()?.get_payload_bytes().len();
        }
        check(work, bytes)
    })
}

fn redis_rs_stream(server: &Server, work: &Work) -> Result<Measured> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut pubsub = runtime.block_on(async {
        let mut pubsub = redis::Client::open(server.url())?.get_async_pubsub().await?;
        pubsub.subscribe(CHANNEL).await?;
        redis::RedisResult::Ok(pubsub)
    })?;
    drained(server, work, || {
        let mut messages = pubsub.on_message().take(work.messages);
        let mut bytes = 0;
        runtime.block_on(async {
            while let Some(message) = messages.next().await {
                bytes += message.get_payload_bytes().len();
            }
        });
        check(work, bytes)
    })
}

fn rustis(server: &Server, work: &Work) -> Result<Measured> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (_client, stream) = runtime.block_on(async {
        let client = rustis::client::Client::connect(server.url()).await?;
        let stream = client.subscribe(CHANNEL).await?;
        rustis::Result::Ok((client, stream))
    })?;
    drained(server, work, || {
        let mut messages = stream.take(work.messages);
        let mut bytes = 0;
        runtime.block_on(async {
            while let Some(message) = messages.next().await {
                bytes += message?.payload().len();
            }
            rustis::Result::Ok(())
        })?;
        check(work, bytes)
    })
}

/// Reads, and counts the bytes.
fn raw(server: &Server, work: &Work) -> Result<Measured> {
    let mut stream = TcpStream::connect(server.address)?;
    let confirmation = format!("*3\r\n$9\r\nsubscribe\r\n$7\r\n{CHANNEL}\r\n:1\r\n");
    if exchange(&mut stream, &encode(&subscribe(CHANNEL)), confirmation.len())? != confirmation.as_bytes() {
        return Err("not subscribed".into());
    }
    let message = format!("*3\r\n$7\r\nmessage\r\n$7\r\n{CHANNEL}\r\n$16\r\nmessage:00000000\r\n").len();
    let mut turns = RawLoop::new(stream)?;
    let mut buffer = vec![0; 64 * 1024];
    drained(server, work, || {
        let mut left = work.messages * message;
        while left > 0 {
            match turns.read(&mut buffer)? {
                Some(count) => left -= count,
                None => turns.wait()?,
            }
        }
        Ok(())
    })
}
