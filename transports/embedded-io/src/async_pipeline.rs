//! Commands of the async client that are sent together, and whose replies are read together.

use redwire::client::{self, Attempts, Call as Exchanged, ErrorKind, FromReplies, Queued, Watch};
use redwire::command::{self, Arguments, Command, Executor, ExecutorAs, Fixed, Gives, Lent, Open};
use redwire::connection::{Misuse, SendOptions};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser};
use redwire::script::Script;
use redwire::time::Instant;

use crate::async_io::sleep;
use crate::state::{To, chance};
use crate::{AsyncClient, AsyncConnector, Call, Clock, Error};

impl<'b, C: AsyncConnector, K: Clock, P: Parser> AsyncClient<'b, C, K, P> {
    /// A pipeline: commands that are sent together, and whose replies are read together. All of them have to fit into the
    /// transmit buffer, beside the greeting if there is no connection yet, and into the table of commands in flight.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":1\r\n:1\r\n_\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// redis.connect().await?;
    /// let (hits, _, name): (i64, bool, Option<heapless::String<16>>) =
    ///     redis.pipeline().incr("hits").expire("hits", 60).get("name").execute().await?;
    /// assert_eq!((hits, name), (1, None));
    /// # Ok(())
    /// # });
    /// ```
    pub fn pipeline(&mut self) -> AsyncPipeline<'_, 'b, C, K, P> {
        AsyncPipeline { client: self, queued: Queued::default(), to: To::Pipeline }
    }

    /// A pipeline that is a transaction: its commands are executed all at once, with none of others in between, or, when
    /// one is refused while it is queued, not at all.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:8\r\n:1\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// redis.connect().await?;
    /// let (boots, _): (i64, ()) = redis.atomic().incr("boots").lpush("log", "booted").execute().await?;
    /// assert_eq!(boots, 8);
    /// # Ok(())
    /// # });
    /// ```
    pub fn atomic(&mut self) -> AsyncPipeline<'_, 'b, C, K, P> {
        AsyncPipeline { client: self, queued: Queued::default(), to: To::Atomic }
    }

