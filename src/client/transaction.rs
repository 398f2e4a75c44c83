//! Transactions that depend on what was read before: WATCH, reading, MULTI to EXEC, and when to start over.

use super::{Error, ErrorKind};
use crate::time::Duration;

/// How far a transaction has come whose keys are watched.
///
/// ```text
/// loop {
///     WATCH                          a Call
///     let mut watch = Watch::new();
///     what the user reads            Calls; their errors go through watch.explain
///     MULTI ... EXEC                 a Batch between watch.begin()? and watch.executed(&result)
///     UNWATCH                        if keys are watched still
///     if !watch.is_conflict() { return the result }
///     pause as Attempts::again says, or return the error
/// }
/// ```
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Watch {
    state: State,
    conflict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum State {
    /// EXEC is still to come.
    #[default]
    Open,
    /// EXEC was sent, or would have been.
    Ended,
    /// EXEC was answered with results.
    Executed,
}

impl Watch {
    /// The keys are watched.
    pub const fn new() -> Self {
        Watch { state: State::Open, conflict: false }
    }

    /// Whether EXEC is still to come.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether a watched key has changed: start over.
    pub const fn is_conflict(&self) -> bool {
        self.conflict
    }

    /// What is queued is to be executed now.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExecuted`] the second time: a transaction ends with EXEC.
    pub fn begin(&mut self) -> Result<(), Error> {
        if !self.is_open() {
            return Err(Error::new(ErrorKind::AlreadyExecuted));
        }
        self.state = State::Ended;
        Ok(())
    }

    /// Takes note of what came back for EXEC.
    pub fn executed<T, O>(&mut self, result: &Result<T, Error<O>>) {
        let error = result.as_ref().err();
        self.conflict = error.is_some_and(|error| *error.kind() == ErrorKind::Conflict);
        // One of the results could not be used; they came all the same.
        let unusable = error.is_none_or(|error| {
            error.position().is_some()
                && matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Mismatch(_))
        });
        if unusable {
            self.state = State::Executed;
        }
    }

    /// Completes the error of a command that runs by itself: after EXEC, who starts over executes what was queued a second
    /// time.
    #[must_use]
    pub fn explain<O>(&self, error: Error<O>) -> Error<O> {
        let maybe = error.maybe_executed() || self.state == State::Executed;
        error.executed(maybe)
    }
}

/// How often a transaction starts over after a conflict, and how long it waits before: not at all the first time, then a
/// random time up to a bound that doubles, as far as 64 ms.
///
/// ```
/// use redwire::client::Attempts;
/// use redwire::time::Duration;
///
/// let mut attempts = Attempts::new(3);
/// assert_eq!(attempts.again(7), Some(Duration::ZERO));
/// assert!(attempts.again(7).is_some_and(|pause| pause <= Duration::from_millis(1)));
/// assert_eq!(attempts.again(7), None);
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Attempts {
    made: u32,
    most: u32,
}

impl Default for Attempts {
    /// 100 attempts: they last some three seconds.
    fn default() -> Self {
        Attempts::new(100)
    }
}

/// The longest pause, in milliseconds, is two to the power of this.
const LONGEST: u32 = 6;

impl Attempts {
    /// So many attempts in all.
    pub const fn new(most: u32) -> Self {
        Attempts { made: 1, most }
    }

    /// An attempt has met a conflict: how long to wait before the next one, given a random number. None: it was the last.
    pub fn again(&mut self, random: u64) -> Option<Duration> {
        if self.made >= self.most {
            return None;
        }
        let bound = match self.made.checked_sub(2) {
            None => 0,
            Some(doubled) => 1_000u64 << doubled.min(LONGEST),
        };
        self.made += 1;
        let share = (u128::from(random) * u128::from(bound + 1)) >> 64;
        Some(Duration::from_micros(share as u64))
    }
}
