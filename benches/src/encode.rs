//! Each encoder, writing SET commands with a key of 16 and a value of 64 bytes.

use std::hint::black_box;

use bytes::BytesMut;
use redis_protocol::resp2::types::{BorrowedFrame, BytesFrame};
use redwire::command::set;
use redwire::resp::Encoder;
use redwire::storage::Buffer;

/// The bytes of one SET command on the wire.
pub const COMMAND: usize = 107;

/// The value that is set.
const VALUE: [u8; 64] = [b'v'; 64];

/// An encoder and how to run it.
#[derive(Clone, Copy)]
pub struct EncoderRun {
    /// What it is called in the tables.
    pub name: &'static str,
    /// Makes and encodes `count` commands; what goes out stands in the sink, which is big enough and reused.
    pub run: fn(&mut Sink, usize),
}

/// Memory to encode into, touched before it is measured.
pub struct Sink {
    memory: Vec<u8>,
    vector: Vec<u8>,
    bytes: BytesMut,
    packed: Vec<u8>,
}

impl Sink {
    /// Room for `count` commands, and the same commands ready made.
    pub fn new(count: usize) -> Self {
        let mut packed = Vec::with_capacity(count * COMMAND);
        for index in 0..count {
            packed.extend_from_slice(b"*3\r\n$3\r\nSET\r\n$16\r\n");
            packed.extend_from_slice(&key(index));
            packed.extend_from_slice(b"\r\n$64\r\n");
            packed.extend_from_slice(&VALUE);
            packed.extend_from_slice(b"\r\n");
        }
        assert_eq!(packed.len(), count * COMMAND);
        let filled = vec![1; count * COMMAND];
        Sink { memory: filled.clone(), vector: filled.clone(), bytes: BytesMut::from(&filled[..]), packed }
    }

    /// Whether redwire writes exactly the ready made commands.
    pub fn check(&mut self) -> bool {
        let count = self.packed.len() / COMMAND;
        redwire_commands(self, count);
        self.memory == self.packed
    }
}

/// All encoders, in the order of the tables; the last one is the floor.
pub const ENCODERS: &[EncoderRun] = &[
    EncoderRun { name: "redwire Encoder, set(key, value)", run: redwire_commands },
    EncoderRun { name: "redis-rs write_packed_command", run: redis_written },
    EncoderRun { name: "redis-rs get_packed_command", run: redis_packed },
    EncoderRun { name: "redis-protocol extend_encode", run: redis_protocol_bytes },
    EncoderRun { name: "redis-protocol extend_encode_borrowed", run: redis_protocol_borrowed },
    EncoderRun { name: "floor: memcpy, a command at a time", run: copy_each },
    EncoderRun { name: "floor: memcpy of all bytes", run: copy_all },
];

/// A key of 16 bytes.
#[inline]
fn key(index: usize) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    key[8..].copy_from_slice(&(index as u64).to_le_bytes());
    key
}

/// redwire's way.
#[inline]
pub fn redwire_commands(sink: &mut Sink, count: usize) {
    let mut buffer = Buffer::borrowed(&mut sink.memory);
    for index in 0..count {
        Encoder::new(&mut buffer).command(&set(key(index), &VALUE)).expect("there is room");
    }
    black_box(buffer.filled());
}

fn redis_written(sink: &mut Sink, count: usize) {
    sink.vector.clear();
    for index in 0..count {
        redis::cmd("SET").arg(&key(index)).arg(&VALUE).write_packed_command(&mut sink.vector);
    }
    black_box(&sink.vector);
}

fn redis_packed(sink: &mut Sink, count: usize) {
    sink.vector.clear();
    for index in 0..count {
        sink.vector.extend_from_slice(&redis::cmd("SET").arg(&key(index)).arg(&VALUE).get_packed_command());
    }
    black_box(&sink.vector);
}

fn redis_protocol_bytes(sink: &mut Sink, count: usize) {
    sink.bytes.clear();
    for index in 0..count {
        let frame = BytesFrame::Array(vec![
            BytesFrame::BulkString("SET".into()),
            BytesFrame::BulkString(bytes::Bytes::copy_from_slice(&key(index))),
            BytesFrame::BulkString(bytes::Bytes::from_static(&VALUE)),
        ]);
        redis_protocol::resp2::encode::extend_encode(&mut sink.bytes, &frame, false).expect("there is room");
    }
    black_box(&sink.bytes);
}

fn redis_protocol_borrowed(sink: &mut Sink, count: usize) {
    sink.bytes.clear();
    for index in 0..count {
        let key = key(index);
        let words = [
            BorrowedFrame::BulkString(b"SET"),
            BorrowedFrame::BulkString(&key),
            BorrowedFrame::BulkString(&VALUE),
        ];
        let frame = BorrowedFrame::Array(&words);
        redis_protocol::resp2::encode::extend_encode_borrowed(&mut sink.bytes, &frame, false)
            .expect("there is room");
    }
    black_box(&sink.bytes);
}

fn copy_each(sink: &mut Sink, count: usize) {
    let (from, into) = (sink.packed.chunks_exact(COMMAND), sink.memory.chunks_exact_mut(COMMAND));
    for (from, into) in from.zip(into).take(count) {
        into.copy_from_slice(black_box(from));
    }
    black_box(&sink.memory);
}

fn copy_all(sink: &mut Sink, count: usize) {
    sink.memory[..count * COMMAND].copy_from_slice(&sink.packed[..count * COMMAND]);
    black_box(&sink.memory);
}
