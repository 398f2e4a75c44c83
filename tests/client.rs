//! The exchanges of the client layer, with a peer that says what it is told to, over a line that cuts at every byte.

use std::task::Poll;

use redwire::client::{
    Call, Commands, Download, Error, ErrorKind, Exchange, Inbox, MessageKind, Overflow, Queued, ScriptCall,
    ServerError, Session, Upload,
};
use redwire::command::{Commands as _, blpop, cmd, evalsha, get, select, set, subscribe};
use redwire::connection::{Buffers, Capacity, Config, Connection, Misuse, SendOptions};
use redwire::reply::Value;
use redwire::resp::{Protocol, Words};
use redwire::script::Script;
use redwire::time::{Duration, Instant};

/// What the server answers to each command, in order: the words of the command, and the bytes of the answer.
type Play = &'static [(&'static str, &'static str)];

/// A session, and a server that plays.
struct Pair {
    session: Session<'static>,
    now: Instant,
    play: Play,
    /// What was written and is not a whole command.
    written: Vec<u8>,
    inbound: Vec<u8>,
    /// The most bytes that go over the line at once.
    piece: usize,
}

impl Pair {
    fn new(play: Play) -> Self {
        Self::with(play, Config::default(), Buffers::growing(), Inbox::growing(1 << 16))
    }

    fn with(play: Play, config: Config<'static>, buffers: Buffers<'static>, inbox: Inbox<'static>) -> Self {
        let config = config.protocol(Protocol::Resp2).no_library();
        let mut session = Session::new(Connection::new(config, buffers), inbox);
        session.engine_mut().connected(Instant::from_micros(0)).unwrap();
        let now = Instant::from_millis(1);
        Pair { session, now, play, written: Vec::new(), inbound: Vec::new(), piece: usize::MAX }
    }

    /// Moves one piece each way. False: nothing moves.
    fn step(&mut self) -> bool {
        let mut moved = false;
        if let Some(bytes) = self.session.engine_mut().poll_transmit() {
            let count = bytes.len().min(self.piece);
            self.written.extend_from_slice(&bytes[..count]);
            self.session.engine_mut().transmitted(count);
            moved = true;
        }
        while let Some(words) = self.command() {
            let ((expected, answer), rest) =
                self.play.split_first().unwrap_or_else(|| panic!("nobody expects {words}"));
            assert_eq!(words, *expected);
            self.inbound.extend_from_slice(answer.as_bytes());
            self.play = rest;
        }
        if !self.inbound.is_empty() {
            let free = self.session.engine_mut().receive_buffer();
            let count = free.len().min(self.piece).min(self.inbound.len());
            free[..count].copy_from_slice(&self.inbound[..count]);
            self.inbound.drain(..count);
            self.session.engine_mut().received(self.now, count);
            moved = true;
        }
        moved
    }

    /// The next whole command that was written.
    fn command(&mut self) -> Option<String> {
        // Commands are arrays of strings: whole when re-encoding their words gives the same bytes.
        (1..=self.written.len()).find_map(|length| {
            let words: Vec<&[u8]> = Words::of(&self.written[..length]).collect();
            let encoded = redwire::resp::encode(&words[..]);
            if words.is_empty() || encoded != self.written[..length] {
                return None;
            }
            let line: Vec<String> =
                words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            self.written.drain(..length);
            Some(line.join(" "))
        })
    }

    /// Drives an exchange until nothing moves any more.
    fn drive(
        &mut self,
        exchange: &mut dyn Exchange<redwire::resp::Scanner<'static>>,
    ) -> Poll<Result<(), Error>> {
        loop {
            let done = self.session.poll(self.now, exchange);
            if done.is_ready() || !self.step() {
                return done;
            }
        }
    }

    fn run(&mut self, exchange: &mut dyn Exchange<redwire::resp::Scanner<'static>>) -> Result<(), Error> {
        match self.drive(exchange) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("it waits for ever; expected are {:?}", self.play),
        }
    }
}

/// Plays a conversation with the line cut into pieces of every length up to the longest command.
fn each_cut(play: Play, test: impl Fn(&mut Pair)) {
    for piece in (1..64).chain([usize::MAX]) {
        let mut pair = Pair::new(play);
        pair.piece = piece;
        test(&mut pair);
        assert_eq!(pair.play, &[], "in pieces of {piece} bytes");
    }
}

