//! Transactions that depend on what was read before.

use std::time::Instant as Moment;

use redwire::client::{Commands, FromReplies, Watch};
use redwire::command::{self, Arguments, Command, Executor, ExecutorAs, Fixed, Lent, Open, watch};
use redwire::reply::FromReply;
use redwire::resp::Encode;

use crate::link::Link;
use crate::{Client, Error, ErrorKind, ScriptCall};

/// What [`Client::transaction`] hands to its closure: a connection on which keys are watched.
///
/// Commands on it run at once, to read what the transaction depends on. Commands on its [`multi`](Self::multi) are queued.
#[derive(Debug)]
pub struct Transaction<'c> {
    client: &'c Client,
    queue: Queue,
    begun: bool,
}

/// The commands of a transaction, to be executed all at once if no watched key has changed.
#[derive(Debug)]
pub struct Queue {
    link: Link,
    commands: Commands<'static>,
    watching: bool,
    watch: Watch,
}

impl<'c> Transaction<'c> {
    pub(crate) fn begin<K: Arguments>(client: &'c Client, keys: &K) -> Result<Self, Error> {
        let watching = keys.count() > 0;
        let watch = watch(Lent(keys));
        let link = client.keep_link(|link, began| if watching { link.change(began, &watch) } else { Ok(()) });
        // Whether or not the keys are watched, nothing of the transaction is executed.
        let link = link.map_err(|error| error.executed(false))?;
        let queue = Queue { link, commands: Commands::growing(), watching, watch: Watch::new() };
        Ok(Transaction { client, queue, begun: false })
    }

    /// Where commands are queued to be executed all at once, if no watched key has changed by then.
    pub fn multi(&mut self) -> &mut Queue {
        self.begun = true;
        &mut self.queue
    }

    /// Runs a command at once, and reads its reply.
    ///
    /// # Errors
    /// As [`Client::execute`]. When the connection is lost the keys are not watched any more, and nothing that is queued is
    /// executed; whether this command was, [`Error::maybe_executed`] says.
    pub fn execute<C, R>(&mut self, command: C) -> Result<R, Error>
    where
        C: Command,
        C::Reply: command::Gives<R>,
        R: for<'a> FromReply<'a>,
    {
        self.queue.on_link(|link| link.call(Moment::now(), &command))
    }

    /// Ends it: executes what is queued, or forgets the watched keys. Says whether a watched key has changed, so that it
    /// has to start over.
    pub(crate) fn finish<T, E: From<Error>>(mut self, result: Result<T, E>) -> (Result<T, E>, bool) {
        let queue = &mut self.queue;
        let result = match result {
            Ok(value) if self.begun && queue.watch.is_open() => match queue.execute::<()>() {
                Ok(()) => Ok(value),
                Err(error) => Err(E::from(error)),
            },
            result => result,
        };
        if queue.link.session().engine().is_watching()
            && queue.link.change(Moment::now(), &command::unwatch()).is_err()
        {
            // The keys must not be watched any more when the connection is used for something else.
            queue.link.close();
        }
        let conflict = queue.watch.is_conflict() && result.is_err();
        self.client.put_back(self.queue.link);
        (result, conflict)
    }
}

impl Queue {
    /// Adds a command with options, or one that no method knows.
    pub fn add<C: Encode>(&mut self, command: C) -> &mut Self {
        self.commands.add(&command);
        self
    }

    /// Adds the call of a script. The first call of each brings the script along, so the server need not have it.
    pub fn script<K: Arguments, A: Arguments>(&mut self, call: &ScriptCall<'_, K, A>) -> &mut Self {
        call.queue(&mut self.commands);
        self
    }

    /// Executes the commands, and gives their replies as [`Pipeline::execute`](crate::Pipeline::execute) does.
    ///
    /// Hand the error on when it fails, or one made of it: of kind [`ErrorKind::Conflict`] it makes [`Client::transaction`]
    /// start over.
    ///
    /// # Errors
    /// As [`Pipeline::execute`](crate::Pipeline::execute); and of kind [`ErrorKind::AlreadyExecuted`] the second time.
    pub fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        if !self.watch.is_open() {
            return Err(self.link.error(ErrorKind::AlreadyExecuted));
        }
        // What fails here stays queued: it must not be lost in silence if the error is.
        let nothing = self.commands.is_empty() && !self.watching;
        let batch = if nothing { self.commands.batch::<T>() } else { self.commands.atomic() };
        let batch = batch.map_err(|error| self.link.locate(error))?;
        drop(batch);
        let commands = std::mem::take(&mut self.commands);
        self.watch.begin().map_err(|error| self.link.locate(error))?;
        let result = if nothing {
            commands.batch().and_then(|batch| batch.finish()).map_err(|error| self.link.locate(error))
        } else {
            self.on_link(|link| {
                let mut batch = commands.atomic().map_err(|error| link.locate(error))?;
                link.run(Moment::now(), &mut batch)?;
                batch.finish().map_err(|error| link.locate(error))
            })
        };
        self.watch.executed(&result);
        result
    }

    /// Does something with the connection, unless it is found to be lost, and watched keys with it, before a byte is
    /// written.
    fn on_link<T>(&mut self, act: impl FnOnce(&mut Link) -> Result<T, Error>) -> Result<T, Error> {
        let result = self.link.catch_up().and_then(|()| act(&mut self.link));
        result.map_err(|error| self.watch.explain(error))
    }
}

impl command::Queue for Queue {
    fn queue<C: Encode>(&mut self, command: C) {
        self.add(command);
    }
}

impl Executor for &mut Transaction<'_> {
    type Output<R> = Result<R, Error>;

    fn run<C, R>(self, command: C) -> Result<R, Error>
    where
        C: Command<Reply = Fixed<R>>,
        R: for<'a> FromReply<'a>,
    {
        self.execute(command)
    }
}

impl<R: for<'a> FromReply<'a>> ExecutorAs<R> for &mut Transaction<'_> {
    fn run_as<C>(self, command: C) -> Result<R, Error>
    where
        C: Command<Reply = Open>,
    {
        self.execute(command)
    }
}
