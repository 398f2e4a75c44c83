//! Pipelines and transactions: given up, lost at every byte, refused.

use super::*;

/// What stands before a word of the server's in what was written.
fn place_of(written: &[u8], command: &str) -> usize {
    let words: Vec<&str> = command.split(' ').collect();
    let command = redwire::resp::encode(&words[..]);
    written.windows(command.len()).position(|window| window == command).expect("it was written")
}

#[test]
fn a_transaction_is_never_executed_over_another_connection() {
    // With a command that runs at once, and without.
    fn transact(redis: &mut Redis<'_>, reads: bool) -> Result<u32, Error> {
        redis.transaction(["seq"], |tx| {
            let seq = if reads { tx.get("seq")? } else { 7 };
            tx.multi().set("seq", seq + 1).set("last", seq);
            Ok(seq)
        })
    }
    for (name, config) in protocols() {
        for reads in [false, true] {
            let start = || {
                let world = World::new();
                world.set("seq", "7");
                world
            };
            let world = start();
            let mut memory = Memory::sized();
            let mut redis = world.client(config.clone(), memory.memory());
            redis.connect().unwrap();
            let (greeted, heard) = world.gone();
            assert_eq!(transact(&mut redis, reads).unwrap(), 7);
            assert!(!redis.connection().is_watching());
            let written = world.state().written.clone();
            let (multi, exec) = (place_of(&written, "MULTI"), place_of(&written, "EXEC"));
            let (end, read) = world.gone();
            for fault in [Fault::Zero, Fault::Broken(Io::ConnectionReset)] {
                let places = (greeted..end).map(|p| (p, true)).chain((heard..read).map(|p| (p, false)));
                for (place, writing) in places {
                    let what = format!("{name} reads: {reads} {fault:?} at {place}, writing: {writing}");
                    let world = start();
                    if writing {
                        world.state().write_fault = Some((place, fault));
                    } else {
                        world.state().read_fault = Some((place, fault));
                    }
                    let mut memory = Memory::sized();
                    let mut redis = world.client(config.clone(), memory.memory());
                    let error = transact(&mut redis, reads).expect_err(&what);
                    assert!(matches!(error.kind(), ErrorKind::Disconnected), "{what}: {error:?}");
                    let accepted = world.state().written.len();
                    if accepted > exec {
                        assert!(error.maybe_executed(), "{what}");
                    } else if accepted > multi || (writing && accepted == multi) || !reads {
                        // MULTI was about to be written, or no command ran at once.
                        assert!(!error.maybe_executed(), "{what}");
                        assert!(error.is_retryable(), "{what}");
                    }
                    assert_eq!(world.count("EXEC"), usize::from(accepted == end), "{what}");
                    // Over the next connection there is nothing left of it.
                    in_step(&world, &mut redis);
                    let seen = world.seen();
                    let next = seen.iter().position(|line| line == "--").unwrap();
                    assert_eq!(seen[next + 1..], ["GET step", "GET step", "GET none"], "{what}");
                }
            }
        }
    }
}

#[test]
fn an_atomic_pipeline_may_have_been_executed_only_when_exec_has_gone_out() {
    let run = |redis: &mut Redis<'_>| redis.atomic().set("a", 1).get("a").execute::<(bool, u8)>();
    let world = World::new();
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    redis.connect().unwrap();
    let greeted = world.state().written.len();
    assert_eq!(run(&mut redis).unwrap(), (true, 1));
    let written = world.state().written.clone();
    let exec = place_of(&written, "EXEC");
    for place in greeted..written.len() {
        let world = World::new();
        world.state().write_fault = Some((place, Fault::Broken(Io::BrokenPipe)));
        let mut memory = Memory::sized();
        let mut redis = world.client(Config::default(), memory.memory());
        let error = run(&mut redis).unwrap_err();
        assert_eq!(error.maybe_executed(), place > exec, "{place}");
        assert_eq!(world.count("EXEC"), 0);
        in_step(&world, &mut redis);
    }
}

#[test]
fn a_pipeline_of_which_a_part_was_answered_may_have_been_executed() {
    let world = World::new();
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    redis.connect().unwrap();
    let begin = world.state().written.len();
    let first = redwire::resp::encode(&["SET", "a", "1"]).len();
    for (place, executed) in [(0, false), (1, true), (first, true), (first + 5, true)] {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(Config::default(), memory.memory());
        world.state().write_fault = Some((begin + place, Fault::Broken(Io::BrokenPipe)));
        let error = redis.pipeline().set("a", 1).set("b", 2).execute::<()>().unwrap_err();
        assert_eq!(error.maybe_executed(), executed, "{place}");
        assert_eq!(error.is_retryable(), !executed);
    }
}