#[test]
fn one_command() {
    each_cut(&[("GET a", "$1\r\nx\r\n"), ("GET b", "-WRONGTYPE no\r\n"), ("GET c", ":1\r\n")], |pair| {
        let command = get("a");
        let mut call = Call::new(&command);
        pair.run(&mut call).unwrap();
        assert_eq!(call.read::<_, &str>(&pair.session).unwrap(), "x");
        let command = get("b");
        let mut call = Call::new(&command);
        pair.run(&mut call).unwrap();
        let error = call.read::<_, &str>(&pair.session).unwrap_err();
        assert_eq!(error.to_string(), "GET: WRONGTYPE no");
        assert!(!error.maybe_executed() && error.position().is_none());
        let command = get("c");
        let mut call = Call::new(&command);
        pair.run(&mut call).unwrap();
        let error = call.read::<_, Vec<String>>(&pair.session).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Mismatch(_)), "{error}");
    });
}

#[test]
fn what_changes_a_shared_connection_is_refused_before_a_byte_is_written() {
    for command in
        ["SELECT 1", "MULTI", "WATCH k", "MONITOR", "SUBSCRIBE c", "CLIENT REPLY OFF", "QUIT", "RESET"]
    {
        let words: Vec<&str> = command.split(' ').collect();
        let mut pair = Pair::new(&[("GET a", "$-1\r\n")]);
        let error = pair.run(&mut Call::new(&&words[..])).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Misuse(Misuse::OwnConnection), "{command}");
        assert!(error.is_unsent() && !error.maybe_executed());
        let mut commands = Commands::growing();
        commands.get("a").queue_words(&words);
        for mut batch in [commands.batch::<()>().unwrap(), commands.atomic::<()>().unwrap()] {
            let error = pair.run(&mut batch).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Misuse(_)), "{command}: {error}");
            assert_eq!(error.position(), Some(2));
            assert!(error.is_unsent() && !error.maybe_executed(), "{command}: {error:#?}");
        }
        // The connection is as it was.
        let command = get("a");
        pair.run(&mut Call::new(&command)).unwrap();
        assert!(pair.session.engine().is_clean());
        // Who has the connection alone may do it.
        if words[0] == "SELECT" {
            pair.play = &[("SELECT 1", "+OK\r\n")];
            let command = select(1);
            pair.run(&mut Call::with_options(&command, SendOptions::new())).unwrap();
            assert_eq!(pair.session.engine().database(), 1);
        }
    }
}

/// Adds a command made of words.
trait QueueWords {
    fn queue_words(self, words: &[&str]);
}

impl QueueWords for &mut Commands<'_> {
    fn queue_words(self, words: &[&str]) {
        self.add(&words);
    }
}

#[test]
fn batches() {
    each_cut(&[("INCR a", ":1\r\n"), ("GET b", "-WRONGTYPE no\r\n"), ("LLEN c", ":2\r\n")], |pair| {
        let mut commands = Commands::growing();
        commands.incr("a").get("b").llen("c");
        let mut batch = commands.batch::<(u8, Result<String, ServerError>, u8)>().unwrap();
        pair.run(&mut batch).unwrap();
        let (a, b, c) = batch.finish().unwrap();
        assert_eq!((a, b.unwrap_err().text(), c), (1, &b"WRONGTYPE no"[..], 2));
    });
    each_cut(&[("INCR a", ":1\r\n"), ("GET b", "-WRONGTYPE no\r\n"), ("LLEN c", ":2\r\n")], |pair| {
        let mut commands = Commands::growing();
        commands.incr("a").get("b").llen("c");
        let mut batch = commands.batch::<Vec<u8>>().unwrap();
        pair.run(&mut batch).unwrap();
        let error = batch.finish().unwrap_err();
        assert_eq!(error.to_string(), "command 2 (GET) of the pipeline: WRONGTYPE no");
        assert!(!error.is_retryable());
    });
    let mut commands = Commands::growing();
    assert!(commands.is_untouched());
    commands.incr("a");
    let error = commands.batch::<(u8, u8)>().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Length { commands: 1, replies: 2 });
    commands.clear();
    for atomic in [false, true] {
        let mut pair = Pair::new(&[]);
        if atomic {
            // It tells whether a watched key has changed.
            pair.play = &[("MULTI", "+OK\r\n"), ("EXEC", "*0\r\n")];
        }
        let mut batch = if atomic { commands.atomic::<()>() } else { commands.batch::<()>() }.unwrap();
        pair.run(&mut batch).unwrap();
        batch.finish().unwrap();
    }
}

