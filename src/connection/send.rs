//! Sending: a command is checked against the rules before a byte of it can be written, queued whole, and can be taken
//! back as long as nothing of it was handed out.

use super::in_flight::{NEVER, Slot};
use super::transitions::{Answer, Next, Verb, classify, rule};
use super::{Capacity, Connection, Misuse, Mode, Phase, SendError, SubscriptionKind, Ticket};
use crate::command::{Command, Patience};
use crate::parts::{DEADLINES, MODES, PIECES, RESP3, SESSION, SUBSCRIPTIONS};
use crate::reply::parse_magnitude;
use crate::resp::{ArgumentWriter, Encoder, Length, Parser, Protocol, split_length, split_payload};
use crate::storage::move_within;
use crate::time::{Duration, Instant};

/// What can be said about one command when it is sent.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct SendOptions {
    timeout: Option<Option<Duration>>,
    streamed: bool,
}

impl SendOptions {
    /// How long the reply may take, whatever command and configuration say.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(Some(timeout));
        self
    }

    /// The reply may take for ever.
    #[must_use]
    pub const fn no_timeout(mut self) -> Self {
        self.timeout = Some(None);
        self
    }

    /// If the reply is a string, it comes in pieces as they are received ([`Event::Chunk`](super::Event::Chunk)),
    /// however long it is. Needs the feature `pieces`.
    #[must_use]
    pub const fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }
}

