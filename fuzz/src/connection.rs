//! Whatever a user does, a server sends and the line loses: the laws of the connection hold.
//!
//! - Every command that was sent ends exactly once, in order but for timeouts, and before the connection is over.
//! - What fails as not executed has not been written, or was queued without its EXEC.
//! - What is written is whole commands, in the order of sending.
//! - There is always room to read into, and a timeout that was handled is not due any more.

use redwire::connection::{
    Buffers, Config, Connection, Event, FailureReason, Mode, SendOptions, Slot, Ticket,
};
use redwire::resp::{Frame, Level, Limits, Parser, Progress, Protocol, Scanner};
use redwire::storage::{Buffer, Storage};
use redwire::time::{Duration, Instant};

/// A command and what is known of it.
struct Sent {
    ticket: Ticket,
    tag: String,
    /// One command may have several confirmations; the last one ends it.
    ended: bool,
    discarded: bool,
    /// Its result comes with EXEC.
    in_transaction: bool,
    /// Its tag is written with it, and never otherwise.
    traceable: bool,
}

const COMMANDS: [&str; 30] = [
    "GET",
    "SET",
    "PING",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH",
    "UNWATCH",
    "SUBSCRIBE",
    "SUBSCRIBE a b",
    "UNSUBSCRIBE",
    "UNSUBSCRIBE a",
    "PSUBSCRIBE p*",
    "PUNSUBSCRIBE",
    "SSUBSCRIBE s",
    "SUNSUBSCRIBE",
    "MONITOR",
    "RESET",
    "QUIT",
    "AUTH",
    "SELECT 1",
    "CLIENT REPLY ON",
    "CLIENT REPLY OFF",
    "CLIENT REPLY SKIP",
    "SCRIPT LOAD",
    "SCRIPT FLUSH",
    "HELLO 3",
    "PSYNC",
    "EVALSHA",
    "",
];

const REPLIES: [&[u8]; 32] = [
    b"+OK\r\n",
    b"+QUEUED\r\n",
    b":1\r\n",
    b"$-1\r\n",
    b"_\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"$3\r\nfoo\r\n",
    b"+RESET\r\n",
    b"+PONG\r\n",
    b"-ERR no\r\n",
    b"-NOSCRIPT No matching script.\r\n",
    b"-EXECABORT x\r\n",
    b"-ERR EXEC without MULTI\r\n",
    b"-NOPROTO x\r\n",
    b"%1\r\n+proto\r\n:3\r\n",
    b"*2\r\n:1\r\n:2\r\n",
    b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n",
    b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n",
    b">4\r\n$8\r\npmessage\r\n$2\r\np*\r\n$1\r\na\r\n$1\r\nm\r\n",
    b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
    b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
    b">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n",
    b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
    b">3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:2\r\n",
    b">3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n",
    b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
    b"+1339518083.107412 [0 lua] \"x\"\r\n",
    b"*2\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n:1\r\n:2\r\n",
    b"|1\r\n+a\r\n:1\r\n:5\r\n",
    b"$300\r\n",
    b"*2\r\n$4\r\npong\r\n$0\r\n\r\n",
];

struct Harness<'a> {
    redis: Connection<'a>,
    now: Instant,
    sent: Vec<Sent>,
    /// Everything written since the last stream began.
    written: Vec<u8>,
    /// What an honest server would say to what was written.
    honest: Vec<u8>,
    understood: usize,
    scanner: Scanner<'static>,
    resp3: bool,
    queueing: bool,
    /// What an honest server has: channels and patterns, shard channels.
    subscribed: [Vec<Vec<u8>>; 3],
    online: bool,
}

