//! Clients for devices, on one stream in memory: `redwire-embedded-io` and embedded-redis, each used as its README has
//! it. `make bench-embedded` prints the tables.

mod clients;
mod server;
mod situations;

pub use clients::{Body, CLIENTS, EmbeddedClient, SIZES};
pub use server::{SEGMENT, Server, Traffic};
pub use situations::{CANCELLED, Happened, JOINED, Joined, SITUATIONS, Situation};
