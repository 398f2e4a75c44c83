//! What does not fit, and what must not be sent.

use super::*;

#[test]
fn a_handshake_that_does_not_fit() {
    // HELLO is answered with more than the buffer holds: that is as good as any answer.
    let world = World::new();
    world.answer("HELLO 3", format!("%1\r\n$7\r\nmodules\r\n*50\r\n{}", "$9\r\nsome text\r\n".repeat(50)));
    let mut memory = StaticBuffers::<128, 300, 4>::new();
    let mut redis = world.client(Config::default(), memory.memory());
    in_step(&world, &mut redis);
    // An error is one whose text nobody can read.
    let world = World::new();
    world.answer("HELLO 3", format!("-ERR {}\r\n", "x".repeat(1000)));
    let mut memory = StaticBuffers::<128, 300, 4>::new();
    let mut redis = world.client(Config::default(), memory.memory());
    assert_eq!(*redis.connect().unwrap_err().kind(), ErrorKind::Buffers);
    in_step(&world, &mut redis);
    // And the greeting itself has to fit.
    let world = World::new();
    let mut memory = StaticBuffers::<128, 20, 4>::new();
    let mut redis = world.client(Config::default(), memory.memory());
    for _ in 0..2 {
        assert_eq!(*redis.connect().unwrap_err().kind(), ErrorKind::Buffers);
        assert_eq!(*redis.get::<&str>("k").unwrap_err().kind(), ErrorKind::Buffers);
    }
    assert_eq!(world.streams(), (4, 4));
}

#[test]
fn no_memory_at_all_is_an_error() {
    let world = World::new();
    let mut memory = StaticBuffers::<0, 0, 0>::new();
    let mut redis = world.client(Config::default(), memory.memory());
    assert_eq!(*redis.get::<&str>("k").unwrap_err().kind(), ErrorKind::Buffers);
    let mut memory = StaticBuffers::<0, 300, 0>::new();
    let mut redis = world.client(Config::default(), memory.memory());
    assert_eq!(*redis.get::<&str>("k").unwrap_err().kind(), ErrorKind::Buffers);
    let mut memory = StaticBuffers::<128, 300, 0>::new();
    let mut redis = world.client(Config::default(), memory.memory());
    assert_eq!(*redis.get::<&str>("k").unwrap_err().kind(), ErrorKind::Capacity(Capacity::InFlight));
    assert!(redis.is_connected());
}

#[test]
fn every_capacity_is_stated_and_nothing_has_changed() {
    for (name, config) in protocols() {
        let world = World::new();
        let mut memory = StaticBuffers::<256, 260, 3, 24, 0>::sized();
        let mut redis = world.client(config, memory.memory());
        redis.connect().unwrap();
        // Commands in flight.
        let error = redis.pipeline().get("a").get("b").get("c").get("d").execute::<()>().unwrap_err();
        assert_eq!((error.kind(), error.position()), (&ErrorKind::Capacity(Capacity::InFlight), Some(4)));
        in_step(&world, &mut redis);
        // Those of a transaction go with MULTI and EXEC.
        let error = redis.atomic().get("a").get("b").execute::<()>().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Capacity(Capacity::InFlight));
        let error = redis.atomic().get("a").get("b").get("c").execute::<()>().unwrap_err();
        assert_eq!((error.kind(), error.position()), (&ErrorKind::Capacity(Capacity::InFlight), Some(3)));
        in_step(&world, &mut redis);
        // Bytes to be written.
        let long = "x".repeat(300);
        let needed = redwire::resp::encode(&["SET", "k", &long]).len();
        let full = ErrorKind::Capacity(Capacity::Transmit { needed, available: 260 });
        assert_eq!(redis.set("k", &*long).unwrap_err().kind().clone(), full);
        let ping = redwire::resp::encode(&["GET", "k"]).len();
        let full = ErrorKind::Capacity(Capacity::Transmit { needed, available: 260 - ping });
        let error = redis.pipeline().get("k").set("k", &*long).execute::<()>().unwrap_err();
        assert_eq!((error.kind(), error.position()), (&full, Some(2)));
        assert!(
            error.to_string().starts_with("command 2 (SET) of the pipeline: the command takes "),
            "{error}"
        );
        let too_long = redis.transaction((), |tx| {
            tx.multi().set("k", &*long);
            Ok(())
        });
        let error = too_long.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Capacity(Capacity::Transmit { .. })));
        in_step(&world, &mut redis);
        // Names of channels: 9 bytes and the name each.
        assert_eq!(world.seen().iter().filter(|line| !line.starts_with("GET ")).count(), 0, "{name}");
        redis.subscribe("abc").unwrap();
        let full = ErrorKind::Capacity(Capacity::Subscriptions);
        assert_eq!(redis.subscribe("abcd").unwrap_err().kind().clone(), full);
        assert_eq!(redis.psubscribe(["x", "y"]).unwrap_err().kind().clone(), full);
        assert_eq!(redis.connection().subscriptions(SubscriptionKind::Channel), 1);
        assert_eq!(redis.connection().subscriptions(SubscriptionKind::Pattern), 0);
        redis.subscribe("def").unwrap();
        redis.unsubscribe(()).unwrap();
        in_step(&world, &mut redis);
        assert_eq!(world.state().opened, 1);
        assert!(!world.seen().iter().any(|line| line.contains("MULTI") || line.contains("SET")));
    }
}

