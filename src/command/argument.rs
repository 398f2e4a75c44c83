//! What can be an argument of a command: one bulk string ([`Argument`]), or any number of them ([`Arguments`]).

#[cfg(feature = "alloc")]
use alloc::{
    borrow::Cow,
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};

use crate::resp::{ArgumentWriter, Words};
use crate::time::Duration;

/// One argument: bytes, text, an integer or a float.
///
/// Booleans and options are no arguments, on purpose: Redis has neither, and `"false"` or an empty string is rarely what was
/// meant. A single `u8` is none either, since a slice of them is text; use a wider integer.
///
/// ```
/// use redwire::command::cmd;
/// use redwire::resp::encode;
///
/// let command = cmd("X").arg("text").arg(b"bytes").arg(-5).arg(0.5);
/// assert_eq!(encode(&command), encode(&["X", "text", "bytes", "-5", "0.5"]));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument of a command",
    note = "arguments are bytes, text, integers and floats; Redis has neither booleans nor optional values, so say what to send",
    note = "a single `u8` is none, since `[u8]` is a byte string; use a wider integer"
)]
pub trait Argument {
    /// Writes the argument: exactly one call of a method of `out`.
    fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>);
}

/// Any number of arguments: one [`Argument`], several of one type in an array, slice or `Vec`, or a tuple of different ones.
///
/// ```
/// use redwire::command::cmd;
/// use redwire::resp::encode;
///
/// let keys = vec![String::from("a"), String::from("b")];
/// assert_eq!(encode(&cmd("DEL").arg(&keys)), encode(&["DEL", "a", "b"]));
/// assert_eq!(encode(&cmd("MSET").arg([("a", 1), ("b", 2)])), encode(&["MSET", "a", "1", "b", "2"]));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not make arguments of a command",
    note = "arguments are bytes, text, integers and floats, and arrays, slices, `Vec`s, tuples and maps of them; collect an iterator first"
)]
pub trait Arguments {
    /// Writes the arguments in order.
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>);

    /// How many arguments this writes, for commands that say so on the wire.
    fn count(&self) -> usize;
}

impl<T: Argument + ?Sized> Argument for &T {
    #[inline]
    fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>) {
        (**self).write_argument(out);
    }
}

macro_rules! bytes_argument {
    ($([$($generics:tt)*] $type:ty, $value:ident => $bytes:expr;)*) => {$(
        impl<$($generics)*> Argument for $type {
            #[inline]
            fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>) {
                let $value = self;
                out.bytes($bytes);
            }
        }
    )*};
}

bytes_argument! {
    [] str, text => text.as_bytes();
    [] [u8], bytes => bytes;
    [const N: usize] [u8; N], bytes => bytes;
    [const N: usize] heapless::String<N>, text => text.as_bytes();
    [const N: usize] heapless::Vec<u8, N>, bytes => bytes;
}

#[cfg(feature = "alloc")]
bytes_argument! {
    [] String, text => text.as_bytes();
    [] Box<str>, text => text.as_bytes();
    [] Vec<u8>, bytes => bytes;
    [] Box<[u8]>, bytes => bytes;
    ['a] Cow<'a, str>, text => text.as_bytes();
    ['a] Cow<'a, [u8]>, bytes => bytes;
}

macro_rules! number_argument {
    ($($type:ty => $method:ident as $wide:ty;)*) => {$(
        impl Argument for $type {
            #[inline]
            fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>) {
                out.$method(*self as $wide);
            }
        }
    )*};
}

number_argument! {
    i8 => integer as i64;
    i16 => integer as i64;
    i32 => integer as i64;
    i64 => integer as i64;
    isize => integer as i64;
    u16 => unsigned as u64;
    u32 => unsigned as u64;
    u64 => unsigned as u64;
    usize => unsigned as u64;
    f64 => float as f64;
}

impl Argument for f32 {
    /// Writes the shortest text for this `f32`, not the digits of the `f64` next to it.
    fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>) {
        out.float_32(*self);
    }
}

impl<T: Argument + ?Sized> Arguments for T {
    #[inline]
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.write_argument(out);
    }

    fn count(&self) -> usize {
        1
    }
}

macro_rules! many_arguments {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> Arguments for $type {
            fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
                self.iter().for_each(|item| item.write_arguments(out));
            }

            fn count(&self) -> usize {
                self.iter().map(|item| item.count()).sum()
            }
        }
    )*};
}

