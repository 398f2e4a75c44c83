//! Many callers on one connection: each asks, waits for the reply, sees that it is its own, and asks again.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::future::Future;
use std::time::Instant;

use redis::AsyncCommands;
use redwire_mio::redwire::command::{get, set};
use redwire_mio::redwire::connection::{Event, Ticket};
use redwire_mio::redwire::resp::Frame;
use rustis::commands::StringCommands;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::{Client, Measured, RedwireLoop, Result, Server, unexpected};

/// How many callers there are.
pub const CALLERS: usize = 100;

/// What all callers do.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// How many operations there are in all.
    pub operations: usize,
    /// Every second one is a SET, and not a GET.
    pub writes: bool,
}

/// redwire-mio first, then the peers.
pub const CLIENTS: &[Client<Work>] = &[
    Client { name: "redwire-mio, callers in a HashMap by ticket", run: redwire::<HashMap<Ticket, usize>> },
    Client { name: "redwire-mio, callers in a VecDeque", run: redwire::<VecDeque<(Ticket, usize)>> },
    Client {
        name: "redis-rs MultiplexedConnection, current thread",
        run: |s, w| redis_rs(one_thread()?, s, w),
    },
    Client { name: "redis-rs MultiplexedConnection, threads", run: |s, w| redis_rs(threads()?, s, w) },
    Client { name: "rustis Client, current thread", run: |s, w| rustis(one_thread()?, s, w) },
    Client { name: "rustis Client, threads", run: |s, w| rustis(threads()?, s, w) },
];

/// How many of [`CLIENTS`] are redwire's.
pub const OURS: usize = 2;

/// Somebody who asks one thing after the other.
struct Caller {
    key: String,
    value: String,
    number: usize,
    turn: usize,
    turns: usize,
    writes: bool,
}

enum Operation {
    Get,
    Set,
}

impl Caller {
    /// All callers, their values set.
    fn all(server: &Server, work: &Work) -> Result<Vec<Caller>> {
        let caller = |number| Caller {
            key: format!("key:{number:03}"),
            value: format!("value:{number:03}:000000"),
            number,
            turn: 0,
            turns: work.operations / CALLERS,
            writes: work.writes,
        };
        let callers: Vec<Caller> = (0..CALLERS).map(caller).collect();
        let set = callers.iter().flat_map(|caller| redwire::resp::encode(&set(&caller.key, &caller.value)));
        server.exchange(&set.collect::<Vec<u8>>(), b"+OK\r\n".len() * CALLERS)?;
        Ok(callers)
    }

    /// What comes next: to set the key to the value, or to get it.
    fn next(&mut self) -> Option<Operation> {
        let turn = self.turn;
        self.turn += 1;
        match turn < self.turns {
            true if self.writes && turn.is_multiple_of(2) => {
                self.value.clear();
                write!(self.value, "value:{:03}:{turn:06}", self.number).ok()?;
                Some(Operation::Set)
            }
            true => Some(Operation::Get),
            false => None,
        }
    }

    fn check(&self, got: &str) -> Result<()> {
        match got == self.value {
            true => Ok(()),
            false => Err(format!("caller {} got {got} in place of {}", self.number, self.value).into()),
        }
    }

    fn send(&mut self, redis: &mut redwire_mio::Client, now: Instant) -> Result<Option<Ticket>> {
        let ticket = match self.next() {
            Some(Operation::Get) => redis.send(now, &get(&self.key)),
            Some(Operation::Set) => redis.send(now, &set(&self.key, &self.value)),
            None => return Ok(None),
        };
        Ok(Some(ticket?))
    }

    /// The reply to what it sent last, as what the peers give: a string of its own.
    fn take(&self, frame: Frame<'_>) -> Result<()> {
        match self.writes && !self.turn.is_multiple_of(2) {
            true => Ok(frame.decode::<()>().map_err(|error| error.to_string())?),
            false => self.check(&frame.decode::<String>().map_err(|error| error.to_string())?),
        }
    }
}

