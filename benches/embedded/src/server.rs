//! A Redis server in memory, and the one stream to it that every client uses.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

/// What a read gives at most, as a network stack that hands over a segment would, in bytes.
pub const SEGMENT: usize = 1460;

/// The key of the large value. Any other key holds its own name.
pub const LARGE: &str = "large";

/// How often a future is polled before it is given up.
const POLLS: usize = 1_000_000;

/// Answers `GET` with a value, and everything else with `OK`, in RESP2.
///
/// A reply is on its way when its command was written, and is there when the client has waited for it
/// ([`deliver`](Self::deliver)), so it shows which commands were sent without waiting for each other.
#[derive(Debug)]
pub struct Server {
    value: Rc<[u8]>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was written and is no whole command yet.
    received: Vec<u8>,
    replies: VecDeque<Rc<[u8]>>,
    /// How many of the replies are there.
    arrived: usize,
    /// How much of the first of them was read.
    position: usize,
    held: bool,
    traffic: Traffic,
}

/// What went over the stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traffic {
    pub writes: usize,
    pub written: usize,
    pub commands: usize,
    pub reads: usize,
    /// How often the client waited for what was on its way.
    pub round_trips: usize,
    /// The most commands that were sent together, before there was a reply to one of them.
    pub together: usize,
}

impl Server {
    /// A server with a large value of so many bytes.
    pub fn new(size: usize) -> Self {
        let state = State {
            received: Vec::with_capacity(4096),
            replies: VecDeque::with_capacity(64),
            ..State::default()
        };
        Server { value: bulk(&vec![b'v'; size]), state: RefCell::new(state) }
    }

    /// Gives a stream to the server, as a connector does.
    ///
    /// # Errors
    /// None.
    pub fn connect(&self) -> Result<Socket<'_>, Infallible> {
        Ok(Socket(self))
    }

    /// Keeps back the replies that are on their way, or lets them go.
    pub fn hold(&self, held: bool) {
        self.state.borrow_mut().held = held;
    }

    /// What has gone over the stream since it was asked last.
    pub fn traffic(&self) -> Traffic {
        std::mem::take(&mut self.state.borrow_mut().traffic)
    }

    /// Time passes: what is on its way arrives.
    pub fn deliver(&self) {
        let state = &mut *self.state.borrow_mut();
        let on_their_way = state.replies.len() - state.arrived;
        if !state.held && on_their_way > 0 {
            state.arrived += on_their_way;
            state.traffic.round_trips += 1;
            state.traffic.together = state.traffic.together.max(on_their_way);
        }
    }

    fn is_ready(&self) -> bool {
        self.state.borrow().arrived > 0
    }

    fn has_commands(&self) -> bool {
        self.state.borrow().traffic.commands > 0
    }

    fn read(&self, buffer: &mut [u8]) -> usize {
        let state = &mut *self.state.borrow_mut();
        state.traffic.reads += 1;
        let Some(reply) = state.replies.front() else { return 0 };
        let rest = &reply[state.position..];
        let count = rest.len().min(buffer.len()).min(SEGMENT - state.position % SEGMENT);
        buffer[..count].copy_from_slice(&rest[..count]);
        state.position += count;
        if state.position == reply.len() {
            state.replies.pop_front();
            state.arrived -= 1;
            state.position = 0;
        }
        count
    }

    fn write(&self, bytes: &[u8]) -> usize {
        let state = &mut *self.state.borrow_mut();
        state.traffic.writes += 1;
        state.traffic.written += bytes.len();
        state.received.extend_from_slice(bytes);
        let mut rest = state.received.as_slice();
        while let Some((name, key, after)) = command(rest) {
            state.traffic.commands += 1;
            state.replies.push_back(match (name, key) {
                (b"GET", Some(key)) if key == LARGE.as_bytes() => self.value.clone(),
                (b"GET", Some(key)) => bulk(key),
                _ => Rc::from(*b"+OK\r\n"),
            });
            rest = after;
        }
        let done = state.received.len() - rest.len();
        state.received.drain(..done);
        bytes.len()
    }
}

fn bulk(text: &[u8]) -> Rc<[u8]> {
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat().into()
}

/// A command's name, its first argument, and what is behind it.
type Parsed<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// The first command in the bytes. None: it is not there as a whole.
fn command(bytes: &[u8]) -> Option<Parsed<'_>> {
    let (words, mut rest) = header(bytes, b'*')?;
    let (mut name, mut key): (&[u8], _) = (b"", None);
    for index in 0..words {
        let (length, word) = header(rest, b'$')?;
        let (word, after) = word.split_at_checked(length)?;
        rest = after.get(2..)?;
        match index {
            0 => name = word,
            1 => key = Some(word),
            _ => {}
        }
    }
    Some((name, key, rest))
}

/// The number in a line that begins with that byte, and what is behind the line.
fn header(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\r')?;
    assert_eq!(bytes[0], kind, "a command is an array of strings");
    let number = std::str::from_utf8(&bytes[1..end]).ok()?.parse().ok()?;
    Some((number, bytes.get(end + 2..)?))
}

/// A stream to the server: blocking and async, of `embedded-io`.
#[derive(Debug, Clone, Copy)]
pub struct Socket<'s>(pub &'s Server);

impl ErrorType for Socket<'_> {
    type Error = ErrorKind;
}

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        if !self.0.is_ready() {
            self.0.deliver();
        }
        if self.0.is_ready() { Ok(self.0.read(buffer)) } else { Err(ErrorKind::TimedOut) }
    }
}

impl ReadReady for Socket<'_> {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        if !self.0.is_ready() {
            self.0.deliver();
        }
        Ok(self.0.is_ready())
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(self.0.write(bytes))
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl embedded_io_async::Read for Socket<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        // Whoever waits is polled again when something may have come.
        poll_fn(|_| if self.0.is_ready() { Poll::Ready(()) } else { Poll::Pending }).await;
        Ok(self.0.read(buffer))
    }
}

impl embedded_io_async::Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(self.0.write(bytes))
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// The network stack in which the server is to be found.
#[derive(Debug)]
pub struct Network<'s>(pub &'s Server);

impl embedded_nal_async::TcpConnect for Network<'_> {
    type Error = ErrorKind;
    type Connection<'a>
        = Socket<'a>
    where
        Self: 'a;

    async fn connect<'a>(&'a self, _: SocketAddr) -> Result<Socket<'a>, ErrorKind> {
        Ok(Socket(self.0))
    }
}

/// Polls a future until it is done. While it waits, time passes.
pub fn block_on<F: Future>(server: &Server, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        server.deliver();
    }
    panic!("a future that never ends");
}

/// Polls a future until the server has its command, and drops it. The replies have to be held.
pub fn cancel<F: Future>(server: &Server, future: F) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    server.traffic();
    while !server.has_commands() {
        assert!(future.as_mut().poll(&mut context).is_pending(), "it waits for the reply");
    }
}

/// A clock on which a millisecond passes whenever it is looked at.
#[derive(Debug, Default)]
pub struct Ticks(Cell<u64>);

impl Ticks {
    /// The time in microseconds.
    pub fn tick(&self) -> u64 {
        self.0.set(self.0.get() + 1000);
        self.0.get()
    }
}

impl embedded_time::Clock for Ticks {
    type T = u64;
    const SCALING_FACTOR: embedded_time::fraction::Fraction =
        embedded_time::fraction::Fraction::new(1, 1_000_000);

    fn try_now(&self) -> Result<embedded_time::Instant<Self>, embedded_time::clock::Error> {
        Ok(embedded_time::Instant::new(self.tick()))
    }
}
