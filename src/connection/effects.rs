//! What commands and their replies do to a connection: the state that the server keeps for it, and how each effect in the
//! table of [`transitions`](super::transitions) changes it.
//!
//! There are two copies of the [`State`]. What is *known* changes with replies alone. What is *expected* is derived: it is
//! what is known, and on top of it the effects of all commands in flight, as if each succeeded. So there is nothing to be
//! undone when a command is refused, expires, is taken back or lost: its effect was never applied to what is known, and
//! what is expected is derived anew.
//!
//! | what happens to a command | known | expected |
//! |---|---|---|
//! | sent | - | effect |
//! | sent while replies are off | that it may have changed something | - |
//! | answered | effect | - |
//! | queued (`+QUEUED`) | kept until EXEC answers | - |
//! | answered by its element of EXEC's reply | effect, unless the element is an error | - |
//! | refused | [`Refusal`](super::transitions::Refusal) of its row | derived anew |
//! | taken back, or lost | - | derived anew |

use super::in_flight::{Flags, Slot};
use super::transitions::{Effect, Mode, row};
use super::verb::{Verb, is};
use super::{Changes, Config};
use crate::parts::{RESP3, SESSION};
use crate::reply::parse_magnitude;
use crate::resp::{Frame, Protocol};
use crate::storage::Text;

/// What the server keeps for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct State {
    /// Ready, Transaction, Monitor or Closing; the others follow from the subscriptions and from CLIENT REPLY.
    pub(super) mode: Mode,
    pub(super) watching: bool,
    pub(super) protocol: Protocol,
    pub(super) changes: Changes,
    pub(super) database: u32,
}

impl State {
    /// That of a connection that has just been greeted.
    pub(super) const fn fresh(protocol: Protocol, database: u32) -> Self {
        State { mode: Mode::Ready, watching: false, protocol, changes: Changes::NONE, database }
    }

    /// Applies what a command does that is `slot`, on a connection that was `fresh` before all commands.
    pub(super) fn apply(&mut self, slot: &Slot, fresh: State) {
        match row(slot.verb).effect {
            Effect::Nothing | Effect::Subscriptions => {}
            Effect::Transaction => self.mode = Mode::Transaction,
            Effect::Execute | Effect::Discard => {
                self.mode = Mode::Ready;
                self.watching = false;
            }
            Effect::Watch => self.watching = true,
            Effect::Unwatch => self.watching = false,
            Effect::Monitor => self.mode = Mode::Monitor,
            Effect::Quit => self.mode = Mode::Closing,
            Effect::Reset => {
                let kept = self.changes.common(Changes::BEYOND_RESET);
                *self = State { changes: kept, ..fresh };
            }
            Effect::User => self.changes = self.changes.with(Changes::USER),
            Effect::Greeting => {
                let greeting = Greeting::of(slot.argument);
                self.changes = self.changes.with(greeting.sets).without(greeting.clears);
                self.protocol = greeting.protocol.unwrap_or(self.protocol);
            }
            Effect::Database => self.database = slot.argument,
            Effect::Change => self.changes = self.changes.with(Changes::from_bits(slot.argument as u16)),
            Effect::Unchange => {
                self.changes = self.changes.without(Changes::from_bits(slot.argument as u16));
            }
        }
    }

    /// What is expected when the commands in flight have worked on what is known.
    pub(super) fn after<'s>(mut self, slots: impl Iterator<Item = &'s Slot>, fresh: State) -> Self {
        for slot in slots.filter(|slot| !slot.is(Flags::TAKEN_BACK)) {
            self.expect(slot, fresh);
        }
        self
    }

    /// What is expected after one more command.
    #[inline]
    pub(super) fn expect(&mut self, slot: &Slot, fresh: State) {
        if SESSION && slot.is(Flags::ENDS) && !matches!(slot.verb, Verb::Multi) {
            self.end_one_shots(slot);
        }
        if SESSION && !matches!(slot.verb, Verb::Ordinary) && !self.queues(slot.verb) {
            self.apply(slot, fresh);
        }
    }

    /// ASKING and CLIENT CACHING hold for one command, which this is. With MULTI they hold up to EXEC.
    pub(super) fn end_one_shots(&mut self, slot: &Slot) {
        self.changes = self.changes.without(slot.ends());
    }

    /// Whether the server queues a command instead of running it.
    #[inline]
    pub(super) fn queues(&self, verb: Verb) -> bool {
        self.mode == Mode::Transaction
            && !matches!(row(verb).effect, Effect::Execute | Effect::Discard | Effect::Reset | Effect::Quit)
    }
}

