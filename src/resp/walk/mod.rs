//! Walking over checked bytes: heads of values, one after the other, in order and without failing.
//!
//! This file is the cursor. [`split`] cuts the piece that bytes begin with, [`skip`] passes over whole values, and [`plain`]
//! is the fast way past values of the commonest types.
//!
//! Everything here relies on a [`Parser`](super::Parser) having accepted the bytes. Of other bytes it gives wrong values,
//! and never panics: what cannot be read is null.

// ADVICE FOR HACKERS
//
// A new type touches these:
//   - `split_value` (split.rs): whether a line, bytes of a known length, or values follow its type byte. What is not listed
//     there is a line.
//   - `kind_of` (split.rs): its `Kind`. What is not listed there reads as null.
//   - `split_token` (split.rs), if it is no value itself, as attributes and ends of streams are none. Then `other_head` (here),
//     `skip_attributed` and `count_streamed` (skip.rs) have to pass over it.
//   - `split_plain` and `split_bulk` (plain.rs), only if it is so common that the shortcut pays.
//   - outside of the walk: `Frame::data`, equality and `Debug` of frames, `Tokens`, and the types in `reply` that read it.
//
// What must hold:
//   - `pending` is how many values begin in `rest` before the outermost one is complete. A stream that nobody has counted
//     is pending as one value; `open` says that its head was read last.
//   - Attributes and pushes inside of aggregates are never values. Only the outermost value may be a push.
//   - Nothing recurses, however deep the values are, and one walk looks at a byte once. `count_open` is the exception: it
//     looks ahead to the end of a stream, so whoever can do without the count should.
//   - Nothing panics on bytes that no parser has accepted: `get` instead of an index, and arithmetic that saturates or
//     wraps.
//   - The plain way gives what the full way gives, or `None`.
//   - Guard with `RESP3` what only RESP3 needs: it costs flash.
//
// What to run: `cargo test --test decode_corpus --test reply`, the first of them also with `--no-default-features --features
// full`, which is the way without plain.rs; the fuzz targets `decode` and `roundtrip`; and before and after the change
// `make instructions` (the lines "reading" and "matching on Data") and `make firmware`.

// Swapped whole: a guard inside of the functions costs the loops around them instructions.
#[cfg_attr(not(feature = "__fast"), path = "no_plain.rs")]
mod plain;
mod skip;
mod split;

use super::Kind;
use crate::parts::RESP3;
use plain::split_plain;
#[cfg(feature = "alloc")]
pub(crate) use skip::Pieces;
use skip::count_streamed;
pub(crate) use skip::{skip_attributed, skip_streamed, skip_value};
pub(crate) use split::{Length, Token, split_chunk, split_length, split_payload, split_token};
use split::{kind_of, split_line, split_value};

/// The beginning of one value: a scalar is complete with it, an aggregate's elements follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) kind: Kind,
    pub(crate) body: Body<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Body<'a> {
    /// The text of a scalar; of a verbatim string with its format.
    Text(&'a [u8]),
    /// The chunks of a streamed string, from the first `;` on.
    Chunks(&'a [u8]),
    /// This many values follow; a pair of a map is two.
    Values(usize),
    /// Values follow up to the END of a stream; [`Walker::count_open`] says how many.
    Open,
    Null,
}

const NULL: Head<'static> = Head { kind: Kind::Null, body: Body::Null };

/// A cursor over checked values. Attributes, pushes inside aggregates and ends of streams are passed over.
#[derive(Debug, Clone)]
pub(crate) struct Walker<'a> {
    rest: &'a [u8],
    /// Values that begin in `rest` and have to be read before the outermost one is complete.
    pending: usize,
    /// The next value is the outermost one. It may be a push.
    outermost: bool,
    /// The head read last began a stream, and nobody has counted its values. They are pending as one.
    open: bool,
}

impl<'a> Walker<'a> {
    /// Walks over one frame; in a nested one a push is never the value itself.
    #[inline]
    pub(crate) fn new(frame: &'a [u8], nested: bool) -> Self {
        Walker { rest: frame, pending: 1, outermost: !nested, open: false }
    }

