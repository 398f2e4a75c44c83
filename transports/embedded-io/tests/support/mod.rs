//! Streams in memory, blocking and async, with a server behind them.
#![allow(dead_code, reason = "not every test file uses everything")]

pub mod memory;
pub mod wire;
