//! What a conversation has asked and what has become of it: every event is checked against it.

use std::collections::{BTreeMap, VecDeque};

use redwire::connection::{
    Capacity, CloseReason, Event, Failure, FailureReason, Misuse, SendError, Subscription, Ticket,
};
use redwire::resp::Frame;

use crate::check::{self, Expect, Problem, problem};
use crate::plan::{Setup, line};

/// What became of a key that one command alone sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The engine says that it did not run.
    Absent,
    /// The server says that it did.
    Present,
    Unknown,
}

/// A command whose ticket has not ended.
pub struct Sent {
    pub ticket: Ticket,
    pub words: Vec<String>,
    expect: Expect,
    confirmed: usize,
    /// Nothing will be told about it any more: it was given up, or is late and that was told.
    pub gone: bool,
    chunks: Vec<u8>,
}

impl Sent {
    /// The key that this command alone sets.
    fn key(&self) -> Option<&str> {
        key(&self.words)
    }
}

fn key(words: &[String]) -> Option<&str> {
    match words {
        [name, key, _] if name == "SET" && key.starts_with(['u', 'w']) => Some(key),
        _ => None,
    }
}

pub struct Ledger<'t> {
    pub setup: &'t Setup,
    pub sent: VecDeque<Sent>,
    /// What the server has queued in the transaction.
    pub queue: Vec<(Vec<String>, Expect)>,
    /// There was an error since MULTI: the server counts no more.
    pub spoiled: bool,
    pub keys: BTreeMap<String, Fate>,
    /// Keys that are set by commands that the server does not answer.
    unanswered: Vec<String>,
    /// A command was given up or late: what it changed is not known here.
    pub blind: bool,
    /// The rules for the user were changed by somebody else.
    pub rules_changed: bool,
    /// What has happened on this stream.
    pub stream: Stream,
    /// Connections that were begun and have ended.
    pub ends: u32,
    /// What the test itself asks over the conversation, and the answer.
    pub question: Option<Ticket>,
    pub answer: Option<String>,
    pub tracing: bool,
}

/// What has happened on a stream, as far as it may end or disturb it.
#[derive(Default)]
pub struct Stream {
    pub touched: bool,
    pub may_end: bool,
    pub quit: bool,
    pub silenced: bool,
    pub error_seen: bool,
    pub passed: bool,
    pub closed_here: bool,
    /// Messages that came, and how many the server says it has sent.
    pub messages: i64,
    pub published: i64,
    pub exec: bool,
    pub discard: bool,
}

impl<'t> Ledger<'t> {
    pub fn new(setup: &'t Setup, tracing: bool) -> Self {
        Ledger {
            setup,
            sent: VecDeque::new(),
            queue: Vec::new(),
            spoiled: false,
            keys: BTreeMap::new(),
            unanswered: Vec::new(),
            blind: false,
            rules_changed: false,
            stream: Stream::default(),
            ends: 0,
            question: None,
            answer: None,
            tracing,
        }
    }

    pub fn trace(&self, text: std::fmt::Arguments<'_>) {
        if self.tracing {
            println!("{text}");
        }
    }

