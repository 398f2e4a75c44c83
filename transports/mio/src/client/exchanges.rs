//! The events of the engine: which exchange they belong to, and which of them the user gets.

use std::time::Instant;

use redwire::client::{Error, ErrorKind, LinkState, Step};
use redwire::connection::{CloseReason, Event, Failure, FailureReason, Mode};
use redwire::time;

use super::{Client, Shown, Turn};
use crate::Connector;
use crate::table::Entry;

/// So much is read when a deadline has passed, before that counts: what is here is not late, but a server that never stops
/// talking gets no more time for that.
const LATE_BYTES: usize = 1 << 20;

impl<C: Connector> Client<C> {
    /// Finds the next event; where there is none, makes some by writing and reading, and if `look`, also where no event of
    /// mio says that this is of use.
    pub(super) fn find(&mut self, now: Instant, mut look: bool) -> bool {
        let now = self.engine_time(now);
        self.explanation = None;
        // What is due is done when all is read that is there, once.
        let (mut tried, mut done) = (false, false);
        loop {
            if self.turn.is_over() {
                self.turn = Turn::default();
                (self.drained, self.cut_short) = (false, true);
                return false;
            }
            if self.show(now) {
                self.turn.events += 1;
                self.drained = false;
                return true;
            }
            if look {
                look = false;
                self.on_ready(true, true);
            } else if self.pump(now) {
                if self.late >= LATE_BYTES {
                    self.late = 0;
                    self.do_what_is_due(now);
                }
            } else if !tried && self.is_due(now) {
                tried = true;
                self.on_ready(true, true);
            } else if tried && !done {
                done = true;
                self.do_what_is_due(now);
            } else {
                self.turn = Turn::default();
                (self.drained, self.cut_short) = (true, false);
                return false;
            }
        }
    }

    /// The event that was found.
    pub(super) fn view(&self) -> Option<Event<'_>> {
        let original = match self.shown {
            Shown::Failed(ticket, failure) => return Some(Event::Failed { ticket, failure }),
            Shown::Engine(original) => original,
        };
        Some(match (self.session.engine().last_event()?, original) {
            (Event::Reply { frame, .. }, Some(ticket)) => Event::Reply { ticket, frame },
            (Event::Skipped { length, .. }, ticket @ Some(_)) => Event::Skipped { ticket, length },
            (event, _) => event,
        })
    }

    /// Finds the next event for the user among those that are here.
    pub(super) fn show(&mut self, now: time::Instant) -> bool {
        loop {
            if let Some((ticket, failure)) = self.table.next_failure() {
                self.shown = Shown::Failed(ticket, failure);
                return true;
            }
            if std::mem::take(&mut self.held) {
                self.shown = Shown::Engine(None);
                return true;
            }
            if !self.session.engine_mut().find_event() {
                return false;
            }
            self.follow(now);
            self.shown = Shown::Engine(None);
            if self.table.is_empty() || self.settle(now) {
                return true;
            }
        }
    }

    /// Does what an event of the connection means for the stream.
    pub(super) fn follow(&mut self, now: time::Instant) {
        let engine = self.session.engine();
        if engine.is_idle() {
            // Without a stream there may also be commands that have waited too long.
            let Some(Event::Closed { reason, mode, .. }) = engine.last_event() else { return };
            let lost = matches!(self.link.state(), LinkState::Handshake | LinkState::Ready(_));
            let quit = lost && (mode == Mode::Closing || reason == CloseReason::Quit);
            self.drop_stream();
            if quit {
                self.link.quit(now);
            } else {
                self.link.lost(now, self.random.next());
            }
        } else if self.link.state() == LinkState::Handshake && engine.is_ready() {
            self.link.ready(now);
        }
    }

    /// Shows an event of the connection to the exchange that it is about. True: the event is for the user.
    pub(super) fn settle(&mut self, now: time::Instant) -> bool {
        let Some(event) = self.session.engine().last_event() else { return true };
        let ticket = match event {
            Event::Reply { ticket, .. }
            | Event::Queued { ticket }
            | Event::Failed { ticket, .. }
            | Event::Skipped { ticket: Some(ticket), .. } => ticket,
            Event::Closed { .. } => {
                while let Some(entry) = self.table.pop() {
                    self.fail(entry, Error::new(ErrorKind::Disconnected));
                }
                self.held = true;
                return false;
            }
            _ => return true,
        };
        let late = matches!(event, Event::Failed { .. });
        let Some((place, task)) = self.table.find(ticket) else { return true };
        let step = task.exchange().on_event(&event);
        match step {
            Ok(Step::NotMine) => return true,
            Ok(Step::Done | Step::Send) | Err(_) => {}
            Ok(_) => {
                self.table.went_on(place);
                return false;
            }
        }
        let Some(mut entry) = self.table.take(place) else { return true };
        match step {
            // Where it would not be answered, or not as what it is, what has come is the answer.
            Ok(Step::Send) if self.session.engine().mode() == Mode::Ready => {
                self.go_on(entry, now);
                false
            }
            Ok(_) => {
                let wanted = entry.wanted;
                self.shown = Shown::Engine(Some(entry.ticket));
                self.explanation = entry.task.finish();
                wanted
            }
            Err(error) if late || *error.kind() == ErrorKind::OutOfStep => {
                self.give_up(entry, error);
                false
            }
            // The event says what is wrong.
            Err(error) => {
                self.shown = Shown::Engine(Some(entry.ticket));
                self.explanation = Some(entry.task.exchange().blame(error));
                entry.wanted
            }
        }
    }

    /// Lets an exchange queue what it has to say.
    pub(super) fn go_on(&mut self, mut entry: Entry, now: time::Instant) {
        match entry.task.exchange().send(now, self.session.engine_mut()) {
            Ok(_) => self.table.put(entry.ticket, entry.task, entry.wanted),
            Err(error) => self.give_up(entry, error),
        }
    }

    /// Lets the exchanges go on that wait for room in the queue.
    pub(super) fn send_waiting(&mut self, now: time::Instant) {
        loop {
            let partly = self.session.engine().unfinished().is_some();
            if !partly && (!self.table.has_waiting() || self.session.engine().mode() != Mode::Ready) {
                return;
            }
            let Some(mut entry) = self.table.take_unsent(partly) else { return };
            match entry.task.exchange().send(now, self.session.engine_mut()) {
                Err(error) => self.give_up(entry, error),
                Ok(_) if entry.task.is_waiting() => return self.table.put_back(entry),
                Ok(_) => {
                    self.table.put(entry.ticket, entry.task, entry.wanted);
                    if self.session.engine().unfinished().is_some() {
                        return;
                    }
                }
            }
        }
    }

    /// An exchange ends with an error of its own.
    pub(super) fn give_up(&mut self, mut entry: Entry, error: Error) {
        let engine = self.session.engine_mut();
        entry.task.exchange().give_up(engine);
        if *error.kind() == ErrorKind::OutOfStep {
            engine.close();
        }
        self.fail(entry, error);
    }

    pub(super) fn fail(&mut self, mut entry: Entry, error: Error) {
        let reason = match error.kind() {
            ErrorKind::TimedOut => FailureReason::TimedOut,
            _ => FailureReason::Disconnected,
        };
        let error = entry.task.exchange().blame(error);
        if entry.wanted {
            self.table.fail(entry.ticket, Failure::new(reason, error.maybe_executed()));
        }
    }
}
