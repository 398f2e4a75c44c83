//! Deadlines, messages and what may be continued, over streams in memory, with a clock that the test sets.

mod async_support;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_support::memory::{Link, Redis, Server, TestClock};
use async_support::{done, polled};
use redwire_embedded_io::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config<'static> {
    Config::default().no_library().command_timeout(SECOND)
}

fn connected<const SAFE: bool>(config: Config<'static>) -> (Link<SAFE>, TestClock, Redis<SAFE>) {
    let mut server = Server::default();
    server.values.insert("a".to_string(), "first".to_string());
    let link = Link::<SAFE>::new(server, 1000);
    link.0.borrow_mut().hesitant = false;
    let clock = TestClock::default();
    let mut redis = link.configured(config, clock.clone());
    done(redis.connect()).unwrap();
    (link, clock, redis)
}

/// Polls a future until it waits for the time alone, then lets the time pass that its clock was told, and gives what it
/// gives then.
fn passes<F: Future>(clock: &TestClock, future: F) -> (Duration, F::Output) {
    let begin = clock.micros.get();
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        clock.wake_at.set(None);
        for _ in 0..10 {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return (Duration::from_micros(clock.micros.get() - begin), output);
            }
        }
        clock.micros.set(clock.wake_at.get().expect("nobody will wake it"));
    }
    panic!("it waits for ever");
}

#[test]
fn a_reply_that_does_not_come_in_time_is_discarded_when_it_comes() {
    let (link, clock, mut redis) = connected::<true>(config());
    for way in 0..2 {
        link.0.borrow_mut().server.stalled = true;
        let (after, result) = match way {
            0 => passes(&clock, redis.execute::<_, &str>(get("b"))),
            _ => passes(&clock, redis.get::<&str>("b")),
        };
        let error = result.unwrap_err();
        assert_eq!(
            (after, error.kind().clone(), error.maybe_executed()),
            (SECOND, ErrorKind::TimedOut, true)
        );
        assert!(redis.is_connected());
        let mut world = link.0.borrow_mut();
        world.server.resume();
        world.pump();
        drop(world);
        assert_eq!(done(redis.get::<&str>("a")).unwrap(), "first");
    }
    assert_eq!(link.0.borrow().connections, 1);
}

#[test]
fn what_cannot_be_written_in_time_is_not_executed() {
    let (link, clock, mut redis) = connected::<true>(config());
    link.0.borrow_mut().blocked = true;
    let (after, result) = passes(&clock, redis.execute(set("a", "second")));
    let error = result.unwrap_err();
    assert_eq!((after, error.kind().clone(), error.maybe_executed()), (SECOND, ErrorKind::TimedOut, false));
    link.0.borrow_mut().blocked = false;
    assert_eq!(done(redis.get::<&str>("a")).unwrap(), "first");
}

#[test]
fn a_deadline_ends_the_connection_of_a_stream_that_must_not_be_given_up() {
    let (link, clock, mut redis) = connected::<false>(config());
    link.0.borrow_mut().server.stalled = true;
    let (after, result) = passes(&clock, redis.execute::<_, &str>(get("b")));
    let error = result.unwrap_err();
    assert_eq!((after, error.kind().clone(), error.maybe_executed()), (SECOND, ErrorKind::TimedOut, true));
    assert!(!redis.is_connected());
    // The next call connects.
    assert_eq!(done(redis.execute::<_, &str>(get("a"))).unwrap(), "first");
    assert_eq!(link.0.borrow().connections, 2);
}

/// Polls a future until its stream has taken bytes and not said so, and lets its time pass there.
fn passes_on_the_way<F: Future>(link: &Link<false>, clock: &TestClock, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    link.0.borrow_mut().hesitant = true;
    assert!(future.as_mut().poll(&mut context).is_pending());
    link.0.borrow_mut().blocked = true;
    clock.advance(SECOND);
    match future.poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("its time has passed"),
    }
}

