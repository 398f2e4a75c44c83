//! What can be wrong with bytes ([`ProtocolError`]) and what a server says in an error reply ([`ErrorReply`]).

use core::fmt;

/// The peer broke the wire format. The connection cannot be used any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ProtocolError {
    /// What is wrong.
    pub kind: ProtocolErrorKind,
    /// Where: bytes since the start of the stream. This is the first byte that cannot stand there. For a limit it is the
    /// type byte of the value that is too large, or the first byte too many of a line.
    pub offset: u64,
}

/// What is wrong with the bytes a peer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProtocolErrorKind {
    /// A value starts with a byte that is no type of the protocol in use.
    UnknownType,
    /// A length or count that is not plain decimal digits, does not fit, or is negative where null is not possible.
    BadLength,
    /// An integer that is not an optional sign and digits, or does not fit 64 bits.
    BadInteger,
    /// A double that is neither decimal or exponent form nor `inf`, `-inf`, `nan`, `-nan`.
    BadDouble,
    /// A boolean other than `t` and `f`.
    BadBoolean,
    /// A null with text.
    BadNull,
    /// A big number that is not an optional sign and digits.
    BadBigNumber,
    /// A verbatim string shorter than `xxx:`, or without the colon.
    BadVerbatim,
    /// A line or string that does not end with CRLF.
    BadTerminator,
    /// A chunk outside of a streamed string, or something else inside.
    BadChunk,
    /// The end of a streamed aggregate where none is open.
    BadEnd,
    /// A streamed map that ends after a key.
    OddMap,
    /// A push without a string as its first element, or inside another push.
    BadPush,
    /// A string, aggregate or line larger than [`Limits`](super::Limits) allow.
    SizeLimit,
    /// Values nested deeper than [`Limits`](super::Limits) allow.
    DepthLimit,
}

impl ProtocolErrorKind {
    /// A short name, stable across versions: `unknown_type`, `bad_length`, ...
    pub const fn name(self) -> &'static str {
        match self {
            ProtocolErrorKind::UnknownType => "unknown_type",
            ProtocolErrorKind::BadLength => "bad_length",
            ProtocolErrorKind::BadInteger => "bad_integer",
            ProtocolErrorKind::BadDouble => "bad_double",
            ProtocolErrorKind::BadBoolean => "bad_bool",
            ProtocolErrorKind::BadNull => "bad_null",
            ProtocolErrorKind::BadBigNumber => "bad_bignum",
            ProtocolErrorKind::BadVerbatim => "bad_verbatim",
            ProtocolErrorKind::BadTerminator => "bad_terminator",
            ProtocolErrorKind::BadChunk => "bad_chunk",
            ProtocolErrorKind::BadEnd => "bad_end",
            ProtocolErrorKind::OddMap => "odd_map",
            ProtocolErrorKind::BadPush => "bad_push",
            ProtocolErrorKind::SizeLimit => "size_limit",
            ProtocolErrorKind::DepthLimit => "depth_limit",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            ProtocolErrorKind::UnknownType => "unknown type byte",
            ProtocolErrorKind::BadLength => "malformed length",
            ProtocolErrorKind::BadInteger => "malformed integer",
            ProtocolErrorKind::BadDouble => "malformed double",
            ProtocolErrorKind::BadBoolean => "malformed boolean",
            ProtocolErrorKind::BadNull => "malformed null",
            ProtocolErrorKind::BadBigNumber => "malformed big number",
            ProtocolErrorKind::BadVerbatim => "malformed verbatim string",
            ProtocolErrorKind::BadTerminator => "missing CRLF",
            ProtocolErrorKind::BadChunk => "malformed streamed string",
            ProtocolErrorKind::BadEnd => "end of a stream where none is open",
            ProtocolErrorKind::OddMap => "map key without a value",
            ProtocolErrorKind::BadPush => "malformed push",
            ProtocolErrorKind::SizeLimit => "size limit exceeded",
            ProtocolErrorKind::DepthLimit => "nesting limit exceeded",
        }
    }
}

impl fmt::Display for ProtocolErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of the stream", self.kind.description(), self.offset)
    }
}

impl core::error::Error for ProtocolError {}

/// An error reply of the server: a code and a text.
///
/// ```
/// use redwire::resp::{ErrorCode, ErrorReply};
///
/// let error = ErrorReply::new(b"WRONGTYPE Operation against a key holding the wrong kind of value");
/// assert_eq!(error.code_text(), Some("WRONGTYPE"));
/// assert_eq!(error.code(), ErrorCode::WrongType);
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ErrorReply<'a> {
    text: &'a [u8],
}

/// The codes that clients act upon. A code that is not listed is [`ErrorCode::Other`]; its text is in the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ErrorCode {
    /// `ERR`, or no code at all.
    Err,
    /// `WRONGTYPE`: the key holds another type.
    WrongType,
    /// `NOSCRIPT`: EVALSHA of a script that the server does not hold.
    NoScript,
    /// `NOAUTH`: authenticate first.
    NoAuth,
    /// `WRONGPASS`: user name or password is wrong.
    WrongPass,
    /// `NOPERM`: the user may not do this.
    NoPerm,
    /// `NOPROTO`: the server does not speak the protocol that HELLO asked for.
    NoProto,
    /// `EXECABORT`: a command of the transaction was refused when it was queued.
    ExecAbort,
    /// `LOADING`: the server reads its data set from disk.
    Loading,
    /// `BUSY`: a script runs for too long.
    Busy,
    /// `BUSYGROUP`: the consumer group exists.
    BusyGroup,
    /// `BUSYKEY`: RESTORE to a key that exists.
    BusyKey,
    /// `READONLY`: the server is a replica.
    ReadOnly,
    /// `MASTERDOWN`: the replica has lost its master.
    MasterDown,
    /// `NOREPLICAS`: too few replicas for a write.
    NoReplicas,
    /// `OOM`: the server is out of memory for writes.
    OutOfMemory,
    /// `MISCONF`: the server cannot persist and refuses writes.
    Misconfigured,
    /// `UNBLOCKED`: another client ended this blocking command.
    Unblocked,
    /// `NOGROUP`: no such stream or consumer group.
    NoGroup,
    /// `NOTBUSY`: no script runs.
    NotBusy,
    /// `UNKILLABLE`: the script has written and cannot be killed.
    Unkillable,
    /// `TRYAGAIN`: the slot is being moved.
    TryAgain,
    /// `MOVED`: another node of the cluster serves this slot.
    Moved,
    /// `ASK`: another node of the cluster serves this key for now.
    Ask,
    /// `CLUSTERDOWN`: the cluster does not serve this slot.
    ClusterDown,
    /// `CROSSSLOT`: the keys are in different slots.
    CrossSlot,
    /// Any other code.
    Other,
}

