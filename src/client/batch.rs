//! Commands that are sent together, plain or between MULTI and EXEC, and their replies.

use super::commands::{Commands, Scripts, check_length};
use super::exchange::{Exchange, Step, may_have_room};
use super::{Error, ErrorKind, FromReplies, Whole};
use crate::command::{Arguments, exec, multi};
use crate::connection::{Connection, Event, FailureReason, Mode, SendError, SendOptions, Ticket};
use crate::parts::{DEADLINES, SESSION};
use crate::resp::{Encode, Frame, Parser};
use crate::script::Script;
use crate::time::{Instant, Patience};

/// As long as so many bytes wait to be written, no more commands are queued, so that a long batch is not copied as a whole.
const AHEAD: usize = 64 * 1024;

/// A batch under way: commands, and what their replies have brought so far. It is done when all replies have come, errors
/// among them: [`finish`](Self::finish) has the result.
///
/// The time of a command begins when it is queued, and is at least that of the commands before it: a reply cannot come
/// before theirs.
#[derive(Debug)]
pub struct Batch<'q, 'b, T: FromReplies> {
    /// None when they were queued in the connection before.
    commands: Option<&'q Commands<'b>>,
    /// How many there are, without MULTI and EXEC.
    length: usize,
    atomic: bool,
    tickets: Option<Tickets>,
    /// How many commands are queued in the connection.
    sent: usize,
    /// How many replies have come, with those to MULTI and EXEC.
    seen: usize,
    patience: Accumulated,
    partial: Option<T::Partial>,
    /// The first error. The others are read all the same.
    error: Option<Error>,
    /// Of what has failed without a reply: whether something may have been executed, and was handed out.
    executed: bool,
    written: bool,
}

/// The first and the last command that were sent; nothing else was in between.
#[derive(Debug, Clone, Copy)]
struct Tickets {
    first: Ticket,
    last: Ticket,
}

/// The deadline of a command is that of those before it, if theirs is later.
#[derive(Debug, Clone, Copy)]
struct Accumulated {
    /// None: it may take for ever.
    latest: Option<Instant>,
}

impl Accumulated {
    const NEW: Self = Accumulated { latest: Some(Instant::from_micros(0)) };

    /// The options to send the next command with.
    fn options<P: Parser>(
        &mut self,
        connection: &Connection<'_, P>,
        now: Instant,
        patience: Patience,
    ) -> SendOptions {
        let options = SendOptions::new().shared();
        if !DEADLINES {
            return options;
        }
        let own = connection.deadline_of(now, patience);
        self.latest = self.latest.and_then(|latest| own.map(|own| own.max(latest)));
        match self.latest {
            Some(latest) => options.timeout(latest.since(now)),
            None => options.no_timeout(),
        }
    }
}

impl<'q, 'b, T: FromReplies> Batch<'q, 'b, T> {
    pub(super) fn new(commands: &'q Commands<'b>, atomic: bool) -> Self {
        Self::begun(Some(commands), commands.len(), atomic, None)
    }

    fn begun(
        commands: Option<&'q Commands<'b>>,
        length: usize,
        atomic: bool,
        tickets: Option<Tickets>,
    ) -> Self {
        Batch {
            commands,
            length,
            atomic,
            tickets,
            sent: if commands.is_some() { 0 } else { length },
            seen: 0,
            patience: Accumulated::NEW,
            partial: Some(T::Partial::default()),
            error: None,
            executed: false,
            written: false,
        }
    }

    /// How many replies are due, with those to MULTI and EXEC.
    fn expected(&self) -> usize {
        if self.atomic { self.length.saturating_add(2) } else { self.length }
    }

