//! The engine's conversations, without IO: each is held with bytes in pieces of every size.

mod support;

use redwire::connection::{
    Buffers, Changes, Config, Connection, Misuse, Mode, SendError, SendOptions, Slot, SubscriptionKind,
    TimeoutReason,
};
use redwire::resp::{Limits, NomParser, Protocol};
use redwire::storage::{Buffer, Storage};
use redwire::time::{Duration, Instant};
use redwire_kit::pair::Pair;
use redwire_kit::server::Server;

const PIECES: [usize; 6] = [1, 2, 3, 7, 64, usize::MAX];

fn both_protocols(test: impl Fn(Pair<'static>, Protocol)) {
    for piece in PIECES {
        test(support::pair(Config::default(), Server::default()).pieces_of(piece), Protocol::Resp3);
        let config = Config::default().protocol(Protocol::Resp2);
        test(support::pair(config, Server::default()).pieces_of(piece), Protocol::Resp2);
    }
}

#[test]
fn greeting_with_everything() {
    for piece in PIECES {
        let config = Config::default().credentials("app", "secret").client_name("me").database(3);
        let server = Server { password: Some("secret"), ..Server::default() };
        let mut pair = support::pair(config, server).pieces_of(piece);
        pair.send("GET early");
        pair.client.connected(pair.now).unwrap();
        assert_eq!(pair.take(), ["connected Resp3 0", "#0 null"]);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            pair.server.seen,
            [
                "HELLO 3 AUTH app secret SETNAME me",
                "SELECT 3",
                "CLIENT SETINFO LIB-NAME redwire",
                &format!("CLIENT SETINFO LIB-VER {version}"),
                "GET early"
            ]
        );
    }
}

#[test]
fn greeting_falls_back_to_resp2() {
    for server in [
        Server { password: Some("secret"), ..Server::resp2() },
        Server {
            password: Some("secret"),
            refuses_resp3: Some("NOPROTO unsupported protocol version"),
            ..Server::default()
        },
        Server {
            password: Some("secret"),
            refuses_resp3: Some("NOPERM this user has no permissions to run the 'hello' command"),
            ..Server::default()
        },
    ] {
        let config = Config::default().password("secret").client_name("me").no_library();
        let mut pair = support::pair(config, server).pieces_of(5);
        pair.client.connected(pair.now).unwrap();
        assert_eq!(pair.take(), ["connected Resp2 0"]);
        assert_eq!(
            pair.server.seen,
            ["HELLO 3 AUTH default secret SETNAME me", "AUTH secret", "CLIENT SETNAME me"]
        );
    }
}

#[test]
fn a_refused_password_is_final_and_not_shown() {
    let config = Config::default().password("wrong");
    let mut pair = support::pair(config, Server { password: Some("secret"), ..Server::default() });
    pair.send("GET k");
    pair.client.connected(pair.now).unwrap();
    assert_eq!(
        pair.take(),
        [
            "#0 Disconnected, not executed",
            "closed refused HELLO: WRONGPASS invalid username-password pair or user is disabled. Ready"
        ]
    );
    // A server that quotes what it does not know, and a client that does not fall back.
    let config = Config::default().password("hunter2").fallback(false);
    let mut pair = support::pair(config, Server::resp2());
    pair.client.connected(pair.now).unwrap();
    let events = pair.take();
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("closed refused HELLO: ERR unknown command ****"), "{events:?}");
    assert!(!events[0].contains("hunter2"));
}

#[test]
fn other_refusals_are_final_too() {
    let refused = |config: Config<'static>, server: Server| {
        let mut pair = support::pair(config, server).pieces_of(3);
        pair.client.connected(pair.now).unwrap();
        pair.take().pop().unwrap()
    };
    assert_eq!(
        refused(Config::default(), Server { password: Some("x"), ..Server::default() }),
        "closed refused HELLO: NOAUTH HELLO must be called with the client already authenticated Ready"
    );
    assert_eq!(
        refused(Config::default().protocol(Protocol::Resp2).password("x"), Server::default()),
        "closed refused AUTH: ERR AUTH <password> called without any password configured for the default user. Ready"
    );
    assert_eq!(
        refused(Config::default().database(99), Server::default()),
        "closed refused SELECT: ERR DB index is out of range Ready"
    );
    let full = Server::default().answer("HELLO 3", b"-ERR max number of clients reached\r\n");
    assert_eq!(
        refused(Config::default(), full),
        "closed refused HELLO: ERR max number of clients reached Ready"
    );
}

#[test]
fn replies_come_in_order_whatever_the_pieces() {
    both_protocols(|mut pair, _| {
        pair.connect();
        pair.send("SET k v");
        pair.send("GET k");
        pair.send("NONSENSE");
        pair.send("GET missing");
        assert_eq!(pair.take(), ["#0 +\"OK\"", "#1 \"v\"", "#2 -\"ERR unknown command\"", "#3 null"]);
        assert_eq!(pair.client.in_flight(), 0);
        assert!(pair.client.is_clean());
    });
}

#[test]
fn transactions() {
    both_protocols(|mut pair, _| {
        pair.connect();
        for line in ["MULTI", "SET k v", "GET k", "EXEC"] {
            pair.send(line);
        }
        assert_eq!(pair.take(), ["#0 +\"OK\"", "#1 queued", "#2 queued", "#3 [+\"OK\", \"v\"]"]);
        // Refused before a byte is written.
        assert_eq!(pair.try_send("EXEC"), Err(SendError::Misuse(Misuse::NoTransaction)));
        pair.send("MULTI");
        for line in ["multi", "WATCH k", "SUBSCRIBE c", "AUTH x", "CLIENT REPLY OFF", "MONITOR"] {
            assert_eq!(pair.try_send(line), Err(SendError::Misuse(Misuse::InTransaction)), "{line}");
        }
        pair.send("BAD");
        pair.send("SET k w");
        pair.send("EXEC");
        assert_eq!(
            pair.take()[1..],
            [
                "#5 -\"ERR unknown command\"",
                "#6 queued",
                "#7 -\"EXECABORT Transaction discarded because of previous errors.\""
            ]
        );
        pair.send("MULTI");
        pair.send("SET k w");
        pair.send("DISCARD");
        pair.send("GET k");
        assert_eq!(pair.take()[1..], ["#9 queued", "#10 +\"OK\"", "#11 \"v\""]);
        assert_eq!(pair.client.mode(), Mode::Ready);
    });
}

