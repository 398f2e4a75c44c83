//! A call that is dropped in any state leaves the connection in step, or dead and saying so: every call, after every
//! number of polls, over streams in memory that fragment, wait, and lose what is given up on the way.

mod async_support;

use std::cell::RefCell;

use async_support::memory::{Link, Redis, Server};
use async_support::{done, polled};
use redwire_embedded_io::prelude::*;
use redwire_embedded_io::redwire::connection::Mode;
use redwire_embedded_io::redwire::resp::Protocol;

/// How the connection was found behind a dropped call.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    in_step: usize,
    dead: usize,
}

fn server(protocol: Protocol) -> Server {
    let mut server = if protocol == Protocol::Resp3 { Server::default() } else { Server::resp2() };
    for (key, value) in [("a", "first"), ("b", "second"), ("long", &"0123456789".repeat(40))] {
        server.values.insert(key.to_string(), value.to_string());
    }
    server
}

/// Drops a call after every number of polls that it can take, in pieces of several sizes, under both protocols; before a
/// reply comes too. Behind each the next commands have to get replies of their own.
fn dropped<const SAFE: bool>(call: impl AsyncFn(&mut Redis<SAFE>)) -> Seen {
    let seen = RefCell::new(Seen::default());
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for piece in [1, 7, 1000] {
            for stalled in [false, true] {
                let mut polls = 0;
                while !cut(&call, protocol, piece, stalled, polls, &seen, false) {
                    polls += 1;
                }
                assert!(polls > 1, "it was done at once");
            }
        }
    }
    seen.into_inner()
}

/// True if there is nothing left to be cut.
fn cut<const SAFE: bool>(
    call: &impl AsyncFn(&mut Redis<SAFE>),
    protocol: Protocol,
    piece: usize,
    stalled: bool,
    polls: usize,
    seen: &RefCell<Seen>,
    forget: bool,
) -> bool {
    let link = Link::<SAFE>::new(server(protocol), piece);
    let mut redis = link.client(protocol);
    done(redis.connect()).unwrap();
    link.0.borrow_mut().server.stalled = stalled;
    let ended = if forget {
        let mut call = Box::pin(call(&mut redis));
        let ended = polled(polls, call.as_mut()).is_some();
        std::mem::forget(call);
        ended
    } else {
        polled(polls, call(&mut redis)).is_some()
    };
    {
        let mut world = link.0.borrow_mut();
        world.server.resume();
        world.pump();
    }
    let context = format!("{protocol:?}, pieces of {piece}, stalled: {stalled}, after {polls} polls");
    afterwards(&link, &mut redis, &context, seen);
    // A call to a server that says nothing goes on for ever.
    ended || (stalled && polls > 300)
}

fn afterwards<const SAFE: bool>(
    link: &Link<SAFE>,
    redis: &mut Redis<SAFE>,
    context: &str,
    seen: &RefCell<Seen>,
) {
    // After a reconnect it is subscribed again.
    while redis.connection().mode() == Mode::Subscribed {
        done(redis.unsubscribe(())).unwrap_or_else(|error| panic!("{context}: {error}"));
        done(redis.punsubscribe(())).unwrap_or_else(|error| panic!("{context}: {error}"));
    }
    // A pipeline takes the replies as they come.
    for _ in 0..2 {
        let replies: Result<[heapless::String<16>; 2], Error> =
            done(redis.pipeline().get("a").get("b").execute());
        let replies = replies.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(replies, ["first", "second"], "{context}");
        let reply: &str = done(redis.execute(get("b"))).unwrap();
        assert_eq!(reply, "second", "{context}");
    }
    let world = link.0.borrow();
    let server = &world.server;
    // A connection that is over was found out before anything was sent, and another made.
    let dead = world.connections > 1;
    assert!(world.connections <= 2, "{context}");
    assert!(server.queue.is_none(), "{context}: MULTI is open");
    let last =
        |names: &[&str]| server.seen.iter().rposition(|line| names.iter().any(|n| line.starts_with(n)));
    assert!(dead || last(&["WATCH"]) <= last(&["EXEC", "UNWATCH"]), "{context}: a key is still watched");
    let mut seen = seen.borrow_mut();
    *(if dead { &mut seen.dead } else { &mut seen.in_step }) += 1;
}