pub fn run(data: &[u8]) {
    let Some((&[shape, protocol], actions)) = data.split_first_chunk::<2>() else { return };
    // Lent memory of every size, also less than anything needs.
    let lent = |most: usize, of: u8| most * (usize::from(shape >> 1 >> of) % 4 + 1) / 4;
    let tiny = if protocol & 8 != 0 { 12 } else { 1 };
    let mut receive = [0u8; 300];
    let mut transmit = [0u8; 400];
    let mut in_flight = [Slot::default(); 6];
    let mut levels = [Level::default(); 4];
    let mut subscriptions = [0u8; 60];
    let mut config = Config::default()
        .command_timeout(Duration::from_millis(50))
        .health_check(Duration::from_millis(200))
        .health_check_timeout(Duration::from_millis(100))
        .handshake_timeout(Duration::from_millis(300));
    if protocol & 1 != 0 {
        config = config.protocol(Protocol::Resp2);
    }
    if protocol & 2 != 0 {
        config = config.password("secret").client_name("me").database(2);
    }
    if protocol & 4 != 0 {
        config = config.no_library();
    }
    let buffers = if shape & 1 == 0 {
        Buffers::growing()
    } else {
        Buffers {
            receive: Buffer::borrowed(&mut receive[..lent(300, 0) / tiny]),
            transmit: Buffer::borrowed(&mut transmit[..lent(400, 2) / tiny]),
            in_flight: Storage::from(&mut in_flight[..lent(6, 4)]),
            levels: Storage::from(&mut levels[..lent(4, 1) - 1]),
            subscriptions: Storage::from(&mut subscriptions),
        }
    };
    let mut harness = Harness {
        redis: Connection::new(config, buffers),
        now: Instant::from_millis(1),
        sent: Vec::new(),
        written: Vec::new(),
        honest: Vec::new(),
        understood: 0,
        scanner: Scanner::growing(Limits::default()),
        resp3: false,
        queueing: false,
        subscribed: Default::default(),
        online: false,
    };
    for action in actions.chunks(2) {
        harness.act(action[0], action.get(1).copied().unwrap_or(0));
    }
    harness.redis.close();
    harness.drain();
    for sent in &harness.sent {
        assert!(sent.ended || sent.discarded, "{} never ended", sent.tag);
    }
    assert_eq!(harness.redis.in_flight(), 0);
}

