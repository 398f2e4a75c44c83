//! When and where to connect, without IO.

use super::backoff::Backoff;
use crate::time::{Duration, Instant};

/// Says when to connect, and to which of the addresses that the caller has; it is told what came of that.
///
/// Addresses are tried one directly after the other. When none of them has led to a connection, or a connection is lost,
/// there is a pause ([`Backoff`]), and then a new round. A round begins with the address that worked last.
///
/// The caller asks [`next`](Self::next) what to do, and does it, after each call that tells the link something and whenever
/// the time of [`poll_timeout`](Self::poll_timeout) has come:
///
/// ```
/// use redwire::client::{Backoff, Link, Next};
/// use redwire::time::{Duration, Instant};
///
/// let now = Instant::from_micros(0);
/// let random = 1 << 63;   // of the caller
/// let mut link = Link::new(2, Backoff::new(Duration::from_millis(100), Duration::from_secs(10)));
/// assert_eq!(link.next(now, random), Next::Nothing);
/// link.start(now);
/// assert_eq!(link.next(now, random), Next::Connect { address: 0 });
/// link.failed(now, random);
/// assert_eq!(link.next(now, random), Next::Connect { address: 1 });
/// link.connected(now);             // the stream is there; the handshake begins
/// link.ready(now);                 // and has succeeded
/// assert_eq!(link.connected_since(), Some(now));
///
/// link.lost(now, random);
/// assert_eq!(link.next(now, random), Next::Nothing);
/// assert_eq!(link.next_attempt(), Some(now + Duration::from_millis(50)));
/// let later = now + Duration::from_millis(50);
/// assert_eq!(link.next(later, random), Next::Connect { address: 1 });
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Link {
    addresses: usize,
    /// The address of the attempt that goes on, or of the next one.
    address: usize,
    /// How many addresses of this round are still to be tried, that of the moment not counted.
    left: usize,
    backoff: Backoff,
    connect_timeout: Duration,
    handshake_timeout: Duration,
    state: LinkState,
    /// When the state has lasted too long. None: it may last for ever.
    deadline: Option<Instant>,
    lost_since: Option<Instant>,
    failed: u32,
}

/// How far the way to the server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LinkState {
    /// There is no stream, and no attempt to have one: before [`Link::start`], and after [`Link::stop`] or [`Link::quit`].
    Stopped,
    /// There is no stream. The next attempt is at that time; None if that is beyond all time.
    Waiting(Option<Instant>),
    /// A stream is being had.
    Connecting,
    /// There is a stream, and the handshake goes on.
    Handshake,
    /// The handshake has succeeded, at that time.
    Ready(Instant),
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Next {
    /// Nothing, before the time of [`Link::poll_timeout`] or something to tell.
    Nothing,
    /// Connect to the address of this number. Then comes [`Link::connected`] or [`Link::failed`].
    Connect {
        /// The number of the address; the first is 0.
        address: usize,
    },
    /// Drop the stream, or the attempt to have one: it has taken too long, and counts as failed. What comes after it,
    /// the next call of [`Link::next`] says.
    Abandon {
        /// There was a stream, and the handshake took too long.
        handshake: bool,
    },
}

impl Link {
    /// A link over so many addresses. It connects after [`start`](Self::start). There is no end to the time for connecting
    /// and for the handshake, unless it is given one.
    pub const fn new(addresses: usize, backoff: Backoff) -> Self {
        Link {
            addresses,
            address: 0,
            left: 0,
            backoff,
            connect_timeout: Duration::MAX,
            handshake_timeout: Duration::MAX,
            state: LinkState::Stopped,
            deadline: None,
            lost_since: None,
            failed: 0,
        }
    }

    /// How long connecting to one address may take.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the handshake may take.
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// There are so many addresses from now on. None of them counts as tried.
    pub const fn set_addresses(&mut self, addresses: usize) {
        self.addresses = addresses;
        self.left = addresses.saturating_sub(1);
        if self.address >= addresses {
            self.address = 0;
        }
    }

    /// How many addresses there are.
    #[must_use]
    pub const fn addresses(&self) -> usize {
        self.addresses
    }

    /// Connects now, if there is no stream and no attempt to have one: a pause is cut short, and a link that has stopped
    /// goes on.
    pub fn start(&mut self, now: Instant) {
        if let LinkState::Stopped | LinkState::Waiting(_) = self.state {
            self.wait(Some(now));
        }
    }

    /// Does not connect any more, until [`start`](Self::start). The stream, if there is one, is to be dropped.
    pub fn stop(&mut self) {
        (self.state, self.deadline) = (LinkState::Stopped, None);
    }

    /// The stream is there; the handshake begins.
    pub fn connected(&mut self, now: Instant) {
        self.state = LinkState::Handshake;
        self.deadline = after(now, self.handshake_timeout);
    }

