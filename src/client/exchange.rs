//! What an exchange is, and the session that drives any of them over one connection.

use core::task::Poll;

use super::inbox::{Inbox, Message};
use super::{Error, ErrorKind};
use crate::connection::{Capacity, Connection, Event, SendError, SubscriptionKind};
use crate::parts::{DEADLINES, SUBSCRIPTIONS};
use crate::reply::FromReply;
use crate::resp::{Encode, Frame, Parser, Scanner};
use crate::time::Instant;

/// A conversation that is longer than one command and one reply, or just as long: it says what to send, takes events, and
/// ends in a result, which it gives by a method of its own.
///
/// [`Session::poll`] drives it. Exchanges have no streams, no clock, and own nothing of the events they are shown.
pub trait Exchange<P: Parser> {
    /// Queues what can be queued now. It is called first, and then whenever there may be room for more.
    /// [`Step::Done`]: there is nothing to be said, and nothing to wait for.
    ///
    /// # Errors
    /// It cannot be sent. What was queued before is taken back by [`give_up`](Self::give_up).
    fn send(&mut self, now: Instant, connection: &mut Connection<'_, P>) -> Result<Step, Error>;

    /// Whether all of it is queued. While it is not, [`send`](Self::send) wants to be called after every write.
    fn is_sent(&self) -> bool;

    /// Takes an event.
    ///
    /// # Errors
    /// It ends with this error.
    fn on_event(&mut self, event: &Event<'_>) -> Result<Step, Error>;

    /// Nobody waits for the result any more. What was not written is taken back; replies that are still to come are
    /// discarded.
    fn give_up(&mut self, connection: &mut Connection<'_, P>);

    /// It has ended with an error of its own, or that of the connection. What is not over yet is given up.
    fn fail(&mut self, connection: &mut Connection<'_, P>) {
        self.give_up(connection);
    }

    /// Completes the error that it ends with: what may have been executed, and which command it was.
    fn blame(&self, error: Error) -> Error;

    /// When [`send`](Self::send) has waited for room too long, and wants to be called to say so.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// What an event was to an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Step {
    /// It is about something else.
    NotMine,
    /// More has to come.
    Wait,
    /// There is something to be sent.
    Send,
    /// This was the last event. It is still the connection's last one, and the result may be read from it.
    Done,
}

/// One connection, and the messages that came while something else was waited for.
///
/// ```
/// use core::task::Poll;
/// use redwire::client::{Call, Inbox, Session};
/// use redwire::command::get;
/// use redwire::connection::{Buffers, Config, Connection};
/// use redwire::resp::Protocol;
/// use redwire::time::Instant;
///
/// let now = Instant::from_micros(0);
/// let config = Config::default().protocol(Protocol::Resp2).no_library();
/// let mut session = Session::new(Connection::new(config, Buffers::growing()), Inbox::growing(1 << 20));
/// session.engine_mut().connected(now)?;
///
/// let command = get("foo");
/// let mut call = Call::new(&command);
/// assert!(session.poll(now, &mut call).is_pending());
/// let written = session.engine_mut().poll_transmit().unwrap().len();   // write these
/// session.engine_mut().transmitted(written);
/// let reply = b"$3\r\nbar\r\n";                                         // read these
/// session.engine_mut().receive_buffer()[..reply.len()].copy_from_slice(reply);
/// session.engine_mut().received(now, reply.len());
/// assert!(matches!(session.poll(now, &mut call), Poll::Ready(Ok(()))));
/// assert_eq!(session.reply::<&str>()?, "bar");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session<'b, P = Scanner<'b>> {
    engine: Connection<'b, P>,
    inbox: Inbox<'b>,
    /// A connection with subscriptions was lost, and no other is there yet.
    lost_subscriptions: bool,
}

impl<'b, P: Parser> Session<'b, P> {
    /// A session over a connection, with memory for messages.
    pub const fn new(engine: Connection<'b, P>, inbox: Inbox<'b>) -> Self {
        Session { engine, inbox, lost_subscriptions: false }
    }

    /// The connection.
    pub const fn engine(&self) -> &Connection<'b, P> {
        &self.engine
    }

    /// The connection, to be pumped.
    pub const fn engine_mut(&mut self) -> &mut Connection<'b, P> {
        &mut self.engine
    }

