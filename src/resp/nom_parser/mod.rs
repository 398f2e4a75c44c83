//! The parser written with [nom], to be read: the same grammar as that of [`Scanner`](super::Scanner), as combinators.
//!
//! This file puts the pieces together that [`grammar`] has the combinators for; [`levels`] knows which aggregates are open.
//!
//! A frame is read in pieces, and each piece is a combinator of [`grammar`]. A short piece is read again from its beginning
//! when the rest of it has come. Of a run of bytes (text, digits, the bytes of a bulk string) the parser takes what is there.
//! So the cost stays linear. The parser remembers which piece comes next, some numbers, and a [`NomLevel`] for each open
//! aggregate.
//!
//! It gives the same frames, events and errors as the scanner. The fuzz target `differential` and the corpus compare the
//! two.

mod grammar;
mod levels;

use super::{Limits, Parser, Progress, Protocol, ProtocolError, ProtocolErrorKind};
use crate::storage::Storage;
use grammar::{Combinator, Expect, Length};
pub use levels::NomLevel;
use levels::{Aggregate, Aside};

/// The [`Parser`] written with nom combinators: slower than the [`Scanner`](super::Scanner), easier to check.
///
/// It needs to see a length line, 22 bytes at most, in one piece; everything else may be discarded as it comes.
///
/// ```
/// use redwire::resp::{Limits, NomParser, Parser, Progress};
///
/// let mut levels = [Default::default(); 8];
/// let mut parser = NomParser::new(&mut levels[..], Limits::default());
/// assert_eq!(parser.parse(b"*2\r\n:1\r\n$5\r\nhel"), Ok(Progress::Incomplete { need: 4 }));
/// assert_eq!(parser.parse(b"*2\r\n:1\r\n$5\r\nhello\r\n+OK"), Ok(Progress::Frame { length: 19, push: false }));
/// ```
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct NomParser<'a> {
    limits: Limits,
    protocol: Protocol,
    streaming: bool,
    failed: Option<ProtocolError>,
    /// The piece that comes next.
    expect: Expect,
    /// Where in the input it begins.
    position: usize,
    /// Where in the stream the input begins.
    base: u64,
    /// The type byte of the current value, and where in the stream it stands.
    kind: u8,
    value: u64,
    /// Bytes of the current line that were taken.
    line: usize,
    /// Bytes of the current string, or of its current chunk, that are still to come.
    left: usize,
    /// The bytes of a streamed string so far, its current chunk included; `None` in a string with a length.
    streamed: Option<usize>,
    /// A push that is not the frame itself.
    push: Aside,
    stack: Storage<'a, NomLevel>,
    depth: usize,
}

/// Why no piece could be read.
enum Halt {
    Incomplete { need: usize },
    Error(ProtocolError),
}

impl<'a> NomParser<'a> {
    /// A parser with its nesting stack in `levels`: a slice of the caller, or with `alloc` [`Storage::growing`].
    pub fn new(levels: impl Into<Storage<'a, NomLevel>>, limits: Limits) -> Self {
        NomParser {
            limits,
            protocol: Protocol::Resp3,
            streaming: false,
            failed: None,
            expect: Expect::TypeByte,
            position: 0,
            base: 0,
            kind: 0,
            value: 0,
            line: 0,
            left: 0,
            streamed: None,
            push: Aside::None,
            stack: levels.into(),
            depth: 0,
        }
    }

    /// A parser whose nesting stack grows on demand, up to the depth limit.
    #[cfg(feature = "alloc")]
    pub fn growing(limits: Limits) -> Self {
        Self::new(Storage::growing(), limits)
    }

    /// Reads the next piece. `None` when another one comes after it.
    fn piece(&mut self, input: &[u8]) -> Result<Option<Progress>, Halt> {
        let rest = input.get(self.position..).unwrap_or_default();
        if rest.is_empty() {
            return Err(Halt::Incomplete { need: self.need(0) });
        }
        match self.expect {
            Expect::TypeByte => self.type_byte(rest),
            Expect::LengthLine => {
                let length = self.read(rest, grammar::length_line(self.kind, self.protocol))?;
                self.header(length)
            }
            Expect::Text => self.read_in_line(rest, grammar::text),
            Expect::IntegerSign => self.read_in_line(rest, grammar::integer_sign),
            Expect::IntegerDigits { negative, magnitude } => {
                self.read_in_line(rest, grammar::integer_digits(negative, magnitude))
            }
            Expect::BigNumberSign => self.read_in_line(rest, grammar::big_number_sign),
            Expect::BigNumberDigits => self.read_in_line(rest, grammar::big_number_digits),
            Expect::DoubleStart => self.read_in_line(rest, grammar::double_start),
            Expect::DoubleWhole => self.read_in_line(rest, grammar::double_whole),
            Expect::DoubleFraction => self.read_in_line(rest, grammar::double_fraction),
            Expect::DoubleExponent => self.read_in_line(rest, grammar::double_exponent),
            Expect::Boolean => self.read_in_line(rest, grammar::boolean),
            Expect::LineEnd => {
                self.read(rest, grammar::line_end)?;
                if self.kind == b'.' {
                    self.depth = self.depth.saturating_sub(1);
                }
                Ok(self.complete())
            }
            Expect::Format => {
                self.read(rest, grammar::format)?;
                self.left = self.left.saturating_sub(4);
                self.expect = Expect::Payload;
                Ok(None)
            }
            Expect::Payload => Ok(self.payload(rest)),
            Expect::PayloadEnd => {
                self.read(rest, grammar::line_end)?;
                if self.streamed.is_none() {
                    return Ok(self.complete());
                }
                self.expect = Expect::ChunkByte;
                Ok(None)
            }
            Expect::ChunkByte => {
                self.value = self.base + self.position as u64;
                self.kind = self.read(rest, grammar::chunk_byte)?;
                self.expect = Expect::LengthLine;
                Ok(None)
            }
        }
    }

