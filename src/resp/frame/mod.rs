//! Views of accepted values. A parser has checked the bytes, so that nothing here can fail.
//!
//! This file is the frame and what is in it; [`parts`] has what it is made of, [`debug`] how it is printed.

mod debug;
mod parts;

use super::walk::{self, Body, Head, Walker};
use super::{ErrorReply, Kind, Token};
pub use parts::{Attributes, Chunks, Elements, Pairs};

/// One complete value in received bytes, its attributes included. A view: copying it copies no bytes.
///
/// Frames come from the engine's events, or from [`Frame::read`]. Their accessors never fail and never allocate.
///
/// ```
/// use redwire::resp::{Data, Frame, Limits};
///
/// let frame = Frame::read(b"*2\r\n:7\r\n$3\r\nfoo\r\n", Limits::default()).unwrap();
/// let mut elements = frame.elements();
/// assert_eq!(elements.next().unwrap().integer(), Some(7));
/// match elements.next().unwrap().data() {
///     Data::BulkString(text) => assert_eq!(text.contiguous(), Some(&b"foo"[..])),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Clone, Copy)]
#[must_use]
pub struct Frame<'a> {
    bytes: &'a [u8],
    nested: bool,
}

/// What a frame holds, to be matched on.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[must_use]
pub enum Data<'a> {
    /// Nothing: RESP3's null or one of RESP2's two.
    Null,
    /// A simple string; it may hold bytes that are not UTF-8.
    SimpleString(&'a [u8]),
    /// A simple error or blob error.
    Error(ErrorReply<'a>),
    /// An integer.
    Integer(i64),
    /// A bulk string, in one piece or streamed.
    BulkString(Chunks<'a>),
    /// A verbatim string.
    VerbatimString {
        /// Three bytes, `txt` or `mkd` so far.
        format: [u8; 3],
        /// The text after the colon.
        text: &'a [u8],
    },
    /// A double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// A big number: an optional sign and digits.
    BigNumber(&'a str),
    /// An array.
    Array(Elements<'a>),
    /// A map, in wire order, duplicates included.
    Map(Pairs<'a>),
    /// A set, in wire order.
    Set(Elements<'a>),
    /// A push.
    Push(Elements<'a>),
}

#[cfg(feature = "defmt")]
impl defmt::Format for Data<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Data::Null => defmt::write!(f, "Null"),
            Data::SimpleString(text) => defmt::write!(f, "SimpleString({=[u8]:a})", text),
            Data::Error(error) => defmt::write!(f, "Error({})", error),
            Data::Integer(value) => defmt::write!(f, "Integer({=i64})", value),
            Data::BulkString(chunks) => defmt::write!(f, "BulkString({})", chunks),
            Data::VerbatimString { format, text } => {
                defmt::write!(
                    f,
                    "VerbatimString {{ format: {=[u8]:a}, text: {=[u8]:a} }}",
                    format.as_slice(),
                    text
                );
            }
            Data::Double(value) => defmt::write!(f, "Double({=f64})", value),
            Data::Boolean(value) => defmt::write!(f, "Boolean({=bool})", value),
            Data::BigNumber(digits) => defmt::write!(f, "BigNumber({=str})", digits),
            Data::Array(elements) => defmt::write!(f, "Array({})", elements),
            Data::Map(pairs) => defmt::write!(f, "Map({})", pairs),
            Data::Set(elements) => defmt::write!(f, "Set({})", elements),
            Data::Push(elements) => defmt::write!(f, "Push({})", elements),
        }
    }
}

impl<'a> Frame<'a> {
    /// A view of bytes that a [`Parser`](super::Parser) has accepted as exactly one frame or push.
    ///
    /// The bytes are not checked. Of bytes that no parser has accepted the accessors give wrong values; they never panic.
    /// [`read`](Self::read) checks.
    ///
    /// ```
    /// use redwire::resp::{Frame, Limits, Parser, Progress, Scanner};
    ///
    /// let mut scanner = Scanner::growing(Limits::default());
    /// let received = b":7\r\n+OK\r\n";
    /// if let Ok(Progress::Frame { length, .. }) = scanner.parse(received) {
    ///     assert_eq!(Frame::new_unchecked(&received[..length]).integer(), Some(7));
    /// }
    /// ```
    #[inline]
    pub fn new_unchecked(bytes: &'a [u8]) -> Self {
        Frame { bytes, nested: false }
    }

    /// A view of one value in accepted bytes. In a nested one a push is never the value itself.
    #[inline]
    pub(crate) fn taken(bytes: &'a [u8], nested: bool) -> Self {
        Frame { bytes, nested }
    }

    /// Reads bytes that hold exactly one frame, in either protocol.
    ///
    /// `None` when they hold less, more, something malformed, or nesting beyond 128 levels. To read a stream, use a
    /// [`Parser`](super::Parser).
    #[must_use]
    pub fn read(bytes: &'a [u8], limits: super::Limits) -> Option<Self> {
        use super::{Parser, Progress};
        let mut levels = [super::Level::default(); 128];
        let mut scanner = super::Scanner::new(&mut levels, limits);
        loop {
            match scanner.parse(bytes) {
                Ok(Progress::Frame { length, .. }) if length == bytes.len() => {
                    return Some(Frame::new_unchecked(bytes));
                }
                Ok(Progress::Push { .. }) => {}
                _ => return None,
            }
        }
    }

    /// The bytes as they came, attributes included.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The type of the value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.head().kind
    }

    /// Whether the value is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// The error, if the value is one.
    #[inline]
    #[must_use]
    pub fn error(&self) -> Option<ErrorReply<'a>> {
        if matches!(self.bytes.first(), Some(b'$' | b'*' | b':' | b'+')) {
            return None;
        }
        let head = self.head();
        match (head.kind, head.body) {
            (Kind::SimpleError | Kind::BlobError, Body::Text(text)) => Some(ErrorReply::new(text)),
            _ => None,
        }
    }

    /// The integer, if the value is one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        let head = self.head();
        match (head.kind, head.body) {
            (Kind::Integer, Body::Text(text)) => Some(parse_integer(text)),
            _ => None,
        }
    }

    /// The bytes of a simple, bulk or verbatim string that came in one piece.
    #[must_use]
    pub fn text(&self) -> Option<&'a [u8]> {
        if let Some(text) = self.walker().bulk() {
            return Some(text);
        }
        let head = self.head();
        match (head.kind, head.body) {
            (Kind::SimpleString, Body::Text(text)) => Some(text),
            (Kind::VerbatimString, Body::Text(text)) => Some(split_verbatim(text).1),
            (Kind::BulkString, body) => Chunks::of(body).contiguous(),
            _ => None,
        }
    }

    /// The elements of an array, set or push; of a map its keys and values in turn; of anything else none.
    pub fn elements(&self) -> Elements<'a> {
        if let Some(elements) = Elements::short(self.bytes, self.nested) {
            return elements;
        }
        let mut walker = self.walker();
        let body = walker.head().body;
        Elements::of(walker, body)
    }

    /// The value, to be matched on.
    pub fn data(&self) -> Data<'a> {
        let mut walker = self.walker();
        let Head { kind, body } = walker.head();
        match (kind, body) {
            (Kind::SimpleString, Body::Text(text)) => Data::SimpleString(text),
            (Kind::SimpleError | Kind::BlobError, Body::Text(text)) => Data::Error(ErrorReply::new(text)),
            (Kind::Integer, Body::Text(text)) => Data::Integer(parse_integer(text)),
            (Kind::BulkString, Body::Text(text)) => Data::BulkString(Chunks::whole(text)),
            (Kind::BulkString, Body::Chunks(chunks)) => Data::BulkString(Chunks::streamed(chunks)),
            (Kind::VerbatimString, Body::Text(text)) => {
                let (format, text) = split_verbatim(text);
                Data::VerbatimString { format, text }
            }
            (Kind::Double, Body::Text(text)) => Data::Double(parse_double(text)),
            (Kind::Boolean, Body::Text(text)) => Data::Boolean(text == b"t"),
            (Kind::BigNumber, Body::Text(text)) => Data::BigNumber(ascii(text)),
            (Kind::Array, body @ (Body::Values(_) | Body::Open)) => Data::Array(Elements::of(walker, body)),
            (Kind::Set, body @ (Body::Values(_) | Body::Open)) => Data::Set(Elements::of(walker, body)),
            (Kind::Push, body @ (Body::Values(_) | Body::Open)) => Data::Push(Elements::of(walker, body)),
            (Kind::Map, body @ (Body::Values(_) | Body::Open)) => Data::Map(Pairs::of(walker, body)),
            _ => Data::Null,
        }
    }

    /// Whether the value came as a stream of chunks or elements, without its length.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        let value = self.value_bytes();
        matches!(value, [b'$' | b'*' | b'%' | b'~', b'?', ..])
    }

    /// Whether the value is a blob error; [`error`](Self::error) gives both kinds.
    #[must_use]
    pub fn is_blob_error(&self) -> bool {
        self.kind() == Kind::BlobError
    }

    /// The pairs of the attributes before the value, in wire order.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::of(self.bytes)
    }

    /// The head of the value itself.
    fn head(&self) -> Head<'a> {
        self.walker().head()
    }

    /// Walks over the frame's values.
    #[inline]
    pub(crate) fn walker(&self) -> Walker<'a> {
        Walker::new(self.bytes, self.nested)
    }

    /// The bytes without the pushes inside.
    #[cfg(feature = "alloc")]
    pub(crate) fn pieces(&self) -> walk::Pieces<'a> {
        let value = if self.kind() == Kind::Push { self.value_bytes().len() } else { 0 };
        walk::Pieces::new(self.bytes, value)
    }

    /// The bytes from the value's own type byte on.
    pub(crate) fn value_bytes(&self) -> &'a [u8] {
        let mut bytes = self.bytes;
        loop {
            match bytes.first() {
                Some(b'|') => bytes = walk::skip_value(bytes),
                Some(b'>') if self.nested => bytes = walk::skip_value(bytes),
                _ => return bytes,
            }
        }
    }
}

