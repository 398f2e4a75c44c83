//! Subscriptions to channels.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use redwire::command::{Argument, Arguments, cmd};
use redwire::connection::{Event, FailureReason, SubscriptionKind};
use redwire::resp::Frame;
use redwire::time::Instant;

use crate::link::Link;
use crate::{Error, ErrorKind};

/// Subscriptions over a connection of their own, from [`Client::pubsub`](crate::Client::pubsub).
///
/// It connects with the first subscription. When the connection is lost, the next call of
/// [`get_message`](Self::get_message) connects again and subscribes again to everything: another confirmation of a channel
/// says that this has happened, and that what was published to it in between is lost.
///
/// ```no_run
/// use std::time::Duration;
/// use redwire_std::prelude::*;
///
/// let client = Client::open("redis://localhost")?;
/// let mut news = client.pubsub();
/// news.subscribe(["news"])?;
/// news.psubscribe("alerts.*")?;
/// while let Some(message) = news.get_message(Duration::from_millis(10))? {
///     println!("{}: {}", message.channel(), message.payload());
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct PubSub {
    link: Link,
    /// What came while something else was waited for.
    pending: VecDeque<Message>,
}

/// Something that a subscription has brought: a message, a confirmation, or its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    kind: MessageKind,
    channel: Vec<u8>,
    pattern: Option<Vec<u8>>,
    payload: Vec<u8>,
    count: Option<i64>,
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// A message to a channel.
    Message,
    /// A message to a channel that matches a pattern.
    PatternMessage,
    /// A message to a shard channel.
    ShardMessage,
    /// The confirmation of a subscription: the name of the channel or pattern, and how many there are now.
    Subscribe(SubscriptionKind),
    /// The confirmation that a subscription has ended.
    Unsubscribe(SubscriptionKind),
    /// A subscription is over although nobody has asked for that: the server has ended it, or refused it when the connection
    /// was made again. The payload is what the server said in the second case, and empty in the first.
    End(SubscriptionKind),
    /// The answer to a [`ping`](PubSub::ping).
    Pong,
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

    /// Of a confirmation: how many channels and patterns there are now, or how many shard channels.
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

/// The message that an event is, if it is one.
fn message(event: Event<'_>) -> Option<Message> {
    match event {
        Event::Message(message) => Some(Message {
            kind: match message.kind {
                SubscriptionKind::Pattern => MessageKind::PatternMessage,
                SubscriptionKind::Shard => MessageKind::ShardMessage,
                _ => MessageKind::Message,
            },
            channel: message.channel.to_vec(),
            pattern: message.pattern.map(<[u8]>::to_vec),
            payload: message.payload.to_vec(),
            count: None,
        }),
        Event::Subscription(confirmed) => Some(Message {
            kind: match confirmed.subscribed {
                true => MessageKind::Subscribe(confirmed.kind),
                false => MessageKind::Unsubscribe(confirmed.kind),
            },
            channel: confirmed.name.unwrap_or_default().to_vec(),
            pattern: None,
            payload: Vec::new(),
            count: Some(confirmed.count),
        }),
        Event::SubscriptionEnd(end) => Some(Message {
            kind: MessageKind::End(end.kind),
            channel: end.name.to_vec(),
            pattern: None,
            payload: end.error.map_or(Vec::new(), |error| error.text().to_vec()),
            count: None,
        }),
        _ => None,
    }
}

/// The answer to a PING: under RESP2 a subscriber gets an array, else it is text; `PONG` is that to a PING without any.
fn pong(frame: Frame<'_>) -> Message {
    let text = match frame.elements().nth(1) {
        Some(payload) => payload.text(),
        None => frame.text().filter(|_| !frame.as_bytes().starts_with(b"+")),
    };
    let payload = text.unwrap_or_default().to_vec();
    Message { kind: MessageKind::Pong, channel: Vec::new(), pattern: None, payload, count: None }
}

impl PubSub {
    pub(crate) fn new(link: Link) -> Self {
        PubSub { link, pending: VecDeque::new() }
    }

    /// Subscribes to a channel, or several. The confirmations come as messages, one for each channel.
    ///
    /// [SUBSCRIBE](https://redis.io/docs/latest/commands/subscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// [`Error`]: there is no connection to be had.
    pub fn subscribe<C: Arguments>(&mut self, channels: C) -> Result<(), Error> {
        self.send("SUBSCRIBE", channels)
    }

