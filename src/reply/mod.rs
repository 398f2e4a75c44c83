//! Replies as Rust types: [`FromReply`] reads a frame once, in order, straight into the type that was asked for.
//!
//! | Rust type | is read from |
//! |---|---|
//! | integers | integers, booleans, text and doubles that are a decimal integer; with a check of the range |
//! | `f32`, `f64` | doubles, integers, text that is a number, `inf`, `-inf` or `nan` |
//! | `bool` | booleans, 0 and 1, `OK` (true), null (false, as `SET` with `NX` answers) |
//! | `&str`, `&[u8]`, `String`, `Vec<u8>`, `Cow`, ... | strings and numbers, these as their digits |
//! | `()` | anything but an error |
//! | `Option<T>` | null as `None` |
//! | `Result<T, ErrorReply>` | an error as `Err`: the results of a transaction one by one |
//! | tuples, `[T; N]` | aggregates of exactly that length |
//! | `Vec<T>`, sets | aggregates; a map gives its keys and values in turn |
//! | `Vec<(K, V)>`, maps | maps, and arrays of pairs, flat or nested: RESP2 and RESP3 read alike |
//! | [`Frame`], `Value` | anything, an error too |
//!
//! An error reply gives [`DecodeError::Server`], unless it is read as `Result` or as a type of the last row.

mod collections;
mod error;
mod scalars;
pub mod text;
#[cfg(feature = "alloc")]
mod value;

pub use error::{DecodeError, Mismatch, MismatchReason};
pub(crate) use scalars::parse_magnitude;
#[cfg(feature = "alloc")]
pub use value::Value;

use crate::parts::RESP3;
use crate::resp::{Body, Chunks, ErrorReply, Frame, Head, Kind, Walker, split_verbatim};
use error::{count, mismatch};

/// A type that can be read from a reply.
///
/// Reading goes once through the frame, in order, straight into the type. Tuples, arrays, `Vec`, maps, options and
/// results of such types are readable too, so most implementations delegate:
///
/// ```
/// use redwire::reply::{DecodeError, FromReply, Reply};
/// use redwire::resp::{Frame, Limits};
///
/// #[derive(Debug, PartialEq)]
/// struct Point { x: f64, y: f64 }
///
/// impl<'a> FromReply<'a> for Point {
///     fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
///         let (x, y) = FromReply::from_reply(reply)?;
///         Ok(Point { x, y })
///     }
/// }
///
/// let frame = Frame::read(b"*2\r\n$3\r\n1.5\r\n:2\r\n", Limits::default()).unwrap();
/// assert_eq!(frame.decode(), Ok(Point { x: 1.5, y: 2.0 }));
/// ```
///
/// A struct from a hash reads names and values in turn, from RESP3's map and RESP2's flat array alike:
///
/// ```
/// use redwire::reply::{DecodeError, FromReply, Mismatch, MismatchReason, Reply};
/// use redwire::resp::{Frame, Kind, Limits};
///
/// #[derive(Debug, PartialEq)]
/// struct User { name: String, age: Option<u8> }
///
/// impl<'a> FromReply<'a> for User {
///     fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
///         let (mut name, mut age) = (None, None);
///         let mut fields = reply.elements()?;
///         while let Some(field) = fields.next::<&str>() {
///             match field? {
///                 "name" => name = fields.next().transpose()?,
///                 "age" => age = fields.next().transpose()?,
///                 _ => { fields.next::<()>().transpose()?; }
///             }
///         }
///         let missing = Mismatch::new("a user with a name", Kind::Map, MismatchReason::Missing);
///         Ok(User { name: name.ok_or(missing)?, age })
///     }
/// }
///
/// for reply in ["%2\r\n+name\r\n+Ada\r\n+age\r\n:36\r\n", "*4\r\n+name\r\n+Ada\r\n+age\r\n$2\r\n36\r\n"] {
///     let frame = Frame::read(reply.as_bytes(), Limits::default()).unwrap();
///     assert_eq!(frame.decode(), Ok(User { name: "Ada".to_string(), age: Some(36) }));
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a reply cannot be read as `{Self}`",
    label = "say which type the reply has: `let value: Option<String> = client.get(\"key\")?`",
    note = "`String`, `Vec` and other types that own their memory need the feature `alloc` of redwire, hash maps `std`",
    note = "`&str`, `&[u8]` and types of heapless need no feature; they are read where the reply is lent: from an event's frame, \
            or by a client without an allocator",
    note = "implement `FromReply` for types of your own; most implementations are three lines"
)]
pub trait FromReply<'a>: Sized {
    /// Whether two values in a row can make up one of this type. It is true for tuples of two; a type that delegates
    /// to such a tuple may say so too.
    ///
    /// A `Vec` of such a type is read from a map and from a flat array of keys and values as well as from an array of
    /// arrays of two.
    const PAIR: bool = false;

    /// Whether a `Vec` of this type is a string. It is true for `u8` alone.
    #[doc(hidden)]
    const BYTE: bool = false;

    /// Reads the type from one value of a reply. The caller passes over what is left unread of the value.
    ///
    /// # Errors
    /// [`DecodeError`]: the server's own error, or what came and what was asked for.
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>>;

    /// The byte itself, if the type is `u8`.
    #[doc(hidden)]
    fn from_byte(_: u8) -> Option<Self> {
        None
    }

    /// Appends bytes to a collection of `u8`.
    #[doc(hidden)]
    fn extend_from_bytes<C: Extend<Self>>(_: &mut C, _: &[u8]) {}
}