#[test]
fn transactions() {
    const QUEUED: &str = "+QUEUED\r\n";
    let commands = || {
        let mut commands = Commands::growing();
        commands.incr("a").get("b");
        commands
    };
    let run = |pair: &mut Pair| {
        let commands = commands();
        let mut batch = commands.atomic::<(u8, Option<String>)>().unwrap();
        pair.run(&mut batch)?;
        batch.finish()
    };
    each_cut(
        &[("MULTI", "+OK\r\n"), ("INCR a", QUEUED), ("GET b", QUEUED), ("EXEC", "*2\r\n:5\r\n$-1\r\n")],
        |pair| assert_eq!(run(pair).unwrap(), (5, None)),
    );
    each_cut(
        &[
            ("MULTI", "+OK\r\n"),
            ("INCR a", QUEUED),
            ("GET b", QUEUED),
            ("EXEC", "*2\r\n:5\r\n-WRONGTYPE no\r\n"),
        ],
        |pair| {
            let error = run(pair).unwrap_err();
            assert_eq!(error.to_string(), "command 2 (GET) of the transaction: WRONGTYPE no");
        },
    );
    each_cut(
        &[("MULTI", "+OK\r\n"), ("INCR a", "-OOM full\r\n"), ("GET b", QUEUED), ("EXEC", "-EXECABORT x\r\n")],
        |pair| {
            let error = run(pair).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Aborted(_)));
            assert_eq!(error.position(), Some(1));
            assert!(!error.maybe_executed());
        },
    );
    each_cut(&[("MULTI", "+OK\r\n"), ("INCR a", QUEUED), ("GET b", QUEUED), ("EXEC", "*-1\r\n")], |pair| {
        assert_eq!(*run(pair).unwrap_err().kind(), ErrorKind::Conflict)
    });
    // Lost after MULTI was answered: without EXEC nothing is executed, and with it everything may be.
    for (written, maybe) in [(20, false), (usize::MAX, true)] {
        let mut pair =
            Pair::new(&[("MULTI", "+OK\r\n"), ("INCR a", QUEUED), ("GET b", QUEUED), ("EXEC", "")]);
        pair.piece = written;
        let commands = commands();
        let mut batch = commands.atomic::<()>().unwrap();
        assert!(pair.session.poll(pair.now, &mut batch).is_pending());
        pair.step();
        assert!(pair.session.poll(pair.now, &mut batch).is_pending());
        pair.session.engine_mut().handle_eof();
        let Poll::Ready(Err(error)) = pair.session.poll(pair.now, &mut batch) else { panic!("it is over") };
        assert_eq!((error.kind(), error.maybe_executed()), (&ErrorKind::Disconnected, maybe), "{error}");
        assert!(!error.is_unsent());
    }
}

#[test]
fn a_long_batch_is_queued_bit_by_bit() {
    let mut pair = Pair::new(&[]);
    let mut commands = Commands::growing();
    let value = "x".repeat(30_000);
    for key in 0..100 {
        commands.set(key, &value);
    }
    let mut batch = commands.batch::<Vec<String>>().unwrap();
    let (mut most, mut answered) = (0, 0);
    loop {
        let done = pair.session.poll(pair.now, &mut batch);
        if let Poll::Ready(result) = done {
            result.unwrap();
            break;
        }
        most = most.max(pair.session.engine().queued_bytes());
        let count = pair.session.engine_mut().poll_transmit().map_or(0, <[u8]>::len);
        pair.session.engine_mut().transmitted(count);
        // All that was queued was written.
        while pair.session.engine().in_flight() > 0 {
            let reply = b"+OK\r\n";
            pair.session.engine_mut().receive_buffer()[..5].copy_from_slice(reply);
            pair.session.engine_mut().received(pair.now, 5);
            answered += 1;
            if pair.session.poll(pair.now, &mut batch).is_ready() {
                break;
            }
            if pair.session.engine().queued_bytes() > 0 {
                break;
            }
        }
        if answered == 100 {
            break;
        }
    }
    assert_eq!(batch.finish().unwrap().len(), 100);
    assert!(most < 200_000, "{most}");
}