    /// The commands of which something will be told.
    pub fn waiting(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| !sent.gone)
    }

    /// Keeps what became of a command that was sent.
    pub fn keep(&mut self, words: Vec<String>, sent: Result<Ticket, SendError>) -> Result<(), Problem> {
        let ticket = match sent {
            Ok(ticket) => ticket,
            Err(error) => {
                self.trace(format_args!("   refused: {error}"));
                if let Some(key) = key(&words) {
                    self.keys.insert(key.to_string(), Fate::Absent);
                }
                return match error {
                    SendError::Misuse(Misuse::NotBuilt | Misuse::Empty | Misuse::Closed) => Err(problem(
                        "a command is refused without a reason",
                        format!("{}: {error}", line(&words)),
                    )),
                    SendError::Misuse(_) => Ok(()),
                    SendError::Capacity(_) if self.setup.is_small() => Ok(()),
                    // So many commands of a transaction may change the connection.
                    SendError::Capacity(Capacity::Transaction) => Ok(()),
                    _ => Err(problem("there is no room", error)),
                };
            }
        };
        self.stream.touched = true;
        let upper: Vec<String> = words.iter().take(3).map(|word| word.to_ascii_uppercase()).collect();
        let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
        self.stream.quit |= upper[0] == "QUIT";
        self.stream.exec |= upper[0] == "EXEC";
        self.stream.discard |= upper[0] == "DISCARD";
        self.stream.silenced |= matches!(upper[..], ["CLIENT", "REPLY", "OFF" | "SKIP"]);
        if !ticket.is_answered() {
            self.trace(format_args!("   not answered"));
            self.unanswered.extend(key(&words).map(str::to_string));
            return Ok(());
        }
        let expect = Expect::of(&words);
        self.sent.push_back(Sent { ticket, words, expect, confirmed: 0, gone: false, chunks: Vec::new() });
        Ok(())
    }

    pub fn event(&mut self, event: Event<'_>) -> Result<(), Problem> {
        self.trace(format_args!("   {}", show(&event)));
        match event {
            Event::Reply { ticket, frame } if self.question == Some(ticket) => {
                self.answer = Some(format!("{frame:?}"));
                Ok(())
            }
            Event::Failed { ticket, .. } if self.question == Some(ticket) => Ok(()),
            Event::Reply { ticket, frame } => {
                let sent = self.front(ticket, "Reply")?;
                self.replied(&sent, frame)
            }
            Event::Queued { ticket } => {
                let sent = self.front(ticket, "Queued")?;
                self.queue.push((sent.words, sent.expect));
                Ok(())
            }
            Event::Chunk { ticket, bytes } => {
                let mut sent = self.front(ticket, "Chunk")?;
                sent.chunks.extend_from_slice(bytes);
                self.sent.push_front(sent);
                Ok(())
            }
            Event::ChunksEnd { ticket, length } => {
                let sent = self.front(ticket, "ChunksEnd")?;
                let text = String::from_utf8_lossy(&sent.chunks).into_owned();
                if length != sent.chunks.len() as u64 {
                    return Err(problem("the length of the chunks differs", line(&sent.words)));
                }
                let fits = match &sent.expect {
                    Expect::Text(expected) | Expect::Maybe(expected) | Expect::Pong(expected) => {
                        *expected == text || expected.is_empty()
                    }
                    _ => true,
                };
                self.settle_key(&sent, Fate::Present);
                let got = || format!("{} got {} bytes", line(&sent.words), text.len());
                if fits { Ok(()) } else { Err(problem("the chunks are not what was asked for", got())) }
            }
            Event::Skipped { ticket, length } => self.skipped(ticket, length),
            Event::Failed { ticket, failure } => self.failed(ticket, failure),
            Event::Subscription(confirmation) => self.confirmed(&confirmation),
            Event::Closed { reason, .. } => self.closed(&reason),
            Event::Message(_) => {
                self.stream.messages += 1;
                Ok(())
            }
            Event::Connected { .. }
            | Event::SubscriptionEnd(_)
            | Event::Push { .. }
            | Event::Monitor { .. } => Ok(()),
            other => Err(problem("an event that is not known", format!("{other:?}"))),
        }
    }

    fn skipped(&mut self, ticket: Option<Ticket>, length: u64) -> Result<(), Problem> {
        if length <= self.setup.receive as u64 {
            return Err(problem("a reply is skipped that fits", length));
        }
        let Some(ticket) = ticket else { return Ok(()) };
        let sent = self.front(ticket, "Skipped")?;
        if sent.expect == Expect::Exec {
            // It may have been an error, too.
            self.blind = true;
            self.settle_queue(Fate::Unknown);
        }
        Ok(())
    }

    /// Takes the oldest command of which something is to be told, which has to be this one.
    fn front(&mut self, ticket: Ticket, what: &str) -> Result<Sent, Problem> {
        while self.sent.front().is_some_and(|sent| sent.gone && sent.ticket != ticket) {
            self.sent.pop_front();
        }
        match self.sent.pop_front() {
            Some(sent) if sent.ticket == ticket && !sent.gone => Ok(sent),
            Some(sent) if sent.ticket == ticket => {
                Err(problem(format!("{what} for a command that was given up"), line(&sent.words)))
            }
            Some(sent) => {
                Err(problem(format!("{what} out of order"), format!("{} was next", line(&sent.words))))
            }
            None => Err(problem(format!("{what} for a command that has ended"), format!("{ticket:?}"))),
        }
    }

    fn settle_key(&mut self, sent: &Sent, fate: Fate) {
        if let Some(key) = sent.key() {
            self.keys.insert(key.to_string(), fate);
        }
    }

    /// What the server has queued is run, or never will be.
    fn settle_queue(&mut self, fate: Fate) {
        let fate = if self.blind { Fate::Unknown } else { fate };
        for (words, _) in std::mem::take(&mut self.queue) {
            if let Some(key) = key(&words) {
                self.keys.insert(key.to_string(), fate);
            }
        }
    }

    fn replied(&mut self, sent: &Sent, frame: Frame<'_>) -> Result<(), Problem> {
        check::reply(&sent.words, &sent.expect, frame)?;
        let error = frame.error().is_some();
        self.settle_key(sent, if error { Fate::Absent } else { Fate::Present });
        self.spoiled |= error;
        self.count(&sent.words, frame);
        match sent.expect {
            Expect::Multi if !error => {
                self.queue.clear();
                self.spoiled = false;
            }
            Expect::Discard if !error => self.settle_queue(Fate::Absent),
            Expect::Reset if !error => self.settle_queue(Fate::Absent),
            Expect::Exec if error || frame.is_null() => self.settle_queue(Fate::Absent),
            Expect::Exec => {
                let queue = std::mem::take(&mut self.queue);
                let elements = frame.elements();
                if self.blind {
                    self.queue = queue;
                    self.settle_queue(Fate::Unknown);
                    return Ok(());
                }
                if elements.len() != queue.len() {
                    let text = format!("{} queued, {} executed", queue.len(), elements.len());
                    return Err(problem("EXEC has not the results of what was queued", text));
                }
                for (element, (words, expect)) in elements.zip(queue) {
                    check::reply(&words, &expect, element)?;
                    self.count(&words, element);
                    if let Some(key) = key(&words) {
                        let fate = if element.error().is_some() { Fate::Absent } else { Fate::Present };
                        self.keys.insert(key.to_string(), fate);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts the messages that a command of the connection has sent to itself.
    fn count(&mut self, words: &[String], frame: Frame<'_>) {
        if matches!(&words[0][..], "PUBLISH" | "SPUBLISH") {
            self.stream.published += frame.integer().unwrap_or(0);
        }
    }

    /// Everything that was sent has been run, if it may be.
    pub fn unanswered_ran(&mut self) {
        let may = !self.setup.forbids("set") && !self.rules_changed && !self.blind;
        for key in std::mem::take(&mut self.unanswered) {
            if may {
                self.keys.insert(key, Fate::Present);
            }
        }
    }

    /// Whether the server has sent more messages than came, or fewer.
    pub fn messages_are_there(&self) -> Result<(), Problem> {
        let Stream { messages, published, may_end, silenced, .. } = self.stream;
        if self.blind || may_end || silenced || self.setup.is_small() || messages == published {
            return Ok(());
        }
        Err(problem("the number of messages differs", format!("{published} were published, {messages} came")))
    }

    fn failed(&mut self, ticket: Ticket, failure: Failure) -> Result<(), Problem> {
        let sent = if failure.reason == FailureReason::TimedOut {
            self.blind = true;
            // It ends before those that were sent earlier, and its reply is still to come.
            match self.sent.iter_mut().find(|sent| sent.ticket == ticket && !sent.gone) {
                Some(sent) => {
                    sent.gone = true;
                    Sent {
                        ticket,
                        words: sent.words.clone(),
                        expect: sent.expect.clone(),
                        confirmed: 0,
                        gone: true,
                        chunks: Vec::new(),
                    }
                }
                None => return Err(problem("TimedOut for a command that has ended", format!("{ticket:?}"))),
            }
        } else {
            self.front(ticket, "Failed")?
        };
        let fate = if failure.maybe_executed { Fate::Unknown } else { Fate::Absent };
        self.settle_key(&sent, fate);
        if sent.expect == Expect::Exec {
            self.settle_queue(fate);
        }
        Ok(())
    }

    fn confirmed(&mut self, confirmation: &Subscription<'_>) -> Result<(), Problem> {
        let Some(ticket) = confirmation.ticket else { return Ok(()) };
        let mut sent = self.front(ticket, "Subscription")?;
        let wrong = |sent: &Sent, what: &str| {
            Err(problem(
                format!("a confirmation {what}"),
                format!("{} got {confirmation:?}", line(&sent.words)),
            ))
        };
        let Expect::Confirmations { subscribe, kind } = sent.expect else {
            return wrong(&sent, "for what is no subscription");
        };
        if kind != confirmation.kind || subscribe != confirmation.subscribed {
            return wrong(&sent, "of another kind");
        }
        let names = &sent.words[1..];
        if !names.is_empty() {
            let name = names.get(sent.confirmed).map(String::as_bytes);
            if name != confirmation.name {
                return wrong(&sent, "of another name");
            }
        }
        sent.confirmed += 1;
        if !names.is_empty() && confirmation.last != (sent.confirmed == names.len()) {
            return wrong(&sent, "that is the last and is not");
        }
        if !confirmation.last {
            self.sent.push_front(sent);
        }
        Ok(())
    }

    /// Whether this stream may have ended so.
    fn end_is_fair(&self, reason: &CloseReason<'_>) -> bool {
        let small = self.setup.is_small();
        let stream = &self.stream;
        match reason {
            CloseReason::Disconnected => stream.may_end || stream.quit,
            CloseReason::Quit => stream.quit,
            CloseReason::Closed => stream.closed_here,
            CloseReason::Refused { step, .. } => check::refusal_is_fair(self.setup, self.rules_changed, step),
            // An error that may be one of CLIENT REPLY: what is answered is not known any more. DISCARD was forbidden: the
            // transaction goes on, and what was sent after it is part of it. EXEC's reply is too large to be read.
            CloseReason::OutOfStep => {
                let discard = stream.discard && (self.setup.forbids("discard") || self.rules_changed);
                stream.error_seen && (stream.silenced || discard) || small && stream.exec
            }
            CloseReason::Unresponsive => stream.passed,
            CloseReason::Capacity => small,
            _ => false,
        }
    }

    fn closed(&mut self, reason: &CloseReason<'_>) -> Result<(), Problem> {
        self.ends += 1;
        let waits = self.waiting().next().map(|sent| line(&sent.words));
        if let Some(words) = waits {
            return Err(problem("a command did not end with its connection", words));
        }
        self.sent.clear();
        self.unanswered.clear();
        self.settle_queue(Fate::Absent);
        let fair = self.end_is_fair(reason);
        // What is sent from now on is for the next one.
        self.stream = Stream::default();
        if fair {
            return Ok(());
        }
        let step =
            if let CloseReason::Refused { step, .. } = reason { format!(" ({step})") } else { String::new() };
        let name = format!("{reason:?}");
        let name = name.split([' ', '(', '{']).next().unwrap_or_default();
        Err(problem(format!("the connection is given up: {name}{step}"), format!("{reason}")))
    }
}

/// An event in one short line.
fn show(event: &Event<'_>) -> String {
    let text = format!("{event:?}");
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}
