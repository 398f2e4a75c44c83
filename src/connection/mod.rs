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

mod config;
mod event;
mod handshake;
mod in_flight;
mod receive;
mod scripts;
mod subscriptions;
mod timers;
mod transitions;

pub use config::Config;
pub use event::{
    Capacity, CloseReason, Event, Failure, FailureReason, Message, Misuse, SendError, Subscription, Ticket,
    TimeoutReason,
};
pub use in_flight::Slot;
pub use transitions::{Mode, SubscriptionKind};

use crate::command::{Command, Patience};
use crate::log::{debug, warn};
use crate::resp::{Encoder, Frame, Level, Parser, Protocol, ProtocolError, Scanner};
use crate::script::Digest;
use crate::storage::{Buffer, Storage};
use crate::time::{Duration, Instant};
use handshake::Handshake;
use in_flight::{InFlight, NEVER};
use receive::Found;
use scripts::Scripts;
use subscriptions::Subscriptions;
use transitions::{Answer, Next, Verb, classify, rule};

/// The memory of a connection: lent by the caller, or growing under `alloc`.
///
/// ```
/// use redwire::connection::{Buffers, Slot};
/// use redwire::storage::{Buffer, Storage};
///
/// // Everything a small device needs, with every byte in sight.
/// let (mut receive, mut transmit) = ([0; 512], [0; 256]);
/// let mut in_flight = [Slot::default(); 8];
/// let mut levels = [Default::default(); 8];
/// let mut subscriptions = [0; 64];
/// let mut scripts = [Default::default(); 2];
/// let buffers = Buffers {
///     receive: Buffer::borrowed(&mut receive),
///     transmit: Buffer::borrowed(&mut transmit),
///     in_flight: Storage::from(&mut in_flight),
///     levels: Storage::from(&mut levels),
///     subscriptions: Storage::from(&mut subscriptions),
///     scripts: Storage::from(&mut scripts),
/// };
/// # let _ = buffers;
/// ```
#[derive(Debug)]
pub struct Buffers<'a> {
    /// Received bytes, until the events they make are taken. The largest reply that comes in one piece.
    pub receive: Buffer<'a>,
    /// Commands, until they are written. During the handshake it also takes the greeting: about 100 bytes and the
    /// credentials.
    pub transmit: Buffer<'a>,
    /// One slot for each command that waits for its reply.
    pub in_flight: Storage<'a, Slot>,
    /// One level for each aggregate that can be open around a value.
    pub levels: Storage<'a, Level>,
    /// The names of all subscriptions, each with 9 bytes.
    pub subscriptions: Storage<'a, u8>,
    /// Digests of scripts that the server is known to hold.
    pub scripts: Storage<'a, Digest>,
}

#[cfg(feature = "alloc")]
impl Buffers<'_> {
    /// Memory that grows on demand, and shrinks again when it is not needed any more.
    pub fn growing() -> Self {
        Self::growing_to(usize::MAX / 2, usize::MAX / 2)
    }

    /// Memory that grows on demand; the buffers to so many bytes at most.
    pub fn growing_to(receive: usize, transmit: usize) -> Self {
        Buffers {
            receive: Buffer::growing(receive),
            transmit: Buffer::growing(transmit),
            in_flight: Storage::growing(),
            levels: Storage::growing(),
            subscriptions: Storage::growing(),
            scripts: Storage::growing(),
        }
    }
}

/// What can be said about one command when it is sent.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SendOptions {
    timeout: Option<Option<Duration>>,
    streamed: bool,
}

impl SendOptions {
    /// How long the reply may take, whatever command and configuration say.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(Some(timeout));
        self
    }

    /// The reply may take for ever.
    #[must_use]
    pub const fn no_timeout(mut self) -> Self {
        self.timeout = Some(None);
        self
    }

    /// If the reply is a string, it comes in pieces as they are received ([`Event::Chunk`]), however long it is.
    #[must_use]
    pub const fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No stream. Commands wait.
    Idle,
    Handshake,
    Ready,
    Dead(Death),
}

