//! Subscriptions: waiting, polling, floods, and coming back.

use super::*;

#[test]
fn get_message_waits_as_long_as_was_said() {
    with_and_without_deadlines(Config::default(), |world, redis| {
        // Without a subscription it does not wait at all, nor connect.
        assert_eq!(redis.get_message(Duration::from_secs(1)).unwrap(), None);
        assert_eq!(world.millis(), 0);
        assert_eq!(world.streams(), (0, 0));
        redis.subscribe("news").unwrap();
        let begun = world.millis();
        assert_eq!(redis.get_message(Duration::from_millis(500)).unwrap(), None);
        assert!((500..=511).contains(&(world.millis() - begun)));
        world.publish("news", "one");
        world.publish("news", "two");
        let message = redis.get_message(Duration::MAX).unwrap().unwrap();
        assert_eq!(
            (message.kind, message.channel, message.pattern),
            (MessageKind::Message, &b"news"[..], None)
        );
        assert_eq!(message.payload, b"one");
        assert_eq!(redis.get_message(Duration::ZERO).unwrap().unwrap().payload, b"two");
        assert_eq!(redis.get_message(Duration::ZERO).unwrap(), None);
    });
}

#[test]
fn poll_message_never_waits() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let config = config.health_check(Duration::from_secs(1)).health_check_timeout(Duration::from_secs(2));
        let mut redis = world.client(config, memory.memory());
        assert_eq!(redis.poll_message().unwrap(), None);
        redis.subscribe("news").unwrap();
        // A read without anything to be read would panic.
        for _ in 0..100 {
            assert_eq!(redis.poll_message().unwrap(), None);
        }
        world.publish("news", "one");
        assert_eq!(redis.poll_message().unwrap().unwrap().payload, b"one");
        // Half a message is none.
        let message = b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\ntwo\r\n";
        let message = if redis.connection().protocol() == Protocol::Resp2 {
            message.iter().map(|b| if *b == b'>' { b'*' } else { *b }).collect()
        } else {
            message.to_vec()
        };
        for byte in &message[..message.len() - 1] {
            world.say(&[*byte]);
            assert_eq!(redis.poll_message().unwrap(), None);
        }
        world.say(b"\n");
        assert_eq!(redis.poll_message().unwrap().unwrap().payload, b"two");
        // Away for long: the server is asked whether it is there, and has time to answer.
        for _ in 0..5 {
            world.state().micros += 60_000_000;
            assert_eq!(redis.poll_message().unwrap(), None);
            assert_eq!(redis.poll_message().unwrap(), None);
        }
        assert!(world.count("PING") >= 5);
        world.state().server.stalled = true;
        world.state().micros += 60_000_000;
        assert_eq!(redis.poll_message().unwrap(), None);
        world.state().micros += 60_000_000;
        // It is told once.
        assert_eq!(*redis.poll_message().unwrap_err().kind(), ErrorKind::Unresponsive);
        assert_eq!(redis.poll_message().unwrap(), None);
        assert_eq!(world.state().opened, 1);
        redis.connect().unwrap();
        world.publish("news", "back");
        assert_eq!(redis.poll_message().unwrap().unwrap().kind, MessageKind::Gap);
        assert_eq!(redis.poll_message().unwrap().unwrap().payload, b"back");
    }
}

#[test]
fn messages_that_come_while_something_else_is_waited_for() {
    // Under RESP3 a subscriber runs commands; the message stands before the reply.
    let world = World::new();
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory()).with_deadlines();
    redis.subscribe("news").unwrap();
    redis.psubscribe("n*").unwrap();
    assert_eq!(redis.publish("news", "own").unwrap(), 1);
    world.publish("news", "");
    in_step(&world, &mut redis);
    let mut seen = Vec::new();
    while let Some(message) = redis.get_message(Duration::ZERO).unwrap() {
        seen.push((message.kind, message.pattern.map(<[u8]>::to_vec), message.payload.to_vec()));
    }
    assert_eq!(
        seen,
        [
            (MessageKind::Message, None, b"own".to_vec()),
            (MessageKind::Message, None, vec![]),
            (MessageKind::PatternMessage, Some(b"n*".to_vec()), vec![]),
        ]
    );
    // So with pipelines and large values.
    world.set("large", &"x".repeat(1000));
    world.publish("news", "1");
    redis.pipeline().get("none").get("none").execute::<()>().unwrap();
    world.publish("news", "2");
    let mut download = redis.download(get("large")).unwrap().unwrap();
    let mut length = 0;
    while let Some(piece) = download.next().unwrap() {
        length += piece.len();
    }
    assert_eq!(length, 1000);
    drop(download);
    let payloads: Vec<Vec<u8>> = std::iter::from_fn(|| {
        redis.get_message(Duration::ZERO).unwrap().map(|message| message.payload.to_vec())
    })
    .collect();
    assert_eq!(payloads, [b"1", b"1", b"2", b"2"]);
}

