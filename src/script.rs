//! Lua scripts and their digests.

use core::fmt;

use crate::command::Argument;
use crate::resp::ArgumentWriter;

/// The SHA-1 digest by which a server knows a script. It is an identity, not a security boundary.
///
/// As an argument it is the forty hexadecimal digits that EVALSHA takes.
///
/// ```
/// use redwire::script::Digest;
///
/// let digest = Digest::of(b"return 1");
/// assert_eq!(digest.as_hex().as_str(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
/// assert_eq!(Digest::from_hex(digest.as_hex().as_bytes()), Some(digest));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest([u8; 20]);

impl Digest {
    /// The digest of a script's source.
    pub fn of(source: &[u8]) -> Self {
        Digest(sha1_smol::Sha1::from(source).digest().bytes())
    }

    /// Reads forty hexadecimal digits, in either case.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        if text.len() != 40 {
            return None;
        }
        let mut bytes = [0; 20];
        for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            for digit in digits {
                *byte = *byte << 4 | char::from(*digit).to_digit(16)? as u8;
            }
        }
        Some(Digest(bytes))
    }

    /// The digest as forty lower case hexadecimal digits.
    pub fn as_hex(&self) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 40];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        Hex(hex)
    }

    /// The digest as bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl Argument for Digest {
    fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>) {
        out.bytes(self.as_hex().as_bytes());
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Digest {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8]:02x}", self.0);
    }
}

/// Forty hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex([u8; 40]);

#[cfg(feature = "defmt")]
impl defmt::Format for Hex {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

impl Hex {
    /// The digits as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The digits as bytes.
    pub const fn as_bytes(&self) -> &[u8; 40] {
        &self.0
    }
}

/// A Lua script: its source and the digest of it, computed once.
///
/// ```
/// use redwire::script::Script;
///
/// let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
/// assert_eq!(multiply.digest(), redwire::script::Digest::of(multiply.source().as_bytes()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Script<'a> {
    source: &'a str,
    digest: Digest,
}

impl<'a> Script<'a> {
    /// A script with this source.
    pub fn new(source: &'a str) -> Self {
        Script { source, digest: Digest::of(source.as_bytes()) }
    }

    /// A script whose digest is known. With one of another source the server is asked for that other script.
    pub const fn new_unchecked(source: &'a str, digest: Digest) -> Self {
        Script { source, digest }
    }

    /// The source as it was given, which EVAL and SCRIPT LOAD send; the digest is made of these bytes.
    pub const fn source(&self) -> &'a str {
        self.source
    }

    /// The digest that EVALSHA takes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}
