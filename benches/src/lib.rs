//! Measurements of redwire beside its peers.
//!
//! - `make bench`: time and allocations of decoding and encoding (`bin/bench.rs`, `bin/allocations.rs`).
//! - `make instructions`: instructions a reply under callgrind, with bars (`bin/instructions.rs`).
//! - `make bench-embedded`: clients for devices. A workspace of its own, in `embedded/`.

pub mod decode;
pub mod encode;
pub mod workload;
