//! What the user is subscribed to: the set that the handshake restores on every new stream.

use super::SubscriptionKind;
use crate::command::{Arguments, Command, Open};
use crate::resp::ArgumentWriter;
use crate::storage::{Full, Storage};

/// Names by kind, one after the other in one piece of memory:
/// kind and mark (1 byte), number of the slot that added it (4), length (4), name.
#[derive(Debug)]
pub(super) struct Subscriptions<'a> {
    memory: Storage<'a, u8>,
    used: usize,
    counts: [usize; 3],
}

/// What an entry takes besides its name, in bytes.
pub(super) const ENTRY_OVERHEAD: usize = 9;

/// In the byte of the kind: the handshake has restored the name.
const RESTORED: u8 = 0x80;

struct Entry<'e> {
    kind: u8,
    restored: bool,
    added_by: u32,
    name: &'e [u8],
}

impl<'a> Subscriptions<'a> {
    pub(super) fn new(memory: Storage<'a, u8>) -> Self {
        Subscriptions { memory, used: 0, counts: [0; 3] }
    }

    pub(super) fn count(&self, kind: SubscriptionKind) -> usize {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.counts = [0; 3];
        self.memory.shrink(0);
    }

    /// Adds a name unless it is there.
    pub(super) fn insert(&mut self, kind: SubscriptionKind, name: &[u8], added_by: u32) -> Result<(), Full> {
        if self.entries().any(|entry| entry.kind == kind as u8 && entry.name == name) {
            return Ok(());
        }
        let length = u32::try_from(name.len()).map_err(|_| Full)?;
        let end = self.used.checked_add(ENTRY_OVERHEAD + name.len()).ok_or(Full)?;
        self.memory.reserve(end)?;
        let place = self.memory.as_mut_slice().get_mut(self.used..end).ok_or(Full)?;
        let (header, text) = place.split_at_mut_checked(ENTRY_OVERHEAD).ok_or(Full)?;
        text.copy_from_slice(name);
        if let [place, rest @ ..] = header {
            *place = kind as u8;
            let (adder, size) = rest.split_at_mut_checked(4).ok_or(Full)?;
            adder.copy_from_slice(&added_by.to_le_bytes());
            size.copy_from_slice(&length.to_le_bytes());
        }
        self.used = end;
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count += 1;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, kind: SubscriptionKind, name: &[u8]) {
        self.remove_where(|entry| entry.kind == kind as u8 && entry.name == name);
    }

    pub(super) fn remove_all(&mut self, kind: SubscriptionKind) {
        self.remove_where(|entry| entry.kind == kind as u8);
    }

    /// Takes back what a command added that the server then refused, and says how many that were.
    pub(super) fn remove_added_by(&mut self, kind: SubscriptionKind, slot: u32) -> usize {
        let before = self.count(kind);
        self.remove_where(|entry| entry.kind == kind as u8 && entry.added_by == slot);
        before - self.count(kind)
    }

    /// The names of a kind.
    pub(super) fn names(&self, kind: SubscriptionKind) -> impl Iterator<Item = &[u8]> {
        self.entries().filter(move |entry| entry.kind == kind as u8).map(|entry| entry.name)
    }

    pub(super) fn longest_name(&self) -> usize {
        self.entries().map(|entry| entry.name.len()).max().unwrap_or(0)
    }

    /// Forgets what was restored on an earlier stream.
    pub(super) fn begin_restore(&mut self) {
        self.mark(|_| true, |byte| byte & !RESTORED);
    }

    /// The command that subscribes again to names of a kind that have not been restored, as many as fit into `room`
    /// bytes, but one at least. What a slot in flight subscribes to is left to it: `sent` says which slots these are.
    pub(super) fn resubscribe<F: Fn(u32) -> bool + Copy>(
        &self,
        kind: SubscriptionKind,
        room: usize,
        sent: F,
    ) -> Resubscribe<'_, 'a, F> {
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

    /// Marks the first `take` names that [`resubscribe`](Self::resubscribe) has taken.
    pub(super) fn mark_restored(&mut self, kind: SubscriptionKind, take: usize, sent: impl Fn(u32) -> bool) {
        let left = core::cell::Cell::new(take);
        self.mark(
            |entry| {
                let due =
                    entry.kind == kind as u8 && !entry.restored && !sent(entry.added_by) && left.get() > 0;
                left.set(left.get() - usize::from(due));
                due
            },
            |byte| byte | RESTORED,
        );
    }

    fn unrestored(&self, kind: SubscriptionKind, sent: impl Fn(u32) -> bool) -> impl Iterator<Item = &[u8]> {
        self.entries()
            .filter(move |entry| entry.kind == kind as u8 && !entry.restored && !sent(entry.added_by))
            .map(|entry| entry.name)
    }

    fn mark(&mut self, matches: impl Fn(&Entry<'_>) -> bool, change: impl Fn(u8) -> u8) {
        let mut at = 0;
        while let Some(entry) = self.memory.as_slice().get(at..self.used).and_then(read_entry) {
            let end = at + ENTRY_OVERHEAD + entry.name.len();
            if matches(&entry)
                && let Some(byte) = self.memory.as_mut_slice().get_mut(at)
            {
                *byte = change(*byte);
            }
            at = end;
        }
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut rest = self.memory.as_slice().get(..self.used).unwrap_or_default();
        core::iter::from_fn(move || {
            let entry = read_entry(rest)?;
            rest = rest.get(ENTRY_OVERHEAD + entry.name.len()..)?;
            Some(entry)
        })
    }

    fn remove_where(&mut self, matches: impl Fn(&Entry<'_>) -> bool) {
        let mut kept = 0;
        let mut at = 0;
        while at < self.used {
            let memory = self.memory.as_mut_slice();
            let Some(entry) = memory.get(at..self.used).and_then(read_entry) else { break };
            let end = at + ENTRY_OVERHEAD + entry.name.len();
            let kind = usize::from(entry.kind);
            if matches(&entry) {
                if let Some(count) = self.counts.get_mut(kind) {
                    *count -= 1;
                }
            } else {
                memory.copy_within(at..end, kept);
                kept += end - at;
            }
            at = end;
        }
        self.used = kept;
    }
}

fn read_entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let (&kind, rest) = bytes.split_first()?;
    let (added_by, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let name = rest.get(..u32::from_le_bytes(*length) as usize)?;
    Some(Entry {
        kind: kind & !RESTORED,
        restored: kind & RESTORED != 0,
        added_by: u32::from_le_bytes(*added_by),
        name,
    })
}

/// A SUBSCRIBE of its kind with names from the set.
pub(super) struct Resubscribe<'s, 'a, F> {
    subscriptions: &'s Subscriptions<'a>,
    kind: SubscriptionKind,
    sent: F,
    pub(super) take: usize,
}

impl<F: Fn(u32) -> bool + Copy> Command for Resubscribe<'_, '_, F> {
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
        assert_eq!(set.remove_added_by(SubscriptionKind::Channel, 3), 1);
        assert_eq!(set.names(SubscriptionKind::Pattern).collect::<Vec<_>>(), [b"a"]);
        set.remove_all(SubscriptionKind::Pattern);
        assert_eq!(set.total(), 0);
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