many_arguments! {
    [T: Arguments, const N: usize] [T; N];
    [T: Arguments, const N: usize] &[T; N];
    [T: Arguments] &[T];
    [T: Arguments, const N: usize] heapless::Vec<T, N>;
    [T: Arguments, const N: usize] &heapless::Vec<T, N>;
}

#[cfg(feature = "alloc")]
many_arguments! {
    [T: Arguments] Vec<T>;
    [T: Arguments] &Vec<T>;
}

#[cfg(feature = "alloc")]
many_arguments! {
    [T: Arguments] VecDeque<T>;
    [T: Arguments] &VecDeque<T>;
    [T: Arguments] BTreeSet<T>;
    [T: Arguments] &BTreeSet<T>;
    [K: Argument, V: Argument] BTreeMap<K, V>;
    [K: Argument, V: Argument] &BTreeMap<K, V>;
}

#[cfg(feature = "std")]
many_arguments! {
    [T: Arguments, S] std::collections::HashSet<T, S>;
    [T: Arguments, S] &std::collections::HashSet<T, S>;
    [K: Argument, V: Argument, S] std::collections::HashMap<K, V, S>;
    [K: Argument, V: Argument, S] &std::collections::HashMap<K, V, S>;
}

macro_rules! tuple_arguments {
    ($($name:ident)+) => {
        impl<$($name: Arguments),+> Arguments for ($($name,)+) {
            #[inline]
            #[allow(non_snake_case, reason = "the names are those of the types")]
            fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
                let ($($name,)+) = self;
                $($name.write_arguments(out);)+
            }

            #[allow(non_snake_case, reason = "the names are those of the types")]
            fn count(&self) -> usize {
                let ($($name,)+) = self;
                0 $(+ $name.count())+
            }
        }
    };
}

tuple_arguments!(A);
tuple_arguments!(A B);
tuple_arguments!(A B C);
tuple_arguments!(A B C D);
tuple_arguments!(A B C D E);
tuple_arguments!(A B C D E F);
tuple_arguments!(A B C D E F G);
tuple_arguments!(A B C D E F G H);

/// No argument at all.
impl Arguments for () {
    fn write_arguments(&self, _: &mut ArgumentWriter<'_, '_>) {}

    fn count(&self) -> usize {
        0
    }
}

/// The words of a command that was encoded before and is sent now, or of a part of it.
///
/// ```
/// use redwire::command::{Cmd, Open, set};
/// use redwire::resp::{Words, encode};
///
/// let kept = encode(&set("key", "value").ex(60));
/// let again: Cmd<_, Open> = Cmd::new(Words::of(&kept));
/// assert_eq!(encode(&again), kept);
/// ```
impl Arguments for Words<'_> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.clone().for_each(|word| out.bytes(word));
    }

    fn count(&self) -> usize {
        self.clone().count()
    }
}

/// Arguments after their number, as in `EVAL script numkeys key ...`.
pub(super) struct Counted<A>(pub(super) A);

/// Arguments that are lent: `Lent(&keys)` is what `keys` is. (A reference to an [`Argument`] is one itself.)
///
/// ```
/// use redwire::command::{Lent, watch};
/// use redwire::resp::encode;
///
/// let keys = ("a", ["b", "c"]);
/// assert_eq!(encode(&watch(Lent(&keys))), encode(&["WATCH", "a", "b", "c"]));
/// ```
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lent<'a, A: ?Sized>(pub &'a A);

impl<A: Arguments + ?Sized> Arguments for Lent<'_, A> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.0.write_arguments(out);
    }

    fn count(&self) -> usize {
        self.0.count()
    }
}

impl<A: Arguments> Arguments for Counted<A> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        out.unsigned(self.0.count() as u64);
        self.0.write_arguments(out);
    }

    fn count(&self) -> usize {
        self.0.count().saturating_add(1)
    }
}

/// Pairs after the number of pairs, as in `MSETEX numkeys key value ...`.
pub(super) struct CountedPairs<A>(pub(super) A);

impl<A: Arguments> Arguments for CountedPairs<A> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        out.unsigned((self.0.count() / 2) as u64);
        self.0.write_arguments(out);
    }

    fn count(&self) -> usize {
        self.0.count().saturating_add(1)
    }
}

