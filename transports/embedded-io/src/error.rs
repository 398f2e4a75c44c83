//! What can go wrong, named by who must act.

use core::fmt;

use redwire::connection::{Capacity, CloseReason, Failure, FailureReason, Misuse, SendError};
use redwire::parts::DEADLINES;
use redwire::reply::{DecodeError, Mismatch};
use redwire::resp::{ErrorCode, ErrorReply, ProtocolError};

/// How much of an error's text is kept, in bytes: those that Redis gives for a wrong use of a command are shorter.
pub const TEXT_CAPACITY: usize = 72;

/// Why something could not be done, and whether the server may have done it all the same.
///
/// It shows what the server said, as it said it, and the server may quote arguments; nothing else of a command.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Error {
    /// What happened: match on this. [`maybe_executed`](Self::maybe_executed) tells the rest.
    pub kind: ErrorKind,
    /// Whether the server may have executed the command although there is no reply to it.
    pub maybe_executed: bool,
    /// Its number in a pipeline or transaction, from 1.
    pub position: Option<u16>,
}

/// What happened, named by who must act: the server, the network, the caller, or whoever gave the memory its size.
/// After each of them the client can be used: where the connection was lost, over a new one.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server answered the command with an error.
    Server(ServerError),
    /// The server refused a command of a transaction while it was queued: nothing of the transaction was executed.
    Aborted(ServerError),
    /// The reply is not of the type that was asked for.
    Mismatch(Mismatch),
    /// A watched key has changed: nothing of the transaction was executed.
    Conflict,
    /// The reply did not come in time. It will be discarded when it comes; the connection goes on, but for that of an async
    /// client over a stream that is not [safe to be given up](crate::AsyncConnector::CANCEL_SAFE).
    TimedOut,
    /// The connection was lost, with what the stream said, if it said something; or the async client has not connected.
    Disconnected(Option<embedded_io::ErrorKind>),
    /// The connector gave no stream.
    Connect(embedded_io::ErrorKind),
    /// The server refused a step of the handshake.
    Refused {
        /// The command that was refused.
        step: &'static str,
        /// What the server said.
        error: ServerError,
    },
    /// The server did not answer the handshake in time.
    HandshakeTimedOut,
    /// Nothing came from the server for too long. The connection was closed.
    Unresponsive,
    /// The server, or what answers in its place, broke the wire format. The connection was closed.
    Protocol(ProtocolError),
    /// The server answered what was not asked. The connection was closed.
    OutOfStep,
    /// Something is larger than the memory for it. Nothing was sent.
    Capacity(Capacity),
    /// The buffers are too small for the handshake, or to read anything at all. The connection was closed.
    Buffers,
    /// The reply did not fit into the receive buffer; so many bytes were skipped. The connection goes on.
    TooLarge(u64),
    /// So many messages were lost since they did not fit into the memory for them. The connection goes on.
    MessagesLost(u32),
    /// The caller must not do this. Nothing was sent.
    Misuse(Misuse),
    /// The command has no reply of its own, or changes what a connection is. The connection was closed if it had to be.
    NoReply,
    /// A pipeline has another number of commands than its result has elements, or more than it has room for. Nothing was
    /// sent.
    Length {
        /// The commands that are queued.
        commands: u16,
        /// The replies that the type takes.
        replies: u16,
    },
    /// A value was given up before all of its bytes had come. The connection was closed.
    Incomplete,
    /// More bytes than were announced for a value. None of them was sent, and the value is still to be completed.
    Excess {
        /// How many bytes are still to come.
        remaining: usize,
    },
}

/// An error that the server gave as a reply: its code, and the beginning of its text.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError {
    text: heapless::Vec<u8, TEXT_CAPACITY, u8>,
}

impl ServerError {
    /// The code as a value to match on.
    pub fn code(&self) -> ErrorCode {
        self.reply().code()
    }

