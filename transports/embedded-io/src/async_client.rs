//! The async client.

use redwire::command::{self, Arguments, Command, Gives};
use redwire::connection::{Config, Connection, Message, SendError, SendOptions, Ticket};
use redwire::parts::PIECES;
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser, Scanner};
use redwire::script::Script;
use redwire::time::{Duration, Instant};

use embedded_io_async::{Error as _, ReadReady};

use crate::session::{Session, Wanted};
use crate::{AsyncConnector, Clock, Error, ErrorKind, Memory};

/// An async client over streams of `embedded-io-async`: one connection, and the caller's memory.
///
/// Commands are values to [`execute`](Self::execute), or, over streams that are
/// [safe to be given up](AsyncConnector::CANCEL_SAFE), methods of [`Commands`](redwire::command::Commands). A reply can be
/// borrowed from the receive buffer (`&str`, `&[u8]`), or put into a number, a `heapless` type or any other.
///
/// ```
/// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
/// use redwire_embedded_io::prelude::*;
///
/// # let connector = canned::connector(&[":7\r\n", "$6\r\nsensor\r\n", "$6\r\ngarden\r\n", "+OK\r\n"]);
/// # canned::run(async {
/// let mut memory = StaticBuffers::<512, 256, 8>::new();
/// let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
/// redis.connect().await?;
/// let boots: i64 = redis.incr("boots").await?;
/// let name: heapless::String<32> = redis.get("name").await?;
/// let place: &str = redis.get("place").await?;
/// let fresh: bool = redis.execute(set("lock", "token").ex(30).nx()).await?;
/// assert_eq!((boots, name.as_str(), fresh), (7, "sensor", true));
/// # Ok(())
/// # });
/// ```
///
/// # Connecting
///
/// [`connect`](Self::connect) is a call of its own, the first time and whenever the connection was lost: until then all
/// others fail with [`ErrorKind::Disconnected`], and nothing is sent. Subscriptions are renewed by it. What was sent is
/// never sent a second time: when the connection is lost then, [`Error::maybe_executed`] says whether the server may have
/// seen it.
///
/// # Dropped calls
///
/// Any call may be dropped at any time, by a timeout or a `select`. A command of which nothing was written is taken back;
/// of any other the reply is discarded when it comes, and the next command gets its own. The connection is over only
/// - when a byte was on its way in a stream that is not [safe to be given up](AsyncConnector::CANCEL_SAFE);
/// - when an [`upload`](Self::upload) is dropped half way, or a [`script`](Self::script) while it is loaded;
/// - while it [connects](Self::connect).
///
/// The next call then fails with [`ErrorKind::Disconnected`].
///
/// # Deadlines
///
/// The timeouts in [`Config`] are measured with the [`Clock`]. They pass when nothing comes, if the clock can
/// [wake](Clock::wake_at) a task. In a stream that is not safe to be given up, one that passes while a byte is on its way
/// ends the connection; the health check is not made there.
pub struct AsyncClient<'b, C: AsyncConnector, K, P = Scanner<'b>> {
    pub(crate) session: Session<'b, P>,
    pub(crate) connector: C,
    pub(crate) stream: Option<C::Stream>,
    pub(crate) clock: K,
    /// The stream was asked for something that must not be given up, and has not answered yet.
    pub(crate) mid_io: bool,
    /// Something was written and not flushed.
    pub(crate) unflushed: bool,
}

impl<'b, C: AsyncConnector, K: Clock> AsyncClient<'b, C, K> {
    /// A client without a connection.
    pub fn new(connector: C, config: Config<'b>, memory: impl Into<Memory<'b>>, clock: K) -> Self {
        Self::of(Session::new(config, memory.into()), connector, clock)
    }
}

impl<'b, C: AsyncConnector, K: Clock, P: Parser> AsyncClient<'b, C, K, P> {
    /// A client with a parser of the caller's.
    pub fn with_parser(
        connector: C,
        config: Config<'b>,
        memory: impl Into<Memory<'b>>,
        clock: K,
        parser: P,
    ) -> Self {
        Self::of(Session::with_parser(config, memory.into(), parser), connector, clock)
    }

    fn of(session: Session<'b, P>, connector: C, clock: K) -> Self {
        AsyncClient { session, connector, stream: None, clock, mid_io: false, unflushed: false }
    }