    /// Subscribes to all channels that match a pattern, or one of several.
    ///
    /// [PSUBSCRIBE](https://redis.io/docs/latest/commands/psubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn psubscribe<P: Arguments>(&mut self, patterns: P) -> Result<(), Error> {
        self.send("PSUBSCRIBE", patterns)
    }

    /// Subscribes to a shard channel, or several.
    ///
    /// [SSUBSCRIBE](https://redis.io/docs/latest/commands/ssubscribe/), Redis 7.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn ssubscribe<C: Arguments>(&mut self, channels: C) -> Result<(), Error> {
        self.send("SSUBSCRIBE", channels)
    }

    /// Ends the subscription to a channel, to several, or with `()` to all.
    ///
    /// [UNSUBSCRIBE](https://redis.io/docs/latest/commands/unsubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe<C: Arguments>(&mut self, channels: C) -> Result<(), Error> {
        self.send("UNSUBSCRIBE", channels)
    }

    /// Ends the subscription to a pattern, to several, or with `()` to all.
    ///
    /// [PUNSUBSCRIBE](https://redis.io/docs/latest/commands/punsubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn punsubscribe<P: Arguments>(&mut self, patterns: P) -> Result<(), Error> {
        self.send("PUNSUBSCRIBE", patterns)
    }

    /// Ends the subscription to a shard channel, to several, or with `()` to all.
    ///
    /// [SUNSUBSCRIBE](https://redis.io/docs/latest/commands/sunsubscribe/), Redis 7.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn sunsubscribe<C: Arguments>(&mut self, channels: C) -> Result<(), Error> {
        self.send("SUNSUBSCRIBE", channels)
    }

    /// Asks the server for a sign of life, which comes as a message of kind [`MessageKind::Pong`] with the same text.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn ping<T: Argument>(&mut self, text: T) -> Result<(), Error> {
        self.send("PING", text)
    }

    /// Whether anything is subscribed to, or the end of it is not confirmed yet.
    pub fn is_subscribed(&self) -> bool {
        let kinds = [SubscriptionKind::Channel, SubscriptionKind::Pattern, SubscriptionKind::Shard];
        kinds.iter().any(|&kind| self.link.engine.subscriptions(kind) > 0)
            || (self.link.is_connected() && self.link.engine.is_awaited())
    }

    /// The next message, for which it waits so long at most: not at all for [`Duration::ZERO`]. None if there is none by
    /// then, and at once when nothing is subscribed to.
    ///
    /// # Errors
    /// [`Error`]: the connection was lost and there is none to be had in its place, or the server broke the protocol. The
    /// next call tries again.
    pub fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>, Error> {
        let until = self.link.now() + timeout;
        self.next_until(Some(until))
    }

    /// The messages to come, for which it waits. It ends when nothing is subscribed to any more.
    ///
    /// An error does not end it: the message after it is waited for over another connection. After an error without a
    /// connection it pauses for a tenth of a second before it connects again.
    pub fn listen(&mut self) -> Listen<'_> {
        Listen { subscriptions: self, failed: false }
    }

    fn next_until(&mut self, until: Option<Instant>) -> Result<Option<Message>, Error> {
        let mut connected_again = false;
        loop {
            if let Some(message) = self.pending.pop_front() {
                return Ok(Some(message));
            }
            if !self.is_subscribed() {
                return Ok(None);
            }
            if !self.link.is_connected() {
                self.connect()?;
                connected_again = true;
                continue;
            }
            let mut refused = None;
            let result = self.link.pump(until, |event| match event {
                // SUBSCRIBE has no reply but an error; PING has one.
                Event::Reply { frame, .. } => match frame.error() {
                    Some(error) => {
                        refused = Some(Error::from(error));
                        Some(None)
                    }
                    None => Some(Some(pong(frame))),
                },
                Event::Failed { failure, .. } if failure.reason == FailureReason::TimedOut => {
                    refused = Some(Error::new(ErrorKind::TimedOut).executed(failure.maybe_executed));
                    Some(None)
                }
                other => message(other).map(Some),
            });
            match (result, refused) {
                (_, Some(error)) => return Err(self.link.locate(error)),
                (Ok(found), None) => return Ok(found.flatten()),
                // Lost twice in a row is more than an accident.
                (Err(error), None)
                    if !matches!(error.kind(), ErrorKind::Disconnected(_)) || connected_again =>
                {
                    return Err(error);
                }
                (Err(_), None) => {}
            }
        }
    }

    fn connect(&mut self) -> Result<(), Error> {
        let pending = &mut self.pending;
        self.link.connect(|event| pending.extend(message(event)))
    }

    fn send<A: Arguments>(&mut self, name: &'static str, names: A) -> Result<(), Error> {
        if !self.link.is_connected() {
            self.connect()?;
        }
        let command = cmd(name).arg(names);
        self.link.send(&command).map_err(|error| error.about(&command))?;
        while self.link.engine.poll_transmit().is_some() && self.link.flush() {
            let pending = &mut self.pending;
            let lost = self.link.events(|event| {
                pending.extend(message(event));
                None::<()>
            });
            if lost.is_err() {
                // What is subscribed to is known: the next call of get_message restores it.
                break;
            }
        }
        Ok(())
    }
}

/// The messages of [`PubSub::listen`].
#[derive(Debug)]
pub struct Listen<'p> {
    subscriptions: &'p mut PubSub,
    /// The last one was an error.
    failed: bool,
}

impl Iterator for Listen<'_> {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed && !self.subscriptions.link.is_connected() {
            // Who skips errors shall not knock at a dead server's door without a pause.
            std::thread::sleep(Duration::from_millis(100));
        }
        let next = self.subscriptions.next_until(None).transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}
