//! Commands that are sent together, and whose replies are read together.

use std::fmt;

use redwire::command::{Cmd, Open, Patience, Queue};
use redwire::connection::{Event, FailureReason, Mode, SendError, Ticket};
use redwire::resp::{Encode, Encoder, ErrorReply, Frame, Words};
use redwire::script::Digest;
use redwire::storage::Buffer;

use crate::link::Link;
use crate::replies::{FromReplies, Replies};
use crate::{Client, Error, ErrorKind, WatchError};

/// Commands are handed to the engine until so many bytes wait to be written.
const AHEAD: usize = 64 * 1024;

/// Commands that are sent together when [`execute`](Self::execute) is called, and whose replies are read together, as the
/// type that the caller chooses for all of them at once.
///
/// A plain pipeline saves round trips, nothing else: commands of others may be executed in between, and one that fails
/// keeps none of the others from being executed. An [`atomic`](Self::atomic) one is a transaction.
///
/// ```no_run
/// use redwire_std::prelude::*;
///
/// let client = Client::open("redis://localhost")?;
/// let mut pipeline = client.pipeline();
/// for id in 0..1000 {
///     pipeline.incr(format!("visits:{id}"));
/// }
/// let visits: Vec<i64> = pipeline.execute()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a pipeline sends nothing until it is executed"]
pub struct Pipeline<'c> {
    client: &'c Client,
    batch: Batch,
    atomic: bool,
}

impl<'c> Pipeline<'c> {
    pub(crate) fn new(client: &'c Client) -> Self {
        Pipeline { client, batch: Batch::new(), atomic: false }
    }

    /// Executes the commands as a transaction, between MULTI and EXEC: all at once, with no command of others in between.
    /// When one of them is refused while it is queued, because it does not exist say, none is executed, and the error is of
    /// kind [`ErrorKind::Aborted`]. Commands that would end the transaction, such as DISCARD, are of kind
    /// [`ErrorKind::OwnConnection`], and keep all of it from being executed.
    pub fn atomic(&mut self) -> &mut Self {
        self.atomic = true;
        self
    }

    /// Adds a command with options, or one that no method knows.
    pub fn add<C: Encode>(&mut self, command: C) -> &mut Self {
        self.batch.add(&command);
        self
    }

    /// Adds the call of a script. Before the pipeline is sent, the server is asked whether it has the script, and given it
    /// if not.
    pub fn script<K, A>(&mut self, call: &crate::ScriptCall<'_, K, A>) -> &mut Self
    where
        K: redwire::command::Arguments,
        A: redwire::command::Arguments,
    {
        self.batch.script(call);
        self
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.batch.commands.len()
    }

    /// Whether no command is queued.
    pub fn is_empty(&self) -> bool {
        self.batch.commands.is_empty()
    }

    /// Sends the commands, reads all replies, and gives them as a `T`: a tuple with a type for each reply, a `Vec` or an
    /// array with one type for all, or `()` when it is enough that no command failed.
    ///
    /// The pipeline is empty afterwards. An empty one sends nothing.
    ///
    /// ```no_run
    /// use redwire_std::prelude::*;
    ///
    /// # let client = Client::open("redis://localhost")?;
    /// // An error of one command is a value, where the type says so.
    /// let (length, name): (Result<u64, Error>, Option<String>) =
    ///     client.pipeline().llen("name").get("name").execute()?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error among the replies, which names its command, unless `T` takes it as a value: the other commands
    /// have been executed all the same, and [`Error::position`] tells which it was. In an atomic pipeline of which a
    /// command is refused while it is queued, nothing is executed: that is of kind [`ErrorKind::Aborted`]. When the number
    /// of commands is not that of the types, nothing is sent.
    pub fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        let batch = std::mem::replace(&mut self.batch, Batch::new());
        let atomic = self.atomic;
        batch.check::<T>()?;
        if batch.commands.is_empty() {
            return T::from_replies(&mut Replies::none());
        }
        self.client.with_link(|link| batch.run(link, atomic))
    }
}

impl Queue for Pipeline<'_> {
    fn queue<C: Encode>(&mut self, command: C) {
        self.add(command);
    }
}

/// Commands, encoded one behind the other.
pub(crate) struct Batch {
    encoded: Buffer<'static>,
    pub(crate) commands: Vec<Queued>,
    scripts: Vec<(Digest, Box<str>)>,
    /// The first command that could not be encoded.
    error: Option<SendError>,
}

pub(crate) struct Queued {
    /// Where it ends in the encoded bytes.
    end: usize,
    patience: Patience,
}

/// The names of the commands alone: the arguments may be secret.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.commands.len()).map(|position| self.name(position))).finish()
    }
}

