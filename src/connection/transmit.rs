//! The way out: the bytes of commands, until they are written.
//!
//! ```text
//!  handed out | greeting | commands ............ | commands that wait | free
//!             ^ head                             ^ gate
//! ```
//!
//! Commands have positions, counted in bytes over the life of the connection and wrapping; the greeting has none. A command
//! that is taken back stays where it is until its bytes are next: then they are dropped.

use super::in_flight::{Flags, InFlight, Slot};
use crate::parts::PIECES;
use crate::resp::{Encode, EncodeError, Encoder};
use crate::storage::{Buffer, move_within};

#[derive(Debug)]
pub(super) struct TransmitPath<'a> {
    buffer: Buffer<'a>,
    /// How many of the first bytes may go out; the rest waits for the handshake, or for the reply to AUTH, HELLO or RESET.
    gate: Option<usize>,
    /// Bytes of the handshake that stand before the commands.
    greeting: usize,
    /// The position after the last command, and that of the next byte to go out.
    queued: u32,
    handed_out: u32,
    /// Bytes of commands that were taken back and still stand in the buffer.
    taken_back: usize,
    /// Bytes still to come of the command that was sent last.
    unfinished: Option<usize>,
}

/// Where the commands end, to come back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    length: usize,
    queued: u32,
}

impl<'a> TransmitPath<'a> {
    pub(super) const fn new(buffer: Buffer<'a>) -> Self {
        TransmitPath {
            buffer,
            gate: Some(0),
            greeting: 0,
            queued: 0,
            handed_out: 0,
            taken_back: 0,
            unfinished: None,
        }
    }