    /// The first [`TEXT_CAPACITY`] bytes of the text as the server sent it, code included. It may hold any byte.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The same as a view.
    pub fn reply(&self) -> ErrorReply<'_> {
        ErrorReply::new(&self.text)
    }
}

impl From<ErrorReply<'_>> for ServerError {
    fn from(error: ErrorReply<'_>) -> Self {
        let mut text = heapless::Vec::new();
        let bytes = error.text();
        // It fits, since it was cut.
        let _ = text.extend_from_slice(bytes.get(..TEXT_CAPACITY).unwrap_or(bytes));
        ServerError { text }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reply().fmt(f)
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reply().fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for ServerError {
    fn format(&self, f: defmt::Formatter<'_>) {
        self.reply().format(f);
    }
}

impl core::error::Error for ServerError {}

impl Error {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Error { kind, maybe_executed: false, position: None }
    }

    pub(crate) const fn executed(mut self, maybe: bool) -> Self {
        self.maybe_executed = maybe;
        self
    }

    /// Says which command of a pipeline it was; `position` counts from 0.
    pub(crate) const fn at(mut self, position: u16) -> Self {
        self.position = Some(position + 1);
        self
    }

    pub(crate) fn failed(failure: Failure) -> Self {
        let kind = match failure.reason {
            FailureReason::TimedOut => ErrorKind::TimedOut,
            _ => ErrorKind::Disconnected(None),
        };
        Error::new(kind).executed(failure.maybe_executed)
    }

    /// The end of a connection as an error, with what the stream said.
    #[cold]
    #[inline(never)]
    pub(crate) fn closed(
        reason: CloseReason<'_>,
        stream: Option<embedded_io::ErrorKind>,
        maybe_executed: bool,
    ) -> Self {
        let kind = match reason {
            CloseReason::Protocol(error) => ErrorKind::Protocol(error),
            CloseReason::Refused { step, error } => ErrorKind::Refused { step, error: error.into() },
            CloseReason::OutOfStep => ErrorKind::OutOfStep,
            CloseReason::HandshakeTimedOut if DEADLINES => ErrorKind::HandshakeTimedOut,
            CloseReason::Unresponsive if DEADLINES => ErrorKind::Unresponsive,
            CloseReason::Capacity => ErrorKind::Buffers,
            _ => ErrorKind::Disconnected(stream),
        };
        Error { kind, maybe_executed, position: None }
    }

    /// The error of the server, if it gave one as the reply, or refused the handshake or a transaction with one.
    pub fn server_error(&self) -> Option<&ServerError> {
        match &self.kind {
            ErrorKind::Server(error) | ErrorKind::Aborted(error) | ErrorKind::Refused { error, .. } => {
                Some(error)
            }
            _ => None,
        }
    }

    /// The code of the error of the server, if it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        self.server_error().map(ServerError::code)
    }

    /// Whether the same can be done again without the danger that it is done twice, and may succeed then: nothing was
    /// executed, and what was in the way passes.
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            ErrorKind::Server(error) | ErrorKind::Refused { error, .. } => {
                self.position.is_none() && !self.maybe_executed && error.reply().is_retryable()
            }
            ErrorKind::Aborted(error) => error.reply().is_retryable(),
            ErrorKind::Connect(_) | ErrorKind::HandshakeTimedOut | ErrorKind::Conflict => true,
            ErrorKind::TimedOut | ErrorKind::Disconnected(_) | ErrorKind::Unresponsive => {
                !self.maybe_executed
            }
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "command {position}: ")?;
        }
        match &self.kind {
            ErrorKind::Server(error) => error.fmt(f),
            ErrorKind::Aborted(error) => write!(f, "{error}; nothing of the transaction was executed"),
            ErrorKind::Mismatch(error) => error.fmt(f),
            ErrorKind::Conflict => {
                f.write_str("a watched key has changed, so nothing was executed; start over from reading it")
            }
            ErrorKind::TimedOut => f.write_str("there was no reply in time"),
            ErrorKind::Disconnected(None) => f.write_str("there is no connection to the server"),
            ErrorKind::Disconnected(Some(kind)) => write!(f, "the connection was lost: {kind:?}"),
            ErrorKind::Connect(kind) => write!(f, "cannot connect: {kind:?}"),
            ErrorKind::Refused { step, error } => write!(f, "the server refused {step}: {error}"),
            ErrorKind::HandshakeTimedOut => {
                f.write_str("the handshake took too long; is a Redis server there?")
            }
            ErrorKind::Unresponsive => f.write_str("the server does not respond"),
            ErrorKind::Protocol(error) => write!(f, "what came is not the Redis protocol: {error}"),
            ErrorKind::OutOfStep => f.write_str("the server sent a reply that answers nothing that was asked"),
            ErrorKind::Capacity(capacity) => capacity.fmt(f),
            ErrorKind::Buffers => f.write_str("the buffers are too small for the handshake or a reply"),
            ErrorKind::TooLarge(length) => {
                write!(f, "the reply of {length} bytes is larger than the receive buffer and was skipped")
            }
            ErrorKind::MessagesLost(count) => {
                write!(f, "{count} messages did not fit into the memory for them and were lost")
            }
            ErrorKind::Misuse(misuse) => misuse.fmt(f),
            ErrorKind::NoReply => f.write_str(
                "the command has no reply of its own; use the methods for subscriptions, pipelines and transactions",
            ),
            ErrorKind::Length { commands, replies } => write!(
                f,
                "the pipeline has {commands} commands and the result {replies} elements; nothing was sent"
            ),
            ErrorKind::Incomplete => {
                f.write_str("the value was given up before all of its bytes had come; the connection was closed")
            }
            ErrorKind::Excess { remaining } => {
                write!(f, "more bytes than were announced; {remaining} are still to come, and none was sent")
            }
        }?;
        let lost = matches!(
            self.kind,
            ErrorKind::TimedOut | ErrorKind::Disconnected(_) | ErrorKind::Unresponsive | ErrorKind::OutOfStep
        );
        match (lost, self.maybe_executed) {
            (true, true) => f.write_str("; it may have been executed"),
            (true, false) => f.write_str("; it was not executed"),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for Error {}

impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self.kind {
            ErrorKind::Disconnected(Some(kind)) | ErrorKind::Connect(kind) => kind,
            ErrorKind::Disconnected(None) => embedded_io::ErrorKind::ConnectionAborted,
            ErrorKind::TimedOut | ErrorKind::HandshakeTimedOut | ErrorKind::Unresponsive => {
                embedded_io::ErrorKind::TimedOut
            }
            ErrorKind::Capacity(_) | ErrorKind::Buffers | ErrorKind::TooLarge(_) => {
                embedded_io::ErrorKind::OutOfMemory
            }
            ErrorKind::Misuse(_)
            | ErrorKind::NoReply
            | ErrorKind::Length { .. }
            | ErrorKind::Excess { .. } => embedded_io::ErrorKind::InvalidInput,
            ErrorKind::Protocol(_) | ErrorKind::OutOfStep | ErrorKind::Mismatch(_) => {
                embedded_io::ErrorKind::InvalidData
            }
            _ => embedded_io::ErrorKind::Other,
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Error::new(match error {
            SendError::Capacity(capacity) => ErrorKind::Capacity(capacity),
            SendError::Misuse(misuse) => ErrorKind::Misuse(misuse),
            _ => ErrorKind::NoReply,
        })
    }
}

impl From<DecodeError<'_>> for Error {
    fn from(error: DecodeError<'_>) -> Self {
        match error {
            DecodeError::Server(error) => error.into(),
            DecodeError::Mismatch(mismatch) => Error::new(ErrorKind::Mismatch(mismatch)),
            _ => Error::new(ErrorKind::OutOfStep),
        }
    }
}

impl From<ErrorReply<'_>> for Error {
    fn from(error: ErrorReply<'_>) -> Self {
        Error::new(ErrorKind::Server(error.into()))
    }
}
