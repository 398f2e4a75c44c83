//! What the blocking and the async client share: the engine, and which of its events they wait for.

use redwire::connection::{Config, Connection, Event, FailureReason, Message, Mode, Ticket};
use redwire::parts::{DEADLINES, SUBSCRIPTIONS};
use redwire::reply::{DecodeError, FromReply};
use redwire::resp::{Frame, Parser, Scanner};
use redwire::time::Instant;

use crate::messages::Messages;
use crate::{Error, ErrorKind, Memory};

#[derive(Debug)]
pub(crate) struct Session<'b, P> {
    pub(crate) engine: Connection<'b, P>,
    pub(crate) messages: Messages<'b>,
    /// What the stream said when it broke.
    pub(crate) broken: Option<embedded_io::ErrorKind>,
    /// Of the commands that failed with the connection: whether one of them may have been executed.
    maybe_executed: bool,
    /// The same of the last of them.
    last_maybe_executed: bool,
    /// How many connections there were on the line.
    connections: u32,
}

/// What the text of a PING is made of that nobody else sends.
const SIGN: u64 = u64::from_be_bytes(*b"Redwire!");

/// The event that is waited for. It is the engine's last one when it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// None: what has come is worked through.
    Nothing,
    Connected,
    /// What answers this command, or a piece of it.
    Answer(Ticket),
    /// What answers the oldest command.
    AnyAnswer,
    Message,
}

impl<'b> Session<'b, Scanner<'b>> {
    pub(crate) fn new(config: Config<'b>, memory: Memory<'b>) -> Self {
        Session::of(Connection::new(config, memory.engine), Messages::new(memory.messages))
    }
}

impl<'b, P: Parser> Session<'b, P> {
    pub(crate) fn with_parser(config: Config<'b>, memory: Memory<'b>, parser: P) -> Self {
        Session::of(Connection::with_parser(config, memory.engine, parser), Messages::new(memory.messages))
    }

    const fn of(engine: Connection<'b, P>, messages: Messages<'b>) -> Self {
        Session {
            engine,
            messages,
            broken: None,
            maybe_executed: false,
            last_maybe_executed: false,
            connections: 0,
        }
    }

    /// A fresh stream is there.
    pub(crate) fn connected(&mut self, now: Instant) -> Result<(), Error> {
        // Of the connection before it nobody waits for anything.
        while self.engine.find_event() {}
        self.broken = None;
        self.maybe_executed = false;
        self.last_maybe_executed = false;
        self.engine.connected(now).map_err(|misuse| Error::new(ErrorKind::Misuse(misuse)))
    }

    /// The stream has ended; with what it said, if it broke.
    pub(crate) fn broken(&mut self, kind: Option<embedded_io::ErrorKind>) {
        self.broken = self.broken.or(kind);
        self.engine.handle_eof();
    }

    /// Works through what has come, up to the event that is wanted. None: more has to come first.
    ///
    /// # Errors
    /// The command has failed, or the connection is over.
    pub(crate) fn take(&mut self, wanted: Wanted) -> Option<Result<(), Error>> {
        while self.engine.find_event() {
            let Some(event) = self.engine.last_event() else { break };
            let answers = |ticket: Ticket| match wanted {
                Wanted::Answer(expected) => ticket == expected,
                Wanted::AnyAnswer => true,
                _ => false,
            };
            let found = match event {
                Event::Connected { .. } => matches!(wanted, Wanted::Connected),
                Event::Reply { ticket, .. }
                | Event::Queued { ticket }
                | Event::Chunk { ticket, .. }
                | Event::ChunksEnd { ticket, .. } => answers(ticket),
                Event::Subscription(confirmed) if SUBSCRIPTIONS => {
                    confirmed.last && confirmed.ticket.is_some_and(answers)
                }
                Event::Skipped { ticket: Some(ticket), length } if answers(ticket) => {
                    return Some(Err(Error::new(ErrorKind::TooLarge(length)).executed(true)));
                }
                Event::Skipped { ticket: None, .. } if SUBSCRIPTIONS => {
                    self.messages.add_lost();
                    if matches!(wanted, Wanted::Message) {
                        return Some(Err(Error::new(ErrorKind::MessagesLost(self.messages.take_lost()))));
                    }
                    false
                }
                Event::Failed { ticket, failure } => {
                    let due = answers(ticket);
                    if DEADLINES && due && failure.reason == FailureReason::TimedOut {
                        return Some(Err(Error::failed(failure)));
                    }
                    // Why it is over, the event behind these says.
                    self.maybe_executed |= due && failure.maybe_executed;
                    self.last_maybe_executed = failure.maybe_executed;
                    false
                }
                Event::Message(message) if SUBSCRIPTIONS => {
                    let wanted = matches!(wanted, Wanted::Message);
                    if !wanted {
                        self.messages.push(&message);
                    }
                    wanted
                }
                Event::Closed { reason, .. } => {
                    let executed = core::mem::take(&mut self.maybe_executed);
                    return Some(Err(Error::closed(reason, self.broken.take(), executed)));
                }
                _ => false,
            };
            if found {
                return Some(Ok(()));
            }
        }
        None
    }

