//! Transactions that depend on what was read before.

use redwire::command::{self, Arguments, Command, Executor, ExecutorAs, Fixed, Open};
use redwire::reply::FromReply;
use redwire::resp::{ArgumentWriter, Encode};

use crate::link::Link;
use crate::pipeline::Batch;
use crate::replies::FromReplies;
use crate::{Client, Error, ErrorKind, WatchError};

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
    batch: Batch,
    watching: bool,
    executed: bool,
    /// EXEC was answered with results.
    done: bool,
    conflict: bool,
}

struct Watch<'k, K>(&'k K);

impl<K: Arguments> Encode for Watch<'_, K> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        out.bytes(b"WATCH");
        self.0.write_arguments(out);
    }
}

impl<'c> Transaction<'c> {
    pub(crate) fn begin<K: Arguments>(client: &'c Client, keys: &K) -> Result<Self, Error> {
        let mut link = client.take_link()?;
        let watching = keys.count() > 0;
        if watching {
            let watch = Watch(keys);
            let watched = |link: &mut Link| link.send(&watch).and_then(|ticket| link.reply::<()>(ticket));
            let mut result = watched(&mut link);
            if result.as_ref().is_err_and(Error::is_lost_unsent) {
                link = client.take_link()?;
                result = watched(&mut link);
            }
            result.map_err(|error| error.about(&watch))?;
        }
        let queue =
            Queue { link, batch: Batch::new(), watching, executed: false, done: false, conflict: false };
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
    /// As [`Client::execute`]; and when the connection is lost, of kind [`ErrorKind::Watch`], since the keys are not
    /// watched any more. Nothing that is queued is executed then; whether this command was,
    /// [`Error::maybe_executed`] says.
    pub fn execute<C, R>(&mut self, command: C) -> Result<R, Error>
    where
        C: Command,
        C::Reply: command::Gives<R>,
        R: for<'a> FromReply<'a>,
    {
        self.queue.on_link(|link| link.run(&command)).map_err(|error| error.about(&command))
    }

    /// Ends it: executes what is queued, or forgets the watched keys. `None`: a watched key has changed, so start over.
    pub(crate) fn finish<T>(mut self, result: Result<T, Error>) -> Option<Result<T, Error>> {
        let queue = &mut self.queue;
        let result = match result {
            Ok(value) if self.begun && !queue.executed => queue.execute::<()>().map(|()| value),
            other => other,
        };
        if queue.link.engine.is_watching() {
            // The keys must not be watched any more when the connection is used for something else.
            if queue.link.send(&["UNWATCH"]).and_then(|ticket| queue.link.reply::<()>(ticket)).is_err() {
                queue.link.close();
            }
        }
        let conflict = self.queue.conflict && result.is_err();
        // Whatever failed behind EXEC: who starts over executes what was queued a second time.
        let done = self.queue.done;
        let result = result.map_err(|error| match done && error.position().is_none() {
            true => error.executed(true),
            false => error,
        });
        self.client.put_back(self.queue.link);
        if conflict { None } else { Some(result) }
    }
}

impl Queue {
    /// Adds a command with options, or one that no method knows.
    pub fn add<C: Encode>(&mut self, command: C) -> &mut Self {
        self.batch.add(&command);
        self
    }

    /// Adds the call of a script. Before the transaction is sent, the server is asked whether it has the script, and given
    /// it if not.
    pub fn script<K: Arguments, A: Arguments>(&mut self, call: &crate::ScriptCall<'_, K, A>) -> &mut Self {
        self.batch.script(call);
        self
    }

    /// Executes the commands, and gives their replies as [`Pipeline::execute`](crate::Pipeline::execute) does.
    ///
    /// Hand the error on when it fails: one of kind [`ErrorKind::Watch`] makes [`Client::transaction`] start over.
    ///
    /// # Errors
    /// As [`Pipeline::execute`](crate::Pipeline::execute); and of kind [`ErrorKind::AlreadyExecuted`] the second time.
    pub fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        if self.executed {
            return Err(Error::new(ErrorKind::AlreadyExecuted));
        }
        // What fails here stays queued: it must not be lost in silence if the error is.
        self.batch.check::<T>()?;
        let batch = std::mem::replace(&mut self.batch, Batch::new());
        self.executed = true;
        if batch.commands.is_empty() && !self.watching {
            return T::from_replies(&mut crate::replies::Replies::none());
        }
        let result = self.on_link(|link| batch.run(link, true));
        match &result {
            Ok(_) => self.done = true,
            Err(error) => match error.kind() {
                ErrorKind::Watch(WatchError::Conflict) => self.conflict = true,
                // One of the results; they came all the same.
                ErrorKind::Server(_) | ErrorKind::Mismatch(_) => self.done = error.position().is_some(),
                _ => {}
            },
        }
        result
    }

    /// Does something with the connection, unless it is found to be lost, and watched keys with it, before a byte is
    /// written.
    fn on_link<T>(&mut self, act: impl FnOnce(&mut Link) -> Result<T, Error>) -> Result<T, Error> {
        let result = self.link.catch_up().and_then(|()| act(&mut self.link));
        // Behind EXEC no key is watched any more.
        result.map_err(|error| if self.watching && !self.done { error.while_watching() } else { error })
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

impl command::Queue for Queue {
    fn queue<C: Encode>(&mut self, command: C) {
        self.add(command);
    }
}