/// Over streams that are safe to be given up, the connection always stays.
#[track_caller]
fn stays(call: impl AsyncFn(&mut Redis<true>)) {
    let seen = dropped(call);
    assert!(seen.in_step > 0 && seen.dead == 0, "{seen:?}");
}

/// Over other streams it ends when a byte was on its way, and stays when none was.
#[track_caller]
fn ends_or_stays(call: impl AsyncFn(&mut Redis<false>)) {
    let seen = dropped(call);
    assert!(seen.in_step > 0 && seen.dead > 0, "{seen:?}");
}

macro_rules! both {
    ($call:expr) => {
        stays($call);
        ends_or_stays($call);
    };
}

#[test]
fn a_command() {
    both!(async |redis| {
        let reply: heapless::String<16> = redis.execute(get("b")).await.unwrap();
        assert_eq!(reply, "second");
    });
}

#[test]
fn a_command_as_a_method() {
    stays(async |redis| {
        let reply: &str = redis.get("b").await.unwrap();
        assert_eq!(reply, "second");
    });
    stays(async |redis| {
        redis.set("x", "1").await.unwrap();
        let all: heapless::Vec<u8, 4> = redis.get("x").await.unwrap();
        assert_eq!(all, b"1");
    });
}

#[test]
fn a_reply_that_does_not_fit() {
    both!(async |redis| {
        let reply: Result<&str, Error> = redis.execute(get("long")).await;
        assert_eq!(*reply.unwrap_err().kind(), ErrorKind::TooLarge(408));
    });
}

#[test]
fn a_pipeline() {
    both!(async |redis| {
        let (a, _, b): (heapless::String<8>, (), heapless::String<8>) =
            redis.pipeline().get("a").set("x", "1").get("b").execute().await.unwrap();
        assert_eq!((&a[..], &b[..]), ("first", "second"));
    });
}

#[test]
fn a_pipeline_that_is_a_transaction() {
    both!(async |redis| {
        let (a, b): (heapless::String<8>, heapless::String<8>) =
            redis.atomic().get("a").get("b").execute().await.unwrap();
        assert_eq!((&a[..], &b[..]), ("first", "second"));
    });
}

#[test]
fn a_transaction() {
    both!(async |redis| {
        let b = redis
            .transaction("w", async |tx| {
                let a: heapless::String<8> = tx.execute(get("a")).await?;
                assert_eq!(a, "first");
                let (b,): (heapless::String<8>,) = tx.multi().get("b").execute().await?;
                Ok(b)
            })
            .await
            .unwrap();
        assert_eq!(b, "second");
    });
    stays(async |redis| {
        redis
            .transaction("w", async |tx| {
                let a: heapless::String<8> = tx.get("a").await?;
                tx.multi().set("x", &a[..]).set("y", 2);
                Ok(())
            })
            .await
            .unwrap();
    });
    // One that reads and changes nothing.
    both!(async |redis| {
        redis.transaction("w", async |tx| tx.execute(get("a")).await.map(|_: &str| ())).await.unwrap();
    });
}

#[test]
fn a_script() {
    both!(async |redis| {
        let script = Script::new("return 42 -- and a comment that is longer than what fits into one piece");
        let answer: i64 = redis.script(&script, (), ()).await.unwrap();
        assert_eq!(answer, 42);
    });
}

#[test]
fn subscriptions() {
    both!(async |redis| {
        redis.subscribe(["news", "weather"]).await.unwrap();
        redis.psubscribe("a*").await.unwrap();
        redis.unsubscribe(()).await.unwrap();
        redis.punsubscribe("a*").await.unwrap();
    });
}

#[test]
fn a_download() {
    both!(async |redis| {
        let mut download = redis.download(get("long")).await.unwrap().unwrap();
        let mut length = 0;
        while let Some(piece) = download.next().await.unwrap() {
            length += piece.len();
        }
        assert_eq!(length, 400);
    });
    both!(async |redis| {
        let mut download = redis.download(get("long")).await.unwrap().unwrap();
        assert!(download.next().await.unwrap().is_some());
    });
}