/// Who waits for which reply.
trait Waiting: Default {
    fn put(&mut self, ticket: Ticket, caller: usize);
    fn take(&mut self, ticket: Ticket) -> Option<usize>;
}

impl Waiting for HashMap<Ticket, usize> {
    fn put(&mut self, ticket: Ticket, caller: usize) {
        self.insert(ticket, caller);
    }

    fn take(&mut self, ticket: Ticket) -> Option<usize> {
        self.remove(&ticket)
    }
}

/// Replies come in the order of sending: it is the first, or nobody's.
impl Waiting for VecDeque<(Ticket, usize)> {
    fn put(&mut self, ticket: Ticket, caller: usize) {
        self.push_back((ticket, caller));
    }

    fn take(&mut self, ticket: Ticket) -> Option<usize> {
        self.pop_front().filter(|(first, _)| *first == ticket).map(|(_, caller)| caller)
    }
}

fn redwire<W: Waiting>(server: &Server, work: &Work) -> Result<Measured> {
    let mut callers = Caller::all(server, work)?;
    let mut turns = RedwireLoop::connected(server)?;
    Measured::of(|| {
        let mut waiting = W::default();
        let mut now = Instant::now();
        for (number, caller) in callers.iter_mut().enumerate() {
            if let Some(ticket) = caller.send(&mut turns.redis, now)? {
                waiting.put(ticket, number);
            }
        }
        let mut left = work.operations;
        loop {
            while let Some(event) = turns.redis.next_event(now) {
                let Event::Reply { ticket, frame } = event else { return Err(unexpected(&event)) };
                let number = waiting.take(ticket).ok_or("nobody waits for the reply")?;
                let caller = callers.get_mut(number).ok_or("no such caller")?;
                caller.take(frame)?;
                left -= 1;
                if let Some(ticket) = caller.send(&mut turns.redis, now)? {
                    waiting.put(ticket, number);
                }
            }
            if left == 0 {
                return Ok(());
            }
            now = turns.wait()?;
        }
    })
}

fn one_thread() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn threads() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Without a timeout for replies, since the others have none.
fn redis_rs(runtime: Runtime, server: &Server, work: &Work) -> Result<Measured> {
    let callers = Caller::all(server, work)?;
    let client = redis::Client::open(server.url())?;
    let config = redis::AsyncConnectionConfig::new()
        .set_response_timeout(None)
        // The default is made for fewer callers.
        .set_pipeline_buffer_size(CALLERS);
    let connection = runtime.block_on(client.get_multiplexed_async_connection_with_config(&config))?;
    tasks(&runtime, callers, |mut caller| {
        let mut redis = connection.clone();
        async move {
            while let Some(operation) = caller.next() {
                match operation {
                    Operation::Get => caller.check(&redis.get::<_, String>(&caller.key).await?)?,
                    Operation::Set => redis.set::<_, _, ()>(&caller.key, &caller.value).await?,
                }
            }
            Ok(())
        }
    })
}

fn rustis(runtime: Runtime, server: &Server, work: &Work) -> Result<Measured> {
    let callers = Caller::all(server, work)?;
    let client = runtime.block_on(rustis::client::Client::connect(server.url()))?;
    tasks(&runtime, callers, |mut caller| {
        let client = client.clone();
        async move {
            while let Some(operation) = caller.next() {
                match operation {
                    Operation::Get => caller.check(&client.get::<String>(&caller.key).await?)?,
                    Operation::Set => client.set(&caller.key, &caller.value).await?,
                }
            }
            Ok(())
        }
    })
}

/// A task for each caller, until all are done.
fn tasks<F: Future<Output = Result<()>> + Send + 'static>(
    runtime: &Runtime,
    callers: Vec<Caller>,
    task: impl Fn(Caller) -> F,
) -> Result<Measured> {
    Measured::of(|| {
        runtime.block_on(async {
            let mut tasks: JoinSet<Result<()>> = JoinSet::new();
            callers.into_iter().for_each(|caller| {
                tasks.spawn(task(caller));
            });
            while let Some(done) = tasks.join_next().await {
                done??;
            }
            Ok(())
        })
    })
}
