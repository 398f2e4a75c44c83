//! The async client over a stream in memory that comes in pieces of every size, gives up, and breaks at every byte.

mod support;

use embedded_io::ErrorKind as Io;
use redwire_embedded_io::prelude::*;
use support::memory::{Fault, World, protocols};
use support::wire::{AsyncWorld, Redis, block_on};

type Memory = StaticBuffers<128, 300, 8, 64, 128>;

/// A bit of everything. Every command either succeeds or is the error that this gives.
async fn live(redis: &mut Redis<'_>) -> Result<String, Error> {
    redis.connect().await?;
    // What was subscribed to when the connection broke is again.
    redis.unsubscribe(()).await?;
    redis.set("name", "sensor").await?;
    let name: heapless::String<16> = redis.get("name").await?;
    let lent: Option<&str> = redis.get("none").await?;
    assert_eq!(lent, None);
    let (_, a): (bool, u8) = redis.pipeline().set("a", 1).get("a").execute().await?;
    let (_, b): (bool, u8) = redis.atomic().set("b", 2).get("b").execute().await?;
    let next = redis
        .transaction("b", async |tx| {
            let b: u32 = tx.get("b").await?;
            tx.multi().set("b", b + 1);
            Ok(b + 1)
        })
        .await?;
    let answer: i64 = redis.script(&Script::new("return ARGV[1]"), "k", 42).await?;
    let mut upload = redis.upload(cmd("SET").arg("large"), 1000).await?;
    for _ in 0..10 {
        upload.append(&[b'x'; 100]).await?;
    }
    upload.finish::<()>().await?;
    let mut length = 0;
    if let Some(mut download) = redis.download(get("large")).await? {
        while let Some(piece) = download.next().await? {
            length += piece.len();
        }
    }
    redis.subscribe("news").await?;
    redis.unsubscribe("news").await?;
    let large = redis.get::<&[u8]>("large").await;
    match large {
        Err(error) if *error.kind() == ErrorKind::TooLarge(1009) => {}
        other => return other.map(|_| String::new()),
    }
    let last: u8 = redis.execute(get("b")).await?;
    Ok(format!("{name} {a} {b} {next} {answer} {length} {last}"))
}

const LIFE: &str = "sensor 1 2 3 42 1000 3";

#[test]
fn pieces_of_every_size() {
    for (name, config) in protocols() {
        for piece in 1..40 {
            let world = World::new();
            world.state().piece = Some(piece);
            let mut memory = Memory::sized();
            let mut redis = AsyncWorld(world).client(config.clone(), memory.memory());
            assert_eq!(block_on(live(&mut redis)).unwrap(), LIFE, "{name}, {piece}");
        }
    }
}

#[test]
fn a_stream_that_gives_up_at_any_byte_is_asked_again() {
    for (name, config) in protocols() {
        for place in 0.. {
            let world = World::new();
            let fault = Some((place, Fault::GaveUp(Io::TimedOut)));
            (world.state().write_fault, world.state().read_fault) = (fault, fault);
            let mut memory = Memory::sized();
            let mut redis = AsyncWorld(world.clone()).client(config.clone(), memory.memory());
            assert_eq!(block_on(live(&mut redis)).unwrap(), LIFE, "{name} at {place}");
            assert_eq!(world.streams(), (1, 0));
            if world.state().write_fault.is_some() && world.state().read_fault.is_some() {
                break;
            }
        }
    }
}

#[test]
fn a_stream_that_breaks_at_any_byte_is_a_stated_error_and_the_next_connection_in_step() {
    for (name, config) in protocols() {
        for fault in [Fault::Zero, Fault::Broken(Io::ConnectionReset)] {
            for writing in [true, false] {
                for place in 0.. {
                    let world = World::new();
                    if writing {
                        world.state().write_fault = Some((place, fault));
                    } else {
                        world.state().read_fault = Some((place, fault));
                    }
                    let context = format!("{name}, {fault:?} at {place}, writing: {writing}");
                    let mut memory = Memory::sized();
                    let mut redis = AsyncWorld(world.clone()).client(config.clone(), memory.memory());
                    let Err(error) = block_on(live(&mut redis)) else { break };
                    assert!(matches!(error.kind(), ErrorKind::Disconnected), "{context}: {error}");
                    let kind = match fault {
                        Fault::Zero if writing => Some(Io::WriteZero),
                        Fault::Zero => None,
                        _ => Some(Io::ConnectionReset),
                    };
                    assert_eq!(*error.kind(), ErrorKind::Disconnected, "{context}: {error}");
                    assert_eq!(error.origin().kind(), kind, "{context}");
                    assert!(!redis.is_connected(), "{context}");
                    assert_eq!(world.streams(), (1, 1), "{context}");
                    assert_eq!(block_on(live(&mut redis)).unwrap(), LIFE, "{context}");
                    assert_eq!(world.streams(), (2, 1), "{context}");
                }
            }
        }
    }
}
