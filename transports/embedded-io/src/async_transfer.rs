//! Values larger than the memory, of the async client: read in pieces, and written from pieces.

use embedded_io_async::ErrorType;
use redwire::client::{self, ErrorKind};
use redwire::command::Command;
use redwire::connection::Ticket;
use redwire::reply::FromReply;
use redwire::resp::Parser;

use crate::state::Until;
use crate::{AsyncClient, AsyncConnector, Clock, Error, WriteError};

impl<'b, C: AsyncConnector, K: Clock, P: Parser> AsyncClient<'b, C, K, P> {
    /// Runs a command whose reply is a string of any length, and gives it in pieces, each at most as large as the receive
    /// buffer. `None` if the reply is null.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["$11\r\nhello world\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// let mut written = 0;
    /// if let Some(mut firmware) = redis.download(get("firmware")).await? {
    ///     while let Some(piece) = firmware.next().await? {
    ///         // Write it somewhere.
    ///         written += piece.len();
    ///     }
    /// }
    /// assert_eq!(written, 11);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Mismatch`] if the reply is no string.
    pub async fn download<T: Command>(
        &mut self,
        command: T,
    ) -> Result<Option<AsyncDownload<'_, 'b, C, K, P>>, Error> {
        let call = self.converse(client::Download::call(&command)).await?;
        match client::Download::begin(&call, &self.state.session) {
            Ok(pieces) => Ok(pieces.map(|pieces| AsyncDownload { client: self, pieces, failed: None })),
            Err(error) => Err(self.state.error(error)),
        }
    }

    /// Begins a command whose last argument has `length` bytes, which are handed over in pieces.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// # let samples = &[[0; 64]; 1000];
    /// let mut upload = redis.upload(cmd("SET").arg("samples"), 64 * 1000).await?;
    /// for piece in samples {
    ///     upload.append(piece).await?;
    /// }
    /// upload.finish::<()>().await?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Misuse`] for commands that change the connection.
    pub async fn upload<T: Command>(
        &mut self,
        command: T,
        length: usize,
    ) -> Result<AsyncUpload<'_, 'b, C, K, P>, Error> {
        let begun = self.converse(client::Upload::begin(&command, length)).await?;
        match begun.ticket() {
            Some(ticket) => Ok(AsyncUpload { client: self, ticket, failed: false }),
            None => Err(self.state.error(client::Error::new(ErrorKind::OutOfStep))),
        }
    }
}

/// A reply in pieces, from [`AsyncClient::download`].
///
/// To drop it is to discard what is left of the reply; the connection stays in step.
pub struct AsyncDownload<'c, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'c mut AsyncClient<'b, C, K, P>,
    pieces: client::Download,
    failed: Option<Error>,
}

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncDownload<'_, '_, C, K, P> {
    /// The next piece; `None` after the last. Dropped and called again it goes on where it was.
    ///
    /// # Errors
    /// [`Error`]: the connection was lost, or the rest did not come in time. From then on it is all that there is.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Err(error) = self.client.wait(Until::EndOf(&mut self.pieces), None).await {
            let error = self.client.state.error(error);
            self.failed = Some(error.clone());
            return Err(error);
        }
        Ok(self.pieces.piece(&self.client.state.session))
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> Drop for AsyncDownload<'_, '_, C, K, P> {
    fn drop(&mut self) {
        client::Exchange::give_up(&mut self.pieces, self.client.state.engine_mut());
    }
}

/// A command whose last argument is handed over in pieces, from [`AsyncClient::upload`].
///
/// To drop it before all bytes have come is to end the connection, since the server waits for the rest.
pub struct AsyncUpload<'c, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'c mut AsyncClient<'b, C, K, P>,
    ticket: Ticket,
    failed: bool,
}

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncUpload<'_, '_, C, K, P> {
    /// How many bytes are still to come.
    pub fn remaining(&self) -> usize {
        self.client.state.engine().unfinished().unwrap_or(0)
    }

    /// Hands over the bytes that come next. Dropped on the way, [`remaining`](Self::remaining) says how many of them were
    /// taken.
    ///
    /// # Errors
    /// [`Error`]: the connection was lost, or is given up since the time for the command has passed; of kind
    /// [`ErrorKind::Excess`] if they are more than are to come, of which none is sent then.
    pub async fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.check()?;
        match client::Upload::append(self.ticket, bytes, self.client.state.engine()) {
            Ok(step) => self.run(step).await,
            Err(error) => Err(self.client.state.error(error)),
        }
    }

    /// Nothing comes after an error, nor after a write that was given up on a stream that does not say how far it came.
    fn check(&mut self) -> Result<(), Error> {
        let kind = match (self.failed, self.client.mid_io) {
            (true, _) => ErrorKind::Incomplete,
            (false, true) => ErrorKind::Disconnected,
            (false, false) => return Ok(()),
        };
        let mut executed = false;
        if !self.failed {
            self.failed = true;
            // Whole commands alone are executed.
            executed = self.client.state.engine().unfinished().is_none();
            self.client.disconnect();
        }
        Err(self.client.state.error(client::Error::new(kind).executed(executed)))
    }

    async fn run(&mut self, mut step: client::Upload<'_, client::Sent>) -> Result<(), Error> {
        let done = self.client.wait(Until::EndOf(&mut step), None).await;
        done.map(drop).map_err(|error| {
            self.failed = true;
            self.client.state.error(error)
        })
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Incomplete`] if bytes are still to come, which ends the connection.
    pub async fn finish<R: for<'a> FromReply<'a>>(mut self) -> Result<R, Error> {
        self.check()?;
        match client::Upload::finish(self.ticket, self.client.state.engine()) {
            Ok(step) => self.run(step).await?,
            Err(error) => return Err(self.client.state.error(error)),
        }
        self.client.state.session.reply().map_err(|error| self.client.state.error(error))
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> Drop for AsyncUpload<'_, '_, C, K, P> {
    fn drop(&mut self) {
        if self.client.state.engine().unfinished().is_some() {
            self.client.disconnect();
        } else {
            self.client.state.engine_mut().discard(self.ticket);
        }
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> ErrorType for AsyncUpload<'_, '_, C, K, P> {
    type Error = WriteError;
}

impl<C: AsyncConnector, K: Clock, P: Parser> embedded_io_async::Write for AsyncUpload<'_, '_, C, K, P> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, WriteError> {
        self.append(bytes).await?;
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), WriteError> {
        self.check()?;
        self.run(client::Upload::flush(self.ticket)).await?;
        if self.client.unflushed {
            self.client.flush().await;
        }
        Ok(())
    }
}

crate::client::debug!(AsyncConnector: AsyncDownload AsyncUpload);
