//! Memory with sizes that are known when the program is built.

use redwire::client::Overflow;
use redwire::connection::{Buffers, Slot};
use redwire::resp::Level;
use redwire::storage::{Buffer, Storage};

/// How deep replies may be nested in [`StaticBuffers`]. EXEC of a stream read is 6 deep.
const LEVELS: usize = 8;

/// The memory of a client: the engine's, and that for messages which come while something else is waited for.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Memory<'b> {
    /// The memory of the engine.
    pub engine: Buffers<'b>,
    /// Messages wait here until they are asked for, each with 13 bytes besides its channel, pattern and payload. What does
    /// not fit is lost, and [`ErrorKind::MessagesLost`](crate::ErrorKind::MessagesLost) says so.
    pub messages: Buffer<'b>,
    /// Which messages are lost when they do not fit: the newest, unless [`overflow`](Self::overflow) says otherwise.
    pub overflow: Overflow,
}

impl Memory<'_> {
    /// What happens when there is no room for one more message.
    ///
    /// ```
    /// use redwire_embedded_io::StaticBuffers;
    /// use redwire_embedded_io::redwire::client::Overflow;
    ///
    /// let mut memory = StaticBuffers::<512, 256, 8, 64, 256>::sized();
    /// let memory = memory.memory().overflow(Overflow::DropOldest);
    /// # let _ = memory;
    /// ```
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }
}

impl<'b> From<Buffers<'b>> for Memory<'b> {
    /// Without memory for messages: those that come while something else is waited for are lost.
    fn from(engine: Buffers<'b>) -> Self {
        Memory { engine, messages: Buffer::borrowed(&mut []), overflow: Overflow::DropNewest }
    }
}

/// All memory of one client, in place: no allocator, and every byte in sight.
///
/// | size | of what |
/// |---|---|
/// | `RECEIVE` | bytes of the largest reply that comes in one piece |
/// | `TRANSMIT` | bytes of the commands that are sent together; at least 110 for the greeting, or 30 with [`Config::no_library`](redwire::connection::Config::no_library); a client name takes 40 and its length besides, a database 30, credentials 30 and their length |
/// | `IN_FLIGHT` | commands that wait for their replies, at most 32 bytes each |
/// | `SUBSCRIPTIONS` | bytes of the names of all channels and patterns, and 9 for each |
/// | `MESSAGES` | bytes of messages that come while something else is waited for, and 13 for each |
///
/// What does not fit is an error that says which of them was too small
/// ([`Capacity`](redwire::connection::Capacity)), and nothing has changed then.
///
/// ```
/// use redwire_embedded_io::StaticBuffers;
///
/// let mut memory = StaticBuffers::<512, 256, 8>::new();
/// // One that subscribes as well:
/// let mut more = StaticBuffers::<512, 256, 8, 64, 256>::sized();
/// # let _ = (memory.memory(), more.memory());
/// ```
pub struct StaticBuffers<
    const RECEIVE: usize,
    const TRANSMIT: usize,
    const IN_FLIGHT: usize,
    const SUBSCRIPTIONS: usize = 0,
    const MESSAGES: usize = 0,
> {
    receive: [u8; RECEIVE],
    transmit: [u8; TRANSMIT],
    in_flight: [Slot; IN_FLIGHT],
    levels: [Level; LEVELS],
    subscriptions: [u8; SUBSCRIPTIONS],
    messages: [u8; MESSAGES],
}

impl<const RECEIVE: usize, const TRANSMIT: usize, const IN_FLIGHT: usize>
    StaticBuffers<RECEIVE, TRANSMIT, IN_FLIGHT>
{
    /// Memory for a client that does not subscribe.
    pub const fn new() -> Self {
        Self::sized()
    }
}

impl<const RECEIVE: usize, const TRANSMIT: usize, const IN_FLIGHT: usize> Default
    for StaticBuffers<RECEIVE, TRANSMIT, IN_FLIGHT>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    const RECEIVE: usize,
    const TRANSMIT: usize,
    const IN_FLIGHT: usize,
    const SUBSCRIPTIONS: usize,
    const MESSAGES: usize,
> StaticBuffers<RECEIVE, TRANSMIT, IN_FLIGHT, SUBSCRIPTIONS, MESSAGES>
{
    /// Memory with all five sizes: for a client that subscribes, which [`new`](StaticBuffers::new) leaves no room for.
    pub const fn sized() -> Self {
        StaticBuffers {
            receive: [0; RECEIVE],
            transmit: [0; TRANSMIT],
            in_flight: [Slot::EMPTY; IN_FLIGHT],
            levels: [Level::EMPTY; LEVELS],
            subscriptions: [0; SUBSCRIPTIONS],
            messages: [0; MESSAGES],
        }
    }

    /// Lends the memory to one client.
    pub const fn memory(&mut self) -> Memory<'_> {
        Memory {
            engine: Buffers {
                receive: Buffer::borrowed(&mut self.receive),
                transmit: Buffer::borrowed(&mut self.transmit),
                in_flight: Storage::borrowed(&mut self.in_flight),
                levels: Storage::borrowed(&mut self.levels),
                subscriptions: Storage::borrowed(&mut self.subscriptions),
            },
            messages: Buffer::borrowed(&mut self.messages),
            overflow: Overflow::DropNewest,
        }
    }
}

/// Shows the sizes alone: what is in the buffers may be secret.
impl<
    const RECEIVE: usize,
    const TRANSMIT: usize,
    const IN_FLIGHT: usize,
    const SUBSCRIPTIONS: usize,
    const MESSAGES: usize,
> core::fmt::Debug for StaticBuffers<RECEIVE, TRANSMIT, IN_FLIGHT, SUBSCRIPTIONS, MESSAGES>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StaticBuffers")
            .field("receive", &RECEIVE)
            .field("transmit", &TRANSMIT)
            .field("in_flight", &IN_FLIGHT)
            .field("subscriptions", &SUBSCRIPTIONS)
            .field("messages", &MESSAGES)
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<
    const RECEIVE: usize,
    const TRANSMIT: usize,
    const IN_FLIGHT: usize,
    const SUBSCRIPTIONS: usize,
    const MESSAGES: usize,
> defmt::Format for StaticBuffers<RECEIVE, TRANSMIT, IN_FLIGHT, SUBSCRIPTIONS, MESSAGES>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "StaticBuffers {{ receive: {=usize}, transmit: {=usize}, in_flight: {=usize}, subscriptions: {=usize}, \
             messages: {=usize} }}",
            RECEIVE,
            TRANSMIT,
            IN_FLIGHT,
            SUBSCRIPTIONS,
            MESSAGES
        );
    }
}
