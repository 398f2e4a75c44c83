//! The blocking client.

use embedded_io::{Error as _, ErrorType, Read, ReadReady, Write};
use redwire::command::{self, Arguments, Command, Executor, ExecutorAs, Fixed, Gives, Open, Patience};
use redwire::connection::{Capacity, Config, Connection, Message, SendError, SendOptions, Ticket};
use redwire::parts::{DEADLINES, PIECES};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Frame, Parser, Scanner};
use redwire::script::Script;
use redwire::time::{Duration, Instant};

use crate::session::{Session, Wanted, echoes};
use crate::{Clock, Connector, Error, ErrorKind, Memory};

/// How often something is read at most when the moment to wait for has passed.
const LATE_READS: u16 = 1024;

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
/// The time for a command begins when it is queued, and that for one in a pipeline when it is added.
///
/// # When the connection is lost
///
/// The call that notices it fails, and the stream goes back to the connector. The next call asks for another. A client
/// [`with_deadlines`](Self::with_deadlines) looks before it sends anything, and so finds most connections that have ended
/// meanwhile in time to use another. Subscriptions are restored on the new connection; keys that were watched are not, so
/// that a transaction fails.
pub struct Client<'b, C: Connector, K, P = Scanner<'b>> {
    pub(crate) session: Session<'b, P>,
    connector: C,
    stream: Option<C::Stream>,
    clock: K,
    ready: Option<Ready<C::Stream>>,
    /// Bytes were written that the stream may hold back.
    unflushed: bool,
    /// What follows has to go over the connection that is there.
    pub(crate) pinned: bool,
}

impl<'b, C: Connector, K: Clock> Client<'b, C, K> {
    /// A client that connects when it has something to send.
    pub fn new(connector: C, config: Config<'b>, memory: impl Into<Memory<'b>>, clock: K) -> Self {
        Self::of(Session::new(config, memory.into()), connector, clock)
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
        Self::of(Session::with_parser(config, memory.into(), parser), connector, clock)
    }

    fn of(session: Session<'b, P>, connector: C, clock: K) -> Self {
        Client { session, connector, stream: None, clock, ready: None, unflushed: false, pinned: false }
    }

