#![doc = include_str!("../README.md")]

mod client;
mod options;
mod stream;
mod table;

pub use client::Client;
pub use options::Options;
pub use redwire;
pub use redwire::client::Backoff;
pub use stream::{Address, Connector, Socket, Stream};
