//! The time since the clock was started, in milliseconds, from the core's SysTick timer.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use redwire_embedded_io::{Clock, Instant};

/// What the emulated chip runs at after a reset.
const HERTZ: u32 = 12_500_000;

static MILLISECONDS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // Nobody else writes it. A core without compare-and-swap (thumbv6m) can do this too.
    let now = MILLISECONDS.load(Ordering::Relaxed);
    MILLISECONDS.store(now.wrapping_add(1), Ordering::Relaxed);
}

/// A clock that ticks once a millisecond, for 49 days.
#[derive(Debug, Clone, Copy)]
pub struct SysTickClock(());

impl SysTickClock {
    /// Starts the timer.
    pub fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(HERTZ / 1000 - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        SysTickClock(())
    }
}

impl Clock for SysTickClock {
    fn now(&mut self) -> Instant {
        Instant::from_millis(MILLISECONDS.load(Ordering::Relaxed).into())
    }
}
