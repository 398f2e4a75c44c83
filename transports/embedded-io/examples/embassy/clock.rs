//! The clock of embassy.

use std::pin::Pin;
use std::task::{Context, Waker};

use embassy_time::Timer;
use redwire_embedded_io::{Clock, Instant};

/// Tells the time, and wakes the task when a deadline passes.
pub struct EmbassyClock {
    timer: Timer,
}

impl EmbassyClock {
    pub fn new() -> Self {
        EmbassyClock { timer: Timer::at(embassy_time::Instant::MIN) }
    }
}

impl Clock for EmbassyClock {
    fn now(&mut self) -> Instant {
        Instant::from_micros(embassy_time::Instant::now().as_micros())
    }

    fn wake_at(&mut self, moment: Instant, waker: &Waker) {
        self.timer = Timer::at(embassy_time::Instant::from_micros(moment.as_micros()));
        if Pin::new(&mut self.timer).poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    }
}