#[test]
fn a_watch_conflict_is_null_and_an_empty_transaction_is_not() {
    both_protocols(|mut pair, _| {
        pair.connect();
        pair.send("WATCH k");
        assert!(pair.client.is_watching());
        for line in ["SET k 2", "MULTI", "GET k", "EXEC", "MULTI", "EXEC"] {
            pair.send(line);
        }
        assert!(!pair.client.is_watching());
        assert_eq!(pair.take()[3..], ["#3 queued", "#4 null", "#5 +\"OK\"", "#6 []"]);
    });
}

#[test]
fn a_refused_multi_leaves_the_rest_in_step() {
    both_protocols(|mut pair, _| {
        pair.connect();
        pair.server.answers.insert("MULTI".into(), b"-NOPERM no\r\n".to_vec());
        for line in ["MULTI", "SET k v", "EXEC", "GET k"] {
            pair.send(line);
        }
        assert_eq!(
            pair.take(),
            ["#0 -\"NOPERM no\"", "#1 +\"OK\"", "#2 -\"ERR EXEC without MULTI\"", "#3 \"v\""]
        );
        pair.server.answers.insert("MULTI".into(), b"-NOPERM no\r\n".to_vec());
        pair.send("MULTI");
        pair.take();
        assert_eq!(pair.client.mode(), Mode::Ready);
        // But without that excuse the server has lost track.
        pair.server.answers.insert("EXEC".into(), b"-ERR EXEC without MULTI\r\n".to_vec());
        for line in ["MULTI", "EXEC"] {
            pair.send(line);
        }
        assert_eq!(pair.take().last().unwrap(), "closed OutOfStep Ready");
    });
}

#[test]
fn a_lost_transaction_says_what_may_have_run() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    pair.server.stalled = true;
    for line in ["SET a 1", "MULTI", "SET k v"] {
        pair.send(line);
    }
    pair.run();
    pair.send("EXEC");
    let events = pair.cut();
    assert_eq!(
        events,
        [
            "#0 Disconnected, maybe executed",
            "#1 Disconnected, maybe executed",
            // Whether the server has refused MULTI is not known: then it has run.
            "#2 Disconnected, maybe executed",
            "#3 Disconnected, not executed",
            "closed Disconnected Ready"
        ]
    );
    // Where it has not, nothing runs without EXEC.
    pair.connect();
    for line in ["MULTI", "SET a 1"] {
        pair.send(line);
    }
    assert_eq!(pair.take()[1..], ["#5 queued"]);
    pair.server.stalled = true;
    pair.send("SET k v");
    pair.run();
    assert_eq!(pair.cut(), ["#6 Disconnected, not executed", "closed Disconnected Transaction"]);
    // With EXEC on the wire the answer is another.
    pair.connect();
    pair.server.stalled = true;
    for line in ["MULTI", "SET k v", "EXEC"] {
        pair.send(line);
    }
    pair.run();
    assert_eq!(pair.cut()[1], "#8 Disconnected, maybe executed");
}

#[test]
fn subscriptions_in_both_protocols() {
    both_protocols(|mut pair, protocol| {
        pair.connect();
        pair.send("SUBSCRIBE a b");
        pair.send("PSUBSCRIBE n*");
        pair.send("SSUBSCRIBE s");
        assert_eq!(
            pair.take(),
            ["#0 +Channel a 1", "#0 +Channel b 2 last", "#1 +Pattern n* 3 last", "#2 +Shard s 1 last"]
        );
        pair.server.publish("news", "x");
        pair.server.publish("a", "y");
        assert_eq!(pair.take(), ["Pattern message news by n*: x", "Channel message a: y"]);
        pair.send("PING");
        let pong = if protocol == Protocol::Resp3 { "#3 +\"PONG\"" } else { "#3 [\"pong\", \"\"]" };
        assert_eq!(pair.take(), [pong]);
        if protocol == Protocol::Resp2 {
            assert_eq!(pair.try_send("GET k"), Err(SendError::Misuse(Misuse::Subscribed)));
            assert_eq!(pair.client.mode(), Mode::Subscribed);
        }
        pair.send("UNSUBSCRIBE");
        pair.send("UNSUBSCRIBE");
        pair.send("PUNSUBSCRIBE n* other");
        pair.send("SUNSUBSCRIBE");
        pair.send("SET k v");
        assert_eq!(
            pair.take(),
            [
                "#4 -Channel a 2",
                "#4 -Channel b 1 last",
                "#5 -Channel (none) 1 last",
                "#6 -Pattern n* 0",
                "#6 -Pattern other 0 last",
                "#7 -Shard s 0 last",
                "#8 +\"OK\""
            ]
        );
        assert!(pair.client.is_clean());
    });
}

