//! What the engine tells its user: events, and the errors of sending.

use core::fmt;

use super::{Mode, SubscriptionKind};
use crate::parts::SESSION;
use crate::resp::{EncodeError, ErrorReply, Frame, Protocol, ProtocolError};

/// Names a command that was sent, until its reply comes. It goes stale when the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ticket {
    pub(super) generation: u32,
    pub(super) sequence: u32,
}

impl Ticket {
    /// The ticket of a command that the server does not answer, after CLIENT REPLY OFF or SKIP.
    pub(super) const UNANSWERED: Ticket = Ticket { generation: u32::MAX, sequence: u32::MAX };

    /// Whether there will be an event for it: false for commands that CLIENT REPLY keeps from being answered.
    pub fn is_answered(&self) -> bool {
        !SESSION || *self != Ticket::UNANSWERED
    }

    /// How many commands of the same connection were sent from `first` up to this one, without it. None if it was sent
    /// before `first`, or over another connection.
    #[must_use]
    pub fn since(self, first: Ticket) -> Option<u32> {
        let distance = self.sequence.wrapping_sub(first.sequence);
        (self.generation == first.generation && distance <= u32::MAX / 2).then_some(distance)
    }
}

/// What happened. Views in it are valid until the next call of a method of the connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The handshake is done, and all subscriptions of an earlier connection are back.
    Connected {
        /// What the server and we agreed on.
        protocol: Protocol,
        /// How many channels, patterns and shard channels were subscribed to again. What was published to them in between
        /// is lost.
        resubscribed: usize,
    },
    /// The reply to a command; it may be an error of the server ([`Frame::decode`] tells).
    Reply {
        /// The command.
        ticket: Ticket,
        /// Its reply.
        frame: Frame<'a>,
    },
    /// The command was queued in a transaction: its result is an element of EXEC's reply.
    Queued {
        /// The command.
        ticket: Ticket,
    },
    /// A piece of the text that answers a command sent with [`SendOptions::streamed`](super::SendOptions::streamed).
    Chunk {
        /// The command.
        ticket: Ticket,
        /// The bytes that come next.
        bytes: &'a [u8],
    },
    /// The text of a streamed reply is complete.
    ChunksEnd {
        /// The command.
        ticket: Ticket,
        /// How many bytes all chunks together had.
        length: u64,
    },
    /// The reply did not fit into the receive buffer and was skipped. The connection is in step.
    Skipped {
        /// The command, unless it was a push that did not fit.
        ticket: Option<Ticket>,
        /// How large it was, in bytes on the wire.
        length: u64,
    },
    /// There will be no reply for this command.
    Failed {
        /// The command.
        ticket: Ticket,
        /// Why, and whether the server may have executed it.
        failure: Failure,
    },
    /// A message of a channel that is subscribed to.
    Message(Message<'a>),
    /// The server confirms that one channel, pattern or shard channel was subscribed to or unsubscribed from.
    Subscription(Subscription<'a>),
    /// A subscription is over although nobody has asked for that.
    SubscriptionEnd(SubscriptionEnd<'a>),
    /// A push of another kind: `invalidate` of client side caching, say.
    Push {
        /// The push; its first element is a string that names it.
        frame: Frame<'a>,
    },
    /// What another client does, while in [`Mode::Monitor`].
    Monitor {
        /// `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`. It may hold any byte.
        line: &'a [u8],
    },
    /// The connection is over; all its commands have failed before. Everything sent from now on waits for the next
    /// [`connected`](super::Connection::connected).
    Closed {
        /// Why.
        reason: CloseReason<'a>,
        /// The mode it was in: after a lost transaction or WATCH, start over from reading.
        mode: Mode,
        /// Keys were being watched.
        watching: bool,
    },
}

#[cfg(feature = "defmt")]
impl defmt::Format for Event<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Event::Connected { protocol, resubscribed } => {
                defmt::write!(
                    f,
                    "Connected {{ protocol: {}, resubscribed: {=usize} }}",
                    protocol,
                    resubscribed
                );
            }
            Event::Reply { ticket, frame } => {
                defmt::write!(f, "Reply {{ ticket: {}, frame: {} }}", ticket, frame);
            }
            Event::Queued { ticket } => defmt::write!(f, "Queued {{ ticket: {} }}", ticket),
            Event::Chunk { ticket, bytes } => {
                defmt::write!(f, "Chunk {{ ticket: {}, bytes: {=[u8]:a} }}", ticket, bytes);
            }
            Event::ChunksEnd { ticket, length } => {
                defmt::write!(f, "ChunksEnd {{ ticket: {}, length: {=u64} }}", ticket, length);
            }
            Event::Skipped { ticket, length } => {
                defmt::write!(f, "Skipped {{ ticket: {}, length: {=u64} }}", ticket, length);
            }
            Event::Failed { ticket, failure } => {
                defmt::write!(f, "Failed {{ ticket: {}, failure: {} }}", ticket, failure);
            }
            Event::Message(message) => defmt::write!(f, "{}", message),
            Event::Subscription(subscription) => defmt::write!(f, "{}", subscription),
            Event::SubscriptionEnd(end) => defmt::write!(f, "{}", end),
            Event::Push { frame } => defmt::write!(f, "Push {{ frame: {} }}", frame),
            Event::Monitor { line } => defmt::write!(f, "Monitor {{ line: {=[u8]:a} }}", line),
            Event::Closed { reason, mode, watching } => {
                defmt::write!(
                    f,
                    "Closed {{ reason: {}, mode: {}, watching: {=bool} }}",
                    reason,
                    mode,
                    watching
                );
            }
        }
    }
}