    /// Forgets all bytes: the stream they were for is over.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.gate = Some(0);
        self.greeting = 0;
        self.handed_out = self.queued;
        self.taken_back = 0;
        self.unfinished = None;
    }

    /// What may go out now; nothing of it has been taken back after [`drop_taken_back`](Self::drop_taken_back).
    #[inline]
    pub(super) fn open(&self) -> &[u8] {
        let waiting = self.buffer.filled();
        match self.gate {
            None => waiting,
            Some(gate) => waiting.get(..gate).unwrap_or(waiting),
        }
    }

    #[inline]
    pub(super) fn transmitted(&mut self, count: usize) {
        let count = count.min(self.open().len());
        self.buffer.consume(count);
        let greeting = count.min(self.greeting);
        self.greeting -= greeting;
        self.handed_out = self.handed_out.wrapping_add((count - greeting) as u32);
        self.gate = self.gate.map(|gate| gate - count);
        self.buffer.shrink();
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len() - self.taken_back
    }

    /// How many bytes can still be appended.
    pub(super) fn available(&self) -> usize {
        self.buffer.available()
    }

    /// The position of the next command.
    pub(super) fn position(&self) -> u32 {
        self.queued
    }

    #[inline]
    pub(super) fn was_handed_out(&self, slot: &Slot) -> bool {
        is_before(slot.start, self.handed_out)
    }

    /// How many more bytes can be sent before `oldest`, the oldest command that is not answered. Positions wrap: the engine
    /// tells them apart as long as they are less than 2 GiB away from each other.
    pub(super) fn room_before_the_wrap(&self, oldest: Option<&Slot>) -> usize {
        let oldest = match oldest {
            Some(slot) if self.was_handed_out(slot) => slot.start,
            _ => self.handed_out,
        };
        (i32::MAX as u32).saturating_sub(self.queued.wrapping_sub(oldest)) as usize
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { length: self.buffer.len(), queued: self.queued }
    }

    /// Drops what was appended after the mark, of which nothing was handed out.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.buffer.truncate(mark.length);
        self.queued = mark.queued;
    }

    /// Drops a command, of which nothing was handed out, and all after it.
    pub(super) fn back_to_slot(&mut self, slot: &Slot) {
        self.buffer.truncate(slot.start.wrapping_sub(self.handed_out) as usize + self.greeting);
        self.queued = slot.start;
        // What was to come in pieces is gone with it.
        self.unfinished = None;
    }

    /// Appends the words of a command, whole or not at all.
    pub(super) fn append_command(&mut self, command: &dyn Encode) -> Result<(), EncodeError> {
        Encoder::new(&mut self.buffer).any_command(command)
    }

    /// What was appended after the mark.
    pub(super) fn since(&self, mark: Mark) -> &[u8] {
        self.buffer.part(mark.length, self.buffer.len())
    }

    /// Gives a position to what was appended after the mark. Says how many bytes it is.
    pub(super) fn queue(&mut self, mark: Mark) -> u32 {
        let length = (self.buffer.len() - mark.length) as u32;
        self.queued = self.queued.wrapping_add(length);
        length
    }

    /// Nothing after what is there now goes out before the gate is opened.
    pub(super) fn close_gate(&mut self) {
        self.gate = Some(self.buffer.len());
    }

    pub(super) fn open_gate(&mut self) {
        self.gate = None;
    }

    pub(super) fn has_gate(&self) -> bool {
        self.gate.is_some()
    }

    /// Whether all that the gate lets through has gone out.
    pub(super) fn is_drained(&self) -> bool {
        self.gate == Some(0)
    }

    /// Puts what was appended after the mark in front of the commands that wait, and lets it through the gate.
    pub(super) fn greet(&mut self, mark: Mark) {
        let gate = self.gate.unwrap_or(0);
        let length = self.buffer.len() - mark.length;
        if let Some(part) = self.buffer.filled_mut().get_mut(gate..) {
            // All of it turned around, and then both parts, is a rotation.
            turn_around(part);
            let (front, back) = part.split_at_mut_checked(length).unwrap_or_default();
            turn_around(front);
            turn_around(back);
        }
        self.gate = Some(gate + length);
        self.greeting += length;
    }

    /// The last argument of the command that was sent last has `length` bytes that are still to come.
    pub(super) fn begin(&mut self, length: Option<usize>) {
        self.unfinished = length;
    }

    #[inline]
    pub(super) fn unfinished(&self) -> Option<usize> {
        if PIECES { self.unfinished } else { None }
    }

    /// Appends as much of the argument as there is room for. Says how many bytes that is, and by how many the command has
    /// become longer.
    pub(super) fn append_piece(&mut self, bytes: &[u8]) -> (usize, u32) {
        const END: &[u8] = b"\r\n";
        let Some(left) = self.unfinished else { return (0, 0) };
        // With the last byte its CRLF has to fit.
        let room = self.available();
        let most =
            if left <= room.saturating_sub(END.len()) { left } else { room.min(left.saturating_sub(1)) };
        let piece = bytes.get(..most).unwrap_or(bytes);
        if self.buffer.append(piece).is_err() {
            return (0, 0);
        }
        let mut added = piece.len();
        self.unfinished = Some(left - piece.len());
        if left == piece.len() && self.buffer.append(END).is_ok() {
            added += END.len();
            self.unfinished = None;
        }
        self.queued = self.queued.wrapping_add(added as u32);
        (piece.len(), added as u32)
    }

    /// Takes a command back of which nothing was handed out: its bytes do not go out. The caller marks the slot as taken
    /// back.
    pub(super) fn take_back(&mut self, slot: &mut Slot) {
        let length = slot.length as usize;
        let at = slot.start.wrapping_sub(self.handed_out) as usize + self.greeting;
        if at == 0 {
            self.buffer.consume(length);
            self.handed_out = self.handed_out.wrapping_add(slot.length);
            self.gate = self.gate.map(|gate| gate.saturating_sub(length));
            slot.length = 0;
        } else if at + length == self.buffer.len() && self.gate.is_none_or(|gate| gate <= at) {
            self.buffer.truncate(at);
            self.queued = slot.start;
            slot.length = 0;
        } else {
            self.taken_back += length;
        }
    }

    /// Whether there are bytes that must not go out.
    #[inline]
    pub(super) fn has_taken_back(&self) -> bool {
        self.taken_back > 0
    }

    /// Drops the bytes of all commands that were taken back, in one pass that moves each byte at most once.
    pub(super) fn drop_taken_back(&mut self, in_flight: &mut InFlight<'_>) {
        let bytes = self.buffer.filled_mut();
        let (mut removed, mut removed_before_gate, mut read) = (0usize, 0usize, 0usize);
        for position in 0..in_flight.len() {
            let Some(slot) = in_flight.get_mut(position) else { break };
            if is_before(slot.start, self.handed_out) {
                continue;
            }
            let at = slot.start.wrapping_sub(self.handed_out) as usize + self.greeting;
            slot.start = slot.start.wrapping_sub(removed as u32);
            let end = at.saturating_add(slot.length as usize);
            if !slot.is(Flags::TAKEN_BACK) || slot.length == 0 || at < read || end > bytes.len() {
                continue;
            }
            if removed > 0 {
                move_within(bytes, read..at, read - removed);
            }
            slot.length = 0;
            read = end;
            removed += end - at;
            if self.gate.is_some_and(|gate| gate > at) {
                removed_before_gate += end - at;
            }
        }
        let rest = bytes.len() - removed;
        move_within(bytes, read..rest + removed, read - removed);
        self.buffer.truncate(rest);
        self.queued = self.queued.wrapping_sub(removed as u32);
        self.gate = self.gate.map(|gate| gate - removed_before_gate);
        self.taken_back = 0;
        in_flight.drop_taken_back();
    }
}

