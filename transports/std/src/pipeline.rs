//! Commands that are sent together, and whose replies are read together.

use redwire::client::{Commands, FromReplies};
use redwire::command::{Arguments, Queue};
use redwire::resp::Encode;

use crate::{Client, Error, ScriptCall};

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
    commands: Commands<'static>,
    atomic: bool,
}

impl<'c> Pipeline<'c> {
    pub(crate) fn new(client: &'c Client, atomic: bool) -> Self {
        Pipeline { client, commands: Commands::growing(), atomic }
    }

    /// Executes the commands as a transaction, between MULTI and EXEC: all at once, with no command of others in between.
    /// When one of them is refused while it is queued, because it does not exist say, none is executed, and the error is of
    /// kind [`ErrorKind::Aborted`](crate::ErrorKind::Aborted). Commands that change the connection, such as DISCARD or
    /// SELECT, keep all of it from being sent.
    pub fn atomic(&mut self) -> &mut Self {
        self.atomic = true;
        self
    }

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

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether no command is queued.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
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
    /// let (length, name): (Result<u64, ServerError>, Option<String>) =
    ///     client.pipeline().llen("name").get("name").execute()?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error among the replies, which names its command, unless `T` takes it as a value: the other commands
    /// have been executed all the same, and [`Error::position`] tells which it was. In an atomic pipeline of which a
    /// command is refused while it is queued, nothing is executed: that is of kind [`ErrorKind::Aborted`](crate::ErrorKind::Aborted). When the number
    /// of commands is not that of the types, nothing is sent.
    pub fn execute<T: FromReplies>(&mut self) -> Result<T, Error> {
        let result = self.run();
        self.commands.clear();
        result
    }

    fn run<T: FromReplies>(&self) -> Result<T, Error> {
        let is_empty = self.commands.is_empty();
        let batch =
            || if self.atomic && !is_empty { self.commands.atomic() } else { self.commands.batch::<T>() };
        let plain = |error: redwire::client::Error| error.with_origin(Default::default());
        let first = batch().map_err(plain)?;
        if is_empty {
            return first.finish().map_err(plain);
        }
        drop(first);
        self.client.with_link(|link, began| {
            let mut batch = batch().map_err(plain)?;
            link.run(began, &mut batch)?;
            batch.finish().map_err(|error| link.locate(error))
        })
    }
}

impl Queue for Pipeline<'_> {
    fn queue<C: Encode>(&mut self, command: C) {
        self.add(command);
    }
}