impl<'a> Frame<'a> {
    /// Reads the frame as a Rust type; see [`reply`](crate::reply) for what can be read from what.
    ///
    /// ```
    /// use redwire::resp::{Frame, Limits};
    ///
    /// let frame = Frame::read(b"*3\r\n:7\r\n$3\r\nfoo\r\n$-1\r\n", Limits::default()).unwrap();
    /// assert_eq!(frame.decode(), Ok((7u8, "foo", None::<i64>)));
    /// ```
    ///
    /// # Errors
    /// [`DecodeError`]: the server's own error, or what came and what was asked for.
    #[cfg_attr(feature = "__fast", inline)]
    #[cfg_attr(not(feature = "__fast"), inline(never))]
    pub fn decode<T: FromReply<'a>>(&self) -> Result<T, DecodeError<'a>> {
        let walker = &mut self.walker();
        let (start, head) = (self.as_bytes(), walker.head());
        T::from_reply(Reply { start, head, walker })
    }
}

/// One value of a reply, to be read once.
///
/// Every method that reads consumes it. It may be dropped unread: the rest of the reply is not affected.
#[derive(Debug)]
pub struct Reply<'r, 'a> {
    /// The bytes from the value on, so that it can be read as a frame. Empty for a pair in a row.
    start: &'a [u8],
    head: Head<'a>,
    /// Stands after the head.
    walker: &'r mut Walker<'a>,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Reply<'_, '_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Reply({})", self.head.kind);
    }
}

