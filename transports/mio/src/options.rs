//! What a client of this crate is told besides what the engine is told.

use std::sync::Arc;
use std::time::Duration;

use mio::Registry;
use redwire::client::Backoff;
use redwire::connection::Buffers;
use redwire::storage::IDLE_CAPACITY;

/// How to connect, and how much memory to use. Everything about the conversation stands in the engine's
/// [`Config`](redwire::connection::Config).
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) connect_timeout: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) seed: Option<u64>,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) queue_limit: usize,
    pub(crate) receive_limit: usize,
    pub(crate) registry: Option<Arc<Registry>>,
}

impl Default for Options {
    /// 10 seconds to connect, the default [`Backoff`], 16 MiB of commands, replies of up to 1 GiB.
    fn default() -> Self {
        Options {
            connect_timeout: Duration::from_secs(10),
            backoff: Backoff::default(),
            seed: None,
            write_timeout: None,
            queue_limit: 16 << 20,
            receive_limit: 1 << 30,
            registry: None,
        }
    }
}

impl Options {
    /// How long connecting to one address may take, and then the handshake.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long to wait between two attempts to connect.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Makes the random numbers of the pauses begin here, so that they can be had once more. Without it they begin with what
    /// the standard library takes from the system for its hash maps. Clients of the same seed wait equally long, and would
    /// all come back at the same moment: give each its own.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Ends the connection when the server takes nothing for so long, although there is something to write, whatever it
    /// sends meanwhile. Without it the time of the commands ends alone.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = Some(timeout);
        self
    }

    /// How many bytes of commands may wait to be written, with what is kept of scripts and transactions until they are answered; [`Client::send`](crate::Client::send) refuses a command
    /// that is too much with [`SendError::Capacity`](redwire::connection::SendError::Capacity).
    #[must_use]
    pub fn queue_limit(mut self, bytes: usize) -> Self {
        self.queue_limit = bytes;
        self
    }

    /// The largest reply or message that is read in one piece; of a larger one comes but
    /// [`Event::Skipped`](redwire::connection::Event::Skipped). A connection keeps 16 KiB to read into; what is larger
    /// makes the memory grow with what has come, not to the limit at once.
    #[must_use]
    pub fn receive_limit(mut self, bytes: usize) -> Self {
        self.receive_limit = bytes;
        self
    }

    /// The registry of the loop, for all connections alike. Without it each clones its own when it is registered, to
    /// register its next streams, and that takes a file descriptor for each connection.
    #[must_use]
    pub fn registry(mut self, registry: Arc<Registry>) -> Self {
        self.registry = Some(registry);
        self
    }

    pub(crate) fn buffers(&self) -> Buffers<'static> {
        let mut buffers = Buffers::growing_to(self.receive_limit, self.queue_limit);
        // What an empty buffer keeps anyway; without it reads would begin with 4 KiB.
        let _ = buffers.receive.reserve(IDLE_CAPACITY);
        buffers
    }
}