    /// Connects, unless there is a connection: gets a stream from the connector, and takes it through the handshake.
    /// Dropped half way it leaves no connection. How long the connector may take is its own affair.
    ///
    /// # Errors
    /// [`Error`]: there is no stream to be had, or the server refuses.
    pub async fn connect(&mut self) -> Result<(), Error> {
        // A connection that has ended while nobody looked makes room for the next.
        let there = self.prepare().is_ok();
        if there && self.session.engine.is_ready() {
            return Ok(());
        }
        if !there {
            let stream = self.connector.connect().await;
            self.stream = Some(stream.map_err(|error| Error::new(ErrorKind::Connect(error.kind())))?);
            let now = self.clock.now();
            self.session.connected(now)?;
        }
        // Behind RESET the same connection is greeted anew.
        let mut greeting = Greeting { client: self, done: false };
        greeting.client.wait(Wanted::Connected, None).await?;
        if !there && !C::FRESH {
            greeting.client.verify().await.map_err(|error| error.executed(false))?;
        }
        greeting.done = true;
        Ok(())
    }

    /// Makes sure that a reply answers what was asked: the first on a line may be old ones.
    async fn verify(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        let sign = self.session.new_sign(now);
        let ticket = self.session.engine.send(now, &command::ping().message(sign))?;
        self.wait(Wanted::Answer(ticket), None).await?;
        self.session.echoes(sign)
    }

