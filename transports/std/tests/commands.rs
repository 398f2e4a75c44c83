//! Connections and commands, on a real server.

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redwire::connection::Misuse;
use redwire::reply::{Value, text::Info};
use redwire::resp::ErrorCode;
use redwire_kit::real::Server;
use redwire_std::prelude::*;
use support::{Ways, each_way};

#[test]
fn set_and_get() {
    each_way(|_, config| {
        let client = config.clone().client();
        assert!(client.set("foo", "bar").unwrap());
        let foo: Option<String> = client.get("foo").unwrap();
        assert_eq!(foo.as_deref(), Some("bar"));
        let missing: Option<String> = client.get("missing").unwrap();
        assert_eq!(missing, None);
        assert!(!client.execute(set("foo", "other").nx()).unwrap());
        assert!(client.execute(set("lock", "token").ex(30).nx()).unwrap());
        assert_eq!(client.get::<String>("foo").unwrap(), "bar");
        assert_eq!(client.ttl("lock").unwrap(), 30);
    });
}

#[test]
fn every_byte_comes_back() {
    each_way(|_, config| {
        let client = config.clone().client();
        let all: Vec<u8> = (0..=255).collect();
        for value in [&all[..], b"\r\n", b"$5\r\nhello\r\n", b"", &[0; 100_000]] {
            client.set("k", value).unwrap();
            assert_eq!(client.get::<Vec<u8>>("k").unwrap(), value);
        }
    });
}

#[test]
fn line_breaks_in_a_key_inject_nothing() {
    each_way(|_, config| {
        let client = config.clone().client();
        client.set("a\r\nSET x 1\r\n", "v").unwrap();
        assert_eq!(client.exists("x").unwrap(), 0);
        assert_eq!(client.dbsize().unwrap(), 1);
        assert_eq!(client.get::<String>("a\r\nSET x 1\r\n").unwrap(), "v");
    });
}

#[test]
fn collections_read_alike_under_both_protocols() {
    each_way(|_, config| {
        let client = config.clone().client();
        assert_eq!(client.hset("h", [("a", 1), ("b", 2)]).unwrap(), 2);
        let h: BTreeMap<String, i64> = client.hgetall("h").unwrap();
        assert_eq!(h, BTreeMap::from([("a".into(), 1), ("b".into(), 2)]));

        let added: i64 =
            client.execute(cmd("ZADD").arg("z").arg([(1.5, "a"), (f64::INFINITY, "b")])).unwrap();
        assert_eq!(added, 2);
        let score: f64 = client.execute(cmd("ZSCORE").arg("z").arg("a")).unwrap();
        assert_eq!(score, 1.5);
        let ranked: Vec<(String, f64)> =
            client.execute(cmd("ZRANGE").arg("z").arg(0).arg(-1).arg("WITHSCORES")).unwrap();
        assert_eq!(ranked, [("a".into(), 1.5), ("b".into(), f64::INFINITY)]);

        let items: Vec<u32> = (0..10_000).collect();
        assert_eq!(client.rpush("l", &items).unwrap(), 10_000);
        assert_eq!(client.lrange::<Vec<u32>>("l", 0, -1).unwrap(), items);
        assert_eq!(client.mget::<Vec<Option<String>>>(["a", "b"]).unwrap(), [None, None]);
    });
}

#[test]
fn errors_of_the_server_leave_the_connection_usable() {
    each_way(|server, config| {
        let client = config.clone().client_name("tester").client();
        client.rpush("list", 1).unwrap();
        let error = client.incr("list").unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::WrongType));
        assert_eq!(error.command(), Some("INCR"));
        assert!(!error.is_retryable());
        assert!(
            error
                .to_string()
                .ends_with("INCR: WRONGTYPE Operation against a key holding the wrong kind of value")
        );
        let error = client.get::<String>("none").unwrap_err();
        assert!(error.to_string().contains("GET: asked for text, the reply is null"), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Mismatch(_)));
        assert_eq!(client.client_getname::<String>().unwrap(), "tester");
        let clients: String = server.client().client_list().unwrap();
        assert_eq!(clients.matches("name=tester").count(), 1, "one connection did it all");
    });
}

