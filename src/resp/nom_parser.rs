//! The grammar of the wire, written with [nom] to be read: what [`Scanner`](super::Scanner) does byte by byte stands here
//! as combinators.
//!
//! A frame is read in pieces, and each piece is a combinator: a type byte, a length line, the sign of a number, a line
//! end. A piece is either short, so that it is simply read again when its rest has come, or a run of bytes (text, digits,
//! the bytes of a bulk string) of which is taken what is there. So the cost stays linear, and nothing is kept but which
//! piece comes next, two or three numbers, and a [`NomLevel`] for each open aggregate.
//!
//! It gives the same frames, events and errors as the scanner with code of its own; the fuzz target `differential` and
//! the corpus hold the two against each other.

use nom::branch::alt;
use nom::bytes::complete as run;
use nom::bytes::streaming::take;
use nom::character::streaming::{char, one_of, satisfy};
use nom::combinator::{cut, fail, map, opt, peek, value, verify};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser as _};

use super::{Limits, Parser, Progress, Protocol, ProtocolError, ProtocolErrorKind};
use crate::storage::Storage;

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

/// One open aggregate of a [`NomParser`]: what it is, and how much of it has come.
#[derive(Debug, Clone, Copy, Default)]
pub struct NomLevel {
    aggregate: Aggregate,
    /// Values so far; the pushes among them do not count.
    seen: u32,
    /// Attributes have come whose value has not.
    attributed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
enum Aggregate {
    /// An array, map or set of so many values, where a pair is two.
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
enum Aside {
    None,
    /// It begins here in the input.
    At(usize),
    /// Its beginning was discarded.
    Lost,
}

/// The pieces that a frame is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    TypeByte,
    /// The length and the line end of a string, chunk or aggregate.
    LengthLine,
    /// The bytes of a simple string or error.
    Text,
    IntegerSign,
    IntegerDigits {
        negative: bool,
        magnitude: u64,
    },
    BigNumberSign,
    BigNumberDigits,
    DoubleStart,
    /// What may follow the digits before a decimal point, behind it, and in an exponent.
    DoubleWhole,
    DoubleFraction,
    DoubleExponent,
    Boolean,
    LineEnd,
    /// `txt:`, the head of a verbatim string.
    Format,
    Payload,
    PayloadEnd,
    /// The `;` of a chunk.
    ChunkByte,
}

/// What a length line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Counted(u64),
    Null,
    Streamed,
}

type Parsed<'i, T> = IResult<&'i [u8], T>;
type Stop<'i> = nom::Err<nom::error::Error<&'i [u8]>>;

/// A combinator over bytes that gives a `T`.
trait Combinator<'i, T>: nom::Parser<&'i [u8], Output = T, Error = nom::error::Error<&'i [u8]>> {}

