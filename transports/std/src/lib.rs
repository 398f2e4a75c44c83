//! A blocking Redis client on [`redwire`], the protocol engine that does no IO.
//!
//! ```no_run
//! use redwire_std::prelude::*;
//!
//! let client = Client::open("redis://localhost")?;
//! client.set("foo", "bar")?;
//! let foo: Option<String> = client.get("foo")?;
//! # Ok::<(), Error>(())
//! ```
//!
//! - [`Client`] runs commands. They are methods of [`Commands`](redwire::command::Commands), or values to
//!   [`execute`](Client::execute).
//! - [`Client::pipeline`] sends many at once, [`Client::transaction`] reads and writes as if alone.
//! - [`Client::pubsub`] subscribes to channels.
//! - [`Script`] is a Lua script that the server gets once.
//! - [`Error`] says what happened, where, to which command, and whether it may have been executed.
//!
//! What it sends and reads, the engine decides; this crate moves bytes between it and a socket, in `link.rs`.

mod client;
mod config;
mod error;
mod link;
mod message;
mod pipeline;
mod pubsub;
mod script;
mod stream;
mod transaction;

pub use client::Client;
pub use config::ClientConfig;
pub use error::{Error, Peer};
pub use message::Message;
pub use pipeline::Pipeline;
pub use pubsub::{Listen, PubSub};
pub use redwire;
pub use redwire::client::{Attempts, ErrorKind, FromReplies, MessageKind, Overflow, ServerError};
pub use script::{Script, ScriptCall};
pub use stream::{Connector, Sockets, Stream, Wait};
pub use transaction::{Queue, Transaction};

/// What a program needs: `use redwire_std::prelude::*;`.
///
/// The functions of [`redwire::command`] come with it, for commands with options: `set("key", "value").ex(60)`.
pub mod prelude {
    pub use crate::{
        Client, ClientConfig, Error, ErrorKind, Message, MessageKind, Pipeline, PubSub, Script, ServerError,
        Transaction,
    };
    pub use redwire::command::*;
    pub use redwire::reply::FromReply;
}

/// The programs of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// And that of this crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct OwnReadme;
