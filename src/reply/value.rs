//! [`Value`]: a reply that owns its bytes.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use super::error::{count, mismatch};
use super::{DecodeError, FromReply, MismatchReason, Reply};
use crate::resp::{Data, Elements, Encoder, ErrorReply, Frame, Kind, Protocol};
use crate::storage::{Buffer, Full};

/// A reply of any type, owned.
///
/// It holds the bytes of one frame in a single allocation, not a tree. So it is cloned, compared, printed and dropped
/// without recursion, however deep it is. Read it like a [`Frame`]. Pushes that came inside are not in it.
///
/// ```
/// use redwire::reply::Value;
/// use redwire::resp::{Frame, Limits};
///
/// let frame = Frame::read(b"*2\r\n:5\r\n$3\r\nfoo\r\n", Limits::default()).unwrap();
/// let value = Value::from(frame);
/// assert_eq!(value.decode(), Ok((5, "foo")));
/// assert_eq!(value, Value::array([Value::from(5), Value::from("foo")]));
/// ```
#[derive(Clone)]
pub struct Value(
    /// The bytes of one accepted frame.
    Box<[u8]>,
);

/// Equal as frames are: by kinds, texts and structure.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_frame() == other.as_frame()
    }
}

// Doubles compare as their texts, so that a NaN is equal to itself.
impl Eq for Value {}

impl Value {
    /// Null.
    pub fn null() -> Self {
        written(|out| out.null(Protocol::Resp3))
    }

    /// A simple string such as `OK`. Line breaks become blanks.
    pub fn simple_string(text: &str) -> Self {
        written(|out| out.simple_string(text.as_bytes()))
    }

    /// An array.
    pub fn array(elements: impl IntoIterator<Item = Value>) -> Self {
        aggregate(elements, |out, length| out.array(length))
    }

    /// A set.
    pub fn set(elements: impl IntoIterator<Item = Value>) -> Self {
        aggregate(elements, |out, length| out.set(length))
    }

    /// A map, in the order of the pairs.
    pub fn map(pairs: impl IntoIterator<Item = (Value, Value)>) -> Self {
        let values = pairs.into_iter().flat_map(|(key, value)| [key, value]);
        aggregate(values, |out, length| out.map(length / 2))
    }

    /// The value as a frame, to be read.
    pub fn as_frame(&self) -> Frame<'_> {
        Frame::new_unchecked(&self.0)
    }

    /// Reads the value as a Rust type, which may borrow from it.
    ///
    /// # Errors
    /// [`DecodeError`]: the server's own error, or what came and what was asked for.
    pub fn decode<'a, T: FromReply<'a>>(&'a self) -> Result<T, DecodeError<'a>> {
        self.as_frame().decode()
    }

    /// The value, to be matched on.
    pub fn data(&self) -> Data<'_> {
        self.as_frame().data()
    }

    /// The type of the value.
    pub fn kind(&self) -> Kind {
        self.as_frame().kind()
    }

    /// Whether the value is null.
    pub fn is_null(&self) -> bool {
        self.as_frame().is_null()
    }

    /// The error, if the value is one.
    pub fn error(&self) -> Option<ErrorReply<'_>> {
        self.as_frame().error()
    }

    /// The integer, if the value is one.
    pub fn integer(&self) -> Option<i64> {
        self.as_frame().integer()
    }

    /// The bytes of a simple, bulk or verbatim string that came in one piece.
    pub fn text(&self) -> Option<&[u8]> {
        self.as_frame().text()
    }

    /// The elements of an array, set or push; of a map its keys and values in turn; of anything else none.
    pub fn elements(&self) -> Elements<'_> {
        self.as_frame().elements()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_frame().fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Value {
    fn format(&self, f: defmt::Formatter<'_>) {
        self.as_frame().format(f);
    }
}

impl Default for Value {
    fn default() -> Self {
        Value::null()
    }
}

impl From<Frame<'_>> for Value {
    fn from(frame: Frame<'_>) -> Self {
        copy(frame).unwrap_or_else(|Full| out_of_memory())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        written(|out| out.integer(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        written(|out| out.double(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        written(|out| out.boolean(value))
    }
}

/// A bulk string.
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::from(text.as_bytes())
    }
}

/// A bulk string.
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::from(text.as_bytes())
    }
}

/// A bulk string.
impl From<&[u8]> for Value {
    fn from(text: &[u8]) -> Self {
        written(|out| out.bulk_string(text))
    }
}

/// An error. Line breaks in it become blanks.
///
/// ```
/// use redwire::reply::Value;
/// use redwire::resp::{ErrorCode, ErrorReply};
///
/// let value = Value::from(ErrorReply::new(b"OOM command not allowed when used memory > 'maxmemory'."));
/// assert_eq!(value.error().unwrap().code(), ErrorCode::OutOfMemory);
/// ```
impl From<ErrorReply<'_>> for Value {
    fn from(error: ErrorReply<'_>) -> Self {
        written(|out| out.error(error.text()))
    }
}

/// Any reply, an error too.
impl<'a> FromReply<'a> for Value {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let frame = Frame::from_reply(reply)?;
        let length = frame.as_bytes().len();
        copy(frame).map_err(|Full| mismatch("a value", kind, MismatchReason::Capacity, count(length)))
    }
}

