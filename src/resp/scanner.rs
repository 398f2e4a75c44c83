//! The default parser: a resumable byte machine that copies nothing and allocates nothing.
//!
//! Its whole memory is one state, one number and one [`Level`] per open aggregate. It never goes back: a byte that was
//! looked at may be discarded, which is what makes replies larger than the memory possible.

use super::plain::{plain_length, plain_scalar};
use super::{Limits, Parser, Progress, Protocol, ProtocolError, ProtocolErrorKind};
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
    /// A line of text: simple string or error.
    Text,
    /// The digits of an integer; `number` is its magnitude.
    Integer,
    /// The digits of a length or count; `number` is its value.
    Length,
    Double,
    BigNumber,
    Boolean,
    /// No more byte before CR: null and END.
    Empty,
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
}

/// Where in a number line we are. Integers use the first three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Step {
    Start,
    Signed,
    Digits,
    /// A zero that nothing may follow, `-1`, or `?`.
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
    failed: Option<ProtocolError>,
    state: State,
    step: Step,
    /// The type byte of the value that is being read.
    kind: u8,
    negative: bool,
    /// What is being read is part of a streamed string.
    chunked: bool,
    streaming: bool,
    /// Bytes of the line, or of the verbatim format, so far.
    line: usize,
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

const ROOT: Level = Level { remaining: 1, nest: Nest::Root, attributed: false, first: false };

