//! What can be an argument of a command: one bulk string ([`Argument`]), or any number of them ([`Arguments`]).

#[cfg(feature = "alloc")]
use alloc::{
    borrow::Cow,
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};

use crate::resp::ArgumentWriter;

/// One argument: bytes, text, an integer or a float.
///
/// Booleans and options are none on purpose: Redis has neither, and `"false"` or an empty string in their place is rarely
/// what was meant. Bytes are arguments as a whole, so a single `u8` is none; use a wider integer.
///
/// ```
/// use redwire::command::cmd;
/// use redwire::resp::encode;
///
/// let command = cmd("X").arg("text").arg(b"bytes").arg(-5).arg(0.5);
/// assert_eq!(encode(&command), encode(&["X", "text", "bytes", "-5", "0.5"]));
/// ```
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