#[test]
fn an_array_that_looks_like_a_message_is_a_reply_to_who_did_not_subscribe() {
    let server = Server::default().answer("LRANGE k 0 -1", b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n");
    let mut pair = support::pair(Config::default().protocol(Protocol::Resp2), server);
    pair.connect();
    pair.send("LRANGE k 0 -1");
    assert_eq!(pair.take(), ["#0 [\"message\", \"a\", \"b\"]"]);
}

#[test]
fn a_refused_subscription_is_an_error_and_nothing_is_remembered() {
    both_protocols(|mut pair, _| {
        pair.connect();
        pair.send("SUBSCRIBE a");
        pair.send("SUBSCRIBE forbidden b");
        pair.send("UNSUBSCRIBE");
        assert_eq!(
            pair.take(),
            [
                "#0 +Channel a 1 last",
                "#1 -\"NOPERM this user has no permissions to access one of the channels used as arguments\"",
                "#2 -Channel a 0 last"
            ]
        );
        assert_eq!(pair.client.subscriptions(SubscriptionKind::Channel), 0);
        pair.send("GET k");
        assert_eq!(pair.take(), ["#3 null"]);
    });
}

#[test]
fn a_message_inside_exec_is_not_an_element() {
    for piece in PIECES {
        let mut pair = support::pair(Config::default(), Server::default()).pieces_of(piece);
        pair.connect();
        pair.send("SUBSCRIBE ch");
        for line in ["MULTI", "PUBLISH ch m", "SET k 1", "GET k", "EXEC", "GET k"] {
            pair.send(line);
        }
        assert_eq!(
            pair.take(),
            [
                "#0 +Channel ch 1 last",
                "#1 +\"OK\"",
                "#2 queued",
                "#3 queued",
                "#4 queued",
                "Channel message ch: m",
                "#5 [1, +\"OK\", \"1\"]",
                "#6 \"1\""
            ]
        );
    }
}

#[test]
fn a_reconnect_subscribes_again_and_old_tickets_are_stale() {
    both_protocols(|mut pair, protocol| {
        pair.connect();
        pair.send("SUBSCRIBE a \u{e9}");
        pair.send("PSUBSCRIBE p*");
        pair.send("UNSUBSCRIBE a");
        pair.send("SUBSCRIBE a");
        pair.take();
        let old = pair.tickets[0];
        assert_eq!(
            pair.cut(),
            [format!(
                "closed Disconnected {:?}",
                if protocol == Protocol::Resp2 { Mode::Subscribed } else { Mode::Ready }
            )]
        );
        assert!(!pair.client.is_pending(old));
        assert!(!pair.client.discard(old));
        pair.server.seen.clear();
        pair.client.connected(pair.now).unwrap();
        assert_eq!(
            pair.take(),
            [
                "- +Channel a 1".to_string(),
                "- +Channel \\xc3\\xa9 2".to_string(),
                "- +Pattern p* 3 last".to_string(),
                format!("connected {protocol:?} 3"),
            ]
        );
        pair.server.publish("a", "back");
        assert_eq!(pair.take(), ["Channel message a: back"]);
    });
}

#[test]
fn a_late_reply_is_discarded_and_the_rest_stays_in_step() {
    for piece in PIECES {
        let config = Config::default().command_timeout(Duration::from_secs(1));
        let mut pair = support::pair(config, Server::default()).pieces_of(piece);
        pair.server.values.insert("a".into(), "1".into());
        pair.server.values.insert("b".into(), "2".into());
        pair.connect();
        pair.server.stalled = true;
        pair.send("GET a");
        pair.run();
        assert_eq!(
            pair.client.poll_timeout(),
            Some((pair.now + Duration::from_secs(1), TimeoutReason::Command))
        );
        pair.pass(Duration::from_millis(999));
        assert_eq!(pair.take(), [""; 0]);
        pair.pass(Duration::from_millis(1));
        assert_eq!(pair.take(), ["#0 TimedOut, maybe executed"]);
        pair.send("GET b");
        pair.server.resume();
        assert_eq!(pair.take(), ["#1 \"2\""]);
    }
}

#[test]
fn a_command_that_was_never_written_is_taken_back() {
    let config = Config::default().command_timeout(Duration::from_secs(1));
    let mut pair = support::pair(config, Server::default());
    pair.send("SET a 1");
    pair.send("SET b 2");
    pair.send("SET c 3");
    assert!(pair.client.discard(pair.tickets[1]));
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.take(), ["connected Resp3 0", "#0 +\"OK\"", "#2 +\"OK\""]);
    assert!(!pair.server.seen.contains(&"SET b 2".to_string()));
    pair.send("SET d 4");
    pair.pass(Duration::from_secs(2));
    assert_eq!(pair.take(), ["#3 TimedOut, not executed"]);
    pair.send("GET d");
    assert_eq!(pair.take(), ["#4 null"]);
    assert!(pair.client.is_clean());
}

#[test]
fn a_discarded_ticket_hears_nothing_more() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    pair.server.stalled = true;
    pair.send("GET a");
    pair.send("PING");
    pair.run();
    assert!(pair.client.discard(pair.tickets[0]));
    pair.server.resume();
    assert_eq!(pair.take(), ["#1 +\"PONG\""]);
    assert!(!pair.client.discard(pair.tickets[0]));
}

#[test]
fn a_ticket_is_discarded_when_the_handshake_has_just_failed() {
    let mut pair = support::pair(Config::default(), Server { stalled: true, ..Server::default() });
    // More bytes than the greeting has.
    let long = "x".repeat(1000);
    pair.send(&format!("GET {long}"));
    pair.send("GET b");
    pair.client.connected(pair.now).unwrap();
    pair.client.close();
    assert!(pair.client.discard(pair.tickets[0]));
    assert_eq!(pair.take(), ["#1 Disconnected, not executed", "closed Closed Ready"]);
}

#[test]
fn the_handshake_has_a_deadline() {
    let config = Config::default().handshake_timeout(Duration::from_millis(300));
    let mut pair = support::pair(config, Server { stalled: true, ..Server::default() });
    pair.client.connected(pair.now).unwrap();
    pair.run();
    assert_eq!(
        pair.client.poll_timeout(),
        Some((pair.now + Duration::from_millis(300), TimeoutReason::Handshake))
    );
    pair.pass(Duration::from_millis(300));
    assert_eq!(pair.take(), ["closed HandshakeTimedOut Ready"]);
}

#[test]
fn the_health_check_asks_when_idle_and_gives_up_in_silence() {
    let config =
        Config::default().health_check(Duration::from_secs(10)).health_check_timeout(Duration::from_secs(2));
    let mut pair = support::pair(config, Server::default());
    pair.connect();
    assert_eq!(
        pair.client.poll_timeout(),
        Some((pair.now + Duration::from_secs(10), TimeoutReason::HealthCheck))
    );
    pair.pass(Duration::from_secs(10));
    assert_eq!(pair.take(), [""; 0]);
    assert_eq!(pair.server.seen.last().unwrap(), "PING");
    // Heard, so it starts over.
    assert_eq!(
        pair.client.poll_timeout(),
        Some((pair.now + Duration::from_secs(10), TimeoutReason::HealthCheck))
    );
    pair.server.stalled = true;
    pair.pass(Duration::from_secs(10));
    pair.run();
    assert_eq!(
        pair.client.poll_timeout(),
        Some((pair.now + Duration::from_secs(2), TimeoutReason::Unresponsive))
    );
    pair.pass(Duration::from_secs(2));
    assert_eq!(pair.take(), ["closed Unresponsive Ready"]);
}