#[test]
fn info_as_a_map() {
    each_way(|_, config| {
        let client = config.clone().client();
        let text: String = client.info().unwrap();
        let info = Info::new(&text);
        assert_eq!(info.get("role"), Some("master"));
        assert!(info.get("redis_version").is_some());
    });
}

#[test]
fn refused_connections_name_the_place_and_what_to_do() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = Client::open(&format!("redis://user:secret@127.0.0.1:{port}")).unwrap();
    let error = client.set("k", "v").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connect));
    assert!(error.is_retryable());
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("redis at 127.0.0.1:{port}: cannot connect: Connection refused")),
        "{text}"
    );
    assert!(text.ends_with("is a server running there?"), "{text}");
    assert!(!format!("{error:?} {client:?}").contains("secret"));

    let client = Client::open("unix:///no/such/redis.sock").unwrap();
    let text = client.ping().unwrap_err().to_string();
    assert!(text.starts_with("redis at /no/such/redis.sock: cannot connect: No such file"), "{text}");
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    // The server listens on 127.0.0.1 alone; `localhost` may be `::1` first.
    let server = Server::start();
    Client::open(&format!("redis://localhost:{}", server.port())).unwrap().ping().unwrap();
}

#[test]
fn a_server_that_takes_nothing_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, wait) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            for answer in [b"%1\r\n+proto\r\n:3\r\n".as_slice(), b"+OK\r\n+OK\r\n"] {
                let _ = stream.read(&mut [0; 200]).unwrap();
                stream.write_all(answer).unwrap();
            }
            let _ = wait.recv();
        });
        let config = ClientConfig::tcp("127.0.0.1", port).write_timeout(Duration::from_millis(200));
        let begun = Instant::now();
        let error = config.client().set("k", vec![0; 50_000_000]).unwrap_err();
        assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert!(error.maybe_executed());
        drop(told);
    });
}

#[test]
fn passwords_are_right_or_wrong_and_never_shown() {
    let server = Server::start();
    let admin = server.client();
    let words = ["ACL", "SETUSER", "u1", "on", ">p@/:", "~*", "+@read", "+ping", "+hello", "+client"];
    let _: () = admin.execute(words).unwrap();
    for (name, config) in server.ways() {
        println!("{name}");
        let right = config.clone().credentials("u1", "p@/:").client();
        assert_eq!(right.get::<Option<String>>("k").unwrap(), None);
        let error = right.set("k", "v").unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::NoPerm));
        assert_eq!(right.get::<Option<String>>("k").unwrap(), None);

        let client = config.clone().credentials("u1", "hunter2").client();
        let error = client.ping().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused { .. }), "{error:?}");
        assert_eq!(error.code(), Some(ErrorCode::WrongPass));
        assert!(!format!("{error} {error:?} {client:?} {config:?}").contains("hunter2"));

        let client = config.clone().password("unneeded").client();
        if name.ends_with("resp2") {
            let error = client.ping().unwrap_err().to_string();
            assert!(error.contains("without any password configured"), "{error}");
            assert!(!error.contains("unneeded"));
        } else {
            client.ping().unwrap();
        }
    }
    let url = format!("redis://u1:p%40%2F%3A@127.0.0.1:{}?protocol=2", server.port());
    assert_eq!(Client::open(&url).unwrap().get::<Option<String>>("k").unwrap(), None);
}

#[test]
fn a_missing_or_misplaced_password_is_said_and_not_shown() {
    let error = Client::open("redis://sesame@localhost").unwrap_err();
    assert!(error.to_string().contains("write redis://:password@host"), "{error}");
    let config = ClientConfig::from_url("redis://worker:sesame@localhost").unwrap();
    let shown = format!("{error} {error:?} {config:?} {:?}", config.clone().client());
    assert!(!shown.contains("worker") && !shown.contains("sesame"), "{shown}");

    let server = Server::start_with(&["--requirepass", "sesame"]);
    for (name, config) in server.ways() {
        let missing = config.clone().client().ping().unwrap_err();
        assert_eq!(missing.code(), Some(ErrorCode::NoAuth), "{name}: {missing}");
        assert!(missing.to_string().ends_with("; give a password (redis://:password@host)"), "{missing}");
        let wrong = config.clone().password("sesam").client().ping().unwrap_err();
        assert_eq!(wrong.code(), Some(ErrorCode::WrongPass), "{name}: {wrong}");
        assert!(wrong.to_string().ends_with("; check user name and password"), "{wrong}");
        assert!(![missing, wrong].iter().any(|error| error.to_string().contains(".;")));
        let client = config.credentials("default", "sesame").client();
        client.ping().unwrap();
        let shown = format!("{client:?}");
        assert!(!shown.contains("sesame") && !shown.contains("default"), "{shown}");
    }
}

