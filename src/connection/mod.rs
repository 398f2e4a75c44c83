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
mod config;
mod event;
mod handshake;
mod in_flight;
mod name_index;
mod pieces;
mod receive;
mod scripts;
mod send;
mod subscriptions;
mod timers;
mod transitions;

pub use buffers::Buffers;
pub use config::Config;
pub use event::{
    Capacity, CloseReason, Event, Failure, FailureReason, Message, Misuse, SendError, Subscription, Ticket,
    TimeoutReason,
};
pub use in_flight::Slot;
pub use send::SendOptions;
pub use transitions::{Mode, SubscriptionKind};

use crate::log::{Streams, debug, info, warn};
use crate::parts::{DEADLINES, MODES, SETTINGS};
use crate::resp::{Parser, Protocol, ProtocolError, Scanner};
use crate::script::Digest;
use crate::storage::{Buffer, Storage};
use crate::time::Instant;
use handshake::Handshake;
use in_flight::InFlight;
use receive::Found;
use scripts::Scripts;
use subscriptions::Subscriptions;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    /// No stream. Commands wait.
    Idle,
    Handshake,
    Ready,
    /// It is over, and the events that say so are due.
    Dead,
}

/// Why it is over; [`CloseReason`] without what comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Death {
    Disconnected,
    Quit,
    Closed,
    /// The parser has said so in `protocol_error`.
    Protocol,
    /// What the server has said is in `refusal`.
    Refused,
    OutOfStep,
    HandshakeTimedOut,
    Unresponsive,
    Capacity,
}

impl Death {
    /// The name of the variant of [`CloseReason`], for the log.
    const fn name(self) -> &'static str {
        match self {
            Death::Disconnected => "Disconnected",
            Death::Quit => "Quit",
            Death::Closed => "Closed",
            Death::Protocol => "Protocol",
            Death::Refused => "Refused",
            Death::OutOfStep => "OutOfStep",
            Death::HandshakeTimedOut => "HandshakeTimedOut",
            Death::Unresponsive => "Unresponsive",
            Death::Capacity => "Capacity",
        }
    }
}

/// A step of the handshake that the server refused.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    step: &'static str,
    /// How long the error is, the frame at the head of the receive buffer.
    length: usize,
    withheld: bool,
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
    parser: P,
    receive: Buffer<'a>,
    transmit: Buffer<'a>,
    in_flight: InFlight<'a>,
    subscriptions: Subscriptions<'a>,
    scripts: Scripts<'a>,
    link: Link,
    /// Why it is over, or was the last time.
    death: Death,
    protocol_error: Option<ProtocolError>,
    refusal: Option<Refusal>,
    handshake: Handshake,
    /// Bytes of commands ever queued, and ever handed out, wrapping; those of the handshake do not count.
    queued: u32,
    handed_out: u32,
    database: u32,
    /// The bytes of the last event, to be consumed with the next call.
    release: usize,
    last: Option<Found>,
    timers: timers::Timers,
    streams: Streams,
}

/// What begins anew with each stream.
#[derive(Debug)]
struct Link {
    phase: Phase,
    /// What the server is in when it has worked through all that was sent.
    mode: Mode,
    protocol: Protocol,
    /// How many of the first bytes to transmit may go out; the rest waits for the handshake, or for AUTH or RESET.
    gate: Option<usize>,
    /// Keys are being watched when the server has worked through all that was sent.
    watching: bool,
    /// AUTH was sent since the handshake.
    user_changed: bool,
    /// How many channels, patterns and shard channels the server has confirmed, by kind.
    active: [i64; 3],
    monitoring: bool,
    /// The database that a SELECT in a transaction chooses if EXEC succeeds.
    transaction_database: Option<u32>,
    /// How many commands the server has queued in the transaction, and how many when it queued that SELECT.
    transaction_length: u32,
    transaction_select: u32,
    ended: bool,
    quitting: bool,
    /// A reply that does not fit is being skipped.
    skip: Option<receive::Skip>,
    /// Bytes of the streamed text so far.
    text: Option<u64>,
    /// The handshake is done and nobody has been told.
    announce: Option<usize>,
    /// Bytes that the frame being read still needs, at least.
    need: usize,
    /// Slots whose expiry has to be reported, and the number of the slot from which on they stand.
    expired: usize,
    expired_from: u32,
    /// Commands were sent that the server does not answer, and none that it does since.
    silent: bool,
    /// Bytes still to come of the command that was sent last.
    unfinished: Option<usize>,
    /// Of the transaction whose commands are being failed: whether its EXEC was handed out.
    exec_handed_out: Option<bool>,
}

