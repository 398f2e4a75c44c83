//! What else happens to a GET: calls that are made together, one that is given up, one that takes too long.

use embedded_redis::commands::get::GetResponse;
use embedded_redis::network::CommandErrors;
use embedded_time::duration::Extensions;
use futures_util::future::{join, join_all};
use redwire::command::Commands;
use redwire::time::{Duration, Instant};
use redwire_embedded_io::{Error, NoClock};

use super::clients::{Body, EmbeddedClient, Lent, config, connect, connect_async, connect_peer};
use super::server::{LARGE, Network, Server, Ticks, Traffic, block_on, cancel};

/// The keys that are got; each holds its own name.
const KEYS: [&str; 10] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

/// How long a reply may take, in milliseconds of a clock that goes on when it is looked at.
const TIMEOUT: u32 = 100;

/// The memory for a reply.
const MEMORY: usize = 1024;

/// Calls that are made together.
#[derive(Clone, Copy)]
pub struct Joined {
    /// What it is called in the table.
    pub name: &'static str,
    /// How many there are.
    pub calls: usize,
    /// Makes them, and gives what went over the stream.
    pub run: fn() -> Traffic,
}

/// All of them, in the order of the table.
pub const JOINED: &[Joined] = &[
    Joined { name: "redwire, blocking: `pipeline()`", calls: 2, run: pipeline::<2> },
    Joined { name: "redwire, async: `pipeline()`", calls: 2, run: async_pipeline::<2> },
    Joined { name: "embedded-redis: `join`", calls: 2, run: peer_join },
    Joined { name: "redwire, blocking: `pipeline()`", calls: 10, run: pipeline::<10> },
    Joined { name: "redwire, async: `pipeline()`", calls: 10, run: async_pipeline::<10> },
    Joined { name: "embedded-redis: `join_all`", calls: 10, run: peer_join_all },
];

fn pipeline<const CALLS: usize>() -> Traffic {
    let (server, mut lent) = (Server::new(0), Lent::new(MEMORY));
    let mut redis = connect(&server, &mut lent, config(), NoClock);
    server.traffic();
    let mut pipeline = redis.pipeline();
    for key in &KEYS[..CALLS] {
        pipeline.get(key);
    }
    let values: [String; CALLS] = pipeline.execute().expect("the server answers");
    assert_eq!(values, KEYS[..CALLS]);
    server.traffic()
}

fn async_pipeline<const CALLS: usize>() -> Traffic {
    let (server, mut lent) = (Server::new(0), Lent::new(MEMORY));
    let mut redis = connect_async(&server, &mut lent, config(), NoClock);
    server.traffic();
    let mut pipeline = redis.pipeline();
    for key in &KEYS[..CALLS] {
        pipeline.get(key);
    }
    let values: [String; CALLS] = block_on(&server, pipeline.execute()).expect("the server answers");
    assert_eq!(values, KEYS[..CALLS]);
    server.traffic()
}

fn peer_join() -> Traffic {
    let (server, clock) = (Server::new(0), Ticks::default());
    let network = Network(&server);
    let redis = connect_peer(&server, &network, &clock, MEMORY, 0.microseconds());
    server.traffic();
    let (first, second) = block_on(&server, join(redis.get(KEYS[0]), redis.get(KEYS[1])));
    assert_eq!([first, second].map(peer_value), [KEYS[0], KEYS[1]].map(own));
    server.traffic()
}

fn peer_join_all() -> Traffic {
    let (server, clock) = (Server::new(0), Ticks::default());
    let network = Network(&server);
    let redis = connect_peer(&server, &network, &clock, MEMORY, 0.microseconds());
    server.traffic();
    let replies = block_on(&server, join_all(KEYS.map(|key| redis.get(key))));
    assert_eq!(replies.into_iter().map(peer_value).collect::<Vec<_>>(), KEYS.map(own));
    server.traffic()
}

/// A GET whose reply does not come until the caller has given up, and two more GETs.
#[derive(Clone, Copy)]
pub struct Situation {
    /// What it is called in the table.
    pub name: &'static str,
    /// Makes the calls.
    pub run: fn() -> Happened,
}

/// What the callers got, in words.
#[derive(Debug)]
pub struct Happened {
    /// The one who gave up.
    pub first: String,
    /// The next one.
    pub second: String,
    /// And the one after that.
    pub third: String,
}

/// All of them, in the order of the table.
pub const SITUATIONS: &[Situation] = &[
    Situation { name: "cancelled: redwire, async", run: cancelled },
    Situation { name: "cancelled: embedded-redis", run: peer_cancelled },
    Situation { name: "timed out: redwire, blocking", run: timed_out },
    Situation { name: "timed out: redwire, async", run: async_timed_out },
    Situation { name: "timed out: embedded-redis", run: peer_timed_out },
];

/// The value of a reply, or the name of the error.
type Value = Result<String, String>;

