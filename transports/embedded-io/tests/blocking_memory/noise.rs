//! What is on a line before anything is asked, how a stream ends, and where the next one comes from.

use super::*;

/// What may be on a line from an earlier life, or from somebody who is no Redis server.
fn noises() -> Vec<Vec<u8>> {
    let mut noises: Vec<Vec<u8>> = [
        &b"lo\r\n$5\r\nwrong\r\n"[..],
        b"+OK\r\n",
        b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        b"$5\r\nwrong\r\n",
        b"*2\r\n$5\r\nwrong\r\n$5\r\nwrong\r\n",
        b"%1\r\n$5\r\nproto\r\n:3\r\n",
        b"%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n+OK\r\n$5\r\nwrong\r\n",
        b"$100\r\nwrong",
        b"*3\r\n$5\r\nwrong\r\n",
        b":1\r\n",
        b"_\r\n",
        b"-ERR wrong\r\n",
        b"-ERR max number of clients reached\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"\0\0\0\0\xff\xfe",
        b"\r\n",
    ]
    .iter()
    .map(|noise| noise.to_vec())
    .collect();
    let mut random = 1u32;
    for length in 1..60 {
        noises.push(
            (0..length)
                .map(|_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (random >> 24) as u8
                })
                .collect(),
        );
    }
    noises
}

/// A line that is used again as it is.
struct Shared(World);

impl Connector for Shared {
    type Stream = memory::Wire;
    type Error = Io;

    fn nonce(&mut self) -> Option<u64> {
        Some(self.0.state().opened as u64)
    }

    fn connect(&mut self) -> Result<memory::Wire, Io> {
        self.0.connect()
    }

    fn disconnect(&mut self, stream: memory::Wire) {
        self.0.disconnect(stream);
    }
}

#[test]
fn noise_before_the_handshake_is_never_taken_for_a_reply() {
    let mut configs: Vec<Config<'static>> = protocols().map(|(_, config)| config).into();
    configs.extend(protocols().map(|(_, config)| config.no_library()));
    for config in configs {
        for noise in noises() {
            for piece in [Some(1), Some(3), None] {
                for deadlines in [false, true] {
                    let world = World::new();
                    world.state().piece = piece;
                    world.state().noise.push_back(noise.clone());
                    world.state().patience = Some(Duration::from_millis(100));
                    world.set("k", "right");
                    let mut memory = Memory::sized();
                    let clock = memory::Time::of(&world);
                    let config = config.clone().handshake_timeout(Duration::from_secs(1));
                    let config = config.command_timeout(Duration::from_secs(1));
                    let mut redis = Client::new(Shared(world.clone()), config, memory.memory(), clock);
                    if deadlines {
                        redis = redis.with_deadlines();
                    }
                    let what = format!("{:?} {piece:?} {deadlines}", noise.escape_ascii().to_string());
                    for attempt in 0.. {
                        match redis.get::<&str>("k") {
                            Ok(value) => {
                                assert_eq!(value, "right", "{what}");
                                break;
                            }
                            Err(error) => {
                                let stated = match &error.kind().clone() {
                                    ErrorKind::Protocol(_)
                                    | ErrorKind::OutOfStep
                                    | ErrorKind::HandshakeTimedOut
                                    | ErrorKind::TimedOut => true,
                                    // What the noise has said, or a reply that comes too late.
                                    ErrorKind::Refused { step, error } => {
                                        let said =
                                            noise.starts_with(b"-") && noise[1..].starts_with(error.text());
                                        said || *step == "PING"
                                    }
                                    ErrorKind::Server(_) => !redis.is_connected(),
                                    _ => false,
                                };
                                assert!(stated, "{what}: {error:?}");
                                assert!(!error.maybe_executed(), "{what}: {error:?}");
                                assert!(attempt < 3, "{what}: {error:?}");
                            }
                        }
                    }
                    assert_eq!(redis.get::<&str>("k").unwrap(), "right", "{what}");
                    assert_eq!(redis.get::<Option<&str>>("none").unwrap(), None, "{what}");
                }
            }
        }
    }
}

#[test]
fn what_a_server_says_before_it_closes_is_the_error() {
    for deadlines in [false, true] {
        let world = World::new();
        world.state().noise.push_back(b"-ERR max number of clients reached\r\n".to_vec());
        let mut memory = Memory::sized();
        let mut redis = world.client(Config::default(), memory.memory());
        if deadlines {
            redis = redis.with_deadlines();
        }
        let error = redis.connect().unwrap_err();
        assert_eq!(error.to_string(), "the server refused HELLO: ERR max number of clients reached");
    }
}