    /// All replies as one value, or the first error among them, which names its command: the others were executed all the
    /// same.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when a watched key has changed, [`ErrorKind::Aborted`] when the server refused a command of
    /// a transaction, and nothing of it was executed then. [`ErrorKind::OutOfStep`] when not all replies have come.
    pub fn finish(mut self) -> Result<T, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.partial.take().and_then(T::finish).ok_or_else(|| Error::new(ErrorKind::OutOfStep))
    }

    /// The same without the commands, when all of them are queued, so that it may outlive them. Errors do not name their
    /// command any more, only its position. None if something is still to be queued.
    pub fn without_commands(self) -> Option<Batch<'static, 'static, T>> {
        self.is_queued().then_some(Batch {
            commands: None,
            length: self.length,
            atomic: self.atomic,
            tickets: self.tickets,
            sent: self.sent,
            seen: self.seen,
            patience: self.patience,
            partial: self.partial,
            error: self.error,
            executed: self.executed,
            written: self.written,
        })
    }

    /// The first and the last ticket, when something was queued: those of MULTI and EXEC in a transaction.
    pub fn tickets(&self) -> Option<(Ticket, Ticket)> {
        self.tickets.map(|Tickets { first, last }| (first, last))
    }

    fn is_queued(&self) -> bool {
        self.sent == self.length && (!self.atomic || self.tickets.is_some())
    }

    fn whole(&self) -> Whole {
        if self.atomic { Whole::Transaction } else { Whole::Pipeline }
    }

    /// Queues the commands of a plain batch, as far as there is room.
    fn send_plain<P: Parser>(
        &mut self,
        commands: &Commands<'_>,
        now: Instant,
        connection: &mut Connection<'_, P>,
    ) -> Result<(), Error> {
        while let Some(command) = commands.get(self.sent) {
            if self.sent > 0 && connection.queued_bytes() >= AHEAD {
                break;
            }
            let options = self.patience.options(connection, now, command.patience());
            match connection.send_with(now, &command, options) {
                Ok(ticket) => {
                    let first = self.tickets.map_or(ticket, |tickets| tickets.first);
                    self.tickets = Some(Tickets { first, last: ticket });
                    self.sent += 1;
                }
                Err(error) if may_have_room(error, connection) => break,
                Err(error) => return Err(self.at(self.sent, error.into())),
            }
        }
        Ok(())
    }

    /// Queues a transaction, whole or not at all.
    fn send_atomic<P: Parser>(
        &mut self,
        commands: &Commands<'_>,
        now: Instant,
        connection: &mut Connection<'_, P>,
    ) -> Result<(), Error> {
        let mut at = None;
        match put_together(commands, now, connection, &mut at) {
            Ok(tickets) => {
                self.tickets = Some(tickets);
                self.sent = self.length;
                Ok(())
            }
            Err(error) if may_have_room(error, connection) => Ok(()),
            Err(error) => Err(match at {
                Some(number) => self.at(number, error.into()),
                None => Error::<()>::from(error),
            }),
        }
    }

    /// Takes the reply that comes next.
    fn take(&mut self, frame: Frame<'_>) -> Result<(), Error> {
        let place = self.seen;
        self.seen += 1;
        if !self.atomic {
            self.read(place, frame);
        } else if self.seen == self.expected() {
            return self.take_exec(frame);
        } else if let Some(error) = frame.error() {
            let error = match place.checked_sub(1) {
                // What was to be queued is executed one by one then.
                None => Error::<()>::from(error).of(self.whole()).executed(true),
                Some(position) => self.at(position, Error::new(ErrorKind::Aborted(error.into()))),
            };
            self.error.get_or_insert(error);
        }
        Ok(())
    }

    fn take_exec(&mut self, frame: Frame<'_>) -> Result<(), Error> {
        if let Some(error) = frame.error() {
            // The reason stands with the command that was refused.
            let aborted = Error::new(ErrorKind::Aborted(error.into())).of(self.whole());
            self.error.get_or_insert(aborted);
        } else if frame.is_null() {
            self.error.get_or_insert(Error::new(ErrorKind::Conflict));
        } else if frame.elements().len() == self.length {
            for (position, reply) in frame.elements().enumerate() {
                self.read(position, reply);
            }
        } else {
            self.executed = true;
            return Err(Error::new(ErrorKind::OutOfStep));
        }
        Ok(())
    }

    fn read(&mut self, position: usize, frame: Frame<'_>) {
        let Some(partial) = &mut self.partial else { return };
        if let Err(error) = T::read(partial, position, frame)
            && self.error.is_none()
        {
            self.error = Some(self.at(position, error.into()));
        }
    }

    /// The error of one command.
    #[cold]
    fn at(&self, position: usize, error: Error) -> Error {
        let error = match self.commands.and_then(|commands| commands.get(position)) {
            Some(command) => error.about(&command),
            None => error,
        };
        error.at(position, self.whole())
    }

    fn is_mine(&self, ticket: Ticket) -> bool {
        self.tickets.is_some_and(|Tickets { first, last }| match (ticket.since(first), last.since(first)) {
            (Some(place), Some(length)) => place <= length,
            _ => false,
        })
    }
}

