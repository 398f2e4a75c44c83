//! Errors: those of the client layer, with the server they happened at and what the stream said.

use std::fmt;
use std::io;
use std::sync::Arc;

use redwire::client;

/// Why something could not be done, where, to which command, and whether the server may have done it all the same.
///
/// [`kind`](client::Error::kind) is what to match on. Where the stream has said something, it is the
/// [`source`](std::error::Error::source).
pub type Error = client::Error<Peer>;

/// Which server an error happened at, and what the stream to it said.
#[derive(Debug, Default)]
pub struct Peer {
    server: Option<Arc<str>>,
    io_error: Option<io::Error>,
}

impl Peer {
    pub(crate) fn new(server: &Arc<str>, io_error: Option<io::Error>) -> Self {
        Peer { server: Some(server.clone()), io_error }
    }

    /// The server: `localhost:6379`, or the path of its socket.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// What the stream said when it broke, or when there was none to be had. None if it just ended.
    pub fn io_error(&self) -> Option<&io::Error> {
        self.io_error.as_ref()
    }
}

impl client::Origin for Peer {
    fn server(&self) -> Option<&dyn fmt::Display> {
        self.server.as_ref().map(|server| server as _)
    }

    fn cause(&self) -> Option<&dyn fmt::Display> {
        self.io_error.as_ref().map(|error| error as _)
    }

    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.io_error.as_ref().map(|error| error as _)
    }

    fn advice(&self) -> Option<&'static str> {
        match self.io_error.as_ref()?.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Some("is a server running there?"),
            io::ErrorKind::PermissionDenied => Some("may this user open the socket?"),
            _ => None,
        }
    }
}
