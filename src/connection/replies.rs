//! From frames to events: which command a frame answers, and what that changes.

use super::closing::End;
use super::effects::{Greeting, QueuedEffects};
use super::handshake::{contains, greeted_protocol};
use super::in_flight::{Flags, Listener, Slot};
use super::name_index::hash;
use super::receive::{Header, Incoming, Reply};
use super::secrets::withhold_quoted;
use super::subscriptions::Unsubscribed;
use super::transitions::{Effect, Refusal, Shape, row};
use super::verb::Verb;
use super::{
    Changes, Connection, Event, Failure, Message, Mode, Phase, Subscription, SubscriptionEnd,
    SubscriptionKind, Ticket,
};
use crate::log::{LOGS, debug};
use crate::parts::{ASIDES, DEADLINES, MODES, PIECES, SESSION, SUBSCRIPTIONS};
use crate::resp::{ErrorCode, ErrorReply, Frame, Kind, Parser, Protocol};

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

/// What a reply has changed, besides answering.
enum Settled {
    /// It goes to the caller.
    Reply,
    /// The server has queued the command.
    Queued,
    /// The connection is over.
    Over,
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
                Phase::Handshake => self.go_on_restoring(),
                Phase::Ready => {}
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
                let name = self.subscriptions.unconfirmed(kind).unwrap_or_default();
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

    /// Whether a frame is what RESP3 has pushes for, a message or a confirmation, though it is an array.
    fn is_message(&self, length: usize) -> bool {
        let bytes = self.receive.part(0, length);
        if !matches!(bytes, [b'*', b'3' | b'4', ..]) || !self.expects_messages() {
            return false;
        }
        let name = Frame::new_unchecked(bytes).elements().next_text();
        name.is_some_and(|name| message_kind(name).is_some() || SubscriptionKind::from_name(name).is_some())
    }

    /// Whether the server can send messages of itself, or confirmations are due.
    fn expects_messages(&self) -> bool {
        self.link.active != [0; 3] || self.link.phase == Phase::Handshake || self.is_confirming()
    }

    /// Whether the oldest command is one that confirmations answer.
    fn is_confirming(&self) -> bool {
        self.in_flight.front().is_some_and(|slot| matches!(slot.verb, Verb::Subscribe | Verb::Unsubscribe))
    }

    /// A push, or what stands for one under RESP2.
    fn push(&mut self, start: usize, end: usize) -> Option<Found> {
        if !SUBSCRIPTIONS {
            return Some(Found::Push { start, end });
        }
        let frame = Frame::new_unchecked(self.receive.part(start, end));
        let name = frame.elements().next_text().unwrap_or_default();
        if let Some(kind) = message_kind(name) {
            return Some(Found::Message { start, end, kind });
        }
        let Some(Confirmation { kind, subscribed, name, count }) = confirmation(frame) else {
            return Some(Found::Push { start, end });
        };
        count_active(&mut self.link.active, kind, count);
        if subscribed && self.link.phase == Phase::Handshake {
            return self.handshake_confirmed(kind, start, end);
        }
        let expected = if subscribed { Verb::Subscribe } else { Verb::Unsubscribe };
        let number = self.in_flight.front_ticket().sequence;
        let slot = self
            .in_flight
            .front()
            .filter(|slot| slot.verb == expected && slot.subscription == kind)
            .filter(|slot| self.link.phase == Phase::Ready && self.transmit.was_handed_out(slot));
        let sum = name.map_or(0, |name| hash(kind as u8, name));
        let asked = match (slot, name) {
            (Some(_), Some(name)) if subscribed => self.subscriptions.subscribed(kind, name, number),
            (slot, Some(name)) if !subscribed => {
                let number = slot.map(|_| number);
                match (self.subscriptions.unsubscribed(kind, name, number), slot) {
                    (Unsubscribed::Unasked, None) => return Some(Found::Ended { start, end }),
                    // It crosses an unsubscription of other names.
                    (Unsubscribed::Unasked, Some(slot)) if slot.is_fenced() => {
                        return Some(Found::Ended { start, end });
                    }
                    // Of the last name that is to be confirmed it is known which it is.
                    (Unsubscribed::Pending, Some(slot))
                        if slot.is_fenced()
                            && !slot.is(Flags::EVERYTHING)
                            && slot.argument <= 1
                            && slot.names != sum =>
                    {
                        return Some(Found::Ended { start, end });
                    }
                    (Unsubscribed::Asked | Unsubscribed::Pending, Some(_)) => true,
                    (Unsubscribed::Unknown, Some(slot)) if slot.is_fenced() => {
                        if slot.argument == 1 && slot.names != sum {
                            return None;
                        }
                        true
                    }
                    (Unsubscribed::Unknown, Some(slot)) => !slot.is(Flags::EVERYTHING),
                    // The server ends what it has ended already: nobody needs to know.
                    (Unsubscribed::Unknown, None) if kind == SubscriptionKind::Shard => return None,
                    _ => false,
                }
            }
            // There was nothing to unsubscribe from.
            (Some(slot), None) => !subscribed && slot.is(Flags::EVERYTHING),
            _ => false,
        };
        if !asked {
            // It confirms what was not asked.
            self.end(End::OutOfStep);
            return None;
        }
        self.confirm(kind, sum, start, end)
    }

