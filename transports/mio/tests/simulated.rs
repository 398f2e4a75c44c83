//! Driven by others' timing: a connection over streams in memory, in a loop that is simulated, with a clock that is too.
//! Everything that can be chosen comes from a seed. A failure prints it, and `REDWIRE_SEED=n cargo test -p redwire-mio
//! --test simulated` replays it; `REDWIRE_SEEDS=n` runs so many.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::{Interest, Poll, Registry, Token};
use redwire::client::{Commands, Error, ErrorKind};
use redwire::command::{Commands as _, get, set};
use redwire::connection::{Config, Event, FailureReason, Ticket};
use redwire::resp::{Frame, Protocol};
use redwire::script::Script;
use redwire_kit::server::Server;
use redwire_mio::{Backoff, Client, Options, Stream, redwire};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True once in so many times; never for 0.
    fn once_in(&mut self, times: usize) -> bool {
        times > 0 && self.below(times) == 0
    }
}

/// How a stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// What is on the way still comes, then the end.
    Closed,
    /// What is on the way is lost.
    Reset,
    /// It takes nothing any more; what is on the way still comes, then nothing.
    Deaf,
}

/// The stream of the moment and the server behind it, with edges as epoll has them: an event for what has changed, once.
struct Line {
    random: Random,
    server: Server,
    /// The number of the stream; those with a lower one are gone.
    stream: usize,
    /// Attempts to connect that fail: one in so many.
    refuses: usize,
    /// Steps that are left to connect, and whether that fails.
    connecting: usize,
    fails: bool,
    token: Option<Token>,
    /// The stream keeps what is written until it is flushed, or until that is a record, as one of TLS does.
    holds: bool,
    held: VecDeque<u8>,
    to_server: VecDeque<u8>,
    /// From the server: on the way, and there.
    on_the_way: VecDeque<u8>,
    arrived: VecDeque<u8>,
    room: usize,
    end: Option<End>,
    /// The most bytes that are read or written at once.
    piece: usize,
    readable: bool,
    writable: bool,
    /// A write has been told that the stream has ended.
    refused_end: bool,
    /// A write found no room: when there is some, that is an event.
    refused_write: bool,
}

impl Line {
    fn new(seed: u64, server: Server) -> Self {
        Line {
            random: Random(seed),
            server,
            stream: 0,
            refuses: 0,
            connecting: 0,
            fails: false,
            token: None,
            holds: false,
            held: VecDeque::new(),
            to_server: VecDeque::new(),
            on_the_way: VecDeque::new(),
            arrived: VecDeque::new(),
            room: 0,
            end: None,
            piece: usize::MAX,
            readable: false,
            writable: false,
            refused_end: false,
            refused_write: false,
        }
    }

    fn connect(&mut self) -> io::Result<usize> {
        if self.random.once_in(self.refuses) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.server.disconnect();
        self.stream += 1;
        self.token = None;
        self.fails = self.random.once_in(self.refuses);
        self.connecting = 1 + self.random.below(4);
        self.held.clear();
        self.to_server.clear();
        self.on_the_way.clear();
        self.arrived.clear();
        self.room = 0;
        self.end = None;
        self.refused_end = false;
        (self.readable, self.writable, self.refused_write) = (false, false, false);
        Ok(self.stream)
    }

    fn kill(&mut self) {
        if self.end.is_some() {
            return;
        }
        let end = [End::Closed, End::Reset, End::Deaf][self.random.below(3)];
        self.end = Some(end);
        if end == End::Reset {
            self.on_the_way.clear();
            self.arrived.clear();
        }
        (self.readable, self.writable) = (true, true);
    }

    /// What the stream keeps goes out, as far as there is room.
    fn let_go(&mut self) {
        let count = self.held.len().min(self.room);
        self.room -= count;
        self.to_server.extend(self.held.drain(..count));
    }