impl Link {
    /// No stream.
    const NONE: Self = Link {
        phase: Phase::Idle,
        mode: Mode::Ready,
        protocol: Protocol::Resp2,
        gate: Some(0),
        watching: false,
        user_changed: false,
        active: [0; 3],
        monitoring: false,
        transaction_database: None,
        transaction_length: 0,
        transaction_select: 0,
        ended: false,
        quitting: false,
        skip: None,
        text: None,
        announce: None,
        need: 1,
        expired: 0,
        expired_from: 0,
        silent: false,
        unfinished: None,
        exec_handed_out: None,
    };
}

#[cfg(feature = "defmt")]
impl<P> defmt::Format for Connection<'_, P> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Connection {{ config: {}, phase: {}, mode: {}, protocol: {}, database: {=u32}, in_flight: {=usize}, \
             queued_bytes: {=usize}, .. }}",
            self.config,
            self.link.phase,
            self.link.mode,
            self.link.protocol,
            self.database,
            self.in_flight.len(),
            self.transmit.len()
        );
    }
}

impl<'a> Connection<'a> {
    /// A connection that has no stream yet. Commands can be sent already: they wait for the handshake.
    pub fn new(config: Config<'a>, buffers: Buffers<'a>) -> Self {
        let Buffers { receive, transmit, in_flight, levels, subscriptions, scripts } = buffers;
        let parser = Scanner::new(levels, config.limits);
        Self::assemble(config, parser, receive, transmit, in_flight, subscriptions, scripts)
    }
}

impl<'a, P: Parser> Connection<'a, P> {
    /// A connection with a parser of the caller's; `buffers.levels` goes unused.
    pub fn with_parser(config: Config<'a>, buffers: Buffers<'a>, parser: P) -> Self {
        let Buffers { receive, transmit, in_flight, subscriptions, scripts, .. } = buffers;
        Self::assemble(config, parser, receive, transmit, in_flight, subscriptions, scripts)
    }

    fn assemble(
        config: Config<'a>,
        parser: P,
        receive: Buffer<'a>,
        transmit: Buffer<'a>,
        in_flight: Storage<'a, Slot>,
        subscriptions: Storage<'a, u8>,
        scripts: Storage<'a, Digest>,
    ) -> Self {
        Connection {
            database: config.database,
            config,
            parser,
            receive,
            transmit,
            in_flight: InFlight::new(in_flight),
            subscriptions: Subscriptions::new(subscriptions),
            scripts: Scripts::new(scripts),
            link: Link::NONE,
            death: Death::Disconnected,
            protocol_error: None,
            refusal: None,
            handshake: Handshake::new(),
            queued: 0,
            handed_out: 0,
            release: 0,
            last: None,
            timers: timers::Timers::new(),
            streams: Streams::default(),
        }
    }

    /// Says that a stream to the server is there, and begins the handshake. Poll transmit after it.
    ///
    /// # Errors
    /// [`Misuse::Closed`] while the connection before it has not ended: call [`handle_eof`](Self::handle_eof) or
    /// [`close`](Self::close), and take the events up to [`Event::Closed`]. [`Misuse::NotBuilt`] if the configuration asks
    /// for what the feature `settings` is for, without which it was built.
    pub fn connected(&mut self, now: Instant) -> Result<(), Misuse> {
        if self.link.phase != Phase::Idle {
            return Err(Misuse::Closed);
        }
        if !SETTINGS && (self.database != 0 || self.config.client_name.is_some()) {
            return Err(Misuse::NotBuilt);
        }
        debug!("stream is up, handshake begins");
        self.streams.begin();
        self.parser.reset();
        if DEADLINES {
            self.timers.last_received = now;
        }
        self.begin_handshake(now);
        Ok(())
    }

    /// Bytes to be written now. Write what can be written, and say how much it was with
    /// [`transmitted`](Self::transmitted). None: poll again after sending, events, and timeouts.
    #[inline]
    pub fn poll_transmit(&self) -> Option<&[u8]> {
        let waiting = self.transmit.filled();
        let open = match self.link.gate {
            None => waiting,
            Some(gate) => waiting.get(..gate).unwrap_or(waiting),
        };
        if open.is_empty() || matches!(self.link.phase, Phase::Dead | Phase::Idle) {
            None
        } else {
            Some(open)
        }
    }

