//! What can go wrong, named by who must act.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::Arc;

use redwire::connection::{Capacity, Misuse, SendError};
use redwire::reply::{DecodeError, Mismatch};
use redwire::resp::{Encode, ErrorCode, ErrorReply, ProtocolError, Words};
use redwire::url::UrlError;

/// Why something could not be done: what happened, at which server, to which command.
///
/// Neither `Display` nor `Debug` show credentials, URLs, or of a command more than its name. They do show what the server
/// said, as it said it, and the server may quote arguments: `ERR unknown command 'GTE', with args beginning with: 'secret'`.
///
/// ```
/// let error = redwire_std::Client::open("http://user:secret@localhost").unwrap_err();
/// assert_eq!(error.to_string(), "the URL has to begin with redis://, unix:// or redis+unix://");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    server: Option<Arc<str>>,
    command: Option<Box<str>>,
    /// Its number in a pipeline or transaction, from 1.
    position: Option<usize>,
    /// What it is a command of, or what failed as a whole: `pipeline`, `transaction`.
    of: Option<&'static str>,
    maybe_executed: bool,
    /// No byte of it has been written.
    unsent: bool,
}

/// What happened, named by who must act: the server, the network, or the caller. A client goes on after each of them, over
/// a new connection where the old one was lost.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server answered the command with an error.
    Server(ServerError),
    /// The server refused a command of a transaction while it was queued: nothing of the transaction was executed. One
    /// that fails when it is executed is of kind [`Server`](Self::Server), and keeps none of the others from being
    /// executed.
    Aborted(ServerError),
    /// The reply is not of the type that was asked for.
    Mismatch(Mismatch),
    /// A watched key stood in the way of a transaction.
    Watch(WatchError),
    /// The reply did not come in time. It will be discarded when it comes.
    TimedOut,
    /// The connection was lost.
    Disconnected(Option<io::Error>),
    /// There is no connection to be had.
    Connect(io::Error),
    /// The server refused a step of the handshake: log in, database, name.
    Refused {
        /// The command that was refused.
        step: &'static str,
        /// What the server said.
        error: ServerError,
    },
    /// The server speaks TLS, and was addressed without.
    Tls,
    /// The server did not answer the handshake in time.
    HandshakeTimedOut,
    /// The server, or what answers in its place, broke the wire format.
    Protocol(ProtocolError),
    /// The server answered what was not asked.
    OutOfStep,
    /// Something is larger than the memory for it.
    Capacity(Capacity),
    /// The reply did not fit into the receive buffer; so many bytes were skipped.
    TooLarge(u64),
    /// The caller must not do this.
    Misuse(Misuse),
    /// The command changes the connection it runs on, and the connections of a client are shared.
    OwnConnection,
    /// A pipeline has another number of commands than its result has elements.
    PipelineLength {
        /// The commands that are queued.
        commands: usize,
        /// The replies that the type has room for.
        replies: usize,
    },
    /// The transaction has been executed, and its watched keys with it.
    AlreadyExecuted,
    /// The URL is malformed.
    Url(UrlError),
}

/// An error that the server gave as a reply: a code and a text.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError(Box<[u8]>);

impl ServerError {
    /// The code as a value to match on.
    pub fn code(&self) -> ErrorCode {
        self.reply().code()
    }

    /// The whole text as the server sent it, code included. It may hold any byte.
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// The same as a view.
    pub fn reply(&self) -> ErrorReply<'_> {
        ErrorReply::new(&self.0)
    }
}

