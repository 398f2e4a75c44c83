//! Why a reply could not be read as the type that was asked for.

use core::fmt;

use crate::resp::{ErrorReply, Kind};

/// A reply could not be read as the type that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeError<'a> {
    /// The server answered with an error.
    Server(ErrorReply<'a>),
    /// The reply is of another type or out of range.
    Mismatch(Mismatch),
}

/// What came and what was asked for.
///
/// ```
/// use redwire::reply::DecodeError;
/// use redwire::resp::{Frame, Limits};
///
/// let frame = Frame::read(b":300\r\n", Limits::default()).unwrap();
/// let error = frame.decode::<u8>().unwrap_err();
/// assert_eq!(error.to_string(), "asked for u8, the reply is the integer 300, which is out of range");
/// ```
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
    /// The integer that is out of range, or the number of elements or bytes that came; where it is known.
    pub value: Option<i64>,
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
    /// More than the type, or the memory, has room for.
    Capacity,
    /// A streamed string, which is in pieces, asked for as borrowed text. Ask for an owned type.
    Streamed,
    /// An aggregate without something that the type needs, such as a field of a hash.
    Missing,
}

impl Mismatch {
    /// A mismatch, for types of one's own; `expected` completes the sentence "asked for ...".
    pub const fn new(expected: &'static str, found: Kind, reason: MismatchReason) -> Self {
        Mismatch { expected, found, reason, value: None }
    }

    /// Adds the integer, or the number of elements or bytes, that came.
    #[must_use]
    pub const fn value(mut self, value: i64) -> Self {
        self.value = Some(value);
        self
    }
}

impl From<Mismatch> for DecodeError<'_> {
    fn from(mismatch: Mismatch) -> Self {
        DecodeError::Mismatch(mismatch)
    }
}

/// Makes a mismatch, out of the hot paths.
#[cold]
#[inline(never)]
pub(super) fn mismatch<'a>(
    expected: &'static str,
    found: Kind,
    reason: MismatchReason,
    value: Option<i64>,
) -> DecodeError<'a> {
    DecodeError::Mismatch(Mismatch { expected, found, reason, value })
}

/// A length for [`Mismatch::value`].
pub(super) fn count(length: usize) -> Option<i64> {
    i64::try_from(length).ok()
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.name();
        let article = match self.found {
            Kind::Null => "",
            Kind::Array | Kind::Integer | Kind::SimpleError => "an ",
            _ => "a ",
        };
        write!(f, "asked for {}, the reply is ", self.expected)?;
        match (self.reason, self.value) {
            (MismatchReason::Kind, _) if self.found == Kind::Null => {
                f.write_str("null; ask for an Option where there may be nothing")
            }
            (MismatchReason::Kind, _) => write!(f, "{article}{found}"),
            (MismatchReason::Range, Some(value)) => write!(f, "the {found} {value}, which is out of range"),
            (MismatchReason::Range, None) => write!(f, "{article}{found} that is out of range"),
            (MismatchReason::Text, _) => write!(f, "{article}{found} that cannot be read as one"),
            (MismatchReason::Length, Some(length)) => write!(f, "{article}{found} of length {length}"),
            (MismatchReason::Length, None) => write!(f, "{article}{found} of another length"),
            (MismatchReason::Capacity, Some(length)) => {
                write!(f, "{article}{found} of length {length}, for which there is no room")
            }
            (MismatchReason::Capacity, None) => write!(f, "{article}{found} for which there is no room"),
            (MismatchReason::Missing, _) => write!(f, "{article}{found} without all that belongs to it"),
            (MismatchReason::Streamed, _) => {
                write!(f, "{article}{found} in pieces, which only an owned type can hold")
            }
        }
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

impl core::error::Error for Mismatch {}
impl core::error::Error for DecodeError<'_> {}
