//! The engine's table of transitions against a real server: the engine alone, over a plain socket.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant as Moment};

use redwire::command::cmd;
use redwire::connection::{Buffers, CloseReason, Config, Connection, Event, Misuse, Mode, SendError};
use redwire::resp::Protocol;
use redwire::time::Instant;
use redwire_kit::real::Server;
use support::Ways;

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];

/// An engine that is pumped through a socket until nothing comes any more.
struct Peer {
    engine: Connection<'static>,
    stream: TcpStream,
    start: Moment,
    /// What happened, a line each.
    log: Vec<String>,
}

impl Peer {
    fn connect(server: &Server, protocol: Protocol) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
        let config = Config::default().protocol(protocol).no_library();
        let engine = Connection::new(config, Buffers::growing());
        let mut peer = Peer { engine, stream, start: Moment::now(), log: Vec::new() };
        peer.engine.connected(peer.now()).unwrap();
        assert_eq!(peer.pump(), [format!("connected {protocol:?}")]);
        peer
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    fn try_send(&mut self, line: &str) -> Result<(), SendError> {
        let now = self.now();
        let mut words = line.split(' ');
        let command = cmd(words.next().unwrap()).arg(words.collect::<Vec<_>>());
        self.engine.send(now, &command).map(drop)
    }

    fn send(&mut self, line: &str) -> &mut Self {
        self.try_send(line).unwrap();
        self
    }

    fn refuses(&mut self, line: &str, why: Misuse) {
        assert_eq!(self.try_send(line), Err(SendError::Misuse(why)), "{line}");
    }

    /// Writes and reads until the server has been silent for a moment, and says what happened.
    fn pump(&mut self) -> Vec<String> {
        let mut silent = false;
        let mut timeouts = 0;
        while !silent {
            while let Some(bytes) = self.engine.poll_transmit() {
                let count = self.stream.write(bytes).unwrap();
                self.engine.transmitted(count);
            }
            match self.stream.read(self.engine.receive_buffer()) {
                Ok(0) => {
                    self.engine.handle_eof();
                    silent = true;
                }
                Ok(count) => {
                    let now = self.now();
                    self.engine.received(now, count);
                }
                Err(_) => {
                    // As long as something is due, a busy machine may only be slow.
                    timeouts += 1;
                    let due =
                        self.engine.in_flight() > 0 || !(self.engine.is_ready() || self.engine.is_idle());
                    silent = !due || timeouts > 50;
                }
            }
            while let Some(event) = self.engine.poll_event() {
                let line = match event {
                    Event::Connected { protocol, .. } => format!("connected {protocol:?}"),
                    // Simple strings and bulk strings look alike here.
                    Event::Reply { frame, .. } => format!("{frame:?}").replace("+\"", "\""),
                    Event::Queued { .. } => "queued".into(),
                    Event::Message(message) => {
                        format!("message {}", String::from_utf8_lossy(message.payload))
                    }
                    Event::Subscription(confirmed) => {
                        let name = String::from_utf8_lossy(confirmed.name.unwrap_or(b"(none)"));
                        let sign = if confirmed.subscribed { '+' } else { '-' };
                        let last = if confirmed.last { " last" } else { "" };
                        format!("{sign}{name} {}{last}", confirmed.count)
                    }
                    Event::Monitor { line } => {
                        let line = String::from_utf8_lossy(line);
                        format!("monitor {}", line.split_once("] ").unwrap().1)
                    }
                    Event::Closed { reason, .. } => {
                        assert_ne!(reason, CloseReason::OutOfStep);
                        format!("closed {reason:?}")
                    }
                    other => format!("{other:?}"),
                };
                self.log.push(line);
            }
        }
        std::mem::take(&mut self.log)
    }
}