    /// The handshake has succeeded.
    pub fn ready(&mut self, now: Instant) {
        self.state = LinkState::Ready(now);
        self.deadline = None;
        self.lost_since = None;
        self.failed = 0;
        self.backoff.reset();
    }

    /// The attempt has failed, in the handshake or before.
    pub fn failed(&mut self, now: Instant, random: u64) {
        self.failed = self.failed.saturating_add(1);
        self.address = if self.address + 1 < self.addresses { self.address + 1 } else { 0 };
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                (self.state, self.deadline) = (LinkState::Waiting(Some(now)), None);
            }
            None => self.pause(now, random),
        }
    }

    /// The stream was lost. In the handshake that is an attempt that has [failed](Self::failed).
    pub fn lost(&mut self, now: Instant, random: u64) {
        match self.state {
            LinkState::Ready(_) => {
                self.lost_since = Some(now);
                self.pause(now, random);
            }
            LinkState::Connecting | LinkState::Handshake => self.failed(now, random),
            LinkState::Stopped | LinkState::Waiting(_) => {}
        }
    }

    /// The user has sent QUIT, and the connection is over: it does not connect any more.
    pub fn quit(&mut self, now: Instant) {
        if let LinkState::Ready(_) = self.state {
            self.lost_since = Some(now);
        }
        self.stop();
    }

    /// What to do now. The random number is for the pause after an attempt that has taken too long.
    #[must_use]
    pub fn next(&mut self, now: Instant, random: u64) -> Next {
        match self.state {
            LinkState::Waiting(Some(due)) if due <= now => {
                self.state = LinkState::Connecting;
                self.deadline = after(now, self.connect_timeout);
                Next::Connect { address: self.address }
            }
            LinkState::Connecting | LinkState::Handshake if self.is_overdue(now) => {
                let handshake = self.state == LinkState::Handshake;
                self.failed(now, random);
                Next::Abandon { handshake }
            }
            _ => Next::Nothing,
        }
    }

    /// Whether connecting, or the handshake, has taken too long.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// When to ask [`next`](Self::next) again if nothing happens before. It may change with every call that tells something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_attempt().or(self.deadline)
    }

    /// How far it has come.
    #[must_use]
    pub const fn state(&self) -> LinkState {
        self.state
    }

    /// Since when there is a connection; None if there is none.
    #[must_use]
    pub const fn connected_since(&self) -> Option<Instant> {
        match self.state {
            LinkState::Ready(since) => Some(since),
            _ => None,
        }
    }

    /// Since when there is no connection; None if there is one, or was none yet.
    #[must_use]
    pub const fn lost_since(&self) -> Option<Instant> {
        self.lost_since
    }

    /// When the next attempt begins; None if there is a stream, or an attempt to have one, or if it has stopped.
    #[must_use]
    pub const fn next_attempt(&self) -> Option<Instant> {
        match self.state {
            LinkState::Waiting(due) => due,
            _ => None,
        }
    }

    /// How many attempts have failed since there was a connection last.
    #[must_use]
    pub const fn attempts_failed(&self) -> u32 {
        self.failed
    }

    /// Waits, and then begins a new round.
    fn pause(&mut self, now: Instant, random: u64) {
        let pause = self.backoff.pause(random);
        self.wait(after(now, pause));
    }

    fn wait(&mut self, due: Option<Instant>) {
        (self.state, self.deadline) = (LinkState::Waiting(due), None);
        self.left = self.addresses.saturating_sub(1);
    }
}

