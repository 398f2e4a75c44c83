//! The wire: RESP2 and RESP3 as bytes.
//!
//! A [`Parser`] finds the frames in received bytes; [`Scanner`] is the default one and [`NomParser`] the same grammar
//! written with nom. A [`Frame`] is a view of the bytes of one accepted value. An [`Encoder`] writes commands, which are
//! whatever implements [`Encode`], and, for tests, proxies and servers, replies. [`Words`] reads a written command.
//!
//! The grammar is that of the [RESP specification](https://redis.io/docs/latest/develop/reference/protocol-spec/),
//! read strictly: see [`ProtocolErrorKind`] for everything that is refused.

mod encoder;
mod error;
mod frame;
mod limits;
mod nom_parser;
mod scanner;
mod tokens;
mod walk;
mod words;

#[cfg(feature = "alloc")]
pub use encoder::encode;
pub use encoder::{ArgumentWriter, Encode, EncodeError, Encoder};
pub use error::{ErrorCode, ErrorReply, ProtocolError, ProtocolErrorKind};
pub use frame::{Attributes, Chunks, Data, Elements, Frame, Pairs};
pub(crate) use frame::{parse_integer, split_verbatim};
pub use limits::Limits;
pub use nom_parser::{NomLevel, NomParser};
pub use scanner::{Level, Scanner};
pub use tokens::{Token, Tokens};
pub(crate) use walk::{Body, Head, Length, Walker, split_length};
pub use words::Words;

/// The version of the protocol that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Protocol {
    /// RESP2: simple strings, errors, integers, bulk strings and arrays.
    Resp2,
    /// RESP3 (Redis 6.0 and later): RESP2 and maps, sets, doubles, booleans, pushes and more.
    #[default]
    Resp3,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Kind {
    /// `+` a short text without line breaks.
    SimpleString,
    /// `-` an error with its code and text.
    SimpleError,
    /// `:` a signed 64-bit integer.
    Integer,
    /// `$` bytes.
    BulkString,
    /// `*` an ordered collection.
    Array,
    /// `_`, or one of RESP2's `$-1` and `*-1`: nothing.
    Null,
    /// `,` a floating point number.
    Double,
    /// `#` true or false.
    Boolean,
    /// `!` an error whose text may hold any byte.
    BlobError,
    /// `=` text with a three-letter format.
    VerbatimString,
    /// `%` pairs of key and value in wire order.
    Map,
    /// `~` a collection whose order carries no meaning.
    Set,
    /// `>` data that answers no command.
    Push,
    /// `(` an integer of any size, as digits.
    BigNumber,
}

impl Kind {
    /// The name as the specification has it, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::SimpleString => "simple string",
            Kind::SimpleError => "error",
            Kind::Integer => "integer",
            Kind::BulkString => "bulk string",
            Kind::Array => "array",
            Kind::Null => "null",
            Kind::Double => "double",
            Kind::Boolean => "boolean",
            Kind::BlobError => "blob error",
            Kind::VerbatimString => "verbatim string",
            Kind::Map => "map",
            Kind::Set => "set",
            Kind::Push => "push",
            Kind::BigNumber => "big number",
        }
    }
}

/// What a parser found in the bytes it was given. Positions count from the first byte of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[must_use = "it says which bytes to deliver, to consume or to wait for"]
pub enum Progress {
    /// No frame ends in the input. Receive at least `need` more bytes, then parse again.
    Incomplete {
        /// The fewest bytes that can complete the value that is being read.
        need: usize,
    },
    /// A frame ends after `length` bytes. Consume them; the next input starts after them.
    Frame {
        /// The bytes of the frame, its attributes included.
        length: usize,
        /// It is a push, which answers no command.
        push: bool,
    },
    /// A push stands at `start..end`, inside a frame that is not complete yet. Deliver it and parse again with the
    /// same input. The frame goes on after the push. It keeps the bytes of the push, and its views skip them.
    Push {
        /// The first byte of the push.
        start: usize,
        /// The first byte after it.
        end: usize,
    },
    /// Only after [`Parser::stream`]: the bytes `start..end` are the next piece of the text that the frame consists of.
    /// Deliver them, [`discard`](Parser::discard) `end` bytes, and parse again.
    Text {
        /// The first byte of the piece.
        start: usize,
        /// The first byte after it.
        end: usize,
    },
}

/// Finds frames in a byte stream, piece by piece. Implement it to put in a parser of your own.
///
/// The input of each call begins at the first byte of the frame that is being read and holds all bytes received since.
/// So it only gets longer until a frame is complete. Still no byte is looked at twice: a parser remembers where it
/// stopped.
///
/// After an error a parser stays failed: it gives the same error until it is [`reset`](Self::reset).
///
/// ```
/// use redwire::resp::{Limits, Parser, Progress, Scanner};
///
/// let mut levels = [Default::default(); 8];
/// let mut scanner = Scanner::new(&mut levels[..], Limits::default());
/// assert_eq!(scanner.parse(b"$5\r\nhel"), Ok(Progress::Incomplete { need: 4 }));
/// assert_eq!(scanner.parse(b"$5\r\nhello\r\n+OK"), Ok(Progress::Frame { length: 11, push: false }));
/// ```
pub trait Parser {
    /// Goes on in `input`, which starts at the first byte of the current frame.
    ///
    /// # Errors
    /// [`ProtocolError`] with its kind and the offset in the stream, as soon as a byte cannot belong to a valid frame.
    fn parse(&mut self, input: &[u8]) -> Result<Progress, ProtocolError>;

    /// Says that the first `count` bytes of the input are gone although their frame is not complete. The next input
    /// starts after them. At most [`parsed`](Self::parsed) bytes can go.
    fn discard(&mut self, count: usize);

    /// How many bytes of the input have been looked at. A caller who does not want the frame may discard them.
    #[must_use]
    fn parsed(&self) -> usize;

    /// How many bytes of the input may be discarded without losing a push, by a caller who does not want the frame.
    #[must_use]
    fn discardable(&self) -> usize;

    /// Asks for the text of the current frame in pieces ([`Progress::Text`]), if the frame is a bulk, verbatim or
    /// streamed string. It holds until the frame ends.
    fn stream(&mut self, on: bool);

    /// Chooses which types are legal from the next value on. To be called between two frames.
    fn set_protocol(&mut self, protocol: Protocol);

    /// Starts anew at the beginning of a stream.
    fn reset(&mut self);
}
