//! Commands that are sent together, and whose replies are read together.

use redwire::client::{self, Attempts, Call, ErrorKind, FromReplies, Queued, Watch};
use redwire::command::{self, Arguments, Command, Executor, ExecutorAs, Fixed, Gives, Lent, Open};
use redwire::connection::{Misuse, SendOptions};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser};
use redwire::script::Script;
use redwire::time::Instant;

use crate::state::{To, chance};
use crate::{Client, Clock, Connector, Error};

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
        Pipeline { client: self, queued: Queued::default(), to: To::Pipeline }
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
        Pipeline { client: self, queued: Queued::default(), to: To::Atomic }
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
    /// It starts over a hundred times at most, with pauses that grow; then the conflict is the error.
    ///
    /// # Errors
    /// That of `body`, after which nothing that was queued is executed and no key is watched. When the connection is lost,
    /// `body` is not run again of itself, and nothing is sent over another connection: [`Error::maybe_executed`] says whether
    /// EXEC may have arrived, or, where it was a command that ran at once, whether that did.
    pub fn transaction<A: Arguments, T>(
        &mut self,
        keys: A,
        body: impl FnMut(&mut Transaction<'_, 'b, C, K, P>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.try_transaction(keys, body)
    }

    /// As [`transaction`](Self::transaction), with a `body` that may fail with an error of the user's own type, to which those
    /// of this crate can be converted.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// enum Refused {
    ///     Poor,
    ///     Redis(Error),
    /// }
    ///
    /// impl From<Error> for Refused {
    ///     fn from(error: Error) -> Self {
    ///         Refused::Redis(error)
    ///     }
    /// }
    ///
    /// # let connector = canned::connector(&["+OK\r\n", ":40\r\n", "+OK\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let paid: Result<(), Refused> = redis.try_transaction("account", |tx| {
    ///     if tx.get::<i64>("account")? < 100 {
    ///         return Err(Refused::Poor);
    ///     }
    ///     tx.multi().decrby("account", 100);
    ///     Ok(())
    /// });
    /// assert!(matches!(paid, Err(Refused::Poor)));
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub fn try_transaction<A: Arguments, T, E: From<Error>>(
        &mut self,
        keys: A,
        mut body: impl FnMut(&mut Transaction<'_, 'b, C, K, P>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut attempts = Attempts::default();
        loop {
            if let Err(error) = self.watch(&keys) {
                return Err(self.state.error(error).into());
            }
            let life = self.state.life;
            let (queued, watch) = (Queued::default(), Watch::new());
            let mut transaction = Transaction { client: self, queued, watch, life };
            let result = body(&mut transaction);
            let (result, conflict) = transaction.finish(result);
            if !conflict {
                return result;
            }
            let now = self.clock.now();
            let Some(pause) = attempts.again(chance(now)) else { return result };
            self.clock.pause(pause);
        }
    }

    /// Begins an attempt of a transaction.
    fn watch<A: Arguments>(&mut self, keys: &A) -> Result<(), client::Error> {
        let begun = self.prepare().and_then(|()| {
            if keys.count() == 0 {
                return Ok(());
            }
            let watch: &dyn Encode = &command::watch(Lent(keys));
            let mut call = Call::with_options(watch, SendOptions::new());
            self.run_call(&mut call)?;
            call.read(&self.state.session)
        });
        // Whether or not the keys are watched, nothing of the transaction is executed.
        begun.map_err(|error| error.executed(false))
    }

    /// Queues a command, after MULTI if it is the first of a transaction.
    fn add(&mut self, queued: &mut Queued, to: To, command: &dyn Encode) {
        let now = self.begin_batch(queued, to);
        queued.add(now, self.state.engine_mut(), command);
    }

    /// Queues a call of a script.
    fn add_script<A: Arguments, B: Arguments>(
        &mut self,
        queued: &mut Queued,
        to: To,
        script: &Script<'_>,
        keys: A,
        arguments: B,
    ) {
        let now = self.begin_batch(queued, to);
        queued.script(now, self.state.engine_mut(), script, keys, arguments);
    }

    /// Makes sure that there is a connection before the first command is queued, and that only this batch is.
    fn begin_batch(&mut self, queued: &mut Queued, to: To) -> Instant {
        if queued.is_untouched() {
            let prepared = match to {
                To::Transaction(life) => self.prepare_on(life),
                _ => self.prepare(),
            };
            match prepared {
                Ok(()) => drop(self.transmit()),
                Err(error) => queued.fail(error),
            }
        }
        let now = self.clock.now();
        if to != To::Pipeline {
            queued.begin(now, self.state.engine_mut());
        }
        now
    }

    /// Writes what is queued, and reads the replies.
    fn execute_queued<T: FromReplies>(&mut self, queued: &mut Queued) -> Result<T, client::Error> {
        let now = self.clock.now();
        let mut batch = queued.batch::<P, T>(now, self.state.engine_mut())?;
        self.run(&mut batch)?;
        batch.finish()
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
    queued: Queued,
    to: To,
}

impl<C: Connector, K: Clock, P: Parser> Pipeline<'_, '_, C, K, P> {
    /// Adds a command with options, or one that no method knows. One that changes the connection is refused, as
    /// [`Client::execute`] does, and keeps all from being sent.
    pub fn add<T: Encode>(&mut self, command: T) -> &mut Self {
        self.client.add(&mut self.queued, self.to, &command);
        self
    }

    /// Adds a call of a script, which the server need not have: the first call of each brings it along.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":10\r\n:12\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = Client::new(connector, Config::default(), memory.memory(), NoClock);
    /// let multiply = Script::new("return ARGV[1] * ARGV[2]");
    /// let both: [i64; 2] =
    ///     redis.pipeline().script(&multiply, (), [2, 5]).script(&multiply, (), [3, 4]).execute()?;
    /// assert_eq!(both, [10, 12]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn script<A: Arguments, B: Arguments>(
        &mut self,
        script: &Script<'_>,
        keys: A,
        arguments: B,
    ) -> &mut Self {
        self.client.add_script(&mut self.queued, self.to, script, keys, arguments);
        self
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.queued.len()
    }

    /// Whether no command is queued.
    pub fn is_empty(&self) -> bool {
        self.queued.len() == 0
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
        self.client.execute_queued(&mut self.queued).map_err(|error| self.client.state.error(error))
    }
}

impl<C: Connector, K: Clock, P: Parser> Drop for Pipeline<'_, '_, C, K, P> {
    fn drop(&mut self) {
        self.queued.give_up(self.client.state.engine_mut());
    }
}

/// What [`Client::transaction`] hands to its closure: a connection on which keys are watched.
///
/// Commands on it run at once, to read what the transaction depends on. Commands on its [`multi`](Self::multi) are queued.
pub struct Transaction<'c, 'b, C: Connector, K: Clock, P: Parser> {
    client: &'c mut Client<'b, C, K, P>,
    queued: Queued,
    watch: Watch,
    /// The number of the connection on which the keys are watched.
    life: u32,
}

impl<'b, C: Connector, K: Clock, P: Parser> Transaction<'_, 'b, C, K, P> {
    /// Runs a command at once, and reads its reply.
    ///
    /// # Errors
    /// As [`Client::execute`]; after [`multi`](Self::multi) of kind [`ErrorKind::Misuse`].
    pub fn execute<'c, T, R>(&'c mut self, command: T) -> Result<R, Error>
    where
        T: Command,
        T::Reply: Gives<R>,
        R: FromReply<'c>,
    {
        let command: &dyn Encode = &command;
        let mut call = Call::new(command);
        if let Err(error) = self.run(&mut call) {
            return Err(self.client.state.error(self.watch.explain(error)));
        }
        let read = call.read(&self.client.state.session);
        read.map_err(|error| self.client.state.error(self.watch.explain(error)))
    }

    fn run(&mut self, call: &mut Call<'_>) -> Result<(), client::Error> {
        if !self.queued.is_empty() {
            return Err(client::Error::new(ErrorKind::Misuse(Misuse::InTransaction)));
        }
        self.client.prepare_on(self.life)?;
        self.client.run_call(call)
    }

    /// Where commands are queued to be executed all at once, if no watched key has changed by then.
    pub fn multi(&mut self) -> Queue<'_, 'b, C, K, P> {
        let to = To::Transaction(self.life);
        if self.watch.is_open() {
            self.client.begin_batch(&mut self.queued, to);
        }
        Queue { client: self.client, queued: &mut self.queued, watch: &mut self.watch, to }
    }

    /// Ends it: executes what is queued, or forgets the watched keys. Says, too, whether one of them has changed.
    fn finish<T, E: From<Error>>(mut self, result: Result<T, E>) -> (Result<T, E>, bool) {
        let result = match result {
            Ok(value) if !self.queued.is_untouched() || self.watch.is_conflict() => {
                let executed = self.execute_queued();
                executed.map(|()| value).map_err(|error| self.client.state.error(error).into())
            }
            result => result,
        };
        self.queued.give_up(self.client.state.engine_mut());
        let unwatch: &dyn Encode = &command::unwatch();
        if self.client.state.engine().is_watching()
            && self.client.run_call(&mut Call::with_options(unwatch, SendOptions::new())).is_err()
        {
            // The keys must not be watched any more when the connection is used for something else.
            self.client.disconnect();
        }
        (result, self.watch.is_conflict())
    }

    fn execute_queued(&mut self) -> Result<(), client::Error> {
        if self.watch.is_conflict() {
            // The closure has kept it to itself.
            return Err(client::Error::new(ErrorKind::Conflict));
        }
        let executed = self.watch.begin().and_then(|()| self.client.execute_queued(&mut self.queued));
        self.watch.executed(&executed);
        executed.map_err(|error| self.watch.explain(error))
    }
}

