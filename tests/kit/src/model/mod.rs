//! What commands and replies do to one connection, by the pages of Redis and Valkey and by what their servers do.
//!
//! It is written to be compared with: simple, slow, and without a line of the engine. A [`Model`] keeps two things, the
//! [`Session`] that the server has confirmed and the commands that are still to be answered. What the connection is in is
//! the one with all of the other applied to it, calculated anew whenever somebody asks. So a command that is refused or
//! taken back needs no undoing: it is simply not there the next time.
//!
//! | file | what is in it |
//! |---|---|
//! | `table.rs` | one row for each command that does something to the connection, with its page |
//! | `session.rs` | what the server keeps, and what a row does to it |
//! | `value.rs` | the wire, as a tree |
//! | `serve.rs` | a server that answers as the pages say |
//! | `mod.rs` | the two sides, and which command an answer belongs to |

// Modes, kinds and flags are named as on the pages, and are said there.
#![allow(missing_docs)]

use std::collections::VecDeque;
use std::ops::{BitAnd, BitOr, Sub};

pub mod serve;
pub mod session;
pub mod table;
pub mod value;

pub use session::{Replies, Session};
pub use value::Value;

use table::{Effect, InMulti, Row, Shape};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Resp2,
    Resp3,
}

/// What the server is in, named as the engine names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Ready,
    Transaction,
    Subscribed,
    Monitor,
    ReplyOff,
    ReplySkip,
    Closing,
}

/// What is subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Channel = 0,
    Pattern = 1,
    Shard = 2,
}

/// Why a command must not be sent, named as the engine names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misuse {
    InTransaction,
    NoTransaction,
    Subscribed,
    Monitoring,
    RepliesOff,
    Closing,
    Handshake,
    Replication,
    NotAlone,
    NotInPieces,
    Empty,
}

/// What stays with a connection, so that the next user of it would see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes(u16);

impl Changes {
    pub const NONE: Changes = Changes(0);
    pub const USER: Changes = Changes(1);
    pub const NAME: Changes = Changes(1 << 1);
    pub const LIBRARY: Changes = Changes(1 << 2);
    pub const TRACKING: Changes = Changes(1 << 3);
    pub const CACHING: Changes = Changes(1 << 4);
    pub const NO_EVICT: Changes = Changes(1 << 5);
    pub const NO_TOUCH: Changes = Changes(1 << 6);
    pub const CAPABILITIES: Changes = Changes(1 << 7);
    pub const IMPORT_SOURCE: Changes = Changes(1 << 8);
    pub const READONLY: Changes = Changes(1 << 9);
    pub const ASKING: Changes = Changes(1 << 10);
    pub const SCRIPT_DEBUG: Changes = Changes(1 << 11);
    pub const FIELD_SETS: Changes = Changes(1 << 12);
    pub const PROTOCOL: Changes = Changes(1 << 13);

    pub const ALL: [(Changes, &'static str); 14] = [
        (Changes::USER, "USER"),
        (Changes::NAME, "NAME"),
        (Changes::LIBRARY, "LIBRARY"),
        (Changes::TRACKING, "TRACKING"),
        (Changes::CACHING, "CACHING"),
        (Changes::NO_EVICT, "NO_EVICT"),
        (Changes::NO_TOUCH, "NO_TOUCH"),
        (Changes::CAPABILITIES, "CAPABILITIES"),
        (Changes::IMPORT_SOURCE, "IMPORT_SOURCE"),
        (Changes::READONLY, "READONLY"),
        (Changes::ASKING, "ASKING"),
        (Changes::SCRIPT_DEBUG, "SCRIPT_DEBUG"),
        (Changes::FIELD_SETS, "FIELD_SETS"),
        (Changes::PROTOCOL, "PROTOCOL"),
    ];

    pub fn contains(self, other: Changes) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Changes {
    type Output = Changes;
    fn bitor(self, other: Changes) -> Changes {
        Changes(self.0 | other.0)
    }
}

impl BitAnd for Changes {
    type Output = Changes;
    fn bitand(self, other: Changes) -> Changes {
        Changes(self.0 & other.0)
    }
}

impl Sub for Changes {
    type Output = Changes;
    fn sub(self, other: Changes) -> Changes {
        Changes(self.0 & !other.0)
    }
}

/// Whether a command may have been executed that gets no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executed {
    No,
    Maybe,
    /// Nobody can complain about either answer.
    Either,
}

/// Names a command of the model.
pub type Id = usize;

/// A command that is still to be answered.
#[derive(Debug, Clone)]
pub struct Sent {
    /// None for what the client sends of its own accord.
    pub id: Option<Id>,
    pub words: Vec<Vec<u8>>,
    /// At least one byte of it was handed out to be written.
    pub handed_out: bool,
    /// Nobody wants to hear of it any more.
    pub discarded: bool,
    /// The server says nothing to it, after CLIENT REPLY OFF or SKIP.
    pub silent: bool,
    /// How many of its names the server has confirmed.
    confirmed: usize,
    /// A SUNSUBSCRIBE that the client has heard the end of, while the PONG after it is still to come.
    told: bool,
    /// It was answered with an error.
    refused: bool,
}

impl Sent {
    pub fn row(&self) -> &'static Row {
        table::find(&self.words)
    }
}