    /// Something moves: bytes both ways, a step of connecting.
    fn step(&mut self) {
        if self.connecting > 0 {
            self.connecting -= 1;
            (self.readable, self.writable) = (self.random.once_in(2), true);
            return;
        }
        if self.end.is_none() {
            let count = self.random.below(self.to_server.len() + 1).max(self.to_server.len().min(1));
            let bytes: Vec<u8> = self.to_server.drain(..count).collect();
            self.server.receive(&bytes);
            if self.room < 4096 && self.random.once_in(2) {
                self.room += 1 + self.random.below(self.piece.min(4096));
                self.writable |= std::mem::take(&mut self.refused_write);
            }
        }
        if self.end == Some(End::Reset) {
            self.server.out.clear();
        }
        self.on_the_way.extend(self.server.out.drain(..));
        if self.server.closed && self.end.is_none() && self.to_server.is_empty() {
            self.end = Some(End::Closed);
            self.readable = true;
        }
        let count = self.random.below(self.on_the_way.len() + 1).max(self.on_the_way.len().min(1));
        if count > 0 {
            self.arrived.extend(self.on_the_way.drain(..count));
            self.readable = true;
        }
    }
}

/// The most that a stream keeps to itself.
const RECORD: usize = 100;

/// A stream in memory, as a user may bring one.
struct Memory {
    line: Rc<RefCell<Line>>,
    stream: usize,
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = &mut *self.line.borrow_mut();
        assert!(self.stream == line.stream && line.connecting == 0, "read from a stream that is not there");
        assert!(!buffer.is_empty());
        if line.arrived.is_empty() {
            return match line.end {
                Some(End::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
                Some(End::Closed) if line.on_the_way.is_empty() => Ok(0),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        if line.random.once_in(20) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = buffer.len().min(line.arrived.len()).min(line.piece);
        let count = 1 + line.random.below(most);
        buffer.iter_mut().zip(line.arrived.drain(..count)).for_each(|(place, byte)| *place = byte);
        Ok(count)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = &mut *self.line.borrow_mut();
        assert!(self.stream == line.stream && line.connecting == 0, "written to a stream that is not there");
        if matches!(line.end, Some(End::Reset | End::Deaf)) {
            line.refused_end = true;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if line.random.once_in(20) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = if line.holds {
            line.let_go();
            RECORD - line.held.len()
        } else {
            line.room
        };
        if room == 0 {
            line.refused_write = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = 1 + line.random.below(bytes.len().min(room).min(line.piece));
        line.held.extend(&bytes[..count]);
        if !line.holds {
            line.let_go();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = &mut *self.line.borrow_mut();
        line.let_go();
        if line.held.is_empty() {
            return Ok(());
        }
        line.refused_write = true;
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Source for Memory {
    fn register(&mut self, _: &Registry, token: Token, _: Interest) -> io::Result<()> {
        let line = &mut *self.line.borrow_mut();
        line.token = Some(token);
        // The first events say how things stand.
        (line.readable, line.writable) = (true, true);
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.register(registry, token, interest)
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        let line = &mut *self.line.borrow_mut();
        if line.stream == self.stream {
            line.token = None;
        }
        Ok(())
    }
}

impl Stream for Memory {
    fn finish_connect(&mut self) -> io::Result<bool> {
        let line = self.line.borrow();
        assert_eq!(self.stream, line.stream);
        match (line.end, line.connecting) {
            (Some(_), _) => Err(io::ErrorKind::ConnectionReset.into()),
            (None, 0) if line.fails => Err(io::ErrorKind::ConnectionRefused.into()),
            (None, 0) => Ok(true),
            (None, _) => Ok(false),
        }
    }
}

/// The connection over one line, however often that begins anew.
type Redis = Client<Box<dyn FnMut() -> io::Result<Memory>>>;

fn connect(line: &Rc<RefCell<Line>>, now: Instant, config: Config<'static>, options: Options) -> Redis {
    let line = Rc::clone(line);
    let connector = move || {
        let stream = line.borrow_mut().connect()?;
        Ok(Memory { line: Rc::clone(&line), stream })
    };
    Client::with_options(now, Box::new(connector), config, options)
}

/// What a command has to come to.
#[derive(Debug, Clone)]
enum Expected {
    /// The reply is this text.
    Text(String),
    /// Set key and value, to see whether it was executed. The reply is OK.
    Set(String),
    /// A transaction that sets this key, and then gets this text.
    Transaction(String, String),
}

const TOKEN: Token = Token(3);
const CHANNEL: &str = "news";

/// A loop with one connection, for one seed.
struct Simulation {
    random: Random,
    registry: Arc<Registry>,
    registered: bool,
    line: Rc<RefCell<Line>>,
    redis: Redis,
    now: Instant,
    waiting: HashMap<Ticket, Expected>,
    discarded: HashSet<Ticket>,
    script: Script<'static>,
    number: usize,
    /// Replies that are larger than the receive buffer are skipped.
    skips: bool,
    /// There is little room for commands.
    tight: bool,
    /// The server has lost its scripts.
    flushed: bool,
    subscriber: bool,
    /// Under RESP2 a subscriber can send nothing else.
    speaks: bool,
    published: usize,
    received: usize,
    replies: usize,
    connections: usize,
    /// In which states the stream has been killed.
    killed: HashSet<&'static str>,
}

impl Simulation {
    fn new(seed: u64, registry: &Arc<Registry>) -> Self {
        let mut random = Random(seed);
        let protocol = if random.once_in(2) { Protocol::Resp2 } else { Protocol::Resp3 };
        let subscriber = random.once_in(2);
        let mut line = Line::new(random.next(), Server::default());
        line.refuses = [0, 2, 5][random.below(3)];
        line.piece = [1, 7, 100, usize::MAX][random.below(4)];
        line.holds = random.once_in(3);
        let line = Rc::new(RefCell::new(line));
        let now = Instant::now();
        let mut config = Config::default().protocol(protocol);
        if random.once_in(3) {
            config = config.command_timeout(Duration::from_millis(20 + random.next() % 300));
        }
        if random.once_in(3) {
            config = config.health_check(Duration::from_millis(500));
        }
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(200));
        let mut options =
            Options::default().backoff(backoff).seed(random.next()).registry(Arc::clone(registry));
        options = options.connect_timeout(Duration::from_secs(5));
        let tight = random.once_in(3);
        if tight {
            options = options.queue_limit(1500);
        }
        let skips = random.once_in(4);
        if skips {
            options = options.receive_limit(600);
        }
        let mut redis = connect(&line, now, config, options);
        registry.register(&mut redis, TOKEN, Interest::READABLE).unwrap();
        let mut simulation = Simulation {
            random,
            registry: Arc::clone(registry),
            registered: true,
            line,
            redis,
            now,
            waiting: HashMap::new(),
            discarded: HashSet::new(),
            script: Script::new("return ARGV[1]"),
            number: 0,
            skips,
            tight,
            flushed: false,
            subscriber,
            speaks: protocol == Protocol::Resp3 || !subscriber,
            published: 0,
            received: 0,
            replies: 0,
            connections: 0,
            killed: HashSet::new(),
        };
        if subscriber {
            simulation.redis.send(now, &["SUBSCRIBE", CHANNEL]).unwrap();
        }
        simulation
    }

    /// Sends something whose reply no other command has.
    fn send(&mut self) {
        self.number += 1;
        let (key, now) = (format!("k{}", self.number), self.now);
        let long = "x".repeat(if self.random.once_in(10) { self.random.below(1500) } else { 5 });
        let value = format!("{long}{}", self.number);
        let known = |line: &Rc<RefCell<Line>>| {
            line.borrow_mut().server.values.insert(key.clone(), value.clone());
        };
        let redis = &mut self.redis;
        let (sent, expected) = match self.random.below(4) {
            0 => {
                known(&self.line);
                (redis.send(now, &get(&key)).map_err(Error::from), Expected::Text(value))
            }
            1 => (redis.send(now, &set(&key, &value)).map_err(Error::from), Expected::Set(key.clone())),
            2 => (redis.script(now, &self.script, (), &value), Expected::Text(value)),
            _ => {
                known(&self.line);
                let mut transaction = Commands::growing();
                let written = format!("t{}", self.number);
                transaction.set(&written, "1").get(&key);
                (redis.atomic(now, &transaction), Expected::Transaction(written, value))
            }
        };
        match sent {
            Ok(ticket) => {
                assert!(self.waiting.insert(ticket, expected).is_none(), "a ticket was given twice")
            }
            // There is no room, or the connection has just ended.
            Err(error) if matches!(error.kind(), ErrorKind::Capacity(_) | ErrorKind::Misuse(_)) => {
                if let Expected::Set(key) | Expected::Transaction(key, _) = expected {
                    assert!(!self.was_executed(&key), "{key} was refused");
                }
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn was_executed(&self, key: &str) -> bool {
        self.line.borrow().server.values.contains_key(key)
    }

    /// Takes so many events at most.
    fn take(&mut self, most: usize) {
        for _ in 0..most {
            if self.redis.is_drained() {
                return;
            }
            let Some(event) = self.redis.next_event(self.now) else {
                assert!(self.redis.is_drained());
                return;
            };
            match event {
                Event::Reply { ticket, frame } => {
                    let Some(expected) = self.waiting.remove(&ticket) else {
                        // Of PING.
                        assert!(!self.discarded.contains(&ticket), "the reply was not wanted any more");
                        continue;
                    };
                    self.replies += 1;
                    if self.flushed && frame.as_bytes().starts_with(b"-NOSCRIPT") {
                        // Between the script and the second call of it.
                        continue;
                    }
                    check(&expected, frame);
                    match expected {
                        Expected::Text(_) => {}
                        Expected::Set(key) | Expected::Transaction(key, _) => {
                            assert!(self.was_executed(&key))
                        }
                    }
                }
                Event::Failed { ticket, failure } => {
                    if failure.reason == FailureReason::Disconnected {
                        assert!(!self.discarded.contains(&ticket));
                    }
                    match self.waiting.remove(&ticket) {
                        Some(Expected::Set(key) | Expected::Transaction(key, _))
                            if !failure.maybe_executed =>
                        {
                            assert!(!self.was_executed(&key), "{key}: {failure}");
                        }
                        _ => {}
                    }
                }
                Event::Skipped { ticket, .. } => {
                    assert!(self.skips);
                    if let Some(ticket) = ticket {
                        self.waiting.remove(&ticket).expect("a command that waits");
                    }
                }
                Event::Message(message) => {
                    let number: usize = std::str::from_utf8(message.payload)
                        .unwrap()
                        .parse()
                        .unwrap_or_else(|_| panic!("{message:?}"));
                    assert!(number > self.received && number <= self.published, "out of order, or twice");
                    self.received = number;
                }
                Event::Connected { .. } => self.connections += 1,
                _ => {}
            }
        }
    }

    /// Hands on the edges there are.
    fn deliver(&mut self) {
        let mut line = self.line.borrow_mut();
        if line.token == Some(TOKEN) {
            let (readable, writable) = (line.readable, line.writable);
            (line.readable, line.writable) = (false, false);
            drop(line);
            if readable || writable {
                self.redis.on_ready(readable, writable);
            }
        }
    }

    /// One turn of the loop, as a user writes it, and what the world does meanwhile.
    fn turn(&mut self, most: usize) {
        let steps = if self.line.borrow().piece < 10 { 30 } else { 3 };
        for _ in 0..=self.random.below(steps) {
            self.line.borrow_mut().step();
        }
        self.deliver();
        if self.redis.timeout(self.now) == Some(Duration::ZERO) {
            self.redis.handle_timeout(self.now);
        }
        self.take(most);
        let mut idle = 0;
        while most == usize::MAX && self.redis.timeout(self.now) == Some(Duration::ZERO) {
            // What was taken may have left something that is due.
            self.redis.handle_timeout(self.now);
            self.take(most);
            idle += 1;
            assert!(idle < 5, "the loop is kept from waiting: {:?}", self.redis);
        }
    }

    /// Faults of all kinds for a while, then none: everything that was sent comes to an end.
    fn run(&mut self) {
        let kills = [0, 10, 40][self.random.below(3)];
        let spurious = [0, 3][self.random.below(2)];
        let pauses = [1, 4, 40][self.random.below(3)];
        for _ in 0..150 {
            for _ in 0..self.random.below(4) {
                if self.speaks {
                    self.send();
                }
            }
            if self.random.once_in(kills) {
                self.kill();
            }
            if self.random.once_in(spurious) {
                // About a stream that is gone, or about nothing.
                let (readable, writable) = (self.random.once_in(2), self.random.once_in(2));
                self.redis.on_ready(readable, writable);
            }
            if self.random.once_in(10) {
                self.line.borrow_mut().server.scripts.clear();
                self.flushed = true;
            }
            if self.subscriber && self.random.once_in(3) {
                self.published += 1;
                self.line.borrow_mut().server.publish(CHANNEL, &self.published.to_string());
            }
            if self.random.once_in(15)
                && let Some(&ticket) = self.waiting.keys().min_by_key(|ticket| format!("{ticket:?}"))
                && self.redis.discard(ticket)
            {
                self.waiting.remove(&ticket);
                self.discarded.insert(ticket);
            }
            if self.random.once_in(if self.registered { 80 } else { 10 }) {
                self.turn_registration();
            }
            if self.random.once_in(200) {
                self.redis.close();
                self.take(usize::MAX);
                assert_eq!(self.redis.timeout(self.now), None);
                assert!(self.waiting.is_empty());
                self.redis.connect(self.now);
            }
            if self.random.once_in(50) {
                self.line.borrow_mut().server.stalled = true;
            } else if self.random.once_in(5) {
                self.line.borrow_mut().server.resume();
            }
            // Nothing, a few, or all.
            let most = if self.random.once_in(pauses) { usize::MAX } else { self.random.below(5) };
            self.turn(most);
            self.now += Duration::from_micros(self.random.next() % 10_000);
        }
        self.settle();
    }

    /// The stream ends, whatever goes on.
    fn kill(&mut self) {
        let mut line = self.line.borrow_mut();
        let engine = self.redis.engine();
        for (state, is) in [
            ("no stream", line.stream == 0 || line.end.is_some()),
            ("connecting", line.connecting > 0),
            ("greeting", line.connecting == 0 && line.end.is_none() && !engine.is_ready()),
            ("nothing in flight", engine.is_ready() && engine.in_flight() == 0),
            ("commands in flight", engine.is_ready() && engine.in_flight() > 0),
            ("a command half written", engine.is_ready() && engine.queued_bytes() > 0),
            ("in a transaction", line.server.queue.is_some()),
            ("a reply half read", !line.on_the_way.is_empty()),
            ("a reply not taken", !self.redis.is_drained()),
        ] {
            if is {
                self.killed.insert(state);
            }
        }
        line.kill();
    }

    /// Takes the connection out of the loop, or puts it back.
    fn turn_registration(&mut self) {
        if self.registered {
            self.registry.deregister(&mut self.redis).unwrap();
        } else {
            self.registry.register(&mut self.redis, TOKEN, Interest::WRITABLE).unwrap();
        }
        self.registered = !self.registered;
    }

    /// From here on nothing goes wrong, and nobody sends or publishes.
    fn settle(&mut self) {
        if !self.registered {
            self.turn_registration();
        }
        {
            let mut line = self.line.borrow_mut();
            line.refuses = 0;
            line.server.resume();
            // A stream that was being refused is refused.
            line.random = Random(1);
        }
        // All comes that will come of itself, while nothing is taken; then there is news of something else.
        for _ in 0..100 {
            self.line.borrow_mut().step();
            self.deliver();
        }
        self.redis.on_ready(false, true);
        {
            // Who has not tried to write cannot know.
            let mut line = self.line.borrow_mut();
            if line.end == Some(End::Deaf) && !line.refused_end {
                line.end = Some(End::Closed);
                line.readable = true;
            }
        }
        for _ in 0..100_000 {
            self.turn(usize::MAX);
            let line = self.line.borrow();
            let quiet = line.to_server.is_empty() && line.on_the_way.is_empty() && line.arrived.is_empty();
            if quiet && self.redis.engine().is_ready() && self.redis.engine().in_flight() == 0 {
                break;
            }
            drop(line);
            self.now += Duration::from_millis(1);
        }
        assert!(self.redis.engine().is_ready(), "{:?}", self.redis);
        let waiting = self.waiting.iter().next();
        assert!(waiting.is_none(), "no outcome for {}: {waiting:?} {:?}", self.waiting.len(), self.redis);
        if self.subscriber {
            // Subscribed again, if it was interrupted.
            self.published += 1;
            self.line.borrow_mut().server.publish(CHANNEL, &self.published.to_string());
            for _ in 0..1000 {
                if self.received == self.published {
                    break;
                }
                self.turn(usize::MAX);
                self.now += Duration::from_millis(1);
            }
            assert_eq!(self.received, self.published, "the last message did not come");
        }
    }
}

fn check(expected: &Expected, frame: Frame<'_>) {
    match expected {
        Expected::Text(text) => assert_eq!(frame.decode::<&str>().unwrap(), text),
        Expected::Set(_) => assert!(frame.decode::<bool>().unwrap()),
        Expected::Transaction(_, text) => {
            let (set, got): (bool, String) = frame.decode().unwrap();
            assert_eq!((set, &got), (true, text));
        }
    }
}

/// Says with which seed a test fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with REDWIRE_SEED={}", self.0);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn no_reply_is_lost_or_mistaken_whatever_the_timing() {
    let poll = Poll::new().unwrap();
    let registry = Arc::new(poll.registry().try_clone().unwrap());
    let seeds = match number("REDWIRE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("REDWIRE_SEEDS").unwrap_or(2000),
    };
    let (mut replies, mut messages, mut connections) = (0, 0, 0);
    let mut killed = HashSet::new();
    for seed in seeds.clone() {
        let named = Named(seed);
        let mut simulation = Simulation::new(seed, &registry);
        simulation.run();
        replies += simulation.replies;
        messages += simulation.received;
        connections += simulation.connections;
        killed.extend(simulation.killed);
        drop(named);
    }
    println!(
        "{} seeds: {replies} replies, {messages} messages, {connections} connections",
        seeds.end - seeds.start
    );
    if seeds.end - seeds.start > 100 {
        // What the faults leave is enough to be worth the name of a test.
        let seeds = (seeds.end - seeds.start) as usize;
        assert!(replies > 40 * seeds && messages > 20 * seeds && connections > 2 * seeds);
        assert_eq!(killed.len(), 9, "{killed:?}");
    }
}

/// How long the connection waits before it connects again, and that it does nothing else until then.
fn pause(redis: &mut Redis, now: &mut Instant) -> Duration {
    for _ in 0..10 {
        redis.handle_timeout(*now);
        redis.on_ready(true, true);
        while redis.next_event(*now).is_some() {}
    }
    let pause = redis.timeout(*now).expect("it connects again");
    *now += pause;
    pause
}

#[test]
fn pauses_grow_until_a_handshake_succeeds() {
    let line = Rc::new(RefCell::new(Line::new(1, Server::default())));
    let mut now = Instant::now();
    let bound = Duration::from_millis(100);
    let backoff = Backoff::new(bound, Duration::from_secs(10));
    let mut redis = connect(&line, now, Config::default(), Options::default().backoff(backoff).seed(7));
    for _ in 0..3 {
        // There is no stream.
        line.borrow_mut().refuses = 1;
        let refused: Vec<Duration> = (0..10).map(|_| pause(&mut redis, &mut now)).collect();
        assert!(refused[0] <= bound && refused[1] <= bound * 2);
        assert!(refused.iter().all(|&pause| pause <= Duration::from_secs(10)));
        assert!(refused[5..].iter().any(|&pause| pause > Duration::from_secs(1)), "{refused:?}");
        // There is one, and no server behind it: a stream alone is no success.
        line.borrow_mut().refuses = 0;
        let mut lost = Vec::new();
        for _ in 0..10 {
            redis.handle_timeout(now);
            line.borrow_mut().connecting = 0;
            redis.on_ready(true, true);
            assert!(redis.next_event(now).is_none());
            // It fails with the rest.
            redis.send(now, &["PING"]).unwrap();
            line.borrow_mut().kill();
            lost.push(pause(&mut redis, &mut now));
        }
        assert!(lost.iter().any(|&pause| pause > Duration::from_secs(1)), "{lost:?}");
        // And a whole connection, which is lost: from here on it begins anew.
        redis.handle_timeout(now);
        while !redis.engine().is_ready() {
            line.borrow_mut().step();
            redis.on_ready(true, true);
            while redis.next_event(now).is_some() {}
        }
        line.borrow_mut().kill();
        line.borrow_mut().end = Some(End::Reset);
    }
}

/// Twelve hours in which the stream is lost every half minute. What is allocated is counted, by the allocator, for this
/// thread: beyond the first hour none of it stays.
#[test]
fn memory_stays_flat_for_twelve_hours_of_disconnects() {
    const STEP: Duration = Duration::from_millis(200);
    const HOUR: u32 = 3600 * 1000 / 200;
    let poll = Poll::new().unwrap();
    let registry = Arc::new(poll.registry().try_clone().unwrap());
    let seed = number("REDWIRE_SEED").unwrap_or(12);
    let _named = Named(seed);
    let mut simulation = Simulation::new(seed, &registry);
    simulation.line = Rc::new(RefCell::new(Line::new(seed, Server::default())));
    simulation.line.borrow_mut().refuses = 4;
    let config =
        Config::default().health_check(Duration::from_secs(5)).command_timeout(Duration::from_secs(20));
    let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    let options = Options::default().backoff(backoff).seed(seed).registry(Arc::clone(&registry));
    simulation.redis = connect(&simulation.line, simulation.now, config, options);
    registry.register(&mut simulation.redis, TOKEN, Interest::READABLE).unwrap();
    simulation.redis.send(simulation.now, &["SUBSCRIBE", CHANNEL]).unwrap();
    (simulation.subscriber, simulation.speaks) = (true, true);
    (simulation.skips, simulation.tight) = (false, false);
    (simulation.published, simulation.received, simulation.connections) = (0, 0, 0);
    let start = simulation.now;
    let hour = |simulation: &mut Simulation| {
        for _ in 0..HOUR {
            if simulation.random.once_in(10) {
                simulation.send();
            }
            if simulation.random.once_in(10) {
                simulation.published += 1;
                let text = simulation.published.to_string();
                simulation.line.borrow_mut().server.publish(CHANNEL, &text);
            }
            if simulation.random.once_in(150) {
                simulation.line.borrow_mut().kill();
            }
            simulation.turn(usize::MAX);
            simulation.now += STEP;
        }
        simulation.settle();
        let mut line = simulation.line.borrow_mut();
        line.refuses = 4;
        // What the test itself keeps.
        line.server.values.clear();
        line.server.seen.clear();
        line.server.seen.shrink_to_fit();
        simulation.waiting.clear();
    };
    hour(&mut simulation);
    let mut counted = allocation_counter::AllocationInfo::default();
    for _ in 1..12 {
        counted += allocation_counter::measure(|| hour(&mut simulation));
    }
    assert!(simulation.now - start > Duration::from_secs(12 * 3600));
    println!("{} connections, {} replies, {counted:?}", simulation.connections, simulation.replies);
    assert!(simulation.connections > 1000, "{}", simulation.connections);
    assert!(counted.bytes_total > 1_000_000);
    // Buffers breathe. What a connection left behind, twenty bytes say, would be more than that by now.
    assert!(counted.bytes_current.unsigned_abs() < 16 * 1024, "{counted:?}");
}
