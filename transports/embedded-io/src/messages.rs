//! Messages that came while something else was waited for, in memory that the caller lends.

use redwire::connection::{Message, SubscriptionKind};
use redwire::storage::Buffer;

/// A queue of messages, each as: kind (1 byte), lengths of channel, pattern and payload (2 each), and these three.
#[derive(Debug)]
pub(crate) struct Messages<'b> {
    memory: Buffer<'b>,
    /// The bytes of the message that was shown last, to be dropped with the next call.
    shown: usize,
    /// How many did not fit.
    lost: u32,
}

const HEADER: usize = 7;

const KINDS: [SubscriptionKind; 3] =
    [SubscriptionKind::Channel, SubscriptionKind::Pattern, SubscriptionKind::Shard];

impl<'b> Messages<'b> {
    pub(crate) const fn new(memory: Buffer<'b>) -> Self {
        Messages { memory, shown: 0, lost: 0 }
    }

    /// Keeps a message for later, or counts it as lost.
    pub(crate) fn push(&mut self, message: &Message<'_>) {
        self.forget();
        let pattern = message.pattern.unwrap_or_default();
        let parts = [message.channel, pattern, message.payload];
        let total = parts.iter().fold(HEADER, |total, part| total.saturating_add(part.len()));
        let mut header = [message.kind as u8; HEADER];
        let mut fits = self.memory.available() >= total;
        for (place, part) in header.iter_mut().skip(1).zip(parts.iter().flat_map(|part| length(part))) {
            *place = part;
        }
        fits &= parts.iter().all(|part| u16::try_from(part.len()).is_ok());
        if !fits {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        let _ = self.memory.append(&header);
        for part in parts {
            let _ = self.memory.append(part);
        }
    }

    /// How many messages were lost since this was asked last.
    pub(crate) fn take_lost(&mut self) -> u32 {
        core::mem::take(&mut self.lost)
    }

    pub(crate) fn add_lost(&mut self) {
        self.lost = self.lost.saturating_add(1);
    }

    /// Makes the oldest message the one to be [shown](Self::shown). False if there is none.
    pub(crate) fn advance(&mut self) -> bool {
        self.forget();
        self.shown = self.first().map_or(0, |(_, length)| length);
        self.shown > 0
    }

    /// The message that [`advance`](Self::advance) has found.
    pub(crate) fn shown(&self) -> Option<Message<'_>> {
        if self.shown == 0 { None } else { self.first().map(|(message, _)| message) }
    }

    fn forget(&mut self) {
        self.memory.consume(core::mem::take(&mut self.shown));
    }

    fn first(&self) -> Option<(Message<'_>, usize)> {
        let (header, rest) = self.memory.filled().split_first_chunk::<HEADER>()?;
        let [kind, a, b, c, d, e, f] = *header;
        let number = |low, high| usize::from(u16::from_le_bytes([low, high]));
        let kind = *KINDS.get(usize::from(kind))?;
        let (channel, rest) = rest.split_at_checked(number(a, b))?;
        let (pattern, rest) = rest.split_at_checked(number(c, d))?;
        let payload = rest.get(..number(e, f))?;
        let length = HEADER + channel.len() + pattern.len() + payload.len();
        let pattern = (kind == SubscriptionKind::Pattern).then_some(pattern);
        Some((Message::new(kind, channel, pattern, payload), length))
    }
}

fn length(part: &[u8]) -> [u8; 2] {
    (part.len() as u16).to_le_bytes()
}
