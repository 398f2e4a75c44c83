//! The decoder's cases (`tests/cases` of the repository), run by the [`Scanner`] on this machine with its 32 bits.
//!
//! Each input is read in one piece and byte by byte. Both ways its frames, how it ends, and kind and offset of an error have
//! to be what the case expects. An input that is larger than the memory is made while it is read, in pieces that are
//! discarded; of its frames only the number is looked at.

mod digest;

use defmt::{Format, error};
use digest::Digest;
use redwire::resp::{Data, Frame, Level, Limits, Parser as _, Progress, Protocol, ProtocolError, Scanner};

/// A line of the files there.
struct Case {
    id: &'static str,
    protocol: Protocol,
    limits: fn(Limits) -> Limits,
    /// No proper prefix of the input has a frame or an error.
    prefixes: bool,
    /// Bytes, and how many times they are repeated.
    parts: &'static [(&'static [u8], u32)],
    /// Any of these will do.
    outcomes: &'static [Outcome],
}

/// What is expected of a decoder.
struct Outcome {
    end: End,
    error: Option<&'static str>,
    offset: Option<u64>,
    /// How many, and the digest of them.
    frames: Option<(u32, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Format)]
enum End {
    Clean,
    Incomplete,
    Error,
}

/// What the scanner made of an input.
#[derive(Clone, Copy, PartialEq, Format)]
struct Found {
    end: End,
    error: Option<ProtocolError>,
    frames: u32,
    /// Of the frames, unless the input is larger than the memory.
    digest: Option<u64>,
    /// Where in the input the first frame ended, or the error became known.
    first: Option<u32>,
}

static CASES: &[Case] = include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// The memory that the cases take.
pub struct Memory<const BYTES: usize> {
    levels: [Level; 128],
    input: [u8; BYTES],
}

impl<const BYTES: usize> Memory<BYTES> {
    /// Memory that nothing is in.
    pub const fn new() -> Self {
        Memory { levels: [Level::EMPTY; 128], input: [0; BYTES] }
    }
}

/// How the cases went.
#[derive(Debug, Clone, Copy, Default, Format)]
pub struct Summary {
    /// How many passed as a whole and byte by byte.
    pub whole: u32,
    /// How many, with inputs larger than the memory, passed in pieces and byte by byte.
    pub in_pieces: u32,
    /// How many did not pass.
    pub failed: u32,
}

/// Runs all cases, and logs those that do not pass.
pub fn run<const BYTES: usize>(memory: &mut Memory<BYTES>) -> Summary {
    let mut summary = Summary::default();
    for case in CASES {
        let Memory { levels, input } = memory;
        let large = case.length() > BYTES;
        // Byte by byte first: then the input is there.
        let bytewise = case.read(levels, input, 1, large);
        let other = case.read(levels, input, if large { 512 } else { BYTES }, large);
        let same = Found { first: None, ..bytewise } == Found { first: None, ..other };
        let early = case.prefixes && bytewise.first != Some(case.length() as u32);
        if !same || early || !case.outcomes.iter().any(|outcome| outcome.is(&bytewise)) {
            error!("case {=str}: byte by byte {}, otherwise {}", case.id, bytewise, other);
            summary.failed += 1;
        } else if large {
            summary.in_pieces += 1;
        } else {
            summary.whole += 1;
        }
    }
    summary
}

impl Case {
    fn length(&self) -> usize {
        self.parts.iter().map(|&(bytes, times)| bytes.len() * times as usize).sum()
    }

