//! Where a server is and how to log in, as a URL.
//!
//! ```text
//! redis://[[user]:password@]host[:port][/database][?db=N&protocol=2|3]
//! unix://[[user]:password@]/path/to/socket[?db=N&protocol=2|3]
//! ```
//!
//! `redis+unix` is the same as `unix`. User, password and path are percent-decoded, once. Nothing here ever prints a
//! password, a user name or the URL itself: neither errors nor `Debug`.

use alloc::{string::String, vec::Vec};
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use nom::branch::alt;
use nom::bytes::complete::{tag_no_case, take_till, take_till1, take_until, take_while_m_n};
use nom::character::complete::{char, digit1};
use nom::combinator::{all_consuming, map_opt, opt, rest, value};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{IResult, Parser};

use crate::connection::Config;
use crate::resp::Protocol;

/// The port of a server when a URL names none.
pub const DEFAULT_PORT: u16 = 6379;

/// Where a server is and how to log in.
///
/// ```
/// use redwire::url::{Endpoint, Url};
///
/// let url: Url = "redis://worker:p%40ss@[::1]:6380/2".parse().unwrap();
/// assert_eq!(url.endpoint, Endpoint::Tcp { host: "::1".into(), port: 6380 });
/// assert_eq!(url.username.as_deref(), Some("worker"));
/// assert_eq!(url.password.unwrap().expose(), "p@ss");
/// assert_eq!(url.database, 2);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Url {
    /// Where to connect to; `localhost` if there is no host.
    pub endpoint: Endpoint,
    /// The user to log in as, never without a password; without one the password is that of the default user.
    pub username: Option<String>,
    /// The password to log in with.
    pub password: Option<Secret>,
    /// The database to select, 0 unless the URL says. `?db=` outweighs the path.
    pub database: u32,
    /// The protocol to speak, if the URL says.
    pub protocol: Option<Protocol>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Endpoint {
    /// A TCP port.
    Tcp {
        /// A name or an address; that of IPv6 without brackets.
        host: String,
        /// The port, 6379 by default.
        port: u16,
    },
    /// A Unix domain socket.
    Unix {
        /// The absolute path of the socket.
        path: String,
    },
}

/// Text that must not be shown: `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Secret {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "***");
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Url")
            .field("endpoint", &self.endpoint)
            .field("username", &self.username.as_deref().map(Secret::from))
            .field("password", &self.password)
            .field("database", &self.database)
            .field("protocol", &self.protocol)
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Url {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Url {{ endpoint: {}, username: {}, password: {}, database: {=u32}, protocol: {} }}",
            self.endpoint,
            self.username.as_deref().map(Secret::from),
            self.password,
            self.database,
            self.protocol
        );
    }
}

/// What is wrong with a URL. The URL is not shown, since it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UrlError {
    /// It begins with no scheme that is known.
    Scheme,
    /// It asks for TLS, which is not built in.
    Tls,
    /// It has a user and no password, which mostly is a password in the wrong place.
    UserWithoutPassword,
    /// User name or password hold a character that has to be percent-encoded, or a sequence that is no encoding.
    Login,
    /// The host is not a name or address.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The path of a Unix domain socket is missing or is not percent-encoded UTF-8.
    Path,
    /// The database is not a number.
    Database,
    /// The protocol is neither 2 nor 3.
    Protocol,
    /// The part after the question mark is not of the form `name=value&name=value`.
    Query,
    /// A parameter that is not known; with its name.
    UnknownParameter(String),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UrlError::Scheme => "the URL has to begin with redis://, unix:// or redis+unix://",
            UrlError::Tls => "TLS is not built in: use redis:// and a TLS proxy or tunnel",
            UrlError::Login => {
                "the user name or password of the URL is malformed: percent-encode every character but letters and digits"
            }
            UrlError::UserWithoutPassword => {
                "the URL has a user name and no password: write redis://:password@host or redis://user:password@host"
            }
            UrlError::Host => {
                "the host of the URL has to be a name or an address, that of IPv6 in square brackets"
            }
            UrlError::Port => "the port of the URL has to be a number from 1 to 65535",
            UrlError::Path => "the URL has to hold the absolute path of a socket, such as unix:///run/redis.sock",
            UrlError::Database => "the database of the URL has to be a number, such as /0 or ?db=0",
            UrlError::Protocol => "the protocol of the URL has to be 2 or 3",
            UrlError::Query => "the parameters of the URL have to be of the form ?name=value&name=value",
            UrlError::UnknownParameter(name) => {
                return write!(f, "the URL has an unknown parameter `{name}`: known are db and protocol");
            }
        })
    }
}

impl core::error::Error for UrlError {}