    /// The messages that wait.
    pub const fn inbox(&self) -> &Inbox<'b> {
        &self.inbox
    }

    /// Drives an exchange as far as it can be driven now: queues what it has to say, and shows it what has come. Call it
    /// again when something was read or written.
    ///
    /// After `Ready(Ok)` its result can be read. After an error it is given up; the error says what may have been executed.
    /// What the events mean to others is taken care of: messages go to the inbox.
    pub fn poll<X: Exchange<P> + ?Sized>(
        &mut self,
        now: Instant,
        exchange: &mut X,
    ) -> Poll<Result<(), Error>> {
        let mut step = exchange.send(now, &mut self.engine);
        let mut worked_through = false;
        loop {
            match step {
                Ok(Step::Done) => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(self.fail(exchange, error))),
                Ok(_) => {}
            }
            if !self.engine.find_event() {
                if worked_through || exchange.is_sent() {
                    return Poll::Pending;
                }
                // Replies that were discarded have made room without an event.
                worked_through = true;
                step = exchange.send(now, &mut self.engine);
                continue;
            }
            let Some(event) = self.engine.last_event() else { return Poll::Pending };
            step = exchange.on_event(&event);
            match step {
                Ok(Step::NotMine) => {
                    if let Event::Closed { reason, .. } = event {
                        step = Err(Error::closed(reason));
                        self.note_lost();
                    } else {
                        self.inbox.take(&event, &mut self.lost_subscriptions);
                    }
                }
                Ok(Step::Send) => step = exchange.send(now, &mut self.engine),
                _ => {}
            }
        }
    }

    /// Ends the connection, and forgets what was still to be told of it. Messages that wait in the inbox stay there.
    pub fn disconnect(&mut self) {
        self.engine.close();
        self.work_through();
    }

    /// Works through what has come, for nobody in particular.
    ///
    /// # Errors
    /// The connection is over.
    pub fn catch_up(&mut self) -> Result<(), Error> {
        if self.work_through()
            && let Some(Event::Closed { reason, .. }) = self.engine.last_event()
        {
            return Err(Error::closed(reason).unsent(true));
        }
        Ok(())
    }

    /// Whether the connection is over, which is the last event then.
    fn work_through(&mut self) -> bool {
        while self.engine.find_event() {
            match self.engine.last_event() {
                Some(Event::Closed { .. }) => {
                    self.note_lost();
                    return true;
                }
                Some(event) => self.inbox.take(&event, &mut self.lost_subscriptions),
                None => {}
            }
        }
        false
    }

    /// Looks for the next message, in the inbox first: then [`message`](Self::message) shows it. Pending: it is still to
    /// come.
    ///
    /// # Errors
    /// The connection is over; a subscription was refused or not answered in time; or, of kind
    /// [`ErrorKind::MessagesLost`], there was no room for messages. The next call goes on.
    pub fn poll_message(&mut self) -> Poll<Result<(), Error>> {
        loop {
            if let found @ Poll::Ready(_) = self.poll_inbox() {
                return found;
            }
            if !self.engine.find_event() {
                return Poll::Pending;
            }
            if let found @ Poll::Ready(_) = self.take_event() {
                return found;
            }
        }
    }

    /// The inbox's part of [`poll_message`](Self::poll_message), for who takes the events of the connection himself, and
    /// gives those that he has no other use for to [`take_event`](Self::take_event).
    ///
    /// # Errors
    /// As [`poll_message`](Self::poll_message), but for the end of the connection.
    pub fn poll_inbox(&mut self) -> Poll<Result<(), Error>> {
        match self.inbox.advance() {
            Ok(false) => Poll::Pending,
            found => Poll::Ready(found.map(drop)),
        }
    }

    /// Does with the last event of the connection what [`poll_message`](Self::poll_message) would: a message is the one to
    /// be [shown](Self::message), and what else it means to a subscriber goes to the inbox.
    ///
    /// # Errors
    /// The connection is over.
    pub fn take_event(&mut self) -> Poll<Result<(), Error>> {
        match self.engine.last_event() {
            Some(Event::Closed { reason, .. }) => {
                let error = Error::closed(reason);
                self.note_lost();
                return Poll::Ready(Err(error));
            }
            Some(Event::Message(_)) if SUBSCRIPTIONS => return Poll::Ready(Ok(())),
            Some(event) => self.inbox.take(&event, &mut self.lost_subscriptions),
            None => {}
        }
        Poll::Pending
    }

    /// The message that [`poll_message`](Self::poll_message) has found last.
    pub fn message(&self) -> Option<Message<'_>> {
        match self.inbox.shown() {
            None => match self.engine.last_event() {
                Some(Event::Message(message)) => Some(message.into()),
                _ => None,
            },
            shown => shown,
        }
    }

    /// Reads the reply that an exchange has ended with.
    ///
    /// # Errors
    /// The server's own; or the reply is of another type; or the last event is no reply
    /// ([`ErrorKind::OutOfStep`]).
    pub fn reply<'c, R: FromReply<'c>>(&'c self) -> Result<R, Error> {
        Ok(self.frame()?.decode()?)
    }

    /// The same, still to be decoded.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn frame(&self) -> Result<Frame<'_>, Error> {
        match self.engine.last_event() {
            Some(Event::Reply { frame, .. }) => Ok(frame),
            _ => Err(Error::new(ErrorKind::OutOfStep)),
        }
    }

    /// Whether anything is subscribed to.
    pub fn is_subscribed(&self) -> bool {
        use SubscriptionKind::{Channel, Pattern, Shard};
        SUBSCRIPTIONS && [Channel, Pattern, Shard].iter().any(|&kind| self.engine.subscriptions(kind) > 0)
    }

    /// An exchange ends with an error.
    #[cold]
    fn fail<X: Exchange<P> + ?Sized>(&mut self, exchange: &mut X, error: Error) -> Error {
        exchange.fail(&mut self.engine);
        if *error.kind() == ErrorKind::OutOfStep {
            self.engine.close();
        }
        exchange.blame(error)
    }

    fn note_lost(&mut self) {
        self.lost_subscriptions |= self.is_subscribed();
    }
}

/// Whether a command that found no room will find some, when something has been written or read.
pub(super) fn may_have_room<P: Parser>(error: SendError, connection: &Connection<'_, P>) -> bool {
    match error {
        SendError::Capacity(Capacity::Transmit { .. }) => connection.wants_write(),
        SendError::Capacity(Capacity::InFlight) => connection.expects_replies(),
        _ => false,
    }
}

/// A command was not sent: waits if it may find room before its own time is over, which `deadline` keeps.
///
/// # Errors
/// That it was not sent, or that its time is over.
pub(super) fn wait_for_room<P: Parser>(
    error: SendError,
    connection: &Connection<'_, P>,
    now: Instant,
    command: &(impl Encode + ?Sized),
    deadline: &mut Option<Instant>,
) -> Result<Step, Error> {
    if !may_have_room(error, connection) {
        return Err(error.into());
    }
    if DEADLINES {
        *deadline = deadline.or_else(|| connection.deadline_of(now, command.patience()));
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Error::new(ErrorKind::TimedOut));
        }
    }
    Ok(Step::Wait)
}
