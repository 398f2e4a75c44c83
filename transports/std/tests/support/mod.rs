//! Clients of real servers.
#![allow(dead_code, unreachable_pub, reason = "shared by tests of which not every one needs everything")]

use redwire::resp::Protocol;
use redwire_kit::real::Server;
use redwire_std::prelude::*;

/// The ways to talk to a server.
pub trait Ways {
    fn tcp(&self) -> ClientConfig;

    fn unix(&self) -> ClientConfig;

    /// Every way: TCP and Unix domain socket, RESP2 and RESP3.
    fn ways(&self) -> Vec<(String, ClientConfig)> {
        let mut ways = Vec::new();
        for (stream, config) in [("tcp", self.tcp()), ("unix", self.unix())] {
            for (name, protocol) in [("resp2", Protocol::Resp2), ("resp3", Protocol::Resp3)] {
                ways.push((format!("{stream} {name}"), config.clone().protocol(protocol)));
            }
        }
        ways
    }

    fn client(&self) -> Client {
        self.tcp().client()
    }

    /// Returns when the server has written all replies and closed all connections that it is to: it does so before it
    /// reads from a new one.
    fn settle(&self) {
        self.client().ping().unwrap();
    }
}

impl Ways for Server {
    fn tcp(&self) -> ClientConfig {
        ClientConfig::tcp("127.0.0.1", self.port())
    }

    fn unix(&self) -> ClientConfig {
        ClientConfig::unix(self.socket().to_str().unwrap())
    }
}

/// Runs a test over TCP and a Unix domain socket, with RESP2 and RESP3, each with an empty database.
pub fn each_way(test: impl Fn(&Server, &ClientConfig)) {
    let server = Server::start();
    for (name, config) in server.ways() {
        println!("{name}");
        server.client().flushall().unwrap();
        test(&server, &config);
    }
}
