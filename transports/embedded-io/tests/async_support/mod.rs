//! Streams, clocks and a server in memory for the tests of the async client.
#![allow(dead_code, unreachable_pub, reason = "shared by tests of which not every one needs everything")]

pub mod memory;
pub mod on_tokio;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Polls a future so many times at most. None if it is not done by then: it is dropped.
pub fn polled<F: Future>(most: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..most).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// Polls a future to its end, which has to be near.
pub fn done<F: Future>(future: F) -> F::Output {
    polled(100_000, future).expect("it hangs")
}
