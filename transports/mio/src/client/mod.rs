//! A client in a loop: a session, the stream it is pumped through, and the attempts to have one.

mod exchanges;
mod pump;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mio::event::{self, Source};
use mio::{Interest, Registry, Token};
use redwire::client::{Commands, Error, ErrorKind, Inbox, KeptScriptCall, Link, LinkState, Message, Session};
use redwire::command::{Arguments, eval, evalsha};
use redwire::connection::{
    self as engine, Capacity, Config, Event, Failure, Mode, SendError, SendOptions, Ticket,
};
use redwire::resp::Encode;
use redwire::script::Script;
use redwire::time;

use crate::table::{Table, Task};
use crate::{Address, Connector, Options};

/// A client of a Redis server that lives in the loop of its user, with one connection at a time.
///
/// It is a [`Source`]: register it once, with a token of its own. Streams that take the place of one that was lost register
/// themselves. Edges are enough, and reads and writes are always both registered, whatever interest is given.
///
/// Each turn of the loop does this with it:
///
/// - Events of its token go to [`on_event`](Self::on_event).
/// - When the [`timeout`](Self::timeout) that it asked for has passed, [`handle_timeout`](Self::handle_timeout); at any
///   other time that does no harm.
/// - After these two, and after [`send`](Self::send): [`next_event`](Self::next_event) until there is none. All reading
///   and writing happens in there.
///
/// Time is passed in, and never read here: a loop reads the clock once in a turn for all its clients, and a test can let
/// hours pass in no time. A reply that is there when the loop comes to read it is not late, however busy the loop was.
///
/// **Commands that are sent while there is no connection** wait for it: until their own deadline
/// ([`Config::command_timeout`]), until [`close`](Self::close), or until a stream that was connected ends, in its handshake
/// too. An attempt that brings no stream does not fail them.
///
/// **When the stream is lost**, all commands that wait fail ([`Event::Failed`]), each told whether it may have been
/// executed, then comes [`Event::Closed`]. After a pause ([`Backoff`](crate::Backoff)) it connects again, and subscribes
/// again to what was subscribed to, until [`close`](Self::close) or QUIT. Nothing else is sent twice. How things stand
/// [`link`](Self::link) tells.
///
/// **Who does not take events** is not read for: what the server sends stays with the server, and the memory here is that
/// of one reply and one read. Nothing gets lost: `next_event` goes on where it stopped, without an event of mio.
pub struct Client<C: Connector = Address> {
    session: Session<'static>,
    connector: C,
    stream: Option<C::Stream>,
    link: Link,
    random: Random,
    /// The loop to register streams with.
    registration: Option<(Arc<Registry>, Token)>,
    registry: Option<Arc<Registry>>,
    queue_limit: usize,
    write_timeout: Option<Duration>,
    /// The stream may have something to read, or room to write: it has not said otherwise since the last event.
    readable: bool,
    writable: bool,
    /// The stream holds back something that was written.
    unflushed: bool,
    /// The stream takes nothing any more; what it has can still be read.
    broken: bool,
    /// Since when the stream takes nothing although there is something to write.
    refused_since: Option<time::Instant>,
    /// There is nothing left to do before the next event.
    drained: bool,
    turn: Turn,
    /// The turn was ended before there were no more events.
    cut_short: bool,
    /// How many bytes were read since a deadline has passed.
    late: usize,
    error: Option<io::Error>,
    table: Table,
    shown: Shown,
    /// The event of the connection that was found is to be shown after the failures in the table.
    held: bool,
    explanation: Option<Error>,
    /// The engine's time zero.
    start: Instant,
}

/// What the event is about that was found last.
#[derive(Debug, Clone, Copy)]
enum Shown {
    /// It is the connection's. The user may know the command by another ticket.
    Engine(Option<Ticket>),
    /// An exchange has failed.
    Failed(Ticket, Failure),
}

/// How much was done since there were no more events.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    bytes: usize,
    events: usize,
}

impl Turn {
    fn is_over(self) -> bool {
        self.bytes >= TURN_BYTES || self.events >= TURN_EVENTS
    }
}

/// So much is read, and so many events are given, before the loop has its turn.
const TURN_BYTES: usize = 1 << 20;
const TURN_EVENTS: usize = 4096;

