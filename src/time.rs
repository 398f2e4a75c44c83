//! Time as the engine knows it: microseconds that the caller passes in, and how long a reply may take.

pub use core::time::Duration;

/// A moment, as microseconds since a start that the caller chooses. It never reads a clock.
///
/// ```
/// use redwire::time::{Duration, Instant};
///
/// let start = Instant::from_micros(0);
/// let later = start + Duration::from_millis(5);
/// assert_eq!(later.as_micros(), 5_000);
/// assert_eq!(later.since(start), Duration::from_millis(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// The moment so many microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Instant(micros)
    }

    /// The moment so many milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Instant(millis.saturating_mul(1000))
    }

    /// The microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; nothing if it is later than this.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Instant;

    /// The moment that much later; the end of time if that is beyond it.
    // 64 bits take many instructions on a small processor; once is enough.
    #[inline(never)]
    fn add(self, duration: Duration) -> Instant {
        // `as_micros` would calculate with 128 bits.
        let micros = duration.as_secs().saturating_mul(1_000_000);
        Instant(self.0.saturating_add(micros).saturating_add(u64::from(duration.subsec_micros())))
    }
}

/// How long a reply may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Patience {
    /// As long as the configuration says.
    #[default]
    Usual,
    /// This much longer than usual, since the server itself waits up to that long.
    Longer(Duration),
    /// For ever, since the server may wait for ever.
    Forever,
}

impl Patience {
    /// The patience for a command that blocks for at most `timeout`, or for ever if it is zero.
    ///
    /// ```
    /// use redwire::time::{Duration, Patience};
    ///
    /// assert_eq!(Patience::blocking(Duration::from_secs(5)), Patience::Longer(Duration::from_secs(5)));
    /// assert_eq!(Patience::blocking(Duration::ZERO), Patience::Forever);
    /// ```
    pub const fn blocking(timeout: Duration) -> Self {
        if timeout.is_zero() { Patience::Forever } else { Patience::Longer(timeout) }
    }
}
