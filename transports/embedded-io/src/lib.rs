//! Redis clients over `embedded-io` streams, without an allocator, on [`redwire`], the protocol engine that does no IO.
#![no_std]
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod async_call;
mod async_client;
mod async_io;
mod async_pipeline;
mod async_transfer;
mod batch;
mod buffers;
mod client;
mod clock;
mod connector;
mod error;
mod messages;
mod pipeline;
mod replies;
mod session;
mod transfer;

pub use address::{Address, AddressError, DEFAULT_PORT};
pub use async_call::Call;
pub use async_client::AsyncClient;
pub use async_pipeline::{AsyncPipeline, AsyncQueue, AsyncTransaction};
pub use async_transfer::{AsyncDownload, AsyncUpload};
pub use buffers::{Memory, StaticBuffers};
pub use client::Client;
pub use clock::{Clock, NoClock};
pub use connector::{AsyncConnector, CancelSafe, Connector, InUse, Line};
pub use error::{Error, ErrorKind, ServerError, TEXT_CAPACITY};
pub use pipeline::{Pipeline, Queue, Transaction};
pub use redwire;
pub use redwire::time::{Duration, Instant};
pub use replies::FromReplies;
pub use transfer::{Download, Upload};

/// What a program needs: `use redwire_embedded_io::prelude::*;`.
///
/// The functions of [`redwire::command`] come with it, for commands with options: `set("key", "value").ex(60)`.
pub mod prelude {
    pub use crate::{
        Address, AsyncClient, AsyncConnector, CancelSafe, Client, Clock, Connector, Duration, Error,
        ErrorKind, Instant, Line, Memory, NoClock, StaticBuffers,
    };
    pub use redwire::command::*;
    pub use redwire::connection::{Config, Message};
    pub use redwire::reply::FromReply;
    pub use redwire::script::Script;
}
