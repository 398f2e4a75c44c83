//! Cutting: the piece that bytes begin with, and what follows it.

use super::Body;
use super::skip::skip_chunks;
use crate::parts::RESP3;
use crate::resp::Kind;

pub(crate) enum Length {
    Count(usize),
    Null,
    Streamed,
}

pub(crate) enum Token {
    Scalar,
    Values(usize),
    /// An attribute or a push with this many values.
    Aside(usize),
    Open,
    End,
}

/// The token that `bytes` begin with, a scalar whole, and what follows it.
pub(crate) fn split_token(bytes: &[u8]) -> (Token, &[u8]) {
    let (body, rest) = split_value(bytes);
    let token = match (bytes.first(), body) {
        (Some(b'.'), _) if RESP3 => Token::End,
        (Some(b'|' | b'>'), Body::Values(count)) if RESP3 => Token::Aside(count),
        (_, Body::Values(count)) => Token::Values(count),
        (_, Body::Open) => Token::Open,
        _ => Token::Scalar,
    };
    (token, rest)
}

/// The body of what `bytes` begin with, attributes and ends included, and what follows it.
pub(super) fn split_value(bytes: &[u8]) -> (Body<'_>, &[u8]) {
    let values = match bytes.first() {
        Some(b'*') => 1,
        Some(b'$') => 0,
        Some(b'~' | b'>') if RESP3 => 1,
        Some(b'%' | b'|') if RESP3 => 2,
        Some(b'!' | b'=') if RESP3 => 0,
        _ => {
            let (text, rest) = split_line(bytes);
            return (Body::Text(text), rest);
        }
    };
    let (length, rest) = split_length(bytes);
    match length {
        Length::Null => (Body::Null, rest),
        Length::Count(count) if values > 0 => (Body::Values(count.saturating_mul(values)), rest),
        Length::Streamed if values > 0 => (Body::Open, rest),
        Length::Count(length) => {
            let (text, rest) = split_payload(rest, length);
            (Body::Text(text), rest)
        }
        Length::Streamed => (Body::Chunks(rest), skip_chunks(rest)),
    }
}

/// The kind of a value by its type byte.
pub(super) fn kind_of(byte: u8) -> Kind {
    match byte {
        b'$' => Kind::BulkString,
        b'*' => Kind::Array,
        b':' => Kind::Integer,
        b'+' => Kind::SimpleString,
        b'-' => Kind::SimpleError,
        _ if !RESP3 => Kind::Null,
        b'%' => Kind::Map,
        b'~' => Kind::Set,
        b',' => Kind::Double,
        b'(' => Kind::BigNumber,
        b'#' => Kind::Boolean,
        b'!' => Kind::BlobError,
        b'=' => Kind::VerbatimString,
        b'>' => Kind::Push,
        _ => Kind::Null,
    }
}

/// The text of a line without type byte and CRLF, and what follows.
#[inline]
pub(super) fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&b| b == b'\r').unwrap_or(bytes.len());
    (bytes.get(1..end).unwrap_or_default(), bytes.get(end + 2..).unwrap_or_default())
}

/// The length in a header line, and what follows the line.
#[cfg_attr(feature = "__fast", inline)]
#[cfg_attr(not(feature = "__fast"), inline(never))]
pub(crate) fn split_length(bytes: &[u8]) -> (Length, &[u8]) {
    let mut length = 0usize;
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        length = length.wrapping_mul(10).wrapping_add(usize::from(digit));
        at += 1;
    }
    match bytes.get(at) {
        Some(b'-') => (Length::Null, bytes.get(at + 4..).unwrap_or_default()),
        Some(b'?') if RESP3 => (Length::Streamed, bytes.get(at + 3..).unwrap_or_default()),
        _ => (Length::Count(length), bytes.get(at + 2..).unwrap_or_default()),
    }
}

/// `length` bytes, and what follows their CRLF.
#[inline]
pub(crate) fn split_payload(bytes: &[u8], length: usize) -> (&[u8], &[u8]) {
    match bytes.split_at_checked(length) {
        Some((text, rest)) => (text, rest.get(2..).unwrap_or_default()),
        None => (&[], &[]),
    }
}

/// The next chunk of a streamed string and what follows; `None` at its end.
pub(crate) fn split_chunk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if !RESP3 {
        return None;
    }
    match split_length(bytes) {
        (Length::Count(0), _) => None,
        (Length::Count(length), rest) => Some(split_payload(rest, length)),
        _ => None,
    }
}
