//! Subscriptions to channels.

use std::hash::{BuildHasher, RandomState};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant as Moment};

use redwire::client::Backoff;
use redwire::command::{Argument, Arguments, cmd};

use crate::link::Link;
use crate::{Error, ErrorKind, Message};

/// Subscriptions over a connection of their own, from [`Client::pubsub`](crate::Client::pubsub).
///
/// It connects with the first subscription. When the connection is lost, [`get_message`](Self::get_message) connects again
/// and subscribes again to everything; then comes a message of kind [`MessageKind::Gap`](crate::MessageKind::Gap): what was published in between is
/// lost.
///
/// What comes while nobody takes messages stays with the server. The few that were read with something else wait here, in
/// no more memory than [`ClientConfig::message_limit`](crate::ClientConfig::message_limit) says.
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
    backoff: Backoff,
    /// When to connect again, at the earliest: the last attempt has failed.
    next_attempt: Option<Moment>,
}

impl PubSub {
    pub(crate) fn new(link: Link) -> Self {
        PubSub { link, backoff: Backoff::default(), next_attempt: None }
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

    /// Asks the server for a sign of life, which comes as a message of kind [`MessageKind::Pong`](crate::MessageKind::Pong) with the same text.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn ping<T: Argument>(&mut self, text: T) -> Result<(), Error> {
        self.send("PING", text)
    }

    /// Whether anything is subscribed to, or the end of it is not confirmed yet.
    pub fn is_subscribed(&self) -> bool {
        let session = self.link.session();
        session.is_subscribed() || (self.link.is_connected() && session.engine().is_awaited())
    }

    /// How many messages were lost so far since there was no room for them.
    pub fn lost(&self) -> u64 {
        self.link.session().inbox().lost()
    }

    /// The next message, for which it waits so long at most: not at all for [`Duration::ZERO`]. None if there is none by
    /// then, and at once when nothing is subscribed to.
    ///
    /// To connect again, when that has to be, is part of the time. When there is no connection to be had it tries again
    /// after a pause, until the time is over.
    ///
    /// # Errors
    /// [`Error`]: the connection was lost and there was none to be had in its place for all the time; a subscription was
    /// refused; or the server broke the protocol. The next call tries again.
    pub fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>, Error> {
        // A moment too far to be counted is none.
        self.next_until(Moment::now().checked_add(timeout))
    }

    /// The messages to come, for which it waits. It ends when nothing is subscribed to any more.
    ///
    /// An error does not end it: the message after it is waited for over another connection, after a pause.
    pub fn listen(&mut self) -> Listen<'_> {
        Listen { subscriptions: self }
    }

    fn next_until(&mut self, until: Option<Moment>) -> Result<Option<Message>, Error> {
        let mut late = 0;
        loop {
            match self.link.poll_message() {
                Poll::Ready(Ok(())) => return Ok(self.link.session().message().map(Message::from)),
                // It connects again.
                Poll::Ready(Err(error)) if *error.kind() == ErrorKind::Disconnected => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {}
            }
            if !self.is_subscribed() {
                return Ok(None);
            }
            if !self.link.is_connected() {
                self.connect_again(until)?;
                continue;
            }
            let passed = until.is_some_and(|until| until <= Moment::now());
            late += u32::from(passed);
            // What is here by then counts; a server that never stops talking of something else does not.
            if !self.link.wait(until) && passed || late > LATE_READS {
                return Ok(None);
            }
        }
    }

    /// One attempt to connect, after the pause that those before it ask for.
    ///
    /// # Errors
    /// It has failed, and the time is over or there is no end to it; or the server refuses.
    fn connect_again(&mut self, until: Option<Moment>) -> Result<(), Error> {
        if let Some(due) = self.next_attempt {
            let due = until.map_or(due, |until| due.min(until));
            thread::sleep(due.saturating_duration_since(Moment::now()));
        }
        match self.link.connect(until) {
            Ok(()) => self.connected(),
            Err(error) => {
                let pause = self.backoff.pause(RandomState::new().hash_one(0));
                self.next_attempt = Moment::now().checked_add(pause);
                let over = until.is_none_or(|until| until <= Moment::now());
                let lost = matches!(error.kind(), ErrorKind::Connect | ErrorKind::Disconnected);
                if over || !lost {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn connected(&mut self) {
        self.backoff.reset();
        self.next_attempt = None;
    }

    fn send<A: Arguments>(&mut self, name: &'static str, names: A) -> Result<(), Error> {
        if !self.link.is_connected() {
            self.link.connect(None)?;
            self.connected();
        }
        self.link.send(&cmd(name).arg(names))?;
        self.link.write_out();
        Ok(())
    }
}

/// How often something is read at most when the time is over.
const LATE_READS: u32 = 64;

/// The messages of [`PubSub::listen`].
#[derive(Debug)]
pub struct Listen<'p> {
    subscriptions: &'p mut PubSub,
}

impl Iterator for Listen<'_> {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.subscriptions.next_until(None).transpose()
    }
}
