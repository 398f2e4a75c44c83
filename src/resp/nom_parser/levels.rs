//! Nesting: which aggregates are open, what may stand in them, and which of them a value closes.

use super::grammar::Expect;
use super::{Halt, NomParser};
use crate::resp::{Progress, Protocol, ProtocolErrorKind};

/// One open aggregate of a [`NomParser`]: what it is, and how much of it has come.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NomLevel {
    pub(super) aggregate: Aggregate,
    /// Values so far; the pushes among them do not count.
    pub(super) seen: u32,
    /// Attributes have come whose value has not.
    attributed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Aggregate {
    /// An array, map or set of this many values, where a pair is two.
    Counted(u32),
    Attribute(u32),
    Push(u32),
    /// An array or set up to its END.
    #[default]
    Streamed,
    StreamedMap,
}

/// A push inside an aggregate, which is an event of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Aside {
    None,
    /// It begins here in the input.
    At(usize),
    /// Its beginning was discarded.
    Lost,
}

impl NomParser<'_> {
    /// What depends on where the value stands.
    pub(super) fn check_place(&self, kind: u8) -> Result<(), Halt> {
        let enclosing = self.open().last();
        match enclosing.map(|level| (level.aggregate, level)) {
            Some((Aggregate::Push(_), level))
                if level.seen == 0 && !matches!(kind, b'+' | b'$' | b'=' | b'|') =>
            {
                return self.value_error(ProtocolErrorKind::BadPush);
            }
            Some((Aggregate::Streamed | Aggregate::StreamedMap, level))
                if level.seen >= self.limits.max_elements && !matches!(kind, b'.' | b'|' | b'>') =>
            {
                return self.value_error(ProtocolErrorKind::SizeLimit);
            }
            _ => {}
        }
        if self.protocol == Protocol::Resp2 {
            return Ok(());
        }
        if kind == b'>' && self.open().iter().any(|level| matches!(level.aggregate, Aggregate::Push(_))) {
            return self.value_error(ProtocolErrorKind::BadPush);
        }
        if kind == b'.' {
            return match enclosing {
                Some(NomLevel { attributed: true, .. }) | None => self.value_error(ProtocolErrorKind::BadEnd),
                Some(NomLevel { aggregate: Aggregate::StreamedMap, seen, .. }) if seen % 2 == 1 => {
                    self.value_error(ProtocolErrorKind::OddMap)
                }
                Some(NomLevel { aggregate: Aggregate::Streamed | Aggregate::StreamedMap, .. }) => Ok(()),
                Some(_) => self.value_error(ProtocolErrorKind::BadEnd),
            };
        }
        Ok(())
    }

    pub(super) fn begin_aggregate(&mut self, kind: u8, length: u64) -> Result<Option<Progress>, Halt> {
        let values = if matches!(kind, b'%' | b'|') { length.checked_mul(2) } else { Some(length) };
        let values = values
            .and_then(|values| u32::try_from(values).ok())
            .filter(|values| *values <= self.limits.max_elements);
        match (kind, values) {
            (_, None) => self.value_error(ProtocolErrorKind::SizeLimit),
            (b'>', Some(0)) => self.value_error(ProtocolErrorKind::BadPush),
            (b'|', Some(0)) => {
                self.attribute_ends();
                Ok(None)
            }
            (_, Some(0)) => Ok(self.complete()),
            (b'>', Some(values)) => self.enter(Aggregate::Push(values)),
            (b'|', Some(values)) => self.enter(Aggregate::Attribute(values)),
            (_, Some(values)) => self.enter(Aggregate::Counted(values)),
        }
    }

    /// The open aggregates, the innermost last.
    pub(super) fn open(&self) -> &[NomLevel] {
        self.stack.as_slice().get(..self.depth).unwrap_or_default()
    }

    fn innermost(&mut self) -> Option<&mut NomLevel> {
        self.stack.as_mut_slice().get_mut(..self.depth)?.last_mut()
    }

    pub(super) fn enter(&mut self, aggregate: Aggregate) -> Result<Option<Progress>, Halt> {
        let depth = self.depth.saturating_add(1);
        if depth > self.limits.max_depth || self.stack.reserve(depth).is_err() {
            return self.value_error(ProtocolErrorKind::DepthLimit);
        }
        self.depth = depth;
        if let Some(level) = self.innermost() {
            *level = NomLevel { aggregate, seen: 0, attributed: false };
        }
        self.expect = Expect::TypeByte;
        Ok(None)
    }

    fn attribute_ends(&mut self) {
        self.expect = Expect::TypeByte;
        if let Some(level) = self.innermost() {
            level.attributed = true;
        }
    }

    /// A value ends here. So does every aggregate that it is the last value of.
    pub(super) fn complete(&mut self) -> Option<Progress> {
        self.expect = Expect::TypeByte;
        let mut push = false;
        loop {
            let Some(level) = self.innermost() else { return Some(self.frame(push)) };
            level.attributed = false;
            level.seen = level.seen.saturating_add(1);
            let NomLevel { aggregate, seen, .. } = *level;
            match aggregate {
                Aggregate::Streamed | Aggregate::StreamedMap => return None,
                Aggregate::Counted(values) | Aggregate::Attribute(values) | Aggregate::Push(values)
                    if seen < values =>
                {
                    return None;
                }
                Aggregate::Counted(_) => self.depth -= 1,
                Aggregate::Attribute(_) => {
                    self.depth -= 1;
                    self.attribute_ends();
                    return None;
                }
                Aggregate::Push(_) => {
                    self.depth -= 1;
                    match core::mem::replace(&mut self.push, Aside::None) {
                        // The push is the frame itself.
                        Aside::None => push = true,
                        Aside::At(start) => return Some(Progress::Push { start, end: self.position }),
                        Aside::Lost => return None,
                    }
                }
            }
        }
    }
}
