//! The default parser: a resumable byte machine that copies nothing and allocates nothing.
//!
//! Its whole memory is one state, one number and one [`Level`] per open aggregate. It never goes back: a byte that was
//! looked at may be discarded, which is what makes replies larger than the memory possible.

#[cfg(feature = "alloc")]
use super::plain::{plain_length, plain_scalar};
use super::{Limits, Parser, Progress, Protocol, ProtocolError, ProtocolErrorKind};
use crate::parts::{PIECES, RESP3};
use crate::storage::Storage;

/// One open aggregate: how many elements are still to come, and of what.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Level {
    /// Values still to come. In a streamed aggregate: how many more may come.
    remaining: u32,
    nest: Nest,
    /// An attribute precedes the value that comes next.
    attributed: bool,
    /// The next element is the first of a push, or a key of a streamed map.
    first: bool,
}

impl Level {
    /// A place for an aggregate: what memory for nesting is filled with.
    pub const EMPTY: Self = Level { remaining: 0, nest: Nest::Root, attributed: false, first: false };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Nest {
    /// Outside of all aggregates.
    #[default]
    Root,
    Counted,
    Attribute,
    Push,
    Streamed,
    StreamedMap,
}

/// What the next byte is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum State {
    /// A type byte.
    Value,
    /// A line up to its CR. The type byte says what may stand in it.
    Line,
    /// LF after the CR of a line.
    LineFeed,
    /// The first four bytes of a verbatim string.
    Format,
    /// `number` bytes of a string.
    Payload,
    /// CR and LF after them.
    PayloadCr,
    PayloadLf,
    /// The `;` of a chunk.
    Chunk,
    /// None: an earlier byte was refused.
    Failed,
}

/// Where in a line of digits or a token we are. Lengths and integers use the first four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Step {
    Start,
    Signed,
    Digits,
    /// Nothing may follow: a zero, `-1` or `?` of a length, a boolean, a word.
    Closed,
    /// `.` without a digit before it.
    BarePoint,
    Fraction,
    Exponent,
    ExponentSigned,
    ExponentDigits,
    /// Letters of `inf` and `nan` seen.
    I,
    In,
    N,
    Na,
}

/// The default [`Parser`].
///
/// Zero-copy, allocation-free and resumable at every byte: the cost of a reply does not depend on the pieces it comes in.
/// The nesting stack is lent or growing; a lent one bounds the depth in addition to [`Limits::max_depth`].
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scanner<'a> {
    limits: Limits,
    protocol: Protocol,
    state: State,
    /// What was wrong, when the state is that it failed.
    error: ProtocolError,
    step: Step,
    /// The type byte of the value that is being read.
    kind: u8,
    negative: bool,
    /// What is being read is part of a streamed string.
    chunked: bool,
    streaming: bool,
    /// Bytes of the line, or of the verbatim format, so far.
    line: usize,
    /// The magnitude of an integer, a length or count, or how much of a string is still to come.
    number: u64,
    /// Bytes of the streamed string so far.
    total: usize,
    /// Bytes looked at, from the first byte of the input.
    position: usize,
    /// Where in the stream the input begins.
    base: u64,
    /// Where in the stream the type byte of the current value stands.
    value: u64,
    /// Where in the input a push inside an aggregate begins.
    push: Option<usize>,
    top: Level,
    depth: usize,
    outer: Storage<'a, Level>,
}

/// The place of a push whose beginning was discarded: it cannot be delivered any more, and still is no element.
const LOST: usize = usize::MAX;

/// The number of a length that is `?`; no other length reaches it.
const STREAMED: u64 = u64::MAX;

const ROOT: Level = Level { remaining: 1, nest: Nest::Root, attributed: false, first: false };

impl<'a> Scanner<'a> {
    /// A scanner with its nesting stack in `levels`: a slice of the caller, or with `alloc` [`Storage::growing`].
    pub fn new(levels: impl Into<Storage<'a, Level>>, limits: Limits) -> Self {
        Scanner {
            limits,
            protocol: Protocol::Resp3,
            state: State::Value,
            error: ProtocolError { kind: ProtocolErrorKind::UnknownType, offset: 0 },
            step: Step::Start,
            kind: 0,
            negative: false,
            chunked: false,
            streaming: false,
            line: 0,
            number: 0,
            total: 0,
            position: 0,
            base: 0,
            value: 0,
            push: None,
            top: ROOT,
            depth: 0,
            outer: levels.into(),
        }
    }

