//! A client in a loop: a session, the stream it is pumped through, and the attempts to have one.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mio::event::{self, Source};
use mio::{Interest, Registry, Token};
use redwire::client::{
    Commands, Error, ErrorKind, Inbox, KeptScriptCall, Link, LinkState, Message, Next, Session, Step,
};
use redwire::command::{Arguments, eval, evalsha};
use redwire::connection::{
    self as engine, Capacity, CloseReason, Config, Event, Failure, FailureReason, Mode, SendError,
    SendOptions, Ticket,
};
use redwire::resp::Encode;
use redwire::script::Script;
use redwire::time;

use crate::table::{Entry, Table, Task};
use crate::{Address, Connector, Options, Stream};

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

/// So much is read when a deadline has passed, before that counts: what is here is not late, but a server that never stops
/// talking gets no more time for that.
const LATE_BYTES: usize = 1 << 20;

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
    /// [`CloseReason::Disconnected`] does.
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

    /// Finds the next event; where there is none, makes some by writing and reading, and if `look`, also where no event of
    /// mio says that this is of use.
    fn find(&mut self, now: Instant, mut look: bool) -> bool {
        let now = self.engine_time(now);
        self.explanation = None;
        // What is due is done when all is read that is there, once.
        let (mut tried, mut done) = (false, false);
        loop {
            if self.turn.is_over() {
                self.turn = Turn::default();
                (self.drained, self.cut_short) = (false, true);
                return false;
            }
            if self.show(now) {
                self.turn.events += 1;
                self.drained = false;
                return true;
            }
            if look {
                look = false;
                self.on_ready(true, true);
            } else if self.pump(now) {
                if self.late >= LATE_BYTES {
                    self.late = 0;
                    self.do_what_is_due(now);
                }
            } else if !tried && self.is_due(now) {
                tried = true;
                self.on_ready(true, true);
            } else if tried && !done {
                done = true;
                self.do_what_is_due(now);
            } else {
                self.turn = Turn::default();
                (self.drained, self.cut_short) = (true, false);
                return false;
            }
        }
    }

    /// The event that was found.
    fn view(&self) -> Option<Event<'_>> {
        let original = match self.shown {
            Shown::Failed(ticket, failure) => return Some(Event::Failed { ticket, failure }),
            Shown::Engine(original) => original,
        };
        Some(match (self.session.engine().last_event()?, original) {
            (Event::Reply { frame, .. }, Some(ticket)) => Event::Reply { ticket, frame },
            (Event::Skipped { length, .. }, ticket @ Some(_)) => Event::Skipped { ticket, length },
            (event, _) => event,
        })
    }

    /// Finds the next event for the user among those that are here.
    fn show(&mut self, now: time::Instant) -> bool {
        loop {
            if let Some((ticket, failure)) = self.table.next_failure() {
                self.shown = Shown::Failed(ticket, failure);
                return true;
            }
            if std::mem::take(&mut self.held) {
                self.shown = Shown::Engine(None);
                return true;
            }
            if !self.session.engine_mut().find_event() {
                return false;
            }
            self.follow(now);
            self.shown = Shown::Engine(None);
            if self.table.is_empty() || self.settle(now) {
                return true;
            }
        }
    }

    /// Does what an event of the connection means for the stream.
    fn follow(&mut self, now: time::Instant) {
        let engine = self.session.engine();
        if engine.is_idle() {
            // Without a stream there may also be commands that have waited too long.
            let Some(Event::Closed { reason, mode, .. }) = engine.last_event() else { return };
            let lost = matches!(self.link.state(), LinkState::Handshake | LinkState::Ready(_));
            let quit = lost && (mode == Mode::Closing || reason == CloseReason::Quit);
            self.drop_stream();
            if quit {
                self.link.quit(now);
            } else {
                self.link.lost(now, self.random.next());
            }
        } else if self.link.state() == LinkState::Handshake && engine.is_ready() {
            self.link.ready(now);
        }
    }

    /// Shows an event of the connection to the exchange that it is about. True: the event is for the user.
    fn settle(&mut self, now: time::Instant) -> bool {
        let Some(event) = self.session.engine().last_event() else { return true };
        let ticket = match event {
            Event::Reply { ticket, .. }
            | Event::Queued { ticket }
            | Event::Failed { ticket, .. }
            | Event::Skipped { ticket: Some(ticket), .. } => ticket,
            Event::Closed { .. } => {
                while let Some(entry) = self.table.pop() {
                    self.fail(entry, Error::new(ErrorKind::Disconnected));
                }
                self.held = true;
                return false;
            }
            _ => return true,
        };
        let late = matches!(event, Event::Failed { .. });
        let Some((place, task)) = self.table.find(ticket) else { return true };
        let step = task.exchange().on_event(&event);
        match step {
            Ok(Step::NotMine) => return true,
            Ok(Step::Done | Step::Send) | Err(_) => {}
            Ok(_) => {
                self.table.went_on(place);
                return false;
            }
        }
        let Some(mut entry) = self.table.take(place) else { return true };
        match step {
            // Where it would not be answered, or not as what it is, what has come is the answer.
            Ok(Step::Send) if self.session.engine().mode() == Mode::Ready => {
                self.go_on(entry, now);
                false
            }
            Ok(_) => {
                let wanted = entry.wanted;
                self.shown = Shown::Engine(Some(entry.ticket));
                self.explanation = entry.task.finish();
                wanted
            }
            Err(error) if late || *error.kind() == ErrorKind::OutOfStep => {
                self.give_up(entry, error);
                false
            }
            // The event says what is wrong.
            Err(error) => {
                self.shown = Shown::Engine(Some(entry.ticket));
                self.explanation = Some(entry.task.exchange().blame(error));
                entry.wanted
            }
        }
    }

    /// Lets an exchange queue what it has to say.
    fn go_on(&mut self, mut entry: Entry, now: time::Instant) {
        match entry.task.exchange().send(now, self.session.engine_mut()) {
            Ok(_) => self.table.put(entry.ticket, entry.task, entry.wanted),
            Err(error) => self.give_up(entry, error),
        }
    }

    /// Lets the exchanges go on that wait for room in the queue.
    fn send_waiting(&mut self, now: time::Instant) {
        loop {
            let partly = self.session.engine().unfinished().is_some();
            if !partly && (!self.table.has_waiting() || self.session.engine().mode() != Mode::Ready) {
                return;
            }
            let Some(mut entry) = self.table.take_unsent(partly) else { return };
            match entry.task.exchange().send(now, self.session.engine_mut()) {
                Err(error) => self.give_up(entry, error),
                Ok(_) if entry.task.is_waiting() => return self.table.put_back(entry),
                Ok(_) => {
                    self.table.put(entry.ticket, entry.task, entry.wanted);
                    if self.session.engine().unfinished().is_some() {
                        return;
                    }
                }
            }
        }
    }

    /// An exchange ends with an error of its own.
    fn give_up(&mut self, mut entry: Entry, error: Error) {
        let engine = self.session.engine_mut();
        entry.task.exchange().give_up(engine);
        if *error.kind() == ErrorKind::OutOfStep {
            engine.close();
        }
        self.fail(entry, error);
    }

    fn fail(&mut self, mut entry: Entry, error: Error) {
        let reason = match error.kind() {
            ErrorKind::TimedOut => FailureReason::TimedOut,
            _ => FailureReason::Disconnected,
        };
        let error = entry.task.exchange().blame(error);
        if entry.wanted {
            self.table.fail(entry.ticket, Failure::new(reason, error.maybe_executed()));
        }
    }

    /// When something is due that is not an event of the stream.
    fn due(&self) -> Option<time::Instant> {
        let engine = self.session.engine();
        let idle = engine.is_idle();
        let link = match self.link.state() {
            LinkState::Waiting(_) | LinkState::Connecting if idle => self.link.poll_timeout(),
            LinkState::Handshake if self.stream.is_some() => self.link.poll_timeout(),
            _ => None,
        };
        let timer = engine.poll_timeout().map(|(due, _)| due);
        let write = match (self.write_timeout, self.refused_since) {
            (Some(timeout), Some(since)) => Some(since + timeout),
            _ => None,
        };
        let due = link.into_iter().chain(timer).chain(write).chain(self.table.deadline()).min();
        due.filter(|due| due.as_micros() < u64::MAX)
    }

    fn is_due(&self, now: time::Instant) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// Does what is due. All was read that was there.
    fn do_what_is_due(&mut self, now: time::Instant) {
        self.connect_if_due(now);
        self.session.engine_mut().handle_timeout(now);
        self.send_waiting(now);
        let overdue = self.link.state() == LinkState::Handshake && self.link.is_overdue(now);
        let refused = match (self.write_timeout, self.refused_since) {
            (Some(timeout), Some(since)) => since + timeout <= now,
            _ => false,
        };
        if self.stream.is_some() && (overdue || refused) {
            let what = if overdue { "the handshake took too long" } else { "the server takes nothing" };
            self.lost(Some(io::Error::new(io::ErrorKind::TimedOut, what)));
        }
    }

    /// Begins to connect if it is time to, or ends an attempt that has taken too long.
    fn connect_if_due(&mut self, now: time::Instant) {
        if !self.session.engine().is_idle() {
            // The end of the last connection is still to be taken.
            return;
        }
        while let LinkState::Waiting(_) | LinkState::Connecting = self.link.state() {
            if self.link.addresses() != self.connector.choices().max(1) {
                self.link.set_addresses(self.connector.choices().max(1));
            }
            match self.link.next(now, self.random.next()) {
                Next::Connect { address } => match self.open_stream(address) {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        return;
                    }
                    Err(error) => self.attempt_failed(now, error),
                },
                Next::Abandon { .. } => {
                    self.drop_stream();
                    self.error = Some(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long"));
                    self.quit_if_asked(now);
                }
                _ => return self.quit_if_asked(now),
            }
        }
    }

    /// QUIT waits for a connection that is not to be had.
    fn quit_if_asked(&mut self, now: time::Instant) {
        let tried = self.link.attempts_failed() > 0 || self.link.lost_since().is_some();
        let waits = matches!(self.link.state(), LinkState::Waiting(due) if due.is_none_or(|due| due > now));
        if tried && waits && self.session.engine().mode() == Mode::Closing {
            self.link.quit(now);
            // Without a stream the engine fails what waits.
            self.session.engine_mut().handle_eof();
        }
    }

    fn open_stream(&mut self, address: usize) -> io::Result<C::Stream> {
        let mut stream = self.connector.connect(address)?;
        if let Some((registry, token)) = &self.registration {
            stream.register(registry, *token, BOTH)?;
        }
        Ok(stream)
    }

    fn attempt_failed(&mut self, now: time::Instant, error: io::Error) {
        self.drop_stream();
        self.error = Some(error);
        self.link.failed(now, self.random.next());
        self.quit_if_asked(now);
    }

    /// Does what can be done with the stream. True: there may be events.
    fn pump(&mut self, now: time::Instant) -> bool {
        if self.link.state() == LinkState::Connecting {
            return self.finish_connect(now);
        }
        if self.table.has_waiting() || self.session.engine().unfinished().is_some() {
            self.send_waiting(now);
        }
        self.write(now);
        self.read(now)
    }

    fn finish_connect(&mut self, now: time::Instant) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| self.readable || self.writable) else {
            return false;
        };
        (self.readable, self.writable) = (false, false);
        match stream.finish_connect() {
            Ok(true) => {
                self.link.connected(now);
                // What happened while it connected has been announced already.
                (self.readable, self.writable) = (true, true);
                // It has no stream: it was told of none since the last one ended.
                let _ = self.session.engine_mut().connected(now);
                true
            }
            Ok(false) => false,
            Err(error) if is_passing(&error) => false,
            Err(error) => {
                self.attempt_failed(now, error);
                self.connect_if_due(now);
                true
            }
        }
    }

    fn can_write(&self) -> bool {
        self.writable && self.stream.is_some() && self.link.state() != LinkState::Connecting
    }

    /// Writes what is to be written, as far as the stream takes it.
    fn write(&mut self, now: time::Instant) {
        if !self.can_write() {
            return;
        }
        let Some(stream) = &mut self.stream else { return };
        let engine = self.session.engine_mut();
        let error = loop {
            let result = match engine.poll_transmit() {
                Some(bytes) => stream.write(bytes),
                None if self.unflushed => stream.flush().map(|()| 0),
                None => return,
            };
            let writing = engine.poll_transmit().is_some();
            match result {
                Ok(0) if writing => break io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    self.unflushed = writing;
                    self.refused_since = None;
                    engine.transmitted(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    self.refused_since.get_or_insert(now);
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
    fn read(&mut self, now: time::Instant) -> bool {
        if !self.readable || self.stream.is_none() {
            return false;
        }
        let late = self.is_due(now);
        let Some(stream) = &mut self.stream else { return false };
        let buffer = self.session.engine_mut().receive_buffer();
        if buffer.is_empty() {
            // The allocator has none left. A read would look like the end of the stream.
            self.lost(Some(io::ErrorKind::OutOfMemory.into()));
            return true;
        }
        let most = buffer.len().min(TURN_BYTES);
        match stream.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => self.lost(None),
            Ok(count) => {
                self.turn.bytes += count;
                self.late = if late { self.late + count } else { 0 };
                self.session.engine_mut().received(now, count);
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
        self.session.engine_mut().handle_eof();
    }

    fn drop_stream(&mut self) {
        if let (Some(mut stream), Some((registry, _))) = (self.stream.take(), &self.registration) {
            let _ = stream.deregister(registry);
        }
        (self.readable, self.writable, self.unflushed, self.broken) = (false, false, false, false);
        (self.refused_since, self.late) = (None, 0);
    }
}

/// Streams are registered for all there is: with edges, what nobody waits for costs nothing.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// What stands around the commands of a transaction, at most.
const TRANSACTION_OVERHEAD: usize = 64;

/// What an exchange takes in the table, at most.
const ENTRY: usize = 512;

/// Whether an error says no more than that it has to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

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