#[test]
fn what_a_stream_may_have_written_may_have_been_executed() {
    for way in 0..4 {
        let (link, clock, mut redis) = connected::<false>(config());
        let error = match way {
            0 => passes_on_the_way(&link, &clock, redis.execute(set("b", 2))).unwrap_err(),
            1 => {
                let mut pipeline = redis.pipeline();
                let both = pipeline.set("b", 1).set("b", 2).execute::<()>();
                passes_on_the_way(&link, &clock, both).unwrap_err()
            }
            2 => {
                let mut pipeline = redis.atomic();
                let both = pipeline.set("b", 1).set("b", 2).execute::<()>();
                passes_on_the_way(&link, &clock, both).unwrap_err()
            }
            _ => {
                use embedded_io_async::Write;
                let mut upload = done(redis.upload(cmd("SET").arg("b"), 1)).unwrap();
                done(upload.append(b"2")).unwrap();
                link.0.borrow_mut().hesitant = true;
                assert!(polled(1, upload.flush()).is_none());
                done(upload.finish::<()>()).unwrap_err()
            }
        };
        assert_eq!(link.0.borrow().server.values["b"], "2");
        assert!(error.maybe_executed(), "{way}: {error}");
        assert!(!redis.is_connected());
    }
    // A transaction that was written, and whose replies do not come in time.
    let (link, clock, mut redis) = connected::<false>(config());
    link.0.borrow_mut().server.stalled = true;
    let (_, result) = passes(&clock, redis.atomic().set("b", 1).execute::<()>());
    let error = result.unwrap_err();
    assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::TimedOut, true));
    assert!(!redis.is_connected());
}

#[test]
fn a_server_that_does_not_greet() {
    fn silent<const SAFE: bool>() {
        // It does not answer the first greeting.
        let link = Link::<SAFE>::new(Server::default().answer("HELLO 3", b""), 1000);
        let clock = TestClock::default();
        let mut redis = link.configured(config().handshake_timeout(SECOND * 2), clock.clone());
        let (after, result) = passes(&clock, redis.connect());
        assert_eq!((after, result.unwrap_err().kind().clone()), (SECOND * 2, ErrorKind::HandshakeTimedOut));
        assert!(!redis.is_connected());
        done(redis.connect()).unwrap();
        done(redis.execute(ping())).unwrap();
    }
    silent::<true>();
    silent::<false>();
}

#[test]
fn a_server_that_falls_silent_is_found_out() {
    let config = Config::default().no_library().health_check(SECOND * 30).health_check_timeout(SECOND * 5);
    let (link, clock, mut redis) = connected::<true>(config);
    done(redis.subscribe("news")).unwrap();
    let (after, result) = passes(&clock, redis.get_message(SECOND * 70));
    assert_eq!((after, result.unwrap()), (SECOND * 70, None));
    let pings = |link: &Link<true>| link.0.borrow().server.seen.iter().filter(|line| *line == "PING").count();
    assert_eq!(pings(&link), 2);
    link.0.borrow_mut().server.stalled = true;
    let (after, result) = passes(&clock, redis.get_message(SECOND * 70));
    assert_eq!((after, result.unwrap_err().kind().clone()), (SECOND * 25, ErrorKind::Unresponsive));
    assert_eq!(pings(&link), 3);
    assert!(!redis.is_connected());
    // Messages that come are the next call's, when it has subscribed again.
    let gap = done(redis.get_message(SECOND)).unwrap().unwrap();
    assert_eq!((gap.kind, gap.count), (MessageKind::Gap, Some(1)));
    publish(&link, "news", "again");
    assert_eq!(done(redis.get_message(SECOND)).unwrap().unwrap().payload, b"again");
}

fn publish<const SAFE: bool>(link: &Link<SAFE>, channel: &str, message: &str) {
    let mut world = link.0.borrow_mut();
    world.server.publish(channel, message);
    world.pump();
}