#[test]
fn databases_of_urls() {
    let server = Server::start();
    let url = format!("redis://127.0.0.1:{}", server.port());
    Client::open(&format!("{url}/3")).unwrap().set("k", "three").unwrap();
    assert_eq!(Client::open(&url).unwrap().exists("k").unwrap(), 0);
    assert_eq!(Client::open(&format!("{url}?db=3")).unwrap().get::<String>("k").unwrap(), "three");
    let error = Client::open(&format!("{url}/77")).unwrap().ping().unwrap_err();
    assert!(error.to_string().contains("the server refused SELECT: ERR DB index is out of range"), "{error}");
}

#[test]
fn late_replies_are_nobody_elses() {
    each_way(|server, config| {
        let client = config.clone().client();
        client.set("foo", "bar").unwrap();
        let impatient = config.clone().read_timeout(Duration::from_millis(500)).client();
        impatient.ping().unwrap();
        // The server itself waits for longer than anybody was told.
        let begun = Instant::now();
        let error = impatient.execute::<_, Value>(["BLPOP", "none", "60"]).unwrap_err();
        assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
        assert!(matches!(error.kind(), ErrorKind::TimedOut));
        assert!(error.maybe_executed() && !error.is_retryable());
        assert!(error.to_string().ends_with("BLPOP: there was no reply in time; it may have been executed"));
        assert_eq!(impatient.get::<String>("foo").unwrap(), "bar");

        // The late reply comes before the next command: the connection is in step, and is used again.
        let id = impatient.client_id().unwrap();
        assert!(impatient.execute::<_, Value>(["BLPOP", "list", "60"]).is_err());
        server.client().rpush("list", "late").unwrap();
        server.settle();
        assert_eq!(impatient.get::<String>("foo").unwrap(), "bar");
        assert_eq!(impatient.client_id().unwrap(), id);
    });
}

#[test]
fn blocking_commands_may_take_longer() {
    each_way(|_, config| {
        let client = config.clone().read_timeout(Duration::from_millis(300)).client();
        let begun = Instant::now();
        let popped: Option<(String, String)> = client.blpop("none", Duration::from_secs(1)).unwrap();
        assert_eq!(popped, None);
        assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_connection_that_died_while_idle_is_replaced() {
    each_way(|server, config| {
        let client = config.clone().client();
        let first = client.client_id().unwrap();
        let killed: u64 = server.client().execute(client_kill().id(first)).unwrap();
        assert_eq!(killed, 1);
        server.settle();
        let second = client.client_id().unwrap();
        assert_ne!(first, second);
    });
}

#[test]
fn a_connection_that_dies_with_a_command_says_that_it_may_have_been_executed() {
    each_way(|server, config| {
        let client = config.clone().client();
        let id = client.client_id().unwrap();
        let killer = server.client();
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                let blocked =
                    |line: &str| line.starts_with(&format!("id={id} ")) && line.contains("cmd=blpop");
                while !killer.client_list::<String>().unwrap().lines().any(blocked) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                killer.execute(client_kill().id(id)).unwrap();
            });
            client.blpop::<Value>("none", Duration::from_secs(60)).unwrap_err()
        });
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert!(error.maybe_executed() && !error.is_retryable());
        assert!(error.to_string().contains("BLPOP: the"), "{error}");
        assert!(error.to_string().ends_with("; it may have been executed"), "{error}");
        client.ping().unwrap();
    });
}

