//! The commands of a transaction, gathered before any is sent.

use redwire::command::Queue;
use redwire::connection::Misuse;
use redwire::resp::{Encode, Words, encode};

/// The commands of a transaction, to be sent with [`Connection::transaction`](crate::Connection::transaction). They are
/// methods of it ([`Commands`](redwire::command::Commands)), or values to [`add`](Self::add).
///
/// ```
/// use redwire_mio::{Transaction, redwire::command::*};
///
/// let mut transfer = Transaction::new();
/// transfer.decrby("alice", 5).incrby("bob", 5).add(set("last", "bob").ex(60));
/// assert_eq!(transfer.len(), 3);
/// ```
#[derive(Default)]
pub struct Transaction {
    commands: Vec<Vec<u8>>,
}

impl Transaction {
    /// One without commands: add them with the methods of [`Commands`](redwire::command::Commands), then hand it to
    /// [`Connection::transaction`](crate::Connection::transaction). It can be sent again.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a command with options, or one that no method knows.
    pub fn add<C: Encode>(&mut self, command: C) -> &mut Self {
        self.commands.push(encode(&command));
        self
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The bytes of all commands.
    pub(crate) fn length(&self) -> usize {
        self.commands.iter().map(Vec::len).sum()
    }

    /// Refuses commands that would end the transaction, so that those behind them would be executed apart.
    pub(crate) fn check(&self) -> Result<(), Misuse> {
        const ENDS: [&[u8]; 4] = [b"EXEC", b"DISCARD", b"RESET", b"QUIT"];
        let ends = |command: &Vec<u8>| {
            let name = Words::of(command).next().unwrap_or_default();
            ENDS.iter().any(|end| name.eq_ignore_ascii_case(end))
        };
        match self.commands.iter().any(|command| command.is_empty()) {
            true => Err(Misuse::Empty),
            false if self.commands.iter().any(ends) => Err(Misuse::InTransaction),
            false => Ok(()),
        }
    }

    pub(crate) fn commands(&self) -> impl Iterator<Item = Words<'_>> {
        self.commands.iter().map(|command| Words::of(command))
    }
}

/// Without the commands: they may hold secrets.
impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("commands", &self.commands.len()).finish()
    }
}

impl Queue for Transaction {
    fn queue<C: Encode>(&mut self, command: C) {
        self.add(command);
    }
}
