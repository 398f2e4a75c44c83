//! Nesting: which aggregates are open, what may stand in them, and which of them a value closes.

use super::lines::STREAMED;
use super::{Refused, Scanner, State};
use crate::parts::RESP3;
use crate::resp::{Progress, Protocol, ProtocolErrorKind};

/// One open aggregate: how many elements are still to come, and of what.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Level {
    /// Values still to come. In a streamed aggregate: how many more may come.
    pub(super) remaining: u32,
    pub(super) nest: Nest,
    /// An attribute precedes the value that comes next.
    pub(super) attributed: bool,
    /// The next element is the first of a push, or a key of a streamed map.
    pub(super) first: bool,
}

impl Level {
    /// A place for an aggregate: what memory for nesting is filled with.
    pub const EMPTY: Self = Level { remaining: 0, nest: Nest::Root, attributed: false, first: false };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Nest {
    /// Outside of all aggregates.
    #[default]
    Root,
    Counted,
    Attribute,
    Push,
    Streamed,
    StreamedMap,
}

/// The level outside of all aggregates, with the frame as its one value.
pub(super) const ROOT: Level = Level { remaining: 1, nest: Nest::Root, attributed: false, first: false };

/// The place of a push whose beginning was discarded. It cannot be delivered any more, and it is no element.
pub(super) const LOST: usize = usize::MAX;

impl Scanner<'_> {
    /// The types that RESP3 adds, and where these may stand.
    pub(super) fn check_resp3(&mut self, byte: u8) -> Result<(), Refused> {
        let kind = match byte {
            _ if !RESP3 || self.protocol == Protocol::Resp2 => ProtocolErrorKind::UnknownType,
            b'%' | b'~' | b'|' | b'!' | b'=' | b'_' | b',' | b'#' | b'(' => return Ok(()),
            b'>' if self.depth == 0 => return Ok(()),
            b'>' if !self.in_push() => {
                self.push = Some(self.position - 1);
                return Ok(());
            }
            b'>' => ProtocolErrorKind::BadPush,
            b'.' => match self.top.nest {
                _ if self.top.attributed => ProtocolErrorKind::BadEnd,
                Nest::StreamedMap if !self.top.first => ProtocolErrorKind::OddMap,
                Nest::Streamed | Nest::StreamedMap => return Ok(()),
                _ => ProtocolErrorKind::BadEnd,
            },
            b';' => ProtocolErrorKind::BadChunk,
            _ => ProtocolErrorKind::UnknownType,
        };
        Err(self.refuse(kind))
    }

    /// Whether a value may stand here at all: as the first element of a push, as one more of a streamed aggregate.
    pub(super) fn check_place(&mut self, byte: u8) -> Result<(), Refused> {
        match self.top.nest {
            Nest::Push if self.top.first && !matches!(byte, b'+' | b'$' | b'=' | b'|') => {
                Err(self.refuse(ProtocolErrorKind::BadPush))
            }
            Nest::Streamed | Nest::StreamedMap
                if self.top.remaining == 0 && !matches!(byte, b'.' | b'|' | b'>') =>
            {
                Err(self.refuse(ProtocolErrorKind::SizeLimit))
            }
            _ => Ok(()),
        }
    }

    /// Whether a push is open: it would be the outermost aggregate, or the one that `push` remembers.
    fn in_push(&self) -> bool {
        self.push.is_some()
            || self.top.nest == Nest::Push
            || self
                .outer
                .as_slice()
                .get(..self.depth)
                .unwrap_or_default()
                .iter()
                .any(|l| l.nest == Nest::Push)
    }

    pub(super) fn begin_aggregate(&mut self) -> Result<Option<Progress>, Refused> {
        let pairs = RESP3 && matches!(self.kind, b'%' | b'|');
        let nest = match self.kind {
            _ if !RESP3 => Nest::Counted,
            b'|' => Nest::Attribute,
            b'>' => Nest::Push,
            b'%' if self.number == STREAMED => Nest::StreamedMap,
            _ if self.number == STREAMED => Nest::Streamed,
            _ => Nest::Counted,
        };
        let most = self.limits.max_elements;
        let remaining = match nest {
            Nest::Streamed | Nest::StreamedMap => most,
            _ if self.number > u64::from(if pairs { most / 2 } else { most }) => {
                return Err(self.refuse_value(ProtocolErrorKind::SizeLimit));
            }
            _ => (self.number as u32) << u32::from(pairs),
        };
        match nest {
            _ if self.number > 0 => {}
            Nest::Push => return Err(self.refuse_value(ProtocolErrorKind::BadPush)),
            Nest::Attribute => {
                self.top.attributed = true;
                self.state = State::Value;
                return Ok(None);
            }
            _ => return Ok(self.complete()),
        }
        self.push_level(Level { remaining, nest, attributed: false, first: true })?;
        Ok(None)
    }

    fn push_level(&mut self, level: Level) -> Result<(), Refused> {
        if self.depth >= self.limits.max_depth || self.outer.reserve(self.depth + 1).is_err() {
            return Err(self.refuse_value(ProtocolErrorKind::DepthLimit));
        }
        if let Some(slot) = self.outer.as_mut_slice().get_mut(self.depth) {
            *slot = self.top;
        }
        self.depth += 1;
        self.top = level;
        self.state = State::Value;
        Ok(())
    }

    pub(super) fn pop_level(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.top = self.outer.as_slice().get(self.depth).copied().unwrap_or(ROOT);
    }

    /// A value ends here. Closes the aggregates that it completes, and goes on in the innermost that is left.
    pub(super) fn complete(&mut self) -> Option<Progress> {
        self.state = State::Value;
        let mut push = false;
        loop {
            let nest = self.top.nest;
            if RESP3 {
                self.top.attributed = false;
            }
            match nest {
                Nest::Root => return Some(self.end_frame(push)),
                Nest::Streamed | Nest::StreamedMap if !RESP3 => {}
                Nest::Streamed | Nest::StreamedMap => {
                    self.top.remaining = self.top.remaining.saturating_sub(1);
                    self.top.first = !self.top.first;
                    return None;
                }
                Nest::Counted | Nest::Attribute | Nest::Push => {
                    self.top.remaining -= 1;
                    if RESP3 {
                        self.top.first = false;
                    }
                    if self.top.remaining > 0 {
                        return None;
                    }
                }
            }
            self.pop_level();
            match nest {
                _ if !RESP3 => {}
                Nest::Attribute => {
                    self.top.attributed = true;
                    return None;
                }
                Nest::Push => match self.push.take() {
                    Some(LOST) => return None,
                    Some(start) => return Some(Progress::Push { start, end: self.position }),
                    None => push = true,
                },
                _ => {}
            }
        }
    }
}
