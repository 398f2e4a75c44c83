//! What the user is subscribed to: the set that the handshake restores on every new stream.

use super::SubscriptionKind;
use super::in_flight::Sequences;
use super::name_index::{NameIndex, hash};
use crate::command::{Arguments, Command, Open};
use crate::resp::ArgumentWriter;
use crate::storage::{Full, Storage, copy, move_within};

/// Names by kind, one after the other in one piece of memory:
/// kind and mark (1 byte), number of the slot that added it (4), length (4), name.
#[derive(Debug)]
pub(super) struct Subscriptions<'a> {
    memory: Storage<'a, u8>,
    used: usize,
    /// Bytes of names that were removed and still take their place.
    dead: usize,
    counts: [usize; 3],
    /// The length of the longest name since the set was empty.
    longest: usize,
    index: NameIndex,
}

/// What an entry takes besides its name, in bytes.
pub(super) const ENTRY_OVERHEAD: usize = 9;

/// In the byte of the kind: the handshake has restored the name.
const RESTORED: u8 = 0x80;

/// In the byte of the kind: the name was removed.
const DEAD: u8 = 0x40;

/// Sets up to this number of names are searched from end to end.
const SMALL: usize = 16;

struct Entry<'e> {
    kind: u8,
    restored: bool,
    dead: bool,
    added_by: u32,
    name: &'e [u8],
}

impl<'a> Subscriptions<'a> {
    pub(super) fn new(memory: Storage<'a, u8>) -> Self {
        Subscriptions { memory, used: 0, dead: 0, counts: [0; 3], longest: 0, index: NameIndex::default() }
    }

    pub(super) fn count(&self, kind: SubscriptionKind) -> usize {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.dead = 0;
        self.counts = [0; 3];
        self.longest = 0;
        self.index.clear();
        self.memory.shrink(0);
    }