    /// Reads the input in pieces of a size, from memory that begins at the first byte of a frame, or of what is left of
    /// it when it is discarded on the way.
    fn read(&self, levels: &mut [Level], memory: &mut [u8], piece: usize, discards: bool) -> Found {
        let mut scanner = Scanner::new(levels, (self.limits)(Limits::default()));
        scanner.set_protocol(self.protocol);
        let mut input = self
            .parts
            .iter()
            .flat_map(|&(bytes, times)| core::iter::repeat_n(bytes, times as usize))
            .flatten();
        let (mut filled, mut consumed) = (0, 0);
        let mut digest = Digest::default();
        let mut found = Found { end: End::Clean, error: None, frames: 0, digest: None, first: None };
        // The first byte behind the last frame, in memory and in the whole input.
        let (mut start, mut ended) = (0, 0);
        loop {
            let before = filled;
            let room = memory.get_mut(filled..).unwrap_or_default();
            for (place, &byte) in room.iter_mut().zip(input.by_ref().take(piece)) {
                *place = byte;
                filled += 1;
            }
            if filled == before {
                break;
            }
            loop {
                let bytes = memory.get(start..filled).unwrap_or_default();
                let progress = scanner.parse(bytes);
                let frame = match progress {
                    Ok(Progress::Frame { length, .. }) => {
                        start += length;
                        ended = consumed + start;
                        bytes.get(..length)
                    }
                    Ok(Progress::Push { start, end }) => bytes.get(start..end),
                    Ok(_) => break,
                    Err(error) => {
                        found.first = found.first.or(Some((consumed + filled) as u32));
                        found.end = End::Error;
                        found.error = Some(error);
                        break;
                    }
                };
                found.frames += 1;
                found.first = found.first.or(Some((consumed + filled) as u32));
                if !discards {
                    digest.frame(&Frame::new_unchecked(frame.unwrap_or_default()));
                }
            }
            if found.error.is_some() {
                break;
            }
            if discards {
                let gone = start + scanner.discardable();
                scanner.discard(scanner.discardable());
                memory.copy_within(gone..filled, 0);
                filled -= gone;
                consumed += gone;
                start = 0;
            }
        }
        if found.error.is_none() && ended < consumed + filled {
            found.end = End::Incomplete;
        }
        found.digest = (!discards).then(|| digest.finish());
        found
    }
}

impl Outcome {
    fn is(&self, found: &Found) -> bool {
        self.end == found.end
            && self.error.is_none_or(|kind| found.error.is_some_and(|error| error.kind.name() == kind))
            && self.offset.is_none_or(|offset| found.error.is_some_and(|error| error.offset == offset))
            && self.frames.is_none_or(|(frames, expected)| {
                found.frames == frames && found.digest.is_none_or(|digest| digest == expected)
            })
    }
}

impl Digest {
    /// A frame with all that is in it.
    fn frame(&mut self, frame: &Frame<'_>) {
        for (key, value) in frame.attributes() {
            self.tag("attribute");
            self.frame(&key);
            self.frame(&value);
        }
        let data = frame.data();
        self.tag(match &data {
            Data::Null => "null",
            Data::SimpleString(_) => "simple",
            Data::Error(_) if frame.is_blob_error() => "blob_error",
            Data::Error(_) => "error",
            Data::Integer(_) => "int",
            Data::BulkString(_) => "bulk",
            Data::VerbatimString { .. } => "verbatim",
            Data::Double(_) => "double",
            Data::Boolean(_) => "bool",
            Data::BigNumber(_) => "bignum",
            Data::Array(_) => "array",
            Data::Map(_) => "map",
            Data::Set(_) => "set",
            Data::Push(_) => "push",
            _ => "unknown",
        });
        self.flag(frame.is_streamed());
        match data {
            Data::SimpleString(text) => self.text(text),
            Data::Error(error) => self.text(error.text()),
            Data::Integer(integer) => self.number(integer as u64),
            Data::BulkString(chunks) => {
                let length = chunks.total();
                chunks.flatten().for_each(|&byte| self.byte(byte));
                self.end_of_text(length);
            }
            Data::VerbatimString { format, text } => {
                self.text(&format);
                self.text(text);
            }
            Data::Double(double) => self.double(double),
            Data::Boolean(boolean) => self.flag(boolean),
            Data::BigNumber(digits) => self.text(digits.trim_start_matches('+').as_bytes()),
            Data::Array(elements) | Data::Set(elements) | Data::Push(elements) => {
                elements.for_each(|element| self.frame(&element));
                self.tag("end");
            }
            Data::Map(pairs) => {
                for (key, value) in pairs {
                    self.frame(&key);
                    self.frame(&value);
                }
                self.tag("end");
            }
            _ => {}
        }
    }
}
