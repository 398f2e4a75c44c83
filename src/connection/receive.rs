//! From received bytes to events: which command a frame answers, and what that changes.

use super::handshake::contains;
use super::in_flight::NEVER;
use super::transitions::Verb;
use super::{
    CloseReason, Connection, Death, Event, Failure, FailureReason, Link, Message, Mode, Phase, Refusal,
    Subscription, SubscriptionKind, Ticket, handshake,
};
use crate::log::{LOGS, debug, warn};
use crate::parts::{ASIDES, DEADLINES, MODES, PIECES, RESP3, SESSION, SUBSCRIPTIONS};
use crate::resp::{ErrorReply, Frame, Parser, Progress, Protocol};
use crate::script::Digest;

/// What was found, as positions in the receive buffer: an event that borrows nothing yet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    Connected { protocol: Protocol, resubscribed: usize },
    Reply { ticket: Ticket, length: usize },
    Queued { ticket: Ticket },
    Chunk { ticket: Ticket, start: usize, end: usize },
    ChunksEnd { ticket: Ticket, length: u64 },
    Skipped { ticket: Option<Ticket>, length: u64 },
    Failed { ticket: Ticket, failure: Failure },
    Message { start: usize, end: usize, kind: SubscriptionKind },
    Subscription { ticket: Option<Ticket>, start: usize, end: usize, last: bool },
    Push { start: usize, end: usize },
    Monitor { length: usize },
    Closed { mode: Mode, watching: bool },
}

/// A frame that does not fit and is being dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skip {
    /// Bytes dropped so far.
    dropped: u64,
    /// It answers no command.
    aside: bool,
    /// It is an error.
    error: bool,
}

/// Room for at least so much is made before a read, when the memory grows.
const READ_AHEAD: usize = 4096;

/// No more than this is made room for at once, whatever a header declares.
const MOST_AHEAD: usize = 64 * 1024;

