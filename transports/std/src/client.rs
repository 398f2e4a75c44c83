//! The client: commands over connections that it keeps.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant as Moment;

use redwire::client::Attempts;
use redwire::command::{Arguments, Command, Executor, ExecutorAs, Fixed, Gives, Open};
use redwire::reply::FromReply;

use crate::link::{Link, Target};
use crate::{ClientConfig, Connector, Error, ErrorKind, Pipeline, PubSub, Sockets, Transaction};

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
    /// Connections that are not in use, the one used last after the others.
    idle: Mutex<Vec<Link>>,
}

impl Client {
    /// A client of the server at `redis://[[user]:password@]host[:port][/database]`, or
    /// `unix://[[user]:password@]/path[?db=database]`. It connects when it runs its first command.
    ///
    /// # Errors
    /// An error of kind [`ErrorKind::Url`]. It does not show the URL.
    pub fn open(url: &str) -> Result<Self, Error> {
        Ok(Self::with_config(ClientConfig::from_url(url)?))
    }

    /// A client with a configuration of its own.
    pub fn with_config(config: ClientConfig) -> Self {
        Self::with_connector(config, Sockets)
    }

    /// A client whose streams come from a connector of the user's own.
    ///
    /// ```
    /// use std::io;
    /// use redwire_std::{Client, ClientConfig, ErrorKind};
    /// use redwire_std::redwire::command::Commands;
    ///
    /// let client =
    ///     Client::with_connector(ClientConfig::default(), |_: &_, _| Err(io::ErrorKind::Unsupported.into()));
    /// assert_eq!(*client.ping().unwrap_err().kind(), ErrorKind::Connect);
    /// ```
    pub fn with_connector(config: ClientConfig, connector: impl Connector + 'static) -> Self {
        Client { target: Arc::new(Target::new(config, Box::new(connector))), idle: Mutex::default() }
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
    /// [`Error`]. A command that changes the connection it runs on, such as SELECT or SUBSCRIBE, or that the server does not
    /// answer, is refused with [`Misuse::OwnConnection`](redwire::connection::Misuse::OwnConnection) before a byte of it is
    /// written.
    pub fn execute<C, R>(&self, command: C) -> Result<R, Error>
    where
        C: Command,
        C::Reply: Gives<R>,
        R: for<'a> FromReply<'a>,
    {
        self.with_link(|link, began| link.call(began, &command))
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
        Pipeline::new(self, false)
    }

    /// A pipeline that is a transaction: see [`Pipeline::atomic`].
    pub fn atomic(&self) -> Pipeline<'_> {
        Pipeline::new(self, true)
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
    /// That of `body`, after which nothing is executed and no key is watched. [`ErrorKind::Conflict`] when a watched key has
    /// changed time and again: after [`Attempts`], 100 by default ([`ClientConfig::transaction_attempts`]). When the
    /// connection is lost `body` is not run again of itself, and [`Error::maybe_executed`] says whether EXEC may have
    /// arrived; it says so, too, when something fails after [`Queue::execute`](crate::Queue::execute) has succeeded.
    pub fn transaction<K: Arguments, T>(
        &self,
        keys: K,
        body: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.try_transaction(keys, body)
    }

    /// As [`transaction`](Self::transaction), with a `body` that may fail with an error of the user's own type, to which those
    /// of this crate can be converted.
    ///
    /// ```no_run
    /// use redwire_std::prelude::*;
    ///
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
    /// # let client = Client::open("redis://localhost")?;
    /// let paid = client.try_transaction(["purse"], |tx| {
    ///     if tx.get::<i64>("purse")? < 10 {
    ///         return Err(Refused::Poor);
    ///     }
    ///     tx.multi().decrby("purse", 10);
    ///     Ok(())
    /// });
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub fn try_transaction<K, T, E>(
        &self,
        keys: K,
        mut body: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        K: Arguments,
        E: From<Error>,
    {
        let mut attempts = Attempts::new(self.target.config.transaction_attempts);
        loop {
            let mut transaction = Transaction::begin(self, &keys)?;
            let result = body(&mut transaction);
            let (result, conflict) = transaction.finish(result);
            let random = if conflict { RandomState::new().hash_one(0) } else { 0 };
            match conflict.then(|| attempts.again(random)).flatten() {
                Some(pause) => thread::sleep(pause),
                None => return result,
            }
        }
    }

    /// Subscriptions, over a connection of their own. It connects with the first subscription.
    pub fn pubsub(&self) -> PubSub {
        PubSub::new(Link::new(self.target.clone(), self.target.config.inbox()))
    }

    /// Does something with a connection, given the moment at which the call began. A connection that was idle may turn out
    /// to be dead when it is written to; as long as nothing was written, another one will do.
    pub(crate) fn with_link<T>(
        &self,
        mut act: impl FnMut(&mut Link, Moment) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let began = Moment::now();
        if let Some(mut link) = self.idle_link() {
            match act(&mut link, began) {
                Err(error) if is_lost_unsent(&error) => {}
                result => {
                    self.put_back(link);
                    return result;
                }
            }
        }
        let mut link = Link::open(self.target.clone(), began)?;
        let result = act(&mut link, began);
        self.put_back(link);
        result
    }

    /// The same, with a connection to keep until it is put back.
    pub(crate) fn keep_link(
        &self,
        mut act: impl FnMut(&mut Link, Moment) -> Result<(), Error>,
    ) -> Result<Link, Error> {
        let began = Moment::now();
        if let Some(mut link) = self.idle_link() {
            match act(&mut link, began) {
                Ok(()) => return Ok(link),
                Err(error) if is_lost_unsent(&error) => {}
                Err(error) => {
                    self.put_back(link);
                    return Err(error);
                }
            }
        }
        let mut link = Link::open(self.target.clone(), began)?;
        act(&mut link, began)?;
        Ok(link)
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

/// Whether the connection ended before a byte of the command was written.
fn is_lost_unsent(error: &Error) -> bool {
    *error.kind() == ErrorKind::Disconnected && error.is_unsent()
}
