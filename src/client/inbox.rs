//! Messages that came while something else was waited for, in memory that the caller lends or that grows to a bound.

use super::{Error, ErrorKind};
use crate::connection::{Event, FailureReason, SubscriptionKind};
use crate::parts::SUBSCRIPTIONS;
use crate::resp::{ErrorReply, Frame};
use crate::storage::Buffer;

/// The messages that wait, in order.
///
/// Each takes its channel, pattern and payload, and [`OVERHEAD`] bytes. What happens when there is no room for one more,
/// [`Overflow`] says; how many were lost is counted, and told with the next message that is asked for.
#[derive(Debug)]
pub struct Inbox<'b> {
    memory: Buffer<'b>,
    /// The bytes of the message that was shown last, to be dropped with the next call.
    shown: usize,
    lost: u64,
    /// How many of these have not been told yet.
    untold: u64,
    overflow: Overflow,
    confirmations: bool,
    answers: bool,
}

/// How many bytes a message takes in an [`Inbox`] besides channel, pattern and payload.
pub const OVERHEAD: usize = 13;

/// What happens to messages when the [`Inbox`] is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Overflow {
    /// What comes is lost.
    #[default]
    DropNewest,
    /// The oldest are lost, until what comes fits.
    DropOldest,
    /// Nothing more is read, so that the server keeps it, while no reply is waited for: a call that waits for one drops the
    /// newest instead. The server ends connections that make it keep too much (`client-output-buffer-limit`).
    StopReading,
}

/// Something that a subscription has brought: a message, a confirmation, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message<'a> {
    /// What it is.
    pub kind: MessageKind,
    /// The channel; of a confirmation the channel or pattern that it is about.
    pub channel: &'a [u8],
    /// The pattern that the channel matches, for [`MessageKind::PatternMessage`].
    pub pattern: Option<&'a [u8]>,
    /// What was published. Of [`MessageKind::End`] what the server said, if it refused; of [`MessageKind::Pong`] the text.
    pub payload: &'a [u8],
    /// Of a confirmation how many channels and patterns there are now, or how many shard channels; of [`MessageKind::Gap`]
    /// how many of all were subscribed to again.
    pub count: Option<i64>,
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MessageKind {
    /// A message to a channel.
    Message,
    /// A message to a channel that matches a pattern.
    PatternMessage,
    /// A message to a shard channel.
    ShardMessage,
    /// The confirmation of a subscription.
    Subscribe(SubscriptionKind),
    /// The confirmation that a subscription has ended.
    Unsubscribe(SubscriptionKind),
    /// A subscription is over although nobody has asked for that: the server has ended it, or refused it when the connection
    /// was made again.
    End(SubscriptionKind),
    /// The connection was lost and made again. What was published in between is lost; the subscriptions are back.
    Gap,
    /// The answer to a PING.
    Pong,
}

impl Message<'_> {
    /// Whether it was published, and is not a confirmation or an answer.
    pub const fn is_message(&self) -> bool {
        matches!(self.kind, MessageKind::Message | MessageKind::PatternMessage | MessageKind::ShardMessage)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Message<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Message { kind, channel, pattern, payload, count } = self;
        defmt::write!(f, "Message {{ kind: {}, channel: {=[u8]:a}", kind, channel);
        if let Some(pattern) = pattern {
            defmt::write!(f, ", pattern: {=[u8]:a}", pattern);
        }
        defmt::write!(f, ", payload: {=[u8]:a}", payload);
        if let Some(count) = count {
            defmt::write!(f, ", count: {=i64}", count);
        }
        defmt::write!(f, " }}");
    }
}

impl<'a> From<crate::connection::Message<'a>> for Message<'a> {
    fn from(message: crate::connection::Message<'a>) -> Self {
        Message {
            kind: match message.kind {
                SubscriptionKind::Pattern => MessageKind::PatternMessage,
                SubscriptionKind::Shard => MessageKind::ShardMessage,
                SubscriptionKind::Channel => MessageKind::Message,
            },
            channel: message.channel,
            pattern: message.pattern,
            payload: message.payload,
            count: None,
        }
    }
}

impl<'a> Message<'a> {
    fn new(kind: MessageKind, channel: &'a [u8], payload: &'a [u8], count: Option<i64>) -> Self {
        Message { kind, channel, pattern: None, payload, count }
    }
}