    /// The reply that was waited for.
    pub(crate) fn reply<'c, R: FromReply<'c>>(&'c self) -> Result<R, Error> {
        self.frame()?.decode().map_err(Error::from)
    }

    /// The same, still to be decoded.
    pub(crate) fn frame(&self) -> Result<Frame<'_>, Error> {
        match self.engine.last_event() {
            Some(Event::Reply { frame, .. }) => Ok(frame),
            _ => Err(Error::new(ErrorKind::NoReply)),
        }
    }

    /// Of the commands that failed with the connection: whether the last of them may have been executed.
    pub(crate) fn last_maybe_executed(&self) -> bool {
        self.last_maybe_executed
    }

    /// The text of a PING that nobody can have answered before.
    pub(crate) fn new_sign(&mut self, now: Instant) -> u64 {
        self.connections = self.connections.wrapping_add(1);
        SIGN ^ now.as_micros().wrapping_add(self.connections.into())
    }

    /// Makes sure that the last event answers that PING.
    pub(crate) fn echoes(&self, sign: u64) -> Result<(), Error> {
        echoes(self.frame()?, sign)
    }

    /// Whether the last event is the reply that the server has not got a script.
    pub(crate) fn is_no_script(&self) -> bool {
        use redwire::resp::ErrorCode;
        match self.engine.last_event() {
            Some(Event::Reply { frame, .. }) => {
                frame.error().is_some_and(|error| error.code() == ErrorCode::NoScript)
            }
            _ => false,
        }
    }

    /// Makes sure that a command that was just sent has a reply, and leaves the connection one that can be talked to.
    /// Otherwise it must not go out.
    pub(crate) fn admit(&mut self, ticket: Ticket) -> Result<Ticket, Error> {
        if ticket.is_answered() && matches!(self.engine.mode(), Mode::Ready | Mode::Subscribed) {
            return Ok(ticket);
        }
        self.engine.close();
        Err(Error::new(ErrorKind::NoReply))
    }

    /// Whether an upload or a transaction was begun, and forgotten without being dropped: nothing can be sent behind it.
    pub(crate) fn is_half_way(&self) -> bool {
        self.engine.unfinished().is_some() || self.engine.mode() == Mode::Transaction
    }

    /// A message that has waited, or that messages were lost. None: the next one is still to come.
    pub(crate) fn waiting_message(&mut self) -> Option<Result<(), Error>> {
        match self.messages.take_lost() {
            0 => self.messages.advance().then_some(Ok(())),
            lost => Some(Err(Error::new(ErrorKind::MessagesLost(lost)))),
        }
    }

    /// The message that was found last, waiting or just now.
    pub(crate) fn message(&self) -> Option<Message<'_>> {
        self.messages.shown().or_else(|| match self.engine.last_event() {
            Some(Event::Message(message)) => Some(message),
            _ => None,
        })
    }

    /// Whether anything is subscribed to.
    pub(crate) fn is_subscribed(&self) -> bool {
        use redwire::connection::SubscriptionKind::{Channel, Pattern, Shard};
        [Channel, Pattern, Shard].iter().any(|&kind| self.engine.subscriptions(kind) > 0)
    }
}

/// Makes sure that a reply answers the PING with that text.
pub(crate) fn echoes(reply: Frame<'_>, sign: u64) -> Result<(), Error> {
    // A RESP2 subscriber gets a list, with the sign behind a `pong`.
    let last = if SUBSCRIPTIONS { reply.elements().last() } else { None };
    match last.unwrap_or(reply).decode() {
        Ok(echo) if sign == echo => Ok(()),
        Err(DecodeError::Server(error)) => Err(error.into()),
        _ => Err(Error::new(ErrorKind::OutOfStep)),
    }
}
