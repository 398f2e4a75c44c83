//! What the user is subscribed to: the set that the handshake restores on every new stream.
//!
//! A name has a settled part, what the answered commands have made of it, and the newest command in flight that names it.
//! That command decides whether the name belongs to the set, as if it succeeded: an older one cannot change that any more.
//! When it is refused, all older ones have been answered, so the settled part is the truth.

use super::SubscriptionKind;
use super::name_index::{NameIndex, hash};
use crate::command::Arguments;
use crate::resp::{ArgumentWriter, Encode};
use crate::storage::{Full, Storage, copy, move_within};

/// Names by kind, one after the other in one piece of memory:
/// kind and flags (1 byte), number of the newest command in flight that names it (4), length (4), name.
#[derive(Debug)]
pub(super) struct Subscriptions<'a> {
    memory: Storage<'a, u8>,
    used: usize,
    /// Bytes of names that were removed and still take their place, and those of them that stand before all others.
    dead: usize,
    dead_first: usize,
    /// How many names belong to the set, by kind.
    counts: [usize; 3],
    /// The length of the longest name since the set was empty.
    longest: usize,
    /// What the handshake is restoring: the kind, and the place of the first name of it that is to be sent, or was sent last.
    restoring: (SubscriptionKind, usize),
    index: NameIndex,
}

/// What an entry takes besides its name, in bytes.
pub(super) const ENTRY_OVERHEAD: usize = 9;

/// Sets up to this number of names are searched from end to end.
const SMALL: usize = 16;

/// In the first byte of an entry: its kind.
const KIND: u8 = 0b11;
/// It is subscribed to, as far as the commands that are answered say.
const SETTLED: u8 = 1 << 2;
/// A SUBSCRIBE in flight names it, and is the newest command that does.
const WANTED: u8 = 1 << 3;
/// An UNSUBSCRIBE in flight names it, or RESET, and is the newest command that does.
const UNWANTED: u8 = 1 << 4;
/// The handshake has sent a SUBSCRIBE for it.
const SENT: u8 = 1 << 5;
/// The handshake's SUBSCRIBE for it was confirmed.
const RESTORED: u8 = 1 << 6;
/// The name was removed.
const DEAD: u8 = 1 << 7;

/// What the server's word that a name is not subscribed to any more means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsubscribed {
    /// It is what the command asked for.
    Asked,
    /// A newer command names it; the one that is answered may have asked for it too.
    Pending,
    /// Nobody has asked for it.
    Unasked,
    /// The name is not in the set.
    Unknown,
}

struct Entry<'e> {
    flags: u8,
    number: u32,
    name: &'e [u8],
}

impl<'a> Subscriptions<'a> {
    pub(super) fn new(memory: Storage<'a, u8>) -> Self {
        Subscriptions {
            memory,
            used: 0,
            dead: 0,
            dead_first: 0,
            counts: [0; 3],
            longest: 0,
            restoring: (SubscriptionKind::Channel, 0),
            index: NameIndex::default(),
        }
    }

    /// How many names of a kind belong to the set, if all commands in flight succeed.
    pub(super) fn count(&self, kind: SubscriptionKind) -> usize {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Whether no name is there at all, not even one that commands in flight take out.
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The names of a kind that belong to the set, if all commands in flight succeed.
    pub(super) fn names(&self, kind: SubscriptionKind) -> impl Iterator<Item = &[u8]> {
        self.entries().filter(move |entry| entry.is(kind) && entry.belongs()).map(|entry| entry.name)
    }

    /// The most bytes that a name has, or had.
    pub(super) fn longest_name(&self) -> usize {
        self.longest
    }

    /// A SUBSCRIBE with this number was sent for these names.
    ///
    /// # Errors
    /// [`Full`] when there is no room for all of them. Nothing has changed.
    pub(super) fn want<'n>(
        &mut self,
        kind: SubscriptionKind,
        names: impl Iterator<Item = &'n [u8]> + Clone,
        number: u32,
    ) -> Result<(), Full> {
        for name in names.clone() {
            if self.find(kind, name).is_none() && self.add(kind, name, number).is_err() {
                // Those that were there have not been touched yet.
                self.refused(number, usize::MAX);
                return Err(Full);
            }
        }
        names.for_each(|name| self.change(kind, name, UNWANTED, WANTED, Some(number)));
        Ok(())
    }