impl From<ErrorReply<'_>> for ServerError {
    fn from(error: ErrorReply<'_>) -> Self {
        ServerError(error.text().into())
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

impl std::error::Error for ServerError {}

/// What a watched key has to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// A watched key has changed: nothing was executed.
    Conflict,
    /// The connection was lost while keys were watched. Unless [`Error::maybe_executed`] says otherwise, nothing was
    /// executed: neither the command nor the transaction.
    Disconnected,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Error(Box::new(Inner {
            kind,
            server: None,
            command: None,
            position: None,
            of: None,
            maybe_executed: false,
            unsent: false,
        }))
    }

    pub(crate) fn server(mut self, server: &Arc<str>) -> Self {
        self.0.server.get_or_insert_with(|| server.clone());
        self
    }

    pub(crate) fn about<C: Encode + ?Sized>(mut self, command: &C) -> Self {
        self.0.command.get_or_insert_with(|| name_of(command));
        self
    }

    /// Says which command of a pipeline it was; `position` counts from 0.
    pub(crate) fn at(mut self, position: usize, name: Box<str>, of: &'static str) -> Self {
        self.0.command = Some(name);
        self.0.position = Some(position + 1);
        self.0.of = Some(of);
        self
    }

    /// Says that it was a transaction as a whole, and none of its commands.
    pub(crate) fn of(mut self, whole: &'static str) -> Self {
        self.0.of = Some(whole);
        self
    }

    pub(crate) fn executed(mut self, maybe: bool) -> Self {
        self.0.maybe_executed = maybe;
        self
    }

    pub(crate) fn unsent(mut self, unsent: bool) -> Self {
        self.0.unsent = unsent;
        self
    }

    /// What happened: match on this. [`maybe_executed`](Self::maybe_executed) tells whether the command may have run.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
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

    /// The name of the command that failed.
    pub fn command(&self) -> Option<&str> {
        self.0.command.as_deref()
    }

    /// The number of the command in its pipeline or transaction; the first is 1.
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    /// Whether the server may have executed the command although there is no reply to it.
    pub fn maybe_executed(&self) -> bool {
        self.0.maybe_executed
    }

    /// Whether the same can be done again without the danger that it is done twice, and may succeed then: nothing was
    /// executed, and what was in the way passes. It says nothing about how long to wait before.
    pub fn is_retryable(&self) -> bool {
        match &self.0.kind {
            ErrorKind::Server(error) | ErrorKind::Refused { error, .. } => {
                !self.0.maybe_executed && self.0.position.is_none() && error.reply().is_retryable()
            }
            // Nothing of the transaction was executed, so that all of it can be.
            ErrorKind::Aborted(error) => error.reply().is_retryable(),
            ErrorKind::Connect(_) | ErrorKind::HandshakeTimedOut => true,
            ErrorKind::Watch(_) | ErrorKind::Disconnected(_) | ErrorKind::TimedOut => !self.0.maybe_executed,
            _ => false,
        }
    }

    /// Whether the connection ended before a byte of the command was written.
    pub(crate) fn is_lost_unsent(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Disconnected(_)) && self.0.unsent
    }

    /// The same, while keys were watched on the connection.
    pub(crate) fn while_watching(mut self) -> Self {
        if matches!(self.0.kind, ErrorKind::Disconnected(_)) {
            self.0.kind = ErrorKind::Watch(WatchError::Disconnected);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, server, command, position, of, maybe_executed, .. } = &*self.0;
        if let Some(server) = server {
            write!(f, "redis at {server}: ")?;
        }
        match (command, position, of) {
            (Some(command), Some(position), Some(of)) => {
                write!(f, "command {position} ({command}) of the {of}: ")?
            }
            (Some(command), ..) => write!(f, "{command}: ")?,
            (None, _, Some(of)) => write!(f, "the {of}: ")?,
            _ => {}
        }
        match kind {
            ErrorKind::Server(error) => match login_hint(error) {
                Some(hint) => write!(f, "{}; {hint}", without_stop(error))?,
                None => error.fmt(f)?,
            },
            ErrorKind::Aborted(error) => {
                write!(f, "{}; nothing of the transaction was executed", without_stop(error))?;
            }
            ErrorKind::Mismatch(error) => error.fmt(f)?,
            ErrorKind::Watch(WatchError::Conflict) => f.write_str(
                "a watched key has changed, so nothing was executed; start over from reading it",
            )?,
            ErrorKind::Watch(WatchError::Disconnected) => {
                f.write_str("the connection was lost while keys were watched")?;
                f.write_str(match maybe_executed {
                    true => "; it may have been executed",
                    false => ", so nothing was executed; start over from reading them",
                })?;
            }
            ErrorKind::TimedOut => f.write_str("there was no reply in time")?,
            ErrorKind::Disconnected(None) => f.write_str("the connection ended")?,
            ErrorKind::Disconnected(Some(error)) => write!(f, "the connection was lost: {error}")?,
            ErrorKind::Connect(error) => {
                write!(f, "cannot connect: {error}")?;
                match error.kind() {
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                        f.write_str("; is a server running there?")?;
                    }
                    io::ErrorKind::PermissionDenied => f.write_str("; may this user open the socket?")?,
                    _ => {}
                }
            }
            ErrorKind::Refused { step, error } => {
                write!(f, "the server refused {step}: ")?;
                match login_hint(error) {
                    Some(hint) => write!(f, "{}; {hint}", without_stop(error))?,
                    None => error.fmt(f)?,
                }
            }
            ErrorKind::Tls => f.write_str(
                "the server speaks TLS, and this client does not: use another port, or a TLS proxy or tunnel",
            )?,
            ErrorKind::HandshakeTimedOut => {
                f.write_str("the server accepted the connection and then did not answer in time; is it a Redis server?")?;
            }
            ErrorKind::Protocol(error) => {
                write!(f, "what came is not the Redis protocol: {error}; the connection was closed")?;
            }
            ErrorKind::OutOfStep => f.write_str(
                "the server sent a reply that answers nothing that was asked; the connection was closed",
            )?,
            ErrorKind::Capacity(capacity) => capacity.fmt(f)?,
            ErrorKind::TooLarge(length) => {
                write!(f, "the reply of {length} bytes is larger than the receive buffer and was skipped")?;
            }
            ErrorKind::Misuse(misuse) => misuse.fmt(f)?,
            ErrorKind::OwnConnection => f.write_str(
                "it changes the connection it runs on, and those of a client are shared: choose database and user in \
                 the URL, and use pubsub(), transaction() or pipeline().atomic()",
            )?,
            ErrorKind::PipelineLength { commands, replies } => write!(
                f,
                "the pipeline has {commands} commands and the result {replies} elements; nothing was sent"
            )?,
            ErrorKind::AlreadyExecuted => f.write_str("the transaction has been executed already")?,
            ErrorKind::Url(error) => error.fmt(f)?,
        }
        let no_reply = matches!(
            kind,
            ErrorKind::TimedOut | ErrorKind::Disconnected(_) | ErrorKind::Protocol(_) | ErrorKind::OutOfStep
        );
        match (no_reply && (command.is_some() || of.is_some()), maybe_executed) {
            (true, true) => f.write_str("; it may have been executed"),
            (true, false) => f.write_str("; it was not executed"),
            _ => Ok(()),
        }
    }
}

