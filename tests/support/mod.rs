//! What several test files of the engine need.

use redwire::connection::{Buffers, Config, Connection};
use redwire_kit::pair::Pair;
use redwire_kit::server::Server;

/// A connection with buffers that grow, and a server.
pub fn pair(config: Config<'_>, server: Server) -> Pair<'_> {
    Pair::over(Connection::new(config, Buffers::growing()), server)
}
