//! What the tests of several crates share. Tests use it as a development dependency, and nothing else does.
//!
//! It uses no transport, so that the tests of each of them can use it, and nothing of the engine, so that it is a second
//! opinion.

#![forbid(unsafe_code)]

pub mod model;
pub mod real;
