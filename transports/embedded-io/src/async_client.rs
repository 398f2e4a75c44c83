//! The async client.

use core::task::Poll;

use embedded_io_async::ReadReady;
use redwire::client::{self, Call, Exchange, Message, ScriptCall, Sent};
use redwire::command::{self, Arguments, Command, Gives};
use redwire::connection::{Config, Connection, Event, SendOptions};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser, Scanner};
use redwire::script::Script;
use redwire::time::{Duration, Instant};

use crate::async_io::sleep;
use crate::state::{Pauses, State, Until};
use crate::{AsyncConnector, Clock, Error, Memory};

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
/// It connects when it runs its first command, and connects again when the connection was lost before. What was sent is
/// never sent a second time: when the connection is lost then, [`Error::maybe_executed`] says whether the server may have
/// seen it. Subscriptions are restored, and [`get_message`](Self::get_message) says that there was a gap.
///
/// A command as a method connects when it is awaited, if the connector can be dropped between two polls
/// ([`AsyncConnector::RESUMES`]). If not it fails with [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected) as long as
/// there is no connection; [`connect`](Self::connect) or any other call makes one. What such a call or a pipeline queues
/// before there is one leaves room for the greeting in the transmit buffer.
///
/// # Dropped calls
///
/// Any call may be dropped at any time, by a timeout or a `select`. A command of which nothing was written is taken back;
/// of any other the reply is discarded when it comes, and the next command gets its own. A handshake is gone on with by the
/// next call. The connection is over only
/// - when a byte was on its way in a stream that is not [safe to be given up](AsyncConnector::CANCEL_SAFE);
/// - when an [`upload`](Self::upload) is dropped half way, or a [`script`](Self::script) while it is loaded.
///
/// The next call then connects again.
///
/// # Deadlines
///
/// The timeouts in [`Config`] are measured with the [`Clock`]. They pass when nothing comes, if the clock can
/// [wake](Clock::wake_at) a task. What has come is not late, however late it is looked at. In a stream that is not safe to be
/// given up, a deadline that passes while a byte is on its way ends the connection; the health check is not made there.
///
/// While its stream is ready all the time a call lets other tasks have their turn now and then.
pub struct AsyncClient<'b, C: AsyncConnector, K, P = Scanner<'b>> {
    pub(crate) state: State<'b, P>,
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
        Self::of(State::new(config, memory.into()), connector, clock)
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
        Self::of(State::with_parser(config, memory.into(), parser), connector, clock)
    }

    const fn of(state: State<'b, P>, connector: C, clock: K) -> Self {
        AsyncClient { state, connector, stream: None, clock, mid_io: false, unflushed: false }
    }

    /// Connects, unless there is a connection: gets a stream from the connector, and takes it through the handshake.
    ///
    /// # Errors
    /// [`Error`]: there is no stream to be had, or the server refuses.
    pub async fn connect(&mut self) -> Result<(), Error> {
        self.prepare().await.map_err(|error| self.state.error(error))
    }

    /// Whether there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.stream.is_some() && !self.mid_io
    }

    /// Ends the connection and gives the stream back to the connector. Nothing is sent to the server.
    pub fn disconnect(&mut self) {
        self.state.session.disconnect();
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
        self.state.engine()
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
    /// let fresh: bool = redis.execute(set("lock", "token").ex(30).nx()).await?;
    /// let encoding: &str = redis.execute(cmd("OBJECT").arg("ENCODING").arg("lock")).await?;
    /// assert_eq!((fresh, encoding), (true, "embstr"));
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error`]. A command that changes what the connection is for all that follow (SELECT, WATCH, MULTI, MONITOR, SUBSCRIBE,
    /// CLIENT REPLY), or is not answered, is refused before a byte is written, of kind [`ErrorKind::Misuse`](crate::ErrorKind::Misuse) with
    /// [`OwnConnection`](redwire::connection::Misuse::OwnConnection): there are the configuration and methods for what is
    /// wanted of them.
    pub async fn execute<'c, T, R>(&'c mut self, command: T) -> Result<R, Error>
    where
        T: Command,
        T::Reply: Gives<R>,
        R: FromReply<'c>,
    {
        let call = self.converse(Call::new(&command)).await?;
        call.read(&self.state.session).map_err(|error| self.state.error(error))
    }

    /// Runs an exchange over a connection that is there or is made.
    pub(crate) async fn converse<X: Exchange<P>>(&mut self, exchange: X) -> Result<X, Error> {
        let ended = match self.prepare().await {
            Ok(()) => self.run(exchange).await,
            Err(error) => Err(error),
        };
        ended.map_err(|error| self.state.error(error))
    }

    /// Runs an exchange to its end. Dropped before that, it is given up.
    pub(crate) async fn run<X: Exchange<P>>(&mut self, exchange: X) -> Result<X, client::Error> {
        let mut due = Due { client: self, exchange: Some(exchange) };
        if let Some(exchange) = &mut due.exchange {
            due.client.wait(Until::EndOf(exchange), None).await?;
        }
        due.exchange.take().ok_or_else(|| client::Error::new(client::ErrorKind::OutOfStep))
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
        let call = self.converse(ScriptCall::new(*script, &call)).await?;
        call.read(&self.state.session).map_err(|error| self.state.error(error))
    }

    /// Calls a function of a library (Redis 7.0), and loads the library first if the server has not got the function. It
    /// takes the place of a library of the same name.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":10\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// let library = "#!lua name=sums\nredis.register_function('double', function(keys, args) return args[1] * 2 end)";
    /// let ten: i64 = redis.function(library, "double", (), 5).await?;
    /// assert_eq!(ten, 10);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error`]; one that the function raised is the server's.
    pub async fn function<'c, A, B, R>(
        &'c mut self,
        library: &str,
        function: &str,
        keys: A,
        arguments: B,
    ) -> Result<R, Error>
    where
        A: Arguments,
        B: Arguments,
        R: FromReply<'c>,
    {
        let call = command::fcall(function, keys, arguments);
        let call = self.converse(ScriptCall::function(library, &call)).await?;
        call.read(&self.state.session).map_err(|error| self.state.error(error))
    }

    /// Subscribes to a channel, or several, and waits for the confirmation. The messages are for
    /// [`get_message`](Self::get_message). Dropped half way it may have subscribed all the same.
    ///
    /// [SUBSCRIBE](https://redis.io/docs/latest/commands/subscribe/), Redis 2.0.0. Under RESP2 a subscriber can run no other
    /// commands; under RESP3 (Redis 6.0) it can.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) if there is no room for the names, to which nothing was subscribed then.
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
        self.converse(Call::with_options(command, SendOptions::new())).await?;
        match self.state.engine().last_event() {
            // An error comes in place of the confirmation, which is no reply.
            Some(Event::Reply { frame, .. }) => {
                frame.decode().map_err(|error| State::<P>::unreadable(error, command))
            }
            _ => Ok(()),
        }
    }

    /// The next message, for which it waits so long at most, to connect included; over a stream that is not
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
    /// redis.subscribe("news").await?;
    /// if let Some(message) = redis.get_message(Duration::from_secs(1)).await? {
    ///     assert_eq!((message.channel, message.payload), (&b"news"[..], &b"hello"[..]));
    /// }
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// When the connection is lost that is an error, and what is published from then on is lost until the next call, which
    /// connects and subscribes again, and then gives a message of the kind [`Gap`](client::MessageKind::Gap). While there is
    /// no connection to be had it tries again, with pauses, and fails when the time has passed.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::MessagesLost`](crate::ErrorKind::MessagesLost) if messages did not fit into the memory for them.
    pub async fn get_message(&mut self, timeout: Duration) -> Result<Option<Message<'_>>, Error> {
        let until = self.clock.now() + timeout;
        match self.next_message(until).await {
            Ok(found) => Ok(if found { self.state.session.message() } else { None }),
            Err(error) => Err(self.state.error(error)),
        }
    }

    async fn next_message(&mut self, until: Instant) -> Result<bool, client::Error> {
        self.end_half_way();
        if let Poll::Ready(found) = self.state.session.poll_message() {
            self.tidy();
            return found.map(|()| true);
        }
        if !self.state.session.is_subscribed() {
            return Ok(false);
        }
        let mut pauses = Pauses::new(until);
        while !self.state.engine().is_ready() {
            match self.wait::<Call<'_, Sent>>(Until::Ready, Some(until)).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    let now = self.clock.now();
                    match pauses.after(&error, now) {
                        Some(pause) if K::TICKS => sleep(&mut self.clock, now + pause).await,
                        _ => return Err(error),
                    }
                }
            }
        }
        self.wait::<Call<'_, Sent>>(Until::Message, Some(until)).await
    }

    /// The next message if it is there already. It waits for nothing, never connects, and is no future. Only over streams that are
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
        self.end_half_way();
        let found = self.message_now();
        self.message_found(found)
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
        self.end_half_way();
        let found = self.message_ready();
        self.message_found(found)
    }

    fn message_found(
        &mut self,
        found: Poll<Result<(), client::Error>>,
    ) -> Result<Option<Message<'_>>, Error> {
        self.tidy();
        match found {
            Poll::Ready(Ok(())) => Ok(self.state.session.message()),
            Poll::Ready(Err(error)) => Err(self.state.error(error)),
            Poll::Pending => Ok(None),
        }
    }

    /// Makes sure that there is a connection. One that has ended while nobody looked is found out before anything is sent.
    pub(crate) async fn prepare(&mut self) -> Result<(), client::Error> {
        // What it says of the connection before, nobody waits for.
        let _ = self.look();
        self.wait::<Call<'_, Sent>>(Until::Ready, None).await.map(drop)
    }

    /// Takes what has come in the meantime, as far as the stream may be asked without waiting.
    pub(crate) fn look(&mut self) -> Result<(), client::Error> {
        self.end_half_way();
        let looked = if C::CANCEL_SAFE { self.catch_up() } else { self.state.session.catch_up() };
        self.tidy();
        looked
    }

    /// Ends a connection of which nobody knows what went over it, or on which something was forgotten half way.
    fn end_half_way(&mut self) {
        if self.mid_io || self.state.is_half_way() {
            self.disconnect();
        }
    }
}

/// An exchange that somebody waits for; dropped before it has ended, it is given up.
struct Due<'w, 'b, C: AsyncConnector, K: Clock, P: Parser, X: Exchange<P>> {
    client: &'w mut AsyncClient<'b, C, K, P>,
    exchange: Option<X>,
}

impl<C: AsyncConnector, K: Clock, P: Parser, X: Exchange<P>> Drop for Due<'_, '_, C, K, P, X> {
    fn drop(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.give_up(self.client.state.engine_mut());
        }
    }
}

#[cfg(feature = "defmt")]
impl<C: AsyncConnector, K, P: Parser> defmt::Format for AsyncClient<'_, C, K, P> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "AsyncClient {{ mode: {}, .. }}", self.state.engine().mode());
    }
}

impl<C: AsyncConnector, K, P: Parser> core::fmt::Debug for AsyncClient<'_, C, K, P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AsyncClient").field("mode", &self.state.engine().mode()).finish_non_exhaustive()
    }
}
