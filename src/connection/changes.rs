//! What the user has changed on a connection that a fresh one does not have.

use core::fmt;

/// What commands of the user have changed on this connection and RESET, or another stream, would undo: a set of flags.
///
/// Database, watched keys, subscriptions and the [mode](super::Mode) are not among them; the connection tells them by
/// themselves. [`Connection::changes`](super::Connection::changes) gives what the server has confirmed.
///
/// ```
/// use redwire::connection::Changes;
///
/// let changes = Changes::NAME | Changes::TRACKING;
/// assert!(changes.contains(Changes::NAME));
/// assert!(!changes.contains(Changes::USER));
/// assert_eq!(format!("{changes:?}"), "NAME | TRACKING");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Changes(u16);

const NAMES: [&str; 15] = [
    "USER",
    "NAME",
    "LIBRARY",
    "TRACKING",
    "CACHING",
    "NO_EVICT",
    "NO_TOUCH",
    "CAPABILITIES",
    "IMPORT_SOURCE",
    "READONLY",
    "ASKING",
    "SCRIPT_DEBUG",
    "FIELD_SETS",
    "PROTOCOL",
    "MAINTENANCE",
];

impl Changes {
    /// AUTH, or HELLO with AUTH: the user may not be that of the configuration.
    pub const USER: Self = Changes(1);
    /// CLIENT SETNAME, or HELLO with SETNAME: the name is not that of the configuration.
    pub const NAME: Self = Changes(1 << 1);
    /// CLIENT SETINFO (Redis 7.2). RESET leaves what it has set.
    pub const LIBRARY: Self = Changes(1 << 2);
    /// CLIENT TRACKING (Redis 6.0).
    pub const TRACKING: Self = Changes(1 << 3);
    /// CLIENT CACHING (Redis 6.0): it holds for the next command, or the next transaction.
    pub const CACHING: Self = Changes(1 << 4);
    /// CLIENT NO-EVICT (Redis 7.0). RESET undoes it from Redis 7.2 on, so that it counts as kept.
    pub const NO_EVICT: Self = Changes(1 << 5);
    /// CLIENT NO-TOUCH (Redis 7.2).
    pub const NO_TOUCH: Self = Changes(1 << 6);
    /// CLIENT CAPA (Valkey 8.0). RESET leaves what it has set.
    pub const CAPABILITIES: Self = Changes(1 << 7);
    /// CLIENT IMPORT-SOURCE (Valkey 8.1). RESET undoes it from Valkey 9.1 on, so that it counts as kept.
    pub const IMPORT_SOURCE: Self = Changes(1 << 8);
    /// READONLY (Redis 3.0): reads from a replica of a cluster.
    pub const READONLY: Self = Changes(1 << 9);
    /// ASKING (Redis 3.0): it holds for the next command, or the next transaction.
    pub const ASKING: Self = Changes(1 << 10);
    /// SCRIPT DEBUG (Redis 3.2). RESET leaves what it has set.
    pub const SCRIPT_DEBUG: Self = Changes(1 << 11);
    /// HIMPORT PREPARE (Redis 8.10): sets of fields that the connection holds.
    pub const FIELD_SETS: Self = Changes(1 << 12);
    /// HELLO has switched to another protocol than the handshake agreed on.
    pub const PROTOCOL: Self = Changes(1 << 13);
    /// CLIENT MAINT_NOTIFICATIONS.
    pub const MAINTENANCE: Self = Changes(1 << 14);

    /// No change at all.
    pub const NONE: Self = Changes(0);

    /// What ends with the next command.
    pub(super) const NEXT_COMMAND: Self = Changes(Self::CACHING.0 | Self::ASKING.0);

    /// What a server may keep even after RESET.
    pub(super) const BEYOND_RESET: Self = Changes(
        Self::LIBRARY.0
            | Self::NO_EVICT.0
            | Self::CAPABILITIES.0
            | Self::IMPORT_SOURCE.0
            | Self::SCRIPT_DEBUG.0,
    );

    /// Whether nothing has been changed.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Changes) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn bits(self) -> u16 {
        self.0
    }

    pub(super) const fn from_bits(bits: u16) -> Self {
        Changes(bits)
    }

    pub(super) const fn with(self, other: Changes) -> Self {
        Changes(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Changes) -> Self {
        Changes(self.0 & !other.0)
    }

    pub(super) const fn common(self, other: Changes) -> Self {
        Changes(self.0 & other.0)
    }
}

impl core::ops::BitOr for Changes {
    type Output = Changes;

    fn bitor(self, other: Changes) -> Changes {
        self.with(other)
    }
}

/// The names of the flags: `NAME | TRACKING`, or `NONE`.
impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (bit, name) in NAMES.into_iter().enumerate() {
            if self.0 >> bit & 1 == 1 {
                f.write_str(if first { "" } else { " | " })?;
                f.write_str(name)?;
                first = false;
            }
        }
        if first { f.write_str("NONE") } else { Ok(()) }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Changes {
    fn format(&self, f: defmt::Formatter<'_>) {
        let mut first = true;
        for (bit, name) in NAMES.into_iter().enumerate() {
            if self.0 >> bit & 1 == 1 {
                defmt::write!(f, "{=str}{=str}", if first { "" } else { " | " }, name);
                first = false;
            }
        }
        if first {
            defmt::write!(f, "NONE");
        }
    }
}