    /// A confirmation for the command at the front; `name` is the hash of what it names.
    fn confirm(&mut self, kind: SubscriptionKind, name: u32, start: usize, end: usize) -> Option<Found> {
        let ticket = self.in_flight.front_ticket();
        let none_left = self.link.active.get(kind as usize) == Some(&0);
        let slot = self.in_flight.front_mut()?;
        if slot.is(Flags::CONFIRMED) || slot.is(Flags::REFUSED) {
            // The server has ended it by itself besides.
            return None;
        }
        if SESSION && slot.is(Flags::AFTER_SILENCE) {
            self.settle_unanswered();
        }
        let slot = self.in_flight.front_mut()?;
        let everything = slot.is(Flags::EVERYTHING);
        slot.argument = slot.argument.saturating_sub(1);
        slot.names = slot.names.wrapping_sub(name);
        let last = if everything { none_left } else { slot.argument == 0 };
        let heard = slot.listener == Listener::Caller;
        let other_names = !everything && !slot.is_fenced() && slot.names != 0;
        if last && other_names {
            self.end(End::OutOfStep);
            return None;
        }
        if last && slot.is_fenced() {
            // The PONG after it is still to come.
            slot.mark(Flags::CONFIRMED);
            slot.listener = Listener::Nobody;
        } else if last {
            if SESSION {
                self.known.end_one_shots(slot);
            }
            self.in_flight.pop();
        }
        Some(Found::Subscription { ticket: heard.then_some(ticket), start, end, last })
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
            match self.settle(&slot, reply) {
                Settled::Reply => {}
                Settled::Queued => queued = true,
                Settled::Over => return None,
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

    /// What a reply changes, besides answering.
    fn settle(&mut self, slot: &Slot, reply: Reply) -> Settled {
        if !MODES && !LOGS {
            return Settled::Reply;
        }
        if SESSION && slot.is(Flags::AFTER_SILENCE) {
            self.settle_unanswered();
        }
        let refused = self.receive.may_be_error(reply);
        if SESSION && (slot.verb != Verb::Multi || refused) {
            self.known.end_one_shots(slot);
        }
        if let Some(error) = self.receive.error(reply) {
            debug!("error reply: {}", error.code().name());
            return self.settle_error(slot, reply);
        }
        if !MODES {
            return Settled::Reply;
        }
        if SESSION && self.known.queues(slot.verb) {
            if self.text_of(reply) != Some(b"QUEUED") {
                return self.out_of_step();
            }
            self.link.queued.push(slot);
            return Settled::Queued;
        }
        let row = row(slot.verb);
        let right = match row.shape {
            Shape::Any => true,
            Shape::Ok => self.text_of(reply) == Some(b"OK"),
            Shape::OkOrCount => {
                self.text_of(reply) == Some(b"OK")
                    || self.receive.whole(reply).is_some_and(|frame| frame.kind() == Kind::Integer)
            }
            Shape::Reset => self.text_of(reply) == Some(b"RESET") && self.transmit.is_drained(),
            Shape::Greeting => self.takes_greeting(slot, reply),
            Shape::Results => self.takes_results(reply),
            Shape::Confirmations => false,
        };
        let ends = matches!(row.effect, Effect::Execute | Effect::Discard);
        // Without a transaction these are errors.
        let right = right && (!ends || self.known.mode == Mode::Transaction);
        if !right {
            return self.out_of_step();
        }
        if !SESSION {
            return Settled::Reply;
        }
        if row.effect == Effect::Execute {
            match self.receive.whole(reply) {
                Some(results) if !results.is_null() => {
                    let fresh = self.fresh();
                    if !self.link.queued.apply(results, &mut self.known, fresh) {
                        return self.out_of_step();
                    }
                }
                Some(_) => {}
                // Whether they succeeded is gone with the reply.
                None if self.link.queued.is_empty() => {}
                None => {
                    self.end(End::Capacity);
                    return Settled::Over;
                }
            }
        }
        self.known.apply(slot, self.fresh());
        match row.effect {
            Effect::Transaction | Effect::Execute | Effect::Discard => self.link.queued = QueuedEffects::NONE,
            Effect::User => self.transmit.open_gate(),
            Effect::Greeting => {
                self.transmit.open_gate();
                self.receive.set_protocol(self.known.protocol);
            }
            Effect::Reset => self.settle_reset(),
            _ => {}
        }
        Settled::Reply
    }

    /// The first command after those that were not answered is: they have done what they may have done.
    fn settle_unanswered(&mut self) {
        let number = self.in_flight.front_ticket().sequence;
        if number.wrapping_sub(self.link.unanswered_before) as i32 >= 0 {
            self.known.changes = self.known.changes | core::mem::take(&mut self.link.unanswered);
            self.link.expected_is_stale = true;
        }
    }

    /// All that RESET does besides what it does to the state.
    fn settle_reset(&mut self) {
        let number = self.in_flight.front_ticket().sequence;
        self.link.queued = QueuedEffects::NONE;
        self.link.active = [0; 3];
        self.subscriptions.reset(number);
        let now = self.timers.last_received;
        debug!("reset, handshake begins");
        self.begin_handshake(now);
    }

    /// What an error does: nothing, for most commands.
    #[cold]
    fn settle_error(&mut self, slot: &Slot, reply: Reply) -> Settled {
        let Some(error) = self.receive.error(reply) else { return Settled::Reply };
        let skipped = matches!(reply, Reply::Skipped(_));
        if SESSION && slot.is(Flags::AFTER_SILENCE) && (skipped || may_refuse_client_reply(error)) {
            // What was not to be answered will be.
            return self.out_of_step();
        }
        if MODES && !matches!(slot.verb, Verb::Ordinary | Verb::Ping) {
            // To derive it anew costs as much as there is in flight; an ordinary command has no part in it.
            self.link.expected_is_stale = true;
        }
        let in_transaction = SESSION && self.known.mode == Mode::Transaction;
        match row(slot.verb).refusal {
            Refusal::Names if SUBSCRIPTIONS => {
                self.subscriptions.refused(self.in_flight.front_ticket().sequence);
            }
            _ if !SESSION => {}
            Refusal::Nothing | Refusal::Names => {}
            // MULTI was refused before, so that this is what has to come.
            Refusal::Aborts | Refusal::Ends if !in_transaction => {}
            Refusal::Aborts if error.text().ends_with(b" without MULTI") => return self.out_of_step(),
            Refusal::Aborts => {
                self.known.apply(slot, self.fresh());
                self.link.queued = QueuedEffects::NONE;
            }
            Refusal::Ends => return self.out_of_step(),
            Refusal::Closes => {
                self.subscriptions.refused(self.in_flight.front_ticket().sequence);
                self.refused("RESET", reply);
                return Settled::Over;
            }
            Refusal::Greeting => self.greeting_refused(slot, reply),
        }
        if SESSION && slot.verb == Verb::Auth {
            self.transmit.open_gate();
        }
        if SESSION && slot.is(Flags::SECRET) {
            let rules = slot.verb == Verb::Ordinary && slot.argument != 0;
            withhold_quoted(self.receive.whole_mut(reply), rules);
        }
        Settled::Reply
    }

    /// A HELLO of the user was refused. Before Redis 7.2 it is carried out word by word, so that the user and the name may
    /// have changed before another word was refused.
    fn greeting_refused(&mut self, slot: &Slot, reply: Reply) {
        self.transmit.open_gate();
        self.receive.set_protocol(self.known.protocol);
        let Some(error) = self.receive.error(reply) else { return };
        let code = error.code();
        let unknown = contains(error.text(), b"unknown command", <[u8]>::eq_ignore_ascii_case);
        if !matches!(code, ErrorCode::NoProto | ErrorCode::NoPerm | ErrorCode::Busy) && !unknown {
            let sets = Greeting::of(slot.argument).sets;
            let sets = if code == ErrorCode::WrongPass { sets.without(Changes::USER) } else { sets };
            self.known.changes = self.known.changes.with(sets);
        }
    }

    /// Whether the reply to a HELLO of the user says that the server did what it asked for.
    fn takes_greeting(&self, slot: &Slot, reply: Reply) -> bool {
        let asked = Greeting::of(slot.argument).protocol.unwrap_or(self.known.protocol);
        greeted_protocol(&self.receive.whole(reply), reply) == Some(asked)
    }

    /// Whether the reply to EXEC has a result for each command that was queued, or is null.
    fn takes_results(&self, reply: Reply) -> bool {
        let queued = self.link.queued.length as usize;
        match (self.receive.whole(reply), reply) {
            (Some(frame), _) => match frame.kind() {
                Kind::Array => frame.elements().len() == queued,
                Kind::Null => true,
                _ => false,
            },
            (None, Reply::Skipped(Header { first: b'*', count })) => {
                count.is_none_or(|count| count == queued)
            }
            _ => false,
        }
    }

    /// The text of a reply, if it is one.
    fn text_of(&self, reply: Reply) -> Option<&[u8]> {
        self.receive.whole(reply).and_then(|frame| frame.text())
    }

    fn out_of_step(&mut self) -> Settled {
        self.end(End::OutOfStep);
        Settled::Over
    }

    /// What comes in turn while a SUNSUBSCRIBE is the oldest command: its error, or the PONG after it.
    ///
    /// The server ends subscriptions to shard channels by itself, with the same push that confirms SUNSUBSCRIBE, when their
    /// slot moves. If that crosses a SUNSUBSCRIBE, Redis answers it with another push and Valkey with an error. A PING
    /// after each SUNSUBSCRIBE is a fence: what comes before its PONG is about the subscription, however much it is.
    fn fence_reply(&mut self, slot: Slot, reply: Reply) -> Option<Found> {
        let answered = slot.is(Flags::CONFIRMED) || slot.is(Flags::REFUSED);
        let about_ping = |error: ErrorReply<'_>| {
            error.code() == ErrorCode::NoPerm
                && contains(error.text(), b"'ping'", <[u8]>::eq_ignore_ascii_case)
        };
        let ticket = self.in_flight.front_ticket();
        match self.receive.error(reply) {
            // The user may not PING, so that this is the fence.
            Some(error) if answered && about_ping(error) => {}
            // It may be the PING's, and then nobody knows what the next one is.
            Some(error)
                if slot.is(Flags::REFUSED)
                    || slot.is(Flags::AFTER_SILENCE)
                    || answered && !is_redirect(error) =>
            {
                self.end(End::OutOfStep);
                return None;
            }
            Some(error) => {
                debug!("error reply: {}", error.code().name());
                self.link.expected_is_stale = true;
                self.subscriptions.refused(ticket.sequence);
                if let Some(slot) = self.in_flight.front_mut() {
                    slot.mark(Flags::REFUSED);
                    slot.listener = Listener::Nobody;
                }
                let length = if let Reply::Whole { length } = reply { length } else { 0 };
                return (slot.listener == Listener::Caller).then_some(Found::Reply { ticket, length });
            }
            None if !answered || !self.is_pong(reply) => {
                self.end(End::OutOfStep);
                return None;
            }
            None => {}
        }
        if SESSION {
            self.known.end_one_shots(&slot);
        }
        self.in_flight.pop();
        None
    }

    /// Whether a reply is that to a PING: a subscriber under RESP2 gets an array.
    fn is_pong(&self, reply: Reply) -> bool {
        let Some(frame) = self.receive.whole(reply) else { return false };
        frame.text() == Some(b"PONG") || frame.elements().next_text() == Some(b"pong")
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

    /// Whether the beginning of a frame says that it answers nothing.
    fn begins_aside(&self) -> bool {
        const MESSAGES: [&[u8]; 3] = [b"3\r\n$7\r\nmessage", b"4\r\n$8\r\npmessage", b"3\r\n$8\r\nsmessage"];
        let Some((first, rest)) = self.receive.received().split_first() else { return false };
        match first {
            b'+' => {
                SESSION && self.known.mode == Mode::Monitor && rest.first().is_some_and(u8::is_ascii_digit)
            }
            _ if !SUBSCRIPTIONS => false,
            b'*' if self.known.protocol == Protocol::Resp3 || !self.expects_messages() => false,
            b'*' | b'>' => MESSAGES.iter().any(|message| rest.starts_with(message)),
            _ => false,
        }
    }

    /// Whether the frame that does not fit might confirm a subscription, or under RESP2 be a message in disguise.
    fn awaits_confirmation(&self) -> bool {
        if !SUBSCRIPTIONS {
            return false;
        }
        match self.receive.received() {
            [b'>', ..] => self.link.phase == Phase::Handshake || self.is_confirming(),
            // A list is no reply to what a subscriber can send, but for a PING.
            [b'*', ..] => self.known.protocol == Protocol::Resp2 && self.expects_messages(),
            _ => false,
        }
    }
}

/// Keeps how many subscriptions of each kind the server has: it counts channels and patterns together, shard channels by
/// themselves.
fn count_active(active: &mut [i64; 3], kind: SubscriptionKind, count: i64) {
    let [channels, patterns, shards] = active;
    match kind {
        SubscriptionKind::Channel => *channels = count.saturating_sub(*patterns).max(0),
        SubscriptionKind::Pattern => *patterns = count.saturating_sub(*channels).max(0),
        SubscriptionKind::Shard => *shards = count.max(0),
    }
}

/// Whether an error may be the answer to CLIENT REPLY OFF or SKIP: all may be but those about keys, scripts, or the data.
fn may_refuse_client_reply(error: ErrorReply<'_>) -> bool {
    !matches!(
        error.code(),
        ErrorCode::WrongType
            | ErrorCode::NoScript
            | ErrorCode::BusyGroup
            | ErrorCode::BusyKey
            | ErrorCode::NoGroup
            | ErrorCode::ReadOnly
            | ErrorCode::NoReplicas
            | ErrorCode::OutOfMemory
            | ErrorCode::Misconfigured
            | ErrorCode::TryAgain
            | ErrorCode::Moved
            | ErrorCode::Ask
            | ErrorCode::ClusterDown
            | ErrorCode::CrossSlot
    )
}

/// Whether an error says that another node serves a shard channel.
fn is_redirect(error: ErrorReply<'_>) -> bool {
    matches!(error.code(), ErrorCode::Moved | ErrorCode::Ask | ErrorCode::CrossSlot | ErrorCode::ClusterDown)
}

fn message_kind(name: &[u8]) -> Option<SubscriptionKind> {
    let (kind, name) = match name {
        [b'p', name @ ..] => (SubscriptionKind::Pattern, name),
        [b's', name @ ..] => (SubscriptionKind::Shard, name),
        name => (SubscriptionKind::Channel, name),
    };
    (name == b"message").then_some(kind)
}

fn message(frame: Frame<'_>, kind: SubscriptionKind) -> Option<Message<'_>> {
    let mut elements = frame.elements();
    elements.next_text()?;
    let pattern = match kind {
        SubscriptionKind::Pattern => Some(elements.next_text()?),
        _ => None,
    };
    let channel = elements.next_text()?;
    let payload = elements.next_text()?;
    Some(Message { kind, channel, pattern, payload })
}

struct Confirmation<'f> {
    kind: SubscriptionKind,
    subscribed: bool,
    name: Option<&'f [u8]>,
    count: i64,
}

fn confirmation(frame: Frame<'_>) -> Option<Confirmation<'_>> {
    let mut elements = frame.elements();
    let (kind, subscribed) = SubscriptionKind::from_name(elements.next_text()?)?;
    let name = elements.next()?.text();
    let count = elements.next()?.integer()?;
    Some(Confirmation { kind, subscribed, name, count })
}
