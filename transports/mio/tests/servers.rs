//! Connections in a loop of mio, against real servers: over TCP and Unix domain sockets, with RESP2 and RESP3.

mod support;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use redwire::client::{Commands, ErrorKind as Kind, MessageKind};
use redwire::command::Commands as _;
use redwire::command::{
    Patience, cmd, echo, evalsha, exec, get, incr, multi, psubscribe, set, subscribe, unsubscribe, watch,
};
use redwire::connection::{
    Capacity, CloseReason, Config, Event, Failure, FailureReason, Misuse, Mode, SendError, SubscriptionKind,
    Ticket,
};
use redwire::reply::{FromReply, Value};
use redwire::resp::{Frame, Protocol};
use redwire::script::Script;
use redwire_kit::real::Server;
use redwire_mio::{Address, Backoff, Client, Options, redwire};
use support::Outside;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const PATIENCE: Duration = Duration::from_secs(20);

/// A loop with one connection, and all that has come out of it.
struct Loop {
    poll: Poll,
    events: Events,
    redis: Client,
    taken: Taken,
}

/// What came out of a connection.
#[derive(Debug, Default)]
struct Taken {
    /// The bytes of the reply to each command.
    replies: HashMap<Ticket, Vec<u8>>,
    failed: HashMap<Ticket, Failure>,
    messages: Vec<(String, String)>,
    confirmed: usize,
    /// How many subscriptions each new connection has restored.
    connected: Vec<usize>,
    closed: Vec<String>,
}

impl Taken {
    fn take(&mut self, event: Event<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match event {
            Event::Reply { ticket, frame } => {
                assert!(self.replies.insert(ticket, frame.as_bytes().to_vec()).is_none(), "a second reply");
            }
            Event::Failed { ticket, failure } => {
                assert!(self.failed.insert(ticket, failure).is_none(), "failed twice");
            }
            Event::Message(message) => self.messages.push((text(message.channel), text(message.payload))),
            Event::Subscription(_) => self.confirmed += 1,
            Event::Connected { resubscribed, .. } => self.connected.push(resubscribed),
            Event::Closed { reason, .. } => self.closed.push(reason.to_string()),
            _ => {}
        }
    }

    fn reply<R: for<'a> FromReply<'a>>(&self, ticket: Ticket) -> Option<R> {
        let bytes = self.replies.get(&ticket)?;
        Some(Frame::new_unchecked(bytes).decode().unwrap_or_else(|error| panic!("{error}")))
    }
}

fn quick() -> Options {
    Options::default().backoff(Backoff::new(Duration::from_millis(5), Duration::from_millis(50))).seed(1)
}

impl Loop {
    fn new(address: Address, config: Config<'static>, options: Options) -> Self {
        let poll = Poll::new().unwrap();
        let mut redis = Client::with_options(Instant::now(), address, config, options);
        poll.registry().register(&mut redis, Token(7), BOTH).unwrap();
        Loop { poll, events: Events::with_capacity(16), redis, taken: Taken::default() }
    }

    /// One turn, which waits as long as the connection says, at most until `end`.
    fn turn(&mut self, end: Instant) {
        self.wait(end);
        while let Some(event) = self.redis.next_event(Instant::now()) {
            self.taken.take(event);
        }
        // It has nothing to do, or the loop comes back at once.
        assert!(self.redis.is_drained() || self.redis.timeout(Instant::now()) == Some(Duration::ZERO));
    }

    /// One turn in which nothing is taken.
    fn wait(&mut self, end: Instant) {
        let now = Instant::now();
        let left = end.saturating_duration_since(now);
        let wait = self.redis.timeout(now).map_or(left, |timeout| timeout.min(left));
        self.poll.poll(&mut self.events, Some(wait)).unwrap();
        for event in &self.events {
            assert_eq!(event.token(), Token(7));
            self.redis.on_event(event);
        }
        self.redis.handle_timeout(Instant::now());
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "waited in vain for {what}: {:?} {:?}", self.redis, self.taken);
            self.turn(end);
        }
    }

    fn send<C: redwire::command::Command + ?Sized>(&mut self, command: &C) -> Ticket {
        self.redis.send(Instant::now(), command).unwrap()
    }

    /// Waits for the reply to a command.
    fn reply<R: for<'a> FromReply<'a>>(&mut self, ticket: Ticket) -> R {
        self.until("a reply", |it| {
            it.taken.replies.contains_key(&ticket) || it.taken.failed.contains_key(&ticket)
        });
        let failed = self.taken.failed.get(&ticket);
        self.taken.reply(ticket).unwrap_or_else(|| panic!("{failed:?}"))
    }

    fn run<R: for<'a> FromReply<'a>>(&mut self, command: &(impl redwire::command::Command + ?Sized)) -> R {
        let ticket = self.send(command);
        self.reply(ticket)
    }
}

