//! A global logger for `defmt` that keeps what this thread logs: the arguments as bytes, and numbers that stand for the
//! texts, which `defmt` keeps out of the program.
//!
//! `defmt` decides when a crate is compiled which of its lines are in it. Those of the engine are with
//! `DEFMT_LOG=debug cargo test --all-features`; a program without a logger links all the same when they are not.

#![allow(unsafe_code, reason = "the trait for loggers is unsafe")]

use std::cell::RefCell;

thread_local! {
    static FRAMES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

#[defmt::global_logger]
struct Collector;

// SAFETY: every thread has frames of its own, and none is written between `release` and the next `acquire`.
unsafe impl defmt::Logger for Collector {
    fn acquire() {
        FRAMES.with_borrow_mut(|frames| frames.push(Vec::new()));
    }

    unsafe fn flush() {}

    unsafe fn release() {}

    unsafe fn write(bytes: &[u8]) {
        FRAMES.with_borrow_mut(|frames| {
            if let Some(frame) = frames.last_mut() {
                frame.extend_from_slice(bytes);
            }
        });
    }
}

defmt::timestamp!("");

/// What this thread has logged since the last call, a frame for each line.
pub fn take() -> Vec<Vec<u8>> {
    FRAMES.take()
}

/// Whether a frame holds a text as it stands.
pub fn holds(frame: &[u8], text: &str) -> bool {
    frame.windows(text.len()).any(|window| window == text.as_bytes())
}