    /// An UNSUBSCRIBE with this number was sent for a name.
    pub(super) fn unwant(&mut self, kind: SubscriptionKind, name: &[u8], number: u32) {
        self.change(kind, name, WANTED, UNWANTED, Some(number));
    }

    /// An UNSUBSCRIBE with this number was sent for all names of a kind, or RESET for all names.
    pub(super) fn unwant_all(&mut self, kind: Option<SubscriptionKind>, number: u32) {
        self.change_where(&|entry| kind.is_none_or(|kind| entry.is(kind)), WANTED, UNWANTED, Some(number));
    }

    /// The server has confirmed that a name is subscribed to, for the command with this number. False if no command can
    /// have asked for it.
    pub(super) fn subscribed(&mut self, kind: SubscriptionKind, name: &[u8], number: u32) -> bool {
        let Some(at) = self.find(kind, name) else { return false };
        let answered = self.entry(at).is_some_and(|entry| entry.number == number);
        let pending = if answered { WANTED } else { 0 };
        self.change_at(at, pending, SETTLED, None);
        true
    }

    /// The server says that a name is not subscribed to any more, while the command with this number is the oldest one, if
    /// there is one.
    pub(super) fn unsubscribed(
        &mut self,
        kind: SubscriptionKind,
        name: &[u8],
        number: Option<u32>,
    ) -> Unsubscribed {
        let Some(at) = self.find(kind, name) else { return Unsubscribed::Unknown };
        let Some(entry) = self.entry(at) else { return Unsubscribed::Unknown };
        let pending = entry.flags & (WANTED | UNWANTED) != 0;
        let asked = entry.flags & UNWANTED != 0 && Some(entry.number) == number;
        let done = if asked { UNWANTED } else { 0 };
        self.change_at(at, done | SETTLED, 0, None);
        match number {
            _ if asked => Unsubscribed::Asked,
            Some(_) if pending => Unsubscribed::Pending,
            _ => Unsubscribed::Unasked,
        }
    }

    /// The command with this number, which names at most `count` names, was refused as a whole.
    pub(super) fn refused(&mut self, number: u32, count: usize) {
        while let Some(entry) = self.entry(self.dead_first)
            && entry.flags & DEAD != 0
        {
            self.dead_first += entry.size();
        }
        let pending = WANTED | UNWANTED;
        let matches = |entry: &Entry<'_>| entry.number == number && entry.flags & pending != 0;
        self.change_some(self.dead_first, count, &matches, pending, 0);
    }

    /// RESET, which has this number, was answered: nothing is subscribed to but by commands after it.
    pub(super) fn reset(&mut self, number: u32) {
        self.change_where(&|_| true, SETTLED, 0, None);
        self.change_where(&|entry| entry.number == number, UNWANTED, 0, None);
    }

    /// The stream is lost, and with it all commands in flight: the set is what they would have made of it.
    pub(super) fn lost(&mut self) {
        self.change_where(&|entry| entry.flags & WANTED != 0, WANTED, SETTLED, None);
        self.change_where(&|entry| entry.flags & UNWANTED != 0, UNWANTED | SETTLED, 0, None);
    }

    /// Forgets what was restored on an earlier stream.
    pub(super) fn begin_restore(&mut self) {
        self.change_where(&|_| true, SENT | RESTORED, 0, None);
        self.restoring = (SubscriptionKind::Channel, 0);
    }