fn tcp(server: &Server) -> Address {
    Address::tcp([server.address()])
}

/// Runs a test over TCP and a Unix domain socket, with RESP2 and RESP3, each with an empty database.
fn each_way(test: impl Fn(&mut Server, Address, Config<'static>)) {
    let mut server = Server::start();
    for address in [tcp(&server), Address::unix(server.socket())] {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            println!("{address:?} {protocol:?}");
            let client = server.client();
            client.flushall().unwrap();
            // The server may not have noticed yet that the connection before is gone: it would still listen.
            let end = Instant::now() + PATIENCE;
            while client.client_list::<String>().unwrap().contains("name=under-test") {
                assert!(Instant::now() < end, "the connection before is still there");
            }
            test(
                &mut server,
                address.clone(),
                Config::default().protocol(protocol).client_name("under-test"),
            );
        }
    }
}

/// Ends the connection under test, as the server may at any time.
fn kill(server: &Server) {
    let client = server.client();
    let list: String = client.client_list().unwrap();
    let mut killed = 0;
    for line in list.lines().filter(|line| line.contains("name=under-test")) {
        let id = line.split(' ').find_map(|field| field.strip_prefix("id=")).unwrap();
        let _: Value = client.execute(cmd("CLIENT").arg(("KILL", "ID", id))).unwrap();
        killed += 1;
    }
    assert_eq!(killed, 1);
}

#[test]
fn commands_and_pipelines() {
    each_way(|_, address, config| {
        let mut it = Loop::new(address, config.clone(), quick());
        // Sent before there is a stream.
        let early = it.send(&set("greeting", "hello"));
        assert!(it.reply::<bool>(early));
        assert_eq!(it.taken.connected, [0]);
        assert_eq!(it.run::<Option<String>>(&get("greeting")).as_deref(), Some("hello"));
        assert_eq!(it.run::<Option<String>>(&["GET", "nothing"]), None);
        let tickets: Vec<Ticket> = (0..1000).map(|_| it.send(&incr("count"))).collect();
        let wrong = it.send(&["INCR", "greeting"]);
        let map = it.send(&["HSET", "hash", "a", "1", "b", "2"]);
        let all = it.send(&["HGETALL", "hash"]);
        for (number, ticket) in (1..).zip(tickets) {
            assert_eq!(it.reply::<u64>(ticket), number);
        }
        let error = it.reply::<Result<u64, Value>>(wrong);
        assert!(format!("{error:?}").contains("not an integer"), "{error:?}");
        assert_eq!(it.reply::<u64>(map), 2);
        assert_eq!(it.reply::<Vec<(String, u8)>>(all), [("a".to_string(), 1), ("b".to_string(), 2)]);
        let expected =
            if format!("{config:?}").contains("Resp3") { Protocol::Resp3 } else { Protocol::Resp2 };
        assert_eq!(it.redis.engine().protocol(), expected);
        assert_eq!((it.taken.closed.len(), it.taken.failed.len()), (0, 0));
    });
}