#[test]
fn a_health_check_that_is_due_takes_no_place_from_a_command() {
    let link = Link::<true>::new(Server::default(), 1000);
    link.0.borrow_mut().hesitant = false;
    let clock = TestClock::default();
    let memory = Box::leak(Box::new(StaticBuffers::<128, 256, 1>::new()));
    let config = Config::default().no_library().health_check(SECOND);
    let mut redis = AsyncClient::new(link.clone(), config, memory.memory(), clock.clone());
    done(redis.connect()).unwrap();
    for _ in 0..3 {
        clock.advance(SECOND * 10);
        assert!(done(redis.set("a", 1)).unwrap());
    }
    assert_eq!(link.0.borrow().server.seen.iter().filter(|line| *line == "PING").count(), 0);
}

#[test]
fn messages_for_which_nobody_waits() {
    for piece in [1, 1000] {
        let (link, _, mut redis) = connected::<true>(config());
        link.0.borrow_mut().piece = piece;
        assert_eq!(redis.poll_message().unwrap(), None);
        done(redis.subscribe(["news", "weather"])).unwrap();
        done(redis.psubscribe("w*")).unwrap();
        assert_eq!(redis.poll_message().unwrap(), None);
        publish(&link, "news", "one");
        publish(&link, "weather", "two");
        let mut heard = Vec::new();
        for _ in 0..10 {
            while let Some(message) = redis.poll_message().unwrap() {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                heard.push((text(message.channel), message.pattern.map(text), text(message.payload)));
            }
        }
        let [news, weather] = ["news", "weather"].map(String::from);
        let expected = [
            (news, None, "one".to_string()),
            (weather.clone(), None, "two".to_string()),
            (weather, Some("w*".to_string()), "two".to_string()),
        ];
        assert_eq!(heard, expected);

        // One that comes before a reply waits for the next call, and is lost if there is no room for it.
        publish(&link, "news", "three");
        assert_eq!(done(redis.get::<&str>("a")).unwrap(), "first");
        publish(&link, "news", &"x".repeat(80));
        publish(&link, "news", &"y".repeat(80));
        assert_eq!(done(redis.get::<&str>("a")).unwrap(), "first");
        assert_eq!(*redis.poll_message().unwrap_err().kind(), ErrorKind::MessagesLost(1));
        assert_eq!(redis.poll_message().unwrap().unwrap().payload, b"three");
        assert_eq!(redis.poll_message().unwrap().unwrap().payload, [b'x'; 80]);
        assert_eq!(redis.poll_message().unwrap(), None);

        link.0.borrow_mut().server.closed = true;
        assert_eq!(*redis.poll_message().unwrap_err().kind(), ErrorKind::Disconnected);
        // It is told once.
        assert!(!redis.is_connected());
        assert_eq!(redis.poll_message().unwrap(), None);
    }
}

#[test]
fn messages_of_a_stream_that_says_when_it_is_ready() {
    let (link, _, mut redis) = connected::<false>(config());
    done(redis.subscribe("news")).unwrap();
    assert_eq!(redis.poll_message_ready().unwrap(), None);
    publish(&link, "news", "one");
    publish(&link, "news", "two");
    assert_eq!(redis.poll_message_ready().unwrap().unwrap().payload, b"one");
    assert_eq!(redis.poll_message_ready().unwrap().unwrap().payload, b"two");
    assert_eq!(redis.poll_message_ready().unwrap(), None);
    assert_eq!(done(redis.execute::<_, &str>(get("a"))).unwrap(), "first");
}

#[test]
fn a_message_is_waited_for_as_long_as_was_said() {
    let (link, clock, mut redis) = connected::<true>(config());
    done(redis.subscribe("news")).unwrap();
    for timeout in [Duration::ZERO, SECOND, SECOND * 100] {
        let (after, result) = passes(&clock, redis.get_message(timeout));
        assert_eq!((after, result.unwrap()), (timeout, None));
    }
    // Half of it in time.
    link.0.borrow_mut().piece = 7;
    publish(&link, "news", "one");
    link.0.borrow_mut().hesitant = true;
    assert!(polled(3, redis.get_message(SECOND)).is_none());
    link.0.borrow_mut().hesitant = false;
    assert_eq!(done(redis.get_message(SECOND)).unwrap().unwrap().payload, b"one");
}