#[test]
fn an_upload() {
    let upload = async |redis: &mut Redis<true>| {
        let mut upload = redis.upload(cmd("SET").arg("big"), 600).await.unwrap();
        for _ in 0..60 {
            upload.append(b"0123456789").await.unwrap();
        }
        upload.finish::<()>().await.unwrap();
    };
    // The server waits for the rest: whatever the stream, half an upload is the end.
    let seen = dropped(upload);
    assert!(seen.in_step > 0 && seen.dead > 0, "{seen:?}");
    ends_or_stays(async |redis| {
        let mut upload = redis.upload(cmd("SET").arg("big"), 600).await.unwrap();
        upload.append(&[b'x'; 600]).await.unwrap();
        upload.finish::<()>().await.unwrap();
    });
}

#[test]
fn a_message() {
    fn message<const SAFE: bool>() -> Seen {
        let seen = RefCell::new(Seen::default());
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            for piece in [1, 7, 1000] {
                for polls in 0..150 {
                    let link = Link::<SAFE>::new(server(protocol), piece);
                    let mut redis = link.client(protocol);
                    done(redis.connect()).unwrap();
                    done(redis.subscribe("news")).unwrap();
                    {
                        let mut world = link.0.borrow_mut();
                        world.server.publish("news", "one");
                        world.server.publish("news", "two");
                        world.pump();
                    }
                    let context = format!("{protocol:?}, pieces of {piece}, after {polls} polls");
                    let mut heard = Vec::new();
                    for polls in [polls, 10_000, 10_000] {
                        if heard.len() == 2 {
                            break;
                        }
                        match polled(polls, redis.get_message(Duration::from_secs(1))) {
                            Some(Ok(Some(message))) if !SAFE && message.kind == MessageKind::Gap => break,
                            Some(Ok(Some(message))) => heard.push(message.payload.to_vec()),
                            Some(Ok(None)) => panic!("{context}: nothing, before the time is over"),
                            Some(Err(error)) => panic!("{context}: {error}"),
                            None => {}
                        }
                    }
                    let expected: &[&[u8]] = &[b"one", b"two"];
                    // No message is lost or comes twice as long as the connection is there.
                    assert!(
                        expected.starts_with(&heard.iter().map(|m| &m[..]).collect::<Vec<_>>()),
                        "{context}"
                    );
                    assert!(!SAFE || heard.len() == 2, "{context}");
                    afterwards(&link, &mut redis, &context, &seen);
                }
            }
        }
        seen.into_inner()
    }
    let seen = message::<true>();
    assert!(seen.in_step > 0 && seen.dead == 0, "{seen:?}");
    message::<false>();
}

#[test]
fn connecting() {
    fn connecting<const SAFE: bool>() {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            for piece in [1, 1000] {
                for polls in 0..300 {
                    let link = Link::<SAFE>::new(server(protocol), piece);
                    let mut redis = link.client(protocol);
                    let connected = polled(polls, redis.connect()).is_some();
                    // The next call connects, or goes on with the handshake.
                    let reply: heapless::String<8> = done(redis.execute(get("a"))).unwrap();
                    assert_eq!(reply, "first");
                    if connected {
                        break;
                    }
                }
            }
        }
    }
    connecting::<true>();
    connecting::<false>();
}

#[test]
fn connecting_finds_out() {
    let link = Link::<false>::new(server(Protocol::Resp3), 1000);
    let mut redis = link.client(Protocol::Resp3);
    done(redis.connect()).unwrap();
    assert!(polled(1, redis.execute(ping())).is_none());
    assert!(!redis.is_connected());
    done(redis.connect()).unwrap();
    assert_eq!(link.0.borrow().connections, 2);
    done(redis.execute(ping())).unwrap();
}

