//! The replies of a batch as one Rust type, read as they come.

use crate::reply::{DecodeError, FromReply, Mismatch, MismatchReason};
use crate::resp::Frame;

/// What the replies of a batch can be read as: tuples of up to twelve types, one for each reply; `Vec`, `heapless::Vec` and
/// arrays, with one type for all; `()` for any number of which none is an error.
///
/// Each reply is read when it comes, and its bytes make room for the next one. So the types own what they hold: numbers,
/// `String`, `heapless` types, `Option` of such. `Result<T, ServerError>` takes an error as a value: the others are read all
/// the same.
///
/// ```
/// use redwire::client::{FromReplies, ServerError};
/// use redwire::resp::{Frame, Limits};
///
/// type Reply = (i64, Result<i64, ServerError>);
/// let mut partial = <Reply as FromReplies>::Partial::default();
/// for (position, reply) in [":1\r\n", "-ERR no\r\n"].into_iter().enumerate() {
///     let frame = Frame::read(reply.as_bytes(), Limits::default()).unwrap();
///     Reply::read(&mut partial, position, frame).unwrap();
/// }
/// let (count, error) = Reply::finish(partial).unwrap();
/// assert_eq!((count, error.unwrap_err().text()), (1, &b"ERR no"[..]));
/// ```
#[diagnostic::on_unimplemented(
    message = "the replies of a batch cannot be read as `{Self}`",
    label = "say which types the replies have: `let (hits, _): (i64, bool) = pipeline.execute()?`",
    note = "a single reply is a tuple of one: `(i64,)`; `()` takes any number of replies and looks for errors",
    note = "its types own what they hold: `String` or `heapless::String<16>` instead of `&str`"
)]
pub trait FromReplies: Sized {
    /// The fewest replies that it can be made of.
    const LEAST: usize;

    /// The most replies that it can be made of.
    const MOST: usize;

    /// What has come of it so far.
    type Partial: Default;

    /// Reads the reply at a position; the first is 0. A reply that is an error, or cannot be read, is followed by others.
    ///
    /// # Errors
    /// [`DecodeError`]: the server's own, or that the reply is of another type.
    fn read<'a>(
        partial: &mut Self::Partial,
        position: usize,
        reply: Frame<'a>,
    ) -> Result<(), DecodeError<'a>>;

    /// The whole, if all of it has come.
    fn finish(partial: Self::Partial) -> Option<Self>;
}

impl FromReplies for () {
    const LEAST: usize = 0;
    const MOST: usize = usize::MAX;
    type Partial = ();

    fn read<'a>((): &mut (), _: usize, reply: Frame<'a>) -> Result<(), DecodeError<'a>> {
        reply.decode()
    }

    fn finish((): ()) -> Option<Self> {
        Some(())
    }
}

#[cfg(feature = "alloc")]
impl<T: for<'a> FromReply<'a>> FromReplies for alloc::vec::Vec<T> {
    const LEAST: usize = 0;
    const MOST: usize = usize::MAX;
    type Partial = Self;

    fn read<'a>(partial: &mut Self, _: usize, reply: Frame<'a>) -> Result<(), DecodeError<'a>> {
        partial.push(reply.decode()?);
        Ok(())
    }

    fn finish(partial: Self) -> Option<Self> {
        Some(partial)
    }
}

impl<T: for<'a> FromReply<'a>, const N: usize> FromReplies for heapless::Vec<T, N> {
    const LEAST: usize = 0;
    const MOST: usize = N;
    type Partial = Self;

    fn read<'a>(partial: &mut Self, _: usize, reply: Frame<'a>) -> Result<(), DecodeError<'a>> {
        let value = reply.decode()?;
        partial.push(value).map_err(|_| {
            Mismatch::new("fewer replies", reply.kind(), MismatchReason::Capacity).value(N as i64).into()
        })
    }

    fn finish(partial: Self) -> Option<Self> {
        Some(partial)
    }
}

impl<T: for<'a> FromReply<'a>, const N: usize> FromReplies for [T; N] {
    const LEAST: usize = N;
    const MOST: usize = N;
    type Partial = heapless::Vec<T, N>;

    fn read<'a>(
        partial: &mut Self::Partial,
        position: usize,
        reply: Frame<'a>,
    ) -> Result<(), DecodeError<'a>> {
        <heapless::Vec<T, N>>::read(partial, position, reply)
    }

    fn finish(partial: Self::Partial) -> Option<Self> {
        partial.into_array().ok()
    }
}

macro_rules! tuples {
    ($($name:ident $index:tt)+) => {
        impl<$($name: for<'a> FromReply<'a>),+> FromReplies for ($($name,)+) {
            const LEAST: usize = [$($index),+].len();
            const MOST: usize = Self::LEAST;
            type Partial = ($(Option<$name>,)+);

            fn read<'a>(
                partial: &mut Self::Partial,
                position: usize,
                reply: Frame<'a>,
            ) -> Result<(), DecodeError<'a>> {
                match position {
                    $($index => partial.$index = Some(reply.decode()?),)+
                    _ => {}
                }
                Ok(())
            }

            fn finish(partial: Self::Partial) -> Option<Self> {
                Some(($(partial.$index?,)+))
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0 B 1);
tuples!(A 0 B 1 C 2);
tuples!(A 0 B 1 C 2 D 3);
tuples!(A 0 B 1 C 2 D 3 E 4);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);
