//! The state machine of one link: bytes in, bytes out, time in.
//!
//! ```text
//!            send ─┐                          ┌─> poll_event
//!                  v                          │
//!   command -> transmit buffer          receive buffer -> scanner -> frame -> the slot it answers -> event
//!                  │                          ^
//!    poll_transmit └─> socket write    socket read ─┘ receive_buffer, received
//!    transmitted
//! ```
//!
//! It never touches a socket, a clock or a thread. Whoever drives it does this, in any order that suits:
//!
//! - The stream is there: [`connected`](Connection::connected). It ended or broke: [`handle_eof`](Connection::handle_eof).
//! - It can be written: while [`poll_transmit`](Connection::poll_transmit) gives bytes, write them and say how many went
//!   with [`transmitted`](Connection::transmitted).
//! - It can be read: read into [`receive_buffer`](Connection::receive_buffer), say how many came with
//!   [`received`](Connection::received), then take events until [`poll_event`](Connection::poll_event) has none.
//! - After any of these: ask [`poll_timeout`](Connection::poll_timeout) when to call
//!   [`handle_timeout`](Connection::handle_timeout), and poll transmit and events again after that call.
//!
//! **In step or dead.** Every reply answers the oldest unanswered command, or the connection is over and all commands in
//! flight fail, each told whether it may have been executed. Nothing is ever sent twice by the engine.

mod buffers;
mod changes;
mod closing;
mod config;
mod effects;
mod event;
mod handshake;
mod in_flight;
mod name_index;
mod outcome;
mod pieces;
mod pushes;
mod receive;
mod replies;
mod secrets;
mod send;
mod subscriptions;
mod timers;
mod transaction;
mod transitions;
mod transmit;
mod verb;

pub use buffers::Buffers;
pub use changes::Changes;
pub use config::Config;
pub use event::{
    Capacity, CloseReason, Event, Failure, FailureReason, Message, Misuse, SendError, Subscription,
    SubscriptionEnd, Ticket, TimeoutReason,
};
pub use in_flight::Slot;
pub use send::SendOptions;
pub use transaction::{Transaction, TransactionTickets};
pub use transitions::{Mode, SubscriptionKind};

use crate::log::{Streams, debug};
use crate::parts::{DEADLINES, FAST, MODES, SESSION, SETTINGS, SUBSCRIPTIONS};
use crate::resp::{Parser, Protocol, Scanner};
use crate::storage::Buffer;
use crate::time::Instant;
use closing::{End, TransactionEnd};
use effects::{QueuedEffects, State};
use handshake::Handshake;
use in_flight::{InFlight, Listener};
use receive::ReceivePath;
use replies::Found;
use subscriptions::Subscriptions;
use transmit::TransmitPath;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    /// No stream. Commands wait.
    Idle,
    Handshake,
    Ready,
    /// It is over, and the events that say so are due.
    Over,
}

/// Whether commands that were sent since the last one that is answered go without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Silence {
    #[default]
    None,
    /// CLIENT REPLY OFF.
    Off,
    /// CLIENT REPLY SKIP: the next one.
    Skip,
    /// The one after CLIENT REPLY SKIP was sent.
    Over,
    /// QUIT, while replies are off.
    Quit,
}

/// One link to a server.
///
/// ```
/// use redwire::command::get;
/// use redwire::connection::{Buffers, Config, Connection, Event};
/// use redwire::time::Instant;
///
/// let now = Instant::from_micros(0);
/// let config = Config::default().protocol(redwire::resp::Protocol::Resp2).no_library();
/// let mut redis = Connection::new(config, Buffers::growing());
/// redis.connected(now).unwrap();
/// let ticket = redis.send(now, &get("foo")).unwrap();
///
/// let bytes = redis.poll_transmit().unwrap();      // write these
/// assert_eq!(bytes, b"*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n");
/// let written = bytes.len();
/// redis.transmitted(written);
///
/// let reply = b"$3\r\nbar\r\n";                     // read these
/// redis.receive_buffer()[..reply.len()].copy_from_slice(reply);
/// redis.received(now, reply.len());
/// while let Some(event) = redis.poll_event() {
///     match event {
///         Event::Reply { ticket: t, frame } if t == ticket => {
///             assert_eq!(frame.decode::<&str>().unwrap(), "bar");
///         }
///         _ => {}
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Connection<'a, P = Scanner<'a>> {
    config: Config<'a>,
    receive: ReceivePath<'a, P>,
    transmit: TransmitPath<'a>,
    in_flight: InFlight<'a>,
    subscriptions: Subscriptions<'a>,
    /// What the server keeps for the connection, as far as it has said so. The database stays for the next stream.
    known: State,
    link: Link,
    handshake: Handshake,
    timers: timers::Timers,
    /// Why it is over, or was the last time.
    end: End,
    last: Option<Found>,
    streams: Streams,
}

