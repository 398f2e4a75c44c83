//! Each decoder, in the way its own users run it. All give a sum over what they read, so that nothing is optimized
//! away and that it shows when two of them read different things.

use std::hint::black_box;
use std::io::Read;

use bytes::BytesMut;
use redwire::reply::{DecodeError, FromReply, Reply};
use redwire::resp::{Data, Frame, Kind, Limits, NomParser, Parser, Progress, Scanner};
use redwire::storage::Buffer;

use crate::workload::{SEGMENT, Workload};

/// A decoder and how to run it.
#[derive(Clone, Copy)]
pub struct Decoder {
    /// What it is called in the tables.
    pub name: &'static str,
    /// Decodes all replies of a workload that has come as a whole, and gives a sum.
    pub whole: Option<fn(&Workload) -> u64>,
    /// The same with the bytes coming in pieces of [`SEGMENT`] bytes.
    pub pieces: Option<fn(&Workload) -> u64>,
    /// It begins anew with every piece, so a large reply takes quadratic time.
    pub restarts: bool,
    /// It speaks RESP3 too.
    pub resp3: bool,
}

impl Decoder {
    /// Whether it can decode a workload.
    pub fn speaks(&self, workload: &Workload) -> bool {
        self.resp3 || !workload.resp3
    }
}

/// All decoders, in the order of the tables.
pub const DECODERS: &[Decoder] = &[
    Decoder {
        name: "redwire Scanner, frames only",
        whole: Some(|w| frames(&mut scanner(), &w.bytes, |_| 1)),
        pieces: Some(|w| frames_in_pieces(&mut scanner(), &w.bytes, |_| 1)),
        restarts: false,
        resp3: true,
    },
    Decoder {
        name: "redwire Scanner, every value read",
        whole: Some(|w| frames(&mut scanner(), &w.bytes, read)),
        pieces: Some(|w| frames_in_pieces(&mut scanner(), &w.bytes, read)),
        restarts: false,
        resp3: true,
    },
    Decoder {
        name: "redwire NomParser, frames only",
        whole: Some(|w| frames(&mut NomParser::growing(Limits::default()), &w.bytes, |_| 1)),
        pieces: Some(|w| frames_in_pieces(&mut NomParser::growing(Limits::default()), &w.bytes, |_| 1)),
        restarts: false,
        resp3: true,
    },
    Decoder {
        name: "redis-rs Parser, to Value",
        whole: Some(|w| redis_values(&w.bytes[..], w.replies)),
        pieces: Some(|w| redis_values(Pieces(&w.bytes), w.replies)),
        restarts: false,
        resp3: true,
    },
    Decoder {
        name: "redis-protocol decode_range",
        whole: Some(range_frames),
        pieces: Some(range_frames_in_pieces),
        restarts: true,
        resp3: true,
    },
    Decoder {
        name: "redis-protocol decode, owned",
        whole: Some(owned_frames),
        pieces: None,
        restarts: true,
        resp3: true,
    },
    Decoder {
        name: "redis-protocol decode_bytes_mut, input copied",
        whole: Some(|w| bytes_frames(&mut BytesMut::from(&w.bytes[..]), w.resp3)),
        pieces: Some(bytes_frames_in_pieces),
        restarts: true,
        resp3: true,
    },
    Decoder {
        name: "floor: memchr, count of LF",
        whole: Some(|w| memchr::memchr_iter(b'\n', &w.bytes).count() as u64),
        pieces: Some(|w| {
            w.bytes.chunks(SEGMENT).map(|piece| memchr::memchr_iter(b'\n', piece).count() as u64).sum()
        }),
        restarts: false,
        resp3: true,
    },
];

fn scanner() -> Scanner<'static> {
    Scanner::growing(Limits::default())
}

/// Cuts `bytes` into frames and adds up what `read` gives for each.
#[inline]
pub fn frames<'a>(parser: &mut impl Parser, bytes: &'a [u8], mut read: impl FnMut(&'a [u8]) -> u64) -> u64 {
    let mut rest = bytes;
    let mut sum = 0;
    while let Ok(Progress::Frame { length, .. }) = parser.parse(rest) {
        let (frame, behind) = rest.split_at(length);
        sum += read(frame);
        rest = behind;
    }
    assert!(rest.is_empty(), "a workload is well formed");
    sum
}

/// The same through a receive buffer that is filled by [`SEGMENT`] bytes at a time.
#[inline]
pub fn frames_in_pieces(parser: &mut impl Parser, bytes: &[u8], mut read: impl FnMut(&[u8]) -> u64) -> u64 {
    let mut buffer = Buffer::growing(usize::MAX);
    let mut sum = 0;
    for piece in bytes.chunks(SEGMENT) {
        buffer.append(piece).expect("a buffer that grows");
        while let Ok(Progress::Frame { length, .. }) = parser.parse(buffer.filled()) {
            sum += read(&buffer.filled()[..length]);
            buffer.consume(length);
        }
    }
    assert!(buffer.is_empty(), "a workload is well formed");
    sum
}

