//! Replies: a method for each type of RESP2 and RESP3.

use super::decimal::{format_float, format_number, header};
use super::{Encoder, write_bulk};
use crate::resp::Protocol;
use crate::storage::Full;

impl Encoder<'_, '_> {
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
        self.line(b',', format_float(value, value.abs()).as_bytes())
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

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;
    use crate::storage::Buffer;

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
}
