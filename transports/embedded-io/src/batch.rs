//! Commands that are sent together: what pipelines and transactions of both clients keep of them.

use redwire::command::{self, Arguments};
use redwire::connection::{Capacity, Event, Mode, Ticket};
use redwire::resp::{ArgumentWriter, Encode, Frame, Parser};
use redwire::time::Instant;

use crate::replies::FromReplies;
use crate::session::{Session, Wanted};
use crate::{Error, ErrorKind};

/// Commands in the transmit buffer of which nothing has been written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The first of them; MULTI in a transaction.
    first: Option<Ticket>,
    commands: u16,
    /// The first error of one that could not be added.
    error: Option<Error>,
    atomic: bool,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.commands.into()
    }

    /// Whether there is nothing to be executed.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether nothing has been said about it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.first.is_none() && self.error.is_none()
    }

    pub(crate) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// Begins a transaction, unless it has begun.
    pub(crate) fn begin<P: Parser>(&mut self, session: &mut Session<'_, P>, now: Instant) {
        if !self.atomic && self.error.is_none() {
            self.atomic = true;
            match session.engine.send(now, &command::multi()) {
                Ok(ticket) => self.first = Some(ticket),
                Err(error) => self.fail(error.into()),
            }
        }
    }

    /// Adds a command.
    pub(crate) fn add<P, T>(&mut self, session: &mut Session<'_, P>, now: Instant, command: &T)
    where
        P: Parser,
        T: Encode + ?Sized,
    {
        if self.error.is_some() {
            return;
        }
        if self.commands >= MOST {
            return self.fail(Error::new(ErrorKind::Capacity(Capacity::InFlight)));
        }
        let mode = session.engine.mode();
        match session.engine.send(now, command) {
            Ok(ticket) => {
                self.first.get_or_insert(ticket);
                self.commands += 1;
                if !ticket.is_answered() || session.engine.mode() != mode {
                    // It must not go out.
                    session.engine.close();
                    self.fail(Error::new(ErrorKind::NoReply));
                }
            }
            Err(error) => self.fail(Error::from(error).at(self.commands)),
        }
    }

    /// Makes the batch ready to be written: in a transaction EXEC is the last command.
    ///
    /// # Errors
    /// It cannot be executed, or its replies not be read; nothing of it will be sent.
    pub(crate) fn close<P: Parser, T: FromReplies>(
        &mut self,
        session: &mut Session<'_, P>,
        now: Instant,
    ) -> Result<Collector<T>, Error> {
        if !(T::LEAST..=T::MOST).contains(&self.commands) {
            self.fail(Error::new(ErrorKind::Length { commands: self.commands, replies: T::MOST }));
        }
        let mut exec = None;
        if self.atomic && self.error.is_none() {
            match session.engine.send(now, &command::exec()) {
                Ok(ticket) => exec = Some(ticket),
                Err(error) => self.fail(error.into()),
            }
        }
        if let Some(error) = self.error.take() {
            self.give_up(session);
            return Err(error);
        }
        let Batch { first, commands, .. } = core::mem::take(self);
        Ok(Collector {
            first,
            exec,
            partial: T::Partial::default(),
            commands,
            seen: 0,
            // With those to MULTI and EXEC.
            expected: if exec.is_some() { commands + 2 } else { commands },
            error: None,
        })
    }

    /// Takes back all commands.
    pub(crate) fn give_up<P: Parser>(&mut self, session: &mut Session<'_, P>) {
        if let Some(first) = self.first {
            session.engine.discard_from(first);
            if session.engine.mode() == Mode::Transaction {
                // Some of it was written.
                session.engine.close();
            }
        }
        *self = Batch::default();
    }
}

/// The most commands of a batch, so that they can be counted together with MULTI and EXEC.
const MOST: u16 = u16::MAX - 2;

/// Ends the watching of keys, if any is watched; nobody waits for the reply.
pub(crate) fn unwatch<P: Parser>(session: &mut Session<'_, P>, now: Instant) {
    if session.engine.is_watching() {
        match session.engine.send(now, &command::unwatch()) {
            Ok(ticket) => drop(session.engine.discard(ticket)),
            Err(_) => session.engine.close(),
        }
    }
}

/// The replies of a batch, as they come.
pub(crate) struct Collector<T: FromReplies> {
    first: Option<Ticket>,
    /// EXEC, if it is a transaction.
    exec: Option<Ticket>,
    partial: T::Partial,
    commands: u16,
    seen: u16,
    expected: u16,
    /// The first error. The others are read all the same.
    error: Option<Error>,
}

impl<T: FromReplies> Collector<T> {
    pub(crate) fn is_complete(&self) -> bool {
        self.seen >= self.expected
    }

