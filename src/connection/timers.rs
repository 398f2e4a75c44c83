//! Timeouts and the health check.

use super::in_flight::{FOREVER, Flags, Listener, NEVER, Slot};
use super::send::Ping;
use super::verb::Verb;
use super::{Connection, End, Mode, Phase, TimeoutReason};
use crate::log::{debug, warn};
use crate::parts::DEADLINES;
use crate::resp::Parser;
use crate::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Timers {
    /// No slot's deadline is before it.
    pub(super) next_deadline: Instant,
    /// The deadline of the command that was sent last, of those that have one, and whether one before it is later: never so
    /// where all commands have the same patience.
    last_deadline: Instant,
    unordered: bool,
    /// The number of the first command whose deadline has not passed, where they are ordered.
    waiting_from: u32,
    pub(super) last_received: Instant,
    /// When the oldest unanswered command was sent, if nothing was received since.
    last_asked: Instant,
    /// Since when something that is overdue has brought nothing at all: a PING of ours, or a command that was late.
    silent_since: Option<Instant>,
}

impl Timers {
    pub(super) const fn new() -> Self {
        let start = Instant::from_micros(0);
        Timers {
            next_deadline: NEVER,
            last_deadline: start,
            unordered: false,
            waiting_from: 0,
            last_received: start,
            last_asked: start,
            silent_since: None,
        }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        if DEADLINES {
            self.last_received = now;
            self.silent_since = None;
        }
    }

    /// The command with this number is sent while nothing is in flight.
    pub(super) fn asked(&mut self, now: Instant, number: u32) {
        self.last_asked = now;
        self.waiting_from = number;
        self.last_deadline = Instant::from_micros(0);
        self.unordered = false;
    }

    /// A command was sent that has this deadline.
    pub(super) fn sent(&mut self, deadline: Instant) {
        self.next_deadline = self.next_deadline.min(deadline);
        if deadline < NEVER {
            self.unordered |= deadline < self.last_deadline;
            self.last_deadline = deadline;
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
    /// When to call [`handle_timeout`](Self::handle_timeout), and why.
    ///
    /// The value may change after a call of
    ///
    /// - [`connected`](Self::connected), [`received`](Self::received), [`poll_event`](Self::poll_event), of `send` or
    ///   `begin`, of `discard` or `discard_from`,
    /// - `handle_timeout` itself, [`close`](Self::close) and [`handle_eof`](Self::handle_eof),
    ///
    /// so ask before each wait. None: there is nothing to wait for but the stream; always so without the feature
    /// `deadlines`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        if !DEADLINES {
            return None;
        }
        let command = (self.timers.next_deadline, TimeoutReason::Command);
        let stream = match self.link.phase {
            Phase::Handshake => self.handshake_timer(),
            Phase::Ready => self.health_timer(),
            Phase::Idle => (NEVER, TimeoutReason::Command),
            Phase::Over => return None,
        };
        let first = if stream.0 < command.0 { stream } else { command };
        (first.0 < NEVER).then_some(first)
    }

    fn handshake_timer(&self) -> (Instant, TimeoutReason) {
        let silent = match self.config.health_check_interval {
            Some(interval) => self.timers.last_received + interval + self.config.health_check_timeout,
            None => NEVER,
        };
        match self.handshake.deadline {
            deadline if deadline <= silent => (deadline, TimeoutReason::Handshake),
            _ => (silent, TimeoutReason::Unresponsive),
        }
    }

    fn health_timer(&self) -> (Instant, TimeoutReason) {
        if let Some(since) = self.timers.silent_since {
            let patience = self.config.health_check_timeout;
            // A late command may wait for one that may take long.
            let end = match self.in_flight.front() {
                Some(slot) if slot.listener != Listener::Engine => match slot.allowance {
                    FOREVER => NEVER,
                    allowance => since + patience + Duration::from_secs(allowance.into()),
                },
                _ => since + patience,
            };
            return (end, TimeoutReason::Unresponsive);
        }
        match self.config.health_check_interval {
            Some(interval) if self.may_ask() => {
                (self.timers.last_received + interval, TimeoutReason::HealthCheck)
            }
            Some(interval) => (self.patience_ends(interval), TimeoutReason::Unresponsive),
            None => (NEVER, TimeoutReason::Unresponsive),
        }
    }

