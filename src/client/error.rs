//! What can go wrong, named by who must act: one type for all transports.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::fmt;

use crate::connection::{Capacity, CloseReason, Misuse, SendError};
use crate::parts::DEADLINES;
use crate::reply::{DecodeError, Mismatch};
use crate::resp::{ErrorCode, ErrorReply, ProtocolError};

/// Why something could not be done, and whether the server may have done it all the same.
///
/// `T` is what only a transport knows: see [`Origin`]. With the feature `alloc` an error is a pointer, and knows the name
/// of the command.
///
/// It shows what the server said, as it said it, and the server may quote arguments; of a command it shows the name alone.
#[derive(Clone, PartialEq)]
pub struct Error<T = ()>(Held<T>);

#[cfg(feature = "alloc")]
type Held<T> = Box<Parts<T>>;
#[cfg(not(feature = "alloc"))]
type Held<T> = Parts<T>;

#[derive(Debug, Clone, PartialEq)]
struct Parts<T> {
    kind: ErrorKind,
    maybe_executed: bool,
    unsent: bool,
    /// From 1; 0 is none.
    position: u32,
    whole: Option<Whole>,
    #[cfg(feature = "alloc")]
    command: Option<Box<str>>,
    origin: T,
}

/// What happened, named by who must act: the server, the network, the caller, or whoever gave the memory its size.
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
    /// A watched key has changed: nothing of the transaction was executed. (The `WatchError` of redis-py.)
    Conflict,
    /// The reply did not come in time. It is discarded when it comes, and the connection goes on where it can.
    TimedOut,
    /// The connection was lost.
    Disconnected,
    /// There is no connection to be had.
    Connect,
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
    /// The server speaks TLS, and the stream does not. The connection was closed.
    Tls,
    /// The server answered what was not asked. The connection was closed.
    OutOfStep,
    /// Something is larger than the memory for it. Nothing was sent.
    Capacity(Capacity),
    /// The buffers are too small for the handshake, or to read anything at all. The connection was closed.
    Buffers,
    /// The reply did not fit into the receive buffer; so many bytes were skipped. The connection goes on.
    TooLarge(u64),
    /// So many messages were lost since they did not fit into the memory for them. The connection goes on.
    MessagesLost(u64),
    /// The caller must not do this. Nothing was sent.
    Misuse(Misuse),
    /// A batch has another number of commands than its result has elements. Nothing was sent.
    Length {
        /// The commands that are queued.
        commands: usize,
        /// The replies that the type takes.
        replies: usize,
    },
    /// The transaction has been executed, and its keys are watched no more. Nothing was sent.
    AlreadyExecuted,
    /// A value was given up before all of its bytes had come. The connection was closed.
    Incomplete,
    /// More bytes than were announced for a value. None of them was sent, and the value is still to be completed.
    Excess {
        /// How many bytes are still to come.
        remaining: usize,
    },
    /// The URL is malformed.
    #[cfg(feature = "alloc")]
    Url(crate::url::UrlError),
}

/// What a command was part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Whole {
    /// Commands that are sent together.
    Pipeline,
    /// Commands between MULTI and EXEC.
    Transaction,
}

/// What only a transport knows of an error: which server it was, and what the stream said.
pub trait Origin {
    /// The server, for `redis at ...`.
    fn server(&self) -> Option<&dyn fmt::Display> {
        None
    }

    /// What the stream said, or the attempt to have one.
    fn cause(&self) -> Option<&dyn fmt::Display> {
        None
    }

    /// The same, for [`core::error::Error::source`].
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        None
    }

    /// Advice for who reads it: what to do about `cause`.
    fn advice(&self) -> Option<&'static str> {
        None
    }
}

impl Origin for () {}

impl Error {
    /// An error of a kind. Nothing was executed, as far as it says.
    #[cold]
    pub fn new(kind: ErrorKind) -> Self {
        Error::of_kind(kind)
    }

    /// The end of a connection.
    #[cold]
    #[inline(never)]
    pub(crate) fn closed(reason: CloseReason<'_>) -> Self {
        Error::new(match reason {
            CloseReason::Protocol(error) => ErrorKind::Protocol(error),
            CloseReason::Refused { step, error } => ErrorKind::Refused { step, error: error.into() },
            CloseReason::OutOfStep => ErrorKind::OutOfStep,
            CloseReason::HandshakeTimedOut if DEADLINES => ErrorKind::HandshakeTimedOut,
            CloseReason::Unresponsive if DEADLINES => ErrorKind::Unresponsive,
            CloseReason::Capacity => ErrorKind::Buffers,
            _ => ErrorKind::Disconnected,
        })
    }

