//! Values larger than the memory: replies that come in pieces, and arguments that are handed over in pieces.

use super::call::{Call, Sent};
use super::exchange::{Exchange, Session, Step, wait_for_room};
use super::{Error, ErrorKind};
use crate::connection::{Connection, Event, SendOptions, Ticket};
use crate::reply::{Mismatch, MismatchReason};
use crate::resp::{Encode, Parser};
use crate::time::Instant;

/// A string in pieces, each as large as what has come of it at once. As an exchange it is done when the next piece is here;
/// then [`piece`](Self::piece) shows it.
///
/// A [`call`](Self::call) comes first. When its first piece is here, [`begin`](Self::begin) makes the download of it.
#[derive(Debug)]
pub struct Download {
    call: Call<'static, Sent>,
    ticket: Ticket,
    state: Reading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// A piece is the connection's last event, or the end is.
    Here,
    /// The next one has to come.
    Next,
    Over,
}

impl Download {
    /// The call of a command whose reply comes in pieces.
    pub const fn call<E: Encode + ?Sized>(command: &E) -> Call<'_, E> {
        Call::with_options(command, SendOptions::new().shared().streamed())
    }

    /// Looks at what answers the call. None: the reply is null.
    ///
    /// # Errors
    /// The server's own; of kind [`ErrorKind::Mismatch`] if the reply is no string.
    pub fn begin<P: Parser, E: Encode + ?Sized>(
        call: &Call<'_, E>,
        session: &Session<'_, P>,
    ) -> Result<Option<Self>, Error> {
        let Some(ticket) = call.ticket() else { return Err(Error::new(ErrorKind::OutOfStep)) };
        match session.engine().last_event() {
            Some(Event::Chunk { .. } | Event::ChunksEnd { .. }) => {}
            Some(Event::Reply { frame, .. }) if frame.is_null() => return Ok(None),
            Some(Event::Reply { frame, .. }) => {
                frame.decode::<()>()?;
                if frame.text().is_none() {
                    let mismatch = Mismatch::new("a string in pieces", frame.kind(), MismatchReason::Kind);
                    return Err(Error::new(ErrorKind::Mismatch(mismatch)));
                }
            }
            _ => return Err(Error::new(ErrorKind::OutOfStep)),
        }
        Ok(Some(Download { call: Call::sent(ticket), ticket, state: Reading::Here }))
    }

    /// The piece that is here. None: that was the last.
    pub fn piece<'s, P: Parser>(&mut self, session: &'s Session<'_, P>) -> Option<&'s [u8]> {
        if self.state == Reading::Over {
            return None;
        }
        self.state = Reading::Over;
        match session.engine().last_event() {
            Some(Event::Chunk { bytes, .. }) => {
                self.state = Reading::Next;
                self.call = Call::sent(self.ticket);
                Some(bytes)
            }
            // A string that has no length before it.
            Some(Event::Reply { frame, .. }) => frame.text().filter(|text| !text.is_empty()),
            _ => None,
        }
    }
}

impl<P: Parser> Exchange<P> for Download {
    fn send(&mut self, _: Instant, _: &mut Connection<'_, P>) -> Result<Step, Error> {
        Ok(if self.state == Reading::Next { Step::Wait } else { Step::Done })
    }

    fn is_sent(&self) -> bool {
        true
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<Step, Error> {
        let step = Exchange::<P>::on_event(&mut self.call, event)?;
        if step == Step::Done {
            self.state = Reading::Here;
        }
        Ok(step)
    }

    fn give_up(&mut self, connection: &mut Connection<'_, P>) {
        // Of what has come in part the rest is skipped.
        connection.discard(self.ticket);
    }

    fn blame(&self, error: Error) -> Error {
        // The server has begun to answer.
        error.executed(true)
    }
}

/// One step of handing over a command whose last argument comes in pieces: [`begin`](Self::begin), then
/// [`append`](Self::append) until all bytes are there, then [`finish`](Self::finish). Each is an exchange of its own;
/// between them the ticket is all there is to be kept.
///
/// When one fails while bytes are still to come it ends the connection, since the server waits for the rest.
pub struct Upload<'c, E: ?Sized = dyn Encode + 'c> {
    call: Option<Call<'static, Sent>>,
    step: Uploading<'c, E>,
    deadline: Option<Instant>,
    /// Some of the bytes were taken.
    begun: bool,
    /// The step is done, or what is left of it is to wait.
    sent: bool,
    /// The server waits for more bytes.
    open: bool,
}

enum Uploading<'c, E: ?Sized> {
    Begin { command: &'c E, length: usize },
    Append(&'c [u8]),
    Flush,
    Finish,
}

impl<E: ?Sized> core::fmt::Debug for Upload<'_, E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // What is handed over may be secret.
        let step = match self.step {
            Uploading::Begin { .. } => "begin",
            Uploading::Append(_) => "append",
            Uploading::Flush => "flush",
            Uploading::Finish => "finish",
        };
        f.debug_struct("Upload").field("step", &step).field("call", &self.call).finish_non_exhaustive()
    }
}

