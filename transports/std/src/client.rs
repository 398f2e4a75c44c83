//! The client: commands over connections that it keeps.

use std::sync::{Arc, Mutex, PoisonError};

use redwire::command::{Arguments, Command, Executor, ExecutorAs, Fixed, Gives, Open};
use redwire::reply::FromReply;

use crate::link::{Link, Target};
use crate::{ClientConfig, Error, Pipeline, PubSub, Transaction};

/// A client of one server, to be used by any number of threads at once: share it by reference or in an `Arc`.
///
/// Commands are methods of [`Commands`](redwire::command::Commands); one with options is a value to
/// [`execute`](Self::execute). The caller chooses the type of a reply where Redis leaves it open.
///
/// A client connects when it runs its first command, keeps its connections for the next ones, and opens another when all
/// are in use. It connects again when it finds a connection dead before a command is sent. What was sent is never sent a
/// second time: when the connection is lost then, [`Error::maybe_executed`] says whether the server may have seen it.
///
/// ```no_run
/// use redwire_std::prelude::*;
///
/// let client = Client::open("redis://localhost")?;
/// client.set("foo", "bar")?;
/// let foo: Option<String> = client.get("foo")?;
/// let fresh: bool = client.execute(set("lock", "token").ex(30).nx())?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Client {
    target: Arc<Target>,
    /// Connections that are not in use, the one used last behind the others.
    idle: Mutex<Vec<Link>>,
}

impl Client {
    /// A client of the server at `redis://[[user]:password@]host[:port][/database]`, or
    /// `unix://[[user]:password@]/path[?db=database]`. It connects when it runs its first command.
    ///
    /// # Errors
    /// An error of kind [`ErrorKind::Url`](crate::ErrorKind::Url). It does not show the URL.
    pub fn open(url: &str) -> Result<Self, Error> {
        Ok(Self::with_config(ClientConfig::from_url(url)?))
    }

    /// A client with a configuration of its own.
    pub fn with_config(config: ClientConfig) -> Self {
        Client { target: Arc::new(Target::new(config)), idle: Mutex::default() }
    }

    /// Runs a command and reads its reply: as the type that Redis fixes for it, or as any type where it leaves that open.
    ///
    /// ```no_run
    /// use redwire_std::prelude::*;
    ///
    /// let client = Client::open("redis://localhost")?;
    /// let fresh = client.execute(set("lock", "token").ex(30).nx())?;
    /// let encoding: String = client.execute(cmd("OBJECT").arg("ENCODING").arg("lock"))?;
    /// # let _: bool = fresh;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`]. A command that changes the connection it runs on, such as SELECT or SUBSCRIBE, is of kind
    /// [`ErrorKind::OwnConnection`](crate::ErrorKind::OwnConnection).
    pub fn execute<C, R>(&self, command: C) -> Result<R, Error>
    where
        C: Command,
        C::Reply: Gives<R>,
        R: for<'a> FromReply<'a>,
    {
        self.with_link(|link| link.run(&command))
    }

    /// A pipeline: commands that are sent together, and whose replies are read together.
    ///
    /// ```no_run
    /// use redwire_std::prelude::*;
    ///
    /// let client = Client::open("redis://localhost")?;
    /// let (hits, _, name): (i64, bool, Option<String>) =
    ///     client.pipeline().incr("hits").expire("hits", 60).get("name").execute()?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(self)
    }

    /// Reads, then writes, as if nobody else did in between: runs `body` while `keys` are watched, and again when one of
    /// them has changed before the transaction was executed.
    ///
    /// Commands on the transaction run at once. Those on its [`multi`](Transaction::multi) are queued, and executed when
    /// `body` returns `Ok`, or before with [`Queue::execute`](crate::Queue::execute), which gives their replies.
    ///
    /// ```no_run
    /// use redwire_std::prelude::*;
    ///
    /// let client = Client::open("redis://localhost")?;
    /// let next = client.transaction(["seq"], |tx| {
    ///     let next = tx.get::<Option<u64>>("seq")?.unwrap_or(0) + 1;
    ///     tx.multi().set("seq", next);
    ///     Ok(next)
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// That of `body`, after which nothing is executed and no key is watched. When the connection is lost while keys are
    /// watched, an error of kind [`ErrorKind::Watch`](crate::ErrorKind::Watch): `body` is not run again of itself then. When the connection was lost
    /// after the transaction had been written, [`Error::maybe_executed`] says so; and so it does when something fails after
    /// [`Queue::execute`](crate::Queue::execute) has succeeded.
    pub fn transaction<K, T>(
        &self,
        keys: K,
        mut body: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error>
    where
        K: Arguments,
    {
        loop {
            let mut transaction = Transaction::begin(self, &keys)?;
            let result = body(&mut transaction);
            if let Some(result) = transaction.finish(result) {
                return result;
            }
        }
    }

    /// Subscriptions, over a connection of their own. It connects with the first subscription.
    pub fn pubsub(&self) -> PubSub {
        PubSub::new(Link::new(self.target.clone()))
    }

    /// Does something with a connection. A connection that was idle may turn out to be dead when it is written to; as
    /// long as nothing was written, another one will do.
    pub(crate) fn with_link<T>(
        &self,
        mut act: impl FnMut(&mut Link) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(mut link) = self.idle_link() {
            match act(&mut link) {
                Err(error) if error.is_lost_unsent() => {}
                result => {
                    self.put_back(link);
                    return result;
                }
            }
        }
        let mut link = Link::open(self.target.clone())?;
        let result = act(&mut link);
        self.put_back(link);
        result
    }

    /// A connection to keep until it is put back.
    pub(crate) fn take_link(&self) -> Result<Link, Error> {
        match self.idle_link() {
            Some(link) => Ok(link),
            None => Link::open(self.target.clone()),
        }
    }

    fn idle_link(&self) -> Option<Link> {
        loop {
            let mut link = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if link.is_usable() {
                return Some(link);
            }
        }
    }

    /// Keeps a connection for the next command, if it is as fresh as it was; or closes it.
    pub(crate) fn put_back(&self, link: Link) {
        if link.is_worth_keeping() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        }
    }
}

impl Executor for &Client {
    type Output<R> = Result<R, Error>;

    fn run<C, R>(self, command: C) -> Result<R, Error>
    where
        C: Command<Reply = Fixed<R>>,
        R: for<'a> FromReply<'a>,
    {
        self.execute(command)
    }
}

impl<R: for<'a> FromReply<'a>> ExecutorAs<R> for &Client {
    fn run_as<C>(self, command: C) -> Result<R, Error>
    where
        C: Command<Reply = Open>,
    {
        self.execute(command)
    }
}
