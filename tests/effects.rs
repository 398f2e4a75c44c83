//! Every command, in every mode, with every outcome, under both protocols: what can be seen of the connection is what the
//! model of `tests/kit` says, after every step, and replies are in step afterwards.
//!
//! A failure is a list of cases. `EFFECTS=ready,SELECT cargo test --test effects -- --nocapture` runs those alone in whose
//! names all of these words stand, and shows their steps; with `EFFECTS_ALL=1` the list is not cut short.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use redwire::connection::{
    Buffers, Config, Connection, Event, Misuse, Mode, SendError, SubscriptionKind, Ticket,
};
use redwire::resp::Protocol;
use redwire::time::Instant;
use redwire_kit::changes;
use redwire_kit::model::serve::{self, Server};
use redwire_kit::model::table::{self, Effect, InMulti};
use redwire_kit::model::{self, Executed, Id, Kind, Model, Session, Setup, Value, Verdict};

/// What is in the way of the case: it differs, or the pages say no more.
#[derive(Debug)]
enum Stop {
    /// In what, and how exactly.
    Differs(String, String),
    Unspecified,
}

type Step = Result<(), Stop>;

fn differs<T>(what: impl Into<String>) -> Result<T, Stop> {
    differs_in(what, "")
}

fn differs_in<T>(what: impl Into<String>, detail: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Differs(what.into(), detail.into()))
}

/// An event, as far as it is compared.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Connected(model::Protocol),
    Reply(Id, String),
    Queued(Id),
    Skipped(Option<Id>),
    Failed(Id, bool),
    Subscription(Option<Id>, bool),
    Ended,
    Message,
    Push,
    Monitor,
    Closed(String, model::Mode, bool),
    Unknown(String),
}

const NOW: Instant = Instant::from_millis(1);
const KINDS: [(SubscriptionKind, Kind); 3] = [
    (SubscriptionKind::Channel, Kind::Channel),
    (SubscriptionKind::Pattern, Kind::Pattern),
    (SubscriptionKind::Shard, Kind::Shard),
];

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
        Misuse::Empty => model::Misuse::Empty,
        _ => return None,
    })
}

fn protocol_of(protocol: Protocol) -> model::Protocol {
    if protocol == Protocol::Resp3 { model::Protocol::Resp3 } else { model::Protocol::Resp2 }
}

/// A connection, the model, and a server between them.
struct Bench {
    redis: Connection<'static>,
    model: Model,
    server: Server,
    tickets: Vec<(Ticket, Id)>,
    /// What was written of a command that is not complete.
    rest: Vec<u8>,
    /// Complete commands that the server has not answered.
    read: VecDeque<Vec<Vec<u8>>>,
    greeting: bool,
    /// The command must not be sent at all, so that no outcome of it is of interest.
    refused: bool,
    /// Show each step.
    loud: bool,
}

impl Bench {
    fn new(protocol: Protocol, fences: bool, loud: bool) -> Bench {
        let config = Config::default().protocol(protocol).no_library();
        let setup = Setup { protocol: protocol_of(protocol), database: 0, library: false, fences };
        Bench {
            redis: Connection::new(config, Buffers::growing_to(400, 8000)),
            model: Model::new(setup),
            server: Server::default(),
            tickets: Vec::new(),
            rest: Vec::new(),
            read: VecDeque::new(),
            greeting: false,
            refused: false,
            loud,
        }
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.loud {
            println!("    {}", what());
        }
    }

    /// Everything that can be seen is as the model says.
    fn check(&self, when: &str) -> Step {
        fn compare<T: PartialEq + std::fmt::Debug>(when: &str, name: &str, is: T, should: T) -> Step {
            if is == should {
                Ok(())
            } else {
                differs_in(format!("{name} is {is:?}, should be {should:?}"), when)
            }
        }
        let redis = &self.redis;
        let session = self.model.projection();
        compare(when, "mode", mode_of(redis.mode()), session.mode())?;
        compare(when, "is_watching", redis.is_watching(), session.watching)?;
        compare(when, "database", redis.database(), self.model.database())?;
        if !self.greeting {
            compare(when, "protocol", protocol_of(redis.protocol()), self.model.protocol())?;
        }
        for (theirs, ours) in KINDS {
            let mut names: Vec<&[u8]> = redis.subscribed_names(theirs).collect();
            names.sort_unstable();
            let should: Vec<&[u8]> = session.names[ours as usize].iter().map(Vec::as_slice).collect();
            if names != should {
                let text = |names: &[&[u8]]| names.join(&b' ').escape_ascii().to_string();
                compare(when, &format!("{theirs:?} names"), text(&names), text(&should))?;
            }
            compare(when, "subscriptions", redis.subscriptions(theirs), should.len())?;
        }
        let (changes, unsure) = self.model.changes();
        for (name, is) in changes::changes(redis) {
            let (flag, _) = model::Changes::ALL.iter().find(|(_, known)| *known == name).unwrap();
            if !unsure.contains(*flag) {
                compare(when, &format!("changes {name}"), is, changes.contains(*flag))?;
            }
        }
        if let Some(clean) = self.model.is_clean() {
            compare(when, "is_clean", redis.is_clean(), clean)?;
        }
        for (ticket, id) in &self.tickets {
            compare(when, "is_pending", redis.is_pending(*ticket), self.model.is_pending(*id))?;
        }
        Ok(())
    }

