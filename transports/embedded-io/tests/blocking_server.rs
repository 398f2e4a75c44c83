//! The blocking client against a real server: over TCP and a Unix domain socket, with RESP2 and RESP3.

#[path = "../examples/blocking/socket.rs"]
mod socket;

use std::time::Instant as Moment;

use redwire::connection::{Mode, SubscriptionKind};
use redwire::resp::{ErrorCode, Protocol};
use redwire_embedded_io::ServerError;
use redwire_embedded_io::prelude::*;
use redwire_kit::real::Server;
use socket::Place;

type Memory = StaticBuffers<1024, 512, 16, 128, 512>;

/// Runs a test each way, with an empty database and a client for another point of view.
fn each_way(test: impl Fn(&Place, Config<'static>, &redwire_std::Client)) {
    each_way_to(&Server::start(), test);
}

fn each_way_to(server: &Server, test: impl Fn(&Place, Config<'static>, &redwire_std::Client)) {
    let other = redwire_std::ClientConfig::tcp("127.0.0.1", server.port()).client();
    for place in [tcp(server), Place::Unix(server.socket())] {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            other.flushall().unwrap();
            test(&place, Config::default().protocol(protocol), &other);
        }
    }
}

fn tcp(server: &Server) -> Place {
    Place::Tcp(Address::new("127.0.0.1", server.port()).unwrap())
}

fn clock() -> impl Clock {
    let start = Moment::now();
    move || Instant::from_micros(start.elapsed().as_micros() as u64)
}

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn commands_with_replies_lent_and_kept() {
    each_way(|place, config, _| {
        let mut memory = Memory::sized();
        let mut redis = Client::new(place.clone(), config, memory.memory(), NoClock);
        assert!(redis.set("name", "sensor").unwrap());
        assert!(!redis.execute(set("name", "other").nx()).unwrap());
        assert_eq!(redis.get::<&str>("name").unwrap(), "sensor");
        assert_eq!(redis.get::<&[u8]>("name").unwrap(), b"sensor");
        assert_eq!(redis.get::<heapless::String<8>>("name").unwrap(), "sensor");
        let short = redis.get::<heapless::String<4>>("name").unwrap_err();
        assert!(matches!(short.kind(), ErrorKind::Mismatch(_)), "{short:?}");
        assert_eq!(redis.get::<Option<&str>>("none").unwrap(), None);
        assert_eq!(redis.incr("boots").unwrap(), 1);
        assert_eq!(redis.rpush("log", ["a", "b", "c"]).unwrap(), 3);
        assert_eq!(redis.lrange::<heapless::Vec<&str, 4>>("log", 0, -1).unwrap(), ["a", "b", "c"]);
        assert_eq!(redis.hset("h", [("x", 1), ("y", 2)]).unwrap(), 2);
        let mut all = redis.hgetall::<heapless::Vec<(heapless::String<4>, i32), 4>>("h").unwrap();
        all.sort();
        assert_eq!(all.iter().map(|(k, v)| (k.as_str(), *v)).collect::<Vec<_>>(), [("x", 1), ("y", 2)]);
        let error = redis.incr("name").unwrap_err();
        assert_eq!(error.to_string(), "INCR: ERR value is not an integer or out of range");
        let error = redis.lpush("name", "x").unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::WrongType));
        let whole = b"WRONGTYPE Operation against a key holding the wrong kind of value";
        assert_eq!(error.server_error().unwrap().text(), whole);
        assert_eq!(redis.execute::<_, &str>(cmd("OBJECT").arg("ENCODING").arg("boots")).unwrap(), "int");
        assert!(redis.ping().is_ok());
    });
}