#[test]
fn a_command_after_a_long_one_has_its_time() {
    let config = Config::default().command_timeout(Duration::from_millis(300));
    let mut pair =
        Pair::with(&[("BLPOP q 1", ""), ("GET x", "")], config, Buffers::growing(), Inbox::growing(1000));
    let mut commands = Commands::growing();
    commands.add(&blpop("q", Duration::from_secs(1)));
    commands.get("x");
    let mut batch = commands.batch::<(Value, Option<String>)>().unwrap();
    assert!(pair.drive(&mut batch).is_pending());
    pair.now = pair.now + Duration::from_millis(1000);
    pair.session.engine_mut().handle_timeout(pair.now);
    assert!(pair.drive(&mut batch).is_pending());
    pair.inbound.extend_from_slice(b"*-1\r\n$1\r\ny\r\n");
    pair.run(&mut batch).unwrap();
    assert_eq!(batch.finish().unwrap(), (Value::null(), Some("y".into())));

    // Without an answer it ends, and what came is not mistaken for the answer to something else.
    pair.play = &[("BLPOP q 1", ""), ("GET x", "")];
    let mut batch = commands.batch::<()>().unwrap();
    assert!(pair.drive(&mut batch).is_pending());
    pair.now = pair.now + Duration::from_millis(1300);
    pair.session.engine_mut().handle_timeout(pair.now);
    let error = pair.run(&mut batch).unwrap_err();
    assert_eq!(
        (error.kind(), error.maybe_executed(), error.position()),
        (&ErrorKind::TimedOut, true, Some(1))
    );
    pair.inbound.extend_from_slice(b"*-1\r\n$1\r\ny\r\n");
    pair.play = &[("GET z", "$1\r\nz\r\n")];
    let command = get("z");
    let mut call = Call::new(&command);
    pair.run(&mut call).unwrap();
    assert_eq!(call.read::<_, &str>(&pair.session).unwrap(), "z");
}

const SOURCE: &str = "return 1";
const EVALSHA: &str = "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 k a";

#[test]
fn scripts() {
    let script = Script::new(SOURCE);
    let call = evalsha(script.digest(), "k", "a");
    each_cut(&[(EVALSHA, ":1\r\n")], |pair| {
        let mut exchange = ScriptCall::new(script, &call);
        pair.run(&mut exchange).unwrap();
        assert_eq!(exchange.read::<_, u8>(&pair.session).unwrap(), 1);
    });
    // Whatever the reply is read as.
    each_cut(
        &[
            (EVALSHA, "-NOSCRIPT No matching script.\r\n"),
            ("SCRIPT LOAD return 1", "$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n"),
            (EVALSHA, ":1\r\n"),
        ],
        |pair| {
            let mut exchange = ScriptCall::new(script, &call);
            pair.run(&mut exchange).unwrap();
            assert_eq!(exchange.read::<_, Value>(&pair.session).unwrap().integer(), Some(1));
            assert!(exchange.read::<_, Result<u8, ServerError>>(&pair.session).unwrap().is_ok());
        },
    );
    // It is not tried a third time.
    each_cut(
        &[
            (EVALSHA, "-NOSCRIPT No matching script.\r\n"),
            ("SCRIPT LOAD return 1", "$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n"),
            (EVALSHA, "-NOSCRIPT again\r\n"),
        ],
        |pair| {
            let mut exchange = ScriptCall::new(script, &call);
            pair.run(&mut exchange).unwrap();
            let error = exchange.read::<_, u8>(&pair.session).unwrap_err();
            assert_eq!(error.to_string(), "EVALSHA: NOSCRIPT again");
        },
    );
    let mut pair = Pair::new(&[
        (EVALSHA, "-NOSCRIPT No matching script.\r\n"),
        ("SCRIPT LOAD return 1", "-NOPERM no\r\n"),
        (EVALSHA, "-NOSCRIPT No matching script.\r\n"),
        ("GET a", "$1\r\nx\r\n"),
    ]);
    let error = pair.run(&mut ScriptCall::new(script, &call)).unwrap_err();
    assert_eq!(error.code(), Some(redwire::resp::ErrorCode::NoPerm), "{error}");
    let command = get("a");
    let mut after = Call::new(&command);
    pair.run(&mut after).unwrap();
    assert_eq!(after.read::<_, &str>(&pair.session).unwrap(), "x");
    let library = "#!lua name=l\nredis.register_function('f', function() return 1 end)";
    let fcall = cmd("FCALL").arg(("f", 0));
    let play: Play = &[
        ("FCALL f 0", "-ERR Function not found\r\n"),
        (
            "FUNCTION LOAD REPLACE #!lua name=l\nredis.register_function('f', function() return 1 end)",
            "$1\r\nl\r\n",
        ),
        ("FCALL f 0", ":1\r\n"),
    ];
    each_cut(play, |pair| {
        let mut exchange = ScriptCall::function(library, &fcall);
        pair.run(&mut exchange).unwrap();
        assert_eq!(exchange.read::<_, u8>(&pair.session).unwrap(), 1);
    });
}