/// Reads a frame as a Rust type that takes in every value.
#[inline]
pub fn read(frame: &[u8]) -> u64 {
    Frame::new_unchecked(frame).decode().map_or(0, |Sum(sum)| sum)
}

/// Reads a frame as a vector of byte strings.
#[inline]
pub fn read_vector(frame: &[u8]) -> u64 {
    black_box(Frame::new_unchecked(frame).decode::<Vec<&[u8]>>()).map_or(0, |strings| strings.len() as u64)
}

/// Matches on what a frame holds.
#[inline]
pub fn read_data(frame: &[u8]) -> u64 {
    match Frame::new_unchecked(frame).data() {
        Data::Integer(integer) => integer as u64,
        Data::BulkString(text) => text.contiguous().map_or(0, <[u8]>::len) as u64,
        Data::SimpleString(text) => text.len() as u64,
        Data::Array(elements) => elements.map(|element| element.text().map_or(0, <[u8]>::len) as u64).sum(),
        _ => 0,
    }
}

/// All integers, numbers and lengths of texts in a reply, added up.
struct Sum(u64);

impl<'a> FromReply<'a> for Sum {
    #[inline]
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        Ok(Sum(match reply.kind() {
            Kind::Integer => reply.integer()? as u64,
            Kind::BulkString | Kind::SimpleString => reply.bytes()?.len() as u64,
            Kind::Double => f64::from_reply(reply)? as u64,
            Kind::Boolean => u64::from(bool::from_reply(reply)?),
            Kind::Array | Kind::Map | Kind::Set | Kind::Push => sum_of_elements(reply)?,
            _ => 0,
        }))
    }
}

fn sum_of_elements<'a>(reply: Reply<'_, 'a>) -> Result<u64, DecodeError<'a>> {
    let mut elements = reply.elements()?;
    let mut sum = 0;
    while let Some(element) = elements.next::<Sum>() {
        sum += element?.0;
    }
    Ok(sum)
}

/// A reader that has at most [`SEGMENT`] bytes at a time, like a socket.
struct Pieces<'a>(&'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(SEGMENT);
        self.0.read(&mut into[..most])
    }
}

fn redis_values(mut bytes: impl Read, replies: usize) -> u64 {
    let mut parser = redis::Parser::new();
    for _ in 0..replies {
        black_box(parser.parse_value(&mut bytes).expect("a workload is well formed"));
    }
    replies as u64
}

fn range_frame(bytes: &[u8], resp3: bool) -> Option<usize> {
    if resp3 {
        let frame = redis_protocol::resp3::decode::complete::decode_range(bytes);
        black_box(frame.expect("a workload is well formed")).map(|(_, length)| length)
    } else {
        let frame = redis_protocol::resp2::decode::decode_range(bytes);
        black_box(frame.expect("a workload is well formed")).map(|(_, length)| length)
    }
}

fn range_frames(workload: &Workload) -> u64 {
    let mut rest = &workload.bytes[..];
    let mut count = 0;
    while let Some(length) = range_frame(rest, workload.resp3) {
        rest = &rest[length..];
        count += 1;
    }
    count
}

fn range_frames_in_pieces(workload: &Workload) -> u64 {
    let mut buffer = Buffer::growing(usize::MAX);
    let mut count = 0;
    for piece in workload.bytes.chunks(SEGMENT) {
        buffer.append(piece).expect("a buffer that grows");
        while let Some(length) = range_frame(buffer.filled(), workload.resp3) {
            buffer.consume(length);
            count += 1;
        }
    }
    count
}

fn owned_frames(workload: &Workload) -> u64 {
    let mut rest = &workload.bytes[..];
    let mut count = 0;
    loop {
        let length = if workload.resp3 {
            let frame = redis_protocol::resp3::decode::complete::decode(rest);
            black_box(frame.expect("a workload is well formed")).map(|(_, length)| length)
        } else {
            let frame = redis_protocol::resp2::decode::decode(rest);
            black_box(frame.expect("a workload is well formed")).map(|(_, length)| length)
        };
        let Some(length) = length else { return count };
        rest = &rest[length..];
        count += 1;
    }
}

fn bytes_frames(buffer: &mut BytesMut, resp3: bool) -> u64 {
    let mut count = 0;
    loop {
        let found = if resp3 {
            let frame = redis_protocol::resp3::decode::complete::decode_bytes_mut(buffer);
            black_box(frame.expect("a workload is well formed")).is_some()
        } else {
            let frame = redis_protocol::resp2::decode::decode_bytes_mut(buffer);
            black_box(frame.expect("a workload is well formed")).is_some()
        };
        if !found {
            return count;
        }
        count += 1;
    }
}

fn bytes_frames_in_pieces(workload: &Workload) -> u64 {
    let mut buffer = BytesMut::new();
    let mut count = 0;
    for piece in workload.bytes.chunks(SEGMENT) {
        buffer.extend_from_slice(piece);
        count += bytes_frames(&mut buffer, workload.resp3);
    }
    count
}
