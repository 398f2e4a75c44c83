//! One connection in a loop: an engine, the stream it is pumped through, and the attempts to have one.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::{self, Source};
use mio::{Interest, Registry, Token};
use redwire::command::{Arguments, evalsha};
use redwire::connection::{
    self as engine, Capacity, CloseReason, Config, Event, Message, Mode, SendError, SendOptions, Ticket,
};
use redwire::resp::{Encode, ErrorCode, encode};
use redwire::time;

use crate::script::{Call, Calls, Whole};
use crate::{Address, Backoff, Connector, Options, Script, Stream, Transaction};

/// A connection to a Redis server that lives in the loop of its user.
///
/// It is a [`Source`]: register it once, with a token of its own. Streams that take the place of one that was lost register
/// themselves. Edges are enough, and reads and writes are always both registered, whatever interest is given.
///
/// Each turn of the loop does this with it:
///
/// - Events of its token go to [`on_event`](Self::on_event).
/// - Behind the [`timeout`](Self::timeout) it asked for, [`handle_timeout`](Self::handle_timeout); at any other time that
///   does no harm.
/// - Behind these two, and behind [`send`](Self::send): [`next_event`](Self::next_event) until there is none. All reading
///   and writing happens in there.
///
/// Time is passed in, and never read here: a loop reads the clock once in a turn for all its connections, and a test can
/// let hours pass in no time.
///
/// **When the stream is lost**, or cannot be had, all commands that wait fail ([`Event::Failed`]), each told whether it may
/// have been executed, then comes [`Event::Closed`]. After a pause ([`Backoff`]) it connects again, and subscribes again to
/// what was subscribed to, until [`close`](Self::close) or QUIT. Nothing else is sent twice.
///
/// **Who does not take events** is not read for: what the server sends stays with the server, and the memory here is that
/// of one reply and one read. Nothing gets lost: `next_event` goes on where it stopped, without an event of mio.
pub struct Connection<C: Connector = Address> {
    engine: engine::Connection<'static>,
    connector: C,
    stream: Option<C::Stream>,
    link: Link,
    /// How many addresses of this round have not been tried yet, the current one included.
    choices: usize,
    /// When the attempt to connect, or the handshake behind it, has taken too long.
    deadline: Option<Instant>,
    connect_timeout: Duration,
    backoff: Backoff,
    /// The loop to register streams with.
    registration: Option<(Arc<Registry>, Token)>,
    registry: Option<Arc<Registry>>,
    queue_limit: usize,
    /// The stream may have something to read, or room to write: it has not said otherwise since the last event.
    readable: bool,
    writable: bool,
    /// The stream holds back something that was written.
    unflushed: bool,
    /// The stream takes nothing any more; what it has can still be read.
    broken: bool,
    /// There is nothing left to do before the next event.
    drained: bool,
    /// It is not to connect again.
    stopped: bool,
    error: Option<io::Error>,
    calls: Calls,
    /// By which ticket the user knows the command that the event is about, if not by the engine's.
    original: Option<Ticket>,
    /// The engine's time zero.
    start: Instant,
}

/// How far the way to the server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// There is no stream. The next attempt is at that time, if at all.
    Waiting(Option<Instant>),
    /// The stream connects, and the engine does not know of it.
    Connecting,
    /// The engine has been told that the stream is there, or that there is none to be had. [`Event::Closed`] ends it.
    Open,
}

impl Connection {
    /// A connection to the server of a URL, with its login.
    ///
    /// ```
    /// use redwire_mio::Connection;
    /// use std::time::Instant;
    ///
    /// let redis = Connection::open(Instant::now(), &"redis://127.0.0.1:6379/2".parse()?)?;
    /// assert!(!redis.engine().is_ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Address::of`].
    pub fn open(now: Instant, url: &redwire::url::Url) -> io::Result<Self> {
        Ok(Self::new(now, Address::of(&url.endpoint)?, Config::from(url)))
    }
}

impl<C: Connector> Connection<C> {
    /// A connection that begins to connect with the first call of [`next_event`](Self::next_event) or
    /// [`handle_timeout`](Self::handle_timeout). Commands can be sent before; they wait.
    pub fn new(now: Instant, connector: C, config: Config<'static>) -> Self {
        Self::with_options(now, connector, config, Options::default())
    }