/// What begins anew with each stream.
#[derive(Debug)]
struct Link {
    phase: Phase,
    /// The protocol that the handshake has agreed on.
    agreed: Protocol,
    /// What the server will keep when it has worked through all that was sent, unless that is to be derived anew.
    expected: State,
    expected_is_stale: bool,
    silence: Silence,
    /// What commands may have changed that were not answered, and the number of the first command after the last of them.
    unanswered: Changes,
    unanswered_before: u32,
    /// ASKING or CLIENT CACHING was sent, and nothing that ends it.
    one_shots: Changes,
    /// How many commands of the transaction that was sent last change the connection.
    effects_sent: usize,
    /// What the server has queued in the transaction that is open.
    queued: QueuedEffects,
    /// How many channels, patterns and shard channels the server has confirmed, by kind.
    active: [i64; 3],
    /// The handshake is done and nobody has been told.
    announce: Option<usize>,
    /// Slots whose expiry has to be reported, and the number of the slot from which on they stand.
    expired: usize,
    expired_from: u32,
    /// The mode, and whether keys were watched, when the connection ended.
    at_the_end: (Mode, bool),
    transaction_end: TransactionEnd,
}

impl Link {
    const fn without_stream(protocol: Protocol) -> Self {
        Link {
            phase: Phase::Idle,
            agreed: protocol,
            expected: State::fresh(protocol, 0),
            expected_is_stale: false,
            silence: Silence::None,
            unanswered: Changes::NONE,
            unanswered_before: 0,
            one_shots: Changes::NONE,
            effects_sent: 0,
            queued: QueuedEffects::NONE,
            active: [0; 3],
            announce: None,
            expired: 0,
            expired_from: 0,
            at_the_end: (Mode::Ready, false),
            transaction_end: TransactionEnd::None,
        }
    }
}

#[cfg(feature = "defmt")]
impl<P: Parser> defmt::Format for Connection<'_, P> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Connection {{ config: {}, phase: {}, mode: {}, protocol: {}, database: {=u32}, in_flight: {=usize}, \
             queued_bytes: {=usize}, .. }}",
            self.config,
            self.link.phase,
            self.mode(),
            self.known.protocol,
            self.known.database,
            self.in_flight.len(),
            self.transmit.waiting()
        );
    }
}

impl<'a> Connection<'a> {
    /// A connection that has no stream yet. Commands can be sent already: they wait for the handshake.
    pub fn new(config: Config<'a>, buffers: Buffers<'a>) -> Self {
        let Buffers { receive, transmit, in_flight, levels, subscriptions } = buffers;
        let parser = Scanner::new(levels, config.limits);
        Self::assemble(
            config,
            parser,
            receive,
            transmit,
            InFlight::new(in_flight),
            Subscriptions::new(subscriptions),
        )
    }
}

impl<'a, P: Parser> Connection<'a, P> {
    /// A connection with a parser of the caller's; `buffers.levels` goes unused.
    pub fn with_parser(config: Config<'a>, buffers: Buffers<'a>, parser: P) -> Self {
        let Buffers { receive, transmit, in_flight, subscriptions, .. } = buffers;
        Self::assemble(
            config,
            parser,
            receive,
            transmit,
            InFlight::new(in_flight),
            Subscriptions::new(subscriptions),
        )
    }

    fn assemble(
        config: Config<'a>,
        parser: P,
        receive: Buffer<'a>,
        transmit: Buffer<'a>,
        in_flight: InFlight<'a>,
        subscriptions: Subscriptions<'a>,
    ) -> Self {
        Connection {
            receive: ReceivePath::new(parser, receive),
            transmit: TransmitPath::new(transmit),
            in_flight,
            subscriptions,
            known: State::fresh(config.protocol, config.database),
            link: Link::without_stream(config.protocol),
            handshake: Handshake::new(0),
            timers: timers::Timers::new(),
            end: End::Disconnected,
            last: None,
            streams: Streams::default(),
            config,
        }
    }