#[test]
fn transactions_and_conflicts() {
    each_way(|server, address, config| {
        let mut it = Loop::new(address, config, quick());
        let mut visit = Commands::growing();
        visit.incr("visits").get("name").add(&set("last", "me").ex(60));
        let ticket = it.redis.atomic(Instant::now(), &visit).unwrap();
        assert_eq!(it.reply::<(u64, Option<String>, bool)>(ticket), (1, None, true));

        // Somebody else changes what is watched, between reading and EXEC.
        let mut store = Commands::growing();
        store.set("seq", "11");
        for conflict in [true, false] {
            it.run::<()>(&watch("seq"));
            assert_eq!(it.run::<Option<u64>>(&get("seq")), if conflict { None } else { Some(10) });
            if conflict {
                server.client().set("seq", 10).unwrap();
            }
            let ticket = it.redis.atomic(Instant::now(), &store).unwrap();
            assert_eq!(it.reply::<Option<(bool,)>>(ticket).is_none(), conflict);
        }
        assert_eq!(server.client().get::<u64>("seq").unwrap(), 11);

        // A command that the server refuses: nothing is executed, and the connection goes on.
        let mut spoiled = Commands::growing();
        spoiled.incr("visits").add(&cmd("NO-SUCH-COMMAND"));
        let ticket = it.redis.atomic(Instant::now(), &spoiled).unwrap();
        it.until("EXEC", |it| it.taken.replies.contains_key(&ticket));
        assert!(it.taken.replies[&ticket].starts_with(b"-EXECABORT"));
        assert_eq!(it.run::<u64>(&get("visits")), 1);

        // What would end the transaction, or cannot be part of one, is refused whole.
        for words in [&["exec"][..], &["DISCARD"], &["RESET"], &["QUIT"], &["SUBSCRIBE", "x"]] {
            let mut ends = Commands::growing();
            ends.incr("visits").add(&words);
            ends.incr("visits");
            let refused = it.redis.atomic(Instant::now(), &ends).unwrap_err();
            assert_eq!(*refused.kind(), Kind::Misuse(Misuse::InTransaction), "{words:?}");
        }
        assert_eq!(it.run::<u64>(&get("visits")), 1);

        // By hand.
        let begun = it.send(&multi());
        let queued = it.send(&incr("visits"));
        let nested = it.redis.atomic(Instant::now(), &visit).unwrap_err();
        assert_eq!(*nested.kind(), Kind::Misuse(Misuse::InTransaction));
        let done = it.run::<(u64,)>(&exec());
        assert_eq!(done, (2,));
        assert!(it.taken.reply::<bool>(begun).unwrap());
        assert!(!it.taken.replies.contains_key(&queued), "it was queued, and answered by EXEC");
    });
}

#[test]
fn a_transaction_is_sent_whole_or_not_at_all() {
    let server = Server::start();
    let mut it = Loop::new(tcp(&server), Config::default(), quick().queue_limit(4096));
    it.until("the connection", |it| it.redis.engine().is_ready());
    let mut large = Commands::growing();
    (0..200).for_each(|number| {
        large.set(number, "value");
    });
    let refused = it.redis.atomic(Instant::now(), &large).unwrap_err();
    assert!(
        matches!(refused.kind(), Kind::Capacity(Capacity::Transmit { available: 4096, .. })),
        "{refused:?}"
    );
    assert_eq!(it.redis.engine().queued_bytes(), 0);
    assert_eq!(it.run::<u64>(&["DBSIZE"]), 0);
}

#[test]
fn a_transaction_that_finds_no_room_changes_nothing() {
    let server = Server::start();
    let mut refused = 0;
    for length in (0..600).step_by(5) {
        // Before the connection is there, room for the greeting is kept.
        let mut it = Loop::new(tcp(&server), Config::default(), quick().queue_limit(600));
        let ticket = it.send(&["PING"]);
        let queued = it.redis.engine().queued_bytes();
        let mut transaction = Commands::growing();
        transaction.incr("refused").set("filler", "x".repeat(length));
        if it.redis.atomic(Instant::now(), &transaction).is_ok() {
            continue;
        }
        refused += 1;
        assert_eq!((it.redis.engine().queued_bytes(), it.redis.engine().mode()), (queued, Mode::Ready));
        assert_eq!(it.reply::<String>(ticket), "PONG", "{length}");
        assert!(!it.run::<bool>(&["EXISTS", "refused"]));
    }
    assert!(refused > 0);
}