    /// As [`new`](Self::new), with options.
    pub fn with_options(now: Instant, connector: C, config: Config<'static>, options: Options) -> Self {
        Connection {
            engine: engine::Connection::new(config, options.buffers()),
            connector,
            stream: None,
            link: Link::Waiting(Some(now)),
            choices: 0,
            deadline: None,
            connect_timeout: options.connect_timeout,
            backoff: options.backoff,
            registration: None,
            registry: options.registry,
            queue_limit: options.queue_limit,
            readable: false,
            writable: false,
            unflushed: false,
            broken: false,
            drained: false,
            stopped: false,
            error: None,
            calls: Calls::default(),
            original: None,
            start: now,
        }
    }

    /// Queues a command, and gives the ticket that its reply will name: read it with
    /// [`Frame::decode`](redwire::resp::Frame::decode). Commands sent one behind the other are a pipeline: they go out
    /// together, with the next [`next_event`](Self::next_event).
    ///
    /// # Errors
    /// [`SendError`]: nothing of the command will be written. The bound of the queue is
    /// [`Options::queue_limit`](crate::Options::queue_limit).
    pub fn send<D: Encode + ?Sized>(&mut self, now: Instant, command: &D) -> Result<Ticket, SendError> {
        self.send_with(now, command, SendOptions::default())
    }