/// The commands that the server has queued in a transaction, as far as they do something.
#[derive(Debug, Clone)]
pub(super) struct QueuedEffects {
    /// How many commands are queued.
    pub(super) length: u32,
    /// Their places, and what they do.
    effects: heapless::Vec<(u32, Verb, u32), MOST_EFFECTS>,
    /// A credential may be among the arguments of one, so that its error may repeat it.
    pub(super) secret: bool,
}

/// So many commands of a transaction may change the connection.
pub(super) const MOST_EFFECTS: usize = if SESSION { 8 } else { 0 };

impl QueuedEffects {
    pub(super) const NONE: Self = QueuedEffects { length: 0, effects: heapless::Vec::new(), secret: false };

    /// The server has queued a command.
    pub(super) fn push(&mut self, slot: &Slot) {
        if has_queued_effect(slot) {
            // More than fit are not sent.
            let _ = self.effects.push((self.length, slot.verb, slot.argument));
        }
        self.secret |= slot.is(Flags::SECRET);
        self.length = self.length.saturating_add(1);
    }

    /// Whether one of them does something.
    pub(super) fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// Applies those that the reply to EXEC says have succeeded. False if it does not say.
    pub(super) fn apply(&self, results: Frame<'_>, state: &mut State, fresh: State) -> bool {
        let mut results = results.elements().enumerate();
        for &(place, verb, argument) in &self.effects {
            let result = results.find(|(index, _)| *index == place as usize);
            match result {
                Some((_, result)) if result.error().is_none() => {
                    state.apply(&Slot { verb, argument, ..Slot::EMPTY }, fresh);
                }
                Some(_) => {}
                None => return false,
            }
        }
        true
    }
}

/// Whether a command does something when EXEC runs it. UNWATCH does not: EXEC has unwatched before. What holds for one
/// command only ends with EXEC.
pub(super) fn has_queued_effect(slot: &Slot) -> bool {
    match row(slot.verb).effect {
        Effect::Database | Effect::Unchange => true,
        Effect::Change => one_shot(slot).is_empty(),
        _ => false,
    }
}

/// Whether a command is ASKING or CLIENT CACHING, and which.
pub(super) fn one_shot(slot: &Slot) -> Changes {
    let changes = Changes::from_bits(slot.argument as u16);
    if slot.verb == Verb::Change { changes.common(Changes::NEXT_COMMAND) } else { Changes::NONE }
}

/// What a HELLO of the user asks for, packed into the argument of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) protocol: Option<Protocol>,
    pub(super) sets: Changes,
    pub(super) clears: Changes,
}

const HELLO_2: u32 = 1 << 16;
const HELLO_3: u32 = 1 << 17;
const CLEARS_NAME: u32 = 1 << 18;