#[test]
fn a_conflict_starts_over_and_a_body_that_fails_executes_nothing() {
    for (_, config) in protocols() {
        let world = World::new();
        world.set("seq", "1");
        let mut memory = Memory::sized();
        let mut redis = world.client(config, memory.memory());
        let mut attempts = 0;
        let next: u32 = redis
            .transaction(["seq"], |tx| {
                attempts += 1;
                let seq: u32 = tx.get("seq")?;
                if attempts < 3 {
                    // As another client would: the watched key changes.
                    tx.set("seq", seq + 10)?;
                }
                let mut queue = tx.multi();
                queue.set("seq", seq + 1).get("seq");
                queue.execute::<((), u32)>().map(|(_, next)| next)
            })
            .unwrap();
        assert_eq!((next, attempts), (22, 3));
        let error = redis
            .transaction(["seq"], |tx| {
                tx.multi().set("seq", 99);
                Err::<(), _>(tx.execute::<_, u8>(get("seq")).unwrap_err())
            })
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Misuse(Misuse::InTransaction));
        assert!(!redis.connection().is_watching());
        assert_eq!(world.seen().last().unwrap(), "UNWATCH");
        assert_eq!(redis.get::<u32>("seq").unwrap(), 22);
        // A transaction ends with EXEC: nothing can be queued or executed after it.
        let error = redis
            .transaction(["seq"], |tx| {
                let mut queue = tx.multi();
                queue.set("seq", 23);
                queue.execute::<()>()?;
                let again = queue.execute::<()>().unwrap_err();
                assert_eq!(*again.kind(), ErrorKind::AlreadyExecuted);
                queue.set("seq", 24);
                Ok(())
            })
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::AlreadyExecuted);
        assert!(error.maybe_executed());
        assert_eq!(redis.get::<u32>("seq").unwrap(), 23);
        // One without keys is atomic, too; one without commands sends nothing.
        redis
            .transaction((), |tx| {
                tx.multi().set("x", 1);
                Ok(())
            })
            .unwrap();
        let asked = world.seen().len();
        redis.transaction((), |_| Ok(())).unwrap();
        redis.atomic().execute::<()>().unwrap();
        redis.pipeline().execute::<()>().unwrap();
        assert_eq!(world.seen().len(), asked);
        assert_eq!(world.state().opened, 1);
    }
}

#[test]
fn an_atomic_pipeline_stays_one() {
    let world = World::new();
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    let mut pipeline = redis.atomic();
    pipeline.set("a", 1).execute::<()>().unwrap();
    assert!(pipeline.is_empty());
    pipeline.set("b", 2).execute::<()>().unwrap();
    drop(pipeline);
    assert_eq!(world.seen(), ["MULTI", "SET a 1", "EXEC", "MULTI", "SET b 2", "EXEC"]);
}

#[test]
fn a_transaction_that_the_server_refuses() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(config, memory.memory());
        // A command is refused when it is to be queued.
        let error = redis.atomic().set("a", 1).add(cmd("BAD")).get("a").execute::<()>().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Aborted(_)), "{error:?}");
        assert_eq!((error.position(), error.maybe_executed()), (Some(2), false));
        assert_eq!(redis.get::<Option<u8>>("a").unwrap(), None);
        // MULTI itself is: what stands behind it has been executed one by one.
        world.answer("MULTI", "-NOPERM no MULTI for you\r\n");
        let error = redis.atomic().set("a", 1).execute::<()>().unwrap_err();
        assert_eq!(error.server_error().unwrap().text(), b"NOPERM no MULTI for you");
        assert!(error.maybe_executed() && !error.is_retryable());
        assert_eq!(redis.get::<u8>("a").unwrap(), 1);
        // A result is one.
        world.answer("EXEC", "*2\r\n+OK\r\n-WRONGTYPE x\r\n");
        let error = redis.atomic().set("a", 1).get("a").execute::<()>().unwrap_err();
        assert_eq!((error.code(), error.position()), (Some(redwire::resp::ErrorCode::WrongType), Some(2)));
        world.state().server.queue = None;
        world.answer("EXEC", "*2\r\n+OK\r\n-WRONGTYPE x\r\n");
        let (_, second): ((), Result<u8, ServerError>) =
            redis.atomic().set("a", 1).get("a").execute().unwrap();
        assert_eq!(second.unwrap_err().text(), b"WRONGTYPE x");
        world.state().server.queue = None;
        // With another number of results the order is lost.
        world.answer("EXEC", "*1\r\n+OK\r\n");
        let error = redis.atomic().set("a", 1).get("a").execute::<()>().unwrap_err();
        assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::OutOfStep, true));
        in_step(&world, &mut redis);
        assert_eq!(world.state().opened, 2);
    }
}