    /// Looks at the clock while it waits, so that a deadline passes when nothing comes.
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
        // A connection that has ended while nobody looked makes room for the next.
        let _ = self.take(Wanted::Nothing);
        if self.is_connected() {
            // Behind RESET the same connection is greeted anew.
            return if self.session.engine.is_ready() { Ok(()) } else { self.greeted() };
        }
        let stream =
            self.connector.connect().map_err(|error| Error::new(ErrorKind::Connect(error.kind())))?;
        self.stream = Some(stream);
        self.unflushed = false;
        let now = self.clock.now();
        self.session.connected(now)?;
        // What is there before anything was asked is noise, or says why there will be no conversation.
        match self.catch_up(Wanted::Connected) {
            Some(found) => found?,
            None => self.greeted()?,
        }
        if C::FRESH { Ok(()) } else { self.verify() }
    }

    fn greeted(&mut self) -> Result<(), Error> {
        self.wait(Wanted::Connected)
    }

    /// Makes sure that a reply answers what was asked: the first on a line may be old ones.
    fn verify(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        let sign = self.session.new_sign(now);
        let ping = command::ping().message(sign);
        let mut verified = match self.converse(&ping) {
            Ok(reply) => echoes(reply, sign),
            Err(error) => Err(error),
        };
        if let Err(error) = &mut verified {
            error.maybe_executed = false;
            self.disconnect();
        }
        verified
    }

    /// Whether there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Ends the connection and gives the stream back to the connector. Nothing is sent to the server.
    pub fn disconnect(&mut self) {
        self.session.engine.close();
        while self.session.engine.find_event() {}
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
    /// [`Error`]. A command that has no reply, or changes what a connection is (MULTI, MONITOR, CLIENT REPLY), is of kind
    /// [`ErrorKind::NoReply`].
    pub fn execute<'c, T, R>(&'c mut self, command: T) -> Result<R, Error>
    where
        T: Command,
        T::Reply: Gives<R>,
        R: FromReply<'c>,
    {
        match self.reply_to(&command) {
            Ok(frame) => frame.decode().map_err(Error::from),
            Err(error) => Err(error),
        }
    }

    /// Runs a command; the same code for all of them.
    #[inline(never)]
    fn reply_to(&mut self, command: &dyn Encode) -> Result<Frame<'_>, Error> {
        self.prepare()?;
        self.converse(command)
    }

    /// The same over the connection that is there.
    fn converse(&mut self, command: &dyn Encode) -> Result<Frame<'_>, Error> {
        let ticket = self.queue(command, SendOptions::default())?;
        self.admitted(ticket)?;
        self.session.frame()
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
        let call = command::evalsha(script.digest(), keys, arguments);
        self.answer(&call, SendOptions::default())?;
        if self.session.is_no_script() {
            self.load(script)?;
            self.answer(&call, SendOptions::default())?;
        }
        self.session.reply()
    }

    /// Hands a script to the server, in pieces if need be and can be.
    fn load(&mut self, script: &Script<'_>) -> Result<(), Error> {
        if !PIECES {
            return self.execute(["SCRIPT", "LOAD", script.source()]);
        }
        let source = script.source().as_bytes();
        let mut upload = self.upload(["SCRIPT", "LOAD"], source.len())?;
        upload.append(source)?;
        upload.finish()
    }

    /// Subscribes to a channel, or several, and waits for the confirmation. The messages are for
    /// [`get_message`](Self::get_message).
    ///
    /// [SUBSCRIBE](https://redis.io/docs/latest/commands/subscribe/), Redis 2.0.0. Under RESP2 a subscriber can run no other
    /// commands; under RESP3 (Redis 6.0) it can.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::Capacity`] if there is no room for the names, to which nothing was subscribed then.
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

    fn confirmed<T: Encode>(&mut self, command: &T) -> Result<(), Error> {
        self.answer(command, SendOptions::default())?;
        match self.session.reply() {
            // The confirmation is no reply; an error is one.
            Err(Error { kind: ErrorKind::NoReply, .. }) => Ok(()),
            other => other,
        }
    }

    /// The next message, for which it waits so long at most: for that the client has to be one
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
    /// connects and subscribes again.
    ///
    /// # Errors
    /// [`Error`]; of kind [`ErrorKind::MessagesLost`] if messages did not fit into the memory for them.
    pub fn get_message(&mut self, timeout: Duration) -> Result<Option<Message<'_>>, Error> {
        if let Some(waiting) = self.session.waiting_message() {
            return waiting.map(|()| self.session.message());
        }
        if !self.session.is_subscribed() {
            return Ok(None);
        }
        if !self.is_connected() {
            self.connect()?;
            if let Some(waiting) = self.session.waiting_message() {
                return waiting.map(|()| self.session.message());
            }
        }
        let until = self.clock.now() + timeout;
        let found = self.wait_until(Wanted::Message, Some(until))?;
        Ok(if found { self.session.message() } else { None })
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
        if let Some(waiting) = self.session.waiting_message() {
            return waiting.map(|()| self.session.message());
        }
        let (mut last, mut reads) = (false, 0u16);
        loop {
            if let Some(found) = self.take(Wanted::Message) {
                return found.map(|()| self.session.message());
            }
            if last || !self.is_connected() {
                return Ok(None);
            }
            if reads < LATE_READS && self.ask(C::Stream::read_ready) {
                reads += 1;
                self.read();
            } else {
                last = true;
                let now = self.clock.now();
                self.session.engine.handle_timeout(now);
                self.flush();
            }
        }
    }

    /// Sends a command and waits for what answers it, which is the engine's last event then.
    #[inline]
    pub(crate) fn answer<T>(&mut self, command: &T, options: SendOptions) -> Result<Ticket, Error>
    where
        T: Encode + ?Sized,
    {
        let ticket = self.send(command, options)?;
        self.admitted(ticket)?;
        Ok(ticket)
    }

    /// Waits for what answers a command that was sent.
    #[inline(never)]
    fn admitted(&mut self, ticket: Ticket) -> Result<(), Error> {
        if let Err(error) = self.session.admit(ticket) {
            self.disconnect();
            return Err(error);
        }
        self.wait(Wanted::Answer(ticket))
    }

    /// Sends a command over a connection that is there, behind replies that nobody waits for.
    pub(crate) fn send<T>(&mut self, command: &T, options: SendOptions) -> Result<Ticket, Error>
    where
        T: Encode + ?Sized,
    {
        self.prepare()?;
        self.queue(command, options)
    }

    #[inline]
    fn queue<T>(&mut self, command: &T, options: SendOptions) -> Result<Ticket, Error>
    where
        T: Encode + ?Sized,
    {
        let mut since = None;
        loop {
            let now = self.clock.now();
            match self.session.engine.send_with(now, command, options) {
                Ok(ticket) => return Ok(ticket),
                Err(error) => self.make_room(error, command.patience(), &mut since)?,
            }
        }
    }

    /// Makes sure that there is a connection. One that has ended while nobody looked is found out before anything is sent.
    #[inline(never)]
    pub(crate) fn prepare(&mut self) -> Result<(), Error> {
        if self.session.is_half_way() {
            self.disconnect();
        }
        let over = self.take(Wanted::Nothing).or_else(|| self.catch_up(Wanted::Nothing));
        match over {
            _ if !self.pinned => self.connect(),
            Some(Err(error)) => Err(error),
            _ if self.is_connected() => self.connect(),
            _ => Err(Error::new(ErrorKind::Disconnected(None))),
        }
    }

    /// Reads what has come in the meantime, if that can be done without waiting: no more than the receive buffer holds, so
    /// that a flood of messages cannot keep a command from being sent.
    fn catch_up(&mut self, wanted: Wanted) -> Option<Result<(), Error>> {
        if !K::TICKS {
            return None;
        }
        let mut room = self.session.engine.receive_buffer().len();
        while room > 0 && self.readable() == Some(true) {
            room = room.saturating_sub(self.read().max(1));
            let found = self.take(wanted);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A command found no room: writes what waits to be written, or waits for the replies that are due, which nobody waits
    /// for, if that helps; for as long as the command itself may take.
    ///
    /// # Errors
    /// It does not help, or the connection is over.
    #[inline(never)]
    pub(crate) fn make_room(
        &mut self,
        error: SendError,
        patience: Patience,
        since: &mut Option<Instant>,
    ) -> Result<(), Error> {
        let SendError::Capacity(capacity) = error else { return Err(error.into()) };
        let mut until = None;
        if DEADLINES && K::TICKS {
            let now = self.clock.now();
            until = self.session.engine.deadline_of(*since.get_or_insert(now), patience);
            if until.is_some_and(|until| until <= now) {
                return Err(Error::new(ErrorKind::TimedOut));
            }
        }
        match capacity {
            Capacity::Transmit { .. } if self.session.engine.poll_transmit().is_some() => {
                self.flush();
            }
            Capacity::InFlight if self.session.engine.expects_replies() => {
                self.turn(until);
            }
            _ => return Err(error.into()),
        }
        self.take(Wanted::Nothing).unwrap_or(Ok(()))
    }

    /// Waits for an event.
    #[inline(never)]
    pub(crate) fn wait(&mut self, wanted: Wanted) -> Result<(), Error> {
        self.wait_until(wanted, None).map(drop)
    }

    /// Waits for an event until a moment; false if it has not come by then.
    fn wait_until(&mut self, wanted: Wanted, until: Option<Instant>) -> Result<bool, Error> {
        let (mut passed, mut late) = (false, 0u16);
        loop {
            match self.take(wanted) {
                Some(found) => return found.map(|()| true),
                None if passed => return Ok(false),
                None => self.turn(until),
            }
            if K::TICKS && until.is_some_and(|until| until <= self.clock.now()) {
                // What is there by then counts; a server that never stops talking does not.
                late += 1;
                passed = late >= LATE_READS || self.readable() != Some(true);
            }
        }
    }

    /// Works through what has come, up to the event that is wanted. A connection that is over gives its stream back.
    pub(crate) fn take(&mut self, wanted: Wanted) -> Option<Result<(), Error>> {
        let found = self.session.take(wanted);
        if self.session.engine.is_idle() {
            self.let_go();
        }
        found
    }

    /// Writes what is to be written, then reads once.
    fn turn(&mut self, until: Option<Instant>) {
        if self.flush() && self.wait_for_input(until) {
            self.read();
        }
    }

    /// With deadlines: waits until there is something to be read. False if a deadline or the moment has passed first.
    fn wait_for_input(&mut self, until: Option<Instant>) -> bool {
        while self.readable() == Some(false) {
            let now = self.clock.now();
            if self.session.engine.poll_timeout().is_some_and(|(due, _)| due <= now) {
                self.session.engine.handle_timeout(now);
                return false;
            }
            if until.is_some_and(|until| until <= now) {
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

    /// Writes all that is to be written. False if the stream gave up or broke.
    pub(crate) fn flush(&mut self) -> bool {
        let Some(stream) = &mut self.stream else {
            self.session.broken(None);
            return false;
        };
        while let Some(bytes) = self.session.engine.poll_transmit() {
            match stream.write(bytes) {
                Ok(0) => return self.stopped(embedded_io::ErrorKind::WriteZero),
                Ok(count) => {
                    self.session.engine.transmitted(count);
                    self.unflushed = true;
                }
                Err(error) => return self.stopped(error.kind()),
            }
        }
        if self.unflushed
            && let Err(error) = stream.flush()
        {
            return self.stopped(error.kind());
        }
        self.unflushed = false;
        true
    }

    /// Reads once, and waits for it. Says how many bytes came.
    fn read(&mut self) -> usize {
        let Some(stream) = &mut self.stream else {
            self.session.broken(None);
            return 0;
        };
        match stream.read(self.session.engine.receive_buffer()) {
            Ok(0) => {
                self.broken(None);
                0
            }
            Ok(count) => {
                let now = self.clock.now();
                self.session.engine.received(now, count);
                if K::TICKS {
                    self.session.engine.handle_timeout(now);
                }
                count
            }
            Err(error) => {
                self.stopped(error.kind());
                0
            }
        }
    }

    /// A stream has failed: it gave up, and it is time to look at the clock, or it is broken. False.
    fn stopped(&mut self, kind: embedded_io::ErrorKind) -> bool {
        if matches!(kind, embedded_io::ErrorKind::TimedOut | embedded_io::ErrorKind::Interrupted) {
            let now = self.clock.now();
            if K::TICKS {
                self.session.engine.handle_timeout(now);
            }
        } else {
            self.broken(Some(kind));
        }
        false
    }

    /// The stream has ended, with what it said. What it brought before is still worked through.
    fn broken(&mut self, kind: Option<embedded_io::ErrorKind>) {
        self.session.broken(kind);
        self.let_go();
    }

    /// Gives the stream back.
    fn let_go(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.connector.disconnect(stream);
        }
    }

    pub(crate) fn now(&mut self) -> Instant {
        self.clock.now()
    }
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
        f.debug_struct("Client").field("mode", &self.session.engine.mode()).finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<C: Connector, K, P: Parser> defmt::Format for Client<'_, C, K, P> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Client {{ mode: {}, .. }}", self.session.engine.mode());
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
