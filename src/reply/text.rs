//! Replies that are text with a grammar of their own: INFO, CLIENT LIST and CLIENT INFO.

use core::str::FromStr;

use nom::bytes::complete::{tag, take_till, take_while};
use nom::character::complete::space0;
use nom::combinator::rest;
use nom::sequence::{preceded, separated_pair, terminated};
use nom::{IResult, Parser};

use super::{DecodeError, FromReply, Reply};

/// The reply of [INFO](https://redis.io/docs/latest/commands/info/): fields and values in sections.
///
/// ```
/// use redwire::reply::text::Info;
///
/// let info = Info::new("# Server\r\nredis_version:7.0.15\r\n\r\n# Keyspace\r\ndb0:keys=2,expires=1\r\n");
/// assert_eq!(info.get("redis_version"), Some("7.0.15"));
/// assert_eq!(info.sections().collect::<Vec<_>>(), ["Server", "Keyspace"]);
/// assert_eq!(info.properties("db0").parse::<u64>("keys"), Some(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Info<'a>(&'a str);

/// One field of [`Info`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InfoField<'a> {
    /// The section as its heading has it, such as `Server`; empty before the first.
    pub section: &'a str,
    /// The name, such as `redis_version`.
    pub name: &'a str,
    /// The value: everything after the first colon.
    pub value: &'a str,
}

impl<'a> Info<'a> {
    /// Reads text that INFO gave. Lines that are neither headings nor fields are passed over.
    pub fn new(text: &'a str) -> Self {
        Info(text)
    }

    /// The text as it came.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// The value of a field, the first one of that name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.fields().find(|field| field.name == name).map(|field| field.value)
    }

    /// The value of a field as a number or another type; `None` if the field is missing or of another form.
    ///
    /// ```
    /// # use redwire::reply::text::Info;
    /// let info = Info::new("# Clients\r\nconnected_clients:4\r\n");
    /// assert_eq!(info.parse::<u32>("connected_clients"), Some(4));
    /// ```
    pub fn parse<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// The parts of a field such as `db0:keys=1,expires=0`; none if it is missing.
    pub fn properties(&self, name: &str) -> Properties<'a> {
        Properties { rest: self.get(name).unwrap_or_default(), separator: ',' }
    }

    /// All fields, in the order of the text.
    pub fn fields(&self) -> impl Iterator<Item = InfoField<'a>> + use<'a> {
        let mut section = "";
        Lines(self.0).filter_map(move |line| {
            if let Ok((_, name)) = heading(line) {
                section = name;
                return None;
            }
            let (_, (name, value)) = field(line).ok()?;
            Some(InfoField { section, name, value })
        })
    }

    /// The headings, in the order of the text.
    pub fn sections(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        Lines(self.0).filter_map(|line| heading(line).ok().map(|(_, name)| name))
    }
}

impl<'a> FromReply<'a> for Info<'a> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        reply.text().map(Info)
    }
}

/// The reply of [CLIENT LIST](https://redis.io/docs/latest/commands/client-list/): a line for each client.
///
/// ```
/// use redwire::reply::text::ClientList;
///
/// let list = ClientList::new("id=3 addr=127.0.0.1:5 name= db=0\nid=4 addr=[::1]:6 name=worker db=2\n");
/// let worker = list.clients().find(|client| client.get("name") == Some("worker")).unwrap();
/// assert_eq!(worker.parse::<u64>("id"), Some(4));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientList<'a>(&'a str);

impl<'a> ClientList<'a> {
    /// Reads text that CLIENT LIST gave.
    pub fn new(text: &'a str) -> Self {
        ClientList(text)
    }

    /// The clients, in the order of the text.
    pub fn clients(&self) -> impl Iterator<Item = Properties<'a>> + use<'a> {
        Lines(self.0).map(|line| Properties { rest: line, separator: ' ' })
    }
}

impl<'a> FromReply<'a> for ClientList<'a> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        reply.text().map(ClientList)
    }
}

/// The reply of [CLIENT INFO](https://redis.io/docs/latest/commands/client-info/): one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientInfo<'a>(Properties<'a>);

impl<'a> ClientInfo<'a> {
    /// Reads text that CLIENT INFO gave.
    pub fn new(text: &'a str) -> Self {
        ClientInfo(Properties { rest: Lines(text).next().unwrap_or_default(), separator: ' ' })
    }

    /// The names and values, in the order of the text.
    pub fn properties(&self) -> Properties<'a> {
        self.0
    }
}