/// What stands in the inbox, as a byte: a kind of message, or an error.
const KINDS: [MessageKind; 14] = {
    use MessageKind::{End, Gap, Message, PatternMessage, Pong, ShardMessage, Subscribe, Unsubscribe};
    use SubscriptionKind::{Channel, Pattern, Shard};
    [
        Message,
        PatternMessage,
        ShardMessage,
        Subscribe(Channel),
        Subscribe(Pattern),
        Subscribe(Shard),
        Unsubscribe(Channel),
        Unsubscribe(Pattern),
        Unsubscribe(Shard),
        End(Channel),
        End(Pattern),
        End(Shard),
        Gap,
        Pong,
    ]
};

/// The server refused a subscription, or did not answer it in time; in place of a kind.
const REFUSED: u8 = 14;
const LATE: u8 = 15;

impl<'b> Inbox<'b> {
    /// An inbox in this memory, or one that grows as far as its limit.
    pub const fn new(memory: Buffer<'b>) -> Self {
        Inbox {
            memory,
            shown: 0,
            lost: 0,
            untold: 0,
            overflow: Overflow::DropNewest,
            confirmations: true,
            answers: true,
        }
    }

    /// An inbox that grows to so many bytes.
    #[cfg(feature = "alloc")]
    pub const fn growing(limit: usize) -> Self {
        Self::new(Buffer::growing(limit))
    }

    /// What happens when it is full.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Whether confirmations of subscriptions are messages, too; true by default.
    #[must_use]
    pub const fn confirmations(mut self, shown: bool) -> Self {
        self.confirmations = shown;
        self
    }