#[test]
fn a_script_in_a_batch_is_brought_along_once() {
    each_cut(
        &[
            ("MULTI", "+OK\r\n"),
            ("EVAL return 1 1 k a", "+QUEUED\r\n"),
            ("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 l b", "+QUEUED\r\n"),
            ("EXEC", "*2\r\n:1\r\n:1\r\n"),
        ],
        |pair| {
            let script = Script::new(SOURCE);
            let mut commands = Commands::growing();
            commands.script(&script, "k", "a");
            commands.script(&script, "l", "b");
            let mut batch = commands.atomic::<[u8; 2]>().unwrap();
            pair.run(&mut batch).unwrap();
            assert_eq!(batch.finish().unwrap(), [1, 1]);
        },
    );
}

#[test]
fn what_is_given_up_leaves_a_connection_in_step() {
    /// The bytes of `INCR a`.
    const INCR: usize = 21;
    for piece in 1..200 {
        let mut pair = Pair::new(&[("INCR a", ":1\r\n"), ("SET b x", "+OK\r\n"), ("GET z", "$1\r\nz\r\n")]);
        pair.piece = piece;
        let mut commands = Commands::growing();
        commands.incr("a").set("b", "x");
        let mut batch = commands.batch::<()>().unwrap();
        assert!(pair.session.poll(pair.now, &mut batch).is_pending());
        pair.step();
        Exchange::give_up(&mut batch, pair.session.engine_mut());
        if piece <= INCR {
            // Nothing of SET was written.
            pair.play = &[("INCR a", ":1\r\n"), ("GET z", "$1\r\nz\r\n")];
            if pair.written.is_empty() {
                pair.play = &pair.play[1..];
            }
        }
        let command = get("z");
        let mut call = Call::new(&command);
        pair.run(&mut call).unwrap();
        assert_eq!(call.read::<_, &str>(&pair.session).unwrap(), "z");
    }
}

#[test]
fn commands_queued_in_the_connection() {
    each_cut(&[("INCR a", ":1\r\n"), ("SET b x", "+OK\r\n")], |pair| {
        let mut queued = Queued::default();
        let now = pair.now;
        queued.add(now, pair.session.engine_mut(), &cmd("INCR").arg("a"));
        queued.add(now, pair.session.engine_mut(), &set("b", "x"));
        let mut batch = queued.batch::<_, (u8, ())>(now, pair.session.engine_mut()).unwrap();
        pair.run(&mut batch).unwrap();
        assert_eq!(batch.finish().unwrap().0, 1);
    });
    let mut pair = Pair::new(&[]);
    let mut queued = Queued::default();
    queued.begin(pair.now, pair.session.engine_mut());
    queued.add(pair.now, pair.session.engine_mut(), &get("a"));
    assert_eq!(queued.len(), 1);
    queued.give_up(pair.session.engine_mut());
    assert_eq!(pair.session.engine().queued_bytes(), 0);
    assert!(queued.is_untouched());
}

