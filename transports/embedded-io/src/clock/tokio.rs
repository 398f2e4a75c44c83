//! The clock of tokio.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Waker};

use redwire::time::{Duration, Instant};
use tokio::time::{Sleep, sleep_until};

use super::Clock;

/// The clock of tokio: it wakes the task when a deadline passes. Make it inside of a runtime.
///
/// ```
/// use redwire_embedded_io::{Clock, TokioClock};
///
/// # #[tokio::main]
/// # async fn main() {
/// let mut clock = TokioClock::new();
/// assert!(clock.now() <= clock.now());
/// # }
/// ```
#[derive(Debug)]
pub struct TokioClock {
    start: tokio::time::Instant,
    /// None until it is to wake somebody.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl TokioClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        TokioClock { start: tokio::time::Instant::now(), sleep: None }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&mut self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    fn wake_at(&mut self, moment: Instant, waker: &Waker) {
        let deadline = self.start + Duration::from_micros(moment.as_micros());
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        sleep.as_mut().reset(deadline);
        if sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for TokioClock {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "TokioClock");
    }
}