#[test]
fn a_dropped_piece_can_be_continued() {
    let (link, _, mut redis) = connected::<true>(config());
    link.0.borrow_mut().piece = 7;
    let value: Vec<u8> = (0..1000).map(|i| b'a' + (i % 26) as u8).collect();
    {
        let mut upload = done(redis.upload(cmd("SET").arg("big"), value.len())).unwrap();
        link.0.borrow_mut().hesitant = true;
        let mut polls = 0;
        while upload.remaining() > 0 {
            let begin = value.len() - upload.remaining();
            let end = value.len().min(begin + 400);
            let _ = polled(polls % 50, upload.append(&value[begin..end]));
            polls += 1;
        }
        done(upload.finish::<()>()).unwrap();
    }
    assert_eq!(link.0.borrow().server.values["big"].as_bytes(), value);
    let mut download = done(redis.download(get("big"))).unwrap().unwrap();
    let mut read = Vec::new();
    let mut polls = 0;
    loop {
        polls += 1;
        match polled(polls % 3, download.next()) {
            Some(Ok(Some(piece))) => read.extend_from_slice(piece),
            Some(Ok(None)) => break,
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
    assert_eq!(read, value);
}

#[test]
fn a_piece_of_which_nobody_knows_what_was_written_is_the_last() {
    let (link, _, mut redis) = connected::<false>(config());
    link.0.borrow_mut().hesitant = true;
    {
        let mut upload = done(redis.upload(cmd("SET").arg("big"), 1000)).unwrap();
        assert!(polled(1, upload.append(&[b'x'; 1000])).is_none());
        let error = done(upload.append(&[b'x'; 100])).unwrap_err();
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::Disconnected, false));
        assert_eq!(*done(upload.append(b"x")).unwrap_err().kind(), ErrorKind::Incomplete);
        assert_eq!(*done(upload.finish::<()>()).unwrap_err().kind(), ErrorKind::Incomplete);
    }
    assert!(!redis.is_connected());
    assert!(!link.0.borrow().server.values.contains_key("big"));
    done(redis.connect()).unwrap();

    link.0.borrow_mut().server.values.insert("long".to_string(), "x".repeat(1000));
    {
        let mut download = done(redis.download(get("long"))).unwrap().unwrap();
        assert!(done(download.next()).unwrap().is_some());
        assert!(polled(1, download.next()).is_none());
        let error = done(download.next()).unwrap_err();
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::Disconnected, true));
        // That was not the end of the value, however often it is asked for.
        assert_eq!(done(download.next()).unwrap_err(), error);
    }
    assert!(!redis.is_connected());
}

#[test]
fn what_an_earlier_life_has_left_on_a_line() {
    for stale in ["+PONG\r\n", "st of a reply\r\n$3\r\nold\r\n", "%1\r\n$5\r\nproto\r\n:3\r\n", "$5\r\nhel"] {
        let mut server = Server::default();
        server.values.insert("a".to_string(), "first".to_string());
        let mut link = Link::<true>::new(server, 1000);
        let stream = done(link.connect()).unwrap();
        link.0.borrow_mut().inbound.extend(stale.bytes());
        let memory = Box::leak(Box::new(StaticBuffers::<128, 256, 8>::new()));
        let line = CancelSafe(Line::new(stream, 1));
        let mut redis = AsyncClient::new(line, config(), memory.memory(), TestClock::default());
        let mut refused = 0;
        while let Err(error) = done(redis.connect()) {
            assert!(
                matches!(error.kind(), ErrorKind::Protocol(_) | ErrorKind::OutOfStep),
                "{stale:?}: {error}"
            );
            refused += 1;
            assert!(refused < 5 && !redis.is_connected(), "{stale:?}");
        }
        assert!(refused > 0, "{stale:?}");
        assert_eq!(done(redis.get::<&str>("a")).unwrap(), "first");
        assert!(redis.into_connector().0.stream().is_some());
    }
}

