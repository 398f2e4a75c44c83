//! One connection: an engine, the stream it is pumped through, and the clock.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant as Moment;

use redwire::connection::{
    Buffers, CloseReason, Connection, Event, FailureReason, Misuse, SendError, SendOptions, Ticket,
};
use redwire::reply::FromReply;
use redwire::resp::Encode;
use redwire::storage::IDLE_CAPACITY;
use redwire::time::Instant;
use redwire::url::Endpoint;

use crate::stream::{Stream, Wait};
use crate::{ClientConfig, Error, ErrorKind};

/// At most so much is written before it is looked for replies.
const PIECE: usize = 64 * 1024;

/// A configuration, and the name of the server for errors.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) config: ClientConfig,
    name: Arc<str>,
}

impl Target {
    pub(crate) fn new(config: ClientConfig) -> Self {
        let name = match &config.endpoint {
            Endpoint::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Tcp { host, port } => format!("{host}:{port}"),
            Endpoint::Unix { path } => path.clone(),
            _ => String::from("?"),
        };
        Target { config, name: name.into() }
    }
}

pub(crate) struct Link {
    pub(crate) engine: Connection<'static>,
    stream: Option<Stream>,
    target: Arc<Target>,
    start: Moment,
    /// What the stream said when it broke.
    io_error: Option<io::Error>,
    /// The server took nothing when it was written to last: it may wait for what it has sent to be read.
    refused: bool,
    /// Nothing was read from the stream so far.
    unread: bool,
    /// The stream began like one of TLS.
    tls: bool,
}

impl Link {
    /// A link that has no stream yet.
    pub(crate) fn new(target: Arc<Target>) -> Self {
        let mut buffers = Buffers::growing();
        // What an empty buffer keeps anyway; without it reads would begin with 4 KiB.
        let _ = buffers.receive.reserve(IDLE_CAPACITY);
        let engine = Connection::new(target.config.engine(), buffers);
        Link {
            engine,
            stream: None,
            target,
            start: Moment::now(),
            io_error: None,
            refused: false,
            unread: true,
            tls: false,
        }
    }

    /// A link that is ready.
    pub(crate) fn open(target: Arc<Target>) -> Result<Self, Error> {
        let mut link = Link::new(target);
        link.connect(|_| {})?;
        Ok(link)
    }

