//! Numbers, booleans and text.

#[cfg(feature = "alloc")]
use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::num::IntErrorKind;

use super::error::{count, mismatch};
use super::{DecodeError, FromReply, MismatchReason, Reply};
use crate::parts::{FAST, RESP3};
use crate::resp::{Body, Head, Kind, parse_integer};
use crate::storage::copy;

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl<'a> FromReply<'a> for $type {
            #[inline]
            fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
                let kind = reply.head.kind;
                let value = reply.integer_as(stringify!($type))?;
                match $type::try_from(value) {
                    Ok(value) => Ok(value),
                    Err(_) => Err(mismatch(stringify!($type), kind, MismatchReason::Range, Some(value))),
                }
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 isize u16 u32);

impl<'a> FromReply<'a> for u8 {
    const BYTE: bool = true;

    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let value = reply.integer_as("u8")?;
        u8::try_from(value).map_err(|_| mismatch("u8", kind, MismatchReason::Range, Some(value)))
    }

    #[inline]
    fn from_byte(byte: u8) -> Option<Self> {
        Some(byte)
    }

    #[inline]
    fn extend_from_bytes<C: Extend<Self>>(collection: &mut C, bytes: &[u8]) {
        collection.extend(bytes.iter().copied());
    }
}

impl<'a> Reply<'_, 'a> {
    #[inline]
    fn integer_as(self, expected: &'static str) -> Result<i64, DecodeError<'a>> {
        match plain_integer(self.head) {
            Some(value) => Ok(value),
            None => Ok(self.number_as(expected, true)? as i64),
        }
    }

    /// Reads an integer of 64 bits. If it is `signed`, it comes as two's complement.
    #[inline(never)]
    fn number_as(self, expected: &'static str, signed: bool) -> Result<u64, DecodeError<'a>> {
        let kind = self.head.kind;
        if RESP3 && let (Kind::Boolean, Body::Text(text)) = (kind, self.head.body) {
            return Ok(u64::from(text == b"t"));
        }
        match parse_magnitude(self.bytes_as(expected)?, signed) {
            Ok((true, magnitude)) => Ok(magnitude.wrapping_neg()),
            Ok((false, magnitude)) => Ok(magnitude),
            Err(reason) => Err(mismatch(expected, kind, reason, None)),
        }
    }

    /// Reads a number of any width from its digits.
    fn parse_integer<T>(self, expected: &'static str) -> Result<T, DecodeError<'a>>
    where
        T: core::str::FromStr<Err = core::num::ParseIntError> + From<bool>,
    {
        let kind = self.head.kind;
        if let (Kind::Boolean, Body::Text(text)) = (kind, self.head.body) {
            return Ok(T::from(text == b"t"));
        }
        let text = self.bytes_as(expected)?;
        let reason = match core::str::from_utf8(text).map(str::parse) {
            Ok(Ok(number)) => return Ok(number),
            Ok(Err(error)) => match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => MismatchReason::Range,
                // For a type without a sign a minus is a digit it does not know.
                _ => match text {
                    [b'-', first, rest @ ..]
                        if first.is_ascii_digit() && rest.iter().all(u8::is_ascii_digit) =>
                    {
                        MismatchReason::Range
                    }
                    _ => MismatchReason::Text,
                },
            },
            Err(_) => MismatchReason::Text,
        };
        Err(mismatch(expected, kind, reason, None))
    }
}

/// Reads digits, with or without a sign. Gives whether a minus stands before them, and their value.
pub(crate) fn parse_magnitude(text: &[u8], signed: bool) -> Result<(bool, u64), MismatchReason> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let most = if signed { i64::MAX as u64 + u64::from(negative) } else { u64::MAX };
    let mut magnitude = 0u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(MismatchReason::Text);
        }
        if negative && !signed {
            continue;
        }
        let tens = if magnitude > u64::MAX / 10 { return Err(MismatchReason::Range) } else { magnitude * 10 };
        magnitude = match tens.checked_add(u64::from(digit)) {
            Some(more) if more <= most => more,
            _ => return Err(MismatchReason::Range),
        };
    }
    match digits {
        [] => Err(MismatchReason::Text),
        _ if negative && !signed => Err(MismatchReason::Range),
        _ => Ok((negative, magnitude)),
    }
}

/// The fast way: an integer, or text of a few digits and nothing else. Without the feature `__fast` all numbers go the
/// same way, which takes the least flash.
#[inline]
fn plain_integer(head: Head<'_>) -> Option<i64> {
    match (head.kind, head.body) {
        _ if !FAST => None,
        (Kind::Integer, Body::Text(text)) => Some(parse_integer(text)),
        (Kind::BulkString, Body::Text(text)) if is_plain(text) => Some(parse_integer(text)),
        _ => None,
    }
}

/// Whether text is digits and nothing else, and so few that 64 bits hold the number.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

/// Up to 2<sup>64</sup> - 1, which only text and big numbers can hold.
impl<'a> FromReply<'a> for u64 {
    #[cfg_attr(feature = "__fast", inline)]
    #[cfg_attr(not(feature = "__fast"), inline(never))]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        // An integer that is out of range is named in the error.
        let signed = reply.head.kind == Kind::Integer;
        let number = match plain_integer(reply.head) {
            Some(value) => value as u64,
            None => reply.number_as("u64", signed)?,
        };
        let value = number as i64;
        if signed && value < 0 {
            return Err(mismatch("u64", Kind::Integer, MismatchReason::Range, Some(value)));
        }
        Ok(number)
    }
}

