//! The clock of embassy.

use core::pin::Pin;
use core::task::{Context, Waker};

use embassy_time::Timer;
use redwire::time::Instant;

use super::Clock;

/// The clock of embassy: it wakes the task when a deadline passes.
///
/// ```
/// use redwire_embedded_io::{Clock, EmbassyClock};
///
/// let mut clock = EmbassyClock::new();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Default)]
pub struct EmbassyClock {
    /// None until it is to wake somebody.
    timer: Option<Timer>,
}

impl EmbassyClock {
    /// A clock that tells the time of the device.
    pub const fn new() -> Self {
        EmbassyClock { timer: None }
    }
}

impl Clock for EmbassyClock {
    fn now(&mut self) -> Instant {
        Instant::from_micros(embassy_time::Instant::now().as_micros())
    }

    fn wake_at(&mut self, moment: Instant, waker: &Waker) {
        let timer = Timer::at(embassy_time::Instant::from_micros(moment.as_micros()));
        if Pin::new(self.timer.insert(timer)).poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    }
}

impl core::fmt::Debug for EmbassyClock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EmbassyClock")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for EmbassyClock {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "EmbassyClock");
    }
}