/// What messages that wait may take: one that is asked for is shown at once.
const INBOX: usize = 1 << 20;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Client {
    /// A client of the server of a URL, with its login.
    ///
    /// ```
    /// use redwire_mio::Client;
    /// use std::time::Instant;
    ///
    /// let redis = Client::open(Instant::now(), &"redis://127.0.0.1:6379/2".parse()?)?;
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

impl<C: Connector> Client<C> {
    /// A client that begins to connect with the first call of [`next_event`](Self::next_event) or
    /// [`handle_timeout`](Self::handle_timeout). Commands can be sent before; they wait.
    pub fn new(now: Instant, connector: C, config: Config<'static>) -> Self {
        Self::with_options(now, connector, config, Options::default())
    }

    /// As [`new`](Self::new), with options.
    pub fn with_options(now: Instant, connector: C, config: Config<'static>, options: Options) -> Self {
        let engine = engine::Connection::new(config, options.buffers());
        let mut link = Link::new(connector.choices().max(1), options.backoff)
            .connect_timeout(options.connect_timeout)
            .handshake_timeout(options.connect_timeout);
        link.start(time::Instant::default());
        Client {
            session: Session::new(engine, Inbox::growing(INBOX)),
            connector,
            stream: None,
            link,
            random: Random(options.seed.unwrap_or_else(|| RandomState::new().hash_one(0))),
            registration: None,
            registry: options.registry,
            queue_limit: options.queue_limit,
            write_timeout: options.write_timeout,
            readable: false,
            writable: false,
            unflushed: false,
            broken: false,
            refused_since: None,
            drained: false,
            turn: Turn::default(),
            cut_short: false,
            late: 0,
            error: None,
            table: Table::default(),
            shown: Shown::Engine(None),
            held: false,
            explanation: None,
            start: now,
        }
    }

    /// Queues a command, and gives the ticket that its reply will name: read it with
    /// [`Frame::decode`](redwire::resp::Frame::decode). Commands sent one after the other are a pipeline: they go out
    /// together, with the next [`next_event`](Self::next_event).
    ///
    /// QUIT lets everything be answered that was sent before, and ends the connection for good; where none is to be had, all
    /// of that fails.
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
        if !self.table.is_empty() {
            self.check_room(1)?;
        }
        self.drained = false;
        let now = self.engine_time(now);
        self.session.engine_mut().send_with(now, command, options)
    }

    /// Queues commands to be executed as one, with nothing in between, or none of them. There is one event for all: the
    /// reply to the ticket has the replies of all commands, or is null when a watched key has changed, or the error
    /// `EXECABORT` when the server refused a command: which one, [`explanation`](Self::explanation) tells.
    ///
    /// ```
    /// # use redwire_mio::{Client, redwire::client::Error};
    /// # use std::time::Instant;
    /// # fn visit(redis: &mut Client, now: Instant) -> Result<(), Error> {
    /// use redwire_mio::redwire::{client::Commands, command::Commands as _};
    ///
    /// let mut visit = Commands::growing();
    /// visit.incr("visits").get("name");
    /// let ticket = redis.atomic(now, &visit)?;
    /// // With `Event::Reply` of that ticket: `frame.decode::<Option<(u64, Option<&str>)>>()`.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// To watch keys, send WATCH, then read what the transaction depends on, and send the transaction when these replies
    /// have come. If [`Event::Closed`] comes in between the keys are watched no more: start over.
    ///
    /// # Errors
    /// Nothing of it will be executed: there is no room, or a command may not stand in a transaction.
    pub fn atomic(&mut self, now: Instant, commands: &Commands<'_>) -> Result<Ticket, Error> {
        let mut batch = commands.atomic::<()>()?;
        let needed = commands.bytes() + TRANSACTION_OVERHEAD + ENTRY;
        self.check_room(needed)?;
        self.drained = false;
        let now = self.engine_time(now);
        let engine = self.session.engine_mut();
        redwire::client::Exchange::send(&mut batch, now, engine)?;
        let Some(batch) = batch.without_commands() else {
            let available = self.queue_limit.saturating_sub(engine.queued_bytes());
            return Err(SendError::Capacity(Capacity::Transmit { needed, available }).into());
        };
        let Some((_, ticket)) = batch.tickets() else { return Err(Error::new(ErrorKind::OutOfStep)) };
        if ticket.is_answered() {
            self.table.put(ticket, Task::Atomic(Box::new(batch)), true);
        }
        Ok(ticket)
    }

    /// Calls a script by its digest; a server that does not have it is given it, and called once more. That is between this
    /// client and the server: there is one event for the ticket. A call that is sent again runs after commands that were
    /// sent later, and with the timeout of a new command.
    ///
    /// In a transaction that was begun by hand the whole script is sent at once, since what was executed there cannot be
    /// called again.
    ///
    /// ```
    /// # use redwire_mio::{Client, redwire::client::Error};
    /// # use std::time::Instant;
    /// # fn multiply(redis: &mut Client, now: Instant) -> Result<(), Error> {
    /// use redwire_mio::redwire::script::Script;
    ///
    /// // Once: the digest is computed here.
    /// let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
    /// let ticket = redis.script(now, &multiply, "foo", 5)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A source that is read from a file becomes `'static` by [`String::leak`].
    ///
    /// # Errors
    /// As [`send`](Self::send). What is kept to call again counts for the bound of the queue, too.
    pub fn script<K: Arguments, A: Arguments>(
        &mut self,
        now: Instant,
        script: &Script<'static>,
        keys: K,
        arguments: A,
    ) -> Result<Ticket, Error> {
        if self.session.engine().mode() == Mode::Transaction {
            return Ok(self.send(now, &eval(script.source(), keys, arguments))?);
        }
        let mut call = KeptScriptCall::new(*script, &evalsha(script.digest(), keys, arguments));
        let needed = 2 * call.size() + ENTRY;
        self.check_room(needed)?;
        self.drained = false;
        let now = self.engine_time(now);
        let engine = self.session.engine_mut();
        redwire::client::Exchange::send(&mut call, now, engine)?;
        let Some(ticket) = call.ticket() else {
            let available = self.queue_limit.saturating_sub(engine.queued_bytes());
            return Err(SendError::Capacity(Capacity::Transmit { needed, available }).into());
        };
        if ticket.is_answered() {
            self.table.put(ticket, Task::Script(Box::new(call)), true);
        }
        Ok(ticket)
    }

    /// Whether there is room for so many bytes, with those that exchanges keep, and no command is half queued.
    fn check_room(&self, needed: usize) -> Result<(), SendError> {
        let engine = self.session.engine();
        let taken = engine.queued_bytes().saturating_add(self.table.kept());
        let available = match engine.unfinished() {
            None => self.queue_limit.saturating_sub(taken),
            Some(_) => 0,
        };
        if needed > available {
            return Err(SendError::Capacity(Capacity::Transmit { needed, available }));
        }
        Ok(())
    }

    /// Says that nobody waits for the reply any more. If no byte of the command has been handed out it is taken back,
    /// otherwise its reply is swallowed when it comes. False if the ticket is answered or stale.
    pub fn discard(&mut self, ticket: Ticket) -> bool {
        let engine = self.session.engine_mut();
        let Some(mut entry) = self.table.take_named(ticket) else { return engine.discard(ticket) };
        if entry.task.exchange().is_sent() {
            entry.task.exchange().give_up(engine);
        } else {
            // The server is being given the script.
            self.table.put(entry.ticket, entry.task, false);
        }
        true
    }

    /// Takes note of an event of mio that has the token of this client. Take events after it.
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
    /// does what is due, and never blocks. An event borrows the client: decode, then send.
    ///
    /// After 4096 events, or a MiB that was read, there is none, so that the loop has its turn: then
    /// [`timeout`](Self::timeout) is zero, and [`is_drained`](Self::is_drained) false, since no event of mio will remind
    /// the loop to come back. The same holds for who stops before there is none.
    pub fn next_event(&mut self, now: Instant) -> Option<Event<'_>> {
        if self.find(now, false) { self.view() } else { None }
    }

    /// As [`next_event`](Self::next_event), for loops that hand on no events and no timeouts: when there is no event it
    /// tries to read, and does what is due. It never blocks.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event<'_>> {
        if self.find(now, true) { self.view() } else { None }
    }

    /// The next message of a subscription, its confirmation, or that there was a gap, if there is one now. It tries to read
    /// like [`poll_event`](Self::poll_event), and never blocks.
    ///
    /// For clients that do nothing but listen: all other events are passed over, and a gap is told of if the end of the
    /// connection came up here.
    ///
    /// # Errors
    /// A subscription was refused, or the connection has ended for another reason than that it was lost. The next call
    /// goes on.
    pub fn get_message(&mut self, now: Instant) -> Result<Option<Message<'_>>, Error> {
        let mut look = true;
        loop {
            match self.session.poll_inbox() {
                Poll::Ready(Ok(())) => break,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {}
            }
            if !self.find(now, std::mem::take(&mut look)) {
                return Ok(None);
            }
            if let Shown::Engine(None) = self.shown {
                match self.session.take_event() {
                    Poll::Ready(Ok(())) => break,
                    // It connects again.
                    Poll::Ready(Err(error)) if *error.kind() == ErrorKind::Disconnected => {}
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Pending => {}
                }
            }
        }
        Ok(self.session.message())
    }

    /// Whether [`next_event`](Self::next_event) has nothing to do before the next event of mio, timeout or command. False
    /// if it was left off before it had no more events.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// How long the loop may wait before it calls [`handle_timeout`](Self::handle_timeout): none is for ever. It changes
    /// with every other call, so ask before each wait. Zero when commands were sent and nobody has let them be written,
    /// when a turn was ended before there were no more events, and when the connection has ended and nobody has taken the
    /// events that say so.
    pub fn timeout(&self, now: Instant) -> Option<Duration> {
        let unwritten = self.can_write() && (self.unflushed || self.session.engine().wants_write());
        let ended = self.stream.is_none() && !self.session.engine().is_idle();
        if unwritten || ended || self.held || self.cut_short {
            return Some(Duration::ZERO);
        }
        let due = self.start.checked_add(Duration::from_micros(self.due()?.as_micros()))?;
        Some(due.saturating_duration_since(now))
    }

    /// Says that the time has come. Take events after it: what is due is done when all is read that is there. To call it
    /// early or for nothing does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.drained = false;
        let now = self.engine_time(now);
        if let LinkState::Waiting(_) = self.link.state() {
            self.connect_if_due(now);
        }
        self.write(now);
    }

    /// Ends the connection, for good: it does not connect again before [`connect`](Self::connect). What was not written is
    /// dropped, and all commands fail. Take events after it. Commands that are sent then wait for `connect`.
    ///
    /// To let everything be answered first, send QUIT instead.
    pub fn close(&mut self) {
        self.drained = false;
        let nothing = self.session.engine().is_idle() && self.session.engine().in_flight() == 0;
        if self.link.state() != LinkState::Stopped || !nothing {
            self.session.engine_mut().close();
            self.drop_stream();
            self.link.stop();
        }
    }

    /// Connects now if it is between two attempts, and again after [`close`](Self::close) or QUIT.
    pub fn connect(&mut self, now: Instant) {
        self.drained = false;
        let now = self.engine_time(now);
        self.link.start(now);
    }

    /// The engine, to ask it: whether it [is ready](engine::Connection::is_ready), how many commands are
    /// [in flight](engine::Connection::in_flight), how many bytes are [queued](engine::Connection::queued_bytes).
    pub fn engine(&self) -> &engine::Connection<'static> {
        self.session.engine()
    }

    /// How the way to the server stands: whether there is a connection, how many attempts have failed.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The moment of a time that [`link`](Self::link) tells: since when there is a connection or none, when the next
    /// attempt begins.
    pub fn moment(&self, time: time::Instant) -> Option<Instant> {
        self.start.checked_add(Duration::from_micros(time.as_micros()))
    }

    /// What the stream, or the attempt to have one, said when it last failed: after [`Event::Closed`] it says more than
    /// [`CloseReason::Disconnected`](engine::CloseReason::Disconnected) does.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// What is wrong with the commands of [`atomic`](Self::atomic), or the script, that the last event is about: the first
    /// command that was refused or failed, and its position.
    pub fn explanation(&self) -> Option<&Error> {
        self.explanation.as_ref()
    }

    fn engine_time(&self, now: Instant) -> time::Instant {
        let micros = now.saturating_duration_since(self.start).as_micros();
        time::Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// Streams are registered for all there is: with edges, what nobody waits for costs nothing.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// What stands around the commands of a transaction, at most.
const TRANSACTION_OVERHEAD: usize = 64;

/// What an exchange takes in the table, at most.
const ENTRY: usize = 512;

/// Reads and writes are registered, whatever `interests` says.
impl<C: Connector> Source for Client<C> {
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
impl<C: Connector> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("link", &self.link.state())
            .field("mode", &self.session.engine().mode())
            .field("in_flight", &self.session.engine().in_flight())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
