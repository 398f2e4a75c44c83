//! Writing the wire: commands for a client, replies for tests, proxies and servers.

use core::fmt;

use super::Protocol;
use crate::command::Command;
use crate::storage::{Buffer, Full, copy, move_within};

/// Writes commands and replies into a [`Buffer`]. What does not fit is not written at all.
///
/// ```
/// use redwire::command::set;
/// use redwire::resp::Encoder;
/// use redwire::storage::Buffer;
///
/// let mut memory = [0u8; 64];
/// let mut buffer = Buffer::borrowed(&mut memory);
/// Encoder::new(&mut buffer).command(&set("key", "value")).unwrap();
/// assert_eq!(buffer.filled(), b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n");
/// ```
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Encoder<'b, 'a> {
    buffer: &'b mut Buffer<'a>,
}

/// A command could not be written; nothing of it is in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// It is larger than the room that is left.
    Capacity {
        /// The bytes of the whole command.
        needed: usize,
        /// The bytes that were free.
        available: usize,
    },
    /// It has not a single argument, so not even a name.
    Empty,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::Capacity { needed, available } => {
                write!(f, "the command takes {needed} bytes and the transmit buffer has {available} free")
            }
            EncodeError::Empty => f.write_str("the command has no name"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Takes the arguments of one command, its name first; each becomes a bulk string of its own.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ArgumentWriter<'b, 'a> {
    buffer: &'b mut Buffer<'a>,
    count: usize,
    /// Bytes that did not fit.
    missing: usize,
}

impl ArgumentWriter<'_, '_> {
    /// Adds an argument: any bytes.
    #[cfg_attr(feature = "alloc", inline)]
    pub fn bytes(&mut self, argument: &[u8]) {
        self.count += 1;
        if let Err(length) = write_bulk(self.buffer, argument, self.missing == 0) {
            self.missing += length;
        }
    }

    /// Adds the header of an argument whose bytes come later.
    pub(crate) fn header(&mut self, length: usize) {
        self.count += 1;
        let header = header(b'$', length);
        if self.missing > 0 || self.buffer.append(header.as_bytes()).is_err() {
            self.missing += header.length;
        }
    }

    /// Adds a decimal integer.
    pub fn integer(&mut self, value: i64) {
        self.number(value < 0, value.unsigned_abs());
    }

    /// Adds a decimal integer without a sign.
    pub fn unsigned(&mut self, value: u64) {
        self.number(false, value);
    }

    fn number(&mut self, negative: bool, magnitude: u64) {
        let mut digits = [0; 21];
        let start = format_number(negative, magnitude, &mut digits);
        self.bytes(digits.get(start..).unwrap_or_default());
    }

    /// Adds a floating point number with as many digits as it takes to read the same number back.
    pub fn float(&mut self, value: f64) {
        let mut text = ShortText { bytes: [0; 40], length: 0 };
        format_float(value, value.abs(), &mut text);
        self.bytes(text.as_bytes());
    }

    /// Adds a single precision number with as many digits as it takes to read the same number back.
    pub fn float_32(&mut self, value: f32) {
        let mut text = ShortText { bytes: [0; 40], length: 0 };
        format_float(value, value.abs().into(), &mut text);
        self.bytes(text.as_bytes());
    }

    /// How many arguments there are so far.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl<'b, 'a> Encoder<'b, 'a> {
    /// An encoder that appends to `buffer`.
    pub fn new(buffer: &'b mut Buffer<'a>) -> Self {
        Encoder { buffer }
    }

    /// Appends a command.
    ///
    /// # Errors
    /// [`EncodeError`]; the buffer is as before.
    #[inline]
    pub fn command<C: Command + ?Sized>(&mut self, command: &C) -> Result<(), EncodeError> {
        self.arguments(&|out| command.write_arguments(out))
    }

    /// Appends a command whose arguments `write` writes. It is the same code for all commands.
    pub(crate) fn arguments(
        &mut self,
        write: &dyn Fn(&mut ArgumentWriter<'_, '_>),
    ) -> Result<(), EncodeError> {
        let before = self.buffer.len();
        // The count is not known yet; one digit is right for most commands.
        let header_fits = self.buffer.append(b"*0\r\n").is_ok();
        let missing = if header_fits { 0 } else { 4 };
        let mut writer = ArgumentWriter { buffer: &mut *self.buffer, count: 0, missing };
        write(&mut writer);
        let ArgumentWriter { count, missing, .. } = writer;
        if (1..10).contains(&count) && missing == 0 {
            if let Some(digit) = self.buffer.filled_mut().get_mut(before + 1) {
                *digit = b'0' + count as u8;
            }
            return Ok(());
        }
        self.finish_unusual(before, count, missing)
    }

    #[cold]
    fn finish_unusual(&mut self, before: usize, count: usize, mut missing: usize) -> Result<(), EncodeError> {
        let written = self.buffer.len() - before;
        let header = header(b'*', count);
        if count > 0 && missing == 0 {
            missing = header.length - 4;
            if self.buffer.append(header.as_bytes().get(..missing).unwrap_or_default()).is_ok() {
                // What stands behind the header with one digit moves up to make room for more.
                let command = self.buffer.filled_mut().get_mut(before..).unwrap_or_default();
                move_within(command, 4..written, header.length);
                copy(command, header.as_bytes());
                return Ok(());
            }
        }
        self.buffer.truncate(before);
        if count == 0 {
            return Err(EncodeError::Empty);
        }
        Err(EncodeError::Capacity { needed: written + missing, available: self.buffer.available() })
    }

    /// Appends a simple string. Line breaks cannot stand in one: they become blanks, as a server writes them.
    ///
    /// # Errors
    /// [`Full`]; the buffer is as before. The same holds for all replies below.
    pub fn simple_string(&mut self, text: &[u8]) -> Result<(), Full> {
        self.text_line(b'+', text)
    }

    /// Appends an error: code and text in one. Line breaks become blanks.
    pub fn error(&mut self, text: &[u8]) -> Result<(), Full> {
        self.text_line(b'-', text)
    }

    /// Appends an integer.
    pub fn integer(&mut self, value: i64) -> Result<(), Full> {
        let mut digits = [0; 21];
        let start = format_number(value < 0, value.unsigned_abs(), &mut digits);
        self.line(b':', digits.get(start..).unwrap_or_default())
    }

    /// Appends a bulk string.
    pub fn bulk_string(&mut self, text: &[u8]) -> Result<(), Full> {
        write_bulk(self.buffer, text, true).map_err(|_| Full)
    }

    /// Appends a null: `_` in RESP3, `$-1` in RESP2.
    pub fn null(&mut self, protocol: Protocol) -> Result<(), Full> {
        self.buffer.append(if protocol == Protocol::Resp3 { b"_\r\n" } else { b"$-1\r\n" })
    }

    /// Appends RESP2's null array, `*-1`.
    pub fn null_array(&mut self) -> Result<(), Full> {
        self.buffer.append(b"*-1\r\n")
    }

    /// Begins an array of `length` elements, which are to be appended next.
    pub fn array(&mut self, length: usize) -> Result<(), Full> {
        self.header(b'*', length)
    }

    /// Begins a map of `length` pairs: keys and values in turn are to be appended next.
    pub fn map(&mut self, length: usize) -> Result<(), Full> {
        self.header(b'%', length)
    }

    /// Begins a set of `length` elements.
    pub fn set(&mut self, length: usize) -> Result<(), Full> {
        self.header(b'~', length)
    }

    /// Begins a push of `length` elements; the first has to be a string.
    pub fn push(&mut self, length: usize) -> Result<(), Full> {
        self.header(b'>', length)
    }

    /// Begins an attribute of `length` pairs; the value it belongs to follows them.
    pub fn attribute(&mut self, length: usize) -> Result<(), Full> {
        self.header(b'|', length)
    }

    /// Appends a double.
    pub fn double(&mut self, value: f64) -> Result<(), Full> {
        if value.is_nan() {
            return self.buffer.append(b",nan\r\n");
        }
        let mut text = ShortText { bytes: [0; 40], length: 0 };
        format_float(value, value.abs(), &mut text);
        self.line(b',', text.as_bytes())
    }

    /// Appends a boolean.
    pub fn boolean(&mut self, value: bool) -> Result<(), Full> {
        self.buffer.append(if value { b"#t\r\n" } else { b"#f\r\n" })
    }

    /// Appends a big number: an optional sign and digits. Other bytes would break the wire and are left out.
    pub fn big_number(&mut self, digits: &str) -> Result<(), Full> {
        let before = self.buffer.len();
        let (sign, digits) = match digits.as_bytes() {
            [b'-', digits @ ..] => (&b"(-"[..], digits),
            [b'+', digits @ ..] => (&b"("[..], digits),
            digits => (&b"("[..], digits),
        };
        let mut written = self.buffer.append(sign);
        let mut any = false;
        for digit in digits.iter().filter(|b| b.is_ascii_digit()) {
            any = true;
            written = written.and_then(|()| self.buffer.append(core::slice::from_ref(digit)));
        }
        let end: &[u8] = if any { b"\r\n" } else { b"0\r\n" };
        written = written.and_then(|()| self.buffer.append(end));
        self.whole(before, written)
    }

    /// Appends a verbatim string with a format of three bytes, such as `txt`.
    pub fn verbatim_string(&mut self, format: [u8; 3], text: &[u8]) -> Result<(), Full> {
        let before = self.buffer.len();
        let written = self
            .header(b'=', text.len() + 4)
            .and_then(|()| self.buffer.append(&format))
            .and_then(|()| self.buffer.append(b":"))
            .and_then(|()| self.buffer.append(text))
            .and_then(|()| self.buffer.append(b"\r\n"));
        self.whole(before, written)
    }

    /// Appends a blob error, whose text may hold any byte.
    pub fn blob_error(&mut self, text: &[u8]) -> Result<(), Full> {
        let before = self.buffer.len();
        let written = self
            .header(b'!', text.len())
            .and_then(|()| self.buffer.append(text))
            .and_then(|()| self.buffer.append(b"\r\n"));
        self.whole(before, written)
    }

    /// Begins a streamed bulk string; chunks follow, and [`end_string`](Self::end_string).
    pub fn streamed_string(&mut self) -> Result<(), Full> {
        self.buffer.append(b"$?\r\n")
    }

    /// Appends a chunk of a streamed string; an empty one is left out, since it would end the string.
    pub fn chunk(&mut self, text: &[u8]) -> Result<(), Full> {
        if text.is_empty() {
            return Ok(());
        }
        let before = self.buffer.len();
        let written = self
            .header(b';', text.len())
            .and_then(|()| self.buffer.append(text))
            .and_then(|()| self.buffer.append(b"\r\n"));
        self.whole(before, written)
    }

    /// Ends a streamed string.
    pub fn end_string(&mut self) -> Result<(), Full> {
        self.buffer.append(b";0\r\n")
    }

    /// Begins a streamed array; elements follow, and [`end`](Self::end).
    pub fn streamed_array(&mut self) -> Result<(), Full> {
        self.buffer.append(b"*?\r\n")
    }

    /// Begins a streamed map; keys and values in turn follow, and [`end`](Self::end).
    pub fn streamed_map(&mut self) -> Result<(), Full> {
        self.buffer.append(b"%?\r\n")
    }

    /// Begins a streamed set; elements follow, and [`end`](Self::end).
    pub fn streamed_set(&mut self) -> Result<(), Full> {
        self.buffer.append(b"~?\r\n")
    }

    /// Ends a streamed array, map or set.
    pub fn end(&mut self) -> Result<(), Full> {
        self.buffer.append(b".\r\n")
    }

    fn header(&mut self, kind: u8, length: usize) -> Result<(), Full> {
        self.buffer.append(header(kind, length).as_bytes())
    }

    fn line(&mut self, kind: u8, text: &[u8]) -> Result<(), Full> {
        let before = self.buffer.len();
        let written = self
            .buffer
            .append(&[kind])
            .and_then(|()| self.buffer.append(text))
            .and_then(|()| self.buffer.append(b"\r\n"));
        self.whole(before, written)
    }

    fn text_line(&mut self, kind: u8, text: &[u8]) -> Result<(), Full> {
        let before = self.buffer.len();
        self.line(kind, text)?;
        let written = self.buffer.filled_mut();
        let end = written.len() - 2;
        for byte in written.get_mut(before + 1..end).unwrap_or_default() {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        Ok(())
    }

    /// Takes back what was written of a value that did not fit.
    fn whole(&mut self, before: usize, written: Result<(), Full>) -> Result<(), Full> {
        if written.is_err() {
            self.buffer.truncate(before);
        }
        written
    }
}

/// Writes a bulk string if it `fits`; otherwise, and if it turns out not to, it says how long it is.
#[cfg(feature = "alloc")]
#[inline]
fn write_bulk(buffer: &mut Buffer<'_>, text: &[u8], fits: bool) -> Result<(), usize> {
    let length = text.len();
    let header = header(b'$', length);
    let total = header.length + length + 2;
    if !fits || buffer.reserve(total).is_err() {
        return Err(total);
    }
    let free = buffer.free();
    let Some((place, rest)) = free.split_at_mut_checked(header.length) else { return Err(total) };
    copy(place, header.as_bytes());
    let Some((place, rest)) = rest.split_at_mut_checked(length) else { return Err(total) };
    copy(place, text);
    match rest.first_chunk_mut::<2>() {
        Some(end) => *end = *b"\r\n",
        None => return Err(total),
    }
    buffer.commit(total);
    Ok(())
}

/// The same with the least code.
#[cfg(not(feature = "alloc"))]
fn write_bulk(buffer: &mut Buffer<'_>, text: &[u8], fits: bool) -> Result<(), usize> {
    let header = header(b'$', text.len());
    let total = header.length + text.len() + 2;
    if !fits || buffer.reserve(total).is_err() {
        return Err(total);
    }
    for part in [header.as_bytes(), text, b"\r\n"] {
        buffer.append(part).map_err(|_| total)?;
    }
    Ok(())
}

/// A type byte and a length in a line, at the end of `bytes`.
struct Header {
    bytes: [u8; 24],
    length: usize,
}

impl Header {
    #[inline]
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.bytes.len() - self.length..).unwrap_or_default()
    }
}

