//! The replies of a pipeline as one Rust type.

use redwire::reply::FromReply;
use redwire::resp::{Elements, Frame};

use crate::pipeline::Answers;
use crate::{Error, ErrorKind};

/// What the replies of a pipeline can be read as: tuples of up to twelve types, one for each reply; `Vec` and arrays, with
/// one type for all; `()` for any number of which none is an error.
///
/// The types are those that can be read from a reply ([`FromReply`]). `Result<T, Error>` is one of them: with it the error
/// of a command is a value, and keeps nothing else from being read.
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
    /// The name of the command at a position, and of what it is one.
    name: Option<&'r dyn Fn(usize) -> (Box<str>, &'static str)>,
}

enum Source<'r> {
    None,
    Apart(&'r Answers),
    Together(Elements<'r>),
}

impl<'r> Replies<'r> {
    pub(crate) fn none() -> Self {
        Replies { source: Source::None, position: 0, name: None }
    }

    pub(crate) fn apart(answers: &'r Answers, name: &'r dyn Fn(usize) -> (Box<str>, &'static str)) -> Self {
        Replies { source: Source::Apart(answers), position: 0, name: Some(name) }
    }

    pub(crate) fn together(
        elements: Elements<'r>,
        name: &'r dyn Fn(usize) -> (Box<str>, &'static str),
    ) -> Self {
        Replies { source: Source::Together(elements), position: 0, name: Some(name) }
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
        Some(frame.decode().map_err(|error| {
            let error = Error::from(error);
            match self.name {
                Some(name) => {
                    let (name, of) = name(position);
                    error.at(position, name, of)
                }
                None => error,
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