/// As `Display`, since this is what a `main` that returns an error shows; `{:#?}` shows the parts.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        f.debug_struct("Error")
            .field("message", &self.to_string())
            .field("kind", &self.0.kind)
            .field("server", &self.0.server)
            .field("command", &self.0.command)
            .field("position", &self.position())
            .field("maybe_executed", &self.0.maybe_executed)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Connect(error) | ErrorKind::Disconnected(Some(error)) => Some(error),
            ErrorKind::Protocol(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ErrorReply<'_>> for Error {
    fn from(error: ErrorReply<'_>) -> Self {
        OFFERED.take().unwrap_or_else(|| Error::new(ErrorKind::Server(error.into())))
    }
}

thread_local! {
    /// What the next error reply is as an error. `Result<T, Error>` is read by the engine, which has but the reply to make
    /// the error from, and knows nothing of server, command and position.
    static OFFERED: Cell<Option<Error>> = const { Cell::new(None) };
}

/// Reads something, and takes `error` for the first error reply that is made an [`Error`] by it. Gives `error` back if
/// there was none.
pub(crate) fn offer<T>(error: Error, read: impl FnOnce() -> T) -> (T, Option<Error>) {
    /// Should `read` panic, the error is not left for another reply.
    struct Withdraw;
    impl Drop for Withdraw {
        fn drop(&mut self) {
            OFFERED.set(None);
        }
    }
    let _withdraw = Withdraw;
    OFFERED.set(Some(error));
    let value = read();
    (value, OFFERED.take())
}

impl From<DecodeError<'_>> for Error {
    fn from(error: DecodeError<'_>) -> Self {
        match error {
            DecodeError::Server(error) => error.into(),
            DecodeError::Mismatch(mismatch) => Error::new(ErrorKind::Mismatch(mismatch)),
            // The enum may get more; all of them are about what came.
            _ => Error::new(ErrorKind::OutOfStep),
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Error::new(match error {
            SendError::Capacity(capacity) => ErrorKind::Capacity(capacity),
            SendError::Misuse(misuse) => ErrorKind::Misuse(misuse),
            // The enum may get more; all of them are about what the caller asked for.
            _ => ErrorKind::OwnConnection,
        })
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Error::new(ErrorKind::Url(error))
    }
}

/// What to do about a login that is missing or wrong.
fn login_hint(error: &ServerError) -> Option<&'static str> {
    match error.code() {
        // Servers say this to those who have not tried to log in.
        ErrorCode::NoAuth => Some("give a password (redis://:password@host)"),
        ErrorCode::WrongPass => Some("check user name and password"),
        _ => None,
    }
}

/// What the server said, without the full stop at its end: the sentence goes on.
fn without_stop(error: &ServerError) -> String {
    let mut text = error.to_string();
    text.truncate(text.trim_end_matches('.').len());
    text
}

/// The name of a command: its first word alone, since the others may be secrets.
fn name_of<C: Encode + ?Sized>(command: &C) -> Box<str> {
    name_in(&redwire::resp::encode(command))
}

/// The name of an encoded command.
pub(crate) fn name_in(encoded: &[u8]) -> Box<str> {
    let name = Words::of(encoded).next().unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'|');
    let name = name.get(..name.len().min(48)).unwrap_or_default();
    if name.is_empty() || !name.iter().all(plain) {
        return "a command".into();
    }
    String::from_utf8_lossy(name).to_ascii_uppercase().into()
}