/// Copies the bytes of a frame, without the pushes inside.
fn copy(frame: Frame<'_>) -> Result<Value, Full> {
    let total = frame.pieces().map(<[u8]>::len).sum();
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(total).map_err(|_| Full)?;
    frame.pieces().for_each(|piece| bytes.extend_from_slice(piece));
    Ok(Value(bytes.into_boxed_slice()))
}

fn written(write: impl FnOnce(&mut Encoder<'_, '_>) -> Result<(), Full>) -> Value {
    let mut buffer = Buffer::growing(usize::MAX);
    match write(&mut Encoder::new(&mut buffer)) {
        Ok(()) => Value(Box::from(buffer.filled())),
        Err(Full) => out_of_memory(),
    }
}

fn aggregate(
    elements: impl IntoIterator<Item = Value>,
    header: impl FnOnce(&mut Encoder<'_, '_>, usize) -> Result<(), Full>,
) -> Value {
    let mut length = 0;
    let mut bytes = Vec::new();
    for Value(element) in elements {
        bytes.extend_from_slice(&element);
        length += 1;
    }
    let Value(header) = written(|out| header(out, length));
    Value([&header[..], &bytes].concat().into_boxed_slice())
}

/// What a `Vec` does when it cannot grow.
#[cold]
fn out_of_memory() -> ! {
    alloc::alloc::handle_alloc_error(core::alloc::Layout::new::<u8>())
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::*;
    use crate::resp::Limits;

    fn frame(bytes: &[u8]) -> Frame<'_> {
        Frame::read(bytes, Limits::default()).unwrap()
    }

    #[test]
    fn made_and_read() {
        let value = Value::array([
            Value::from(5),
            Value::from("text"),
            Value::from(1.5),
            Value::from(true),
            Value::null(),
            Value::map([(Value::from("k"), Value::set([Value::from(1)]))]),
            Value::from(ErrorReply::new(b"ERR no")),
            Value::simple_string("OK"),
        ]);
        let expected = r#"[5, "text", 1.5, true, null, {"k": ~[1]}, -"ERR no", +"OK"]"#;
        assert_eq!(format!("{value:?}"), expected);
        // What is made here is what a parser accepts.
        assert_eq!(Value::from(frame(value.as_frame().as_bytes())), value);
        assert_eq!(value.elements().map(Value::from).collect::<Vec<_>>().len(), 8);
        let element = value.decode::<Vec<Value>>().unwrap().swap_remove(5);
        assert_eq!(element.decode::<Vec<(&str, Vec<u16>)>>(), Ok(vec![("k", vec![1])]));
    }

    #[test]
    fn pushes_inside_are_left_out() {
        let bytes = b"*2\r\n>2\r\n+p\r\n*1\r\n:9\r\n|1\r\n+a\r\n:1\r\n>1\r\n+q\r\n*?\r\n>1\r\n+r\r\n:1\r\n.\r\n>1\r\n+s\r\n$1\r\n>\r\n";
        let whole = Value::from(frame(bytes));
        let plain = b"*2\r\n|1\r\n+a\r\n:1\r\n*?\r\n:1\r\n.\r\n$1\r\n>\r\n";
        assert_eq!(whole.as_frame().as_bytes(), plain);
        let elements = frame(bytes).decode::<Vec<Value>>().unwrap();
        assert_eq!(elements, frame(bytes).elements().map(Value::from).collect::<Vec<_>>());
        assert_eq!(elements[0].as_frame().as_bytes(), b"|1\r\n+a\r\n:1\r\n*?\r\n:1\r\n.\r\n");
        assert_eq!(elements[1].as_frame().as_bytes(), b"$1\r\n>\r\n");
        assert_eq!(elements[1].text(), Some(&b">"[..]));

        let push = b">2\r\n+message\r\n*1\r\n:1\r\n";
        assert_eq!(Value::from(frame(push)).as_frame().as_bytes(), push);
        let attributed = b"|1\r\n+a\r\n:1\r\n>1\r\n+message\r\n";
        if let Some(frame) = Frame::read(attributed, Limits::default()) {
            assert_eq!(Value::from(frame), Value::from(frame));
            assert_eq!(Value::from(frame).as_frame().as_bytes(), attributed);
        }
    }

    #[test]
    fn doubles_that_are_no_numbers() {
        for double in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300] {
            let value = Value::from(double);
            let bytes = value.as_frame().as_bytes();
            assert!(Frame::read(bytes, Limits::default()).is_some(), "{}", bytes.escape_ascii());
            assert_eq!(value.decode::<f64>().unwrap().to_bits(), double.to_bits());
        }
    }

    #[test]
    fn errors_are_values() {
        let exec = frame(b"*2\r\n-ERR no\r\n+OK\r\n").decode::<Vec<Value>>().unwrap();
        assert_eq!(exec, [Value::from(ErrorReply::new(b"ERR no")), Value::simple_string("OK")]);
        assert_eq!(exec[0].decode::<u8>(), Err(DecodeError::Server(ErrorReply::new(b"ERR no"))));
    }

    #[test]
    fn deep_values_do_not_recurse() {
        let deep = |levels: usize| {
            let bytes = [&b"*1\r\n".repeat(levels)[..], b":1\r\n"].concat();
            Value(bytes.into_boxed_slice())
        };
        let value = deep(1_000_000);
        assert_eq!(value, value.clone());
        assert_ne!(value, deep(999_999));
        assert!(format!("{value:?}").contains('…'));
        assert_eq!(Value::from(value.as_frame()), value);
        drop(Value::array([value]));
    }
}
