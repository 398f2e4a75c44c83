//! What every transport's client does, as a list of conversations: what a user does, what the server is asked and answers,
//! and what comes of it.
//!
//! A transport has an adapter in its tests, which implements [`Transport`], and runs the list with [`run`] against a server
//! in memory that plays, under both protocols and with the line cut at every byte. With [`run_real`] it runs those of them
//! that need no misbehaving server on a real one.

mod batches;
mod commands;
mod faults;
mod messages;
mod peer;
mod real;
mod run;
mod scripts;
mod transactions;
mod wanted;

use std::time::Duration;

use redwire::resp::Protocol;

pub use peer::{Line, Peer};
pub use real::run_real;
pub use run::run;
pub use wanted::{Failure, Outcome, shown};

/// All conversations.
pub fn list() -> Vec<&'static Conversation> {
    [commands::LIST, batches::LIST, transactions::LIST, scripts::LIST, messages::LIST, faults::LIST]
        .into_iter()
        .flatten()
        .collect()
}

/// What a client is configured with.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// What it speaks.
    pub protocol: Protocol,
    /// How long a reply may take. None: for ever.
    pub timeout: Option<Duration>,
    /// How often a transaction is tried.
    pub attempts: u32,
}

/// What not every transport has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// WATCH.
    Watch,
    /// Scripts that are brought along.
    Scripts,
    /// Subscriptions and their messages.
    Messages,
    /// Timeouts.
    Deadlines,
    /// It connects again by itself.
    Reconnects,
}

/// A client, as its user sees it. What comes of a call is text: [`wanted!`](crate::wanted) makes it.
pub trait Transport {
    /// Runs a command, which stands alone, and reads its reply as what is wanted.
    fn execute(&mut self, command: &'static str, want: Want) -> Outcome;

    /// Runs commands together, between MULTI and EXEC if `atomic`.
    fn batch(&mut self, commands: &[Entry], atomic: bool, want: Want) -> Outcome;

    /// Runs a transaction whose keys are watched, and starts over when they have changed. `interfere` is to be called
    /// after what is read and before EXEC.
    fn watch(&mut self, keys: &'static str, body: &Body, interfere: &mut dyn FnMut()) -> Outcome;

    /// Calls [`SOURCE`] with a key and an argument.
    fn script(&mut self, key: &'static str, argument: &'static str, want: Want) -> Outcome;

    /// Subscribes to channels.
    fn subscribe(&mut self, channels: &'static str) -> Outcome;

    /// Waits for the next message and shows it: `channel payload`; `gap`, with how much is subscribed to again.
    /// Confirmations are passed over.
    fn message(&mut self) -> Outcome;
}

/// The source of the script.
pub const SOURCE: &str = "return 1";

/// One command of a batch.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    /// Its words, with blanks between them.
    Words(&'static str),
    /// A call of [`SOURCE`], with a key and an argument.
    Script(&'static str, &'static str),
}

/// What a reply is read as, or each of a batch's replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Nothing of it matters.
    Nothing,
    /// A text, if there is one.
    Text,
    /// A number.
    Number,
    /// Whatever it is.
    Raw,
    /// Whatever it is, and it may be an error.
    Either,
    /// Of a batch: exactly two replies.
    Two,
}

/// What is done between WATCH and EXEC.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// What is read, as texts.
    pub reads: &'static [&'static str],
    /// What is queued.
    pub queue: &'static [Entry],
    /// How it ends.
    pub end: End,
}

/// How the closure of a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It executes what is queued.
    Execute(Want),
    /// It fails with [`Failure::given_up`].
    GiveUp,
}

/// What happens: something that a user does, or the server by itself.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// [`Transport::execute`].
    Execute(&'static str, Want),
    /// [`Transport::batch`].
    Batch(&'static [Entry], Want),
    /// The same, atomic.
    Atomic(&'static [Entry], Want),
    /// [`Transport::watch`]; in so many attempts somebody else changes the key in between, where the server is a real one.
    Watch(&'static str, Body, u32),
    /// [`Transport::script`].
    Script(&'static str, &'static str, Want),
    /// [`Transport::subscribe`].
    Subscribe(&'static str),
    /// [`Transport::message`].
    Message,
    /// The server says something over the connection that was opened last.
    Say(&'static str),
    /// The server closes all connections.
    Lose,
}

/// What a connection of the server expects next, and what it does then.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The words of the command.
    pub command: &'static str,
    /// What it answers, as in RESP3. In RESP2 nulls and pushes are what they are there.
    pub answer: &'static str,
    /// It closes the connection behind the answer.
    pub closes: bool,
}

/// An answer.
const fn on(command: &'static str, answer: &'static str) -> Step {
    Step { command, answer, closes: false }
}

/// An answer, or none, and then the end of the connection.
const fn end(command: &'static str, answer: &'static str) -> Step {
    Step { command, answer, closes: true }
}

/// One conversation.
#[derive(Debug, Clone, Copy)]
pub struct Conversation {
    /// What it shows.
    pub name: &'static str,
    /// What a transport needs for it.
    pub needs: &'static [Ability],
    /// How long a reply may take, in milliseconds.
    pub timeout: Option<u64>,
    /// What each of the server's connections expects, in the order in which they are opened. Exactly that has to be sent,
    /// and no other connection to be opened.
    pub play: &'static [&'static [Step]],
    /// What happens, and what the user gets from it: nothing from what the server does.
    pub acts: &'static [(Act, &'static str)],
    /// A real server does the same, if these commands were executed before.
    pub real: Option<&'static [&'static str]>,
}

impl Conversation {
    /// A conversation for every transport, which needs this server.
    const fn new(
        name: &'static str,
        play: &'static [&'static [Step]],
        acts: &'static [(Act, &'static str)],
    ) -> Self {
        Conversation { name, needs: &[], timeout: None, play, acts, real: None }
    }

    const fn needs(mut self, needs: &'static [Ability]) -> Self {
        self.needs = needs;
        self
    }

    const fn real(mut self, before: &'static [&'static str]) -> Self {
        self.real = Some(before);
        self
    }
}
