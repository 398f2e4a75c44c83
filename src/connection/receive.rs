//! The way in: received bytes, the parser that finds frames in them, and the frame that is being taken.
//!
//! What a frame answers, and what that changes, is told in [`replies`](super::replies).

use crate::log::warn;
use crate::parts::{PIECES, RESP3, SESSION};
use crate::resp::{ErrorReply, Frame, Length, Parser, Progress, Protocol, ProtocolError, split_length};
use crate::storage::Buffer;

#[derive(Debug)]
pub(super) struct ReceivePath<'a, P> {
    parser: P,
    buffer: Buffer<'a>,
    /// The bytes of the last event, to be consumed with the next call.
    release: usize,
    /// Bytes that the frame being read still needs, at least.
    need: usize,
    /// A frame that does not fit is being dropped.
    skip: Option<Skip>,
    /// Bytes of the streamed text so far.
    text: Option<u64>,
    /// The stream has ended.
    ended: bool,
}

/// What comes next in the stream.
#[derive(Debug, Clone, Copy)]
pub(super) enum Incoming {
    /// A complete frame stands at the head of the buffer.
    Frame {
        length: usize,
        push: bool,
    },
    /// A push stands in the middle of a frame that is not complete.
    Push {
        start: usize,
        end: usize,
    },
    /// A piece of the streamed text.
    Text {
        start: usize,
        end: usize,
    },
    /// The streamed text is complete.
    TextEnd {
        length: u64,
    },
    /// A frame that did not fit is complete, and gone.
    Skipped {
        length: u64,
        header: Header,
        aside: bool,
    },
    /// Nothing is complete.
    Incomplete,
    Error(ProtocolError),
}

/// A reply: at the head of the buffer, or what is known of one that did not fit.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reply {
    Whole { length: usize },
    Skipped(Header),
}

/// What is kept of the beginning of a frame that does not fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// The first byte, which tells the type.
    pub(super) first: u8,
    /// The number after it: how many elements an aggregate has.
    pub(super) count: Option<usize>,
}

/// A frame that does not fit and is being dropped.
#[derive(Debug, Clone, Copy)]
struct Skip {
    /// Bytes dropped so far.
    dropped: u64,
    header: Header,
    /// It answers no command.
    aside: bool,
}

/// Room for at least so much is made before a read, when the memory grows.
const READ_AHEAD: usize = 4096;

/// No more than this is made room for at once, whatever a header declares.
const MOST_AHEAD: usize = 64 * 1024;

impl<'a, P: Parser> ReceivePath<'a, P> {
    pub(super) const fn new(parser: P, buffer: Buffer<'a>) -> Self {
        ReceivePath { parser, buffer, release: 0, need: 1, skip: None, text: None, ended: false }
    }

    /// A stream begins.
    pub(super) fn begin(&mut self) {
        self.parser.reset();
    }

    /// The stream is over. Its bytes go, but for a last frame of `shown` bytes: that goes with the next call.
    pub(super) fn clear(&mut self, shown: usize) {
        self.release = self.buffer.len();
        if shown == 0 {
            self.release = 0;
            self.buffer.clear();
        }
        self.need = 1;
        self.skip = None;
        self.text = None;
        self.ended = false;
    }

    pub(super) fn set_protocol(&mut self, protocol: Protocol) {
        self.parser.set_protocol(protocol);
    }

    /// The memory to read into.
    #[inline]
    pub(super) fn free(&mut self) -> &mut [u8] {
        self.make_room();
        self.buffer.free()
    }

    /// So many bytes were read.
    #[inline]
    pub(super) fn commit(&mut self, count: usize) {
        self.buffer.commit(count);
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether all that was received has been taken.
    pub(super) fn is_drained(&self) -> bool {
        self.buffer.len() == self.release
    }

    /// Forgets the bytes of the last event.
    #[inline]
    pub(super) fn release(&mut self) {
        self.buffer.consume(core::mem::take(&mut self.release));
    }

    /// Keeps the frame that was found last: it is to be shown when the connection has ended.
    pub(super) fn keep(&mut self) {
        self.release = 0;
    }

    /// Goes on in what was received. `pieces` asks for the text of the next frame in pieces.
    #[inline]
    pub(super) fn next(&mut self, pieces: bool) -> Incoming {
        self.release();
        if PIECES {
            self.parser.stream(self.text.is_some() || pieces);
        }
        match self.parser.parse(self.buffer.filled()) {
            Ok(Progress::Frame { length, push }) => {
                self.release = length;
                if PIECES && self.text.is_some() || self.skip.is_some() {
                    return self.end_of_large(length, push);
                }
                Incoming::Frame { length, push }
            }
            Ok(Progress::Push { start, end }) => Incoming::Push { start, end },
            Ok(Progress::Text { start, end }) if PIECES => {
                *self.text.get_or_insert(0) += (end - start) as u64;
                self.parser.discard(end);
                self.release = end;
                Incoming::Text { start, end }
            }
            // Nobody has asked for it.
            Ok(Progress::Text { .. }) => Incoming::Incomplete,
            Ok(Progress::Incomplete { need }) => {
                self.need = need;
                Incoming::Incomplete
            }
            Err(error) => {
                warn!("protocol error: {} at byte {} of the stream", error.kind.name(), error.offset);
                Incoming::Error(error)
            }
        }
    }

    /// A frame that was streamed or skipped is complete.
    #[cold]
    fn end_of_large(&mut self, length: usize, push: bool) -> Incoming {
        if PIECES && let Some(length) = self.text.take() {
            return Incoming::TextEnd { length };
        }
        let Some(Skip { dropped, header, aside }) = self.skip.take() else {
            return Incoming::Frame { length, push };
        };
        let length = dropped + length as u64;
        warn!("skipped {} bytes that did not fit", length);
        Incoming::Skipped { length, header, aside: aside || push }
    }

    /// Received bytes that stand at `start..end`.
    pub(super) fn part(&self, start: usize, end: usize) -> &[u8] {
        self.buffer.part(start, end)
    }

    /// The frame at `start..end`, which the parser has accepted.
    pub(super) fn frame(&self, start: usize, end: usize) -> Frame<'_> {
        Frame::new_unchecked(self.buffer.part(start, end))
    }

