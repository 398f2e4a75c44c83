//! The fast way: values of the kinds that most values are of, told at a glance. What is not known here is read in
//! full. Without the feature `__fast`, no_plain.rs stands in its place.

use super::{Body, Head, NULL, Walker};
use crate::resp::Kind;

impl<'a> Walker<'a> {
    /// Walks over the elements of an array or push with less than ten, as most have. Also gives how many there are.
    #[inline]
    pub(crate) fn short(frame: &'a [u8], nested: bool) -> Option<(Self, usize)> {
        let (count, rest) = match frame {
            [b'*', digit @ b'0'..=b'9', b'\r', _, rest @ ..] => (digit - b'0', rest),
            [b'>', digit @ b'0'..=b'9', b'\r', _, rest @ ..] if !nested => (digit - b'0', rest),
            _ => return None,
        };
        let pending = count.into();
        Some((Walker { rest, pending, outermost: false, open: false }, pending))
    }

    /// Reads the next value if it is a bulk string in one piece, and gives its text.
    #[inline]
    pub(crate) fn bulk(&mut self) -> Option<&'a [u8]> {
        let (text, rest) = split_bulk(self.rest)?;
        self.rest = rest;
        self.outermost = false;
        self.pending = self.pending.saturating_sub(1);
        Some(text)
    }
}

/// The head of a value of a plain kind, and what follows it. `None` for all others.
#[inline]
pub(super) fn split_plain(bytes: &[u8]) -> Option<(Head<'_>, &[u8])> {
    let [first, second, ..] = bytes else { return None };
    if *first == b'$' {
        let mut length = usize::from(second.wrapping_sub(b'0'));
        if length > 9 {
            return if *second == b'-' { Some((NULL, bytes.get(5..)?)) } else { None };
        }
        let mut at = 2;
        while let Some(byte) = bytes.get(at) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            length = length.wrapping_mul(10).wrapping_add(usize::from(digit));
            at += 1;
        }
        let (text, rest) = bytes.get(at + 2..)?.split_at_checked(length)?;
        return Some((Head { kind: Kind::BulkString, body: Body::Text(text) }, rest.get(2..)?));
    }
    let kind = match first {
        b':' => Kind::Integer,
        b'+' => Kind::SimpleString,
        _ => return None,
    };
    let end = bytes.iter().position(|&byte| byte == b'\r')?;
    Some((Head { kind, body: Body::Text(bytes.get(1..end)?) }, bytes.get(end + 2..)?))
}

/// The text of the bulk string that `bytes` begin with, and what follows it. `None` for a streamed one, for one longer
/// than 999 bytes, and for anything else.
#[inline]
fn split_bulk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    let (length, rest) = match bytes {
        [b'$', a, b'\r', _, rest @ ..] if a.is_ascii_digit() => (digit(*a), rest),
        [b'$', a, b, b'\r', _, rest @ ..] if a.is_ascii_digit() => (digit(*a) * 10 + digit(*b), rest),
        [b'$', a, b, c, b'\r', _, rest @ ..] => (digit(*a) * 100 + digit(*b) * 10 + digit(*c), rest),
        _ => return None,
    };
    Some((rest.get(..length)?, rest.get(length + 2..)?))
}
