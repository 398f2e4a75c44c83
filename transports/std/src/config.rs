//! Where to connect to, and how.

use std::time::Duration;

use redwire::connection::Config;
use redwire::resp::{Limits, Protocol};
use redwire::url::{Endpoint, Secret, Url, UrlError};

use redwire::client::{Inbox, Overflow};

use crate::{Client, Error};

/// Where to connect to, who to be, and how long to wait for what.
///
/// ```
/// use std::time::Duration;
/// use redwire_std::ClientConfig;
///
/// let client = ClientConfig::from_url("redis://localhost/2")?
///     .credentials("app", "secret")
///     .client_name("app")
///     .read_timeout(Duration::from_secs(2))
///     .client();
/// let shown = format!("{client:?}");
/// assert!(!shown.contains("secret") && shown.contains("username: Some(***)"));
/// # Ok::<(), redwire_std::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientConfig {
    pub(crate) endpoint: Endpoint,
    /// Not to be shown: a password in the wrong place may stand here.
    username: Option<Secret>,
    password: Option<Secret>,
    client_name: Option<String>,
    pub(crate) database: u32,
    protocol: Protocol,
    limits: Limits,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    health_check: Option<Duration>,
    pub(crate) transaction_attempts: u32,
    message_limit: usize,
    message_overflow: Overflow,
}

impl Default for ClientConfig {
    /// The server at `localhost:6379`.
    fn default() -> Self {
        Self::tcp("localhost", redwire::url::DEFAULT_PORT)
    }
}

impl ClientConfig {
    /// A server at a TCP port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::at(Endpoint::Tcp { host: host.into(), port })
    }

    /// A server at a Unix domain socket.
    pub fn unix(path: impl Into<String>) -> Self {
        Self::at(Endpoint::Unix { path: path.into() })
    }

    /// The server that a URL names; see [`Url`] for its form.
    ///
    /// # Errors
    /// An error of kind [`ErrorKind::Url`](crate::ErrorKind::Url). It does not show the URL.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let url: Url = url.parse().map_err(|error: UrlError| Error::from(error))?;
        let mut config = Self::at(url.endpoint);
        config.username = url.username.map(Secret::from);
        config.password = url.password;
        config.database = url.database;
        config.protocol = url.protocol.unwrap_or(config.protocol);
        Ok(config)
    }

    fn at(endpoint: Endpoint) -> Self {
        ClientConfig {
            endpoint,
            username: None,
            password: None,
            client_name: None,
            database: 0,
            protocol: Protocol::Resp3,
            limits: Limits::default(),
            connect_timeout: Some(Duration::from_secs(10)),
            read_timeout: None,
            write_timeout: None,
            health_check: None,
            transaction_attempts: 100,
            message_limit: 1024 * 1024,
            message_overflow: Overflow::StopReading,
        }
    }

    /// Authenticates as a user of the server's access control list (Redis 6.0).
    #[must_use]
    pub fn credentials(mut self, username: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.username = Some(username.into().into());
        self.password = Some(password.into());
        self
    }

    /// Authenticates as the default user.
    #[must_use]
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.username = None;
        self.password = Some(password.into());
        self
    }

    /// The name of the connections in CLIENT LIST. It must not hold blanks or line breaks.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// The number of the database, 0 by default.
    #[must_use]
    pub fn database(mut self, number: u32) -> Self {
        self.database = number;
        self
    }

    /// The protocol: RESP3 by default, or RESP2 where the server does not know it.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Limits on what the server may send.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long connecting may take, and then the handshake: 10 seconds each by default. Names are resolved by the
    /// system, which takes its own time; a Unix domain socket connects at once or not at all.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long the reply to a command may take: for ever by default. It begins when the command is called, and to connect,
    /// where that has to be, is part of it. A blocking command may take
    /// so much longer than the server itself waits, if it is one that has a function. Of a command made of words, such as
    /// `cmd("BLPOP")`, nothing is known: say how long it waits, with [`patience`](redwire::command::Cmd::patient).
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use redwire_std::prelude::*;
    ///
    /// let client = ClientConfig::default().read_timeout(Duration::from_secs(2)).client();
    /// let wait = Patience::blocking(Duration::from_secs(30));
    /// let popped: Option<(String, String)> =
    ///     client.execute(cmd("BLPOP").arg("jobs").arg(30).patient(wait))?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// A command that is late fails with [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut). Its reply is discarded when
    /// it comes, and never taken for that of another command.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = Some(timeout);
        self
    }

    /// How long the server may refuse to take a single byte before the connection is given up: for ever by default.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = Some(timeout);
        self
    }

    /// Asks the server whether it is there when a subscription has brought nothing for so long, and connects again when
    /// it does not answer. Never by default: a link that broke without a word is silent like one without messages.
    #[must_use]
    pub fn health_check(mut self, interval: Duration) -> Self {
        self.health_check = Some(interval);
        self
    }

    /// How often [`Client::transaction`] runs its closure at most while watched keys change: 100 times by default.
    #[must_use]
    pub fn transaction_attempts(mut self, most: u32) -> Self {
        self.transaction_attempts = most;
        self
    }

    /// How many bytes of messages a [`PubSub`](crate::PubSub) keeps that came while something else was waited for: a mebibyte
    /// by default.
    #[must_use]
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.message_limit = bytes;
        self
    }

    /// What happens to messages for which there is no room then. By default nothing more is read until some are taken.
    #[must_use]
    pub fn message_overflow(mut self, overflow: Overflow) -> Self {
        self.message_overflow = overflow;
        self
    }

    /// Memory for messages.
    pub(crate) fn inbox(&self) -> Inbox<'static> {
        Inbox::growing(self.message_limit).overflow(self.message_overflow)
    }

    /// A client with this configuration. It connects when it first runs a command.
    pub fn client(self) -> Client {
        Client::with_config(self)
    }

    /// The same, for the engine.
    pub(crate) fn engine(&self) -> Config<'static> {
        let mut config =
            Config::default().database(self.database).protocol(self.protocol).limits(self.limits);
        config = match (&self.username, &self.password) {
            (Some(username), Some(password)) => {
                config.credentials(username.expose().to_owned(), password.expose().to_owned())
            }
            (None, Some(password)) => config.password(password.expose().to_owned()),
            _ => config,
        };
        if let Some(name) = &self.client_name {
            config = config.client_name(name.clone());
        }
        if let Some(timeout) = self.connect_timeout {
            config = config.handshake_timeout(timeout);
        }
        if let Some(timeout) = self.read_timeout {
            config = config.command_timeout(timeout);
        }
        if let Some(interval) = self.health_check {
            config = config.health_check(interval);
        }
        config
    }
}
