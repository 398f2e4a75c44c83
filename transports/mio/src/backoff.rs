//! How long to wait between two attempts to connect.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How long to wait between two attempts to connect: a random time up to a bound that doubles with every attempt that
/// fails, as far as a cap (the "full jitter" of the
/// [AWS Architecture Blog](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)). After a handshake
/// that succeeds it begins anew; a stream alone does not count. It is a millisecond at least, so that the loop has its turn.
///
/// ```
/// use std::time::Duration;
/// use redwire_mio::Backoff;
///
/// // At most 20 ms before the second attempt, 40 ms before the third, and so on up to a second.
/// let backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
/// # let _ = backoff;
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failed: u32,
    random: u64,
}

impl Default for Backoff {
    /// Up to 50 milliseconds at first, and never more than 10 seconds.
    fn default() -> Self {
        Backoff::new(Duration::from_millis(50), Duration::from_secs(10))
    }
}

impl Backoff {
    /// Waits up to `base` at first, and never more than `cap`. The random numbers begin differently in each process and
    /// for each connection, with what the standard library takes from the system for its hash maps.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Backoff { base, cap, failed: 0, random: RandomState::new().hash_one(0) }
    }

    /// Makes the random numbers begin here, so that they can be had once more. Connections of the same seed wait equally
    /// long, and would all come back at the same moment: give each its own.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = seed;
        self
    }

    /// The time to wait before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let bound = self.base.saturating_mul(1 << self.failed.min(30)).min(self.cap);
        self.failed = self.failed.saturating_add(1);
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let share = (u128::from(self.random()) * u128::from(bound)) >> 64;
        Duration::from_nanos(share as u64).max(LEAST)
    }

    pub(crate) fn reset(&mut self) {
        self.failed = 0;
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

const LEAST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_and_longer_up_to_the_cap_and_at_random() {
        let (base, cap) = (Duration::from_millis(10), Duration::from_millis(100));
        let mut longest = [Duration::ZERO; 6];
        for seed in 0..1000 {
            let mut backoff = Backoff::new(base, cap).seed(seed);
            for longest in &mut longest {
                *longest = backoff.next().max(*longest);
            }
            for _ in 0..100 {
                assert!(backoff.next() <= cap);
            }
            backoff.reset();
            assert!(backoff.next() <= base);
        }
        // Of a thousand times that are spread evenly the longest is close to the bound.
        let bounds = [10, 20, 40, 80, 100, 100].map(Duration::from_millis);
        for (longest, bound) in longest.iter().zip(bounds) {
            assert!(*longest <= bound && *longest > bound * 95 / 100, "{longest:?} of {bound:?}");
        }
    }

    #[test]
    fn no_bound_is_too_long() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        for _ in 0..100 {
            backoff.next();
        }
        assert_eq!(Backoff::new(Duration::ZERO, Duration::ZERO).next(), LEAST);
    }
}
