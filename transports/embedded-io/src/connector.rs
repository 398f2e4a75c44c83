//! Where streams come from: the caller's part of connecting and connecting again.

use embedded_io::{Error, Read, Write};

/// Gives the blocking client its streams. Any closure that gives a `Result` with a stream is one.
///
/// The client asks for a stream when it has none and something is to be sent. What a stream cannot say itself a connector
/// can: bring a modem up, look a name up, pause before the next attempt.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not give streams to a blocking client",
    label = "a closure that gives a `Result` with a stream, or a `Line`: `|| modem.open(\"redis.lan\", 6379)`",
    note = "the stream has to be `embedded_io::Read` and `Write`, and the error an `embedded_io::Error`",
    note = "those of std get there with `embedded_io_adapters::std::FromStd`"
)]
pub trait Connector {
    /// A stream to the server.
    type Stream: Read + Write;
    /// Why there is none.
    type Error: Error;

    /// Asked before each handshake: None where each stream is a connection of its own, on which nothing is left of an earlier
    /// one, as with sockets. Otherwise a number, and the client makes sure in the handshake that replies answer what was
    /// asked, by a PING whose text is made of the number; the connection ends if something else comes back.
    ///
    /// It has to be one that was never given on this line before, not even before a reset of the device: take it from a
    /// source of entropy, or from a counter that is kept through resets. Else what an earlier life was still to be answered
    /// passes for the echo, and every reply is one late from then on.
    fn nonce(&mut self) -> Option<u64> {
        None
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// The caller of the client gets [`ErrorKind::Connect`](crate::ErrorKind::Connect), and the kind of this as the origin.
    fn connect(&mut self) -> Result<Self::Stream, Self::Error>;

    /// Takes a stream back that has ended, or that the client gives up. Close it, so that the server notices.
    fn disconnect(&mut self, stream: Self::Stream) {
        drop(stream);
    }
}

impl<F, S, E> Connector for F
where
    F: FnMut() -> Result<S, E>,
    S: Read + Write,
    E: Error,
{
    type Stream = S;
    type Error = E;

    fn connect(&mut self) -> Result<S, E> {
        self()
    }
}

/// Gives the async client its streams. Any async closure that gives a `Result` with a stream is one, and so is a [`Line`];
/// both for streams that may not be given up on the way, unless they are in a [`CancelSafe`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not give streams to an async client",
    label = "an async closure that gives a `Result` with a stream, `CancelSafe` around one, or a `Line`",
    note = "the stream has to be `embedded_io_async::Read` and `Write`, and the error an `embedded_io::Error`",
    note = "those of tokio get there with `embedded_io_adapters::tokio_1::FromTokio`"
)]
#[allow(async_fn_in_trait, reason = "executors for devices run tasks that do not move between threads")]
pub trait AsyncConnector {
    /// A stream to the server.
    type Stream: embedded_io_async::Read + embedded_io_async::Write;
    /// Why there is none.
    type Error: Error;

    /// Whether `read`, `write` and `flush` of the stream may be given up on the way without losing or sending a byte
    /// ("side-effect-free on cancel" in the words of `embedded-io-async`). A stream's documentation says so: those of
    /// sockets and of buffered UARTs do, those that hand the caller's memory to a DMA controller do not.
    ///
    /// If not, an async call that is dropped while a byte is on its way ends the connection, and the next call says so.
    const CANCEL_SAFE: bool;

    /// Whether [`connect`](Self::connect) may be dropped between two polls and called again, and goes on where it was: true
    /// where it never waits, as for a [`Line`]. A command that is called as a method connects by
    /// itself then; otherwise it fails with [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected) where there is no
    /// connection, and [`execute`](crate::AsyncClient::execute) and all other calls connect.
    const RESUMES: bool = false;

