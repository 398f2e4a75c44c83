//! Each client, connected, and getting a large value again and again.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::SocketAddr;

use embedded_io::{Read, Write};
use embedded_redis::network::{Client as Peer, ConnectionHandler, MemoryParameters, Resp2};
use embedded_time::duration::{Extensions, Microseconds};
use redwire::command::{Commands, get};
use redwire::connection::{Buffers, Config, Slot};
use redwire::resp::{Level, Protocol};
use redwire::storage::{Buffer, Storage};
use redwire_embedded_io::{
    AsyncClient, AsyncConnector, CancelSafe, Client, Clock, Connector, Memory, NoClock,
};

use super::server::{LARGE, Network, Server, Socket, Ticks, block_on};

/// The lengths of the value that is got, in bytes.
pub const SIZES: [usize; 3] = [1024, 64 * 1024, 1024 * 1024];

/// What a reply has besides the value, and a command besides nothing, at most.
const SLACK: usize = 64;

/// The memory for a reply that is taken in pieces.
const PIECES: usize = 512;

/// What is done with a connected client: the closure gets the value once.
pub type Body<'a> = &'a mut dyn FnMut(&Server, &mut dyn FnMut());

/// A client and how to run it.
#[derive(Clone, Copy)]
pub struct EmbeddedClient {
    /// What it is called in the tables.
    pub name: &'static str,
    /// Connects one to a fresh server whose value has so many bytes.
    pub run: fn(usize, Body<'_>),
}

/// All clients, in the order of the tables; the last one is the floor.
pub const CLIENTS: &[EmbeddedClient] = &[
    EmbeddedClient { name: "redwire, blocking, reply borrowed", run: blocking },
    EmbeddedClient { name: "redwire, async, reply borrowed", run: concurrent },
    EmbeddedClient { name: "redwire, blocking, in pieces through 512 B", run: pieces },
    EmbeddedClient { name: "redwire, async, in pieces through 512 B", run: concurrent_pieces },
    EmbeddedClient { name: "embedded-redis", run: peer },
    EmbeddedClient { name: "floor: the stream alone", run: floor },
];

/// The memory of a redwire client: what a device has in its statics.
pub(super) struct Lent {
    receive: Vec<u8>,
    transmit: [u8; 512],
    in_flight: [Slot; 16],
    levels: [Level; 8],
}

impl Lent {
    /// Memory that receives so many bytes at once.
    pub(super) fn new(receive: usize) -> Self {
        Lent {
            receive: vec![0; receive],
            transmit: [0; 512],
            in_flight: [Slot::EMPTY; 16],
            levels: [Level::EMPTY; 8],
        }
    }

    pub(super) fn memory(&mut self) -> Memory<'_> {
        Memory::from(Buffers {
            receive: Buffer::borrowed(&mut self.receive),
            transmit: Buffer::borrowed(&mut self.transmit),
            in_flight: Storage::borrowed(&mut self.in_flight),
            levels: Storage::borrowed(&mut self.levels),
            subscriptions: Storage::borrowed(&mut []),
        })
    }
}

/// RESP2, which embedded-redis speaks in its README.
pub(super) fn config() -> Config<'static> {
    Config::default().protocol(Protocol::Resp2)
}

/// A connected client of redwire.
pub(super) fn connect<'b, K: Clock>(
    server: &'b Server,
    lent: &'b mut Lent,
    config: Config<'b>,
    clock: K,
) -> Client<'b, impl Connector<Stream = Socket<'b>>, K> {
    let mut redis = Client::new(|| server.connect(), config, lent.memory(), clock);
    redis.connect().expect("the server answers");
    redis
}

/// A connected async client of redwire.
pub(super) fn connect_async<'b, K: Clock>(
    server: &'b Server,
    lent: &'b mut Lent,
    config: Config<'b>,
    clock: K,
) -> AsyncClient<'b, impl AsyncConnector, K> {
    let connector = CancelSafe(async || server.connect());
    let mut redis = AsyncClient::new(connector, config, lent.memory(), clock);
    block_on(server, redis.connect()).expect("the server answers");
    redis
}

