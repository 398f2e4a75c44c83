//! What both clients keep, and do without waiting.

use core::task::Poll;

use redwire::client::{self, Backoff, ErrorKind, Exchange, Inbox, Session};
use redwire::command;
use redwire::connection::{Config, Connection, Mode};
use redwire::parts::{DEADLINES, PIECES, SESSION};
use redwire::reply::DecodeError;
use redwire::resp::{Encode, Parser, Scanner};
use redwire::time::{Duration, Instant};

use crate::{Error, Memory, StreamError};

/// How often something is read at most when a deadline has passed: what is here is not late, and a server that never stops
/// talking does not put deadlines off.
pub(crate) const LATE_READS: u16 = 1024;

/// How long the pauses between attempts to connect are at most: the first, and all.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct State<'b, P> {
    pub(crate) session: Session<'b, P>,
    /// What the stream said when it broke, or the connector when it gave none.
    cause: Option<embedded_io::ErrorKind>,
    /// The number of the connection. What belongs to one must not go over another.
    pub(crate) life: u32,
}

impl<'b> State<'b, Scanner<'b>> {
    pub(crate) fn new(config: Config<'b>, memory: Memory<'b>) -> Self {
        let Memory { engine, messages, overflow } = memory;
        State::of(Connection::new(config, engine), Inbox::new(messages).overflow(overflow))
    }
}

impl<'b, P: Parser> State<'b, P> {
    pub(crate) fn with_parser(config: Config<'b>, memory: Memory<'b>, parser: P) -> Self {
        let Memory { engine, messages, overflow } = memory;
        let engine = Connection::with_parser(config, engine, parser);
        State::of(engine, Inbox::new(messages).overflow(overflow))
    }

    fn of(engine: Connection<'b, P>, inbox: Inbox<'b>) -> Self {
        // All that is sent is an exchange: its answers are waited for.
        let session = Session::new(engine, inbox.confirmations(false).answers(false));
        State { session, cause: None, life: 0 }
    }

    pub(crate) fn engine(&self) -> &Connection<'b, P> {
        self.session.engine()
    }

    pub(crate) fn engine_mut(&mut self) -> &mut Connection<'b, P> {
        self.session.engine_mut()
    }

    /// A stream is there.
    pub(crate) fn connected(&mut self, now: Instant, nonce: Option<u64>) -> Result<(), client::Error> {
        self.cause = None;
        if SESSION {
            self.life = self.life.wrapping_add(1);
        }
        let engine = self.engine_mut();
        let begun = match nonce {
            Some(nonce) => engine.connected_on_line(now, nonce),
            None => engine.connected(now),
        };
        begun.map_err(|misuse| client::Error::new(ErrorKind::Misuse(misuse)))
    }

    /// The connector gave no stream.
    pub(crate) fn no_stream(&mut self, kind: embedded_io::ErrorKind) -> client::Error {
        self.cause = Some(kind);
        client::Error::new(ErrorKind::Connect)
    }

    /// The stream has ended; with what it said, if it broke.
    pub(crate) fn broken(&mut self, kind: Option<embedded_io::ErrorKind>) {
        self.cause = self.cause.or(kind);
        self.engine_mut().handle_eof();
    }

    /// An error as the caller gets it, with what the stream said.
    #[cold]
    pub(crate) fn error(&self, error: client::Error) -> Error {
        let about_the_stream = matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Connect);
        error.with_origin(StreamError(self.cause.filter(|_| about_the_stream)))
    }

    /// A reply could not be read.
    #[cold]
    #[inline(never)]
    pub(crate) fn unreadable(error: DecodeError<'_>, command: &dyn Encode) -> Error {
        Error::from(error).about(command)
    }

    /// Whether an upload or a transaction was begun, and forgotten without being dropped: nothing can be sent after it.
    pub(crate) fn is_half_way(&self) -> bool {
        let unfinished = PIECES && self.engine().unfinished().is_some();
        unfinished || (SESSION && self.engine().mode() == Mode::Transaction)
    }

    /// Whether this is still the connection with that number.
    pub(crate) fn still(&self, life: u32) -> Result<(), client::Error> {
        if self.life == life && !self.engine().is_idle() {
            return Ok(());
        }
        Err(client::Error::new(ErrorKind::Disconnected))
    }

    /// When to look at the clock: at a moment, and when the engine has to know of the time.
    pub(crate) fn due(&self, until: Option<Instant>) -> Option<Instant> {
        let timeout = if DEADLINES { self.engine().poll_timeout().map(|(due, _)| due) } else { None };
        earlier(timeout, until)
    }

    /// Ends the watching of keys, whether or not anybody waits for it.
    pub(crate) fn unwatch(&mut self, now: Instant) {
        if SESSION && self.engine().is_watching() {
            let engine = self.engine_mut();
            match engine.send(now, &command::unwatch()) {
                Ok(ticket) => drop(engine.discard(ticket)),
                // The keys must not be watched any more when the connection is used for something else.
                Err(_) => engine.close(),
            }
        }
    }
}