fn turn_around(mut bytes: &mut [u8]) {
    while let [first, rest @ .., last] = bytes {
        core::mem::swap(first, last);
        bytes = rest;
    }
}

/// Whether one of two wrapping positions, less than 2 GiB apart, is before the other.
fn is_before(one: u32, other: u32) -> bool {
    other.wrapping_sub(one) as i32 > 0
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::storage::Storage;

    #[test]
    fn positions_stay_less_than_two_gibibytes_apart() {
        let mut path = TransmitPath::new(Buffer::growing(1000));
        let oldest = Slot { start: 0, ..Slot::EMPTY };
        // As if so much had been sent, and written, after a command that is not answered.
        path.queued = i32::MAX as u32 - 20;
        path.handed_out = path.queued;
        assert_eq!(path.room_before_the_wrap(Some(&oldest)), 20);
        assert_eq!(path.room_before_the_wrap(None), i32::MAX as usize);
        assert!(path.was_handed_out(&oldest));
    }

    #[test]
    fn commands_are_taken_back_in_any_order() {
        let names = [b"PING", b"ECHO", b"TIME", b"ROLE", b"WAIT"];
        let orders = [[0, 1, 2], [2, 1, 0], [1, 3, 2], [4, 3, 1], [3, 4, 0], [1, 0, 4]];
        for (order, greeted) in orders.into_iter().flat_map(|order| [(order, false), (order, true)]) {
            let mut path = TransmitPath::new(Buffer::growing(1000));
            let mut in_flight = InFlight::new(Storage::growing());
            path.open_gate();
            for name in names {
                let mark = path.mark();
                let start = path.position();
                path.append_command(&[name]).unwrap();
                let length = path.queue(mark);
                in_flight.reserve().unwrap();
                in_flight.push(Slot { start, length, ..Slot::EMPTY });
            }
            if greeted {
                path.gate = Some(0);
                let mark = path.mark();
                path.append_command(&["AUTH"]).unwrap();
                path.greet(mark);
                path.open_gate();
            }
            for number in order {
                let position = number - (names.len() - in_flight.len());
                let slot = in_flight.get_mut(position).unwrap();
                path.take_back(slot);
                slot.mark(Flags::TAKEN_BACK);
                in_flight.drop_taken_back();
            }
            assert_eq!(path.waiting(), 14 * (2 + usize::from(greeted)), "{order:?}");
            if path.has_taken_back() {
                path.drop_taken_back(&mut in_flight);
            }
            let mut expected = std::vec::Vec::new();
            let left = (0..names.len()).filter(|position| !order.contains(position));
            let left = left.map(|position| names[position]);
            for name in greeted.then_some(b"AUTH").into_iter().chain(left) {
                expected.extend_from_slice(b"*1\r\n$4\r\n");
                expected.extend_from_slice(name);
                expected.extend_from_slice(b"\r\n");
            }
            assert_eq!(path.open(), expected, "{order:?} {greeted}");
            path.transmitted(usize::MAX);
            assert_eq!(path.position(), path.handed_out);
        }
    }
}