    /// The same error with what a transport knows.
    pub fn with_origin<T>(self, origin: T) -> Error<T> {
        #[cfg(feature = "alloc")]
        let parts = *self.0;
        #[cfg(not(feature = "alloc"))]
        let parts = self.0;
        Error::from_parts(Parts {
            kind: parts.kind,
            maybe_executed: parts.maybe_executed,
            unsent: parts.unsent,
            position: parts.position,
            whole: parts.whole,
            #[cfg(feature = "alloc")]
            command: parts.command,
            origin,
        })
    }
}

impl<T: Default> Error<T> {
    fn of_kind(kind: ErrorKind) -> Self {
        Error::from_parts(Parts {
            kind,
            maybe_executed: false,
            unsent: false,
            position: 0,
            whole: None,
            #[cfg(feature = "alloc")]
            command: None,
            origin: T::default(),
        })
    }
}

impl<T> Error<T> {
    fn from_parts(parts: Parts<T>) -> Self {
        #[cfg(feature = "alloc")]
        return Error(Box::new(parts));
        #[cfg(not(feature = "alloc"))]
        Error(parts)
    }

    /// What happened: match on this. [`maybe_executed`](Self::maybe_executed) tells whether the command may have run.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// What the transport knows.
    pub fn origin(&self) -> &T {
        &self.0.origin
    }

    /// What the transport knows, to be completed.
    pub fn origin_mut(&mut self) -> &mut T {
        &mut self.0.origin
    }

    /// Whether the server may have executed the command although there is no reply to it.
    pub fn maybe_executed(&self) -> bool {
        self.0.maybe_executed
    }

    /// Whether no byte of it was handed to the stream, so that it can be sent over another connection.
    pub fn is_unsent(&self) -> bool {
        self.0.unsent
    }

    /// The number of the command in its pipeline or transaction; the first is 1.
    pub fn position(&self) -> Option<usize> {
        (self.0.position > 0).then_some(self.0.position as usize)
    }

    /// The name of the command that failed. None without the feature `alloc`.
    pub fn command(&self) -> Option<&str> {
        #[cfg(feature = "alloc")]
        return self.0.command.as_deref();
        #[cfg(not(feature = "alloc"))]
        None
    }

    /// The error of the server, if it gave one as the reply, or refused the handshake or a transaction with one.
    pub fn server_error(&self) -> Option<&ServerError> {
        match &self.0.kind {
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
    /// executed, and what was in the way passes. It says nothing about how long to wait before.
    pub fn is_retryable(&self) -> bool {
        let Parts { kind, maybe_executed, position, .. } = self.parts();
        match kind {
            ErrorKind::Server(error) => !maybe_executed && *position == 0 && error.reply().is_retryable(),
            ErrorKind::Refused { error, .. } => error.reply().is_retryable() || error.reply().is_full(),
            // Nothing of the transaction was executed, so that all of it can be.
            ErrorKind::Aborted(error) => error.reply().is_retryable(),
            ErrorKind::Connect | ErrorKind::HandshakeTimedOut | ErrorKind::Conflict => !maybe_executed,
            ErrorKind::Disconnected | ErrorKind::TimedOut | ErrorKind::Unresponsive => !maybe_executed,
            _ => false,
        }
    }

    fn parts(&self) -> &Parts<T> {
        &self.0
    }

    /// Says whether the server may have executed it.
    #[must_use]
    pub fn executed(mut self, maybe: bool) -> Self {
        self.0.maybe_executed = maybe;
        self
    }

    /// Says whether no byte of it was handed out.
    #[must_use]
    pub(crate) fn unsent(mut self, unsent: bool) -> Self {
        self.0.unsent = unsent;
        self
    }

    /// Says which command it was; `position` counts from 0.
    #[must_use]
    pub(crate) fn at(mut self, position: usize, whole: Whole) -> Self {
        self.0.position = u32::try_from(position).map_or(0, |position| position.wrapping_add(1));
        self.0.whole = Some(whole);
        self
    }

    /// Says that it was all of them, and none in particular.
    #[must_use]
    pub(crate) fn of(mut self, whole: Whole) -> Self {
        self.0.whole = Some(whole);
        self
    }

    /// Says which command it was, unless that is known. Its name is kept with the feature `alloc`.
    #[must_use]
    pub fn about(self, command: &dyn crate::resp::Encode) -> Self {
        #[cfg(feature = "alloc")]
        {
            let mut error = self;
            if error.0.command.is_none() {
                error.0.command = Some(name_in(&crate::resp::encode(command)));
            }
            error
        }
        #[cfg(not(feature = "alloc"))]
        {
            let _ = command;
            self
        }
    }
}

/// The name of an encoded command: its first word alone, since the others may be secrets.
#[cfg(feature = "alloc")]
fn name_in(encoded: &[u8]) -> Box<str> {
    let name = crate::resp::Words::of(encoded).next().unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'|');
    let name = name.get(..name.len().min(48)).unwrap_or_default();
    if name.is_empty() || !name.iter().all(plain) {
        return "a command".into();
    }
    alloc::string::String::from_utf8_lossy(name).to_ascii_uppercase().into()
}

/// How much of an error's text is kept without the feature `alloc`, in bytes: the texts that Redis gives for a wrong use
/// of a command are shorter.
pub const TEXT_CAPACITY: usize = 72;

#[cfg(feature = "alloc")]
type ErrorText = Box<[u8]>;
#[cfg(not(feature = "alloc"))]
type ErrorText = heapless::Vec<u8, TEXT_CAPACITY, u8>;

/// An error that the server gave as a reply: its code and its text. Without the feature `alloc` it keeps the first
/// [`TEXT_CAPACITY`] bytes of the text.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError(ErrorText);

impl ServerError {
    /// The code as a value to match on.
    pub fn code(&self) -> ErrorCode {
        self.reply().code()
    }