    /// Adds a name unless it is there.
    pub(super) fn insert(&mut self, kind: SubscriptionKind, name: &[u8], added_by: u32) -> Result<(), Full> {
        if self.find(kind, name).is_some() {
            return Ok(());
        }
        let length = u32::try_from(name.len()).map_err(|_| Full)?;
        let end = self.used.checked_add(ENTRY_OVERHEAD + name.len()).ok_or(Full)?;
        // Places are kept as 32 bits.
        let start = u32::try_from(self.used).map_err(|_| Full)?;
        self.memory.reserve(end)?;
        let place = self.memory.as_mut_slice().get_mut(self.used..end).ok_or(Full)?;
        let (header, text) = place.split_at_mut_checked(ENTRY_OVERHEAD).ok_or(Full)?;
        copy(text, name);
        if let [place, rest @ ..] = header {
            *place = kind as u8;
            let (adder, size) = rest.split_at_mut_checked(4).ok_or(Full)?;
            copy(adder, &added_by.to_le_bytes());
            copy(size, &length.to_le_bytes());
        }
        self.used = end;
        self.longest = self.longest.max(name.len());
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count += 1;
        }
        if self.index.has_room() {
            self.index.insert(hash(kind as u8, name), start);
        } else if self.memory.grows() && self.total() > SMALL {
            self.build_index();
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, kind: SubscriptionKind, name: &[u8]) {
        let Some(at) = self.find(kind, name) else { return };
        if let Some(byte) = self.memory.as_mut_slice().get_mut(at) {
            *byte |= DEAD;
        }
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count -= 1;
        }
        self.dead += ENTRY_OVERHEAD + name.len();
        // Lent memory is closed up at once; what grows, when half of it is waste, which is paid for by the removals.
        if !self.memory.grows() || self.dead > self.used / 2 {
            self.remove_where(&|_| false);
        }
    }

    pub(super) fn remove_all(&mut self, kind: SubscriptionKind) {
        self.remove_where(&|entry| entry.kind == kind as u8);
    }

    /// Takes back what a command added that the server then refused.
    pub(super) fn remove_added_by(&mut self, kind: SubscriptionKind, slot: u32) {
        self.remove_where(&|entry| entry.kind == kind as u8 && entry.added_by == slot);
    }

    /// The names of a kind.
    pub(super) fn names(&self, kind: SubscriptionKind) -> impl Iterator<Item = &[u8]> {
        self.entries().filter(move |entry| entry.kind == kind as u8).map(|entry| entry.name)
    }

    /// The most bytes that a name has, or had.
    pub(super) fn longest_name(&self) -> usize {
        self.longest
    }

    /// Forgets what was restored on an earlier stream.
    pub(super) fn begin_restore(&mut self) {
        self.mark_restored(false, &mut |_| true);
    }

    /// The command that subscribes again to names of a kind that have not been restored, as many as fit into `room`
    /// bytes, but one at least. What a slot in flight subscribes to is left to it: `sent` says which slots these are.
    pub(super) fn resubscribe(
        &self,
        kind: SubscriptionKind,
        room: usize,
        sent: Sequences,
    ) -> Resubscribe<'_, 'a> {
        let mut command = Resubscribe { subscriptions: self, kind, sent, take: 0 };
        let mut left = room.saturating_sub(32);
        for name in self.unrestored(kind, sent) {
            let cost = name.len().saturating_add(16);
            if command.take > 0 && cost > left {
                break;
            }
            left = left.saturating_sub(cost);
            command.take += 1;
        }
        command
    }

    /// Keeps that the first `take` names are restored that [`resubscribe`](Self::resubscribe) has taken.
    pub(super) fn took(&mut self, kind: SubscriptionKind, mut take: usize, sent: Sequences) {
        self.mark_restored(true, &mut |entry| {
            let due = take > 0 && entry.is_due(kind, sent);
            take -= usize::from(due);
            due
        });
    }

    fn unrestored(&self, kind: SubscriptionKind, sent: Sequences) -> impl Iterator<Item = &[u8]> {
        self.entries().filter(move |entry| entry.is_due(kind, sent)).map(|entry| entry.name)
    }

    /// Keeps whether the names that match have been restored.
    fn mark_restored(&mut self, restored: bool, matches: &mut dyn FnMut(&Entry<'_>) -> bool) {
        let mut at = 0;
        while let Some(entry) = self.memory.as_slice().get(at..self.used).and_then(read_entry) {
            let end = at + entry.size();
            if !entry.dead
                && matches(&entry)
                && let Some(byte) = self.memory.as_mut_slice().get_mut(at)
            {
                *byte = if restored { *byte | RESTORED } else { *byte & !RESTORED };
            }
            at = end;
        }
    }

    /// The names that are there, and their places.
    fn places(&self) -> impl Iterator<Item = (usize, Entry<'_>)> {
        let memory = self.memory.as_slice().get(..self.used).unwrap_or_default();
        let mut at = 0;
        core::iter::from_fn(move || {
            let place = at;
            let entry = memory.get(at..).and_then(read_entry)?;
            at += entry.size();
            Some((place, entry))
        })
        .filter(|(_, entry)| !entry.dead)
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.places().map(|(_, entry)| entry)
    }

    fn find(&self, kind: SubscriptionKind, name: &[u8]) -> Option<usize> {
        let is_it = |entry: &Entry<'_>| entry.kind == kind as u8 && entry.name == name;
        if !self.index.is_built() {
            return self.places().find(|(_, entry)| is_it(entry)).map(|(place, _)| place);
        }
        let memory = self.memory.as_slice().get(..self.used).unwrap_or_default();
        self.index.find(hash(kind as u8, name), |place| {
            memory.get(place..).and_then(read_entry).is_some_and(|entry| !entry.dead && is_it(&entry))
        })
    }

    fn build_index(&mut self) {
        let mut index = core::mem::take(&mut self.index);
        index.rebuild(self.total());
        for (place, entry) in self.places() {
            index.insert(hash(entry.kind, entry.name), place as u32);
        }
        self.index = index;
    }

    /// Removes names, and closes up the memory.
    fn remove_where(&mut self, matches: &dyn Fn(&Entry<'_>) -> bool) {
        let mut kept = 0;
        let mut at = 0;
        while at < self.used {
            let memory = self.memory.as_mut_slice();
            let Some(entry) = memory.get(at..self.used).and_then(read_entry) else { break };
            let end = at + entry.size();
            let kind = usize::from(entry.kind);
            if entry.dead {
                // Counted when it was removed.
            } else if matches(&entry) {
                if let Some(count) = self.counts.get_mut(kind) {
                    *count -= 1;
                }
            } else {
                move_within(memory, at..end, kept);
                kept += end - at;
            }
            at = end;
        }
        self.used = kept;
        self.dead = 0;
        if self.index.is_built() {
            self.build_index();
        }
    }
}

impl Entry<'_> {
    /// Whether the handshake has to restore it.
    fn is_due(&self, kind: SubscriptionKind, sent: Sequences) -> bool {
        self.kind == kind as u8 && !self.restored && !sent.contains(self.added_by)
    }

    fn size(&self) -> usize {
        ENTRY_OVERHEAD + self.name.len()
    }
}

