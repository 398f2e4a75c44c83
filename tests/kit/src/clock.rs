//! Time that passes when a test says so.

use std::cell::Cell;
use std::rc::Rc;

use redwire::time::{Duration, Instant};

/// A clock that stands still. Its clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Rc<Cell<Instant>>);

impl Default for Clock {
    /// At one second.
    fn default() -> Self {
        Clock(Rc::new(Cell::new(Instant::from_millis(1000))))
    }
}

impl Clock {
    /// What it shows.
    pub fn now(&self) -> Instant {
        self.0.get()
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        self.0.set(self.now() + time);
    }
}