#[test]
fn monitor_until_reset() {
    both_protocols(|mut pair, protocol| {
        pair.connect();
        pair.send("MONITOR");
        pair.take();
        pair.server.say(b"+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n");
        assert_eq!(pair.try_send("GET k"), Err(SendError::Misuse(Misuse::Monitoring)));
        assert_eq!(pair.take(), ["monitor 1339518083.107412 [0 127.0.0.1:60866] \\\"keys\\\" \\\"*\\\""]);
        pair.send("RESET");
        pair.send("GET k");
        assert_eq!(
            pair.take(),
            ["#1 +\"RESET\"".to_string(), format!("connected {protocol:?} 0"), "#2 null".to_string()]
        );
    });
}

#[test]
fn replies_off_and_skipped() {
    both_protocols(|mut pair, _| {
        pair.connect();
        pair.send("CLIENT REPLY OFF");
        let silent = pair.send("SET a 1");
        assert!(!pair.tickets[silent].is_answered());
        assert_eq!(pair.try_send("SUBSCRIBE x"), Err(SendError::Misuse(Misuse::RepliesOff)));
        pair.send("CLIENT REPLY ON");
        pair.send("GET a");
        assert_eq!(pair.take(), ["#2 +\"OK\"", "#3 \"1\""]);
        pair.send("CLIENT REPLY SKIP");
        pair.send("SET a 2");
        pair.send("GET a");
        assert_eq!(pair.take(), ["#6 \"2\""]);
    });
}

#[test]
fn behind_quit_nothing_is_sent() {
    both_protocols(|mut pair, _| {
        pair.connect();
        pair.send("GET k");
        pair.send("QUIT");
        assert_eq!(pair.try_send("GET k"), Err(SendError::Misuse(Misuse::Closing)));
        assert_eq!(pair.take(), ["#0 null", "#1 +\"OK\"", "closed Quit Closing"]);
    });
}

#[test]
fn auth_needs_the_line_for_itself() {
    let server = Server { password: Some("new"), ..Server::resp2() };
    let mut pair = support::pair(Config::default().protocol(Protocol::Resp2), server);
    pair.connect();
    pair.send("GET k");
    assert_eq!(pair.try_send("AUTH new"), Err(SendError::Misuse(Misuse::NotAlone)));
    pair.take();
    pair.server.stalled = true;
    pair.send("AUTH new");
    pair.send("PING");
    pair.run();
    assert_eq!(pair.server.seen.last().unwrap(), "AUTH new");
    pair.server.resume();
    assert_eq!(pair.take(), ["#1 +\"OK\"", "#2 +\"PONG\""]);
}

#[test]
fn what_answers_nothing_ends_the_connection() {
    for bytes in [&b"+OK\r\n"[..], b":1\r\n", b"*0\r\n"] {
        let mut pair = support::pair(Config::default(), Server::default());
        pair.connect();
        pair.server.say(bytes);
        assert_eq!(pair.take(), ["closed OutOfStep Ready"]);
    }
    // A reply to what has not been written yet is none.
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    pair.send("GET k");
    pair.client.receive_buffer()[..3].copy_from_slice(b"_\r\n");
    pair.client.received(pair.now, 3);
    pair.collect();
    assert_eq!(pair.events, ["#0 Disconnected, not executed", "closed OutOfStep Ready"]);
}

#[test]
fn hostile_bytes_fail_everything_and_name_the_place() {
    for piece in PIECES {
        let mut pair = support::pair(Config::default(), Server::default()).pieces_of(piece);
        pair.connect();
        pair.server.answers.insert("GET a".into(), b"+fine\r\n".to_vec());
        pair.server.answers.insert("GET b".into(), b"$05\r\n".to_vec());
        pair.send("GET a");
        pair.send("GET b");
        pair.send("GET c");
        let events = pair.take();
        assert_eq!(
            events[..3],
            ["#0 +\"fine\"", "#1 Disconnected, maybe executed", "#2 Disconnected, maybe executed"]
        );
        assert!(
            events[3].starts_with("closed Protocol(ProtocolError { kind: BadLength, offset: "),
            "{events:?}"
        );
    }
}

/// All memory of a small device.
struct Memory {
    receive: [u8; 256],
    transmit: [u8; 256],
    in_flight: [Slot; 8],
    levels: [redwire::resp::Level; 8],
    subscriptions: [u8; 64],
}

impl Memory {
    fn new() -> Self {
        Memory {
            receive: [0; 256],
            transmit: [0; 256],
            in_flight: [Slot::default(); 8],
            levels: [Default::default(); 8],
            subscriptions: [0; 64],
        }
    }

    fn buffers(&mut self) -> Buffers<'_> {
        Buffers {
            receive: Buffer::borrowed(&mut self.receive),
            transmit: Buffer::borrowed(&mut self.transmit),
            in_flight: Storage::from(&mut self.in_flight),
            levels: Storage::from(&mut self.levels),
            subscriptions: Storage::from(&mut self.subscriptions),
        }
    }
}

#[test]
fn a_reply_larger_than_the_memory_is_skipped_in_step() {
    for piece in PIECES {
        let mut memory = Memory::new();
        let client = Connection::new(Config::default(), memory.buffers());
        let mut pair = Pair::over(client, Server::default()).pieces_of(piece);
        pair.connect();
        pair.server.values.insert("big".into(), "x".repeat(10_000));
        pair.server.values.insert("small".into(), "y".into());
        let mut list = b"*100\r\n".to_vec();
        list.extend(b"$20\r\n01234567890123456789\r\n".repeat(100));
        // A message in the middle of what nobody can keep is kept.
        let push = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n";
        list.splice(6 + 27 * 50..6 + 27 * 50, push.iter().copied());
        pair.server.answers.insert("LRANGE".into(), list);
        for line in ["GET big", "GET small", "LRANGE", "GET small"] {
            pair.send(line);
        }
        assert_eq!(
            pair.take(),
            [
                "#0 skipped 10010",
                "#1 \"y\"",
                "Channel message c: hello",
                &format!("#2 skipped {}", 6 + 27 * 100 + push.len()),
                "#3 \"y\""
            ]
        );
        assert!(pair.client.is_clean());
    }
}

