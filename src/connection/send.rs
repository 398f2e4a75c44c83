//! Sending: a command is checked against the rules before a byte of it can be written, queued whole, and can be taken
//! back as long as nothing of it was handed out.

use super::effects::{
    Greeting, MOST_EFFECTS, database_number, has_queued_effect, is_configured_name, one_shot,
};
use super::in_flight::{FOREVER, Flags, Listener, NEVER, Slot};
use super::name_index::hash;
use super::transitions::{Answer, answer};
use super::transmit::Mark;
use super::verb::{Meaning, Verb, can_be_open, classify, is};
use super::{
    Capacity, Changes, Connection, Misuse, Mode, Phase, SendError, Silence, SubscriptionKind, Ticket,
};
use crate::parts::{DEADLINES, FAST, MODES, PIECES, RESP3, SESSION, SUBSCRIPTIONS};
use crate::resp::{ArgumentWriter, Encode, Parser, Protocol, Words};
use crate::time::{Duration, Instant, Patience};

/// What can be said about one command when it is sent.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct SendOptions {
    timeout: Option<Option<Duration>>,
    streamed: bool,
    /// It is sent as a part of a transaction, or not at all.
    queued: bool,
    /// Others use the connection too.
    shared: bool,
}

impl SendOptions {
    /// As [`send`](super::Connection::send) sends: with the timeout of the configuration.
    pub const fn new() -> Self {
        SendOptions { timeout: None, streamed: false, queued: false, shared: false }
    }

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