    /// Walks over the elements of an array or push with less than ten, as most have. Also gives how many there are.
    /// Walks over the values of the attribute or push that `bytes` begin with. Also gives how many there are.
    pub(crate) fn aside(bytes: &'a [u8]) -> (Self, usize) {
        match split_token(bytes) {
            (Token::Aside(count), rest) => {
                (Walker { rest, pending: count, outermost: false, open: false }, count)
            }
            _ => (Walker { rest: &[], pending: 0, outermost: false, open: false }, 0),
        }
    }

    /// How many values have to be read before the outermost one is complete.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// The bytes that have not been walked over.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the bytes of the value whose `head` was read last, attributes included, and goes on after it. `start` is
    /// what the rest was before that head.
    pub(crate) fn take_back(&mut self, start: &'a [u8], head: Head<'a>) -> Option<&'a [u8]> {
        if start.is_empty() {
            return None;
        }
        let pending = match head.body {
            Body::Values(count) => self.pending.saturating_sub(count),
            Body::Open => self.pending.saturating_sub(1),
            _ => self.pending,
        };
        self.open = false;
        self.rest = start;
        self.pending = pending.saturating_add(1);
        self.next_bytes()
    }

    /// Reads the head of the next value.
    pub(crate) fn head(&mut self) -> Head<'a> {
        if let Some((head, rest)) = split_plain(self.rest) {
            self.rest = rest;
            self.outermost = false;
            self.pending = self.pending.saturating_sub(1);
            return head;
        }
        self.other_head()
    }

    /// Like [`head`](Self::head), with the values of a stream counted.
    pub(crate) fn counted_head(&mut self) -> Head<'a> {
        let mut head = self.head();
        if let Body::Open = head.body {
            head.body = Body::Values(self.count_open());
        }
        head
    }

    /// Counts the values of the stream whose head was read last. It looks at them once more, so a walk calls it only where
    /// the number matters. Values that nobody has counted are passed over as one.
    #[cold]
    #[inline(never)]
    pub(crate) fn count_open(&mut self) -> usize {
        if !RESP3 {
            return 0;
        }
        let count = count_streamed(self.rest);
        self.open = false;
        self.pending = self.pending.saturating_sub(1).saturating_add(count);
        count
    }

    #[inline(never)]
    fn other_head(&mut self) -> Head<'a> {
        loop {
            let Some(&byte) = self.rest.first() else {
                self.pending = 0;
                return NULL;
            };
            if RESP3 && (byte == b'|' || byte == b'>' && !self.outermost) {
                self.rest = skip_value(self.rest);
                continue;
            }
            let (body, rest) = split_value(self.rest);
            self.rest = rest;
            if RESP3 && byte == b'.' {
                continue;
            }
            self.outermost = false;
            let kind = kind_of(byte);
            let body = if kind == Kind::Null { Body::Null } else { body };
            self.pending = match body {
                Body::Values(count) => self.pending.saturating_add(count).saturating_sub(1),
                Body::Open if RESP3 => {
                    self.open = true;
                    self.pending
                }
                _ => self.pending.saturating_sub(1),
            };
            return if let Body::Null = body { NULL } else { Head { kind, body } };
        }
    }

    /// Reads the next value if it is a bulk string in one piece, and gives its text.
    /// Passes over values until only `pending` are left to be read.
    #[inline]
    pub(crate) fn skip_to(&mut self, pending: usize) {
        if self.pending > pending {
            self.skip_some(pending);
        }
    }

    #[inline(never)]
    fn skip_some(&mut self, pending: usize) {
        while self.pending > pending {
            if RESP3 && core::mem::take(&mut self.open) {
                self.rest = skip_streamed(self.rest);
            } else {
                while RESP3 && self.rest.first() == Some(&b'.') {
                    self.take_line();
                }
                self.rest = skip_attributed(self.rest);
            }
            self.pending -= 1;
        }
    }

    /// Takes the bytes of the next value, its attributes included.
    pub(crate) fn next_bytes(&mut self) -> Option<&'a [u8]> {
        if self.pending == 0 {
            return None;
        }
        while RESP3 && self.rest.first() == Some(&b'.') {
            self.take_line();
        }
        let start = self.rest;
        self.rest = skip_attributed(start);
        self.pending = self.pending.saturating_sub(1);
        let length = start.len() - self.rest.len();
        start.get(..length).filter(|bytes| !bytes.is_empty())
    }

    fn take_line(&mut self) {
        self.rest = split_line(self.rest).1;
    }
}