#[test]
fn what_was_not_written_is_taken_back() {
    let link = Link::<true>::new(server(Protocol::Resp3), 1000);
    let mut redis = link.client(Protocol::Resp3);
    done(redis.connect()).unwrap();
    drop(redis.set("never", "polled"));
    drop(redis.pipeline().set("never", "polled").execute::<()>());
    drop(redis.atomic().set("never", "polled").execute::<()>());
    link.0.borrow_mut().blocked = true;
    assert!(polled(10, redis.execute(set("never", "written"))).is_none());
    assert!(polled(10, redis.set("never", "written")).is_none());
    link.0.borrow_mut().blocked = false;
    let reply: &str = done(redis.get("a")).unwrap();
    assert_eq!(reply, "first");
    let seen = &link.0.borrow().server.seen;
    assert!(
        !seen
            .iter()
            .any(|line| line.contains("never") && line.starts_with("SET") && line.contains("written"))
    );
    assert!(!link.0.borrow().server.values.contains_key("never"), "{seen:?}");
}

#[test]
fn calls_that_nobody_waits_for_fill_the_table_and_make_room_again() {
    let link = Link::<true>::new(server(Protocol::Resp3), 1000);
    link.0.borrow_mut().hesitant = false;
    let mut redis = link.client(Protocol::Resp3);
    done(redis.connect()).unwrap();
    link.0.borrow_mut().server.stalled = true;
    for _ in 0..8 {
        assert!(polled(1, redis.set("x", "1")).is_none());
    }
    let error = polled(1, redis.get::<&str>("a")).unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Capacity(_)) && !error.maybe_executed(), "{error}");
    {
        // A command as a value waits for room.
        let mut waiting = std::pin::pin!(redis.execute::<_, heapless::String<8>>(get("a")));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        let mut world = link.0.borrow_mut();
        world.server.resume();
        world.pump();
        drop(world);
        assert_eq!(done(waiting).unwrap(), "first");
    }
    // And a command as a method finds what has come by then.
    assert_eq!(done(redis.get::<&str>("b")).unwrap(), "second");
    assert_eq!(redis.connection().in_flight(), 0);
}

#[test]
fn what_was_written_is_flushed() {
    let link = Link::<true>::new(server(Protocol::Resp3), 1000);
    link.0.borrow_mut().hesitant = false;
    let mut redis = link.client(Protocol::Resp3);
    done(redis.connect()).unwrap();
    assert!(!link.0.borrow().unflushed);
    // Given up between writing and flushing.
    link.0.borrow_mut().hesitant = true;
    link.0.borrow_mut().server.stalled = true;
    let written = (1..10).find(|&polls| {
        assert!(polled(1, redis.execute(set("x", polls))).is_none());
        link.0.borrow().unflushed
    });
    assert!(written.is_some());
    link.0.borrow_mut().hesitant = false;
    link.0.borrow_mut().server.resume();
    link.0.borrow_mut().pump();
    done(redis.execute(ping())).unwrap();
    assert!(!link.0.borrow().unflushed);
}

/// Nothing is run when a future is forgotten, and nobody is told.
#[test]
fn a_call_that_is_forgotten() {
    fn forgotten<const SAFE: bool>(call: impl AsyncFn(&mut Redis<SAFE>)) {
        let seen = RefCell::new(Seen::default());
        for piece in [1, 7, 1000] {
            for stalled in [false, true] {
                let mut polls = 0;
                while !cut(&call, Protocol::Resp3, piece, stalled, polls, &seen, true) {
                    polls += 1;
                }
            }
        }
        assert!(seen.into_inner().dead > 0 || SAFE);
    }
    macro_rules! both {
        ($call:expr) => {
            forgotten::<true>($call);
            forgotten::<false>($call);
        };
    }
    both!(async |redis| {
        let _: heapless::String<16> = redis.execute(get("b")).await.unwrap();
    });
    both!(async |redis| {
        let _: [heapless::String<16>; 2] = redis.pipeline().get("b").get("a").execute().await.unwrap();
    });
    both!(async |redis| redis.atomic().get("b").get("a").execute::<()>().await.unwrap());
    both!(async |redis| {
        let mut upload = redis.upload(cmd("SET").arg("big"), 600).await.unwrap();
        upload.append(&[b'x'; 600]).await.unwrap();
        upload.finish::<()>().await.unwrap();
    });
    both!(async |redis| {
        let mut download = redis.download(get("long")).await.unwrap().unwrap();
        while download.next().await.unwrap().is_some() {}
    });
}