#[test]
fn what_is_here_is_not_late() {
    let (_, clock, mut redis) = connected::<true>(config());
    // Its reply is there, and the task was busy with something else.
    let mut call = redis.get::<&str>("a");
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        let mut dropped = pin!(&mut call);
        if let Poll::Ready(reply) = dropped.as_mut().poll(&mut context) {
            assert_eq!(reply.unwrap(), "first");
            break;
        }
        clock.advance(SECOND * 5);
    }
    // The greeting is answered at once, and looked at late.
    let link = Link::<true>::new(Server::default(), 1000);
    let clock = TestClock::default();
    let mut redis = link.configured(config().handshake_timeout(SECOND), clock.clone());
    let mut connecting = Box::pin(redis.connect());
    while link.0.borrow().connections == 0 {
        assert!(connecting.as_mut().poll(&mut context).is_pending());
    }
    link.0.borrow_mut().server.stalled = true;
    for _ in 0..5 {
        assert!(connecting.as_mut().poll(&mut context).is_pending());
    }
    link.0.borrow_mut().server.resume();
    link.0.borrow_mut().pump();
    clock.advance(SECOND * 5);
    done(connecting).unwrap();
}

#[test]
fn a_flood_keeps_neither_other_tasks_nor_deadlines_waiting() {
    let (link, clock, mut redis) = connected::<true>(config());
    link.0.borrow_mut().server.stalled = true;
    link.0.borrow_mut().flood = b">2\r\n+x\r\n+y\r\n";
    let mut call = Box::pin(redis.execute::<_, &str>(get("a")));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        // It comes back, although its stream is ready all the time.
        assert!(call.as_mut().poll(&mut context).is_pending());
    }
    clock.advance(SECOND);
    assert_eq!(*done(call).unwrap_err().kind(), ErrorKind::TimedOut);
    link.0.borrow_mut().flood = b"";
    link.0.borrow_mut().server.resume();
    link.0.borrow_mut().pump();
    assert_eq!(done(redis.get::<&str>("a")).unwrap(), "first");
}

#[test]
fn it_reads_while_what_it_writes_is_not_taken() {
    let (link, _, mut redis) = connected::<true>(config());
    // The server takes nothing before its replies are read.
    link.0.borrow_mut().full = 16;
    link.0.borrow_mut().piece = 20;
    let mut pipeline = redis.pipeline();
    for _ in 0..8 {
        pipeline.get("a");
    }
    let replies: [heapless::String<8>; 8] = done(pipeline.execute()).unwrap();
    assert!(replies.iter().all(|reply| reply == "first"));
}

#[test]
fn a_command_as_a_method_connects_if_the_connector_can() {
    struct Resumes(Link<true>);
    impl AsyncConnector for Resumes {
        type Stream = <Link<true> as AsyncConnector>::Stream;
        type Error = <Link<true> as AsyncConnector>::Error;

        const CANCEL_SAFE: bool = true;
        const RESUMES: bool = true;

        async fn connect(&mut self) -> Result<Self::Stream, Self::Error> {
            Ok(self.0.stream())
        }
    }
    let mut server = Server::default();
    server.values.insert("a".to_string(), "first".to_string());
    let link = Link::<true>::new(server, 7);
    link.0.borrow_mut().hesitant = false;
    let memory = Box::leak(Box::new(StaticBuffers::<128, 256, 8>::new()));
    let mut redis = AsyncClient::new(Resumes(link.clone()), config(), memory.memory(), TestClock::default());
    assert_eq!(done(redis.get::<&str>("a")).unwrap(), "first");
    link.0.borrow_mut().server.closed = true;
    assert_eq!(done(redis.get::<&str>("a")).unwrap(), "first");
    // All other calls do over any connector, pipelines too.
    link.0.borrow_mut().server.closed = true;
    let (a,): (heapless::String<8>,) = done(redis.pipeline().get("a").execute()).unwrap();
    assert_eq!(a, "first");
    assert_eq!(link.0.borrow().connections, 3);
    let mut other = Link::<true>::new(Server::default(), 7).configured(config(), TestClock::default());
    assert_eq!(*done(other.get::<&str>("a")).unwrap_err().kind(), ErrorKind::Disconnected);
    done(other.execute(ping())).unwrap();
    done(other.ping()).unwrap();
}