/// Two frames are equal when their kinds, texts and structure are. Attributes, pushes inside, and whether a value was
/// streamed do not count. Doubles compare as their texts.
impl PartialEq for Frame<'_> {
    fn eq(&self, other: &Self) -> bool {
        // Elements have to be counted only where one frame streams and the other does not.
        let (mut left, mut right) = (self.tokens(), other.tokens());
        loop {
            match (left.next_of_value(), right.next_of_value()) {
                (None, None) => return true,
                (Some(Token::End), Some(Token::End)) => {}
                (Some(Token::Scalar(a)), Some(Token::Scalar(b))) => {
                    if !equal_heads(a.walker().head(), b.walker().head()) {
                        return false;
                    }
                }
                (Some(Token::Begin { kind: a, values: m }), Some(Token::Begin { kind: b, values: n })) => {
                    if a != b {
                        return false;
                    }
                    if m.is_some() != n.is_some() {
                        return self.equals_counted(other);
                    }
                    if m != n {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
}

impl Frame<'_> {
    /// Equality where a value is streamed in one frame and counted in the other.
    fn equals_counted(&self, other: &Self) -> bool {
        let (mut left, mut right) = (self.walker(), other.walker());
        while left.pending() > 0 {
            if right.pending() != left.pending() || !equal_heads(left.counted_head(), right.counted_head()) {
                return false;
            }
        }
        right.pending() == 0
    }
}

fn equal_heads(a: Head<'_>, b: Head<'_>) -> bool {
    a.kind == b.kind
        && match (a.body, b.body) {
            (Body::Values(a), Body::Values(b)) => a == b,
            (Body::Null, Body::Null) => true,
            (Body::Text(a), Body::Text(b)) => a == b,
            (a, b) => Chunks::of(a).bytes().eq(Chunks::of(b).bytes()),
        }
}

pub(crate) fn split_verbatim(text: &[u8]) -> ([u8; 3], &[u8]) {
    match text {
        [a, b, c, _, rest @ ..] => ([*a, *b, *c], rest),
        _ => (*b"txt", text),
    }
}

/// The value of a checked integer.
#[inline]
pub(crate) fn parse_integer(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut magnitude = 0i64;
    for digit in digits {
        // Negative on the way, since i64::MIN has no positive counterpart.
        magnitude = magnitude.wrapping_mul(10).wrapping_sub(i64::from(digit.wrapping_sub(b'0')));
    }
    if negative { magnitude } else { magnitude.wrapping_neg() }
}

/// The value of a checked double.
fn parse_double(text: &[u8]) -> f64 {
    ascii(text).parse().unwrap_or(f64::NAN)
}

fn ascii(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or_default()
}