/// Queues MULTI, the commands and EXEC, or nothing; `at` is the command at which it failed.
fn put_together<P: Parser>(
    commands: &Commands<'_>,
    now: Instant,
    connection: &mut Connection<'_, P>,
    at: &mut Option<usize>,
) -> Result<Tickets, SendError> {
    let mut transaction = connection.transaction(now)?;
    for number in 0..commands.len() {
        *at = Some(number);
        let Some(command) = commands.get(number) else { break };
        // Between MULTI and EXEC nothing blocks.
        transaction.send_with(&Plain(&command), SendOptions::new().shared())?;
    }
    *at = None;
    let tickets = transaction.execute()?;
    Ok(Tickets { first: tickets.multi(), last: tickets.exec() })
}

/// A command that takes no longer than others.
struct Plain<'c>(&'c dyn Encode);

impl Encode for Plain<'_> {
    fn write_arguments(&self, out: &mut crate::resp::ArgumentWriter<'_, '_>) {
        self.0.write_arguments(out);
    }
}

impl<P: Parser, T: FromReplies> Exchange<P> for Batch<'_, '_, T> {
    fn send(&mut self, now: Instant, connection: &mut Connection<'_, P>) -> Result<Step, Error> {
        if let Some(commands) = self.commands
            && !self.is_queued()
        {
            if self.atomic {
                self.send_atomic(commands, now, connection)?;
            } else {
                self.send_plain(commands, now, connection)?;
            }
        }
        Ok(if self.expected() == 0 { Step::Done } else { Step::Wait })
    }

    fn is_sent(&self) -> bool {
        self.is_queued()
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<Step, Error> {
        match *event {
            Event::Reply { ticket, frame } if self.is_mine(ticket) => self.take(frame)?,
            Event::Queued { ticket } if self.is_mine(ticket) => self.seen += 1,
            Event::Skipped { ticket: Some(ticket), length } if self.is_mine(ticket) => {
                let error = Error::new(ErrorKind::TooLarge(length)).executed(true);
                let error = if self.atomic { error.of(self.whole()) } else { self.at(self.seen, error) };
                self.error.get_or_insert(error);
                self.seen += 1;
            }
            Event::Failed { ticket, failure } if self.is_mine(ticket) => {
                self.written |= failure.maybe_executed;
                // It is EXEC that executes a transaction.
                let is_last = self.tickets.is_some_and(|tickets| tickets.last == ticket);
                self.executed |= failure.maybe_executed && (is_last || !self.atomic);
                if DEADLINES && failure.reason == FailureReason::TimedOut {
                    return Err(Error::new(ErrorKind::TimedOut));
                }
            }
            _ => return Ok(Step::NotMine),
        }
        Ok(if self.seen >= self.expected() { Step::Done } else { Step::Wait })
    }

    fn give_up(&mut self, connection: &mut Connection<'_, P>) {
        // Of a connection that is over all has been told.
        let Some(Tickets { first, last }) =
            self.tickets.filter(|tickets| self.seen < self.expected() && connection.has(tickets.last))
        else {
            return;
        };
        self.written |= connection.was_handed_out(first);
        let exec_written = connection.was_handed_out(last);
        let whole = connection.discard_range(first, last);
        // A transaction of which something was handed out goes out as a whole.
        self.executed |= if self.atomic { exec_written || self.written || !whole } else { self.written };
    }

    fn blame(&self, error: Error) -> Error {
        let answered = self.seen > 0;
        let executed = self.executed || (answered && !self.atomic);
        let error = error.executed(executed).unsent(!self.written && !answered);
        if error.position().is_some() {
            error
        } else if self.atomic {
            // Without EXEC no command of a transaction is executed, whichever it was that had no reply.
            error.of(Whole::Transaction)
        } else {
            self.at(self.seen, error)
        }
    }
}

/// Commands that are queued in the connection itself, where they take no other memory. Nothing of them must be written
/// before [`batch`](Self::batch) has closed the list.
#[derive(Debug)]
pub struct Queued {
    tickets: Option<Tickets>,
    length: usize,
    patience: Accumulated,
    scripts: Scripts,
    /// The first error of one that could not be queued.
    error: Option<Error>,
    atomic: bool,
}

impl Default for Queued {
    fn default() -> Self {
        Queued {
            tickets: None,
            length: 0,
            patience: Accumulated::NEW,
            scripts: Scripts::new(),
            error: None,
            atomic: false,
        }
    }
}

impl Queued {
    /// How many commands there are.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there is nothing to be executed.
    pub const fn is_empty(&self) -> bool {
        self.tickets.is_none()
    }

