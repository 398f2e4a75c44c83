//! Who runs commands: the executor traits, and the methods that every executor gets.

// All, since the docs of the methods link to other commands.
use super::*;
use crate::reply::FromReply;
use crate::resp::Encode;
use crate::time::Duration;

/// Runs commands whose reply type Redis fixes. Implemented for references to clients, and for those to every [`Queue`].
///
/// Executors are references (`&Client`, `&mut Pipeline`), so the methods take `self`. What they give differs: a client gives
/// a `Result`, a pipeline gives itself, so that calls chain.
///
/// ```
/// use redwire::command::{Command, Commands, Executor, ExecutorAs, Fixed, Open};
/// use redwire::reply::FromReply;
/// use redwire::resp::encode;
///
/// /// Gives the bytes of each command.
/// struct Wire;
///
/// impl Executor for &Wire {
///     type Output<R> = Vec<u8>;
///
///     fn run<C: Command<Reply = Fixed<R>>, R: for<'a> FromReply<'a>>(self, command: C) -> Vec<u8> {
///         encode(&command)
///     }
/// }
///
/// impl ExecutorAs<()> for &Wire {
///     fn run_as<C: Command<Reply = Open>>(self, command: C) -> Vec<u8> {
///         encode(&command)
///     }
/// }
///
/// assert_eq!(Wire.incr("hits"), encode(&["INCR", "hits"]));
/// assert_eq!(Wire.get("name"), encode(&["GET", "name"]));
/// ```
pub trait Executor: Sized {
    /// What running a command with a reply of type `R` gives.
    type Output<R>;

    /// Runs a command.
    fn run<C, R>(self, command: C) -> Self::Output<R>
    where
        C: Command<Reply = Fixed<R>>,
        R: for<'a> FromReply<'a>;
}

/// Runs commands for which the caller chooses the reply type `R`.
///
/// A client implements it for every type that can be read from a reply. A [`Queue`] has it for `()` alone: its
/// reply types are chosen all at once, when it is executed, so no call in a chain needs an annotation.
pub trait ExecutorAs<R>: Executor {
    /// Runs a command and reads its reply as an `R`.
    fn run_as<C>(self, command: C) -> Self::Output<R>
    where
        C: Command<Reply = Open>;
}

/// Takes commands one after the other, to be sent later, such as a pipeline. A reference to it (`&mut`) is an executor for
/// all commands, and gives itself, so that calls chain.
///
/// ```
/// use redwire::command::{Commands, Queue};
/// use redwire::resp::{Encode, Encoder, encode};
/// use redwire::storage::Buffer;
///
/// /// Commands one after the other.
/// struct Batch<'a>(Buffer<'a>);
///
/// impl Queue for Batch<'_> {
///     fn queue<C: Encode>(&mut self, command: C) {
///         Encoder::new(&mut self.0).command(&command).expect("the buffer grows");
///     }
/// }
///
/// let mut batch = Batch(Buffer::growing(1 << 20));
/// batch.incr("hits").expire("hits", 60).get("name");
/// let words: [&[&str]; 3] = [&["INCR", "hits"], &["EXPIRE", "hits", "60"], &["GET", "name"]];
/// assert_eq!(batch.0.filled(), words.map(encode).concat());
/// ```
pub trait Queue {
    /// Adds a command after those that are there. If that fails, whatever sends the commands later has to say so.
    fn queue<C: Encode>(&mut self, command: C);
}

impl<Q: Queue> Executor for &mut Q {
    type Output<R> = Self;

    fn run<C, R>(self, command: C) -> Self
    where
        C: Command<Reply = Fixed<R>>,
        R: for<'a> FromReply<'a>,
    {
        self.queue(command);
        self
    }
}

impl<Q: Queue> ExecutorAs<()> for &mut Q {
    fn run_as<C>(self, command: C) -> Self
    where
        C: Command<Reply = Open>,
    {
        self.queue(command);
        self
    }
}

/// The commands as methods, on everything that runs commands. A method takes what the function of the same name takes, and
/// runs the command that the function gives:
///
/// ```
/// use redwire::command::{Commands, ExecutorAs};
///
/// fn visit<E: ExecutorAs<String>>(count: E, name: E) -> (E::Output<i64>, E::Output<String>) {
///     (count.incr("visits"), name.get("name"))
/// }
/// ```
///
/// A command with options is here in its plain form; with options it is a value to execute, as
/// `client.execute(set("lock", token).ex(30).nx())`.
///
/// Commands that change the connection they run on (AUTH, SELECT, MULTI, WATCH, SUBSCRIBE, MONITOR, ...) are not among the
/// methods, since a client may be shared, or have many connections. [`command`](crate::command) has functions for them.
pub trait Commands: Executor {
    super::connection::connection_commands!(methods);
    super::strings::string_commands!(methods);
    super::keys::key_commands!(methods);
    super::hashes::hash_commands!(methods);
    super::lists::list_commands!(methods);
    super::pubsub::pubsub_commands!(methods);
    super::scripting::scripting_commands!(methods);
    super::server::server_commands!(methods);
}

impl<E: Executor> Commands for E {}
