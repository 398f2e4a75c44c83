//! What a connection is told before it begins.

use core::fmt;

use crate::resp::{Limits, Protocol};
use crate::storage::Text;
use crate::time::Duration;

/// How to greet the server and how long to wait for what.
///
/// ```
/// use redwire::connection::Config;
/// use redwire::resp::Protocol;
///
/// let config = Config::default().credentials("app", "secret").database(2).protocol(Protocol::Resp2);
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct Config<'a> {
    pub(super) username: Option<Text<'a>>,
    pub(super) password: Option<Text<'a>>,
    pub(super) client_name: Option<Text<'a>>,
    pub(super) library: Option<(Text<'a>, Text<'a>)>,
    pub(super) database: u32,
    pub(super) protocol: Protocol,
    pub(super) fallback: bool,
    pub(super) limits: Limits,
    pub(super) handshake_timeout: Option<Duration>,
    pub(super) command_timeout: Option<Duration>,
    pub(super) health_check_interval: Option<Duration>,
    pub(super) health_check_timeout: Duration,
}

impl Default for Config<'_> {
    /// RESP3 with a fallback to RESP2, database 0, no credentials, no timeouts, no health check.
    fn default() -> Self {
        Config {
            username: None,
            password: None,
            client_name: None,
            library: Some((Text::Borrowed("redwire"), Text::Borrowed(env!("CARGO_PKG_VERSION")))),
            database: 0,
            protocol: Protocol::Resp3,
            fallback: true,
            limits: Limits::default(),
            handshake_timeout: None,
            command_timeout: None,
            health_check_interval: None,
            health_check_timeout: Duration::from_secs(5),
        }
    }
}

impl<'a> Config<'a> {
    /// Authenticates as a user of the server's [access control list](https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/)
    /// (Redis 6.0).
    #[must_use]
    pub fn credentials(mut self, username: impl Into<Text<'a>>, password: impl Into<Text<'a>>) -> Self {
        self.username = Some(username.into());
        self.password = Some(password.into());
        self
    }

    /// Authenticates as the default user.
    #[must_use]
    pub fn password(mut self, password: impl Into<Text<'a>>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The name of the connection in CLIENT LIST. It must not hold blanks or line breaks.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<Text<'a>>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// The name and version of the library in CLIENT LIST (Redis 7.2); older servers do not know it, which is ignored.
    /// Those of redwire by default.
    #[must_use]
    pub fn library(mut self, name: impl Into<Text<'a>>, version: impl Into<Text<'a>>) -> Self {
        self.library = Some((name.into(), version.into()));
        self
    }

    /// Says nothing about the library to the server, which saves two commands in the handshake.
    #[must_use]
    pub fn no_library(mut self) -> Self {
        self.library = None;
        self
    }

    /// The number of the database to select.
    #[must_use]
    pub fn database(mut self, number: u32) -> Self {
        self.database = number;
        self
    }

    /// The protocol to speak: RESP3 unless the server does not know it, or RESP2 from the start.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Whether RESP2 will do where the server refuses RESP3: yes by default.
    #[must_use]
    pub fn fallback(mut self, allowed: bool) -> Self {
        self.fallback = allowed;
        self
    }

    /// Limits on what the server may send.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long the handshake may take, from [`connected`](super::Connection::connected) on. For ever by default.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = Some(timeout);
        self
    }

    /// How long a reply may take, from [`send`](super::Connection::send) on, unless the command or its
    /// [`SendOptions`](super::SendOptions) say otherwise. For ever by default.
    ///
    /// A command that is late fails, and the connection goes on: its reply is discarded when it comes.
    #[must_use]
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = Some(timeout);
        self
    }

    /// Sends a PING when nothing was received for so long and no reply is due. Never by default.
    #[must_use]
    pub fn health_check(mut self, interval: Duration) -> Self {
        self.health_check_interval = Some(interval);
        self
    }

    /// Gives the connection up when, after a PING or after a command that is late, nothing at all comes for so long:
    /// 5 seconds by default.
    #[must_use]
    pub fn health_check_timeout(mut self, timeout: Duration) -> Self {
        self.health_check_timeout = timeout;
        self
    }
}

impl fmt::Debug for Config<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("username", &self.username.as_ref().map(|_| "***"))
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("client_name", &self.client_name)
            .field("database", &self.database)
            .field("protocol", &self.protocol)
            .field("limits", &self.limits)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("command_timeout", &self.command_timeout)
            .field("health_check_interval", &self.health_check_interval)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Config<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Config {{ username: {}, password: {}, client_name: {}, database: {=u32}, protocol: {}, limits: {}, \
             handshake_timeout: {}, command_timeout: {}, health_check_interval: {}, .. }}",
            self.username.as_ref().map(|_| "***"),
            self.password.as_ref().map(|_| "***"),
            self.client_name,
            self.database,
            self.protocol,
            self.limits,
            self.handshake_timeout,
            self.command_timeout,
            self.health_check_interval
        );
    }
}
