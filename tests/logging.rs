//! What the engine logs in the course of its life, through `log` and through `defmt`, and what it never does.
//!
//! The lines for `defmt` are compiled in with `DEFMT_LOG=debug`, which `make test` sets. Without it there are none, as
//! with any crate that logs through `defmt`.
#![cfg(all(feature = "defmt", feature = "log", feature = "std"))]

mod support;

use std::cell::RefCell;

use redwire::connection::{Buffers, Config, Connection};
use redwire::time::Duration;
use redwire_kit::defmt_frames;
use redwire_kit::pair::Pair;
use redwire_kit::server::Server;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the lines of each thread.
struct Collector;

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        assert!(record.target().starts_with("redwire::connection"), "{}", record.target());
        let level = record.level().as_str().to_ascii_lowercase();
        LINES.with_borrow_mut(|lines| lines.push(format!("{level}: {}", record.args())));
    }

    fn flush(&self) {}
}

/// Everything that a user, a server or another client may say and nobody else may read.
const SECRETS: [&str; 8] =
    ["us3rname", "s3cretive", "cli3nt", "k3yed", "argum3nt", "chann3l", "m3ssage", "S3RVER"];

/// Takes the lines since the last call, when `defmt` got each of them and none holds a secret.
fn lines() -> Vec<String> {
    let lines = LINES.take();
    let frames = defmt_frames::take();
    match option_env!("DEFMT_LOG") {
        None => assert_eq!(frames.len(), 0),
        Some("debug" | "trace") => assert_eq!(frames.len(), lines.len()),
        Some(other) => panic!("this test wants all lines or none, not DEFMT_LOG={other}"),
    }
    for secret in SECRETS {
        for line in &lines {
            assert!(!line.contains(secret), "{line}");
        }
        for frame in &frames {
            assert!(!defmt_frames::holds(frame, secret), "{}", frame.escape_ascii());
        }
    }
    // Texts that are arguments stand in the frames as they are.
    for text in ["WRONGTYPE", "Disconnected", "reconnected"] {
        let in_lines = lines.iter().filter(|line| line.contains(text)).count();
        let in_frames = frames.iter().filter(|frame| defmt_frames::holds(frame, text)).count();
        assert!(frames.is_empty() || in_frames == in_lines, "{text}");
    }
    lines
}

fn collect() {
    // Another test of this file may have been first.
    let _ = log::set_logger(&Collector);
    log::set_max_level(log::LevelFilter::Trace);
}