impl<P: Parser> Connection<'_, P> {
    /// The next event, until there is none. Views in it are valid until the next call of a method of the connection:
    /// decode, then send.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        self.find_event();
        self.last_event()
    }

    /// The event that [`poll_event`](Self::poll_event) gave last, once more: for a loop that finds the event it waits for,
    /// and takes it when the loop is over. None if that gave none, and behind [`receive_buffer`](Self::receive_buffer).
    pub fn last_event(&self) -> Option<Event<'_>> {
        self.last.map(|found| self.event(found))
    }

    /// As [`poll_event`](Self::poll_event), for a loop that reads when there is none, and can borrow nothing before there
    /// is one: whether there is an event, which [`last_event`](Self::last_event) gives.
    pub fn find_event(&mut self) -> bool {
        self.last = self.find();
        self.last.is_some()
    }

    /// Whether the last event is a message of a subscription, known without looking at it.
    pub fn last_is_message(&self) -> bool {
        matches!(self.last, Some(Found::Message { .. }))
    }

    fn find(&mut self) -> Option<Found> {
        self.receive.consume(core::mem::take(&mut self.release));
        loop {
            if DEADLINES
                && self.link.expired > 0
                && let Some(found) = self.report_expired()
            {
                return Some(found);
            }
            match self.link.phase {
                Phase::Idle => return None,
                Phase::Dead => return Some(self.bury()),
                _ => {}
            }
            if let Some(resubscribed) = self.link.announce.take() {
                return Some(Found::Connected { protocol: self.link.protocol, resubscribed });
            }
            if PIECES {
                self.parser.stream(self.link.text.is_some() || self.expects_pieces());
            }
            match self.parser.parse(self.receive.filled()) {
                Ok(Progress::Frame { length, push }) => {
                    let found = self.frame(length, push);
                    if found.is_some() {
                        self.release = length;
                        return found;
                    }
                    // A refusal stays in the buffer to be shown.
                    if self.link.phase != Phase::Dead {
                        self.receive.consume(length);
                    }
                }
                Ok(Progress::Push { start, end }) => {
                    if ASIDES && let Some(found) = self.push(start, end) {
                        return Some(found);
                    }
                }
                Ok(Progress::Text { .. }) if !PIECES => {}
                Ok(Progress::Text { start, end }) => {
                    *self.link.text.get_or_insert(0) += (end - start) as u64;
                    self.parser.discard(end);
                    if self.in_flight.front().is_none_or(|slot| slot.discarded) {
                        // Given up on the way.
                        self.receive.consume(end);
                        continue;
                    }
                    self.release = end;
                    return Some(Found::Chunk { ticket: self.in_flight.front_ticket(), start, end });
                }
                Ok(Progress::Incomplete { need }) => {
                    self.link.need = need;
                    if self.link.ended {
                        self.die(if SESSION && self.link.quitting {
                            Death::Quit
                        } else {
                            Death::Disconnected
                        });
                        continue;
                    }
                    self.skip_what_does_not_fit();
                    if self.link.phase == Phase::Dead {
                        continue;
                    }
                    return None;
                }
                Err(error) => {
                    warn!("protocol error: {} at byte {} of the stream", error.kind.name(), error.offset);
                    self.protocol_error = Some(error);
                    self.die(Death::Protocol);
                }
            }
        }
    }

    fn event(&self, found: Found) -> Event<'_> {
        let frame = |start, end| Frame::new_unchecked(self.receive.part(start, end));
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
            Found::Message { start, end, .. }
            | Found::Subscription { start, end, .. }
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

    fn reason(&self) -> CloseReason<'_> {
        match (self.death, self.protocol_error, self.refusal) {
            (Death::Protocol, Some(error), _) => CloseReason::Protocol(error),
            (Death::Refused, _, Some(Refusal { step, length, withheld })) => {
                let error = Frame::new_unchecked(self.receive.part(0, length)).error();
                CloseReason::Refused { step, error: handshake::shown(error, withheld) }
            }
            (Death::Disconnected, ..) => CloseReason::Disconnected,
            (Death::Quit, ..) if SESSION => CloseReason::Quit,
            (Death::Closed, ..) => CloseReason::Closed,
            (Death::HandshakeTimedOut, ..) if DEADLINES => CloseReason::HandshakeTimedOut,
            (Death::Unresponsive, ..) if DEADLINES => CloseReason::Unresponsive,
            (Death::Capacity, ..) => CloseReason::Capacity,
            _ => CloseReason::OutOfStep,
        }
    }

    /// A complete frame stands at the head of the receive buffer, or the end of one whose beginning is gone.
    #[inline]
    fn frame(&mut self, length: usize, push: bool) -> Option<Found> {
        if PIECES && self.link.text.is_some() || self.link.skip.is_some() {
            return self.end_of_large(length, push);
        }
        if ASIDES && push {
            return self.push(0, length);
        }
        if SESSION && self.link.monitoring {
            // A line begins with the time; the replies to RESET and QUIT with a letter.
            if matches!(self.receive.part(0, length), [b'+', b'0'..=b'9', ..]) {
                return Some(Found::Monitor { length });
            }
        } else if SUBSCRIPTIONS && self.link.protocol == Protocol::Resp2 && self.is_message(length) {
            return self.push(0, length);
        }
        self.reply(Some(length))
    }

    /// A frame that was streamed or skipped is complete.
    fn end_of_large(&mut self, length: usize, push: bool) -> Option<Found> {
        if PIECES && let Some(text) = self.link.text.take() {
            let ticket = self.in_flight.front_ticket();
            let discarded = self.in_flight.front()?.discarded;
            self.in_flight.pop();
            return (!discarded).then_some(Found::ChunksEnd { ticket, length: text });
        }
        let skip = self.link.skip?;
        let total = skip.dropped + length as u64;
        warn!("skipped {} bytes that did not fit", total);
        if ASIDES && (push || skip.aside) {
            self.link.skip = None;
            return Some(Found::Skipped { ticket: None, length: total });
        }
        let found = self.reply(None);
        self.link.skip = None;
        match found {
            Some(Found::Reply { ticket, .. }) => Some(Found::Skipped { ticket: Some(ticket), length: total }),
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
        let confirming = |verb| matches!(verb, Verb::Subscribe | Verb::Unsubscribe);
        self.link.active != [0; 3]
            || self.link.phase == Phase::Handshake
            || self.in_flight.front().is_some_and(|slot| confirming(slot.verb))
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
        match confirmation(frame) {
            Some(Confirmation { kind, subscribed, name, count }) => {
                count_active(&mut self.link.active, kind, count);
                let expected = if subscribed { Verb::Subscribe } else { Verb::Unsubscribe };
                let slot = self
                    .in_flight
                    .front()
                    .filter(|slot| slot.verb == expected && slot.subscription == kind)
                    .filter(|slot| self.was_handed_out(slot.start));
                if slot.is_none() && !subscribed {
                    // The server itself has ended it.
                    if let Some(name) = name {
                        self.subscriptions.remove(kind, name);
                    }
                    return Some(Found::Subscription { ticket: None, start, end, last: true });
                }
                if slot.is_none() && self.link.phase == Phase::Ready {
                    // It confirms what was not asked.
                    self.die(Death::OutOfStep);
                    return None;
                }
                self.confirm(kind, start, end)
            }
            None => Some(Found::Push { start, end }),
        }
    }

    /// A confirmation for the command at the front, or for the handshake.
    fn confirm(&mut self, kind: SubscriptionKind, start: usize, end: usize) -> Option<Found> {
        if self.link.phase == Phase::Handshake {
            if !self.handshake_confirmed() {
                self.die(Death::OutOfStep);
                return None;
            }
            return Some(Found::Subscription {
                ticket: None,
                start,
                end,
                last: self.link.phase == Phase::Ready,
            });
        }
        let ticket = self.in_flight.front_ticket();
        let none_left = self.link.active.get(kind as usize) == Some(&0);
        let slot = self.in_flight.front_mut()?;
        slot.count = slot.count.saturating_sub(1);
        let last = if slot.everything { none_left } else { slot.count == 0 };
        let ticket = (!slot.discarded).then_some(ticket);
        if last {
            self.in_flight.pop();
        }
        Some(Found::Subscription { ticket, start, end, last })
    }

    /// A reply: the frame at the head of the receive buffer, or one that was skipped.
    #[inline]
    fn reply(&mut self, length: Option<usize>) -> Option<Found> {
        if self.link.phase == Phase::Handshake {
            return self.handshake_reply(length);
        }
        let ticket = self.in_flight.front_ticket();
        let front = self.in_flight.front().filter(|slot| self.was_handed_out(slot.start)).copied();
        let Some(slot) = front.filter(|_| self.is_whole()) else {
            // It answers nothing, or what was not even asked yet.
            self.die(Death::OutOfStep);
            return None;
        };
        if (MODES && (slot.verb != Verb::Ordinary || slot.queued) || self.begins_with_error(length))
            && let Some(death) = self.settle(slot, length)
        {
            self.die(death);
            return None;
        }
        if self.in_flight.front_ticket() == ticket {
            self.in_flight.pop();
        }
        if slot.discarded || DEADLINES && slot.internal {
            return None;
        }
        if SESSION && slot.queued && !self.begins_with_error(length) {
            return Some(Found::Queued { ticket });
        }
        Some(Found::Reply { ticket, length: length.unwrap_or(0) })
    }

    #[inline]
    fn begins_with_error(&self, length: Option<usize>) -> bool {
        match length {
            Some(_) => matches!(self.receive.filled().first(), Some(b'-' | b'!' | b'|')),
            None => self.link.skip.is_some_and(|skip| skip.error),
        }
    }

    /// What a reply changes, besides answering. Gives why the connection cannot go on, if so.
    fn settle(&mut self, slot: super::Slot, length: Option<usize>) -> Option<Death> {
        if !MODES && !LOGS {
            return None;
        }
        let frame = length.map(|length| Frame::new_unchecked(self.receive.part(0, length)));
        let text = frame.and_then(|frame| frame.text());
        if let Some(error) = self.error_in(length) {
            debug!("error reply: {}", error.code().name());
            if SESSION
                && slot.behind_silence
                && frame.is_none_or(|_| contains(error.text(), b"client", <[u8]>::eq_ignore_ascii_case))
            {
                // CLIENT REPLY was refused: what was not to be answered will be.
                return Some(Death::OutOfStep);
            }
            let without_multi = SESSION && error.text().ends_with(b" without MULTI");
            if SESSION && (error.code_word() == Some(b"NOSCRIPT") || frame.is_none()) {
                // Flushed, or another server: nothing that was known is sure any more.
                self.scripts.clear();
            }
            match slot.verb {
                Verb::Subscribe if SUBSCRIPTIONS => self.subscription_refused(slot),
                _ if !SESSION => {}
                Verb::Multi => self.transaction_refused(),
                Verb::Exec if without_multi && !slot.orphaned => return Some(Death::OutOfStep),
                // The server is still in the transaction: only EXEC ends one by being refused.
                Verb::Discard if !slot.orphaned => return Some(Death::OutOfStep),
                Verb::Exec | Verb::Discard => self.link.transaction_database = None,
                Verb::Monitor if self.link.mode == Mode::Monitor => self.link.mode = Mode::Ready,
                Verb::Reset => return Some(self.refused("RESET", length, false)),
                Verb::Auth => self.link.gate = None,
                _ => {}
            }
            return None;
        }
        if SESSION && slot.queued {
            if text != Some(b"QUEUED") {
                return Some(Death::OutOfStep);
            }
            if slot.verb == Verb::Select {
                self.link.transaction_database = Some(slot.count);
                self.link.transaction_select = self.link.transaction_length;
            }
            self.link.transaction_length = self.link.transaction_length.saturating_add(1);
            return None;
        }
        match slot.verb {
            // These have confirmations, and nothing else but errors.
            Verb::Subscribe | Verb::Unsubscribe if SUBSCRIPTIONS => return Some(Death::OutOfStep),
            _ if !SESSION => {}
            Verb::Multi if text != Some(b"OK") => return Some(Death::OutOfStep),
            Verb::Multi => self.begin_transaction(),
            Verb::Exec => {
                let number = self.link.transaction_select as usize;
                let selected = |frame: Frame<'_>| {
                    frame.elements().nth(number).is_some_and(|reply| reply.error().is_none())
                };
                let database = self.link.transaction_database.filter(|_| frame.is_none_or(selected));
                self.database = database.unwrap_or(self.database);
                self.begin_transaction();
            }
            Verb::Discard => self.link.transaction_database = None,
            Verb::Monitor => self.link.monitoring = true,
            Verb::Quit => self.link.quitting = true,
            Verb::Auth => self.link.gate = None,
            Verb::Select => self.database = slot.count,
            Verb::ScriptLoad => {
                if let Some(digest) = text.and_then(Digest::from_hex) {
                    self.scripts.insert(digest);
                }
            }
            Verb::ScriptFlush => self.scripts.clear(),
            Verb::Reset => {
                if text != Some(b"RESET") || self.link.gate != Some(0) {
                    return Some(Death::OutOfStep);
                }
                self.link.monitoring = false;
                self.link.active = [0; 3];
                self.begin_transaction();
                self.database = self.config.database;
                let now = self.timers.last_received;
                debug!("reset, handshake begins");
                self.begin_handshake(now);
            }
            _ => {}
        }
        None
    }

    /// Keeps that the server refused what has to succeed.
    pub(super) fn refused(&mut self, step: &'static str, length: Option<usize>, withheld: bool) -> Death {
        self.refusal = Some(Refusal { step, length: length.unwrap_or(0), withheld });
        Death::Refused
    }

    /// Forgets what was selected in a transaction.
    fn begin_transaction(&mut self) {
        self.link.transaction_database = None;
        self.link.transaction_length = 0;
    }

    /// The error, if the reply is one; without its text if it was skipped.
    pub(super) fn error_in(&self, length: Option<usize>) -> Option<ErrorReply<'_>> {
        match length {
            Some(length) => Frame::new_unchecked(self.receive.part(0, length)).error(),
            None => self.link.skip.filter(|skip| skip.error).map(|_| ErrorReply::new(b"")),
        }
    }

    /// Whether the text that comes next goes to the caller in pieces.
    #[inline]
    fn expects_pieces(&self) -> bool {
        self.in_flight.front().is_some_and(|slot| slot.streamed && self.in_pieces(slot))
    }

    /// Whether a slot that wants pieces gets them: what is more than a text to the conversation is read whole.
    #[cold]
    fn in_pieces(&self, slot: &super::Slot) -> bool {
        !slot.discarded
            && !(MODES && (slot.queued || !matches!(slot.verb, Verb::Ordinary | Verb::Ping)))
            && self.link.phase == Phase::Ready
            && self.was_handed_out(slot.start)
            && self.is_whole()
    }

    /// Whether the oldest command was sent whole, and is not one that comes in pieces.
    fn is_whole(&self) -> bool {
        !PIECES || self.link.unfinished.is_none() || self.in_flight.len() > 1
    }

    /// MULTI was refused: what was meant to be queued is run one by one, and its EXEC will be an error.
    fn transaction_refused(&mut self) {
        for position in 1..self.in_flight.len() {
            let Some(slot) = self.in_flight.get_mut(position) else { break };
            match slot.verb {
                Verb::Exec | Verb::Discard => {
                    slot.orphaned = true;
                    return;
                }
                // They end a transaction too.
                Verb::Reset | Verb::Quit => return,
                _ => slot.queued = false,
            }
        }
        if self.link.mode == Mode::Transaction {
            self.link.mode = Mode::Ready;
        }
    }

    /// A SUBSCRIBE was refused as a whole: its names are not subscribed to.
    fn subscription_refused(&mut self, slot: super::Slot) {
        let sequence = self.in_flight.front_ticket().sequence;
        self.subscriptions.remove_added_by(slot.subscription, sequence);
        if matches!(self.link.mode, Mode::Subscribed | Mode::Ready) {
            self.mode_by_subscriptions();
        }
    }

    /// The oldest command whose deadline has passed without anybody having heard of it.
    fn report_expired(&mut self) -> Option<Found> {
        // None stands before `expired_from`, however many have been reported.
        let first = self.in_flight.front_ticket().sequence;
        let passed = self.link.expired_from.wrapping_sub(first) as usize;
        let begin = if passed > self.in_flight.len() { 0 } else { passed };
        for position in begin..self.in_flight.len() {
            let Some(slot) = self.in_flight.get_mut(position) else { break };
            if slot.expired {
                slot.expired = false;
                let failure = Failure { reason: FailureReason::TimedOut, maybe_executed: !slot.void };
                self.link.expired -= 1;
                let ticket = self.in_flight.ticket_at(position);
                self.link.expired_from = ticket.sequence.wrapping_add(1);
                self.in_flight.drop_void();
                return Some(Found::Failed { ticket, failure });
            }
        }
        self.link.expired = 0;
        None
    }

    /// Fails the commands in flight one by one, then says that it is over.
    fn bury(&mut self) -> Found {
        while let Some(&slot) = self.in_flight.front() {
            let ticket = self.in_flight.front_ticket();
            let unfinished = PIECES && self.link.unfinished.is_some() && self.in_flight.len() == 1;
            // A server executes whole commands only.
            let mut maybe_executed = self.was_handed_out(slot.start) && !unfinished;
            if SESSION && slot.queued {
                // It is EXEC that runs it.
                maybe_executed &= self.exec_was_handed_out();
            } else if SESSION {
                self.link.exec_handed_out = None;
            }
            self.in_flight.pop();
            if !(slot.discarded || DEADLINES && slot.internal) {
                let failure = Failure { reason: FailureReason::Disconnected, maybe_executed };
                return Found::Failed { ticket, failure };
            }
        }
        let (mode, watching) = (self.link.mode, self.link.watching);
        self.start_over();
        Found::Closed { mode, watching }
    }

    fn exec_was_handed_out(&mut self) -> bool {
        if let Some(known) = self.link.exec_handed_out {
            return known;
        }
        let exec = (1..self.in_flight.len())
            .filter_map(|position| self.in_flight.get(position))
            .find(|slot| matches!(slot.verb, Verb::Exec | Verb::Discard));
        let known = exec.is_some_and(|slot| slot.verb == Verb::Exec && self.was_handed_out(slot.start));
        self.link.exec_handed_out = Some(known);
        known
    }

    /// Back to a connection without a stream; subscriptions and configuration stay.
    fn start_over(&mut self) {
        // The text of a refusal is shown once more: it goes with the next call.
        let shown = self.refusal.filter(|_| self.death == Death::Refused).map_or(0, |refusal| refusal.length);
        self.release = self.receive.len();
        if shown == 0 {
            self.release = 0;
            self.receive.clear();
        }
        self.transmit.clear();
        self.in_flight.next_generation();
        self.scripts.clear();
        self.timers.reset();
        self.link = Link::NONE;
        self.mode_by_subscriptions();
        self.handed_out = self.queued;
        if DEADLINES {
            self.handshake.deadline = NEVER;
        }
    }

    /// Makes room for the next read.
    pub(super) fn make_room(&mut self) {
        self.last = None;
        self.receive.consume(core::mem::take(&mut self.release));
        if self.receive.is_empty() {
            self.receive.shrink();
        }
        if self.receive.compaction_pays() {
            self.receive.compact();
        }
        let wanted = self.link.need.clamp(READ_AHEAD, MOST_AHEAD);
        if self.receive.free().len() >= wanted {
            return;
        }
        if !self.receive.grows() {
            self.receive.compact();
        } else {
            let room = self.receive.available().min(wanted);
            // Memory that the allocator does not give is like a buffer that is full.
            let _ = self.receive.reserve(room);
        }
    }

    /// When the frame that is being read fills all memory there is, drops what nobody needs of it.
    fn skip_what_does_not_fit(&mut self) {
        self.make_room();
        if !self.receive.free().is_empty() {
            return;
        }
        if self.receive.is_empty() {
            // There is no memory at all.
            self.die(Death::Capacity);
            return;
        }
        if self.link.skip.is_none() && !(PIECES && self.link.text.is_some()) {
            let aside = self.begins_aside();
            if !aside && self.awaits_confirmation() {
                // It may be a confirmation, which has to be read.
                self.die(Death::Capacity);
                return;
            }
            let error = match self.receive.filled() {
                [b'-', ..] => true,
                [b'!', ..] => RESP3,
                _ => false,
            };
            self.link.skip = Some(Skip { dropped: 0, aside, error });
        }
        // A push inside is kept as long as it can be.
        let drop = match self.parser.discardable() {
            0 => self.parser.parsed(),
            some => some,
        };
        self.parser.discard(drop);
        self.receive.consume(drop);
        if let Some(skip) = &mut self.link.skip {
            skip.dropped += drop as u64;
        }
        self.receive.compact();
        if self.receive.free().is_empty() {
            // Not even a header fits; nothing more can be read.
            self.die(Death::Capacity);
        }
    }

    /// Whether the beginning of a frame says that it answers nothing.
    fn begins_aside(&self) -> bool {
        const MESSAGES: [&[u8]; 3] = [b"3\r\n$7\r\nmessage", b"4\r\n$8\r\npmessage", b"3\r\n$8\r\nsmessage"];
        let Some((first, rest)) = self.receive.filled().split_first() else { return false };
        match first {
            b'+' => SESSION && self.link.monitoring && rest.first().is_some_and(u8::is_ascii_digit),
            _ if !SUBSCRIPTIONS => false,
            b'*' if self.link.protocol == Protocol::Resp3 || !self.expects_messages() => false,
            b'*' | b'>' => MESSAGES.iter().any(|message| rest.starts_with(message)),
            _ => false,
        }
    }

    /// Whether the frame that does not fit might confirm a subscription, or under RESP2 be a message in disguise.
    fn awaits_confirmation(&self) -> bool {
        if !SUBSCRIPTIONS {
            return false;
        }
        match self.receive.filled() {
            [b'>', ..] => {
                self.link.phase == Phase::Handshake
                    || self
                        .in_flight
                        .front()
                        .is_some_and(|slot| matches!(slot.verb, Verb::Subscribe | Verb::Unsubscribe))
            }
            // A list is no reply to what a subscriber can send, but for a PING.
            [b'*', ..] => self.link.protocol == Protocol::Resp2 && self.expects_messages(),
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
