//! Whatever a user does, a server sends and the line loses: the laws of the connection hold.
//!
//! - Every command that was sent ends exactly once, in order but for timeouts, and before the connection is over.
//! - What fails as not executed has not been written, or was queued without its EXEC.
//! - What is written is whole commands, in the order of sending.
//! - There is always room to read into, and a timeout that was handled is not due any more.
//! - As long as nothing is too large for the memory, everything that can be seen is what the model of `tests/kit` says. Where
//!   a server says what no page explains, the model looks away until the stream has ended.

use redwire::connection::{
    Buffers, CloseReason, Config, Connection, Event, FailureReason, Misuse, Mode, SendError, SendOptions,
    Slot, SubscriptionKind, Ticket,
};
use redwire::resp::{Level, Protocol};
use redwire::storage::{Buffer, Storage};
use redwire::time::{Duration, Instant};
use redwire_kit::model::serve::Server;
use redwire_kit::model::table::Effect;
use redwire_kit::model::{self, Executed, Id, Kind, Model, Setup, Value, Verdict, value};

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
    /// What the model calls it.
    id: Id,
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

/// What stays with the connection, and what else the first table has no room for.
const MORE_COMMANDS: [&str; 32] = [
    "HELLO",
    "HELLO 2",
    "HELLO 3",
    "HELLO 2 AUTH user secret",
    "HELLO 3 SETNAME n",
    "CLIENT SETNAME n",
    "CLIENT SETINFO LIB-NAME l",
    "CLIENT TRACKING ON",
    "CLIENT TRACKING OFF",
    "CLIENT CACHING YES",
    "CLIENT NO-EVICT ON",
    "CLIENT NO-EVICT OFF",
    "CLIENT NO-TOUCH ON",
    "CLIENT NO-TOUCH OFF",
    "CLIENT CAPA redirect",
    "CLIENT IMPORT-SOURCE ON",
    "CLIENT IMPORT-SOURCE OFF",
    "READONLY",
    "READWRITE",
    "ASKING",
    "SCRIPT DEBUG YES",
    "SCRIPT DEBUG NO",
    "HIMPORT PREPARE f a",
    "HIMPORT DISCARDALL",
    "SELECT 0",
    "SELECT 3",
    "AUTH user secret",
    "WATCH k",
    "UNWATCH",
    "PUNSUBSCRIBE p*",
    "SUNSUBSCRIBE s",
    "GET k",
];

/// What is begun, and its last word handed over in pieces.
const IN_PIECES: [&[&str]; 6] =
    [&["SET", "k"], &["GET"], &["SELECT"], &["CLIENT", "REPLY"], &["CLIENT", "SETNAME"], &["ECHO"]];

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
    /// What was written of a command that is not complete.
    rest: Vec<u8>,
    /// What an honest server would say to what was written.
    honest: Vec<u8>,
    server: Server,
    /// The server refuses the next command.
    refuses: bool,
    model: Model,
    /// The model has no say before the next stream: what it would need to know was not said, or did not fit.
    blind: bool,
    /// It never has: the memory is lent, and small.
    lent: bool,
    /// What was received of a value that is not complete.
    incoming: Vec<u8>,
    online: bool,
    /// The command that was begun last, and how many of its bytes are still to come.
    begun: Option<(Id, usize)>,
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
    let mut setup =
        Setup { protocol: model::Protocol::Resp3, database: 0, library: true, fences: behind_sunsubscribe() };
    if protocol & 1 != 0 {
        config = config.protocol(Protocol::Resp2);
        setup.protocol = model::Protocol::Resp2;
    }
    if protocol & 2 != 0 {
        config = config.password("secret").client_name("me").database(2);
        setup.database = 2;
    }
    if protocol & 4 != 0 {
        config = config.no_library();
        setup.library = false;
    }
    let is_lent = shape & 1 != 0;
    let buffers = if is_lent {
        Buffers {
            receive: Buffer::borrowed(&mut receive[..lent(300, 0) / tiny]),
            transmit: Buffer::borrowed(&mut transmit[..lent(400, 2) / tiny]),
            in_flight: Storage::from(&mut in_flight[..lent(6, 4)]),
            levels: Storage::from(&mut levels[..lent(4, 1) - 1]),
            subscriptions: Storage::from(&mut subscriptions),
        }
    } else {
        Buffers::growing()
    };
    let mut harness = Harness {
        redis: Connection::new(config, buffers),
        now: Instant::from_millis(1),
        sent: Vec::new(),
        written: Vec::new(),
        rest: Vec::new(),
        honest: Vec::new(),
        server: Server::default(),
        refuses: false,
        model: Model::new(setup),
        blind: is_lent,
        lent: is_lent,
        incoming: Vec::new(),
        online: false,
        begun: None,
    };
    for action in actions.chunks(2) {
        harness.act(action[0], action.get(1).copied().unwrap_or(0));
    }
    harness.redis.close();
    harness.drain(None);
    for sent in &harness.sent {
        assert!(sent.ended || sent.discarded, "{} never ended", sent.tag);
    }
    assert_eq!(harness.redis.in_flight(), 0);
}

