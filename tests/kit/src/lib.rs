//! What the tests of redwire share.
#![forbid(unsafe_code)]

pub mod model;
