//! The blocking client against a server in memory: pieces of every size, faults at every byte, and every capacity.

mod batches;
mod capacities;
mod faults;
mod messages;
mod noise;
#[path = "../support/mod.rs"]
mod support;
mod time;
mod values;

use std::fmt::Debug;

use embedded_io::ErrorKind as Io;
use redwire::connection::{Capacity, Misuse, Mode, SubscriptionKind};
use redwire::resp::{Protocol, ProtocolErrorKind};
use redwire_embedded_io::prelude::*;
use redwire_embedded_io::{Pipeline, ServerError};
use redwire_kit::server::Server;
use support::memory::{self, Fault, Redis, World, protocols};

type Memory = StaticBuffers<256, 300, 8, 64, 128>;

/// One thing that a client does; what came of it is text.
type Step = fn(&mut Redis<'_>) -> Result<String, Error>;

fn text(value: impl Debug) -> String {
    format!("{value:?}")
}

/// A life of a client with all that it can do, and in which nothing is changed by being done twice.
const LIFE: [Step; 17] = [
    |redis| redis.set("name", "sensor").map(text),
    |redis| redis.get::<&str>("name").map(text),
    |redis| redis.get::<heapless::String<16>>("name").map(text),
    |redis| redis.get::<Option<&[u8]>>("none").map(text),
    |redis| redis.execute::<_, &str>(cmd("NONSENSE").arg("x")).map(text),
    |redis| redis.pipeline().set("a", 1).get("a").get("none").execute::<(bool, u8, Option<u8>)>().map(text),
    |redis| redis.atomic().set("b", 2).get("b").execute::<((), heapless::String<4>)>().map(text),
    |redis| {
        redis
            .transaction(["a"], |tx| {
                let a: u32 = tx.get("a")?;
                tx.multi().set("c", a + 1);
                Ok(a)
            })
            .map(text)
    },
    |redis| redis.script(&Script::new("return 42"), "key", 42).map(|reply: i64| text(reply)),
    |redis| {
        let value = "0123456789".repeat(100);
        let mut upload = redis.upload(cmd("SET").arg("large"), value.len())?;
        for piece in value.as_bytes().chunks(70) {
            upload.append(piece)?;
        }
        upload.finish::<()>().map(text)
    },
    |redis| {
        let mut whole = Vec::new();
        let mut download = redis.download(get("large"))?.expect("a value");
        while let Some(piece) = download.next()? {
            whole.extend_from_slice(piece);
        }
        assert_eq!(whole, "0123456789".repeat(100).as_bytes());
        Ok(text(whole.len()))
    },
    |redis| redis.get::<&[u8]>("large").map(text),
    |redis| redis.subscribe(["news", "weather"]).map(text),
    |redis| redis.psubscribe("n*").map(text),
    |redis| redis.unsubscribe(()).map(text),
    |redis| redis.punsubscribe("n*").map(text),
    |redis| redis.get::<u8>("c").map(text),
];

/// Runs a life, and gives what came of each step. Errors of the server and of capacity are what comes of a step, too.
fn live(redis: &mut Redis<'_>) -> Result<Vec<String>, (usize, Error)> {
    let mut transcript = Vec::new();
    for (number, step) in LIFE.iter().enumerate() {
        transcript.push(match step(redis) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::TooLarge(_)) => {
                error.to_string()
            }
            Err(error) => return Err((number, error)),
        });
    }
    Ok(transcript)
}

/// The same life over an undisturbed line: what comes of it, and how many bytes go over the line each way.
fn undisturbed(config: &Config<'static>) -> (Vec<String>, usize, usize) {
    let world = World::new();
    let mut memory = Memory::sized();
    let mut redis = world.client(config.clone(), memory.memory());
    let transcript = live(&mut redis).unwrap();
    let state = world.state();
    (transcript, state.written.len(), state.read)
}

/// The client is in step: it gives each reply to the command it belongs to.
fn in_step(world: &World, redis: &mut Redis<'_>) {
    world.set("step", "in step");
    assert_eq!(redis.get::<&str>("step").unwrap(), "in step");
    let (first, second): (heapless::String<8>, Option<u8>) =
        redis.pipeline().get("step").get("none").execute().unwrap();
    assert_eq!((first.as_str(), second), ("in step", None));
}

/// A client with deadlines asks its stream; one without relies on a stream that gives up by itself.
fn with_and_without_deadlines(config: Config<'static>, test: impl Fn(&World, &mut Redis<'_>)) {
    for deadlines in [true, false] {
        for (_, protocol) in protocols() {
            let protocol =
                if format!("{protocol:?}").contains("Resp2") { Protocol::Resp2 } else { Protocol::Resp3 };
            let world = World::new();
            world.state().patience = Some(Duration::from_millis(10));
            let mut memory = Memory::sized();
            let mut redis = world.client(config.clone().protocol(protocol), memory.memory());
            if deadlines {
                redis = redis.with_deadlines();
            }
            test(&world, &mut redis);
        }
    }
}
