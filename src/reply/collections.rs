//! Tuples, arrays, vectors, sets and maps.

#[cfg(feature = "alloc")]
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use super::error::{count, mismatch};
use super::{DecodeError, FromReply, MismatchReason, Reply, ReplyElements};
use crate::resp::Kind;

impl<'r, 'a> Reply<'r, 'a> {
    /// The elements of a collection of `T`: pairs where `T` is one.
    #[inline]
    fn elements_of<T: FromReply<'a>>(
        self,
        expected: &'static str,
    ) -> Result<ReplyElements<'r, 'a>, DecodeError<'a>> {
        if T::PAIR { self.pairs_as(expected) } else { self.elements_as(expected) }
    }
}

macro_rules! tuples {
    ($($length:literal $pair:literal $expected:literal: $($name:ident)+;)*) => {$(
        /// An aggregate of exactly that many values.
        impl<'a, $($name: FromReply<'a>),+> FromReply<'a> for ($($name,)+) {
            const PAIR: bool = $pair;

            #[inline]
            fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
                let mut elements = reply.exactly($length, $expected)?;
                Ok(($(elements.expect::<$name>($expected)?,)+))
            }
        }
    )*};
}

tuples! {
    1 false "a tuple of 1": A;
    2 true "a tuple of 2": A B;
    3 false "a tuple of 3": A B C;
    4 false "a tuple of 4": A B C D;
    5 false "a tuple of 5": A B C D E;
    6 false "a tuple of 6": A B C D E F;
    7 false "a tuple of 7": A B C D E F G;
    8 false "a tuple of 8": A B C D E F G H;
}

impl<'a> ReplyElements<'_, 'a> {
    /// The next of elements that have been counted.
    #[inline]
    fn expect<T: FromReply<'a>>(&mut self, expected: &'static str) -> Result<T, DecodeError<'a>> {
        match self.next() {
            Some(result) => result,
            None => Err(mismatch(expected, Kind::Array, MismatchReason::Length, None)),
        }
    }
}

/// An aggregate of exactly `N` values; for `u8` a string of exactly `N` bytes.
impl<'a, T: FromReply<'a>, const N: usize> FromReply<'a> for [T; N] {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let expected = if T::BYTE { "bytes of a fixed length" } else { "an array of a fixed length" };
        let wrong_length = |length| mismatch(expected, kind, MismatchReason::Length, count(length));
        let items: heapless::Vec<T, N> = bounded(reply, expected, wrong_length)?;
        items.into_array().map_err(|items| wrong_length(items.len()))
    }
}

/// An aggregate of up to `N` values; for `u8` a string of up to `N` bytes.
impl<'a, T: FromReply<'a>, const N: usize> FromReply<'a> for heapless::Vec<T, N> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let expected = if T::BYTE { "bytes" } else { "an array" };
        bounded(reply, expected, |length| mismatch(expected, kind, MismatchReason::Capacity, count(length)))
    }
}

/// Reads up to `N` elements or bytes. If there are more, `too_long` makes the error.
fn bounded<'a, T: FromReply<'a>, const N: usize>(
    reply: Reply<'_, 'a>,
    expected: &'static str,
    too_long: impl Fn(usize) -> DecodeError<'a>,
) -> Result<heapless::Vec<T, N>, DecodeError<'a>> {
    let mut items = heapless::Vec::new();
    if T::BYTE {
        let chunks = reply.chunks_as(expected)?;
        let total = chunks.total();
        if total > N {
            return Err(too_long(total));
        }
        for chunk in chunks {
            for item in chunk.iter().filter_map(|byte| T::from_byte(*byte)) {
                items.push(item).map_err(|_| too_long(total))?;
            }
        }
        return Ok(items);
    }
    let mut elements = reply.elements_of::<T>(expected)?;
    let length = elements.len();
    if length > N {
        return Err(too_long(length));
    }
    while let Some(item) = elements.next::<T>() {
        items.push(item?).map_err(|_| too_long(length))?;
    }
    Ok(items)
}

