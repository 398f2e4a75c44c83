//! The clients never allocate: an allocator counts, over a whole life on a stream in memory. Errors are left out, since
//! they are pointers with the feature `alloc`, which the other tests turn on.

mod support;

use std::future::poll_fn;
use std::pin::pin;

use embedded_io::ErrorKind as Io;
use redwire_embedded_io::prelude::*;
use support::memory::{Fault, World, aside, protocols};
use support::wire::{AsyncWorld, block_on};

/// How many allocations this thread makes in the meantime.
fn allocations(act: impl FnOnce()) -> u64 {
    allocation_counter::measure(act).count_total
}

/// As [`aside`], for a future.
async fn aside_from<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| aside(|| future.as_mut().poll(context))).await
}

/// Does what fails.
fn fails<T>(act: impl FnOnce() -> Result<T, Error>) -> ErrorKind {
    aside(|| act().map(drop).unwrap_err().kind().clone())
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
}

#[test]
fn a_whole_life_without_an_allocation() {
    for (name, config) in protocols() {
        let world = World::new();
        {
            let mut state = world.state();
            state.refusals.push_back(Io::ConnectionRefused);
            state.server.values.insert("large".into(), "x".repeat(5000));
            state.server.answers.insert("GET refused".into(), b"-WRONGTYPE x\r\n".to_vec());
        }
        let config =
            config.command_timeout(Duration::from_millis(100)).handshake_timeout(Duration::from_secs(1));
        let mut commands = 0;
        let count = allocations(|| {
            let mut memory = StaticBuffers::<256, 300, 8, 64, 128>::sized();
            let mut redis = world.client(config, memory.memory()).with_deadlines();
            assert!(fails(|| redis.connect()) == ErrorKind::Connect);
            // Commands, with replies lent and kept.
            assert!(redis.set("name", "sensor").unwrap());
            assert_eq!(redis.get::<&str>("name").unwrap(), "sensor");
            assert_eq!(redis.get::<heapless::String<16>>("name").unwrap(), "sensor");
            assert_eq!(redis.get::<heapless::Vec<u8, 16>>("name").unwrap(), b"sensor");
            assert_eq!(redis.get::<Option<u32>>("none").unwrap(), None);
            // Pipelines and transactions.
            let (_, a): ((), u8) = redis.pipeline().set("a", 1).get("a").execute().unwrap();
            let all: heapless::Vec<u8, 4> = redis.pipeline().get("a").get("a").execute().unwrap();
            assert_eq!((a, all.len()), (1, 2));
            let (_, b): (bool, u8) = redis.atomic().set("b", 2).get("b").execute().unwrap();
            let next = redis.transaction(["b"], |tx| {
                let b: u32 = tx.get("b")?;
                tx.multi().set("b", b + 1);
                Ok(b + 1)
            });
            assert_eq!((b, next.unwrap()), (2, 3));
            // A script, and values larger than the memory.
            assert_eq!(redis.script::<_, _, i64>(&Script::new("return 42"), "k", 42).unwrap(), 42);
            let mut upload = redis.upload(cmd("SET").arg("uploaded"), 1000).unwrap();
            for _ in 0..10 {
                upload.append(&[b'x'; 100]).unwrap();
            }
            upload.finish::<()>().unwrap();
            let mut length = 0;
            if let Some(mut download) = redis.download(get("large")).unwrap() {
                while let Some(piece) = download.next().unwrap() {
                    length += piece.len();
                }
            }
            assert_eq!(length, 5000);
            // Messages.
            redis.subscribe(["news", "weather"]).unwrap();
            redis.psubscribe("n*").unwrap();
            world.publish("news", "hello");
            assert_eq!(redis.get_message(Duration::from_millis(10)).unwrap().unwrap().payload, b"hello");
            assert_eq!(redis.poll_message().unwrap().unwrap().pattern, Some(&b"n*"[..]));
            assert_eq!(redis.get_message(Duration::from_millis(10)).unwrap(), None);
            for _ in 0..20 {
                world.publish("weather", "sun");
            }
            redis.unsubscribe(()).unwrap();
            redis.punsubscribe(()).unwrap();
            let lost = fails(|| redis.get_message(Duration::ZERO).map(drop));
            assert!(matches!(lost, ErrorKind::MessagesLost(_)));
            // Errors: of the server, too large, of capacity, too late, and the end of the connection.
            assert!(matches!(fails(|| redis.get::<()>("refused")), ErrorKind::Server(_)));
            assert!(matches!(fails(|| redis.get::<&[u8]>("large").map(drop)), ErrorKind::TooLarge(_)));
            assert!(matches!(fails(|| redis.set("k", &[0; 300][..])), ErrorKind::Capacity(_)));
            let length = fails(|| redis.pipeline().get("a").execute::<(u8, u8)>());
            assert!(matches!(length, ErrorKind::Length { .. }));
            world.state().server.stalled = true;
            assert!(fails(|| redis.get::<()>("a")) == ErrorKind::TimedOut);
            world.resume();
            assert_eq!(redis.get::<u8>("a").unwrap(), 1);
            let read = world.gone().1 + 4;
            world.state().read_fault = Some((read, Fault::Broken(Io::ConnectionReset)));
            assert!(fails(|| redis.get::<u8>("a")) == ErrorKind::Disconnected);
            assert_eq!(redis.get::<u8>("a").unwrap(), 1);
            redis.disconnect();
            commands = redis.connection().in_flight();
        });
        assert_eq!((count, commands), (0, 0), "{name}");
    }
}

