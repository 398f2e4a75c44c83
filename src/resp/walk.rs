//! Walking over checked bytes: heads of values, one after the other, in order and without failing.
//!
//! Everything here relies on a [`Parser`](super::Parser) having accepted the bytes. On other bytes it would give wrong
//! values, never a panic: what cannot be read is null.

use super::Kind;
use crate::parts::RESP3;

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
    /// So many values follow; a pair of a map is two.
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
    /// The next value is the outermost one, which may be a push.
    outermost: bool,
    /// The head read last began a stream whose values nobody has counted: they are pending as one.
    open: bool,
}

impl<'a> Walker<'a> {
    /// Walks over one frame; in a nested one a push is never the value itself.
    #[inline]
    pub(crate) fn new(frame: &'a [u8], nested: bool) -> Self {
        Walker { rest: frame, pending: 1, outermost: !nested, open: false }
    }

    /// Walks over the elements of an array or push of less than ten, which most are. How many there are comes with it.
    #[cfg(feature = "alloc")]
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

    /// Walks over the values of the attribute or push that `bytes` begin with; how many they are comes with it.
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

    /// Takes the bytes of the value whose `head` was read last, attributes included, and goes on behind it. `start` was
    /// the rest before its head.
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
        #[cfg(feature = "alloc")]
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

    /// Counts the values of the stream whose head was read last. Without it they are passed over as one: to walk over
    /// nested streams does not look at the inner ones again for each level around them.
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
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn bulk(&mut self) -> Option<&'a [u8]> {
        let (text, rest) = split_bulk(self.rest)?;
        self.rest = rest;
        self.outermost = false;
        self.pending = self.pending.saturating_sub(1);
        Some(text)
    }

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

pub(crate) enum Length {
    Count(usize),
    Null,
    Streamed,
}

/// The head of a value of the plain kinds that most values are of, and what follows it. `None` for all others.
#[cfg(feature = "alloc")]
#[inline]
fn split_plain(bytes: &[u8]) -> Option<(Head<'_>, &[u8])> {
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

/// The text of a line without type byte and CRLF, and what follows.
#[inline]
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&b| b == b'\r').unwrap_or(bytes.len());
    (bytes.get(1..end).unwrap_or_default(), bytes.get(end + 2..).unwrap_or_default())
}

/// The length in a header line, and what follows the line.
#[cfg_attr(feature = "alloc", inline)]
#[cfg_attr(not(feature = "alloc"), inline(never))]
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

/// The text of the bulk string that `bytes` begin with, and what follows it; `None` for one that is longer than 999
/// bytes or streamed and for anything else.
#[cfg(feature = "alloc")]
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

fn skip_chunks(mut bytes: &[u8]) -> &[u8] {
    while let Some((_, rest)) = split_chunk(bytes) {
        bytes = rest;
    }
    split_line(bytes).1
}

/// What follows the value that `bytes` begin with, where attributes and pushes count as values of their own.
pub(crate) fn skip_value(bytes: &[u8]) -> &[u8] {
    skip_values(bytes, 1)
}

/// The bytes of a frame between the pushes inside it.
#[cfg(feature = "alloc")]
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
    /// How many bytes are left where the push begins that is the value itself.
    value: usize,
}

#[cfg(feature = "alloc")]
impl<'a> Pieces<'a> {
    /// The pieces of `frame`. If it is a push, that begins where only `value` bytes are left.
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

/// What follows the value that comes after attributes and pushes.
pub(crate) fn skip_attributed(mut bytes: &[u8]) -> &[u8] {
    #[cfg(feature = "alloc")]
    if let Some((_, rest)) = split_plain(bytes) {
        return rest;
    }
    while RESP3 && matches!(bytes.first(), Some(b'|' | b'>')) {
        bytes = skip_value(bytes);
    }
    skip_value(bytes)
}

fn skip_values(mut bytes: &[u8], mut pending: usize) -> &[u8] {
    let mut outermost = true;
    while pending > 0 && !bytes.is_empty() {
        let (token, rest) = split_token(bytes);
        bytes = rest;
        match token {
            Token::Scalar => pending -= 1,
            Token::Values(count) => pending = (pending - 1).saturating_add(count),
            // What is no element itself adds its values to those that are pending.
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

/// How many values stand in the streamed aggregate whose elements begin here.
fn count_streamed(mut bytes: &[u8]) -> usize {
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

pub(crate) enum Token {
    Scalar,
    Values(usize),
    /// An attribute or a push with so many values.
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
fn split_value(bytes: &[u8]) -> (Body<'_>, &[u8]) {
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
fn kind_of(byte: u8) -> Kind {
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