fn read_entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let (&kind, rest) = bytes.split_first()?;
    let (added_by, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let name = rest.get(..u32::from_le_bytes(*length) as usize)?;
    Some(Entry {
        kind: kind & !(RESTORED | DEAD),
        restored: kind & RESTORED != 0,
        dead: kind & DEAD != 0,
        added_by: u32::from_le_bytes(*added_by),
        name,
    })
}

/// A SUBSCRIBE of its kind with names from the set.
pub(super) struct Resubscribe<'s, 'a> {
    subscriptions: &'s Subscriptions<'a>,
    kind: SubscriptionKind,
    sent: Sequences,
    pub(super) take: usize,
}

impl Command for Resubscribe<'_, '_> {
    type Reply = Open;

    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.kind.command().write_arguments(out);
        self.subscriptions.unrestored(self.kind, self.sent).take(self.take).for_each(|name| out.bytes(name));
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_set_by_kind() {
        let mut set = Subscriptions::new(Storage::growing());
        set.insert(SubscriptionKind::Channel, b"a", 1).unwrap();
        set.insert(SubscriptionKind::Channel, b"a", 2).unwrap();
        set.insert(SubscriptionKind::Pattern, b"a", 3).unwrap();
        set.insert(SubscriptionKind::Channel, b"\xff\0", 3).unwrap();
        assert_eq!(set.count(SubscriptionKind::Channel), 2);
        assert_eq!(set.total(), 3);
        set.remove(SubscriptionKind::Channel, b"a");
        assert_eq!(set.names(SubscriptionKind::Channel).collect::<Vec<_>>(), [b"\xff\0"]);
        set.remove_added_by(SubscriptionKind::Channel, 3);
        assert_eq!(set.count(SubscriptionKind::Channel), 0);
        assert_eq!(set.names(SubscriptionKind::Pattern).collect::<Vec<_>>(), [b"a"]);
        set.remove_all(SubscriptionKind::Pattern);
        assert_eq!(set.total(), 0);
    }

    #[test]
    fn a_large_set_agrees_with_a_set() {
        let mut set = Subscriptions::new(Storage::growing());
        let mut model = std::collections::BTreeSet::new();
        let mut chance = 1u32;
        for round in 0..20_000u32 {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let kind = SubscriptionKind::ALL[(chance >> 30) as usize % 3];
            let name = ((chance >> 8) % 3000).to_le_bytes();
            if chance & 64 == 0 {
                set.insert(kind, &name, round).unwrap();
                model.insert((kind as u8, name));
            } else {
                set.remove(kind, &name);
                model.remove(&(kind as u8, name));
            }
            if round % 5000 == 4999 {
                set.remove_all(kind);
                model.retain(|(other, _)| *other != kind as u8);
            }
        }
        assert_eq!(set.total(), model.len());
        let mut left: Vec<_> = set.entries().map(|entry| (entry.kind, entry.name.to_vec())).collect();
        left.sort();
        assert!(
            left.iter().map(|(kind, name)| (*kind, &name[..])).eq(model.iter().map(|(k, n)| (*k, &n[..])))
        );
    }

    #[test]
    fn lent_memory_has_a_capacity() {
        let mut memory = [0; 2 * (ENTRY_OVERHEAD + 3)];
        let mut set = Subscriptions::new(Storage::from(&mut memory));
        set.insert(SubscriptionKind::Channel, b"abc", 1).unwrap();
        set.insert(SubscriptionKind::Channel, b"def", 1).unwrap();
        assert_eq!(set.insert(SubscriptionKind::Channel, b"", 2), Err(Full));
        set.remove(SubscriptionKind::Channel, b"abc");
        set.insert(SubscriptionKind::Channel, b"", 2).unwrap();
        assert_eq!(set.total(), 2);
    }
}