    /// Says how many bytes of [`poll_transmit`](Self::poll_transmit) were written.
    #[inline]
    pub fn transmitted(&mut self, count: usize) {
        let count = count.min(self.poll_transmit().map_or(0, <[u8]>::len));
        self.transmit.consume(count);
        if self.link.phase != Phase::Handshake {
            self.handed_out = self.handed_out.wrapping_add(count as u32);
        }
        self.link.gate = self.link.gate.map(|gate| gate - count);
        self.transmit.shrink();
    }

    /// The memory to read into. It is never empty when [`poll_event`](Self::poll_event) has just had no more events;
    /// a read into an empty buffer would look like the end of the stream.
    #[inline]
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        self.make_room();
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
            Phase::Idle => self.die(Death::Disconnected),
            Phase::Dead => {}
            Phase::Handshake | Phase::Ready => self.link.ended = true,
        }
    }

    /// Ends the connection. All commands in flight fail. Poll events after it, and close the stream.
    pub fn close(&mut self) {
        self.die(Death::Closed);
    }

    #[cold]
    #[inline(never)]
    fn die(&mut self, death: Death) {
        if self.link.phase == Phase::Dead {
            return;
        }
        if matches!(death, Death::Quit | Death::Closed) {
            info!("connection is over: {}, commands that fail: {}", death.name(), self.in_flight.awaited());
        } else {
            warn!("connection is over: {}, commands that fail: {}", death.name(), self.in_flight.awaited());
        }
        self.link.phase = Phase::Dead;
        self.death = death;
        self.link.announce = None;
    }

    /// What the server will be in when it has worked through everything sent so far.
    pub fn mode(&self) -> Mode {
        if MODES { self.link.mode } else { Mode::Ready }
    }

    /// Whether the handshake is done and the connection in use.
    pub fn is_ready(&self) -> bool {
        self.link.phase == Phase::Ready
    }

    /// Whether there is no stream: [`connected`](Self::connected) is what comes next.
    pub fn is_idle(&self) -> bool {
        self.link.phase == Phase::Idle
    }

    /// The protocol in use; RESP2 until the handshake has agreed on another.
    pub fn protocol(&self) -> Protocol {
        self.link.protocol
    }

    /// The database in use: that of the configuration, or of the last SELECT that the server has confirmed.
    pub fn database(&self) -> u32 {
        self.database
    }

    /// How many commands wait for their replies, those included whose replies will be discarded.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether keys are being watched, if everything sent so far succeeds.
    pub fn is_watching(&self) -> bool {
        self.link.watching
    }

    /// Whether AUTH was sent since the handshake, so that the user may not be that of the configuration.
    pub fn has_changed_user(&self) -> bool {
        self.link.user_changed
    }

    /// How many channels, patterns and shard channels a reconnect would subscribe to again.
    pub fn subscriptions(&self, kind: SubscriptionKind) -> usize {
        self.subscriptions.count(kind)
    }

    /// The channels or patterns that a reconnect would subscribe to again.
    pub fn subscribed_names(&self, kind: SubscriptionKind) -> impl Iterator<Item = &[u8]> {
        self.subscriptions.names(kind)
    }

    /// Whether the server is known to hold a script: it was loaded over this connection, and nothing has said since
    /// that it is gone.
    pub fn knows_script(&self, digest: &Digest) -> bool {
        self.scripts.knows(digest)
    }

    /// How many bytes wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.transmit.len()
    }

    /// Whether the connection is as fresh as after its handshake: nothing in flight, nothing received that was not taken,
    /// no transaction, WATCH, subscription or other mode, no AUTH by hand. A pool asks this before it hands a connection on.
    pub fn is_clean(&self) -> bool {
        self.link.phase == Phase::Ready
            && self.link.mode == Mode::Ready
            && self.in_flight.is_empty()
            && self.transmit.is_empty()
            && self.receive.len() == self.release
            && !self.link.watching
            && !self.link.user_changed
            && !self.link.ended
            && self.subscriptions.total() == 0
            && self.link.active == [0; 3]
            && self.database == self.config.database
    }

    /// The configuration.
    pub fn config(&self) -> &Config<'a> {
        &self.config
    }
}
