//! Commands: an array of bulk strings, appended whole or not at all.

use core::fmt;

use super::decimal::{format_float, format_number, header};
use super::{Encode, Encoder, write_bulk};
use crate::storage::{Buffer, copy, move_within};

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
    /// It has no arguments, so not even a name.
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
    #[cfg_attr(feature = "__fast", inline)]
    pub fn bytes(&mut self, argument: &[u8]) {
        self.count += 1;
        if let Err(length) = write_bulk(self.buffer, argument, self.missing == 0) {
            self.missing += length;
        }
    }

    /// Adds the header of an argument. Its bytes come later.
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
        self.bytes(format_float(value, value.abs()).as_bytes());
    }

    /// Adds a single precision number with as many digits as it takes to read the same number back.
    pub fn float_32(&mut self, value: f32) {
        self.bytes(format_float(value, value.abs().into()).as_bytes());
    }

    /// How many arguments there are so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// The bytes of one command, as they go over the wire. A command without a single word gives none.
///
/// ```
/// use redwire::{command::get, resp::encode};
///
/// assert_eq!(encode(&get("key")), b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
/// ```
#[cfg(feature = "alloc")]
#[must_use]
pub fn encode<C: Encode + ?Sized>(command: &C) -> alloc::vec::Vec<u8> {
    let mut buffer = Buffer::growing(usize::MAX);
    match Encoder::new(&mut buffer).command(command) {
        Ok(()) => buffer.filled().to_vec(),
        Err(_) => alloc::vec::Vec::new(),
    }
}

impl Encoder<'_, '_> {
    /// Appends a command.
    ///
    /// # Errors
    /// [`EncodeError`]; the buffer is as before.
    #[inline]
    pub fn command<C: Encode + ?Sized>(&mut self, command: &C) -> Result<(), EncodeError> {
        self.any_command(&command)
    }

    /// Appends a command. All of them share this code.
    pub(crate) fn any_command(&mut self, command: &dyn Encode) -> Result<(), EncodeError> {
        let before = self.buffer.len();
        // The count is not known yet; one digit is right for most commands.
        let header_fits = self.buffer.append(b"*0\r\n").is_ok();
        let missing = if header_fits { 0 } else { 4 };
        let mut writer = ArgumentWriter { buffer: &mut *self.buffer, count: 0, missing };
        command.write_arguments(&mut writer);
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
                // The arguments move up, to make room for a count of more than one digit.
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
}

#[cfg(test)]
mod tests {
    use std::{format, vec};

    use super::*;

    #[test]
    fn a_command_is_appended_whole_or_not_at_all() {
        for size in 0..40 {
            let mut memory = [0; 40];
            let mut buffer = Buffer::borrowed(&mut memory[..size]);
            let result = Encoder::new(&mut buffer).command(&["SET", "k", "value"]);
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
            let mut words = vec!["x"; count + 1];
            words[0] = "DEL";
            let mut buffer = Buffer::growing(1 << 20);
            buffer.append(b"before").unwrap();
            Encoder::new(&mut buffer).command(words.as_slice()).unwrap();
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
        let result = Encoder::new(&mut buffer).command(&["x"; 10]);
        assert_eq!(result, Err(EncodeError::Capacity { needed: whole, available: whole - 1 }));
        assert!(buffer.is_empty());
    }
}
