//! The words of a command that is encoded already.

use core::iter::FusedIterator;

use super::walk::{Length, split_length, split_payload};
use super::{ArgumentWriter, Encode};

/// The words of an encoded command: its name, then its arguments. It can be encoded again.
///
/// It takes the bytes that an [`Encoder`](super::Encoder) has written, of one command, and does not check them. From other
/// bytes come other words, or none. Of a command that is not whole the word that is cut off is empty, and the last.
///
/// ```
/// use redwire::command::set;
/// use redwire::resp::{Words, encode};
///
/// let kept = encode(&set("key", "value").ex(60));
/// let mut words = Words::of(&kept);
/// assert_eq!(words.next(), Some(&b"SET"[..]));
/// assert_eq!(words.collect::<Vec<_>>(), [&b"key"[..], b"value", b"EX", b"60"]);
///
/// // The same command once more, and a part of it as another command.
/// assert_eq!(encode(&Words::of(&kept)), kept);
/// let mut expiry = Words::of(&kept);
/// expiry.nth(2);
/// assert_eq!(encode(&expiry), encode(&["EX", "60"]));
/// ```
#[derive(Clone)]
pub struct Words<'w> {
    rest: &'w [u8],
}

impl<'w> Words<'w> {
    /// The words of the command that `command` consists of.
    #[inline]
    pub fn of(command: &'w [u8]) -> Self {
        // After the header of the array there are bulk strings, and nothing else.
        Words { rest: split_length(command).1 }
    }
}

impl<'w> Iterator for Words<'w> {
    type Item = &'w [u8];

    #[inline]
    fn next(&mut self) -> Option<&'w [u8]> {
        match split_length(self.rest) {
            (Length::Count(length), rest) if !self.rest.is_empty() => {
                let (word, rest) = split_payload(rest, length);
                self.rest = rest;
                Some(word)
            }
            _ => None,
        }
    }
}

impl FusedIterator for Words<'_> {}

/// The words that are left.
impl Encode for Words<'_> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.clone().for_each(|word| out.bytes(word));
    }
}

/// Shows the type alone: words may be secrets.
impl core::fmt::Debug for Words<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Words")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Words<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Words");
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::resp::Encoder;
    use crate::storage::Buffer;

    #[test]
    fn words_are_any_bytes_and_any_number() {
        for count in [1, 2, 9, 10, 11, 100] {
            let words: Vec<Vec<u8>> = (0..count).map(|length| b"\r\n$".repeat(length)).collect();
            let mut buffer = Buffer::growing(1 << 20);
            Encoder::new(&mut buffer).command(words.as_slice()).unwrap();
            assert!(Words::of(buffer.filled()).eq(&words));
        }
    }

    #[test]
    fn the_word_that_is_cut_off_is_empty_and_the_last() {
        let whole = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
        let names = |length| Words::of(&whole[..length]).collect::<Vec<_>>();
        assert_eq!(names(whole.len() - 3), [&b"GET"[..], b""]);
        assert_eq!(names(17), [&b"GET"[..], b""]);
        assert_eq!(names(13), [&b"GET"[..]]);
        assert_eq!(names(0), [b""; 0]);
    }

    #[test]
    fn other_bytes_do_no_harm() {
        let pieces: [&[u8]; 8] = [b"*", b"$", b"-1", b"?", b"\r\n", b"9", b"18446744073709551615", b"x"];
        for number in 0..8usize.pow(5) {
            let bytes: Vec<u8> =
                (0..5).flat_map(|place| pieces[number / 8usize.pow(place) % 8].iter().copied()).collect();
            let mut words = Words::of(&bytes);
            assert!(words.by_ref().count() <= bytes.len());
            assert_eq!(words.next(), None);
        }
    }
}
