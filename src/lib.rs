//! A Redis protocol engine that does no IO.
//!
//! It turns commands into bytes and bytes into events, for RESP2 and RESP3, and never touches a socket, a clock or a
//! thread: bytes in, bytes out, time in. It needs no std, no unsafe and no allocator. Transports that drive it are crates
//! of their own: `redwire-std` has blocking sockets, `redwire-mio` lives in a mio loop.
//!
//! | module | what is in it |
//! |---|---|
//! | [`connection`] | the state machine of one link: handshake, pipeline, transactions, subscriptions, timers |
//! | [`client`] | what callers want of connections: batches, transactions, scripts, messages |
//! | [`command`] | commands as values, and as methods of everything that runs commands |
//! | [`parts`] | what is built in |
//! | [`reply`] | replies as Rust types |
//! | [`resp`] | the wire: parsers, frames, encoder |
//! | [`script`] | Lua scripts and their digests |
//! | [`storage`] | memory that the caller lends, or that grows |
//! | [`time`] | moments that the caller passes in |
#![cfg_attr(feature = "alloc", doc = "| [`url`] | where to connect, from a URL |")]
//!
//! # Features
//!
//! All are additive, and none changes what the engine does with what it can do.
//!
//! - `std` (default): hash maps as replies and arguments. Implies `alloc`.
//! - `full` (default): all [parts](parts) of the state machine: `resp3`, `subscriptions`, `session`, `deadlines`, `pieces`
//!   and `settings`. A small device names those that it uses instead, and pays no flash for the others. What needs a part
//!   that is not there is refused as [`Misuse::NotBuilt`](connection::Misuse::NotBuilt).
//! - `alloc`: buffers that grow, owned replies, [`reply::Value`](reply).
//! - `defmt`, `log`: the engine logs that a stream is up, which step of the handshake was refused, that it is connected or
//!   reconnected, the codes of error replies, what timed out or was skipped, and why a connection is over. Never an
//!   argument, a key, a name or a text of the server. Without these features a line costs nothing.
//! - `defmt`: all public types implement `defmt::Format`, and hide what `Debug` hides. Which lines are in the program is
//!   decided by `DEFMT_LOG` when it is compiled (`DEFMT_LOG=redwire=debug` for all of them).
#![no_std]
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod client;
pub mod command;
pub mod connection;
mod log;
pub mod parts;
pub mod reply;
pub mod resp;
pub mod script;
pub mod storage;
pub mod time;
#[cfg(feature = "alloc")]
pub mod url;
