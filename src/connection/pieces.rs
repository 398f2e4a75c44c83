//! Commands larger than the memory: the last argument is handed over piece by piece, as the transmit buffer empties.

use super::{Connection, SendError, SendOptions, Ticket};
use crate::resp::{ArgumentWriter, Encode, Parser};
use crate::time::{Instant, Patience};

impl<P: Parser> Connection<'_, P> {
    /// Begins a command whose last argument has `length` bytes, which [`append`](Self::append) takes piece by piece. Until
    /// all have come nothing else can be sent, and no reply to it comes. To give it up is to [`close`](Self::close) the
    /// connection: the server waits for the rest.
    ///
    /// ```
    /// # use redwire::connection::{Buffers, Config, Connection};
    /// # use redwire::time::Instant;
    /// use redwire::command::cmd;
    ///
    /// # let now = Instant::from_micros(0);
    /// # let config = Config::default().protocol(redwire::resp::Protocol::Resp2).no_library();
    /// # let mut redis = Connection::new(config, Buffers::growing());
    /// # redis.connected(now).unwrap();
    /// # redis.poll_event();
    /// let ticket = redis.begin(now, &cmd("SET").arg("key"), 10, Default::default()).unwrap();
    /// assert_eq!(redis.append(b"01234"), 5);
    /// assert_eq!(redis.append(b"56789"), 5);
    /// assert_eq!(redis.poll_transmit().unwrap(), b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$10\r\n0123456789\r\n");
    /// # let _ = ticket;
    /// ```
    ///
    /// # Errors
    /// [`SendError`]; nothing has changed. [`Misuse::NotInPieces`](super::Misuse::NotInPieces) for commands that change the
    /// connection, and before the handshake is done.
    /// [`Misuse::NotBuilt`](super::Misuse::NotBuilt) without the feature `pieces`.
    pub fn begin<C: Encode + ?Sized>(
        &mut self,
        now: Instant,
        command: &C,
        length: usize,
        options: SendOptions,
    ) -> Result<Ticket, SendError> {
        let ticket = self.send_any(now, &Begun { command: &command, length }, options, Some(length))?;
        let _ = self.append(&[]);
        Ok(ticket)
    }

    /// Takes bytes of the argument that [`begin`](Self::begin) has begun, and says how many: as many as the transmit buffer
    /// has room for, and none beyond the length or when the connection is over. Poll transmit after it.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        if !self.is_open() {
            return 0;
        }
        let (taken, longer) = self.transmit.append_piece(bytes);
        if let Some(slot) = self.in_flight.back_mut() {
            slot.length = slot.length.saturating_add(longer);
        }
        taken
    }

    /// How many bytes of the argument that [`begin`](Self::begin) has begun are still to come; none if none has.
    pub fn unfinished(&self) -> Option<usize> {
        self.transmit.unfinished()
    }
}

/// A command, and the header of one more argument of this length.
struct Begun<'c> {
    command: &'c dyn Encode,
    length: usize,
}

impl Encode for Begun<'_> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        self.command.write_arguments(out);
        out.header(self.length);
    }

    fn patience(&self) -> Patience {
        self.command.patience()
    }
}
