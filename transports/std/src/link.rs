//! One connection: a session, the stream it is pumped through, and the clock.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant as Moment};

use redwire::client::{self, Call, Exchange, Inbox, Session};
use redwire::connection::{Buffers, Connection, SendOptions};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Scanner};
use redwire::storage::IDLE_CAPACITY;
use redwire::time::Instant;
use redwire::url::Endpoint;

use crate::stream::{Connector, Stream, Wait};
use crate::{ClientConfig, Error, ErrorKind, Peer};

/// At most so much is written before it is looked for replies.
const PIECE: usize = 64 * 1024;

/// How often something is read at most when the moment to wait for has passed: what is here is not late, but a server that
/// never stops talking gets no more time for that.
const LATE_READS: u32 = 64;

/// The engine's time zero is so long before the link was made: a call may have begun before.
const BEFORE: Duration = Duration::from_secs(60 * 60 * 24);

/// A configuration, the name of the server for errors, and where streams come from.
pub(crate) struct Target {
    pub(crate) config: ClientConfig,
    pub(crate) connector: Box<dyn Connector>,
    name: Arc<str>,
}

impl Target {
    pub(crate) fn new(config: ClientConfig, connector: Box<dyn Connector>) -> Self {
        let name = match &config.endpoint {
            Endpoint::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Tcp { host, port } => format!("{host}:{port}"),
            Endpoint::Unix { path } => path.clone(),
            _ => String::from("?"),
        };
        Target { config, connector, name: name.into() }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

pub(crate) struct Link {
    session: Session<'static>,
    stream: Option<Box<dyn Stream>>,
    target: Arc<Target>,
    start: Moment,
    /// What the stream said when it broke.
    io_error: Option<io::Error>,
    /// Since when the server takes nothing: it may wait for what it has sent to be read.
    refused_since: Option<Moment>,
    /// How often something was read since a deadline has passed.
    late: u32,
    /// Nothing was read from the stream so far.
    unread: bool,
    /// The stream began like one of TLS.
    tls: bool,
}

impl Link {
    /// A link that has no stream yet.
    pub(crate) fn new(target: Arc<Target>, inbox: Inbox<'static>) -> Self {
        let mut buffers = Buffers::growing();
        // What an empty buffer keeps anyway; without it reads would begin with 4 KiB.
        let _ = buffers.receive.reserve(IDLE_CAPACITY);
        let engine = Connection::new(target.config.engine(), buffers);
        Link {
            session: Session::new(engine, inbox),
            stream: None,
            target,
            start: Moment::now(),
            io_error: None,
            refused_since: None,
            late: 0,
            unread: true,
            tls: false,
        }
    }

    /// A link that is ready, unless the time for a call that has begun is over before.
    pub(crate) fn open(target: Arc<Target>, began: Moment) -> Result<Self, Error> {
        let until = target.config.read_timeout.and_then(|timeout| began.checked_add(timeout));
        let mut link = Link::new(target, Inbox::growing(0));
        link.connect(until)?;
        Ok(link)
    }

    /// Connects, and takes the connection through its handshake, until a moment at most.
    pub(crate) fn connect(&mut self, until: Option<Moment>) -> Result<(), Error> {
        let config = &self.target.config;
        let left = until.map(|until| until.saturating_duration_since(Moment::now()));
        let timeout = left.into_iter().chain(config.connect_timeout).min();
        let stream = match timeout {
            Some(Duration::ZERO) => Err(io::ErrorKind::TimedOut.into()),
            timeout => self.target.connector.connect(&config.endpoint, timeout),
        };
        let stream = stream.map_err(|error| {
            client::Error::new(ErrorKind::Connect).with_origin(Peer::new(&self.target.name, Some(error)))
        })?;
        self.stream = Some(stream);
        (self.refused_since, self.late, self.unread, self.tls) = (None, 0, true, false);
        self.io_error = None;
        let now = self.now();
        if let Err(misuse) = self.session.engine_mut().connected(now) {
            return Err(self.error(ErrorKind::Misuse(misuse)));
        }
        let until = until.map(|until| self.instant(until));
        loop {
            self.session.catch_up().map_err(|error| self.explain(error))?;
            if self.session.engine().is_ready() {
                return Ok(());
            }
            if until.is_some_and(|until| until <= self.now()) {
                self.close();
                return Err(self.error(ErrorKind::HandshakeTimedOut));
            }
            self.turn(true, until);
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    pub(crate) fn session(&self) -> &Session<'static> {
        &self.session
    }

    /// An error at this server.
    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        self.locate(client::Error::new(kind))
    }

    pub(crate) fn locate(&self, error: client::Error) -> Error {
        error.with_origin(Peer::new(&self.target.name, None))
    }

    /// An error of the session, which may be the end of the connection.
    fn explain(&mut self, error: client::Error) -> Error {
        if *error.kind() == ErrorKind::OutOfStep {
            self.close();
        }
        if !self.session.engine().is_idle() {
            return self.locate(error);
        }
        self.stream = None;
        // The plain end of the stream says nothing more than the error does.
        let io_error = self.io_error.take().filter(|error| error.kind() != io::ErrorKind::UnexpectedEof);
        let error = match error.kind() {
            ErrorKind::Protocol(_) if self.tls => client::Error::new(ErrorKind::Tls),
            _ => error,
        };
        error.with_origin(Peer::new(&self.target.name, io_error))
    }

    /// The time as the engine counts it.
    fn now(&self) -> Instant {
        self.instant(Moment::now())
    }

    fn instant(&self, moment: Moment) -> Instant {
        let since = match moment.checked_duration_since(self.start) {
            Some(later) => BEFORE.saturating_add(later),
            None => BEFORE.saturating_sub(self.start.saturating_duration_since(moment)),
        };
        Instant::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// Runs an exchange of a call that has begun at that moment.
    pub(crate) fn run<X>(&mut self, began: Moment, exchange: &mut X) -> Result<(), Error>
    where
        X: Exchange<Scanner<'static>> + ?Sized,
    {
        let mut now = self.instant(began);
        loop {
            match self.session.poll(now, exchange) {
                Poll::Ready(result) => return result.map_err(|error| self.explain(error)),
                Poll::Pending => self.turn(exchange.is_sent(), exchange.deadline()),
            };
            now = self.now();
        }
    }

    /// Runs a command that leaves the connection as it is, and reads its reply.
    pub(crate) fn call<R>(&mut self, began: Moment, command: &dyn Encode) -> Result<R, Error>
    where
        R: for<'a> FromReply<'a>,
    {
        let mut call = Call::new(command);
        self.run(began, &mut call)?;
        call.read(&self.session).map_err(|error| self.locate(error))
    }

    /// Runs a command that may change the connection.
    pub(crate) fn change(&mut self, began: Moment, command: &dyn Encode) -> Result<(), Error> {
        let mut call = Call::with_options(command, SendOptions::new());
        self.run(began, &mut call)?;
        call.read(&self.session).map_err(|error| self.locate(error))
    }

    /// Queues a command whose answer is for whoever takes messages.
    pub(crate) fn send(&mut self, command: &dyn Encode) -> Result<(), Error> {
        let now = self.now();
        match self.session.engine_mut().send(now, command) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.locate(error.into()).about(command)),
        }
    }

    /// Writes what was queued. What comes meanwhile is kept; when the connection ends, that is for the next call.
    pub(crate) fn write_out(&mut self) {
        while self.stream.is_some() && self.session.engine().wants_write() && self.flush() {
            if self.session.catch_up().is_err() {
                self.stream = None;
            }
        }
    }

    /// Looks for the next message.
    pub(crate) fn poll_message(&mut self) -> Poll<Result<(), Error>> {
        match self.session.poll_message() {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.explain(error))),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Waits for something to come, until a moment at most. False: nothing has.
    pub(crate) fn wait(&mut self, until: Option<Moment>) -> bool {
        let until = until.map(|until| self.instant(until));
        self.turn(true, until)
    }

    /// Writes what is to be written; when that is all, waits for something to read, until a moment at most. Returns as soon
    /// as there may be events. False: nothing came.
    fn turn(&mut self, all_sent: bool, until: Option<Instant>) -> bool {
        if self.stream.is_none() {
            self.session.engine_mut().handle_eof();
            return true;
        }
        let timer = self.session.engine().poll_timeout().map(|(due, _)| due);
        let now = self.now();
        self.late = if timer.is_some_and(|due| due <= now) { self.late + 1 } else { 0 };
        if self.late > LATE_READS {
            return self.look_at_the_clock();
        }
        if self.flush() {
            return true;
        }
        let wait = match until.into_iter().chain(timer).min() {
            _ if !all_sent => Wait::Not,
            None => Wait::Forever,
            Some(due) if due <= now => Wait::Not,
            Some(due) => Wait::For(due.since(now)),
        };
        self.read(wait) || {
            self.look_at_the_clock();
            false
        }
    }

    fn look_at_the_clock(&mut self) -> bool {
        let now = self.now();
        self.late = 0;
        self.session.engine_mut().handle_timeout(now);
        true
    }

    /// Writes what is to be written. Reads in between, and then returns true: there may be events.
    fn flush(&mut self) -> bool {
        if self.refused_since.is_some() && self.read_meanwhile() {
            return true;
        }
        while let (Some(bytes), Some(stream)) = (self.session.engine_mut().poll_transmit(), &mut self.stream)
        {
            match stream.write(bytes.get(..PIECE).unwrap_or(bytes)) {
                Ok(0) => return self.broken(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.refused_since = None;
                    self.session.engine_mut().transmitted(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let since = *self.refused_since.get_or_insert_with(Moment::now);
                    if self.target.config.write_timeout.is_some_and(|timeout| since.elapsed() >= timeout) {
                        return self.broken(io::ErrorKind::TimedOut.into());
                    }
                    let now = self.now();
                    if self.session.engine().poll_timeout().is_some_and(|(due, _)| due <= now) {
                        return self.look_at_the_clock();
                    }
                }
                Err(error) => return self.broken(error),
            }
            if self.session.engine().wants_write() && self.read_meanwhile() {
                return true;
            }
        }
        false
    }

    /// Reads what there is, while something else is the matter.
    fn read_meanwhile(&mut self) -> bool {
        !self.session.inbox().stops_reading() && self.read(Wait::Not)
    }

    /// The stream cannot be written any more; what the server has said before it closed can be read all the same.
    fn broken(&mut self, error: io::Error) -> bool {
        while self.stream.is_some() && self.read(Wait::Not) && self.io_error.is_none() {
            if self.session.engine_mut().receive_buffer().is_empty() {
                break;
            }
        }
        self.io_error.get_or_insert(error);
        self.session.engine_mut().handle_eof();
        true
    }

    /// Reads once. False: nothing came.
    fn read(&mut self, wait: Wait) -> bool {
        let Some(stream) = &mut self.stream else { return true };
        let buffer = self.session.engine_mut().receive_buffer();
        match stream.read(buffer, wait) {
            Ok(0) => {
                self.io_error.get_or_insert(io::ErrorKind::UnexpectedEof.into());
                self.session.engine_mut().handle_eof();
                true
            }
            Ok(count) => {
                if self.unread {
                    // A record of TLS, and an alert or a handshake, as no reply can begin.
                    self.tls = matches!(buffer, [0x15 | 0x16, 0x03, ..]);
                    self.unread = false;
                }
                let now = self.now();
                self.session.engine_mut().received(now, count);
                true
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => false,
                _ => {
                    self.io_error.get_or_insert(error);
                    self.session.engine_mut().handle_eof();
                    true
                }
            },
        }
    }

    /// Takes what has come in the meantime, without waiting, and without listening for ever to a server that never stops.
    ///
    /// # Errors
    /// The connection is over; the error says why.
    pub(crate) fn catch_up(&mut self) -> Result<(), Error> {
        for _ in 0..LATE_READS {
            let received = self.read(Wait::Not);
            if self.stream.is_none() {
                return Err(self.explain(client::Error::new(ErrorKind::Disconnected)));
            }
            self.session.catch_up().map_err(|error| self.explain(error))?;
            if !received {
                break;
            }
        }
        Ok(())
    }

    /// Takes what has come in the meantime, and says whether the link can be used: it is alive, and as fresh as after its
    /// handshake.
    pub(crate) fn is_usable(&mut self) -> bool {
        self.catch_up().is_ok() && self.session.engine().is_clean()
    }

    /// Whether it makes sense to keep the link for other commands: it is fresh, or will be when replies that nobody waits
    /// for have come.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        let engine = self.session.engine();
        self.stream.is_some() && (engine.is_clean() || engine.in_flight() > 0 && engine.is_fresh())
    }

    /// Ends the connection. What was not written is dropped.
    pub(crate) fn close(&mut self) {
        self.session.engine_mut().close();
        let _ = self.session.catch_up();
        self.stream = None;
    }
}

/// Without the buffers: what is in them is long, and may be secret.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("server", &self.target.name)
            .field("mode", &self.session.engine().mode())
            .finish_non_exhaustive()
    }
}