    /// Whether there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.stream.is_some() && !self.mid_io
    }

    /// Ends the connection and gives the stream back to the connector. Nothing is sent to the server.
    pub fn disconnect(&mut self) {
        self.session.engine.close();
        while self.session.engine.poll_event().is_some() {}
        self.let_go();
    }

    /// Ends the connection, and gives the connector back: with a [`Line`](crate::Line) the stream. Dropping the client
    /// drops both.
    pub fn into_connector(mut self) -> C {
        self.disconnect();
        self.connector
    }

    /// The connector, to change where the next stream comes from. The stream in use stays as it is.
    pub fn connector(&mut self) -> &mut C {
        &mut self.connector
    }

    /// The state of the connection.
    pub fn connection(&self) -> &Connection<'b, P> {
        &self.session.engine
    }

    /// Runs a command and reads its reply: as the type that Redis fixes for it, or as any type where it leaves that open.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n", "$6\r\nembstr\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// # redis.connect().await?;
    /// let fresh: bool = redis.execute(set("lock", "token").ex(30).nx()).await?;
    /// let encoding: &str = redis.execute(cmd("OBJECT").arg("ENCODING").arg("lock")).await?;
    /// assert_eq!((fresh, encoding), (true, "embstr"));
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error`]. A command that has no reply, or changes what a connection is (MULTI, MONITOR, CLIENT REPLY), is of kind
    /// [`ErrorKind::NoReply`].
    pub async fn execute<'c, T, R>(&'c mut self, command: T) -> Result<R, Error>
    where
        T: Command,
        T::Reply: Gives<R>,
        R: FromReply<'c>,
    {
        self.answer(&command, SendOptions::default()).await?;
        self.session.reply()
    }

    /// Calls a script by its digest, and loads it first if the server has not got it.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":10\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// # redis.connect().await?;
    /// let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
    /// let ten: i64 = redis.script(&multiply, "foo", 5).await?;
    /// assert_eq!(ten, 10);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error`]; one that the script raised is the server's.
    pub async fn script<'c, A, B, R>(
        &'c mut self,
        script: &Script<'_>,
        keys: A,
        arguments: B,
    ) -> Result<R, Error>
    where
        A: Arguments,
        B: Arguments,
        R: FromReply<'c>,
    {
        let call = command::evalsha(script.digest(), keys, arguments);
        self.answer(&call, SendOptions::default()).await?;
        if self.session.is_no_script() {
            self.load(script).await?;
            self.answer(&call, SendOptions::default()).await?;
        }
        self.session.reply()
    }

    /// Hands a script to the server, in pieces if need be and can be.
    async fn load(&mut self, script: &Script<'_>) -> Result<(), Error> {
        if !PIECES {
            return self.execute(["SCRIPT", "LOAD", script.source()]).await;
        }
        let source = script.source().as_bytes();
        let mut upload = self.upload(["SCRIPT", "LOAD"], source.len()).await?;
        upload.append(source).await?;
        upload.finish().await
    }

    /// Subscribes to a channel, or several, and waits for the confirmation. The messages are for
    /// [`get_message`](Self::get_message). Dropped half way it may have subscribed all the same.
    ///
    /// [SUBSCRIBE](https://redis.io/docs/latest/commands/subscribe/), Redis 2.0.0. Under RESP2 a subscriber can run no other
    /// commands; under RESP3 (Redis 6.0) it can.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Capacity`] if there is no room for the names, to which nothing was subscribed then.
    pub async fn subscribe<A: Arguments>(&mut self, channels: A) -> Result<(), Error> {
        self.confirmed(&command::subscribe(channels)).await
    }

    /// Subscribes to all channels that match a pattern, or one of several.
    ///
    /// [PSUBSCRIBE](https://redis.io/docs/latest/commands/psubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn psubscribe<A: Arguments>(&mut self, patterns: A) -> Result<(), Error> {
        self.confirmed(&command::psubscribe(patterns)).await
    }

    /// Subscribes to a shard channel, or several.
    ///
    /// [SSUBSCRIBE](https://redis.io/docs/latest/commands/ssubscribe/), Redis 7.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn ssubscribe<A: Arguments>(&mut self, channels: A) -> Result<(), Error> {
        self.confirmed(&command::ssubscribe(channels)).await
    }

    /// Ends the subscription to a channel, to several, or with `()` to all.
    ///
    /// [UNSUBSCRIBE](https://redis.io/docs/latest/commands/unsubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn unsubscribe<A: Arguments>(&mut self, channels: A) -> Result<(), Error> {
        self.confirmed(&command::unsubscribe(channels)).await
    }

    /// Ends the subscription to a pattern, to several, or with `()` to all.
    ///
    /// [PUNSUBSCRIBE](https://redis.io/docs/latest/commands/punsubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn punsubscribe<A: Arguments>(&mut self, patterns: A) -> Result<(), Error> {
        self.confirmed(&command::punsubscribe(patterns)).await
    }

    /// Ends the subscription to a shard channel, to several, or with `()` to all.
    ///
    /// [SUNSUBSCRIBE](https://redis.io/docs/latest/commands/sunsubscribe/), Redis 7.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn sunsubscribe<A: Arguments>(&mut self, channels: A) -> Result<(), Error> {
        self.confirmed(&command::sunsubscribe(channels)).await
    }

    async fn confirmed<T: Encode>(&mut self, command: &T) -> Result<(), Error> {
        self.answer(command, SendOptions::default()).await?;
        match self.session.reply() {
            // The confirmation is no reply; an error is one.
            Err(Error { kind: ErrorKind::NoReply, .. }) => Ok(()),
            other => other,
        }
    }

    /// The next message, for which it waits so long at most; over a stream that is not
    /// [safe to be given up](AsyncConnector::CANCEL_SAFE), or with a clock that wakes nobody, until something comes. None if
    /// there is none by then, and at once when nothing is subscribed to. No message is lost when it is dropped.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// # redis.connect().await?;
    /// redis.subscribe("news").await?;
    /// if let Some(message) = redis.get_message(Duration::from_secs(1)).await? {
    ///     assert_eq!((message.channel, message.payload), (&b"news"[..], &b"hello"[..]));
    /// }
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// When the connection is lost that is an error, and what is published from then on is lost until
    /// [`connect`](Self::connect) has subscribed again.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::MessagesLost`] if messages did not fit into the memory for them.
    pub async fn get_message(&mut self, timeout: Duration) -> Result<Option<Message<'_>>, Error> {
        if let Some(waiting) = self.session.waiting_message() {
            return waiting.map(|()| self.session.message());
        }
        if !self.session.is_subscribed() {
            return Ok(None);
        }
        self.still_connected()?;
        let until = self.clock.now() + timeout;
        let mut found = self.wait(Wanted::Message, Some(until)).await?;
        if !found && C::CANCEL_SAFE {
            // The moment may have passed while a message came in pieces, of which the last is there.
            let late = self.take_now(Wanted::Message).transpose()?;
            found = late.is_some();
        }
        Ok(if found { self.session.message() } else { None })
    }

    /// The next message if it is there already. It waits for nothing, and is no future. Only over streams that are
    /// [safe to be given up](AsyncConnector::CANCEL_SAFE), which the compiler checks; over others there is
    /// [`poll_message_ready`](Self::poll_message_ready).
    ///
    /// # Errors
    /// As [`get_message`](Self::get_message).
    pub fn poll_message(&mut self) -> Result<Option<Message<'_>>, Error> {
        const {
            assert!(
                C::CANCEL_SAFE,
                "poll_message gives a read up that has nothing to read, which this connector's streams do not allow: \
                 put the connector into CancelSafe if they do, or use poll_message_ready"
            );
        }
        if let Some(waiting) = self.session.waiting_message() {
            return waiting.map(|()| self.session.message());
        }
        if !self.session.is_subscribed() {
            return Ok(None);
        }
        self.still_connected()?;
        self.look_at_the_clock();
        match self.take_now(Wanted::Message) {
            Some(found) => found.map(|()| self.session.message()),
            None => Ok(None),
        }
    }

    /// The next message if it is there already, over any stream that can say whether there is something to be read. It
    /// waits for nothing, and writes nothing.
    ///
    /// # Errors
    /// As [`get_message`](Self::get_message).
    pub fn poll_message_ready(&mut self) -> Result<Option<Message<'_>>, Error>
    where
        C::Stream: ReadReady,
    {
        if let Some(waiting) = self.session.waiting_message() {
            return waiting.map(|()| self.session.message());
        }
        if !self.session.is_subscribed() {
            return Ok(None);
        }
        self.still_connected()?;
        match self.take_ready(Wanted::Message) {
            Some(found) => found.map(|()| self.session.message()),
            None => Ok(None),
        }
    }

    /// Sends a command and waits for what answers it, which is the engine's last event then.
    pub(crate) async fn answer<T>(&mut self, command: &T, options: SendOptions) -> Result<Ticket, Error>
    where
        T: Encode + ?Sized,
    {
        self.prepare()?;
        let mut since = None;
        let ticket = loop {
            match self.send(command, options) {
                Ok(ticket) => break ticket,
                Err(error) => self.make_room(error, command.patience(), &mut since).await?,
            }
        };
        self.admitted(ticket).await
    }

    pub(crate) fn send<T>(&mut self, command: &T, options: SendOptions) -> Result<Ticket, SendError>
    where
        T: Encode + ?Sized,
    {
        let now = self.clock.now();
        self.session.engine.send_with(now, command, options)
    }

    async fn admitted(&mut self, ticket: Ticket) -> Result<Ticket, Error> {
        self.admit(ticket)?;
        let mut waiting = Waiting { client: self, ticket, done: false };
        waiting.client.wait(Wanted::Answer(ticket), None).await?;
        waiting.done = true;
        Ok(ticket)
    }

    /// Ends the connection if the command that was just sent must not go out.
    pub(crate) fn admit(&mut self, ticket: Ticket) -> Result<Ticket, Error> {
        let admitted = self.session.admit(ticket);
        if admitted.is_err() {
            self.disconnect();
        }
        admitted
    }

    /// Makes sure that there is a connection. One that has ended while nobody looked is found out before anything is sent.
    pub(crate) fn prepare(&mut self) -> Result<(), Error> {
        self.still_connected()?;
        let over = if C::CANCEL_SAFE { self.take_now(Wanted::Nothing) } else { self.take(Wanted::Nothing) };
        over.unwrap_or(Ok(()))
    }

    /// Makes sure that there is a stream, and that it is known what went over it.
    fn still_connected(&mut self) -> Result<(), Error> {
        if self.mid_io || self.session.is_half_way() {
            self.disconnect();
        }
        if self.stream.is_some() { Ok(()) } else { Err(Error::new(ErrorKind::Disconnected(None))) }
    }

    pub(crate) fn now(&mut self) -> Instant {
        self.clock.now()
    }
}

