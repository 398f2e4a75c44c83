//! What the streams know of an error.

use core::fmt;

use redwire::client::{self, ErrorKind, Origin};

/// Why something could not be done, and whether the server may have done it all the same: the error of
/// [`redwire::client`], with what the stream said as its [origin](client::Error::origin).
///
/// ```
/// use redwire_embedded_io::prelude::*;
/// # use embedded_io::{ErrorKind as Io, ErrorType};
/// # struct Socket;
/// # impl ErrorType for Socket { type Error = Io; }
/// # impl embedded_io::Read for Socket { fn read(&mut self, _: &mut [u8]) -> Result<usize, Io> { Ok(0) } }
/// # impl embedded_io::Write for Socket {
/// #     fn write(&mut self, bytes: &[u8]) -> Result<usize, Io> { Ok(bytes.len()) }
/// #     fn flush(&mut self) -> Result<(), Io> { Ok(()) }
/// # }
///
/// let unplugged = || Err::<Socket, _>(Io::NotConnected);
/// let mut memory = StaticBuffers::<512, 256, 8>::new();
/// let mut redis = Client::new(unplugged, Config::default(), memory.memory(), NoClock);
/// let error = redis.get::<&str>("key").unwrap_err();
/// assert_eq!(*error.kind(), ErrorKind::Connect);
/// assert_eq!(error.origin().kind(), Some(Io::NotConnected));
/// ```
pub type Error = client::Error<StreamError>;

/// What a stream said when it broke, or a connector when it gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamError(pub(crate) Option<embedded_io::ErrorKind>);

impl StreamError {
    /// The kind of it. None if the stream has just ended, or the error has to do with none.
    pub const fn kind(&self) -> Option<embedded_io::ErrorKind> {
        self.0
    }
}

impl Origin for StreamError {
    fn cause(&self) -> Option<&dyn fmt::Display> {
        self.0.as_ref().map(|kind| kind as _)
    }

    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.0.as_ref().map(|kind| kind as _)
    }
}

/// An [`Error`] where `embedded_io` wants one of its own: what [`Upload`](crate::Upload) fails with as a writer. `?` makes
/// an [`Error`] of it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WriteError(pub Error);

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        WriteError(error)
    }
}

impl From<WriteError> for Error {
    fn from(WriteError(error): WriteError) -> Self {
        error
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.0.source()
    }
}

impl embedded_io::Error for WriteError {
    fn kind(&self) -> embedded_io::ErrorKind {
        use embedded_io::ErrorKind as Io;
        match self.0.kind() {
            ErrorKind::Disconnected => self.0.origin().kind().unwrap_or(Io::ConnectionAborted),
            ErrorKind::Connect => self.0.origin().kind().unwrap_or(Io::NotConnected),
            ErrorKind::TimedOut | ErrorKind::HandshakeTimedOut | ErrorKind::Unresponsive => Io::TimedOut,
            ErrorKind::Capacity(_) | ErrorKind::Buffers | ErrorKind::TooLarge(_) => Io::OutOfMemory,
            ErrorKind::Misuse(_) | ErrorKind::Length { .. } | ErrorKind::Excess { .. } => Io::InvalidInput,
            ErrorKind::Protocol(_) | ErrorKind::OutOfStep | ErrorKind::Mismatch(_) => Io::InvalidData,
            _ => Io::Other,
        }
    }
}