    /// The answer that comes next. Before the first there may be others, to commands whose futures were forgotten.
    pub(crate) fn wanted(&self) -> Wanted {
        self.first.filter(|_| self.seen == 0).map_or(Wanted::AnyAnswer, Wanted::Answer)
    }

    /// Takes the answer that the session has found.
    pub(crate) fn take<P>(&mut self, session: &Session<'_, P>)
    where
        P: Parser,
    {
        let place = self.seen;
        self.seen += 1;
        match session.engine.last_event() {
            Some(Event::Reply { frame, .. }) if self.exec.is_none() => self.read(place, frame),
            Some(Event::Reply { frame, .. }) if self.is_complete() => self.exec(frame),
            Some(Event::Reply { frame, .. }) => match frame.error() {
                // What was to be queued is executed one by one then.
                Some(error) if place == 0 => self.fail(Error::from(error).executed(true)),
                Some(error) => self.fail(Error::new(ErrorKind::Aborted(error.into())).at(place - 1)),
                None => {}
            },
            Some(Event::Queued { .. }) => {}
            _ => self.fail(Error::new(ErrorKind::NoReply).executed(true).at(place)),
        }
    }

    /// Notes that a command has no reply.
    pub(crate) fn skip(&mut self, error: Error) {
        let place = self.seen;
        self.seen += 1;
        self.fail(if self.exec.is_some() { error } else { error.at(place) });
    }

    fn read(&mut self, position: u16, frame: Frame<'_>) {
        if let Err(error) = T::read(&mut self.partial, position, frame) {
            self.fail(Error::from(error).at(position));
        }
    }

    fn exec(&mut self, frame: Frame<'_>) {
        if let Some(error) = frame.error() {
            self.fail(Error::new(ErrorKind::Aborted(error.into())));
        } else if frame.is_null() {
            self.fail(Error::new(ErrorKind::Conflict));
        } else if frame.elements().len() != usize::from(self.commands) {
            self.fail(Error::new(ErrorKind::OutOfStep).executed(true));
        } else {
            for (position, reply) in (0..self.commands).zip(frame.elements()) {
                self.read(position, reply);
            }
        }
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// Discards the replies that have not come, and takes back what was not written, unless it is part of a transaction.
    pub(crate) fn discard<P: Parser>(&self, session: &mut Session<'_, P>) {
        if let Some(first) = self.first {
            session.engine.discard_from(first);
        }
    }

    /// Gives up what has not been answered: what was not written is not sent any more, and the other replies are discarded.
    /// Gives the error that made it so, with what may have been executed.
    pub(crate) fn give_up<P: Parser>(&self, session: &mut Session<'_, P>, error: Error) -> Error {
        self.discard(session);
        // What still waits for its reply was written, or is part of a transaction and will be.
        let pending = session.engine.expects_replies();
        let executed = match self.exec {
            // Nothing of a transaction is taken back because its time has passed.
            Some(_) => pending || session.last_maybe_executed() || error.kind == ErrorKind::TimedOut,
            None => pending || self.seen > 0 || error.maybe_executed,
        };
        error.executed(executed)
    }

    /// All replies as one value, or the first error.
    ///
    /// # Errors
    /// One of the kind [`ErrorKind::OutOfStep`] is the end of the connection.
    pub(crate) fn finish<P: Parser>(self, session: &mut Session<'_, P>) -> Result<T, Error> {
        let result = match (self.error, T::finish(self.partial)) {
            (Some(error), _) => Err(error),
            (None, Some(replies)) => Ok(replies),
            (None, None) => Err(Error::new(ErrorKind::OutOfStep).executed(true)),
        };
        if matches!(result, Err(Error { kind: ErrorKind::OutOfStep, .. })) {
            session.engine.close();
        }
        result
    }
}

/// How far a transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// EXEC was sent, or would have been.
    Ended,
    /// And answered with results.
    Executed,
}

impl State {
    /// Takes note of what came back for EXEC.
    pub(crate) fn answered<T>(&mut self, result: &Result<T, Error>) {
        let answered = match result {
            Ok(_) => true,
            // One of the results could not be used.
            Err(error) => matches!(error.kind, ErrorKind::Server(_) | ErrorKind::Mismatch(_)),
        };
        if answered {
            *self = State::Executed;
        }
    }

    /// Whatever has failed behind EXEC: who starts over executes what was queued a second time.
    pub(crate) fn behind(self, error: Error) -> Error {
        let maybe = error.maybe_executed || (self == State::Executed && error.position.is_none());
        error.executed(maybe)
    }
}

/// Arguments that are lent.
pub(crate) struct Lent<'a, A>(pub(crate) &'a A);

impl<A: Arguments> Arguments for Lent<'_, A> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.0.write_arguments(out);
    }

    fn count(&self) -> usize {
        self.0.count()
    }
}
