//! A stream in memory with a small server behind it, a clock that stands still unless something waits, and faults.

#![allow(dead_code, reason = "not every test file uses everything")]

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::rc::Rc;

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use redwire::resp::Protocol;
use redwire_embedded_io::prelude::*;

use redwire_kit::server::Server;

/// What a stream does instead of its work, at a place in what goes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `Ok(0)`, from then on.
    Zero,
    /// An error, from then on.
    Broken(ErrorKind),
    /// It gives up, once.
    GaveUp(ErrorKind),
}

#[derive(Default)]
pub struct State {
    pub server: Server,
    pub micros: u64,
    /// The most bytes that go over the line at once, each way; none is any number.
    pub piece: Option<usize>,
    /// No transfer goes beyond this place, counted from the beginning of the connection, each way.
    pub cut: Option<usize>,
    /// Bytes on their way to the client.
    pub inbound: VecDeque<u8>,
    /// What is on the lines of the next connections before anything is asked.
    pub noise: VecDeque<Vec<u8>>,
    /// What comes at a moment, in microseconds.
    pub later: VecDeque<(u64, Vec<u8>)>,
    /// What the connector says before it gives a stream.
    pub refusals: VecDeque<ErrorKind>,
    /// Streams given, and given back.
    pub opened: usize,
    pub closed: usize,
    /// On the first connection, behind so many bytes.
    pub write_fault: Option<(usize, Fault)>,
    pub read_fault: Option<(usize, Fault)>,
    /// A read that finds nothing gives up after so long.
    pub patience: Option<Duration>,
    /// Bytes written and read over the connection so far.
    pub written: Vec<u8>,
    pub read: usize,
    pub flushes: usize,
    unflushed: bool,
}

/// The memory, the clock and the line that a test and a client share.
#[derive(Clone, Default)]
pub struct World(Rc<RefCell<State>>);

pub type Redis<'b> = Client<'b, World, Time>;

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with(server: Server) -> Self {
        let world = Self::default();
        world.state().server = server;
        world
    }

    pub fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    pub fn client<'b>(&self, config: Config<'b>, memory: impl Into<Memory<'b>>) -> Redis<'b> {
        Client::new(self.clone(), config, memory, Time(self.clone()))
    }

    pub fn set(&self, key: &str, value: &str) {
        self.state().server.values.insert(key.into(), value.into());
    }

    /// Answers a command with these bytes, once.
    pub fn answer(&self, command: &str, bytes: impl AsRef<[u8]>) {
        self.state().server.answers.insert(command.into(), bytes.as_ref().to_vec());
    }

    /// Publishes as another client would.
    pub fn publish(&self, channel: &str, message: &str) {
        aside(|| {
            self.state().server.publish(channel, message);
            self.state().deliver();
        })
    }

    /// What the server says of itself.
    pub fn say(&self, bytes: &[u8]) {
        self.state().server.say(bytes);
        self.state().deliver();
    }

    pub fn resume(&self) {
        aside(|| {
            self.state().server.resume();
            self.state().deliver();
        })
    }

    /// The server closes the connection behind what it has said.
    pub fn hang_up(&self) {
        self.state().server.closed = true;
    }

    /// What the server was asked, over all connections, without the handshakes; `--` stands between connections.
    pub fn seen(&self) -> Vec<String> {
        let state = self.state();
        let own = |line: &&String| !["HELLO", "CLIENT SETINFO"].iter().any(|name| line.starts_with(name));
        state.server.seen.iter().filter(own).cloned().collect()
    }

    /// How often the server was asked this.
    pub fn count(&self, line: &str) -> usize {
        self.state().server.seen.iter().filter(|seen| *seen == line).count()
    }

    /// How many bytes went over the connection: written, and read.
    pub fn gone(&self) -> (usize, usize) {
        let state = self.state();
        (state.written.len(), state.read)
    }

    /// How many streams the connector has given, and got back.
    pub fn streams(&self) -> (usize, usize) {
        let state = self.state();
        (state.opened, state.closed)
    }

    pub fn millis(&self) -> u64 {
        self.state().micros / 1000
    }
}

impl State {
    fn deliver(&mut self) {
        let out = std::mem::take(&mut self.server.out);
        self.inbound.extend(out);
    }

    /// How many bytes may go over the line now, of so many.
    fn limit(&self, count: usize, at: usize, fault: Option<(usize, Fault)>) -> usize {
        let before = |place: usize| if place > at { place - at } else { usize::MAX };
        let fault = fault.map_or(usize::MAX, |(place, _)| before(place));
        let cut = self.cut.map_or(usize::MAX, before);
        count.min(self.piece.unwrap_or(usize::MAX)).min(cut).min(fault)
    }
}

/// A fault whose place has been reached, if it is on.
fn due(fault: &mut Option<(usize, Fault)>, at: usize) -> Option<Fault> {
    let (_, what) = fault.filter(|(place, _)| *place == at)?;
    if matches!(what, Fault::GaveUp(_)) {
        *fault = None;
    }
    Some(what)
}

impl Connector for World {
    type Stream = Wire;
    type Error = ErrorKind;