    /// Connects, and takes the connection through its handshake. What happens besides goes to `aside`.
    pub(crate) fn connect(&mut self, mut aside: impl FnMut(Event<'_>)) -> Result<(), Error> {
        let config = &self.target.config;
        let stream = Stream::connect(&config.endpoint, config.connect_timeout)
            .map_err(|error| self.error(ErrorKind::Connect(error)))?;
        self.stream = Some(stream);
        self.refused = false;
        self.unread = true;
        self.tls = false;
        self.io_error = None;
        let now = self.now();
        self.engine.connected(now).map_err(|misuse| self.error(ErrorKind::Misuse(misuse)))?;
        self.pump(None, |event| match event {
            Event::Connected { .. } => Some(()),
            other => {
                aside(other);
                None
            }
        })?;
        Ok(())
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// An error at this server.
    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        self.locate(Error::new(kind))
    }

    pub(crate) fn locate(&self, error: Error) -> Error {
        error.server(&self.target.name)
    }

    /// The time as the engine counts it.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Runs a command that leaves the connection as it is, and reads its reply.
    pub(crate) fn run<C, R>(&mut self, command: &C) -> Result<R, Error>
    where
        C: Encode + ?Sized,
        R: for<'a> FromReply<'a>,
    {
        let now = self.now();
        self.engine
            .send_with(now, command, SendOptions::new().shared())
            .map_err(|error| match error {
                SendError::Misuse(Misuse::OwnConnection) => self.error(ErrorKind::OwnConnection),
                error => self.locate(error.into()),
            })
            .and_then(|ticket| self.reply(ticket))
            .map_err(|error| error.about(command))
    }

    /// Queues a command to be written.
    pub(crate) fn send<C: Encode + ?Sized>(&mut self, command: &C) -> Result<Ticket, Error> {
        let now = self.now();
        self.engine.send(now, command).map_err(|error| self.locate(error.into()))
    }

    /// Waits for the reply to a command.
    pub(crate) fn reply<R: for<'a> FromReply<'a>>(&mut self, ticket: Ticket) -> Result<R, Error> {
        let mut maybe_executed = true;
        let result = self.pump(None, |event| match event {
            Event::Reply { ticket: t, frame } if t == ticket => Some(frame.decode().map_err(Error::from)),
            Event::Skipped { ticket: Some(t), length } if t == ticket => {
                Some(Err(Error::new(ErrorKind::TooLarge(length)).executed(true)))
            }
            Event::Subscription(confirmed) if confirmed.ticket == Some(ticket) && confirmed.last => {
                Some(Err(Error::new(ErrorKind::OwnConnection)))
            }
            Event::Failed { ticket: t, failure } if t == ticket => {
                maybe_executed = failure.maybe_executed;
                match failure.reason {
                    FailureReason::TimedOut => {
                        Some(Err(Error::new(ErrorKind::TimedOut).executed(failure.maybe_executed)))
                    }
                    // The end of the connection follows, and says why.
                    _ => None,
                }
            }
            _ => None,
        });
        match result {
            Ok(Some(reply)) => reply.map_err(|error| self.locate(error)),
            Ok(None) => Err(self.error(ErrorKind::OutOfStep)),
            Err(error) => Err(error.executed(maybe_executed).unsent(!maybe_executed)),
        }
    }

    /// Takes events, and waits for more, until `on` has what it wants or `until` has passed.
    ///
    /// # Errors
    /// The connection is over; the error says why.
    pub(crate) fn pump<T>(
        &mut self,
        until: Option<Instant>,
        mut on: impl FnMut(Event<'_>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let mut last = false;
        loop {
            if let Some(found) = self.events(&mut on)? {
                return Ok(Some(found));
            }
            if last {
                return Ok(None);
            }
            last = until.is_some_and(|until| until <= self.now());
            self.turn(until);
        }
    }

    /// Takes the events there are, until `on` has what it wants.
    ///
    /// # Errors
    /// The connection is over; the error says why.
    pub(crate) fn events<T>(
        &mut self,
        mut on: impl FnMut(Event<'_>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        while let Some(event) = self.engine.poll_event() {
            if let Event::Closed { reason, .. } = event {
                let kind = closed(reason, self.tls, self.io_error.take());
                self.stream = None;
                return Err(self.error(kind));
            }
            if let Some(found) = on(event) {
                return Ok(Some(found));
            }
        }
        if self.stream.is_none() {
            return Err(self.error(ErrorKind::Disconnected(None)));
        }
        Ok(None)
    }

    /// Writes what is to be written; when that is done, waits for something to read, at most until `until`. Returns as
    /// soon as there may be events.
    pub(crate) fn turn(&mut self, until: Option<Instant>) {
        if self.flush() {
            return;
        }
        let now = self.now();
        let timer = self.engine.poll_timeout().map(|(due, _)| due);
        let wait = match until.into_iter().chain(timer).min() {
            None => Wait::Forever,
            Some(due) if due <= now => Wait::Not,
            Some(due) => Wait::For(due.since(now)),
        };
        if !self.read(wait) {
            let now = self.now();
            self.engine.handle_timeout(now);
        }
    }

    /// Writes what is to be written. Reads in between, and then returns true: there may be events.
    pub(crate) fn flush(&mut self) -> bool {
        if self.refused && self.read(Wait::Not) {
            return true;
        }
        self.refused = false;
        let mut refused_since: Option<Moment> = None;
        while let (Some(bytes), Some(stream)) = (self.engine.poll_transmit(), &self.stream) {
            match stream.write(bytes.get(..PIECE).unwrap_or(bytes)) {
                Ok(0) => return self.broken(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    refused_since = None;
                    self.refused = false;
                    self.engine.transmitted(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.refused = true;
                    let waited = refused_since.get_or_insert_with(Moment::now).elapsed();
                    if self.target.config.write_timeout.is_some_and(|timeout| waited >= timeout) {
                        return self.broken(io::ErrorKind::TimedOut.into());
                    }
                    let now = self.now();
                    if self.engine.poll_timeout().is_some_and(|(due, _)| due <= now) {
                        self.engine.handle_timeout(now);
                        return true;
                    }
                }
                Err(error) => return self.broken(error),
            }
            if self.engine.poll_transmit().is_some() && self.read(Wait::Not) {
                return true;
            }
        }
        false
    }

    /// The stream cannot be written any more; what the server has said before it closed can be read all the same.
    fn broken(&mut self, error: io::Error) -> bool {
        while self.stream.is_some() && self.read(Wait::Not) && self.io_error.is_none() {
            if self.engine.receive_buffer().is_empty() {
                break;
            }
        }
        self.io_error.get_or_insert(error);
        self.engine.handle_eof();
        true
    }

    /// Reads once. False: nothing came.
    pub(crate) fn read(&mut self, wait: Wait) -> bool {
        let Some(stream) = &mut self.stream else { return true };
        let buffer = self.engine.receive_buffer();
        match stream.read(buffer, wait) {
            Ok(0) => {
                self.io_error.get_or_insert(io::ErrorKind::UnexpectedEof.into());
                self.engine.handle_eof();
                true
            }
            Ok(count) => {
                if self.unread {
                    // A record of TLS, and an alert or a handshake, as no reply can begin.
                    self.tls = matches!(buffer, [0x15 | 0x16, 0x03, ..]);
                    self.unread = false;
                }
                let now = self.now();
                self.engine.received(now, count);
                true
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                false
            }
            Err(error) => {
                self.io_error.get_or_insert(error);
                self.engine.handle_eof();
                true
            }
        }
    }

    /// Takes what has come in the meantime, without waiting.
    ///
    /// # Errors
    /// The connection is over; the error says why.
    pub(crate) fn catch_up(&mut self) -> Result<(), Error> {
        loop {
            let received = self.read(Wait::Not);
            self.events(|_| None::<()>)?;
            if !received {
                return Ok(());
            }
        }
    }

    /// Takes what has come in the meantime, and says whether the link can be used: it is alive, and as fresh as after its
    /// handshake.
    pub(crate) fn is_usable(&mut self) -> bool {
        self.catch_up().is_ok() && self.engine.is_clean()
    }

    /// Whether it makes sense to keep the link for other commands: it is fresh, or will be when replies that nobody waits
    /// for have come.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.stream.is_some()
            && (self.engine.is_clean() || self.engine.in_flight() > 0 && self.engine.is_fresh())
    }

    /// Ends the connection. What was not written is dropped.
    pub(crate) fn close(&mut self) {
        self.engine.close();
        while self.engine.poll_event().is_some() {}
        self.stream = None;
    }
}

/// Without the buffers: what is in them is long, and may be secret.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("server", &self.target.name)
            .field("mode", &self.engine.mode())
            .finish_non_exhaustive()
    }
}

/// What an end of a connection is as an error.
fn closed(reason: CloseReason<'_>, tls: bool, error: Option<io::Error>) -> ErrorKind {
    // The plain end of the stream says nothing more than the reason does.
    let error = error.filter(|error| error.kind() != io::ErrorKind::UnexpectedEof);
    match reason {
        CloseReason::Protocol(_) if tls => ErrorKind::Tls,
        CloseReason::Protocol(error) => ErrorKind::Protocol(error),
        CloseReason::Refused { step, error } => ErrorKind::Refused { step, error: error.into() },
        CloseReason::OutOfStep => ErrorKind::OutOfStep,
        CloseReason::HandshakeTimedOut => ErrorKind::HandshakeTimedOut,
        CloseReason::Unresponsive => ErrorKind::Disconnected(Some(io::Error::new(
            io::ErrorKind::TimedOut,
            "the server does not respond",
        ))),
        _ => ErrorKind::Disconnected(error),
    }
}
