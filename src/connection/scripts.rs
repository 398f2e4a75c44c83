//! Which scripts this server is known to hold.

use crate::script::Digest;
use crate::storage::Storage;

/// Digests of scripts that were loaded over this connection. When there is no room for another, the oldest is forgotten:
/// what is not known costs a round trip, nothing else.
#[derive(Debug)]
pub(super) struct Scripts<'a> {
    digests: Storage<'a, Digest>,
    length: usize,
    next: usize,
}

/// A growing cache stops growing at this number of scripts.
const MOST: usize = 1024;

impl<'a> Scripts<'a> {
    pub(super) fn new(digests: Storage<'a, Digest>) -> Self {
        Scripts { digests, length: 0, next: 0 }
    }

    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.digests.as_slice().get(..self.length).unwrap_or_default().contains(digest)
    }

    pub(super) fn insert(&mut self, digest: Digest) {
        if self.knows(&digest) {
            return;
        }
        if self.length < MOST && self.digests.reserve(self.length + 1).is_ok() {
            self.next = self.length;
            self.length += 1;
        } else if self.length == 0 {
            return;
        }
        if let Some(place) = self.digests.as_mut_slice().get_mut(self.next) {
            *place = digest;
        }
        self.next = (self.next + 1) % self.length;
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut memory = [Digest::default(); 2];
        let mut scripts = Scripts::new(Storage::from(&mut memory));
        let digests = [b"1", b"2", b"3"].map(|source| Digest::of(source));
        for digest in digests {
            scripts.insert(digest);
            scripts.insert(digest);
        }
        assert_eq!(digests.map(|digest| scripts.knows(&digest)), [false, true, true]);
        scripts.clear();
        assert!(!scripts.knows(&digests[2]));
    }
}
