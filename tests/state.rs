//! What a connection takes itself to be, when servers refuse, cross what is sent, end things by themselves, or lie.

mod support;

use redwire::command::{cmd, get, set};
use redwire::connection::{
    Buffers, Capacity, Changes, Config, Connection, Misuse, Mode, SendError, SendOptions, SubscriptionKind,
    TimeoutReason,
};
use redwire::resp::Protocol;
use redwire::storage::Buffer;
use redwire::time::{Duration, Instant};
use redwire_kit::pair::Pair;
use redwire_kit::server::Server;

const PIECES: [usize; 4] = [1, 2, 7, usize::MAX];

fn pair(protocol: Protocol) -> Pair<'static> {
    let mut pair = support::pair(Config::default().protocol(protocol).no_library(), Server::default());
    pair.connect();
    pair
}

fn both_protocols(test: impl Fn(Pair<'static>, Protocol)) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for piece in PIECES {
            test(pair(protocol).pieces_of(piece), protocol);
        }
    }
}

/// A push as this protocol has it.
fn pushed(protocol: Protocol, words: &[&str], count: usize) -> Vec<u8> {
    let sign = if protocol == Protocol::Resp3 { '>' } else { '*' };
    let mut bytes = format!("{sign}{}\r\n", words.len() + 1);
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    (bytes + &format!(":{count}\r\n")).into_bytes()
}

#[test]
fn each_queued_select_is_judged_by_its_own_result() {
    both_protocols(|mut pair, _| {
        for line in ["MULTI", "SELECT 5", "SELECT 99", "EXEC"] {
            pair.send(line);
        }
        pair.take();
        assert_eq!(pair.client.database(), 5);
        assert!(!pair.client.is_clean());
        for line in ["MULTI", "SELECT 99", "PING", "SELECT 0", "EXEC"] {
            pair.send(line);
        }
        pair.take();
        assert_eq!(pair.client.database(), 0);
        assert!(pair.client.is_clean());
    });
}

#[test]
fn what_a_skipped_exec_did_is_not_assumed() {
    let mut receive = [0; 64];
    let buffers = Buffers { receive: Buffer::borrowed(&mut receive), ..Buffers::growing() };
    let config = Config::default().protocol(Protocol::Resp2).no_library();
    let mut pair = Pair::over(Connection::new(config, buffers), Server::default());
    pair.connect();
    let long = "x".repeat(100);
    pair.server.values.insert("big".into(), long);
    for line in ["MULTI", "GET big", "SELECT 99", "EXEC", "PING"] {
        pair.send(line);
    }
    let events = pair.take();
    assert_eq!(
        events[3..],
        ["#3 Disconnected, maybe executed", "#4 Disconnected, maybe executed", "closed Capacity Ready"]
    );
    assert_eq!(pair.client.database(), 0);
    // Where nothing changes the connection nothing has to be known.
    pair.server.disconnect();
    pair.connect();
    for line in ["MULTI", "GET big", "EXEC", "PING"] {
        pair.send(line);
    }
    assert_eq!(pair.take()[2..], ["#7 skipped 112", "#8 +\"PONG\""]);
}

#[test]
fn more_changes_than_can_be_judged_are_not_sent() {
    let mut pair = pair(Protocol::Resp3);
    pair.send("MULTI");
    for number in 0..8 {
        pair.send(&format!("SELECT {number}"));
    }
    assert_eq!(pair.try_send("SELECT 9"), Err(SendError::Capacity(Capacity::Transaction)));
    pair.send("GET k");
    pair.send("EXEC");
    pair.take();
    assert_eq!(pair.client.database(), 7);
}

#[test]
fn any_error_that_may_refuse_client_reply_ends_the_connection() {
    for error in ["BUSY Redis is busy running a script.", "NOAUTH Authentication required.", "ERR no"] {
        for line in ["CLIENT REPLY SKIP", "CLIENT REPLY OFF"] {
            let refusal = format!("-{error}\r\n").into_bytes();
            let mut pair =
                support::pair(Config::default().no_library(), Server::default().answer(line, &refusal));
            pair.connect();
            pair.send(line);
            pair.send("SET a 1");
            if line.ends_with("OFF") {
                pair.send("CLIENT REPLY ON");
            }
            pair.send("GET a");
            assert_eq!(pair.take().last().unwrap(), "closed OutOfStep Ready", "{line}, {error}");
        }
    }
    // One about a key is that of the command it comes for.
    let mut pair = pair(Protocol::Resp3);
    pair.server.answers.insert("INCR a".into(), b"-WRONGTYPE no\r\n".to_vec());
    for line in ["CLIENT REPLY SKIP", "SET a 1", "INCR a", "GET a"] {
        pair.send(line);
    }
    assert_eq!(pair.take(), ["#2 -\"WRONGTYPE no\"", "#3 \"1\""]);
}