    /// Whether answers for which no exchange waits are kept: the error to a SUBSCRIBE, the reply to a PING, and that one of
    /// them is late; true by default. Say false where every command is sent by an exchange: what nobody waits for then is
    /// the answer to one that was forgotten.
    #[must_use]
    pub const fn answers(mut self, kept: bool) -> Self {
        self.answers = kept;
        self
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.memory.len().saturating_sub(self.shown)
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages were lost since it was made, for lack of room.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether a call that waits for no reply has to stop reading: see [`Overflow::StopReading`].
    pub fn stops_reading(&self) -> bool {
        // A message may be as large as a whole read: half of the room is kept for it.
        self.overflow == Overflow::StopReading && self.memory.available() < self.memory.len()
    }

    /// Keeps what an event means to a subscriber.
    pub(super) fn take(&mut self, event: &Event<'_>, lost_subscriptions: &mut bool) {
        if !SUBSCRIPTIONS {
            return;
        }
        match *event {
            Event::Message(message) => self.push(&message.into()),
            // What is subscribed to again when the connection is made anew, the gap is the sign of.
            Event::Subscription(confirmed) if confirmed.ticket.is_none() && confirmed.subscribed => {}
            Event::Subscription(confirmed) if self.confirmations => {
                let kind = if confirmed.subscribed {
                    MessageKind::Subscribe(confirmed.kind)
                } else {
                    MessageKind::Unsubscribe(confirmed.kind)
                };
                let name = confirmed.name.unwrap_or_default();
                self.push(&Message::new(kind, name, &[], Some(confirmed.count)));
            }
            Event::SubscriptionEnd(end) => {
                let text = end.error.map_or(&[][..], |error| error.text());
                self.push(&Message::new(MessageKind::End(end.kind), end.name, text, None));
            }
            Event::Connected { resubscribed, .. } if core::mem::take(lost_subscriptions) => {
                let count = i64::try_from(resubscribed).ok();
                self.push(&Message::new(MessageKind::Gap, &[], &[], count));
            }
            // SUBSCRIBE has no reply but an error; PING has one.
            Event::Reply { frame, .. } if self.answers => match frame.error() {
                Some(error) => self.push_entry(REFUSED, [&[], &[], error.text()]),
                None => self.push(&Message::new(MessageKind::Pong, &[], pong(frame), None)),
            },
            Event::Failed { failure, .. } if self.answers && failure.reason == FailureReason::TimedOut => {
                self.push_entry(LATE, [&[], &[], &[u8::from(failure.maybe_executed)]]);
            }
            Event::Skipped { ticket: None, .. } => self.note_lost(),
            _ => {}
        }
    }

    fn push(&mut self, message: &Message<'_>) {
        let kind = KINDS.iter().position(|&kind| kind == message.kind).unwrap_or_default();
        let count = message.count.map(i64::to_le_bytes);
        let payload = count.as_ref().map_or(message.payload, |count| &count[..]);
        self.push_entry(kind as u8, [message.channel, message.pattern.unwrap_or_default(), payload]);
    }

    fn push_entry(&mut self, kind: u8, parts: [&[u8]; 3]) {
        self.forget();
        let mut header = [kind; OVERHEAD];
        let lengths = parts.iter().flat_map(|part| (part.len() as u32).to_le_bytes());
        header.iter_mut().skip(1).zip(lengths).for_each(|(place, byte)| *place = byte);
        let total = parts.iter().fold(OVERHEAD, |total, part| total.saturating_add(part.len()));
        let possible = total <= self.memory.available().saturating_add(self.memory.len())
            && parts.iter().all(|part| u32::try_from(part.len()).is_ok());
        while possible && self.overflow == Overflow::DropOldest && self.memory.available() < total {
            let oldest = self.first().map_or(self.memory.len(), |(.., length)| length);
            self.memory.consume(oldest);
            self.note_lost();
        }
        if !possible || self.memory.available() < total || self.memory.reserve(total).is_err() {
            return self.note_lost();
        }
        let _ = self.memory.append(&header);
        for part in parts {
            let _ = self.memory.append(part);
        }
    }

    fn note_lost(&mut self) {
        self.lost = self.lost.saturating_add(1);
        self.untold = self.untold.saturating_add(1);
    }

    /// Makes the oldest message the one to be [shown](Self::shown). False if there is none.
    ///
    /// # Errors
    /// Messages were lost; a subscription was refused. It is told once.
    pub(super) fn advance(&mut self) -> Result<bool, Error> {
        self.forget();
        let lost = core::mem::take(&mut self.untold);
        if lost > 0 {
            return Err(Error::new(ErrorKind::MessagesLost(lost)));
        }
        let Some((kind, [_, _, payload], length)) = self.first() else { return Ok(false) };
        let error = match kind {
            REFUSED => ErrorReply::new(payload).into(),
            LATE => Error::new(ErrorKind::TimedOut).executed(payload == [1]),
            _ => {
                self.shown = length;
                return Ok(true);
            }
        };
        self.memory.consume(length);
        Err(error)
    }

    /// The message that was found last. None: it is the connection's last event.
    pub(super) fn shown(&self) -> Option<Message<'_>> {
        if self.shown == 0 {
            return None;
        }
        let (kind, [channel, pattern, payload], _) = self.first()?;
        let kind = *KINDS.get(usize::from(kind))?;
        let counts =
            matches!(kind, MessageKind::Subscribe(_) | MessageKind::Unsubscribe(_) | MessageKind::Gap);
        let count = payload.try_into().ok().filter(|_| counts).map(i64::from_le_bytes);
        Some(Message {
            kind,
            channel,
            pattern: (kind == MessageKind::PatternMessage).then_some(pattern),
            payload: if count.is_some() { &[] } else { payload },
            count,
        })
    }

    fn forget(&mut self) {
        let shown = core::mem::take(&mut self.shown);
        if shown > 0 {
            self.memory.consume(shown);
        }
    }

    /// The oldest entry: its kind, its parts, and the bytes that it takes.
    fn first(&self) -> Option<(u8, [&[u8]; 3], usize)> {
        let (header, mut rest) = self.memory.filled().split_first_chunk::<OVERHEAD>()?;
        let mut parts = [&[][..]; 3];
        for (number, part) in parts.iter_mut().enumerate() {
            let length = header.get(1 + 4 * number..)?.first_chunk::<4>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            (*part, rest) = rest.split_at_checked(length)?;
        }
        let length = parts.iter().fold(OVERHEAD, |length, part| length + part.len());
        Some((*header.first()?, parts, length))
    }
}

/// The text in the answer to a PING: under RESP2 a subscriber gets an array; `PONG` answers a PING without any.
fn pong(frame: Frame<'_>) -> &[u8] {
    let text = match frame.elements().nth(1) {
        Some(payload) => payload.text(),
        None => frame.text().filter(|_| !frame.as_bytes().starts_with(b"+")),
    };
    text.unwrap_or_default()
}
