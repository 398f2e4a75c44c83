//! From frames to events: which command a frame answers. What that changes is told in [`outcome`](super::outcome), what is
//! no reply in [`pushes`](super::pushes).

use super::closing::End;
use super::in_flight::{Flags, Listener, Slot};
use super::outcome::Outcome;
use super::pushes::{Confirmation, confirmation, message};
use super::receive::{Header, Incoming, Reply};
use super::{
    Connection, Event, Failure, Mode, Phase, Subscription, SubscriptionEnd, SubscriptionKind, Ticket,
};
use crate::parts::{ASIDES, DEADLINES, MODES, PIECES, SESSION, SUBSCRIPTIONS};
use crate::resp::{Frame, Parser, Protocol};

/// What was found, as positions in the receive buffer: an event that borrows nothing yet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    Connected {
        protocol: Protocol,
        resubscribed: usize,
    },
    Reply {
        ticket: Ticket,
        length: usize,
    },
    Queued {
        ticket: Ticket,
    },
    Chunk {
        ticket: Ticket,
        start: usize,
        end: usize,
    },
    ChunksEnd {
        ticket: Ticket,
        length: u64,
    },
    Skipped {
        ticket: Option<Ticket>,
        length: u64,
    },
    Failed {
        ticket: Ticket,
        failure: Failure,
    },
    Message {
        start: usize,
        end: usize,
        kind: SubscriptionKind,
    },
    Subscription {
        ticket: Option<Ticket>,
        start: usize,
        end: usize,
        last: bool,
    },
    /// The server has ended a subscription.
    Ended {
        start: usize,
        end: usize,
    },
    /// The server has refused to restore the name that the handshake has sent.
    NotRestored {
        kind: SubscriptionKind,
    },
    Push {
        start: usize,
        end: usize,
    },
    Monitor {
        length: usize,
    },
    Closed {
        mode: Mode,
        watching: bool,
    },
}