/// A published message.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Message<'a> {
    /// How the channel came to be subscribed to.
    pub kind: SubscriptionKind,
    /// The channel it was published to.
    pub channel: &'a [u8],
    /// The pattern that matched, for [`SubscriptionKind::Pattern`].
    pub pattern: Option<&'a [u8]>,
    /// The message itself.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// A message with these parts: one that was kept somewhere else.
    pub const fn new(
        kind: SubscriptionKind,
        channel: &'a [u8],
        pattern: Option<&'a [u8]>,
        payload: &'a [u8],
    ) -> Self {
        Message { kind, channel, pattern, payload }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Message<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Message { kind, channel, pattern, payload } = self;
        defmt::write!(f, "Message {{ kind: {}, channel: {=[u8]:a}", kind, channel);
        if let Some(pattern) = pattern {
            defmt::write!(f, ", pattern: {=[u8]:a}", pattern);
        }
        defmt::write!(f, ", payload: {=[u8]:a} }}", payload);
    }
}

/// A confirmation of the server.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Subscription<'a> {
    /// The command it belongs to. None for what was subscribed to again after a reconnect.
    pub ticket: Option<Ticket>,
    /// Subscribed, or unsubscribed.
    pub subscribed: bool,
    /// Channel, pattern or shard channel.
    pub kind: SubscriptionKind,
    /// Its name; none when an unsubscription from everything had nothing to do.
    pub name: Option<&'a [u8]>,
    /// How many the server has left or got: channels and patterns together, shard channels by themselves.
    pub count: i64,
    /// It is the last confirmation for its command.
    pub last: bool,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Subscription<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Subscription { ticket, subscribed, kind, name, count, last } = self;
        defmt::write!(
            f,
            "Subscription {{ ticket: {}, subscribed: {=bool}, kind: {}",
            ticket,
            subscribed,
            kind
        );
        if let Some(name) = name {
            defmt::write!(f, ", name: {=[u8]:a}", name);
        }
        defmt::write!(f, ", count: {=i64}, last: {=bool} }}", count, last);
    }
}

