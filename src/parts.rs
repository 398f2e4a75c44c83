//! What is built into the state machine. Features choose it, so that a small device pays for what it uses and no more:
//! what stands behind one of these constants is not linked where it is false.

/// SUBSCRIBE and its like, their messages, and to subscribe again on a new stream.
pub(crate) const SUBSCRIPTIONS: bool = cfg!(feature = "subscriptions");

/// Commands that change what the connection is: MULTI, WATCH, AUTH, SELECT, MONITOR, CLIENT REPLY, RESET, QUIT; and to
/// know which scripts the server has.
pub(crate) const SESSION: bool = cfg!(feature = "session");

/// Timeouts of the handshake and of commands, and the health check.
pub(crate) const DEADLINES: bool = cfg!(feature = "deadlines");

/// The types that RESP3 adds, and HELLO.
pub(crate) const RESP3: bool = cfg!(feature = "resp3");