    /// The command that subscribes again to names of a kind that have not been restored, as many as fit into `room` bytes,
    /// but one at least, and `most` at most. What only commands that wait name is left to them.
    pub(super) fn resubscribe(
        &mut self,
        kind: SubscriptionKind,
        room: usize,
        most: usize,
    ) -> Resubscribe<'_, 'a> {
        let (restoring, mut at) = self.restoring;
        if restoring != kind {
            at = 0;
        }
        while let Some(entry) = self.entry(at)
            && !entry.is_due(kind)
        {
            at += entry.size();
        }
        self.restoring = (kind, at);
        let mut take = 0;
        let mut left = room.saturating_sub(32);
        for name in self.due() {
            let cost = name.len().saturating_add(16);
            if take > 0 && (cost > left || take >= most) {
                break;
            }
            left = left.saturating_sub(cost);
            take += 1;
        }
        Resubscribe { subscriptions: self, take }
    }

    /// The first `take` names that [`resubscribe`](Self::resubscribe) has taken were sent.
    pub(super) fn sent(&mut self, take: usize) {
        let (kind, at) = self.restoring;
        self.change_some(at, take, &|entry| entry.is_due(kind), 0, SENT);
    }

    /// The server has confirmed a name for the handshake. False if that was not sent.
    pub(super) fn restored(&mut self, kind: SubscriptionKind, name: &[u8]) -> bool {
        let Some(at) = self.find(kind, name) else { return false };
        if !self.entry(at).is_some_and(|entry| entry.is_unconfirmed(kind)) {
            return false;
        }
        self.change_at(at, 0, RESTORED, None);
        true
    }

    /// The `count` names that were sent and are not confirmed were refused: they are to be sent again.
    pub(super) fn send_again(&mut self, count: usize) {
        let (kind, at) = self.restoring;
        self.change_some(at, count, &|entry| entry.is_unconfirmed(kind), SENT, 0);
    }

    /// The name that was sent and is not confirmed.
    pub(super) fn unconfirmed(&self) -> Option<&[u8]> {
        let (kind, mut at) = self.restoring;
        while let Some(entry) = self.entry(at) {
            if entry.is_unconfirmed(kind) {
                return Some(entry.name);
            }
            at += entry.size();
        }
        None
    }

    /// The name that was sent and is not confirmed was refused, and is given up, unless a command that waits asks for it.
    pub(super) fn give_up(&mut self) {
        let (kind, at) = self.restoring;
        self.change_some(at, 1, &|entry| entry.is_unconfirmed(kind), SENT | SETTLED, 0);
    }

    /// The names that the handshake has to restore, of the kind that it is restoring.
    fn due(&self) -> impl Iterator<Item = &[u8]> {
        let (kind, at) = self.restoring;
        self.places(at)
            .map(|(_, entry)| entry)
            .filter(move |entry| entry.is_due(kind))
            .map(|entry| entry.name)
    }