impl<'i, T, P> Combinator<'i, T> for P where
    P: nom::Parser<&'i [u8], Output = T, Error = nom::error::Error<&'i [u8]>>
{
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
    fn piece(&mut self, input: &[u8]) -> Result<Option<Progress>, ProtocolError> {
        let rest = input.get(self.position..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Some(Progress::Incomplete { need: self.need() }));
        }
        match self.expect {
            Expect::TypeByte => self.type_byte(rest),
            Expect::LengthLine => match length_line(self.kind, self.protocol).parse(rest) {
                Ok((after, length)) => {
                    self.take(rest, after);
                    self.header(length)
                }
                Err(error) => self.stopped(rest, error),
            },
            Expect::Text => self.in_line(rest, alt((value(Expect::Text, text), at_line_end))),
            Expect::IntegerSign => self.in_line(rest, integer_sign),
            Expect::IntegerDigits { negative, magnitude } => {
                self.in_line(rest, alt((integer_digits(negative, magnitude), at_line_end)))
            }
            Expect::BigNumberSign => self.in_line(rest, big_number_sign),
            Expect::BigNumberDigits => {
                self.in_line(rest, alt((value(Expect::BigNumberDigits, digits), at_line_end)))
            }
            Expect::DoubleStart => self.in_line(rest, double_start),
            Expect::DoubleWhole => {
                let digits = value(Expect::DoubleWhole, digits);
                self.in_line(rest, alt((digits, decimal_point, exponent, at_line_end)))
            }
            Expect::DoubleFraction => {
                let digits = value(Expect::DoubleFraction, digits);
                self.in_line(rest, alt((digits, exponent, at_line_end)))
            }
            Expect::DoubleExponent => {
                self.in_line(rest, alt((value(Expect::DoubleExponent, digits), at_line_end)))
            }
            Expect::Boolean => self.in_line(rest, value(Expect::LineEnd, one_of("tf"))),
            Expect::LineEnd => match line_end(rest) {
                Ok((after, ())) => {
                    self.take(rest, after);
                    if self.kind == b'.' {
                        self.depth = self.depth.saturating_sub(1);
                    }
                    Ok(self.complete())
                }
                Err(error) => self.stopped(rest, error),
            },
            Expect::Format => match format(rest) {
                Ok((after, ())) => {
                    self.take(rest, after);
                    self.left = self.left.saturating_sub(4);
                    self.expect = Expect::Payload;
                    Ok(None)
                }
                Err(error) => self.stopped(rest, error),
            },
            Expect::Payload => Ok(self.payload(rest)),
            Expect::PayloadEnd => match line_end(rest) {
                Ok((after, ())) => {
                    self.take(rest, after);
                    if self.streamed.is_some() {
                        self.expect = Expect::ChunkByte;
                        return Ok(None);
                    }
                    Ok(self.complete())
                }
                Err(error) => self.stopped(rest, error),
            },
            Expect::ChunkByte => match chunk_byte(rest) {
                Ok((after, kind)) => {
                    self.begin(kind, Expect::LengthLine);
                    self.take(rest, after);
                    Ok(None)
                }
                Err(error) => self.stopped(rest, error),
            },
        }
    }

    /// The fewest bytes that complete the value, when the input ends before the next piece.
    fn need(&self) -> usize {
        match self.expect {
            Expect::Format | Expect::Payload | Expect::PayloadEnd => self.left.saturating_add(2),
            Expect::ChunkByte => b";0\r\n".len(),
            _ => 1,
        }
    }

    /// A piece of a line whose length is limited; it says what comes after it.
    fn in_line<'i>(
        &mut self,
        rest: &'i [u8],
        mut piece: impl Combinator<'i, Expect>,
    ) -> Result<Option<Progress>, ProtocolError> {
        let result = piece.parse(rest);
        let good = match &result {
            Ok((after, _)) => rest.len() - after.len(),
            Err(nom::Err::Incomplete(_)) => rest.len(),
            Err(nom::Err::Error(e) | nom::Err::Failure(e)) => rest.len() - e.input.len(),
        };
        let allowed = self.limits.max_line.saturating_sub(self.line);
        if good > allowed {
            return Err(self.error_at(ProtocolErrorKind::SizeLimit, self.position.saturating_add(allowed)));
        }
        match result {
            Ok((after, next)) => {
                self.take(rest, after);
                self.expect = next;
                Ok(None)
            }
            Err(error) => self.stopped(rest, error),
        }
    }

    /// A piece that is not complete, or wrong.
    fn stopped(&self, rest: &[u8], error: Stop<'_>) -> Result<Option<Progress>, ProtocolError> {
        let (nom::Err::Error(error) | nom::Err::Failure(error)) = error else {
            let need = match self.expect {
                Expect::Format | Expect::PayloadEnd => self.need().saturating_sub(rest.len()),
                _ => 1,
            };
            return Ok(Some(Progress::Incomplete { need }));
        };
        let good = rest.len() - error.input.len();
        let behind_cr = good.checked_sub(1).and_then(|last| rest.get(last)) == Some(&b'\r');
        let bare_lf = error.input.first() == Some(&b'\n');
        let kind = match self.expect {
            Expect::Format => ProtocolErrorKind::BadVerbatim,
            Expect::ChunkByte => ProtocolErrorKind::BadChunk,
            Expect::PayloadEnd => ProtocolErrorKind::BadTerminator,
            _ if behind_cr || bare_lf => ProtocolErrorKind::BadTerminator,
            _ => match self.kind {
                b':' => ProtocolErrorKind::BadInteger,
                b',' => ProtocolErrorKind::BadDouble,
                b'(' => ProtocolErrorKind::BadBigNumber,
                b'#' => ProtocolErrorKind::BadBoolean,
                b'_' => ProtocolErrorKind::BadNull,
                b'.' => ProtocolErrorKind::BadEnd,
                b';' => ProtocolErrorKind::BadChunk,
                b'+' | b'-' => ProtocolErrorKind::BadTerminator,
                _ => ProtocolErrorKind::BadLength,
            },
        };
        Err(self.error_at(kind, self.position.saturating_add(good)))
    }

    fn error_at(&self, kind: ProtocolErrorKind, position: usize) -> ProtocolError {
        ProtocolError { kind, offset: self.base + position as u64 }
    }

    /// What is wrong with a value as a whole is wrong at its type byte.
    fn value_error<T>(&self, kind: ProtocolErrorKind) -> Result<T, ProtocolError> {
        Err(ProtocolError { kind, offset: self.value })
    }

    /// Goes on behind a piece of a line, which ended where `after` begins.
    fn take(&mut self, rest: &[u8], after: &[u8]) {
        let taken = rest.len() - after.len();
        self.position = self.position.saturating_add(taken);
        self.line = self.line.saturating_add(taken);
    }

    /// Remembers the type byte, which stands at the current position.
    fn begin(&mut self, kind: u8, expect: Expect) {
        self.kind = kind;
        self.value = self.base + self.position as u64;
        self.expect = expect;
    }

    fn type_byte(&mut self, rest: &[u8]) -> Result<Option<Progress>, ProtocolError> {
        let Some((&kind, after)) = rest.split_first() else { return Ok(None) };
        self.begin(kind, Expect::TypeByte);
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
            self.push = Aside::At(self.position);
        }
        self.take(rest, after);
        self.line = 0;
        Ok(None)
    }

    /// What depends on where the value stands.
    fn check_place(&self, kind: u8) -> Result<(), ProtocolError> {
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

    /// A length line is complete: opens the aggregate or string.
    fn header(&mut self, length: Length) -> Result<Option<Progress>, ProtocolError> {
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

    fn begin_payload(&mut self, length: u64) -> Result<Option<Progress>, ProtocolError> {
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

    fn begin_aggregate(&mut self, kind: u8, length: u64) -> Result<Option<Progress>, ProtocolError> {
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

    /// Takes what has come of a string.
    fn payload(&mut self, rest: &[u8]) -> Option<Progress> {
        let there: Parsed<'_, &[u8]> = run::take(self.left.min(rest.len()))(rest);
        let (start, taken) = (self.position, there.map_or(0, |(_, text)| text.len()));
        self.position = self.position.saturating_add(taken);
        self.left -= taken;
        if self.left == 0 {
            self.expect = Expect::PayloadEnd;
        }
        let wanted = self.streaming && self.depth == 0 && self.kind != b'!';
        (wanted && taken > 0).then_some(Progress::Text { start, end: self.position })
    }

    /// The open aggregates, the innermost last.
    fn open(&self) -> &[NomLevel] {
        self.stack.as_slice().get(..self.depth).unwrap_or_default()
    }

    fn innermost(&mut self) -> Option<&mut NomLevel> {
        self.stack.as_mut_slice().get_mut(..self.depth)?.last_mut()
    }

    fn enter(&mut self, aggregate: Aggregate) -> Result<Option<Progress>, ProtocolError> {
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

    /// A value ends here, and with it every aggregate whose last value it is.
    fn complete(&mut self) -> Option<Progress> {
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
                Err(error) => {
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

// The combinators. Each stops at the first byte that cannot stand there: `cut` where no other reading is left.

/// CR and LF.
fn line_end(input: &[u8]) -> Parsed<'_, ()> {
    value((), (char('\r'), char('\n'))).parse(input)
}

/// Nothing, where the line ends; the line end itself is a piece of its own.
fn at_line_end(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::LineEnd, peek(char('\r'))).parse(input)
}

/// The text that is there, one byte at least.
fn text(input: &[u8]) -> Parsed<'_, &[u8]> {
    run::take_till1(|byte| matches!(byte, b'\r' | b'\n'))(input)
}

/// The digits that are there, one at least.
fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    run::take_while1(|byte: u8| byte.is_ascii_digit())(input)
}

/// A digit, which is left to the run of digits.
fn before_digit(input: &[u8]) -> Parsed<'_, ()> {
    value((), peek(satisfy(|c| c.is_ascii_digit()))).parse(input)
}

/// The digits that are there, one at least, appended to `magnitude`. Fails at the first that takes it beyond `most`.
fn append_digits<'i>(magnitude: u64, most: u64) -> impl Combinator<'i, u64> {
    move |input: &'i [u8]| {
        let (after, digits) = digits(input)?;
        let mut magnitude = magnitude;
        for (index, digit) in digits.iter().enumerate() {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            let next = magnitude.checked_mul(10).and_then(|tens| tens.checked_add(digit));
            magnitude = match next.filter(|next| *next <= most) {
                Some(next) => next,
                None => return cut(fail()).parse(input.get(index..).unwrap_or_default()),
            };
        }
        Ok((after, magnitude))
    }
}

/// `0`, digits without a leading zero, `-1` where null is possible, `?` where a stream is; and the line end.
fn length_line<'i>(kind: u8, protocol: Protocol) -> impl Combinator<'i, Length> {
    let may_be_null = matches!(kind, b'$' | b'*');
    let may_be_streamed = protocol == Protocol::Resp3 && matches!(kind, b'$' | b'*' | b'%' | b'~');
    let length = alt((
        value(Length::Counted(0), char('0')),
        map(append_digits(0, i64::MAX as u64), Length::Counted),
        value(Length::Null, preceded(verify(char('-'), move |_| may_be_null), cut(char('1')))),
        value(Length::Streamed, verify(char('?'), move |_| may_be_streamed)),
    ));
    terminated(length, line_end)
}

/// An optional sign. A digit has to follow.
fn integer_sign(input: &[u8]) -> Parsed<'_, Expect> {
    let (after, sign) = terminated(opt(one_of("+-")), before_digit).parse(input)?;
    Ok((after, Expect::IntegerDigits { negative: sign == Some('-'), magnitude: 0 }))
}