/// A moment that much later; None if that is beyond all time.
fn after(now: Instant, duration: Duration) -> Option<Instant> {
    Some(now + duration).filter(|later| later.as_micros() < u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u64 = 1 << 63;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn link(addresses: usize) -> Link {
        Link::new(addresses, Backoff::new(ms(100), ms(1000)))
            .connect_timeout(ms(30))
            .handshake_timeout(ms(50))
    }

    #[test]
    fn a_round_over_all_addresses_and_then_a_pause_that_grows() {
        let mut link = link(3);
        link.start(at(0));
        let mut now = at(0);
        for pause in [50, 100, 200, 400, 500, 500] {
            for address in 0..3 {
                assert_eq!(link.next(now, HALF), Next::Connect { address });
                assert_eq!(link.next(now, HALF), Next::Nothing);
                link.failed(now, HALF);
            }
            assert_eq!(link.next(now, HALF), Next::Nothing);
            assert_eq!(link.poll_timeout(), Some(now + ms(pause)));
            now = now + ms(pause);
        }
        assert_eq!(link.attempts_failed(), 18);
        assert_eq!((link.lost_since(), link.connected_since()), (None, None));
    }

    #[test]
    fn only_a_whole_handshake_makes_the_pauses_short_again() {
        let mut link = link(1);
        link.start(at(0));
        for _ in 0..4 {
            let now = link.next_attempt().unwrap();
            assert_eq!(link.next(now, HALF), Next::Connect { address: 0 });
            link.connected(now);
            assert_eq!(link.state(), LinkState::Handshake);
            link.lost(now, HALF);
        }
        // 50 + 100 + 200 + 400
        assert_eq!(link.next_attempt(), Some(at(750)));
        assert_eq!(link.next(at(750), HALF), Next::Connect { address: 0 });
        link.connected(at(750));
        link.ready(at(760));
        assert_eq!(link.attempts_failed(), 0);
        assert_eq!(link.poll_timeout(), None);
        link.lost(at(5000), HALF);
        assert_eq!(link.lost_since(), Some(at(5000)));
        assert_eq!(link.next_attempt(), Some(at(5050)));
    }

    #[test]
    fn connecting_and_the_handshake_have_their_time() {
        let mut link = link(2);
        link.start(at(0));
        assert_eq!(link.next(at(0), HALF), Next::Connect { address: 0 });
        assert_eq!(link.poll_timeout(), Some(at(30)));
        assert_eq!(link.next(at(29), HALF), Next::Nothing);
        assert_eq!(link.next(at(30), HALF), Next::Abandon { handshake: false });
        assert_eq!(link.next(at(30), HALF), Next::Connect { address: 1 });
        link.connected(at(40));
        assert_eq!(link.poll_timeout(), Some(at(90)));
        assert!(!link.is_overdue(at(89)));
        assert_eq!(link.next(at(90), HALF), Next::Abandon { handshake: true });
        // The round is over.
        assert_eq!(link.next(at(90), HALF), Next::Nothing);
        assert_eq!(link.next_attempt(), Some(at(140)));
        // What is told of a stream that was abandoned changes nothing.
        link.lost(at(91), HALF);
        assert_eq!(link.next_attempt(), Some(at(140)));
    }

    #[test]
    fn a_time_without_end_is_no_deadline_and_no_obstacle() {
        let backoff = Backoff::new(ms(100), ms(1000));
        let mut link = Link::new(1, backoff).connect_timeout(Duration::MAX).handshake_timeout(Duration::MAX);
        link.start(at(1));
        for _ in 0..3 {
            let now = link.next_attempt().unwrap();
            assert_eq!(link.next(now, HALF), Next::Connect { address: 0 });
            assert_eq!(link.poll_timeout(), None);
            link.failed(now, HALF);
        }
        let now = link.next_attempt().unwrap();
        assert_eq!(link.next(now, HALF), Next::Connect { address: 0 });
        link.connected(now);
        assert_eq!(link.next(Instant::from_micros(u64::MAX), HALF), Next::Nothing);
        link.ready(now);
        link.lost(now, HALF);
        assert_eq!(link.next_attempt(), Some(now + ms(50)));
        // A pause that never ends.
        let mut link = Link::new(1, Backoff::new(Duration::MAX, Duration::MAX));
        link.start(at(0));
        assert_eq!(link.next(at(0), u64::MAX), Next::Connect { address: 0 });
        link.failed(at(5), u64::MAX);
        assert_eq!((link.state(), link.poll_timeout()), (LinkState::Waiting(None), None));
        link.start(at(6));
        assert_eq!(link.next(at(6), HALF), Next::Connect { address: 0 });
    }

    #[test]
    fn after_quit_and_stop_it_stays_down_until_it_is_started() {
        for quit in [true, false] {
            for state in 0..4 {
                let mut link = link(1);
                link.start(at(0));
                if state > 0 {
                    let _ = link.next(at(0), HALF);
                }
                if state > 1 {
                    link.connected(at(0));
                }
                if state > 2 {
                    link.ready(at(0));
                }
                if quit {
                    link.quit(at(7))
                } else {
                    link.stop()
                }
                assert_eq!(link.state(), LinkState::Stopped);
                link.lost(at(8), HALF);
                assert_eq!(link.next(at(100_000), HALF), Next::Nothing);
                assert_eq!(link.poll_timeout(), None);
                assert_eq!(link.lost_since(), (quit && state > 2).then_some(at(7)));
                link.start(at(100_001));
                assert_eq!(link.next(at(100_001), HALF), Next::Connect { address: 0 });
            }
        }
    }

    #[test]
    fn a_new_round_begins_with_the_address_that_worked() {
        let mut link = link(3);
        link.start(at(0));
        let _ = link.next(at(0), HALF);
        link.failed(at(0), HALF);
        assert_eq!(link.next(at(0), HALF), Next::Connect { address: 1 });
        link.connected(at(0));
        link.ready(at(0));
        link.lost(at(10), HALF);
        for address in [1, 2, 0] {
            assert_eq!(link.next(at(100), HALF), Next::Connect { address });
            link.failed(at(100), HALF);
        }
        assert_eq!(link.next(at(100), HALF), Next::Nothing);
        link.set_addresses(1);
        link.start(at(101));
        assert_eq!(link.next(at(101), HALF), Next::Connect { address: 0 });
    }
}