impl<'a> FromReply<'a> for ClientInfo<'a> {
    fn from_reply(reply: Reply<'_, 'a>) -> Result<Self, DecodeError<'a>> {
        reply.text().map(ClientInfo::new)
    }
}

/// Names and values, `name=value`, in one line. As an iterator it gives the pairs in the order of the text.
///
/// What has no `=` is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Properties<'a> {
    rest: &'a str,
    separator: char,
}

impl<'a> Properties<'a> {
    /// The value of a name, the first one of that name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let mut properties = *self;
        properties.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The value of a name as a number or another type; `None` if it is missing or of another form.
    pub fn parse<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }
}

impl<'a> Iterator for Properties<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (rest, part) = item(self.rest, |c| c == self.separator).ok()?;
            self.rest = rest;
            if let Ok((_, pair)) = property(part) {
                return Some(pair);
            }
        }
        None
    }
}

/// The lines that are not empty. Servers end them with CRLF in INFO and with LF in CLIENT LIST.
#[derive(Clone)]
struct Lines<'a>(&'a str);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while !self.0.is_empty() {
            let (rest, line) = item(self.0, |c| matches!(c, '\r' | '\n')).ok()?;
            self.0 = rest;
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }
}

/// What stands before the next separators, and these.
fn item(input: &str, separates: impl Fn(char) -> bool) -> IResult<&str, &str> {
    terminated(take_till(&separates), take_while(&separates)).parse(input)
}

/// `# Server`
fn heading(line: &str) -> IResult<&str, &str> {
    preceded((tag("#"), space0), rest).parse(line)
}

/// `redis_version:7.0.15`
fn field(line: &str) -> IResult<&str, (&str, &str)> {
    separated_pair(take_till(|c| c == ':'), tag(":"), rest).parse(line)
}

/// `name=value`
fn property(part: &str) -> IResult<&str, (&str, &str)> {
    separated_pair(take_till(|c| c == '='), tag("="), rest).parse(part)
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::resp::{Frame, Limits};

    #[test]
    fn info_fields_in_sections() {
        let text = "# Server\r\nredis_version:7.0.15\r\nos:Linux 5.10 x86_64\r\nexecutable:C:\\redis\r\nempty:\r\n\r\n# Keyspace\r\nnoise\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n";
        let info = Info::new(text);
        assert_eq!(info.as_str(), text);
        let fields: Vec<_> = info.fields().map(|f| (f.section, f.name, f.value)).collect();
        assert_eq!(
            fields,
            [
                ("Server", "redis_version", "7.0.15"),
                ("Server", "os", "Linux 5.10 x86_64"),
                ("Server", "executable", "C:\\redis"),
                ("Server", "empty", ""),
                ("Keyspace", "db0", "keys=1,expires=0,avg_ttl=0"),
            ]
        );
        assert_eq!(info.sections().collect::<Vec<_>>(), ["Server", "Keyspace"]);
        assert_eq!(info.parse::<u32>("os"), None);
        assert_eq!(info.get("missing"), None);
        let database: Vec<_> = info.properties("db0").collect();
        assert_eq!(database, [("keys", "1"), ("expires", "0"), ("avg_ttl", "0")]);
        assert_eq!(info.properties("missing").count(), 0);
    }

    #[test]
    fn info_from_both_protocols() {
        for bytes in [&b"$10\r\n# A\r\nb:c\r\n\r\n"[..], b"=14\r\ntxt:# A\r\nb:c\r\n\r\n"] {
            let frame = Frame::read(bytes, Limits::default()).unwrap();
            let info: Info<'_> = frame.decode().unwrap();
            assert_eq!(info.get("b"), Some("c"));
        }
    }

    #[test]
    fn clients() {
        let text = "id=3 addr=127.0.0.1:50000 name= flags=N cmd=client|list\nid=4 name=a=b  lone resp=3\n";
        let list = ClientList::new(text);
        let clients: Vec<Vec<_>> = list.clients().map(Iterator::collect).collect();
        assert_eq!(
            clients,
            [
                &[
                    ("id", "3"),
                    ("addr", "127.0.0.1:50000"),
                    ("name", ""),
                    ("flags", "N"),
                    ("cmd", "client|list")
                ][..],
                &[("id", "4"), ("name", "a=b"), ("resp", "3")],
            ]
        );
        let one = ClientInfo::new("id=7 db=1\n");
        assert_eq!(one.properties().parse::<u8>("db"), Some(1));
        assert_eq!(ClientList::new("").clients().count(), 0);
    }
}