#[test]
fn pipelines_and_atomic_ones() {
    each_way(|place, config, other| {
        let mut memory = Memory::sized();
        let mut redis = Client::new(place.clone(), config, memory.memory(), NoClock);
        let (hits, _, name): (i64, bool, Option<heapless::String<16>>) =
            redis.pipeline().incr("hits").expire("hits", 60).get("name").execute().unwrap();
        assert_eq!((hits, name), (1, None));
        other.set("text", "x").unwrap();
        let error = redis.pipeline().incr("hits").incr("text").incr("hits").execute::<()>().unwrap_err();
        assert_eq!(error.position(), Some(2));
        let (_, failed, hits): (i64, Result<i64, ServerError>, i64) =
            redis.pipeline().incr("hits").incr("text").incr("hits").execute().unwrap();
        assert_eq!((failed.unwrap_err().code(), hits), (ErrorCode::Err, 5));
        let all: [i64; 3] = redis.atomic().incr("a").incr("a").incr("a").execute().unwrap();
        assert_eq!(all, [1, 2, 3]);
        let error = redis.atomic().incr("a").add(cmd("NONSENSE")).execute::<()>().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Aborted(_)), "{error:?}");
        assert_eq!(error.position(), Some(2));
        assert_eq!(redis.get::<i64>("a").unwrap(), 3);
    });
}

#[test]
fn a_transaction_with_somebody_who_writes_in_between() {
    each_way(|place, config, other| {
        let mut memory = Memory::sized();
        let mut redis = Client::new(place.clone(), config, memory.memory(), NoClock);
        let mut attempts = 0;
        let next = redis
            .transaction(["seq"], |tx| {
                let next = tx.get::<Option<u64>>("seq")?.unwrap_or(0) + 1;
                attempts += 1;
                if attempts < 3 {
                    other.incr("seq").unwrap();
                }
                tx.multi().set("seq", next);
                Ok(next)
            })
            .unwrap();
        assert_eq!((next, attempts), (3, 3));
        // A body that gives up changes nothing, and leaves no key watched.
        let error = redis.transaction(["seq"], |tx| {
            tx.multi().set("seq", 99);
            Err::<(), _>(tx.execute::<_, ()>(get("seq")).unwrap_err())
        });
        assert!(error.is_err());
        other.incr("seq").unwrap();
        assert_eq!(redis.atomic().get("seq").execute::<[u64; 1]>().unwrap(), [4]);
    });
}

#[test]
fn a_script_after_script_flush() {
    each_way(|place, config, other| {
        let mut memory = StaticBuffers::<256, 260, 4>::new();
        let mut redis = Client::new(place.clone(), config, memory.memory(), NoClock);
        let source = format!("-- {}\nreturn redis.call('GET', KEYS[1]) * ARGV[1]", "long ".repeat(500));
        let multiply = Script::new(&source);
        other.set("foo", 2).unwrap();
        for _ in 0..2 {
            other.execute::<_, ()>(script_flush()).unwrap();
            assert_eq!(redis.script::<_, _, i64>(&multiply, "foo", 5).unwrap(), 10);
            assert_eq!(redis.script::<_, _, i64>(&multiply, "foo", 6).unwrap(), 12);
        }
        let error = redis.script::<_, _, i64>(&Script::new("return redis.error_reply('MINE x')"), (), ());
        assert_eq!(error.unwrap_err().server_error().unwrap().text(), b"MINE x");
    });
}

