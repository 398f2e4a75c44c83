//! What the tests of several crates share. Tests use it as a development dependency, and nothing else does.
//!
//! It uses no transport, so that the tests of each of them can use it.

#![forbid(unsafe_code)]

pub mod real;