impl Harness<'_> {
    fn act(&mut self, action: u8, argument: u8) {
        match action % 16 {
            0..=3 => self.send(argument),
            4..=6 => self.transmit(usize::from(argument) + 1),
            // The server says what belongs there,
            7..=10 => {
                let honest = std::mem::take(&mut self.honest);
                self.receive(&honest, usize::from(argument) + 1);
            }
            // or something else.
            11 => self.receive(REPLIES[usize::from(argument) % REPLIES.len()], usize::MAX),
            12 => {
                self.now = self.now + Duration::from_millis(u64::from(argument));
                self.redis.handle_timeout(self.now);
                if let Some((due, reason)) = self.redis.poll_timeout() {
                    assert!(
                        due > self.now || !self.redis.is_ready(),
                        "{reason:?} is due at {due:?}, now {:?}",
                        self.now
                    );
                }
            }
            13 if self.redis.connected(self.now).is_ok() => {
                self.fresh();
                self.online = true;
            }
            14 => match argument % 4 {
                0 => self.redis.handle_eof(),
                1 => self.redis.close(),
                _ => {
                    let at = usize::from(argument) % (self.sent.len() + 1);
                    if let Some(sent) = self.sent.get_mut(at) {
                        let pending = self.redis.is_pending(sent.ticket);
                        assert!(!pending || !sent.ended, "{} is pending after its end", sent.tag);
                        if self.redis.discard(sent.ticket) {
                            sent.discarded = true;
                        }
                        assert!(!self.redis.is_pending(sent.ticket));
                    }
                }
            },
            _ => {}
        }
        self.drain();
    }

    fn fresh(&mut self) {
        self.written.clear();
        self.honest.clear();
        self.understood = 0;
        self.scanner.reset();
        self.resp3 = false;
        self.queueing = false;
        self.subscribed = Default::default();
    }

    fn send(&mut self, argument: u8) {
        let line = COMMANDS[usize::from(argument & 31) % COMMANDS.len()];
        let tag = format!("tag-{}-", self.sent.len());
        // Without a tag: an unsubscription from everything, say.
        let bare = line.is_empty() || argument & 128 != 0;
        let tagged = (!bare).then_some(&tag[..]);
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).chain(tagged).collect();
        let mut options = SendOptions::default();
        if argument & 32 != 0 {
            options = options.streamed();
        }
        if argument & 64 != 0 {
            options = options.no_timeout();
        }
        let mode = self.redis.mode();
        let before = (self.redis.queued_bytes(), self.redis.in_flight());
        match self.redis.send_with(self.now, &words[..], options) {
            Ok(ticket) => {
                let in_transaction = mode == Mode::Transaction && self.redis.mode() == Mode::Transaction;
                let ended = !ticket.is_answered();
                let tag = if bare { format!("bare {tag}") } else { tag };
                self.sent.push(Sent {
                    ticket,
                    tag,
                    ended,
                    discarded: false,
                    in_transaction,
                    traceable: !bare && !line.contains("SUBSCRIBE"),
                });
            }
            Err(_) => {
                assert_eq!((self.redis.queued_bytes(), self.redis.in_flight()), before);
                assert_eq!(self.redis.mode(), mode);
            }
        }
    }

    fn transmit(&mut self, most: usize) {
        let Some(bytes) = self.redis.poll_transmit() else { return };
        assert!(!bytes.is_empty());
        let count = bytes.len().min(most);
        self.written.extend_from_slice(&bytes[..count]);
        self.redis.transmitted(count);
        while self.understood < self.written.len() {
            match self.scanner.parse(&self.written[self.understood..]) {
                Ok(Progress::Frame { length, .. }) => {
                    let frame = self.written[self.understood..self.understood + length].to_vec();
                    self.understood += length;
                    let words: Vec<Vec<u8>> = Frame::new_unchecked(&frame)
                        .elements()
                        .map(|word| word.text().unwrap().to_vec())
                        .collect();
                    assert!(!words.is_empty());
                    self.answer(&words);
                }
                Ok(Progress::Incomplete { .. }) => break,
                other => panic!("what was written is no command: {other:?}"),
            }
        }
    }

    /// A server that mostly does what it should.
    fn answer(&mut self, words: &[Vec<u8>]) {
        let name = words[0].to_ascii_uppercase();
        let pushes = if self.resp3 { ">" } else { "*" };
        let queued = self.queueing;
        let say: Vec<u8> = match &name[..] {
            b"HELLO" => {
                self.resp3 = true;
                b"%1\r\n+proto\r\n:3\r\n".to_vec()
            }
            b"EXEC" | b"DISCARD" if queued => {
                self.queueing = false;
                if name == b"EXEC" { b"*1\r\n:1\r\n".to_vec() } else { b"+OK\r\n".to_vec() }
            }
            b"RESET" => {
                self.resp3 = false;
                self.queueing = false;
                self.subscribed = Default::default();
                b"+RESET\r\n".to_vec()
            }
            b"QUIT" => b"+OK\r\n".to_vec(),
            _ if queued => b"+QUEUED\r\n".to_vec(),
            b"MULTI" => {
                self.queueing = true;
                b"+OK\r\n".to_vec()
            }
            b"CLIENT" if words[1] == b"REPLY" && words[2] != b"ON" => Vec::new(),
            b"GET" => b"$12\r\n0123456789ab\r\n".to_vec(),
            b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"UNSUBSCRIBE" | b"PUNSUBSCRIBE"
            | b"SUNSUBSCRIBE" => self.subscription(&name, &words[1..], pushes),
            _ => b"+OK\r\n".to_vec(),
        };
        self.honest.extend(say);
    }

    fn subscription(&mut self, command: &[u8], names: &[Vec<u8>], pushes: &str) -> Vec<u8> {
        let command = String::from_utf8_lossy(command).to_ascii_lowercase();
        let kind = match command.as_bytes() {
            [b'p', ..] => 1,
            [b's', b's', ..] | [b's', b'u', b'n', ..] => 2,
            _ => 0,
        };
        let mut names: Vec<Option<Vec<u8>>> = names.iter().cloned().map(Some).collect();
        if names.is_empty() {
            names = self.subscribed[kind].iter().cloned().map(Some).collect();
        }
        if names.is_empty() {
            names.push(None);
        }
        let mut bytes = Vec::new();
        for name in names {
            let set = &mut self.subscribed[kind];
            let there = set.iter().position(|other| Some(other) == name.as_ref());
            match (&name, there) {
                (Some(name), None) if !command.contains("un") => set.push(name.clone()),
                (Some(_), Some(at)) if command.contains("un") => drop(set.remove(at)),
                _ => {}
            }
            let count = match kind {
                2 => self.subscribed[2].len(),
                _ => self.subscribed[0].len() + self.subscribed[1].len(),
            };
            let name = match name {
                Some(name) => format!("${}\r\n{}", name.len(), String::from_utf8_lossy(&name)),
                None if self.resp3 => "_".to_string(),
                None => "$-1".to_string(),
            };
            bytes.extend(
                format!("{pushes}3\r\n${}\r\n{command}\r\n{name}\r\n:{count}\r\n", command.len()).bytes(),
            );
        }
        bytes
    }

    fn receive(&mut self, bytes: &[u8], piece: usize) {
        if !self.online {
            return;
        }
        for piece in bytes.chunks(piece) {
            let mut piece = piece;
            while !piece.is_empty() {
                if self.redis.is_idle() {
                    return;
                }
                let free = self.redis.receive_buffer();
                assert!(!free.is_empty(), "no room to read into");
                let count = free.len().min(piece.len());
                free[..count].copy_from_slice(&piece[..count]);
                self.redis.received(self.now, count);
                piece = &piece[count..];
                self.drain();
            }
        }
    }

    fn drain(&mut self) {
        let mut steps = 0;
        while let Some(event) = self.redis.poll_event() {
            steps += 1;
            assert!(steps < 100_000, "the events do not end");
            let ended = match event {
                Event::Reply { ticket, .. } | Event::Queued { ticket } | Event::ChunksEnd { ticket, .. } => {
                    Some(ticket)
                }
                Event::Chunk { ticket, .. } => {
                    let sent =
                        self.sent.iter().rfind(|sent| sent.ticket == ticket).expect("a ticket of ours");
                    assert!(!sent.ended && !sent.discarded, "a piece for {}", sent.tag);
                    continue;
                }
                Event::Skipped { ticket, .. } => ticket,
                Event::Subscription(subscription) => subscription.ticket.filter(|_| subscription.last),
                Event::Failed { ticket, failure } => {
                    let sent =
                        self.sent.iter().rfind(|sent| sent.ticket == ticket).expect("a ticket of ours");
                    let tag = sent.tag.as_bytes();
                    // A name that was to be subscribed to may have been restored by the handshake.
                    let written =
                        sent.traceable && self.written.windows(tag.len()).any(|window| window == tag);
                    if !failure.maybe_executed && sent.traceable {
                        assert!(!written || sent.in_transaction, "{} was written", sent.tag);
                    }
                    if written && !sent.in_transaction {
                        assert!(failure.maybe_executed, "{} may have run", sent.tag);
                    }
                    if failure.reason == FailureReason::TimedOut {
                        // Out of turn.
                        self.end(ticket, false);
                        continue;
                    }
                    Some(ticket)
                }
                Event::Closed { .. } => {
                    assert!(self.redis.is_idle());
                    assert_eq!(self.redis.in_flight(), 0);
                    for sent in &self.sent {
                        assert!(sent.ended || sent.discarded, "{} outlived its connection", sent.tag);
                    }
                    self.fresh();
                    self.online = false;
                    continue;
                }
                _ => None,
            };
            if let Some(ticket) = ended {
                self.end(ticket, true);
            }
        }
    }

    fn end(&mut self, ticket: Ticket, in_turn: bool) {
        let at = self.sent.iter().rposition(|sent| sent.ticket == ticket).expect("a ticket of ours");
        let sent = &mut self.sent[at];
        assert!(!sent.ended, "{} ends twice", sent.tag);
        assert!(!sent.discarded, "{} was discarded", sent.tag);
        sent.ended = true;
        if in_turn {
            let earlier = self.sent[..at].iter().find(|sent| !sent.ended && !sent.discarded);
            assert!(earlier.is_none(), "{} overtakes {}", self.sent[at].tag, earlier.unwrap().tag);
        }
    }
}
