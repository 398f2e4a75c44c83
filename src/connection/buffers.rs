//! The memory of a connection.

use super::Slot;
use crate::resp::Level;
use crate::storage::{Buffer, Storage};

/// The memory of a connection: lent by the caller, or growing under `alloc`.
///
/// ```
/// use redwire::connection::{Buffers, Slot};
/// use redwire::storage::{Buffer, Storage};
///
/// // Everything a small device needs, with every byte in sight.
/// let (mut receive, mut transmit) = ([0; 512], [0; 512]);
/// let mut in_flight = [Slot::default(); 8];
/// let mut levels = [Default::default(); 8];
/// let mut subscriptions = [0; 64];
/// let buffers = Buffers {
///     receive: Buffer::borrowed(&mut receive),
///     transmit: Buffer::borrowed(&mut transmit),
///     in_flight: Storage::from(&mut in_flight),
///     levels: Storage::from(&mut levels),
///     subscriptions: Storage::from(&mut subscriptions),
/// };
/// # let _ = buffers;
/// ```
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Buffers<'a> {
    /// Received bytes, until the events they make are taken. The largest reply that comes in one piece.
    pub receive: Buffer<'a>,
    /// Commands, until they are written. Up to [`Event::Connected`](super::Event::Connected) room for the greeting is
    /// kept free in it: about 220 bytes, or 100 with [`Config::no_library`](super::Config::no_library), and twice the
    /// client name, and the credentials. Who sends nothing before that needs room for the greeting alone: 110 bytes, or 30.
    pub transmit: Buffer<'a>,
    /// One slot for each command that waits for its reply.
    pub in_flight: Storage<'a, Slot>,
    /// One level for each aggregate that can be open around a value.
    pub levels: Storage<'a, Level>,
    /// The names of all subscriptions, each with 9 bytes.
    pub subscriptions: Storage<'a, u8>,
}

#[cfg(feature = "alloc")]
impl Buffers<'_> {
    /// Memory that grows on demand, and shrinks again when it is not needed any more.
    pub fn growing() -> Self {
        Self::growing_to(usize::MAX / 2, usize::MAX / 2)
    }

    /// Memory that grows on demand; the buffers to so many bytes at most.
    pub fn growing_to(receive: usize, transmit: usize) -> Self {
        Buffers {
            receive: Buffer::growing(receive),
            transmit: Buffer::growing(transmit),
            in_flight: Storage::growing(),
            levels: Storage::growing(),
            subscriptions: Storage::growing(),
        }
    }
}