/// A duration in seconds, with a fraction where it has one: `5`, `0.25`.
///
/// It is rounded up to milliseconds, since servers know nothing shorter. So only zero becomes zero, which means for ever.
pub(super) struct Seconds(pub(super) Duration);

impl Argument for Seconds {
    fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>) {
        let milliseconds = u64::from(self.0.subsec_nanos().div_ceil(1_000_000));
        let seconds = self.0.as_secs().saturating_add(milliseconds / 1000);
        let fraction = milliseconds % 1000;
        if fraction == 0 {
            return out.unsigned(seconds);
        }
        // 20 digits, a point, and 3 digits: written from the end.
        let mut text = [b'0'; 24];
        let mut rest = fraction;
        let mut start = text.len();
        for (index, place) in text.iter_mut().enumerate().rev() {
            if index == 20 {
                *place = b'.';
                rest = seconds;
                continue;
            }
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
            start = index;
            if index < 20 && rest == 0 {
                break;
            }
        }
        out.bytes(text.get(start..).unwrap_or_default());
    }
}

/// A duration in whole milliseconds, rounded up. So only zero becomes zero, which means for ever.
pub(super) struct Milliseconds(pub(super) Duration);

impl Argument for Milliseconds {
    fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>) {
        let below_a_second = u64::from(self.0.subsec_nanos().div_ceil(1_000_000));
        out.unsigned(self.0.as_secs().saturating_mul(1000).saturating_add(below_a_second));
    }
}

/// What Redis has for true and false where an argument is a switch.
pub(super) const fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// What Redis has for true and false where an argument is an answer.
pub(super) const fn yes_no(yes: bool) -> &'static str {
    if yes { "YES" } else { "NO" }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::{command::cmd, resp::encode};

    #[track_caller]
    fn assert_words<A: Arguments>(arguments: A, words: &[&str]) {
        assert_eq!(arguments.count(), words.len());
        let mut expected = vec!["X"];
        expected.extend(words);
        assert_eq!(encode(&cmd("X").arg(arguments)), encode(expected.as_slice()));
    }

    #[test]
    fn the_count_is_what_is_written() {
        let strings = vec![String::from("a"), String::from("b")];
        let map = BTreeMap::from([("f", 1), ("g", 2)]);
        assert_words((), &[]);
        assert_words("a", &["a"]);
        assert_words(b"ab", &["ab"]);
        assert_words(vec![b'a', b'b'], &["ab"]);
        assert_words([b"ab", b"cd"], &["ab", "cd"]);
        assert_words(&strings, &["a", "b"]);
        assert_words(strings.as_slice(), &["a", "b"]);
        assert_words(strings, &["a", "b"]);
        let array = [String::from("a"), String::from("b")];
        assert_words(&array, &["a", "b"]);
        assert_words(array, &["a", "b"]);
        assert_words([("f", 1), ("g", 2)], &["f", "1", "g", "2"]);
        assert_words(vec![("f", 0.5)], &["f", "0.5"]);
        assert_words(&map, &["f", "1", "g", "2"]);
        assert_words(map, &["f", "1", "g", "2"]);
        assert_words(("a", [1, 2], ("b", ())), &["a", "1", "2", "b"]);
        assert_words([["a", "b"], ["c", "d"]], &["a", "b", "c", "d"]);
        assert_words::<&[&str]>(&[], &[]);
        assert_words(Counted(("a", ["b", "c"])), &["3", "a", "b", "c"]);
        assert_words(Counted(()), &["0"]);
        assert_words(CountedPairs([("f", 1), ("g", 2)]), &["2", "f", "1", "g", "2"]);
    }

    #[test]
    fn durations_never_round_down_to_zero() {
        for (duration, seconds, milliseconds) in [
            (Duration::ZERO, "0", "0"),
            (Duration::from_nanos(1), "0.001", "1"),
            (Duration::from_millis(50), "0.050", "50"),
            (Duration::from_micros(999_001), "1", "1000"),
            (Duration::from_secs(5), "5", "5000"),
            (Duration::from_millis(12_345), "12.345", "12345"),
            (Duration::new(u64::MAX, 1), "18446744073709551615.001", "18446744073709551615"),
            (Duration::MAX, "18446744073709551615", "18446744073709551615"),
        ] {
            assert_words(Seconds(duration), &[seconds]);
            assert_words(Milliseconds(duration), &[milliseconds]);
        }
    }
}
