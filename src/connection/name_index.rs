//! Where names stand in a large set of them: a hash table of places, beside memory that grows.
//!
//! Lent memory has none, and is searched from end to end; so is a small set.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Places by hash, with open addressing. Places of names that were removed stay until the table is built anew.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    #[cfg(feature = "alloc")]
    places: Vec<u32>,
    #[cfg(feature = "alloc")]
    taken: usize,
}

#[cfg(feature = "alloc")]
const FREE: u32 = u32::MAX;

#[cfg(feature = "alloc")]
impl NameIndex {
    /// Whether there is a table to be asked.
    pub(super) fn is_built(&self) -> bool {
        !self.places.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.taken < self.places.len() / 2
    }

    /// Empties the table and makes it large enough for so many names, twice as many to come. Without memory for it there
    /// is none.
    pub(super) fn rebuild(&mut self, names: usize) {
        let size = names.saturating_mul(4).next_power_of_two();
        self.places.clear();
        self.taken = 0;
        if self.places.try_reserve(size).is_ok() {
            self.places.resize(size, FREE);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = NameIndex::default();
    }

    pub(super) fn insert(&mut self, hash: u32, place: u32) {
        let slots = self.slots(hash);
        for slot in slots {
            if let Some(free) = self.places.get_mut(slot).filter(|place| **place == FREE) {
                *free = place;
                self.taken += 1;
                return;
            }
        }
    }

    /// The place that `is_it` says yes to, among those with this hash.
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(usize) -> bool) -> Option<usize> {
        self.slots(hash)
            .map_while(|slot| self.places.get(slot).copied().filter(|&place| place != FREE))
            .map(|place| place as usize)
            .find(|&place| is_it(place))
    }

    /// The slots to be looked at for a hash, one after the other.
    fn slots(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.places.len().wrapping_sub(1);
        let first = hash as usize;
        (0..self.places.len()).map(move |step| first.wrapping_add(step) & mask)
    }
}

#[cfg(not(feature = "alloc"))]
impl NameIndex {
    pub(super) fn is_built(&self) -> bool {
        false
    }

    pub(super) fn has_room(&self) -> bool {
        false
    }

    pub(super) fn rebuild(&mut self, _names: usize) {}

    pub(super) fn clear(&mut self) {}

    pub(super) fn insert(&mut self, _hash: u32, _place: u32) {}

    pub(super) fn find(&self, _hash: u32, _is_it: impl FnMut(usize) -> bool) -> Option<usize> {
        None
    }
}

/// FNV-1a: the names are the user's own, so nobody chooses them to collide.
pub(super) fn hash(kind: u8, name: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    name.iter().fold(step(0x811c_9dc5, &kind), step)
}