impl<P: Parser> Connection<'_, P> {
    /// The next event, until there is none. Views in it are valid until the next call of a method of the connection:
    /// decode, then send.
    #[must_use = "an event that is not looked at is lost"]
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        self.last = self.find();
        self.last_event()
    }

    /// The event that [`poll_event`](Self::poll_event) gave last, once more: for a loop that finds the event it waits for,
    /// and takes it when the loop is over. None if that gave none, and after [`receive_buffer`](Self::receive_buffer).
    #[must_use]
    pub fn last_event(&self) -> Option<Event<'_>> {
        self.last.map(|found| self.event(found))
    }

    /// As [`poll_event`](Self::poll_event), for a loop that reads when there is none, and can borrow nothing before there
    /// is one: whether there is an event, which [`last_event`](Self::last_event) gives.
    #[must_use = "an event that is not looked at is lost"]
    pub fn find_event(&mut self) -> bool {
        self.last = self.find();
        self.last.is_some()
    }

    /// Whether the last event is a message of a subscription, known without looking at it.
    #[must_use]
    pub fn last_is_message(&self) -> bool {
        matches!(self.last, Some(Found::Message { .. }))
    }

    fn find(&mut self) -> Option<Found> {
        self.receive.release();
        loop {
            if DEADLINES
                && self.link.expired > 0
                && let Some(found) = self.report_expired()
            {
                return Some(found);
            }
            match self.link.phase {
                Phase::Idle => return None,
                Phase::Over => return Some(self.close_down()),
                Phase::Handshake if SUBSCRIPTIONS => {
                    self.go_on_restoring();
                    if self.link.phase == Phase::Over {
                        continue;
                    }
                }
                Phase::Handshake | Phase::Ready => {}
            }
            if let Some(resubscribed) = self.link.announce.take() {
                return Some(Found::Connected { protocol: self.known.protocol, resubscribed });
            }
            let pieces = PIECES && self.expects_pieces();
            let found = match self.receive.next(pieces) {
                Incoming::Frame { length, push } => self.frame(length, push),
                Incoming::Push { start, end } if ASIDES => self.push(start, end),
                Incoming::Push { .. } => None,
                Incoming::Text { start, end } if PIECES => self.text(start, end),
                Incoming::Text { .. } => None,
                Incoming::TextEnd { length } => self.text_end(length),
                Incoming::Skipped { length, header, aside } => self.skipped(length, header, aside),
                Incoming::Incomplete if self.receive.has_ended() => {
                    self.end(if SESSION && self.is_closing() { End::Quit } else { End::Disconnected });
                    None
                }
                Incoming::Incomplete => {
                    self.skip_what_does_not_fit();
                    if self.link.phase != Phase::Over {
                        return None;
                    }
                    continue;
                }
                Incoming::Error(error) => {
                    self.end(End::Protocol(error));
                    None
                }
            };
            if found.is_some() {
                return found;
            }
        }
    }

    fn event(&self, found: Found) -> Event<'_> {
        let frame = |start, end| self.receive.frame(start, end);
        match found {
            Found::Connected { protocol, resubscribed } => Event::Connected { protocol, resubscribed },
            Found::Reply { ticket, length } => Event::Reply { ticket, frame: frame(0, length) },
            Found::Queued { ticket } if SESSION => Event::Queued { ticket },
            Found::Chunk { ticket, start, end } if PIECES => {
                Event::Chunk { ticket, bytes: self.receive.part(start, end) }
            }
            Found::ChunksEnd { ticket, length } if PIECES => Event::ChunksEnd { ticket, length },
            Found::Skipped { ticket, length } => Event::Skipped { ticket, length },
            Found::Failed { ticket, failure } => Event::Failed { ticket, failure },
            Found::Message { start, end, kind } if SUBSCRIPTIONS => match message(frame(start, end), kind) {
                Some(message) => Event::Message(message),
                None => Event::Push { frame: frame(start, end) },
            },
            Found::Subscription { ticket, start, end, last } if SUBSCRIPTIONS => {
                match confirmation(frame(start, end)) {
                    Some(Confirmation { kind, subscribed, name, count }) => {
                        Event::Subscription(Subscription { ticket, subscribed, kind, name, count, last })
                    }
                    None => Event::Push { frame: frame(start, end) },
                }
            }
            Found::Ended { start, end } if SUBSCRIPTIONS => match confirmation(frame(start, end)) {
                Some(Confirmation { kind, name: Some(name), .. }) => {
                    Event::SubscriptionEnd(SubscriptionEnd { kind, name, error: None })
                }
                _ => Event::Push { frame: frame(start, end) },
            },
            Found::NotRestored { kind } if SUBSCRIPTIONS => {
                let name = self.subscriptions.unconfirmed().unwrap_or_default();
                let error = Frame::new_unchecked(self.receive.received()).error();
                Event::SubscriptionEnd(SubscriptionEnd { kind, name, error })
            }
            Found::Message { start, end, .. }
            | Found::Subscription { start, end, .. }
            | Found::Ended { start, end }
            | Found::Push { start, end }
                if ASIDES =>
            {
                Event::Push { frame: frame(start, end) }
            }
            Found::Monitor { length } if SESSION => {
                Event::Monitor { line: frame(0, length).text().unwrap_or_default() }
            }
            Found::Closed { mode, watching } if MODES => {
                Event::Closed { reason: self.reason(), mode, watching }
            }
            // Nothing else is found in a connection that has one mode.
            _ => Event::Closed { reason: self.reason(), mode: Mode::Ready, watching: false },
        }
    }

    /// A complete frame stands at the head of the receive buffer.
    #[inline]
    fn frame(&mut self, length: usize, push: bool) -> Option<Found> {
        if ASIDES && push {
            return self.push(0, length);
        }
        if SESSION && self.known.mode == Mode::Monitor {
            // A line begins with the time; the replies to RESET and QUIT with a letter.
            if matches!(self.receive.part(0, length), [b'+', b'0'..=b'9', ..]) {
                return Some(Found::Monitor { length });
            }
        } else if SUBSCRIPTIONS && self.known.protocol == Protocol::Resp2 && self.is_message(length) {
            return self.push(0, length);
        }
        self.reply(Reply::Whole { length })
    }

    /// A piece of a text that is streamed.
    fn text(&mut self, start: usize, end: usize) -> Option<Found> {
        let front = self.in_flight.front()?;
        // It may have been given up on the way.
        let wanted = front.listener == Listener::Caller;
        wanted.then(|| Found::Chunk { ticket: self.in_flight.front_ticket(), start, end })
    }

    fn text_end(&mut self, length: u64) -> Option<Found> {
        let wanted = self.in_flight.front()?.listener == Listener::Caller;
        let ticket = self.in_flight.front_ticket();
        self.in_flight.pop();
        wanted.then_some(Found::ChunksEnd { ticket, length })
    }

    /// A frame that did not fit is complete.
    fn skipped(&mut self, length: u64, header: Header, aside: bool) -> Option<Found> {
        if ASIDES && aside {
            return Some(Found::Skipped { ticket: None, length });
        }
        match self.reply(Reply::Skipped(header)) {
            Some(Found::Reply { ticket, .. }) => Some(Found::Skipped { ticket: Some(ticket), length }),
            other => other,
        }
    }

    /// The reply to the oldest command.
    #[inline]
    fn reply(&mut self, reply: Reply) -> Option<Found> {
        if self.link.phase == Phase::Handshake {
            return self.handshake_reply(reply);
        }
        let ticket = self.in_flight.front_ticket();
        let front = self.in_flight.front().filter(|slot| self.transmit.was_handed_out(slot)).copied();
        let Some(slot) = front.filter(|_| self.is_whole()) else {
            // It answers nothing, or what was not even asked yet.
            self.end(End::OutOfStep);
            return None;
        };
        let mut queued = false;
        if !slot.is_plain() || self.receive.may_be_error(reply) {
            if slot.is_fenced() {
                return self.fence_reply(slot, reply);
            }
            match self.outcome(&slot, reply) {
                Outcome::Reply => {}
                Outcome::Queued => queued = true,
                Outcome::Over => return None,
            }
        }
        self.in_flight.pop();
        match slot.listener {
            Listener::Caller if SESSION && queued => Some(Found::Queued { ticket }),
            Listener::Caller => {
                let length = if let Reply::Whole { length } = reply { length } else { 0 };
                Some(Found::Reply { ticket, length })
            }
            _ => None,
        }
    }

    /// Whether the text that comes next goes to the caller in pieces.
    #[inline]
    fn expects_pieces(&self) -> bool {
        self.in_flight.front().is_some_and(|slot| slot.is(Flags::STREAMED) && self.in_pieces(slot))
    }

    /// Whether a slot that wants pieces gets them: what is more than a text to the conversation is read whole.
    #[cold]
    fn in_pieces(&self, slot: &Slot) -> bool {
        slot.listener == Listener::Caller
            && slot.is_text_only()
            && self.link.phase == Phase::Ready
            && self.transmit.was_handed_out(slot)
            && self.is_whole()
    }

    /// Whether the oldest command was sent whole, and is not one that comes in pieces.
    fn is_whole(&self) -> bool {
        self.transmit.unfinished().is_none() || self.in_flight.len() > 1
    }

    /// When the frame that is being read fills all memory there is, drops what nobody needs of it.
    fn skip_what_does_not_fit(&mut self) {
        if !self.receive.is_full() {
            return;
        }
        if self.receive.received().is_empty() {
            // There is no memory at all.
            self.end(End::Capacity);
            return;
        }
        if !self.receive.is_skipping() {
            let aside = self.begins_aside();
            if !aside && self.awaits_confirmation() {
                // It may be a confirmation, which has to be read.
                self.end(End::Capacity);
                return;
            }
            self.receive.skip(aside);
        }
        if !self.receive.drop_skipped() {
            self.end(End::Capacity);
        }
    }
}
