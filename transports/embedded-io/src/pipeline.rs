//! Commands that are sent together, and whose replies are read together.

use redwire::command::{self, Arguments, Command, Executor, ExecutorAs, Fixed, Gives, Open};
use redwire::connection::Misuse;
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser};

use crate::batch::{Batch, Lent, State};
use crate::replies::FromReplies;
use crate::{Client, Clock, Connector, Error, ErrorKind};

impl<'b, C: Connector, K: Clock, P: Parser> Client<'b, C, K, P> {
    /// A pipeline: commands that are sent together, and whose replies are read together. All of them have to fit into the
    /// transmit buffer, and into the table of commands in flight.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":1\r\n:1\r\n_\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let (hits, _, name): (i64, bool, Option<heapless::String<16>>) =
    ///     redis.pipeline().incr("hits").expire("hits", 60).get("name").execute()?;
    /// assert_eq!((hits, name), (1, None));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn pipeline(&mut self) -> Pipeline<'_, 'b, C, K, P> {
        Pipeline { client: self, batch: Batch::default(), atomic: false }
    }

    /// A pipeline that is a transaction: its commands are executed all at once, with none of others in between, or, when
    /// one is refused while it is queued, not at all.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:8\r\n:1\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let (boots, _): (i64, ()) = redis.atomic().incr("boots").lpush("log", "booted").execute()?;
    /// assert_eq!(boots, 8);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn atomic(&mut self) -> Pipeline<'_, 'b, C, K, P> {
        Pipeline { client: self, batch: Batch::default(), atomic: true }
    }

    /// Reads, then writes, as if nobody else did in between: runs `body` while `keys` are watched, and again when one of
    /// them has changed before the transaction was executed.
    ///
    /// Commands on the transaction run at once. Those on its [`multi`](Transaction::multi) are queued, and executed when
    /// `body` returns `Ok`.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n", "$1\r\n4\r\n", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let next = redis.transaction(["seq"], |tx| {
    ///     let next = tx.get::<Option<u64>>("seq")?.unwrap_or(0) + 1;
    ///     tx.multi().set("seq", next);
    ///     Ok(next)
    /// })?;
    /// assert_eq!(next, 5);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// That of `body`, after which nothing that was queued is executed and no key is watched. When the connection is lost,
    /// `body` is not run again of itself, and nothing is sent over another connection: [`Error::maybe_executed`] says
    /// whether EXEC may have arrived, or, where it was a command that ran at once, whether that did.
    pub fn transaction<A: Arguments, T>(
        &mut self,
        keys: A,
        mut body: impl FnMut(&mut Transaction<'_, 'b, C, K, P>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let watch = command::watch(Lent(&keys));
            let begun = if keys.count() > 0 { self.execute(watch) } else { self.prepare() };
            // Whether or not the keys are watched, nothing of the transaction is executed.
            begun.map_err(|error: Error| error.executed(false))?;
            // What is sent from now on must not go over another connection.
            self.pinned = true;
            let mut transaction = Transaction { client: self, batch: Batch::default(), state: State::Open };
            let result = body(&mut transaction);
            match transaction.finish(result) {
                Err(Error { kind: ErrorKind::Conflict, maybe_executed: false, .. }) => {}
                result => return result,
            }
        }
    }

    /// Queues a command, behind MULTI if it is the first of a transaction.
    fn add<T: Encode>(&mut self, batch: &mut Batch, atomic: bool, command: &T) {
        self.begin_batch(batch, atomic);
        let now = self.now();
        batch.add(&mut self.session, now, command);
    }

    /// Makes sure that there is a connection before the first command is queued, and that only this batch is.
    fn begin_batch(&mut self, batch: &mut Batch, atomic: bool) {
        if batch.is_untouched() {
            match self.prepare() {
                Ok(()) => drop(self.flush()),
                Err(error) => batch.fail(error),
            }
        }
        if atomic {
            let now = self.now();
            batch.begin(&mut self.session, now);
        }
    }

    /// Writes a batch and reads its replies.
    fn run<T: FromReplies>(&mut self, batch: &mut Batch) -> Result<T, Error> {
        let now = self.now();
        let mut collector = batch.close::<P, T>(&mut self.session, now)?;
        while !collector.is_complete() {
            match self.wait(collector.wanted()) {
                Ok(_) => collector.take(&self.session),
                // It was skipped; the others follow.
                Err(error) if matches!(error.kind, ErrorKind::TooLarge(_)) => collector.skip(error),
                Err(error) => return Err(collector.give_up(&mut self.session, error)),
            }
        }
        collector.finish(&mut self.session)
    }
}

/// Commands that are sent together when [`execute`](Self::execute) is called, from [`Client::pipeline`] and
/// [`Client::atomic`].
///
/// Each is encoded where it will be sent from, and takes no other memory. To drop the pipeline is to take all of them
/// back.
#[must_use = "a pipeline sends nothing until it is executed"]
pub struct Pipeline<'c, 'b, C: Connector, K: Clock, P: Parser> {
    client: &'c mut Client<'b, C, K, P>,
    batch: Batch,
    atomic: bool,
}