/// A command that somebody waits for; dropped before it is answered, its reply is discarded.
struct Waiting<'w, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'w mut AsyncClient<'b, C, K, P>,
    ticket: Ticket,
    done: bool,
}

impl<C: AsyncConnector, K: Clock, P: Parser> Drop for Waiting<'_, '_, C, K, P> {
    fn drop(&mut self) {
        if !self.done {
            self.client.session.engine.discard(self.ticket);
        }
    }
}

/// A handshake; dropped before it is done, there is no connection.
struct Greeting<'g, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'g mut AsyncClient<'b, C, K, P>,
    done: bool,
}

impl<C: AsyncConnector, K: Clock, P: Parser> Drop for Greeting<'_, '_, C, K, P> {
    fn drop(&mut self) {
        if !self.done {
            self.client.disconnect();
        }
    }
}

#[cfg(feature = "defmt")]
impl<C: AsyncConnector, K, P: Parser> defmt::Format for AsyncClient<'_, C, K, P> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "AsyncClient {{ mode: {}, .. }}", self.session.engine.mode());
    }
}

impl<C: AsyncConnector, K, P: Parser> core::fmt::Debug for AsyncClient<'_, C, K, P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AsyncClient").field("mode", &self.session.engine.mode()).finish_non_exhaustive()
    }
}
