//! The bodies of the fuzz targets. They are plain functions of bytes, so that `tests/fuzz_seeds.rs` runs them over the
//! seeds as ordinary tests.

pub mod connection;
pub mod decode;
pub mod differential;
pub mod roundtrip;
pub mod settings;
pub mod splits;
