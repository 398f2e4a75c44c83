//! Who runs commands: the executor traits, and the methods that every executor gets.

use super::{Command, Fixed, Open, table::*};
use crate::reply::FromReply;

/// Runs commands whose reply type Redis fixes. Implemented for references to clients, pipelines and transactions.
///
/// Executors are references (`&Client`, `&mut Pipeline`), which is why the methods take `self`. What comes out differs:
/// a client gives a `Result`, a pipeline gives itself, so that calls chain.
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
/// A client implements it for every type that can be read from a reply. A pipeline implements it for `()` alone: its
/// reply types are chosen once for all, when it is executed, and so no call in a chain needs an annotation.
pub trait ExecutorAs<R>: Executor {
    /// Runs a command and reads its reply as an `R`.
    fn run_as<C>(self, command: C) -> Self::Output<R>
    where
        C: Command<Reply = Open>;
}

/// The commands as methods, on everything that runs commands.
///
/// ```ignore
/// let hits = client.incr("hits")?;
/// let name: Option<String> = client.get("name")?;
/// ```
pub trait Commands: Executor {
    super::strings::string_commands!(methods);
}

impl<E: Executor> Commands for E {}
