//! The loop of the async client: writes what is to be written, reads, and looks at the clock.
//!
//! All that it knows is in the engine and the client. So it can be dropped wherever it waits and begun anew, if the stream
//! can; if not, a mark stays in the client that a byte may be lost.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io_async::{Error as _, Read, ReadReady, Write};
use redwire::command::Patience;
use redwire::connection::{Capacity, SendError, TimeoutReason};
use redwire::resp::Parser;
use redwire::time::Instant;

use crate::session::Wanted;
use crate::{AsyncClient, AsyncConnector, Clock, Error, ErrorKind};

/// How often something is read at once without waiting, before other tasks have their turn.
const READS_AT_ONCE: usize = 64;

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncClient<'_, C, K, P> {
    /// Waits for an event until a moment; false if it has not come by then.
    pub(crate) async fn wait(&mut self, wanted: Wanted, until: Option<Instant>) -> Result<bool, Error> {
        let mut passed = false;
        loop {
            match self.take(wanted) {
                Some(found) => return found.map(|()| true),
                None if passed => return Ok(false),
                None => {
                    self.turn(until).await;
                    passed = until.is_some_and(|until| until <= self.clock.now());
                }
            }
        }
    }

    /// Works through what has come, up to the event that is wanted. None: more has to come first. A connection that is over
    /// gives its stream back.
    pub(crate) fn take(&mut self, wanted: Wanted) -> Option<Result<(), Error>> {
        let found = self.session.take(wanted);
        if self.session.engine.is_idle() {
            self.let_go();
        } else if self.mid_io && matches!(found, Some(Err(_))) {
            self.disconnect();
        }
        found
    }

    /// The same with what the stream has to be read already. Only for streams that are safe to be given up.
    pub(crate) fn take_now(&mut self, wanted: Wanted) -> Option<Result<(), Error>> {
        for _ in 0..READS_AT_ONCE {
            if let Some(found) = self.take(wanted) {
                return Some(found);
            }
            // The moment has come: it does not wait, and leaves no waker with the clock.
            let due = Some(self.clock.now());
            let done = now_or_never(async { self.write(due).await && self.read(due).await });
            if done != Some(true) {
                break;
            }
        }
        self.take(wanted)
    }

    /// The same for any stream that says whether there is something to be read.
    pub(crate) fn take_ready(&mut self, wanted: Wanted) -> Option<Result<(), Error>>
    where
        C::Stream: ReadReady,
    {
        for _ in 0..READS_AT_ONCE {
            if let Some(found) = self.take(wanted) {
                return Some(found);
            }
            match self.stream.as_mut().map(ReadReady::read_ready) {
                Some(Ok(true)) => {}
                Some(Err(error)) => {
                    self.session.broken(Some(error.kind()));
                    break;
                }
                _ => break,
            }
            if now_or_never(self.read(None)) != Some(true) {
                break;
            }
        }
        self.take(wanted)
    }

    /// A command found no room: writes what waits to be written, or waits for the replies that are due, which nobody waits
    /// for, if that helps; for as long as the command itself may take.
    ///
    /// # Errors
    /// It does not help, or the connection is over.
    pub(crate) async fn make_room(
        &mut self,
        error: SendError,
        patience: Patience,
        since: &mut Option<Instant>,
    ) -> Result<(), Error> {
        let SendError::Capacity(capacity) = error else { return Err(error.into()) };
        let now = self.clock.now();
        let until = self.session.engine.deadline_of(*since.get_or_insert(now), patience);
        if until.is_some_and(|until| until <= now) {
            return Err(Error::new(ErrorKind::TimedOut));
        }
        match capacity {
            Capacity::Transmit { .. } if self.session.engine.poll_transmit().is_some() => {
                self.flush().await;
            }
            Capacity::InFlight if self.session.engine.expects_replies() => {
                self.turn(until).await;
            }
            _ => return Err(error.into()),
        }
        self.take(Wanted::Nothing).unwrap_or(Ok(()))
    }

    /// Writes what is to be written, then reads once. False if nothing was read.
    async fn turn(&mut self, until: Option<Instant>) -> bool {
        let due = self.due(until);
        let done = self.write(due).await && self.read(due).await;
        self.look_at_the_clock();
        done
    }

    /// Writes all that is to be written, unless a deadline passes first, or the stream gives up.
    pub(crate) async fn flush(&mut self) {
        let due = self.due(None);
        self.write(due).await;
        self.look_at_the_clock();
    }

    /// Does what is due.
    pub(crate) fn look_at_the_clock(&mut self) {
        let now = self.clock.now();
        self.session.engine.handle_timeout(now);
    }

    /// When to look at the clock: at a moment, and when the engine has to know of the time. A stream that must not be given
    /// up is for a failure only.
    fn due(&self, until: Option<Instant>) -> Option<Instant> {
        let timeout = self.session.engine.poll_timeout();
        if !C::CANCEL_SAFE {
            return timeout.filter(|(_, reason)| *reason != TimeoutReason::HealthCheck).map(|(due, _)| due);
        }
        let timeout = timeout.map(|(due, _)| due);
        match (timeout, until) {
            (Some(timeout), Some(until)) => Some(timeout.min(until)),
            _ => timeout.or(until),
        }
    }

    /// Writes all that is to be written. False if a deadline has passed, or the stream gave up or broke.
    async fn write(&mut self, due: Option<Instant>) -> bool {
        loop {
            let Some(stream) = self.stream.as_mut().filter(|_| !self.mid_io) else {
                return self.broken(None);
            };
            let bytes = self.session.engine.poll_transmit();
            if bytes.is_none() && !self.unflushed {
                return true;
            }
            self.mid_io = !C::CANCEL_SAFE;
            let result = match bytes {
                Some(bytes) => within(&mut self.clock, due, stream.write(bytes)).await,
                None => within(&mut self.clock, due, stream.flush()).await.map(|done| done.map(|()| 0)),
            };
            let flushed = bytes.is_none();
            let Some(result) = result else {
                self.count_as_written();
                return false;
            };
            self.mid_io = false;
            match result {
                Ok(_) if flushed => self.unflushed = false,
                Ok(0) => return self.broken(Some(embedded_io::ErrorKind::WriteZero)),
                Ok(count) => {
                    self.session.engine.transmitted(count);
                    self.unflushed = true;
                }
                Err(error) => return self.stopped(error.kind()),
            }
        }
    }

    /// Reads once. False if nothing came.
    async fn read(&mut self, due: Option<Instant>) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.mid_io) else { return self.broken(None) };
        self.mid_io = !C::CANCEL_SAFE;
        let reading = stream.read(self.session.engine.receive_buffer());
        let Some(result) = within(&mut self.clock, due, reading).await else { return false };
        self.mid_io = false;
        match result {
            Ok(0) => self.broken(None),
            Ok(count) => {
                let now = self.clock.now();
                self.session.engine.received(now, count);
                true
            }
            Err(error) => self.stopped(error.kind()),
        }
    }

    /// A stream has failed: it gave up, and it is time to look at the clock, or it is broken. False.
    fn stopped(&mut self, kind: embedded_io::ErrorKind) -> bool {
        use embedded_io::ErrorKind::{Interrupted, TimedOut};
        if !matches!(kind, Interrupted | TimedOut) {
            self.broken(Some(kind));
        }
        false
    }

    /// The stream has ended, with what it said, or it is not known what went over it. False.
    fn broken(&mut self, kind: Option<embedded_io::ErrorKind>) -> bool {
        if self.mid_io {
            self.count_as_written();
            self.session.engine.close();
        } else {
            self.session.broken(kind);
        }
        false
    }

    /// A write was given up, and nobody knows what went over the stream: all of it may be executed.
    fn count_as_written(&mut self) {
        if self.mid_io {
            self.session.engine.transmitted(usize::MAX);
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

/// Polls a future once, and drops it.
fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