/// Whether the engine sends a PING of its own after SUNSUBSCRIBE.
fn behind_sunsubscribe() -> bool {
    let now = Instant::from_millis(1);
    let config = Config::default().protocol(Protocol::Resp2).no_library();
    let mut redis = Connection::new(config, Buffers::growing());
    redis.connected(now).unwrap();
    assert!(redis.poll_event().is_some());
    redis.send(now, &["SUNSUBSCRIBE", "s"]).unwrap();
    redis.poll_transmit().unwrap().ends_with(b"PING\r\n")
}

/// Whether the engine says that a flag of the model is set; none of those that it does not know.
fn changes(redis: &Connection<'_>) -> Vec<(model::Changes, bool)> {
    let shown = format!("{:?}", redis.changes());
    let set = |name: &str| shown.split(" | ").any(|flag| flag == name);
    model::Changes::ALL.iter().map(|&(flag, name)| (flag, set(name))).collect()
}

fn mode_of(mode: Mode) -> model::Mode {
    match mode {
        Mode::Ready => model::Mode::Ready,
        Mode::Transaction => model::Mode::Transaction,
        Mode::Subscribed => model::Mode::Subscribed,
        Mode::Monitor => model::Mode::Monitor,
        Mode::ReplyOff => model::Mode::ReplyOff,
        Mode::ReplySkip => model::Mode::ReplySkip,
        Mode::Closing => model::Mode::Closing,
        other => panic!("the model does not know {other:?}"),
    }
}

fn misuse_of(misuse: Misuse) -> Option<model::Misuse> {
    Some(match misuse {
        Misuse::InTransaction => model::Misuse::InTransaction,
        Misuse::NoTransaction => model::Misuse::NoTransaction,
        Misuse::Subscribed => model::Misuse::Subscribed,
        Misuse::Monitoring => model::Misuse::Monitoring,
        Misuse::RepliesOff => model::Misuse::RepliesOff,
        Misuse::Closing => model::Misuse::Closing,
        Misuse::Replication => model::Misuse::Replication,
        Misuse::NotAlone => model::Misuse::NotAlone,
        Misuse::NotInPieces => model::Misuse::NotInPieces,
        Misuse::Empty => model::Misuse::Empty,
        _ => return None,
    })
}

const KINDS: [(SubscriptionKind, Kind); 3] = [
    (SubscriptionKind::Channel, Kind::Channel),
    (SubscriptionKind::Pattern, Kind::Pattern),
    (SubscriptionKind::Shard, Kind::Shard),
];

