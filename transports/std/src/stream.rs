//! Sockets: TCP and Unix domain, with what waiting needs.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use redwire::url::Endpoint;

/// How long a write may wait before what the server has sent is read. Without that pause client and server can wait for
/// each other for ever, when both have more to send than the buffers between them hold.
///
/// Elsewhere than on Unix a socket is not usable any more once a write has timed out.
const WRITE_SLICE: Option<Duration> = if cfg!(unix) { Some(Duration::from_millis(5)) } else { None };

/// How long a read waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    Not,
    /// So long at most.
    For(Duration),
    /// For as long as it takes.
    Forever,
}

/// What a connection goes over: a socket, or a stream of the user's own, such as one of TLS.
///
/// ```
/// use std::io::{self, Read, Write};
/// use std::net::TcpStream;
/// use redwire_std::{Stream, Wait};
///
/// #[derive(Debug)]
/// struct Counted {
///     stream: TcpStream,
///     read: usize,
/// }
///
/// impl Stream for Counted {
///     fn read(&mut self, buffer: &mut [u8], wait: Wait) -> io::Result<usize> {
///         self.stream.set_nonblocking(wait == Wait::Not)?;
///         if let Wait::For(timeout) = wait {
///             self.stream.set_read_timeout(Some(timeout))?;
///         } else {
///             self.stream.set_read_timeout(None)?;
///         }
///         let count = self.stream.read(buffer)?;
///         self.read += count;
///         Ok(count)
///     }
///
///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
///         self.stream.set_nonblocking(true)?;
///         self.stream.write(bytes)
///     }
/// }
/// ```
pub trait Stream: fmt::Debug + Send {
    /// Reads what there is, or waits for it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`] when nothing has come in that time; any other ends the
    /// connection. Zero bytes are its end.
    fn read(&mut self, buffer: &mut [u8], wait: Wait) -> io::Result<usize>;

    /// Writes as much as it takes at once, or after waiting for a few milliseconds.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it takes nothing now: something has to be read first, it may be.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// Makes streams. A closure is one.
pub trait Connector: Send + Sync {
    /// A stream that is connected to the server, after no longer than `timeout`; none is for ever.
    ///
    /// # Errors
    /// There is none to be had.
    fn connect(&self, endpoint: &Endpoint, timeout: Option<Duration>) -> io::Result<Box<dyn Stream>>;
}

impl<F> Connector for F
where
    F: Fn(&Endpoint, Option<Duration>) -> io::Result<Box<dyn Stream>> + Send + Sync,
{
    fn connect(&self, endpoint: &Endpoint, timeout: Option<Duration>) -> io::Result<Box<dyn Stream>> {
        self(endpoint, timeout)
    }
}

/// Connects sockets: TCP and Unix domain.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sockets;

impl Connector for Sockets {
    fn connect(&self, endpoint: &Endpoint, timeout: Option<Duration>) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(Socket::connect(endpoint, timeout)?))
    }
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

macro_rules! either {
    ($self:expr, $stream:ident => $result:expr) => {
        match &$self.kind {
            Kind::Tcp($stream) => $result,
            #[cfg(unix)]
            Kind::Unix($stream) => $result,
        }
    };
}

/// A connected socket.
#[derive(Debug)]
struct Socket {
    kind: Kind,
    /// The timeout that reads have now.
    read_timeout: Option<Duration>,
}

impl Socket {
    /// Connects: over TCP to the addresses of the host, one after the other, until one accepts.
    fn connect(endpoint: &Endpoint, timeout: Option<Duration>) -> io::Result<Self> {
        let kind = match endpoint {
            Endpoint::Tcp { host, port } => Kind::Tcp(connect_tcp(host, *port, timeout)?),
            #[cfg(unix)]
            Endpoint::Unix { path } => Kind::Unix(std::os::unix::net::UnixStream::connect(path)?),
            _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "no such sockets on this system")),
        };
        let stream = Socket { kind, read_timeout: None };
        either!(stream, stream => stream.set_write_timeout(WRITE_SLICE))?;
        Ok(stream)
    }

    fn read_once(&self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => (&mut &*stream).read(buffer))
    }

    /// Sets the timeout, unless the one before will do: waking early does no harm.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let will_do = match (self.read_timeout, timeout) {
            (None, None) => true,
            (Some(set), Some(wanted)) => {
                set >= wanted / 2 && set <= wanted.saturating_add(Duration::from_millis(1))
            }
            _ => false,
        };
        if !will_do {
            either!(self, stream => stream.set_read_timeout(timeout))?;
            self.read_timeout = timeout;
        }
        Ok(())
    }
}

impl Stream for Socket {
    fn read(&mut self, buffer: &mut [u8], wait: Wait) -> io::Result<usize> {
        let result = match wait {
            Wait::Not => {
                either!(self, stream => stream.set_nonblocking(true))?;
                let result = self.read_once(buffer);
                either!(self, stream => stream.set_nonblocking(false))?;
                result
            }
            Wait::For(timeout) => {
                self.set_read_timeout(Some(timeout.max(Duration::from_micros(100))))?;
                self.read_once(buffer)
            }
            Wait::Forever => {
                self.set_read_timeout(None)?;
                self.read_once(buffer)
            }
        };
        // What a timeout is called depends on the system.
        result.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => io::ErrorKind::WouldBlock.into(),
            _ => error,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => (&mut &*stream).write(bytes)).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut if WRITE_SLICE.is_some() => io::ErrorKind::WouldBlock.into(),
            _ => error,
        })
    }
}

fn connect_tcp(host: &str, port: u16, timeout: Option<Duration>) -> io::Result<TcpStream> {
    // A moment too far to be counted is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        let connected = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => TcpStream::connect(address),
            Some(Duration::ZERO) => Err(io::ErrorKind::TimedOut.into()),
            Some(left) => TcpStream::connect_timeout(&address, left),
        };
        match connected {
            Ok(stream) => {
                // Commands are short, and written whole: waiting for more of them only delays.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
