//! The commands that wait for their replies, oldest first.

use super::Ticket;
use super::transitions::{SubscriptionKind, Verb};
use crate::storage::{Full, Storage, move_within};
use crate::time::Instant;

/// One command that was sent and is not answered.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Slot {
    pub(super) verb: Verb,
    pub(super) subscription: SubscriptionKind,
    /// When the caller's patience ends; `NEVER` is never.
    pub(super) deadline: Instant,
    /// The place of its first byte among all bytes ever queued for transmission, wrapping.
    pub(super) start: u32,
    /// How many bytes it has.
    pub(super) length: u32,
    /// Confirmations still to come; for SELECT the database.
    pub(super) count: u32,
    /// An unsubscription from everything of its kind: confirmed until the server has none left.
    pub(super) everything: bool,
    /// It was taken back before a byte of it was handed out.
    pub(super) void: bool,
    /// Its reply is `+QUEUED`.
    pub(super) queued: bool,
    /// Nobody waits for its reply any more.
    pub(super) discarded: bool,
    /// Its deadline has passed, and the caller has to hear of it.
    pub(super) expired: bool,
    /// The caller wants text in pieces.
    pub(super) streamed: bool,
    /// The engine's own PING.
    pub(super) internal: bool,
    /// An EXEC or DISCARD whose MULTI was refused.
    pub(super) orphaned: bool,
    /// The first behind commands that CLIENT REPLY keeps from being answered: if the server refused that, it gets to
    /// hear of it here.
    pub(super) behind_silence: bool,
}

pub(super) const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Slot {
    /// A place for a command: what memory for commands in flight is filled with.
    pub const EMPTY: Self = Slot {
        verb: Verb::Ordinary,
        subscription: SubscriptionKind::Channel,
        // All zero is the cheapest for memory to begin with.
        deadline: Instant::from_micros(0),
        start: 0,
        length: 0,
        count: 0,
        everything: false,
        void: false,
        queued: false,
        discarded: false,
        expired: false,
        streamed: false,
        internal: false,
        orphaned: false,
        behind_silence: false,
    };
}

impl Default for Slot {
    fn default() -> Self {
        Slot::EMPTY
    }
}

/// Numbers of slots in a row, wrapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequences {
    first: u32,
    count: u32,
}

impl Sequences {
    pub(super) fn contains(self, sequence: u32) -> bool {
        sequence.wrapping_sub(self.first) < self.count
    }
}

/// A ring of slots. Each has a number; tickets carry it.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    slots: Storage<'a, Slot>,
    head: usize,
    length: usize,
    /// The number of the slot at the head.
    first: u32,
    generation: u32,
}

impl<'a> InFlight<'a> {
    pub(super) fn new(slots: Storage<'a, Slot>) -> Self {
        InFlight { slots, head: 0, length: 0, first: 0, generation: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// How many slots somebody waits for.
    pub(super) fn awaited(&self) -> usize {
        let slots = (0..self.length).filter_map(|position| self.get(position));
        slots.filter(|slot| !slot.discarded && !slot.internal).count()
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
        // The part that had wrapped around goes behind the old end, where it continues the ring.
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

    /// The oldest slot; never a void one, once expired ones have been reported.
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

    /// The numbers of all slots.
    pub(super) fn sequences(&self) -> Sequences {
        Sequences { first: self.first, count: self.length as u32 }
    }

    /// The number that the next slot gets.
    pub(super) fn next_sequence(&self) -> u32 {
        self.first.wrapping_add(self.length as u32)
    }

    /// Takes the oldest slot away, and void ones behind it.
    #[inline]
    pub(super) fn pop(&mut self) {
        if self.length > 0 {
            self.pop_one();
            self.drop_void();
        }
    }

    /// Drops void slots at the front, but for those whose expiry somebody has yet to hear of.
    pub(super) fn drop_void(&mut self) {
        while self.front().is_some_and(|slot| slot.void && !slot.expired) {
            self.pop_one();
        }
    }

    #[inline]
    fn pop_one(&mut self) {
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

    /// Where the slot of a ticket is, unless it was answered or belongs to an earlier connection.
    pub(super) fn position(&self, ticket: Ticket) -> Option<usize> {
        let position = ticket.sequence.wrapping_sub(self.first) as usize;
        (ticket.generation == self.generation && position < self.length).then_some(position)
    }

    /// Where the slot of a ticket is, or, when that was answered, the first behind it.
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