#[test]
fn what_is_given_up_before_it_is_executed_is_not_sent() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(config, memory.memory());
        redis.connect().unwrap();
        let gone = world.gone();
        let _ = redis.pipeline().set("a", 1).get("a");
        let _ = redis.atomic().set("a", 1).get("a");
        let wrong = redis.pipeline().set("a", 1).get("a").execute::<(bool, u8, u8)>().unwrap_err();
        assert_eq!(*wrong.kind(), ErrorKind::Length { commands: 2, replies: 3 });
        let wrong = redis.atomic().set("a", 1).execute::<[u8; 2]>().unwrap_err();
        assert_eq!(*wrong.kind(), ErrorKind::Length { commands: 1, replies: 2 });
        let wrong = redis.pipeline().get("a").get("a").execute::<heapless::Vec<u8, 1>>().unwrap_err();
        assert_eq!(*wrong.kind(), ErrorKind::Length { commands: 2, replies: 1 });
        assert_eq!(redis.connection().queued_bytes(), 0);
        assert_eq!(redis.connection().in_flight(), 0);
        assert_eq!(world.gone(), gone);
        in_step(&world, &mut redis);
        assert_eq!(world.seen(), ["GET step", "GET step", "GET none"]);
    }
}

#[test]
fn a_pipeline_that_is_given_up_half_way_leaves_no_reply_behind() {
    with_and_without_deadlines(
        Config::default().command_timeout(Duration::from_millis(200)),
        |world, redis| {
            world.answer("GET slow", "");
            let error = redis.pipeline().set("a", 1).get("slow").execute::<()>().unwrap_err();
            assert_eq!((error.kind(), error.maybe_executed()), (&ErrorKind::TimedOut, true));
            world.say(b"$4\r\nlate\r\n");
            let (a, none): (u8, Option<u8>) = redis.pipeline().get("a").get("none").execute().unwrap();
            assert_eq!((a, none), (1, None));
            assert_eq!(redis.connection().in_flight(), 0);
        },
    );
}

#[test]
fn what_is_forgotten_gives_its_replies_to_nobody() {
    for deadlines in [false, true] {
        let world = World::new();
        world.set("a", "first");
        world.set("b", "second");
        let mut memory = StaticBuffers::<256, 300, 3>::new();
        let mut redis = world.client(Config::default(), memory.memory());
        if deadlines {
            redis = redis.with_deadlines();
        }
        let mut pipeline = redis.pipeline();
        pipeline.get("a");
        std::mem::forget(pipeline);
        let (b,): (heapless::String<8>,) = redis.pipeline().get("b").execute().unwrap();
        assert_eq!(b, "second");
        assert_eq!(world.streams(), (1, 0));
        // Behind half a value, or half a transaction, nothing can be sent.
        let mut upload = redis.upload(cmd("SET").arg("a"), 10).unwrap();
        upload.append(b"12345").unwrap();
        std::mem::forget(upload);
        in_step(&world, &mut redis);
        assert_eq!(world.streams(), (2, 1));
        let mut atomic = redis.atomic();
        atomic.set("a", "wrong");
        std::mem::forget(atomic);
        redis.pipeline().get("a").execute::<()>().unwrap();
        assert_eq!(redis.get::<&str>("a").unwrap(), "first");
        assert_eq!(world.streams(), (3, 2));
    }
}

#[test]
fn a_transaction_whose_closure_panics_is_not_executed() {
    let world = World::new();
    world.set("a", "first");
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    let panics = std::panic::AssertUnwindSafe(|| {
        redis.transaction(["a"], |tx| -> Result<(), Error> {
            tx.multi().set("a", "wrong");
            panic!("as the test wants");
        })
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(redis.get::<&str>("a").unwrap(), "first");
    in_step(&world, &mut redis);
    assert_eq!(world.count("MULTI"), 0);
}

#[test]
fn a_transaction_fails_with_an_error_of_the_user() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        Negative,
        Redis(ErrorKind),
    }
    impl From<Error> for Mine {
        fn from(error: Error) -> Self {
            Mine::Redis(error.kind().clone())
        }
    }
    let world = World::new();
    world.set("seq", "-1");
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    let mut attempts = 0;
    let mut next = |redis: &mut Redis<'_>| {
        redis.try_transaction("seq", |tx| {
            attempts += 1;
            let seq: i32 = tx.get("seq")?;
            if attempts == 2 {
                // As another client would.
                tx.set("seq", 4)?;
            }
            tx.multi().set("seq", 5);
            if seq < 0 {
                return Err(Mine::Negative);
            }
            if attempts == 2 {
                // The conflict is noted, whatever becomes of its error.
                tx.multi().execute::<()>().map_err(|_| Mine::Negative)?;
            }
            Ok(seq)
        })
    };
    assert_eq!(next(&mut redis), Err(Mine::Negative));
    assert!(!redis.connection().is_watching());
    assert_eq!(world.seen().last().unwrap(), "UNWATCH");
    world.set("seq", "3");
    assert_eq!(next(&mut redis), Ok(4));
    world.set("seq", "x");
    assert!(matches!(next(&mut redis), Err(Mine::Redis(ErrorKind::Mismatch(_)))));
    in_step(&world, &mut redis);
    assert_eq!(world.state().opened, 1);
}