#[test]
fn a_whole_life() {
    collect();
    let config = Config::default()
        .credentials("us3rname", "s3cretive")
        .client_name("cli3nt")
        .health_check(Duration::from_secs(10))
        .command_timeout(Duration::from_secs(3));
    let server = Server {
        password: Some("s3cretive"),
        refuses_resp3: Some("NOPROTO S3RVER speaks RESP2"),
        ..Server::default()
    };
    let mut pair = Pair::over(Connection::new(config, Buffers::growing_to(8192, 8192)), server);

    pair.client.connected(pair.now).unwrap();
    assert_eq!(lines(), ["debug: stream is up, handshake begins"]);
    pair.run();
    assert_eq!(
        lines(),
        [
            "debug: HELLO refused: NOPROTO, RESP2 will do",
            "debug: CLIENT SETINFO refused: ERR, which is ignored",
            "debug: CLIENT SETINFO refused: ERR, which is ignored",
            "info: connected, protocol 2, subscriptions restored: 0",
        ]
    );

    // Replies: only errors are worth a line, and of these a code that the engine knows.
    let answers: [(&str, &[u8]); 4] = [
        ("LPUSH k3yed argum3nt", b"-WRONGTYPE S3RVER does not like k3yed\r\n"),
        ("EVAL argum3nt 0", b"-S3RVER says argum3nt\r\n"),
        ("EVAL k3yed 0", b"-k3yed has no code\r\n"),
        ("INCR k3yed", b":1\r\n"),
    ];
    for (command, answer) in answers {
        pair.server.answers.insert(command.to_string(), answer.to_vec());
        pair.send(command);
    }
    pair.run();
    assert_eq!(
        lines(),
        ["debug: error reply: WRONGTYPE", "debug: error reply: other", "debug: error reply: ERR"]
    );

    // A reply that does not fit.
    pair.server.values.insert("k3yed".into(), "argum3nt".repeat(2000));
    pair.send("GET k3yed");
    pair.run();
    assert_eq!(lines(), ["warn: skipped 16010 bytes that did not fit"]);

    // Replies that are late, and one that is asked for to see whether the server is there.
    pair.server.stalled = true;
    pair.send("GET argum3nt");
    pair.send("GET argum3nt");
    pair.run();
    pair.pass(Duration::from_secs(3));
    pair.server.resume();
    pair.run();
    assert_eq!(lines(), ["warn: commands timed out: 2"]);
    pair.pass(Duration::from_secs(10));
    pair.run();
    assert_eq!(lines(), ["debug: health check: PING"]);

    // The same stream greeted anew is no reconnect.
    pair.send("RESET");
    pair.run();
    assert_eq!(
        lines(),
        [
            "debug: reset, handshake begins",
            "debug: HELLO refused: NOPROTO, RESP2 will do",
            "debug: CLIENT SETINFO refused: ERR, which is ignored",
            "debug: CLIENT SETINFO refused: ERR, which is ignored",
            "info: connected, protocol 2, subscriptions restored: 0",
        ]
    );

    // Messages and confirmations are worth no line; a lost stream is, and a new one on which they are restored.
    pair.send("SUBSCRIBE chann3l m3ssage");
    pair.run();
    pair.server.publish("chann3l", "m3ssage");
    pair.run();
    assert_eq!(lines(), [""; 0]);
    pair.server.stalled = true;
    pair.send("PING argum3nt");
    pair.run();
    pair.cut();
    assert_eq!(lines(), ["warn: connection is over: Disconnected, commands that fail: 1"]);
    pair.server.refuses_resp3 = None;
    pair.client.connected(pair.now).unwrap();
    pair.run();
    assert_eq!(
        lines(),
        [
            "debug: stream is up, handshake begins",
            "debug: CLIENT SETINFO refused: ERR, which is ignored",
            "debug: CLIENT SETINFO refused: ERR, which is ignored",
            "info: reconnected, protocol 3, subscriptions restored: 2",
        ]
    );

    // A peer that breaks the wire, and a user who has had enough.
    pair.server.say(b"$S3RVER\r\n");
    pair.run();
    let [error, over] = &lines()[..] else { panic!("two lines") };
    assert!(error.starts_with("warn: protocol error: bad_length at byte "), "{error}");
    assert_eq!(over, "warn: connection is over: Protocol, commands that fail: 0");
    pair.server.disconnect();
    pair.client.connected(pair.now).unwrap();
    pair.run();
    assert_eq!(lines().last().unwrap(), "info: reconnected, protocol 3, subscriptions restored: 2");
    pair.client.close();
    pair.collect();
    assert_eq!(lines(), ["info: connection is over: Closed, commands that fail: 0"]);
}

#[test]
fn a_greeting_that_is_refused() {
    collect();
    let config = Config::default().credentials("us3rname", "argum3nt");
    let server = Server { password: Some("s3cretive"), ..Server::resp2() };
    let mut pair = support::pair(config, server);
    pair.send("GET k3yed");
    for _ in 0..2 {
        pair.client.connected(pair.now).unwrap();
        pair.run();
        pair.server.disconnect();
        pair.send("GET k3yed");
        assert_eq!(
            lines(),
            [
                "debug: stream is up, handshake begins",
                "debug: HELLO refused: ERR, RESP2 will do",
                "warn: AUTH refused: WRONGPASS",
                "warn: connection is over: Refused, commands that fail: 1",
            ]
        );
    }
    // Nobody was connected before.
    pair.server.password = Some("argum3nt");
    pair.client.connected(pair.now).unwrap();
    pair.run();
    assert_eq!(lines().last().unwrap(), "info: connected, protocol 2, subscriptions restored: 0");
    pair.send("QUIT");
    pair.run();
    assert_eq!(lines(), ["info: connection is over: Quit, commands that fail: 0"]);
}