#[test]
fn the_end_of_a_shard_channel_crosses_sunsubscribe() {
    let crossing = |protocol: Protocol, answer: Vec<u8>| {
        let mut all = pushed(protocol, &["sunsubscribe", "ch"], 0);
        all.extend(answer);
        all
    };
    both_protocols(|_, protocol| {
        // Redis says it twice, and Valkey that another node serves the channel.
        let again = pushed(protocol, &["sunsubscribe", "ch"], 0);
        let moved = b"-MOVED 1 h:1\r\n".to_vec();
        let crosses = b"-CROSSSLOT Keys in request don't hash to the same slot\r\n".to_vec();
        for answer in [again, moved, crosses, Vec::new()] {
            for piece in PIECES {
                let mut pair = pair(protocol).pieces_of(piece);
                pair.server.values.insert("a".into(), "A".into());
                pair.server.values.insert("b".into(), "B".into());
                pair.send("SSUBSCRIBE ch");
                pair.take();
                pair.server.answers.insert("SUNSUBSCRIBE ch".into(), crossing(protocol, answer.clone()));
                for line in ["SUNSUBSCRIBE ch", "GET a", "GET b"] {
                    pair.send(line);
                }
                pair.server.subscriptions[2].clear();
                assert_eq!(pair.take(), ["#1 -Shard ch 0 last", "#2 \"A\"", "#3 \"B\""]);
                assert_eq!(pair.client.subscriptions(SubscriptionKind::Shard), 0);
                assert!(pair.client.is_clean());
            }
        }
        // Refused for itself.
        let mut pair = pair(protocol);
        pair.send("SSUBSCRIBE ch");
        pair.take();
        pair.server.answers.insert("SUNSUBSCRIBE ch".into(), b"-NOPERM no\r\n".to_vec());
        pair.send("SUNSUBSCRIBE ch");
        pair.send("PING");
        let pong = if protocol == Protocol::Resp3 { "#2 +\"PONG\"" } else { "#2 [\"pong\", \"\"]" };
        assert_eq!(pair.take(), ["#1 -\"NOPERM no\"", pong]);
        assert_eq!(pair.client.subscriptions(SubscriptionKind::Shard), 1);
    });
}

#[test]
fn an_error_that_may_be_the_fences_ends_the_connection() {
    let mut pair = pair(Protocol::Resp3);
    pair.send("SSUBSCRIBE ch");
    pair.take();
    pair.server.answers.insert("PING".into(), b"-BUSY Redis is busy running a script.\r\n".to_vec());
    for line in ["SUNSUBSCRIBE ch", "GET a"] {
        pair.send(line);
    }
    assert_eq!(
        pair.take(),
        ["#1 -Shard ch 0 last", "#2 Disconnected, maybe executed", "closed OutOfStep Ready"]
    );
    // A user who may not PING is told apart.
    pair.server.disconnect();
    pair.connect();
    pair.send("SSUBSCRIBE ch");
    pair.take();
    let text = b"-NOPERM this user has no permissions to run the 'ping' command\r\n";
    pair.server.answers.insert("PING".into(), text.to_vec());
    for line in ["SUNSUBSCRIBE ch", "GET a"] {
        pair.send(line);
    }
    assert_eq!(pair.take(), ["#4 -Shard ch 0 last", "#5 null"]);
}

#[test]
fn a_shard_channel_that_the_server_ends_is_not_the_one_that_was_asked_for() {
    both_protocols(|mut pair, protocol| {
        pair.send("SSUBSCRIBE s1 s2");
        pair.take();
        let mut answer = pushed(protocol, &["sunsubscribe", "s2"], 1);
        answer.extend(pushed(protocol, &["sunsubscribe", "s1"], 0));
        pair.server.answers.insert("SUNSUBSCRIBE s1".into(), answer);
        pair.server.subscriptions[2].clear();
        pair.send("SUNSUBSCRIBE s1");
        pair.send("PING");
        assert_eq!(pair.take(), ["over Shard s2: ended", "#1 -Shard s1 0 last", "#2 +\"PONG\""]);
        assert!(pair.client.is_clean());
    });
}

#[test]
fn an_unrequested_end_is_told_as_what_it_is() {
    both_protocols(|mut pair, protocol| {
        pair.send("SSUBSCRIBE s1 s2");
        pair.take();
        pair.server.say(&pushed(protocol, &["sunsubscribe", "s1"], 1));
        pair.server.subscriptions[2].remove("s1");
        assert_eq!(pair.take(), ["over Shard s1: ended"]);
        let names: Vec<_> = pair.client.subscribed_names(SubscriptionKind::Shard).collect();
        assert_eq!(names, [b"s2"]);
        // It fills nobody's place.
        pair.send("PING");
        pair.server.say(&pushed(protocol, &["sunsubscribe", "s2"], 0));
        assert_eq!(pair.take().len(), 2);
    });
}

#[test]
fn a_name_stays_as_long_as_a_command_that_asked_for_it_may_succeed() {
    both_protocols(|mut pair, protocol| {
        pair.send("SUBSCRIBE a forbidden");
        pair.send("SUBSCRIBE a");
        let events = pair.take();
        assert_eq!(events[1], "#1 +Channel a 1 last");
        assert_eq!(pair.client.subscriptions(SubscriptionKind::Channel), 1);
        if protocol == Protocol::Resp2 {
            assert_eq!(pair.client.mode(), Mode::Subscribed);
            assert_eq!(pair.try_send("GET a"), Err(SendError::Misuse(Misuse::Subscribed)));
        }
        pair.cut();
        pair.client.connected(pair.now).unwrap();
        assert_eq!(pair.take(), ["- +Channel a 1 last".to_string(), format!("connected {protocol:?} 1")]);
    });
}

#[test]
fn a_refused_unsubscription_takes_nothing() {
    both_protocols(|mut pair, protocol| {
        pair.send("SUBSCRIBE a");
        for line in ["UNSUBSCRIBE a", "UNSUBSCRIBE"] {
            pair.server.answers.insert(line.into(), b"-NOPERM no\r\n".to_vec());
            pair.send(line);
            pair.take();
            assert_eq!(pair.client.subscriptions(SubscriptionKind::Channel), 1);
            let mode = if protocol == Protocol::Resp2 { Mode::Subscribed } else { Mode::Ready };
            assert_eq!(pair.client.mode(), mode);
        }
    });
}