    /// A scanner whose nesting stack grows on demand, up to the depth limit.
    #[cfg(feature = "alloc")]
    pub fn growing(limits: Limits) -> Self {
        Self::new(Storage::growing(), limits)
    }

    #[inline(never)]
    fn parse_value(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        match self.scan(input) {
            Ok(progress) => Ok(progress),
            Err(Refused) => Err(self.error),
        }
    }

    fn scan(&mut self, input: &[u8]) -> Result<Progress, Refused> {
        loop {
            #[cfg(feature = "alloc")]
            if self.state == State::Value
                && let Some(progress) = self.plain_values(input)?
            {
                return Ok(progress);
            }
            if self.state == State::Payload
                && let Some(piece) = self.payload(input)
            {
                return Ok(piece);
            }
            if self.state == State::Failed {
                return Err(Refused);
            }
            let Some(&byte) = input.get(self.position) else {
                return Ok(Progress::Incomplete { need: self.need() });
            };
            if let Some(progress) = self.take(byte)? {
                return Ok(progress);
            }
        }
    }

    /// The fewest bytes that can complete the value that is being read.
    fn need(&self) -> usize {
        match self.state {
            State::Chunk | State::Format if !RESP3 => 1,
            State::Format => self.number as usize - self.line + 2,
            State::Payload => (self.number as usize).saturating_add(2),
            State::PayloadCr => 2,
            State::Chunk => 4,
            _ => 1,
        }
    }

    /// Takes the byte at the position. Gives what ends with it.
    fn take(&mut self, byte: u8) -> Result<Option<Progress>, Refused> {
        self.position += 1;
        match self.state {
            State::Value => self.open(byte)?,
            State::Line => self.line(byte)?,
            State::LineFeed if byte == b'\n' => return self.end_line(),
            State::PayloadCr if byte == b'\r' => self.state = State::PayloadLf,
            State::PayloadLf if byte == b'\n' => {
                if !RESP3 || !self.chunked {
                    return Ok(self.complete());
                }
                self.state = State::Chunk;
            }
            State::LineFeed | State::PayloadCr | State::PayloadLf => {
                return Err(self.refuse(ProtocolErrorKind::BadTerminator));
            }
            State::Chunk | State::Format if !RESP3 => {}
            State::Chunk if byte == b';' => self.begin_line(byte),
            State::Chunk => return Err(self.refuse(ProtocolErrorKind::BadChunk)),
            State::Format => {
                self.line += 1;
                if self.line == 4 {
                    if byte != b':' {
                        return Err(self.refuse(ProtocolErrorKind::BadVerbatim));
                    }
                    self.number -= 4;
                    self.state = State::Payload;
                }
            }
            // Not taken byte by byte.
            State::Payload | State::Failed => {}
        }
        Ok(None)
    }

    /// Passes over what has come of a string. Gives it if the string goes to the caller in pieces.
    fn payload(&mut self, input: &[u8]) -> Option<Progress> {
        let start = self.position;
        let count = input.len().saturating_sub(start).min(self.number as usize);
        self.position += count;
        self.number -= count as u64;
        if self.number == 0 {
            self.state = State::PayloadCr;
        }
        (count > 0 && self.in_pieces()).then_some(Progress::Text { start, end: self.position })
    }

    /// Whether the string that is being read goes to the caller in pieces. An error does not: it is no part of the text.
    #[inline]
    fn in_pieces(&self) -> bool {
        PIECES && self.streaming && self.depth == 0 && (!RESP3 || self.kind != b'!')
    }

    #[inline]
    fn begin_line(&mut self, kind: u8) {
        self.value = self.base + self.position as u64 - 1;
        self.kind = kind;
        self.state = State::Line;
        self.step = Step::Start;
        self.line = 0;
        self.number = 0;
        self.negative = false;
    }

