//! Where a server is: what a connector is told.

use core::fmt;
use core::str::FromStr;

/// The port of a Redis server that was given none of its own.
pub const DEFAULT_PORT: u16 = 6379;

/// A host and a port, in place: a name or an address of at most `HOST` bytes. Names in the DNS have at most 253.
///
/// ```
/// use redwire_embedded_io::{Address, AddressError};
///
/// let server: Address = "redis.lan:6380".parse()?;
/// assert_eq!((server.host(), server.port()), ("redis.lan", 6380));
///
/// // Without a port it is 6379. An IPv6 address is put into brackets.
/// assert_eq!("192.168.4.1".parse::<Address>()?.port(), 6379);
/// assert_eq!("[fe80::1]:6379".parse::<Address>()?.host(), "fe80::1");
///
/// let short: Result<Address<8>, _> = "redis.lan".parse();
/// assert_eq!(short, Err(AddressError::TooLong { needed: 9, capacity: 8 }));
/// # Ok::<(), AddressError>(())
/// ```
///
/// User, password and database are no part of it, but of the [`Config`](redwire::connection::Config).
///
/// It is what a connector keeps:
///
/// ```
/// use redwire_embedded_io::prelude::*;
/// # use embedded_io::{ErrorKind as Io, ErrorType, Read, Write};
/// # struct Modem;
/// # struct Socket;
/// # impl Modem { fn dial(&mut self, host: &str, port: u16) -> Result<Socket, Io> { Err(Io::NotConnected) } }
/// # impl ErrorType for Socket { type Error = Io; }
/// # impl Read for Socket { fn read(&mut self, _: &mut [u8]) -> Result<usize, Io> { Ok(0) } }
/// # impl Write for Socket {
/// #     fn write(&mut self, bytes: &[u8]) -> Result<usize, Io> { Ok(bytes.len()) }
/// #     fn flush(&mut self) -> Result<(), Io> { Ok(()) }
/// # }
///
/// struct Cellular {
///     modem: Modem,
///     server: Address,
/// }
///
/// impl Connector for Cellular {
///     type Stream = Socket;
///     type Error = embedded_io::ErrorKind;
///
///     fn connect(&mut self) -> Result<Socket, Self::Error> {
///         self.modem.dial(self.server.host(), self.server.port())
///     }
/// }
///
/// let server = "redis.example.com".parse().unwrap();
/// let mut memory = StaticBuffers::<512, 256, 8>::new();
/// let mut redis = Client::new(Cellular { modem: Modem, server }, Config::default(), memory.memory(), NoClock);
/// let refused = redis.get::<&str>("key").unwrap_err();
/// assert_eq!(*refused.kind(), ErrorKind::Connect);
/// assert_eq!(refused.origin().kind(), Some(embedded_io::ErrorKind::NotConnected));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Address<const HOST: usize = 64> {
    host: heapless::String<HOST>,
    port: u16,
}

/// Why a text is no address. It does not show the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AddressError {
    /// There is no host.
    Empty,
    /// The host has more bytes than there is room for.
    TooLong {
        /// The bytes of the host.
        needed: usize,
        /// The bytes that there is room for.
        capacity: usize,
    },
    /// The host holds what no name and no address can: a blank, a slash, an `@`, a colon outside of brackets.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
}

impl<const HOST: usize> Address<HOST> {
    /// The address of a host, an IPv6 address without brackets, and a port.
    ///
    /// # Errors
    /// [`AddressError`]
    pub fn new(host: &str, port: u16) -> Result<Self, AddressError> {
        if host.is_empty() {
            return Err(AddressError::Empty);
        }
        let address = |b: u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
        // Behind a percent sign stands the zone of an address.
        let (part, zone) = host.split_once('%').unwrap_or((host, ""));
        let fits = if part.contains(':') {
            part.bytes().all(address) && zone.bytes().all(|b| b.is_ascii_alphanumeric())
        } else {
            host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        if !fits {
            return Err(AddressError::Host);
        }
        if port == 0 {
            return Err(AddressError::Port);
        }
        match heapless::String::try_from(host) {
            Ok(host) => Ok(Address { host, port }),
            Err(_) => Err(AddressError::TooLong { needed: host.len(), capacity: HOST }),
        }
    }

    /// The name or address of the host; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl<const HOST: usize> FromStr for Address<HOST> {
    type Err = AddressError;

    /// Reads `host:port`, `[address]:port`, or either without the port.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(AddressError::Host)?;
                let port = rest.strip_prefix(':');
                if !host.contains(':') || (port.is_none() && !rest.is_empty()) {
                    return Err(if host.is_empty() { AddressError::Empty } else { AddressError::Host });
                }
                (host, port)
            }
            None => match text.split_once(':') {
                // Without brackets it cannot be told where an address ends.
                Some((_, port)) if port.contains(':') => return Err(AddressError::Host),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| AddressError::Port)?
            }
            Some(_) => return Err(if host.is_empty() { AddressError::Empty } else { AddressError::Port }),
        };
        Address::new(host, port)
    }
}

/// As it can be read again.
impl<const HOST: usize> fmt::Display for Address<HOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressError::Empty => f.write_str("there is no host"),
            AddressError::TooLong { needed, capacity } => {
                write!(f, "the host has {needed} bytes, and there is room for {capacity}")
            }
            AddressError::Host => f.write_str(
                "what stands for the host is neither a name nor an address; that of IPv6 needs brackets",
            ),
            AddressError::Port => f.write_str("the port is not a number from 1 to 65535"),
        }
    }
}

impl core::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn what_is_read_is_shown_again() {
        for (text, host, port) in [
            ("localhost", "localhost", 6379),
            ("localhost:1", "localhost", 1),
            ("10.0.0.1:65535", "10.0.0.1", 65535),
            ("[::1]", "::1", 6379),
            ("[::1]:6380", "::1", 6380),
            ("[fe80::1%eth0]:6380", "fe80::1%eth0", 6380),
            ("[::ffff:10.0.0.1]:7", "::ffff:10.0.0.1", 7),
            ("my_redis-1.lan", "my_redis-1.lan", 6379),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn what_is_no_address() {
        use AddressError::{Empty, Host, Port};
        for (text, error) in [
            ("", Empty),
            (":6379", Empty),
            (":x", Empty),
            ("[]:6379", Empty),
            ("::1", Host),
            ("[::1", Host),
            ("[::1]6379", Host),
            ("[localhost]:6379", Host),
            ("[::1]x:6379", Host),
            ("[::g]:6379", Host),
            ("a b", Host),
            ("redis://localhost:6379", Host),
            ("user:secret@localhost:6379", Host),
            ("host/0", Host),
            ("h\r\nost", Host),
            ("host:", Port),
            ("host:0", Port),
            ("host:65536", Port),
            ("host:+1", Port),
            ("host: 1", Port),
            ("host:1/0", Port),
            ("host:99999999999999999999", Port),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_host_has_as_many_bytes_as_there_is_room_for() {
        assert_eq!("12345678:1".parse::<Address<8>>().unwrap().host(), "12345678");
        let error = AddressError::TooLong { needed: 9, capacity: 8 };
        assert_eq!("123456789:1".parse::<Address<8>>(), Err(error));
        assert_eq!(Address::<0>::new("a", 1), Err(AddressError::TooLong { needed: 1, capacity: 0 }));
        assert_eq!(error.to_string(), "the host has 9 bytes, and there is room for 8");
    }
}