const CODES: [(&str, ErrorCode); 26] = [
    ("ERR", ErrorCode::Err),
    ("WRONGTYPE", ErrorCode::WrongType),
    ("NOSCRIPT", ErrorCode::NoScript),
    ("NOAUTH", ErrorCode::NoAuth),
    ("WRONGPASS", ErrorCode::WrongPass),
    ("NOPERM", ErrorCode::NoPerm),
    ("NOPROTO", ErrorCode::NoProto),
    ("EXECABORT", ErrorCode::ExecAbort),
    ("LOADING", ErrorCode::Loading),
    ("BUSY", ErrorCode::Busy),
    ("BUSYGROUP", ErrorCode::BusyGroup),
    ("BUSYKEY", ErrorCode::BusyKey),
    ("READONLY", ErrorCode::ReadOnly),
    ("MASTERDOWN", ErrorCode::MasterDown),
    ("NOREPLICAS", ErrorCode::NoReplicas),
    ("OOM", ErrorCode::OutOfMemory),
    ("MISCONF", ErrorCode::Misconfigured),
    ("UNBLOCKED", ErrorCode::Unblocked),
    ("NOGROUP", ErrorCode::NoGroup),
    ("NOTBUSY", ErrorCode::NotBusy),
    ("UNKILLABLE", ErrorCode::Unkillable),
    ("TRYAGAIN", ErrorCode::TryAgain),
    ("MOVED", ErrorCode::Moved),
    ("ASK", ErrorCode::Ask),
    ("CLUSTERDOWN", ErrorCode::ClusterDown),
    ("CROSSSLOT", ErrorCode::CrossSlot),
];

impl ErrorCode {
    /// The code as it stands on the wire, `WRONGTYPE` say; `other` for one that is not listed.
    pub(crate) fn name(self) -> &'static str {
        CODES.iter().find(|(_, code)| *code == self).map_or("other", |(name, _)| *name)
    }
}

impl<'a> ErrorReply<'a> {
    /// An error with the text of the wire, code included, type byte and CRLF not.
    pub const fn new(text: &'a [u8]) -> Self {
        ErrorReply { text }
    }

    /// The whole text as the server sent it, code included. It may hold any byte.
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The code as the server wrote it: the first word if it starts with a capital and has only capitals, digits and `_`.
    pub fn code_text(&self) -> Option<&'a str> {
        self.code_word().and_then(|word| core::str::from_utf8(word).ok())
    }

    /// The bytes of [`code_text`](Self::code_text).
    pub(crate) fn code_word(&self) -> Option<&'a [u8]> {
        let end = self.text.iter().position(|&byte| byte == b' ').unwrap_or(self.text.len());
        let word = self.text.get(..end)?;
        let legal = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
        (word.first().is_some_and(u8::is_ascii_uppercase) && word.iter().all(legal)).then_some(word)
    }

    /// The code as a value to match on.
    pub fn code(&self) -> ErrorCode {
        match self.code_text() {
            None => ErrorCode::Err,
            Some(text) => {
                CODES.iter().find(|(name, _)| *name == text).map_or(ErrorCode::Other, |(_, code)| *code)
            }
        }
    }

    /// Whether the server has no room for another connection (`maxclients`). It says so to the first thing that it is asked,
    /// and closes the stream.
    pub fn is_full(&self) -> bool {
        self.text.starts_with(b"ERR max number of clients")
    }

    /// Whether the server did nothing, for a reason that passes. The same command may succeed later on this connection. True for LOADING, BUSY, MASTERDOWN, TRYAGAIN and CLUSTERDOWN.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.code(),
            ErrorCode::Loading
                | ErrorCode::Busy
                | ErrorCode::MasterDown
                | ErrorCode::TryAgain
                | ErrorCode::ClusterDown
        )
    }
}

impl fmt::Display for ErrorReply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.text.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ErrorReply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorReply(\"{}\")", self.text.escape_ascii())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for ErrorReply<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8]:a}", self.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        assert_eq!(ErrorReply::new(b"ERR x").code_text(), Some("ERR"));
        assert_eq!(ErrorReply::new(b"Error message").code_text(), None);
        assert_eq!(ErrorReply::new(b"").code_text(), None);
        assert_eq!(ErrorReply::new(b"X").code(), ErrorCode::Other);
        assert_eq!(ErrorReply::new(b"MOVED 1 a:1").code(), ErrorCode::Moved);
        assert!(ErrorReply::new(b"LOADING x").is_retryable());
    }

    #[test]
    fn every_code_is_found() {
        for (name, code) in CODES {
            assert_eq!(ErrorReply::new(name.as_bytes()).code(), code);
            assert_eq!(code.name(), name);
        }
    }
}