/// The earlier of two moments.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// What a client waits for.
pub(crate) enum Until<'x, X: ?Sized> {
    /// The end of an exchange.
    EndOf(&'x mut X),
    /// The end of the handshake.
    Ready,
    Message,
}

impl<X: ?Sized> Until<'_, X> {
    pub(crate) fn poll<P: Parser>(
        &mut self,
        now: Instant,
        session: &mut Session<'_, P>,
    ) -> Poll<Result<(), client::Error>>
    where
        X: Exchange<P>,
    {
        match self {
            Until::EndOf(exchange) => session.poll(now, *exchange),
            Until::Ready => match session.catch_up() {
                Ok(()) if !session.engine().is_ready() => Poll::Pending,
                done => Poll::Ready(done),
            },
            Until::Message => session.poll_message(),
        }
    }

    /// Whether all of it is queued.
    pub(crate) fn is_sent<P: Parser>(&self) -> bool
    where
        X: Exchange<P>,
    {
        match self {
            Until::EndOf(exchange) => exchange.is_sent(),
            Until::Ready | Until::Message => true,
        }
    }

    pub(crate) fn deadline<P: Parser>(&self) -> Option<Instant>
    where
        X: Exchange<P>,
    {
        match self {
            Until::EndOf(exchange) => exchange.deadline(),
            Until::Ready | Until::Message => None,
        }
    }

    /// There is no connection to be had.
    #[cold]
    pub(crate) fn fail<P: Parser>(
        &mut self,
        session: &mut Session<'_, P>,
        error: client::Error,
    ) -> client::Error
    where
        X: Exchange<P>,
    {
        match self {
            Until::EndOf(exchange) => {
                exchange.fail(session.engine_mut());
                exchange.blame(error)
            }
            Until::Ready | Until::Message => error,
        }
    }
}

/// The pauses between attempts to connect while a message is waited for.
pub(crate) struct Pauses {
    backoff: Backoff,
    until: Instant,
}

impl Pauses {
    pub(crate) const fn new(until: Instant) -> Self {
        Pauses { backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE), until }
    }

    /// An attempt has failed: how long to wait before the next one. None: it was the last, and the error stands.
    pub(crate) fn after(&mut self, error: &client::Error, now: Instant) -> Option<Duration> {
        let left = self.until.since(now);
        if left == Duration::ZERO || !error.is_retryable() {
            return None;
        }
        Some(self.backoff.pause(chance(now)).min(left))
    }
}

/// A number that differs from device to device as far as their clocks do: for the pauses of transactions that are in each
/// other's way.
pub(crate) fn chance(now: Instant) -> u64 {
    let mixed = (now.as_micros() ^ 0x5bd1_e995).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed.rotate_left(29)
}

/// What a command is queued for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Pipeline,
    Atomic,
    /// One whose keys are watched on the connection with this number.
    Transaction(u32),
}
