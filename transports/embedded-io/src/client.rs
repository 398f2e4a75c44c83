//! The blocking client.

use core::task::Poll;

use embedded_io::{Error as _, ErrorType, Read, ReadReady, Write};
use redwire::client::{self, Call, Exchange, Message, ScriptCall};
use redwire::command::{self, Arguments, Command, Executor, ExecutorAs, Fixed, Gives, Open};
use redwire::connection::{Config, Connection, SendOptions};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Frame, Parser, Scanner};
use redwire::script::Script;
use redwire::time::{Duration, Instant};

use crate::state::{LATE_READS, Pauses, State, Until, earlier};
use crate::{Clock, Connector, Error, Memory};

/// Says without waiting whether a stream has something to be read.
type Ready<S> = fn(&mut S) -> Result<bool, <S as ErrorType>::Error>;

/// A blocking client over streams of `embedded-io`: one connection, and the caller's memory.
///
/// Commands are methods of [`Commands`](redwire::command::Commands), or values to [`execute`](Self::execute). A reply can
/// be borrowed from the receive buffer (`&str`, `&[u8]`), or put into a number, a `heapless` type or any other.
///
/// It connects when it runs its first command, and connects again when the connection was lost before. What was sent is
/// never sent a second time: when the connection is lost then, [`Error::maybe_executed`] says whether the server may have
/// seen it.
///
/// ```
/// use redwire_embedded_io::prelude::*;
/// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
/// # let connector = canned::connector(&[":7\r\n", "$6\r\nsensor\r\n", "$6\r\ngarden\r\n"]);
///
/// let mut memory = StaticBuffers::<512, 256, 8>::new();
/// let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
/// let boots: i64 = redis.incr("boots")?;
/// let name: heapless::String<32> = redis.get("name")?;
/// // Lent from the receive buffer, up to the next command.
/// let place: &str = redis.get("place")?;
/// assert_eq!((boots, name.as_str(), place), (7, "sensor", "garden"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Deadlines
///
/// A read of `embedded-io` waits for as long as it takes. Of the timeouts in [`Config`] the client can take note
/// - whenever something was read or written;
/// - when the stream gives up by itself, with an error of kind `TimedOut` or `Interrupted`, which is no more than that;
/// - at any time [`with_deadlines`](Self::with_deadlines): it then asks the stream whether there is something to be read,
///   and looks at the clock in between.
///
/// What has come is not late, however late it is looked at: the client reads what is there before it looks at the clock, as
/// far as the stream says what is there. The time for a command begins when it is queued, and that for one in a pipeline
/// when it is added; it is at least that of the commands before it.
///
/// # When the connection is lost
///
/// The call that notices it fails, and the stream goes back to the connector. The next call asks for another. A client
/// [`with_deadlines`](Self::with_deadlines) looks before it sends anything, and so finds most connections that have ended
/// meanwhile in time to use another. Subscriptions are restored on the new connection, and
/// [`get_message`](Self::get_message) says that there was a gap; keys that were watched are not, so that a transaction
/// fails.
pub struct Client<'b, C: Connector, K, P = Scanner<'b>> {
    pub(crate) state: State<'b, P>,
    connector: C,
    stream: Option<C::Stream>,
    pub(crate) clock: K,
    ready: Option<Ready<C::Stream>>,
    /// Bytes were written that the stream may hold back.
    unflushed: bool,
}

impl<'b, C: Connector, K: Clock> Client<'b, C, K> {
    /// A client that connects when it has something to send.
    pub fn new(connector: C, config: Config<'b>, memory: impl Into<Memory<'b>>, clock: K) -> Self {
        Self::of(State::new(config, memory.into()), connector, clock)
    }
}