    /// A type byte begins a value.
    #[inline]
    fn open(&mut self, byte: u8) -> Result<(), Refused> {
        if RESP3 && self.top.nest != Nest::Counted {
            self.check_place(byte)?;
        }
        if !matches!(byte, b'$' | b'*' | b':' | b'+' | b'-') {
            self.check_resp3(byte)?;
        }
        self.begin_line(byte);
        Ok(())
    }

    /// The types that RESP3 adds, and where these may stand.
    fn check_resp3(&mut self, byte: u8) -> Result<(), Refused> {
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

    /// What only some places allow: the first element of a push, one more element of a streamed aggregate.
    fn check_place(&mut self, byte: u8) -> Result<(), Refused> {
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

    /// A byte of a line, or its CR.
    #[inline]
    fn line(&mut self, byte: u8) -> Result<(), Refused> {
        if byte == b'\r' && self.line_may_end() {
            self.state = State::LineFeed;
            return Ok(());
        }
        let Some(step) = self.step(byte) else {
            // For a bare LF it is the line end that is wrong.
            let kind = if byte == b'\n' { ProtocolErrorKind::BadTerminator } else { self.bad_line() };
            return Err(self.refuse(kind));
        };
        self.step = step;
        if self.line >= self.limits.max_line && !self.is_header() {
            return Err(self.refuse(ProtocolErrorKind::SizeLimit));
        }
        self.line += 1;
        Ok(())
    }

    /// Whether the line is a length or count.
    fn is_header(&self) -> bool {
        if !RESP3 {
            return matches!(self.kind, b'$' | b'*');
        }
        !matches!(self.kind, b'+' | b'-' | b':' | b',' | b'(' | b'#' | b'_' | b'.')
    }

    fn line_may_end(&self) -> bool {
        matches!(self.kind, b'+' | b'-')
            || matches!(self.step, Step::Digits | Step::Closed)
            || RESP3
                && (matches!(self.kind, b'_' | b'.')
                    || matches!(self.step, Step::Fraction | Step::ExponentDigits))
    }

    /// Where `byte` leads in a line, or `None` if it cannot stand there.
    fn step(&mut self, byte: u8) -> Option<Step> {
        match self.kind {
            b'+' | b'-' => (byte != b'\n').then_some(Step::Start),
            b':' => self.number_step(byte),
            _ if !RESP3 => self.length_step(byte),
            b',' | b'(' => self.number_step(byte),
            b'#' => (self.step == Step::Start && matches!(byte, b't' | b'f')).then_some(Step::Closed),
            b'_' | b'.' => None,
            _ => self.length_step(byte),
        }
    }

    fn length_step(&mut self, byte: u8) -> Option<Step> {
        let resp3 = RESP3 && self.protocol == Protocol::Resp3;
        match (self.step, byte) {
            (Step::Start, b'1'..=b'9') | (Step::Digits, b'0'..=b'9') => self.digit(byte),
            (Step::Start, b'0') => Some(Step::Closed),
            (Step::Start, b'-') if matches!(self.kind, b'$' | b'*') => Some(Step::Signed),
            (Step::Signed, b'1') => {
                self.negative = true;
                Some(Step::Closed)
            }
            (Step::Start, b'?') if resp3 && matches!(self.kind, b'$' | b'*' | b'%' | b'~') => {
                self.number = STREAMED;
                Some(Step::Closed)
            }
            _ => None,
        }
    }

    /// Where `byte` leads in an integer, big number or double.
    fn number_step(&mut self, byte: u8) -> Option<Step> {
        // A sign before a word can only be a minus.
        let word_may_start = self.step == Step::Start || self.negative;
        Some(match (self.step, byte) {
            (Step::Start, b'+' | b'-') => {
                self.negative = byte == b'-';
                Step::Signed
            }
            (Step::Start | Step::Signed | Step::Digits, b'0'..=b'9') => {
                return if self.kind == b':' { self.digit(byte) } else { Some(Step::Digits) };
            }
            _ if !RESP3 || self.kind != b',' => return None,
            (Step::Start | Step::Signed, b'.') => Step::BarePoint,
            (Step::Digits, b'.') | (Step::BarePoint | Step::Fraction, b'0'..=b'9') => Step::Fraction,
            (Step::Digits | Step::Fraction, b'e' | b'E') => Step::Exponent,
            (Step::Exponent, b'+' | b'-') => Step::ExponentSigned,
            (Step::Exponent | Step::ExponentSigned | Step::ExponentDigits, b'0'..=b'9') => {
                Step::ExponentDigits
            }
            (Step::Start | Step::Signed, b'i') if word_may_start => Step::I,
            (Step::I, b'n') => Step::In,
            (Step::Start | Step::Signed, b'n') if word_may_start => Step::N,
            (Step::N, b'a') => Step::Na,
            (Step::In, b'f') | (Step::Na, b'n') => Step::Closed,
            _ => return None,
        })
    }

    /// Appends a digit to the number, unless it takes it beyond 64 bits with a sign.
    #[inline]
    fn digit(&mut self, byte: u8) -> Option<Step> {
        let most = i64::MAX as u64 + u64::from(self.negative);
        if self.number > i64::MAX as u64 / 10 {
            return None;
        }
        self.number = self.number * 10 + u64::from(byte.wrapping_sub(b'0'));
        (self.number <= most).then_some(Step::Digits)
    }

    fn bad_line(&self) -> ProtocolErrorKind {
        match self.kind {
            b':' => ProtocolErrorKind::BadInteger,
            _ if !RESP3 => ProtocolErrorKind::BadLength,
            b',' => ProtocolErrorKind::BadDouble,
            b'(' => ProtocolErrorKind::BadBigNumber,
            b'#' => ProtocolErrorKind::BadBoolean,
            b'_' => ProtocolErrorKind::BadNull,
            b'.' => ProtocolErrorKind::BadEnd,
            b';' => ProtocolErrorKind::BadChunk,
            _ => ProtocolErrorKind::BadLength,
        }
    }

    /// The line that began the value `kind` is complete.
    fn end_line(&mut self) -> Result<Option<Progress>, Refused> {
        if !self.is_header() {
            if RESP3 && self.kind == b'.' {
                self.pop_level();
            }
            return Ok(self.complete());
        }
        if self.negative {
            if RESP3 && self.top.first && self.top.nest == Nest::Push {
                return Err(self.refuse_value(ProtocolErrorKind::BadPush));
            }
            return Ok(self.complete());
        }
        match self.kind {
            b'$' if RESP3 && self.number == STREAMED => {
                self.chunked = true;
                self.total = 0;
                self.state = State::Chunk;
                Ok(None)
            }
            b'$' | b'!' | b'=' | b';' => self.begin_payload(),
            _ => self.begin_aggregate(),
        }
    }

    fn begin_payload(&mut self) -> Result<Option<Progress>, Refused> {
        let before = if RESP3 && self.kind == b';' { self.total } else { 0 };
        if RESP3 && self.kind == b';' && self.number == 0 {
            self.chunked = false;
            return Ok(self.complete());
        }
        if RESP3 && self.kind == b'=' && self.number < 4 {
            return Err(self.refuse_value(ProtocolErrorKind::BadVerbatim));
        }
        if self.number > (self.limits.max_bulk.min(usize::MAX - 2) - before) as u64 {
            return Err(self.refuse_value(ProtocolErrorKind::SizeLimit));
        }
        self.total = before + self.number as usize;
        self.line = 0;
        self.state = if RESP3 && self.kind == b'=' { State::Format } else { State::Payload };
        Ok(None)
    }

    fn begin_aggregate(&mut self) -> Result<Option<Progress>, Refused> {
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

    fn pop_level(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.top = self.outer.as_slice().get(self.depth).copied().unwrap_or(ROOT);
    }

    /// A value ends here: goes on in the innermost aggregate, and closes those that are complete with it.
    fn complete(&mut self) -> Option<Progress> {
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

    #[inline]
    fn end_frame(&mut self, push: bool) -> Progress {
        let length = self.position;
        self.position = 0;
        self.base += length as u64;
        if PIECES {
            self.streaming = false;
        }
        self.top = ROOT;
        Progress::Frame { length, push }
    }

    /// The byte before the position cannot stand there.
    #[cold]
    fn refuse(&mut self, kind: ProtocolErrorKind) -> Refused {
        self.value = self.base + self.position as u64 - 1;
        self.refuse_value(kind)
    }

    /// The value that is being read is wrong as a whole: the error is at its type byte.
    #[cold]
    fn refuse_value(&mut self, kind: ProtocolErrorKind) -> Refused {
        self.error = ProtocolError { kind, offset: self.value };
        self.state = State::Failed;
        Refused
    }
}

/// The shortcut for whole values of the plain kinds. It is for speed alone: without an allocator flash is short too, and
/// the states do all the work.
#[cfg(feature = "alloc")]
impl Scanner<'_> {
    /// Passes over plain scalars and headers as long as whole ones follow each other. Gives what ends with one, or
    /// leaves the rest to the states.
    #[inline]
    fn plain_values(&mut self, input: &[u8]) -> Result<Option<Progress>, Refused> {
        loop {
            let begin = self.position;
            let Some(rest) = input.get(begin..) else { return Ok(None) };
            let plain = match self.top.nest {
                Nest::Counted => true,
                Nest::Push => !self.top.first || matches!(rest, [b'+', ..] | [b'$', b'0'..=b'9', ..]),
                Nest::Root => !self.streaming,
                _ => false,
            };
            if !plain {
                return Ok(None);
            }
            let mut at = begin;
            let mut remaining = self.top.remaining;
            let mut length;
            loop {
                length = input.get(at..).map_or(0, |rest| plain_scalar(rest, &self.limits));
                at += length;
                if length == 0 || remaining <= 1 {
                    break;
                }
                remaining -= 1;
            }
            self.position = at;
            self.top.remaining = remaining;
            self.top.first &= at == begin;
            if length > 0 {
                if let Some(progress) = self.complete() {
                    return Ok(Some(progress));
                }
            } else if !self.plain_header(input)? {
                return Ok(None);
            }
        }
    }

    /// Passes over the header of an aggregate with elements, if it is whole.
    fn plain_header(&mut self, input: &[u8]) -> Result<bool, Refused> {
        let at = self.position;
        let rest = input.get(at..).unwrap_or_default();
        let plain = match rest.first() {
            Some(b'*') => true,
            Some(b'%' | b'~') => self.protocol == Protocol::Resp3,
            Some(b'>') => self.protocol == Protocol::Resp3 && self.depth == 0,
            _ => false,
        };
        let Some((count, behind)) = plain_length(rest).filter(|_| plain) else { return Ok(false) };
        self.kind = rest.first().copied().unwrap_or_default();
        self.value = self.base + at as u64;
        self.position = at + behind;
        self.number = count as u64;
        self.begin_aggregate()?;
        Ok(true)
    }
}

impl Parser for Scanner<'_> {
    #[inline]
    fn parse(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        // Most replies are one plain scalar.
        #[cfg(feature = "alloc")]
        if self.state == State::Value && self.top.nest == Nest::Root && !self.streaming {
            let length = plain_scalar(input.get(self.position..).unwrap_or_default(), &self.limits);
            if length > 0 {
                self.position += length;
                return Ok(self.end_frame(false));
            }
        }
        self.parse_value(input)
    }

    fn discard(&mut self, count: usize) {
        let count = count.min(self.position);
        self.position -= count;
        self.base += count as u64;
        if RESP3 && let Some(start) = self.push.filter(|&start| start != LOST) {
            self.push = Some(start.checked_sub(count).unwrap_or(LOST));
        }
    }

    fn parsed(&self) -> usize {
        self.position
    }

    fn discardable(&self) -> usize {
        match self.push {
            Some(start) if RESP3 => start.min(self.position),
            _ => self.position,
        }
    }

    fn stream(&mut self, on: bool) {
        self.streaming = on;
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn reset(&mut self) {
        self.state = State::Value;
        self.chunked = false;
        self.streaming = false;
        self.position = 0;
        self.base = 0;
        self.push = None;
        self.top = ROOT;
        self.depth = 0;
        self.outer.shrink(64);
    }
}

/// The bytes were refused; the scanner keeps why.
struct Refused;
