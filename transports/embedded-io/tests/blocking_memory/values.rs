//! Values larger than the memory.

use super::*;

#[test]
fn what_does_not_fit_is_skipped_and_the_next_command_in_step() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = StaticBuffers::<128, 300, 4>::new();
        let mut redis = world.client(config, memory.memory());
        world.set("large", &"x".repeat(100_000));
        let error = redis.get::<&str>("large").unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TooLarge(100_011));
        assert!(error.maybe_executed());
        in_step(&world, &mut redis);
        // A list of large strings, an error, and a large reply in the middle of a pipeline.
        world.answer("LRANGE l 0 -1", format!("*50\r\n{}", "$9\r\nsome text\r\n".repeat(50)));
        assert_eq!(
            redis.lrange::<()>("l", 0, -1).unwrap_err().kind().clone(),
            ErrorKind::TooLarge(5 + 50 * 15)
        );
        in_step(&world, &mut redis);
        world.answer("GET error", format!("-ERR {}\r\n", "x".repeat(1000)));
        assert_eq!(*redis.get::<()>("error").unwrap_err().kind(), ErrorKind::TooLarge(1007));
        in_step(&world, &mut redis);
        let error = redis.pipeline().set("a", 1).get("large").get("a").execute::<((), (), u8)>().unwrap_err();
        assert_eq!((error.kind().clone(), error.position()), (ErrorKind::TooLarge(100_011), Some(2)));
        in_step(&world, &mut redis);
        let error = redis.atomic().set("a", 1).get("large").execute::<()>().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TooLarge(4 + 5 + 100_011));
        assert!(error.maybe_executed());
        in_step(&world, &mut redis);
        assert_eq!(world.state().opened, 1);
    }
}

#[test]
fn a_line_without_end_ends_the_connection() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(config, memory.memory());
        world.answer("GET endless", "+".to_string() + &"x".repeat(200_000));
        let error = redis.get::<&str>("endless").unwrap_err();
        let ErrorKind::Protocol(protocol) = error.kind() else { panic!("{error:?}") };
        assert_eq!(protocol.kind, ProtocolErrorKind::SizeLimit);
        assert!(!redis.is_connected());
        in_step(&world, &mut redis);
    }
}

#[test]
fn an_upload_that_is_given_up_ends_the_connection_and_sets_nothing() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(config, memory.memory());
        let mut upload = redis.upload(cmd("SET").arg("k"), 1000).unwrap();
        upload.append(&[b'x'; 600]).unwrap();
        assert_eq!(upload.remaining(), 400);
        // More than was announced is refused, and can be made good.
        let excess = upload.append(&[b'x'; 401]).unwrap_err();
        assert_eq!(*excess.kind(), ErrorKind::Excess { remaining: 400 });
        assert_eq!(upload.remaining(), 400);
        drop(upload);
        assert!(!redis.is_connected());
        assert_eq!(redis.get::<Option<&str>>("k").unwrap(), None);
        let upload = redis.upload(cmd("SET").arg("k"), 1).unwrap();
        assert_eq!(*upload.finish::<()>().unwrap_err().kind(), ErrorKind::Incomplete);
        in_step(&world, &mut redis);
        // Complete, and nobody waits for the reply: the connection goes on.
        let mut upload = redis.upload(cmd("SET").arg("k"), 1).unwrap();
        upload.append(b"1").unwrap();
        drop(upload);
        in_step(&world, &mut redis);
        assert_eq!(world.state().opened, 3);
        // What would change the connection cannot be handed over in pieces.
        for words in [&["CLIENT", "REPLY"][..], &["SUBSCRIBE"], &["SELECT"], &["WATCH"], &[]] {
            let error = redis.upload(words, 3).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Misuse(_)), "{error:?}");
        }
        // An empty value, and one that just fits.
        redis.upload(cmd("SET").arg("k"), 0).unwrap().finish::<()>().unwrap();
        assert_eq!(redis.get::<&str>("k").unwrap(), "");
        for length in 200..300 {
            let mut upload = redis.upload(cmd("SET").arg("k"), length).unwrap();
            upload.append(&vec![b'x'; length]).unwrap();
            upload.finish::<()>().unwrap();
            assert_eq!(world.state().server.values["k"].len(), length);
        }
        assert_eq!(world.state().opened, 3);
    }
}

#[test]
fn an_upload_whose_time_has_passed_is_not_executed() {
    let world = World::new();
    let config = Config::default().command_timeout(Duration::from_millis(50));
    let mut memory = Memory::sized();
    let clock = memory::Time::of(&world);
    let stuck = std::rc::Rc::new(std::cell::Cell::new(0));
    let connector = memory::Stuck { world: world.clone(), stuck: stuck.clone() };
    let mut redis = Client::new(connector, config, memory.memory(), clock);
    let mut upload = redis.upload(cmd("SET").arg("k"), 1000).unwrap();
    upload.append(&[b'x'; 500]).unwrap();
    stuck.set(1000);
    let error = upload.append(&[b'x'; 400]).unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (&ErrorKind::TimedOut, false));
    stuck.set(0);
    // It cannot be taken up again.
    assert_eq!(*upload.append(b"x").unwrap_err().kind(), ErrorKind::Incomplete);
    assert_eq!(*upload.finish::<()>().unwrap_err().kind(), ErrorKind::Incomplete);
    assert_eq!(redis.get::<Option<u8>>("k").unwrap(), None);
}