#[test]
fn what_changes_the_connection_is_refused_and_never_sent() {
    for (_, config) in protocols() {
        for line in [
            "MULTI",
            "MONITOR",
            "QUIT",
            "CLIENT REPLY OFF",
            "CLIENT REPLY SKIP",
            "SELECT 1",
            "WATCH k",
            "SUBSCRIBE c",
            "RESET",
            "HELLO 2",
            "CLIENT SETNAME x",
        ] {
            let world = World::new();
            let mut memory = Memory::sized();
            let mut redis = world.client(config.clone(), memory.memory());
            let words: Vec<&str> = line.split(' ').collect();
            let refused = redis.execute::<_, ()>(cmd(words[0]).arg(&words[1..])).unwrap_err();
            assert_eq!(*refused.kind(), ErrorKind::Misuse(Misuse::OwnConnection), "{line}");
            assert!(!refused.maybe_executed() && redis.is_connected(), "{line}");
            in_step(&world, &mut redis);
            let command = cmd(words[0]).arg(&words[1..]);
            let refused = redis.pipeline().get("a").add(command).get("b").execute::<()>().unwrap_err();
            assert_eq!(*refused.kind(), ErrorKind::Misuse(Misuse::OwnConnection), "{line}");
            in_step(&world, &mut redis);
            assert_eq!(world.count(line), 0);
            assert_eq!((world.count("GET a"), world.state().opened), (0, 1), "{line}");
        }
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(config.clone().database(3), memory.memory());
        redis.upload(cmd("SET").arg("k"), 0).unwrap().finish::<()>().unwrap();
        in_step(&world, &mut redis);
        assert_eq!((world.count("SELECT 3"), world.state().opened), (1, 1));
    }
}

#[test]
fn nothing_shows_what_is_in_the_buffers() {
    let world = World::with(Server { password: Some("s3cret"), ..Server::default() });
    let mut memory = Memory::sized();
    let config = Config::default().password("s3cret");
    let mut redis = world.client(config, memory.memory());
    redis.set("k", "s3cret").unwrap();
    let mut shown = format!("{redis:?} {:?} {:?}", redis.connection().config(), redis.connection());
    let pipeline: Pipeline<'_, '_, _, _, _> = redis.pipeline();
    shown += &format!("{pipeline:?}");
    drop(pipeline);
    let mut wrong = Memory::sized();
    let mut refused = world.client(Config::default().password("wr0ng"), wrong.memory());
    redis.disconnect();
    let error = refused.connect().unwrap_err();
    assert_eq!(error.code(), Some(redwire::resp::ErrorCode::WrongPass));
    shown += &format!("{error} {error:?}");
    drop(redis);
    shown += &format!("{memory:?}");
    shown += &format!("{:?}", memory.memory());
    assert!(
        !shown.contains("s3cret") && !shown.contains("115, 51, 99") && !shown.contains("wr0ng"),
        "{shown}"
    );
    assert!(shown.contains("StaticBuffers { receive: 256, transmit: 300, in_flight: 8"), "{shown}");
}

#[test]
fn sizes_that_the_documentation_names_are_enough() {
    assert!(size_of::<redwire::connection::Slot>() <= 32);
    let alive_at = |server: Server, config: Config<'static>, transmit: usize| {
        let world = World::with(server);
        let mut buffers = StaticBuffers::<128, 300, 4, 64, 64>::sized();
        let mut bytes = [0; 300];
        let mut memory = buffers.memory();
        memory.engine.transmit = redwire::storage::Buffer::borrowed(&mut bytes[..transmit]);
        let mut redis = world.client(config, memory);
        let lived = redis.subscribe("news").and_then(|()| redis.unsubscribe(()));
        redis.disconnect();
        lived.and_then(|()| redis.get::<()>("k"))
    };
    let alive = |config, transmit| alive_at(Server::default(), config, transmit);
    for (_, config) in protocols() {
        assert_eq!(alive(config.clone(), 110), Ok(()));
        assert_eq!(alive(config.clone().no_library(), 30), Ok(()));
        let named = config.clone().client_name("a-sensor").database(15);
        assert_eq!(alive(named.clone(), 110 + 40 + 8 + 30), Ok(()));
        assert_eq!(alive(named.clone().no_library(), 30 + 40 + 8 + 30), Ok(()));
        let locked = || Server { password: Some("secret"), ..Server::default() };
        let with_user = config.clone().credentials("default", "secret");
        for (login, length) in [(config.clone().password("secret"), 6), (with_user, 7 + 6)] {
            assert_eq!(alive_at(locked(), login.clone(), 110 + 30 + length), Ok(()));
            assert_eq!(alive_at(locked(), login.no_library(), 30 + 30 + length), Ok(()));
        }
        // With less there is an error, or it is enough all the same.
        for transmit in 0..110 {
            if let Err(error) = alive(config.clone(), transmit) {
                let stated = matches!(error.kind(), ErrorKind::Buffers | ErrorKind::Capacity(_));
                assert!(stated, "{transmit}: {error:?}");
                assert!(!error.maybe_executed());
            }
        }
    }
}
