//! Deadlines: late replies, handshakes and servers that do not respond.

use super::*;

#[test]
fn a_late_reply_is_discarded_and_the_next_command_in_step() {
    with_and_without_deadlines(
        Config::default().command_timeout(Duration::from_millis(200)),
        |world, redis| {
            in_step(world, redis);
            let begun = world.millis();
            world.state().server.stalled = true;
            world.set("late", "late");
            let error = redis.get::<&str>("late").unwrap_err();
            assert_eq!((error.kind(), error.maybe_executed()), (&ErrorKind::TimedOut, true));
            assert!((200..=210).contains(&(world.millis() - begun)));
            let error = redis.pipeline().get("late").set("late", 2).execute::<()>().unwrap_err();
            assert_eq!((error.kind(), error.maybe_executed()), (&ErrorKind::TimedOut, true));
            let error = redis.atomic().set("late", 3).execute::<()>().unwrap_err();
            assert_eq!((error.kind(), error.maybe_executed()), (&ErrorKind::TimedOut, true));
            assert!(redis.is_connected());
            world.resume();
            in_step(world, redis);
            assert_eq!(redis.connection().in_flight(), 0);
            assert_eq!(redis.get::<u8>("late").unwrap(), 3);
            assert_eq!(world.state().opened, 1);
        },
    );
}

#[test]
fn a_command_that_cannot_be_written_in_time_is_not_sent() {
    let world = World::new();
    let config = Config::default().command_timeout(Duration::from_millis(50));
    let mut memory = Memory::sized();
    let clock = memory::Time::of(&world);
    // A stream that takes nothing for a while.
    let stuck = std::rc::Rc::new(std::cell::Cell::new(0));
    let connector = memory::Stuck { world: world.clone(), stuck: stuck.clone() };
    let mut redis = Client::new(connector, config, memory.memory(), clock);
    redis.connect().unwrap();
    for pipeline in [false, true] {
        stuck.set(10);
        let error = match pipeline {
            false => redis.set("k", 1).unwrap_err(),
            true => redis.pipeline().set("k", 1).set("k", 2).execute::<()>().unwrap_err(),
        };
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::TimedOut, false));
        assert!(redis.is_connected());
    }
    stuck.set(0);
    assert_eq!(redis.get::<Option<u8>>("k").unwrap(), None);
    assert_eq!(world.seen(), ["GET k"]);
}

#[test]
fn a_handshake_that_is_not_answered() {
    let config = Config::default().handshake_timeout(Duration::from_millis(300));
    with_and_without_deadlines(config, |world, redis| {
        world.state().server.stalled = true;
        let error = redis.get::<&str>("k").unwrap_err();
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::HandshakeTimedOut, false));
        assert!(!redis.is_connected());
        assert!((300..=310).contains(&world.millis()));
        // Another stream is another chance.
        in_step(world, redis);
        assert_eq!(world.state().opened, 2);
    });
}

#[test]
fn a_server_that_does_not_respond_is_given_up() {
    let config =
        Config::default().health_check(Duration::from_secs(1)).health_check_timeout(Duration::from_secs(2));
    with_and_without_deadlines(config, |world, redis| {
        redis.subscribe("news").unwrap();
        // As long as it answers there is nothing to be noticed.
        assert_eq!(redis.get_message(Duration::from_secs(10)).unwrap(), None);
        assert!(world.count("PING") >= 9, "{}", world.count("PING"));
        let begun = world.millis();
        world.state().server.stalled = true;
        let error = redis.get_message(Duration::from_secs(60)).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unresponsive);
        assert!((1900..=3100).contains(&(world.millis() - begun)), "{}", world.millis() - begun);
        // The next call connects and subscribes again.
        let gap = redis.get_message(Duration::from_millis(100)).unwrap().unwrap();
        assert_eq!(gap.kind, MessageKind::Gap);
        assert_eq!(redis.get_message(Duration::from_millis(10)).unwrap(), None);
        world.publish("news", "back");
        assert_eq!(redis.get_message(Duration::ZERO).unwrap().unwrap().payload, b"back");
    });
}

#[test]
fn a_command_does_not_wait_for_room_longer_than_it_may_take() {
    let world = World::new();
    world.answer("GET slow", "");
    let mut memory = StaticBuffers::<256, 300, 1>::new();
    let config = Config::default().command_timeout(Duration::from_millis(100));
    let mut redis = world.client(config, memory.memory()).with_deadlines();
    assert_eq!(*redis.get::<&str>("slow").unwrap_err().kind(), ErrorKind::TimedOut);
    // The server lives, and the only place for a command is taken by the one that is late.
    world.say(b">2\r\n+x\r\n+y\r\n");
    let begun = world.millis();
    let error = redis.get::<Option<&str>>("step").unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (&ErrorKind::TimedOut, false));
    assert!((100..=110).contains(&(world.millis() - begun)));
}