#[test]
fn a_subscription_that_is_refused_when_it_is_restored_is_dropped_and_reported() {
    both_protocols(|mut pair, protocol| {
        pair.send("SUBSCRIBE a b c d e");
        pair.send("PSUBSCRIBE p*");
        pair.send("SSUBSCRIBE s1 s2");
        pair.take();
        pair.cut();
        let no = b"-NOPERM no\r\n";
        for line in
            ["SUBSCRIBE a b c d e", "SUBSCRIBE c d e", "SUBSCRIBE d e", "SUBSCRIBE d", "PSUBSCRIBE p*"]
        {
            pair.server.answers.insert(line.into(), no.to_vec());
        }
        for line in ["SSUBSCRIBE s1 s2", "SSUBSCRIBE s2"] {
            pair.server.answers.insert(line.into(), b"-MOVED 1 h:1\r\n".to_vec());
        }
        pair.client.connected(pair.now).unwrap();
        let events = pair.take();
        let is = |event: &str| events.iter().any(|other| other.starts_with(event));
        for event in ["- +Channel a 1", "- +Channel b 2", "- +Channel c 3", "- +Channel e 4", "- +Shard s1 1"]
        {
            assert!(is(event), "{event} in {events:?}");
        }
        for event in ["over Channel d: NOPERM no", "over Pattern p*: NOPERM no", "over Shard s2: MOVED 1 h:1"]
        {
            assert!(is(event), "{event} in {events:?}");
        }
        assert_eq!(events.last().unwrap(), &format!("connected {protocol:?} 5"));
        assert_eq!(events.len(), 9);
        // From then on it is not asked for any more.
        pair.cut();
        pair.server.seen.clear();
        pair.client.connected(pair.now).unwrap();
        assert_eq!(pair.take().last().unwrap(), &format!("connected {protocol:?} 5"));
        assert!(!pair.server.seen.iter().any(|line| line.contains("PSUBSCRIBE") || line.contains(" d")));
    });
}

#[test]
fn a_refusal_that_passes_leaves_the_subscriptions_for_the_next_stream() {
    let mut pair = pair(Protocol::Resp3);
    pair.send("SUBSCRIBE a b");
    pair.take();
    pair.cut();
    pair.server.answers.insert("SUBSCRIBE a b".into(), b"-BUSY Redis is busy running a script.\r\n".to_vec());
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.take(), ["closed refused SUBSCRIBE: BUSY Redis is busy running a script. Ready"]);
    pair.server.disconnect();
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.take().last().unwrap(), "connected Resp3 2");
}

#[test]
fn a_name_that_was_never_confirmed_and_never_failed_is_restored() {
    let mut pair = pair(Protocol::Resp3);
    pair.server.stalled = true;
    pair.send("SUBSCRIBE a");
    pair.run();
    pair.cut();
    pair.client.connected(pair.now).unwrap();
    assert_eq!(pair.take(), ["- +Channel a 1 last", "connected Resp3 1"]);
}

#[test]
fn only_the_open_transaction_is_taken_back() {
    let mut pair = pair(Protocol::Resp2);
    let first = pair.send("MULTI");
    for line in ["SET a 1", "EXEC"] {
        pair.send(line);
    }
    let second = pair.send("MULTI");
    pair.send("SET b 2");
    let before = (pair.client.queued_bytes(), pair.client.in_flight());
    assert!(!pair.client.discard_from(pair.tickets[first]));
    assert_eq!((pair.client.queued_bytes(), pair.client.in_flight()), before);
    assert_eq!(pair.client.mode(), Mode::Transaction);
    assert!(pair.client.discard_from(pair.tickets[second]));
    assert_eq!(pair.client.mode(), Mode::Ready);
    pair.send("SUBSCRIBE c");
    let events = pair.take();
    assert_eq!(events, ["#0 +\"OK\"", "#1 queued", "#2 [+\"OK\"]", "#5 +Channel c 1 last"]);
}

#[test]
fn a_transaction_is_not_taken_back_across_reset() {
    let mut pair = pair(Protocol::Resp3);
    pair.send("PING");
    let first = pair.send("MULTI");
    pair.send("RESET");
    pair.send("MULTI");
    assert!(!pair.client.discard_from(pair.tickets[first]));
    pair.send("DISCARD");
    pair.send("PING a");
    assert_eq!(pair.take().last().unwrap(), "#5 \"a\"");
}

#[test]
fn a_silent_peer_is_given_up_whatever_is_in_flight() {
    let (interval, timeout) = (Duration::from_secs(10), Duration::from_secs(2));
    let config = || Config::default().no_library().health_check(interval).health_check_timeout(timeout);
    for line in ["SUBSCRIBE a", "GET a", "MULTI"] {
        let mut pair = support::pair(config(), Server::default());
        pair.connect();
        pair.pass(Duration::from_secs(5));
        pair.server.stalled = true;
        pair.send(line);
        pair.run();
        let due = pair.now + interval + timeout;
        assert_eq!(pair.client.poll_timeout(), Some((due, TimeoutReason::Unresponsive)), "{line}");
        pair.pass(interval + timeout);
        assert_eq!(pair.take()[0], "#0 Disconnected, maybe executed");
    }
    // A blocking command may take as long as it says.
    let mut pair = support::pair(config(), Server::default().answer("BLPOP k 30", b""));
    pair.connect();
    let blocking =
        cmd("BLPOP").arg(("k", 30)).patient(redwire::command::Patience::blocking(Duration::from_secs(30)));
    pair.send_command(&blocking, SendOptions::default()).unwrap();
    pair.run();
    let due = pair.now + interval + timeout + Duration::from_secs(30);
    assert_eq!(pair.client.poll_timeout(), Some((due, TimeoutReason::Unresponsive)));
    let mut pair = support::pair(config(), Server::default().answer("BLPOP k 0", b""));
    pair.connect();
    pair.send_command(&["BLPOP", "k", "0"], SendOptions::default().no_timeout()).unwrap();
    pair.run();
    assert_eq!(pair.client.poll_timeout(), None);
}