#[test]
fn a_script_survives_script_flush() {
    let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
    let fails = Script::new("return redis.error_reply('NOSCRIPT of its own')");
    each_way(|server, address, config| {
        let mut it = Loop::new(address, config, quick());
        server.client().execute::<_, ()>(redwire::command::script_flush()).unwrap();
        it.run::<bool>(&set("foo", 2));
        let mut tickets = Vec::new();
        let seen = server.monitored(|| {
            for round in 0..3 {
                if round == 2 {
                    server.client().execute::<_, ()>(redwire::command::script_flush()).unwrap();
                }
                let call =
                    |it: &mut Loop, by: u64| it.redis.script(Instant::now(), &multiply, "foo", by).unwrap();
                let (five, six) = (call(&mut it, 5), call(&mut it, 6));
                let between = it.send(&echo("between"));
                assert_eq!((it.reply::<u64>(five), it.reply::<u64>(six)), (10, 12));
                assert_eq!(it.reply::<String>(between), "between");
                tickets.extend([five, six, between]);
            }
        });
        let sent =
            |word: &str| seen.iter().filter(|line| line.to_ascii_lowercase().starts_with(word)).count();
        // Only what the server did not have was sent whole.
        assert_eq!((sent("evalsha "), sent("script load ")), (10, 4), "{seen:?}");
        assert!(tickets.iter().all(|ticket| it.taken.replies.contains_key(ticket)));
        assert_eq!(it.taken.replies.len(), 10, "the user sees one reply for each command");

        // An error of the script's own that looks like it is not asked for for ever.
        let ticket = it.redis.script(Instant::now(), &fails, (), ()).unwrap();
        it.until("the error", |it| it.taken.replies.contains_key(&ticket));
        assert!(it.taken.replies[&ticket].starts_with(b"-NOSCRIPT of its own"));

        // In a transaction, and by a user who does it himself.
        server.client().execute::<_, ()>(redwire::command::script_flush()).unwrap();
        it.send(&multi());
        it.redis.script(Instant::now(), &multiply, "foo", 7).unwrap();
        assert_eq!(it.run::<(u64,)>(&exec()), (14,));
        assert_eq!(it.run::<u64>(&evalsha(multiply.digest(), "foo", 8)), 16);
        // Nobody waits for this one.
        server.client().execute::<_, ()>(redwire::command::script_flush()).unwrap();
        let given_up = it.redis.script(Instant::now(), &multiply, "foo", 9).unwrap();
        it.redis.next_event(Instant::now());
        assert!(it.redis.discard(given_up));
        assert_eq!(it.run::<String>(&echo("after")), "after");
        assert!(!it.taken.replies.contains_key(&given_up));
    });
}

#[test]
fn a_script_is_not_sent_again_where_it_would_not_be_answered() {
    for how in ["SKIP", "OFF"] {
        let server = Server::start();
        let mut it = Loop::new(tcp(&server), Config::default(), quick());
        it.until("the connection", |it| it.redis.engine().is_ready());
        let ticket = it.redis.script(Instant::now(), &Script::new("return 1"), (), ()).unwrap();
        it.send(&["CLIENT", "REPLY", how]);
        it.until("a reply", |it| it.taken.replies.contains_key(&ticket));
        assert!(it.taken.replies[&ticket].starts_with(b"-NOSCRIPT"));
        assert_ne!(it.redis.engine().mode(), Mode::Ready);
    }
}

#[test]
fn subscriptions_come_back_after_client_kill() {
    each_way(|server, address, config| {
        let mut it = Loop::new(address, config.clone(), quick());
        it.send(&subscribe(["news", "weather"]));
        it.send(&psubscribe("alerts.*"));
        it.until("three confirmations", |it| it.taken.confirmed == 3);
        for round in 1..4 {
            server.client().publish("news", round).unwrap();
            server.client().publish("alerts.fire", round).unwrap();
            it.until("the messages", |it| it.taken.messages.len() == 2);
            let expected =
                [("news".to_string(), round.to_string()), ("alerts.fire".to_string(), round.to_string())];
            assert_eq!(std::mem::take(&mut it.taken.messages), expected);
            kill(server);
            it.until("the reconnect", |it| it.taken.connected.len() == 1 + round);
            assert_eq!(it.taken.connected[round], 3);
            assert_eq!(it.taken.closed.len(), round);
        }
        assert_eq!(it.redis.engine().subscriptions(SubscriptionKind::Channel), 2);
        it.send(&unsubscribe("news"));
        let confirmed = it.taken.confirmed;
        it.until("the confirmation", |it| it.taken.confirmed > confirmed);
        kill(server);
        it.until("the reconnect", |it| it.taken.connected.last() == Some(&2));
    });
}

#[test]
fn a_lost_connection_says_what_may_have_been_executed() {
    each_way(|server, address, config| {
        let mut it = Loop::new(address, config, quick());
        it.until("the connection", |it| it.redis.engine().is_ready());
        let blocked = it.send(&["BLPOP", "nothing", "0"]);
        let after = it.send(&incr("count"));
        it.turn(Instant::now() + Duration::from_millis(20));
        kill(server);
        it.until("the end", |it| it.taken.closed.len() == 1);
        for ticket in [blocked, after] {
            let failure = it.taken.failed[&ticket];
            assert_eq!((failure.reason, failure.maybe_executed), (FailureReason::Disconnected, true));
        }
        // Nothing is sent again by itself, and the connection is there again by itself.
        assert_eq!(it.run::<u64>(&incr("count")), 1);
        assert_eq!(it.taken.connected, [0, 0]);
    });
}