impl<'a> FromReply<'a> for usize {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let value = u64::from_reply(reply)?;
        usize::try_from(value)
            .map_err(|_| mismatch("usize", kind, MismatchReason::Range, i64::try_from(value).ok()))
    }
}

impl<'a> FromReply<'a> for i128 {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        reply.parse_integer("i128")
    }
}

impl<'a> FromReply<'a> for u128 {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        reply.parse_integer("u128")
    }
}

macro_rules! floats {
    ($($type:ident)*) => {$(
        impl<'a> FromReply<'a> for $type {
            fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
                let kind = reply.head.kind;
                let text = reply.bytes_as(stringify!($type))?;
                match core::str::from_utf8(text).map(str::parse) {
                    Ok(Ok(number)) => Ok(number),
                    _ => Err(mismatch(stringify!($type), kind, MismatchReason::Text, None)),
                }
            }
        }
    )*};
}

floats!(f32 f64);

/// Booleans, 0 and 1, `OK` as true and null as false: `SET` with `NX` answers with the last two.
impl<'a> FromReply<'a> for bool {
    #[inline(never)]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let value = match kind {
            Kind::Null => 0,
            Kind::Integer | Kind::Boolean => reply.integer_as("bool")?,
            _ if RESP3 && !matches!(kind, Kind::SimpleString | Kind::BulkString) => {
                return Err(reply.mismatch("bool"));
            }
            _ => match reply.bytes_as("bool")? {
                b"OK" | b"1" => 1,
                b"0" => 0,
                _ => return Err(mismatch("bool", kind, MismatchReason::Text, None)),
            },
        };
        match value {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(mismatch("bool", kind, MismatchReason::Range, Some(value))),
        }
    }
}

impl<'a> FromReply<'a> for &'a [u8] {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        reply.bytes()
    }
}

impl<'a> FromReply<'a> for &'a str {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        reply.text()
    }
}

impl<'a, const N: usize> FromReply<'a> for heapless::String<N> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let mut memory = [0; N];
        // Two chunks may share a character, so the text is checked when it is whole.
        match core::str::from_utf8(reply.copy_bytes(&mut memory)?).map(heapless::String::try_from) {
            Ok(Ok(text)) => Ok(text),
            _ => Err(mismatch("text", kind, MismatchReason::Text, None)),
        }
    }
}

impl<'a> Reply<'_, 'a> {
    /// Copies the bytes of a string to the front of `memory`, all chunks of a streamed one joined.
    fn copy_bytes<'m>(self, memory: &'m mut [u8]) -> Result<&'m [u8], DecodeError<'a>> {
        let kind = self.head.kind;
        let chunks = self.chunks_as("bytes")?;
        let total = chunks.total();
        let Some(memory) = memory.get_mut(..total) else {
            return Err(mismatch("bytes", kind, MismatchReason::Capacity, count(total)));
        };
        let mut rest = &mut *memory;
        for chunk in chunks {
            copy(rest, chunk);
            rest = rest.get_mut(chunk.len()..).unwrap_or_default();
        }
        Ok(memory)
    }
}

#[cfg(feature = "alloc")]
impl<'a> FromReply<'a> for String {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let bytes = reply.owned_bytes::<u8>("text")?;
        String::from_utf8(bytes).map_err(|_| mismatch("text", kind, MismatchReason::Text, None))
    }
}

#[cfg(feature = "alloc")]
impl<'a> FromReply<'a> for Box<str> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        String::from_reply(reply).map(String::into_boxed_str)
    }
}

/// Borrowed, except for a streamed string, which is in pieces.
#[cfg(feature = "alloc")]
impl<'a> FromReply<'a> for Cow<'a, [u8]> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        match reply.head.body {
            Body::Chunks(_) => reply.owned_bytes("bytes").map(Cow::Owned),
            _ => reply.bytes().map(Cow::Borrowed),
        }
    }
}

/// Borrowed, except for a streamed string, which is in pieces.
#[cfg(feature = "alloc")]
impl<'a> FromReply<'a> for Cow<'a, str> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        match reply.head.body {
            Body::Chunks(_) => String::from_reply(reply).map(Cow::Owned),
            _ => reply.text().map(Cow::Borrowed),
        }
    }
}

#[cfg(feature = "alloc")]
impl<'a> Reply<'_, 'a> {
    /// The bytes of a string, all chunks of a streamed one joined. `T` is `u8`.
    #[inline]
    pub(super) fn owned_bytes<T: FromReply<'a>>(
        self,
        expected: &'static str,
    ) -> Result<Vec<T>, DecodeError<'a>> {
        let kind = self.head.kind;
        let mut bytes = Vec::new();
        if let (Kind::BulkString, Body::Text(text)) = (kind, self.head.body) {
            return match bytes.try_reserve_exact(text.len()) {
                Ok(()) => {
                    T::extend_from_bytes(&mut bytes, text);
                    Ok(bytes)
                }
                Err(_) => Err(mismatch(expected, kind, MismatchReason::Capacity, count(text.len()))),
            };
        }
        let chunks = self.chunks_as(expected)?;
        let total = chunks.total();
        if bytes.try_reserve_exact(total).is_err() {
            return Err(mismatch(expected, kind, MismatchReason::Capacity, count(total)));
        }
        for chunk in chunks {
            T::extend_from_bytes(&mut bytes, chunk);
        }
        Ok(bytes)
    }
}