#[test]
fn an_upload_over_a_stream_that_breaks() {
    let run = |redis: &mut Redis<'_>| {
        let mut upload = redis.upload(cmd("SET").arg("k"), 1000)?;
        for _ in 0..10 {
            embedded_io::Write::write_all(&mut upload, &[b'x'; 100])?;
            embedded_io::Write::flush(&mut upload)?;
        }
        upload.finish::<()>()
    };
    let world = World::new();
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    redis.connect().unwrap();
    let greeted = world.state().written.len();
    run(&mut redis).unwrap();
    let end = world.state().written.len();
    for place in greeted..end {
        let world = World::new();
        world.state().write_fault = Some((place, Fault::Broken(Io::ConnectionReset)));
        let mut memory = Memory::sized();
        let mut redis = world.client(Config::default(), memory.memory());
        let error = run(&mut redis).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Disconnected);
        assert_eq!(error.origin().kind(), Some(Io::ConnectionReset));
        // The last bytes went out together.
        assert!(!error.maybe_executed() || place > end - 110, "{place} of {end}");
        assert_eq!(world.count("SET k"), 0);
        in_step(&world, &mut redis);
    }
}

#[test]
fn a_download_that_is_given_up_leaves_the_connection_in_step() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(config, memory.memory());
        world.set("large", &"x".repeat(10_000));
        for pieces in 0..60 {
            let mut download = redis.download(get("large")).unwrap().unwrap();
            for _ in 0..pieces {
                download.next().unwrap();
            }
            drop(download);
            in_step(&world, &mut redis);
        }
        assert!(redis.download(get("none")).unwrap().is_none());
        // A string without a length, an empty one, and what is no string.
        let mut download = redis.download(set("k", "")).unwrap().unwrap();
        assert_eq!(download.next().unwrap(), Some(&b"OK"[..]));
        assert_eq!(download.next().unwrap(), None);
        drop(download);
        assert_eq!(redis.download(get("k")).unwrap().unwrap().next().unwrap(), None);
        let error = redis.download(cmd("PUBLISH").arg(("a", "b"))).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Mismatch(_)), "{error:?}");
        let error = redis.download(cmd("NONSENSE")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Server(_)), "{error:?}");
        in_step(&world, &mut redis);
        assert_eq!(world.state().opened, 1);
    }
}

#[test]
fn a_megabyte_through_512_bytes() {
    let value: String = (0..1 << 20).map(|i| char::from(b'a' + (i * 7 + i / 251 % 26) as u8 % 26)).collect();
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = StaticBuffers::<512, 512, 4>::new();
        let mut redis = world.client(config, memory.memory());
        let mut upload = redis.upload(cmd("SET").arg("firmware"), value.len()).unwrap();
        let (mut rest, mut size) = (value.as_bytes(), 1);
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(size));
            upload.append(piece).unwrap();
            (rest, size) = (more, size * 3 % 1999 + 1);
        }
        upload.finish::<()>().unwrap();
        assert_eq!(world.state().server.values["firmware"], value);
        let mut whole = Vec::new();
        let mut download = redis.download(get("firmware")).unwrap().unwrap();
        while let Some(piece) = download.next().unwrap() {
            assert!(piece.len() <= 512);
            whole.extend_from_slice(piece);
        }
        assert_eq!(whole, value.as_bytes());
        drop(download);
        assert_eq!(*redis.get::<&[u8]>("firmware").unwrap_err().kind(), ErrorKind::TooLarge((1 << 20) + 12));
        in_step(&world, &mut redis);
        assert_eq!(world.state().opened, 1);
    }
}

#[test]
fn a_script_larger_than_the_transmit_buffer() {
    let source = format!("-- {}\nreturn 42", "long ".repeat(200));
    let script = Script::new(&source);
    let world = World::new();
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    assert_eq!(redis.script::<_, _, i64>(&script, "key", 42).unwrap(), 42);
    assert_eq!(redis.script::<_, _, i64>(&script, ["a", "b"], ()).unwrap(), 42);
    let loads = |world: &World| world.seen().iter().filter(|line| line.starts_with("SCRIPT LOAD")).count();
    assert_eq!(loads(&world), 1);
    redis.execute::<_, ()>(cmd("SCRIPT").arg("FLUSH")).unwrap();
    assert_eq!(redis.script::<_, _, i64>(&script, (), ()).unwrap(), 42);
    assert_eq!(loads(&world), 2);
    in_step(&world, &mut redis);
}
