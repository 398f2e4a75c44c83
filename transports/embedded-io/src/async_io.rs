//! The loop of the async client: writes what is to be written, reads, and looks at the clock.
//!
//! All that it knows is in the engine and the client. So it can be dropped wherever it waits and begun anew, if the stream
//! can; if not, a mark stays in the client that a byte may be lost.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io_async::{Error as _, Read, ReadReady, Write};
use redwire::client::{self, Exchange};
use redwire::connection::TimeoutReason;
use redwire::resp::Parser;
use redwire::time::Instant;

use crate::state::{LATE_READS, Until, earlier};
use crate::{AsyncClient, AsyncConnector, Clock};

/// How often something is read or written before other tasks have their turn.
const TURNS_AT_ONCE: u16 = 64;

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncClient<'_, C, K, P> {
    /// Waits for the end of an exchange, or a message, until a moment; false if it has not come by then. Without a connection
    /// it connects.
    pub(crate) async fn wait<X: Exchange<P> + ?Sized>(
        &mut self,
        mut what: Until<'_, X>,
        until: Option<Instant>,
    ) -> Result<bool, client::Error> {
        let (mut passed, mut late, mut turns) = (false, 0u16, 0u16);
        loop {
            let now = self.clock.now();
            if let Poll::Ready(result) = what.poll(now, &mut self.state.session) {
                if result.is_err() {
                    // The connection may have ended with it, or cannot be used since nobody knows what went over it.
                    if self.mid_io {
                        self.disconnect();
                    }
                    let _ = self.state.session.catch_up();
                }
                self.tidy();
                return result.map(|()| true);
            }
            if passed {
                return Ok(false);
            }
            turns += 1;
            if turns % TURNS_AT_ONCE == 0 {
                yield_now().await;
            }
            let moment = earlier(until, what.deadline());
            let due = self.due(moment);
            if K::TICKS && due.is_some_and(|due| due <= now) {
                // What is here is not late.
                if C::CANCEL_SAFE && late < LATE_READS && self.has_read().await {
                    late += 1;
                    continue;
                }
                self.state.engine_mut().handle_timeout(now);
                passed = until.is_some_and(|until| until <= now);
                late = 0;
            } else if self.state.engine().is_idle() {
                if let Some(Err(error)) = self.open(due).await {
                    return Err(what.fail(&mut self.state.session, error));
                }
            } else {
                let sent = what.is_sent();
                if C::CANCEL_SAFE {
                    poll_fn(|context| self.poll_turn(context, sent, due)).await;
                } else if let (true, written) = self.write(due).await
                    && (sent || !written)
                {
                    self.read(due).await;
                }
            }
        }
    }

    /// Gets a stream from the connector, and begins the handshake. None if the moment has come first.
    async fn open(&mut self, due: Option<Instant>) -> Option<Result<(), client::Error>> {
        let stream = match within(&mut self.clock, due, self.connector.connect()).await? {
            Ok(stream) => stream,
            Err(error) => return Some(Err(self.state.no_stream(error.kind()))),
        };
        let nonce = self.connector.nonce();
        self.stream = Some(stream);
        let now = self.clock.now();
        Some(self.state.connected(now, nonce))
    }

    /// Writes what can be written, and takes what the stream has to be read already, but no more than a few reads of it.
    /// Only for streams that are safe to be given up.
    pub(crate) fn catch_up(&mut self) -> Result<(), client::Error> {
        for _ in 0..TURNS_AT_ONCE {
            self.state.session.catch_up()?;
            self.write_now();
            if self.state.session.inbox().stops_reading() || !self.has_read_now() {
                break;
            }
        }
        self.state.session.catch_up()
    }

    /// A message that is here already. Only for streams that are safe to be given up.
    pub(crate) fn message_now(&mut self) -> Poll<Result<(), client::Error>> {
        for _ in 0..TURNS_AT_ONCE {
            let found = self.state.session.poll_message();
            if found.is_ready() {
                return found;
            }
            if !self.has_read_now() {
                break;
            }
        }
        self.look_at_the_clock();
        self.write_now();
        self.state.session.poll_message()
    }

    /// The same for any stream that says whether there is something to be read. It writes nothing.
    pub(crate) fn message_ready(&mut self) -> Poll<Result<(), client::Error>>
    where
        C::Stream: ReadReady,
    {
        for _ in 0..TURNS_AT_ONCE {
            let found = self.state.session.poll_message();
            if found.is_ready() {
                return found;
            }
            match self.stream.as_mut().map(ReadReady::read_ready) {
                Some(Ok(true)) => {}
                Some(Err(error)) => {
                    self.state.broken(Some(error.kind()));
                    break;
                }
                _ => break,
            }
            if pin!(self.read(None)).poll(&mut Context::from_waker(Waker::noop())) != Poll::Ready(true) {
                break;
            }
        }
        self.state.session.poll_message()
    }

    /// Does what is due.
    fn look_at_the_clock(&mut self) {
        let now = self.clock.now();
        self.state.engine_mut().handle_timeout(now);
    }

    /// When to look at the clock: at a moment, and when the engine has to know of the time. A stream that must not be given
    /// up is for a failure only.
    fn due(&self, moment: Option<Instant>) -> Option<Instant> {
        if C::CANCEL_SAFE || self.stream.is_none() {
            return self.state.due(moment);
        }
        let timeout = self.state.engine().poll_timeout();
        timeout.filter(|(_, reason)| *reason != TimeoutReason::HealthCheck).map(|(due, _)| due)
    }

    /// Writes and reads what can be written and read, and waits where neither can, until a moment. Only for streams that are
    /// safe to be given up: each poll asks for both, so that the server can go on while it takes nothing.
    fn poll_turn(&mut self, context: &mut Context<'_>, sent: bool, due: Option<Instant>) -> Poll<()> {
        let mut written = false;
        loop {
            match self.poll_write(context) {
                Poll::Ready(Wrote::Something) => written = true,
                Poll::Ready(Wrote::Stopped) => return Poll::Ready(()),
                Poll::Ready(Wrote::Nothing) | Poll::Pending => break,
            }
        }
        // What was written may have made room for more.
        if (written && !sent) || self.poll_read(context).is_ready() {
            return Poll::Ready(());
        }
        match due {
            Some(due) if due <= self.clock.now() => return Poll::Ready(()),
            Some(due) => self.clock.wake_at(due, context.waker()),
            None => {}
        }
        Poll::Pending
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Wrote> {
        let Some(stream) = &mut self.stream else {
            self.state.broken(None);
            return Poll::Ready(Wrote::Stopped);
        };
        let result = match self.state.session.engine_mut().poll_transmit() {
            Some(bytes) => core::task::ready!(pin!(stream.write(bytes)).poll(context)),
            None if self.unflushed => match core::task::ready!(pin!(stream.flush()).poll(context)) {
                Ok(()) => {
                    self.unflushed = false;
                    return Poll::Ready(Wrote::Nothing);
                }
                Err(error) => Err(error),
            },
            None => return Poll::Ready(Wrote::Nothing),
        };
        Poll::Ready(match result {
            Ok(0) => {
                self.broken(Some(embedded_io::ErrorKind::WriteZero));
                Wrote::Stopped
            }
            Ok(count) => {
                self.state.engine_mut().transmitted(count);
                self.unflushed = true;
                Wrote::Something
            }
            Err(error) => {
                self.stopped(error.kind());
                Wrote::Stopped
            }
        })
    }

    fn write_now(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while self.stream.is_some() && matches!(self.poll_write(&mut context), Poll::Ready(Wrote::Something))
        {
        }
    }

    /// False if nothing came: the stream gave up, or has ended.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let Some(stream) = &mut self.stream else {
            self.state.broken(None);
            return Poll::Ready(false);
        };
        let buffer = self.state.session.engine_mut().receive_buffer();
        let result = core::task::ready!(pin!(stream.read(buffer)).poll(context));
        Poll::Ready(self.note_read(result.map_err(|error| error.kind())))
    }

    /// Whether something was there to be read.
    async fn has_read(&mut self) -> bool {
        poll_fn(|context| Poll::Ready(self.poll_read(context) == Poll::Ready(true))).await
    }

    fn has_read_now(&mut self) -> bool {
        self.stream.is_some() && self.poll_read(&mut Context::from_waker(Waker::noop())) == Poll::Ready(true)
    }

    fn note_read(&mut self, result: Result<usize, embedded_io::ErrorKind>) -> bool {
        match result {
            Ok(0) => self.broken(None),
            Ok(count) => {
                let now = self.clock.now();
                self.state.engine_mut().received(now, count);
                return true;
            }
            Err(kind) => self.stopped(kind),
        }
        false
    }

    /// Writes all that is to be written. False if a deadline has passed, or the stream gave up or broke; and whether
    /// something was written.
    async fn write(&mut self, due: Option<Instant>) -> (bool, bool) {
        let mut written = false;
        loop {
            let Some(stream) = self.stream.as_mut().filter(|_| !self.mid_io) else {
                self.broken(None);
                return (false, written);
            };
            let bytes = self.state.session.engine_mut().poll_transmit();
            if bytes.is_none() && !self.unflushed {
                return (true, written);
            }
            self.mid_io = !C::CANCEL_SAFE;
            let flushing = bytes.is_none();
            let result = match bytes {
                Some(bytes) => within(&mut self.clock, due, stream.write(bytes)).await,
                None => within(&mut self.clock, due, stream.flush()).await.map(|done| done.map(|()| 1)),
            };
            let Some(result) = result else {
                self.count_as_written();
                return (false, written);
            };
            self.mid_io = false;
            match result {
                Ok(_) if flushing => self.unflushed = false,
                Ok(0) => {
                    self.broken(Some(embedded_io::ErrorKind::WriteZero));
                    return (false, written);
                }
                Ok(count) => {
                    self.state.engine_mut().transmitted(count);
                    (self.unflushed, written) = (true, true);
                }
                Err(error) => {
                    self.stopped(error.kind());
                    return (false, written);
                }
            }
        }
    }

    /// Hands on what the stream may hold back.
    pub(crate) async fn flush(&mut self) {
        let due = self.due(None);
        self.write(due).await;
    }

    /// Reads once. False if nothing came.
    async fn read(&mut self, due: Option<Instant>) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.mid_io) else {
            self.broken(None);
            return false;
        };
        self.mid_io = !C::CANCEL_SAFE;
        let reading = stream.read(self.state.session.engine_mut().receive_buffer());
        let Some(result) = within(&mut self.clock, due, reading).await else { return false };
        self.mid_io = false;
        self.note_read(result.map_err(|error| error.kind()))
    }

    /// A stream has failed: it gave up, and it is time to look at the clock, or it is broken.
    fn stopped(&mut self, kind: embedded_io::ErrorKind) {
        use embedded_io::ErrorKind::{Interrupted, TimedOut};
        if !matches!(kind, Interrupted | TimedOut) {
            self.broken(Some(kind));
        }
    }

    /// The stream has ended, with what it said, or it is not known what went over it.
    fn broken(&mut self, kind: Option<embedded_io::ErrorKind>) {
        if self.mid_io {
            self.count_as_written();
            self.state.engine_mut().close();
        } else {
            self.state.broken(kind);
        }
    }

    /// A write was given up, and nobody knows what went over the stream: all of it may be executed.
    fn count_as_written(&mut self) {
        if self.mid_io {
            self.state.engine_mut().transmitted(usize::MAX);
        }
    }

    /// A connection that is over gives its stream back.
    pub(crate) fn tidy(&mut self) {
        if self.state.engine().is_idle() {
            self.let_go();
        }
    }

    /// Gives the stream back.
    pub(crate) fn let_go(&mut self) {
        self.mid_io = false;
        self.unflushed = false;
        if let Some(stream) = self.stream.take() {
            self.connector.disconnect(stream);
        }
    }
}

/// What has become of what was to be written.
enum Wrote {
    Nothing,
    Something,
    /// The stream broke or gave up.
    Stopped,
}

/// Waits for a stream until a moment. None if that has come first, and the future is dropped on the way.
async fn within<F: Future>(clock: &mut impl Clock, due: Option<Instant>, io: F) -> Option<F::Output> {
    let mut io = pin!(io);
    poll_fn(|context| {
        if let Poll::Ready(output) = io.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        match due {
            Some(due) if due <= clock.now() => Poll::Ready(None),
            Some(due) => {
                clock.wake_at(due, context.waker());
                Poll::Pending
            }
            None => Poll::Pending,
        }
    })
    .await
}

/// Waits until a moment.
pub(crate) async fn sleep(clock: &mut impl Clock, until: Instant) {
    within(clock, Some(until), core::future::pending::<()>()).await;
}

/// Lets other tasks have their turn.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