    /// The text as the server sent it, code included. It may hold any byte.
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// The same as a view.
    pub fn reply(&self) -> ErrorReply<'_> {
        ErrorReply::new(&self.0)
    }
}

impl From<ErrorReply<'_>> for ServerError {
    #[cold]
    fn from(error: ErrorReply<'_>) -> Self {
        #[cfg(feature = "alloc")]
        return ServerError(error.text().into());
        #[cfg(not(feature = "alloc"))]
        {
            let mut text = heapless::Vec::new();
            let bytes = error.text();
            // It fits, since it was cut.
            let _ = text.extend_from_slice(bytes.get(..TEXT_CAPACITY).unwrap_or(bytes));
            ServerError(text)
        }
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

impl<T: Default> From<SendError> for Error<T> {
    #[cold]
    fn from(error: SendError) -> Self {
        Error::of_kind(match error {
            SendError::Capacity(capacity) => ErrorKind::Capacity(capacity),
            SendError::Misuse(misuse) => ErrorKind::Misuse(misuse),
        })
    }
}

impl<T: Default> From<ErrorReply<'_>> for Error<T> {
    #[cold]
    fn from(error: ErrorReply<'_>) -> Self {
        Error::of_kind(ErrorKind::Server(error.into()))
    }
}

impl<T: Default> From<DecodeError<'_>> for Error<T> {
    #[cold]
    fn from(error: DecodeError<'_>) -> Self {
        match error {
            DecodeError::Server(error) => error.into(),
            DecodeError::Mismatch(mismatch) => Error::of_kind(ErrorKind::Mismatch(mismatch)),
        }
    }
}

#[cfg(feature = "alloc")]
impl<T: Default> From<crate::url::UrlError> for Error<T> {
    fn from(error: crate::url::UrlError) -> Self {
        Error::of_kind(ErrorKind::Url(error))
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Whole::Pipeline => "pipeline",
            Whole::Transaction => "transaction",
        })
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Server(error) => with_hint(error, f),
            ErrorKind::Aborted(error) => {
                without_stop(error, f)?;
                f.write_str("; nothing of the transaction was executed")
            }
            ErrorKind::Mismatch(error) => error.fmt(f),
            ErrorKind::Conflict => {
                f.write_str("a watched key has changed, so nothing was executed; start over from reading it")
            }
            ErrorKind::TimedOut => f.write_str("there was no reply in time"),
            ErrorKind::Disconnected => f.write_str("the connection was lost"),
            ErrorKind::Connect => f.write_str("cannot connect"),
            ErrorKind::Refused { step, error } => {
                write!(f, "the server refused {step}: ")?;
                with_hint(error, f)
            }
            ErrorKind::HandshakeTimedOut => f.write_str(
                "the server accepted the connection and then did not answer in time; is it a Redis server?",
            ),
            ErrorKind::Unresponsive => f.write_str("the server does not respond; the connection was closed"),
            ErrorKind::Protocol(error) => {
                write!(f, "what came is not the Redis protocol: {error}; the connection was closed")
            }
            ErrorKind::Tls => f.write_str(
                "the server speaks TLS, and this client does not: use another port, or a TLS proxy or tunnel",
            ),
            ErrorKind::OutOfStep => f.write_str(
                "the server sent a reply that answers nothing that was asked; the connection was closed",
            ),
            ErrorKind::Capacity(capacity) => capacity.fmt(f),
            ErrorKind::Buffers => f.write_str("the buffers are too small for the handshake or a reply"),
            ErrorKind::TooLarge(length) => {
                write!(f, "the reply of {length} bytes is larger than the receive buffer and was skipped")
            }
            ErrorKind::MessagesLost(count) => {
                write!(f, "{count} messages did not fit into the memory for them and were lost")
            }
            ErrorKind::Misuse(misuse) => misuse.fmt(f),
            ErrorKind::Length { commands, replies } => write!(
                f,
                "the batch has {commands} commands and the result {replies} elements; nothing was sent"
            ),
            ErrorKind::AlreadyExecuted => f.write_str("the transaction has been executed already"),
            ErrorKind::Incomplete => f.write_str(
                "the value was given up before all of its bytes had come; the connection was closed",
            ),
            ErrorKind::Excess { remaining } => {
                write!(f, "more bytes than were announced; {remaining} are still to come, and none was sent")
            }
            #[cfg(feature = "alloc")]
            ErrorKind::Url(error) => error.fmt(f),
        }
    }
}

