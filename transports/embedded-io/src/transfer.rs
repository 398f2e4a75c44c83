//! Values larger than the memory: read in pieces, and written from pieces.

use embedded_io::ErrorType;
use redwire::client::{self, ErrorKind};
use redwire::command::Command;
use redwire::connection::Ticket;
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser};

use crate::{Client, Clock, Connector, Error, WriteError};

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
        let mut call = client::Download::call::<dyn Encode>(&command);
        self.call(&mut call)?;
        match client::Download::begin(&call, &self.state.session) {
            Ok(pieces) => Ok(pieces.map(|pieces| Download { client: self, pieces, failed: None })),
            Err(error) => Err(self.state.error(error)),
        }
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
        let mut begun = client::Upload::<dyn Encode>::begin(&command, length);
        self.converse(&mut begun)?;
        match begun.ticket() {
            Some(ticket) => Ok(Upload { client: self, ticket, failed: false }),
            None => Err(self.state.error(client::Error::new(ErrorKind::OutOfStep))),
        }
    }
}

/// A reply in pieces, from [`Client::download`].
///
/// To drop it is to discard what is left of the reply; the connection stays in step.
pub struct Download<'c, 'b, C: Connector, K: Clock, P: Parser> {
    client: &'c mut Client<'b, C, K, P>,
    pieces: client::Download,
    failed: Option<Error>,
}

impl<C: Connector, K: Clock, P: Parser> Download<'_, '_, C, K, P> {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// [`Error`]: the connection was lost, or the rest did not come in time. From then on it is all that there is.
    #[allow(clippy::should_implement_trait, reason = "the pieces are lent")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Err(error) = self.client.run(&mut self.pieces) {
            let error = self.client.state.error(error);
            self.failed = Some(error.clone());
            return Err(error);
        }
        Ok(self.pieces.piece(&self.client.state.session))
    }
}

impl<C: Connector, K: Clock, P: Parser> Drop for Download<'_, '_, C, K, P> {
    fn drop(&mut self) {
        client::Exchange::give_up(&mut self.pieces, self.client.state.engine_mut());
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
        self.client.state.engine().unfinished().unwrap_or(0)
    }

    /// Hands over the bytes that come next.
    ///
    /// # Errors
    /// [`Error`]: the connection was lost, or is given up since the time for the command has passed; of kind
    /// [`ErrorKind::Excess`] if they are more than are to come, of which none is sent then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.check()?;
        match client::Upload::append(self.ticket, bytes, self.client.state.engine()) {
            Ok(step) => self.run(step),
            Err(error) => Err(self.client.state.error(error)),
        }
    }

    /// Nothing comes after an error.
    fn check(&self) -> Result<(), Error> {
        let incomplete = || self.client.state.error(client::Error::new(ErrorKind::Incomplete));
        if self.failed { Err(incomplete()) } else { Ok(()) }
    }

    fn run(&mut self, mut step: client::Upload<'_, client::Sent>) -> Result<(), Error> {
        self.client.run(&mut step).map_err(|error| {
            self.failed = true;
            self.client.state.error(error)
        })
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Incomplete`] if bytes are still to come, which ends the connection.
    pub fn finish<R: for<'a> FromReply<'a>>(mut self) -> Result<R, Error> {
        self.check()?;
        match client::Upload::finish(self.ticket, self.client.state.engine()) {
            Ok(step) => self.run(step)?,
            Err(error) => return Err(self.client.state.error(error)),
        }
        self.client.state.session.reply().map_err(|error| self.client.state.error(error))
    }
}

impl<C: Connector, K: Clock, P: Parser> Drop for Upload<'_, '_, C, K, P> {
    fn drop(&mut self) {
        if self.client.state.engine().unfinished().is_some() {
            self.client.disconnect();
        } else {
            self.client.state.engine_mut().discard(self.ticket);
        }
    }
}

impl<C: Connector, K: Clock, P: Parser> ErrorType for Upload<'_, '_, C, K, P> {
    type Error = WriteError;
}

impl<C: Connector, K: Clock, P: Parser> embedded_io::Write for Upload<'_, '_, C, K, P> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, WriteError> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.check()?;
        Ok(self.run(client::Upload::flush(self.ticket))?)
    }
}

crate::client::debug!(Connector: Download Upload);
