//! Measurements of redwire beside its peers.
//!
//! - `make bench`: time and allocations of decoding and encoding (`bin/bench.rs`, `bin/allocations.rs`).
//! - `make instructions`: instructions a reply under callgrind, with bars (`bin/instructions.rs`).
//! - `make bench-mio`: redwire-mio against a server, beside other clients and the bare loop, with bars (`bin/mio.rs`).
//! - `make bench-embedded`: clients for devices. A workspace of its own, in `embedded/`.

pub mod decode;
pub mod encode;
pub mod engine;
pub mod live;
pub mod workload;
