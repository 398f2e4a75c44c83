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
        assert_eq!(redis.get_message(Duration::from_millis(10)).unwrap().unwrap().kind, MessageKind::Gap);
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