impl<C: Connector, K: Clock, P: Parser> Pipeline<'_, '_, C, K, P> {
    /// Adds a command with options, or one that no method knows.
    pub fn add<T: Encode>(&mut self, command: T) -> &mut Self {
        self.client.add(&mut self.batch, self.atomic, &command);
        self
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether no command is queued.
    pub fn is_empty(&self) -> bool {
        self.batch.len() == 0
    }

    /// Sends the commands, reads all replies, and gives them as a `T`: a tuple with a type for each reply, an array or
    /// `heapless::Vec` with one type for all, or `()` when it is enough that no command failed.
    ///
    /// The pipeline is empty afterwards. An empty one sends nothing.
    ///
    /// # Errors
    /// The first error among the replies, unless `T` takes it as a value: the other commands have been executed all the
    /// same, and [`Error::position`] tells which it was. In an atomic pipeline of which a command is refused while it is
    /// queued, nothing is executed: that is of kind [`ErrorKind::Aborted`]. When the number of commands is not that of the
    /// types, or one did not fit, nothing is sent.
    pub fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        self.client.run(&mut self.batch)
    }
}

impl<C: Connector, K: Clock, P: Parser> Drop for Pipeline<'_, '_, C, K, P> {
    fn drop(&mut self) {
        self.batch.give_up(&mut self.client.session);
    }
}

/// What [`Client::transaction`] hands to its closure: a connection on which keys are watched.
///
/// Commands on it run at once, to read what the transaction depends on. Commands on its [`multi`](Self::multi) are queued.
pub struct Transaction<'c, 'b, C: Connector, K: Clock, P: Parser> {
    client: &'c mut Client<'b, C, K, P>,
    batch: Batch,
    state: State,
}

impl<'b, C: Connector, K: Clock, P: Parser> Transaction<'_, 'b, C, K, P> {
    /// Runs a command at once, and reads its reply.
    ///
    /// # Errors
    /// As [`Client::execute`]; behind [`multi`](Self::multi) of kind [`ErrorKind::Misuse`].
    pub fn execute<'c, T, R>(&'c mut self, command: T) -> Result<R, Error>
    where
        T: Command,
        T::Reply: Gives<R>,
        R: FromReply<'c>,
    {
        if !self.batch.is_empty() {
            return Err(Error::new(ErrorKind::Misuse(Misuse::InTransaction)));
        }
        self.client.execute(command)
    }

    /// Where commands are queued to be executed all at once, if no watched key has changed by then.
    pub fn multi(&mut self) -> Queue<'_, 'b, C, K, P> {
        if self.state == State::Open {
            self.client.begin_batch(&mut self.batch, true);
        }
        Queue { client: self.client, batch: &mut self.batch, state: &mut self.state }
    }

    /// Ends it: executes what is queued, or forgets the watched keys.
    fn finish<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let result = match result {
            Ok(value) if !self.batch.is_untouched() => self.client.run::<()>(&mut self.batch).map(|()| value),
            result => {
                self.batch.give_up(&mut self.client.session);
                result
            }
        };
        if self.client.session.engine.is_watching() && self.client.execute(command::unwatch()).is_err() {
            // The keys must not be watched any more when the connection is used for something else.
            self.client.disconnect();
        }
        result.map_err(|error| self.state.behind(error))
    }
}

impl<C: Connector, K: Clock, P: Parser> Drop for Transaction<'_, '_, C, K, P> {
    /// Also when the closure panics.
    fn drop(&mut self) {
        self.client.pinned = false;
    }
}

/// The commands of a transaction, to be executed all at once if no watched key has changed.
pub struct Queue<'t, 'b, C: Connector, K: Clock, P: Parser> {
    client: &'t mut Client<'b, C, K, P>,
    batch: &'t mut Batch,
    state: &'t mut State,
}

impl<C: Connector, K: Clock, P: Parser> Queue<'_, '_, C, K, P> {
    /// Adds a command with options, or one that no method knows.
    pub fn add<T: Encode>(&mut self, command: T) -> &mut Self {
        if *self.state == State::Open {
            self.client.add(self.batch, true, &command);
        } else {
            self.batch.fail(Error::new(ErrorKind::Misuse(Misuse::NoTransaction)));
        }
        self
    }

    /// Executes the commands, and gives their replies as [`Pipeline::execute`] does.
    ///
    /// Hand the error on when it fails: one of kind [`ErrorKind::Conflict`] makes [`Client::transaction`] start over.
    ///
    /// # Errors
    /// As [`Pipeline::execute`]; the second time of kind [`ErrorKind::Misuse`], since a transaction ends with EXEC.
    pub fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        if *self.state != State::Open {
            return Err(Error::new(ErrorKind::Misuse(Misuse::NoTransaction)));
        }
        *self.state = State::Ended;
        let result = self.client.run(self.batch);
        self.state.answered(&result);
        result
    }
}

impl<C: Connector, K: Clock, P: Parser> command::Queue for Pipeline<'_, '_, C, K, P> {
    fn queue<T: Encode>(&mut self, command: T) {
        self.add(command);
    }
}

impl<C: Connector, K: Clock, P: Parser> command::Queue for Queue<'_, '_, C, K, P> {
    fn queue<T: Encode>(&mut self, command: T) {
        self.add(command);
    }
}

impl<C: Connector, K: Clock, P: Parser> Executor for &mut Transaction<'_, '_, C, K, P> {
    type Output<R> = Result<R, Error>;

    fn run<T, R>(self, command: T) -> Result<R, Error>
    where
        T: Command<Reply = Fixed<R>>,
        R: for<'a> FromReply<'a>,
    {
        self.execute(command)
    }
}

impl<'c, C, K, P, R> ExecutorAs<R> for &'c mut Transaction<'_, '_, C, K, P>
where
    C: Connector,
    K: Clock,
    P: Parser,
    R: FromReply<'c>,
{
    fn run_as<T>(self, command: T) -> Result<R, Error>
    where
        T: Command<Reply = Open>,
    {
        self.execute(command)
    }
}

crate::client::debug!(Connector: Pipeline Transaction Queue);