#[test]
fn messages_of_others_and_of_ones_own() {
    each_way(|place, config, other| {
        let mut memory = Memory::sized();
        let mut redis = Client::new(place.clone(), config, memory.memory(), clock()).with_deadlines();
        assert_eq!(redis.get_message(PATIENCE).unwrap(), None);
        redis.subscribe(["news", "weather"]).unwrap();
        redis.psubscribe("n*").unwrap();
        assert_eq!(redis.connection().subscriptions(SubscriptionKind::Channel), 2);
        for _ in 0..1000 {
            assert_eq!(redis.poll_message().unwrap(), None);
        }
        assert_eq!(redis.get_message(Duration::ZERO).unwrap(), None);
        assert_eq!(other.publish("news", "hello").unwrap(), 2);
        let message = redis.get_message(PATIENCE).unwrap().unwrap();
        assert_eq!((message.kind, message.channel), (MessageKind::Message, &b"news"[..]));
        assert_eq!((message.pattern, message.payload), (None, &b"hello"[..]));
        let message = redis.get_message(PATIENCE).unwrap().unwrap();
        assert_eq!((message.kind, message.pattern), (MessageKind::PatternMessage, Some(&b"n*"[..])));
        redis.punsubscribe(()).unwrap();
        if redis.connection().mode() == Mode::Ready {
            // Under RESP3 a subscriber can do all the rest.
            assert_eq!(redis.publish("news", "own").unwrap(), 1);
            let (_, own): (u64, u64) = redis.atomic().incr("n").publish("weather", "sun").execute().unwrap();
            assert_eq!(own, 1);
            assert_eq!(redis.get_message(PATIENCE).unwrap().unwrap().payload, b"own");
            assert_eq!(redis.get_message(PATIENCE).unwrap().unwrap().payload, b"sun");
        } else {
            let error = redis.publish("news", "own").unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Misuse(_)), "{error:?}");
            redis.ping().unwrap();
        }
        redis.unsubscribe(()).unwrap();
        assert_eq!(redis.get_message(PATIENCE).unwrap(), None);
        assert_eq!(redis.get::<Option<&str>>("none").unwrap(), None);
    });
}

#[test]
fn shard_channels() {
    let server = Server::start();
    each_way_to(&server, |place, config, other| {
        let mut memory = Memory::sized();
        let mut redis = Client::new(place.clone(), config, memory.memory(), clock()).with_deadlines();
        if !server.has_since((7, 0)) {
            let error = redis.ssubscribe("orders").unwrap_err();
            assert!(error.to_string().starts_with("SSUBSCRIBE: ERR unknown command `SSUBSCRIBE`"), "{error}");
            redis.ping().unwrap();
            return;
        }
        redis.ssubscribe("orders").unwrap();
        other.spublish("orders", "1").unwrap();
        assert_eq!(redis.get_message(PATIENCE).unwrap().unwrap().kind, MessageKind::ShardMessage);
        redis.sunsubscribe("orders").unwrap();
        assert_eq!(redis.get_message(PATIENCE).unwrap(), None);
    });
}

