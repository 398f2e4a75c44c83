//! Writing the wire. [`commands`] is what a client writes, of whatever can be written as one ([`encode`](self::encode)),
//! [`replies`] what tests, proxies and servers write; [`decimal`] makes the digits of both.

mod commands;
mod decimal;
mod encode;
mod replies;

use crate::storage::Buffer;
#[cfg(feature = "alloc")]
pub use commands::encode;
pub use commands::{ArgumentWriter, EncodeError};
use decimal::header;
pub use encode::Encode;

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
#[must_use = "it writes nothing by itself"]
pub struct Encoder<'b, 'a> {
    buffer: &'b mut Buffer<'a>,
}

impl<'b, 'a> Encoder<'b, 'a> {
    /// An encoder that appends to `buffer`.
    pub fn new(buffer: &'b mut Buffer<'a>) -> Self {
        Encoder { buffer }
    }
}

/// Writes a bulk string if it `fits`. Otherwise, and if there is no room after all, the error is its length in bytes.
#[cfg(feature = "__fast")]
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
    crate::storage::copy(place, header.as_bytes());
    let Some((place, rest)) = rest.split_at_mut_checked(length) else { return Err(total) };
    crate::storage::copy(place, text);
    match rest.first_chunk_mut::<2>() {
        Some(end) => *end = *b"\r\n",
        None => return Err(total),
    }
    buffer.commit(total);
    Ok(())
}

/// The same with the least code.
#[cfg(not(feature = "__fast"))]
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
