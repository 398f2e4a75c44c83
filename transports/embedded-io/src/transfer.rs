//! Values larger than the memory: read in pieces, and written from pieces.

use embedded_io::ErrorType;
use redwire::command::Command;
use redwire::connection::{Event, SendOptions, Ticket};
use redwire::reply::{FromReply, Mismatch, MismatchReason};
use redwire::resp::Parser;

use crate::session::Wanted;
use crate::{Client, Clock, Connector, Error, ErrorKind};

impl<'b, C: Connector, K: Clock, P: Parser> Client<'b, C, K, P> {
    /// Runs a command whose reply is a string of any length, and gives it in pieces, each at most as large as the receive
    /// buffer. `None` if the reply is null.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["$11\r\nhello world\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let mut written = 0;
    /// if let Some(mut firmware) = redis.download(get("firmware"))? {
    ///     while let Some(piece) = firmware.next()? {
    ///         // Write it somewhere.
    ///         written += piece.len();
    ///     }
    /// }
    /// assert_eq!(written, 11);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// The time that the configuration gives a command is for the whole of it.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Mismatch`] if the reply is no string.
    pub fn download<T: Command>(&mut self, command: T) -> Result<Option<Download<'_, 'b, C, K, P>>, Error> {
        let ticket = self.answer(&command, SendOptions::default().streamed())?;
        match self.session.engine.last_event() {
            Some(Event::Chunk { .. } | Event::ChunksEnd { .. }) => {}
            Some(Event::Reply { frame, .. }) if frame.is_null() => return Ok(None),
            Some(Event::Reply { frame, .. }) => {
                frame.decode::<()>()?;
                if frame.text().is_none() {
                    let mismatch = Mismatch::new("a string in pieces", frame.kind(), MismatchReason::Kind);
                    return Err(Error::new(ErrorKind::Mismatch(mismatch)));
                }
            }
            _ => return Err(Error::new(ErrorKind::NoReply).executed(true)),
        }
        Ok(Some(Download { client: self, ticket, first: true, done: false }))
    }

    /// Begins a command whose last argument has `length` bytes, which are handed over in pieces.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// # let samples = &[[0; 64]; 1000];
    /// let mut upload = redis.upload(cmd("SET").arg("samples"), 64 * 1000)?;
    /// for piece in samples {
    ///     upload.append(piece)?;
    /// }
    /// upload.finish::<()>()?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Misuse`] for commands that change the connection.
    pub fn upload<T: Command>(
        &mut self,
        command: T,
        length: usize,
    ) -> Result<Upload<'_, 'b, C, K, P>, Error> {
        self.prepare()?;
        let mut since = None;
        loop {
            let now = self.now();
            match self.session.engine.begin(now, &command, length, SendOptions::default()) {
                Ok(ticket) => return Ok(Upload { client: self, ticket, failed: false }),
                Err(error) => self.make_room(error, command.patience(), &mut since)?,
            }
        }
    }
}

/// A reply in pieces, from [`Client::download`].
///
/// To drop it is to discard what is left of the reply; the connection stays in step.
pub struct Download<'c, 'b, C: Connector, K: Clock, P: Parser> {
    client: &'c mut Client<'b, C, K, P>,
    ticket: Ticket,
    first: bool,
    done: bool,
}

impl<C: Connector, K: Clock, P: Parser> Download<'_, '_, C, K, P> {
    /// The next piece; `None` behind the last.
    ///
    /// # Errors
    /// [`Error`]: the connection was lost, or the rest did not come in time.
    #[allow(clippy::should_implement_trait, reason = "the pieces are lent")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if self.done {
            return Ok(None);
        }
        if !core::mem::take(&mut self.first) {
            let waited = self.client.wait(Wanted::Answer(self.ticket));
            self.done = waited.is_err();
            waited?;
        }
        match self.client.session.engine.last_event() {
            Some(Event::Chunk { bytes, .. }) => Ok(Some(bytes)),
            // A string that has no length before it.
            Some(Event::Reply { frame, .. }) => {
                self.done = true;
                Ok(frame.text().filter(|text| !text.is_empty()))
            }
            _ => {
                self.done = true;
                Ok(None)
            }
        }
    }
}

impl<C: Connector, K: Clock, P: Parser> Drop for Download<'_, '_, C, K, P> {
    fn drop(&mut self) {
        self.client.session.engine.discard(self.ticket);
    }
}

/// A command whose last argument is handed over in pieces, from [`Client::upload`].
///
/// To drop it before all bytes have come is to end the connection, since the server waits for the rest.
pub struct Upload<'c, 'b, C: Connector, K: Clock, P: Parser> {
    client: &'c mut Client<'b, C, K, P>,
    ticket: Ticket,
    failed: bool,
}

impl<C: Connector, K: Clock, P: Parser> Upload<'_, '_, C, K, P> {
    /// How many bytes are still to come.
    pub fn remaining(&self) -> usize {
        self.client.session.engine.unfinished().unwrap_or(0)
    }

    /// Hands over the bytes that come next.
    ///
    /// # Errors
    /// [`Error`]: the connection was lost, or is given up since the time for the command has passed; of kind
    /// [`ErrorKind::Excess`] if they are more than are to come, of which none is sent then.
    pub fn append(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        if self.failed {
            return Err(Error::new(ErrorKind::Incomplete));
        }
        let remaining = self.remaining();
        if bytes.len() > remaining {
            return Err(Error::new(ErrorKind::Excess { remaining }));
        }
        loop {
            let taken = self.client.session.engine.append(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            self.push()?;
        }
    }

    /// Writes what the transmit buffer holds.
    fn push(&mut self) -> Result<(), Error> {
        let unfinished = self.client.session.engine.unfinished().is_some();
        self.client.flush();
        match self.client.take(Wanted::Answer(self.ticket)) {
            Some(Err(error)) => {
                self.failed = true;
                if unfinished {
                    // The server executes whole commands only, and waits for the rest of this one.
                    self.client.disconnect();
                    return Err(error.executed(false));
                }
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Incomplete`] if bytes are still to come, which ends the connection.
    pub fn finish<R: for<'a> FromReply<'a>>(mut self) -> Result<R, Error> {
        if self.failed || self.remaining() > 0 {
            return Err(Error::new(ErrorKind::Incomplete));
        }
        // The end of the argument may not have found room.
        while self.client.session.engine.unfinished().is_some() {
            self.push()?;
            self.client.session.engine.append(&[]);
        }
        self.client.wait(Wanted::Answer(self.ticket))?;
        self.client.session.reply()
    }
}

impl<C: Connector, K: Clock, P: Parser> Drop for Upload<'_, '_, C, K, P> {
    fn drop(&mut self) {
        if self.client.session.engine.unfinished().is_some() {
            self.client.disconnect();
        } else {
            self.client.session.engine.discard(self.ticket);
        }
    }
}

impl<C: Connector, K: Clock, P: Parser> ErrorType for Upload<'_, '_, C, K, P> {
    type Error = Error;
}

impl<C: Connector, K: Clock, P: Parser> embedded_io::Write for Upload<'_, '_, C, K, P> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        while self.client.session.engine.poll_transmit().is_some() {
            self.push()?;
        }
        Ok(())
    }
}

crate::client::debug!(Connector: Download Upload);