/// A subscription that is over although nobody has asked for that. A reconnect does not subscribe to it again.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SubscriptionEnd<'a> {
    /// Channel, pattern or shard channel.
    pub kind: SubscriptionKind,
    /// Its name.
    pub name: &'a [u8],
    /// What the server said when it refused to subscribe to it again after a reconnect. None if the server has ended it:
    /// the slot of a [shard channel](https://redis.io/docs/latest/develop/pubsub/#sharded-pubsub) has moved to another node
    /// (Redis 7.0).
    pub error: Option<ErrorReply<'a>>,
}

#[cfg(feature = "defmt")]
impl defmt::Format for SubscriptionEnd<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let SubscriptionEnd { kind, name, error } = self;
        defmt::write!(f, "SubscriptionEnd {{ kind: {}, name: {=[u8]:a}, error: {} }}", kind, name, error);
    }
}

/// Why a command gets no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Failure {
    /// What happened.
    pub reason: FailureReason,
    /// Whether the server may have executed the command. Where this is false no byte of it had been handed out to be
    /// written, or it was queued in a transaction that the server had begun, and whose EXEC had not been handed out.
    pub maybe_executed: bool,
}

impl Failure {
    /// A failure of something that was sent as several commands, for whoever tells of it as of one.
    pub const fn new(reason: FailureReason, maybe_executed: bool) -> Self {
        Failure { reason, maybe_executed }
    }

    /// Whether the command can be sent again without the danger that it runs twice.
    pub const fn is_retryable(&self) -> bool {
        !self.maybe_executed
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            FailureReason::Disconnected => "the connection ended before the reply came",
            FailureReason::TimedOut => "the reply did not come in time",
        })?;
        f.write_str(if self.maybe_executed {
            "; the command may have been executed"
        } else {
            "; the command was not executed"
        })
    }
}

impl core::error::Error for Failure {}

/// What happened to a command without a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FailureReason {
    /// The connection ended first.
    Disconnected,
    /// Its deadline passed. The connection goes on; the reply is discarded when it comes.
    TimedOut,
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CloseReason<'a> {
    /// The stream ended or broke ([`handle_eof`](super::Connection::handle_eof)).
    Disconnected,
    /// The stream ended after QUIT.
    Quit,
    /// The user ended it ([`close`](super::Connection::close)).
    Closed,
    /// The server broke the wire format.
    Protocol(ProtocolError),
    /// The server refused a step of the handshake. Trying again without a change will not help.
    Refused {
        /// The command that was refused.
        step: &'static str,
        /// What the server said.
        error: ErrorReply<'a>,
    },
    /// The server said something that answers nothing, or not what was sent: replies can no longer be told apart.
    OutOfStep,
    /// The handshake took too long.
    HandshakeTimedOut,
    /// Nothing came from the server for too long.
    Unresponsive,
    /// The buffers are too small for the handshake, or to read anything at all.
    Capacity,
}

impl fmt::Display for CloseReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::Disconnected => f.write_str("the connection ended"),
            CloseReason::Quit => f.write_str("the connection was ended by QUIT"),
            CloseReason::Closed => f.write_str("the connection was closed"),
            CloseReason::Protocol(error) => write!(f, "protocol error: {error}"),
            CloseReason::Refused { step, error } => write!(f, "the server refused {step}: {error}"),
            CloseReason::OutOfStep => {
                f.write_str("the server sent a reply that answers nothing that was asked")
            }
            CloseReason::HandshakeTimedOut => f.write_str("the handshake took too long"),
            CloseReason::Unresponsive => f.write_str("the server does not respond"),
            CloseReason::Capacity => f.write_str("the buffers are too small"),
        }
    }
}

/// A command was not sent; nothing of it will be written, and nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendError {
    /// There is no room. Let the transport write, or poll the events, then send again.
    Capacity(Capacity),
    /// It must not be sent now.
    Misuse(Misuse),
}

/// What has no room left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Capacity {
    /// The transmit buffer.
    Transmit {
        /// The bytes of the whole command.
        needed: usize,
        /// The bytes that were free; before the handshake is done, without those kept for the greeting.
        available: usize,
    },
    /// The table of commands in flight.
    InFlight,
    /// The set of subscriptions.
    Subscriptions,
    /// The effects of a transaction: no more than 8 of its commands may change the connection, as SELECT does.
    Transaction,
}

