//! Redis clients over `embedded-io` streams, without an allocator, on [`redwire`], the protocol engine that does no IO.
//!
//! ```
//! use redwire_embedded_io::prelude::*;
//! # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
//! # let connector = canned::connector(&[":7\r\n", "$6\r\nsensor\r\n"]);
//!
//! // All memory there is: receive, transmit, commands in flight.
//! let mut memory = StaticBuffers::<512, 256, 8>::new();
//! let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
//! let boots: i64 = redis.incr("boots")?;
//! let name: heapless::String<32> = redis.get("name")?;
//! # assert_eq!((boots, name.as_str()), (7, "sensor"));
//! # Ok::<(), Error>(())
//! ```
//!
//! | what | where |
//! |---|---|
//! | a command, a script, a message | [`Client`], with the methods of [`Commands`](redwire::command::Commands) |
//! | several commands at once | [`Pipeline`], from [`Client::pipeline`] and [`Client::atomic`] |
//! | read, then write, as if alone | [`Transaction`], from [`Client::transaction`] |
//! | values larger than the memory | [`Download`], [`Upload`] |
//! | the same as futures | [`AsyncClient`], [`AsyncPipeline`], [`AsyncTransaction`], [`AsyncDownload`], [`AsyncUpload`] |
//! | the memory | [`StaticBuffers`], [`Memory`] |
//! | streams, and new ones | [`Connector`], [`AsyncConnector`], [`CancelSafe`], [`Line`], [`Address`] |
//! | the time | [`Clock`], [`NoClock`], `TokioClock`, `EmbassyClock` |
//! | what went wrong | [`Error`], [`ErrorKind`], [`ServerError`], [`StreamError`] |
//!
//! # How large the memory has to be
//!
//! Nothing grows, and nothing panics: what does not fit is an error that says what was too small, and how much it needed.
//!
//! - *Receive*: the largest reply that is read in one piece, as it stands on the wire: `$5\r\nhello\r\n` takes 11 bytes. A
//!   larger one is [skipped and reported](ErrorKind::TooLarge), or read with [`Client::download`]. 128 bytes is enough for
//!   small values. The receive buffer is filled in one read where the stream has so much, so a larger one is faster, too.
//! - *Transmit*: the largest command, or pipeline, as it stands on the wire. A larger value goes with [`Client::upload`].
//!   The greeting has to fit, or no connection comes about ([`ErrorKind::Buffers`]): 110 bytes by default, 30 with
//!   [`no_library`](redwire::connection::Config::no_library); a client name takes 40 and its length besides, a database 30,
//!   credentials 30 and their length.
//! - *In flight*: one place of at most 32 bytes for each command of the longest pipeline, and two for MULTI and EXEC. At least one.
//!   A command that was given up keeps its place until its reply has come.
//! - *Subscriptions*: each channel and pattern takes its name and 9 bytes.
//! - *Messages*: what is published while the client waits for a reply is kept here, with 13 bytes and the names besides the
//!   payload. What does not fit is lost, and [told once](ErrorKind::MessagesLost); which ones are is [for you to choose](Memory::overflow).
//!
//! # In step or dead
//!
//! Every reply answers the command it belongs to, or the connection is over. Nothing is sent twice by itself; an error says
//! whether a command [may have been executed](Error::maybe_executed). What is given up on the way, a pipeline, a download,
//! a command that is late, a future that is dropped, leaves a connection that can be used, or one that is over and says so.
//!
//! # Features
//!
//! | feature | brings | without it |
//! |---|---|---|
//! | `resp3` (default) | HELLO, and the types of RESP3 | the connection speaks RESP2 |
//! | `subscriptions` (default) | SUBSCRIBE and its like, messages | [`Misuse::NotBuilt`](redwire::connection::Misuse::NotBuilt) |
//! | `session` (default) | transactions, and AUTH, SELECT, RESET, QUIT, MONITOR, CLIENT REPLY | `Misuse::NotBuilt` |
//! | `deadlines` (default) | the timeouts and the health check of `Config` | they are not looked at |
//! | `pieces` (default) | [`Download`] and [`Upload`] | `Misuse::NotBuilt` |
//! | `settings` (default) | name of the client, database and library in the handshake | name and database are refused with `Misuse::NotBuilt` |
//! | `tokio` | `TokioClock`, with which deadlines pass in a task of tokio; implies `std` | |
//! | `embassy` | `EmbassyClock`, the same for embassy | |
//! | `alloc` | replies that own their memory: `String`, `Vec`; `Resuming`; errors that know the name of the command | `&str`, `&[u8]` and those of `heapless` |
//! | `std` | hash maps and sets as well | |
//! | `defmt` | public types implement `defmt::Format`, and the engine logs what it does | |
//! | `log` | the engine logs through `log` | |
//!
//! What was not built is refused before a byte is written, and takes no flash.
#![no_std]
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;

mod address;
mod async_call;
mod async_client;
mod async_io;
mod async_pipeline;
mod async_transfer;
mod buffers;
mod client;
mod clock;
mod connector;
mod error;
mod pipeline;
mod state;
mod transfer;

pub use address::{Address, AddressError, DEFAULT_PORT};
pub use async_call::Call;
pub use async_client::AsyncClient;
pub use async_pipeline::{AsyncPipeline, AsyncQueue, AsyncTransaction};
pub use async_transfer::{AsyncDownload, AsyncUpload};
pub use buffers::{Memory, StaticBuffers};
pub use client::Client;
#[cfg(feature = "embassy")]
pub use clock::EmbassyClock;
#[cfg(feature = "tokio")]
pub use clock::TokioClock;
pub use clock::{Clock, NoClock};
#[cfg(feature = "alloc")]
pub use connector::Resuming;
pub use connector::{AsyncConnector, CancelSafe, Connector, InUse, Line};
pub use error::{Error, StreamError, WriteError};
pub use pipeline::{Pipeline, Queue, Transaction};
pub use redwire;
pub use redwire::client::{
    ErrorKind, FromReplies, Message, MessageKind, Overflow, ServerError, TEXT_CAPACITY,
};
pub use redwire::time::{Duration, Instant};
pub use transfer::{Download, Upload};

/// What a program needs: `use redwire_embedded_io::prelude::*;`.
///
/// The functions of [`redwire::command`] come with it, for commands with options: `set("key", "value").ex(60)`.
pub mod prelude {
    pub use crate::{
        Address, AsyncClient, AsyncConnector, CancelSafe, Client, Clock, Connector, Duration, Error,
        ErrorKind, Instant, Line, Memory, NoClock, StaticBuffers,
    };
    pub use redwire::client::{Message, MessageKind};
    pub use redwire::command::*;
    pub use redwire::connection::Config;
    pub use redwire::reply::FromReply;
    pub use redwire::script::Script;
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
