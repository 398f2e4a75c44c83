//! Commands of the async client that are sent together, and whose replies are read together.

use redwire::command::{self, Arguments, Command, Executor, ExecutorAs, Fixed, Gives, Open};
use redwire::connection::Misuse;
use redwire::reply::FromReply;
use redwire::resp::{Encode, Parser};

use crate::batch::{Batch, Collector, Lent, State, unwatch};
use crate::replies::FromReplies;
use crate::{AsyncClient, AsyncConnector, Call, Clock, Error, ErrorKind};

impl<'b, C: AsyncConnector, K: Clock, P: Parser> AsyncClient<'b, C, K, P> {
    /// A pipeline: commands that are sent together, and whose replies are read together. All of them have to fit into the
    /// transmit buffer, and into the table of commands in flight.
    ///
    /// ```
    /// # mod canned { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/async_support/canned.rs")); }
    /// # use redwire_embedded_io::prelude::*;
    /// # let connector = canned::connector(&[":1\r\n:1\r\n_\r\n"]);
    /// # let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// # let mut redis = AsyncClient::new(connector, Config::default(), memory.memory(), NoClock);
    /// # canned::run(async {
    /// # redis.connect().await?;
    /// let (hits, _, name): (i64, bool, Option<heapless::String<16>>) =
    ///     redis.pipeline().incr("hits").expire("hits", 60).get("name").execute().await?;
    /// assert_eq!((hits, name), (1, None));
    /// # Ok(())
    /// # });
    /// ```
    pub fn pipeline(&mut self) -> AsyncPipeline<'_, 'b, C, K, P> {
        AsyncPipeline { client: self, batch: Batch::default(), atomic: false }
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
    /// # redis.connect().await?;
    /// let (boots, _): (i64, ()) = redis.atomic().incr("boots").lpush("log", "booted").execute().await?;
    /// assert_eq!(boots, 8);
    /// # Ok(())
    /// # });
    /// ```
    pub fn atomic(&mut self) -> AsyncPipeline<'_, 'b, C, K, P> {
        AsyncPipeline { client: self, batch: Batch::default(), atomic: true }
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
    /// # redis.connect().await?;
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
    /// In a task that may move between threads, the compiler cannot see that `body` may: use [`watch`](Self::watch) there.
    ///
    /// # Errors
    /// That of `body`, after which nothing is executed and no key is watched; the same holds when this is dropped while
    /// `body` runs. When the connection is lost, `body` is not run again of itself, and [`Error::maybe_executed`] says
    /// whether the transaction may have been executed.
    pub async fn transaction<A: Arguments, T>(
        &mut self,
        keys: A,
        mut body: impl AsyncFnMut(&mut AsyncTransaction<'_, 'b, C, K, P>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let mut transaction = self.watch(Lent(&keys)).await?;
            let result = body(&mut transaction).await;
            match transaction.finish(result).await {
                Err(Error { kind: ErrorKind::Conflict, maybe_executed: false, .. }) => {}
                result => return result,
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
    /// # redis.connect().await?;
    /// let next = loop {
    ///     let mut tx = redis.watch("seq").await?;
    ///     let next = tx.get::<Option<u64>>("seq").await?.unwrap_or(0) + 1;
    ///     match tx.multi().set("seq", next).execute::<()>().await {
    ///         // Somebody was faster.
    ///         Err(Error { kind: ErrorKind::Conflict, .. }) => {}
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
        let mut transaction = AsyncTransaction { client: self, batch: Batch::default(), state: State::Open };
        let begun = if keys.count() > 0 {
            transaction.execute(command::watch(keys)).await
        } else {
            transaction.client.prepare()
        };
        // Whether or not the keys are watched, nothing of the transaction is executed.
        begun.map_err(|error| error.executed(false))?;
        Ok(transaction)
    }

    /// Queues a command, behind MULTI if it is the first of a transaction.
    fn add<T: Encode>(&mut self, batch: &mut Batch, atomic: bool, command: &T) {
        self.begin_batch(batch, atomic);
        let now = self.now();
        batch.add(&mut self.session, now, command);
    }

    /// Makes sure that there is a connection before the first command is queued.
    fn begin_batch(&mut self, batch: &mut Batch, atomic: bool) {
        if batch.is_untouched()
            && let Err(error) = self.prepare()
        {
            batch.fail(error);
        }
        if atomic {
            let now = self.now();
            batch.begin(&mut self.session, now);
        }
    }

    /// Writes a batch and reads its replies.
    async fn run<T: FromReplies>(&mut self, batch: &mut Batch) -> Result<T, Error> {
        let now = self.now();
        let mut collector = batch.close::<P, T>(&mut self.session, now)?;
        let mut due = Due { client: self, collector: &mut collector, done: false };
        while !due.collector.is_complete() {
            match due.client.wait(due.collector.wanted(), None).await {
                Ok(_) => due.collector.take(&due.client.session),
                // It was skipped; the others follow.
                Err(error) if matches!(error.kind, ErrorKind::TooLarge(_)) => due.collector.skip(error),
                Err(error) => return Err(due.collector.give_up(&mut due.client.session, error)),
            }
        }
        due.done = true;
        drop(due);
        collector.finish(&mut self.session)
    }
}

/// The replies of a batch that are still to come; dropped, they are discarded.
struct Due<'d, 'b, C: AsyncConnector, K: Clock, P: Parser, T: FromReplies> {
    client: &'d mut AsyncClient<'b, C, K, P>,
    collector: &'d mut Collector<T>,
    done: bool,
}

impl<C: AsyncConnector, K: Clock, P: Parser, T: FromReplies> Drop for Due<'_, '_, C, K, P, T> {
    fn drop(&mut self) {
        if !self.done {
            self.collector.discard(&mut self.client.session);
        }
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
    batch: Batch,
    atomic: bool,
}

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncPipeline<'_, '_, C, K, P> {
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
    /// The pipeline is empty afterwards. An empty one sends nothing. Dropped on the way, the replies are discarded; the
    /// commands of which something was written, and those of a transaction, may be executed all the same.
    ///
    /// # Errors
    /// The first error among the replies, unless `T` takes it as a value: the other commands have been executed all the
    /// same, and [`Error::position`] tells which it was. In an atomic pipeline of which a command is refused while it is
    /// queued, nothing is executed: that is of kind [`ErrorKind::Aborted`]. When the number of commands is not that of the
    /// types, or one did not fit, nothing is sent.
    pub async fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        self.client.run(&mut self.batch).await
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> Drop for AsyncPipeline<'_, '_, C, K, P> {
    fn drop(&mut self) {
        self.batch.give_up(&mut self.client.session);
    }
}

/// A connection on which keys are watched, from [`AsyncClient::watch`] and [`AsyncClient::transaction`].
///
/// Commands on it run at once, to read what the transaction depends on. Commands on its [`multi`](Self::multi) are queued.
pub struct AsyncTransaction<'c, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'c mut AsyncClient<'b, C, K, P>,
    batch: Batch,
    state: State,
}

impl<'b, C: AsyncConnector, K: Clock, P: Parser> AsyncTransaction<'_, 'b, C, K, P> {
    /// Runs a command at once, and reads its reply.
    ///
    /// # Errors
    /// As [`AsyncClient::execute`]; behind [`multi`](Self::multi) of kind [`ErrorKind::Misuse`].
    pub async fn execute<'c, T, R>(&'c mut self, command: T) -> Result<R, Error>
    where
        T: Command,
        T::Reply: Gives<R>,
        R: FromReply<'c>,
    {
        self.reading()?.execute(command).await
    }

    /// The client, as long as nothing is queued.
    fn reading(&mut self) -> Result<&mut AsyncClient<'b, C, K, P>, Error> {
        if self.batch.is_empty() {
            Ok(self.client)
        } else {
            Err(Error::new(ErrorKind::Misuse(Misuse::InTransaction)))
        }
    }

    /// Where commands are queued to be executed all at once, if no watched key has changed by then.
    pub fn multi(&mut self) -> AsyncQueue<'_, 'b, C, K, P> {
        if self.state == State::Open {
            self.client.begin_batch(&mut self.batch, true);
        }
        AsyncQueue { client: self.client, batch: &mut self.batch, state: &mut self.state }
    }

    /// Executes what is queued, if all went well.
    async fn finish<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let result = match result {
            Ok(value) if !self.batch.is_untouched() => {
                self.client.run::<()>(&mut self.batch).await.map(|()| value)
            }
            result => result,
        };
        result.map_err(|error| self.state.behind(error))
    }
}

impl<C: AsyncConnector, K: Clock, P: Parser> Drop for AsyncTransaction<'_, '_, C, K, P> {
    fn drop(&mut self) {
        self.batch.give_up(&mut self.client.session);
        let now = self.client.now();
        unwatch(&mut self.client.session, now);
    }
}

/// The commands of a transaction, to be executed all at once if no watched key has changed.
pub struct AsyncQueue<'t, 'b, C: AsyncConnector, K: Clock, P: Parser> {
    client: &'t mut AsyncClient<'b, C, K, P>,
    batch: &'t mut Batch,
    state: &'t mut State,
}

impl<C: AsyncConnector, K: Clock, P: Parser> AsyncQueue<'_, '_, C, K, P> {
    /// Adds a command with options, or one that no method knows.
    pub fn add<T: Encode>(&mut self, command: T) -> &mut Self {
        if *self.state == State::Open {
            self.client.add(self.batch, true, &command);
        } else {
            self.batch.fail(Error::new(ErrorKind::Misuse(Misuse::NoTransaction)));
        }
        self
    }

    /// Executes the commands, and gives their replies as [`AsyncPipeline::execute`] does.
    ///
    /// When a watched key has changed it fails with [`ErrorKind::Conflict`]. In the closure of [`AsyncClient::transaction`]
    /// hand the error on: it makes it start over.
    ///
    /// # Errors
    /// As [`AsyncPipeline::execute`]; the second time of kind [`ErrorKind::Misuse`], since a transaction ends with EXEC.
    pub async fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        if *self.state != State::Open {
            return Err(Error::new(ErrorKind::Misuse(Misuse::NoTransaction)));
        }
        *self.state = State::Ended;
        let result = self.client.run(self.batch).await;
        self.state.answered(&result);
        result
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
        match self.reading() {
            Ok(client) => Call::new(client, &command),
            Err(error) => Call::failed(error),
        }
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
        match self.reading() {
            Ok(client) => Call::new(client, &command),
            Err(error) => Call::failed(error),
        }
    }
}

crate::client::debug!(AsyncConnector: AsyncPipeline AsyncTransaction AsyncQueue);
