//! Commands that are sent together: what pipelines and transactions of both clients keep of them.

use redwire::command::{self, Arguments, Command};
use redwire::connection::{Event, Ticket};
use redwire::resp::{ArgumentWriter, Frame, Parser};
use redwire::time::Instant;

use crate::replies::FromReplies;
use crate::session::Session;
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

    pub(crate) fn add<P, T>(&mut self, session: &mut Session<'_, P>, now: Instant, command: &T)
    where
        P: Parser,
        T: Command + ?Sized,
    {
        if self.error.is_some() {
            return;
        }
        let mode = session.engine.mode();
        match session.engine.send(now, command) {
            Ok(ticket) => {
                self.first.get_or_insert(ticket);
                self.commands = self.commands.saturating_add(1);
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
        if let Some(replies) = T::COUNT
            && replies != self.commands
        {
            self.fail(Error::new(ErrorKind::Length { commands: self.commands, replies }));
        }
        if self.atomic
            && self.error.is_none()
            && let Err(error) = session.engine.send(now, &command::exec())
        {
            self.fail(error.into());
        }
        if let Some(error) = self.error.take() {
            self.give_up(session, now);
            return Err(error);
        }
        let Batch { first, commands, atomic, .. } = core::mem::take(self);
        let extra = if atomic { 2 } else { 0 };
        Ok(Collector {
            first,
            partial: T::Partial::default(),
            commands,
            atomic,
            seen: 0,
            expected: commands.saturating_add(extra),
            error: None,
        })
    }

    /// Takes back what was not written, and sees to it that nothing of the rest is executed.
    pub(crate) fn give_up<P: Parser>(&mut self, session: &mut Session<'_, P>, now: Instant) {
        if let Some(first) = self.first {
            discard(session, now, first);
        }
        *self = Batch::default();
    }
}

/// Discards the replies to a command and all behind it. A transaction that has begun is ended.
fn discard<P: Parser>(session: &mut Session<'_, P>, now: Instant, first: Ticket) {
    use redwire::connection::Mode;
    if session.engine.mode() == Mode::Transaction && session.engine.send(now, &command::discard()).is_err() {
        session.engine.close();
    }
    session.engine.discard_from(first);
}

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
    partial: T::Partial,
    commands: u16,
    atomic: bool,
    seen: u16,
    /// With those to MULTI and EXEC.
    expected: u16,
    /// The first error. The others are read all the same.
    error: Option<Error>,
}

impl<T: FromReplies> Collector<T> {
    pub(crate) fn is_complete(&self) -> bool {
        self.seen >= self.expected
    }

    /// Takes the answer that the session has found.
    pub(crate) fn take<P>(&mut self, session: &Session<'_, P>)
    where
        P: Parser,
    {
        let place = self.seen;
        self.seen += 1;
        match session.engine.last_event() {
            Some(Event::Reply { frame, .. }) if !self.atomic => self.read(place, frame),
            Some(Event::Reply { frame, .. }) if self.is_complete() => self.exec(frame),
            Some(Event::Reply { frame, .. }) => {
                if let Some(error) = frame.error() {
                    // MULTI was refused, or a command when it was to be queued.
                    let aborted = Error::new(ErrorKind::Aborted(error.into()));
                    self.fail(if place == 0 { aborted } else { aborted.at(place - 1) });
                }
            }
            Some(Event::Queued { .. }) => {}
            _ => self.fail(Error::new(ErrorKind::NoReply).executed(true)),
        }
    }

    /// Notes that a command has no reply.
    pub(crate) fn skip(&mut self, error: Error) {
        let place = self.seen;
        self.seen += 1;
        self.fail(if self.atomic { error } else { error.at(place) });
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
        } else {
            for (position, reply) in (0..self.commands).zip(frame.elements()) {
                self.read(position, reply);
            }
        }
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// Discards the replies that have not come.
    pub(crate) fn give_up<P: Parser>(&self, session: &mut Session<'_, P>, now: Instant) {
        if let Some(first) = self.first {
            discard(session, now, first);
        }
    }

    pub(crate) fn finish(self) -> Result<T, Error> {
        match (self.error, T::finish(self.partial)) {
            (Some(error), _) => Err(error),
            (None, Some(replies)) => Ok(replies),
            (None, None) => Err(Error::new(ErrorKind::OutOfStep)),
        }
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