impl Greeting {
    /// Reads the words after HELLO. What is not understood is left to the server to refuse.
    pub(super) fn read<'w>(mut words: impl Iterator<Item = &'w [u8]>, config: &Config<'_>) -> Self {
        let protocol = match words.next() {
            Some(b"2") => Some(Protocol::Resp2),
            Some(b"3") => Some(Protocol::Resp3),
            _ => None,
        };
        let mut greeting = Greeting { protocol, sets: Changes::NONE, clears: Changes::NONE };
        while let Some(word) = words.next() {
            if is(Some(word), "AUTH") {
                greeting.sets = greeting.sets.with(Changes::USER);
                words.next();
                words.next();
            } else if is(Some(word), "SETNAME") {
                match is_configured_name(words.next().unwrap_or_default(), config) {
                    true => greeting.clears = Changes::NAME,
                    false => {
                        greeting.sets = greeting.sets.with(Changes::NAME);
                        greeting.clears = Changes::NONE;
                    }
                }
            }
        }
        greeting
    }

    pub(super) const fn of(argument: u32) -> Self {
        let protocol = match argument & (HELLO_2 | HELLO_3) {
            HELLO_2 => Some(Protocol::Resp2),
            HELLO_3 if RESP3 => Some(Protocol::Resp3),
            _ => None,
        };
        let clears = if argument & CLEARS_NAME == 0 { Changes::NONE } else { Changes::NAME };
        Greeting { protocol, sets: Changes::from_bits(argument as u16), clears }
    }

    pub(super) fn argument(self) -> u32 {
        let protocol = match self.protocol {
            Some(Protocol::Resp2) => HELLO_2,
            Some(Protocol::Resp3) => HELLO_3,
            None => 0,
        };
        let clears = if self.clears.is_empty() { 0 } else { CLEARS_NAME };
        u32::from(self.sets.bits()) | protocol | clears
    }
}

/// Whether a name is the one that the handshake gives the connection: without one in the configuration, none.
pub(super) fn is_configured_name(name: &[u8], config: &Config<'_>) -> bool {
    name == config.client_name.as_ref().map_or("", Text::as_str).as_bytes()
}

/// The number of a database, as SELECT takes it. None for one that the server will refuse.
pub(super) fn database_number(word: &[u8]) -> Option<u32> {
    let (_, number) = parse_magnitude(word, false).ok()?;
    u32::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: State = State::fresh(Protocol::Resp3, 7);

    fn slot(verb: Verb, argument: u32) -> Slot {
        Slot { verb, argument, ..Slot::EMPTY }
    }

    /// All that RESET does to the state.
    #[test]
    fn reset_leaves_a_fresh_connection_but_for_what_the_server_keeps() {
        let mut state = State {
            mode: Mode::Monitor,
            watching: true,
            protocol: Protocol::Resp2,
            changes: Changes::TRACKING | Changes::LIBRARY,
            database: 3,
        };
        state.apply(&slot(Verb::Reset, 0), FRESH);
        assert_eq!(state, State { changes: Changes::LIBRARY, ..FRESH });
    }

    #[test]
    fn what_is_queued_does_nothing_before_exec() {
        let slots = [
            slot(Verb::Multi, 0),
            slot(Verb::Select, 3),
            slot(Verb::Change, Changes::TRACKING.bits().into()),
        ];
        let state = FRESH.after(slots.iter(), FRESH);
        assert_eq!(state, State { mode: Mode::Transaction, ..FRESH });
    }

    #[test]
    fn each_queued_command_is_judged_by_its_own_result() {
        let mut queued = QueuedEffects::NONE;
        for queue in [slot(Verb::Select, 5), slot(Verb::Ordinary, 0), slot(Verb::Select, 99)] {
            queued.push(&queue);
        }
        assert_eq!(queued.length, 3);
        let mut state = FRESH;
        let results = Frame::new_unchecked(b"*3\r\n+OK\r\n:1\r\n-ERR DB index is out of range\r\n");
        assert!(queued.apply(results, &mut state, FRESH));
        assert_eq!(state.database, 5);
        // It does not say what became of the last one.
        assert!(!queued.apply(Frame::new_unchecked(b"*2\r\n+OK\r\n:1\r\n"), &mut state, FRESH));
    }

    #[test]
    fn what_hello_asks_for_survives_being_packed() {
        let config = Config::default().client_name("me");
        let read = |line: &'static str| {
            let greeting = Greeting::read(line.split_ascii_whitespace().map(str::as_bytes), &config);
            assert_eq!(Greeting::of(greeting.argument()), greeting);
            (greeting.protocol, greeting.sets, greeting.clears)
        };
        assert_eq!(read(""), (None, Changes::NONE, Changes::NONE));
        assert_eq!(read("2 setname me"), (Some(Protocol::Resp2), Changes::NONE, Changes::NAME));
        assert_eq!(
            read("3 AUTH SETNAME AUTH SETNAME you"),
            (Some(Protocol::Resp3), Changes::USER | Changes::NAME, Changes::NONE)
        );
    }
}
