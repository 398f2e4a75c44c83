//! The replies of a pipeline as one Rust type.

use redwire::reply::FromReply;
use redwire::resp::{Elements, Frame};

use crate::pipeline::Answers;
use crate::{Error, ErrorKind, error};

/// What the replies of a pipeline can be read as: tuples of up to twelve types, one for each reply; `Vec` and arrays, with
/// one type for all; `()` for any number of which none is an error.
///
/// The types are those that can be read from a reply ([`FromReply`]). `Result<T, Error>` is one of them: with it the error
/// of a command is a value, and so is a reply that is no `T`: neither keeps anything else from being read.
#[diagnostic::on_unimplemented(
    message = "the replies of a pipeline cannot be read as `{Self}`",
    label = "say which types the replies have: `let (hits, _): (i64, bool) = pipeline.execute()?`",
    note = "a single reply is a tuple of one: `(i64,)`; `()` takes any number of replies and looks for errors"
)]
pub trait FromReplies: Sized {
    /// How many replies it takes; `None` for any number.
    const COUNT: Option<usize>;

    /// Reads them, in order.
    ///
    /// # Errors
    /// [`Error`]: the server's own, or that a reply is of another type.
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self, Error>;
}

/// The replies of a pipeline, to be read one after the other.
pub struct Replies<'r> {
    source: Source<'r>,
    position: usize,
    locate: &'r Locate<'r>,
}

/// Says in an error which command it was, given its position.
type Locate<'r> = dyn Fn(Error, usize) -> Error + 'r;

enum Source<'r> {
    None,
    Apart(&'r Answers),
    Together(Elements<'r>),
}

impl<'r> Replies<'r> {
    pub(crate) fn none() -> Self {
        Replies { source: Source::None, position: 0, locate: &|error, _| error }
    }

    pub(crate) fn apart(answers: &'r Answers, locate: &'r Locate<'r>) -> Self {
        Replies { source: Source::Apart(answers), position: 0, locate }
    }

    pub(crate) fn together(elements: Elements<'r>, locate: &'r Locate<'r>) -> Self {
        Replies { source: Source::Together(elements), position: 0, locate }
    }

    /// Reads the next reply; `None` behind the last.
    ///
    /// # Errors
    /// [`Error`]: the server's own, or that the reply is of another type. It names the command.
    pub fn read<R: for<'a> FromReply<'a>>(&mut self) -> Option<Result<R, Error>> {
        let frame: Frame<'_> = match &mut self.source {
            Source::None => return None,
            Source::Apart(answers) => answers.get(self.position)?,
            Source::Together(elements) => elements.next()?,
        };
        let position = self.position;
        self.position += 1;
        let locate = |error: Error| (self.locate)(error, position);
        if let Some(error) = frame.error() {
            let (result, error) = error::offer(locate(error.into()), || frame.decode::<R>());
            return Some(result.map_err(|again| error.unwrap_or_else(|| locate(again.into()))));
        }
        Some(frame.decode().or_else(|mismatch| {
            // A type that takes an error of this crate as a value takes this one too. One that takes only those of the
            // server is not told of an error that the server did not give.
            let stand_in = Frame::new_unchecked(b"-ERR\r\n");
            match error::offer(locate(mismatch.into()), || stand_in.decode::<R>()) {
                (Ok(value), None) => Ok(value),
                (_, Some(error)) => Err(error),
                (Err(_), None) => Err(locate(mismatch.into())),
            }
        }))
    }

    /// Reads the next reply, which there is.
    fn one<R: for<'a> FromReply<'a>>(&mut self) -> Result<R, Error> {
        self.read().unwrap_or_else(|| Err(Error::new(ErrorKind::OutOfStep)))
    }
}

impl FromReplies for () {
    const COUNT: Option<usize> = None;

    fn from_replies(replies: &mut Replies<'_>) -> Result<Self, Error> {
        while let Some(reply) = replies.read::<()>() {
            reply?;
        }
        Ok(())
    }
}

impl<T: for<'a> FromReply<'a>> FromReplies for Vec<T> {
    const COUNT: Option<usize> = None;

    fn from_replies(replies: &mut Replies<'_>) -> Result<Self, Error> {
        std::iter::from_fn(|| replies.read()).collect()
    }
}

impl<T: for<'a> FromReply<'a>, const N: usize> FromReplies for [T; N] {
    const COUNT: Option<usize> = Some(N);

    fn from_replies(replies: &mut Replies<'_>) -> Result<Self, Error> {
        let all = Vec::from_replies(replies)?;
        all.try_into().map_err(|_| Error::new(ErrorKind::OutOfStep))
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: for<'a> FromReply<'a>),+> FromReplies for ($($name,)+) {
            const COUNT: Option<usize> = Some([$(stringify!($name)),+].len());

            fn from_replies(replies: &mut Replies<'_>) -> Result<Self, Error> {
                Ok(($(replies.one::<$name>()?,)+))
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