/// More digits of an integer, whose magnitude so far is given.
fn integer_digits<'i>(negative: bool, magnitude: u64) -> impl Combinator<'i, Expect> {
    let most = i64::MAX as u64 + u64::from(negative);
    map(append_digits(magnitude, most), move |magnitude| Expect::IntegerDigits { negative, magnitude })
}

fn big_number_sign(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::BigNumberDigits, (opt(one_of("+-")), before_digit)).parse(input)
}

/// The sign of a double and what decides its form: a digit, a point with a digit behind it, or a word.
fn double_start(input: &[u8]) -> Parsed<'_, Expect> {
    let (after, sign) = opt(one_of("+-")).parse(input)?;
    let word = |input| {
        let infinity = (char('i'), cut((char('n'), char('f'))));
        let not_a_number = (char('n'), cut((char('a'), char('n'))));
        alt((value(Expect::LineEnd, infinity), value(Expect::LineEnd, not_a_number))).parse(input)
    };
    let number = alt((
        value(Expect::DoubleWhole, before_digit),
        value(Expect::DoubleFraction, (char('.'), cut(before_digit))),
    ));
    if sign == Some('+') { cut(number).parse(after) } else { cut(alt((number, word))).parse(after) }
}

fn decimal_point(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::DoubleFraction, char('.')).parse(input)
}

fn exponent(input: &[u8]) -> Parsed<'_, Expect> {
    value(Expect::DoubleExponent, (one_of("eE"), cut((opt(one_of("+-")), before_digit)))).parse(input)
}

/// Three bytes and a colon.
fn format(input: &[u8]) -> Parsed<'_, ()> {
    value((), (take(3usize), char(':'))).parse(input)
}

fn chunk_byte(input: &[u8]) -> Parsed<'_, u8> {
    value(b';', char(';')).parse(input)
}