#[test]
fn messages_wait_and_the_gap_is_told() {
    let play: Play = &[(
        "SUBSCRIBE a b",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n",
    )];
    each_cut(play, |pair| {
        let command = subscribe(("a", "b"));
        let mut call = Call::with_options(&command, SendOptions::new());
        pair.run(&mut call).unwrap();
        while pair.step() {}
        let next = |pair: &mut Pair| loop {
            match pair.session.poll_message() {
                Poll::Ready(Ok(())) => {
                    let message = pair.session.message().unwrap();
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    return Some((message.kind, text(message.channel), text(message.payload), message.count));
                }
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending if pair.step() => {}
                Poll::Pending => return None,
            }
        };
        use redwire::connection::SubscriptionKind::Channel;
        // The last confirmation ends the call.
        assert_eq!(next(pair), Some((MessageKind::Subscribe(Channel), "a".into(), String::new(), Some(1))));
        assert_eq!(next(pair), Some((MessageKind::Message, "a".into(), "x".into(), None)));
        assert_eq!(next(pair), None);
        pair.session.engine_mut().handle_eof();
        let Poll::Ready(Err(error)) = pair.session.poll_message() else { panic!("it is over") };
        assert_eq!(*error.kind(), ErrorKind::Disconnected);
        pair.written.clear();
        pair.session.engine_mut().connected(pair.now).unwrap();
        pair.play = &[(
            "SUBSCRIBE a b",
            "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
        )];
        let mut seen = Vec::new();
        while let Some((kind, _, _, count)) = next(pair) {
            seen.push((kind, count));
        }
        assert!(seen.contains(&(MessageKind::Gap, Some(2))), "{seen:?}");
        assert_eq!(seen.iter().filter(|(kind, _)| *kind == MessageKind::Gap).count(), 1);
    });
}

#[test]
fn an_inbox_has_a_bound() {
    const PUBLISHED: &str = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n";
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let inbox = Inbox::growing(40).overflow(overflow).confirmations(false);
        let mut pair = Pair::with(
            &[("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")],
            Config::default(),
            Buffers::growing(),
            inbox,
        );
        let command = subscribe("a");
        pair.run(&mut Call::with_options(&command, SendOptions::new())).unwrap();
        for payload in ["1", "2", "3", "4"] {
            pair.inbound.extend_from_slice(format!("{PUBLISHED}{payload}\r\n").as_bytes());
        }
        while pair.step() {}
        pair.session.catch_up().unwrap();
        let Poll::Ready(Err(error)) = pair.session.poll_message() else { panic!("messages were lost") };
        assert_eq!(*error.kind(), ErrorKind::MessagesLost(2));
        let mut kept = Vec::new();
        while let Poll::Ready(Ok(())) = pair.session.poll_message() {
            kept.push(pair.session.message().unwrap().payload.to_vec());
        }
        let expected = if overflow == Overflow::DropNewest { [b"1", b"2"] } else { [b"3", b"4"] };
        assert_eq!(kept, expected);
        assert_eq!(pair.session.inbox().lost(), 2);
    }
}

#[test]
fn a_command_that_finds_no_room_waits_for_replies_that_nobody_waits_for() {
    let buffers = Buffers { in_flight: vec![Default::default(); 1].leak().into(), ..Buffers::growing() };
    let mut pair = Pair::with(
        &[("GET a", ""), ("GET b", "$1\r\nb\r\n")],
        Config::default(),
        buffers,
        Inbox::growing(1000),
    );
    let first = get("a");
    let mut given_up = Call::new(&first);
    assert!(pair.drive(&mut given_up).is_pending());
    Exchange::give_up(&mut given_up, pair.session.engine_mut());
    let second = get("b");
    let mut call = Call::new(&second);
    assert!(pair.drive(&mut call).is_pending());
    pair.inbound.extend_from_slice(b"$1\r\na\r\n");
    pair.run(&mut call).unwrap();
    assert_eq!(call.read::<_, &str>(&pair.session).unwrap(), "b");
    // What is larger than all of the memory is no matter of waiting.
    let mut commands = Commands::growing();
    commands.get("a").get("b").get("c");
    let error = pair.run(&mut commands.atomic::<()>().unwrap()).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Capacity(Capacity::InFlight));
}

