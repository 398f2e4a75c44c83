//! The conformance list: conversations of a user with a server, with their outcome, that every transport has to hold.
//!
//! A [`Conversation`] says what the server answers, what the user does, and what comes of that: results, errors, whether
//! something may have been executed, and the commands on the wire. A transport's test implements [`Transport`], and
//! [`hold`] runs the whole list, under RESP2 and RESP3, with the stream cut into pieces of every length.

mod list;
mod peer;

use redwire::client::{Error, ErrorKind};
use redwire::reply::{DecodeError, FromReply, Reply};
use redwire::resp::{Frame, Protocol};

pub use list::LIST;
pub use peer::Peer;

/// A conversation, and what has to come of it.
#[derive(Debug, Clone, Copy)]
pub struct Conversation {
    /// What it is about.
    pub name: &'static str,
    /// What the server does, connection after connection.
    pub play: &'static [&'static [(&'static str, Answer)]],
    /// What the user does, and what comes of it.
    pub acts: &'static [(Act, &'static str)],
    /// What has to be possible.
    pub needs: &'static [Ability],
}

/// What a server does when a command has come.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// It says this. A push begins with `>`, and is an array under RESP2.
    Says(&'static str),
    /// It says this, and closes the stream.
    SaysAndCloses(&'static str),
}

/// What a user does.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// One command.
    Call(&'static str),
    /// Commands together, plain. The outcome is that of each, or an error.
    Batch(&'static [&'static str]),
    /// The same, with results for so many.
    BatchOf(&'static [&'static str], usize),
    /// Commands between MULTI and EXEC.
    Atomic(&'static [&'static str]),
    /// Keys are watched, a command reads, and commands are queued.
    Transaction {
        /// The key that is watched.
        keys: &'static str,
        /// The command that reads.
        reads: &'static str,
        /// Those that are queued.
        queues: &'static [&'static str],
    },
    /// The same, but the closure gives up after it has read.
    GivesUp {
        /// The key that is watched.
        keys: &'static str,
        /// The command that reads.
        reads: &'static str,
    },
    /// A script with a key and an argument.
    Script(&'static str),
    /// A script twice with one key each, between MULTI and EXEC.
    ScriptTwice(&'static str),
    /// Subscribes to a channel, and waits for the confirmation: `subscribed`.
    Subscribe(&'static str),
    /// The next message.
    Message,
}

/// What not every transport can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Commands have a deadline, of [`COMMAND_TIMEOUT_MILLIS`].
    Deadlines,
    /// A connection that has ended is noticed before anything is written.
    Notices,
    /// There is one connection, which the next command uses whatever is still to come on it.
    OneConnection,
}

/// How long commands may take, in milliseconds.
pub const COMMAND_TIMEOUT_MILLIS: u64 = 40;

/// How often a transaction starts over at most.
pub const ATTEMPTS: u32 = 3;

/// A transport under test.
pub trait Transport {
    /// What it cannot do.
    const LACKS: &'static [Ability];

    /// A client of the peer, that speaks this protocol, and tries transactions [`ATTEMPTS`] times. With `deadlines` commands
    /// may take [`COMMAND_TIMEOUT_MILLIS`], without for ever.
    fn new(peer: Peer, protocol: Protocol, deadlines: bool) -> Self;

    /// Does what the user does, and gives the outcome as [`shown`] and [`failed`] write it.
    fn act(&mut self, act: Act) -> String;
}

/// Runs the list; `pieces` are the lengths into which the stream is cut. Gives the number of conversations.
///
/// # Panics
/// One of them comes out otherwise.
pub fn hold<T: Transport>(name: &str, pieces: impl IntoIterator<Item = usize> + Clone) -> usize {
    let mut held = 0;
    for conversation in LIST {
        if conversation.needs.iter().any(|ability| T::LACKS.contains(ability)) {
            println!("{name}: {} needs {:?}", conversation.name, conversation.needs);
            continue;
        }
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            for piece in pieces.clone() {
                run::<T>(name, conversation, protocol, piece);
            }
        }
        held += 1;
    }
    println!("{name}: {held} of {} conversations", LIST.len());
    held
}

fn run<T: Transport>(name: &str, conversation: &Conversation, protocol: Protocol, piece: usize) {
    let peer = Peer::new(conversation.play, piece);
    let deadlines = conversation.needs.contains(&Ability::Deadlines);
    let mut transport = T::new(peer.clone(), protocol, deadlines);
    let context = || format!("{name}: {} over {protocol:?} in pieces of {piece}", conversation.name);
    for (act, outcome) in conversation.acts {
        let what = transport.act(*act);
        peer.assert_sane(&context);
        assert_eq!(what, *outcome, "{}: {act:?}", context());
    }
    drop(transport);
    peer.assert_over(&context);
}

/// A reply as the list writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(pub String);

impl<'a> FromReply<'a> for Shown {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        if let Some(error) = reply.error() {
            return Err(DecodeError::Server(error));
        }
        Frame::from_reply(reply).map(|frame| Shown(show(frame)))
    }
}

fn show(frame: Frame<'_>) -> String {
    match frame.text() {
        _ if frame.is_null() => "null".into(),
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => match frame.decode::<i64>() {
            Ok(number) => number.to_string(),
            Err(_) => format!("{:?}", frame.elements().map(show).collect::<Vec<_>>()),
        },
    }
}

/// What a command has given, or several.
pub fn shown<'s>(replies: impl IntoIterator<Item = &'s Shown>) -> String {
    replies.into_iter().map(|reply| reply.0.as_str()).collect::<Vec<_>>().join(", ")
}

/// How something has failed: what happened, to which command, and whether it may have been executed.
pub fn failed<T>(error: &Error<T>) -> String {
    let kind = match error.kind() {
        ErrorKind::Server(error) => format!("server: {error}"),
        ErrorKind::Aborted(error) => format!("aborted: {error}"),
        ErrorKind::Mismatch(_) => "mismatch".into(),
        ErrorKind::Protocol(error) => format!("protocol: {:?}", error.kind),
        ErrorKind::Misuse(misuse) => format!("misuse {misuse:?}"),
        ErrorKind::Length { commands, replies } => format!("{commands} commands, {replies} replies"),
        kind => format!("{kind:?}").to_ascii_lowercase(),
    };
    let at = error.position().map_or(String::new(), |position| format!(" at {position}"));
    let maybe = if error.maybe_executed() { ", maybe executed" } else { "" };
    format!("{kind}{at}{maybe}")
}