/// Up to `N` pairs; the last one counts where a key comes twice.
impl<'a, K, V, const N: usize> FromReply<'a> for heapless::LinearMap<K, V, N>
where
    K: FromReply<'a> + Eq,
    V: FromReply<'a>,
{
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let kind = reply.head.kind;
        let mut pairs = reply.pairs_as("a map")?;
        let length = pairs.len();
        let mut map = heapless::LinearMap::new();
        while let Some(pair) = pairs.next() {
            let (key, value) = pair?;
            if map.insert(key, value).is_err() {
                return Err(mismatch("a heapless map", kind, MismatchReason::Capacity, count(length)));
            }
        }
        Ok(map)
    }
}

/// The most bytes that an element may take in memory for a `Vec` to reserve room for all of them at once. Each took at least
/// three bytes on the wire, so the room stays in proportion to what came. For larger elements room is made one by one.
#[cfg(feature = "alloc")]
const RESERVED_AT_ONCE: usize = 64;

/// An aggregate; for `u8` a string.
#[cfg(feature = "alloc")]
impl<'a, T: FromReply<'a>> FromReply<'a> for Vec<T> {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        if T::BYTE {
            return reply.owned_bytes("bytes");
        }
        let kind = reply.head.kind;
        let mut elements = reply.elements_of::<T>("an array")?;
        let length = elements.len();
        let mut items = Vec::new();
        let no_room = |_| mismatch("a Vec", kind, MismatchReason::Capacity, count(length));
        if size_of::<T>() <= RESERVED_AT_ONCE {
            items.try_reserve_exact(length).map_err(no_room)?;
        }
        while let Some(item) = elements.next::<T>() {
            if size_of::<T>() > RESERVED_AT_ONCE {
                items.try_reserve(1).map_err(no_room)?;
            }
            items.push(item?);
        }
        Ok(items)
    }
}

/// An aggregate; for `u8` a string.
#[cfg(feature = "alloc")]
impl<'a, T: FromReply<'a>> FromReply<'a> for Box<[T]> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        Vec::from_reply(reply).map(Vec::into_boxed_slice)
    }
}

/// An aggregate; for `u8` a string.
#[cfg(feature = "alloc")]
impl<'a, T: FromReply<'a>> FromReply<'a> for VecDeque<T> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        Vec::from_reply(reply).map(VecDeque::from)
    }
}

/// Reads the elements of a set or map in the order of the wire.
#[cfg(feature = "alloc")]
#[inline]
fn each<'a, T: FromReply<'a>>(
    reply: Reply<'_, 'a>,
    expected: &'static str,
    mut insert: impl FnMut(T),
) -> Result<(), DecodeError<'a>> {
    let mut elements = reply.elements_of::<T>(expected)?;
    while let Some(element) = elements.next() {
        insert(element?);
    }
    Ok(())
}

/// An aggregate; what comes twice is in it once.
#[cfg(feature = "alloc")]
impl<'a, T: FromReply<'a> + Ord> FromReply<'a> for BTreeSet<T> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let mut set = BTreeSet::new();
        each(reply, "a set", |element| {
            set.insert(element);
        })?;
        Ok(set)
    }
}

/// Pairs; the last one counts where a key comes twice.
#[cfg(feature = "alloc")]
impl<'a, K: FromReply<'a> + Ord, V: FromReply<'a>> FromReply<'a> for BTreeMap<K, V> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let mut map = BTreeMap::new();
        each(reply, "a map", |(key, value)| {
            map.insert(key, value);
        })?;
        Ok(map)
    }
}

/// An aggregate; what comes twice is in it once.
#[cfg(feature = "std")]
impl<'a, T, S> FromReply<'a> for std::collections::HashSet<T, S>
where
    T: FromReply<'a> + Eq + core::hash::Hash,
    S: core::hash::BuildHasher + Default,
{
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let mut set = Self::default();
        each(reply, "a set", |element| {
            set.insert(element);
        })?;
        Ok(set)
    }
}

/// Pairs; the last one counts where a key comes twice.
#[cfg(feature = "std")]
impl<'a, K, V, S> FromReply<'a> for std::collections::HashMap<K, V, S>
where
    K: FromReply<'a> + Eq + core::hash::Hash,
    V: FromReply<'a>,
    S: core::hash::BuildHasher + Default,
{
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        let mut map = Self::default();
        each(reply, "a map", |(key, value)| {
            map.insert(key, value);
        })?;
        Ok(map)
    }
}