impl<'c, E: Encode + ?Sized> Upload<'c, E> {
    /// Begins a command whose last argument has `length` bytes, and waits for room for what stands before it.
    pub const fn begin(command: &'c E, length: usize) -> Self {
        Upload {
            call: None,
            step: Uploading::Begin { command, length },
            deadline: None,
            begun: false,
            sent: false,
            open: false,
        }
    }

    /// The ticket of the command, when it was begun.
    pub fn ticket(&self) -> Option<Ticket> {
        self.call.as_ref().and_then(Call::ticket)
    }
}

impl<'c> Upload<'c, Sent> {
    const fn of(ticket: Ticket, step: Uploading<'c, Sent>) -> Self {
        Upload {
            call: Some(Call::sent(ticket)),
            step,
            deadline: None,
            begun: false,
            sent: false,
            open: false,
        }
    }

    /// Hands over the bytes that come next; done when all of them were taken.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Excess`] if they are more than are still to come. None was taken, and the upload goes on.
    pub fn append<P: Parser>(
        ticket: Ticket,
        bytes: &'c [u8],
        connection: &Connection<'_, P>,
    ) -> Result<Self, Error> {
        let remaining = connection.unfinished().unwrap_or(0);
        if bytes.len() > remaining {
            return Err(Error::new(ErrorKind::Excess { remaining }));
        }
        Ok(Upload::of(ticket, Uploading::Append(bytes)))
    }

    /// Waits until all that was handed over is written.
    pub const fn flush(ticket: Ticket) -> Self {
        Upload::of(ticket, Uploading::Flush)
    }

    /// Waits for the reply, which [`Session::reply`] reads.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Incomplete`] if bytes are still to come. To give the upload up is then to close the connection.
    pub fn finish<P: Parser>(ticket: Ticket, connection: &Connection<'_, P>) -> Result<Self, Error> {
        if connection.unfinished().is_some_and(|remaining| remaining > 0) {
            return Err(Error::new(ErrorKind::Incomplete));
        }
        Ok(Upload::of(ticket, Uploading::Finish))
    }
}

impl<P: Parser, E: Encode + ?Sized> Exchange<P> for Upload<'_, E> {
    fn send(&mut self, now: Instant, connection: &mut Connection<'_, P>) -> Result<Step, Error> {
        match &mut self.step {
            Uploading::Begin { command, length } => {
                match connection.begin(now, *command, *length, SendOptions::new().shared()) {
                    Ok(ticket) => {
                        self.call = Some(Call::sent(ticket));
                        self.sent = true;
                    }
                    Err(error) => {
                        wait_for_room(error, connection, now, *command, &mut self.deadline)?;
                    }
                }
            }
            // Large pieces, rather than a byte as soon as there is room for one.
            Uploading::Append(_) if self.begun && connection.wants_write() => {}
            Uploading::Append(bytes) => {
                let taken = connection.append(bytes);
                *bytes = bytes.get(taken..).unwrap_or_default();
                self.begun = true;
                self.sent = bytes.is_empty();
            }
            Uploading::Flush => self.sent = !connection.wants_write(),
            Uploading::Finish => {
                // The end of the argument may not have found room.
                connection.append(&[]);
                self.sent = connection.unfinished().is_none();
            }
        }
        self.open = self.call.is_some() && connection.unfinished().is_some();
        let done = self.sent && !matches!(self.step, Uploading::Finish);
        Ok(if done { Step::Done } else { Step::Wait })
    }

    fn is_sent(&self) -> bool {
        self.sent
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<Step, Error> {
        let Some(call) = &mut self.call else { return Ok(Step::NotMine) };
        let step = Exchange::<P>::on_event(call, event)?;
        if step == Step::Done && !(self.sent && matches!(self.step, Uploading::Finish)) {
            // An error comes before the value was complete.
            if let Event::Reply { frame, .. } = event {
                frame.decode::<()>()?;
            }
            return Err(Error::new(ErrorKind::OutOfStep));
        }
        Ok(step)
    }

    fn give_up(&mut self, connection: &mut Connection<'_, P>) {
        if self.open {
            // The server executes whole commands only, and waits for the rest of this one.
            connection.close();
        } else if let Some(call) = &mut self.call {
            call.give_up(connection);
        }
    }

    fn blame(&self, error: Error) -> Error {
        match &self.call {
            Some(call) if !self.open => Exchange::<P>::blame(call, error),
            _ => error.executed(false),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.sent { None } else { self.deadline }
    }
}