    fn connect(&mut self) -> Result<Wire, ErrorKind> {
        aside(|| {
            let mut state = self.state();
            assert_eq!(state.opened, state.closed, "the stream before it was not given back");
            if let Some(kind) = state.refusals.pop_front() {
                return Err(kind);
            }
            if state.opened > 0 {
                // Those were for the first.
                state.write_fault = None;
                state.read_fault = None;
                state.server.disconnect();
                state.server.seen.push("--".into());
            }
            state.opened += 1;
            state.inbound = state.noise.pop_front().unwrap_or_default().into();
            state.written.clear();
            state.read = 0;
            Ok(Wire(self.clone()))
        })
    }

    fn disconnect(&mut self, _: Wire) {
        self.state().closed += 1;
    }
}

/// A stream of the world's.
pub struct Wire(World);

impl ErrorType for Wire {
    type Error = ErrorKind;
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        aside(|| {
            let state = &mut *self.0.state();
            assert!(!bytes.is_empty(), "nothing to be written");
            let at = state.written.len();
            match due(&mut state.write_fault, at) {
                Some(Fault::Zero) => return Ok(0),
                Some(Fault::Broken(kind) | Fault::GaveUp(kind)) => return Err(kind),
                None => {}
            }
            let count = state.limit(bytes.len(), at, state.write_fault);
            state.written.extend_from_slice(&bytes[..count]);
            state.server.receive(&bytes[..count]);
            state.unflushed = true;
            Ok(count)
        })
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        aside(|| {
            let mut state = self.0.state();
            assert!(state.unflushed, "flushed for nothing");
            state.unflushed = false;
            state.flushes += 1;
            // What the server says comes when it has been sent on.
            state.deliver();
            Ok(())
        })
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        aside(|| {
            let state = &mut *self.0.state();
            assert!(!buffer.is_empty(), "no room to read into");
            match due(&mut state.read_fault, state.read) {
                Some(Fault::Zero) => return Ok(0),
                Some(Fault::Broken(kind) | Fault::GaveUp(kind)) => return Err(kind),
                None => {}
            }
            if state.inbound.is_empty() {
                if state.server.closed {
                    return Ok(0);
                }
                let patience = state.patience.expect("a read that would wait for ever");
                state.micros += patience.as_micros() as u64;
                return Err(ErrorKind::TimedOut);
            }
            let count = state.limit(buffer.len().min(state.inbound.len()), state.read, state.read_fault);
            for (place, byte) in buffer.iter_mut().zip(state.inbound.drain(..count)) {
                *place = byte;
            }
            state.read += count;
            Ok(count)
        })
    }
}

impl ReadReady for Wire {
    /// Each time there is nothing a millisecond passes.
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        let mut state = self.0.state();
        while state.later.front().is_some_and(|(at, _)| *at <= state.micros) {
            let bytes = state.later.pop_front().unwrap_or_default().1;
            state.inbound.extend(bytes);
        }
        let faulty = state.read_fault.is_some_and(|(place, _)| place == state.read);
        let ready = faulty || !state.inbound.is_empty() || state.server.closed;
        if !ready {
            state.micros += 1000;
        }
        Ok(ready)
    }
}

/// The world's clock.
pub struct Time(World);

impl Time {
    pub fn of(world: &World) -> Self {
        Time(world.clone())
    }
}

impl Clock for Time {
    fn now(&mut self) -> Instant {
        Instant::from_micros(self.0.state().micros)
    }

    fn pause(&mut self, duration: Duration) {
        self.0.state().micros += duration.as_micros() as u64;
    }
}

/// Both protocols, with what they are called.
pub fn protocols() -> [(&'static str, Config<'static>); 2] {
    [
        ("resp2", Config::default().protocol(Protocol::Resp2)),
        ("resp3", Config::default().protocol(Protocol::Resp3)),
    ]
}

/// A connector whose streams take nothing for a while: so many writes give up, each after ten milliseconds.
pub struct Stuck {
    pub world: World,
    pub stuck: Rc<Cell<u32>>,
}

pub struct StuckWire {
    wire: Wire,
    stuck: Rc<Cell<u32>>,
}

impl Connector for Stuck {
    type Stream = StuckWire;
    type Error = ErrorKind;

    fn connect(&mut self) -> Result<StuckWire, ErrorKind> {
        Ok(StuckWire { wire: self.world.connect()?, stuck: self.stuck.clone() })
    }

    fn disconnect(&mut self, stream: StuckWire) {
        self.world.disconnect(stream.wire);
    }
}

impl ErrorType for StuckWire {
    type Error = ErrorKind;
}

impl Read for StuckWire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.wire.read(buffer)
    }
}

impl Write for StuckWire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        match self.stuck.get().checked_sub(1) {
            Some(left) => {
                self.stuck.set(left);
                self.wire.0.state().micros += 10_000;
                Err(ErrorKind::TimedOut)
            }
            None => self.wire.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.wire.flush()
    }
}

/// Does something whose allocations do not count: those of the server and of the line.
pub fn aside<T>(act: impl FnOnce() -> T) -> T {
    let mut result = None;
    allocation_counter::opt_out(|| result = Some(act()));
    result.expect("it has run")
}