/// The parts of a URL as they stand in it.
struct Parts<'a> {
    scheme: Scheme,
    login: Option<&'a str>,
    host_and_port: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Tcp,
    Tls,
    Unix,
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (rest, scheme) = scheme(text).map_err(|_| UrlError::Scheme)?;
        if scheme == Scheme::Tls {
            return Err(UrlError::Tls);
        }
        let (_, parts) = all_consuming(parts(scheme)).parse(rest).map_err(|_| UrlError::Login)?;
        parts.check_login()?;
        let (username, password) = match parts.login {
            Some(login) => all_consuming(credentials).parse(login).map_err(|_| UrlError::Login)?.1,
            None => (None, None),
        };
        if username.is_some() && password.is_none() {
            return Err(UrlError::UserWithoutPassword);
        }
        let mut url = Url { endpoint: parts.endpoint()?, username, password, database: 0, protocol: None };
        if scheme == Scheme::Tcp {
            url.database = database_in_path(parts.path)?;
        }
        if let Some(query) = parts.query.filter(|query| !query.is_empty()) {
            for text in query.split('&') {
                let (_, (name, value)) = all_consuming(parameter).parse(text).map_err(|_| UrlError::Query)?;
                url.set(name, value)?;
            }
        }
        Ok(url)
    }
}

/// The login, the database and the protocol of a URL, over [`Config::default`].
///
/// ```
/// use redwire::{connection::Config, resp::Protocol, url::Url};
///
/// let url: Url = "redis://:secret@localhost/2?protocol=2".parse().unwrap();
/// let config = Config::from(&url).client_name("worker");
/// assert!(format!("{config:?}").contains("database: 2, protocol: Resp2"));
/// ```
impl From<&Url> for Config<'static> {
    fn from(url: &Url) -> Self {
        let mut config = Config::default().database(url.database);
        config = match (&url.username, &url.password) {
            (Some(username), Some(password)) => config.credentials(username.clone(), password.0.clone()),
            (None, Some(password)) => config.password(password.0.clone()),
            _ => config,
        };
        match url.protocol {
            Some(protocol) => config.protocol(protocol),
            None => config,
        }
    }
}

impl Url {
    fn set(&mut self, name: &str, value: &str) -> Result<(), UrlError> {
        match name {
            "db" => self.database = number(value).ok_or(UrlError::Database)?,
            "protocol" => {
                self.protocol = Some(match value {
                    "2" => Protocol::Resp2,
                    "3" => Protocol::Resp3,
                    _ => return Err(UrlError::Protocol),
                });
            }
            _ => return Err(UrlError::UnknownParameter(name.into())),
        }
        Ok(())
    }
}

impl Parts<'_> {
    /// Refuses a `/`, `?` or `#` in the password that is not encoded: it would end the login, and the rest of the
    /// password would be taken for a host, a path or a parameter.
    fn check_login(&self) -> Result<(), UrlError> {
        let cut = match self.scheme {
            // The path of a socket may hold an `@`, but has no host before it.
            Scheme::Unix => !self.host_and_port.is_empty(),
            _ => self.path.contains('@'),
        };
        let login_in_query = self.query.is_some_and(|query| query.contains('@'));
        if cut || login_in_query { Err(UrlError::Login) } else { Ok(()) }
    }

    fn endpoint(&self) -> Result<Endpoint, UrlError> {
        if self.scheme == Scheme::Unix {
            let (_, path) = all_consuming(percent_decoded).parse(self.path).map_err(|_| UrlError::Path)?;
            return if path.len() > 1 { Ok(Endpoint::Unix { path }) } else { Err(UrlError::Path) };
        }
        let (port, host) = host(self.host_and_port).map_err(|_| UrlError::Host)?;
        let port = match port.strip_prefix(':') {
            Some("") => DEFAULT_PORT,
            Some(digits) => number(digits).filter(|&port| port != 0).ok_or(UrlError::Port)?,
            None if port.is_empty() => DEFAULT_PORT,
            None => return Err(UrlError::Host),
        };
        let host = if host.is_empty() { "localhost" } else { host };
        Ok(Endpoint::Tcp { host: host.into(), port })
    }
}

/// `redis://`
fn scheme(input: &str) -> IResult<&str, Scheme> {
    alt((
        value(Scheme::Tcp, tag_no_case("redis://")),
        value(Scheme::Tls, tag_no_case("rediss://")),
        value(Scheme::Unix, tag_no_case("unix://")),
        value(Scheme::Unix, tag_no_case("redis+unix://")),
    ))
    .parse(input)
}

