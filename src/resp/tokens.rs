//! A frame as a flat sequence of tokens, for building a structure of one's own.

use super::walk::{self, skip_value, split_token};
use super::{Frame, Kind};

/// A piece of a frame: a scalar, or where an aggregate begins or ends.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Token<'a> {
    /// A value that is complete in itself: a string, a number, null.
    Scalar(Frame<'a>),
    /// An aggregate begins, and its values follow.
    Begin {
        /// Array, map, set or push.
        kind: Kind,
        /// How many values follow, where a pair of a map is two; `None` in a streamed aggregate, which goes up to its
        /// [`End`](Token::End).
        values: Option<usize>,
    },
    /// An attribute begins. Its keys and values follow in turn, then another attribute or the value it belongs to.
    Attribute {
        /// How many keys and values follow.
        values: usize,
    },
    /// The innermost streamed aggregate ends.
    End,
}

/// The tokens of a frame in the order of the wire, from [`Frame::tokens`].
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing until they are asked"]
pub struct Tokens<'a> {
    rest: &'a [u8],
    /// The length of `rest` where the frame's own value begins; before it stand its attributes.
    value: usize,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Tokens<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Tokens({=[u8]:a})", self.rest);
    }
}

impl<'a> Frame<'a> {
    /// The frame as a sequence of tokens: all its values in one pass, however deep they are nested.
    /// [`elements`](Self::elements) looks at a value once for each level around it.
    ///
    /// Pushes inside of the frame are passed over: they were events of their own.
    ///
    /// ```
    /// use redwire::resp::{Frame, Kind, Limits, Token};
    ///
    /// let frame = Frame::read(b"*2\r\n:7\r\n*?\r\n.\r\n", Limits::default()).unwrap();
    /// let mut tokens = frame.tokens();
    /// assert!(matches!(tokens.next(), Some(Token::Begin { kind: Kind::Array, values: Some(2) })));
    /// assert!(matches!(tokens.next(), Some(Token::Scalar(seven)) if seven.integer() == Some(7)));
    /// assert!(matches!(tokens.next(), Some(Token::Begin { kind: Kind::Array, values: None })));
    /// assert!(matches!(tokens.next(), Some(Token::End)));
    /// assert!(tokens.next().is_none());
    /// ```
    pub fn tokens(&self) -> Tokens<'a> {
        Tokens { rest: self.as_bytes(), value: self.value_bytes().len() }
    }
}

impl<'a> Tokens<'a> {
    /// Passes over the values that a token began: this many, or for `None` up to the end of the stream.
    pub(crate) fn skip_values(&mut self, values: Option<usize>) {
        let Some(values) = values else {
            self.rest = walk::skip_streamed(self.rest);
            return;
        };
        for _ in 0..values {
            if self.rest.is_empty() {
                return;
            }
            self.rest = walk::skip_attributed(self.rest);
        }
    }

    /// The next token that is no attribute.
    pub(crate) fn next_of_value(&mut self) -> Option<Token<'a>> {
        loop {
            match self.next()? {
                Token::Attribute { values } => self.skip_values(Some(values)),
                token => return Some(token),
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let mut first = *self.rest.first()?;
        while first == b'>' && self.rest.len() != self.value {
            self.rest = skip_value(self.rest);
            first = *self.rest.first()?;
        }
        let kind = match first {
            b'%' => Kind::Map,
            b'~' => Kind::Set,
            b'>' => Kind::Push,
            _ => Kind::Array,
        };
        let (token, rest) = split_token(self.rest);
        let length = self.rest.len() - rest.len();
        let bytes = self.rest.get(..length).unwrap_or_default();
        self.rest = rest;
        Some(match token {
            walk::Token::Scalar => Token::Scalar(Frame::new_unchecked(bytes)),
            walk::Token::Aside(values) if first == b'|' => Token::Attribute { values },
            walk::Token::Values(values) | walk::Token::Aside(values) => {
                Token::Begin { kind, values: Some(values) }
            }
            walk::Token::Open => Token::Begin { kind, values: None },
            walk::Token::End => Token::End,
        })
    }
}