/// Why it is over; [`CloseReason`] without what it borrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Disconnected,
    Quit,
    Closed,
    Protocol(ProtocolError),
    /// The error is the frame at the head of the receive buffer.
    Refused {
        step: &'static str,
        length: usize,
        withheld: bool,
    },
    OutOfStep,
    HandshakeTimedOut,
    Unresponsive,
    Capacity,
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
    phase: Phase,
    /// What the server is in when it has worked through all that was sent.
    mode: Mode,
    protocol: Protocol,
    handshake: Handshake,
    /// How many of the first bytes to transmit may go out; the rest waits for the handshake, or for AUTH or RESET.
    gate: Option<usize>,
    /// Bytes of commands ever queued, and ever handed out, wrapping; those of the handshake do not count.
    queued: u32,
    handed_out: u32,
    /// Keys are being watched when the server has worked through all that was sent.
    watching: bool,
    /// How many channels, patterns and shard channels the server has confirmed, by kind.
    active: [i64; 3],
    monitoring: bool,
    database: u32,
    /// The database that a SELECT in a transaction chooses if EXEC succeeds.
    transaction_database: Option<u32>,
    /// The bytes of the last event, to be consumed with the next call.
    release: usize,
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
    timers: timers::Timers,
    /// Slots whose expiry has to be reported.
    expired: usize,
    /// Of the transaction whose commands are being failed: whether its EXEC was handed out.
    exec_handed_out: Option<bool>,
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
            phase: Phase::Idle,
            mode: Mode::Ready,
            protocol: Protocol::Resp2,
            handshake: Handshake::new(),
            gate: Some(0),
            queued: 0,
            handed_out: 0,
            watching: false,
            active: [0; 3],
            monitoring: false,
            transaction_database: None,
            release: 0,
            ended: false,
            quitting: false,
            skip: None,
            text: None,
            announce: None,
            need: 1,
            timers: timers::Timers::new(),
            expired: 0,
            exec_handed_out: None,
        }
    }

    /// Says that a stream to the server is there, and begins the handshake. Poll transmit after it.
    ///
    /// # Errors
    /// [`Misuse::Closed`] while the connection before it has not ended: call [`handle_eof`](Self::handle_eof) or
    /// [`close`](Self::close), and take the events up to [`Event::Closed`].
    pub fn connected(&mut self, now: Instant) -> Result<(), Misuse> {
        if self.phase != Phase::Idle {
            return Err(Misuse::Closed);
        }
        debug!("stream is up, handshake begins");
        self.parser.reset();
        self.timers.last_received = now;
        self.begin_handshake(now);
        Ok(())
    }

    /// Queues a command, whole or not at all, and gives the ticket that its reply will name. Poll transmit after it.
    ///
    /// Before the handshake is done, and between two streams, commands wait. Until the protocol is agreed on, the rules
    /// of RESP2 hold for them.
    ///
    /// # Errors
    /// [`SendError`]; nothing has changed, and nothing of the command will be written.
    #[inline]
    pub fn send<C: Command + ?Sized>(&mut self, now: Instant, command: &C) -> Result<Ticket, SendError> {
        self.send_with(now, command, SendOptions::default())
    }

    /// Like [`send`](Self::send), with a timeout of its own, or for a reply in pieces.
    ///
    /// # Errors
    /// [`SendError`]; nothing has changed, and nothing of the command will be written.
    pub fn send_with<C: Command + ?Sized>(
        &mut self,
        now: Instant,
        command: &C,
        options: SendOptions,
    ) -> Result<Ticket, SendError> {
        let before = self.transmit.len();
        self.in_flight.reserve().map_err(|_| SendError::Capacity(Capacity::InFlight))?;
        Encoder::new(&mut self.transmit).command(command)?;
        let timeout = options.timeout.unwrap_or_else(|| match command.patience() {
            Patience::Usual => self.config.command_timeout,
            Patience::Longer(more) => self.config.command_timeout.map(|usual| usual.saturating_add(more)),
            Patience::Forever => None,
        });
        let slot = Slot {
            deadline: timeout.map_or(NEVER, |timeout| now + timeout),
            streamed: options.streamed,
            ..Slot::default()
        };
        let sent = self.admit(before, slot);
        if sent.is_err() {
            self.transmit.truncate(before);
        }
        sent
    }

    /// Decides about the command that was appended behind `before`.
    fn admit(&mut self, before: usize, mut slot: Slot) -> Result<Ticket, SendError> {
        let misuse = |misuse| Err(SendError::Misuse(misuse));
        if matches!(self.phase, Phase::Dead(_)) {
            return misuse(Misuse::Closed);
        }
        let length = self.transmit.len() - before;
        if self.phase != Phase::Ready && self.transmit.available() < self.handshake_reserve() {
            let available = (self.transmit.available() + length).saturating_sub(self.handshake_reserve());
            return Err(SendError::Capacity(Capacity::Transmit { needed: length, available }));
        }
        let bytes = self.transmit.filled().get(before..).unwrap_or_default();
        let mut words = Words::of(bytes);
        let name = words.next().unwrap_or_default();
        let verb = classify(name, words.clone());
        let (answer, next) = rule(self.mode, verb);
        if let Answer::Refused(why) = answer {
            return misuse(why);
        }
        let settled = self.phase == Phase::Ready && self.gate.is_none();
        if (verb == Verb::Auth && !(settled && self.in_flight.is_empty()))
            || (verb == Verb::Reset && !settled)
        {
            return misuse(Misuse::NotAlone);
        }
        slot.verb = verb;
        slot.start = self.queued;
        slot.length = length as u32;
        slot.queued = answer == Answer::Queued;
        if answer == Answer::Confirmations && !self.note_subscriptions(before, &mut slot)? {
            // Without a name the server answers with an error.
            slot.verb = Verb::Ordinary;
        }
        self.note_effects(&mut slot, before);
        match next {
            Next::Same => {}
            Next::To(mode) => self.mode = mode,
            Next::BySubscriptions => self.mode_by_subscriptions(),
        }
        self.queued = self.queued.wrapping_add(length as u32);
        if answer == Answer::Nothing {
            return Ok(Ticket::UNANSWERED);
        }
        self.timers.next_deadline = self.timers.next_deadline.min(slot.deadline);
        Ok(self.in_flight.push(slot))
    }

    /// Under RESP2 subscriptions are a mode of their own.
    fn mode_by_subscriptions(&mut self) {
        let resp3 = self.phase == Phase::Ready && self.protocol == Protocol::Resp3;
        self.mode = if self.subscriptions.total() > 0 && !resp3 { Mode::Subscribed } else { Mode::Ready };
    }

    /// Keeps what the command behind `before` subscribes to, and counts its confirmations. False if it names nothing.
    fn note_subscriptions(&mut self, before: usize, slot: &mut Slot) -> Result<bool, SendError> {
        let bytes = self.transmit.filled().get(before..).unwrap_or_default();
        let mut words = Words::of(bytes);
        let Some((kind, subscribes)) = words.next().and_then(SubscriptionKind::from_name) else {
            return Ok(false);
        };
        slot.subscription = kind;
        let number = self.in_flight.next_sequence();
        let names = words.clone().count();
        slot.count = u32::try_from(names).unwrap_or(u32::MAX);
        if subscribes {
            for name in words {
                if self.subscriptions.insert(kind, name, number).is_err() {
                    self.subscriptions.remove_added_by(kind, number);
                    return Err(SendError::Capacity(Capacity::Subscriptions));
                }
            }
            return Ok(names > 0);
        }
        if names == 0 {
            // One confirmation for each that the server has then, or one that says null when it has none.
            slot.everything = true;
            self.subscriptions.remove_all(kind);
        } else {
            words.for_each(|name| self.subscriptions.remove(kind, name));
        }
        Ok(true)
    }

    /// What a command changes as soon as it is sent.
    fn note_effects(&mut self, slot: &mut Slot, before: usize) {
        match slot.verb {
            Verb::Watch => self.watching = true,
            Verb::Unwatch if !slot.queued => self.watching = false,
            Verb::Exec | Verb::Discard => self.watching = false,
            Verb::Select => {
                let bytes = self.transmit.filled().get(before..).unwrap_or_default();
                let number = Words::of(bytes).nth(1).and_then(|word| core::str::from_utf8(word).ok());
                slot.count = number.and_then(|number| number.parse().ok()).unwrap_or(self.database);
            }
            Verb::Auth => self.gate = Some(self.transmit.len()),
            Verb::Reset => {
                // What follows waits until the connection has been greeted anew.
                self.gate = Some(self.transmit.len());
                self.watching = false;
                self.subscriptions.clear();
            }
            _ => {}
        }
    }

    /// Says that nobody waits for the reply any more. If no byte of the command has been handed out it is taken back,
    /// otherwise its reply is swallowed when it comes. False if the ticket is answered or stale.
    pub fn discard(&mut self, ticket: Ticket) -> bool {
        let Some(position) = self.in_flight.position(ticket) else { return false };
        if let Some(slot) = self.in_flight.get_mut(position).filter(|slot| slot.expired) {
            slot.expired = false;
            self.expired -= 1;
        }
        self.withdraw(position);
        true
    }

    /// Whether a reply to the command is still to come and somebody waits for it.
    pub fn is_pending(&self, ticket: Ticket) -> bool {
        self.in_flight
            .position(ticket)
            .and_then(|position| self.in_flight.get(position))
            .is_some_and(|slot| !slot.discarded)
    }

    /// Takes a command back, if nothing of it was handed out; else discards its reply. Says whether it was taken back.
    fn withdraw(&mut self, position: usize) -> bool {
        let Some(&slot) = self.in_flight.get(position) else { return false };
        // What other commands depend on stays.
        let alone = matches!(slot.verb, Verb::Ordinary | Verb::ScriptLoad) && !slot.queued;
        if alone && !slot.void && !self.was_handed_out(slot.start) {
            let at = slot.start.wrapping_sub(self.handed_out) as usize + self.greeting_waiting();
            let length = slot.length as usize;
            let bytes = self.transmit.filled_mut();
            if let Some(rest) = bytes.len().checked_sub(length).filter(|&rest| at <= rest) {
                bytes.copy_within(at + length.., at);
                self.transmit.truncate(rest);
                self.queued = self.queued.wrapping_sub(slot.length);
                self.gate = self.gate.map(|gate| if gate > at { gate - length } else { gate });
                self.in_flight.void(position);
                return true;
            }
        }
        if let Some(slot) = self.in_flight.get_mut(position) {
            slot.discarded = true;
        }
        false
    }

    /// Bytes of the handshake that stand before the commands.
    fn greeting_waiting(&self) -> usize {
        if self.phase == Phase::Handshake { self.gate.unwrap_or(0) } else { 0 }
    }

    fn was_handed_out(&self, start: u32) -> bool {
        self.handed_out.wrapping_sub(start) as i32 > 0
    }

    /// Bytes to be written now. Write what can be written, and say how much it was with
    /// [`transmitted`](Self::transmitted). None: poll again after sending, events, and timeouts.
    #[inline]
    pub fn poll_transmit(&self) -> Option<&[u8]> {
        let waiting = self.transmit.filled();
        let open = match self.gate {
            None => waiting,
            Some(gate) => waiting.get(..gate).unwrap_or(waiting),
        };
        if open.is_empty() || matches!(self.phase, Phase::Dead(_) | Phase::Idle) { None } else { Some(open) }
    }

    /// Says how many bytes of [`poll_transmit`](Self::poll_transmit) were written.
    #[inline]
    pub fn transmitted(&mut self, count: usize) {
        let count = count.min(self.poll_transmit().map_or(0, <[u8]>::len));
        self.transmit.consume(count);
        if self.phase != Phase::Handshake {
            self.handed_out = self.handed_out.wrapping_add(count as u32);
        }
        self.gate = self.gate.map(|gate| gate - count);
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
        match self.phase {
            Phase::Idle => self.die(Death::Disconnected),
            Phase::Dead(_) => {}
            Phase::Handshake | Phase::Ready => self.ended = true,
        }
    }

    /// Ends the connection. All commands in flight fail. Poll events after it, and close the stream.
    pub fn close(&mut self) {
        self.die(Death::Closed);
    }

    fn die(&mut self, death: Death) {
        if matches!(self.phase, Phase::Dead(_)) {
            return;
        }
        warn!("connection is over");
        self.phase = Phase::Dead(death);
        self.announce = None;
    }

    /// What the server will be in when it has worked through everything sent so far.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether the handshake is done and the connection in use.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Whether there is no stream: [`connected`](Self::connected) is what comes next.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// The protocol in use; RESP2 until the handshake has agreed on another.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// How many commands wait for their replies, those included whose replies will be discarded.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether keys are being watched, if everything sent so far succeeds.
    pub fn is_watching(&self) -> bool {
        self.watching
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
    /// no transaction, WATCH, subscription or other mode. A pool asks this before it hands a connection on.
    pub fn is_clean(&self) -> bool {
        self.phase == Phase::Ready
            && self.mode == Mode::Ready
            && self.in_flight.is_empty()
            && self.transmit.is_empty()
            && self.receive.len() == self.release
            && !self.watching
            && !self.ended
            && self.subscriptions.total() == 0
            && self.active == [0; 3]
            && self.database == self.config.database
    }

    /// The configuration.
    pub fn config(&self) -> &Config<'a> {
        &self.config
    }
}

impl Ticket {
    /// The ticket of a command that the server does not answer, behind CLIENT REPLY OFF or SKIP.
    const UNANSWERED: Ticket = Ticket { generation: u32::MAX, sequence: u32::MAX };

    /// Whether there will be an event for it: false for commands that CLIENT REPLY keeps from being answered.
    pub fn is_answered(&self) -> bool {
        *self != Ticket::UNANSWERED
    }
}

/// The words of an encoded command.
#[derive(Clone)]
struct Words<'w> {
    elements: crate::resp::Elements<'w>,
}

impl<'w> Words<'w> {
    fn of(command: &'w [u8]) -> Self {
        Words { elements: Frame::accepted(command).elements() }
    }
}

impl<'w> Iterator for Words<'w> {
    type Item = &'w [u8];

    fn next(&mut self) -> Option<&'w [u8]> {
        Some(self.elements.next()?.text().unwrap_or_default())
    }
}
