//! What frames are made of: the pieces of a string, the elements of an aggregate, pairs.

use super::Frame;
use crate::resp::walk::{self, Body, Walker};

/// The pieces of a string: one, or as many as a streamed string came in.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing until they are asked"]
pub struct Chunks<'a> {
    whole: Option<&'a [u8]>,
    streamed: Option<&'a [u8]>,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Chunks<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        self.clone().for_each(|chunk| defmt::write!(f, "{=[u8]:a}", chunk));
    }
}

impl<'a> Chunks<'a> {
    pub(crate) fn whole(text: &'a [u8]) -> Self {
        Chunks { whole: Some(text), streamed: None }
    }

    pub(crate) fn streamed(chunks: &'a [u8]) -> Self {
        Chunks { whole: None, streamed: Some(chunks) }
    }

    pub(crate) fn of(body: Body<'a>) -> Self {
        match body {
            Body::Text(text) => Chunks::whole(text),
            Body::Chunks(chunks) => Chunks::streamed(chunks),
            _ => Chunks { whole: None, streamed: None },
        }
    }

    /// All bytes, if they are in one piece.
    #[must_use]
    pub fn contiguous(&self) -> Option<&'a [u8]> {
        match (self.whole, self.streamed) {
            (Some(text), _) => Some(text),
            (None, Some(chunks)) => match walk::split_chunk(chunks) {
                None => Some(&[]),
                Some((text, rest)) if walk::split_chunk(rest).is_none() => Some(text),
                Some(_) => None,
            },
            (None, None) => Some(&[]),
        }
    }

    /// The number of bytes in all pieces.
    #[must_use]
    pub fn total(&self) -> usize {
        self.clone().map(<[u8]>::len).sum()
    }

    pub(super) fn bytes(self) -> impl Iterator<Item = &'a u8> {
        self.flatten()
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(text) = self.whole.take() {
            return Some(text);
        }
        let (text, rest) = walk::split_chunk(self.streamed?)?;
        self.streamed = Some(rest);
        Some(text)
    }
}

/// The elements of an aggregate, each a frame of its own.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing until they are asked"]
pub struct Elements<'a> {
    walker: Walker<'a>,
    remaining: usize,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Elements<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Elements({=usize})", self.remaining);
    }
}

impl<'a> Elements<'a> {
    /// The elements of a body, where the walker has just read the head.
    #[inline]
    pub(super) fn of(mut walker: Walker<'a>, body: Body<'a>) -> Self {
        let remaining = match body {
            Body::Values(count) => count,
            Body::Open => walker.count_open(),
            _ => 0,
        };
        Elements { walker, remaining }
    }

    /// The elements of an array or push with less than ten, as most have.
    #[inline]
    pub(super) fn short(frame: &'a [u8], nested: bool) -> Option<Self> {
        let (walker, remaining) = Walker::short(frame, nested)?;
        Some(Elements { walker, remaining })
    }

    /// The [`text`](Frame::text) of the next element.
    #[inline]
    pub(crate) fn next_text(&mut self) -> Option<&'a [u8]> {
        self.remaining = self.remaining.checked_sub(1)?;
        if let Some(text) = self.walker.bulk() {
            return Some(text);
        }
        Frame { bytes: self.walker.next_bytes()?, nested: true }.text()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        self.walker.next_bytes().map(|bytes| Frame { bytes, nested: true })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// The pairs of a map, in wire order.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "iterators do nothing until they are asked"]
pub struct Pairs<'a>(Elements<'a>);

impl<'a> Pairs<'a> {
    /// The pairs of a body, where the walker has just read the head.
    pub(super) fn of(walker: Walker<'a>, body: Body<'a>) -> Self {
        Pairs(Elements::of(walker, body))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Frame<'a>, Frame<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.remaining / 2, Some(self.0.remaining / 2))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

/// The pairs of all attributes before a value.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing until they are asked"]
pub struct Attributes<'a> {
    rest: &'a [u8],
    pairs: Pairs<'a>,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Attributes<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Attributes {{ pairs: {}, rest: {=[u8]:a} }}", self.pairs, self.rest);
    }
}

impl<'a> Attributes<'a> {
    /// The attributes that `frame` begins with.
    pub(super) fn of(frame: &'a [u8]) -> Self {
        Attributes { rest: frame, pairs: Pairs::of(Walker::new(frame, false), Body::Null) }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (Frame<'a>, Frame<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(pair) = self.pairs.next() {
                return Some(pair);
            }
            match self.rest.first() {
                Some(b'|') => {
                    self.pairs = Pairs(attribute_values(self.rest));
                    self.rest = walk::skip_value(self.rest);
                }
                // A push between an attribute and its value.
                Some(b'>') => self.rest = walk::skip_value(self.rest),
                _ => return None,
            }
        }
    }
}

fn attribute_values(bytes: &[u8]) -> Elements<'_> {
    let (walker, remaining) = Walker::aside(bytes);
    Elements { walker, remaining }
}