/// What a value that was received is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answers this command.
    Reply(Id),
    /// The command was queued.
    Queued(Id),
    /// A name of this command was confirmed, perhaps the last one.
    Confirmation(Id, bool),
    /// It answers a command that nobody wants to hear of, or one that the client has sent of its own accord.
    Swallowed,
    /// It refuses this command, so that nothing has changed. To end the connection is right too: what was sent after it
    /// was sent for another state.
    ReplyOrEnd(Id),
    /// The server has ended a subscription.
    Ended,
    Message,
    Push,
    Monitor,
    /// It was too large, and belonged to this command.
    Skipped(Id),
    /// It answers nothing, or not what was asked: the connection has to end.
    OutOfStep,
    /// No page says what it would mean.
    Unspecified(&'static str),
}

/// What the client was told about the connection before it began.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// What it asks for.
    pub protocol: Protocol,
    pub database: u32,
    /// The handshake says CLIENT SETINFO.
    pub library: bool,
    /// The client sends a PING of its own after SUNSUBSCRIBE.
    pub fences: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Offline,
    Greeting,
    Ready,
}

/// Both sides of one connection.
#[derive(Debug, Clone)]
pub struct Model {
    setup: Setup,
    phase: Phase,
    /// What the handshake has agreed on, the last time.
    agreed: Protocol,
    /// What the server is known to be in.
    confirmed: Session,
    queue: VecDeque<Sent>,
    next: Id,
}

/// The codes of errors about keys, scripts and the data: no server refuses CLIENT REPLY with them.
const ABOUT_DATA: [&str; 14] = [
    "WRONGTYPE",
    "NOSCRIPT",
    "BUSYGROUP",
    "BUSYKEY",
    "NOGROUP",
    "READONLY",
    "NOREPLICAS",
    "OOM",
    "MISCONF",
    "TRYAGAIN",
    "MOVED",
    "ASK",
    "CLUSTERDOWN",
    "CROSSSLOT",
];

impl Model {
    pub fn new(setup: Setup) -> Self {
        Model {
            setup,
            phase: Phase::Offline,
            agreed: setup.protocol,
            confirmed: Session { database: setup.database, ..Session::new() },
            queue: VecDeque::new(),
            next: 0,
        }
    }

    // What has to be observable.

    /// What the server will be in if all that was sent succeeds.
    pub fn projection(&self) -> Session {
        let mut session = self.confirmed.clone();
        if self.phase != Phase::Ready {
            session.protocol = self.agreed;
        }
        for sent in self.queue.iter().filter(|sent| !sent.refused) {
            let row = sent.row();
            session.run(&sent.words);
            if row.effect == Effect::Reset {
                self.greet(&mut session);
            }
        }
        session
    }

    pub fn mode(&self) -> Mode {
        self.projection().mode()
    }

    pub fn is_watching(&self) -> bool {
        self.projection().watching
    }

    /// The names of a kind that would be subscribed to again.
    pub fn names(&self, kind: Kind) -> Vec<Vec<u8>> {
        self.projection().names[kind as usize].iter().cloned().collect()
    }

    pub fn database(&self) -> u32 {
        self.confirmed.database
    }

    pub fn protocol(&self) -> Protocol {
        if self.phase == Phase::Ready { self.confirmed.protocol } else { Protocol::Resp2 }
    }