    /// Reads, then writes, as if nobody else did in between: runs `body` while `keys` are watched, and again when one of
    /// them has changed before the transaction was executed.
    ///
    /// Commands on the transaction run at once. Those on its [`multi`](AsyncTransaction::multi) are queued, and executed
    /// when `body` returns `Ok`.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n", "$1\r\n4\r\n", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// let next = redis
    ///     .transaction(["seq"], async |tx| {
    ///         let next = tx.get::<Option<u64>>("seq").await?.unwrap_or(0) + 1;
    ///         tx.multi().set("seq", next);
    ///         Ok(next)
    ///     })
    ///     .await?;
    /// assert_eq!(next, 5);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// It starts over a hundred times at most, with pauses that grow; then the conflict is the error.
    ///
    /// In a task that may move between threads, the compiler cannot see that `body` may: use [`watch`](Self::watch) there.
    ///
    /// # Errors
    /// That of `body`, after which nothing is executed and no key is watched; the same holds when this is dropped while
    /// `body` runs. When the connection is lost, `body` is not run again of itself, and [`Error::maybe_executed`] says whether
    /// the transaction may have been executed.
    pub async fn transaction<A: Arguments, T>(
        &mut self,
        keys: A,
        body: impl AsyncFnMut(&mut AsyncTransaction<'_, 'b, C, K, P>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.try_transaction(keys, body).await
    }

    /// As [`transaction`](Self::transaction), with a `body` that may fail with an error of the user's own type, to which those
    /// of this crate can be converted.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub async fn try_transaction<A: Arguments, T, E: From<Error>>(
        &mut self,
        keys: A,
        mut body: impl AsyncFnMut(&mut AsyncTransaction<'_, 'b, C, K, P>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut attempts = Attempts::default();
        loop {
            let mut transaction = self.watch(Lent(&keys)).await?;
            let result = body(&mut transaction).await;
            let (result, conflict) = transaction.finish(result).await;
            if !conflict {
                return result;
            }
            let now = self.clock.now();
            let Some(pause) = attempts.again(chance(now)) else { return result };
            if K::TICKS {
                sleep(&mut self.clock, now + pause).await;
            }
        }
    }

    /// Begins a transaction that writes only if nobody has changed the keys since: [`transaction`](Self::transaction) in
    /// steps. To drop it is to give it up, and to watch the keys no more.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&["+OK\r\n", "$1\r\n4\r\n", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// let next = loop {
    ///     let mut tx = redis.watch("seq").await?;
    ///     let next = tx.get::<Option<u64>>("seq").await?.unwrap_or(0) + 1;
    ///     match tx.multi().set("seq", next).execute::<()>().await {
    ///         // Somebody was faster.
    ///         Err(error) if *error.kind() == ErrorKind::Conflict => {}
    ///         result => break result.map(|()| next)?,
    ///     }
    /// };
    /// assert_eq!(next, 5);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error`]
    pub async fn watch<A: Arguments>(&mut self, keys: A) -> Result<AsyncTransaction<'_, 'b, C, K, P>, Error> {
        // Whether or not the keys are watched, nothing of the transaction is executed.
        let error = |client: &Self, error: client::Error| client.state.error(error.executed(false));
        if let Err(failed) = self.prepare().await {
            return Err(error(self, failed));
        }
        let life = self.state.life;
        let (queued, watch) = (Queued::default(), Watch::new());
        // From here on, dropped means that the keys are not watched.
        let transaction = AsyncTransaction { client: self, queued, watch, life };
        if keys.count() > 0 {
            let watch = command::watch(keys);
            let call = Exchanged::with_options(&watch, SendOptions::new());
            let watched = transaction.client.run(call).await;
            let watched = watched.and_then(|call| call.read::<P, ()>(&transaction.client.state.session));
            watched.map_err(|failed| error(transaction.client, failed))?;
        }
        Ok(transaction)
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

    /// Looks whether the connection is still there before the first command is queued. If not, they wait for the next one.
    fn begin_batch(&mut self, queued: &mut Queued, to: To) -> Instant {
        if queued.is_untouched() {
            let looked = self.look();
            if let To::Transaction(life) = to
                && let Err(error) = looked.and_then(|()| self.state.still(life))
            {
                queued.fail(error);
            }
        }
        let now = self.clock.now();
        if to != To::Pipeline {
            queued.begin(now, self.state.engine_mut());
        }
        now
    }

    /// Writes what is queued, and reads the replies.
    async fn execute_queued<T: FromReplies>(&mut self, queued: &mut Queued) -> Result<T, client::Error> {
        let now = self.clock.now();
        let batch = queued.batch::<P, T>(now, self.state.engine_mut())?;
        self.run(batch).await?.finish()
    }
}

/// Commands that are sent together when [`execute`](Self::execute) is called, from [`AsyncClient::pipeline`] and
/// [`AsyncClient::atomic`].
///
/// Each is encoded where it will be sent from, and takes no other memory. To drop the pipeline is to take all of them
/// back.
#[must_use = "a pipeline sends nothing until it is executed"]
pub struct AsyncPipeline<'c, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'c mut AsyncClient<'b, C, K, P>,
    queued: Queued,
    to: To,
}

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncPipeline<'_, '_, C, K, P> {
    /// Adds a command with options, or one that no method knows. One that changes the connection is refused, as
    /// [`AsyncClient::execute`] does, and keeps all from being sent.
    pub fn add<T: Encode>(&mut self, command: T) -> &mut Self {
        self.client.add(&mut self.queued, self.to, &command);
        self
    }

    /// Adds a call of a script, which the server need not have: the first call of each brings it along.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":10\r\n:12\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// redis.connect().await?;
    /// let multiply = Script::new("return ARGV[1] * ARGV[2]");
    /// let both: [i64; 2] =
    ///     redis.pipeline().script(&multiply, (), [2, 5]).script(&multiply, (), [3, 4]).execute().await?;
    /// assert_eq!(both, [10, 12]);
    /// # Ok(())
    /// # });
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
    /// The pipeline is empty afterwards. An empty one sends nothing. Dropped on the way, the replies are discarded; the
    /// commands of which something was written, and those of a transaction, may be executed all the same.
    ///
    /// # Errors
    /// The first error among the replies, unless `T` takes it as a value: the other commands have been executed all the
    /// same, and [`Error::position`] tells which it was. In an atomic pipeline of which a command is refused while it is
    /// queued, nothing is executed: that is of kind [`ErrorKind::Aborted`]. When the number of commands is not that of the
    /// types, or one did not fit, nothing is sent.
    pub async fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        let executed = self.client.execute_queued(&mut self.queued).await;
        executed.map_err(|error| self.client.state.error(error))
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> Drop for AsyncPipeline<'_, '_, C, K, P> {
    fn drop(&mut self) {
        self.queued.give_up(self.client.state.engine_mut());
    }
}

/// A connection on which keys are watched, from [`AsyncClient::watch`] and [`AsyncClient::transaction`].
///
/// Commands on it run at once, to read what the transaction depends on. Commands on its [`multi`](Self::multi) are queued.
pub struct AsyncTransaction<'c, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'c mut AsyncClient<'b, C, K, P>,
    queued: Queued,
    watch: Watch,
    /// The number of the connection on which the keys are watched.
    life: u32,
}

impl<'b, C: AsyncConnector, K: Clock, P: Parser> AsyncTransaction<'_, 'b, C, K, P> {
    /// Runs a command at once, and reads its reply.
    ///
    /// # Errors
    /// As [`AsyncClient::execute`]; after [`multi`](Self::multi) of kind [`ErrorKind::Misuse`].
    pub async fn execute<'c, T, R>(&'c mut self, command: T) -> Result<R, Error>
    where
        T: Command,
        T::Reply: Gives<R>,
        R: FromReply<'c>,
    {
        let ran = match self.check() {
            Ok(()) => self.client.run(Exchanged::new(&command)).await,
            Err(error) => Err(error),
        };
        let read = ran.and_then(|call| call.read(&self.client.state.session));
        read.map_err(|error| self.client.state.error(self.watch.explain(error)))
    }

    /// Commands run at once as long as nothing is queued, over the connection on which the keys are watched.
    fn check(&mut self) -> Result<(), client::Error> {
        if !self.queued.is_empty() {
            return Err(client::Error::new(ErrorKind::Misuse(Misuse::InTransaction)));
        }
        self.client.look()?;
        self.client.state.still(self.life)
    }

    fn call<R>(&mut self, command: &dyn Encode) -> Call<'_, 'b, C, K, P, R> {
        if self.queued.is_empty() {
            return Call::new(self.client, command, Some(self.life));
        }
        let misuse = client::Error::new(ErrorKind::Misuse(Misuse::InTransaction));
        Call::failed(self.client.state.error(self.watch.explain(misuse)))
    }

    /// Where commands are queued to be executed all at once, if no watched key has changed by then.
    pub fn multi(&mut self) -> AsyncQueue<'_, 'b, C, K, P> {
        let to = To::Transaction(self.life);
        if self.watch.is_open() {
            self.client.begin_batch(&mut self.queued, to);
        }
        AsyncQueue { client: self.client, queued: &mut self.queued, watch: &mut self.watch, to }
    }

    /// Ends it: executes what is queued, or forgets the watched keys. Says, too, whether one of them has changed.
    async fn finish<T, E: From<Error>>(mut self, result: Result<T, E>) -> (Result<T, E>, bool) {
        let result = match result {
            Ok(value) if !self.queued.is_untouched() || self.watch.is_conflict() => {
                let executed = self.execute_queued().await;
                executed.map(|()| value).map_err(|error| self.client.state.error(error).into())
            }
            result => result,
        };
        (result, self.watch.is_conflict())
    }

    async fn execute_queued(&mut self) -> Result<(), client::Error> {
        if self.watch.is_conflict() {
            // The closure has kept it to itself.
            return Err(client::Error::new(ErrorKind::Conflict));
        }
        let executed = match self.watch.begin() {
            Ok(()) => self.client.execute_queued(&mut self.queued).await,
            Err(error) => Err(error),
        };
        self.watch.executed(&executed);
        executed.map_err(|error| self.watch.explain(error))
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> Drop for AsyncTransaction<'_, '_, C, K, P> {
    fn drop(&mut self) {
        self.queued.give_up(self.client.state.engine_mut());
        let now = self.client.clock.now();
        self.client.state.unwatch(now);
    }
}

/// The commands of a transaction, to be executed all at once if no watched key has changed.
pub struct AsyncQueue<'t, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'t mut AsyncClient<'b, C, K, P>,
    queued: &'t mut Queued,
    watch: &'t mut Watch,
    to: To,
}

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncQueue<'_, '_, C, K, P> {
    /// Adds a command with options, or one that no method knows.
    pub fn add<T: Encode>(&mut self, command: T) -> &mut Self {
        if self.is_open() {
            self.client.add(self.queued, self.to, &command);
        }
        self
    }

    /// Adds a call of a script, as [`AsyncPipeline::script`] does.
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

    /// Executes the commands, and gives their replies as [`AsyncPipeline::execute`] does.
    ///
    /// When a watched key has changed it fails with [`ErrorKind::Conflict`], and [`AsyncClient::transaction`] starts over
    /// when the closure ends, whatever it gives then.
    ///
    /// # Errors
    /// As [`AsyncPipeline::execute`]; the second time of kind [`ErrorKind::AlreadyExecuted`], since a transaction ends with
    /// EXEC.
    pub async fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        let executed = match self.watch.begin() {
            Ok(()) => {
                let executed = self.client.execute_queued(self.queued).await;
                self.watch.executed(&executed);
                executed
            }
            Err(error) => Err(error),
        };
        executed.map_err(|error| self.client.state.error(error))
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> command::Queue for AsyncPipeline<'_, '_, C, K, P> {
    fn queue<T: Encode>(&mut self, command: T) {
        self.add(command);
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> command::Queue for AsyncQueue<'_, '_, C, K, P> {
    fn queue<T: Encode>(&mut self, command: T) {
        self.add(command);
    }
}

impl<'c, 'b, C: AsyncConnector, K: Clock, P: Parser> Executor for &'c mut AsyncTransaction<'_, 'b, C, K, P> {
    type Output<R> = Call<'c, 'b, C, K, P, R>;

    fn run<T, R>(self, command: T) -> Self::Output<R>
    where
        T: Command<Reply = Fixed<R>>,
        R: for<'a> FromReply<'a>,
    {
        self.call(&command)
    }
}

impl<'c, C, K, P, R> ExecutorAs<R> for &'c mut AsyncTransaction<'_, '_, C, K, P>
where
    C: AsyncConnector,
    K: Clock,
    P: Parser,
    R: FromReply<'c>,
{
    fn run_as<T>(self, command: T) -> Self::Output<R>
    where
        T: Command<Reply = Open>,
    {
        self.call(&command)
    }
}

crate::client::debug!(AsyncConnector: AsyncPipeline AsyncTransaction AsyncQueue);