/// The commands of a transaction, to be executed all at once if no watched key has changed.
pub struct Queue<'t, 'b, C: Connector, K: Clock, P: Parser> {
    client: &'t mut Client<'b, C, K, P>,
    queued: &'t mut Queued,
    watch: &'t mut Watch,
    to: To,
}

impl<C: Connector, K: Clock, P: Parser> Queue<'_, '_, C, K, P> {
    /// Adds a command with options, or one that no method knows.
    pub fn add<T: Encode>(&mut self, command: T) -> &mut Self {
        if self.is_open() {
            self.client.add(self.queued, self.to, &command);
        }
        self
    }

    /// Adds a call of a script, as [`Pipeline::script`] does.
    pub fn script<A: Arguments, B: Arguments>(
        &mut self,
        script: &Script<'_>,
        keys: A,
        arguments: B,
    ) -> &mut Self {
        if self.is_open() {
            self.client.add_script(self.queued, self.to, script, keys, arguments);
        }
        self
    }

    /// Whether something can be queued. If not, that is the error when the closure ends.
    fn is_open(&mut self) -> bool {
        let open = self.watch.is_open();
        if !open {
            self.queued.fail(client::Error::new(ErrorKind::AlreadyExecuted));
        }
        open
    }

    /// Executes the commands, and gives their replies as [`Pipeline::execute`] does.
    ///
    /// When a watched key has changed it fails with [`ErrorKind::Conflict`], and [`Client::transaction`] starts over when the
    /// closure ends, whatever it gives then.
    ///
    /// # Errors
    /// As [`Pipeline::execute`]; the second time of kind [`ErrorKind::AlreadyExecuted`], since a transaction ends with EXEC.
    pub fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        let executed = match self.watch.begin() {
            Ok(()) => {
                let executed = self.client.execute_queued(self.queued);
                self.watch.executed(&executed);
                executed
            }
            Err(error) => Err(error),
        };
        executed.map_err(|error| self.client.state.error(error))
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