#[test]
fn a_wrong_shape_is_out_of_step_where_it_would_leave_the_state_wrong() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["MULTI", "GET a", "EXEC"], "EXEC", "+QUEUED"),
        (&["MULTI", "GET a", "EXEC"], "EXEC", ":1"),
        (&["MULTI", "GET a", "EXEC"], "EXEC", "*3\r\n:1\r\n:2\r\n:3"),
        (&["MULTI", "GET a"], "MULTI", ":1"),
        (&["MULTI", "DISCARD"], "DISCARD", ":1"),
        (&["SELECT 3"], "SELECT 3", ":9"),
        (&["WATCH k"], "WATCH k", "$1\r\nx"),
        (&["UNWATCH"], "UNWATCH", ":0"),
        (&["AUTH x"], "AUTH x", "*0"),
        (&["MONITOR"], "MONITOR", ":1"),
        (&["CLIENT REPLY ON"], "CLIENT REPLY ON", ":1"),
        (&["CLIENT SETNAME n"], "CLIENT SETNAME n", ":1"),
        (&["QUIT"], "QUIT", ":1"),
        (&["RESET"], "RESET", "+OK"),
        (&["HELLO 3"], "HELLO 3", "%1\r\n+proto\r\n:2"),
        (&["SUBSCRIBE a"], "SUBSCRIBE a", ">3\r\n+subscribe\r\n+b\r\n:1"),
        (&["SUBSCRIBE a b"], "SUBSCRIBE a b", ">3\r\n+subscribe\r\n+a\r\n:1\r\n>3\r\n+subscribe\r\n+a\r\n:1"),
        (&["UNSUBSCRIBE a"], "UNSUBSCRIBE a", ">3\r\n+unsubscribe\r\n+b\r\n:1"),
    ];
    for (lines, answered, answer) in cases {
        let mut pair = pair(Protocol::Resp3);
        pair.server.answers.insert(answered.to_string(), format!("{answer}\r\n").into_bytes());
        for line in *lines {
            pair.send(line);
        }
        let events = pair.take();
        assert!(events.last().unwrap().starts_with("closed OutOfStep"), "{lines:?}, {answer}: {events:?}");
    }
}

