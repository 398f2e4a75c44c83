//! Commands through a connection, without IO: sent, written, answered, and told; or given up before they are written.

use std::hint::black_box;

use redwire::command::get;
use redwire::connection::{Buffers, Config, Connection, Event, Ticket};
use redwire::resp::Protocol;
use redwire::time::Instant;

const NOW: Instant = Instant::from_micros(1);

/// A connection that is ready.
fn ready() -> Connection<'static> {
    let config = Config::default().protocol(Protocol::Resp2).no_library();
    let mut redis = Connection::new(config, Buffers::growing());
    redis.connected(NOW).expect("there is no stream yet");
    assert!(matches!(redis.poll_event(), Some(Event::Connected { .. })));
    redis
}

/// Sends GETs one after the other, each answered before the next.
pub fn round_trips(count: usize) {
    const REPLY: &[u8] = b"$16\r\n0123456789abcdef\r\n";
    let mut redis = ready();
    for _ in 0..count {
        let ticket = redis.send(NOW, &get("key:000000000000")).expect("there is room");
        let length = redis.poll_transmit().expect("a command").len();
        redis.transmitted(length);
        redis.receive_buffer()[..REPLY.len()].copy_from_slice(REPLY);
        redis.received(NOW, REPLY.len());
        match redis.poll_event() {
            Some(Event::Reply { ticket: of, frame }) if of == ticket => drop(black_box(frame.text())),
            other => panic!("{other:?} is no reply"),
        }
        assert!(redis.poll_event().is_none());
    }
}

/// Gives up commands that wait to be written, one by one in an order.
pub fn give_up(count: usize, order: impl Fn(usize) -> usize) {
    let mut redis = ready();
    redis.send(NOW, &get("first")).expect("there is room");
    let tickets: Vec<Ticket> =
        (0..count).map(|_| redis.send(NOW, &get("key:000000000000")).expect("there is room")).collect();
    redis.send(NOW, &get("last")).expect("there is room");
    for number in 0..count {
        assert!(redis.discard(tickets[order(number)]));
    }
    black_box(redis.poll_transmit().map(<[u8]>::len));
}
