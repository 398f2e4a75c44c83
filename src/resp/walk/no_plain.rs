//! In place of plain.rs, without the feature `__fast`: no value is plain, and all are read in full.

use super::{Head, Walker};

impl<'a> Walker<'a> {
    #[inline]
    pub(crate) fn short(_: &'a [u8], _: bool) -> Option<(Self, usize)> {
        None
    }

    #[inline]
    pub(crate) fn bulk(&mut self) -> Option<&'a [u8]> {
        None
    }
}

#[inline]
pub(super) fn split_plain(_: &[u8]) -> Option<(Head<'_>, &[u8])> {
    None
}