#[test]
fn hello_counts_for_what_it_says() {
    let hello = |reply: &[u8], fallback| {
        let config = Config::default().no_library().fallback(fallback);
        let mut pair = support::pair(config, Server::default().answer("HELLO 3", reply));
        pair.client.connected(pair.now).unwrap();
        pair.take()
    };
    assert_eq!(hello(b"*2\r\n$5\r\nproto\r\n:2\r\n", true), ["connected Resp2 0"]);
    assert_eq!(hello(b"*2\r\n$5\r\nproto\r\n:2\r\n", false), ["closed OutOfStep Ready"]);
    assert_eq!(hello(b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n", true), ["closed OutOfStep Ready"]);
}

#[test]
fn a_refused_unwatch_leaves_the_keys_watched() {
    both_protocols(|mut pair, _| {
        pair.server.answers.insert("UNWATCH x".into(), b"-ERR wrong number of arguments\r\n".to_vec());
        pair.server.answers.insert("WATCH".into(), b"-ERR wrong number of arguments\r\n".to_vec());
        for line in ["WATCH k", "UNWATCH x", "WATCH"] {
            pair.send(line);
        }
        pair.take();
        assert!(pair.client.is_watching() && !pair.client.is_clean());
        // EXEC without MULTI leaves them, too.
        pair.server.answers.insert("MULTI".into(), b"-NOPERM no\r\n".to_vec());
        for line in ["MULTI", "EXEC"] {
            pair.send(line);
        }
        assert!(!pair.client.is_watching());
        pair.take();
        assert!(pair.client.is_watching());
        pair.send("UNWATCH");
        pair.take();
        assert!(pair.client.is_clean());
    });
}

#[test]
fn the_end_of_time_expires_nothing_that_has_no_deadline() {
    let mut pair = pair(Protocol::Resp3);
    pair.server.stalled = true;
    pair.send("GET a");
    pair.run();
    pair.client.handle_timeout(Instant::from_micros(u64::MAX));
    pair.server.resume();
    assert_eq!(pair.take(), ["#0 null"]);
    // The handshake likewise.
    let mut pair = support::pair(Config::default(), Server { stalled: true, ..Server::default() });
    pair.client.connected(pair.now).unwrap();
    pair.client.handle_timeout(Instant::from_micros(u64::MAX));
    assert_eq!(pair.take(), [""; 0]);
}

#[test]
fn what_was_sent_after_a_multi_of_unknown_fate_may_have_run() {
    let mut pair = pair(Protocol::Resp3);
    pair.server.stalled = true;
    pair.server.answers.insert("MULTI".into(), b"-NOPERM no\r\n".to_vec());
    for line in ["MULTI", "SET a 1"] {
        pair.send(line);
    }
    pair.run();
    assert_eq!(pair.server.values["a"], "1");
    let events = pair.cut();
    assert_eq!(events[..2], ["#0 Disconnected, maybe executed", "#1 Disconnected, maybe executed"]);
}

#[test]
fn credentials_in_errors_are_withheld_and_other_words_are_not() {
    let mut pair = pair(Protocol::Resp3);
    let errors = [
        ("ACL SETUSER u <hunter2", "ERR Error in ACL SETUSER modifier '<hunter2': no such password"),
        ("CONFIG SET requirepass hunter2 x", "ERR Unknown option or number of arguments - 'hunter2'"),
        ("AUTH ada hunter2", "ERR unknown command `AUTH`, with args beginning with: `ada`, `hunter2`, "),
        ("HELLO 3 AUTH ada hunter2", "ERR Syntax error in HELLO option 'hunter2'"),
    ];
    for (line, error) in errors {
        pair.server.answers.insert(line.into(), format!("-{error}\r\n").into_bytes());
        pair.send(line);
        let events = pair.take();
        assert_eq!(events.len(), 1);
        assert!(!events[0].contains("hunter2") && events[0].contains("*******"), "{events:?}");
    }
    let harmless = "-ERR Error in ACL SETUSER modifier '+gett': Unknown command or category name in ACL\r\n";
    pair.server.answers.insert("ACL SETUSER u +gett".into(), harmless.into());
    pair.send("ACL SETUSER u +gett");
    assert!(pair.take()[0].contains("+gett"));
    // A short password is a part of many words.
    let config = Config::default().password("is");
    let mut pair = support::pair(config, Server { password: Some("secret"), ..Server::default() });
    pair.client.connected(pair.now).unwrap();
    assert_eq!(
        pair.take(),
        ["closed refused HELLO: WRONGPASS invalid username-password pair or user is disabled. Ready"]
    );
}

#[test]
fn credentials_in_the_results_of_a_transaction_are_withheld() {
    let mut pair = pair(Protocol::Resp3);
    let error =
        b"*3\r\n$9\r\n'hunter2'\r\n-ERR Error in ACL SETUSER modifier '<hunter2': no\r\n-ERR x 'hunter2'\r\n";
    pair.server.answers.insert("EXEC".into(), error.to_vec());
    for line in ["MULTI", "GET k", "ACL SETUSER u <hunter2", "CONFIG SET requirepass hunter2 x", "EXEC"] {
        pair.send(line);
    }
    let events = pair.take();
    // A value is nobody's credential.
    assert!(events[4].contains("\"\\'hunter2\\'\"") || events[4].contains("\"'hunter2'\""), "{events:?}");
    assert_eq!(events[4].matches("hunter2").count(), 1, "{events:?}");
}

#[test]
fn what_sticks_is_known_and_makes_a_connection_unclean() {
    let cases = [
        ("CLIENT SETNAME n", Changes::NAME, "CLIENT SETNAME me"),
        ("CLIENT TRACKING ON", Changes::TRACKING, "CLIENT TRACKING OFF"),
        ("CLIENT NO-EVICT ON", Changes::NO_EVICT, "CLIENT NO-EVICT OFF"),
        ("CLIENT NO-TOUCH on", Changes::NO_TOUCH, "CLIENT NO-TOUCH off"),
        ("CLIENT CAPA redirect", Changes::CAPABILITIES, ""),
        ("CLIENT IMPORT-SOURCE ON", Changes::IMPORT_SOURCE, "CLIENT IMPORT-SOURCE OFF"),
        ("READONLY", Changes::READONLY, "READWRITE"),
        ("ASKING", Changes::ASKING, "GET k"),
        ("CLIENT CACHING YES", Changes::CACHING, "GET k"),
        ("SCRIPT DEBUG YES", Changes::SCRIPT_DEBUG, "SCRIPT DEBUG NO"),
        ("HIMPORT PREPARE s a b", Changes::FIELD_SETS, "HIMPORT DISCARDALL"),
    ];
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for (line, change, back) in cases {
            let config = Config::default().protocol(protocol).client_name("me").no_library();
            let mut pair = support::pair(config, Server::default());
            pair.connect();
            let say = |pair: &mut Pair<'_>, line: &str, answer: &[u8]| {
                pair.server.answers.insert(line.into(), answer.to_vec());
                pair.send(line);
                pair.take();
            };
            say(&mut pair, line, b"-ERR no\r\n");
            assert!(pair.client.is_clean(), "{line}");
            say(&mut pair, line, b"+OK\r\n");
            assert_eq!(pair.client.changes(), change, "{line}");
            assert!(!pair.client.is_clean() && !pair.client.is_fresh());
            if !back.is_empty() {
                say(&mut pair, back, b"+OK\r\n");
                assert!(pair.client.is_clean(), "{line}, {back}");
                say(&mut pair, line, b"+OK\r\n");
            }
            pair.send("RESET");
            pair.take();
            // What some servers keep after RESET counts as kept.
            let kept =
                [Changes::NO_EVICT, Changes::CAPABILITIES, Changes::IMPORT_SOURCE, Changes::SCRIPT_DEBUG];
            assert_eq!(pair.client.is_clean(), !kept.contains(&change), "{line}");
            pair.cut();
            pair.connect();
            assert!(pair.client.is_clean());
        }
    }
}

#[test]
fn what_sticks_in_a_transaction_takes_effect_with_exec() {
    let mut pair = pair(Protocol::Resp3);
    for line in ["MULTI", "CLIENT SETNAME n", "SELECT 99", "EXEC"] {
        pair.send(line);
        assert!(pair.client.changes().is_empty());
    }
    pair.take();
    assert_eq!(pair.client.changes(), Changes::NAME);
    assert_eq!(pair.client.database(), 0);
}