#[test]
fn an_async_life_without_an_allocation() {
    for (name, config) in protocols() {
        let world = World::new();
        world.state().server.values.insert("large".into(), "x".repeat(5000));
        let config = config.command_timeout(Duration::from_millis(100));
        let count = allocations(|| block_on(async_life(&world, config)).unwrap());
        assert_eq!(count, 0, "{name}");
    }
}

async fn async_life(world: &World, config: Config<'static>) -> Result<(), Error> {
    let mut memory = StaticBuffers::<256, 300, 8, 64, 128>::sized();
    let mut redis = AsyncWorld(world.clone()).client(config, memory.memory());
    redis.connect().await?;
    // Commands, with replies lent and kept.
    assert!(redis.set("name", "sensor").await?);
    assert_eq!(redis.get::<&str>("name").await?, "sensor");
    assert_eq!(redis.execute::<_, heapless::String<16>>(get("name")).await?, "sensor");
    // Pipelines and transactions.
    let (_, a): ((), u8) = redis.pipeline().set("a", 1).get("a").execute().await?;
    let (_, b): (bool, u8) = redis.atomic().set("b", 2).get("b").execute().await?;
    let transaction = redis.transaction(["b"], async |tx| {
        let b: u32 = tx.get("b").await?;
        tx.multi().set("b", b + 1);
        Ok(b + 1)
    });
    assert_eq!((a, b, transaction.await?), (1, 2, 3));
    // A script, and values larger than the memory.
    assert_eq!(redis.script::<_, _, i64>(&Script::new("return ARGV[1]"), "k", 42).await?, 42);
    let mut upload = redis.upload(cmd("SET").arg("uploaded"), 1000).await?;
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
    assert_eq!(length, 5000);
    // Messages.
    redis.subscribe(["news", "weather"]).await?;
    redis.psubscribe("n*").await?;
    world.publish("news", "hello");
    let wait = Duration::from_millis(10);
    assert_eq!(redis.get_message(wait).await?.unwrap().payload, b"hello");
    assert_eq!(redis.poll_message()?.unwrap().pattern, Some(&b"n*"[..]));
    assert_eq!(redis.get_message(wait).await?, None);
    redis.unsubscribe(()).await?;
    redis.punsubscribe(()).await?;
    // Errors: too large, of capacity, too late; a call that is dropped; and the end of the connection.
    aside_from(async {
        assert!(matches!(redis.get::<&[u8]>("large").await.unwrap_err().kind(), ErrorKind::TooLarge(_)));
        assert!(matches!(redis.set("k", &[0; 300][..]).await.unwrap_err().kind(), ErrorKind::Capacity(_)));
        world.state().server.stalled = true;
        assert_eq!(*redis.get::<()>("a").await.unwrap_err().kind(), ErrorKind::TimedOut);
    })
    .await;
    drop(redis.get::<()>("a"));
    world.resume();
    assert_eq!(redis.get::<u8>("a").await?, 1);
    world.hang_up();
    aside_from(redis.connect()).await?;
    assert_eq!(redis.get::<u8>("a").await?, 1);
    Ok(())
}