#[test]
fn a_reply_larger_than_the_memory_comes_in_pieces_to_who_asks() {
    for piece in PIECES {
        let mut memory = Memory::new();
        let client = Connection::new(Config::default(), memory.buffers());
        let mut pair = Pair::over(client, Server::default()).pieces_of(piece);
        pair.connect();
        let value: String = (0..10_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
        pair.server.values.insert("big".into(), value.clone());
        let streamed = SendOptions::default().streamed();
        pair.send_command(&["GET", "big"], streamed).unwrap();
        pair.send_command(&["GET", "missing"], streamed).unwrap();
        pair.send_command(&["NONSENSE"], streamed).unwrap();
        pair.send("PING");
        let events = pair.take();
        let text: String = events.iter().filter_map(|event| event.strip_prefix("#0 chunk ")).collect();
        assert_eq!(text, value);
        let rest = events.iter().filter(|event| !event.contains("chunk"));
        assert_eq!(
            rest.collect::<Vec<_>>(),
            ["#0 end 10000", "#1 null", "#2 -\"ERR unknown command\"", "#3 +\"PONG\""]
        );
    }
}

#[test]
fn capacities_are_errors_that_change_nothing() {
    let mut memory = Memory::new();
    let client = Connection::new(Config::default(), memory.buffers());
    let mut pair = Pair::over(client, Server::default());
    pair.connect();
    let long = format!("SET k {}", "x".repeat(300));
    let error = pair.try_send(&long).unwrap_err();
    assert_eq!(error.to_string(), "the command takes 328 bytes and the transmit buffer has 256 free");
    for _ in 0..8 {
        pair.send("PING");
    }
    assert_eq!(pair.try_send("PING").unwrap_err().to_string(), "too many commands wait for their replies");
    assert_eq!(pair.take().len(), 8);
    pair.send("SUBSCRIBE 0123456789 0123456789a");
    assert_eq!(
        pair.try_send("SUBSCRIBE 0123456789b 0123456789c").unwrap_err().to_string(),
        "no room for another subscription"
    );
    pair.take();
    assert_eq!(pair.client.subscriptions(SubscriptionKind::Channel), 2);
    pair.send("GET k");
    assert_eq!(pair.take().len(), 1);
}

#[test]
fn the_handshake_fits_beside_commands_that_wait() {
    let mut memory = Memory::new();
    let client = Connection::new(Config::default().password("secret"), memory.buffers());
    let mut pair = Pair::over(client, Server { password: Some("secret"), ..Server::default() }).pieces_of(3);
    while pair.try_send("PING").is_ok() {}
    let sent = pair.tickets.len();
    assert!(sent > 0);
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.take().len(), sent + 1);
}

#[test]
fn another_parser_holds_the_same_conversation() {
    for piece in PIECES {
        let config = Config::default();
        let client =
            Connection::with_parser(config, Buffers::growing(), NomParser::growing(Limits::default()));
        let mut pair = Pair::over(client, Server::default()).pieces_of(piece);
        pair.connect();
        for line in ["SUBSCRIBE ch", "MULTI", "PUBLISH ch m", "EXEC", "NONSENSE"] {
            pair.send(line);
        }
        assert_eq!(
            pair.take(),
            [
                "#0 +Channel ch 1 last",
                "#1 +\"OK\"",
                "#2 queued",
                "Channel message ch: m",
                "#3 [1]",
                "#4 -\"ERR unknown command\""
            ]
        );
    }
}

#[test]
fn buffers_grow_and_shrink_again() {
    let mut pair = support::pair(Config::default(), Server::default()).pieces_of(4000);
    pair.connect();
    pair.server.values.insert("big".into(), "x".repeat(3_000_000));
    pair.send("GET big");
    pair.run();
    assert!(pair.client.receive_buffer().len() <= 16 * 1024);
}

#[test]
fn eof_in_the_middle_of_a_reply() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    pair.server.answers.insert("GET a".into(), b"$5\r\nhel".to_vec());
    pair.send("PING");
    pair.send("GET a");
    pair.run();
    assert_eq!(pair.cut(), ["#0 +\"PONG\"", "#1 Disconnected, maybe executed", "closed Disconnected Ready"]);
    assert!(pair.client.is_idle());
    assert_eq!(pair.client.poll_timeout(), None);
}

#[test]
fn select_survives_a_reconnect() {
    let mut pair = support::pair(Config::default().no_library(), Server::default());
    pair.connect();
    for line in ["SELECT 4", "MULTI", "SELECT 5", "EXEC", "SELECT 99"] {
        pair.send(line);
    }
    pair.take();
    assert!(!pair.client.is_clean());
    pair.cut();
    pair.server.seen.clear();
    pair.connect();
    assert_eq!(pair.server.seen, ["HELLO 3", "SELECT 5"]);
}

#[test]
fn a_second_stream_needs_the_first_to_be_over() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    assert_eq!(pair.client.connected(Instant::from_micros(5)), Err(Misuse::Closed));
    pair.client.close();
    assert_eq!(pair.try_send("PING"), Err(SendError::Misuse(Misuse::Closed)));
    pair.collect();
    assert_eq!(pair.events, ["closed Closed Ready"]);
    pair.client.connected(pair.now).unwrap();
}

#[test]
fn a_command_that_expired_unwritten_and_was_discarded_takes_no_reply() {
    let config = Config::default().command_timeout(Duration::from_secs(1));
    let mut pair = support::pair(config, Server::default());
    pair.server.values.insert("b".into(), "2".into());
    pair.connect();
    pair.send("GET a");
    pair.pass(Duration::from_secs(2));
    assert!(pair.client.discard(pair.tickets[0]));
    pair.send("GET b");
    assert_eq!(pair.take(), ["#1 \"2\""]);
    assert!(pair.client.is_clean());
}