#[test]
fn the_user_says_hello() {
    let mut pair = support::pair(
        Config::default().protocol(Protocol::Resp2).no_library(),
        Server { password: None, ..Server::default() },
    );
    assert_eq!(pair.try_send("HELLO 3"), Err(SendError::Misuse(Misuse::NotAlone)));
    pair.connect();
    pair.send("PING");
    assert_eq!(pair.try_send("HELLO 3"), Err(SendError::Misuse(Misuse::NotAlone)));
    pair.take();
    pair.server.stalled = true;
    pair.send("HELLO 3 SETNAME n");
    pair.send("GET missing");
    pair.run();
    // What follows waits for the answer.
    assert_eq!(pair.server.seen.last().unwrap(), "HELLO 3 SETNAME n");
    pair.server.resume();
    let events = pair.take();
    assert!(events[0].starts_with("#1 {"), "{events:?}");
    assert_eq!(events[1], "#2 null");
    assert_eq!(pair.client.protocol(), Protocol::Resp3);
    assert_eq!(pair.client.changes(), Changes::PROTOCOL | Changes::NAME);
    pair.send("SUBSCRIBE a");
    pair.send("GET k");
    assert_eq!(pair.take(), ["#3 +Channel a 1 last", "#4 null"]);
    // Back to RESP2 it is a subscriber that may say little.
    pair.send("HELLO 2");
    pair.take();
    assert_eq!((pair.client.protocol(), pair.client.mode()), (Protocol::Resp2, Mode::Subscribed));
    pair.send("UNSUBSCRIBE");
    pair.take();
    pair.send("HELLO 4");
    assert_eq!(pair.take(), ["#7 -\"NOPROTO unsupported protocol version\""]);
    assert_eq!(pair.client.protocol(), Protocol::Resp2);
    pair.send("MULTI");
    assert_eq!(pair.try_send("HELLO"), Err(SendError::Misuse(Misuse::InTransaction)));
}

#[test]
fn a_transaction_goes_whole_or_not_at_all() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let config = Config::default().protocol(protocol).no_library();
        let mut pair = Pair::over(Connection::new(config, Buffers::growing_to(1000, 140)), Server::default());
        pair.connect();
        pair.send("WATCH k");
        pair.take();
        pair.send("CLIENT REPLY SKIP");
        pair.send("GET a");
        let before = (pair.client.queued_bytes(), pair.client.in_flight());
        let mut whole = pair.client.transaction(pair.now).unwrap();
        whole.send(&set("a", 1)).unwrap();
        for refused in ["EXEC", "DISCARD", "RESET", "QUIT", "WATCH", "SUBSCRIBE", "MULTI"] {
            let error = whole.send(&[refused, "k"][..1 + usize::from(refused.len() > 7)]).unwrap_err();
            assert_eq!(error, SendError::Misuse(Misuse::InTransaction), "{refused}");
        }
        assert!(matches!(whole.send(&set("b", "x".repeat(100))), Err(SendError::Capacity(_))));
        assert_eq!(whole.len(), 1);
        drop(whole);
        assert_eq!((pair.client.queued_bytes(), pair.client.in_flight()), before);
        assert!(pair.client.is_watching());
        assert_eq!(pair.client.mode(), Mode::Ready);
        pair.send("PING");
        assert_eq!(pair.take(), ["#3 +\"PONG\""]);
        assert!(!pair.server.seen.iter().any(|line| line == "MULTI"));
        // Whole.
        let mut whole = pair.client.transaction(pair.now).unwrap();
        whole.send(&set("a", 2)).unwrap();
        whole.send(&get("a")).unwrap();
        let tickets = whole.execute().unwrap();
        assert!(!pair.client.is_watching());
        pair.tickets.extend([tickets.multi(), tickets.command(0).unwrap(), tickets.command(1).unwrap()]);
        pair.tickets.push(tickets.exec());
        assert_eq!(tickets.command(2), None);
        assert_eq!(pair.take(), ["#4 +\"OK\"", "#5 queued", "#6 queued", "#7 [+\"OK\", \"2\"]"]);
    }
}

#[test]
fn a_word_too_many_is_an_error_and_nothing_else() {
    both_protocols(|mut pair, _| {
        for line in ["RESET x", "MULTI x"] {
            pair.server.answers.insert(line.into(), b"-ERR wrong number of arguments\r\n".to_vec());
            pair.send(line);
            assert_eq!(pair.take().len(), 1);
            assert!(pair.client.is_clean(), "{line}");
        }
        pair.send("MULTI");
        pair.server.answers.insert("DISCARD x".into(), b"-ERR wrong number of arguments\r\n".to_vec());
        pair.send("DISCARD x");
        pair.take();
        assert_eq!(pair.client.mode(), Mode::Transaction);
    });
}

#[test]
fn a_second_monitor_whose_first_was_refused_monitors() {
    let mut pair = pair(Protocol::Resp3);
    pair.server.answers.insert("MONITOR x".into(), b"-ERR wrong number of arguments\r\n".to_vec());
    for line in ["MONITOR x", "RESET", "MONITOR"] {
        pair.send(line);
    }
    pair.take();
    assert_eq!(pair.client.mode(), Mode::Monitor);
}