impl<P: Parser> Connection<'_, P> {
    /// Queues a command, whole or not at all, and gives the ticket that its reply will name. Poll transmit after it.
    ///
    /// Before the handshake is done, and between two streams, commands wait, and room for the greeting is kept free in
    /// the transmit buffer. Until the protocol is agreed on, the rules of the one that was asked for hold: where the
    /// server then speaks RESP2 only, it answers commands of a subscriber with errors.
    ///
    /// # Errors
    /// [`SendError`]; nothing has changed, and nothing of the command will be written.
    #[inline]
    pub fn send<C: Command + ?Sized>(&mut self, now: Instant, command: &C) -> Result<Ticket, SendError> {
        self.send_with(now, command, SendOptions::default())
    }

    /// Like [`send`](Self::send), with a timeout of its own, or for a reply in pieces.
    ///
    /// # Errors
    /// [`SendError`]; nothing has changed, and nothing of the command will be written.
    pub fn send_with<C: Command + ?Sized>(
        &mut self,
        now: Instant,
        command: &C,
        options: SendOptions,
    ) -> Result<Ticket, SendError> {
        self.send_arguments(now, &|out| command.write_arguments(out), command.patience(), options, None)
    }

    /// Queues a command whose arguments `write` writes; of the last one it may be the header alone, and then `open` is its
    /// length. It is the same code for all commands.
    pub(super) fn send_arguments(
        &mut self,
        now: Instant,
        write: &dyn Fn(&mut ArgumentWriter<'_, '_>),
        patience: Patience,
        options: SendOptions,
        open: Option<usize>,
    ) -> Result<Ticket, SendError> {
        let before = self.transmit.len();
        self.in_flight.reserve().map_err(|_| SendError::Capacity(Capacity::InFlight))?;
        Encoder::new(&mut self.transmit).arguments(write)?;
        let deadline = if DEADLINES { self.deadline(now, patience, options) } else { NEVER };
        let sent = self.admit(before, deadline, options.streamed, open);
        if sent.is_err() {
            self.transmit.truncate(before);
        }
        sent
    }

    /// When a command that is sent now has to be answered, by its patience and the configuration. None without a timeout.
    pub fn deadline_of(&self, now: Instant, patience: Patience) -> Option<Instant> {
        let deadline = if DEADLINES { self.deadline(now, patience, SendOptions::default()) } else { NEVER };
        (deadline < NEVER).then_some(deadline)
    }

    /// When the caller's patience with a command ends that is sent now.
    #[inline]
    fn deadline(&self, now: Instant, patience: Patience, options: SendOptions) -> Instant {
        let usual = self.config.command_timeout;
        let (timeout, more) = match (options.timeout, patience) {
            (Some(timeout), _) => (timeout, Duration::ZERO),
            (None, Patience::Usual) => (usual, Duration::ZERO),
            (None, Patience::Longer(more)) => (usual, more),
            (None, Patience::Forever) => (None, Duration::ZERO),
        };
        timeout.map_or(NEVER, |timeout| now + timeout + more)
    }

    /// Decides about the command that was appended behind `before`.
    fn admit(
        &mut self,
        before: usize,
        deadline: Instant,
        streamed: bool,
        open: Option<usize>,
    ) -> Result<Ticket, SendError> {
        let misuse = |misuse| Err(SendError::Misuse(misuse));
        if self.link.phase == Phase::Dead {
            return misuse(Misuse::Closed);
        }
        if !PIECES && (streamed || open.is_some()) {
            return misuse(Misuse::NotBuilt);
        }
        if PIECES && self.link.unfinished.is_some() {
            return misuse(Misuse::Unfinished);
        }
        let length = self.transmit.len() - before;
        let room = self.room_before_the_wrap();
        // Behind what comes in pieces there is a line end.
        let needed = length.saturating_add(open.map_or(0, |open| open.saturating_add(2)));
        if needed > room {
            return Err(SendError::Capacity(Capacity::Transmit { needed, available: room }));
        }
        if self.link.gate.is_some() && self.transmit.available() < self.handshake_reserve() {
            // Behind the gate there is a handshake to come, which goes out first.
            let available = (self.transmit.available() + length).saturating_sub(self.handshake_reserve());
            return Err(SendError::Capacity(Capacity::Transmit { needed: length, available }));
        }
        let bytes = self.transmit.part(before, self.transmit.len());
        let mut words = Words::of(bytes);
        let name = words.next().unwrap_or_default();
        let verb = classify(name, words.clone());
        let (answer, next) = rule(self.link.mode, verb);
        if let Answer::Refused(why) = answer {
            return misuse(why);
        }
        let settled = self.link.phase == Phase::Ready && self.link.gate.is_none();
        if SESSION
            && ((verb == Verb::Auth && !(settled && self.in_flight.is_empty()))
                || (verb == Verb::Reset && !settled))
        {
            return misuse(Misuse::NotAlone);
        }
        if open.is_some() {
            // What the last argument of CLIENT REPLY is has to be known.
            let plain = matches!(verb, Verb::Ordinary | Verb::ScriptLoad)
                && !name.is_empty()
                && !name.eq_ignore_ascii_case(b"CLIENT");
            if !(settled && plain && answer != Answer::Nothing) {
                return misuse(Misuse::NotInPieces);
            }
        }
        let mut slot = Slot {
            verb,
            deadline,
            start: self.queued,
            length: length as u32,
            queued: answer == Answer::Queued,
            streamed,
            ..Slot::EMPTY
        };
        if SUBSCRIPTIONS && answer == Answer::Confirmations && !self.note_subscriptions(before, &mut slot)? {
            // Without a name the server answers with an error.
            slot.verb = Verb::Ordinary;
        }
        if SESSION {
            self.note_effects(&mut slot, before);
        }
        match next {
            _ if !MODES => {}
            Next::Same => {}
            Next::To(mode) => self.link.mode = mode,
            Next::BySubscriptions => self.mode_by_subscriptions(),
        }
        self.queued = self.queued.wrapping_add(length as u32);
        if SESSION && answer == Answer::Nothing {
            self.link.silent = true;
            return Ok(Ticket::UNANSWERED);
        }
        if PIECES {
            self.link.unfinished = open;
        }
        if SESSION {
            slot.behind_silence = core::mem::take(&mut self.link.silent);
        }
        if DEADLINES {
            self.timers.next_deadline = self.timers.next_deadline.min(slot.deadline);
        }
        Ok(self.in_flight.push(slot))
    }

    /// Under RESP2 subscriptions are a mode of their own. Before the protocol is agreed on the one that was asked for
    /// counts: should it not be had, a subscriber's other commands are answered with errors.
    pub(super) fn mode_by_subscriptions(&mut self) {
        if !SUBSCRIPTIONS {
            self.link.mode = Mode::Ready;
            return;
        }
        let protocol =
            if self.link.phase == Phase::Ready { self.link.protocol } else { self.config.protocol };
        let resp3 = RESP3 && protocol == Protocol::Resp3;
        self.link.mode =
            if self.subscriptions.total() > 0 && !resp3 { Mode::Subscribed } else { Mode::Ready };
    }

    /// Keeps what the command behind `before` subscribes to, and counts its confirmations. False if it names nothing.
    fn note_subscriptions(&mut self, before: usize, slot: &mut Slot) -> Result<bool, SendError> {
        let bytes = self.transmit.part(before, self.transmit.len());
        let mut words = Words::of(bytes);
        let Some((kind, subscribes)) = words.next().and_then(SubscriptionKind::from_name) else {
            return Ok(false);
        };
        slot.subscription = kind;
        let number = self.in_flight.next_sequence();
        let names = words.clone().count();
        slot.count = u32::try_from(names).unwrap_or(u32::MAX);
        if subscribes {
            for name in words {
                if self.subscriptions.insert(kind, name, number).is_err() {
                    self.subscriptions.remove_added_by(kind, number);
                    return Err(SendError::Capacity(Capacity::Subscriptions));
                }
            }
            return Ok(names > 0);
        }
        if names == 0 {
            // One confirmation for each that the server has then, or one that says null when it has none.
            slot.everything = true;
            self.subscriptions.remove_all(kind);
        } else {
            words.for_each(|name| self.subscriptions.remove(kind, name));
        }
        Ok(true)
    }

    /// What a command changes as soon as it is sent.
    fn note_effects(&mut self, slot: &mut Slot, before: usize) {
        match slot.verb {
            Verb::Watch => self.link.watching = true,
            Verb::Unwatch if !slot.queued => self.link.watching = false,
            Verb::Exec | Verb::Discard => self.link.watching = false,
            Verb::Select => {
                let bytes = self.transmit.part(before, self.transmit.len());
                let number = Words::of(bytes).nth(1).and_then(|word| parse_magnitude(word, false).ok());
                let database = number.and_then(|(_, number)| u32::try_from(number).ok());
                slot.count = database.unwrap_or(self.database);
            }
            Verb::Auth => {
                self.link.gate = Some(self.transmit.len());
                self.link.user_changed = true;
            }
            Verb::Reset => {
                // What follows waits until the connection has been greeted anew.
                self.link.gate = Some(self.transmit.len());
                self.link.watching = false;
                self.link.user_changed = false;
                self.subscriptions.clear();
            }
            _ => {}
        }
    }

    /// Says that nobody waits for the reply any more. If no byte of the command has been handed out it is taken back,
    /// otherwise its reply is swallowed when it comes. False if the ticket is answered or stale.
    pub fn discard(&mut self, ticket: Ticket) -> bool {
        let Some(position) = self.in_flight.position(ticket) else { return false };
        if let Some(slot) = self.in_flight.get_mut(position).filter(|slot| slot.expired) {
            slot.expired = false;
            self.link.expired -= 1;
        }
        let mut first = true;
        self.withdraw(position, |_| core::mem::take(&mut first));
        true
    }

    /// Like [`discard`](Self::discard), for a command, whether or not it is answered, and all that were sent after it: a
    /// pipeline that is given up. A transaction that begins with it is taken back as long as EXEC was not sent and nothing
    /// of it was handed out; otherwise MULTI and what stands behind it stay: end it with DISCARD.
    pub fn discard_from(&mut self, ticket: Ticket) {
        let Some(position) = self.in_flight.position_from(ticket) else { return };
        self.withdraw_transaction(position);
        let mut expired = 0;
        self.withdraw(position, |slot| {
            expired += usize::from(core::mem::take(&mut slot.expired));
            true
        });
        self.link.expired -= expired;
    }

    /// Takes back MULTI at `position` and all behind it, if that is an open transaction of which nothing was handed out.
    fn withdraw_transaction(&mut self, position: usize) {
        let Some(&multi) = self.in_flight.get(position) else { return };
        if multi.verb != Verb::Multi
            || self.link.mode != Mode::Transaction
            || self.was_handed_out(multi.start)
        {
            return;
        }
        // Commands that wait to be queued have changed nothing yet.
        for position in position..self.in_flight.len() {
            if let Some(slot) = self.in_flight.get_mut(position) {
                slot.void = true;
            }
        }
        let removed = self.queued.wrapping_sub(multi.start) as usize;
        self.transmit.truncate(self.transmit.len().saturating_sub(removed));
        self.queued = multi.start;
        self.link.mode = Mode::Ready;
        // What was to come in pieces is gone with it, and what CLIENT REPLY keeps from being answered still stands before.
        self.link.unfinished = None;
        self.link.silent |= multi.behind_silence;
    }

    /// Whether a reply to the command is still to come and somebody waits for it.
    pub fn is_pending(&self, ticket: Ticket) -> bool {
        self.in_flight
            .position(ticket)
            .and_then(|position| self.in_flight.get(position))
            .is_some_and(|slot| !slot.discarded)
    }

    /// Gives up the commands that are `due`, of those from `position` on: takes a command back if nothing of it was handed
    /// out, and discards the reply of the others.
    pub(super) fn withdraw(&mut self, position: usize, mut due: impl FnMut(&mut Slot) -> bool) {
        let greeting = self.greeting_waiting();
        // Nothing is written any more, and what is queued goes as a whole.
        let over = matches!(self.link.phase, Phase::Dead);
        let (handed_out, gate) = (self.handed_out, self.link.gate.unwrap_or(0));
        // Bytes of commands that are taken back: all in one pass, moving what stays at most once.
        let (mut removed, mut removed_before_gate) = (0usize, 0usize);
        let mut read = 0;
        let whole = self.in_flight.len() - usize::from(self.link.unfinished.is_some());
        for position in position..self.in_flight.len() {
            let Some(slot) = self.in_flight.get_mut(position) else { break };
            let start = slot.start;
            slot.start = start.wrapping_sub(removed as u32);
            if !due(slot) {
                continue;
            }
            slot.discarded = true;
            // What other commands depend on stays.
            let alone = matches!(slot.verb, Verb::Ordinary | Verb::ScriptLoad);
            let handed_out_already = is_before(start, handed_out);
            if over
                || !alone
                || position >= whole
                || slot.queued
                || slot.behind_silence
                || slot.void
                || handed_out_already
            {
                continue;
            }
            let at = start.wrapping_sub(handed_out) as usize + greeting;
            let end = at.saturating_add(slot.length as usize);
            let bytes = self.transmit.filled_mut();
            if at < read || end > bytes.len() {
                continue;
            }
            if removed > 0 {
                move_within(bytes, read..at, read - removed);
            }
            read = end;
            removed += end - at;
            if gate > at {
                removed_before_gate += end - at;
            }
            slot.void = true;
        }
        if removed > 0 {
            let bytes = self.transmit.filled_mut();
            let rest = bytes.len() - removed;
            move_within(bytes, read..rest + removed, read - removed);
            self.transmit.truncate(rest);
            self.queued = self.queued.wrapping_sub(removed as u32);
            self.link.gate = self.link.gate.map(|gate| gate - removed_before_gate);
        }
        self.in_flight.drop_void();
    }

    /// Bytes of the handshake that stand before the commands.
    fn greeting_waiting(&self) -> usize {
        if self.link.phase == Phase::Handshake { self.link.gate.unwrap_or(0) } else { 0 }
    }

    pub(super) fn was_handed_out(&self, start: u32) -> bool {
        is_before(start, self.handed_out)
    }

    /// How many more bytes can be sent before the oldest of them that matters is answered. Positions wrap: the engine
    /// tells them apart as long as they are less than 2 GiB away from each other.
    fn room_before_the_wrap(&self) -> usize {
        let oldest = match self.in_flight.front() {
            Some(slot) if self.was_handed_out(slot.start) => slot.start,
            _ => self.handed_out,
        };
        (i32::MAX as u32).saturating_sub(self.queued.wrapping_sub(oldest)) as usize
    }
}