    /// Like [`send`](Self::send), with a timeout of its own, or for a reply in pieces.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with<D: Encode + ?Sized>(
        &mut self,
        now: Instant,
        command: &D,
        options: SendOptions,
    ) -> Result<Ticket, SendError> {
        self.drained = false;
        let now = self.engine_time(now);
        self.engine.send_with(now, command, options)
    }

    /// Queues a whole transaction, MULTI and EXEC around it, or nothing at all. The ticket is that of EXEC: its reply has
    /// the replies of all commands, or is null when a watched key has changed, or the error `EXECABORT` when the server
    /// refused a command. Events of MULTI and of the commands ([`Event::Queued`]) come too, under tickets of their own.
    ///
    /// ```
    /// # use redwire_mio::{Connection, Transaction, redwire::command::*, redwire::connection::SendError};
    /// # use std::time::Instant;
    /// # fn visit(redis: &mut Connection, now: Instant) -> Result<(), SendError> {
    /// let mut visit = Transaction::new();
    /// visit.incr("visits").get("name");
    /// let ticket = redis.transaction(now, &visit)?;
    /// // Behind `Event::Reply` with that ticket: `frame.decode::<Option<(u64, Option<&str>)>>()`.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// To watch keys, send WATCH, then read what the transaction depends on, and send the transaction when these replies
    /// have come. If [`Event::Closed`] comes in between the keys are watched no more: start over.
    ///
    /// # Errors
    /// [`SendError`]: nothing of the transaction will be executed.
    pub fn transaction(&mut self, now: Instant, transaction: &Transaction) -> Result<Ticket, SendError> {
        transaction.check().map_err(SendError::Misuse)?;
        let needed = transaction.length() + TRANSACTION_OVERHEAD;
        let available = self.queue_limit.saturating_sub(self.engine.queued_bytes());
        if needed > available {
            return Err(SendError::Capacity(Capacity::Transmit { needed, available }));
        }
        self.drained = false;
        let now = self.engine_time(now);
        let mut whole = self.engine.transaction(now)?;
        for command in transaction.commands() {
            whole.send(&command)?;
        }
        Ok(whole.execute()?.exec())
    }

    /// Calls a script by its digest; if the server does not have it, the call is sent again with the whole script, which
    /// the server then has. That is between this connection and the server: there is one reply, for the ticket given
    /// here. A call that is sent again runs behind commands that were sent after it, and with the timeout of a new command.
    ///
    /// In a transaction that was begun by hand the whole script is sent at once, since what EXEC has run cannot be run
    /// again. A call that cannot be sent again, because the queue is full, a transaction has been begun, or CLIENT REPLY
    /// keeps it from being answered, is answered with the server's `NOSCRIPT`: it was not executed.
    ///
    /// ```
    /// # use redwire_mio::{Connection, Script, redwire::connection::SendError};
    /// # use std::time::Instant;
    /// # fn multiply(redis: &mut Connection, now: Instant) -> Result<(), SendError> {
    /// let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
    /// let ticket = redis.call(now, &multiply, "foo", 5)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn call<K: Arguments, A: Arguments>(
        &mut self,
        now: Instant,
        script: &Script,
        keys: K,
        arguments: A,
    ) -> Result<Ticket, SendError> {
        let call = evalsha(script.digest(), keys, arguments);
        let evalsha = encode(&call);
        if self.engine.mode() == Mode::Transaction {
            return self.send(now, &Whole { script: script.clone(), evalsha });
        }
        let ticket = self.send(now, &call)?;
        if ticket.is_answered() {
            let whole = Some(Whole { script: script.clone(), evalsha });
            self.calls.push(Call { ticket, original: ticket, whole });
        }
        Ok(ticket)
    }

    /// Says that nobody waits for the reply any more. If no byte of the command has been handed out it is taken back,
    /// otherwise its reply is swallowed when it comes. False if the ticket is answered or stale.
    pub fn discard(&mut self, ticket: Ticket) -> bool {
        let ticket = self.calls.take_original(ticket).map_or(ticket, |call| call.ticket);
        self.engine.discard(ticket)
    }

    /// Takes note of an event of mio that has the token of this connection. Take events behind it.
    pub fn on_event(&mut self, event: &event::Event) {
        let either = event.is_error();
        let readable = event.is_readable() || event.is_read_closed() || either;
        self.on_ready(readable, event.is_writable() || event.is_write_closed() || either);
    }

    /// As [`on_event`](Self::on_event), for loops that are not mio's: the stream may be readable, or writable. If it is
    /// not, nothing happens.
    pub fn on_ready(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
        self.drained = false;
    }

    /// The next event, until there is none. It writes what is to be written, reads when everything is taken that was read,
    /// and never blocks. An event borrows the connection: decode, then send.
    ///
    /// Who stops before there is none has to come back by himself: no event of mio will remind him. A server that talks
    /// all the time can be kept from taking the whole time of the loop that way; [`is_drained`](Self::is_drained) says
    /// which connections to come back to.
    pub fn next_event(&mut self, now: Instant) -> Option<Event<'_>> {
        if self.find(now, false) { self.view() } else { None }
    }

    /// As [`next_event`](Self::next_event), for loops that hand on no events and no timeouts: when there is no event it
    /// tries to read, and does what is due. It never blocks.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event<'_>> {
        if self.find(now, true) { self.view() } else { None }
    }

    /// The next message of a subscription, if there is one now. It tries to read like [`poll_event`](Self::poll_event), and
    /// never blocks.
    ///
    /// For connections that do nothing but listen: all other events are passed over, and replies with them.
    pub fn get_message(&mut self, now: Instant) -> Option<Message<'_>> {
        while self.find(now, true) {
            if self.engine.last_is_message() {
                break;
            }
        }
        match self.engine.last_event() {
            Some(Event::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// Whether [`next_event`](Self::next_event) has nothing to do before the next event of mio, timeout or command. False
    /// if it was left off before it had no more events.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// How long the loop may wait before it calls [`handle_timeout`](Self::handle_timeout): none is for ever. It changes
    /// with every other call, so ask before each wait. Zero when commands were sent and nobody has let them be written, and
    /// when the connection has ended and nobody has taken the events that say so.
    pub fn timeout(&self, now: Instant) -> Option<Duration> {
        let unwritten = self.can_write() && (self.unflushed || self.engine.wants_write());
        let ended = self.link == Link::Open && self.stream.is_none();
        if unwritten || ended {
            return Some(Duration::ZERO);
        }
        let engine = self
            .engine
            .poll_timeout()
            .and_then(|(due, _)| self.start.checked_add(Duration::from_micros(due.as_micros())));
        let attempt = match self.link {
            Link::Waiting(attempt) => attempt,
            Link::Connecting | Link::Open => self.deadline,
        };
        let due = engine.into_iter().chain(attempt).min()?;
        Some(due.saturating_duration_since(now))
    }

    /// Does what is due. Take events behind it. To call it early or for nothing does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.drained = false;
        self.engine.handle_timeout(self.engine_time(now));
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            let error = io::Error::new(io::ErrorKind::TimedOut, "connecting took too long");
            match self.link {
                Link::Connecting => self.attempt_failed(now, error),
                _ => self.lost(Some(error)),
            }
        }
        if let Link::Waiting(Some(due)) = self.link
            && due <= now
        {
            self.choices = self.connector.choices().max(1);
            self.attempt(now);
        }
        self.write();
    }

    /// Ends the connection, for good: it does not connect again before [`connect`](Self::connect). What was not written is
    /// dropped, and all commands fail. Take events behind it. Commands that are sent then wait for `connect`.
    ///
    /// To let everything be answered first, send QUIT instead.
    pub fn close(&mut self) {
        self.stopped = true;
        self.drained = false;
        if self.link != Link::Waiting(None) {
            self.engine.close();
            self.drop_stream();
            self.link = Link::Open;
        }
    }

    /// Connects now if it is between two attempts, and again after [`close`](Self::close) or QUIT.
    pub fn connect(&mut self, now: Instant) {
        self.stopped = false;
        self.drained = false;
        if let Link::Waiting(_) = self.link {
            self.link = Link::Waiting(Some(now));
        }
    }

    /// The engine, to ask it: whether it [is ready](engine::Connection::is_ready), how many commands are
    /// [in flight](engine::Connection::in_flight), how many bytes are [queued](engine::Connection::queued_bytes).
    pub fn engine(&self) -> &engine::Connection<'static> {
        &self.engine
    }

    /// What the stream, or the attempt to have one, said when it last failed: behind [`Event::Closed`] it says more than
    /// [`CloseReason::Disconnected`] does.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    fn engine_time(&self, now: Instant) -> time::Instant {
        let micros = now.saturating_duration_since(self.start).as_micros();
        time::Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Finds the next event; where there is none, makes some by writing and reading, and if `look`, also where no event of
    /// mio says that this is of use.
    fn find(&mut self, now: Instant, mut look: bool) -> bool {
        self.original = None;
        loop {
            if self.engine.find_event() {
                self.drained = false;
                self.follow(now);
                if self.calls.is_empty() || self.settle(now) {
                    return true;
                }
            } else if look {
                look = false;
                self.handle_timeout(now);
                self.on_ready(true, true);
            } else if !self.turn(now) {
                self.drained = true;
                return false;
            }
        }
    }

    /// The event that was found.
    fn view(&self) -> Option<Event<'_>> {
        Some(match (self.engine.last_event()?, self.original) {
            (Event::Reply { frame, .. }, Some(ticket)) => Event::Reply { ticket, frame },
            (Event::Failed { failure, .. }, Some(ticket)) => Event::Failed { ticket, failure },
            (Event::Skipped { length, .. }, ticket @ Some(_)) => Event::Skipped { ticket, length },
            (event, _) => event,
        })
    }

    /// Does what an event of the engine means for the stream.
    fn follow(&mut self, now: Instant) {
        if self.link != Link::Open {
            return;
        }
        if self.engine.is_idle() {
            // This is the end of the connection: all that was sent has failed before.
            let quit =
                matches!(self.engine.last_event(), Some(Event::Closed { reason: CloseReason::Quit, .. }));
            self.stopped |= quit;
            self.drop_stream();
            let pause = if self.stopped { None } else { now.checked_add(self.backoff.next()) };
            self.link = Link::Waiting(pause);
        } else if self.deadline.is_some() && self.engine.is_ready() {
            self.deadline = None;
            self.backoff.reset();
        }
    }

    /// Whether an event is for the user: false if it says that a script has to be sent whole, and it was.
    fn settle(&mut self, now: Instant) -> bool {
        let (ticket, unknown) = match self.engine.last_event() {
            Some(Event::Reply { ticket, frame }) => {
                (ticket, frame.error().is_some_and(|error| error.code() == ErrorCode::NoScript))
            }
            Some(Event::Failed { ticket, .. } | Event::Skipped { ticket: Some(ticket), .. }) => {
                (ticket, false)
            }
            _ => return true,
        };
        let Some(call) = self.calls.take(ticket) else { return true };
        if let Some(whole) = call.whole
            && unknown
            && self.engine.mode() == Mode::Ready
            && let Ok(ticket) = self.send(now, &whole)
        {
            self.calls.push(Call { ticket, original: call.original, whole: None });
            return false;
        }
        self.original = Some(call.original);
        true
    }

    /// Does what can be done with the stream. True: there may be events.
    fn turn(&mut self, now: Instant) -> bool {
        match self.link {
            Link::Waiting(Some(due)) if due <= now => {
                self.handle_timeout(now);
                true
            }
            Link::Waiting(_) => false,
            Link::Connecting => self.finish_connect(now),
            Link::Open => {
                self.write();
                self.read(now)
            }
        }
    }

    /// Begins to connect.
    fn attempt(&mut self, now: Instant) {
        while self.choices > 0 {
            self.choices -= 1;
            match self.open_stream() {
                Ok(stream) => {
                    self.stream = Some(stream);
                    self.link = Link::Connecting;
                    self.deadline = now.checked_add(self.connect_timeout);
                    return;
                }
                Err(error) => self.error = Some(error),
            }
        }
        // There is none to be had: the engine fails what waits.
        self.link = Link::Open;
        self.engine.handle_eof();
    }

    fn open_stream(&mut self) -> io::Result<C::Stream> {
        let mut stream = self.connector.connect()?;
        if let Some((registry, token)) = &self.registration {
            stream.register(registry, *token, BOTH)?;
        }
        Ok(stream)
    }

    fn attempt_failed(&mut self, now: Instant, error: io::Error) {
        self.drop_stream();
        self.error = Some(error);
        self.attempt(now);
    }

    fn finish_connect(&mut self, now: Instant) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| self.readable || self.writable) else {
            return false;
        };
        (self.readable, self.writable) = (false, false);
        match stream.finish_connect() {
            Ok(true) => {
                self.link = Link::Open;
                self.deadline = now.checked_add(self.connect_timeout);
                // What happened while it connected has been announced already.
                (self.readable, self.writable) = (true, true);
                // It has no stream: it was told of none since the last one ended.
                let _ = self.engine.connected(self.engine_time(now));
                true
            }
            Ok(false) => false,
            Err(error) if is_passing(&error) => false,
            Err(error) => {
                self.attempt_failed(now, error);
                true
            }
        }
    }

    fn can_write(&self) -> bool {
        self.writable && self.stream.is_some() && self.link == Link::Open
    }

    /// Writes what is to be written, as far as the stream takes it.
    fn write(&mut self) {
        if !self.can_write() {
            return;
        }
        let Some(stream) = &mut self.stream else { return };
        let error = loop {
            let result = match self.engine.poll_transmit() {
                Some(bytes) => stream.write(bytes),
                None if self.unflushed => stream.flush().map(|()| 0),
                None => return,
            };
            let writing = self.engine.poll_transmit().is_some();
            match result {
                Ok(0) if writing => break io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    self.unflushed = writing;
                    self.engine.transmitted(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    return;
                }
                Err(error) => break error,
            }
        };
        // What the server has said before it closed the stream can be read all the same.
        self.error = Some(error);
        self.broken = true;
        self.writable = false;
        self.readable = true;
    }

    /// Reads once. True: there may be events, or more to read.
    fn read(&mut self, now: Instant) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| self.readable) else { return false };
        let buffer = self.engine.receive_buffer();
        if buffer.is_empty() {
            // The allocator has none left. A read would look like the end of the stream.
            self.lost(Some(io::ErrorKind::OutOfMemory.into()));
            return true;
        }
        match stream.read(buffer) {
            Ok(0) => self.lost(None),
            Ok(count) => {
                let now = self.engine_time(now);
                self.engine.received(now, count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                if !self.broken {
                    return false;
                }
                self.lost(None);
            }
            Err(error) => self.lost(Some(error)),
        }
        true
    }

    /// The stream has ended: the engine delivers what is complete, and fails the rest.
    fn lost(&mut self, error: Option<io::Error>) {
        if error.is_some() || !self.broken {
            self.error = error;
        }
        self.drop_stream();
        self.engine.handle_eof();
    }

    fn drop_stream(&mut self) {
        if let (Some(mut stream), Some((registry, _))) = (self.stream.take(), &self.registration) {
            let _ = stream.deregister(registry);
        }
        (self.readable, self.writable, self.unflushed, self.broken) = (false, false, false, false);
        self.deadline = None;
    }
}