#[test]
fn commands_are_given_up_in_any_order() {
    let orders: [fn(usize) -> usize; 3] =
        [|number| number, |number| 999 - number, |number| number * 7 % 1000];
    for order in orders {
        let mut pair = pair(Protocol::Resp3);
        pair.send("GET first");
        for number in 0..1000 {
            pair.send(&format!("SET k{number} v"));
        }
        pair.send("GET last");
        for number in 0..1000 {
            let ticket = pair.tickets[1 + order(number)];
            assert!(pair.client.discard(ticket) && !pair.client.is_pending(ticket));
        }
        assert_eq!(pair.take(), ["#0 null", "#1001 null"]);
        assert!(pair.server.values.is_empty());
        assert!(pair.client.is_clean());
    }
}

#[test]
fn himport_discardall_says_how_many() {
    let mut pair = pair(Protocol::Resp3);
    pair.server.answers.insert("HIMPORT PREPARE u name".into(), b"+OK\r\n".to_vec());
    pair.server.answers.insert("HIMPORT DISCARDALL".into(), b":1\r\n".to_vec());
    pair.send("HIMPORT PREPARE u name");
    pair.send("HIMPORT DISCARDALL");
    assert_eq!(pair.take(), ["#0 +\"OK\"", "#1 1"]);
    assert!(pair.client.is_clean());
}

#[test]
fn a_shard_channel_that_ends_is_not_confirmed_for_another_command() {
    let mut pair = pair(Protocol::Resp3);
    pair.send("SSUBSCRIBE s1 s2");
    pair.take();
    let mut a = pushed(Protocol::Resp3, &["sunsubscribe", "s2"], 1);
    a.extend(pushed(Protocol::Resp3, &["sunsubscribe", "s1"], 0));
    a.extend(pushed(Protocol::Resp3, &["sunsubscribe", "s1"], 0));
    pair.server.answers.insert("SUNSUBSCRIBE s1".into(), a);
    pair.server.answers.insert("SUNSUBSCRIBE s2".into(), pushed(Protocol::Resp3, &["sunsubscribe", "s2"], 0));
    pair.server.subscriptions[2].clear();
    pair.send("SUNSUBSCRIBE s1");
    pair.send("SUNSUBSCRIBE s2");
    pair.send("PING");
    assert_eq!(
        pair.take(),
        ["over Shard s2: ended", "#1 -Shard s1 0 last", "#2 -Shard s2 0 last", "#3 +\"PONG\""]
    );
}

#[test]
fn a_shard_channel_that_ends_and_is_asked_for_again_is_no_confirmation() {
    let mut pair = pair(Protocol::Resp3);
    pair.send("SSUBSCRIBE s1 s2");
    pair.take();
    let mut a = pushed(Protocol::Resp3, &["sunsubscribe", "s2"], 1);
    a.extend(pushed(Protocol::Resp3, &["sunsubscribe", "s1"], 0));
    pair.server.answers.insert("SUNSUBSCRIBE s1".into(), a);
    pair.server.subscriptions[2].clear();
    pair.send("SUNSUBSCRIBE s1");
    pair.send("SSUBSCRIBE s2");
    assert_eq!(pair.take(), ["over Shard s2: ended", "#1 -Shard s1 0 last", "#2 +Shard s2 1 last"]);
}

#[test]
fn what_was_not_answered_is_settled_by_a_confirmation() {
    let mut pair = pair(Protocol::Resp3);
    for line in
        ["CLIENT REPLY SKIP", "CLIENT TRACKING ON", "SUBSCRIBE a", "CLIENT TRACKING OFF", "UNSUBSCRIBE a"]
    {
        pair.server.answers.insert("CLIENT TRACKING OFF".into(), b"+OK\r\n".to_vec());
        pair.send(line);
    }
    let events = pair.take();
    assert_eq!(pair.client.changes(), Changes::NONE, "{events:?}");
}

#[test]
fn what_was_not_answered_goes_with_reset() {
    let mut pair = pair(Protocol::Resp3);
    for line in ["CLIENT REPLY SKIP", "CLIENT TRACKING ON", "SUBSCRIBE a", "UNSUBSCRIBE a", "RESET"] {
        pair.send(line);
    }
    let events = pair.take();
    assert_eq!(pair.client.changes(), Changes::NONE, "{events:?}");
    assert!(pair.client.is_clean());
}

#[test]
fn a_streamed_ping_ends_asking() {
    let mut pair = pair(Protocol::Resp3);
    pair.server.answers.insert("ASKING".into(), b"+OK\r\n".to_vec());
    pair.server.answers.insert("PING hello".into(), b"$5\r\nhello\r\n".to_vec());
    pair.send("ASKING");
    pair.send_command(&["PING", "hello"], SendOptions::default().streamed()).unwrap();
    let events = pair.take();
    assert_eq!(pair.client.changes(), Changes::NONE, "{events:?}");
}

#[test]
fn what_may_have_been_refused_is_not_clean() {
    let mut pair = pair(Protocol::Resp3);
    pair.send("CLIENT REPLY SKIP");
    pair.send("SET a 1");
    pair.take();
    let clean = pair.client.is_clean();
    pair.server.answers.insert("GET b".into(), b"-ERR no\r\n".to_vec());
    pair.send("GET b");
    let events = pair.take();
    assert!(!clean || events == ["#2 -\"ERR no\""], "clean {clean} {events:?}");
}

#[test]
fn the_health_check_is_not_the_command_that_asking_is_for() {
    let config = Config::default().no_library().health_check(Duration::from_secs(1));
    let mut pair = support::pair(config, Server::default());
    pair.connect();
    pair.server.answers.insert("ASKING".into(), b"+OK\r\n".to_vec());
    pair.send("ASKING");
    pair.take();
    pair.pass(Duration::from_secs(1));
    pair.take();
    assert!(
        !pair.server.seen.iter().any(|l| l == "PING"),
        "{:?} {:?}",
        pair.server.seen,
        pair.client.changes()
    );
}