    /// Says that a stream to the server is there, and begins the handshake. Poll transmit after it.
    ///
    /// # Errors
    /// [`Misuse::Closed`] while the connection before it has not ended: call [`handle_eof`](Self::handle_eof) or
    /// [`close`](Self::close), and take the events up to [`Event::Closed`]. [`Misuse::NotBuilt`] if the configuration asks
    /// for what the feature `settings` is for, without which it was built.
    pub fn connected(&mut self, now: Instant) -> Result<(), Misuse> {
        self.connected_by(now, 0)
    }

    /// Like [`connected`](Self::connected), over a stream on which replies of an earlier connection may still come, a serial
    /// line for example: the handshake makes sure that replies answer what was asked, by a PING whose text is made of this number,
    /// and ends the connection as out of step if something else comes back.
    ///
    /// The number must be none that was used on this line before, by whichever program: take it from a source of entropy,
    /// or from a counter that is kept through resets. The PING takes up to 41 bytes in the transmit buffer.
    ///
    /// # Errors
    /// As [`connected`](Self::connected).
    pub fn connected_on_line(&mut self, now: Instant, nonce: u64) -> Result<(), Misuse> {
        self.connected_by(now, (handshake::SIGN ^ nonce).max(1))
    }

    fn connected_by(&mut self, now: Instant, echo: u64) -> Result<(), Misuse> {
        if self.link.phase != Phase::Idle {
            return Err(Misuse::Closed);
        }
        if !SETTINGS && (self.known.database != 0 || self.config.client_name.is_some()) {
            return Err(Misuse::NotBuilt);
        }
        debug!("stream is up, handshake begins");
        self.streams.begin();
        self.receive.begin();
        if DEADLINES {
            self.timers.last_received = now;
        }
        self.begin_handshake(now, echo);
        Ok(())
    }