/// Streams are registered for all there is: with edges, what nobody waits for costs nothing.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// MULTI and EXEC.
const TRANSACTION_OVERHEAD: usize = 64;

/// Whether an error says no more than that it has to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Reads and writes are registered, whatever `interests` says.
impl<C: Connector> Source for Connection<C> {
    fn register(&mut self, registry: &Registry, token: Token, _interests: Interest) -> io::Result<()> {
        let kept = match &self.registry {
            Some(registry) => Arc::clone(registry),
            None => Arc::new(registry.try_clone()?),
        };
        if let Some(stream) = &mut self.stream {
            stream.register(registry, token, BOTH)?;
        }
        self.registration = Some((kept, token));
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, _interests: Interest) -> io::Result<()> {
        if let Some(stream) = &mut self.stream {
            stream.reregister(registry, token, BOTH)?;
        }
        if let Some((_, kept)) = &mut self.registration {
            *kept = token;
        }
        Ok(())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.registration = None;
        match &mut self.stream {
            Some(stream) => stream.deregister(registry),
            None => Ok(()),
        }
    }
}

/// Without the buffers: what is in them is long, and may be secret.
impl<C: Connector> fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("link", &self.link)
            .field("mode", &self.engine.mode())
            .field("in_flight", &self.engine.in_flight())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
