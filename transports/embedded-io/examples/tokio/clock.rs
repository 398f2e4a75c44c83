//! The clock of tokio.

use std::pin::Pin;
use std::task::{Context, Waker};

use redwire_embedded_io::{Clock, Duration, Instant};
use tokio::time::{Sleep, sleep_until};

/// Tells the time, and wakes the task when a deadline passes. Make it inside of a runtime.
pub struct TokioClock {
    start: tokio::time::Instant,
    sleep: Pin<Box<Sleep>>,
}

impl TokioClock {
    pub fn new() -> Self {
        let start = tokio::time::Instant::now();
        TokioClock { start, sleep: Box::pin(sleep_until(start)) }
    }
}

impl Clock for TokioClock {
    fn now(&mut self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    fn wake_at(&mut self, moment: Instant, waker: &Waker) {
        self.sleep.as_mut().reset(self.start + Duration::from_micros(moment.as_micros()));
        if self.sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    }
}