    /// Others use the connection too: a command that they would notice is refused as
    /// [`Misuse::OwnConnection`](super::Misuse::OwnConnection), SELECT, WATCH, SUBSCRIBE and CLIENT SETNAME for example,
    /// and so is one that the server would not answer.
    #[must_use]
    pub const fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// The command is sent as a part of a transaction, or not at all.
    pub(super) const fn queued(mut self) -> Self {
        self.queued = true;
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
    pub fn send<C: Encode + ?Sized>(&mut self, now: Instant, command: &C) -> Result<Ticket, SendError> {
        self.send_with(now, command, SendOptions::default())
    }

    /// Like [`send`](Self::send), with a timeout of its own, or for a reply in pieces.
    ///
    /// # Errors
    /// [`SendError`]; nothing has changed, and nothing of the command will be written.
    pub fn send_with<C: Encode + ?Sized>(
        &mut self,
        now: Instant,
        command: &C,
        options: SendOptions,
    ) -> Result<Ticket, SendError> {
        self.send_any(now, &command, options, None)
    }

    /// Queues a command. Of its last argument it may write the header alone, and then `open` is the length. It is the same
    /// code for all commands.
    pub(super) fn send_any(
        &mut self,
        now: Instant,
        command: &dyn Encode,
        options: SendOptions,
        open: Option<usize>,
    ) -> Result<Ticket, SendError> {
        self.in_flight.reserve().map_err(|_| SendError::Capacity(Capacity::InFlight))?;
        let sent = self.try_to_send(now, command, options, open);
        if FAST
            && self.transmit.has_taken_back()
            && matches!(sent, Err(SendError::Capacity(Capacity::Transmit { .. })))
        {
            self.transmit.drop_taken_back(&mut self.in_flight);
            return self.try_to_send(now, command, options, open);
        }
        sent
    }

    fn try_to_send(
        &mut self,
        now: Instant,
        command: &dyn Encode,
        options: SendOptions,
        open: Option<usize>,
    ) -> Result<Ticket, SendError> {
        let patience = if DEADLINES { command.patience() } else { Patience::Usual };
        let mark = self.transmit.mark();
        self.transmit.append_command(command)?;
        let slot = Slot {
            deadline: if DEADLINES { self.deadline(now, patience, options) } else { NEVER },
            allowance: if DEADLINES { allowance(patience, options) } else { 0 },
            flags: Flags::STREAMED.when(options.streamed).with(Flags::IN_TRANSACTION.when(options.queued)),
            start: self.transmit.position(),
            ..Slot::EMPTY
        };
        let sent = self.admit(now, mark, slot, options.shared, open);
        if sent.is_err() {
            self.transmit.back_to(mark);
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

    /// Decides about the command that was appended after the mark, as `slot`.
    fn admit(
        &mut self,
        now: Instant,
        mark: Mark,
        mut slot: Slot,
        shared: bool,
        open: Option<usize>,
    ) -> Result<Ticket, SendError> {
        let misuse = |misuse| Err(SendError::Misuse(misuse));
        if self.link.phase == Phase::Over {
            return misuse(Misuse::Closed);
        }
        if !PIECES && (slot.is(Flags::STREAMED) || open.is_some()) {
            return misuse(Misuse::NotBuilt);
        }
        if self.transmit.unfinished().is_some() {
            return misuse(Misuse::Unfinished);
        }
        let length = self.transmit.since(mark).len();
        let mut words = Words::of(self.transmit.since(mark));
        let name = words.next().unwrap_or_default();
        let meaning = classify(name, words.clone());
        let can_be_open = !PIECES || open.is_none() || can_be_open(name, words);
        self.refresh_expected();
        slot.verb = meaning.verb;
        let answer = answer(self.mode(), slot.verb);
        if let Answer::Refused(why) = answer {
            return misuse(why);
        }
        if SESSION && slot.is(Flags::IN_TRANSACTION) && answer != Answer::Queued {
            return misuse(Misuse::InTransaction);
        }
        let changes = answer == Answer::Nothing || !matches!(slot.verb, Verb::Ordinary | Verb::Ping);
        if MODES && shared && changes {
            return misuse(Misuse::OwnConnection);
        }
        let settled = self.link.phase == Phase::Ready && !self.transmit.has_gate();
        if SESSION && !self.may_be_gated(slot.verb, settled) {
            return misuse(Misuse::NotAlone);
        }
        if PIECES
            && open.is_some()
            && !(settled && slot.verb == Verb::Ordinary && can_be_open && answer != Answer::Nothing)
        {
            return misuse(Misuse::NotInPieces);
        }
        if SUBSCRIPTIONS && slot.verb == Verb::Unsubscribe {
            self.append_fence(mark, &mut slot)?;
        }
        self.check_room(mark, open)?;
        slot.flags = slot.flags.with(Flags::IN_TRANSACTION.when(answer == Answer::Queued));
        // Most commands have nothing to do with the rest.
        if SESSION && !(meaning == Meaning::ORDINARY && self.link.one_shots.is_empty()) {
            self.read_argument(mark, &mut slot, meaning)?;
            if answer == Answer::Queued && has_queued_effect(&slot) {
                if self.link.effects_sent == MOST_EFFECTS {
                    return Err(SendError::Capacity(Capacity::Transaction));
                }
                self.link.effects_sent += 1;
            }
        }
        if SUBSCRIPTIONS && answer == Answer::Confirmations && !self.note_names(mark, length, &mut slot)? {
            // Without a name the server answers with an error.
            slot.verb = Verb::Ordinary;
        }
        // From here on nothing is refused any more.
        slot.length = self.transmit.queue(mark);
        if SESSION && answer == Answer::Nothing {
            self.note_unanswered(&slot);
            return Ok(Ticket::UNANSWERED);
        }
        if PIECES {
            self.transmit.begin(open);
        }
        Ok(self.enqueue(now, slot))
    }

    /// Puts a command into the queue whose bytes have been queued.
    #[inline]
    pub(super) fn enqueue(&mut self, now: Instant, mut slot: Slot) -> Ticket {
        if SESSION && self.link.silence != Silence::None {
            self.link.silence = Silence::None;
            slot.mark(Flags::AFTER_SILENCE);
        }
        if SESSION && !(slot.verb == Verb::Ordinary && slot.is_plain()) {
            self.note_sent(&mut slot);
        }
        if DEADLINES {
            if self.in_flight.is_empty() {
                self.timers.asked(now, self.in_flight.next_sequence());
            }
            self.timers.sent(slot.deadline);
        }
        self.in_flight.push(slot)
    }

    /// Whether a command may be sent for which all others wait, or that waits for all others.
    fn may_be_gated(&self, verb: Verb, settled: bool) -> bool {
        match verb {
            Verb::Auth | Verb::Hello => settled && self.in_flight.is_empty(),
            Verb::Reset => settled,
            _ => true,
        }
    }

    /// Appends a PING after a SUNSUBSCRIBE; see [`fence_reply`](Self::fence_reply).
    fn append_fence(&mut self, mark: Mark, slot: &mut Slot) -> Result<(), SendError> {
        let name = Words::of(self.transmit.since(mark)).next().unwrap_or_default();
        if let Some((kind, _)) = SubscriptionKind::from_name(name) {
            slot.subscription = kind;
        }
        if slot.is_fenced() {
            self.transmit.append_command(&Ping)?;
        }
        Ok(())
    }

    /// Whether there is room for what was appended after the mark, and for what has to fit besides.
    fn check_room(&self, mark: Mark, open: Option<usize>) -> Result<(), SendError> {
        let length = self.transmit.since(mark).len();
        let available = self.transmit.room_before_the_wrap(self.in_flight.front());
        // After what comes in pieces there is a line end.
        let needed = length.saturating_add(open.map_or(0, |open| open.saturating_add(2)));
        if needed > available {
            return Err(SendError::Capacity(Capacity::Transmit { needed, available }));
        }
        if self.transmit.has_gate() && self.transmit.available() < self.handshake_reserve() {
            // There is a handshake to come, which goes out first.
            let available = (self.transmit.available() + length).saturating_sub(self.handshake_reserve());
            return Err(SendError::Capacity(Capacity::Transmit { needed: length, available }));
        }
        Ok(())
    }

    /// Reads from the words of a command what its effect needs to know.
    fn read_argument(&self, mark: Mark, slot: &mut Slot, meaning: Meaning) -> Result<(), SendError> {
        let mut words = Words::of(self.transmit.since(mark));
        let name = words.next();
        if meaning.secret {
            slot.mark(Flags::SECRET);
        }
        match slot.verb {
            // Where it is no number the server will refuse it.
            Verb::Select => slot.argument = words.next().and_then(database_number).unwrap_or(0),
            Verb::Change | Verb::Unchange => {
                slot.argument = meaning.changes.bits().into();
                let new_name = words.nth(1).unwrap_or_default();
                if meaning.changes == Changes::NAME && is_configured_name(new_name, &self.config) {
                    slot.verb = Verb::Unchange;
                }
            }
            Verb::Hello => {
                let greeting = Greeting::read(words, &self.config);
                if !RESP3 && greeting.protocol == Some(Protocol::Resp3) {
                    return Err(SendError::Misuse(Misuse::NotBuilt));
                }
                slot.argument = greeting.argument();
            }
            Verb::Ordinary if meaning.secret => slot.argument = is(name, "ACL").into(),
            _ => {}
        }
        if !self.link.one_shots.is_empty() && !slot.is(Flags::IN_TRANSACTION) {
            slot.mark(Flags::ENDS_ASKING);
            // CLIENT CACHING holds for all CLIENT commands and the one after them.
            slot.mark(Flags::ENDS_CACHING.when(!is(name, "CLIENT")));
        }
        Ok(())
    }

    /// Keeps what the subscription that was appended after the mark, with `length` bytes, names, and counts its
    /// confirmations. False if it is a SUBSCRIBE that names nothing.
    fn note_names(&mut self, mark: Mark, length: usize, slot: &mut Slot) -> Result<bool, SendError> {
        let bytes = self.transmit.since(mark);
        let mut words = Words::of(bytes.get(..length).unwrap_or(bytes));
        let Some((kind, subscribes)) = words.next().and_then(SubscriptionKind::from_name) else {
            return Ok(false);
        };
        slot.subscription = kind;
        let number = self.in_flight.next_sequence();
        for name in words.clone() {
            slot.argument = slot.argument.saturating_add(1);
            slot.names = slot.names.wrapping_add(hash(kind as u8, name));
        }
        if subscribes {
            let wanted = self.subscriptions.want(kind, words, number);
            wanted.map_err(|_| SendError::Capacity(Capacity::Subscriptions))?;
            return Ok(slot.argument > 0);
        }
        if slot.argument == 0 {
            // One confirmation for each that the server has then, or one that says null when it has none.
            slot.mark(Flags::EVERYTHING);
            self.subscriptions.unwant_all(Some(kind), number);
        } else {
            words.for_each(|name| self.subscriptions.unwant(kind, name, number));
        }
        Ok(true)
    }

    /// A command was sent that the server does not answer.
    fn note_unanswered(&mut self, slot: &Slot) {
        self.link.silence = match (slot.verb, self.link.silence) {
            (Verb::ReplyOff, _) => Silence::Off,
            (Verb::ReplySkip, _) => Silence::Skip,
            (Verb::Quit, _) => Silence::Quit,
            // Skipping ends with the command that was skipped.
            (_, Silence::Skip) => Silence::Over,
            (_, silence) => silence,
        };
        if slot.verb == Verb::Change {
            // Nobody will say whether it did.
            self.link.unanswered = self.link.unanswered | Changes::from_bits(slot.argument as u16);
            self.link.unanswered_before = self.in_flight.next_sequence();
            self.link.one_shots = self.link.one_shots | one_shot(slot);
        }
    }

    /// What a command does to the connection as soon as it is sent.
    fn note_sent(&mut self, slot: &mut Slot) {
        let fresh = self.fresh();
        self.link.expected.expect(slot, fresh);
        // MULTI ends nothing unless it is refused.
        let ends = if slot.verb == Verb::Multi { Changes::NONE } else { slot.ends() };
        self.link.one_shots = self.link.one_shots.without(ends) | one_shot(slot);
        match slot.verb {
            Verb::Multi => self.link.effects_sent = 0,
            // What follows waits until it is known who asks, and in which protocol.
            Verb::Auth => self.transmit.close_gate(),
            Verb::Hello => {
                self.transmit.close_gate();
                if Greeting::of(slot.argument).protocol == Some(Protocol::Resp3) {
                    // The reply to HELLO 3 is RESP3 already.
                    self.receive.set_protocol(Protocol::Resp3);
                }
            }
            // What follows waits until the connection has been greeted anew.
            Verb::Reset => {
                self.transmit.close_gate();
                if SUBSCRIPTIONS {
                    self.subscriptions.unwant_all(None, self.in_flight.next_sequence());
                }
            }
            _ => {}
        }
    }

    /// Says that nobody waits for the reply any more. If no byte of the command has been handed out it is taken back,
    /// unless it changes the connection, or is part of a transaction; otherwise its reply is swallowed when it comes.
    /// False if the ticket is answered or stale.
    pub fn discard(&mut self, ticket: Ticket) -> bool {
        let Some(position) = self.in_flight.position(ticket) else { return false };
        // Told, or taken back: nothing is owed for it any more.
        let ended = Flags::CONFIRMED.with(Flags::REFUSED).with(Flags::TAKEN_BACK);
        let done = |slot: &Slot| slot.is(ended) && slot.listener == Listener::Nobody;
        if self.in_flight.get(position).is_some_and(done) {
            return false;
        }
        self.give_up(position, Listener::Nobody);
        self.in_flight.drop_taken_back();
        true
    }

    /// Like [`discard`](Self::discard), for a command, whether or not it is answered, and all that were sent after it: a
    /// pipeline that is given up.
    ///
    /// If the command is the MULTI of the transaction that is open, and nothing of it was handed out, the transaction is
    /// taken back as a whole. If something was, the server has it: end it with DISCARD.
    ///
    /// False, and nothing is done, if the ticket is stale, or names a MULTI that is not the one of the open transaction.
    pub fn discard_from(&mut self, ticket: Ticket) -> bool {
        let Some(position) = self.in_flight.position_from(ticket) else { return false };
        if SESSION
            && self.mode() == Mode::Transaction
            && let Some(&multi) = self.in_flight.get(position)
            && multi.verb == Verb::Multi
        {
            let later = (position + 1..self.in_flight.len())
                .filter_map(|position| self.in_flight.get(position))
                .any(|slot| slot.verb == Verb::Multi && !slot.is(Flags::TAKEN_BACK));
            if later || multi.is(Flags::TAKEN_BACK) {
                return false;
            }
            if !self.transmit.was_handed_out(&multi) {
                self.take_back_transaction(position, &multi);
                return true;
            }
        }
        for position in position..self.in_flight.len() {
            self.give_up(position, Listener::Nobody);
        }
        self.in_flight.drop_taken_back();
        true
    }

    /// Like [`discard_from`](Self::discard_from), as far as `last`: what was sent after it goes on. False if something of it
    /// goes out all the same.
    pub(crate) fn discard_range(&mut self, first: Ticket, last: Ticket) -> bool {
        if last.sequence.wrapping_add(1) == self.in_flight.next_sequence() {
            return self.discard_from(first);
        }
        let length = last.since(first).unwrap_or_default();
        for number in 0..=length {
            self.discard(Ticket { sequence: first.sequence.wrapping_add(number), ..first });
        }
        false
    }

    /// Takes back MULTI at a position and all after it. Commands that wait to be queued have changed nothing yet.
    fn take_back_transaction(&mut self, position: usize, multi: &Slot) {
        for position in position..self.in_flight.len() {
            self.hear_no_more(position, Listener::Nobody);
            if let Some(slot) = self.in_flight.get_mut(position) {
                slot.mark(Flags::TAKEN_BACK);
                slot.length = 0;
                self.in_flight.count_taken_back();
            }
        }
        self.transmit.back_to_slot(multi);
        // What CLIENT REPLY keeps from being answered still stands before it, and so does ASKING.
        self.hand_on(position, multi);
        self.link.expected_is_stale = true;
        self.in_flight.drop_taken_back();
    }

    /// Whether a reply to the command is still to come and somebody waits for it.
    #[must_use]
    pub fn is_pending(&self, ticket: Ticket) -> bool {
        self.in_flight
            .position(ticket)
            .and_then(|position| self.in_flight.get(position))
            .is_some_and(|slot| slot.listener == Listener::Caller)
    }

    /// Whether the command is in flight, or queued, whoever waits for it.
    pub(crate) fn has(&self, ticket: Ticket) -> bool {
        self.in_flight.position(ticket).is_some()
    }

    /// Whether a byte of the command was handed out to be written, and it is not answered yet.
    #[must_use]
    pub fn was_handed_out(&self, ticket: Ticket) -> bool {
        self.in_flight
            .position(ticket)
            .and_then(|position| self.in_flight.get(position))
            .is_some_and(|slot| self.transmit.was_handed_out(slot))
    }

    /// Nobody waits for the command at a position any more, or the caller has yet to hear that it is overdue. Takes it back
    /// if nothing of it was handed out and no other command depends on it.
    pub(super) fn give_up(&mut self, position: usize, listener: Listener) {
        const DEPENDED_ON: Flags = Flags::IN_TRANSACTION.with(Flags::TAKEN_BACK);
        self.hear_no_more(position, listener);
        let unfinished = self.transmit.unfinished().is_some() && position + 1 == self.in_flight.len();
        let Some(slot) = self.in_flight.get_mut(position) else { return };
        let stays = self.link.phase == Phase::Over
            || unfinished
            || !matches!(slot.verb, Verb::Ordinary | Verb::Ping)
            || slot.is(DEPENDED_ON)
            || self.transmit.was_handed_out(slot);
        if stays {
            return;
        }
        self.transmit.take_back(slot);
        slot.mark(Flags::TAKEN_BACK);
        let slot = *slot;
        self.in_flight.count_taken_back();
        // Where many commands wait this is done once for all that are taken back until something is written.
        if !FAST && self.transmit.has_taken_back() {
            self.transmit.drop_taken_back(&mut self.in_flight);
        }
        if SESSION {
            self.hand_on(position, &slot);
        }
    }

    /// The command at a position was taken back. What it was to end ends with the next one that is sent, and the next one
    /// there is is the first after those that are not answered.
    fn hand_on(&mut self, position: usize, slot: &Slot) {
        self.link.one_shots = self.link.one_shots | slot.ends();
        if !slot.is(Flags::AFTER_SILENCE) {
            return;
        }
        for position in position + 1..self.in_flight.len() {
            if let Some(slot) = self.in_flight.get_mut(position)
                && !slot.is(Flags::TAKEN_BACK)
            {
                slot.mark(Flags::AFTER_SILENCE);
                return;
            }
        }
        if self.link.silence == Silence::None {
            self.link.silence = Silence::Over;
        }
    }

    fn hear_no_more(&mut self, position: usize, listener: Listener) {
        let Some(slot) = self.in_flight.get_mut(position) else { return };
        if slot.listener == Listener::Engine {
            return;
        }
        if slot.listener == Listener::Overdue {
            self.link.expired -= 1;
        }
        if listener == Listener::Overdue {
            self.link.expired += 1;
        }
        slot.listener = listener;
    }
}

/// The PING that the engine sends of itself.
pub(super) struct Ping;

impl Encode for Ping {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        out.bytes(b"PING");
    }
}

/// How many seconds the server may be silent about a command besides what the health check allows.
fn allowance(patience: Patience, options: SendOptions) -> u16 {
    let longer = match (options.timeout, patience) {
        (Some(None), _) | (None, Patience::Forever) => return FOREVER,
        (Some(Some(timeout)), _) => timeout,
        (None, Patience::Usual) => return 0,
        (None, Patience::Longer(more)) => more,
    };
    let seconds = longer.as_secs().saturating_add(u64::from(longer.subsec_nanos() > 0));
    u16::try_from(seconds).unwrap_or(FOREVER)
}