fn blocking(size: usize, body: Body<'_>) {
    let (server, mut lent) = (Server::new(size), Lent::new(size + SLACK));
    let mut redis = connect(&server, &mut lent, config(), NoClock);
    body(&server, &mut || {
        let value: &[u8] = redis.get(LARGE).expect("the server answers");
        assert_eq!(black_box(value).len(), size);
    });
}

fn concurrent(size: usize, body: Body<'_>) {
    let (server, mut lent) = (Server::new(size), Lent::new(size + SLACK));
    let mut redis = connect_async(&server, &mut lent, config(), NoClock);
    body(&server, &mut || {
        let value: &[u8] = block_on(&server, redis.get(LARGE)).expect("the server answers");
        assert_eq!(black_box(value).len(), size);
    });
}

fn pieces(size: usize, body: Body<'_>) {
    let (server, mut lent) = (Server::new(size), Lent::new(PIECES));
    let mut redis = connect(&server, &mut lent, config(), NoClock);
    body(&server, &mut || {
        let mut value = redis.download(get(LARGE)).expect("the server answers").expect("there is a value");
        let mut length = 0;
        while let Some(piece) = value.next().expect("the server answers") {
            length += black_box(piece).len();
        }
        assert_eq!(length, size);
    });
}

fn concurrent_pieces(size: usize, body: Body<'_>) {
    let (server, mut lent) = (Server::new(size), Lent::new(PIECES));
    let mut redis = connect_async(&server, &mut lent, config(), NoClock);
    body(&server, &mut || {
        let length = block_on(&server, async {
            let value = redis.download(get(LARGE)).await.expect("the server answers");
            let mut value = value.expect("there is a value");
            let mut length = 0;
            while let Some(piece) = value.next().await.expect("the server answers") {
                length += black_box(piece).len();
            }
            length
        });
        assert_eq!(length, size);
    });
}

/// What embedded-redis calls its client, on the stream that is used here.
pub(super) type PeerClient<'a> = Peer<'a, Socket<'a>, Ticks, Resp2>;

/// A connected client of embedded-redis, with memory for a reply of so many bytes.
pub(super) fn connect_peer<'a>(
    server: &Server,
    network: &'a Network<'_>,
    clock: &'a Ticks,
    size: usize,
    timeout: Microseconds,
) -> PeerClient<'a> {
    let mut handler = ConnectionHandler::resp2(SocketAddr::from(([127, 0, 0, 1], 6379)));
    // As large as the largest reply, as its documentation has it, so that it never grows.
    handler.memory(MemoryParameters { buffer_size: size + SLACK, ..MemoryParameters::default() });
    handler.timeout(timeout);
    block_on(server, handler.connect(network, Some(clock))).expect("the server answers")
}

fn peer(size: usize, body: Body<'_>) {
    let (server, clock) = (Server::new(size), Ticks::default());
    let network = Network(&server);
    let redis = connect_peer(&server, &network, &clock, size, 0.microseconds());
    body(&server, &mut || {
        let reply = block_on(&server, redis.get(LARGE)).expect("the server answers");
        let value = reply.expect("there is a value").to_bytes();
        assert_eq!(black_box(value).len(), size);
    });
}

/// Writes the command as bytes, and reads as many bytes as the reply has.
fn floor(size: usize, body: Body<'_>) {
    let (server, buffer) = (Server::new(size), RefCell::new(vec![0; size + SLACK]));
    let mut stream = Socket(&server);
    let reply = format!("${size}\r\n").len() + size + 2;
    let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{LARGE}\r\n", LARGE.len());
    body(&server, &mut || {
        stream.write(command.as_bytes()).expect("the server answers");
        let mut buffer = buffer.borrow_mut();
        let mut length = 0;
        while length < reply {
            length += stream.read(&mut buffer[length..]).expect("the server answers");
        }
        black_box(&buffer);
    });
}
