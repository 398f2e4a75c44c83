//! What happens when nothing happens: deadlines of the handshake and of commands, and the health check.

use super::in_flight::{NEVER, Slot};
use super::transitions::Verb;
use super::{Connection, Death, Mode, Phase, TimeoutReason};
use crate::command::Command;
use crate::log::{debug, warn};
use crate::parts::DEADLINES;
use crate::resp::{Encoder, Parser};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Timers {
    /// No slot's deadline is before it.
    pub(super) next_deadline: Instant,
    pub(super) last_received: Instant,
    /// Since when something that is overdue has brought nothing at all: a PING of ours, or a command that was late.
    silent_since: Option<Instant>,
}

impl Timers {
    pub(super) const fn new() -> Self {
        Timers { next_deadline: NEVER, last_received: Instant::from_micros(0), silent_since: None }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        if DEADLINES {
            self.last_received = now;
            self.silent_since = None;
        }
    }

    /// Forgets what belonged to a stream that is over.
    pub(super) fn reset(&mut self) {
        if DEADLINES {
            self.next_deadline = NEVER;
            self.silent_since = None;
        }
    }
}

impl<P: Parser> Connection<'_, P> {
    /// When to call [`handle_timeout`](Self::handle_timeout), and why. It changes with every other call.
    /// None without the feature `deadlines`.
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        if !DEADLINES {
            return None;
        }
        let command = (self.timers.next_deadline, TimeoutReason::Command);
        let stream = match self.link.phase {
            Phase::Handshake => (self.handshake.deadline, TimeoutReason::Handshake),
            Phase::Ready => self.health_timer(),
            Phase::Idle => (NEVER, TimeoutReason::Command),
            Phase::Dead => return None,
        };
        let first = if stream.0 < command.0 { stream } else { command };
        (first.0 < NEVER).then_some(first)
    }

    fn health_timer(&self) -> (Instant, TimeoutReason) {
        if let Some(since) = self.timers.silent_since {
            return (since + self.config.health_check_timeout, TimeoutReason::Unresponsive);
        }
        match self.config.health_check_interval {
            Some(interval) if self.may_ask() => {
                (self.timers.last_received + interval, TimeoutReason::HealthCheck)
            }
            _ => (NEVER, TimeoutReason::Command),
        }
    }

    /// A PING makes sense when no reply is due, and the server would answer it with one.
    fn may_ask(&self) -> bool {
        self.in_flight.is_empty()
            && self.link.gate.is_none()
            && matches!(self.link.mode, Mode::Ready | Mode::Subscribed)
    }

    /// Does what is due at `now`. Poll transmit and events after it. Calling it early or for nothing does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !DEADLINES || self.link.phase == Phase::Dead {
            return;
        }
        if now >= self.timers.next_deadline {
            self.expire_commands(now);
        }
        match self.link.phase {
            Phase::Handshake if now >= self.handshake.deadline => self.die(Death::HandshakeTimedOut),
            Phase::Ready => match self.health_timer() {
                (due, TimeoutReason::Unresponsive) if now >= due => self.die(Death::Unresponsive),
                (due, TimeoutReason::HealthCheck) if now >= due => self.ask(now),
                _ => {}
            },
            _ => {}
        }
    }

    fn expire_commands(&mut self, now: Instant) {
        let mut next = NEVER;
        let mut expired = 0;
        // What has not been written yet is not written any more.
        self.withdraw(0, |slot| {
            if slot.discarded || slot.expired {
                return false;
            }
            if slot.deadline > now {
                next = next.min(slot.deadline);
                return false;
            }
            slot.expired = true;
            expired += 1;
            true
        });
        if expired > 0 {
            warn!("commands timed out: {}", expired);
        }
        self.link.expired += expired;
        self.link.expired_from = self.in_flight.front_ticket().sequence;
        self.timers.next_deadline = next;
        if self.link.expired > 0 && self.link.phase == Phase::Ready {
            self.timers.silent_since = self.timers.silent_since.or(Some(now));
        }
    }

    fn ask(&mut self, now: Instant) {
        let before = self.transmit.len();
        let ping: &dyn Command<Reply = crate::command::Open> = &["PING"];
        if self.in_flight.reserve().is_err() || Encoder::new(&mut self.transmit).command(ping).is_err() {
            // No room: not now, but when it is due the next time.
            self.timers.last_received = now;
            return;
        }
        let length = (self.transmit.len() - before) as u32;
        let slot = Slot {
            verb: Verb::Ping,
            deadline: NEVER,
            start: self.queued,
            length,
            internal: true,
            ..Slot::default()
        };
        let slot = Slot { behind_silence: core::mem::take(&mut self.link.silent), ..slot };
        self.queued = self.queued.wrapping_add(length);
        self.in_flight.push(slot);
        self.timers.silent_since = Some(now);
        debug!("health check: PING");
    }
}