impl<T: Origin> fmt::Display for Error<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { kind, maybe_executed, whole, origin, .. } = self.parts();
        if let Some(server) = origin.server() {
            write!(f, "redis at {server}: ")?;
        }
        match (self.command(), self.position(), whole) {
            (Some(command), Some(position), Some(whole)) => {
                write!(f, "command {position} ({command}) of the {whole}: ")?;
            }
            (None, Some(position), Some(whole)) => write!(f, "command {position} of the {whole}: ")?,
            (Some(command), ..) => write!(f, "{command}: ")?,
            (None, _, Some(whole)) => write!(f, "the {whole}: ")?,
            _ => {}
        }
        kind.fmt(f)?;
        if let (ErrorKind::Connect | ErrorKind::Disconnected, Some(cause)) = (kind, origin.cause()) {
            write!(f, ": {cause}")?;
            if let Some(advice) = origin.advice() {
                write!(f, "; {advice}")?;
            }
        }
        let no_reply = matches!(
            kind,
            ErrorKind::TimedOut
                | ErrorKind::Disconnected
                | ErrorKind::Unresponsive
                | ErrorKind::Protocol(_)
                | ErrorKind::OutOfStep
        );
        match (no_reply, maybe_executed) {
            (true, true) => f.write_str("; it may have been executed"),
            (true, false) => f.write_str("; it was not executed"),
            _ => Ok(()),
        }
    }
}

/// As `Display`, since this is what a `main` that returns an error shows; `{:#?}` shows the parts.
impl<T: Origin + fmt::Debug> fmt::Debug for Error<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        f.debug_struct("Error")
            .field("message", &format_args!("{self}"))
            .field("kind", &self.0.kind)
            .field("command", &self.command())
            .field("position", &self.position())
            .field("maybe_executed", &self.0.maybe_executed)
            .field("origin", &self.0.origin)
            .finish()
    }
}

impl<T: Origin + fmt::Debug> core::error::Error for Error<T> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self.kind() {
            ErrorKind::Connect | ErrorKind::Disconnected => self.origin().source(),
            ErrorKind::Protocol(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(feature = "defmt")]
impl<T: defmt::Format> defmt::Format for Error<T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Error {{ kind: {}, position: {}, maybe_executed: {=bool}, origin: {} }}",
            self.0.kind,
            self.position(),
            self.0.maybe_executed,
            self.0.origin
        );
    }
}

/// What the server said, and what to do about a login that is missing or wrong.
fn with_hint(error: &ServerError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let hint = match error.code() {
        // Servers say this to those who have not tried to log in.
        ErrorCode::NoAuth => "give a password (redis://:password@host)",
        ErrorCode::WrongPass => "check user name and password",
        _ => return fmt::Display::fmt(error, f),
    };
    without_stop(error, f)?;
    write!(f, "; {hint}")
}

/// What the server said, without the full stop at its end: the sentence goes on.
fn without_stop(error: &ServerError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = error.text();
    let end = text.iter().rposition(|&byte| byte != b'.').map_or(0, |last| last + 1);
    fmt::Display::fmt(&ErrorReply::new(text.get(..end).unwrap_or(text)), f)
}