#[test]
fn a_pipeline_waits_for_its_slowest_command() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let config = config.command_timeout(Duration::from_millis(300));
        let mut redis = world.client(config, memory.memory()).with_deadlines();
        in_step(&world, &mut redis);
        // It blocks for longer than the others may take.
        let popped = b"*2\r\n$1\r\nq\r\n$1\r\nv\r\n";
        world.answer("BLPOP q 1", "");
        world.answer("GET x", "");
        let at = world.state().micros + 900_000;
        world.state().later.push_back((at, [&popped[..], b"$1\r\n7\r\n"].concat()));
        type Popped = Option<(heapless::String<4>, heapless::String<4>)>;
        let (popped, x): (Popped, u8) =
            redis.pipeline().blpop("q", Duration::from_secs(1)).get("x").execute().unwrap();
        assert_eq!((popped.unwrap().1.as_str(), x), ("v", 7));
        // The same in the middle.
        world.answer("GET a", "");
        world.answer("BLPOP q 1", "");
        world.answer("GET x", "");
        let now = world.state().micros;
        world.state().later.push_back((now + 100_000, b"$1\r\n1\r\n".to_vec()));
        world.state().later.push_back((now + 900_000, b"*2\r\n$1\r\nq\r\n$1\r\nv\r\n".to_vec()));
        world.state().later.push_back((now + 1_000_000, b"$1\r\n7\r\n".to_vec()));
        let (a, popped, x): (u8, Popped, u8) =
            redis.pipeline().get("a").blpop("q", Duration::from_secs(1)).get("x").execute().unwrap();
        assert_eq!((a, popped.unwrap().1.as_str(), x), (1, "v", 7));
        // None comes at all.
        world.answer("BLPOP q 1", "");
        world.answer("GET x", "");
        let begun = world.millis();
        let error = redis.pipeline().blpop("q", Duration::from_secs(1)).get("x").execute::<()>().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TimedOut);
        assert!((1000..=1400).contains(&(world.millis() - begun)), "{}", world.millis() - begun);
    }
}

#[test]
fn waiting_for_a_message_includes_connecting() {
    let world = World::new();
    let mut memory = Memory::sized();
    let [(_, config), _] = protocols();
    let config = config.handshake_timeout(Duration::from_secs(4));
    let mut redis = world.client(config, memory.memory()).with_deadlines();
    redis.subscribe("news").unwrap();
    world.hang_up();
    assert!(redis.get_message(Duration::from_millis(10)).is_err());
    // The server accepts, and does not answer for a while.
    world.answer("SUBSCRIBE news", "");
    let begun = world.millis();
    assert_eq!(redis.get_message(Duration::from_millis(100)).unwrap(), None);
    assert!((100..=110).contains(&(world.millis() - begun)), "{}", world.millis() - begun);
    // The handshake goes on where it was.
    world.say(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    let gap = redis.get_message(Duration::from_millis(100)).unwrap().unwrap();
    assert_eq!(gap.kind, MessageKind::Gap);
    assert_eq!(world.state().opened, 2);
    // With the server gone it waits its time, and does not ask for a stream without end.
    world.hang_up();
    assert!(redis.get_message(Duration::from_millis(10)).is_err());
    world.state().refusals = std::iter::repeat_n(Io::ConnectionRefused, 1000).collect();
    let begun = world.millis();
    let error = redis.get_message(Duration::from_secs(1)).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Connect);
    assert_eq!(world.millis() - begun, 1000);
    let attempts = 1000 - world.state().refusals.len();
    assert!((5..=20).contains(&attempts), "{attempts}");
}

#[test]
fn a_transaction_does_not_start_over_without_end() {
    let world = World::new();
    world.set("seq", "1");
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    let begun = world.millis();
    let mut attempts = 0;
    let error = redis
        .transaction("seq", |tx| {
            attempts += 1;
            // As another client would.
            tx.set("seq", attempts)?;
            tx.multi().set("seq", 0);
            Ok(())
        })
        .unwrap_err();
    assert_eq!((error.kind(), attempts), (&ErrorKind::Conflict, 100));
    assert!((500..20_000).contains(&(world.millis() - begun)), "{}", world.millis() - begun);
    assert!(!redis.connection().is_watching());
    in_step(&world, &mut redis);
}