/// Whether one of two wrapping positions, less than 2 GiB apart, is before the other.
fn is_before(one: u32, other: u32) -> bool {
    other.wrapping_sub(one) as i32 > 0
}

/// The words of an encoded command.
#[derive(Clone)]
struct Words<'w> {
    rest: &'w [u8],
}

impl<'w> Words<'w> {
    #[inline]
    fn of(command: &'w [u8]) -> Self {
        // Behind the header of the array there are bulk strings, and nothing else.
        Words { rest: split_length(command).1 }
    }
}

impl<'w> Iterator for Words<'w> {
    type Item = &'w [u8];

    #[inline]
    fn next(&mut self) -> Option<&'w [u8]> {
        match split_length(self.rest) {
            (Length::Count(length), rest) if !self.rest.is_empty() => {
                let (word, rest) = split_payload(rest, length);
                self.rest = rest;
                Some(word)
            }
            _ => None,
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::connection::{Buffers, Config};

    #[test]
    fn positions_stay_less_than_two_gibibytes_apart() {
        let now = Instant::from_micros(0);
        let config = Config::default().protocol(Protocol::Resp2).no_library();
        let mut redis = Connection::new(config, Buffers::growing());
        redis.connected(now).unwrap();
        assert!(redis.poll_event().is_some());
        redis.send(now, &["BLPOP", "k", "0"]).unwrap();
        redis.transmitted(usize::MAX);
        // As if so much had been sent and written behind it.
        let much = i32::MAX as u32 - 20 - redis.queued;
        redis.queued += much;
        redis.handed_out += much;
        let full = redis.send(now, &["GET", "kk"]).unwrap_err();
        assert_eq!(full, SendError::Capacity(Capacity::Transmit { needed: 21, available: 20 }));
        // The line end of what comes in pieces counts, too.
        let full = redis.begin(now, &["GET"], 2, SendOptions::default()).unwrap_err();
        assert_eq!(full, SendError::Capacity(Capacity::Transmit { needed: 21, available: 20 }));
        redis.send(now, &["PING"]).unwrap();
        assert!(redis.was_handed_out(redis.in_flight.front().unwrap().start));
    }
}