/// `login@host:port/path?query`
fn parts<'a>(scheme: Scheme) -> impl Parser<&'a str, Output = Parts<'a>, Error = nom::error::Error<&'a str>> {
    let authority = take_till(|c| matches!(c, '/' | '?' | '#'));
    let path = take_till(|c| matches!(c, '?' | '#'));
    let query = opt(preceded(char('?'), take_till(|c| c == '#')));
    (authority, path, query).map(move |(authority, path, query): (&str, _, _)| {
        // The last `@` ends the login: passwords with one that is not encoded are common and clear.
        let (login, host_and_port) = match authority.rsplit_once('@') {
            Some((login, host_and_port)) => (Some(login), host_and_port),
            None => (None, authority),
        };
        Parts { scheme, login, host_and_port, path, query }
    })
}

type Credentials = (Option<String>, Option<Secret>);

/// `user:password`, `user`, `:password`; what is empty is none.
fn credentials(input: &str) -> IResult<&str, Credentials> {
    let user = take_till(|c| c == ':').and_then(all_consuming(percent_decoded));
    let password = opt(preceded(char(':'), percent_decoded));
    (user, password)
        .map(|(user, password): (String, Option<String>)| {
            let password = password.filter(|password| !password.is_empty()).map(Secret);
            (Some(user).filter(|user| !user.is_empty()), password)
        })
        .parse(input)
}

/// `localhost`, `127.0.0.1`, `[::1]`; may be empty.
fn host(input: &str) -> IResult<&str, &str> {
    let address = map_opt(delimited(char('['), take_until("]"), char(']')), |address: &str| {
        address.parse::<Ipv6Addr>().is_ok().then_some(address)
    });
    let is_legal = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = map_opt(take_till(|c| c == ':'), move |name: &str| name.chars().all(is_legal).then_some(name));
    alt((address, name)).parse(input)
}

/// `/2`
fn database_in_path(path: &str) -> Result<u32, UrlError> {
    match path.strip_prefix('/') {
        None | Some("") => Ok(0),
        Some(digits) => number(digits).ok_or(UrlError::Database),
    }
}

/// `name=value`; names are letters, digits, `_` and `-`.
fn parameter(input: &str) -> IResult<&str, (&str, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    separated_pair(take_while_m_n(1, 64, is_name), char('='), rest).parse(input)
}

/// Any text in which `%41` stands for a byte.
fn percent_decoded(input: &str) -> IResult<&str, String> {
    let is_hex = |c: char| c.is_ascii_hexdigit();
    let byte = preceded(char('%'), take_while_m_n(2, 2, is_hex));
    let byte = map_opt(byte, |digits| u8::from_str_radix(digits, 16).ok());
    let plain = take_till1(|c| c == '%');
    let piece = alt((byte.map(Piece::Byte), plain.map(Piece::Plain)));
    let pieces = fold_many0(piece, Vec::new, |mut bytes, piece| {
        match piece {
            Piece::Byte(byte) => bytes.push(byte),
            Piece::Plain(text) => bytes.extend_from_slice(text.as_bytes()),
        }
        bytes
    });
    map_opt(pieces, |bytes| String::from_utf8(bytes).ok()).parse(input)
}

enum Piece<'a> {
    Byte(u8),
    Plain(&'a str),
}