    /// The flags that have to be set, and those about which nothing is asserted.
    pub fn changes(&self) -> (Changes, Changes) {
        let mut changes = self.confirmed.changes;
        let mut unsure = self.confirmed.unsure;
        if self.phase == Phase::Ready && self.confirmed.protocol != self.agreed {
            changes = changes | Changes::PROTOCOL;
        }
        if !self.queue.is_empty() {
            // "Until the next command" may mean until it is sent, or until it is answered.
            unsure = unsure | Changes::CACHING | Changes::ASKING;
        }
        for sent in self.queue.iter().filter(|sent| sent.silent) {
            if let Effect::Sets(flag) | Effect::Clears(flag) = sent.row().effect {
                unsure = unsure | flag;
            }
        }
        (changes, unsure)
    }

    /// Whether the connection is as fresh as after its handshake; none where that is not settled.
    pub fn is_clean(&self) -> Option<bool> {
        let (changes, unsure) = self.changes();
        let session = self.projection();
        let dirty = self.phase != Phase::Ready
            || self.queue.iter().any(|sent| !sent.silent)
            || session.mode() != Mode::Ready
            || session.watching
            || session.has_names()
            || session.database != self.setup.database
            || !(changes - unsure).is_empty();
        if dirty {
            Some(false)
        } else if !unsure.is_empty() || !self.queue.is_empty() {
            None
        } else {
            Some(true)
        }
    }

    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    pub fn queue(&self) -> impl Iterator<Item = &Sent> {
        self.queue.iter()
    }

    pub fn confirmed(&self) -> &Session {
        &self.confirmed
    }

    /// Whether the command still has an answer to come.
    pub fn is_pending(&self, id: Id) -> bool {
        self.queue.iter().any(|sent| sent.id == Some(id) && !sent.silent && !sent.discarded && !sent.told)
    }

    // What the client does.

    /// Why the command must not be sent now: any of these is right to say. None, and it has to be accepted.
    pub fn refusals(&self, words: &[&[u8]]) -> Vec<Misuse> {
        if words.is_empty() {
            return vec![Misuse::Empty];
        }
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
        let row = table::find(&words);
        let session = self.projection();
        let mode = session.mode();
        let mut refusals = Vec::new();
        let mut refuse = |when: bool, misuse: Misuse| {
            if when {
                refusals.push(misuse);
            }
        };
        refuse(mode == Mode::Closing, Misuse::Closing);
        refuse(row.effect == Effect::Replicate, Misuse::Replication);
        // A monitor may do more, but its other replies stand between lines that look like them.
        // <https://redis.io/docs/latest/commands/monitor/>
        refuse(
            mode == Mode::Monitor && !matches!(row.effect, Effect::Reset | Effect::Quit),
            Misuse::Monitoring,
        );
        // <https://redis.io/docs/latest/develop/pubsub/>
        let is_ping = words[0].eq_ignore_ascii_case(b"PING");
        let when_subscribed = matches!(
            row.effect,
            Effect::Subscribe(_) | Effect::Unsubscribe(_) | Effect::Quit | Effect::Reset
        );
        refuse(mode == Mode::Subscribed && !is_ping && !when_subscribed, Misuse::Subscribed);
        // What decides how the next reply is read has to be confirmed; see `tolerated` for the rest.
        let silent_is_fine = matches!(
            row.effect,
            Effect::None
                | Effect::ReplyOn
                | Effect::ReplyOff
                | Effect::ReplySkip
                | Effect::Unwatch
                | Effect::Quit
                | Effect::Sets(_)
                | Effect::Clears(_)
        );
        let reset_answers = mode == Mode::ReplyOff && row.effect == Effect::Reset;
        refuse(
            matches!(mode, Mode::ReplyOff | Mode::ReplySkip) && !silent_is_fine && !reset_answers,
            Misuse::RepliesOff,
        );
        refuse(mode == Mode::Transaction && row.in_multi == InMulti::Refused, Misuse::InTransaction);
        let ends_multi = matches!(row.effect, Effect::Exec | Effect::Discard);
        refuse(mode != Mode::Transaction && ends_multi, Misuse::NoTransaction);
        // AUTH that fails after another command gets no answer at all: Redis 8.0 to 8.6, Valkey 8.1.
        let settled = self.phase == Phase::Ready && self.queue.iter().all(|sent| sent.silent);
        let wants_alone = matches!(row.effect, Effect::Auth | Effect::Hello);
        refuse(wants_alone && !settled, Misuse::NotAlone);
        refuse(row.effect == Effect::Hello && !settled, Misuse::Handshake);
        refuse(row.effect == Effect::Hello && mode != Mode::Ready, Misuse::Handshake);
        refuse(row.effect == Effect::Reset && self.phase != Phase::Ready, Misuse::NotAlone);
        refusals
    }

