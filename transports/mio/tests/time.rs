//! Time and bounds: what is here is not late, a turn comes to an end, and what waits does so no longer than it may. Streams
//! are in memory and time is passed in, so that nothing here waits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::{Interest, Registry, Token};
use redwire::client::{Commands, ErrorKind, LinkState, MessageKind};
use redwire::command::{Commands as _, get, incr, set, subscribe};
use redwire::connection::{CloseReason, Config, Event, FailureReason, Ticket};
use redwire::resp::Protocol;
use redwire::script::Script;
use redwire_mio::{Backoff, Client, Options, Stream, redwire};

/// Both ends of the stream.
#[derive(Default)]
struct Wire {
    to_client: VecDeque<u8>,
    /// Comes without end when there is nothing else.
    flood: Option<&'static [u8]>,
    flooded: usize,
    written: Vec<u8>,
    /// The peer takes nothing.
    full: bool,
    /// There is no server.
    down: bool,
    /// It takes its time to connect.
    slow: bool,
    attempts: usize,
    read: usize,
}

struct Pipe(Rc<RefCell<Wire>>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wire = &mut *self.0.borrow_mut();
        let mut count = buffer.len().min(wire.to_client.len());
        buffer.iter_mut().zip(wire.to_client.drain(..count)).for_each(|(place, byte)| *place = byte);
        if count == 0
            && let Some(flood) = wire.flood
        {
            for place in &mut *buffer {
                *place = flood[wire.flooded % flood.len()];
                wire.flooded += 1;
            }
            count = buffer.len();
        }
        wire.read += count;
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wire = &mut *self.0.borrow_mut();
        if wire.full {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wire.written.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Pipe {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Pipe {
    fn finish_connect(&mut self) -> io::Result<bool> {
        Ok(!self.0.borrow().slow)
    }
}

/// A client, its stream, and the time.
struct World {
    redis: Client<Box<dyn FnMut() -> io::Result<Pipe>>>,
    wire: Rc<RefCell<Wire>>,
    now: Instant,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const MIB: usize = 1 << 20;

fn options() -> Options {
    Options::default().backoff(Backoff::new(ms(10), ms(100))).seed(1)
}

/// Under RESP2 there is nothing to shake hands about.
fn plain() -> Config<'static> {
    Config::default().protocol(Protocol::Resp2).no_library()
}

impl World {
    fn new(wire: Wire, config: Config<'static>, options: Options) -> Self {
        let (wire, now) = (Rc::new(RefCell::new(wire)), Instant::now());
        let other = Rc::clone(&wire);
        let connect = move || {
            let wire = &mut *other.borrow_mut();
            wire.attempts += 1;
            match wire.down {
                true => Err(io::ErrorKind::ConnectionRefused.into()),
                false => Ok(Pipe(Rc::clone(&other))),
            }
        };
        let connect: Box<dyn FnMut() -> io::Result<Pipe>> = Box::new(connect);
        World { redis: Client::with_options(now, connect, config, options), wire, now }
    }

    /// One that is connected.
    fn connected(config: Config<'static>, options: Options) -> Self {
        let mut world = World::new(Wire::default(), config, options);
        assert_eq!(world.turn(), ["connected"]);
        world
    }

    fn comes(&self, bytes: impl AsRef<[u8]>) {
        self.wire.borrow_mut().to_client.extend(bytes.as_ref());
    }

    fn written(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.wire.borrow_mut().written)).unwrap()
    }

    /// A turn as a loop of mio has it: what is due first, then events.
    fn turn(&mut self) -> Vec<String> {
        self.redis.handle_timeout(self.now);
        self.redis.on_ready(true, true);
        self.events()
    }

    fn events(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.redis.next_event(self.now) {
            events.push(match event {
                Event::Connected { .. } => "connected".to_string(),
                Event::Reply { frame, .. } => {
                    String::from_utf8_lossy(frame.as_bytes()).replace("\r\n", " ").trim_end().into()
                }
                Event::Failed { failure, .. } => match (failure.reason, failure.maybe_executed) {
                    (FailureReason::TimedOut, maybe) => format!("late, {maybe}"),
                    (_, maybe) => format!("lost, {maybe}"),
                },
                Event::Closed { reason: CloseReason::Closed, .. } => "closed".into(),
                Event::Closed { reason, .. } => format!("closed: {reason}"),
                Event::Message(_) => "message".into(),
                Event::Subscription(_) => "subscribed".into(),
                _ => "other".into(),
            });
        }
        events
    }

    fn send(&mut self, words: &[&str]) -> Ticket {
        self.redis.send(self.now, words).unwrap()
    }

    /// Time passes as far as there is nothing to do, until `done`.
    fn until(&mut self, mut done: impl FnMut(&Self) -> bool) -> Vec<String> {
        let mut events = Vec::new();
        for _ in 0..1000 {
            events.extend(self.turn());
            if done(self) {
                return events;
            }
            self.now += self.redis.timeout(self.now).expect("there is something to wait for");
        }
        panic!("in vain: {events:?}");
    }
}

#[test]
fn a_reply_that_is_here_is_not_late() {
    for announced in [true, false] {
        let mut world = World::connected(plain().command_timeout(ms(500)), options());
        world.send(&["GET", "k"]);
        assert!(world.turn().is_empty());
        // The loop is busy with something else; meanwhile the reply comes.
        world.comes("$1\r\nv\r\n");
        world.now += ms(600);
        if announced {
            world.redis.on_ready(true, false);
        }
        world.redis.handle_timeout(world.now);
        assert_eq!(world.events(), ["$1 v"]);
        // One that is not here is.
        world.send(&["GET", "k"]);
        assert!(world.turn().is_empty());
        world.now += ms(600);
        assert_eq!(world.turn(), ["late, true"]);
        world.comes("$1\r\nv\r\n");
        assert!(world.turn().is_empty());
    }
}

#[test]
fn a_pong_that_is_here_is_not_late() {
    let config = plain().health_check(ms(1000)).health_check_timeout(ms(500));
    let mut world = World::connected(config, options());
    world.now += ms(1000);
    assert!(world.turn().is_empty());
    assert!(world.written().contains("PING"));
    world.comes("+PONG\r\n");
    world.now += ms(5000);
    world.redis.handle_timeout(world.now);
    assert!(world.events().is_empty());
    assert!(world.redis.engine().is_ready());
    // Nothing comes for the next one.
    world.now += ms(1000);
    world.turn();
    world.now += ms(5000);
    assert_eq!(world.turn().len(), 1);
    assert!(!world.redis.engine().is_ready());
}

#[test]
fn a_handshake_that_is_here_is_not_late() {
    for here in [true, false] {
        let config = Config::default().no_library().fallback(false);
        let mut world = World::new(Wire::default(), config, options().connect_timeout(ms(1000)));
        assert!(world.turn().is_empty());
        assert!(world.written().contains("HELLO"));
        if here {
            world.comes("%1\r\n$5\r\nproto\r\n:3\r\n");
        }
        world.now += ms(2000);
        world.redis.handle_timeout(world.now);
        let events = world.events();
        assert_eq!(events == ["connected"], here, "{events:?}");
        assert_eq!(world.redis.error().is_some(), !here);
    }
}

#[test]
fn a_stream_that_is_here_is_not_late() {
    let wire = Wire { slow: true, ..Wire::default() };
    let mut world = World::new(wire, plain(), options().connect_timeout(ms(1000)));
    assert!(world.turn().is_empty());
    world.now += ms(2000);
    world.wire.borrow_mut().slow = false;
    world.redis.handle_timeout(world.now);
    assert_eq!(world.events(), ["connected"]);
    assert_eq!(world.wire.borrow().attempts, 1);
}

/// News of a cache, which nobody waits for.
const PUSHES: &[u8] = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

fn resp3() -> World {
    let mut world = World::new(Wire::default(), Config::default().no_library(), options());
    world.comes("%1\r\n$5\r\nproto\r\n:3\r\n");
    assert_eq!(world.turn(), ["connected"]);
    world
}

#[test]
fn get_message_returns_under_a_flood_of_something_else() {
    let mut world = resp3();
    world.send(&["SUBSCRIBE", "news"]);
    world.wire.borrow_mut().flood = Some(PUSHES);
    for _ in 0..5 {
        world.wire.borrow_mut().read = 0;
        assert_eq!(world.redis.get_message(world.now), Ok(None));
        let read = world.wire.borrow().read;
        assert!(read > 0 && read <= 2 * MIB, "{read}");
        assert!(!world.redis.is_drained());
        assert_eq!(world.redis.timeout(world.now), Some(Duration::ZERO), "it comes back at once");
    }
    {
        let mut wire = world.wire.borrow_mut();
        wire.flood = None;
        let rest = wire.flooded % PUSHES.len();
        wire.to_client.extend(&PUSHES[rest..]);
        wire.to_client.extend(b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
    }
    let mut found = None;
    for _ in 0..1000 {
        let Some(message) = world.redis.get_message(world.now).unwrap() else { continue };
        found = Some((message.kind, message.payload.to_vec()));
        break;
    }
    assert_eq!(found, Some((MessageKind::Message, b"hi".to_vec())));
}

#[test]
fn a_flood_keeps_no_deadline_from_being_looked_at() {
    for pushes in [PUSHES, b">2\r\n$10\r\ninvalidate\r\n_\r\n"] {
        let mut world = resp3();
        let ticket = world.redis.send_with(
            world.now,
            &get("k"),
            redwire::connection::SendOptions::default().timeout(ms(100)),
        );
        world.wire.borrow_mut().flood = Some(pushes);
        world.redis.on_ready(true, true);
        let (mut turns, mut events) = (0, 0);
        let late = loop {
            match world.redis.next_event(world.now) {
                Some(Event::Failed { ticket, failure }) => break (ticket, failure.reason),
                Some(_) => events += 1,
                None => {
                    assert_eq!(world.redis.timeout(world.now), Some(Duration::ZERO));
                    turns += 1;
                    world.now += ms(10);
                    world.redis.handle_timeout(world.now);
                }
            }
            assert!(events < 2_000_000 && turns < 1000, "{events} events, {turns} turns");
        };
        assert_eq!(late, (ticket.unwrap(), FailureReason::TimedOut));
    }
}

#[test]
fn a_turn_ends_in_the_middle_of_a_large_reply() {
    let mut world = World::connected(plain(), options());
    let ticket = world.send(&["GET", "large"]);
    world.comes("$50000000\r\n");
    world.wire.borrow_mut().flood = Some(b"x");
    let mut turns = 0;
    loop {
        let before = world.wire.borrow().read;
        if turns == 40 {
            let mut wire = world.wire.borrow_mut();
            let left = 50_000_000 + 11 - wire.read;
            wire.flood = None;
            wire.to_client.extend(std::iter::repeat_n(b'x', left));
            wire.to_client.extend(b"\r\n");
        }
        world.redis.on_ready(true, true);
        match world.redis.next_event(world.now) {
            Some(Event::Reply { ticket: answered, frame }) => {
                assert_eq!((answered, frame.decode::<&[u8]>().unwrap().len()), (ticket, 50_000_000));
                break;
            }
            Some(event) => panic!("{event:?}"),
            None => turns += 1,
        }
        let read = world.wire.borrow().read - before;
        assert!(read <= 2 * MIB, "{read} bytes in one call");
        assert!(turns < 200);
    }
    assert!(turns > 40, "{turns}");
}

#[test]
fn what_is_kept_of_scripts_counts_for_the_bound_of_the_queue() {
    let script = Script::new("return ARGV[1]");
    let mut world = World::connected(plain(), options().queue_limit(MIB));
    let argument = "x".repeat(10_000);
    for _ in 0..3 {
        let mut sent = Vec::new();
        let refused = loop {
            match world.redis.script(world.now, &script, (), &argument) {
                Ok(ticket) => sent.push(ticket),
                Err(error) => break error,
            }
            // The server takes everything, and answers nothing.
            assert!(world.turn().is_empty());
            assert!(sent.len() < 1000);
        };
        assert!(matches!(refused.kind(), ErrorKind::Capacity(_)), "{refused}");
        assert!((80..=110).contains(&sent.len()), "{}", sent.len());
        // A few short commands still find room, and no more than that.
        let short = (0..).take_while(|_| world.redis.send(world.now, &set("k", &argument)).is_ok()).count();
        world.turn();
        assert!(short < 100, "{short}");
        world.comes(":1\r\n".repeat(sent.len() + short));
        assert_eq!(world.turn().len(), sent.len() + short);
    }
}

#[test]
fn after_quit_it_stays_down() {
    let down = || Wire { down: true, ..Wire::default() };
    // In the pause after an attempt that has failed, and before the first.
    for tried in [true, false] {
        let mut world = World::new(down(), plain(), options());
        world.send(&["INCR", "k"]);
        if tried {
            assert!(world.until(|world| world.wire.borrow().attempts == 3).is_empty());
        }
        world.send(&["QUIT"]);
        let events = world.until(|world| world.redis.link().state() == LinkState::Stopped);
        let events = if events.is_empty() { world.turn() } else { events };
        assert_eq!(events[..2], ["lost, false", "lost, false"]);
        assert!(events[2].starts_with("closed"), "{events:?}");
        let attempts = world.wire.borrow().attempts;
        world.now += ms(100_000);
        assert!(world.turn().is_empty());
        assert_eq!(world.redis.timeout(world.now), None);
        assert_eq!(world.wire.borrow().attempts, attempts);
        world.wire.borrow_mut().down = false;
        world.redis.connect(world.now);
        assert_eq!(world.turn(), ["connected"]);
    }
    // With a server, commands are answered first.
    let mut world = World::new(Wire::default(), plain(), options());
    world.send(&["INCR", "k"]);
    world.send(&["QUIT"]);
    assert_eq!(world.turn(), ["connected"]);
    world.comes(":1\r\n+OK\r\n");
    assert_eq!(world.turn(), [":1", "+OK"]);
    // It is lost before the end of the stream has come.
    world.redis.close();
    world.turn();
    assert_eq!(world.redis.timeout(world.now), None);
}

#[test]
fn commands_wait_for_a_connection() {
    let down = || Wire { down: true, ..Wire::default() };
    let script = Script::new("return 1");
    let mut commands = Commands::growing();
    commands.incr("a").incr("b");
    // Until there is one.
    let mut world = World::new(down(), plain(), options());
    world.send(&["INCR", "k"]);
    world.redis.atomic(world.now, &commands).unwrap();
    world.redis.script(world.now, &script, (), ()).unwrap();
    assert!(world.until(|world| world.redis.link().attempts_failed() == 10).is_empty());
    assert_eq!((world.redis.engine().in_flight() > 0, world.redis.link().connected_since()), (true, None));
    assert!(world.redis.link().next_attempt().and_then(|next| world.redis.moment(next)).is_some());
    world.wire.borrow_mut().down = false;
    assert_eq!(world.until(|world| world.redis.engine().is_ready()), ["connected"]);
    world.comes(":1\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n:5\r\n");
    assert_eq!(world.turn(), [":1", "*2 :1 :1", ":5"]);

    // Until their deadline.
    let mut world = World::new(down(), plain().command_timeout(ms(1000)), options());
    world.send(&["INCR", "k"]);
    world.redis.script(world.now, &script, (), ()).unwrap();
    world.redis.atomic(world.now, &commands).unwrap();
    let begin = world.now;
    let mut late = Vec::new();
    while late.len() < 3 {
        late.extend(world.turn());
        world.now += world.redis.timeout(world.now).unwrap_or(ms(1));
        assert!(world.now - begin < ms(2000), "{late:?}");
    }
    assert!(world.now - begin >= ms(1000));
    assert!(late.iter().all(|event| event.starts_with("late")), "{late:?}");

    // Until it is closed.
    let mut world = World::new(down(), plain(), options());
    world.send(&["INCR", "k"]);
    world.redis.script(world.now, &script, (), ()).unwrap();
    world.redis.atomic(world.now, &commands).unwrap();
    assert!(world.until(|world| world.redis.link().attempts_failed() == 3).is_empty());
    world.redis.close();
    assert_eq!(world.turn(), ["lost, false", "lost, false", "lost, false", "closed"]);
}

#[test]
fn a_peer_that_takes_nothing_is_left_after_the_write_timeout() {
    for timeout in [Some(ms(1000)), None] {
        let options = timeout.map_or_else(options, |timeout| options().write_timeout(timeout));
        let mut world = resp3_with(options);
        world.wire.borrow_mut().full = true;
        world.send(&["SET", "k", "v"]);
        let mut events = Vec::new();
        for _ in 0..300 {
            // What it says does not help.
            world.comes(PUSHES);
            world.redis.on_ready(true, false);
            events.extend(world.turn().into_iter().filter(|event| event != "other"));
            world.now += ms(10);
            if !events.is_empty() {
                break;
            }
        }
        if timeout.is_some() {
            assert_eq!(events[0], "lost, false");
            assert_eq!(world.redis.error().map(io::Error::kind), Some(io::ErrorKind::TimedOut));
        } else {
            assert!(events.is_empty(), "{events:?}");
        }
    }
    // One that takes a little now and then is not.
    let mut world = resp3_with(options().write_timeout(ms(1000)));
    for _ in 0..20 {
        world.wire.borrow_mut().full = true;
        world.send(&["SET", "k", "v"]);
        assert!(world.turn().is_empty());
        world.now += ms(900);
        assert!(world.turn().is_empty());
        world.wire.borrow_mut().full = false;
        // There is room when the time is over.
        world.now += ms(500);
        world.redis.handle_timeout(world.now);
        assert!(world.events().is_empty());
    }
}

fn resp3_with(options: Options) -> World {
    let mut world = World::new(Wire::default(), Config::default().no_library(), options);
    world.comes("%1\r\n$5\r\nproto\r\n:3\r\n");
    assert_eq!(world.turn(), ["connected"]);
    world
}

#[test]
fn the_pauses_become_short_again_whatever_the_time_for_connecting() {
    let wire = Wire { down: true, ..Wire::default() };
    let mut world = World::new(wire, plain(), options().connect_timeout(Duration::MAX));
    world.until(|world| world.redis.link().attempts_failed() == 8);
    world.wire.borrow_mut().down = false;
    assert_eq!(world.until(|world| world.redis.engine().is_ready()), ["connected"]);
    assert_eq!(world.redis.link().attempts_failed(), 0);
    assert_eq!(world.redis.timeout(world.now), None);
}

#[test]
fn an_exchange_has_one_event_and_those_after_it_theirs() {
    let mut commands = Commands::growing();
    commands.incr("a").add(&["NO", "SUCH"]);
    let mut world = World::connected(plain(), options());
    // The server refuses a command: the reply is EXEC's, and the explanation names the command.
    let ticket = world.redis.atomic(world.now, &commands).unwrap();
    world.turn();
    world.comes("+OK\r\n+QUEUED\r\n-ERR unknown command\r\n-EXECABORT no\r\n");
    world.redis.on_ready(true, true);
    assert!(
        matches!(world.redis.next_event(world.now), Some(Event::Reply { ticket: it, .. }) if it == ticket)
    );
    let explanation = world.redis.explanation().unwrap();
    assert_eq!(explanation.position(), Some(2));
    assert!(matches!(explanation.kind(), ErrorKind::Aborted(_)));
    assert!(world.redis.next_event(world.now).is_none());
    assert!(world.redis.explanation().is_none());

    // Nobody waits for it any more: what was sent after it is answered all the same, written or not.
    for written in [true, false] {
        let given_up = world.redis.atomic(world.now, &commands).unwrap();
        if written {
            world.turn();
        }
        world.send(&["INCR", "k"]);
        assert!(world.redis.discard(given_up));
        world.turn();
        world.comes("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n:7\r\n");
        assert_eq!(world.turn(), [":7"]);
    }

    // A script that the server lacks, among others: each reply has its ticket.
    let script = Script::new("return 1");
    let first = world.redis.script(world.now, &script, (), 1).unwrap();
    let second = world.redis.script(world.now, &script, (), 2).unwrap();
    let plain = world.redis.send(world.now, &incr("k")).unwrap();
    world.turn();
    world.written();
    world.comes("-NOSCRIPT no\r\n");
    assert!(world.turn().is_empty());
    let written = world.written();
    assert!(written.contains("LOAD") && written.contains("EVALSHA"), "{written}");
    let third = world.redis.script(world.now, &script, (), 3).unwrap();
    world.comes(":2\r\n:3\r\n+digest\r\n:1\r\n:4\r\n");
    world.redis.on_ready(true, true);
    let mut tickets = Vec::new();
    while let Some(event) = world.redis.next_event(world.now) {
        let Event::Reply { ticket, frame } = event else { panic!("{event:?}") };
        tickets.push((ticket, frame.decode::<i64>().unwrap()));
    }
    assert_eq!(tickets, [(second, 2), (plain, 3), (first, 1), (third, 4)]);
    // The server does not take it.
    let refused = world.redis.script(world.now, &script, (), 1).unwrap();
    world.turn();
    world.comes("-NOSCRIPT no\r\n");
    world.turn();
    world.comes("-NOPERM not you\r\n");
    world.redis.on_ready(true, true);
    let Some(Event::Reply { ticket, frame }) = world.redis.next_event(world.now) else { panic!() };
    assert_eq!((ticket, frame.error().is_some()), (refused, true));
}

#[test]
fn get_message_tells_of_confirmations_gaps_and_refusals() {
    let mut world = World::connected(plain(), options());
    world.redis.send(world.now, &subscribe(["a", "b"])).unwrap();
    world.comes("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n-NOPERM b\r\n");
    let mut told = Vec::new();
    for _ in 0..5 {
        match world.redis.get_message(world.now) {
            Ok(Some(message)) => told.push(format!("{:?} {:?}", message.kind, message.count)),
            Ok(None) => {}
            Err(error) => told.push(format!("{:?}", error.kind())),
        }
    }
    assert_eq!(told[0], "Subscribe(Channel) Some(1)");
    assert!(told[1].contains("NOPERM"), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
}

/// A client may be given to a thread.
#[test]
fn it_can_be_sent_to_a_thread() {
    fn assert_send<T: Send>() {}
    assert_send::<Client>();
}
