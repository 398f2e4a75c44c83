//! What subscriptions bring.

use std::borrow::Cow;
use std::fmt;

use redwire::client::{self, MessageKind};

/// Something that a subscription has brought: a message, a confirmation, or its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    kind: MessageKind,
    channel: Vec<u8>,
    pattern: Option<Vec<u8>>,
    payload: Vec<u8>,
    count: Option<i64>,
}

impl Message {
    /// What it is.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Whether it was published, and is not a confirmation or an answer.
    pub fn is_message(&self) -> bool {
        matches!(self.kind, MessageKind::Message | MessageKind::PatternMessage | MessageKind::ShardMessage)
    }

    /// The channel, or the channel or pattern that was subscribed to; what is not UTF-8 in it is replaced by `U+FFFD`.
    pub fn channel(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.channel)
    }

    /// The channel as bytes.
    pub fn channel_bytes(&self) -> &[u8] {
        &self.channel
    }

    /// The pattern that the channel matches, for [`MessageKind::PatternMessage`].
    pub fn pattern(&self) -> Option<Cow<'_, str>> {
        self.pattern.as_deref().map(String::from_utf8_lossy)
    }

    /// The pattern as bytes.
    pub fn pattern_bytes(&self) -> Option<&[u8]> {
        self.pattern.as_deref()
    }

    /// What was published; what is not UTF-8 in it is replaced by `U+FFFD`.
    pub fn payload(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }

    /// What was published, as bytes.
    pub fn payload_bytes(&self) -> &[u8] {
        &self.payload
    }

    /// Of a confirmation: how many channels and patterns there are now, or how many shard channels. Of
    /// [`MessageKind::Gap`]: how many of all were subscribed to again.
    pub fn count(&self) -> Option<i64> {
        self.count
    }
}

/// Channel, pattern and payload as text, with what is not printable ASCII escaped.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
        let mut shown = f.debug_struct("Message");
        shown.field("kind", &self.kind).field("channel", &format_args!("{}", text(&self.channel)));
        if let Some(pattern) = &self.pattern {
            shown.field("pattern", &format_args!("{}", text(pattern)));
        }
        match self.count {
            Some(count) => shown.field("count", &count),
            None => shown.field("payload", &format_args!("{}", text(&self.payload))),
        };
        shown.finish()
    }
}

impl From<client::Message<'_>> for Message {
    fn from(message: client::Message<'_>) -> Self {
        Message {
            kind: message.kind,
            channel: message.channel.to_vec(),
            pattern: message.pattern.map(<[u8]>::to_vec),
            payload: message.payload.to_vec(),
            count: message.count,
        }
    }
}