#[test]
fn a_flood_of_messages_is_told_once_and_the_connection_in_step() {
    for (memory_for_messages, kept) in [(0, 0), (64, 2)] {
        for piece in [Some(1), Some(100), None] {
            let world = World::new();
            world.state().piece = piece;
            let (mut engine, mut messages) = (StaticBuffers::<256, 300, 4, 64, 0>::sized(), [0; 64]);
            let mut memory = engine.memory();
            memory.messages = redwire::storage::Buffer::borrowed(&mut messages[..memory_for_messages]);
            let mut redis = world.client(Config::default(), memory).with_deadlines();
            redis.subscribe("news").unwrap();
            for number in 0..1000 {
                world.publish("news", &format!("message {number:03}"));
            }
            // However many come, the command is sent and answered.
            in_step(&world, &mut redis);
            let error = redis.get_message(Duration::ZERO).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::MessagesLost(1000 - kept));
            assert_eq!(
                error.to_string(),
                format!("{} messages did not fit into the memory for them and were lost", 1000 - kept)
            );
            for number in 0..kept {
                let message = redis.get_message(Duration::ZERO).unwrap().unwrap();
                assert_eq!(message.payload, format!("message {number:03}").as_bytes());
            }
            assert_eq!(redis.get_message(Duration::ZERO).unwrap(), None);
            world.publish("news", "again");
            assert_eq!(redis.get_message(Duration::ZERO).unwrap().unwrap().payload, b"again");
            in_step(&world, &mut redis);
            assert_eq!(world.state().opened, 1);
        }
    }
}

#[test]
fn a_message_larger_than_the_buffer_is_lost_and_told() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(config, memory.memory()).with_deadlines();
        redis.subscribe("news").unwrap();
        world.publish("news", &"x".repeat(5000));
        world.publish("news", "small");
        assert_eq!(*redis.get_message(Duration::ZERO).unwrap_err().kind(), ErrorKind::MessagesLost(1));
        assert_eq!(redis.get_message(Duration::ZERO).unwrap().unwrap().payload, b"small");
        world.publish("news", &"x".repeat(5000));
        assert_eq!(*redis.poll_message().unwrap_err().kind(), ErrorKind::MessagesLost(1));
        assert_eq!(redis.poll_message().unwrap(), None);
        redis.unsubscribe(()).unwrap();
        in_step(&world, &mut redis);
        assert_eq!(world.state().opened, 1);
    }
}

#[test]
fn a_lost_subscriber_comes_back_with_all_its_names() {
    for (_, config) in protocols() {
        let world = World::new();
        let mut memory = Memory::sized();
        let mut redis = world.client(config, memory.memory()).with_deadlines();
        redis.subscribe(["a", "b"]).unwrap();
        redis.psubscribe("p*").unwrap();
        world.hang_up();
        assert_eq!(
            redis.get_message(Duration::from_secs(1)).unwrap_err().kind().clone(),
            ErrorKind::Disconnected
        );
        // That messages may be missing is told once.
        let gap = redis.get_message(Duration::from_millis(100)).unwrap().unwrap();
        assert_eq!((gap.kind, gap.count), (MessageKind::Gap, Some(3)));
        assert_eq!(redis.get_message(Duration::from_millis(1)).unwrap(), None);
        world.publish("b", "x");
        assert_eq!(redis.get_message(Duration::ZERO).unwrap().unwrap().payload, b"x");
        world.publish("pq", "y");
        assert_eq!(redis.get_message(Duration::ZERO).unwrap().unwrap().pattern, Some(&b"p*"[..]));
        world.hang_up();
        assert_eq!(*redis.poll_message().unwrap_err().kind(), ErrorKind::Disconnected);
        assert_eq!(redis.poll_message().unwrap(), None);
        redis.connect().unwrap();
        world.publish("a", "z");
        assert_eq!(redis.poll_message().unwrap().unwrap().kind, MessageKind::Gap);
        assert_eq!(redis.poll_message().unwrap().unwrap().payload, b"z");
        assert_eq!(world.state().opened, 3);
        // A refusal is an error, and nothing is subscribed to by it.
        let error = redis.subscribe("forbidden").unwrap_err();
        assert_eq!(error.code(), Some(redwire::resp::ErrorCode::NoPerm));
        assert_eq!(redis.connection().subscriptions(SubscriptionKind::Channel), 2);
    }
}

/// A stream whose server never stops talking of what nobody asked for.
struct Talkative(memory::Wire, World);

impl embedded_io::ErrorType for Talkative {
    type Error = Io;
}

impl embedded_io::Read for Talkative {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Io> {
        if self.1.state().inbound.is_empty() {
            self.1.state().micros += 1000;
            assert!(self.1.millis() < 10_000, "it listens for ever");
            self.1.say(b">2\r\n+x\r\n+y\r\n");
        }
        embedded_io::Read::read(&mut self.0, buffer)
    }
}

impl embedded_io::ReadReady for Talkative {
    fn read_ready(&mut self) -> Result<bool, Io> {
        Ok(true)
    }
}

impl embedded_io::Write for Talkative {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Io> {
        embedded_io::Write::write(&mut self.0, bytes)
    }

    fn flush(&mut self) -> Result<(), Io> {
        embedded_io::Write::flush(&mut self.0)
    }
}

#[test]
fn a_server_that_never_stops_talking_is_listened_to_as_long_as_was_said() {
    let world = World::new();
    let mut memory = Memory::sized();
    let connect = || world.clone().connect().map(|wire| Talkative(wire, world.clone()));
    let clock = memory::Time::of(&world);
    let mut redis = Client::new(connect, Config::default(), memory.memory(), clock).with_deadlines();
    redis.subscribe("news").unwrap();
    let begin = world.millis();
    assert_eq!(redis.get_message(Duration::from_millis(500)).unwrap(), None);
    assert!(world.millis() - begin < 2000);
}
