//! The replies of a pipeline as one Rust type.

use redwire::reply::{DecodeError, FromReply};
use redwire::resp::Frame;

/// What the replies of a pipeline can be read as: tuples of up to eight types, one for each reply; `heapless::Vec` and
/// arrays, with one type for all; `()` for any number of which none is an error.
///
/// Each reply is read when it comes, and its bytes make room for the next one. So the types own what they hold: numbers,
/// `heapless` types, `Option` and `Result` of such, with [`ServerError`](crate::ServerError) as the error.
#[diagnostic::on_unimplemented(
    message = "the replies of a pipeline cannot be read as `{Self}`",
    label = "say which types the replies have: `let (hits, _): (i64, bool) = pipeline.execute()?`",
    note = "a single reply is a tuple of one: `(i64,)`; `()` takes any number of replies and looks for errors",
    note = "its types own what they hold: `heapless::String<16>` instead of `&str`"
)]
pub trait FromReplies: Sized {
    /// The fewest replies that it can be made of.
    const LEAST: u16;

    /// The most replies that it can be made of.
    const MOST: u16;

    /// What has come of it so far.
    type Partial: Default;

    /// Reads the reply at a position; the first is 0. A reply that is an error, or cannot be read, is followed by others.
    ///
    /// # Errors
    /// [`DecodeError`]: the server's own, or that the reply is of another type.
    fn read<'a>(partial: &mut Self::Partial, position: u16, reply: Frame<'a>) -> Result<(), DecodeError<'a>>;

    /// The whole, if all of it has come.
    fn finish(partial: Self::Partial) -> Option<Self>;
}

impl FromReplies for () {
    const LEAST: u16 = 0;
    const MOST: u16 = u16::MAX;
    type Partial = ();

    fn read<'a>((): &mut (), _: u16, reply: Frame<'a>) -> Result<(), DecodeError<'a>> {
        reply.decode()
    }

    fn finish((): ()) -> Option<Self> {
        Some(())
    }
}

impl<T: for<'a> FromReply<'a>, const N: usize> FromReplies for heapless::Vec<T, N> {
    const LEAST: u16 = 0;
    const MOST: u16 = clamp(N);
    type Partial = heapless::Vec<T, N>;

    fn read<'a>(partial: &mut Self::Partial, _: u16, reply: Frame<'a>) -> Result<(), DecodeError<'a>> {
        use redwire::reply::{Mismatch, MismatchReason};
        let value = reply.decode()?;
        partial.push(value).map_err(|_| {
            Mismatch::new("fewer replies", reply.kind(), MismatchReason::Capacity).value(N as i64).into()
        })
    }

    fn finish(partial: Self::Partial) -> Option<Self> {
        Some(partial)
    }
}

impl<T: for<'a> FromReply<'a>, const N: usize> FromReplies for [T; N] {
    const LEAST: u16 = clamp(N);
    const MOST: u16 = clamp(N);
    type Partial = heapless::Vec<T, N>;

    fn read<'a>(partial: &mut Self::Partial, position: u16, reply: Frame<'a>) -> Result<(), DecodeError<'a>> {
        <heapless::Vec<T, N>>::read(partial, position, reply)
    }

    fn finish(partial: Self::Partial) -> Option<Self> {
        partial.into_array().ok()
    }
}

/// No pipeline has more commands than that.
const fn clamp(count: usize) -> u16 {
    if count > u16::MAX as usize { u16::MAX } else { count as u16 }
}

macro_rules! tuples {
    ($($name:ident $index:tt)+) => {
        impl<$($name: for<'a> FromReply<'a>),+> FromReplies for ($($name,)+) {
            const LEAST: u16 = [$($index),+].len() as u16;
            const MOST: u16 = Self::LEAST;
            type Partial = ($(Option<$name>,)+);

            fn read<'a>(
                partial: &mut Self::Partial,
                position: u16,
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