    /// A number that was never given before where streams are not connections of their own, as [`Connector::nonce`] says.
    fn nonce(&mut self) -> Option<u64> {
        None
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// The caller of the client gets [`ErrorKind::Connect`](crate::ErrorKind::Connect), and the kind of this as the origin.
    async fn connect(&mut self) -> Result<Self::Stream, Self::Error>;

    /// Takes a stream back that has ended, or that the client gives up. Close it, so that the server notices.
    fn disconnect(&mut self, stream: Self::Stream) {
        drop(stream);
    }
}

impl<F, S, E> AsyncConnector for F
where
    F: AsyncFnMut() -> Result<S, E>,
    S: embedded_io_async::Read + embedded_io_async::Write,
    E: Error,
{
    type Stream = S;
    type Error = E;

    const CANCEL_SAFE: bool = false;

    async fn connect(&mut self) -> Result<S, E> {
        self().await
    }
}

/// A connector of which the caller knows that its streams are safe to be given up on the way
/// ([`AsyncConnector::CANCEL_SAFE`]).
///
/// ```
/// use embedded_io_adapters::tokio_1::FromTokio;
/// use redwire_embedded_io::CancelSafe;
/// use tokio::net::TcpStream;
///
/// let connector = CancelSafe(async || TcpStream::connect("127.0.0.1:6379").await.map(FromTokio::new));
/// # let _ = connector;
/// ```
///
/// Without it a command cannot be called as a method, which gives a read up between two polls: that does not compile.
///
/// ```compile_fail
/// # use redwire_embedded_io::prelude::*;
/// # async fn run<S: embedded_io_async::Read + embedded_io_async::Write>(uart: S) -> Result<(), Error> {
/// # let mut memory = StaticBuffers::<512, 256, 8>::new();
/// let mut redis = AsyncClient::new(Line::new(uart, 7), Config::default(), memory.memory(), NoClock);
/// let boots: i64 = redis.incr("boots").await?;
/// # Ok(())
/// # }
/// # struct Dma;
/// # impl embedded_io::ErrorType for Dma { type Error = embedded_io::ErrorKind; }
/// # impl embedded_io_async::Read for Dma {
/// #     async fn read(&mut self, _: &mut [u8]) -> Result<usize, embedded_io::ErrorKind> { Ok(0) }
/// # }
/// # impl embedded_io_async::Write for Dma {
/// #     async fn write(&mut self, bytes: &[u8]) -> Result<usize, embedded_io::ErrorKind> { Ok(bytes.len()) }
/// #     async fn flush(&mut self) -> Result<(), embedded_io::ErrorKind> { Ok(()) }
/// # }
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # let _ = std::pin::pin!(run(Dma)).poll(&mut context);
/// ```
///
/// `redis.execute(incr("boots"))` does.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CancelSafe<C>(pub C);

impl<C: AsyncConnector> AsyncConnector for CancelSafe<C> {
    type Stream = C::Stream;
    type Error = C::Error;

    const CANCEL_SAFE: bool = true;
    const RESUMES: bool = C::RESUMES;

    fn nonce(&mut self) -> Option<u64> {
        self.0.nonce()
    }

    async fn connect(&mut self) -> Result<C::Stream, C::Error> {
        self.0.connect().await
    }

    fn disconnect(&mut self, stream: C::Stream) {
        self.0.disconnect(stream);
    }
}

/// A connector whose attempt to connect goes on where it was when a call is dropped meanwhile, so that commands as methods
/// connect by themselves ([`AsyncConnector::RESUMES`]). The attempt is kept on the heap.
///
/// ```
/// use embedded_io_adapters::tokio_1::FromTokio;
/// use redwire_embedded_io::{CancelSafe, Resuming};
/// use tokio::net::TcpStream;
///
/// let open = || async { TcpStream::connect("127.0.0.1:6379").await.map(FromTokio::new) };
/// let connector = CancelSafe(Resuming::new(open));
/// # let _ = connector;
/// ```
#[cfg(feature = "alloc")]
pub struct Resuming<F, T> {
    open: F,
    attempt: Option<core::pin::Pin<alloc::boxed::Box<T>>>,
}

#[cfg(feature = "alloc")]
impl<F: FnMut() -> T, T: Future> Resuming<F, T> {
    /// A connector that opens its streams by this closure.
    pub const fn new(open: F) -> Self {
        Resuming { open, attempt: None }
    }
}

#[cfg(feature = "alloc")]
impl<F, T> core::fmt::Debug for Resuming<F, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Resuming").field("connecting", &self.attempt.is_some()).finish()
    }
}

