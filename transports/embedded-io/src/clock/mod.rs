//! The time, as the caller's clock tells it.

#[cfg(feature = "embassy")]
mod embassy;
#[cfg(feature = "tokio")]
mod tokio;

#[cfg(feature = "embassy")]
pub use embassy::EmbassyClock;
#[cfg(feature = "tokio")]
pub use tokio::TokioClock;

use core::task::Waker;

use redwire::time::{Duration, Instant};

/// A clock. Any closure that gives the time is one:
///
/// ```
/// use redwire_embedded_io::{Clock, Instant};
///
/// let start = std::time::Instant::now();
/// let mut clock = move || Instant::from_micros(start.elapsed().as_micros() as u64);
/// assert!(clock.now() <= clock.now());
/// ```
///
/// That of tokio is `TokioClock`, with the feature `tokio`; that of embassy `EmbassyClock`, with the feature `embassy`.
pub trait Clock {
    /// Whether it tells the time at all. What is needed for deadlines alone is not linked where it does not.
    const TICKS: bool = true;

    /// The time since a start that the clock chooses. It never goes back, and goes on by itself.
    fn now(&mut self) -> Instant;

    /// Wakes a task of the async client at a moment, or soon after it. Each call replaces the one before.
    ///
    /// A clock that does not do it is a clock all the same: a deadline that has passed is then noticed when something else
    /// wakes the task.
    fn wake_at(&mut self, moment: Instant, waker: &Waker) {
        let _ = (moment, waker);
    }

    /// Lets the blocking client wait: before it starts a transaction over, or connects once more. It looks at the time again
    /// and again; where something better can be done meanwhile, say so.
    fn pause(&mut self, duration: Duration) {
        let until = self.now() + duration;
        while Self::TICKS && self.now() < until {
            core::hint::spin_loop();
        }
    }
}

impl<F: FnMut() -> Instant> Clock for F {
    fn now(&mut self) -> Instant {
        self()
    }
}

/// The clock of a device without one: time stands still, and no deadline ever passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoClock;

impl Clock for NoClock {
    const TICKS: bool = false;

    fn now(&mut self) -> Instant {
        Instant::from_micros(0)
    }
}