    /// What may be said as well to a command that may be sent. While nothing is answered, what sets a flag is never
    /// confirmed, QUIT is not answered, and CLIENT REPLY SKIP does nothing after OFF: both ways keep the connection in step.
    pub fn tolerated(&self, words: &[&[u8]]) -> Option<Misuse> {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
        let effect = table::find(&words).effect;
        // Whether what is not answered is in flight is a matter of words.
        if matches!(effect, Effect::Auth | Effect::Hello) && !self.queue.is_empty() {
            return Some(Misuse::NotAlone);
        }
        // Behind one of these everything waits for the answer.
        let waits = |sent: &Sent| matches!(sent.row().effect, Effect::Auth | Effect::Hello | Effect::Reset);
        if effect == Effect::Reset && self.queue.iter().any(waits) {
            return Some(Misuse::NotAlone);
        }
        let silent = matches!(self.mode(), Mode::ReplyOff | Mode::ReplySkip);
        let either = matches!(
            effect,
            Effect::Quit | Effect::Unwatch | Effect::ReplySkip | Effect::Sets(_) | Effect::Clears(_)
        );
        (silent && either).then_some(Misuse::RepliesOff)
    }

    /// Why the command must not be sent with its last word in pieces.
    pub fn refusals_in_pieces(&self, words: &[&[u8]]) -> Vec<Misuse> {
        let owned: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
        // The last word may still make it one of those that change the connection.
        let may_become = table::TABLE.iter().any(|row| {
            row.words.len() > owned.len()
                && row.words.iter().zip(&owned).all(|(want, word)| word.eq_ignore_ascii_case(want.as_bytes()))
        });
        let mut refusals = self.refusals(words);
        if self.phase != Phase::Ready || may_become || table::find(&owned).effect != Effect::None {
            refusals.push(Misuse::NotInPieces);
        }
        refusals
    }

    /// A command was accepted. None if there will be no answer.
    pub fn sent(&mut self, words: &[&[u8]]) -> (Id, bool) {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
        let row = table::find(&words);
        let silent = self.projection().is_silent_for(row);
        let id = self.next;
        self.next += 1;
        let entry = |id, words| Sent {
            id,
            words,
            handed_out: false,
            discarded: false,
            silent,
            confirmed: 0,
            told: false,
            refused: false,
        };
        self.queue.push_back(entry(Some(id), words));
        if self.setup.fences && row.effect == Effect::Unsubscribe(Kind::Shard) {
            self.queue.push_back(entry(None, vec![b"PING".to_vec()]));
        }
        (id, !silent)
    }

    /// At least one byte of the oldest command of which none was handed out has been.
    pub fn handed_out(&mut self) -> &Sent {
        let sent = self.queue.iter_mut().find(|sent| !sent.handed_out).expect("a command that waits");
        sent.handed_out = true;
        sent
    }

    /// The client has written a command of its own accord, a PING to see whether the server is there.
    pub fn own(&mut self, words: Vec<Vec<u8>>) {
        let at = self.queue.iter().position(|sent| !sent.handed_out).unwrap_or(self.queue.len());
        let own = Sent {
            id: None,
            words,
            handed_out: true,
            discarded: false,
            silent: false,
            confirmed: 0,
            told: false,
            refused: false,
        };
        self.queue.insert(at, own);
    }