impl<'b, C: Connector, K: Clock, P: Parser> Client<'b, C, K, P> {
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
        Client { state, connector, stream: None, clock, ready: None, unflushed: false }
    }

    /// Looks at the clock while it waits, so that a deadline passes when nothing comes; and reads while what it writes is
    /// taken in parts, so that the server need not keep its replies.
    #[must_use]
    pub fn with_deadlines(mut self) -> Self
    where
        C::Stream: ReadReady,
    {
        self.ready = Some(C::Stream::read_ready);
        self
    }

    /// Connects, unless there is a connection: gets a stream from the connector, and takes it through the handshake.
    ///
    /// # Errors
    /// [`Error`]: there is no stream to be had, or the server refuses.
    pub fn connect(&mut self) -> Result<(), Error> {
        self.prepare().map_err(|error| self.state.error(error))
    }

    /// Whether there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.stream.is_some()
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
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n", "$6\r\nembstr\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let fresh: bool = redis.execute(set("lock", "token").ex(30).nx())?;
    /// let encoding: &str = redis.execute(cmd("OBJECT").arg("ENCODING").arg("lock"))?;
    /// assert_eq!((fresh, encoding), (true, "embstr"));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`]. A command that changes what the connection is for all that follow (SELECT, WATCH, MULTI, MONITOR, SUBSCRIBE,
    /// CLIENT REPLY), or is not answered, is refused before a byte is written, of kind [`ErrorKind::Misuse`](crate::ErrorKind::Misuse) with
    /// [`OwnConnection`](redwire::connection::Misuse::OwnConnection): there are the configuration and methods for what is
    /// wanted of them.
    pub fn execute<'c, T, R>(&'c mut self, command: T) -> Result<R, Error>
    where
        T: Command,
        T::Reply: Gives<R>,
        R: FromReply<'c>,
    {
        match self.reply_to(&command) {
            Ok(frame) => frame.decode().map_err(|error| State::<P>::unreadable(error, &command)),
            Err(error) => Err(error),
        }
    }

    /// Runs a command; the same code for all of them.
    #[inline(never)]
    fn reply_to(&mut self, command: &dyn Encode) -> Result<Frame<'_>, Error> {
        self.call(&mut Call::new(command))?;
        self.state.session.frame().map_err(|error| self.state.error(error))
    }

    /// Runs the call of a command over a connection that is there or is made.
    pub(crate) fn call(&mut self, call: &mut Call<'_>) -> Result<(), Error> {
        self.prepare().and_then(|()| self.run_call(call)).map_err(|error| self.state.error(error))
    }

    /// The same over the connection that is there. A program that runs commands alone has no other loop than theirs.
    pub(crate) fn run_call(&mut self, call: &mut Call<'_>) -> Result<(), client::Error> {
        ended(self.wait(Until::EndOf(call), None))
    }

    /// Runs an exchange over a connection that is there or is made.
    pub(crate) fn converse(&mut self, exchange: &mut dyn Exchange<P>) -> Result<(), Error> {
        self.prepare().and_then(|()| self.run(exchange)).map_err(|error| self.state.error(error))
    }

    /// Calls a script by its digest, and loads it first if the server has not got it.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":10\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
    /// let ten: i64 = redis.script(&multiply, "foo", 5)?;
    /// assert_eq!(ten, 10);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`]; one that the script raised is the server's.
    pub fn script<'c, A, B, R>(&'c mut self, script: &Script<'_>, keys: A, arguments: B) -> Result<R, Error>
    where
        A: Arguments,
        B: Arguments,
        R: FromReply<'c>,
    {
        let call: &dyn Encode = &command::evalsha(script.digest(), keys, arguments);
        let mut call = ScriptCall::new(*script, call);
        self.converse(&mut call)?;
        call.read(&self.state.session).map_err(|error| self.state.error(error))
    }

    /// Calls a function of a library (Redis 7.0), and loads the library first if the server has not got the function. It
    /// takes the place of a library of the same name.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":10\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let library = "#!lua name=sums\nredis.register_function('double', function(keys, args) return args[1] * 2 end)";
    /// let ten: i64 = redis.function(library, "double", (), 5)?;
    /// assert_eq!(ten, 10);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`]; one that the function raised is the server's.
    pub fn function<'c, A, B, R>(
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
        let call: &dyn Encode = &command::fcall(function, keys, arguments);
        let mut call = ScriptCall::function(library, call);
        self.converse(&mut call)?;
        call.read(&self.state.session).map_err(|error| self.state.error(error))
    }

    /// Subscribes to a channel, or several, and waits for the confirmation. The messages are for
    /// [`get_message`](Self::get_message).
    ///
    /// [SUBSCRIBE](https://redis.io/docs/latest/commands/subscribe/), Redis 2.0.0. Under RESP2 a subscriber can run no other
    /// commands; under RESP3 (Redis 6.0) it can.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) if there is no room for the names, to which nothing was subscribed then.
    pub fn subscribe<A: Arguments>(&mut self, channels: A) -> Result<(), Error> {
        self.confirmed(&command::subscribe(channels))
    }

    /// Subscribes to all channels that match a pattern, or one of several.
    ///
    /// [PSUBSCRIBE](https://redis.io/docs/latest/commands/psubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn psubscribe<A: Arguments>(&mut self, patterns: A) -> Result<(), Error> {
        self.confirmed(&command::psubscribe(patterns))
    }

    /// Subscribes to a shard channel, or several.
    ///
    /// [SSUBSCRIBE](https://redis.io/docs/latest/commands/ssubscribe/), Redis 7.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn ssubscribe<A: Arguments>(&mut self, channels: A) -> Result<(), Error> {
        self.confirmed(&command::ssubscribe(channels))
    }

    /// Ends the subscription to a channel, to several, or with `()` to all.
    ///
    /// [UNSUBSCRIBE](https://redis.io/docs/latest/commands/unsubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe<A: Arguments>(&mut self, channels: A) -> Result<(), Error> {
        self.confirmed(&command::unsubscribe(channels))
    }

    /// Ends the subscription to a pattern, to several, or with `()` to all.
    ///
    /// [PUNSUBSCRIBE](https://redis.io/docs/latest/commands/punsubscribe/), Redis 2.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn punsubscribe<A: Arguments>(&mut self, patterns: A) -> Result<(), Error> {
        self.confirmed(&command::punsubscribe(patterns))
    }

    /// Ends the subscription to a shard channel, to several, or with `()` to all.
    ///
    /// [SUNSUBSCRIBE](https://redis.io/docs/latest/commands/sunsubscribe/), Redis 7.0.0.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn sunsubscribe<A: Arguments>(&mut self, channels: A) -> Result<(), Error> {
        self.confirmed(&command::sunsubscribe(channels))
    }

    fn confirmed(&mut self, command: &dyn Encode) -> Result<(), Error> {
        self.call(&mut Call::with_options(command, SendOptions::new()))?;
        match self.state.engine().last_event() {
            // An error comes in place of the confirmation, which is no reply.
            Some(redwire::connection::Event::Reply { frame, .. }) => {
                frame.decode().map_err(|error| State::<P>::unreadable(error, command))
            }
            _ => Ok(()),
        }
    }

    /// The next message, for which it waits so long at most, to connect included: for that the client has to be one
    /// [`with_deadlines`](Self::with_deadlines), or else it waits until something comes. None if there is none by then, and
    /// at once when nothing is subscribed to.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// redis.subscribe("news")?;
    /// if let Some(message) = redis.get_message(Duration::from_secs(1))? {
    ///     assert_eq!((message.channel, message.payload), (&b"news"[..], &b"hello"[..]));
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// When the connection is lost that is an error, and what is published from then on is lost until the next call, which
    /// connects and subscribes again, and then gives a message of the kind [`Gap`](client::MessageKind::Gap). While there is
    /// no connection to be had it tries again, with pauses, and fails when the time has passed.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::MessagesLost`](crate::ErrorKind::MessagesLost) if messages did not fit into the memory for them.
    pub fn get_message(&mut self, timeout: Duration) -> Result<Option<Message<'_>>, Error> {
        let until = self.clock.now() + timeout;
        match self.next_message(until) {
            Ok(found) => Ok(if found { self.state.session.message() } else { None }),
            Err(error) => Err(self.state.error(error)),
        }
    }

    fn next_message(&mut self, until: Instant) -> Result<bool, client::Error> {
        if let Poll::Ready(found) = self.state.session.poll_message() {
            self.tidy();
            return found.map(|()| true);
        }
        if !self.state.session.is_subscribed() {
            return Ok(false);
        }
        let mut pauses = Pauses::new(until);
        while !self.state.engine().is_ready() {
            match self.wait::<Call<'_>>(Until::Ready, Some(until)) {
                Poll::Ready(Ok(())) => {}
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => {
                    let now = self.clock.now();
                    match pauses.after(&error, now) {
                        Some(pause) if K::TICKS => self.clock.pause(pause),
                        _ => return Err(error),
                    }
                }
            }
        }
        match self.wait::<Call<'_>>(Until::Message, Some(until)) {
            Poll::Ready(found) => found.map(|()| true),
            Poll::Pending => Ok(false),
        }
    }

    /// The next message if it is there already. It never waits for the server, and never connects: without a connection
    /// call [`connect`](Self::connect), which subscribes again. All that it may write is the PING of a
    /// [health check](Config::health_check).
    ///
    /// # Errors
    /// As [`get_message`](Self::get_message).
    pub fn poll_message(&mut self) -> Result<Option<Message<'_>>, Error>
    where
        C::Stream: ReadReady,
    {
        let (mut last, mut reads) = (false, 0u16);
        loop {
            match self.state.session.poll_message() {
                Poll::Ready(Ok(())) => return Ok(self.state.session.message()),
                Poll::Ready(Err(error)) => {
                    self.tidy();
                    return Err(self.state.error(error));
                }
                Poll::Pending if last || !self.is_connected() => return Ok(None),
                Poll::Pending => {}
            }
            if reads < LATE_READS && self.ask(C::Stream::read_ready) {
                reads += 1;
                self.receive();
            } else {
                last = true;
                let now = self.clock.now();
                self.state.engine_mut().handle_timeout(now);
                self.transmit();
            }
        }
    }

    /// Makes sure that there is a connection. One that has ended while nobody looked is found out before anything is sent.
    #[inline(never)]
    pub(crate) fn prepare(&mut self) -> Result<(), client::Error> {
        // What it says of the connection before, nobody waits for.
        let _ = self.look();
        ended(self.wait::<Call<'_>>(Until::Ready, None))
    }

    /// The same for what has to go over the connection with this number.
    pub(crate) fn prepare_on(&mut self, life: u32) -> Result<(), client::Error> {
        self.look()?;
        self.state.still(life)
    }

    /// Takes what has come in the meantime, if that can be done without waiting: no more than the receive buffer holds, so
    /// that a flood of messages cannot keep a command from being sent.
    fn look(&mut self) -> Result<(), client::Error> {
        if self.state.is_half_way() {
            self.disconnect();
        }
        let mut looked = self.state.session.catch_up();
        if K::TICKS {
            let mut room = self.state.engine_mut().receive_buffer().len();
            while room > 0
                && looked.is_ok()
                && !self.state.session.inbox().stops_reading()
                && self.readable() == Some(true)
            {
                room = room.saturating_sub(self.receive().max(1));
                looked = self.state.session.catch_up();
            }
        }
        self.tidy();
        looked
    }

    /// Runs an exchange to its end.
    pub(crate) fn run(&mut self, exchange: &mut dyn Exchange<P>) -> Result<(), client::Error> {
        ended(self.wait(Until::EndOf(exchange), None))
    }

    /// Waits for the end of an exchange, or a message, until a moment; pending if it has not come by then. Without a
    /// connection it connects.
    #[inline(never)]
    fn wait<X: Exchange<P> + ?Sized>(
        &mut self,
        mut what: Until<'_, X>,
        until: Option<Instant>,
    ) -> Poll<Result<(), client::Error>> {
        let (mut passed, mut late) = (false, 0u16);
        // Who cannot ask the stream reads at least once, and waits for it.
        let mut looked = self.ready.is_some();
        loop {
            let now = self.clock.now();
            if let Poll::Ready(ended) = what.poll(now, &mut self.state.session) {
                if ended.is_err() {
                    // The connection may have ended with it.
                    let _ = self.state.session.catch_up();
                }
                self.tidy();
                return Poll::Ready(ended);
            }
            if passed {
                return Poll::Pending;
            }
            if self.state.engine().is_idle() {
                if let Err(error) = self.open() {
                    return Poll::Ready(Err(error));
                }
                continue;
            }
            let until = until.filter(|_| looked);
            let moment = earlier(until, what.deadline());
            if K::TICKS && self.state.due(moment).is_some_and(|due| due <= now) {
                // What is here is not late.
                if late < LATE_READS && self.readable() == Some(true) {
                    late += 1;
                    self.receive();
                    continue;
                }
                self.state.engine_mut().handle_timeout(now);
                passed = until.is_some_and(|until| until <= now);
                late = 0;
                continue;
            }
            let read = match self.transmit() {
                Written::Stopped => self.readable() == Some(true),
                // There may be room for more.
                Written::Something if !what.is_sent() => false,
                _ => self.wait_for_input(moment),
            };
            if read {
                self.receive();
                looked = true;
            }
        }
    }

    /// Gets a stream from the connector, and begins the handshake.
    fn open(&mut self) -> Result<(), client::Error> {
        let stream = self.connector.connect().map_err(|error| self.state.no_stream(error.kind()))?;
        let nonce = self.connector.nonce();
        self.stream = Some(stream);
        self.unflushed = false;
        let now = self.clock.now();
        self.state.connected(now, nonce)?;
        // What is there before anything was asked is noise, or says why there will be no conversation.
        if self.readable() == Some(true) {
            self.receive();
        }
        Ok(())
    }

    /// A connection that is over gives its stream back.
    pub(crate) fn tidy(&mut self) {
        if self.state.engine().is_idle() {
            self.let_go();
        }
    }

    /// With deadlines: waits until there is something to be read. False if a deadline or the moment has passed first.
    fn wait_for_input(&mut self, until: Option<Instant>) -> bool {
        while self.readable() == Some(false) {
            let now = self.clock.now();
            if self.state.due(until).is_some_and(|due| due <= now) {
                return false;
            }
        }
        true
    }

    /// Whether there is something to be read; none if there is no stream, or it is not to be asked.
    fn readable(&mut self) -> Option<bool> {
        let ready = self.ready.filter(|_| K::TICKS && self.is_connected())?;
        Some(self.ask(ready))
    }

    /// Whether there is something to be read. A stream that breaks has: its end.
    fn ask(&mut self, ready: Ready<C::Stream>) -> bool {
        let Some(stream) = &mut self.stream else { return true };
        match ready(stream) {
            Ok(ready) => ready,
            Err(error) => {
                self.stopped(error.kind());
                !self.is_connected()
            }
        }
    }

    /// Writes what is to be written, unless the stream stops it, or has something to be read when it has taken a part.
    pub(crate) fn transmit(&mut self) -> Written {
        let mut written = Written::Nothing;
        while let (Some(stream), Some(bytes)) =
            (&mut self.stream, self.state.session.engine_mut().poll_transmit())
        {
            match stream.write(bytes) {
                Ok(0) => return self.stopped(embedded_io::ErrorKind::WriteZero),
                Ok(count) => self.state.engine_mut().transmitted(count),
                Err(error) => return self.stopped(error.kind()),
            }
            self.unflushed = true;
            written = Written::Something;
            // The server may be waiting until its replies are read.
            if K::TICKS && self.state.engine().wants_write() && self.readable() == Some(true) {
                return Written::Stopped;
            }
        }
        if self.unflushed
            && let Some(stream) = &mut self.stream
        {
            if let Err(error) = stream.flush() {
                return self.stopped(error.kind());
            }
            self.unflushed = false;
        }
        written
    }

    /// Reads once, and waits for it. Says how many bytes came.
    fn receive(&mut self) -> usize {
        let Some(stream) = &mut self.stream else {
            self.state.broken(None);
            return 0;
        };
        match stream.read(self.state.session.engine_mut().receive_buffer()) {
            Ok(0) => self.broken(None),
            Ok(count) => {
                let now = self.clock.now();
                self.state.engine_mut().received(now, count);
                return count;
            }
            Err(error) => drop(self.stopped(error.kind())),
        }
        0
    }

    /// A stream has failed: it gave up, and it is time to look at the clock, or it is broken.
    fn stopped(&mut self, kind: embedded_io::ErrorKind) -> Written {
        if !matches!(kind, embedded_io::ErrorKind::TimedOut | embedded_io::ErrorKind::Interrupted) {
            self.broken(Some(kind));
        }
        Written::Stopped
    }

    /// The stream has ended, with what it said. What it brought before is still worked through.
    fn broken(&mut self, kind: Option<embedded_io::ErrorKind>) {
        self.state.broken(kind);
        self.let_go();
    }

    /// Gives the stream back.
    fn let_go(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.connector.disconnect(stream);
        }
    }
}