    /// Whether nothing was added, not even something that could not be queued.
    pub const fn is_untouched(&self) -> bool {
        self.tickets.is_none() && self.error.is_none()
    }

    /// Keeps all of it from being sent, with this error.
    pub fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// Begins a transaction, unless it has begun.
    pub fn begin<P: Parser>(&mut self, now: Instant, connection: &mut Connection<'_, P>) {
        if !self.atomic && self.error.is_none() {
            self.atomic = true;
            match connection.send(now, &multi()) {
                Ok(ticket) => self.tickets = Some(Tickets { first: ticket, last: ticket }),
                Err(error) => self.fail(error.into()),
            }
        }
    }

    /// Adds a command.
    pub fn add<P: Parser>(&mut self, now: Instant, connection: &mut Connection<'_, P>, command: &dyn Encode) {
        if self.error.is_some() {
            return;
        }
        let options = self.patience.options(connection, now, command.patience());
        match connection.send_with(now, command, options) {
            Ok(ticket) => {
                let first = self.tickets.map_or(ticket, |tickets| tickets.first);
                self.tickets = Some(Tickets { first, last: ticket });
                self.length += 1;
            }
            Err(error) => {
                let whole = if self.atomic { Whole::Transaction } else { Whole::Pipeline };
                self.fail(Error::<()>::from(error).about(command).at(self.length, whole));
            }
        }
    }

    /// Adds a call of a script, as [`Commands::script`] does.
    pub fn script<P: Parser, K: Arguments, A: Arguments>(
        &mut self,
        now: Instant,
        connection: &mut Connection<'_, P>,
        script: &Script<'_>,
        keys: K,
        arguments: A,
    ) {
        let mut scripts = core::mem::take(&mut self.scripts);
        scripts.call(script, keys, arguments, |command| self.add(now, connection, command));
        self.scripts = scripts;
    }

    /// The commands as an exchange, EXEC the last in a transaction.
    ///
    /// # Errors
    /// It cannot be executed, or its replies not be read; nothing of it is sent.
    pub fn batch<P: Parser, T: FromReplies>(
        &mut self,
        now: Instant,
        connection: &mut Connection<'_, P>,
    ) -> Result<Batch<'static, 'static, T>, Error> {
        if let Err(error) = check_length::<T>(self.length) {
            self.fail(error);
        }
        if SESSION && self.atomic && self.error.is_none() {
            match (connection.send(now, &exec()), &mut self.tickets) {
                (Ok(ticket), Some(tickets)) => tickets.last = ticket,
                (Err(error), _) => self.fail(error.into()),
                _ => {}
            }
        }
        if let Some(error) = self.error.take() {
            self.give_up(connection);
            return Err(error);
        }
        let Queued { tickets, length, atomic, .. } = core::mem::take(self);
        Ok(Batch::begun(None, length, atomic && tickets.is_some(), tickets))
    }

    /// Takes back all commands.
    pub fn give_up<P: Parser>(&mut self, connection: &mut Connection<'_, P>) {
        if let Some(Tickets { first, .. }) = self.tickets {
            connection.discard_from(first);
            if SESSION && connection.mode() == Mode::Transaction {
                // Some of it was written.
                connection.close();
            }
        }
        *self = Queued::default();
    }
}
