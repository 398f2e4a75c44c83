//! The loops of the transports, against streams in memory: what a reactor, a blocking device and a future each have to do
//! to drive a connection. None is longer than a screen; a transport is one of them and its streams.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use redwire::command::{get, incr, set};
use redwire::connection::{Buffers, Config, Connection, Event, SendOptions, Slot, Ticket};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Level, Parser};
use redwire::storage::{Buffer, Storage};
use redwire::time::Instant;
use redwire_kit::server::Server;

/// A stream that takes and gives three bytes at a time, and every now and then none.
#[derive(Clone, Default)]
struct Trickle {
    server: Rc<RefCell<Server>>,
    inbound: Rc<RefCell<VecDeque<u8>>>,
    chance: u32,
}

const PIECE: usize = 3;

impl Trickle {
    fn ready(&mut self) -> io::Result<()> {
        self.chance = self.chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if self.chance >> 31 == 0 { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
    }
}

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ready()?;
        let count = bytes.len().min(PIECE);
        let mut server = self.server.borrow_mut();
        server.receive(&bytes[..count]);
        self.inbound.borrow_mut().extend(server.out.drain(..));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ready()?;
        let mut inbound = self.inbound.borrow_mut();
        let count = buffer.len().min(PIECE).min(inbound.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer.iter_mut().zip(inbound.drain(..count)).for_each(|(place, byte)| *place = byte);
        Ok(count)
    }
}