#[test]
fn nobody_listens() {
    // A port that nothing listens on, for as long as the listener is bound to it.
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let missing = std::env::temp_dir().join("redwire-no-such-socket");
    for (address, kind) in [
        (Address::tcp([refused]), ErrorKind::ConnectionRefused),
        (Address::tcp([refused, refused]), ErrorKind::ConnectionRefused),
        (Address::tcp([]), ErrorKind::NotFound),
        (Address::unix(missing), ErrorKind::NotFound),
    ] {
        let mut it = Loop::new(address, Config::default(), quick());
        let mut tickets = Vec::new();
        for attempt in 1..6 {
            tickets.push(it.send(&incr("count")));
            it.until("the refusal", |it| {
                it.redis.link().attempts_failed() >= attempt && it.redis.link().next_attempt().is_some()
            });
            assert_eq!(it.redis.error().map(std::io::Error::kind), Some(kind));
            let pause = it.redis.timeout(Instant::now()).expect("it will try again");
            assert!(pause <= Duration::from_millis(50), "{pause:?}");
        }
        // They wait for the connection, or for its end.
        assert!(it.taken.failed.is_empty() && it.taken.connected.is_empty() && it.taken.closed.is_empty());
        it.redis.close();
        it.turn(Instant::now());
        assert!(tickets.iter().all(|ticket| it.taken.failed[ticket].is_retryable()));
        assert_eq!(it.taken.closed, [CloseReason::Closed.to_string()]);
        assert_eq!(it.redis.timeout(Instant::now()), None, "closed for good");
    }
}

#[test]
fn addresses_are_tried_in_turn() {
    let server = Server::start();
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = Address::tcp([refused, refused, server.address()]);
    let mut it = Loop::new(address, Config::default(), quick());
    assert_eq!(it.run::<String>(&echo("third")), "third");
    // There was no pause, and nothing had failed.
    assert!(it.taken.closed.is_empty());
    kill_all(&server);
    it.until("the reconnect", |it| it.taken.connected.len() == 2);
    assert_eq!(it.run::<String>(&echo("again")), "again");
}

fn kill_all(server: &Server) {
    let _: Value =
        server.client().execute(cmd("CLIENT").arg(("KILL", "TYPE", "normal", "SKIPME", "yes"))).unwrap();
}

#[test]
fn a_server_that_is_stopped_and_started_again() {
    each_way(|server, address, config| {
        let mut it = Loop::new(address, config, quick());
        it.send(&subscribe("news"));
        it.until("the confirmation", |it| it.taken.confirmed == 1);
        server.stop();
        it.until("several attempts", |it| it.redis.link().attempts_failed() > 4);
        assert_eq!((it.taken.connected.len(), it.taken.closed.len()), (1, 1));
        assert!(it.redis.link().lost_since().is_some());
        server.start_again();
        it.until("the reconnect", |it| it.taken.connected.len() == 2);
        assert_eq!(it.taken.connected[1], 1);
        server.client().publish("news", "back").unwrap();
        it.until("the message", |it| !it.taken.messages.is_empty());
        assert_eq!(it.taken.messages, [("news".to_string(), "back".to_string())]);
    });
}