    /// Adds a name that is not there, for a SUBSCRIBE with this number.
    fn add(&mut self, kind: SubscriptionKind, name: &[u8], number: u32) -> Result<(), Full> {
        let length = u32::try_from(name.len()).map_err(|_| Full)?;
        let end = self.used.checked_add(ENTRY_OVERHEAD + name.len()).ok_or(Full)?;
        // Places are kept as 32 bits.
        let start = u32::try_from(self.used).map_err(|_| Full)?;
        self.memory.reserve(end)?;
        let place = self.memory.as_mut_slice().get_mut(self.used..end).ok_or(Full)?;
        let (header, text) = place.split_at_mut_checked(ENTRY_OVERHEAD).ok_or(Full)?;
        copy(text, name);
        if let [place, rest @ ..] = header {
            *place = kind as u8 | WANTED;
            let (numbered, size) = rest.split_at_mut_checked(4).ok_or(Full)?;
            copy(numbered, &number.to_le_bytes());
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

    /// Clears and sets flags of a name, and keeps which command names it last, if it is there.
    fn change(&mut self, kind: SubscriptionKind, name: &[u8], clear: u8, set: u8, number: Option<u32>) {
        if let Some(at) = self.find(kind, name) {
            self.change_at(at, clear, set, number);
        }
    }

    /// The same for the entry at a place. One that nothing speaks for any more is removed.
    fn change_at(&mut self, at: usize, clear: u8, set: u8, number: Option<u32>) {
        if let Some(size) = self.set_flags(at, clear, set, number) {
            self.dead += size;
            self.close_up_when_it_pays();
        }
    }

    /// The same for all entries that match.
    fn change_where(
        &mut self,
        matches: &dyn Fn(&Entry<'_>) -> bool,
        clear: u8,
        set: u8,
        number: Option<u32>,
    ) {
        let mut at = 0;
        while let Some(entry) = self.entry(at) {
            let (size, changes) = (entry.size(), entry.flags & DEAD == 0 && matches(&entry));
            if changes && self.set_flags(at, clear, set, number).is_some() {
                self.dead += size;
            }
            at += size;
        }
        self.close_up_when_it_pays();
    }

    /// Clears and sets flags of the first `count` entries that match, from a place on.
    fn change_some(
        &mut self,
        mut at: usize,
        mut count: usize,
        matches: &dyn Fn(&Entry<'_>) -> bool,
        clear: u8,
        set: u8,
    ) {
        while count > 0
            && let Some(entry) = self.entry(at)
        {
            let size = entry.size();
            if matches(&entry) {
                count -= 1;
                if self.set_flags(at, clear, set, None).is_some() {
                    self.dead += size;
                }
            }
            at += size;
        }
        self.close_up_when_it_pays();
    }

    /// Lent memory is closed up at once; what grows, when half of it is waste, which is paid for by the removals.
    fn close_up_when_it_pays(&mut self) {
        if self.dead > 0 && (!self.memory.grows() || self.dead > self.used / 2) {
            self.close_up();
        }
    }

    /// Sets flags and number of the entry at a place. Gives its size if it is dead with that.
    fn set_flags(&mut self, at: usize, clear: u8, set: u8, number: Option<u32>) -> Option<usize> {
        let entry = self.entry(at)?;
        let (size, kind) = (entry.size(), usize::from(entry.flags & KIND));
        let new = entry.flags & !clear | set;
        let dead = new & (SETTLED | WANTED | UNWANTED) == 0;
        let (before, after) = (belongs(entry.flags), belongs(new));
        let header = self.memory.as_mut_slice().get_mut(at..)?;
        let (place, rest) = header.split_first_mut()?;
        *place = if dead { new | DEAD } else { new };
        if let (Some(number), Some(place)) = (number, rest.first_chunk_mut()) {
            *place = number.to_le_bytes();
        }
        if let Some(count) = self.counts.get_mut(kind) {
            *count = *count + usize::from(after) - usize::from(before);
        }
        dead.then_some(size)
    }

    fn entry(&self, at: usize) -> Option<Entry<'_>> {
        self.memory.as_slice().get(at..self.used).and_then(read_entry)
    }

    /// The names that are there from a place on, and their places.
    fn places(&self, mut at: usize) -> impl Iterator<Item = (usize, Entry<'_>)> {
        core::iter::from_fn(move || {
            let place = at;
            let entry = self.entry(at)?;
            at += entry.size();
            Some((place, entry))
        })
        .filter(|(_, entry)| entry.flags & DEAD == 0)
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.places(0).map(|(_, entry)| entry)
    }

    fn find(&self, kind: SubscriptionKind, name: &[u8]) -> Option<usize> {
        let is_it = |entry: &Entry<'_>| entry.is(kind) && entry.name == name;
        if !self.index.is_built() {
            return self.places(0).find(|(_, entry)| is_it(entry)).map(|(place, _)| place);
        }
        self.index.find(hash(kind as u8, name), |place| {
            self.entry(place).is_some_and(|entry| entry.flags & DEAD == 0 && is_it(&entry))
        })
    }

    fn build_index(&mut self) {
        let mut index = core::mem::take(&mut self.index);
        index.rebuild(self.entries().count());
        for (place, entry) in self.places(0) {
            index.insert(hash(entry.flags & KIND, entry.name), place as u32);
        }
        self.index = index;
    }

    /// Closes up the memory where entries were removed.
    fn close_up(&mut self) {
        let mut kept = 0;
        let mut at = 0;
        while let Some(entry) = self.entry(at) {
            let (end, dead) = (at + entry.size(), entry.flags & DEAD != 0);
            if !dead {
                move_within(self.memory.as_mut_slice(), at..end, kept);
                kept += end - at;
            }
            at = end;
        }
        self.used = kept;
        self.dead = 0;
        self.dead_first = 0;
        // Places have changed.
        self.restoring.1 = 0;
        if kept == 0 {
            self.longest = 0;
            self.index.clear();
            self.memory.shrink(0);
        } else if self.index.is_built() {
            self.build_index();
        }
    }
}

/// Whether a name with these flags belongs to the set, if all commands in flight succeed.
const fn belongs(flags: u8) -> bool {
    flags & WANTED != 0 || flags & (SETTLED | UNWANTED) == SETTLED
}

impl Entry<'_> {
    fn is(&self, kind: SubscriptionKind) -> bool {
        self.flags & KIND == kind as u8
    }

    fn belongs(&self) -> bool {
        belongs(self.flags)
    }

    /// Whether the handshake has to restore it. Commands that wait and name it too may be refused, and then it is as before
    /// them.
    fn is_due(&self, kind: SubscriptionKind) -> bool {
        self.is(kind) && self.flags & (SETTLED | SENT | DEAD) == SETTLED
    }

    /// Whether the handshake has sent it and the server has not answered.
    fn is_unconfirmed(&self, kind: SubscriptionKind) -> bool {
        self.is(kind) && self.flags & (SENT | RESTORED | DEAD) == SENT
    }

    fn size(&self) -> usize {
        ENTRY_OVERHEAD + self.name.len()
    }
}

fn read_entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let (&flags, rest) = bytes.split_first()?;
    let (number, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let name = rest.get(..u32::from_le_bytes(*length) as usize)?;
    Some(Entry { flags, number: u32::from_le_bytes(*number), name })
}

/// A SUBSCRIBE of its kind with names from the set.
pub(super) struct Resubscribe<'s, 'a> {
    subscriptions: &'s Subscriptions<'a>,
    pub(super) take: usize,
}

impl Encode for Resubscribe<'_, '_> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.subscriptions.restoring.0.command().write_arguments(out);
        self.subscriptions.due().take(self.take).for_each(|name| out.bytes(name));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;

    const KIND: SubscriptionKind = SubscriptionKind::Channel;

    fn names(set: &Subscriptions<'_>) -> Vec<Vec<u8>> {
        let mut names: Vec<_> = set.names(KIND).map(<[u8]>::to_vec).collect();
        names.sort();
        assert_eq!(names.len(), set.count(KIND));
        names
    }

    fn want(set: &mut Subscriptions<'_>, names: &[&[u8]], number: u32) {
        set.want(KIND, names.iter().copied(), number).unwrap();
    }

    #[test]
    fn a_name_stays_as_long_as_a_command_that_asked_for_it_may_succeed() {
        let mut set = Subscriptions::new(Storage::growing());
        want(&mut set, &[b"a", b"b"], 1);
        want(&mut set, &[b"a"], 2);
        set.refused(1, usize::MAX);
        assert_eq!(names(&set), [b"a"]);
        assert!(set.subscribed(KIND, b"a", 2));
        assert_eq!(names(&set), [b"a"]);
        assert!(!set.subscribed(KIND, b"b", 2));
    }

    #[test]
    fn a_refused_unsubscription_takes_nothing() {
        let mut set = Subscriptions::new(Storage::growing());
        want(&mut set, &[b"a", b"b"], 1);
        set.unwant_all(Some(KIND), 2);
        assert_eq!(set.total(), 0);
        assert!(set.subscribed(KIND, b"a", 1) && set.subscribed(KIND, b"b", 1));
        assert_eq!(set.total(), 0);
        set.refused(2, usize::MAX);
        assert_eq!(names(&set), [b"a", b"b"]);
        set.unwant(KIND, b"a", 3);
        want(&mut set, &[b"a"], 4);
        assert_eq!(set.unsubscribed(KIND, b"a", Some(3)), Unsubscribed::Pending);
        assert_eq!(names(&set), [b"a", b"b"]);
        set.refused(4, usize::MAX);
        assert_eq!(names(&set), [b"b"]);
        assert_eq!(set.unsubscribed(KIND, b"b", None), Unsubscribed::Unasked);
        assert_eq!(set.unsubscribed(KIND, b"b", None), Unsubscribed::Unknown);
    }

    #[test]
    fn reset_takes_what_was_before_it() {
        let mut set = Subscriptions::new(Storage::growing());
        want(&mut set, &[b"a", b"b"], 1);
        assert!(set.subscribed(KIND, b"a", 1) && set.subscribed(KIND, b"b", 1));
        set.unwant_all(None, 2);
        want(&mut set, &[b"b", b"c"], 3);
        set.reset(2);
        assert_eq!(names(&set), [b"b", b"c"]);
        set.refused(3, usize::MAX);
        assert_eq!(set.total(), 0);
    }

    #[test]
    fn what_is_lost_counts_as_asked_for() {
        let mut set = Subscriptions::new(Storage::growing());
        want(&mut set, &[b"a", b"b"], 1);
        set.unwant(KIND, b"b", 2);
        set.lost();
        assert_eq!(names(&set), [b"a"]);
        set.begin_restore();
        want(&mut set, &[b"c"], 3);
        let command = set.resubscribe(KIND, 1000, 10);
        assert_eq!(command.take, 1);
        set.sent(1);
        assert_eq!(set.unconfirmed(), Some(&b"a"[..]));
        assert!(!set.restored(KIND, b"c") && set.restored(KIND, b"a") && !set.restored(KIND, b"a"));
    }

    #[test]
    fn what_is_refused_in_the_handshake_is_given_up_alone() {
        let mut set = Subscriptions::new(Storage::growing());
        want(&mut set, &[b"a", b"b"], 1);
        set.lost();
        set.begin_restore();
        assert_eq!(set.resubscribe(KIND, 1000, 10).take, 2);
        set.sent(2);
        set.send_again(2);
        assert_eq!(set.resubscribe(KIND, 1000, 1).take, 1);
        set.sent(1);
        set.give_up();
        assert_eq!(names(&set), [b"b"]);
    }

    #[test]
    fn a_large_set_agrees_with_a_set() {
        let mut set = Subscriptions::new(Storage::growing());
        let mut model = BTreeSet::new();
        let mut chance = 1u32;
        for round in 0..20_000u32 {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let kind = SubscriptionKind::ALL[(chance >> 30) as usize % 3];
            let name = ((chance >> 8) % 3000).to_le_bytes();
            if chance & 64 == 0 {
                set.want(kind, [&name[..]].into_iter(), round).unwrap();
                assert!(set.subscribed(kind, &name, round));
                model.insert((kind as u8, name));
            } else {
                set.unsubscribed(kind, &name, None);
                model.remove(&(kind as u8, name));
            }
            if round % 5000 == 4999 {
                set.unwant_all(Some(kind), round);
                set.lost();
                model.retain(|(other, _)| *other != kind as u8);
            }
        }
        assert_eq!(set.total(), model.len());
        let mut left: Vec<_> =
            set.entries().map(|entry| (entry.flags & super::KIND, entry.name.to_vec())).collect();
        left.sort();
        assert!(
            left.iter().map(|(kind, name)| (*kind, &name[..])).eq(model.iter().map(|(k, n)| (*k, &n[..])))
        );
    }

    #[test]
    fn lent_memory_has_a_capacity() {
        let mut memory = [0; 2 * (ENTRY_OVERHEAD + 3)];
        let mut set = Subscriptions::new(Storage::from(&mut memory));
        want(&mut set, &[b"abc"], 1);
        assert!(set.subscribed(KIND, b"abc", 1));
        assert_eq!(set.want(KIND, [&b"abc"[..], b"def", b"ghi"].into_iter(), 2), Err(Full));
        assert_eq!(names(&set), [b"abc"]);
        want(&mut set, &[b"def"], 3);
        set.unsubscribed(KIND, b"abc", None);
        want(&mut set, &[b""], 4);
        assert_eq!(names(&set), [&b""[..], b"def"]);
    }
}
