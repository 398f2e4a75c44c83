//! How long to wait between two attempts to connect.

use crate::time::Duration;

/// How long to wait between two attempts to connect: a random time up to a bound that doubles with every attempt that
/// fails, as far as a cap (the "full jitter" of the
/// [AWS Architecture Blog](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)). It is a millisecond
/// at least, so that a loop has its turn. The caller passes the random numbers: evenly spread ones, other ones for each
/// client, or all would come back at the same moment.
///
/// ```
/// use redwire::client::Backoff;
/// use redwire::time::Duration;
///
/// // At most 20 ms before the second attempt, 40 ms before the third, and so on up to a second.
/// let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
/// assert_eq!(backoff.pause(u64::MAX / 2), Duration::from_micros(10_000));
/// assert_eq!(backoff.pause(u64::MAX / 2), Duration::from_micros(20_000));
/// backoff.reset();
/// assert!(backoff.pause(u64::MAX) <= Duration::from_millis(20));
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Backoff {
    base: u64,
    cap: u64,
    failed: u32,
}

impl Default for Backoff {
    /// Up to 50 milliseconds at first, and never more than 10 seconds.
    fn default() -> Self {
        Backoff::new(Duration::from_millis(50), Duration::from_secs(10))
    }
}

/// The shortest pause, in microseconds.
const LEAST: u64 = 1000;

impl Backoff {
    /// Waits up to `base` at first, and never more than `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Backoff { base: micros(base), cap: micros(cap), failed: 0 }
    }

    /// An attempt has failed: the time to wait before the next one.
    #[must_use]
    pub fn pause(&mut self, random: u64) -> Duration {
        let bound = self.base.saturating_mul(1 << self.failed.min(30)).min(self.cap);
        self.failed = self.failed.saturating_add(1);
        let share = (u128::from(random) * (u128::from(bound) + 1)) >> 64;
        Duration::from_micros((share as u64).max(LEAST))
    }

    /// A whole handshake has succeeded: the next pause is a short one. A stream alone is no success.
    pub const fn reset(&mut self) {
        self.failed = 0;
    }

    /// How many attempts have failed one after the other.
    #[must_use]
    pub const fn failed(&self) -> u32 {
        self.failed
    }
}

/// A duration in microseconds, as far as these can be counted.
const fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(duration.subsec_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_and_longer_up_to_the_cap_and_at_random() {
        let (base, cap) = (Duration::from_millis(10), Duration::from_millis(100));
        // Of times that are spread evenly the longest is close to the bound.
        let bounds = [10, 20, 40, 80, 100, 100].map(Duration::from_millis);
        for share in 0..=1000 {
            let random = (u64::MAX / 1000) * share;
            let mut backoff = Backoff::new(base, cap);
            for bound in bounds {
                let pause = backoff.pause(random);
                assert!(pause <= bound, "{pause:?} of {bound:?}");
                assert!(share < 990 || pause > bound * 95 / 100, "{pause:?} of {bound:?}");
            }
            for _ in 0..100 {
                assert!(backoff.pause(random) <= cap);
            }
            assert_eq!(backoff.failed(), 106);
            backoff.reset();
            assert!(backoff.pause(random) <= base);
        }
    }

    #[test]
    fn no_bound_is_too_long_or_too_short() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        for _ in 0..100 {
            assert!(backoff.pause(u64::MAX) >= Duration::from_secs(1 << 40));
            assert_eq!(backoff.pause(0), Duration::from_millis(1));
        }
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(backoff.pause(u64::MAX), Duration::from_millis(1));
    }
}