impl Happened {
    /// In words, from what the GETs of the first three keys gave. None: it was dropped.
    fn of(first: Option<Value>, second: Value, third: Value) -> Self {
        let words = |value: Value, position: usize| match value {
            Ok(value) if value == KEYS[position] => "its own reply".to_owned(),
            Ok(value) if position > 0 && value == KEYS[position - 1] => {
                "the reply of the GET before".to_owned()
            }
            Ok(value) => format!("`{value}`"),
            Err(error) => format!("the error `{error}`"),
        };
        Happened {
            first: first.map_or("dropped".to_owned(), |value| words(value, 0)),
            second: words(second, 1),
            third: words(third, 2),
        }
    }
}

fn own(key: &str) -> Value {
    Ok(key.to_owned())
}

fn value(reply: Result<String, Error>) -> Value {
    reply.map_err(|error| format!("{:?}", error.kind()))
}

fn peer_value(reply: Result<Option<GetResponse>, CommandErrors>) -> Value {
    let reply = reply.map_err(|error| format!("{error:?}"))?;
    reply.and_then(|reply| reply.as_string()).ok_or("no value".to_owned())
}

fn cancelled() -> Happened {
    let (server, mut lent) = (Server::new(0), Lent::new(MEMORY));
    let mut redis = connect_async(&server, &mut lent, config(), NoClock);
    server.hold(true);
    cancel(&server, redis.get::<String>(KEYS[0]));
    server.hold(false);
    let second = block_on(&server, redis.get(KEYS[1]));
    let third = block_on(&server, redis.get(KEYS[2]));
    Happened::of(None, value(second), value(third))
}

fn peer_cancelled() -> Happened {
    let (server, clock) = (Server::new(0), Ticks::default());
    let network = Network(&server);
    let redis = connect_peer(&server, &network, &clock, MEMORY, 0.microseconds());
    server.hold(true);
    cancel(&server, redis.get(KEYS[0]));
    server.hold(false);
    let second = block_on(&server, redis.get(KEYS[1]));
    let third = block_on(&server, redis.get(KEYS[2]));
    Happened::of(None, peer_value(second), peer_value(third))
}

fn timed_out() -> Happened {
    let (server, mut lent, clock) = (Server::new(0), Lent::new(MEMORY), Ticks::default());
    let config = config().command_timeout(Duration::from_millis(TIMEOUT.into()));
    let now = || Instant::from_micros(clock.tick());
    let mut redis = connect(&server, &mut lent, config, now).with_deadlines();
    server.hold(true);
    let first = redis.get(KEYS[0]);
    server.hold(false);
    let (second, third) = (redis.get(KEYS[1]), redis.get(KEYS[2]));
    Happened::of(Some(value(first)), value(second), value(third))
}

fn async_timed_out() -> Happened {
    let (server, mut lent, clock) = (Server::new(0), Lent::new(MEMORY), Ticks::default());
    let config = config().command_timeout(Duration::from_millis(TIMEOUT.into()));
    let now = || Instant::from_micros(clock.tick());
    let mut redis = connect_async(&server, &mut lent, config, now);
    server.hold(true);
    let first = block_on(&server, redis.get(KEYS[0]));
    server.hold(false);
    let second = block_on(&server, redis.get(KEYS[1]));
    let third = block_on(&server, redis.get(KEYS[2]));
    Happened::of(Some(value(first)), value(second), value(third))
}

fn peer_timed_out() -> Happened {
    let (server, clock) = (Server::new(0), Ticks::default());
    let network = Network(&server);
    let redis = connect_peer(&server, &network, &clock, MEMORY, (TIMEOUT * 1000).microseconds());
    server.hold(true);
    let first = block_on(&server, redis.get(KEYS[0]));
    server.hold(false);
    let second = block_on(&server, redis.get(KEYS[1]));
    let third = block_on(&server, redis.get(KEYS[2]));
    Happened::of(Some(peer_value(first)), peer_value(second), peer_value(third))
}

/// A GET of a large value that is cancelled, ten GETs of small ones, and whatever the client has to tidy up. The closure
/// does it all.
pub const CANCELLED: &[EmbeddedClient] = &[
    EmbeddedClient { name: "redwire, async", run: cancelled_large },
    EmbeddedClient { name: "embedded-redis, with `close()` at the end", run: peer_cancelled_large },
];

fn cancelled_large(size: usize, body: Body<'_>) {
    let (server, mut lent) = (Server::new(size), Lent::new(MEMORY));
    let mut redis = connect_async(&server, &mut lent, config(), NoClock);
    body(&server, &mut || {
        server.hold(true);
        cancel(&server, redis.get::<&[u8]>(LARGE));
        server.hold(false);
        for key in KEYS {
            assert_eq!(value(block_on(&server, redis.get(key))), own(key));
        }
    });
}

fn peer_cancelled_large(size: usize, body: Body<'_>) {
    let (server, clock) = (Server::new(size), Ticks::default());
    let network = Network(&server);
    let redis = connect_peer(&server, &network, &clock, size, 0.microseconds());
    body(&server, &mut || {
        server.hold(true);
        cancel(&server, redis.get(LARGE));
        server.hold(false);
        for key in KEYS {
            assert_eq!(peer_value(block_on(&server, redis.get(key))), own(key));
        }
        block_on(&server, redis.close());
    });
}