#[test]
fn client_reply_off_skip_and_on() {
    let server = Server::start();
    for protocol in PROTOCOLS {
        let mut peer = Peer::connect(&server, protocol);
        peer.send("CLIENT REPLY OFF")
            .send("SET a 1")
            .send("PING")
            .send("NOSUCH")
            .send("CLIENT REPLY ON")
            .send("GET a");
        assert_eq!(peer.pump(), ["\"OK\"", "\"1\""]);
        peer.send("CLIENT REPLY SKIP").send("SET a 2").send("GET a");
        assert_eq!(peer.pump(), ["\"2\""]);
        // SKIP twice still swallows one, and an error is swallowed like anything else.
        peer.send("CLIENT REPLY SKIP").send("CLIENT REPLY SKIP").send("NOSUCH").send("GET a");
        assert_eq!(peer.pump(), ["\"2\""]);
        peer.send("CLIENT REPLY SKIP").send("CLIENT REPLY ON").send("GET a");
        assert_eq!(peer.pump(), ["\"OK\"", "\"2\""]);
        peer.send("CLIENT REPLY SKIP")
            .send("CLIENT REPLY OFF")
            .send("SET a 3")
            .send("CLIENT REPLY ON")
            .send("GET a");
        assert_eq!(peer.pump(), ["\"OK\"", "\"3\""]);
        peer.send("CLIENT REPLY OFF");
        peer.refuses("SUBSCRIBE c", Misuse::RepliesOff);
        peer.refuses("MULTI", Misuse::RepliesOff);
        peer.send("RESET").send("GET a");
        assert_eq!(peer.pump(), ["\"RESET\"".to_string(), format!("connected {protocol:?}"), "\"3\"".into()]);
        assert_eq!(peer.engine.in_flight(), 0);
    }
}

#[test]
fn reset_ends_everything_and_greets_anew() {
    let server = Server::start();
    for protocol in PROTOCOLS {
        let connected = format!("connected {protocol:?}");
        let mut peer = Peer::connect(&server, protocol);
        peer.send("SELECT 3")
            .send("SET where three")
            .send("WATCH where")
            .send("MULTI")
            .send("SET a 1")
            .send("RESET");
        peer.send("GET where").send("HSET h f v").send("HGETALL h");
        let log = peer.pump();
        assert_eq!(log[..6], ["\"OK\"", "\"OK\"", "\"OK\"", "\"OK\"", "queued", "\"RESET\""]);
        assert_eq!(log[6..8], [connected.clone(), "null".into()]);
        assert_eq!(log[9], if protocol == Protocol::Resp3 { "{\"f\": \"v\"}" } else { "[\"f\", \"v\"]" });
        assert!(peer.engine.is_clean());
        peer.send("DEL h").pump();

        peer.send("SUBSCRIBE c").send("RESET").send("SET a 2");
        assert_eq!(peer.pump(), ["+c 1 last", "\"RESET\"", &connected, "\"OK\""]);
        assert!(peer.engine.is_clean());
    }
}

