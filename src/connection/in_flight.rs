//! The commands that wait for their replies, oldest first.

use super::Changes;
use super::SubscriptionKind;
use super::Ticket;
use super::verb::Verb;
use crate::parts::{FAST, MODES, SUBSCRIPTIONS};
use crate::storage::{Full, Storage, move_within};
use crate::time::Instant;

/// One command that was sent and is not answered.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Slot {
    /// When the caller's patience ends; `NEVER` is never.
    pub(super) deadline: Instant,
    /// The place of its first byte among all bytes ever queued for transmission, wrapping.
    pub(super) start: u32,
    /// How many bytes it has.
    pub(super) length: u32,
    /// What its effect needs to know: the database of SELECT, the changes of a command that sticks. For a subscription how
    /// many confirmations are still to come.
    pub(super) argument: u32,
    /// The sum of the hashes of the names that are still to be confirmed.
    pub(super) names: u32,
    /// How many seconds the server may be silent about it besides what the health check allows; `FOREVER` is for ever.
    pub(super) allowance: u16,
    pub(super) flags: Flags,
    pub(super) verb: Verb,
    pub(super) subscription: SubscriptionKind,
    pub(super) listener: Listener,
}

/// Who hears how a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Listener {
    /// The caller that has its ticket.
    Caller,
    /// The caller has yet to hear that its deadline has passed; after that nobody.
    Overdue,
    /// Nobody: it was given up, or its end has been told.
    Nobody,
    /// The engine itself, whose PING it is.
    Engine,
}

/// What else is known of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Flags(u16);

impl Flags {
    pub(super) const NONE: Self = Flags(0);
    /// It was taken back before a byte of it was handed out.
    pub(super) const TAKEN_BACK: Self = Flags(1);
    /// It was sent between MULTI and EXEC.
    pub(super) const IN_TRANSACTION: Self = Flags(1 << 1);
    /// The caller wants text in pieces.
    pub(super) const STREAMED: Self = Flags(1 << 2);
    /// The first command after those that CLIENT REPLY keeps from being answered; its reply reveals that the server has
    /// refused CLIENT REPLY.
    pub(super) const AFTER_SILENCE: Self = Flags(1 << 3);
    /// The first command after ASKING, which ends with it.
    pub(super) const ENDS_ASKING: Self = Flags(1 << 4);
    /// A credential may be among its arguments.
    pub(super) const SECRET: Self = Flags(1 << 5);
    /// An unsubscription from everything of its kind: confirmed until the server has none left.
    pub(super) const EVERYTHING: Self = Flags(1 << 6);
    /// A SUNSUBSCRIBE that is confirmed; the PONG after it is still to come.
    pub(super) const CONFIRMED: Self = Flags(1 << 7);
    /// A SUNSUBSCRIBE that was answered with an error; the PONG after it is still to come.
    pub(super) const REFUSED: Self = Flags(1 << 8);
    /// The first command after CLIENT CACHING, but for other CLIENT commands, which ends with it.
    pub(super) const ENDS_CACHING: Self = Flags(1 << 9);
    /// What ends with it.
    pub(super) const ENDS: Self = Self::ENDS_ASKING.with(Self::ENDS_CACHING);

    pub(super) const fn with(self, other: Self) -> Self {
        Flags(self.0 | other.0)
    }

    pub(super) const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    /// Whether one of `others` is among these.
    #[inline]
    pub(super) const fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

pub(super) const NEVER: Instant = Instant::from_micros(u64::MAX);

/// For [`Slot::allowance`].
pub(super) const FOREVER: u16 = u16::MAX;

/// Those that make the reply to an ordinary command more than a reply.
const NOTABLE: Flags = Flags::IN_TRANSACTION.with(Flags::AFTER_SILENCE).with(Flags::ENDS).with(Flags::SECRET);

impl Slot {
    /// A place for a command: what memory for commands in flight is filled with.
    pub const EMPTY: Self = Slot {
        verb: Verb::Ordinary,
        subscription: SubscriptionKind::Channel,
        listener: Listener::Caller,
        // All zeros: memory of a program that is filled with it takes no flash.
        deadline: Instant::from_micros(0),
        start: 0,
        length: 0,
        argument: 0,
        names: 0,
        allowance: 0,
        flags: Flags::NONE,
    };