impl<'r, 'a> Reply<'r, 'a> {
    /// The type of the value.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.head.kind
    }

    /// Whether the value is null.
    #[inline]
    pub fn is_null(&self) -> bool {
        self.head.kind == Kind::Null
    }

    /// The error, if the value is one.
    #[inline]
    pub fn error(&self) -> Option<ErrorReply<'a>> {
        match (self.head.kind, self.head.body) {
            (Kind::SimpleError | Kind::BlobError, Body::Text(text)) => Some(ErrorReply::new(text)),
            _ => None,
        }
    }

    /// The error to give when the value is of a kind that a type cannot be read from: the server's own, if the value
    /// is one. `expected` completes the sentence "asked for ...".
    #[cold]
    #[inline(never)]
    pub fn mismatch(&self, expected: &'static str) -> DecodeError<'a> {
        match self.error() {
            Some(error) => DecodeError::Server(error),
            None => mismatch(expected, self.head.kind, MismatchReason::Kind, None),
        }
    }

    /// Reads an integer, as [`i64`] does.
    ///
    /// # Errors
    /// [`DecodeError`], like all methods below.
    #[inline]
    pub fn integer(self) -> Result<i64, DecodeError<'a>> {
        i64::from_reply(self)
    }

    /// Reads the bytes of a string or number. A verbatim string comes without its format.
    #[inline]
    pub fn bytes(self) -> Result<&'a [u8], DecodeError<'a>> {
        self.bytes_as("bytes")
    }

    /// Reads the text of a string or number. A verbatim string comes without its format.
    #[inline]
    pub fn text(self) -> Result<&'a str, DecodeError<'a>> {
        let kind = self.head.kind;
        let bytes = self.bytes_as("text")?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => Err(mismatch("text", kind, MismatchReason::Text, None)),
        }
    }

    /// Reads the bytes of a string or number in pieces; only a streamed string has more than one.
    pub fn chunks(self) -> Result<Chunks<'a>, DecodeError<'a>> {
        self.chunks_as("bytes")
    }

    /// Reads the values of an array, set or push; of a map its keys and values in turn.
    ///
    /// ```
    /// use redwire::reply::{DecodeError, FromReply, Reply};
    ///
    /// /// The largest of the integers, without a collection to hold them.
    /// struct Largest(i64);
    ///
    /// impl<'a> FromReply<'a> for Largest {
    ///     fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
    ///         let mut elements = reply.elements()?;
    ///         let mut largest = i64::MIN;
    ///         while let Some(element) = elements.next::<i64>() {
    ///             largest = largest.max(element?);
    ///         }
    ///         Ok(Largest(largest))
    ///     }
    /// }
    /// # use redwire::resp::{Frame, Limits};
    /// # let frame = Frame::read(b"*2\r\n:4\r\n:-7\r\n", Limits::default()).unwrap();
    /// # assert_eq!(frame.decode::<Largest>().unwrap().0, 4);
    /// ```
    #[inline]
    pub fn elements(self) -> Result<ReplyElements<'r, 'a>, DecodeError<'a>> {
        self.elements_as("an array")
    }

    /// Reads pairs: of a map, of a flat array of keys and values, or of an array of arrays of two. Each pair is one
    /// element, to be read as a tuple or as what delegates to one.
    ///
    /// The first element tells which of the arrays it is: an aggregate is a pair, anything else is a key.
    #[inline]
    pub fn pairs(self) -> Result<ReplyElements<'r, 'a>, DecodeError<'a>> {
        self.pairs_as("pairs")
    }

    /// Reads nothing, but makes sure that the value is no error.
    #[inline]
    pub fn skip(self) -> Result<(), DecodeError<'a>> {
        match self.head.kind {
            Kind::SimpleError | Kind::BlobError => Err(self.mismatch("anything")),
            _ => Ok(()),
        }
    }

    #[inline]
    fn bytes_as(self, expected: &'static str) -> Result<&'a [u8], DecodeError<'a>> {
        match (self.head.kind, self.head.body) {
            (Kind::BulkString, Body::Text(text)) => Ok(text),
            // All that there is without RESP3.
            (Kind::SimpleString | Kind::Integer, Body::Text(text)) if !RESP3 => Ok(text),
            _ if !RESP3 => Err(self.mismatch(expected)),
            _ => self.bytes_of_others(expected),
        }
    }

    #[inline(never)]
    fn bytes_of_others(self, expected: &'static str) -> Result<&'a [u8], DecodeError<'a>> {
        let kind = self.head.kind;
        let streamed = || mismatch(expected, kind, MismatchReason::Streamed, None);
        self.chunks_as(expected)?.contiguous().ok_or_else(streamed)
    }

    fn chunks_as(self, expected: &'static str) -> Result<Chunks<'a>, DecodeError<'a>> {
        match (self.head.kind, self.head.body) {
            (
                Kind::BulkString | Kind::SimpleString | Kind::Integer | Kind::Double | Kind::BigNumber,
                body @ (Body::Text(_) | Body::Chunks(_)),
            ) => Ok(Chunks::of(body)),
            (Kind::VerbatimString, Body::Text(text)) => Ok(Chunks::whole(split_verbatim(text).1)),
            _ => Err(self.mismatch(expected)),
        }
    }

    #[inline]
    fn elements_as(self, expected: &'static str) -> Result<ReplyElements<'r, 'a>, DecodeError<'a>> {
        let length = match self.head.body {
            Body::Open => Some(self.walker.count_open()),
            Body::Values(length) => Some(length),
            _ => None,
        };
        match length {
            Some(length) => {
                let due = self.walker.pending();
                Ok(ReplyElements { walker: self.walker, due, remaining: length, in_a_row: false })
            }
            _ => Err(self.mismatch(expected)),
        }
    }

    fn pairs_as(self, expected: &'static str) -> Result<ReplyElements<'r, 'a>, DecodeError<'a>> {
        let kind = self.head.kind;
        let mut elements = self.elements_as(expected)?;
        let values = elements.remaining;
        elements.in_a_row = kind == Kind::Map || !elements.begins_with_aggregate();
        if elements.in_a_row {
            if values % 2 != 0 {
                return Err(mismatch(expected, kind, MismatchReason::Length, count(values)));
            }
            elements.remaining = values / 2;
        }
        Ok(elements)
    }

    /// Elements, if there are `length` of them.
    #[inline]
    fn exactly(
        self,
        length: usize,
        expected: &'static str,
    ) -> Result<ReplyElements<'r, 'a>, DecodeError<'a>> {
        let kind = self.head.kind;
        let elements = self.elements_as(expected)?;
        if elements.remaining != length {
            return Err(mismatch(expected, kind, MismatchReason::Length, count(elements.remaining)));
        }
        Ok(elements)
    }
}

