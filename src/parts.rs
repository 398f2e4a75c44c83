//! What is built into the state machine. Features choose it, so that a small device pays for what it uses and no more:
//! what depends on one of these constants is not linked where it is false. Transports ask them too, since it may be
//! another crate that turned a feature on.

/// SUBSCRIBE and its like, their messages, and to subscribe again on a new stream.
pub const SUBSCRIPTIONS: bool = cfg!(feature = "subscriptions");

/// Commands that change what the connection is: MULTI, WATCH, AUTH, SELECT, MONITOR, CLIENT REPLY, RESET, QUIT; and to
/// know what they change.
pub const SESSION: bool = cfg!(feature = "session");

/// Timeouts of the handshake and of commands, and the health check. Without it those of the configuration are not looked
/// at.
pub const DEADLINES: bool = cfg!(feature = "deadlines");

/// Commands that change what the connection is, in one way or the other. Without any, all are alike.
pub(crate) const MODES: bool = SESSION || SUBSCRIPTIONS;

/// Frames that answer no command: messages, other pushes, and what MONITOR shows.
pub(crate) const ASIDES: bool = SESSION || SUBSCRIPTIONS || RESP3;

/// Values in pieces, for those larger than the memory: replies that are streamed, and commands whose last argument is
/// handed over piece by piece. They are refused without it.
pub const PIECES: bool = cfg!(feature = "pieces");

/// What the handshake sets: the name of the client, the database and the library. Without it a configuration with a name
/// or a database other than 0 is refused, and the library is not told.
pub const SETTINGS: bool = cfg!(feature = "settings");

/// Shortcuts for the commonest values, which cost flash. They change no result.
pub(crate) const FAST: bool = cfg!(feature = "__fast");

/// The types that RESP3 adds, and HELLO.
pub const RESP3: bool = cfg!(feature = "resp3");
