//! Pieces of every size, and faults at every byte.

use super::*;

#[test]
fn a_whole_life() {
    for (name, config) in protocols() {
        let (transcript, _, _) = undisturbed(&config);
        assert_eq!(
            transcript,
            [
                "true",
                "\"sensor\"",
                "\"sensor\"",
                "None",
                "NONSENSE: ERR unknown command",
                "(true, 1, None)",
                "((), \"2\")",
                "1",
                "42",
                "()",
                "1000",
                "GET: the reply of 1009 bytes is larger than the receive buffer and was skipped",
                "()",
                "()",
                "()",
                "()",
                "2",
            ],
            "{name}"
        );
    }
}

#[test]
fn pieces_of_every_size_and_every_cut() {
    for (name, config) in protocols() {
        let (transcript, written, read) = undisturbed(&config);
        let alive = |piece, cut| {
            let world = World::new();
            (world.state().piece, world.state().cut) = (piece, cut);
            for deadlines in [false, true] {
                let mut memory = Memory::sized();
                let mut redis = world.client(config.clone(), memory.memory());
                if deadlines {
                    redis = redis.with_deadlines();
                }
                assert_eq!(live(&mut redis).unwrap(), transcript, "{name} {piece:?} {cut:?}");
                redis.disconnect();
                world.state().server.scripts.clear();
            }
        };
        (1..20).for_each(|piece| alive(Some(piece), None));
        (1..written.max(read)).for_each(|cut| alive(None, Some(cut)));
    }
}

#[test]
fn a_stream_that_gives_up_at_any_byte_is_asked_again() {
    for (_, config) in protocols() {
        let (transcript, written, read) = undisturbed(&config);
        for kind in [Io::TimedOut, Io::Interrupted] {
            for place in 0..written.max(read) {
                let world = World::new();
                world.state().write_fault = Some((place, Fault::GaveUp(kind)));
                world.state().read_fault = Some((place, Fault::GaveUp(kind)));
                let mut memory = Memory::sized();
                let mut redis = world.client(config.clone(), memory.memory());
                assert_eq!(live(&mut redis).unwrap(), transcript, "{kind:?} at {place}");
                assert_eq!(world.state().opened, 1);
            }
        }
    }
}

#[test]
fn a_stream_that_breaks_at_any_byte_is_a_stated_error_and_the_next_connection_in_step() {
    for (name, config) in protocols() {
        let (_, written, read) = undisturbed(&config);
        let kinds = [Io::ConnectionReset, Io::BrokenPipe, Io::Other, Io::NotConnected];
        for zero in [true, false] {
            for (place, writing) in (0..written).map(|p| (p, true)).chain((0..read).map(|p| (p, false))) {
                let fault = if zero { Fault::Zero } else { Fault::Broken(kinds[place % kinds.len()]) };
                let world = World::new();
                if writing {
                    world.state().write_fault = Some((place, fault));
                } else {
                    world.state().read_fault = Some((place, fault));
                }
                let mut memory = Memory::sized();
                let mut redis = world.client(config.clone(), memory.memory());
                let what = format!("{name} {fault:?} at {place}, writing: {writing}");
                let (step, error) = live(&mut redis).expect_err(&what);
                let said = match (fault, writing) {
                    (Fault::Zero, true) => Some(Io::WriteZero),
                    (Fault::Zero, false) => None,
                    (Fault::Broken(kind) | Fault::GaveUp(kind), _) => Some(kind),
                };
                assert_eq!(*error.kind(), ErrorKind::Disconnected, "{what}, step {step}");
                assert_eq!(error.origin().kind(), said, "{what}, step {step}");
                assert!(!redis.is_connected());
                // Nothing of it is sent again, but for subscriptions.
                let asked = world.seen().len();
                redis.connect().unwrap();
                let again = world.seen().split_off(asked);
                let restored = |line: &String| *line == "--" || line.contains("SUBSCRIBE ");
                assert!(again.iter().all(restored), "{what}: {again:?}");
                if redis.connection().mode() == Mode::Subscribed {
                    redis.unsubscribe(()).unwrap();
                    redis.punsubscribe(()).unwrap();
                }
                in_step(&world, &mut redis);
                assert_eq!(world.state().opened, 2, "{what}");
            }
        }
    }
}

#[test]
fn what_was_written_of_a_command_decides_whether_it_may_have_been_executed() {
    let command = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    for place in 0..=command.len() {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(Config::default(), memory.memory());
        redis.connect().unwrap();
        let begin = world.state().written.len();
        if place < command.len() {
            world.state().write_fault = Some((begin + place, Fault::Broken(Io::ConnectionReset)));
        } else {
            let read = world.state().read;
            world.state().read_fault = Some((read, Fault::Zero));
        }
        let error = redis.set("k", "v").unwrap_err();
        assert_eq!(error.maybe_executed(), place > 0, "{place}");
        assert_eq!(error.is_retryable(), place == 0);
        assert_eq!(world.count("SET k v"), usize::from(place == command.len()));
        in_step(&world, &mut redis);
    }
}