    /// All bytes that were received and not taken.
    pub(super) fn received(&self) -> &[u8] {
        self.buffer.filled()
    }

    /// A reply as a frame, unless it did not fit.
    pub(super) fn whole(&self, reply: Reply) -> Option<Frame<'_>> {
        match reply {
            Reply::Whole { length } => Some(self.frame(0, length)),
            Reply::Skipped(_) => None,
        }
    }

    /// Whether a reply may be an error, by its first byte: there may be attributes before an error.
    #[inline]
    pub(super) fn may_be_error(&self, reply: Reply) -> bool {
        match reply {
            Reply::Whole { .. } => matches!(self.buffer.filled().first(), Some(b'-' | b'!' | b'|')),
            Reply::Skipped(header) => is_error(header.first),
        }
    }

    /// The error, if the reply is one; without its text if it did not fit.
    pub(super) fn error(&self, reply: Reply) -> Option<ErrorReply<'_>> {
        match reply {
            Reply::Whole { length } => self.frame(0, length).error(),
            Reply::Skipped(header) => is_error(header.first).then_some(ErrorReply::new(b"")),
        }
    }

    /// The bytes of a reply that is at the head of the buffer, to be changed in place.
    pub(super) fn whole_mut(&mut self, reply: Reply) -> &mut [u8] {
        match reply {
            Reply::Whole { length } => self.buffer.filled_mut().get_mut(..length).unwrap_or_default(),
            Reply::Skipped(_) => &mut [],
        }
    }

    /// Makes room for the next read.
    fn make_room(&mut self) {
        self.release();
        if self.buffer.is_empty() {
            self.buffer.shrink();
        }
        if self.buffer.compaction_pays() {
            self.buffer.compact();
        }
        let wanted = self.need.clamp(READ_AHEAD, MOST_AHEAD);
        if self.buffer.free().len() >= wanted {
            return;
        }
        if !self.buffer.grows() {
            self.buffer.compact();
        } else {
            let room = self.buffer.available().min(wanted);
            // Memory that the allocator does not give is like a buffer that is full.
            let _ = self.buffer.reserve(room);
        }
    }

    /// Whether the frame that is being read fills all memory there is.
    pub(super) fn is_full(&mut self) -> bool {
        self.make_room();
        self.buffer.free().is_empty()
    }

    /// Whether a frame that does not fit is already known not to be kept whole.
    pub(super) fn is_skipping(&self) -> bool {
        self.skip.is_some() || PIECES && self.text.is_some()
    }

    /// The frame that is being read will not be kept. Whether it is one that answers no command is known from its
    /// beginning, which goes.
    pub(super) fn skip(&mut self, aside: bool) {
        let first = self.buffer.filled().first().copied().unwrap_or_default();
        let count = match split_length(self.buffer.filled()) {
            (Length::Count(count), rest) if SESSION && !rest.is_empty() => Some(count),
            _ => None,
        };
        self.skip = Some(Skip { dropped: 0, header: Header { first, count }, aside });
    }

    /// Drops what nobody needs of the frame that does not fit. False if there is still no room: not even a header fits.
    pub(super) fn drop_skipped(&mut self) -> bool {
        // A push inside is kept as long as it can be.
        let drop = match self.parser.discardable() {
            0 => self.parser.parsed(),
            some => some,
        };
        self.parser.discard(drop);
        self.buffer.consume(drop);
        if let Some(skip) = &mut self.skip {
            skip.dropped += drop as u64;
        }
        self.buffer.compact();
        !self.buffer.free().is_empty()
    }
}

const fn is_error(first: u8) -> bool {
    first == b'-' || RESP3 && first == b'!'
}