#[test]
fn values_in_pieces() {
    each_cut(&[("GET a", "$10\r\n0123456789\r\n"), ("GET none", "$-1\r\n"), ("LLEN l", ":1\r\n")], |pair| {
        let command = get("a");
        let mut call = Download::call(&command);
        pair.run(&mut call).unwrap();
        let mut download = Download::begin(&call, &pair.session).unwrap().unwrap();
        let mut whole = Vec::new();
        while let Some(piece) = {
            pair.run(&mut download).unwrap();
            download.piece(&pair.session)
        } {
            whole.extend_from_slice(piece);
        }
        assert_eq!(whole, b"0123456789");
        let command = get("none");
        let mut call = Download::call(&command);
        pair.run(&mut call).unwrap();
        assert!(Download::begin(&call, &pair.session).unwrap().is_none());
        let command = cmd("LLEN").arg("l");
        let mut call = Download::call(&command);
        pair.run(&mut call).unwrap();
        let error = Download::begin(&call, &pair.session).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Mismatch(_)), "{error}");
    });
    each_cut(&[("SET k abcdef", "+OK\r\n"), ("GET k", "$1\r\nx\r\n")], |pair| {
        let command = cmd("SET").arg("k");
        let mut begun = Upload::begin(&command, 6);
        pair.run(&mut begun).unwrap();
        let ticket = begun.ticket().unwrap();
        pair.run(&mut Upload::append(ticket, b"abc", pair.session.engine()).unwrap()).unwrap();
        let excess = Upload::append(ticket, b"defg", pair.session.engine()).unwrap_err();
        assert_eq!(*excess.kind(), ErrorKind::Excess { remaining: 3 });
        let early = Upload::finish(ticket, pair.session.engine()).unwrap_err();
        assert_eq!(*early.kind(), ErrorKind::Incomplete);
        pair.run(&mut Upload::append(ticket, b"def", pair.session.engine()).unwrap()).unwrap();
        pair.run(&mut Upload::flush(ticket)).unwrap();
        pair.run(&mut Upload::finish(ticket, pair.session.engine()).unwrap()).unwrap();
        pair.session.reply::<()>().unwrap();
        let command = get("k");
        pair.run(&mut Call::new(&command)).unwrap();
    });
    // Given up half way it ends the connection: nothing of it is executed.
    let mut pair = Pair::new(&[]);
    let command = cmd("SET").arg("k");
    let mut begun = Upload::begin(&command, 6);
    pair.run(&mut begun).unwrap();
    let ticket = begun.ticket().unwrap();
    let mut step = Upload::append(ticket, b"abc", pair.session.engine()).unwrap();
    pair.run(&mut step).unwrap();
    pair.session.engine_mut().handle_eof();
    let mut step = Upload::append(ticket, b"def", pair.session.engine()).unwrap();
    pair.run(&mut step).unwrap();
    let error = pair.run(&mut Upload::finish(ticket, pair.session.engine()).unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (&ErrorKind::Disconnected, false));
}

#[test]
fn a_line_is_known_by_the_echo() {
    let config = || Config::default().protocol(Protocol::Resp2).no_library();
    let ping = |nonce: u64| {
        let mut engine = Connection::new(config(), Buffers::growing());
        engine.connected_on_line(Instant::from_micros(0), nonce).unwrap();
        engine.poll_transmit().unwrap().to_vec()
    };
    for (nonce, answered, passes) in [(1, 1, true), (2, 1, false), (1, 2, false)] {
        let mut session =
            Session::new(Connection::new(config(), Buffers::growing()), Inbox::growing(100).answers(false));
        session.engine_mut().connected_on_line(Instant::from_micros(0), nonce).unwrap();
        let length = session.engine_mut().poll_transmit().unwrap().len();
        session.engine_mut().transmitted(length);
        let ping = ping(answered);
        let text = Words::of(&ping).nth(1).unwrap();
        let echo = [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
        session.engine_mut().receive_buffer()[..echo.len()].copy_from_slice(&echo);
        session.engine_mut().received(Instant::from_micros(1), echo.len());
        let caught_up = session.catch_up();
        assert_eq!(session.engine().is_ready(), passes, "{nonce} {answered}");
        assert_eq!(caught_up.map_err(|error| error.kind().clone()).is_ok(), passes);
    }
}