    /// Nobody waits for the command any more. `taken_back`: it will not be written at all. What is wrong with that, if
    /// something is.
    pub fn discard(&mut self, id: Id, taken_back: bool) -> Result<(), &'static str> {
        let at = self.queue.iter().position(|sent| sent.id == Some(id)).ok_or("it was answered")?;
        if !taken_back {
            self.queue[at].discarded = true;
            return Ok(());
        }
        let sent = &self.queue[at];
        if sent.handed_out {
            return Err("bytes of it were handed out");
        }
        let alone = at + 1 == self.queue.len();
        match sent.row().effect {
            Effect::Multi if !alone => return Err("what stands behind MULTI would run at once"),
            Effect::ReplyOff | Effect::ReplySkip if !alone => {
                return Err("what stands behind CLIENT REPLY would be answered");
            }
            Effect::Unsubscribe(Kind::Shard) if self.setup.fences => {
                self.queue.remove(at + 1);
            }
            _ => {}
        }
        self.queue.remove(at);
        Ok(())
    }

    /// The time of a command has come. It is told, and its answer will be swallowed; what was not handed out and is told to
    /// be not executed must never be written ([`forget`](Self::forget)).
    pub fn expire(&mut self, id: Id) -> Executed {
        let Some(at) = self.queue.iter().position(|sent| sent.id == Some(id)) else {
            return Executed::Either;
        };
        let executed = match self.executed(at) {
            // EXEC may still be sent, and what is not taken back may still be written.
            Executed::No => Executed::Either,
            other => other,
        };
        self.queue[at].discarded = true;
        executed
    }

    /// A command of which no byte was handed out is not in the way any more.
    pub fn forget(&mut self, id: Id) {
        self.queue.retain(|sent| sent.id != Some(id) || sent.handed_out);
    }

    /// Begins anew from what is known to be so without a stream.
    pub fn adopt(&mut self, names: [Vec<Vec<u8>>; 3], database: u32) {
        self.lost();
        self.confirmed.database = database;
        self.confirmed.names = names.map(|names| names.into_iter().collect());
    }

    // What becomes of the stream.

    pub fn connected(&mut self) {
        self.phase = Phase::Greeting;
    }

    /// The handshake is done, and all subscriptions are back.
    pub fn greeted(&mut self, agreed: Protocol) {
        self.agreed = agreed;
        self.phase = Phase::Ready;
        let mut session = self.confirmed.clone();
        self.greet(&mut session);
        session.database = self.confirmed.database;
        self.confirmed = session;
    }

    /// What the handshake does to a connection. The name is given anew wherever one was configured, and there is none
    /// otherwise.
    fn greet(&self, session: &mut Session) {
        session.protocol = self.agreed;
        session.database = self.setup.database;
        if self.setup.library {
            session.changes = session.changes - Changes::LIBRARY;
        }
    }

    /// The stream is gone. What each command that waits is told, in this order.
    pub fn lost(&mut self) -> Vec<(Id, Executed)> {
        let failed = self.failing();
        // The names that were asked for are asked for again; everything else is gone with the stream.
        let projection = self.projection();
        self.confirmed =
            Session { names: projection.names, database: self.confirmed.database, ..Session::new() };
        self.queue.clear();
        self.agreed = self.setup.protocol;
        self.phase = Phase::Offline;
        failed
    }

    /// What each command that waits would be told now if the stream were lost.
    pub fn failing(&self) -> Vec<(Id, Executed)> {
        (0..self.queue.len())
            .filter(|&at| !self.queue[at].silent && !self.queue[at].discarded && !self.queue[at].told)
            .filter_map(|at| Some((self.queue[at].id?, self.executed(at))))
            .collect()
    }

    /// A command was not executed if no byte of it was handed out, or if it stands in a transaction that the server has
    /// begun, as MULTI's own reply has said, and EXEC was not handed out.
    fn executed(&self, at: usize) -> Executed {
        let at_once = |sent: &Sent| sent.row().in_multi == InMulti::AtOnce;
        if !self.queue[at].handed_out {
            return Executed::No;
        }
        let in_transaction = self.confirmed.queued.is_some() && !self.queue.range(..=at).any(at_once);
        let end = self.queue.range(at..).find(|sent| at_once(sent));
        let executes = end.is_some_and(|end| end.row().effect == Effect::Exec && end.handed_out);
        if in_transaction && !executes { Executed::No } else { Executed::Maybe }
    }

    // What the server says.

    /// A value has come. It is applied, and what it is is told.
    pub fn received(&mut self, value: &Value) -> Verdict {
        if let Some(verdict) = self.aside(value) {
            return verdict;
        }
        // A published message inside EXEC's array is no element of it.
        let mut value = value.clone();
        value.take_pushes(&mut Vec::new());
        self.reply(&value, false)
    }

    /// A value has come that did not fit into the memory of the client.
    pub fn too_large(&mut self, value: &Value) -> Verdict {
        if matches!(value, Value::Push(_)) {
            return Verdict::Push;
        }
        let arrays = self.confirmed.protocol == Protocol::Resp2 && self.confirmed.has_names();
        if arrays && matches!(value, Value::Array(_)) {
            return Verdict::Unspecified("a message or a reply");
        }
        self.reply(value, true)
    }

    /// Messages, other pushes, confirmations and what a monitor sees: what stands for itself.
    fn aside(&mut self, value: &Value) -> Option<Verdict> {
        let oldest = self.queue.iter().find(|sent| !sent.silent).map(Sent::row);
        let subscribing =
            oldest.is_some_and(|row| matches!(row.effect, Effect::Subscribe(_) | Effect::Unsubscribe(_)));
        let values = match value {
            Value::Push(_) if self.confirmed.protocol == Protocol::Resp2 => {
                return Some(Verdict::Unspecified("a push under RESP2"));
            }
            Value::Push(values) => values,
            Value::Array(values)
                if self.confirmed.protocol == Protocol::Resp2
                    && (self.confirmed.has_names() || subscribing)
                    && values.first().is_none_or(|name| name.text() != Some(b"pong")) =>
            {
                values
            }
            Value::Status(line)
                if self.confirmed.monitoring && line.first().is_some_and(u8::is_ascii_digit) =>
            {
                return Some(Verdict::Monitor);
            }
            _ => return None,
        };
        let Some(name) = values.first().and_then(Value::text) else {
            return Some(Verdict::Unspecified("a push without a name"));
        };
        let name = String::from_utf8_lossy(name).into_owned();
        let texts = || values[1..].iter().all(|value| value.text().is_some());
        let confirmation = |kind| (kind, !name.contains("un"));
        let (kind, subscribed) = match (&name[..], values.len()) {
            ("message" | "smessage", 3) | ("pmessage", 4) if texts() => return Some(Verdict::Message),
            ("message" | "smessage" | "pmessage", _) => {
                return Some(Verdict::Unspecified("a message of another shape"));
            }
            ("subscribe" | "unsubscribe", 3) => confirmation(Kind::Channel),
            ("psubscribe" | "punsubscribe", 3) => confirmation(Kind::Pattern),
            ("ssubscribe" | "sunsubscribe", 3) => confirmation(Kind::Shard),
            _ if matches!(value, Value::Push(_)) => return Some(Verdict::Push),
            _ => return None,
        };
        if !matches!(values[2], Value::Integer(_)) {
            return Some(Verdict::Unspecified("a confirmation without a count"));
        }
        Some(self.confirmation(kind, subscribed, values[1].text()))
    }

    fn confirmation(&mut self, kind: Kind, subscribed: bool, name: Option<&[u8]>) -> Verdict {
        let names = &mut self.confirmed.names[kind as usize];
        let known = name.is_some_and(|name| names.contains(name));
        let Some(at) = self.queue.iter().position(|sent| !sent.silent) else {
            return Self::ended(names, kind, subscribed, name);
        };
        let sent = &self.queue[at];
        let (id, asked, discarded) = (sent.id, sent.words[1..].to_vec(), sent.discarded);
        if self.confirmed.queued.is_some() {
            return Verdict::Unspecified("a confirmation inside MULTI");
        }
        let fenced = self.setup.fences && kind == Kind::Shard && !subscribed;
        let belongs = match sent.row().effect {
            Effect::Subscribe(of) => of == kind && subscribed,
            Effect::Unsubscribe(of) => of == kind && !subscribed,
            _ => false,
        };
        if belongs && fenced {
            return self.fenced(at, kind, name);
        }
        if !belongs {
            return Self::ended(names, kind, subscribed, name);
        }
        if let Some(wanted) = asked.get(sent.confirmed) {
            if name != Some(wanted) {
                return Verdict::OutOfStep;
            }
        } else if subscribed {
            return Verdict::OutOfStep;
        } else if !known && name.is_some() {
            return Verdict::Unspecified("the end of a subscription that there was none of");
        } else if name.is_none() && !names.is_empty() {
            return Verdict::Unspecified("nothing to unsubscribe from, though there was");
        }
        if let Some(name) = name {
            if subscribed {
                names.insert(name.to_vec());
            } else {
                names.remove(name);
            }
        }
        let last = if asked.is_empty() { names.is_empty() } else { sent.confirmed + 1 == asked.len() };
        self.silent_before(at);
        self.queue[0].confirmed += 1;
        if last && let Some(sent) = self.queue.pop_front() {
            self.confirmed.run(&sent.words);
        }
        match id {
            Some(id) if !discarded => Verdict::Confirmation(id, last),
            _ => Verdict::Swallowed,
        }
    }

    /// While a SUNSUBSCRIBE waits for the PONG after it, the server's own pushes cannot be told from its confirmations:
    /// as many as it has names count as these, and the rest says nothing.
    fn fenced(&mut self, at: usize, kind: Kind, name: Option<&[u8]>) -> Verdict {
        let names = &mut self.confirmed.names[kind as usize];
        let sent = &mut self.queue[at];
        let asked = &sent.words[1..];
        let was_there = name.is_some_and(|name| names.remove(name));
        let asked_for = asked.is_empty() || name.is_some_and(|name| asked.iter().any(|asked| asked == name));
        if !asked_for && was_there {
            return Verdict::Ended;
        }
        if !asked_for || sent.told {
            return Verdict::Swallowed;
        }
        sent.confirmed += 1;
        sent.told = if asked.is_empty() { names.is_empty() } else { sent.confirmed == asked.len() };
        match sent.id {
            Some(id) if !sent.discarded => Verdict::Confirmation(id, sent.told),
            _ => Verdict::Swallowed,
        }
    }

    /// A confirmation that nobody has asked for: the server ends subscriptions to shard channels whose slot moves away.
    /// <https://redis.io/docs/latest/develop/pubsub/#sharded-pubsub>
    fn ended(
        names: &mut std::collections::BTreeSet<Vec<u8>>,
        kind: Kind,
        subscribed: bool,
        name: Option<&[u8]>,
    ) -> Verdict {
        match name {
            Some(name) if kind == Kind::Shard && !subscribed => {
                // That nobody was subscribed to says nothing.
                if names.remove(name) { Verdict::Ended } else { Verdict::Swallowed }
            }
            _ => Verdict::Unspecified("a confirmation that nobody has asked for"),
        }
    }

    /// Everything that is not answered and stands before `at` has been done by now.
    fn silent_before(&mut self, at: usize) {
        for sent in self.queue.drain(..at).collect::<Vec<_>>() {
            self.confirmed.run(&sent.words);
            // Nobody has said that it succeeded.
            if let Effect::Sets(flag) | Effect::Clears(flag) = sent.row().effect {
                self.confirmed.unsure = self.confirmed.unsure | flag;
            }
        }
    }

    fn reply(&mut self, value: &Value, large: bool) -> Verdict {
        let Some(at) = self.queue.iter().position(|sent| !sent.silent) else { return Verdict::OutOfStep };
        let error = value.is_error();
        if at > 0 && error && !ABOUT_DATA.iter().any(|code| value.is_error_with(code)) {
            // It may be CLIENT REPLY itself that was refused, and then everything after it is answered.
            return Verdict::OutOfStep;
        }
        let sent = self.queue[at].clone();
        let row = sent.row();
        if !sent.handed_out {
            return Verdict::OutOfStep;
        }
        // The PING after SUNSUBSCRIBE has come back.
        if self.setup.fences && row.effect == Effect::Unsubscribe(Kind::Shard) && !error {
            // Something has to come before it.
            if !self.is_pong(value) || !sent.told {
                return Verdict::OutOfStep;
            }
            self.silent_before(at);
            self.queue.drain(..2);
            if !sent.refused {
                self.confirmed.run(&sent.words);
            }
            return Verdict::Swallowed;
        }
        if sent.told && error {
            // Valkey answers that another node serves the channel; any other error may be that to the PING.
            let redirects = ["MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN"];
            let redirected = redirects.iter().any(|code| value.is_error_with(code));
            let verdict = if redirected && !sent.refused { Verdict::Swallowed } else { Verdict::OutOfStep };
            self.queue[at].refused = true;
            return verdict;
        }
        self.silent_before(at);
        let fenced = self.setup.fences && row.effect == Effect::Unsubscribe(Kind::Shard);
        if error && fenced {
            // The PONG is still to come.
            self.confirmed.refuse(&sent.words);
            (self.queue[0].told, self.queue[0].refused) = (true, true);
            return match sent.id {
                Some(id) if !sent.discarded => Verdict::Reply(id),
                _ => Verdict::Swallowed,
            };
        }
        let verdict = if error {
            self.refused(&sent)
        } else if self.confirmed.queues(row) {
            if !value.is_status("QUEUED") {
                return Verdict::OutOfStep;
            }
            if row.in_multi == InMulti::Refused {
                return Verdict::Unspecified("what cannot stand in a transaction was queued");
            }
            self.confirmed.run(&sent.words);
            sent.id.map(Verdict::Queued)
        } else {
            match self.answered(&sent, row, value, large) {
                Ok(()) => sent.id.map(|id| if large { Verdict::Skipped(id) } else { Verdict::Reply(id) }),
                Err(verdict) => return verdict,
            }
        };
        self.queue.pop_front();
        match verdict {
            Some(verdict) if !sent.discarded => verdict,
            _ => Verdict::Swallowed,
        }
    }

    /// Whether the reply to HELLO has the protocol in it that was asked for, or else the one that there is. Where it is too
    /// large to be read, a map speaks for RESP3 and an array for RESP2.
    fn says_the_protocol(&self, words: &[Vec<u8>], value: &Value, large: bool) -> bool {
        let asked = match words.get(1).map(|word| &word[..]) {
            Some(b"2") => Protocol::Resp2,
            Some(b"3") => Protocol::Resp3,
            _ => self.confirmed.protocol,
        };
        if large {
            return match asked {
                Protocol::Resp2 => matches!(value, Value::Array(_)),
                Protocol::Resp3 => matches!(value, Value::Map(_)),
            };
        }
        let flat: Vec<&Value> = match value {
            Value::Map(values) | Value::Array(values) => values.iter().collect(),
            _ => return false,
        };
        let number = if asked == Protocol::Resp2 { 2 } else { 3 };
        flat.chunks_exact(2)
            .find(|pair| pair[0].text() == Some(b"proto"))
            .is_some_and(|pair| *pair[1] == Value::Integer(number))
    }

    fn is_pong(&self, value: &Value) -> bool {
        value.is_status("PONG")
            || matches!(value, Value::Array(values) if values.first().is_some_and(|v| v.text() == Some(b"pong")))
    }

    fn refused(&mut self, sent: &Sent) -> Option<Verdict> {
        self.confirmed.refuse(&sent.words);
        let counts_on_it = match sent.row().effect {
            Effect::Reset => true,
            Effect::Discard => self.confirmed.queued.is_some(),
            _ => false,
        };
        sent.id.map(if counts_on_it { Verdict::ReplyOrEnd } else { Verdict::Reply })
    }

    /// The command was run, and this is what it says.
    fn answered(&mut self, sent: &Sent, row: &Row, value: &Value, large: bool) -> Result<(), Verdict> {
        let fits = match row.shape {
            Shape::Any => true,
            Shape::Ok if row.effect == Effect::Discard && self.confirmed.queued.is_none() => false,
            Shape::Ok => value.is_status("OK"),
            Shape::OkMore if !value.is_status("OK") => {
                return Err(Verdict::Unspecified("a reply of the wrong shape to what sets a flag"));
            }
            Shape::OkMore => true,
            Shape::Reset => value.is_status("RESET"),
            Shape::Hello => self.says_the_protocol(&sent.words, value, large),
            Shape::Confirmations | Shape::Nothing => false,
            Shape::Exec => {
                let Some(queued) = &self.confirmed.queued else { return Err(Verdict::OutOfStep) };
                match value {
                    Value::Null => {
                        self.confirmed.exec_nothing();
                        self.confirmed.refuse(&[]);
                        return Ok(());
                    }
                    Value::Array(values) if values.len() == queued.len() => {
                        if self.confirmed.aborted {
                            return Err(Verdict::Unspecified("EXEC has run what it had to refuse"));
                        }
                        // EXEC has unwatched before, and what holds for one command ends with it.
                        let state = |words: &Vec<Vec<u8>>| match table::find(words).effect {
                            Effect::None | Effect::Unwatch => false,
                            Effect::Sets(flag) => flag != Changes::ASKING && flag != Changes::CACHING,
                            _ => true,
                        };
                        if large && queued.iter().any(state) {
                            return Err(Verdict::OutOfStep);
                        }
                        self.confirmed.exec(|at| !values[at].is_error());
                        self.confirmed.refuse(&[]);
                        return Ok(());
                    }
                    _ => return Err(Verdict::OutOfStep),
                }
            }
        };
        if !fits {
            return Err(Verdict::OutOfStep);
        }
        self.confirmed.run(&sent.words);
        if row.effect == Effect::Reset {
            // Everything begins anew, and the client greets the server again.
            self.phase = Phase::Greeting;
            self.confirmed.database = self.setup.database;
        }
        Ok(())
    }
}