#[test]
fn the_queue_has_a_bound() {
    each_way(|server, address, config| {
        let mut it = Loop::new(address, config, quick().queue_limit(10_000));
        it.until("the connection", |it| it.redis.engine().is_ready());
        let mut tickets = Vec::new();
        let refused = loop {
            match it.redis.send(Instant::now(), &incr("count")) {
                Ok(ticket) => tickets.push(ticket),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, SendError::Capacity(Capacity::Transmit { .. })), "{refused:?}");
        assert_eq!(tickets.len(), 10_000 / redwire::resp::encode(&incr("count")).len());
        // The loop does not wait before that is written, and there is room again.
        assert_eq!(it.redis.timeout(Instant::now()), Some(Duration::ZERO));
        for (number, &ticket) in (1..).zip(&tickets) {
            assert_eq!(it.reply::<usize>(ticket), number);
        }
        assert_eq!(it.run::<usize>(&incr("count")), tickets.len() + 1);
        // A server that does not read: the queue fills, and nothing is lost when it reads again.
        server.freeze();
        let end = Instant::now() + PATIENCE;
        let large = "x".repeat(1000);
        let mut sent = 0;
        loop {
            assert!(Instant::now() < end, "the queue does not fill");
            match it.redis.send(Instant::now(), &["APPEND", "long", &large]) {
                Ok(_) => sent += 1,
                Err(SendError::Capacity(_)) if it.redis.engine().queued_bytes() > 9000 => {
                    let before = it.redis.engine().queued_bytes();
                    it.redis.next_event(Instant::now());
                    if it.redis.engine().queued_bytes() == before {
                        break;
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        server.thaw();
        let length = it.run_when_there_is_room(&["STRLEN", "long"]);
        assert_eq!(length, sent * 1000);
    });
}

impl Loop {
    fn run_when_there_is_room(&mut self, command: &[&str]) -> usize {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.redis.send(Instant::now(), command) {
                Ok(ticket) => return self.reply(ticket),
                Err(SendError::Capacity(_)) => self.turn(end),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn who_does_not_take_events_is_not_read_for() {
    let server = Server::start_with(&["--client-output-buffer-limit", "pubsub", "0", "0", "0"]);
    const COUNT: usize = 20_000;
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let config = Config::default().protocol(protocol).client_name("under-test");
        let mut it = Loop::new(tcp(&server), config, quick());
        it.send(&subscribe("flood"));
        it.until("the confirmation", |it| it.taken.confirmed == 1);
        let client = server.client();
        let payload = "x".repeat(1000);
        for chunk in 0..COUNT / 1000 {
            let mut pipeline = client.pipeline();
            for number in 0..1000 {
                pipeline.publish("flood", format!("{} {payload}", chunk * 1000 + number));
            }
            pipeline.execute::<()>().unwrap();
            // The loop goes on, and uses the edges up.
            it.wait(Instant::now());
        }
        let list: String = client.client_list().unwrap();
        let line = list.lines().find(|line| line.contains("name=under-test")).unwrap();
        let field = |name: &str| line.split(' ').find_map(|field| field.strip_prefix(name)).unwrap();
        // It stays with the server, besides what the sockets hold.
        assert!(field("omem=").parse::<usize>().unwrap() > COUNT * 1000 / 3, "{line}");
        it.wait(Instant::now() + Duration::from_millis(20));
        let mut taken = 0;
        let end = Instant::now() + PATIENCE;
        while taken < COUNT {
            assert!(Instant::now() < end, "stopped after {taken}");
            // A few at a time, and other work in between.
            for _ in 0..100 {
                let Some(event) = it.redis.next_event(Instant::now()) else { break };
                if let Event::Message(message) = event {
                    let number = message.payload.split(|&byte| byte == b' ').next().unwrap();
                    assert_eq!(number, taken.to_string().as_bytes());
                    taken += 1;
                }
            }
            if it.redis.is_drained() {
                it.wait(end);
            }
        }
    }
}

#[test]
fn ten_thousand_commands_in_flight() {
    each_way(|_, address, config| {
        let mut it = Loop::new(address, config, quick());
        let tickets: Vec<Ticket> = (0..10_000).map(|number| it.send(&echo(number))).collect();
        assert_eq!(it.redis.engine().in_flight(), 10_000);
        for (number, ticket) in tickets.into_iter().enumerate() {
            assert_eq!(it.reply::<usize>(ticket), number);
        }
        assert_eq!(it.redis.engine().in_flight(), 0);
    });
}

#[test]
fn a_thousand_connections_in_one_loop() {
    const COUNT: usize = 1000;
    let server = Server::start_with(&["--maxclients", "3000", "--tcp-backlog", "2000"]);
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(256);
    let registry = Arc::new(poll.registry().try_clone().unwrap());
    let mut all = Vec::new();
    for number in 0..COUNT {
        let address = if number % 2 == 0 { tcp(&server) } else { Address::unix(server.socket()) };
        let options = quick().registry(Arc::clone(&registry));
        let mut redis = Client::with_options(Instant::now(), address, Config::default(), options);
        poll.registry().register(&mut redis, Token(number), BOTH).unwrap();
        all.push((redis, Taken::default()));
    }
    let mut round = |done: &mut dyn FnMut(usize, &mut Client, &mut Taken) -> bool| {
        let end = Instant::now() + PATIENCE;
        loop {
            let now = Instant::now();
            let mut all_done = true;
            for (number, (redis, taken)) in all.iter_mut().enumerate() {
                if redis.timeout(now) == Some(Duration::ZERO) {
                    redis.handle_timeout(now);
                }
                while !redis.is_drained() {
                    while let Some(event) = redis.next_event(now) {
                        taken.take(event);
                    }
                }
                all_done &= done(number, redis, taken);
            }
            if all_done {
                return;
            }
            let now = Instant::now();
            assert!(now < end, "waited in vain");
            let wait = all.iter().filter_map(|(redis, _)| redis.timeout(now)).min();
            poll.poll(&mut events, Some(wait.unwrap_or(PATIENCE).min(PATIENCE))).unwrap();
            for event in &events {
                all[event.token().0].0.on_event(event);
            }
        }
    };
    round(&mut |_, redis, _| redis.engine().is_ready());
    for turn in 1..4 {
        let mut tickets = vec![None; COUNT];
        round(&mut |number, redis, taken| {
            let ticket = *tickets[number].get_or_insert_with(|| {
                redis.send(Instant::now(), &cmd("INCRBY").arg((number, number))).unwrap()
            });
            taken.reply::<usize>(ticket).is_some_and(|sum| {
                assert_eq!(sum, turn * number);
                true
            })
        });
        if turn == 2 {
            kill_all(&server);
            round(&mut |_, redis, taken| taken.connected.len() >= 2 && redis.engine().is_ready());
        }
    }
    let each: Vec<usize> = (0..COUNT).map(|number| number * 3).collect();
    let keys: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(server.client().mget::<Vec<usize>>(&keys).unwrap(), each);
}

const SUBSCRIBED: MessageKind = MessageKind::Subscribe(SubscriptionKind::Channel);

#[test]
fn a_loop_that_just_polls() {
    each_way(|server, address, config| {
        // Registered nowhere.
        let mut redis = Client::with_options(Instant::now(), address, config, quick());
        redis.send(Instant::now(), &subscribe("news")).unwrap();
        let end = Instant::now() + PATIENCE;
        let mut received = Vec::new();
        let (mut published, mut confirmed) = (0, 0);
        while received.len() < 500 {
            assert!(Instant::now() < end, "{redis:?} {}", received.len());
            match redis.get_message(Instant::now()).unwrap() {
                Some(message) if !message.is_message() => {
                    assert_eq!((message.kind, message.channel), (SUBSCRIBED, &b"news"[..]));
                    confirmed += 1;
                }
                Some(message) => received.push(String::from_utf8_lossy(message.payload).into_owned()),
                // Nothing has come, and nothing was waited for.
                None if received.len() == published => {
                    let client = server.client();
                    // Nobody listens before it has subscribed.
                    for _ in 0..100 {
                        published += usize::from(client.publish("news", published).unwrap() == 1);
                    }
                }
                None => std::thread::yield_now(),
            }
        }
        let expected: Vec<String> = (0..500).map(|number: u32| number.to_string()).collect();
        assert_eq!(received, expected);
        assert_eq!(confirmed, 1);
        kill(server);
        let mut back = Vec::new();
        while back.len() < 2 {
            assert!(Instant::now() < end, "{redis:?}");
            server.client().publish("news", "back").unwrap();
            if let Some(message) = redis.get_message(Instant::now()).unwrap() {
                back.push((message.kind, message.count, message.payload.to_vec()));
            }
        }
        // That something may be missing is told before what comes then.
        assert_eq!(back[0], (MessageKind::Gap, Some(1), Vec::new()));
        assert_eq!(back[1], (MessageKind::Message, None, b"back".to_vec()));
    });
}

#[test]
fn deadlines_are_those_of_the_loop() {
    each_way(|_, address, config| {
        let mut it = Loop::new(address, config.command_timeout(Duration::from_millis(30)), quick());
        it.until("the connection", |it| it.redis.engine().is_ready());
        let late = it.send(&["BLPOP", "nothing", "0.1"]);
        let patient = it.send(&cmd("BLPOP").arg(("nothing", "0.05")).patient(Patience::Forever));
        let wait = it.redis.timeout(Instant::now());
        assert_eq!(wait, Some(Duration::ZERO), "there is something to write");
        it.redis.next_event(Instant::now());
        let wait = it.redis.timeout(Instant::now()).unwrap();
        assert!(wait <= Duration::from_millis(30), "{wait:?}");
        it.until("the deadline", |it| it.taken.failed.contains_key(&late));
        let failure = it.taken.failed[&late];
        assert_eq!((failure.reason, failure.maybe_executed), (FailureReason::TimedOut, true));
        // The late reply is discarded, and what came after it is not mistaken for it.
        assert_eq!(it.reply::<Option<Value>>(patient), None);
        assert!(!it.taken.replies.contains_key(&late));
        assert!(it.taken.closed.is_empty());
    });
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = quick().connect_timeout(Duration::from_millis(20));
    let mut it = Loop::new(Address::tcp([silent.local_addr().unwrap()]), Config::default(), options);
    let ticket = it.send(&incr("count"));
    it.until("the end", |it| !it.taken.closed.is_empty());
    assert_eq!(it.redis.error().map(std::io::Error::kind), Some(ErrorKind::TimedOut));
    assert!(it.taken.failed[&ticket].is_retryable());
}

#[test]
fn urls_and_refusals() {
    let server = Server::start_with(&["--requirepass", "secret"]);
    let at = |url: String| {
        let poll = Poll::new().unwrap();
        let mut redis = Client::open(Instant::now(), &url.parse().unwrap()).unwrap();
        poll.registry().register(&mut redis, Token(7), BOTH).unwrap();
        Loop { poll, events: Events::with_capacity(16), redis, taken: Taken::default() }
    };
    for url in [
        format!("redis://:secret@127.0.0.1:{}/3?protocol=2", server.port()),
        format!("redis://default:secret@localhost:{}/3", server.port()),
        format!("unix://:secret@{}?db=3", server.socket().display()),
    ] {
        let mut it = at(url);
        let info: String = it.run(&["CLIENT", "INFO"]);
        assert!(info.contains("db=3"), "{info}");
    }
    let mut it = at(format!("redis://:wrong@127.0.0.1:{}", server.port()));
    let ticket = it.send(&incr("count"));
    it.until("the refusal", |it| !it.taken.closed.is_empty());
    assert!(it.taken.closed[0].contains("WRONGPASS"), "{:?}", it.taken.closed);
    assert!(it.taken.failed[&ticket].is_retryable());
    assert!(!format!("{:?}", it.redis).contains("wrong"));
}

#[test]
fn closing_is_for_good_until_connect() {
    each_way(|_, address, config| {
        let mut it = Loop::new(address, config, quick());
        assert_eq!(it.run::<String>(&echo("before")), "before");
        // QUIT lets everything be answered.
        let last = it.send(&echo("last"));
        let quit = it.send(&["QUIT"]);
        it.until("the end", |it| it.taken.closed.len() == 1);
        assert_eq!(it.taken.closed[0], CloseReason::Quit.to_string());
        assert_eq!((it.reply::<String>(last).as_str(), it.reply::<bool>(quit)), ("last", true));
        assert_eq!(it.redis.timeout(Instant::now()), None);
        it.redis.connect(Instant::now());
        assert_eq!(it.run::<String>(&echo("again")), "again");
        let dropped = it.send(&incr("count"));
        it.redis.close();
        it.redis.close();
        it.until("the end", |it| it.taken.closed.len() == 2);
        assert_eq!(it.taken.closed[1], CloseReason::Closed.to_string());
        assert!(it.taken.failed[&dropped].is_retryable());
        assert_eq!(it.redis.timeout(Instant::now()), None);
        it.turn(Instant::now());
        assert_eq!(it.taken.closed.len(), 2);
        it.redis.connect(Instant::now());
        assert_eq!(it.run::<Option<u64>>(&get("count")), None);
    });
}

#[test]
fn another_token_and_none() {
    let server = Server::start();
    let mut it = Loop::new(tcp(&server), Config::default(), quick());
    assert_eq!(it.run::<String>(&echo("registered")), "registered");
    it.poll.registry().deregister(&mut it.redis).unwrap();
    it.send(&echo("deregistered"));
    it.turn(Instant::now() + Duration::from_millis(50));
    it.turn(Instant::now() + Duration::from_millis(50));
    assert_eq!(it.taken.replies.len(), 1, "nothing announces the reply");
    it.poll.registry().register(&mut it.redis, Token(8), BOTH).unwrap();
    it.poll.registry().reregister(&mut it.redis, Token(7), Interest::READABLE).unwrap();
    it.until("the reply", |it| it.taken.replies.len() == 2);
    // The new stream has the new token.
    kill_all(&server);
    it.until("the reconnect", |it| it.taken.connected.len() == 2);
    assert_eq!(it.run::<String>(&echo("reconnected")), "reconnected");
}