    /// Bytes to be written now. Write what can be written, and say how much it was with
    /// [`transmitted`](Self::transmitted). None: poll again after sending, events, and timeouts.
    ///
    /// Call nothing else in between: what has not been said to be transmitted can still be taken back, by
    /// [`discard`](Self::discard) or [`handle_timeout`](Self::handle_timeout), and then must not have been written. Where a
    /// write goes on by itself, as that of a completion queue or of DMA does, copy the bytes, call `transmitted` for all of
    /// them, and write the copy.
    #[inline]
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<&[u8]> {
        if FAST && self.transmit.has_taken_back() {
            self.transmit.drop_taken_back(&mut self.in_flight);
        }
        let open = self.transmit.open();
        (self.is_open() && !open.is_empty()).then_some(open)
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) is worth a call: a reactor asks for room to write while it is.
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.is_open() && !self.transmit.open().is_empty()
    }

    /// Says how many bytes of [`poll_transmit`](Self::poll_transmit) were written.
    #[inline]
    pub fn transmitted(&mut self, count: usize) {
        if self.is_open() {
            self.transmit.transmitted(count);
        }
    }

    /// Whether there is a stream that is not over.
    fn is_open(&self) -> bool {
        matches!(self.link.phase, Phase::Handshake | Phase::Ready)
    }

    /// The memory to read into. It is never empty when [`poll_event`](Self::poll_event) has just had no more events;
    /// a read into an empty buffer would look like the end of the stream.
    #[inline]
    #[must_use]
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        self.last = None;
        self.receive.free()
    }

    /// Says how many bytes were read into [`receive_buffer`](Self::receive_buffer). Poll events after it. The end of the
    /// stream is [`handle_eof`](Self::handle_eof), never zero bytes.
    #[inline]
    pub fn received(&mut self, now: Instant, count: usize) {
        if count > 0 {
            self.receive.commit(count);
            self.timers.heard(now);
        }
    }

    /// Says that the stream has ended or broken. What is complete is still delivered; then all commands in flight fail.
    /// Poll events after it.
    pub fn handle_eof(&mut self) {
        match self.link.phase {
            Phase::Idle => self.end(End::Disconnected),
            Phase::Over => {}
            Phase::Handshake | Phase::Ready => self.receive.end(),
        }
    }

    /// Ends the connection. All commands in flight fail. Poll events after it, and close the stream.
    pub fn close(&mut self) {
        self.end(End::Closed);
    }

    /// What the server will be in when it has worked through everything sent so far, if nothing of it is refused.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if !MODES {
            return Mode::Ready;
        }
        match self.link.silence {
            Silence::Off => return Mode::ReplyOff,
            Silence::Skip => return Mode::ReplySkip,
            Silence::Quit => return Mode::Closing,
            Silence::None | Silence::Over => {}
        }
        let State { mode, protocol, .. } = self.expected();
        // Under RESP2 subscriptions are a mode of their own.
        let subscribed = SUBSCRIPTIONS && mode == Mode::Ready && protocol == Protocol::Resp2;
        if subscribed && self.subscriptions.total() > 0 { Mode::Subscribed } else { mode }
    }

    /// Whether the handshake is done and the connection in use.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.link.phase == Phase::Ready
    }

    /// Whether there is no stream: [`connected`](Self::connected) is what comes next.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.link.phase == Phase::Idle
    }

    /// The protocol in use: RESP2 until the handshake has agreed on another, and what HELLO has switched to since.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self.link.phase {
            Phase::Idle => Protocol::Resp2,
            _ => self.known.protocol,
        }
    }

    /// The database in use: that of the configuration, or of the last SELECT that the server has confirmed.
    #[must_use]
    pub fn database(&self) -> u32 {
        self.known.database
    }

    /// How many commands wait for their replies, those included whose replies will be discarded, and those not that were
    /// taken back. In lent memory such a command keeps its [`Slot`] until all older commands are answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.commands()
    }

    /// Whether replies are to come, which make room for more commands: [`in_flight`](Self::in_flight) is not 0.
    #[must_use]
    pub fn expects_replies(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Whether somebody waits for the reply to a command: those that were discarded do not count, nor do the engine's own.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.in_flight.iter().any(|slot| slot.listener == Listener::Caller)
    }

    /// Whether keys are being watched, if everything sent so far succeeds.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.expected().watching
    }

    /// What commands of the user have changed on this stream that a fresh connection does not have, as far as the server
    /// has confirmed it.
    #[must_use]
    pub fn changes(&self) -> Changes {
        let other = self.link.phase == Phase::Ready && self.known.protocol != self.link.agreed;
        let protocol = if other { Changes::PROTOCOL } else { Changes::NONE };
        self.known.changes | self.link.unanswered | protocol
    }

    /// How many channels, patterns or shard channels are subscribed to, if everything sent so far succeeds. A reconnect
    /// subscribes to them again.
    #[must_use]
    pub fn subscriptions(&self, kind: SubscriptionKind) -> usize {
        self.subscriptions.count(kind)
    }

    /// The channels, patterns or shard channels that a reconnect would subscribe to again.
    pub fn subscribed_names(&self, kind: SubscriptionKind) -> impl Iterator<Item = &[u8]> {
        self.subscriptions.names(kind)
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.transmit.waiting()
    }

    /// Whether the connection is as fresh as after its handshake: nothing in flight, nothing received that was not taken, an
    /// answer to something after the last CLIENT REPLY, and what [`is_fresh`](Self::is_fresh) says. A pool asks this before it hands a connection on.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.is_fresh()
            && self.in_flight.is_empty()
            && self.link.silence == Silence::None
            && self.transmit.waiting() == 0
            && self.receive.is_drained()
            && !self.receive.has_ended()
    }

    /// Whether nothing that was sent makes the connection different from one after its handshake: no transaction, WATCH,
    /// subscription, other database or mode, and no [changes](Changes). Replies may still be due.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let fresh = self.fresh();
        self.link.phase == Phase::Ready
            && self.known == fresh
            && self.link.unanswered.is_empty()
            && self.expected() == fresh
            && self.mode() == Mode::Ready
            && self.subscriptions.total() == 0
            && self.link.active == [0; 3]
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config<'a> {
        &self.config
    }

    /// The state of a connection that has just been greeted.
    fn fresh(&self) -> State {
        State::fresh(self.link.agreed, self.config.database)
    }

    /// What the server will keep when it has worked through everything sent so far.
    fn expected(&self) -> State {
        if SESSION && !self.link.expected_is_stale {
            return self.link.expected;
        }
        let mut known = self.known;
        if self.link.phase != Phase::Ready {
            // Before the protocol is agreed on the one that was asked for counts: should it not be had, a subscriber's
            // other commands are answered with errors.
            known.protocol = self.config.protocol;
        }
        if SESSION { known.after(self.in_flight.iter(), self.fresh()) } else { known }
    }

    fn refresh_expected(&mut self) {
        if SESSION && self.link.expected_is_stale {
            self.link.expected = self.expected();
            self.link.expected_is_stale = false;
        }
    }
}
