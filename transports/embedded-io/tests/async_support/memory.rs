//! A server in memory, behind a stream that fragments and waits at will.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use embedded_io_async::{ErrorType, Read, ReadReady, Write};
use redwire_embedded_io::prelude::*;
use redwire_embedded_io::redwire::resp::Protocol;

pub use redwire_kit::server::Server;

/// What stands behind the streams of a [`Link`].
pub struct World {
    pub server: Server,
    /// What the server has said and nobody has read.
    pub inbound: VecDeque<u8>,
    /// The most bytes that a read or write takes.
    pub piece: usize,
    /// Every read, write and flush waits once before it does anything.
    pub hesitant: bool,
    /// Takes no byte.
    pub blocked: bool,
    /// Takes no byte while so many that it has said are not read.
    pub full: usize,
    /// What it says without end.
    pub flood: &'static [u8],
    pub connections: usize,
    /// Something was written and not flushed.
    pub unflushed: bool,
}

/// A connector whose streams are safe to be given up, or are not: those have read or written on the first poll and say
/// so on the second.
#[derive(Clone)]
pub struct Link<const SAFE: bool>(pub Rc<RefCell<World>>);

pub struct Stream<const SAFE: bool> {
    world: Rc<RefCell<World>>,
    /// Whether it has waited for a read, a write, a flush.
    waited: [bool; 3],
}

/// What a stream waits for.
const READ: usize = 0;
const WRITE: usize = 1;
const FLUSH: usize = 2;

pub type Redis<const SAFE: bool> = AsyncClient<'static, Link<SAFE>, TestClock>;

impl<const SAFE: bool> Link<SAFE> {
    pub fn new(server: Server, piece: usize) -> Self {
        Link(Rc::new(RefCell::new(World {
            server,
            inbound: VecDeque::new(),
            piece,
            hesitant: true,
            blocked: false,
            full: usize::MAX,
            flood: b"",
            connections: 0,
            unflushed: false,
        })))
    }

    /// A stream of its own.
    pub fn stream(&self) -> Stream<SAFE> {
        let mut world = self.0.borrow_mut();
        world.server.disconnect();
        world.inbound.clear();
        world.connections += 1;
        Stream { world: self.0.clone(), waited: [false; 3] }
    }

    pub fn client(&self, protocol: Protocol) -> Redis<SAFE> {
        self.configured(Config::default().no_library().protocol(protocol), TestClock::default())
    }

    pub fn configured(&self, config: Config<'static>, clock: TestClock) -> Redis<SAFE> {
        let memory = Box::leak(Box::new(StaticBuffers::<128, 256, 8, 64, 128>::sized()));
        AsyncClient::new(self.clone(), config, memory.memory(), clock)
    }
}

impl<const SAFE: bool> AsyncConnector for Link<SAFE> {
    type Stream = Stream<SAFE>;
    type Error = Infallible;

    const CANCEL_SAFE: bool = SAFE;

    async fn connect(&mut self) -> Result<Stream<SAFE>, Infallible> {
        let mut polls = 0;
        poll_fn(|_| {
            polls += 1;
            if polls > 2 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Ok(self.stream())
    }
}

impl World {
    fn send(&mut self, bytes: &[u8]) {
        self.server.receive(bytes);
        self.pump();
    }

    fn takes_nothing(&self) -> bool {
        self.blocked || self.inbound.len() >= self.full
    }

    pub fn pump(&mut self) {
        self.inbound.extend(self.server.out.drain(..));
    }
}

impl<const SAFE: bool> Stream<SAFE> {
    /// Whether to wait now; it never waits twice for this.
    fn hesitates(&mut self, what: usize) -> bool {
        self.waited[what] = self.world.borrow().hesitant && !self.waited[what];
        self.waited[what]
    }

    fn take(&self, count: usize) -> Vec<u8> {
        let mut world = self.world.borrow_mut();
        if world.inbound.is_empty() {
            let flood = world.flood;
            world.inbound.extend(flood);
        }
        let count = count.min(world.piece).min(world.inbound.len());
        world.inbound.drain(..count).collect()
    }
}

impl<const SAFE: bool> ErrorType for Stream<SAFE> {
    type Error = Infallible;
}

impl<const SAFE: bool> Read for Stream<SAFE> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let mut taken = Vec::new();
        poll_fn(|_| {
            if SAFE && self.hesitates(READ) {
                return Poll::Pending;
            }
            if taken.is_empty() {
                taken = self.take(buffer.len());
                if taken.is_empty() {
                    return if self.world.borrow().server.closed { Poll::Ready(()) } else { Poll::Pending };
                }
                if !SAFE && self.world.borrow().hesitant {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        })
        .await;
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

impl<const SAFE: bool> ReadReady for Stream<SAFE> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        let world = self.world.borrow();
        Ok(!world.inbound.is_empty() || world.server.closed)
    }
}

impl<const SAFE: bool> Write for Stream<SAFE> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let mut written = 0;
        poll_fn(|_| {
            if self.world.borrow().takes_nothing() || (SAFE && self.hesitates(WRITE)) {
                return Poll::Pending;
            }
            if written == 0 {
                let mut world = self.world.borrow_mut();
                written = bytes.len().min(world.piece);
                world.send(&bytes[..written]);
                world.unflushed = true;
                if !SAFE && world.hesitant {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        })
        .await;
        Ok(written)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        poll_fn(|_| if self.hesitates(FLUSH) { Poll::Pending } else { Poll::Ready(()) }).await;
        self.world.borrow_mut().unflushed = false;
        Ok(())
    }
}

/// A clock that the test sets, and that remembers when it was to wake somebody.
#[derive(Clone, Default)]
pub struct TestClock {
    pub micros: Rc<Cell<u64>>,
    pub wake_at: Rc<Cell<Option<u64>>>,
}

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.micros.set(self.micros.get() + by.as_micros() as u64);
    }
}

impl Clock for TestClock {
    fn now(&mut self) -> Instant {
        Instant::from_micros(self.micros.get())
    }

    fn wake_at(&mut self, moment: Instant, _: &Waker) {
        self.wake_at.set(Some(moment.as_micros()));
    }
}
