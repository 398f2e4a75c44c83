//! Skipping: what follows one value, or many.

use super::plain::split_plain;
use super::split::{Token, split_chunk, split_line, split_token};
use crate::parts::RESP3;

/// What follows the value that `bytes` begin with, where attributes and pushes count as values of their own.
pub(crate) fn skip_value(bytes: &[u8]) -> &[u8] {
    skip_values(bytes, 1)
}

/// What follows the value that comes after attributes and pushes.
pub(crate) fn skip_attributed(mut bytes: &[u8]) -> &[u8] {
    if let Some((_, rest)) = split_plain(bytes) {
        return rest;
    }
    while RESP3 && matches!(bytes.first(), Some(b'|' | b'>')) {
        bytes = skip_value(bytes);
    }
    skip_value(bytes)
}

/// What follows the END of the streamed aggregate whose elements begin here.
pub(crate) fn skip_streamed(mut bytes: &[u8]) -> &[u8] {
    let mut open = 1usize;
    while open > 0 && !bytes.is_empty() {
        let (token, rest) = split_token(bytes);
        bytes = rest;
        match token {
            Token::Open => open += 1,
            Token::End => open -= 1,
            _ => {}
        }
    }
    bytes
}

fn skip_values(mut bytes: &[u8], mut pending: usize) -> &[u8] {
    let mut outermost = true;
    while pending > 0 && !bytes.is_empty() {
        let (token, rest) = split_token(bytes);
        bytes = rest;
        match token {
            Token::Scalar => pending -= 1,
            Token::Values(count) => pending = (pending - 1).saturating_add(count),
            // An attribute or push inside is no element, but its values are pending too.
            Token::Aside(count) => pending = (pending - usize::from(outermost)).saturating_add(count),
            Token::Open if !RESP3 => {}
            Token::Open => {
                bytes = skip_streamed(bytes);
                pending -= 1;
            }
            Token::End => {}
        }
        outermost = false;
    }
    bytes
}

pub(super) fn skip_chunks(mut bytes: &[u8]) -> &[u8] {
    while let Some((_, rest)) = split_chunk(bytes) {
        bytes = rest;
    }
    split_line(bytes).1
}

/// How many values stand in the streamed aggregate whose elements begin here.
pub(super) fn count_streamed(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    loop {
        while matches!(bytes.first(), Some(b'|' | b'>')) {
            bytes = skip_value(bytes);
        }
        match bytes.first() {
            None | Some(b'.') => return count,
            Some(_) => {
                bytes = skip_value(bytes);
                count += 1;
            }
        }
    }
}

/// The bytes of a frame between the pushes inside it.
#[cfg(feature = "alloc")]
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
    /// If the frame itself is a push: how many bytes are left where it begins.
    value: usize,
}

#[cfg(feature = "alloc")]
impl<'a> Pieces<'a> {
    /// The pieces of `frame`. If the frame itself is a push, this begins where `value` bytes are left.
    pub(crate) fn new(frame: &'a [u8], value: usize) -> Self {
        Pieces { rest: frame, value }
    }

    fn at_push(&self) -> bool {
        self.rest.first() == Some(&b'>') && self.rest.len() != self.value
    }
}

#[cfg(feature = "alloc")]
impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.at_push() {
            self.rest = skip_value(self.rest);
        }
        let start = self.rest;
        while !self.rest.is_empty() && !self.at_push() {
            self.rest = split_token(self.rest).1;
        }
        start.get(..start.len() - self.rest.len()).filter(|piece| !piece.is_empty())
    }
}
