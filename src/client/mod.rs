//! What callers want of connections, without IO: every conversation that is longer than one command, written once.
//!
//! An [`Exchange`] is a conversation as a value: one [`Call`], a [`Batch`] of [`Commands`], a [`ScriptCall`]. A [`Session`]
//! drives any of them over one connection, and keeps the messages that come in between in its [`Inbox`]. What is left to a
//! transport is one loop:
//!
//! ```text
//! loop {
//!     match session.poll(now, exchange) {
//!         Ready(Ok(())) => return the result of the exchange,
//!         Ready(Err(error)) => return error,
//!         Pending => {
//!             write what session.engine_mut().poll_transmit() has;
//!             if exchange.is_sent() { wait for something to read, at most until poll_timeout() and exchange.deadline() }
//!             read into session.engine_mut().receive_buffer();
//!             session.engine_mut().handle_timeout(now) if that has passed
//!         }
//!     }
//! }
//! ```
//!
//! | module | what is in it |
//! |---|---|
//! | `exchange` | what an exchange is, and the session that drives it |
//! | `call`, `batch`, `script` | the exchanges |
//! | `pieces` | values larger than the memory |
//! | `commands` | commands that are kept for a batch |
//! | `replies` | the replies of a batch as one Rust type |
//! | `transaction` | WATCH, and when to start over |
//! | `inbox` | messages that wait |
//! | `link`, `backoff` | when and where to connect |
//! | `error` | one error type for all transports |

mod backoff;
mod batch;
mod call;
mod commands;
mod error;
mod exchange;
#[cfg(feature = "defmt")]
mod format;
mod inbox;
mod link;
mod pieces;
mod replies;
mod script;
mod transaction;

pub use backoff::Backoff;
pub use batch::{Batch, Queued};
pub use call::{Call, Sent};
pub use commands::{Commands, Entry};
pub use error::{Error, ErrorKind, Origin, ServerError, TEXT_CAPACITY, Whole};
pub use exchange::{Exchange, Session, Step};
pub use inbox::{Inbox, Message, MessageKind, OVERHEAD, Overflow};
pub use link::{Link, LinkState, Next};
pub use pieces::{Download, Upload};
pub use replies::FromReplies;
#[cfg(feature = "alloc")]
pub use script::KeptScriptCall;
pub use script::ScriptCall;
pub use transaction::{Attempts, Watch};