    fn events(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        let tickets = &self.tickets;
        let id_of = |ticket: Ticket| {
            tickets.iter().rfind(|(known, _)| *known == ticket).map_or(usize::MAX, |(_, id)| *id)
        };
        while let Some(event) = self.redis.poll_event() {
            seen.push(match event {
                Event::Connected { protocol, .. } => Seen::Connected(protocol_of(protocol)),
                Event::Reply { ticket, frame } => {
                    let text = frame.text().map(|text| String::from_utf8_lossy(text).into_owned());
                    Seen::Reply(id_of(ticket), text.unwrap_or_default())
                }
                Event::Queued { ticket } => Seen::Queued(id_of(ticket)),
                Event::Skipped { ticket, .. } => Seen::Skipped(ticket.map(id_of)),
                Event::Failed { ticket, failure } => Seen::Failed(id_of(ticket), failure.maybe_executed),
                Event::Subscription(subscription) => {
                    Seen::Subscription(subscription.ticket.map(id_of), subscription.last)
                }
                Event::SubscriptionEnd(_) => Seen::Ended,
                Event::Message(_) => Seen::Message,
                Event::Push { .. } => Seen::Push,
                Event::Monitor { .. } => Seen::Monitor,
                Event::Closed { reason, mode, watching } => {
                    let reason = format!("{reason:?}");
                    Seen::Closed(reason, mode_of(mode), watching)
                }
                other => Seen::Unknown(format!("{other:?}")),
            });
        }
        seen
    }

    /// A stream is there, and the server answers the handshake.
    fn connect(&mut self) -> Step {
        self.server = Server::default();
        self.redis.connected(NOW).or_else(|misuse| differs(format!("connected: {misuse}")))?;
        self.model.connected();
        self.greeting = true;
        self.greet()
    }

    fn greet(&mut self) -> Step {
        for _ in 0..20 {
            self.transmit(usize::MAX)?;
            while self.greeting
                && let Some(words) = self.read.pop_front()
            {
                let bytes = self.server.answer(&words);
                self.receive(&bytes);
                for event in self.events() {
                    match event {
                        Seen::Connected(protocol) => {
                            self.greeting = false;
                            self.model.greeted(protocol);
                        }
                        // What a user has asked for is restored as well.
                        Seen::Subscription(None, _) => {}
                        other => return differs(format!("in the handshake: {other:?}")),
                    }
                }
            }
            if !self.greeting {
                return self.check("after the handshake");
            }
            for event in self.events() {
                if let Seen::Connected(protocol) = event {
                    self.greeting = false;
                    self.model.greeted(protocol);
                }
            }
        }
        differs("the handshake does not end")
    }

    /// Sends what may be sent. None if it may not.
    fn send(&mut self, line: &str) -> Result<Option<Id>, Stop> {
        let words: Vec<&str> = line.split(' ').collect();
        let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let refusals = self.model.refusals(&bytes);
        let before = self.redis.queued_bytes();
        let result = self.redis.send(NOW, &words[..]);
        self.say(|| format!("send {line}: {result:?}, refusals {refusals:?}"));
        match result {
            Ok(_) if !refusals.is_empty() => {
                differs(format!("{line} was accepted in {:?}, should be {refusals:?}", self.model.mode()))
            }
            Ok(ticket) => {
                let (id, answered) = self.model.sent(&bytes);
                if ticket.is_answered() != answered {
                    return differs(format!("{line}: is_answered is {}", ticket.is_answered()));
                }
                if answered {
                    self.tickets.push((ticket, id));
                }
                self.check(&format!("after sending {line}"))?;
                Ok(Some(id))
            }
            Err(SendError::Misuse(misuse)) => {
                if refusals.is_empty() {
                    if misuse_of(misuse).is_some_and(|misuse| self.model.tolerated(&bytes) == Some(misuse)) {
                        return Ok(None);
                    }
                    let mode = self.model.mode();
                    return differs(format!(
                        "{line} was refused as {misuse:?} in {mode:?}, should be accepted"
                    ));
                }
                if !misuse_of(misuse).is_some_and(|misuse| refusals.contains(&misuse)) {
                    return differs(format!("{line} was refused as {misuse:?}, should be {refusals:?}"));
                }
                if self.redis.queued_bytes() != before {
                    return differs(format!("{line} was refused and something of it queued"));
                }
                self.check(&format!("after refusing {line}"))?;
                Ok(None)
            }
            Err(other) => differs(format!("{line}: {other}")),
        }
    }