    /// Whether it has this flag.
    #[inline]
    pub(super) const fn is(&self, flag: Flags) -> bool {
        self.flags.any(flag)
    }

    /// What ends with it, of ASKING and CLIENT CACHING.
    pub(super) fn ends(&self) -> Changes {
        let asking = if self.is(Flags::ENDS_ASKING) { Changes::ASKING } else { Changes::NONE };
        let caching = if self.is(Flags::ENDS_CACHING) { Changes::CACHING } else { Changes::NONE };
        asking | caching
    }

    pub(super) const fn mark(&mut self, flag: Flags) {
        self.flags = self.flags.with(flag);
    }

    /// Whether a reply that is no error answers it and changes nothing.
    #[inline]
    pub(super) const fn is_plain(&self) -> bool {
        !MODES || matches!(self.verb, Verb::Ordinary) && !self.flags.any(NOTABLE)
    }

    /// Whether a text that answers it is nothing but that.
    pub(super) const fn is_text_only(&self) -> bool {
        matches!(self.verb, Verb::Ordinary | Verb::Ping) && !self.flags.any(NOTABLE)
    }

    /// Whether it is a SUNSUBSCRIBE, which has a PING of the engine after it. See
    /// [`fence`](super::Connection::fence_reply).
    pub(super) const fn is_fenced(&self) -> bool {
        SUBSCRIPTIONS
            && matches!((self.verb, self.subscription), (Verb::Unsubscribe, SubscriptionKind::Shard))
    }
}

impl Default for Slot {
    fn default() -> Self {
        Slot::EMPTY
    }
}

/// A ring of slots. Each has a number; tickets carry it.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    slots: Storage<'a, Slot>,
    head: usize,
    length: usize,
    /// How many of the slots are those of commands that were taken back.
    taken_back: usize,
    /// The number of the slot at the head.
    first: u32,
    generation: u32,
}

impl<'a> InFlight<'a> {
    pub(super) fn new(slots: Storage<'a, Slot>) -> Self {
        InFlight { slots, head: 0, length: 0, taken_back: 0, first: 0, generation: 0 }
    }

