//! What tests do to a server besides the connection that they test.

use redwire_kit::real::Server;
use redwire_std::{Client, ClientConfig};

pub(crate) trait Outside {
    /// A client for another point of view.
    fn client(&self) -> Client;
}

impl Outside for Server {
    fn client(&self) -> Client {
        ClientConfig::tcp("127.0.0.1", self.port()).client()
    }
}