#[test]
fn a_megabyte_through_512_bytes() {
    let value: Vec<u8> = (0..1u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    each_way(|place, config, other| {
        let mut memory = StaticBuffers::<512, 512, 4>::new();
        let mut redis = Client::new(place.clone(), config, memory.memory(), NoClock);
        let mut upload = redis.upload(cmd("SET").arg("firmware"), value.len()).unwrap();
        for piece in value.chunks(1000) {
            upload.append(piece).unwrap();
        }
        assert!(upload.finish::<bool>().unwrap());
        assert!(other.get::<Vec<u8>>("firmware").unwrap() == value);
        let mut download = redis.download(get("firmware")).unwrap().unwrap();
        let mut whole = Vec::new();
        while let Some(piece) = download.next().unwrap() {
            assert!((1..=512).contains(&piece.len()));
            whole.extend_from_slice(piece);
        }
        assert!(whole == value);
        drop(download);
        // Nobody wants it that large.
        assert_eq!(*redis.get::<&[u8]>("firmware").unwrap_err().kind(), ErrorKind::TooLarge((1 << 20) + 12));
        assert_eq!(redis.strlen("firmware").unwrap(), 1 << 20);
        drop(redis.download(get("firmware")).unwrap().unwrap());
        assert_eq!(redis.strlen("firmware").unwrap(), 1 << 20);
        assert!(redis.download(get("none")).unwrap().is_none());
    });
}

#[test]
fn a_killed_connection_comes_back_with_its_subscriptions() {
    each_way(|place, config, other| {
        let mut memory = Memory::sized();
        let config = config.client_name("embedded");
        let mut redis = Client::new(place.clone(), config, memory.memory(), clock()).with_deadlines();
        let kill = || other.execute::<_, u64>(client_kill().skipme(true)).unwrap();
        assert!(redis.set("k", 1).unwrap());
        kill();
        // It is found out before anything is sent; or else the error says that the server may have seen it.
        match redis.get::<u8>("k") {
            Ok(value) => assert_eq!(value, 1),
            Err(error) => assert!(error.maybe_executed(), "{error:?}"),
        }
        assert_eq!(redis.get::<u8>("k").unwrap(), 1);
        redis.subscribe("news").unwrap();
        redis.psubscribe("w*").unwrap();
        for _ in 0..2 {
            kill();
            let error = redis.get_message(PATIENCE).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
            let gap = redis.get_message(PATIENCE).unwrap().unwrap();
            assert_eq!((gap.kind, gap.count), (MessageKind::Gap, Some(2)));
            assert_eq!(other.publish("news", "back").unwrap(), 1);
            assert_eq!(redis.get_message(PATIENCE).unwrap().unwrap().payload, b"back");
            assert_eq!(other.publish("weather", "sun").unwrap(), 1);
            assert_eq!(redis.get_message(PATIENCE).unwrap().unwrap().payload, b"sun");
        }
    });
}

#[test]
fn a_transaction_whose_connection_is_killed_is_not_executed() {
    each_way(|place, config, other| {
        let mut memory = Memory::sized();
        let mut redis = Client::new(place.clone(), config, memory.memory(), NoClock);
        redis.set("seq", 1).unwrap();
        let error = redis
            .transaction(["seq"], |tx| {
                let seq: u32 = tx.get("seq")?;
                other.execute::<_, u64>(client_kill().skipme(true)).unwrap();
                tx.multi().set("seq", seq + 1);
                Ok(())
            })
            .unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert_eq!(other.get::<u32>("seq").unwrap(), 1);
        assert_eq!(redis.get::<u32>("seq").unwrap(), 1);
    });
}

#[test]
fn a_late_reply_does_not_disturb() {
    each_way(|place, config, other| {
        let mut memory = Memory::sized();
        let config = config.command_timeout(Duration::from_millis(50));
        let mut redis = Client::new(place.clone(), config, memory.memory(), clock()).with_deadlines();
        let blocked = cmd("BLPOP").arg(("list", 0));
        let error = redis.execute::<_, Option<(&str, &str)>>(blocked).unwrap_err();
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::TimedOut, true));
        other.rpush("list", "late").unwrap();
        let echo: heapless::String<8> = loop {
            match redis.echo("in step") {
                // The machine may be busy.
                Err(error) if *error.kind() == ErrorKind::TimedOut => {}
                result => break result.unwrap(),
            }
        };
        assert_eq!(echo, "in step");
    });
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let server = Server::start_with(&["--requirepass", "s3cret"]);
    for place in [tcp(&server), Place::Unix(server.socket())] {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let config = Config::default().protocol(protocol);
            for (config, code) in [
                (config.clone().password("wr0ng"), ErrorCode::WrongPass),
                (config.clone().credentials("nobody", "wr0ng"), ErrorCode::WrongPass),
            ] {
                let mut memory = Memory::sized();
                let mut redis = Client::new(place.clone(), config, memory.memory(), NoClock);
                let error = redis.get::<&str>("k").unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Refused { .. }), "{error:?}");
                assert_eq!(error.code(), Some(code));
                let shown = format!("{error} {error:?} {redis:?} {:?}", redis.connection());
                assert!(!shown.contains("wr0ng") && !shown.contains("nobody"), "{shown}");
            }
            let mut memory = Memory::sized();
            let config = config.password("s3cret");
            let mut redis = Client::new(place.clone(), config, memory.memory(), NoClock);
            assert!(redis.set("k", 1).unwrap());
        }
    }
}
