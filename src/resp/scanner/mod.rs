//! The default parser: a resumable byte machine that copies nothing and allocates nothing.
//!
//! This file is the machine: its states, and which of them takes the next byte. [`lines`] knows what may stand in a line,
//! [`levels`] what may stand in an aggregate. [`plain`] is the fast way past whole values of the commonest types.
//!
//! The whole memory is one state, one number and one [`Level`] per open aggregate. The machine never goes back: a byte that
//! it has looked at may be discarded. That is what makes replies larger than the memory possible.

// ADVICE FOR HACKERS
//
// A new type touches these, in the order in which its bytes come:
//   - `check_resp3` (levels.rs): whether its type byte may begin a value. Everything outside of `$*:+-` passes here.
//   - `is_header` (lines.rs): whether its line is a length or count. What is listed there is text or a number instead.
//   - `step` and `bad_line` (lines.rs): what may stand in the line, and which error it is if something else does.
//   - `line_may_end` (lines.rs): which steps may be the last of a line.
//   - `end_line` (here): for a type with a length, whether a payload or an aggregate follows.
//   - `begin_aggregate` (levels.rs): for an aggregate, whether its count is of pairs, and its `Nest` if it has rules of
//     its own. A new `Nest` also needs its arm in `complete`.
//   - outside of the scanner: `walk`, `NomParser` and its grammar, `Kind`, `Data`, `Encoder`, and cases in `tests/cases`.
// A new state needs its arm in `take` and, if more than one byte is missing in it, in `need`.
//
// What must hold:
//   - No byte is looked at twice, and no byte before `position` is read again: the caller may have discarded it. What is
//     still needed of it has to be in a field.
//   - The machine may stop after any byte. The plain way (plain.rs) takes whole values only, and what it takes the states
//     take too, with the same result. On anything unusual it takes nothing, and the states say what is wrong.
//   - A limit is checked at the header, before anything is stored. Nesting is `outer`, never recursion.
//   - No arithmetic here can overflow on 32 bits, and nothing can panic, whatever the bytes are.
//   - After an error the state is `Failed` until `reset`.
//   - RESP2 is the whole grammar without the feature `resp3`. Guard with `RESP3` what only RESP3 needs: it costs flash.
//
// What to run: `cargo test --test decode_corpus` with and without default features (`--no-default-features --features full`
// is the way without plain.rs), the fuzz targets `differential` and `splits`, and before and after the change
// `make instructions` and `make firmware`.

mod levels;
mod lines;
mod plain;

use super::{Limits, Parser, Progress, Protocol, ProtocolError, ProtocolErrorKind};
use crate::parts::{PIECES, RESP3};
use crate::storage::Storage;
pub use levels::Level;
use levels::{LOST, Nest, ROOT};
use lines::{STREAMED, Step};

/// The default [`Parser`].
///
/// It copies nothing, allocates nothing and resumes at every byte: the cost of a reply does not depend on the pieces it
/// comes in. The nesting stack is lent, or it grows. A lent one bounds the depth in addition to [`Limits::max_depth`].
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Scanner<'a> {
    limits: Limits,
    protocol: Protocol,
    state: State,
    /// What was wrong, if the state is `Failed`.
    error: ProtocolError,
    step: Step,
    /// The type byte of the value that is being read.
    kind: u8,
    negative: bool,
    /// A streamed string is being read.
    chunked: bool,
    streaming: bool,
    /// Bytes of the line, or of the verbatim format, so far.
    line: usize,
    /// The magnitude of an integer, a length or a count; in a payload how much of it is still to come.
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
}

impl Parser for Scanner<'_> {
    #[inline]
    fn parse(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        let length = self.plain_frame(input);
        if length > 0 {
            self.position += length;
            return Ok(self.end_frame(false));
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

impl Scanner<'_> {
    #[inline(never)]
    fn parse_value(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        match self.scan(input) {
            Ok(progress) => Ok(progress),
            Err(Refused) => Err(self.error),
        }
    }

    fn scan(&mut self, input: &[u8]) -> Result<Progress, Refused> {
        loop {
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

    /// Takes the byte at the position. Gives the frame, push or text that ends with it.
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

    /// Passes over the bytes of a string that have come. Gives them if the string goes to the caller in pieces.
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

/// The bytes were refused; the scanner keeps why.
struct Refused;