/// Why a command must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Misuse {
    /// It cannot be part of a transaction: its reply could not be told apart, or the server refuses it.
    InTransaction,
    /// There is no transaction to end.
    NoTransaction,
    /// Under RESP2 a subscriber can only subscribe, unsubscribe, PING, QUIT and RESET. Use another connection.
    Subscribed,
    /// After MONITOR only RESET and QUIT are possible.
    Monitoring,
    /// The server does not answer at the moment, and this command needs an answer.
    RepliesOff,
    /// QUIT was sent: nothing will be answered any more.
    Closing,
    /// SYNC, PSYNC and REPLCONF turn the connection into something that is no conversation.
    Replication,
    /// AUTH, HELLO and RESET need a settled connection: send them when the handshake is done, AUTH and HELLO when no reply
    /// is due.
    NotAlone,
    /// It needs a [part](crate::parts) that was not built: the feature `subscriptions`, `session`, `pieces`, `settings` or
    /// `resp3`.
    NotBuilt,
    /// The command changes the connection for all who use it, or is not answered, and was sent as one of a
    /// [shared](super::SendOptions::shared) connection.
    OwnConnection,
    /// Another command has begun and its last argument is not complete.
    Unfinished,
    /// Only commands without a meaning for the connection itself can be sent in pieces, on a settled connection.
    NotInPieces,
    /// A command without a single word.
    Empty,
    /// The connection has just ended: take its remaining events first.
    Closed,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Misuse::InTransaction => "not possible inside MULTI",
            Misuse::NoTransaction => "there is no MULTI before it",
            Misuse::Subscribed => "a RESP2 subscriber can only subscribe, unsubscribe, PING, QUIT and RESET; use another connection",
            Misuse::Monitoring => "after MONITOR only RESET and QUIT are possible",
            Misuse::RepliesOff => "it needs a reply, and replies are off; send CLIENT REPLY ON first",
            Misuse::Closing => "QUIT was sent before it",
            Misuse::Replication => "replication is not supported on this connection",
            Misuse::NotAlone => "AUTH, HELLO and RESET need a settled connection; wait for the handshake and, but for RESET, for the replies that are due",
            Misuse::NotBuilt => "it needs a feature of redwire that was not built: `subscriptions`, `session`, `pieces`, `settings` or `resp3`",
            Misuse::OwnConnection => "it changes the connection, or has no reply of its own, and others use the connection too; configure database, user and name, and use the methods for subscriptions, batches and transactions",
            Misuse::Unfinished => "the last argument of the command before it is not complete",
            Misuse::NotInPieces => "only ordinary commands can be sent in pieces, when the handshake is done",
            Misuse::Empty => "the command has no name",
            Misuse::Closed => "the connection has just ended; poll its events first",
        })
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Capacity::Transmit { needed, available } => {
                write!(f, "the command takes {needed} bytes and the transmit buffer has {available} free")
            }
            Capacity::InFlight => f.write_str("too many commands wait for their replies"),
            Capacity::Subscriptions => f.write_str("no room for another subscription"),
            Capacity::Transaction => {
                f.write_str("too many commands of the transaction change the connection; send EXEC first")
            }
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Capacity(capacity) => capacity.fmt(f),
            SendError::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl core::error::Error for Misuse {}
impl core::error::Error for Capacity {}
impl core::error::Error for SendError {}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::Capacity { needed, available } => {
                SendError::Capacity(Capacity::Transmit { needed, available })
            }
            _ => SendError::Misuse(Misuse::Empty),
        }
    }
}

/// Why [`poll_timeout`](super::Connection::poll_timeout) wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TimeoutReason {
    /// The handshake has to be done by then.
    Handshake,
    /// A command has to be answered by then.
    Command,
    /// Nothing was received for a while: time to ask whether the server is there.
    HealthCheck,
    /// Something has to be received by then, or the connection is given up.
    Unresponsive,
}
