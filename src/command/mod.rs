//! Commands as values: what to send, and the type of what comes back.
//!
//! Each command is declared once, in the table of its group (`strings.rs`, `hashes.rs`, ...). From a line of the table come
//! a function that makes the command value ([`get`]) and a method on everything that runs commands ([`Commands::get`]).
//! Nothing is generated for a command that nobody calls.
//!
//! A name is the one in Redis, in lower case. Words are joined with an underscore (`client_list`), and a keyword of Rust
//! has one after it (`type_`, `move_`). A command with options gives a builder:
//!
//! ```
//! use redwire::command::set;
//! use redwire::resp::encode;
//!
//! let command = set("lock", "token").ex(30).nx();
//! assert_eq!(encode(&command), encode(&["SET", "lock", "token", "EX", "30", "NX"]));
//! ```
//!
//! Options go over the wire in the order of the calls. Nothing here checks that they fit each other: the server answers a
//! contradiction with a syntax error.
//!
//! The type of a reply follows from what Redis says about it:
//!
//! | Redis | the reply is |
//! |---|---|
//! | a count, a length, a time, an identifier: never negative | `u64` |
//! | an integer that may be negative | `i64` |
//! | 0 or 1; OK or null | `bool` |
//! | a floating point number | `f64` |
//! | OK | `()` |
//! | a value, an element, anything that may be null, a list, a map | what the caller asks for |
//!
//! Times to live are integers in the unit that the name or the option says: seconds or milliseconds. How long a command
//! may block is a [`Duration`](crate::time::Duration), and zero is for ever.
//!
//! What is not in a table goes through [`cmd`]: `cmd("MODULE.PUT").arg("key").arg(5)`.

// First, since only the modules after it know its macros.
#[macro_use]
mod table;

mod argument;
mod connection;
mod execute;
mod hashes;
mod keys;
mod lists;
mod pubsub;
mod scripting;
mod server;
mod strings;
mod transactions;

pub use argument::{Argument, Arguments, Lent};
pub use connection::*;
pub use execute::{Commands, Executor, ExecutorAs, Queue};
pub use hashes::*;
pub use keys::*;
pub use lists::*;
pub use pubsub::*;
pub use scripting::*;
pub use server::*;
pub use strings::*;
pub use transactions::*;

pub use crate::time::Patience;

use core::marker::PhantomData;

use crate::resp::{ArgumentWriter, Encode};

/// Something that can be written ([`Encode`]) and whose reply is known.
///
/// Implement both for a command with a shape of its own; most are a [`Cmd`].
///
/// ```
/// use redwire::command::{Command, Fixed};
/// use redwire::resp::{ArgumentWriter, Encode, encode};
///
/// /// `EXPIRE`, with the key as a number.
/// struct ExpireSession(u64);
///
/// impl Command for ExpireSession {
///     type Reply = Fixed<bool>;
/// }
///
/// impl Encode for ExpireSession {
///     fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
///         out.bytes(b"EXPIRE");
///         out.unsigned(self.0);
///         out.bytes(b"60");
///     }
/// }
/// assert_eq!(encode(&ExpireSession(7)), encode(&["EXPIRE", "7", "60"]));
/// ```
pub trait Command: Encode {
    /// What comes back: [`Fixed`] where Redis says, [`Open`] where the caller does.
    type Reply;
}

impl<C: Command + ?Sized> Command for &C {
    type Reply = C::Reply;
}

/// The words of a command, as one types them in redis-cli.
impl<T: Argument, const N: usize> Encode for [T; N] {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.as_slice().write_arguments(out);
    }
}

/// The words of a command, as one types them in redis-cli.
impl<T: Argument> Encode for [T] {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.iter().for_each(|word| word.write_argument(out));
    }
}

impl<T: Argument, const N: usize> Command for [T; N] {
    type Reply = Open;
}

impl<T: Argument> Command for [T] {
    type Reply = Open;
}

/// The reply of a command for which Redis fixes the type: it is a `T`.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fixed<T>(PhantomData<fn() -> T>);

/// The reply of a command for which the caller chooses the type, such as GET.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Open(());

/// Says which types a command's reply can be read as: one for [`Fixed`], any for [`Open`].
#[diagnostic::on_unimplemented(
    message = "the reply of this command cannot be read as `{R}`: it is `{Self}`",
    label = "Redis fixes the type of this reply: ask for the one in `Fixed<..>`",
    note = "a command made with `cmd(\"NAME\")` gives its reply as any type"
)]
pub trait Gives<R> {}

impl<T> Gives<T> for Fixed<T> {}
impl<R> Gives<R> for Open {}

/// A command: its arguments, the name first, and the type of its reply.
///
/// ```
/// use redwire::command::cmd;
/// use redwire::resp::encode;
///
/// let command = cmd("MODULE.PUT").arg("key").arg(5);
/// assert_eq!(encode(&command), encode(&["MODULE.PUT", "key", "5"]));
/// ```
#[derive(Clone, Copy)]
#[must_use = "a command does nothing until it is executed"]
pub struct Cmd<A, R> {
    arguments: A,
    patience: Patience,
    reply: PhantomData<fn() -> R>,
}

/// Begins a command that no table knows; its arguments follow with [`arg`](Cmd::arg).
///
/// The reply can be read as any type.
pub fn cmd<N: Argument>(name: N) -> Cmd<(N,), Open> {
    Cmd::new((name,))
}

impl<A: Arguments, R> Cmd<A, R> {
    /// A command with these arguments, the name first.
    pub const fn new(arguments: A) -> Self {
        Cmd { arguments, patience: Patience::Usual, reply: PhantomData }
    }

    /// Adds an argument, or several: `.arg("a")`, `.arg(5)`, `.arg(["a", "b"])`.
    pub fn arg<B: Arguments>(self, argument: B) -> Cmd<(A, B), R> {
        self.option(argument)
    }

    /// Adds an argument that may change how the reply is read.
    fn option<B: Arguments, Other>(self, argument: B) -> Cmd<(A, B), Other> {
        Cmd { arguments: (self.arguments, argument), patience: self.patience, reply: PhantomData }
    }

    /// Says how long the server may take for the reply.
    pub fn patient(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
}

impl<A: Arguments, R> Command for Cmd<A, R> {
    type Reply = R;
}

impl<A: Arguments, R> Encode for Cmd<A, R> {
    #[inline]
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.arguments.write_arguments(out);
    }

    fn patience(&self) -> Patience {
        self.patience
    }
}

/// Shows the type alone: arguments may be secrets.
impl<A, R> core::fmt::Debug for Cmd<A, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cmd")
    }
}

#[cfg(feature = "defmt")]
impl<A, R> defmt::Format for Cmd<A, R> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Cmd");
    }
}
