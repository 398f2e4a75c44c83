//! Numbers as text, without an allocator: lengths, integers, and the shortest digits of floats.

use core::fmt;

/// A type byte and a length in a line, at the end of `bytes`.
pub(super) struct Header {
    bytes: [u8; 24],
    pub(super) length: usize,
}

impl Header {
    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.bytes.len() - self.length..).unwrap_or_default()
    }
}

#[cfg_attr(feature = "__fast", inline)]
#[cfg_attr(not(feature = "__fast"), inline(never))]
pub(super) fn header(kind: u8, length: usize) -> Header {
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

/// Writes a number to the end of `text`. Gives the index of its first byte.
pub(super) fn format_number(negative: bool, mut magnitude: u64, text: &mut [u8; 21]) -> usize {
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

/// The quotient and the remainder. Where the processor cannot divide 64 bits itself, it divides byte by byte: the routine
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
pub(super) struct ShortText {
    bytes: [u8; 40],
    length: usize,
}

impl ShortText {
    pub(super) fn as_bytes(&self) -> &[u8] {
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
pub(super) fn format_float<F: fmt::Display + fmt::LowerExp>(value: F, magnitude: f64) -> ShortText {
    use fmt::Write;
    let mut text = ShortText { bytes: [0; 40], length: 0 };
    // The texts of infinity and NaN are Redis's own: `inf`, `-inf`, `NaN`.
    let decimal = magnitude == 0.0 || (1e-7..1e17).contains(&magnitude) || !magnitude.is_finite();
    let result = if decimal { write!(text, "{value}") } else { write!(text, "{value:e}") };
    debug_assert!(result.is_ok(), "40 bytes hold every float");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_back() {
        for value in [0.0, -0.0, 1.5, 3.0, 1e300, 5e-324, f64::MAX, 1e16, 1e17, 0.1 + 0.2, f64::INFINITY] {
            let text = format_float(value, value.abs());
            let read: f64 = core::str::from_utf8(text.as_bytes()).unwrap().parse().unwrap();
            assert_eq!(read.to_bits(), value.to_bits());
        }
    }
}