impl Harness<'_> {
    fn act(&mut self, action: u8, argument: u8) {
        match action % 16 {
            0..=3 => {
                let line = COMMANDS[usize::from(argument & 31) % COMMANDS.len()];
                self.send(line, argument & 32 != 0, argument & 64 != 0, argument & 128 != 0);
            }
            4..=6 => self.transmit(usize::from(argument) + 1),
            // The server says what belongs there,
            7..=10 => {
                let honest = std::mem::take(&mut self.honest);
                self.receive(&honest, usize::from(argument) + 1);
            }
            // or something else.
            11 => {
                let bytes = REPLIES[usize::from(argument) % REPLIES.len()];
                // What it answers in the handshake, or before a command is whole, or where it ends, the model does not
                // know; nor what a type of RESP3 says under RESP2.
                let foreign = self.model.protocol() == model::Protocol::Resp2
                    && bytes.iter().any(|byte| b"_%>|".contains(byte));
                let whole = self.rest.is_empty() && self.redis.unfinished().is_none();
                self.blind |= !self.model.is_ready() || foreign || !whole || Value::parse(bytes).is_none();
                self.receive(bytes, usize::MAX);
            }
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
                self.model.connected();
            }
            14 => match argument % 4 {
                0 => self.redis.handle_eof(),
                1 => self.redis.close(),
                _ => self.discard(usize::from(argument)),
            },
            15 => match argument {
                0..64 => {
                    self.send(MORE_COMMANDS[usize::from(argument % 32)], argument & 32 != 0, false, true)
                }
                64..96 => self.begin(usize::from(argument) - 64),
                96..128 => {
                    let taken =
                        self.redis.append(&b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"[..usize::from(argument) - 95]);
                    self.begun = self.begun.map(|(id, left)| (id, left - taken));
                }
                128..192 => self.discard_from(usize::from(argument) - 128),
                192..224 => self.refuses = true,
                _ => {}
            },
            _ => {}
        }
        self.drain(None);
        self.check();
    }

    fn fresh(&mut self) {
        self.written.clear();
        self.rest.clear();
        self.honest.clear();
        self.incoming.clear();
        self.server = Server::default();
        self.blind = self.lent;
    }

    /// Everything that can be seen is what the model says.
    fn check(&self) {
        // In the handshake nothing is settled.
        if self.blind || (self.online && !self.model.is_ready()) {
            return;
        }
        let (redis, session) = (&self.redis, self.model.projection());
        assert_eq!(mode_of(redis.mode()), session.mode(), "the mode");
        assert_eq!(redis.is_watching(), session.watching, "whether keys are watched");
        assert_eq!(redis.database(), self.model.database(), "the database");
        let resp3 = self.model.protocol() == model::Protocol::Resp3;
        assert_eq!(redis.protocol() == Protocol::Resp3, resp3, "whether it is RESP3");
        for (theirs, ours) in KINDS {
            let mut names: Vec<&[u8]> = redis.subscribed_names(theirs).collect();
            names.sort_unstable();
            let should: Vec<&[u8]> = session.names[ours as usize].iter().map(Vec::as_slice).collect();
            assert_eq!(names, should, "the names of {ours:?}");
        }
        let (flags, unsure) = self.model.changes();
        // Where the command that ASKING or CLIENT CACHING hold for is taken back, the engine lets them hold for the next one
        // that is sent, though the server may see another one first: they may count as there for too long.
        let mut longer = false;
        for (flag, is) in changes(redis) {
            let holds = is && (flag == model::Changes::CACHING || flag == model::Changes::ASKING);
            longer |= holds && !flags.contains(flag);
            assert!(unsure.contains(flag) || flags.contains(flag) == is || holds, "{flag:?} is {is}");
        }
        // A PING of the engine's own is known when it is written.
        if !longer
            && let Some(clean) = self.model.is_clean()
            && redis.queued_bytes() == 0
        {
            assert_eq!(redis.is_clean(), clean, "whether it is clean");
        }
    }

    fn send(&mut self, line: &str, streamed: bool, patient: bool, bare: bool) {
        let tag = format!("tag-{}-", self.sent.len());
        // Without a tag: an unsubscription from everything, say.
        const ALONE: [&str; 7] = ["", "MULTI", "EXEC", "DISCARD", "UNWATCH", "MONITOR", "RESET"];
        let bare = ALONE.contains(&line) || bare;
        let tagged = (!bare).then_some(&tag[..]);
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).chain(tagged).collect();
        let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut options = SendOptions::default();
        if streamed {
            options = options.streamed();
        }
        if patient {
            options = options.no_timeout();
        }
        let mode = self.redis.mode();
        let before = (self.redis.queued_bytes(), self.redis.in_flight());
        let unfinished = self.redis.unfinished().is_some();
        let refusals = self.model.refusals(&bytes);
        match self.redis.send_with(self.now, &words[..], options) {
            Ok(ticket) => {
                assert!(self.blind || refusals.is_empty(), "{words:?} was accepted, should be {refusals:?}");
                self.accepted(ticket, &bytes, tag.clone(), bare, mode);
            }
            Err(error) => {
                assert_eq!((self.redis.queued_bytes(), self.redis.in_flight()), before);
                assert_eq!(self.redis.mode(), mode);
                let SendError::Misuse(misuse) = error else { return };
                // A PING of the engine's own may be in flight.
                let unfinished = unfinished || (misuse == Misuse::NotAlone && self.redis.in_flight() > 0);
                let as_said = misuse_of(misuse).is_some_and(|misuse| {
                    refusals.contains(&misuse) || self.model.tolerated(&bytes) == Some(misuse)
                });
                assert!(
                    self.blind || unfinished || as_said,
                    "{words:?} was refused as {misuse:?}, {refusals:?}"
                );
            }
        }
    }

    fn accepted(&mut self, ticket: Ticket, words: &[&[u8]], tag: String, bare: bool, mode: Mode) {
        let in_transaction = mode == Mode::Transaction && self.redis.mode() == Mode::Transaction;
        let ended = !ticket.is_answered();
        let tag = if bare { format!("bare {tag}") } else { tag };
        let (id, answered) = self.model.sent(words);
        assert!(self.blind || answered == ticket.is_answered(), "whether {tag} is answered");
        let subscribes = words[0].ends_with(b"SUBSCRIBE");
        self.sent.push(Sent {
            ticket,
            tag,
            ended,
            discarded: false,
            in_transaction,
            traceable: !bare && !subscribes,
            id,
        });
    }

    fn begin(&mut self, argument: usize) {
        let mut words = IN_PIECES[argument % IN_PIECES.len()].to_vec();
        let length = argument / 2;
        let mode = self.redis.mode();
        let before = (self.redis.queued_bytes(), self.redis.in_flight());
        let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let refusals = self.model.refusals_in_pieces(&bytes);
        match self.redis.begin(self.now, &words[..], length, SendOptions::default()) {
            Ok(ticket) => {
                assert!(self.blind || refusals.is_empty(), "{words:?} was begun, should be {refusals:?}");
                let last = "x".repeat(length);
                words.push(&last);
                let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
                self.accepted(ticket, &bytes, format!("tag-{}-", self.sent.len()), true, mode);
                self.begun = self.sent.last().map(|sent| (sent.id, length));
            }
            Err(_) => assert_eq!((self.redis.queued_bytes(), self.redis.in_flight()), before),
        }
    }

    fn discard(&mut self, at: usize) {
        let at = at % (self.sent.len() + 1);
        let Some(sent) = self.sent.get_mut(at) else { return };
        let pending = self.redis.is_pending(sent.ticket);
        assert!(!pending || !sent.ended, "{} is pending after its end", sent.tag);
        let before = self.redis.queued_bytes();
        if self.redis.discard(sent.ticket) {
            sent.discarded = true;
            let taken_back = self.redis.queued_bytes() < before;
            let result = self.model.discard(sent.id, taken_back);
            assert!(self.blind || sent.ended || result.is_ok(), "{} was taken back: {result:?}", sent.tag);
        }
        assert!(!self.redis.is_pending(sent.ticket));
    }

    fn discard_from(&mut self, at: usize) {
        let at = at % (self.sent.len() + 1);
        let Some(first) = self.sent.get(at) else { return };
        let ticket = first.ticket;
        // A command whose reply is in is no beginning any more.
        if self.redis.unfinished().is_some() || (!self.redis.is_pending(ticket) && ticket.is_answered()) {
            return;
        }
        let before = self.redis.queued_bytes();
        if !self.redis.discard_from(ticket) {
            assert_eq!(self.redis.queued_bytes(), before);
            return;
        }
        let gone = before - self.redis.queued_bytes();
        let mut waiting = Vec::new();
        let mut given_up = Vec::new();
        for sent in &mut self.sent[at..] {
            // What stands in a transaction that cannot be taken back stays, and is told.
            // What is not answered has no place in the queue, and is written all the same.
            if self.redis.is_pending(sent.ticket) || !sent.ticket.is_answered() {
                continue;
            }
            given_up.push(sent.id);
            sent.discarded |= !sent.ended;
            let found = self.model.queue().find(|known| known.id == Some(sent.id));
            waiting.extend(found.filter(|known| !known.handed_out).map(|known| {
                (sent.id, value::command(&known.words).len(), known.row().effect == Effect::None)
            }));
        }
        // Everything that could be taken back, or only what changes nothing, or nothing: how many bytes are gone tells which.
        let sum = |taken: fn(bool) -> bool| -> usize {
            waiting.iter().filter(|(_, _, is)| taken(*is)).map(|(_, length, _)| length).sum()
        };
        let rules: [fn(bool) -> bool; 3] = [|_| false, |_| true, |ordinary| ordinary];
        let rule = rules.into_iter().find(|&taken| sum(taken) == gone);
        if rule.is_none() {
            // Some of it; which, is not seen from here.
            (self.blind, self.lent) = (true, true);
        }
        for id in given_up.into_iter().rev() {
            let is_taken = |ordinary| rule.is_some_and(|taken| taken(ordinary));
            let taken_back = waiting.iter().any(|(known, _, is)| *known == id && is_taken(*is));
            let _ = self.model.discard(id, taken_back);
        }
    }

    fn transmit(&mut self, most: usize) {
        let mut most = most;
        while most > 0
            && let Some(bytes) = self.redis.poll_transmit()
        {
            assert!(!bytes.is_empty());
            // One command at a time.
            let next = match Value::parse(&[&self.rest[..], bytes].concat()) {
                Some((_, length)) => length - self.rest.len(),
                None => bytes.len(),
            };
            let count = next.min(most);
            if self.rest.is_empty() && self.model.is_ready() && !self.blind {
                let words = Value::parse(bytes).map(|(value, _)| words_of(&value));
                self.handed_out(words.as_deref());
            }
            let bytes = self.redis.poll_transmit().unwrap();
            self.written.extend_from_slice(&bytes[..count]);
            self.rest.extend_from_slice(&bytes[..count]);
            self.redis.transmitted(count);
            most -= count;
            if let Some((value, length)) = Value::parse(&self.rest) {
                assert_eq!(length, self.rest.len());
                self.rest.clear();
                let words = words_of(&value);
                assert!(!words.is_empty());
                let say = if std::mem::take(&mut self.refuses) {
                    self.server.refuse(&words, "ERR refused")
                } else {
                    self.server.answer(&words)
                };
                self.honest.extend(say);
            }
        }
    }

    /// The first bytes of a command are written.
    fn handed_out(&mut self, words: Option<&[Vec<u8>]>) {
        loop {
            let next = self.model.queue().find(|sent| !sent.handed_out).cloned();
            match (next, words) {
                (Some(next), Some(words)) if next.words != words => {
                    if words == [b"PING".to_vec()] {
                        return self.model.own(words.to_vec());
                    } else if let Some(id) = next.id.filter(|_| next.discarded) {
                        // It was late before a byte of it was written, and was taken back.
                        self.model.forget(id);
                    } else {
                        panic!("{words:?} was written, should be {:?}", next.words);
                    }
                }
                (Some(_), _) => {
                    self.model.handed_out();
                    return;
                }
                (None, words) => {
                    let words = words.expect("a whole command");
                    assert_eq!(words, [b"PING".to_vec()], "nobody has sent it");
                    return self.model.own(words.to_vec());
                }
            }
        }
    }

    fn receive(&mut self, bytes: &[u8], piece: usize) {
        if !self.online {
            return;
        }
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if self.redis.is_idle() {
                return;
            }
            let free = self.redis.receive_buffer();
            assert!(!free.is_empty(), "no room to read into");
            // One value at a time, so that it is known what comes of each.
            let mut count = free.len().min(bytes.len()).min(piece);
            let whole = if self.blind { None } else { Value::parse(&[&self.incoming[..], bytes].concat()) };
            if let Some((_, length)) = &whole {
                count = count.min(length - self.incoming.len());
            }
            free[..count].copy_from_slice(&bytes[..count]);
            self.redis.received(self.now, count);
            let mut verdict = None;
            if !self.blind {
                self.incoming.extend_from_slice(&bytes[..count]);
                if let Some((value, length)) = whole.filter(|(_, length)| *length == self.incoming.len()) {
                    assert!(length > 0);
                    self.incoming.clear();
                    if self.model.is_ready() {
                        verdict = Some(self.model.received(&value));
                    }
                }
            }
            bytes = &bytes[count..];
            if matches!(verdict, Some(Verdict::Unspecified(_))) {
                self.blind = true;
                verdict = None;
            }
            self.drain(verdict);
        }
    }

    /// Takes all events; `verdict` is what the model says that the value that was just received is.
    fn drain(&mut self, verdict: Option<Verdict>) {
        let mut steps = 0;
        let mut open = verdict;
        let mut failed: Vec<(Id, bool)> = Vec::new();
        while let Some(event) = self.redis.poll_event() {
            steps += 1;
            assert!(steps < 100_000, "the events do not end");
            let known = |ticket: Ticket| {
                self.sent.iter().rfind(|sent| sent.ticket == ticket).expect("a ticket of ours")
            };
            let (seen, ended) = match event {
                Event::Reply { ticket, .. } => (Some(Verdict::Reply(known(ticket).id)), Some(ticket)),
                Event::Queued { ticket } => (Some(Verdict::Queued(known(ticket).id)), Some(ticket)),
                Event::ChunksEnd { ticket, .. } => (Some(Verdict::Reply(known(ticket).id)), Some(ticket)),
                Event::Chunk { ticket, .. } => {
                    let sent = known(ticket);
                    assert!(!sent.ended && !sent.discarded, "a piece for {}", sent.tag);
                    continue;
                }
                Event::Skipped { ticket, .. } => {
                    (ticket.map(|ticket| Verdict::Skipped(known(ticket).id)), ticket)
                }
                Event::Subscription(subscription) => (
                    Some(match subscription.ticket {
                        Some(ticket) => Verdict::Confirmation(known(ticket).id, subscription.last),
                        None => Verdict::Ended,
                    }),
                    subscription.ticket.filter(|_| subscription.last),
                ),
                Event::Failed { ticket, failure } => {
                    let sent = known(ticket);
                    let (id, tag) = (sent.id, sent.tag.as_bytes());
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
                        self.late(id, failure.maybe_executed);
                        // Out of turn.
                        self.end(ticket, false);
                        continue;
                    }
                    failed.push((id, failure.maybe_executed));
                    (None, Some(ticket))
                }
                Event::Closed { reason, mode, watching } => {
                    let out_of_step = matches!(reason, CloseReason::OutOfStep);
                    let reset = matches!(reason, CloseReason::Refused { step: "RESET", .. });
                    let shown = format!("{reason:?}");
                    self.closed(open.take(), out_of_step, reset, &shown, (mode, watching), &failed);
                    continue;
                }
                Event::Connected { protocol, .. } => {
                    self.model.greeted(if protocol == Protocol::Resp3 {
                        model::Protocol::Resp3
                    } else {
                        model::Protocol::Resp2
                    });
                    continue;
                }
                Event::SubscriptionEnd(_) => (Some(Verdict::Ended), None),
                Event::Message(_) => (Some(Verdict::Message), None),
                Event::Push { .. } => (Some(Verdict::Push), None),
                Event::Monitor { .. } => (Some(Verdict::Monitor), None),
                _ => (None, None),
            };
            if let (Some(verdict), Some(seen)) = (open, seen)
                && !self.blind
            {
                let fits = match (verdict, seen) {
                    (Verdict::ReplyOrEnd(id), Verdict::Reply(is)) => id == is,
                    // Nobody asked, but names have changed.
                    (Verdict::Swallowed, Verdict::Ended) => true,
                    // A push inside of a reply comes before it.
                    (_, Verdict::Message | Verdict::Push) => true,
                    (verdict, seen) => verdict == seen,
                };
                assert!(fits, "{seen:?}, should be {verdict:?}");
                if !matches!(seen, Verdict::Message | Verdict::Push) || verdict == seen {
                    open = None;
                }
            }
            if let Some(ticket) = ended {
                self.end(ticket, true);
            }
        }
        if let Some(verdict) = open
            && !self.blind
        {
            let quiet = verdict == Verdict::Swallowed;
            assert!(quiet, "nothing was seen, should be {verdict:?}");
        }
    }

    /// A command was late.
    fn late(&mut self, id: Id, maybe_executed: bool) {
        let executed = self.model.expire(id);
        assert!(
            self.blind || agrees(executed, maybe_executed),
            "late, and maybe executed is {maybe_executed}"
        );
        if !maybe_executed {
            // If it is written all the same, that is seen.
            self.model.forget(id);
        }
    }

    fn closed(
        &mut self,
        verdict: Option<Verdict>,
        out_of_step: bool,
        reset: bool,
        reason: &str,
        was: (Mode, bool),
        failed: &[(Id, bool)],
    ) {
        assert!(self.redis.is_idle());
        assert_eq!(self.redis.in_flight(), 0);
        for sent in &self.sent {
            assert!(sent.ended || sent.discarded, "{} outlived its connection", sent.tag);
        }
        let greeting = self.online && !self.model.is_ready();
        let session = self.model.projection();
        let should = self.model.lost();
        if !self.blind {
            match verdict {
                Some(Verdict::OutOfStep) => {}
                Some(Verdict::ReplyOrEnd(_)) => {}
                Some(Verdict::Swallowed) if reset => {}
                verdict => {
                    assert!(greeting || !(out_of_step || reset), "{reason}, should be {verdict:?}");
                    assert!(verdict.is_none(), "{reason}, should be {verdict:?}");
                    if !greeting {
                        assert_eq!((mode_of(was.0), was.1), (session.mode(), session.watching), "{reason}");
                    }
                }
            }
            let same = failed.len() == should.len()
                && failed.iter().zip(&should).all(|(is, should)| {
                    // What never came whole was not executed.
                    let whole = !self.begun.is_some_and(|(id, left)| id == is.0 && left > 0);
                    is.0 == should.0 && (agrees(should.1, is.1) || (!whole && !is.1))
                });
            assert!(
                same || verdict.is_some_and(|v| v != Verdict::OutOfStep),
                "{failed:?}, should be {should:?}"
            );
        }
        if self.blind {
            let names =
                KINDS.map(|(kind, _)| self.redis.subscribed_names(kind).map(<[u8]>::to_vec).collect());
            self.model.adopt(names, self.redis.database());
        }
        self.fresh();
        self.online = false;
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

fn agrees(executed: Executed, maybe: bool) -> bool {
    match executed {
        Executed::No => !maybe,
        Executed::Maybe => maybe,
        Executed::Either => true,
    }
}

fn words_of(command: &Value) -> Vec<Vec<u8>> {
    let Value::Array(words) = command else { panic!("what was written is no command: {command:?}") };
    words.iter().map(|word| word.text().unwrap().to_vec()).collect()
}