#[test]
fn commands_without_a_reply_are_refused() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    pair.send("MULTI");
    let error = pair.try_send("REPLCONF ACK 0").unwrap_err();
    assert_eq!(error, SendError::Misuse(Misuse::Replication));
}

#[test]
fn a_refused_client_reply_gives_no_reply_to_another() {
    let refusal = b"-NOPERM this user has no permissions to run the 'client|reply' command\r\n";
    let mut pair = support::pair(Config::default(), Server::default().answer("CLIENT REPLY SKIP", refusal));
    pair.connect();
    pair.send("CLIENT REPLY SKIP");
    pair.send("SET a 1");
    pair.send("GET a");
    pair.send("GET b");
    assert_eq!(
        pair.take(),
        ["#2 Disconnected, maybe executed", "#3 Disconnected, maybe executed", "closed OutOfStep Ready"]
    );
    // With a word too many the server answers, and goes on answering.
    let answer = b"-ERR wrong number of arguments for 'client|reply' command\r\n";
    let mut pair = support::pair(Config::default(), Server::default().answer("CLIENT REPLY OFF now", answer));
    pair.connect();
    pair.send("CLIENT REPLY OFF now");
    pair.send("GET a");
    let error = "#0 -\"ERR wrong number of arguments for \\'client|reply\\' command\"";
    assert_eq!(pair.take(), [error, "#1 null"]);
}

#[test]
fn a_refused_discard_leaves_the_transaction_open_and_ends_the_connection() {
    let server = Server::default().answer("DISCARD", b"-NOPERM no\r\n");
    let mut pair = support::pair(Config::default(), server);
    pair.connect();
    for line in ["MULTI", "SET a 1", "DISCARD", "GET a"] {
        pair.send(line);
    }
    assert_eq!(
        pair.take()[2..],
        ["#2 Disconnected, maybe executed", "#3 Disconnected, maybe executed", "closed OutOfStep Ready"]
    );
}

#[test]
fn a_refused_multi_before_reset_leaves_the_next_transaction_alone() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    pair.server.answers.insert("MULTI".into(), b"-NOPERM no\r\n".to_vec());
    for line in ["MULTI", "GET a", "RESET", "MULTI", "GET b", "EXEC"] {
        pair.send(line);
    }
    assert_eq!(
        pair.take(),
        [
            "#0 -\"NOPERM no\"",
            "#1 null",
            "#2 +\"RESET\"",
            "connected Resp3 0",
            "#3 +\"OK\"",
            "#4 queued",
            "#5 [null]"
        ]
    );
}

#[test]
fn a_select_that_a_transaction_does_not_run_selects_nothing() {
    let mut pair = support::pair(Config::default().no_library(), Server::default());
    pair.connect();
    // It was forgotten.
    for line in ["MULTI", "SELECT 5", "RESET", "MULTI", "EXEC"] {
        pair.send(line);
    }
    pair.take();
    assert!(pair.client.is_clean());
    // It failed.
    for line in ["MULTI", "PING", "SELECT 99", "EXEC"] {
        pair.send(line);
    }
    pair.take();
    assert!(pair.client.is_clean());
    for line in ["MULTI", "PING", "SELECT 6", "EXEC"] {
        pair.send(line);
    }
    pair.take();
    pair.cut();
    pair.client.connected(pair.now).unwrap();
    pair.take();
    assert_eq!(pair.server.seen.last().unwrap(), "SELECT 6");
}

#[test]
fn an_error_that_does_not_fit_is_still_an_error() {
    let server = || Server { password: Some("secret"), ..Server::resp2() };
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut memory = Memory::new();
        let mut receive = [0; 40];
        let buffers = Buffers { receive: Buffer::borrowed(&mut receive), ..memory.buffers() };
        let config = Config::default().password("wrong").protocol(protocol);
        let mut pair = Pair::over(Connection::new(config, buffers), server());
        pair.send("GET a");
        pair.client.connected(pair.now).unwrap();
        assert_eq!(pair.take(), ["#0 Disconnected, not executed", "closed Capacity Ready"]);
    }
    let mut memory = Memory::new();
    let mut receive = [0; 40];
    let buffers = Buffers { receive: Buffer::borrowed(&mut receive), ..memory.buffers() };
    let config = Config::default().protocol(Protocol::Resp2);
    let mut pair = Pair::over(Connection::new(config, buffers), Server::default());
    pair.connect();
    let long = format!("-ERR {}\r\n", "x".repeat(100)).into_bytes();
    pair.server.answers.insert("SELECT 7".into(), long.clone());
    pair.server.answers.insert("NONSENSE".into(), long);
    for line in ["SELECT 7", "MULTI", "NONSENSE", "GET a", "DISCARD"] {
        pair.send(line);
    }
    assert_eq!(pair.take(), ["#0 skipped 107", "#1 +\"OK\"", "#2 skipped 107", "#3 queued", "#4 +\"OK\""]);
    assert!(pair.client.is_clean());
}

#[test]
fn a_confirmation_that_does_not_fit_leaves_nobody_waiting() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut memory = Memory::new();
        let mut subscriptions = [0; 200];
        let mut receive = [0; 150];
        let buffers = Buffers {
            receive: Buffer::borrowed(&mut receive),
            subscriptions: Storage::from(&mut subscriptions),
            ..memory.buffers()
        };
        let mut pair =
            Pair::over(Connection::new(Config::default().protocol(protocol), buffers), Server::default());
        pair.connect();
        pair.send(&format!("SUBSCRIBE {}", "x".repeat(150)));
        let closed = if protocol == Protocol::Resp2 { "Subscribed" } else { "Ready" };
        assert_eq!(pair.take(), ["#0 Disconnected, maybe executed", &format!("closed Capacity {closed}")]);
    }
}