/// The replies, one behind the other.
pub(crate) struct Answers {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Answers {
    pub(crate) fn get(&self, position: usize) -> Option<Frame<'_>> {
        let start = match position.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..*self.ends.get(position)?).map(Frame::new_unchecked)
    }

    fn push(&mut self, reply: &[u8]) {
        self.bytes.extend_from_slice(reply);
        self.ends.push(self.bytes.len());
    }
}

/// What a pipeline and a transaction call their commands in errors.
const PIPELINE: &str = "pipeline";
const TRANSACTION: &str = "transaction";

impl Batch {
    pub(crate) fn new() -> Self {
        Batch {
            encoded: Buffer::growing(usize::MAX / 2),
            commands: Vec::new(),
            scripts: Vec::new(),
            error: None,
        }
    }

    pub(crate) fn add<C: Encode>(&mut self, command: &C) {
        match Encoder::new(&mut self.encoded).command(command) {
            Ok(()) => {
                self.commands.push(Queued { end: self.encoded.len(), patience: command.patience() });
            }
            Err(error) => {
                self.error.get_or_insert(error.into());
            }
        }
    }

    pub(crate) fn script<K, A>(&mut self, call: &crate::ScriptCall<'_, K, A>)
    where
        K: redwire::command::Arguments,
        A: redwire::command::Arguments,
    {
        let digest = call.script().digest();
        if self.scripts.iter().all(|(known, _)| *known != digest) {
            self.scripts.push((digest, call.script().source().into()));
        }
        self.add(&call.evalsha());
    }

    /// Whether it can be sent, and its replies read as a `T`.
    pub(crate) fn check<T: FromReplies>(&self) -> Result<(), Error> {
        let commands = self.commands.len();
        match (self.error, T::COUNT) {
            (Some(error), _) => Err(error.into()),
            (None, Some(replies)) if replies != commands => {
                Err(Error::new(ErrorKind::PipelineLength { commands, replies }))
            }
            _ => Ok(()),
        }
    }

    /// One of the commands, as it was encoded.
    fn encoded(&self, position: usize) -> Option<(&[u8], Patience)> {
        let start = match position.checked_sub(1) {
            Some(before) => self.commands.get(before)?.end,
            None => 0,
        };
        let Queued { end, patience } = *self.commands.get(position)?;
        Some((self.encoded.filled().get(start..end)?, patience))
    }

    fn name(&self, position: usize) -> Box<str> {
        crate::error::name_in(self.encoded(position).map_or(&[], |(command, _)| command))
    }

    /// Runs the commands, plain or between MULTI and EXEC.
    pub(crate) fn run<T: FromReplies>(&self, link: &mut Link, atomic: bool) -> Result<T, Error> {
        // Whether or not the server has a script now, nothing of what was asked for is executed.
        self.load_scripts(link).map_err(|error| error.executed(false))?;
        let result = if atomic { self.run_atomic(link) } else { self.run_plain(link) };
        result.map_err(|error| link.locate(error))
    }

    fn run_plain<T: FromReplies>(&self, link: &mut Link) -> Result<T, Error> {
        let answers = self.converse(link, self.commands.len(), PIPELINE, |position| position)?;
        let locate = |error: Error, position| link.locate(error.at(position, self.name(position), PIPELINE));
        T::from_replies(&mut Replies::apart(&answers, &locate))
    }

    fn run_atomic<T: FromReplies>(&self, link: &mut Link) -> Result<T, Error> {
        let commands = self.commands.len();
        // MULTI takes the place before the first command, EXEC that behind the last.
        let answers = self.converse(link, commands + 2, TRANSACTION, |place| place.wrapping_sub(1))?;
        let error = |place: usize| answers.get(place).and_then(|frame| frame.error());
        if let Some(error) = error(0) {
            return Err(Error::from(error).about(&["MULTI"]).executed(true));
        }
        let Some(results) = answers.get(commands + 1) else { return Err(Error::new(ErrorKind::OutOfStep)) };
        if let Some(exec_error) = results.error() {
            // The reason stands with the command that was refused.
            let refused = (0..commands).find_map(|position| Some((position, error(position + 1)?)));
            let aborted = |error: ErrorReply<'_>| Error::new(ErrorKind::Aborted(error.into()));
            return Err(match refused {
                Some((position, error)) => aborted(error).at(position, self.name(position), TRANSACTION),
                None => aborted(exec_error).of(TRANSACTION),
            });
        }
        if results.is_null() {
            return Err(Error::new(ErrorKind::Watch(WatchError::Conflict)));
        }
        let elements = results.elements();
        if elements.len() != commands {
            return Err(Error::new(ErrorKind::OutOfStep));
        }
        let locate =
            |error: Error, position| link.locate(error.at(position, self.name(position), TRANSACTION));
        T::from_replies(&mut Replies::together(elements, &locate))
    }

    /// Sends `count` commands and reads their replies at the same time, so that neither side ever waits for the other with
    /// its buffers full. `place` gives the position in the batch; where there is none it is MULTI and EXEC.
    fn converse(
        &self,
        link: &mut Link,
        count: usize,
        of: &'static str,
        place: impl Fn(usize) -> usize,
    ) -> Result<Answers, Error> {
        let mut tickets: Vec<Ticket> = Vec::with_capacity(count);
        let mut answers = Answers { bytes: Vec::new(), ends: Vec::with_capacity(count) };
        let atomic = of == TRANSACTION;
        let mut written = false;
        let mut maybe_executed = false;
        let blame = |error: Error, number: usize| {
            let position = place(number);
            match self.commands.get(position) {
                Some(_) => error.at(position, self.name(position), of),
                None => error.of(of),
            }
        };
        while answers.ends.len() < count {
            while tickets.len() < count && link.engine.queued_bytes() < AHEAD {
                let sent = match self.encoded(place(tickets.len())) {
                    Some((command, patience)) => {
                        link.send(&Cmd::<_, Open>::new(Words::of(command)).patient(patience))
                    }
                    None if tickets.is_empty() => link.send(&["MULTI"]),
                    None => link.send(&["EXEC"]),
                };
                // What ends the transaction must not be one of its commands: those behind it would be executed apart.
                let ended = atomic && tickets.len() + 1 < count && link.engine.mode() != Mode::Transaction;
                let sent = sent.and_then(|ticket| match ticket.is_answered() && !ended {
                    true => Ok(ticket),
                    false => Err(Error::new(ErrorKind::OwnConnection)),
                });
                match sent {
                    Ok(ticket) => tickets.push(ticket),
                    Err(error) => {
                        link.close();
                        return Err(blame(error.executed(!atomic && !tickets.is_empty()), tickets.len()));
                    }
                }
            }
            let mut failed = None;
            let events = link.events(|event| {
                let due = tickets.get(answers.ends.len()).copied();
                match event {
                    Event::Reply { ticket, frame } if Some(ticket) == due => answers.push(frame.as_bytes()),
                    Event::Queued { ticket } if Some(ticket) == due => answers.push(b"+QUEUED\r\n"),
                    Event::Skipped { ticket: Some(ticket), length } if Some(ticket) == due => {
                        failed = Some(Error::new(ErrorKind::TooLarge(length)).executed(true));
                    }
                    Event::Subscription(confirmed) if confirmed.ticket.is_some() => {
                        failed = Some(Error::new(ErrorKind::OwnConnection).executed(true));
                    }
                    Event::Failed { ticket, failure } => {
                        written |= failure.maybe_executed;
                        // It is EXEC that executes a transaction.
                        if !atomic || (tickets.len() == count && tickets.last() == Some(&ticket)) {
                            maybe_executed |= failure.maybe_executed;
                        }
                        if failure.reason == FailureReason::TimedOut {
                            let executed = match atomic {
                                true => failure.maybe_executed && tickets.len() == count,
                                // One that was not written may stand behind others that were.
                                false => failure.maybe_executed || tickets.first() != Some(&ticket),
                            };
                            failed = Some(Error::new(ErrorKind::TimedOut).executed(executed));
                        }
                    }
                    _ => {}
                }
                failed.is_some().then_some(())
            });
            let error = match (events, failed) {
                (Err(error), _) => {
                    let answered = !answers.ends.is_empty();
                    let executed = maybe_executed || (answered && !atomic);
                    Some(error.executed(executed).unsent(!written && !answered))
                }
                (Ok(_), error) => error,
            };
            if let Some(error) = error {
                link.close();
                // Without EXEC no command of a transaction is executed, whichever it was that had no reply.
                return Err(if atomic { error.of(of) } else { blame(error, answers.ends.len()) });
            }
            if tickets.len() < count {
                // There is more to say: what has come is taken, and not waited for.
                if !link.flush() {
                    link.read(crate::stream::Wait::Not);
                }
            } else if answers.ends.len() < count {
                link.turn(None);
            }
        }
        Ok(answers)
    }

    /// Makes sure that the server has the scripts, with one round trip if it has.
    fn load_scripts(&self, link: &mut Link) -> Result<(), Error> {
        if self.scripts.is_empty() {
            return Ok(());
        }
        let digests: Vec<Digest> = self.scripts.iter().map(|(digest, _)| *digest).collect();
        let known: Vec<bool> = link.run(&redwire::command::script_exists(&digests))?;
        for ((_, source), _) in self.scripts.iter().zip(known).filter(|(_, known)| !known) {
            link.run::<_, ()>(&redwire::command::script_load(&**source))?;
        }
        Ok(())
    }
}