#[cfg_attr(feature = "alloc", inline)]
#[cfg_attr(not(feature = "alloc"), inline(never))]
fn header(kind: u8, length: usize) -> Header {
    let mut bytes = [0; 24];
    bytes[22] = b'\r';
    bytes[23] = b'\n';
    let mut at = 21;
    let mut rest = length;
    while rest >= 10 && at > 1 {
        bytes[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        at -= 1;
    }
    bytes[at] = b'0' + rest as u8;
    bytes[at - 1] = kind;
    Header { bytes, length: 25 - at }
}

/// Writes a number and gives the index of its first byte.
fn format_number(negative: bool, mut magnitude: u64, text: &mut [u8; 21]) -> usize {
    let mut at = text.len();
    for place in text.iter_mut().rev() {
        if magnitude == 0 && at < 21 {
            // There is a place for the sign: no magnitude has more than 20 digits.
            *place = b'-';
            return if negative { at - 1 } else { at };
        }
        let digit;
        (magnitude, digit) = divide_by_ten(magnitude);
        *place = b'0' + digit;
        at -= 1;
    }
    at
}

/// The quotient and the remainder. What is too large for the processor's own division is done byte by byte: the routine
/// for 64 bits would cost much flash.
#[inline]
fn divide_by_ten(value: u64) -> (u64, u8) {
    if usize::BITS >= u64::BITS {
        return (value / 10, (value % 10) as u8);
    }
    let mut bytes = value.to_be_bytes();
    let mut rest = 0;
    for byte in &mut bytes {
        let dividend = rest << 8 | u16::from(*byte);
        *byte = (dividend / 10) as u8;
        rest = dividend % 10;
    }
    (u64::from_be_bytes(bytes), rest as u8)
}

/// Text of a number on the stack.
struct ShortText {
    bytes: [u8; 40],
    length: usize,
}

impl ShortText {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// The shortest digits that read back as `value`: decimal where that is short, with an exponent elsewhere.
fn format_float<F: fmt::Display + fmt::LowerExp>(value: F, magnitude: f64, text: &mut ShortText) {
    use fmt::Write;
    // The texts of infinity and NaN are Redis's own: `inf`, `-inf`, `NaN`.
    let decimal = magnitude == 0.0 || (1e-7..1e17).contains(&magnitude) || !magnitude.is_finite();
    let result = if decimal { write!(text, "{value}") } else { write!(text, "{value:e}") };
    debug_assert!(result.is_ok(), "40 bytes hold every float");
}

/// The bytes of one command, as they go over the wire. A command without a single word gives none.
///
/// ```
/// use redwire::{command::get, resp::encode};
///
/// assert_eq!(encode(&get("key")), b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
/// ```
#[cfg(feature = "alloc")]
pub fn encode<C: Command + ?Sized>(command: &C) -> alloc::vec::Vec<u8> {
    let mut buffer = Buffer::growing(usize::MAX);
    match Encoder::new(&mut buffer).command(command) {
        Ok(()) => buffer.filled().to_vec(),
        Err(_) => alloc::vec::Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::{format, string::ToString, vec};

    use super::*;
    use crate::command::cmd;

    fn encoded(memory: &mut [u8], write: impl FnOnce(&mut Encoder<'_, '_>)) -> &[u8] {
        let mut buffer = Buffer::borrowed(memory);
        write(&mut Encoder::new(&mut buffer));
        let length = buffer.len();
        &memory[..length]
    }

    #[test]
    fn replies() {
        let mut memory = [0; 512];
        let bytes = encoded(&mut memory, |e| {
            e.simple_string(b"a\r\nb").unwrap();
            e.error(b"ERR x").unwrap();
            e.integer(i64::MIN).unwrap();
            e.bulk_string(b"").unwrap();
            e.null(Protocol::Resp3).unwrap();
            e.null(Protocol::Resp2).unwrap();
            e.double(1.5).unwrap();
            e.double(f64::NEG_INFINITY).unwrap();
            e.double(f64::NAN).unwrap();
            e.boolean(true).unwrap();
            e.big_number("-12x3").unwrap();
            e.verbatim_string(*b"txt", b"hi").unwrap();
            e.blob_error(b"ERR y").unwrap();
        });
        assert_eq!(
            bytes.escape_ascii().to_string(),
            "+a  b\\r\\n-ERR x\\r\\n:-9223372036854775808\\r\\n$0\\r\\n\\r\\n_\\r\\n$-1\\r\\n,1.5\\r\\n,-inf\\r\\n,nan\\r\\n#t\\r\\n(-123\\r\\n=6\\r\\ntxt:hi\\r\\n!5\\r\\nERR y\\r\\n"
        );
    }

    #[test]
    fn a_command_is_appended_whole_or_not_at_all() {
        for size in 0..40 {
            let mut memory = [0; 40];
            let mut buffer = Buffer::borrowed(&mut memory[..size]);
            let result = Encoder::new(&mut buffer).command(&cmd("SET").arg("k").arg("value"));
            let whole = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n";
            if size >= whole.len() {
                assert_eq!(result, Ok(()));
                assert_eq!(buffer.filled(), whole);
            } else {
                assert_eq!(result, Err(EncodeError::Capacity { needed: whole.len(), available: size }));
                assert!(buffer.is_empty());
            }
        }
    }

    #[test]
    fn many_arguments_shift_the_header() {
        for count in [1usize, 9, 10, 11, 99, 100, 1000] {
            let arguments = vec!["x"; count];
            let mut buffer = Buffer::growing(1 << 20);
            buffer.append(b"before").unwrap();
            Encoder::new(&mut buffer).command(&cmd("DEL").arg(&arguments)).unwrap();
            let mut expected = format!("before*{}\r\n$3\r\nDEL\r\n", count + 1);
            expected.push_str(&"$1\r\nx\r\n".repeat(count));
            assert_eq!(buffer.filled(), expected.as_bytes());
        }
    }

    #[test]
    fn ten_arguments_that_fit_but_for_the_second_digit() {
        let whole = b"*10\r\n".len() + b"$1\r\nx\r\n".len() * 10;
        let mut memory = [0; 128];
        let mut buffer = Buffer::borrowed(&mut memory[..whole - 1]);
        let result = Encoder::new(&mut buffer).command(&cmd("x").arg(["x"; 9]));
        assert_eq!(result, Err(EncodeError::Capacity { needed: whole, available: whole - 1 }));
        assert!(buffer.is_empty());
    }

    #[test]
    fn floats_read_back() {
        for value in [0.0, -0.0, 1.5, 3.0, 1e300, 5e-324, f64::MAX, 1e16, 1e17, 0.1 + 0.2, f64::INFINITY] {
            let mut text = ShortText { bytes: [0; 40], length: 0 };
            format_float(value, value.abs(), &mut text);
            let read: f64 = core::str::from_utf8(text.as_bytes()).unwrap().parse().unwrap();
            assert_eq!(read.to_bits(), value.to_bits());
        }
    }
}