/// The head of a pair in a row: its key and value have no array around them.
const PAIR_IN_A_ROW: Head<'static> = Head { kind: Kind::Array, body: Body::Values(2) };

/// The elements of one value of a reply, to be read one after the other, each as a type of its own.
#[derive(Debug)]
pub struct ReplyElements<'r, 'a> {
    walker: &'r mut Walker<'a>,
    /// How many values are pending in the walker when the next element is due.
    due: usize,
    remaining: usize,
    /// Each element is a key and a value in a row.
    in_a_row: bool,
}

#[cfg(feature = "defmt")]
impl defmt::Format for ReplyElements<'_, '_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "ReplyElements({=usize})", self.remaining);
    }
}

impl<'a> ReplyElements<'_, 'a> {
    /// Reads the next element; `None` after the last. After an error the next element can still be read.
    #[inline]
    #[allow(
        clippy::should_implement_trait,
        reason = "what an iterator gives has one type, here each call chooses"
    )]
    pub fn next<T: FromReply<'a>>(&mut self) -> Option<Result<T, DecodeError<'a>>> {
        self.remaining = self.remaining.checked_sub(1)?;
        // The element before may have been left unread in part.
        self.walker.skip_to(self.due);
        if self.in_a_row {
            self.due = self.due.saturating_sub(2);
            return Some(T::from_reply(Reply { start: &[], head: PAIR_IN_A_ROW, walker: &mut *self.walker }));
        }
        self.due = self.due.saturating_sub(1);
        Some(read(&mut *self.walker))
    }

    /// How many elements are still to be read.
    #[inline]
    pub fn len(&self) -> usize {
        self.remaining
    }

    /// Whether all elements have been read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    fn begins_with_aggregate(&self) -> bool {
        self.remaining > 0 && matches!(self.walker.clone().head().body, Body::Values(_) | Body::Open)
    }
}

/// Reads the next value. Most are bulk strings: a loop over them never looks at the kind again.
#[inline]
fn read<'a, T: FromReply<'a>>(walker: &mut Walker<'a>) -> Result<T, DecodeError<'a>> {
    let start = walker.rest();
    if let Some(text) = walker.bulk() {
        let head = Head { kind: Kind::BulkString, body: Body::Text(text) };
        return T::from_reply(Reply { start, head, walker });
    }
    read_other(walker)
}

#[inline(never)]
fn read_other<'a, T: FromReply<'a>>(walker: &mut Walker<'a>) -> Result<T, DecodeError<'a>> {
    let start = walker.rest();
    let head = walker.head();
    T::from_reply(Reply { start, head, walker })
}

/// The value untyped, attributes included; an error too.
impl<'a> FromReply<'a> for Frame<'a> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        match reply.walker.take_back(reply.start, reply.head) {
            Some(bytes) => Ok(Frame::taken(bytes, reply.head.kind != Kind::Push)),
            None => Err(reply.mismatch("a frame")),
        }
    }
}

/// Null is `None`.
impl<'a, T: FromReply<'a>> FromReply<'a> for Option<T> {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        if reply.is_null() { Ok(None) } else { T::from_reply(reply).map(Some) }
    }
}

/// An error of the server is `Err`, a value like any other.
///
/// The error type is [`ErrorReply`], which borrows, or what can be made from one.
impl<'a, T: FromReply<'a>, E: From<ErrorReply<'a>>> FromReply<'a> for Result<T, E> {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        match reply.error() {
            Some(error) => Ok(Err(error.into())),
            None => T::from_reply(reply).map(Ok),
        }
    }
}

/// Anything but an error.
impl<'a> FromReply<'a> for () {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        reply.skip()
    }
}