/// What a reactor calls when its poll says that the stream can be written or read: both go on until they would block.
fn on_ready<P: Parser>(
    redis: &mut Connection<'_, P>,
    stream: &mut (impl Read + Write),
    now: Instant,
    mut on_event: impl FnMut(Event<'_>),
) -> io::Result<()> {
    loop {
        let mut moved = false;
        while let Some(bytes) = redis.poll_transmit() {
            match stream.write(bytes) {
                Ok(count) => redis.transmitted(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            moved = true;
        }
        match stream.read(redis.receive_buffer()) {
            Ok(0) => redis.handle_eof(),
            Ok(count) => redis.received(now, count),
            Err(error) if error.kind() == ErrorKind::WouldBlock && !moved => return Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        while let Some(event) = redis.poll_event() {
            on_event(event);
        }
    }
}

#[test]
fn a_reactor() {
    let mut stream = Trickle::default();
    let mut redis = Connection::new(Config::default().client_name("reactor"), Buffers::growing());
    let now = Instant::from_millis(1);
    redis.connected(now).unwrap();
    let set = redis.send(now, &set("key", "value")).unwrap();
    let get = redis.send(now, &get("key")).unwrap();
    let mut replies = Vec::new();
    // Each round is one wake-up.
    for _ in 0..1000 {
        on_ready(&mut redis, &mut stream, now, |event| {
            if let Event::Reply { ticket, frame } = event {
                replies.push((ticket, frame.decode::<String>().unwrap()));
            }
        })
        .unwrap();
    }
    assert_eq!(replies, [(set, "OK".to_string()), (get, "value".to_string())]);
}

/// A blocking stream: it waits inside until something moves.
struct Blocking(Trickle);

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty());
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}

impl Write for Blocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a device without an allocator does for one command: write all, read until the reply is there.
fn call<R: for<'r> FromReply<'r>>(
    redis: &mut Connection<'_>,
    stream: &mut (impl Read + Write),
    command: &impl Encode,
) -> R {
    let now = Instant::from_millis(1);
    let ticket = redis.send(now, command).unwrap();
    loop {
        while let Some(bytes) = redis.poll_transmit() {
            let count = stream.write(bytes).unwrap();
            redis.transmitted(count);
        }
        while let Some(event) = redis.poll_event() {
            match event {
                Event::Reply { ticket: of, frame } if of == ticket => return frame.decode().unwrap(),
                Event::Failed { failure, .. } => panic!("{failure:?}"),
                _ => {}
            }
        }
        // The last event may have left something to write.
        if redis.poll_transmit().is_none() {
            let count = stream.read(redis.receive_buffer()).unwrap();
            redis.received(now, count);
        }
    }
}

#[test]
fn a_device_with_256_bytes_and_no_allocator() {
    let (mut receive, mut transmit) = ([0; 256], [0; 160]);
    let mut in_flight = [Slot::default(); 2];
    let mut levels = [Level::default(); 4];
    let buffers = Buffers {
        receive: Buffer::borrowed(&mut receive),
        transmit: Buffer::borrowed(&mut transmit),
        in_flight: Storage::from(&mut in_flight),
        levels: Storage::from(&mut levels),
        subscriptions: Storage::from(&mut [][..]),
    };
    let mut stream = Blocking(Trickle::default());
    stream.0.server.borrow_mut().answers.insert("INCR boots".into(), b":7\r\n".to_vec());
    let mut redis = Connection::new(Config::default().no_library(), buffers);
    redis.connected(Instant::from_millis(1)).unwrap();
    assert!(call::<bool>(&mut redis, &mut stream, &set("name", "sensor")));
    assert_eq!(call::<heapless::String<16>>(&mut redis, &mut stream, &get("name")), "sensor");
    assert_eq!(call::<i64>(&mut redis, &mut stream, &incr("boots")), 7);
    // What does not fit is reported and does not disturb what follows.
    stream.0.server.borrow_mut().values.insert("large".into(), "x".repeat(1000));
    let now = Instant::from_millis(1);
    let large = redis.send_with(now, &get("large"), SendOptions::default()).unwrap();
    assert_eq!(call::<heapless::String<16>>(&mut redis, &mut stream, &get("name")), "sensor");
    assert!(!redis.is_pending(large));
}

/// What an async transport does for one command. Dropping the future discards the reply, and the connection stays in
/// step.
async fn call_async<R: for<'r> FromReply<'r>>(
    shared: &RefCell<(Connection<'_>, Trickle)>,
    command: impl Encode,
) -> R {
    struct Pending<'p, 'c>(&'p RefCell<(Connection<'c>, Trickle)>, Ticket);
    impl Drop for Pending<'_, '_> {
        fn drop(&mut self) {
            self.0.borrow_mut().0.discard(self.1);
        }
    }
    let now = Instant::from_millis(1);
    let ticket = shared.borrow_mut().0.send(now, &command).unwrap();
    let pending = Pending(shared, ticket);
    std::future::poll_fn(|_| {
        let mut guard = pending.0.borrow_mut();
        let (redis, stream) = &mut *guard;
        let mut reply = None;
        on_ready(redis, stream, now, |event| match event {
            Event::Reply { ticket: of, frame } if of == ticket => reply = frame.decode().ok(),
            _ => {}
        })
        .unwrap();
        reply.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

#[test]
fn a_future_that_is_dropped_leaves_the_connection_in_step() {
    let stream = Trickle::default();
    stream.server.borrow_mut().values.insert("a".into(), "1".into());
    stream.server.borrow_mut().values.insert("b".into(), "2".into());
    let mut redis = Connection::new(Config::default(), Buffers::growing());
    redis.connected(Instant::from_millis(1)).unwrap();
    let shared = RefCell::new((redis, stream));
    let mut context = Context::from_waker(Waker::noop());
    for polls in 0..200 {
        {
            let mut dropped = pin!(call_async::<String>(&shared, get("a")));
            for _ in 0..polls {
                if dropped.as_mut().poll(&mut context).is_ready() {
                    break;
                }
            }
        }
        let mut kept = pin!(call_async::<String>(&shared, get("b")));
        let ready = (0..10_000).find_map(|_| match kept.as_mut().poll(&mut context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        });
        let value = ready.expect("a reply");
        assert_eq!(value, "2", "dropped after {polls} polls");
        assert_eq!(shared.borrow().0.in_flight(), 0);
    }
}