#[test]
fn a_server_that_ends_the_connection_while_nobody_looks() {
    let world = World::new();
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory()).with_deadlines();
    in_step(&world, &mut redis);
    world.hang_up();
    // With deadlines it is noticed before anything is sent.
    in_step(&world, &mut redis);
    assert_eq!(world.state().opened, 2);
    // Without, it may have been executed.
    let mut memory = Memory::sized();
    let world = World::new();
    let mut redis = world.client(Config::default(), memory.memory());
    in_step(&world, &mut redis);
    let read = world.state().read;
    world.state().read_fault = Some((read, Fault::Zero));
    let error = redis.get::<&str>("step").unwrap_err();
    assert_eq!((error.kind().clone(), error.maybe_executed()), (ErrorKind::Disconnected, true));
    in_step(&world, &mut redis);
}

#[test]
fn a_reply_that_nobody_asked_for_ends_the_connection() {
    for piece in [Some(1), None] {
        let world = World::new();
        world.state().piece = piece;
        let mut memory = Memory::sized();
        let mut redis = world.client(Config::default(), memory.memory()).with_deadlines();
        in_step(&world, &mut redis);
        world.say(b"$5\r\nwrong\r\n");
        world.set("k", "right");
        assert_eq!(redis.get::<&str>("k").unwrap(), "right");
        assert_eq!(world.state().opened, 2);
    }
}

#[test]
fn the_connector_decides_when_there_is_a_stream_and_gets_it_back() {
    let world = World::new();
    let refusals = [Io::ConnectionRefused, Io::TimedOut, Io::AddrNotAvailable];
    world.state().refusals.extend(refusals);
    let mut memory = Memory::sized();
    let mut redis = world.client(Config::default(), memory.memory());
    // Each call is one attempt, and so is a pipeline, however many commands it has.
    let error = redis.get::<&str>("step").unwrap_err();
    assert_eq!((error.kind(), error.origin().kind()), (&ErrorKind::Connect, Some(refusals[0])));
    assert!(error.is_retryable());
    let error = redis.pipeline().get("a").get("b").get("c").execute::<()>().unwrap_err();
    assert_eq!((error.kind(), error.origin().kind()), (&ErrorKind::Connect, Some(refusals[1])));
    let error = redis.transaction(["a"], |_| Ok(())).unwrap_err();
    assert_eq!(error.to_string(), "cannot connect: AddrNotAvailable");
    in_step(&world, &mut redis);
    redis.disconnect();
    redis.disconnect();
    assert_eq!(world.streams(), (1, 1));
    in_step(&world, &mut redis);
    assert_eq!(world.streams(), (2, 1));
}

#[test]
fn a_line_is_given_back_and_used_again() {
    let world = World::new();
    let mut memory = Memory::sized();
    let wire = world.clone().connect().unwrap();
    let mut redis = Client::new(Line::new(wire, 1), Config::default(), memory.memory(), NoClock);
    assert_eq!(format!("{:?}", redis.connector()), "Line { in_use: false }");
    assert!(redis.connector().stream().is_some());
    assert_eq!(redis.execute::<_, Option<u8>>(get("k")).unwrap(), None);
    assert!(redis.connector().stream().is_none());
    redis.disconnect();
    assert!(redis.connector().stream().is_some());
    // The server knows nothing of that: it speaks RESP3 already.
    assert!(redis.set("k", 1).unwrap());
    assert_eq!(redis.get::<u8>("k").unwrap(), 1);
    // What it had still to say is noticed.
    redis.disconnect();
    world.say(b"$5\r\nwrong\r\n");
    assert_eq!(*redis.get::<u8>("k").unwrap_err().kind(), ErrorKind::OutOfStep);
    let signs = world.seen().iter().filter(|line| line.starts_with("PING ")).count();
    assert_eq!(signs, 2);
    assert!(redis.into_connector().stream().is_some());
}

/// The device was reset between the PING of its handshake and the echo, which comes in its next life.
#[test]
fn an_echo_of_an_earlier_life_does_not_pass() {
    let config = || Config::default().protocol(Protocol::Resp2).no_library();
    let life = |seed: u64, noise: Option<String>| {
        let world = World::new();
        world.set("k", "right");
        let noise = noise.map(|text| format!("${}\r\n{text}\r\n", text.len()));
        world.state().noise.extend(noise.map(String::into_bytes));
        let wire = Connector::connect(&mut world.clone()).unwrap();
        let mut memory = Memory::sized();
        let mut redis = Client::new(Line::new(wire, seed), config(), memory.memory(), NoClock);
        let connected = redis.connect();
        let text = world.seen().iter().find_map(|line| line.strip_prefix("PING ").map(String::from));
        if connected.is_ok() {
            assert_eq!(redis.get::<&str>("k").unwrap(), "right");
        }
        (text.unwrap(), connected)
    };
    let (first, connected) = life(1, None);
    connected.unwrap();
    for seed in 2..100 {
        let (_, connected) = life(seed, Some(first.clone()));
        assert_eq!(*connected.unwrap_err().kind(), ErrorKind::OutOfStep, "{seed}");
    }
}