/// Digits alone: no sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let (_, digits) = all_consuming::<_, nom::error::Error<&str>, _>(digit1).parse(text).ok()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use super::*;

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.into(), port }
    }

    #[test]
    fn endpoints_and_databases() {
        let table = [
            ("redis://", tcp("localhost", 6379), 0),
            ("redis:///3", tcp("localhost", 6379), 3),
            ("redis://h", tcp("h", 6379), 0),
            ("REDIS://h/", tcp("h", 6379), 0),
            ("redis://h:", tcp("h", 6379), 0),
            ("redis://h:7/15", tcp("h", 7), 15),
            ("redis://127.0.0.1:65535?db=4", tcp("127.0.0.1", 65535), 4),
            ("redis://h/1?db=4", tcp("h", 6379), 4),
            ("redis://h?", tcp("h", 6379), 0),
            ("redis://[::1]", tcp("::1", 6379), 0),
            ("redis://u:p@[2001:db8::2]:1/1", tcp("2001:db8::2", 1), 1),
            ("redis://:6380", tcp("localhost", 6380), 0),
            ("unix:///run/redis.sock", Endpoint::Unix { path: "/run/redis.sock".into() }, 0),
            ("redis+unix:///a%20b@c?db=2", Endpoint::Unix { path: "/a b@c".into() }, 2),
            ("unix://:p@/run/redis.sock?db=1", Endpoint::Unix { path: "/run/redis.sock".into() }, 1),
        ];
        for (text, endpoint, database) in table {
            let url: Url = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((url.endpoint, url.database), (endpoint, database), "{text}");
            assert_eq!(url.protocol, None);
        }
    }

    #[test]
    fn logins_are_decoded_once() {
        let table = [
            ("redis://h", None, None),
            ("redis://@h", None, None),
            ("redis://:@h", None, None),
            ("redis://:p@h", None, Some("p")),
            ("redis://u:p@h", Some("u"), Some("p")),
            ("redis://u%3a:p%2540%2F@h", Some("u:"), Some("p%40/")),
            ("redis://u:p:q@r@h", Some("u"), Some("p:q@r")),
            ("redis://:%C3%A4+b@h", None, Some("\u{e4}+b")),
            ("unix://u:p%3f@/s", Some("u"), Some("p?")),
        ];
        for (text, username, password) in table {
            let url: Url = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.username.as_deref(), username, "{text}");
            assert_eq!(url.password.as_ref().map(Secret::expose), password, "{text}");
        }
    }

    #[test]
    fn protocols() {
        let protocol = |text: &str| text.parse::<Url>().map(|url| url.protocol);
        assert_eq!(protocol("redis://h?protocol=2"), Ok(Some(Protocol::Resp2)));
        assert_eq!(protocol("redis://h/0?db=1&protocol=3"), Ok(Some(Protocol::Resp3)));
        assert_eq!(protocol("redis://h?protocol=4"), Err(UrlError::Protocol));
    }

    #[test]
    fn errors_say_what_to_do_and_never_show_the_login() {
        let table = [
            ("", UrlError::Scheme),
            ("hunter2:6379", UrlError::Scheme),
            ("http://:hunter2@h", UrlError::Scheme),
            ("redis:/:hunter2@h", UrlError::Scheme),
            ("rediss://:hunter2@h", UrlError::Tls),
            ("redis://:hunter2%@h", UrlError::Login),
            ("redis://:hunter2%zz@h", UrlError::Login),
            ("redis://:hunter2%ff@h", UrlError::Login),
            ("redis://hunter2@h", UrlError::UserWithoutPassword),
            ("redis://hunter2:@h", UrlError::UserWithoutPassword),
            ("unix://hunter2@/s", UrlError::UserWithoutPassword),
            ("redis://:hunter2/x@h", UrlError::Login),
            ("redis://:hunter2?hunter2=1@h", UrlError::Login),
            ("redis://:hunter2#x@h", UrlError::Login),
            ("unix://:hunter2/x@/s", UrlError::Login),
            ("unix://:hunter2?x@/s", UrlError::Login),
            ("redis://:hunter2@h h", UrlError::Host),
            ("redis://:hunter2@[::g]", UrlError::Host),
            ("redis://:hunter2@[::1", UrlError::Host),
            ("redis://:hunter2@[::1]x", UrlError::Host),
            ("redis://:hunter2@h:0", UrlError::Port),
            ("redis://:hunter2@h:65536", UrlError::Port),
            ("redis://:hunter2@h:+1", UrlError::Port),
            ("redis://:hunter2@::1", UrlError::Port),
            ("redis://:hunter2@h/x", UrlError::Database),
            ("redis://:hunter2@h/-1", UrlError::Database),
            ("redis://:hunter2@h/1/", UrlError::Database),
            ("redis://:hunter2@h/4294967296", UrlError::Database),
            ("redis://:hunter2@h?db=", UrlError::Database),
            ("redis://:hunter2@h?db", UrlError::Query),
            ("redis://:hunter2@h?db=1&", UrlError::Query),
            ("redis://:hunter2@h?=1", UrlError::Query),
            ("redis://:hunter2@h?timeout=1", UrlError::UnknownParameter("timeout".into())),
            ("unix://:hunter2@", UrlError::Path),
            ("unix:///", UrlError::Path),
            ("unix:///%ff", UrlError::Path),
        ];
        for (text, expected) in table {
            let error = text.parse::<Url>().expect_err(text);
            assert_eq!(error, expected, "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}");
        }
        let unknown = UrlError::UnknownParameter("timeout".into()).to_string();
        assert_eq!(unknown, "the URL has an unknown parameter `timeout`: known are db and protocol");
        assert!(UrlError::UserWithoutPassword.to_string().contains("write redis://:password@host"));
        for scheme in ["redis://", "unix://", "redis+unix://"] {
            assert!(UrlError::Scheme.to_string().contains(scheme));
        }
    }

    #[test]
    fn debug_hides_the_login() {
        let url: Url = "redis://worker:hunter2@h/1".parse().unwrap();
        let shown = format!("{url:?}");
        assert!(shown.contains("username: Some(***), password: Some(***)"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("worker"), "{shown}");
    }
}
