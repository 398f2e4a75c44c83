//! What the tests of several crates share. Tests use it as a development dependency, and nothing else does.
//!
//! It uses no transport, so that the tests of each of them can use it, and turns on no feature of the engine, so that a
//! test can run the engine without one. [`model`] uses nothing of the engine at all: it is a second opinion, written from
//! the documentation of the servers.

pub mod changes;
pub mod clock;
pub mod conformance;
pub mod defmt_frames;
pub mod model;
pub mod pair;
pub mod real;
pub mod server;
pub mod source;
pub mod words;
