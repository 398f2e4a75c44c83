//! The fast way: whole values of the plain kinds that make up most replies, told at a glance.
//!
//! It keeps no state of its own and reports no error. What it does not know the machine's states take byte by byte. Without
//! the feature `__fast` it knows nothing.

use super::levels::Nest;
use super::{Refused, Scanner, State};
use crate::parts::FAST;
use crate::resp::{Limits, Progress, Protocol};

impl Scanner<'_> {
    /// The length in bytes of the next frame, if it is one plain scalar, as most are; otherwise 0.
    #[inline]
    pub(super) fn plain_frame(&self, input: &[u8]) -> usize {
        if FAST && self.state == State::Value && self.top.nest == Nest::Root && !self.streaming {
            return plain_scalar(input.get(self.position..).unwrap_or_default(), &self.limits);
        }
        0
    }

    /// Passes over whole plain scalars and headers, up to the first that is not. Gives what ends with one of them, or leaves
    /// the rest to the states.
    #[inline]
    pub(super) fn plain_values(&mut self, input: &[u8]) -> Result<Option<Progress>, Refused> {
        while FAST {
            let begin = self.position;
            let Some(rest) = input.get(begin..) else { return Ok(None) };
            let plain = match self.top.nest {
                Nest::Counted => true,
                Nest::Push => !self.top.first || matches!(rest, [b'+', ..] | [b'$', b'0'..=b'9', ..]),
                Nest::Root => !self.streaming,
                _ => false,
            };
            if !plain {
                return Ok(None);
            }
            let mut at = begin;
            let mut remaining = self.top.remaining;
            let mut length;
            loop {
                length = input.get(at..).map_or(0, |rest| plain_scalar(rest, &self.limits));
                at += length;
                if length == 0 || remaining <= 1 {
                    break;
                }
                remaining -= 1;
            }
            self.position = at;
            self.top.remaining = remaining;
            self.top.first &= at == begin;
            if length > 0 {
                if let Some(progress) = self.complete() {
                    return Ok(Some(progress));
                }
            } else if !self.plain_header(input)? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Passes over the header of an aggregate with elements, if it is whole.
    fn plain_header(&mut self, input: &[u8]) -> Result<bool, Refused> {
        let at = self.position;
        let rest = input.get(at..).unwrap_or_default();
        let plain = match rest.first() {
            Some(b'*') => true,
            Some(b'%' | b'~') => self.protocol == Protocol::Resp3,
            Some(b'>') => self.protocol == Protocol::Resp3 && self.depth == 0,
            _ => false,
        };
        let Some((count, header)) = plain_length(rest).filter(|_| plain) else { return Ok(false) };
        self.kind = rest.first().copied().unwrap_or_default();
        self.value = self.base + at as u64;
        self.position = at + header;
        self.number = count as u64;
        self.begin_aggregate()?;
        Ok(true)
    }
}

/// Lines of text up to this length, in bytes, can be plain.
const SHORT_LINE: usize = 64;

/// Integers up to this length, in bytes with the type byte, fit into 64 bits.
const SHORT_INTEGER: usize = 19;

/// The length in bytes of the scalar that `input` begins with, if it is whole and of a plain kind; otherwise 0.
///
/// This is a shortcut and nothing else. What it accepts the states accept too, only slower. For anything unusual it gives
/// 0. Then the states take it byte by byte, and know what is wrong with it.
#[inline(never)]
fn plain_scalar(input: &[u8], limits: &Limits) -> usize {
    if input.first() != Some(&b'$') {
        return plain_line(input, limits);
    }
    let Some((length, begin)) = plain_length(input) else {
        return if input.starts_with(b"$-1\r\n") { 5 } else { 0 };
    };
    match input.get(begin + length..) {
        Some([b'\r', b'\n', ..]) if length <= limits.max_bulk => begin + length + 2,
        _ => 0,
    }
}

/// The length or count in a header line and the length of the line, if it is whole and the number is 1 to 999. So much
/// follows larger ones that the states are as good.
#[inline]
fn plain_length(input: &[u8]) -> Option<(usize, usize)> {
    let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    match *input {
        [_, a @ b'1'..=b'9', b'\r', b'\n', ..] => Some((digit(a), 4)),
        [_, a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..] => Some((digit(a) * 10 + digit(b), 5)),
        [_, a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'\r', b'\n', ..] => {
            Some((digit(a) * 100 + digit(b) * 10 + digit(c), 6))
        }
        _ => None,
    }
}

#[inline(never)]
fn plain_line(input: &[u8], limits: &Limits) -> usize {
    let [kind, first, ..] = input else { return 0 };
    let mut at = 1;
    match kind {
        b':' => {
            let begin = if *first == b'-' { 2 } else { 1 };
            at = begin;
            while at < SHORT_INTEGER && input.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            if at == begin {
                return 0;
            }
        }
        b'+' | b'-' => {
            while at < SHORT_LINE && input.get(at).is_some_and(|&byte| byte != b'\r' && byte != b'\n') {
                at += 1;
            }
        }
        _ => return 0,
    }
    match input.get(at..) {
        Some([b'\r', b'\n', ..]) if at - 1 <= limits.max_line => at + 2,
        _ => 0,
    }
}