    /// Whether no command is in flight. Those that were taken back may still have their places.
    pub(super) fn is_empty(&self) -> bool {
        self.length == if FAST { self.taken_back } else { 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// One more of the slots was marked as taken back.
    pub(super) fn count_taken_back(&mut self) {
        self.taken_back += usize::from(FAST);
    }

    /// How many commands are in flight: those that were taken back are not.
    pub(super) fn commands(&self) -> usize {
        if FAST {
            return self.length - self.taken_back;
        }
        // Where there are few, they are counted when somebody asks.
        self.iter().filter(|slot| !slot.is(Flags::TAKEN_BACK)).count()
    }

    /// How many slots somebody waits for.
    pub(super) fn awaited(&self) -> usize {
        self.iter().filter(|slot| slot.listener == Listener::Caller).count()
    }

    /// Makes sure that one more slot can be pushed.
    pub(super) fn reserve(&mut self) -> Result<(), Full> {
        let capacity = self.slots.as_slice().len();
        if self.length < capacity {
            return Ok(());
        }
        if !self.slots.grows() {
            return Err(Full);
        }
        self.slots.reserve(capacity + 1)?;
        // The part that had wrapped around goes after the old end, where it continues the ring.
        let slots = self.slots.as_mut_slice();
        move_within(slots, 0..self.head, capacity);
        Ok(())
    }

    /// Appends a slot, for which [`reserve`](Self::reserve) has made room.
    pub(super) fn push(&mut self, slot: Slot) -> Ticket {
        let index = self.index(self.length);
        if let Some(place) = self.slots.as_mut_slice().get_mut(index) {
            *place = slot;
            self.length += 1;
        }
        Ticket { generation: self.generation, sequence: self.first.wrapping_add(self.length as u32 - 1) }
    }

    /// The oldest slot; never one that was taken back, once expired ones have been reported.
    #[inline]
    pub(super) fn front(&self) -> Option<&Slot> {
        self.get(0)
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Slot> {
        self.get_mut(0)
    }

    #[inline]
    pub(super) fn front_ticket(&self) -> Ticket {
        self.ticket_at(0)
    }

    pub(super) fn ticket_at(&self, position: usize) -> Ticket {
        Ticket { generation: self.generation, sequence: self.first.wrapping_add(position as u32) }
    }

    /// The number that the next slot gets.
    pub(super) fn next_sequence(&self) -> u32 {
        self.first.wrapping_add(self.length as u32)
    }

    /// Takes the oldest slot away, and those after it that were taken back.
    #[inline]
    pub(super) fn pop(&mut self) {
        if self.length > 0 {
            self.pop_one();
            self.drop_taken_back();
        }
    }

    /// Drops slots at the front that were taken back, but for those whose expiry somebody has yet to hear of, and those
    /// whose bytes still stand in the transmit buffer.
    pub(super) fn drop_taken_back(&mut self) {
        let gone = |slot: &Slot| {
            slot.is(Flags::TAKEN_BACK) && slot.length == 0 && slot.listener != Listener::Overdue
        };
        while self.front().is_some_and(gone) {
            self.pop_one();
        }
    }

    #[inline]
    fn pop_one(&mut self) {
        if FAST && self.front().is_some_and(|slot| slot.is(Flags::TAKEN_BACK)) {
            self.taken_back = self.taken_back.saturating_sub(1);
        }
        self.head = self.index(1);
        self.length -= 1;
        self.first = self.first.wrapping_add(1);
        if self.length == 0 {
            self.head = 0;
            self.slots.shrink(1024);
        }
    }

    /// The youngest slot.
    pub(super) fn back_mut(&mut self) -> Option<&mut Slot> {
        self.get_mut(self.length.wrapping_sub(1))
    }

    /// The slot at a position, the oldest first.
    pub(super) fn get(&self, position: usize) -> Option<&Slot> {
        if position >= self.length {
            return None;
        }
        self.slots.as_slice().get(self.index(position))
    }

    pub(super) fn get_mut(&mut self, position: usize) -> Option<&mut Slot> {
        if position >= self.length {
            return None;
        }
        let index = self.index(position);
        self.slots.as_mut_slice().get_mut(index)
    }

    /// Takes the youngest slots away, so that `length` are left. No ticket for them may have been given to anybody: their
    /// numbers are given again.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// The slots, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        (0..self.length).filter_map(|position| self.get(position))
    }

    /// Where the slot of a ticket is, unless it was answered or belongs to an earlier connection.
    pub(super) fn position(&self, ticket: Ticket) -> Option<usize> {
        let position = ticket.sequence.wrapping_sub(self.first) as usize;
        (ticket.generation == self.generation && position < self.length).then_some(position)
    }

    /// Where the slot of a ticket is, or, when that was answered, the first after it.
    pub(super) fn position_from(&self, ticket: Ticket) -> Option<usize> {
        let answered = ticket.generation == self.generation
            && (ticket.sequence.wrapping_sub(self.first) as i32).is_negative();
        if answered { Some(0) } else { self.position(ticket) }
    }

    /// Makes all tickets stale.
    pub(super) fn next_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    fn index(&self, position: usize) -> usize {
        let capacity = self.slots.as_slice().len();
        let index = self.head + position;
        if index >= capacity { index - capacity } else { index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_that_grows_while_wrapped_keeps_its_order() {
        let mut queue = InFlight::new(Storage::growing());
        let mut next_in = 0u32;
        let mut next_out = 0u32;
        for round in 0..200 {
            for _ in 0..(round % 7) + 1 {
                queue.reserve().unwrap();
                queue.push(Slot { start: next_in, ..Slot::default() });
                next_in += 1;
            }
            for _ in 0..(round % 5) {
                if let Some(slot) = queue.front() {
                    assert_eq!(slot.start, next_out);
                    queue.pop();
                    next_out += 1;
                }
            }
        }
        while let Some(slot) = queue.front() {
            assert_eq!(slot.start, next_out);
            queue.pop();
            next_out += 1;
        }
        assert_eq!(next_in, next_out);
    }

    #[test]
    fn a_lent_ring_is_full_when_it_is_full() {
        let mut slots = [Slot::default(); 2];
        let mut queue = InFlight::new(Storage::from(&mut slots));
        for _ in 0..5 {
            queue.reserve().unwrap();
            let ticket = queue.push(Slot::default());
            assert_eq!(queue.position(ticket), Some(0));
            queue.reserve().unwrap();
            queue.push(Slot::default());
            assert_eq!(queue.reserve(), Err(Full));
            queue.pop();
            assert_eq!(queue.position(ticket), None);
            queue.pop();
        }
    }
}