    /// Writes so many bytes.
    fn transmit(&mut self, most: usize) -> Step {
        let mut most = most;
        while most > 0
            && let Some(bytes) = self.redis.poll_transmit()
        {
            // Byte by byte, so that it is known to which command each belongs.
            let byte = bytes[0];
            self.redis.transmitted(1);
            if self.rest.is_empty() && !self.greeting {
                if self.model.queue().all(|sent| sent.handed_out) {
                    return differs("something was written that nobody has sent");
                }
                self.model.handed_out();
            }
            self.rest.push(byte);
            if byte == b'\n'
                && let Some((Value::Array(words), length)) = Value::parse(&self.rest)
                && length == self.rest.len()
            {
                let words: Vec<Vec<u8>> = words.iter().map(|word| word.text().unwrap().to_vec()).collect();
                self.say(|| format!("written {:?}", words.join(&b' ').escape_ascii().to_string()));
                if !self.greeting {
                    let sent = self.model.queue().filter(|sent| sent.handed_out).last().unwrap();
                    if sent.words != words {
                        return differs(format!(
                            "{:?} was written, should be {:?}",
                            words.join(&b' ').escape_ascii().to_string(),
                            sent.words.join(&b' ').escape_ascii().to_string()
                        ));
                    }
                }
                self.rest.clear();
                self.read.push_back(words);
            }
            most -= 1;
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while !bytes.is_empty() && !self.redis.is_idle() {
            let free = self.redis.receive_buffer();
            let count = free.len().min(bytes.len());
            assert!(count > 0, "no room to read into");
            free[..count].copy_from_slice(&bytes[..count]);
            self.redis.received(NOW, count);
            bytes = &bytes[count..];
            if !bytes.is_empty() && self.redis.receive_buffer().is_empty() {
                break;
            }
        }
    }

    /// The server says these values, one after the other.
    fn hear(&mut self, bytes: &[u8], large: bool) -> Step {
        let mut bytes = bytes;
        while let Some((value, length)) = (!bytes.is_empty()).then(|| Value::parse(bytes)).flatten() {
            let shown = String::from_utf8_lossy(&bytes[..length.min(60)]).replace("\r\n", " ");
            let (mode, watching) = (self.model.mode(), self.model.is_watching());
            let verdict = if large { self.model.too_large(&value) } else { self.model.received(&value) };
            let mut seen = Vec::new();
            if large {
                // It does not fit, so that it comes in pieces.
                for piece in bytes[..length].chunks(100) {
                    self.receive(piece);
                    seen.extend(self.events());
                }
            } else {
                self.receive(&bytes[..length]);
                seen.extend(self.events());
            }
            self.say(|| format!("hear {shown}: {verdict:?}, seen {seen:?}"));
            bytes = &bytes[length..];
            let when = format!("after {shown}");
            if matches!(verdict, Verdict::Unspecified(_)) {
                return Err(Stop::Unspecified);
            }
            // The greeting after RESET may need no answer.
            if let Some(Seen::Connected(protocol)) = seen.last() {
                self.model.greeted(*protocol);
                seen.pop();
            } else if !self.model.is_ready() && verdict != Verdict::OutOfStep {
                self.greeting = true;
            }
            let fits = match (verdict, &seen[..]) {
                (Verdict::Reply(id), [Seen::Reply(is, text)]) => {
                    *is == id && value.text().is_none_or(|should| should == text.as_bytes())
                }
                (Verdict::Reply(id) | Verdict::ReplyOrEnd(id), [Seen::Skipped(Some(is))]) => {
                    large && *is == id
                }
                (Verdict::ReplyOrEnd(id), [Seen::Reply(is, _)]) => *is == id,
                (Verdict::ReplyOrEnd(_), [.., Seen::Closed(..)]) => {
                    self.model.lost();
                    self.rest.clear();
                    self.read.clear();
                    self.greeting = false;
                    return Ok(());
                }
                (Verdict::Queued(id), [Seen::Queued(is)]) => *is == id,
                (Verdict::Skipped(id), [Seen::Skipped(Some(is))]) => *is == id,
                (Verdict::Confirmation(id, last), [Seen::Subscription(is, is_last)]) => {
                    *is == Some(id) && *is_last == last
                }
                // Nobody asked, but names have changed.
                (Verdict::Swallowed, [] | [Seen::Subscription(None, _)]) => true,
                (Verdict::Ended, [Seen::Ended])
                | (Verdict::Message, [Seen::Message])
                | (Verdict::Push, [Seen::Push])
                | (Verdict::Monitor, [Seen::Monitor]) => true,
                // A name that nobody has subscribed to may be unsubscribed from: that it is another one than the command
                // has shows with the last of them.
                (Verdict::OutOfStep, [Seen::Subscription(Some(_), false)]) => return Err(Stop::Unspecified),
                (Verdict::OutOfStep, seen) => {
                    let seen = seen.to_vec();
                    self.ended(seen, mode, watching, &when, |reason| {
                        large
                            || reason == "OutOfStep"
                            || reason.starts_with("Protocol")
                            || reason.starts_with("Refused { step: \"RESET\"")
                    })?;
                    return Ok(());
                }
                _ => false,
            };
            if !fits {
                return differs_in(
                    format!("the verdict is {}, the events differ", kind_of(&verdict)),
                    format!("{when}: {seen:?}, should be {verdict:?}"),
                );
            }
            if !self.greeting {
                self.check(&when)?;
            }
        }
        Ok(())
    }

    /// The connection is over, and everybody who waited has been told.
    fn ended(
        &mut self,
        mut seen: Vec<Seen>,
        mode: model::Mode,
        watching: bool,
        when: &str,
        reason_fits: impl Fn(&str) -> bool,
    ) -> Step {
        let failing = self.model.lost();
        self.rest.clear();
        self.read.clear();
        self.greeting = false;
        match seen.pop() {
            Some(Seen::Closed(reason, is, is_watching)) => {
                if !reason_fits(&reason) {
                    return differs_in(format!("closed as {reason}"), when);
                }
                if (is, is_watching) != (mode, watching) {
                    return differs_in(
                        format!("closed in {is:?}, watching {is_watching}; should be {mode:?}, {watching}"),
                        when,
                    );
                }
            }
            other => {
                return differs_in(
                    "the connection goes on and should end",
                    format!("{when}: {seen:?} {other:?}"),
                );
            }
        }
        let told: Vec<(Id, bool)> = seen
            .iter()
            .filter_map(|seen| match seen {
                Seen::Failed(id, maybe) => Some((*id, *maybe)),
                _ => None,
            })
            .collect();
        let agrees = |executed: Executed, maybe: bool| match executed {
            Executed::No => !maybe,
            Executed::Maybe => maybe,
            Executed::Either => true,
        };
        let same = told.len() == seen.len()
            && told.len() == failing.len()
            && told.iter().zip(&failing).all(|(told, should)| told.0 == should.0 && agrees(should.1, told.1));
        if !same {
            return differs_in("the failures", format!("{when}: {seen:?}, should be {failing:?}"));
        }
        self.check(&format!("{when} and the end"))
    }

    /// The stream breaks.
    fn lose(&mut self) -> Step {
        let (mode, watching) = (self.model.mode(), self.model.is_watching());
        self.redis.handle_eof();
        let seen = self.events();
        self.say(|| format!("lost, seen {seen:?}"));
        self.ended(seen, mode, watching, "after the stream was lost", |reason| {
            reason == "Disconnected" || (reason == "Quit" && mode == model::Mode::Closing)
        })
    }

    fn discard(&mut self, id: Id) -> Step {
        let Some((ticket, _)) = self.tickets.iter().rfind(|(_, known)| *known == id).copied() else {
            return Err(Stop::Unspecified);
        };
        let before = self.redis.queued_bytes();
        let sent = self.model.queue().find(|sent| sent.id == Some(id)).cloned();
        let was = self.redis.discard(ticket);
        let taken_back = self.redis.queued_bytes() < before;
        self.say(|| format!("discard: {was}, taken back {taken_back}"));
        let Some(sent) = sent else {
            return if was { differs("discard of what was answered says true") } else { Ok(()) };
        };
        if !was {
            return differs("discard of what is pending says false");
        }
        // A transaction goes whole or not at all.
        let alone = self.model.mode() != model::Mode::Transaction;
        if alone && !taken_back && !sent.handed_out && sent.row().effect == Effect::None {
            return differs("discard has not taken back what was not written");
        }
        if let Err(wrong) = self.model.discard(id, taken_back) {
            return differs(format!("discard has taken it back, but {wrong}"));
        }
        self.check("after discarding")
    }

    /// The server answers everything that it has read, as it should.
    fn settle(&mut self) -> Step {
        for _ in 0..20 {
            self.transmit(usize::MAX)?;
            if self.greeting {
                self.greet()?;
            }
            let Some(words) = self.read.pop_front() else { return Ok(()) };
            let bytes = self.server.answer(&words);
            self.hear(&bytes, false)?;
        }
        Ok(())
    }

    fn get_in_step(&mut self) -> Step {
        for line in ["GET a", "GET b"] {
            if self.send(line)?.is_none() {
                return differs(format!("{line} cannot be sent in the end"));
            }
        }
        self.settle()?;
        if self.redis.in_flight() > 0 {
            return differs(format!("{} commands wait in the end", self.redis.in_flight()));
        }
        Ok(())
    }

    /// Whatever it is in: back to where GET can be sent, and replies are in step.
    fn finish(&mut self) -> Step {
        self.settle()?;
        for _ in 0..4 {
            let line = if self.redis.is_idle() {
                self.connect()?;
                continue;
            } else {
                match self.model.mode() {
                    model::Mode::Ready => break,
                    model::Mode::Closing => {
                        self.lose()?;
                        continue;
                    }
                    model::Mode::Transaction => "DISCARD",
                    model::Mode::Subscribed => {
                        self.send("PING")?;
                        self.send("UNSUBSCRIBE")?;
                        self.send("PUNSUBSCRIBE")?;
                        "SUNSUBSCRIBE"
                    }
                    model::Mode::Monitor => "RESET",
                    model::Mode::ReplyOff => "CLIENT REPLY ON",
                    model::Mode::ReplySkip => "GET unanswered",
                }
            };
            if self.send(line)?.is_none() {
                return differs(format!("{line} cannot be sent to get out of {:?}", self.model.mode()));
            }
            self.settle()?;
        }
        self.get_in_step()
    }
}

const STICKY: [&str; 13] = [
    "CLIENT SETNAME n",
    "CLIENT SETINFO LIB-NAME l",
    "CLIENT TRACKING ON OPTIN",
    "CLIENT NO-EVICT ON",
    "CLIENT NO-TOUCH ON",
    "CLIENT CAPA redirect",
    "CLIENT IMPORT-SOURCE ON",
    "READONLY",
    "SCRIPT DEBUG YES",
    "HIMPORT PREPARE f a b",
    "SELECT 3",
    "WATCH w",
    "CLIENT CACHING YES",
];

/// How the connection comes to be what it is: `!` is refused, `?` is not answered before the command is sent, `?!` is refused
/// after it was sent.
const MODES: &[(&str, &[&str])] = &[
    ("ready", &[]),
    ("watching", &["WATCH w"]),
    ("transaction", &["MULTI"]),
    ("transaction with a command", &["MULTI", "GET q"]),
    ("transaction with a state", &["MULTI", "SELECT 5", "CLIENT NO-EVICT ON"]),
    ("transaction, watched", &["WATCH w", "MULTI"]),
    ("transaction to be aborted", &["WATCH w", "MULTI", "!NOSUCH"]),
    ("transaction not confirmed", &["?MULTI"]),
    ("transaction refused", &["WATCH w", "?!MULTI", "?GET q"]),
    ("channels", &["SUBSCRIBE a b"]),
    ("channel and pattern", &["SUBSCRIBE a", "PSUBSCRIBE p*"]),
    ("shard channels", &["SSUBSCRIBE s t"]),
    ("subscribing", &["?SUBSCRIBE a b"]),
    ("subscribing, to be refused", &["?!SUBSCRIBE a b"]),
    ("channels, unsubscribing", &["SUBSCRIBE a b", "?UNSUBSCRIBE a"]),
    ("channels, unsubscribing refused", &["SUBSCRIBE a b", "?!UNSUBSCRIBE a"]),
    ("monitor", &["MONITOR"]),
    ("reply off", &["CLIENT REPLY OFF"]),
    ("reply off, then silence", &["CLIENT REPLY OFF", "GET q"]),
    ("reply skip", &["CLIENT REPLY SKIP"]),
    ("behind reply skip", &["CLIENT REPLY SKIP", "GET q"]),
    ("closing", &["QUIT"]),
    ("sticky", &STICKY),
    ("another database", &["SELECT 3"]),
    ("in flight", &["?GET q"]),
    ("select in flight", &["?SELECT 3"]),
    ("select to be refused", &["?!SELECT 3"]),
];

const COMMANDS: &[&str] = &[
    "GET k",
    "PING",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH k",
    "UNWATCH",
    "SUBSCRIBE a",
    "SUBSCRIBE c a",
    "UNSUBSCRIBE",
    "UNSUBSCRIBE a",
    "UNSUBSCRIBE z a",
    "PSUBSCRIBE p* q*",
    "PUNSUBSCRIBE",
    "PUNSUBSCRIBE p*",
    "SSUBSCRIBE s",
    "SUNSUBSCRIBE",
    "SUNSUBSCRIBE s",
    "MONITOR",
    "RESET",
    "QUIT",
    "AUTH user secret",
    "SELECT 0",
    "SELECT 4",
    "HELLO",
    "HELLO 2",
    "HELLO 3",
    "HELLO 2 AUTH user secret",
    "HELLO 3 SETNAME n",
    "HELLO 3 AUTH user secret SETNAME n",
    "CLIENT REPLY ON",
    "CLIENT REPLY OFF",
    "CLIENT REPLY SKIP",
    "CLIENT GETNAME",
    "CLIENT SETNAME m",
    "CLIENT SETINFO LIB-VER 1",
    "CLIENT TRACKING ON",
    "CLIENT TRACKING OFF",
    "CLIENT CACHING YES",
    "CLIENT CACHING NO",
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
    "SCRIPT DEBUG SYNC",
    "SCRIPT DEBUG NO",
    "SCRIPT FLUSH",
    "HIMPORT PREPARE f a b",
    "HIMPORT DISCARD f",
    "HIMPORT DISCARDALL",
    "SYNC",
    "PSYNC ? -1",
    "REPLCONF ACK 1",
    "select 4",
    "client reply off",
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// The server answers as the pages say; a queued command is run by EXEC.
    Answered,
    /// It is refused.
    Refused,
    /// Something is said that may be no answer to it.
    Says(&'static str),
    SaysLarge(&'static str),
    /// It is queued, and then
    ItsElementFails,
    ExecNull,
    ExecAborted,
    ExecTooLarge,
    ExecWithMissingElement,
    DiscardRefused,
    /// The stream breaks with so many bytes of it written.
    Lost(usize),
    DiscardedBefore,
    DiscardedBetween,
    DiscardedAfter,
}

const OUTCOMES: &[Outcome] = &[
    Outcome::Answered,
    Outcome::Refused,
    Outcome::Says("+OK\r\n"),
    Outcome::Says("+QUEUED\r\n"),
    Outcome::Says("+RESET\r\n"),
    Outcome::Says("+PONG\r\n"),
    Outcome::Says(":7\r\n"),
    Outcome::Says("$3\r\nfoo\r\n"),
    Outcome::Says("$-1\r\n"),
    Outcome::Says("*-1\r\n"),
    Outcome::Says("*0\r\n"),
    Outcome::Says("*1\r\n:7\r\n"),
    Outcome::Says("*7\r\n:7\r\n:7\r\n:7\r\n:7\r\n:7\r\n:7\r\n:7\r\n"),
    Outcome::Says("#another name#"),
    Outcome::Says("#another command#"),
    Outcome::SaysLarge("$"),
    Outcome::SaysLarge("-"),
    Outcome::SaysLarge("*"),
    Outcome::ItsElementFails,
    Outcome::ExecNull,
    Outcome::ExecAborted,
    Outcome::ExecTooLarge,
    Outcome::ExecWithMissingElement,
    Outcome::DiscardRefused,
    Outcome::Lost(0),
    Outcome::Lost(1),
    Outcome::Lost(usize::MAX),
    Outcome::DiscardedBefore,
    Outcome::DiscardedBetween,
    Outcome::DiscardedAfter,
];

fn kind_of(verdict: &Verdict) -> String {
    format!("{verdict:?}").split('(').next().unwrap_or_default().to_owned()
}

/// One case, from the stream that comes to the replies that are in step.
fn hold(bench: &mut Bench, mode: &[&str], command: &str, outcome: Outcome) -> Step {
    bench.connect()?;
    // What is answered after the command, and whether it is refused.
    let mut later = VecDeque::new();
    for line in mode {
        let refused = line.contains('!');
        let waits = line.starts_with('?');
        bench.send(line.trim_start_matches(['?', '!']))?;
        bench.transmit(usize::MAX)?;
        if waits {
            later.push_back(refused);
        } else if refused {
            let words = bench.read.pop_front().unwrap();
            let bytes = bench.server.refuse(&words, "ERR refused");
            bench.hear(&bytes, false)?;
        } else {
            bench.settle()?;
        }
    }
    let Some(id) = bench.send(command)? else {
        bench.refused = true;
        answer_later(bench, &mut later)?;
        return bench.finish();
    };
    let words: Vec<Vec<u8>> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    match outcome {
        Outcome::Lost(bytes) => {
            bench.transmit(bytes)?;
            bench.lose()?;
            return bench.finish();
        }
        Outcome::DiscardedBefore => {
            bench.discard(id)?;
            answer_later(bench, &mut later)?;
            return bench.finish();
        }
        Outcome::DiscardedBetween => {
            bench.transmit(1)?;
            bench.discard(id)?;
        }
        _ => {}
    }
    bench.transmit(usize::MAX)?;
    if outcome == Outcome::DiscardedAfter {
        bench.discard(id)?;
    }
    answer_later(bench, &mut later)?;
    if bench.redis.is_idle() {
        return bench.finish();
    }
    bench.transmit(usize::MAX)?;
    // All that was asked before has been answered, and the command is next; a silent one has no answer to be wrong.
    let silent = bench.model.queue().find(|sent| sent.id == Some(id)).is_some_and(|sent| sent.silent);
    match outcome {
        Outcome::Refused if !silent => {
            bench.read.pop_front();
            let bytes = bench.server.refuse(&words, "ERR refused");
            bench.hear(if bytes.is_empty() { b"-ERR refused\r\n" } else { &bytes }, false)?;
        }
        Outcome::Says(what) => {
            let session = bench.server.session.clone();
            let bytes = match what {
                "#another name#" => another(&session, &words, |name, _| *name = b"other".to_vec()),
                "#another command#" => another(&session, &words, |_, command| {
                    *command = b"psubscribe".to_vec();
                }),
                what => what.as_bytes().to_vec(),
            };
            bench.hear(&bytes, false)?;
            // The server and the one that should be there no longer agree on anything.
            if bench.redis.is_idle() {
                return bench.finish();
            }
            return Ok(());
        }
        Outcome::SaysLarge(kind) => {
            let text = "x".repeat(1000);
            let bytes = match kind {
                "$" => format!("$1000\r\n{text}\r\n"),
                "-" => format!("-ERR {text}\r\n"),
                _ => format!("*2\r\n$1000\r\n{text}\r\n:1\r\n"),
            };
            bench.hear(bytes.as_bytes(), true)?;
            if bench.redis.is_idle() {
                return bench.finish();
            }
            if kind == "-" {
                bench.server.refuse(&words, "");
                bench.read.pop_front();
                return bench.finish();
            }
            return Ok(());
        }
        Outcome::ItsElementFails
        | Outcome::ExecNull
        | Outcome::ExecAborted
        | Outcome::ExecTooLarge
        | Outcome::ExecWithMissingElement
        | Outcome::DiscardRefused => {
            bench.settle()?;
            if bench.server.session.queued.is_none() || bench.model.mode() != model::Mode::Transaction {
                // The same as if it were answered, which was looked at.
                return Err(Stop::Unspecified);
            }
            return end_transaction(bench, outcome);
        }
        _ => bench.settle()?,
    }
    // The transaction it stands in is run.
    if bench.model.mode() == model::Mode::Transaction && outcome == Outcome::Answered {
        bench.send("EXEC")?;
        bench.settle()?;
    }
    bench.finish()
}

fn answer_later(bench: &mut Bench, later: &mut VecDeque<bool>) -> Step {
    while let Some(refused) = later.pop_front() {
        let Some(words) = bench.read.pop_front() else { return Ok(()) };
        let bytes =
            if refused { bench.server.refuse(&words, "ERR refused") } else { bench.server.answer(&words) };
        bench.hear(&bytes, false)?;
        if bench.redis.is_idle() {
            return Ok(());
        }
    }
    Ok(())
}

/// A confirmation that is not quite the one that should come.
fn another(session: &Session, words: &[Vec<u8>], change: impl Fn(&mut Vec<u8>, &mut Vec<u8>)) -> Vec<u8> {
    let kind = match table::find(words).effect {
        Effect::Subscribe(kind) | Effect::Unsubscribe(kind) => kind,
        _ => Kind::Channel,
    };
    let mut name = words.get(1).cloned().unwrap_or_else(|| b"a".to_vec());
    let mut command = match table::find(words).effect {
        Effect::Subscribe(_) | Effect::Unsubscribe(_) => words[0].to_ascii_lowercase(),
        _ => b"subscribe".to_vec(),
    };
    change(&mut name, &mut command);
    serve::confirmation(session, kind, &command, Some(&name))
}

fn end_transaction(bench: &mut Bench, outcome: Outcome) -> Step {
    let queued = bench.server.session.queued.clone().unwrap_or_default();
    let last = if outcome == Outcome::DiscardRefused { "DISCARD" } else { "EXEC" };
    bench.send(last)?;
    bench.transmit(usize::MAX)?;
    let words = bench.read.pop_front().unwrap_or_default();
    let aborted = bench.server.session.aborted;
    match outcome {
        Outcome::ItsElementFails if !aborted => {
            let bytes = bench.server.exec_with_error(queued.len().saturating_sub(1));
            bench.hear(&bytes, false)?;
        }
        Outcome::ExecNull => {
            let bytes = bench.server.conflict();
            bench.hear(&bytes, false)?;
        }
        Outcome::ExecTooLarge if !aborted => {
            let text = "x".repeat(1000);
            let mut bytes = format!("*{}\r\n", queued.len());
            for _ in &queued {
                bytes.push_str(&format!("$1000\r\n{text}\r\n"));
            }
            bench.hear(bytes.as_bytes(), !queued.is_empty())?;
            bench.server.session.run(&words);
        }
        Outcome::ExecWithMissingElement if !queued.is_empty() => {
            let mut bytes = format!("*{}\r\n", queued.len() - 1);
            bytes.push_str(&"+OK\r\n".repeat(queued.len() - 1));
            bench.hear(bytes.as_bytes(), false)?;
        }
        Outcome::DiscardRefused => {
            let bytes = bench.server.refuse(&words, "NOPERM no");
            bench.hear(&bytes, false)?;
        }
        _ => {
            let bytes =
                bench.server.refuse(&words, "EXECABORT Transaction discarded because of previous errors.");
            bench.hear(&bytes, false)?;
        }
    }
    bench.finish()
}

/// Whether the engine sends a PING after SUNSUBSCRIBE.
fn fences() -> bool {
    let mut bench = Bench::new(Protocol::Resp2, false, false);
    bench.connect().unwrap();
    bench.redis.send(NOW, &["SUNSUBSCRIBE", "s"]).unwrap();
    let bytes = bench.redis.poll_transmit().unwrap().to_vec();
    bytes.windows(4).any(|word| word == b"PING")
}

#[test]
fn every_command_in_every_mode_with_every_outcome() {
    let only: Vec<String> =
        std::env::var("EFFECTS").map_or(Vec::new(), |only| only.split(',').map(str::to_owned).collect());
    let fences = fences();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut cases = 0;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for (name, mode) in MODES {
            for command in COMMANDS {
                for outcome in OUTCOMES {
                    let ends_transaction = matches!(
                        outcome,
                        Outcome::ItsElementFails
                            | Outcome::ExecNull
                            | Outcome::ExecAborted
                            | Outcome::ExecTooLarge
                            | Outcome::ExecWithMissingElement
                            | Outcome::DiscardRefused
                    );
                    if ends_transaction && !name.starts_with("transaction") && *command != "MULTI" {
                        continue;
                    }
                    let mut case = format!("{protocol:?}, {name}, {command}, {outcome:?}");
                    if !only.iter().all(|word| case.contains(word.as_str())) {
                        continue;
                    }
                    if !only.is_empty() {
                        println!("{case}");
                    }
                    cases += 1;
                    let mut bench = Bench::new(protocol, fences, !only.is_empty());
                    let result = catch_unwind(AssertUnwindSafe(|| hold(&mut bench, mode, command, *outcome)));
                    let what = match result {
                        Ok(Ok(()) | Err(Stop::Unspecified)) if bench.refused => break,
                        Ok(Ok(()) | Err(Stop::Unspecified)) => continue,
                        Ok(Err(Stop::Differs(what, detail))) => {
                            case = format!("{case}: {detail}");
                            what
                        }
                        Err(panic) => {
                            let text = panic
                                .downcast_ref::<String>()
                                .cloned()
                                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                            format!("panic: {}", text.unwrap_or_default())
                        }
                    };
                    found.entry(what).or_default().push(case);
                    if bench.refused {
                        break;
                    }
                }
            }
        }
    }
    std::panic::set_hook(hook);
    let shown = if std::env::var("EFFECTS_ALL").is_ok() { usize::MAX } else { 5 };
    let different: usize = found.values().map(Vec::len).sum();
    for (what, cases) in &found {
        println!("{what}");
        for case in cases.iter().take(shown) {
            println!("    {case}");
        }
        if cases.len() > shown {
            println!("    and {} more", cases.len() - shown);
        }
    }
    assert!(found.is_empty(), "{different} of {cases} cases differ, in {} ways", found.len());
}

#[test]
fn the_table_names_what_it_is_asked_for() {
    for command in COMMANDS {
        let words: Vec<Vec<u8>> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let row = table::find(&words);
        assert!(row.words.len() <= words.len(), "{command}");
    }
    assert_eq!(
        table::find(&[b"client".to_vec(), b"reply".to_vec(), b"off".to_vec()]).in_multi,
        InMulti::Refused
    );
}
