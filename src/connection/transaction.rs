//! A transaction that goes in whole or not at all.

use super::transmit::Mark;
use super::{Changes, Connection, Link, SendError, SendOptions, Silence, Ticket};
use crate::parts::FAST;
use crate::resp::{Encode, Parser, Scanner};
use crate::time::Instant;

/// A transaction that is being put together: MULTI and what was sent through this guard. Nothing of it is written before
/// [`execute`](Self::execute); dropped without that, the connection is as it was.
///
/// ```
/// # use redwire::connection::{Buffers, Config, Connection};
/// # use redwire::time::Instant;
/// # let now = Instant::from_micros(0);
/// # let config = Config::default().protocol(redwire::resp::Protocol::Resp2).no_library();
/// # let mut redis = Connection::new(config, Buffers::growing_to(1000, 150));
/// # redis.connected(now).unwrap();
/// # assert!(redis.poll_event().is_some());
/// use redwire::command::{incr, set};
///
/// let mut transaction = redis.transaction(now)?;
/// transaction.send(&incr("visits"))?;
/// transaction.send(&set("last", "now"))?;
/// let tickets = transaction.execute()?;
/// assert_eq!(tickets.len(), 2);
///
/// // A value that does not fit: neither MULTI nor INCR goes out.
/// let before = redis.queued_bytes();
/// let mut transaction = redis.transaction(now)?;
/// transaction.send(&incr("visits"))?;
/// assert!(transaction.send(&set("last", [b'x'; 100])).is_err());
/// drop(transaction);
/// assert_eq!(redis.queued_bytes(), before);
/// # Ok::<(), redwire::connection::SendError>(())
/// ```
#[derive(Debug)]
#[must_use = "a transaction that is not executed is not sent"]
pub struct Transaction<'c, 'a, P: Parser = Scanner<'a>> {
    connection: &'c mut Connection<'a, P>,
    now: Instant,
    before: Before,
    tickets: TransactionTickets,
    done: bool,
}

#[cfg(feature = "defmt")]
impl<P: Parser> defmt::Format for Transaction<'_, '_, P> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Transaction {{ commands: {=usize} }}", self.len());
    }
}

/// The tickets of a transaction that was sent: that of MULTI, those of its commands, and that of EXEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TransactionTickets {
    multi: Ticket,
    length: u32,
}

impl TransactionTickets {
    /// The ticket of MULTI.
    pub const fn multi(&self) -> Ticket {
        self.multi
    }

    /// The ticket of a command; the first is number 0. None beyond the last.
    pub fn command(&self, number: usize) -> Option<Ticket> {
        let number = u32::try_from(number).ok().filter(|&number| number < self.length)?;
        Some(self.after(number + 1))
    }

    /// The ticket of EXEC, whose reply has the results.
    pub fn exec(&self) -> Ticket {
        self.after(self.length + 1)
    }

    /// How many commands there are between MULTI and EXEC.
    pub const fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether there is no command between MULTI and EXEC.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn after(&self, count: u32) -> Ticket {
        Ticket { sequence: self.multi.sequence.wrapping_add(count), ..self.multi }
    }
}

/// What the connection was before MULTI.
#[derive(Debug, Clone, Copy)]
struct Before {
    mark: Mark,
    in_flight: usize,
    silence: Silence,
    one_shots: Changes,
}

impl<'a, P: Parser> Connection<'a, P> {
    /// Begins a transaction that goes in whole or not at all: MULTI, what is sent through the guard, and EXEC with
    /// [`execute`](Transaction::execute). No other command can come in between.
    ///
    /// # Errors
    /// As those of [`send`](Self::send) for MULTI; nothing has changed.
    pub fn transaction(&mut self, now: Instant) -> Result<Transaction<'_, 'a, P>, SendError> {
        if FAST && self.transmit.has_taken_back() {
            // Later it would move what the mark stands after.
            self.transmit.drop_taken_back(&mut self.in_flight);
        }
        let Link { silence, one_shots, .. } = self.link;
        let before =
            Before { mark: self.transmit.mark(), in_flight: self.in_flight.len(), silence, one_shots };
        let multi = self.send(now, &["MULTI"])?;
        let tickets = TransactionTickets { multi, length: 0 };
        Ok(Transaction { connection: self, now, before, tickets, done: false })
    }
}

impl<P: Parser> Transaction<'_, '_, P> {
    /// Adds a command, whole or not at all. Its reply is an element of EXEC's, in the order of adding.
    ///
    /// # Errors
    /// [`SendError`]; the command is not among those of the transaction.
    /// [`Misuse::InTransaction`](super::Misuse::InTransaction) for what ends a transaction, or cannot be part of one.
    pub fn send<C: Encode + ?Sized>(&mut self, command: &C) -> Result<(), SendError> {
        self.send_with(command, SendOptions::default())
    }

    /// Like [`send`](Self::send), with a timeout of its own.
    ///
    /// # Errors
    /// As those of [`send`](Self::send).
    pub fn send_with<C: Encode + ?Sized>(
        &mut self,
        command: &C,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.connection.send_with(self.now, command, options.queued())?;
        self.tickets.length += 1;
        Ok(())
    }

    /// How many commands were added.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether no command was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Adds EXEC, and gives all of it to be written. Poll transmit after it.
    ///
    /// # Errors
    /// [`SendError`] if there is no room for EXEC: then nothing of the transaction is sent.
    pub fn execute(mut self) -> Result<TransactionTickets, SendError> {
        self.connection.send(self.now, &["EXEC"])?;
        self.done = true;
        Ok(self.tickets)
    }
}

impl<P: Parser> Drop for Transaction<'_, '_, P> {
    fn drop(&mut self) {
        if !self.done {
            let Before { mark, in_flight, silence, one_shots } = self.before;
            let connection = &mut *self.connection;
            // Nobody has a ticket of these commands, and they have changed nothing yet.
            connection.transmit.back_to(mark);
            connection.in_flight.truncate(in_flight);
            connection.link.expected_is_stale = true;
            connection.link.silence = silence;
            connection.link.one_shots = one_shots;
        }
    }
}