    /// A PING makes sense when no reply is due, and the server would answer it with one. It must not be the command for which
    /// ASKING or CLIENT CACHING holds.
    fn may_ask(&self) -> bool {
        self.in_flight.is_empty()
            && self.link.one_shots.is_empty()
            && !self.transmit.has_gate()
            && matches!(self.mode(), Mode::Ready | Mode::Subscribed)
    }

    /// When the oldest command in flight has waited for too long, while nothing at all was received: as long as it would
    /// take to ask and to hear nothing, and as long as the server may block for it.
    fn patience_ends(&self, interval: Duration) -> Instant {
        let allowance = match self.in_flight.front() {
            Some(slot) if slot.allowance != FOREVER => slot.allowance,
            // The server has answered QUIT, and is to end the stream.
            None if self.is_closing() => 0,
            _ => return NEVER,
        };
        let since = self.timers.last_received.max(self.timers.last_asked);
        let allowance = Duration::from_secs(allowance.into());
        since + interval + self.config.health_check_timeout + allowance
    }

    /// Does what is due at `now`. Poll transmit and events after it. Calling it early or for nothing does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !DEADLINES || self.link.phase == Phase::Over {
            return;
        }
        let is_due = |due: Instant| due < NEVER && due <= now;
        if is_due(self.timers.next_deadline) {
            self.expire_commands(now);
        }
        match self.link.phase {
            Phase::Handshake => match self.handshake_timer() {
                (due, TimeoutReason::Handshake) if is_due(due) => self.end(End::HandshakeTimedOut),
                (due, _) if is_due(due) => self.end(End::Unresponsive),
                _ => {}
            },
            Phase::Ready => match self.health_timer() {
                (due, TimeoutReason::Unresponsive) if is_due(due) => self.end(End::Unresponsive),
                (due, TimeoutReason::HealthCheck) if is_due(due) => self.ask(now),
                _ => {}
            },
            _ => {}
        }
    }

    fn expire_commands(&mut self, now: Instant) {
        let (before, ordered) = (self.link.expired, !self.timers.unordered);
        let first = self.in_flight.front_ticket().sequence;
        // Where deadlines stand in their order, those before the place of the last time have passed, and those after the
        // first that has not are later.
        let mut position = match self.timers.waiting_from.wrapping_sub(first) as usize {
            passed if ordered && passed <= self.in_flight.len() => passed,
            _ => 0,
        };
        if !(ordered && before > 0) {
            self.link.expired_from = first.wrapping_add(position as u32);
        }
        let (mut next, mut written) = (NEVER, false);
        while let Some(slot) = self.in_flight.get(position) {
            let has_deadline = slot.listener == Listener::Caller && slot.deadline < NEVER;
            if has_deadline && slot.deadline > now {
                next = next.min(slot.deadline);
                if ordered {
                    break;
                }
            } else if has_deadline {
                // What has not been written yet is not written any more.
                self.give_up(position, Listener::Overdue);
                written |= self.in_flight.get(position).is_some_and(|slot| !slot.is(Flags::TAKEN_BACK));
            }
            position += 1;
        }
        self.timers.waiting_from = first.wrapping_add(position as u32);
        self.in_flight.drop_taken_back();
        let expired = self.link.expired - before;
        if expired > 0 {
            warn!("commands timed out: {}", expired);
        }
        self.timers.next_deadline = next;
        if written && self.link.phase == Phase::Ready {
            self.timers.silent_since = self.timers.silent_since.or(Some(now));
        }
    }

    fn ask(&mut self, now: Instant) {
        let mark = self.transmit.mark();
        let start = self.transmit.position();
        if self.in_flight.reserve().is_err() || self.transmit.append_command(&Ping).is_err() {
            // No room: not now, but when it is due the next time.
            self.timers.last_received = now;
            return;
        }
        let length = self.transmit.queue(mark);
        self.enqueue(
            now,
            Slot {
                verb: Verb::Ping,
                deadline: NEVER,
                allowance: FOREVER,
                start,
                length,
                listener: Listener::Engine,
                ..Slot::EMPTY
            },
        );
        self.timers.silent_since = Some(now);
        debug!("health check: PING");
    }
}