#[test]
fn commands_that_change_their_connection_are_refused() {
    each_way(|server, config| {
        let client = config.clone().client();
        for words in [
            &["SUBSCRIBE", "c"][..],
            &["MULTI"],
            &["WATCH", "k"],
            &["MONITOR"],
            &["SELECT", "1"],
            &["AUTH", "default", ""],
            &["RESET"],
            &["CLIENT", "REPLY", "OFF"],
            // These would stick to one of its connections, and show to the next caller.
            &["HELLO", "2"],
            &["CLIENT", "SETNAME", "n"],
            &["CLIENT", "TRACKING", "ON"],
            &["CLIENT", "NO-EVICT", "ON"],
            &["SCRIPT", "DEBUG", "YES"],
            &["READONLY"],
        ] {
            let error = client.execute::<_, Value>(words).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Misuse(Misuse::OwnConnection)), "{words:?}: {error:?}");
            assert_eq!(error.command(), Some(words[0]));
            client.set("k", words[0]).unwrap();
            assert_eq!(client.get::<String>("k").unwrap(), words[0]);
        }
        assert_eq!(server.client().get::<String>("k").unwrap(), "READONLY");
    });
}

#[test]
fn many_threads_share_a_client() {
    each_way(|_, config| {
        let client = config.clone().client();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let client = &client;
                scope.spawn(move || {
                    for round in 0..200 {
                        let echoed: String = client.echo(format!("{thread} {round}")).unwrap();
                        assert_eq!(echoed, format!("{thread} {round}"));
                        client.incr("count").unwrap();
                    }
                });
            }
        });
        assert_eq!(client.get::<u64>("count").unwrap(), 1600);
    });
}

#[test]
fn large_values_both_ways() {
    each_way(|_, config| {
        let client = config.clone().client();
        let value: Vec<u8> = (0..20_000_000u32).map(|n| (n % 251) as u8).collect();
        client.set("large", &value).unwrap();
        assert!(client.get::<Vec<u8>>("large").unwrap() == value);
    });
}

#[test]
fn peers_that_are_no_redis() {
    use std::io::{Read, Write};
    let answers: [(&[u8], &str); 3] = [
        (b"\x15\x03\x01\x00\x02\x02\x16", "speaks TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not the Redis protocol: unknown type byte at byte 0"),
        (b"", "did not answer in time"),
    ];
    for (answer, expected) in answers {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 100]).unwrap();
                stream.write_all(answer).unwrap();
                let _ = stream.read(&mut [0; 100]);
            });
            let patience = Duration::from_millis(if answer.is_empty() { 200 } else { 60_000 });
            let config = ClientConfig::tcp("127.0.0.1", port).connect_timeout(patience);
            let error = config.client().ping().unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!error.maybe_executed());
        });
    }
}

#[test]
fn a_server_that_takes_nothing_does_not_outlast_the_read_timeout() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The greeting, under RESP2 CLIENT SETINFO twice, and then nothing.
        let mut greeting = [0; 1024];
        assert!(stream.read(&mut greeting).unwrap() > 0);
        stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
        let _ = wait.recv();
    });
    let config = ClientConfig::tcp("127.0.0.1", port).protocol(redwire::resp::Protocol::Resp2);
    let client = config.read_timeout(Duration::from_millis(100)).client();
    let large = vec![b'x'; 32 << 20];
    let error = client.set("k", &large[..]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut), "{error:?}");
    assert!(error.maybe_executed() && !error.is_retryable());
    drop(done);
    peer.join().unwrap();
}

#[test]
fn timeouts_of_any_length() {
    let server = Server::start();
    for config in [server.tcp(), server.unix()] {
        let config = config.connect_timeout(Duration::MAX).read_timeout(Duration::MAX);
        config.write_timeout(Duration::MAX).health_check(Duration::MAX).client().ping().unwrap();
    }
}

#[test]
fn a_server_that_is_full_says_so_and_may_be_tried_again() {
    let server = Server::start();
    let admin = server.client();
    admin.execute::<_, ()>(cmd("CONFIG").arg(["SET", "maxclients", "1"])).unwrap();
    for (name, config) in server.ways() {
        let error = config.client().ping().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused { .. }), "{name}: {error}");
        assert!(error.to_string().contains("max number of clients"), "{name}: {error}");
        assert!(error.is_retryable() && !error.maybe_executed(), "{name}: {error:#?}");
    }
    // The one connection that there may be goes on.
    admin.ping().unwrap();
}