#[test]
fn monitor_and_out_of_it() {
    let server = Server::start();
    for protocol in PROTOCOLS {
        let mut peer = Peer::connect(&server, protocol);
        peer.send("MONITOR");
        assert_eq!(peer.pump(), ["\"OK\""]);
        assert_eq!(peer.engine.mode(), Mode::Monitor);
        peer.refuses("GET a", Misuse::Monitoring);
        let other = server.client();
        other.execute::<_, bool>(redwire::command::set("foo", "a b\r\n\"")).unwrap();
        // Valkey 8.1 shows quotation marks as they are.
        let as_they_are = server.is_valkey() && server.version() == (8, 1);
        let quoted = if as_they_are { r#""a b\r\n"""# } else { r#""a b\r\n\"""# };
        let expected = format!(r#"monitor "SET" "foo" {quoted}"#);
        let mut log = Vec::new();
        for _ in 0..50 {
            log.extend(peer.pump());
            if log.contains(&expected) {
                break;
            }
        }
        assert!(log.contains(&expected), "{log:?}");
        peer.send("RESET").send("GET foo");
        let log = peer.pump();
        let log: Vec<&str> =
            log.iter().map(String::as_str).filter(|line| !line.starts_with("monitor")).collect();
        assert_eq!(log, ["\"RESET\"", &format!("connected {protocol:?}"), r#""a b\r\n\"""#]);
        peer.send("MONITOR").send("QUIT");
        let log = peer.pump();
        assert_eq!(log.first().map(String::as_str), Some("\"OK\""));
        assert_eq!(log.last().map(String::as_str), Some("closed Quit"), "{log:?}");
    }
}

#[test]
fn subscribers() {
    let server = Server::start();
    for protocol in PROTOCOLS {
        let mut peer = Peer::connect(&server, protocol);
        peer.send("SUBSCRIBE a b").send("PING").send("PING hi");
        let pongs = match protocol {
            Protocol::Resp3 => ["\"PONG\"", "\"hi\""],
            _ => [r#"["pong", ""]"#, r#"["pong", "hi"]"#],
        };
        assert_eq!(peer.pump(), ["+a 1", "+b 2 last", pongs[0], pongs[1]]);
        match protocol {
            Protocol::Resp3 => {
                peer.send("PUBLISH a own").send("GET none");
                let log = peer.pump();
                // Before its reply in 7.0, after it from 7.2 on.
                assert!(
                    log[..2].contains(&"message own".into()) && log[..2].contains(&"1".into()),
                    "{log:?}"
                );
                assert_eq!(log[2], "null");
                // Inside the array of EXEC in 7.0.
                peer.send("MULTI").send("PUBLISH a own").send("SET k v").send("EXEC").send("GET k");
                let log = peer.pump();
                let rest: Vec<&str> =
                    log.iter().map(String::as_str).filter(|line| *line != "message own").collect();
                assert_eq!(rest, ["\"OK\"", "queued", "queued", r#"[1, "OK"]"#, "\"v\""]);
                assert_eq!(log.len(), 6);
            }
            _ => {
                for line in ["GET k", "MULTI", "PUBLISH a x", "SELECT 1", "MONITOR"] {
                    peer.refuses(line, Misuse::Subscribed);
                }
            }
        }
        peer.send("UNSUBSCRIBE").send("UNSUBSCRIBE").send("PUNSUBSCRIBE").send("UNSUBSCRIBE none");
        let mut log = peer.pump();
        log[..2].sort();
        assert!(log[0].starts_with("-a ") && log[1].starts_with("-b "), "{log:?}");
        assert_eq!(log[2..], ["-(none) 0 last", "-(none) 0 last", "-none 0 last"]);
        peer.send("GET none");
        assert_eq!(peer.pump(), ["null"]);
        assert!(peer.engine.is_clean());
    }
}

#[test]
fn transactions() {
    let server = Server::start();
    for protocol in PROTOCOLS {
        let mut peer = Peer::connect(&server, protocol);
        for line in ["WATCH k", "MULTI", "SUBSCRIBE c", "AUTH p", "CLIENT REPLY OFF", "MONITOR"] {
            peer.send("MULTI");
            peer.refuses(line, Misuse::InTransaction);
            peer.send("DISCARD");
            assert_eq!(peer.pump(), ["\"OK\"", "\"OK\""], "{line}");
        }
        peer.refuses("EXEC", Misuse::NoTransaction);
        peer.send("MULTI").send("EXEC").send("MULTI").send("NOSUCH").send("PING").send("EXEC").send("PING");
        let log = peer.pump();
        assert_eq!(log[..3], ["\"OK\"", "[]", "\"OK\""]);
        assert!(log[3].contains("unknown command"), "{log:?}");
        assert_eq!(log[4], "queued");
        assert!(log[5].contains("EXECABORT"), "{log:?}");
        assert_eq!(log[6], "\"PONG\"");

        peer.send("WATCH k");
        assert_eq!(peer.pump(), ["\"OK\""]);
        assert!(peer.engine.is_watching());
        server.client().execute::<_, i64>(redwire::command::incr("k")).unwrap();
        peer.send("MULTI").send("GET k").send("EXEC").send("MULTI").send("SELECT 2").send("EXEC");
        assert_eq!(peer.pump()[..3], ["\"OK\"", "queued", "null"]);
        assert!(!peer.engine.is_watching());
        assert!(!peer.engine.is_clean(), "EXEC has selected another database");

        // What the server answers at once within MULTI.
        peer.send("MULTI").send("PING").send("QUIT");
        let log = peer.pump();
        assert_eq!(log, ["\"OK\"", "queued", "\"OK\"", "closed Quit"]);
    }
}

#[test]
fn pushes_between_replies_do_no_harm() {
    let server = Server::start();
    let mut peer = Peer::connect(&server, Protocol::Resp3);
    peer.send("CLIENT TRACKING ON BCAST");
    for number in 0..100 {
        // Each brings an `invalidate`, before or after its reply.
        peer.send(&format!("SET k {number}")).send("GET k");
    }
    let log = peer.pump();
    let (pushes, replies): (Vec<_>, Vec<_>) = log.iter().partition(|line| line.starts_with("Push"));
    assert!(!pushes.is_empty(), "{log:?}");
    let expected = (0..100).flat_map(|number| ["\"OK\"".to_string(), format!("\"{number}\"")]);
    assert!(replies.into_iter().skip(1).cloned().eq(expected), "{log:?}");
    assert!(!peer.engine.is_clean());
}