#[test]
fn pieces_go_to_nobody_who_has_not_asked_yet() {
    let mut pair = support::pair(Config::default().protocol(Protocol::Resp2), Server::default());
    pair.server.answers.insert("CLIENT SETINFO LIB-NAME redwire".into(), b"$2\r\nOK\r\n".to_vec());
    pair.send_command(&["GET", "a"], SendOptions::default().streamed()).unwrap();
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.take(), ["connected Resp2 0", "#0 null"]);
    pair.send_command(&["GET", "b"], SendOptions::default().streamed()).unwrap();
    let bytes = b"$1\r\nx\r\n";
    pair.client.receive_buffer()[..bytes.len()].copy_from_slice(bytes);
    pair.client.received(pair.now, bytes.len());
    pair.events.clear();
    pair.collect();
    assert_eq!(pair.events, ["#1 Disconnected, not executed", "closed OutOfStep Ready"]);
}

#[test]
fn pieces_that_nobody_wants_any_more_are_dropped() {
    let config = Config::default().command_timeout(Duration::from_secs(1));
    let mut pair = support::pair(config, Server::default()).pieces_of(1000);
    pair.connect();
    pair.server.values.insert("big".into(), "x".repeat(1_000_000));
    pair.send_command(&["GET", "big"], SendOptions::default().streamed()).unwrap();
    while pair.events.is_empty() {
        pair.step();
    }
    pair.pass(Duration::from_secs(2));
    pair.send("PING");
    while pair.step() {
        assert!(pair.client.receive_buffer().len() <= 256 * 1024);
    }
    let events = pair.take();
    let from = events.iter().position(|event| event == "#0 TimedOut, maybe executed").unwrap();
    assert_eq!(events[from + 1..], ["#1 +\"PONG\""]);
}

#[test]
fn a_confirmation_of_what_was_not_written_is_out_of_step() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    pair.send("SUBSCRIBE a");
    let bytes = b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
    pair.client.receive_buffer()[..bytes.len()].copy_from_slice(bytes);
    pair.client.received(pair.now, bytes.len());
    pair.collect();
    assert_eq!(pair.events, ["#0 Disconnected, not executed", "closed OutOfStep Ready"]);
}

#[test]
fn room_is_kept_for_the_greeting_behind_reset() {
    let mut memory = Memory::new();
    let mut pair = Pair::over(Connection::new(Config::default(), memory.buffers()), Server::default());
    pair.connect();
    pair.send("RESET");
    while pair.try_send("SET k 0123456789").is_ok() {}
    let events = pair.take();
    assert_eq!(events[..2], ["#0 +\"RESET\"", "connected Resp3 0"]);
}

#[test]
fn a_password_that_the_server_cuts_short_is_not_shown() {
    let password = "p".repeat(200);
    let server = Server::default().answer(
        &format!("HELLO 3 AUTH default {password}"),
        format!(
            "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `{}`, \r\n",
            &password[..90]
        )
        .as_bytes(),
    );
    let config = Config::default().password(password.as_str()).fallback(false);
    let mut pair = Pair::over(Connection::new(config, Buffers::growing()), server);
    pair.client.connected(pair.now).unwrap();
    let events = pair.take();
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("closed refused HELLO") && !events[0].contains("pp"), "{events:?}");
}

#[test]
fn many_commands_that_expire_at_once_are_reported_in_order() {
    let config = Config::default().command_timeout(Duration::from_secs(1));
    let mut pair = support::pair(config, Server::default());
    pair.connect();
    // Written ones stay as places for their replies; the others go.
    pair.server.stalled = true;
    for _ in 0..2000 {
        pair.send("GET a");
    }
    pair.run();
    for _ in 0..2000 {
        pair.send("GET b");
    }
    assert!(pair.client.discard(pair.tickets[3999]));
    pair.pass(Duration::from_secs(2));
    let events = pair.take();
    assert_eq!(events.len(), 3999);
    assert_eq!(events[1999], "#1999 TimedOut, maybe executed");
    assert_eq!(events[2000], "#2000 TimedOut, not executed");
    pair.send("PING");
    pair.server.resume();
    assert_eq!(pair.take(), ["#4000 +\"PONG\""]);
    assert!(!pair.server.seen.contains(&"GET b".to_string()));
}

#[test]
fn a_subscriber_that_asks_for_resp3_may_say_more_before_the_greeting() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.send("SUBSCRIBE a");
    pair.send("GET k");
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.take(), ["connected Resp3 0", "#0 +Channel a 1 last", "#1 null"]);
    pair.cut();
    pair.send("GET k");
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.take(), ["- +Channel a 1 last", "connected Resp3 1", "#2 null"]);
    // Where only RESP2 is to be had, the rules of RESP2 hold from then on.
    pair.cut();
    pair.server.knows_hello = false;
    pair.client.connected(pair.now).unwrap();
    pair.take();
    assert_eq!(pair.try_send("GET k"), Err(SendError::Misuse(Misuse::Subscribed)));
}

#[test]
fn debug_shows_neither_credentials_nor_what_is_in_the_buffers() {
    let config = Config::default().credentials("ada", "hunter2");
    let mut redis = Connection::new(config, Buffers::growing());
    redis.connected(Instant::from_micros(1)).unwrap();
    redis.send(Instant::from_micros(1), &["SET", "key", "valuable"]).unwrap();
    let text = format!("{redis:?}");
    let bytes = |text: &str| format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_string();
    for secret in ["ada", "hunter2", "valuable"] {
        assert!(!text.contains(secret) && !text.contains(&bytes(secret)), "{secret} in {text}");
    }
}

#[test]
fn a_header_alone_makes_no_memory_grow() {
    let mut pair = support::pair(Config::default(), Server::default());
    pair.connect();
    for header in [&b"$536870912\r\n"[..], b"*16777216\r\n", b"%8388608\r\n", b"=536870912\r\n"] {
        pair.server.answers.insert("GET k".into(), header.to_vec());
        pair.send("GET k");
        pair.take();
        assert!(pair.client.receive_buffer().len() <= 128 * 1024);
        pair.cut();
        pair.connect();
    }
}

#[test]
fn another_user_makes_a_connection_unclean_until_reset() {
    let mut pair = support::pair(
        Config::default().protocol(Protocol::Resp2),
        Server { password: Some("new"), ..Server::resp2() },
    );
    pair.connect();
    assert!(pair.client.is_clean() && !pair.client.changes().contains(Changes::USER));
    pair.send("AUTH new");
    pair.take();
    assert!(!pair.client.is_clean() && pair.client.changes().contains(Changes::USER));
    pair.send("RESET");
    pair.take();
    assert!(pair.client.is_clean() && !pair.client.changes().contains(Changes::USER));
}