    /// The fewest bytes that can complete the value, when `there` bytes of the next piece have come.
    fn need(&self, there: usize) -> usize {
        match self.expect {
            Expect::Format | Expect::Payload | Expect::PayloadEnd => {
                self.left.saturating_add(2).saturating_sub(there)
            }
            Expect::ChunkByte => b";0\r\n".len(),
            _ => 1,
        }
    }

    /// Reads a piece and goes on after it.
    fn read<'i, T>(&mut self, rest: &'i [u8], mut piece: impl Combinator<'i, T>) -> Result<T, Halt> {
        let (after, read) = piece.parse(rest).map_err(|stop| self.halt(rest, stop))?;
        self.go_on(rest, after);
        Ok(read)
    }

    /// Reads a piece of a line whose length is limited; the piece says what comes after it.
    fn read_in_line<'i>(
        &mut self,
        rest: &'i [u8],
        mut piece: impl Combinator<'i, Expect>,
    ) -> Result<Option<Progress>, Halt> {
        let result = piece.parse(rest);
        // Up to here the line is good. What is wrong beyond the limit does not matter.
        let good = match &result {
            Ok((after, _)) => rest.len() - after.len(),
            Err(nom::Err::Incomplete(_)) => rest.len(),
            Err(nom::Err::Error(wrong) | nom::Err::Failure(wrong)) => rest.len() - wrong.input.len(),
        };
        let allowed = self.limits.max_line.saturating_sub(self.line);
        if good > allowed {
            return Err(self.error_at(ProtocolErrorKind::SizeLimit, allowed));
        }
        let (after, next) = result.map_err(|stop| self.halt(rest, stop))?;
        self.go_on(rest, after);
        self.expect = next;
        Ok(None)
    }

    /// Goes on where `after` begins.
    fn go_on(&mut self, rest: &[u8], after: &[u8]) {
        let taken = rest.len() - after.len();
        self.position = self.position.saturating_add(taken);
        self.line = self.line.saturating_add(taken);
    }

    /// A piece is not complete, or wrong.
    fn halt(&self, rest: &[u8], stop: nom::Err<nom::error::Error<&[u8]>>) -> Halt {
        let (nom::Err::Error(wrong) | nom::Err::Failure(wrong)) = stop else {
            return Halt::Incomplete { need: self.need(rest.len()) };
        };
        let good = rest.len() - wrong.input.len();
        let after_cr = good.checked_sub(1).and_then(|last| rest.get(last)) == Some(&b'\r');
        let bare_lf = wrong.input.first() == Some(&b'\n');
        let kind = match self.expect {
            Expect::Format => ProtocolErrorKind::BadVerbatim,
            Expect::ChunkByte => ProtocolErrorKind::BadChunk,
            Expect::PayloadEnd => ProtocolErrorKind::BadTerminator,
            _ if after_cr || bare_lf => ProtocolErrorKind::BadTerminator,
            _ => match self.kind {
                b':' => ProtocolErrorKind::BadInteger,
                b',' => ProtocolErrorKind::BadDouble,
                b'(' => ProtocolErrorKind::BadBigNumber,
                b'#' => ProtocolErrorKind::BadBoolean,
                b'_' => ProtocolErrorKind::BadNull,
                b'.' => ProtocolErrorKind::BadEnd,
                b';' => ProtocolErrorKind::BadChunk,
                _ => ProtocolErrorKind::BadLength,
            },
        };
        self.error_at(kind, good)
    }

    /// An error at a byte of the piece, `at` bytes after its beginning.
    fn error_at(&self, kind: ProtocolErrorKind, at: usize) -> Halt {
        let position = self.position.saturating_add(at);
        Halt::Error(ProtocolError { kind, offset: self.base + position as u64 })
    }

    /// An error of the value as a whole, which is at its type byte.
    fn value_error<T>(&self, kind: ProtocolErrorKind) -> Result<T, Halt> {
        Err(Halt::Error(ProtocolError { kind, offset: self.value }))
    }

    fn type_byte(&mut self, rest: &[u8]) -> Result<Option<Progress>, Halt> {
        self.value = self.base + self.position as u64;
        let start = self.position;
        let kind = self.read(rest, grammar::type_byte)?;
        self.kind = kind;
        self.check_place(kind)?;
        let resp3 = self.protocol == Protocol::Resp3;
        self.expect = match kind {
            b'$' | b'*' => Expect::LengthLine,
            b'+' | b'-' => Expect::Text,
            b':' => Expect::IntegerSign,
            b'%' | b'~' | b'|' | b'>' | b'!' | b'=' if resp3 => Expect::LengthLine,
            b',' if resp3 => Expect::DoubleStart,
            b'(' if resp3 => Expect::BigNumberSign,
            b'#' if resp3 => Expect::Boolean,
            b'_' | b'.' if resp3 => Expect::LineEnd,
            b';' if resp3 => return self.value_error(ProtocolErrorKind::BadChunk),
            _ => return self.value_error(ProtocolErrorKind::UnknownType),
        };
        if kind == b'>' && self.depth > 0 {
            self.push = Aside::At(start);
        }
        self.line = 0;
        Ok(None)
    }

    /// A length line is complete: opens the aggregate or string.
    fn header(&mut self, length: Length) -> Result<Option<Progress>, Halt> {
        match (self.kind, length) {
            (b'$' | b'*', Length::Null) => {
                let names_push =
                    |level: &NomLevel| level.seen == 0 && matches!(level.aggregate, Aggregate::Push(_));
                if self.open().last().is_some_and(names_push) {
                    return self.value_error(ProtocolErrorKind::BadPush);
                }
                Ok(self.complete())
            }
            (b'$', Length::Streamed) => {
                self.streamed = Some(0);
                self.expect = Expect::ChunkByte;
                Ok(None)
            }
            (b'%', Length::Streamed) => self.enter(Aggregate::StreamedMap),
            (_, Length::Streamed) => self.enter(Aggregate::Streamed),
            (b';', Length::Counted(0)) => {
                self.streamed = None;
                Ok(self.complete())
            }
            (b'=', Length::Counted(0..4)) => self.value_error(ProtocolErrorKind::BadVerbatim),
            (b'$' | b'!' | b'=' | b';', Length::Counted(length)) => self.begin_payload(length),
            (kind, Length::Counted(length)) => self.begin_aggregate(kind, length),
            (_, Length::Null) => self.value_error(ProtocolErrorKind::BadLength),
        }
    }

    fn begin_payload(&mut self, length: u64) -> Result<Option<Progress>, Halt> {
        // The string and its CRLF have to be countable.
        let most = self.limits.max_bulk.min(usize::MAX - 2);
        let total = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(self.streamed.unwrap_or(0)))
            .filter(|total| *total <= most);
        let Some(total) = total else { return self.value_error(ProtocolErrorKind::SizeLimit) };
        self.left = total - self.streamed.unwrap_or(0);
        self.streamed = self.streamed.map(|_| total);
        self.expect = if self.kind == b'=' { Expect::Format } else { Expect::Payload };
        Ok(None)
    }

    /// Takes what has come of a string.
    fn payload(&mut self, rest: &[u8]) -> Option<Progress> {
        let (start, taken) = (self.position, self.left.min(rest.len()));
        self.position = self.position.saturating_add(taken);
        self.left -= taken;
        if self.left == 0 {
            self.expect = Expect::PayloadEnd;
        }
        let wanted = self.streaming && self.depth == 0 && self.kind != b'!';
        (wanted && taken > 0).then_some(Progress::Text { start, end: self.position })
    }

    fn frame(&mut self, push: bool) -> Progress {
        let length = core::mem::replace(&mut self.position, 0);
        self.base += length as u64;
        self.streaming = false;
        Progress::Frame { length, push }
    }
}

impl Parser for NomParser<'_> {
    fn parse(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        loop {
            match self.piece(input) {
                Ok(None) => {}
                Ok(Some(progress)) => return Ok(progress),
                Err(Halt::Incomplete { need }) => return Ok(Progress::Incomplete { need }),
                Err(Halt::Error(error)) => {
                    self.failed = Some(error);
                    return Err(error);
                }
            }
        }
    }

    fn discard(&mut self, count: usize) {
        let count = count.min(self.position);
        self.position -= count;
        self.base += count as u64;
        if let Aside::At(start) = self.push {
            self.push = start.checked_sub(count).map_or(Aside::Lost, Aside::At);
        }
    }

    fn parsed(&self) -> usize {
        self.position
    }

    fn discardable(&self) -> usize {
        match self.push {
            Aside::At(start) => start,
            Aside::None | Aside::Lost => self.position,
        }
    }

    fn stream(&mut self, on: bool) {
        self.streaming = on;
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn reset(&mut self) {
        self.streaming = false;
        self.failed = None;
        self.expect = Expect::TypeByte;
        self.position = 0;
        self.base = 0;
        self.streamed = None;
        self.push = Aside::None;
        self.depth = 0;
        self.stack.shrink(64);
    }
}
