#![doc = include_str!("../README.md")]

mod backoff;
mod connection;
mod options;
mod script;
mod stream;
mod transaction;

pub use backoff::Backoff;
pub use connection::Connection;
pub use options::Options;
pub use redwire;
pub use script::Script;
pub use stream::{Address, Connector, Socket, Stream};
pub use transaction::Transaction;
