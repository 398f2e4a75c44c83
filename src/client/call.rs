//! One command and what answers it.

use super::exchange::{Exchange, Step, wait_for_room};
use super::{Error, ErrorKind, Session};
use crate::connection::{Connection, Event, FailureReason, SendOptions, Ticket};
use crate::parts::{DEADLINES, PIECES, SESSION, SUBSCRIPTIONS};
use crate::reply::FromReply;
use crate::resp::{ArgumentWriter, Encode, Parser};
use crate::time::Instant;

/// One command. It is done when its reply is the connection's last event
/// ([`Session::reply`](super::Session::reply)), the first piece of it, or the last confirmation of a subscription.
///
/// Where there is no room for the command because replies are due that nobody waits for, it waits for these, no longer than
/// it may wait for its own.
///
/// With the type of its command left out it is the same code for all commands; with it a future that holds it can move
/// between threads where the command can.
pub struct Call<'c, E: ?Sized = dyn Encode + 'c> {
    /// None when it was sent by somebody else.
    command: Option<Command<'c, E>>,
    progress: Progress,
}

/// How far a command has come, without the command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    options: SendOptions,
    ticket: Option<Ticket>,
    /// When it has waited for room too long.
    deadline: Option<Instant>,
    ended: bool,
    maybe_executed: bool,
}

struct Command<'c, E: ?Sized>(&'c E);

impl<E: ?Sized> core::fmt::Debug for Call<'_, E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The arguments of the command may be secret.
        f.debug_struct("Call").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// The command of a [`Call`] that was [sent](Call::sent) by somebody else: there is none.
#[derive(Debug, Clone, Copy)]
pub enum Sent {}

impl Encode for Sent {
    fn write_arguments(&self, _: &mut ArgumentWriter<'_, '_>) {
        match *self {}
    }
}

impl Call<'static, Sent> {
    /// A command that was sent already.
    pub const fn sent(ticket: Ticket) -> Self {
        Call { command: None, progress: Progress::new(SendOptions::new(), Some(ticket)) }
    }
}

impl<'c, E: Encode + ?Sized> Call<'c, E> {
    /// A command on a connection that others use too: see [`SendOptions::shared`].
    pub const fn new(command: &'c E) -> Self {
        Self::with_options(command, SendOptions::shared(SendOptions::new()))
    }

    /// A command with options of the caller's: one that changes the connection is possible.
    pub const fn with_options(command: &'c E, options: SendOptions) -> Self {
        Call { command: Some(Command(command)), progress: Progress::new(options, None) }
    }

    /// The ticket of the command, when it was sent.
    pub const fn ticket(&self) -> Option<Ticket> {
        self.progress.ticket
    }

    /// Reads the reply when it is there.
    ///
    /// # Errors
    /// As [`Session::reply`](super::Session::reply); it names the command.
    pub fn read<'s, P: Parser, R: FromReply<'s>>(&self, session: &'s Session<'_, P>) -> Result<R, Error> {
        session.reply().map_err(|error| match &self.command {
            Some(Command(command)) => error.about(command),
            None => error,
        })
    }
}

impl Progress {
    /// One with this ticket, if it was sent already.
    pub(super) const fn new(options: SendOptions, ticket: Option<Ticket>) -> Self {
        Progress { options, ticket, deadline: None, ended: false, maybe_executed: false }
    }

    /// Not sent yet, to be sent with the same options.
    pub(super) const fn again(&self) -> Self {
        Progress::new(self.options, None)
    }

    pub(super) const fn ticket(&self) -> Option<Ticket> {
        self.ticket
    }

    pub(super) fn send<P: Parser>(
        &mut self,
        now: Instant,
        connection: &mut Connection<'_, P>,
        command: &dyn Encode,
    ) -> Result<Step, Error> {
        if self.ticket.is_some() {
            return Ok(Step::Wait);
        }
        match connection.send_with(now, command, self.options) {
            Ok(ticket) => {
                self.ticket = Some(ticket);
                Ok(Step::Wait)
            }
            Err(error) => wait_for_room(error, connection, now, command, &mut self.deadline),
        }
    }

    pub(super) fn on_event(&mut self, event: &Event<'_>) -> Result<Step, Error> {
        let done = match *event {
            Event::Reply { ticket, .. } => self.is_mine(ticket),
            Event::Queued { ticket } if SESSION => self.is_mine(ticket),
            Event::Chunk { ticket, .. } | Event::ChunksEnd { ticket, .. } if PIECES => self.is_mine(ticket),
            Event::Subscription(confirmed) if SUBSCRIPTIONS => {
                confirmed.last && confirmed.ticket.is_some_and(|ticket| self.is_mine(ticket))
            }
            Event::Skipped { ticket: Some(ticket), length } if self.is_mine(ticket) => {
                (self.ended, self.maybe_executed) = (true, true);
                return Err(Error::new(ErrorKind::TooLarge(length)));
            }
            Event::Failed { ticket, failure } if self.is_mine(ticket) => {
                (self.ended, self.maybe_executed) = (true, failure.maybe_executed);
                if DEADLINES && failure.reason == FailureReason::TimedOut {
                    return Err(Error::new(ErrorKind::TimedOut));
                }
                // The end of the connection follows, and says why.
                return Ok(Step::Wait);
            }
            _ => false,
        };
        self.ended |= done;
        Ok(if done { Step::Done } else { Step::NotMine })
    }

    pub(super) fn give_up<P: Parser>(&mut self, connection: &mut Connection<'_, P>) {
        if let Some(ticket) = self.ticket.filter(|_| !self.ended) {
            self.maybe_executed |= connection.was_handed_out(ticket);
            connection.discard(ticket);
        }
    }

    pub(super) fn blame(&self, error: Error) -> Error {
        error.executed(self.maybe_executed).unsent(!self.maybe_executed)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.ticket.is_none() { self.deadline } else { None }
    }

    fn is_mine(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }
}

impl<P: Parser, E: Encode + ?Sized> Exchange<P> for Call<'_, E> {
    fn send(&mut self, now: Instant, connection: &mut Connection<'_, P>) -> Result<Step, Error> {
        match &self.command {
            Some(Command(command)) => self.progress.send(now, connection, command),
            None => Ok(Step::Wait),
        }
    }

    fn is_sent(&self) -> bool {
        self.progress.ticket.is_some()
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<Step, Error> {
        self.progress.on_event(event)
    }

    fn give_up(&mut self, connection: &mut Connection<'_, P>) {
        self.progress.give_up(connection);
    }

    fn fail(&mut self, _: &mut Connection<'_, P>) {
        // It has told, or the connection is over: there is nothing to be given up.
    }

    fn blame(&self, error: Error) -> Error {
        let error = self.progress.blame(error);
        match &self.command {
            Some(Command(command)) => error.about(command),
            None => error,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.progress.deadline()
    }
}