#[cfg(all(feature = "alloc", feature = "defmt"))]
impl<F, T> defmt::Format for Resuming<F, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Resuming {{ connecting: {} }}", self.attempt.is_some());
    }
}

#[cfg(feature = "alloc")]
impl<F, T, S, E> AsyncConnector for Resuming<F, T>
where
    F: FnMut() -> T,
    T: Future<Output = Result<S, E>>,
    S: embedded_io_async::Read + embedded_io_async::Write,
    E: Error,
{
    type Stream = S;
    type Error = E;

    const CANCEL_SAFE: bool = false;
    const RESUMES: bool = true;

    async fn connect(&mut self) -> Result<S, E> {
        let attempt = self.attempt.get_or_insert_with(|| alloc::boxed::Box::pin((self.open)()));
        let opened = attempt.as_mut().await;
        self.attempt = None;
        opened
    }
}

/// The connector of a stream that is always there, such as a serial line.
///
/// After a lost connection, or a reset of the device, the line is used again as it is, with whatever the server had still
/// to say in that earlier life. The client notices: [`connect`](crate::Client::connect) fails, of kind
/// [`Protocol`](crate::ErrorKind::Protocol) or [`OutOfStep`](crate::ErrorKind::OutOfStep), until that has been read. It
/// cannot notice what the server is still waiting for. Where that may be the rest of a command, let the other end of the
/// line open a new connection.
pub struct Line<S> {
    stream: Option<S>,
    nonce: u64,
}

impl<S> Line<S> {
    /// A connector that gives this stream, and gets it back.
    ///
    /// `seed` is what the [nonces](Connector::nonce) are made of, and has to be another in each life of the device: a random
    /// number, or how often it has started. Where the device has neither, and gives the same each time, a reset between the
    /// PING of the handshake and its echo goes unnoticed.
    pub const fn new(stream: S, seed: u64) -> Self {
        Line { stream: Some(stream), nonce: seed }
    }

    /// The stream, while no client has it.
    pub const fn stream(&mut self) -> Option<&mut S> {
        self.stream.as_mut()
    }

    /// The next number of a sequence in which those of other seeds do not come for a long time.
    const fn next_nonce(&mut self) -> u64 {
        // Multiples of it are far from each other.
        self.nonce = self.nonce.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.nonce
    }
}

impl<S> core::fmt::Debug for Line<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Line").field("in_use", &self.stream.is_none()).finish()
    }
}

#[cfg(feature = "defmt")]
impl<S> defmt::Format for Line<S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Line {{ in_use: {=bool} }}", self.stream.is_none());
    }
}

/// A line is given to one client at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InUse;

impl core::fmt::Display for InUse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the line is in use")
    }
}

impl core::error::Error for InUse {}

impl Error for InUse {
    fn kind(&self) -> embedded_io::ErrorKind {
        embedded_io::ErrorKind::AddrInUse
    }
}

impl<S: Read + Write> Connector for Line<S> {
    type Stream = S;
    type Error = InUse;

    fn nonce(&mut self) -> Option<u64> {
        Some(self.next_nonce())
    }

    fn connect(&mut self) -> Result<S, InUse> {
        self.stream.take().ok_or(InUse)
    }

    fn disconnect(&mut self, stream: S) {
        self.stream = Some(stream);
    }
}

impl<S: embedded_io_async::Read + embedded_io_async::Write> AsyncConnector for Line<S> {
    type Stream = S;
    type Error = InUse;

    const CANCEL_SAFE: bool = false;
    const RESUMES: bool = true;

    fn nonce(&mut self) -> Option<u64> {
        Some(self.next_nonce())
    }

    async fn connect(&mut self) -> Result<S, InUse> {
        self.stream.take().ok_or(InUse)
    }

    fn disconnect(&mut self, stream: S) {
        self.stream = Some(stream);
    }
}