impl<'a> Scanner<'a> {
    /// A scanner with its nesting stack in `levels`: a slice of the caller, or with `alloc` [`Storage::growing`].
    pub fn new(levels: impl Into<Storage<'a, Level>>, limits: Limits) -> Self {
        Scanner {
            limits,
            protocol: Protocol::Resp3,
            failed: None,
            state: State::Value,
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
        if let Some(error) = self.failed {
            return Err(error);
        }
        loop {
            let progress = match self.state {
                State::Value => self.plain_values(input).and_then(|progress| match progress {
                    Some(progress) => Ok(Some(progress)),
                    None => self.scan(input),
                }),
                _ => self.scan(input),
            };
            match progress {
                Ok(None) => {}
                Ok(Some(progress)) => return Ok(progress),
                Err(violation) => return Err(self.fail(violation)),
            }
        }
    }

    /// Reads one value or header that is not a plain scalar, or what has come of it. `None` when the next one begins.
    fn scan(&mut self, input: &[u8]) -> Result<Option<Progress>, Violation> {
        let mut at = self.position;
        if self.state == State::Value {
            let Some(&byte) = input.get(at) else { return self.incomplete(at, 1) };
            self.value = self.base + at as u64;
            self.open(byte, at)?;
            at += 1;
        }
        loop {
            match self.state {
                State::Value => {
                    self.position = at;
                    return Ok(None);
                }
                State::Length => {
                    let Some(next) = self.length(input, at)? else { return self.incomplete(input.len(), 1) };
                    at = next;
                }
                State::Integer => {
                    let Some(next) = self.integer(input, at)? else { return self.incomplete(input.len(), 1) };
                    at = next;
                }
                State::Text => {
                    let Some(next) = self.text(input, at)? else { return self.incomplete(input.len(), 1) };
                    at = next;
                }
                State::Double | State::BigNumber | State::Boolean | State::Empty => {
                    let Some(next) = self.token(input, at)? else { return self.incomplete(input.len(), 1) };
                    at = next;
                }
                State::LineFeed => {}
                State::Format => {
                    while self.line < 4 {
                        let Some(&byte) = input.get(at) else {
                            let need = self.number as usize - self.line + 2;
                            return self.incomplete(at, need);
                        };
                        if self.line == 3 && byte != b':' {
                            return Err(Violation::here(ProtocolErrorKind::BadVerbatim, at));
                        }
                        self.line += 1;
                        at += 1;
                    }
                    self.number -= 4;
                    self.state = State::Payload;
                    continue;
                }
                State::Payload => {
                    let wanted = self.number as usize;
                    let there = input.len() - at;
                    if there < wanted {
                        self.number = (wanted - there) as u64;
                        if there > 0 && self.in_pieces() {
                            self.position = input.len();
                            return Ok(Some(Progress::Text { start: at, end: input.len() }));
                        }
                        return self.incomplete(input.len(), (wanted - there).saturating_add(2));
                    }
                    self.number = 0;
                    self.state = State::PayloadCr;
                    if wanted > 0 && self.in_pieces() {
                        self.position = at + wanted;
                        return Ok(Some(Progress::Text { start: at, end: at + wanted }));
                    }
                    at += wanted;
                    continue;
                }
                State::PayloadCr => {
                    match input.get(at) {
                        None => return self.incomplete(at, 2),
                        Some(b'\r') => at += 1,
                        Some(_) => return Err(Violation::here(ProtocolErrorKind::BadTerminator, at)),
                    }
                    self.state = State::PayloadLf;
                    continue;
                }
                State::PayloadLf => {
                    match input.get(at) {
                        None => return self.incomplete(at, 1),
                        Some(b'\n') => at += 1,
                        Some(_) => return Err(Violation::here(ProtocolErrorKind::BadTerminator, at)),
                    }
                    if self.chunked {
                        self.state = State::Chunk;
                    } else if let Some(progress) = self.complete(at) {
                        return Ok(Some(progress));
                    }
                    continue;
                }
                State::Chunk => {
                    match input.get(at) {
                        None => return self.incomplete(at, 4),
                        Some(b';') => at += 1,
                        Some(_) => return Err(Violation::here(ProtocolErrorKind::BadChunk, at)),
                    }
                    self.value = self.base + at as u64 - 1;
                    self.kind = b';';
                    self.begin_line(State::Length);
                    continue;
                }
            }
            // The line is complete up to its LF.
            match input.get(at) {
                None => {
                    self.state = State::LineFeed;
                    return self.incomplete(at, 1);
                }
                Some(b'\n') => at += 1,
                Some(_) => return Err(Violation::here(ProtocolErrorKind::BadTerminator, at)),
            }
            if let Some(progress) = self.end_line(at)? {
                return Ok(Some(progress));
            }
        }
    }

    /// Whether the string that is being read goes to the caller in pieces. An error does not: it is no part of the text.
    #[inline]
    fn in_pieces(&self) -> bool {
        self.streaming && self.depth == 0 && self.kind != b'!'
    }

    /// Passes over plain scalars and headers as long as whole ones follow each other. Gives what ends with one, or
    /// leaves the rest to the states.
    #[inline]
    fn plain_values(&mut self, input: &[u8]) -> Result<Option<Progress>, Violation> {
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
                if let Some(progress) = self.close(at) {
                    return Ok(Some(progress));
                }
            } else if !self.plain_header(input)? {
                return Ok(None);
            }
        }
    }

    /// Passes over the header of an aggregate with elements, if it is whole.
    fn plain_header(&mut self, input: &[u8]) -> Result<bool, Violation> {
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
        self.begin_aggregate(count as u64, self.position)?;
        Ok(true)
    }

    #[inline]
    fn incomplete(&mut self, at: usize, need: usize) -> Result<Option<Progress>, Violation> {
        self.position = at;
        Ok(Some(Progress::Incomplete { need }))
    }

    #[inline]
    fn begin_line(&mut self, state: State) {
        self.state = state;
        self.step = Step::Start;
        self.line = 0;
        self.number = 0;
        self.negative = false;
    }

    /// A type byte begins a value.
    #[inline]
    fn open(&mut self, byte: u8, at: usize) -> Result<(), Violation> {
        if self.top.nest != Nest::Counted {
            self.check_place(byte, at)?;
        }
        self.kind = byte;
        let state = match byte {
            b'$' | b'*' => State::Length,
            b':' => State::Integer,
            b'+' | b'-' => State::Text,
            _ => self.open_resp3(byte, at)?,
        };
        self.begin_line(state);
        Ok(())
    }

    /// The types that RESP3 adds.
    fn open_resp3(&mut self, byte: u8, at: usize) -> Result<State, Violation> {
        if self.protocol == Protocol::Resp2 {
            return Err(Violation::here(ProtocolErrorKind::UnknownType, at));
        }
        Ok(match byte {
            b'%' | b'~' | b'|' | b'!' | b'=' => State::Length,
            b'>' => {
                if self.depth > 0 {
                    if self.in_push() {
                        return Err(Violation::here(ProtocolErrorKind::BadPush, at));
                    }
                    self.push = Some(at);
                }
                State::Length
            }
            b'_' => State::Empty,
            b',' => State::Double,
            b'#' => State::Boolean,
            b'(' => State::BigNumber,
            b'.' => {
                let streamed = matches!(self.top.nest, Nest::Streamed | Nest::StreamedMap);
                if !streamed || self.top.attributed {
                    return Err(Violation::here(ProtocolErrorKind::BadEnd, at));
                }
                if self.top.nest == Nest::StreamedMap && !self.top.first {
                    return Err(Violation::here(ProtocolErrorKind::OddMap, at));
                }
                State::Empty
            }
            b';' => return Err(Violation::here(ProtocolErrorKind::BadChunk, at)),
            _ => return Err(Violation::here(ProtocolErrorKind::UnknownType, at)),
        })
    }

    /// What only some places allow: the first element of a push, one more element of a streamed aggregate.
    fn check_place(&mut self, byte: u8, at: usize) -> Result<(), Violation> {
        match self.top.nest {
            Nest::Push if self.top.first && !matches!(byte, b'+' | b'$' | b'=' | b'|') => {
                Err(Violation::here(ProtocolErrorKind::BadPush, at))
            }
            Nest::Streamed | Nest::StreamedMap
                if self.top.remaining == 0 && !matches!(byte, b'.' | b'|' | b'>') =>
            {
                Err(Violation::here(ProtocolErrorKind::SizeLimit, at))
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

    /// Reads digits, `-1` or `?` up to the CR. Gives the position behind it, or `None` if it has not come.
    #[inline]
    fn length(&mut self, input: &[u8], mut at: usize) -> Result<Option<usize>, Violation> {
        let mut number = self.number;
        let mut step = self.step;
        while let Some(&byte) = input.get(at) {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 && (step == Step::Digits || (step == Step::Start && digit != 0)) {
                number = match number.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit))) {
                    Some(number) if number <= i64::MAX as u64 => number,
                    _ => return Err(Violation::here(self.bad_length(), at)),
                };
                step = Step::Digits;
            } else if byte == b'\r' && matches!(step, Step::Digits | Step::Closed) {
                self.number = number;
                self.step = step;
                return Ok(Some(at + 1));
            } else {
                (step, number) = self.unusual_length(byte, step, at)?;
            }
            at += 1;
        }
        self.number = number;
        self.step = step;
        Ok(None)
    }

    /// A length that is `0`, `-1` or `?`.
    #[cold]
    fn unusual_length(&mut self, byte: u8, step: Step, at: usize) -> Result<(Step, u64), Violation> {
        let resp3 = self.protocol == Protocol::Resp3;
        match (step, byte) {
            (Step::Start, b'0') => Ok((Step::Closed, 0)),
            (Step::Start, b'-') if matches!(self.kind, b'$' | b'*') => Ok((Step::Signed, 0)),
            (Step::Signed, b'1') => {
                self.negative = true;
                Ok((Step::Closed, 0))
            }
            (Step::Start, b'?') if resp3 && matches!(self.kind, b'$' | b'*' | b'%' | b'~') => {
                // Marks the stream; no length reaches this value.
                Ok((Step::Closed, u64::MAX))
            }
            (_, b'\n') => Err(Violation::here(ProtocolErrorKind::BadTerminator, at)),
            _ => Err(Violation::here(self.bad_length(), at)),
        }
    }

    fn bad_length(&self) -> ProtocolErrorKind {
        if self.kind == b';' { ProtocolErrorKind::BadChunk } else { ProtocolErrorKind::BadLength }
    }

    /// Reads an integer up to its CR.
    #[inline]
    fn integer(&mut self, input: &[u8], mut at: usize) -> Result<Option<usize>, Violation> {
        let mut number = self.number;
        let mut step = self.step;
        let begin = at;
        while let Some(&byte) = input.get(at) {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                let most = i64::MAX as u64 + u64::from(self.negative);
                number = match number.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit))) {
                    Some(number) if number <= most => number,
                    _ => {
                        self.count_line(begin, at)?;
                        return Err(Violation::here(ProtocolErrorKind::BadInteger, at));
                    }
                };
                step = Step::Digits;
            } else if byte == b'\r' && step == Step::Digits {
                self.count_line(begin, at)?;
                return Ok(Some(at + 1));
            } else if step == Step::Start && matches!(byte, b'+' | b'-') {
                self.negative = byte == b'-';
                step = Step::Signed;
            } else {
                self.count_line(begin, at)?;
                return Err(Violation::in_line(byte, ProtocolErrorKind::BadInteger, at));
            }
            at += 1;
        }
        self.count_line(begin, at)?;
        self.number = number;
        self.step = step;
        Ok(None)
    }

    /// Reads text up to its CR.
    #[inline]
    fn text(&mut self, input: &[u8], begin: usize) -> Result<Option<usize>, Violation> {
        let rest = input.get(begin..).unwrap_or_default();
        match rest.iter().position(|&b| b == b'\r' || b == b'\n') {
            None => {
                self.count_line(begin, input.len())?;
                Ok(None)
            }
            Some(length) => {
                let at = begin + length;
                self.count_line(begin, at)?;
                if rest.get(length) == Some(&b'\n') {
                    return Err(Violation::here(ProtocolErrorKind::BadTerminator, at));
                }
                Ok(Some(at + 1))
            }
        }
    }

    /// Reads a double, big number, boolean or nothing up to the CR.
    fn token(&mut self, input: &[u8], begin: usize) -> Result<Option<usize>, Violation> {
        let mut at = begin;
        while let Some(&byte) = input.get(at) {
            if byte == b'\r' && self.token_may_end() {
                self.count_line(begin, at)?;
                return Ok(Some(at + 1));
            }
            match self.token_step(byte) {
                Some(step) => self.step = step,
                None => {
                    self.count_line(begin, at)?;
                    return Err(Violation::in_line(byte, self.bad_token(), at));
                }
            }
            at += 1;
        }
        self.count_line(begin, at)?;
        Ok(None)
    }

    fn token_may_end(&self) -> bool {
        match self.state {
            State::Empty => true,
            State::Double => {
                matches!(self.step, Step::Digits | Step::Fraction | Step::ExponentDigits | Step::Closed)
            }
            State::BigNumber => self.step == Step::Digits,
            _ => self.step == Step::Closed,
        }
    }

    /// Where `byte` leads in a token, or `None` if it cannot stand there.
    fn token_step(&mut self, byte: u8) -> Option<Step> {
        let digit = byte.is_ascii_digit();
        Some(match (self.state, self.step) {
            (State::Boolean, Step::Start) if matches!(byte, b't' | b'f') => Step::Closed,
            (State::BigNumber | State::Double, Step::Start) if matches!(byte, b'+' | b'-') => {
                self.negative = byte == b'-';
                Step::Signed
            }
            (State::BigNumber | State::Double, Step::Start | Step::Signed | Step::Digits) if digit => {
                Step::Digits
            }
            (State::Double, Step::Start | Step::Signed) if byte == b'.' => Step::BarePoint,
            (State::Double, Step::Digits) if byte == b'.' => Step::Fraction,
            (State::Double, Step::BarePoint | Step::Fraction) if digit => Step::Fraction,
            (State::Double, Step::Digits | Step::Fraction) if matches!(byte, b'e' | b'E') => Step::Exponent,
            (State::Double, Step::Exponent) if matches!(byte, b'+' | b'-') => Step::ExponentSigned,
            (State::Double, Step::Exponent | Step::ExponentSigned | Step::ExponentDigits) if digit => {
                Step::ExponentDigits
            }
            // A sign before a word can only be a minus.
            (State::Double, Step::Start | Step::Signed) if byte == b'i' && self.word_may_start() => Step::I,
            (State::Double, Step::I) if byte == b'n' => Step::In,
            (State::Double, Step::In) if byte == b'f' => Step::Closed,
            (State::Double, Step::Start | Step::Signed) if byte == b'n' && self.word_may_start() => Step::N,
            (State::Double, Step::N) if byte == b'a' => Step::Na,
            (State::Double, Step::Na) if byte == b'n' => Step::Closed,
            _ => return None,
        })
    }

    fn word_may_start(&self) -> bool {
        self.step == Step::Start || self.negative
    }

    fn bad_token(&self) -> ProtocolErrorKind {
        match (self.state, self.kind) {
            (State::Double, _) => ProtocolErrorKind::BadDouble,
            (State::BigNumber, _) => ProtocolErrorKind::BadBigNumber,
            (State::Boolean, _) => ProtocolErrorKind::BadBoolean,
            (_, b'.') => ProtocolErrorKind::BadEnd,
            _ => ProtocolErrorKind::BadNull,
        }
    }

    /// Counts the line's bytes `begin..end` and checks the limit.
    #[inline]
    fn count_line(&mut self, begin: usize, end: usize) -> Result<(), Violation> {
        let more = end - begin;
        if more > self.limits.max_line - self.line.min(self.limits.max_line) {
            let first_too_many = begin + (self.limits.max_line - self.line);
            return Err(Violation::here(ProtocolErrorKind::SizeLimit, first_too_many));
        }
        self.line += more;
        Ok(())
    }

    /// The line that began the value `kind` is complete; the input behind it begins at `at`.
    #[inline]
    fn end_line(&mut self, at: usize) -> Result<Option<Progress>, Violation> {
        match self.kind {
            b'$' if self.step == Step::Digits => {
                let length = self.number;
                self.begin_payload(length, 0)?;
                Ok(None)
            }
            b'*' if self.step == Step::Digits => self.begin_aggregate(self.number, at),
            b':' | b'+' | b'-' | b',' | b'(' | b'#' | b'_' => Ok(self.complete(at)),
            _ => self.end_unusual_line(at),
        }
    }

    fn end_unusual_line(&mut self, at: usize) -> Result<Option<Progress>, Violation> {
        let number = self.number;
        if self.negative {
            if self.top.first && self.top.nest == Nest::Push {
                return Err(Violation::at_value(ProtocolErrorKind::BadPush));
            }
            return Ok(self.complete(at));
        }
        if number == u64::MAX {
            if self.kind == b'$' {
                self.chunked = true;
                self.total = 0;
                self.state = State::Chunk;
                return Ok(None);
            }
            let nest = if self.kind == b'%' { Nest::StreamedMap } else { Nest::Streamed };
            self.push_level(Level {
                remaining: self.limits.max_elements,
                nest,
                attributed: false,
                first: true,
            })?;
            return Ok(None);
        }
        match self.kind {
            b';' if number == 0 => {
                self.chunked = false;
                Ok(self.complete(at))
            }
            b';' => self.begin_payload(number, self.total).map(|()| None),
            b'=' => {
                if number < 4 {
                    return Err(Violation::at_value(ProtocolErrorKind::BadVerbatim));
                }
                self.begin_payload(number, 0)?;
                self.line = 0;
                self.state = State::Format;
                Ok(None)
            }
            b'$' | b'!' => self.begin_payload(number, 0).map(|()| None),
            b'.' => {
                self.pop_level();
                Ok(self.complete(at))
            }
            _ => self.begin_aggregate(number, at),
        }
    }

    #[inline]
    fn begin_payload(&mut self, length: u64, before: usize) -> Result<(), Violation> {
        if length > (self.limits.max_bulk.min(usize::MAX - 2) - before) as u64 {
            return Err(Violation::at_value(ProtocolErrorKind::SizeLimit));
        }
        self.total = before + length as usize;
        self.number = length;
        self.state = State::Payload;
        Ok(())
    }

    fn begin_aggregate(&mut self, count: u64, at: usize) -> Result<Option<Progress>, Violation> {
        let values = if matches!(self.kind, b'%' | b'|') { count.saturating_mul(2) } else { count };
        if values > u64::from(self.limits.max_elements) {
            return Err(Violation::at_value(ProtocolErrorKind::SizeLimit));
        }
        let nest = match self.kind {
            b'|' => Nest::Attribute,
            b'>' => Nest::Push,
            _ => Nest::Counted,
        };
        if values == 0 {
            return match nest {
                Nest::Push => Err(Violation::at_value(ProtocolErrorKind::BadPush)),
                Nest::Attribute => {
                    self.top.attributed = true;
                    self.state = State::Value;
                    Ok(None)
                }
                _ => Ok(self.complete(at)),
            };
        }
        self.push_level(Level { remaining: values as u32, nest, attributed: false, first: true })?;
        Ok(None)
    }

    fn push_level(&mut self, level: Level) -> Result<(), Violation> {
        if self.depth >= self.limits.max_depth || self.outer.reserve(self.depth + 1).is_err() {
            return Err(Violation::at_value(ProtocolErrorKind::DepthLimit));
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

    /// A value ends before `at`: goes on in the innermost aggregate, and closes those that are complete with it.
    #[inline]
    fn complete(&mut self, at: usize) -> Option<Progress> {
        self.state = State::Value;
        if self.top.nest == Nest::Counted && self.top.remaining > 1 {
            self.top.remaining -= 1;
            self.top.attributed = false;
            return None;
        }
        self.close(at)
    }

    fn close(&mut self, at: usize) -> Option<Progress> {
        let mut push = false;
        loop {
            self.top.attributed = false;
            match self.top.nest {
                Nest::Root => return Some(self.end_frame(at, push)),
                Nest::Streamed => {
                    self.top.remaining = self.top.remaining.saturating_sub(1);
                    return None;
                }
                Nest::StreamedMap => {
                    self.top.remaining = self.top.remaining.saturating_sub(1);
                    self.top.first = !self.top.first;
                    return None;
                }
                Nest::Counted | Nest::Attribute | Nest::Push => {
                    self.top.remaining -= 1;
                    self.top.first = false;
                    if self.top.remaining > 0 {
                        return None;
                    }
                }
            }
            let nest = self.top.nest;
            self.pop_level();
            match nest {
                Nest::Attribute => {
                    self.top.attributed = true;
                    return None;
                }
                Nest::Push => match self.push.take() {
                    Some(LOST) => return None,
                    Some(start) => {
                        self.position = at;
                        return Some(Progress::Push { start, end: at });
                    }
                    None => push = true,
                },
                _ => {}
            }
        }
    }

    #[cold]
    fn fail(&mut self, violation: Violation) -> ProtocolError {
        let offset = violation.at.map_or(self.value, |at| self.base + at as u64);
        let error = ProtocolError { kind: violation.kind, offset };
        self.failed = Some(error);
        error
    }

    #[inline]
    fn end_frame(&mut self, at: usize, push: bool) -> Progress {
        self.position = 0;
        self.base += at as u64;
        self.streaming = false;
        self.top = ROOT;
        Progress::Frame { length: at, push }
    }
}

impl Parser for Scanner<'_> {
    #[inline]
    fn parse(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        // Most replies are one plain scalar.
        if self.failed.is_none()
            && self.state == State::Value
            && self.top.nest == Nest::Root
            && !self.streaming
        {
            let at = self.position;
            let length = plain_scalar(input.get(at..).unwrap_or_default(), &self.limits);
            if length > 0 {
                return Ok(self.end_frame(at + length, false));
            }
        }
        self.parse_value(input)
    }

    fn discard(&mut self, count: usize) {
        let count = count.min(self.position);
        self.position -= count;
        self.base += count as u64;
        self.push = self
            .push
            .map(|start| if start == LOST { LOST } else { start.checked_sub(count).unwrap_or(LOST) });
    }

    fn parsed(&self) -> usize {
        self.position
    }

    fn discardable(&self) -> usize {
        self.push.unwrap_or(self.position).min(self.position)
    }

    fn stream(&mut self, on: bool) {
        self.streaming = on;
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn reset(&mut self) {
        self.failed = None;
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

/// What is wrong, and where in the input; without a place it is the type byte of the current value.
struct Violation {
    kind: ProtocolErrorKind,
    at: Option<usize>,
}

impl Violation {
    #[cold]
    fn here(kind: ProtocolErrorKind, at: usize) -> Self {
        Violation { kind, at: Some(at) }
    }

    #[cold]
    fn at_value(kind: ProtocolErrorKind) -> Self {
        Violation { kind, at: None }
    }

    /// A byte that cannot stand in a line: for a bare LF it is the line end that is wrong.
    #[cold]
    fn in_line(byte: u8, kind: ProtocolErrorKind, at: usize) -> Self {
        let kind = if byte == b'\n' { ProtocolErrorKind::BadTerminator } else { kind };
        Violation { kind, at: Some(at) }
    }
}