/// What was waited for without a limit.
fn ended(waited: Poll<Result<(), client::Error>>) -> Result<(), client::Error> {
    match waited {
        Poll::Ready(result) => result,
        Poll::Pending => Ok(()),
    }
}

/// What has become of what was to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Nothing,
    Something,
    /// The stream has stopped it: it broke, gave up, or has something to be read first.
    Stopped,
}

/// Shows the name alone: what is in the buffers is long, and may be secret.
macro_rules! debug {
    ($connector:ident: $($name:ident)*) => {$(
        impl<C: $connector, K: Clock, P: Parser> core::fmt::Debug for $name<'_, '_, C, K, P> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        #[cfg(feature = "defmt")]
        impl<C: $connector, K: Clock, P: Parser> defmt::Format for $name<'_, '_, C, K, P> {
            fn format(&self, f: defmt::Formatter<'_>) {
                defmt::write!(f, "{=str} {{ .. }}", stringify!($name));
            }
        }
    )*};
}
pub(crate) use debug;

impl<C: Connector, K, P: Parser> core::fmt::Debug for Client<'_, C, K, P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client").field("mode", &self.state.engine().mode()).finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<C: Connector, K, P: Parser> defmt::Format for Client<'_, C, K, P> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Client {{ mode: {}, .. }}", self.state.engine().mode());
    }
}

impl<C: Connector, K: Clock, P: Parser> Executor for &mut Client<'_, C, K, P> {
    type Output<R> = Result<R, Error>;

    fn run<T, R>(self, command: T) -> Result<R, Error>
    where
        T: Command<Reply = Fixed<R>>,
        R: for<'a> FromReply<'a>,
    {
        self.execute(command)
    }
}

impl<'c, C: Connector, K: Clock, P: Parser, R: FromReply<'c>> ExecutorAs<R> for &'c mut Client<'_, C, K, P> {
    fn run_as<T>(self, command: T) -> Result<R, Error>
    where
        T: Command<Reply = Open>,
    {
        self.execute(command)
    }
}
