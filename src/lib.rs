//! stub
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod command;
pub mod connection;
mod log;
pub mod reply;
pub mod resp;
pub mod script;
pub mod storage;
pub mod time;
#[cfg(feature = "alloc")]
pub mod url;
