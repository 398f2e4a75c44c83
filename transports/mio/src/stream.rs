//! What a client is pumped through, and where it comes from: sockets, or a stream of the user's.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(unix)]
use std::path::{Path, PathBuf};

#[cfg(unix)]
use mio::net::UnixStream;
use mio::{Interest, Registry, Token, event::Source, net::TcpStream};
use redwire::url::Endpoint;

/// A stream that never blocks: what would has to give [`io::ErrorKind::WouldBlock`], and be announced by an event when it
/// no longer would. Those of mio are streams; one of TLS around them can be.
pub trait Stream: Read + Write + Source {
    /// Goes on with connecting, as far as that is possible now: true when the stream can be read and written, false when
    /// there is an event to wait for. It is called after each event until it gives true, and never after that.
    ///
    /// # Errors
    /// Connecting has failed.
    fn finish_connect(&mut self) -> io::Result<bool>;
}

/// Begins to connect, as often as it takes. A closure that gives a [`Stream`] is one, and so is an [`Address`].
///
/// ```no_run
/// use mio::net::TcpStream;
/// use redwire_mio::Client;
/// use redwire_mio::redwire::connection::Config;
/// use std::time::Instant;
///
/// let connect = || TcpStream::connect("127.0.0.1:6379".parse().unwrap());
/// let redis = Client::new(Instant::now(), connect, Config::default());
/// # let _ = redis;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not give streams to a client",
    label = "an `Address`, or a closure that gives an `io::Result` with a `Stream`, such as a `TcpStream` of mio"
)]
pub trait Connector {
    /// What connections go over.
    type Stream: Stream;

    /// A stream that begins to connect to the address of this number, and is registered with no loop yet. It must not
    /// block. The numbers begin with 0, and are less than [`choices`](Self::choices).
    ///
    /// # Errors
    /// Connecting has failed at once.
    fn connect(&mut self, address: usize) -> io::Result<Self::Stream>;

    /// How many addresses there are. All are tried, one directly after the other, before there is a pause.
    fn choices(&self) -> usize {
        1
    }
}

impl<S: Stream, F: FnMut() -> io::Result<S>> Connector for F {
    type Stream = S;

    fn connect(&mut self, _: usize) -> io::Result<S> {
        self()
    }
}

/// Where a server listens. Names of hosts are not resolved, since that blocks: resolve them before the loop begins.
///
/// ```
/// use redwire_mio::Address;
/// use std::net::ToSocketAddrs;
///
/// let by_name = Address::tcp("localhost:6379".to_socket_addrs()?);
/// let by_path = Address::unix("/run/redis.sock");
/// # let _ = (by_name, by_path);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Address {
    places: Places,
}

#[derive(Debug, Clone)]
enum Places {
    Tcp(Vec<SocketAddr>),
    #[cfg(unix)]
    Unix(PathBuf),
}

impl Address {
    /// A TCP port; of several they are tried in turn.
    pub fn tcp(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Address { places: Places::Tcp(addresses.into_iter().collect()) }
    }

    /// A Unix domain socket.
    #[cfg(unix)]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Address { places: Places::Unix(path.as_ref().to_owned()) }
    }

    /// The place that a [`Url`](redwire::url::Url) names, if its host is an IP address, or `localhost`: that is
    /// `127.0.0.1`, then `::1`, whatever the system makes of it.
    ///
    /// ```
    /// use redwire_mio::{Address, redwire::url::Url};
    ///
    /// let url: Url = "redis://10.0.0.7:6380".parse()?;
    /// assert!(Address::of(&url.endpoint).is_ok());
    /// let url: Url = "redis://cache.example".parse()?;
    /// assert!(Address::of(&url.endpoint).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`]: the host is a name. [`io::ErrorKind::Unsupported`]: no such sockets here.
    pub fn of(endpoint: &Endpoint) -> io::Result<Self> {
        let tcp =
            |hosts: &[IpAddr], port| Address::tcp(hosts.iter().map(|&host| SocketAddr::new(host, port)));
        match endpoint {
            Endpoint::Tcp { host, port } if host.eq_ignore_ascii_case("localhost") => {
                Ok(tcp(&[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()], *port))
            }
            Endpoint::Tcp { host, port } => match host.parse::<IpAddr>() {
                Ok(host) => Ok(tcp(&[host], *port)),
                Err(_) => Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the host is a name, and to resolve it would block: resolve it before, and use Address::tcp",
                )),
            },
            #[cfg(unix)]
            Endpoint::Unix { path } => Ok(Address::unix(path)),
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "no such sockets on this system")),
        }
    }
}

impl Connector for Address {
    type Stream = Socket;

    fn connect(&mut self, address: usize) -> io::Result<Socket> {
        match &self.places {
            Places::Tcp(addresses) => {
                let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
                let address = *addresses.get(address).ok_or_else(none)?;
                TcpStream::connect(address).map(Socket::Tcp)
            }
            #[cfg(unix)]
            Places::Unix(path) => UnixStream::connect(path).map(Socket::Unix),
        }
    }

    fn choices(&self) -> usize {
        match &self.places {
            Places::Tcp(addresses) => addresses.len(),
            #[cfg(unix)]
            Places::Unix(_) => 1,
        }
    }
}

/// A socket of mio, as an [`Address`] gives it: over TCP, without delay (`TCP_NODELAY`), or a Unix domain socket.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// A Unix domain socket.
    #[cfg(unix)]
    Unix(UnixStream),
}

macro_rules! either {
    ($self:expr, $stream:ident => $result:expr) => {
        match $self {
            Socket::Tcp($stream) => $result,
            #[cfg(unix)]
            Socket::Unix($stream) => $result,
        }
    };
}

impl Stream for Socket {
    fn finish_connect(&mut self) -> io::Result<bool> {
        either!(self, stream => stream.finish_connect())
    }
}

impl Stream for TcpStream {
    fn finish_connect(&mut self) -> io::Result<bool> {
        if !settled(self.take_error(), || self.peer_addr())? {
            return Ok(false);
        }
        // Commands are short, and written whole: waiting for more of them only delays.
        self.set_nodelay(true)?;
        Ok(true)
    }
}

#[cfg(unix)]
impl Stream for UnixStream {
    fn finish_connect(&mut self) -> io::Result<bool> {
        settled(self.take_error(), || self.peer_addr())
    }
}

/// Whether a socket is connected, from its error and its peer, as mio says it is to be found out.
fn settled<A>(
    error: io::Result<Option<io::Error>>,
    peer: impl FnOnce() -> io::Result<A>,
) -> io::Result<bool> {
    if let Some(error) = error? {
        return Err(error);
    }
    match peer() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => stream.read(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, stream => stream.flush())
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        either!(self, stream => stream.register(registry, token, interests))
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        either!(self, stream => stream.reregister(registry, token, interests))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        either!(self, stream => stream.deregister(registry))
    }
}