#[test]
fn a_silent_peer_in_the_handshake_is_noticed() {
    let config = Config::default().no_library().health_check(Duration::from_secs(1));
    let mut client = Connection::new(config, Buffers::growing());
    client.connected(Instant::from_millis(1)).unwrap();
    let n = client.poll_transmit().unwrap().len();
    client.transmitted(n);
    assert!(client.poll_timeout().is_some());
}

#[test]
fn a_late_command_behind_one_that_blocks_does_not_end_the_connection() {
    let config = Config::default().no_library().command_timeout(Duration::from_secs(1));
    let mut pair = support::pair(config, Server::default());
    pair.connect();
    pair.server.stalled = true;
    let t = pair.send_command(&cmd("BLPOP").arg("k").arg(0), SendOptions::default().no_timeout()).unwrap();
    pair.send("GET a");
    pair.run();
    pair.pass(Duration::from_secs(1));
    pair.run();
    pair.pass(Duration::from_secs(6));
    let events = pair.take();
    assert_eq!(events, ["#1 TimedOut, maybe executed"], "{t}");
}

#[test]
fn what_was_taken_back_does_not_end_the_connection() {
    let config = Config::default().no_library();
    let mut pair = support::pair(config, Server::default());
    pair.connect();
    pair.send_command(&["GET", "a"], SendOptions::default().timeout(Duration::from_secs(1))).unwrap();
    pair.pass(Duration::from_secs(2));
    pair.collect();
    assert_eq!(pair.client.in_flight(), 0);
    assert!(pair.client.is_clean());
    pair.pass(Duration::from_secs(60));
    assert_eq!(pair.take(), ["#0 TimedOut, not executed"]);
}

#[test]
fn a_timeout_of_its_own_holds_against_the_health_check() {
    let config = Config::default()
        .no_library()
        .health_check(Duration::from_secs(1))
        .health_check_timeout(Duration::from_secs(1));
    let mut pair = support::pair(config, Server::default());
    pair.connect();
    pair.server.stalled = true;
    pair.send_command(&["GET", "a"], SendOptions::default().timeout(Duration::from_secs(60))).unwrap();
    pair.run();
    pair.pass(Duration::from_secs(3));
    assert_eq!(pair.take(), [""; 0]);
}

#[test]
fn what_does_not_fit_is_no_ok_in_the_handshake() {
    for line in ["AUTH secret12", "SELECT 2"] {
        let mut receive = [0; 128];
        let buffers = Buffers { receive: Buffer::borrowed(&mut receive), ..Buffers::growing() };
        let config =
            Config::default().protocol(Protocol::Resp2).no_library().password("secret12").database(2);
        let big = format!("$500\r\n{}\r\n", "x".repeat(500));
        let mut pair =
            Pair::over(Connection::new(config, buffers), Server::default().answer(line, big.as_bytes()));
        pair.server.password = Some("secret12");
        pair.client.connected(pair.now).unwrap();
        let events = pair.take();
        assert!(events[0].starts_with("closed"), "{line} {events:?}");
    }
}

#[test]
fn there_is_room_to_restore_a_name_that_is_to_be_taken_out() {
    let mut transmit = [0; 400];
    let buffers = Buffers { transmit: Buffer::borrowed(&mut transmit), ..Buffers::growing() };
    let config = Config::default().protocol(Protocol::Resp2).no_library();
    let mut pair = Pair::over(Connection::new(config, buffers), Server::default());
    pair.connect();
    let name = "n".repeat(150);
    pair.send(&format!("SUBSCRIBE {name}"));
    pair.take();
    pair.cut();
    pair.send(&format!("UNSUBSCRIBE {name}"));
    while pair.try_send("GET a").is_ok() {}
    pair.client.connected(pair.now).unwrap();
    let events = pair.take();
    assert!(!events.iter().any(|e| e.contains("Capacity")), "{events:?}");
}

#[test]
fn the_last_name_of_hello_counts() {
    let config = Config::default().no_library().client_name("me");
    let mut pair = support::pair(config, Server::default());
    pair.connect();
    pair.server
        .answers
        .insert("HELLO 3 SETNAME me SETNAME other".into(), b"%1\r\n$5\r\nproto\r\n:3\r\n".to_vec());
    pair.send("HELLO 3 SETNAME me SETNAME other");
    pair.take();
    assert_eq!(pair.client.changes(), Changes::NAME);
}

#[test]
fn a_credential_with_quotes_is_withheld() {
    let mut pair = pair(Protocol::Resp3);
    pair.server.answers.insert(
        "ACL SETUSER u <sec'ret'x".into(),
        b"-ERR Error in ACL SETUSER modifier '<sec'ret'x': The password isn't known\r\n".to_vec(),
    );
    pair.send("ACL SETUSER u <sec'ret'x");
    let events = pair.take();
    assert!(!events.concat().contains("ret"), "{events:?}");
}

#[test]
fn parameters_that_hold_credentials_are_known() {
    for line in ["CONFIG SET primaryauth hunter2", "CONFIG SET tls-client-key-file-pass hunter2"] {
        let mut pair = pair(Protocol::Resp3);
        let key = line.split(' ').nth(2).unwrap();
        pair.server.answers.insert(
            line.into(),
            format!("-ERR unknown command 'CONFIG', with args beginning with: 'SET' '{key}' 'hunter2' \r\n")
                .into_bytes(),
        );
        pair.send(line);
        let events = pair.take();
        assert!(!events.concat().contains("hunter2"), "{events:?}");
    }
}