#[test]
fn what_is_handed_over_in_pieces_must_not_change_the_conversation() {
    let mut pair = support::pair(Config::default().protocol(Protocol::Resp2).no_library(), Server::resp2());
    pair.connect();
    let now = pair.now;
    for words in [&["CLIENT", "REPLY"][..], &["SUBSCRIBE"], &["SELECT"], &["SCRIPT"], &["WATCH"], &["ASKING"]]
    {
        let refused = pair.client.begin(now, words, 3, SendOptions::default()).unwrap_err();
        assert_eq!(refused, SendError::Misuse(Misuse::NotInPieces), "{words:?}");
    }
    assert_eq!(pair.client.queued_bytes(), 0);
    // A script may be.
    pair.client.begin(now, &["SCRIPT", "LOAD"], 8, SendOptions::default()).unwrap();
    assert_eq!(pair.try_send("PING"), Err(SendError::Misuse(Misuse::Unfinished)));
    assert_eq!(pair.client.append(b"return 1 and more"), 8);
    pair.run();
    pair.send("PING");
    assert_eq!(pair.take().last().unwrap(), "#0 +\"PONG\"");
}

#[test]
fn a_transaction_of_which_nothing_was_handed_out_is_taken_back() {
    for written in [false, true] {
        let mut pair =
            support::pair(Config::default().protocol(Protocol::Resp2).no_library(), Server::resp2());
        pair.connect();
        pair.send("WATCH k");
        pair.take();
        pair.send("GET before");
        let multi = pair.send("MULTI");
        pair.send("SET k v");
        pair.send("SELECT 3");
        let before = pair.client.queued_bytes();
        if written {
            let bytes = pair.client.poll_transmit().unwrap().to_vec();
            let part = &bytes[..bytes.len() - 40];
            pair.server.receive(part);
            pair.client.transmitted(part.len());
        }
        let ticket = pair.tickets[multi];
        pair.client.discard_from(ticket);
        assert!(pair.client.is_watching());
        if written {
            assert_eq!(pair.client.mode(), Mode::Transaction);
            pair.send("DISCARD");
        } else {
            assert_eq!(pair.client.mode(), Mode::Ready);
            assert!(pair.client.queued_bytes() < before);
        }
        pair.send("GET behind");
        let events = pair.take();
        assert_eq!(events.len(), if written { 3 } else { 2 }, "{events:?}");
        assert_eq!(pair.client.in_flight(), 0);
        assert_eq!(pair.server.seen.iter().any(|line| line == "MULTI"), written);
        assert_eq!(pair.client.database(), 0);
    }
}

#[test]
fn a_transaction_that_is_taken_back_takes_what_comes_in_pieces_with_it() {
    let mut pair = support::pair(Config::default().protocol(Protocol::Resp2).no_library(), Server::resp2());
    pair.connect();
    let multi = pair.send("MULTI");
    pair.client.begin(pair.now, &["SET", "k"], 30, SendOptions::default()).unwrap();
    pair.client.discard_from(pair.tickets[multi]);
    assert_eq!((pair.client.queued_bytes(), pair.client.unfinished()), (0, None));
    // It would be read as a command.
    assert_eq!(pair.client.append(b"*1\r\n$8\r\nFLUSHALL\r\n"), 0);
    pair.send("PING");
    assert_eq!(pair.take(), ["#1 +\"PONG\""]);
}

#[test]
fn what_was_not_to_be_answered_is_not_forgotten_with_a_transaction_that_is_taken_back() {
    let refusal = b"-NOPERM this user has no permissions to run the 'client|reply' command\r\n";
    let server = Server::resp2().answer("CLIENT REPLY SKIP", refusal).answer("GET a", b"$1\r\na\r\n");
    let mut pair = support::pair(Config::default().protocol(Protocol::Resp2).no_library(), server);
    pair.connect();
    pair.send("CLIENT REPLY SKIP");
    pair.send("GET a");
    let multi = pair.send("MULTI");
    pair.send("INCR b");
    pair.client.discard_from(pair.tickets[multi]);
    pair.send("PING");
    // The replies are shifted by two.
    assert_eq!(pair.take(), ["#4 Disconnected, maybe executed", "closed OutOfStep Ready"]);
}

#[test]
fn what_comes_in_pieces_is_not_answered_before_its_end() {
    for reply in [&b"+OK\r\n"[..], b"$5\r\nwrong\r\n"] {
        let mut pair =
            support::pair(Config::default().protocol(Protocol::Resp2).no_library(), Server::resp2());
        pair.connect();
        pair.client.begin(pair.now, &["SET", "k"], 30, SendOptions::default().streamed()).unwrap();
        pair.server.say(reply);
        assert_eq!(pair.take(), ["#? Disconnected, not executed", "closed OutOfStep Ready"]);
    }
}

#[test]
fn a_pipeline_whose_first_command_is_answered_is_given_up_all_the_same() {
    let mut pair = support::pair(
        Config::default().protocol(Protocol::Resp2).no_library(),
        Server::resp2().answer("GET slow", b"").answer("GET b", b""),
    );
    pair.connect();
    let first = pair.send("GET a");
    pair.send("GET slow");
    pair.send("GET b");
    assert_eq!(pair.take(), ["#0 null"]);
    pair.client.discard_from(pair.tickets[first]);
    pair.server.say(b"$4\r\nlate\r\n");
    pair.server.say(b"$-1\r\n");
    pair.send("PING");
    assert_eq!(pair.take(), ["#3 +\"PONG\""]);
}

#[test]
fn replies_in_the_handshake_that_are_not_ok_are_those_to_something_else() {
    // One reply is left over from an earlier life, and shifts the others by one.
    let config = Config::default().protocol(Protocol::Resp2).client_name("a").database(1);
    let mut pair = support::pair(config, Server::resp2().answer("CLIENT SETNAME a", b"$3\r\nfoo\r\n"));
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.run(), ["closed OutOfStep Ready"]);
}
