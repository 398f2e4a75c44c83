//! Pipelines, transactions and scripts, on a real server.

mod support;

use redwire::connection::Misuse;
use redwire::reply::Value;
use redwire::resp::{ErrorCode, ErrorReply};
use redwire_kit::real::Server;
use redwire_std::prelude::*;
use support::{Ways, each_way};

#[test]
fn one_reply_for_each_command() {
    each_way(|_, config| {
        let client = config.clone().client();
        let replies: (bool, Option<String>, u64, u64, f64) = client
            .pipeline()
            .set("a", "a1")
            .get("a")
            .add(cmd("ZADD").arg("z").arg((1, "z1")))
            .add(cmd("ZADD").arg("z").arg((4, "z2")))
            .add(cmd("ZINCRBY").arg("z").arg((1, "z1")))
            .execute()
            .unwrap();
        assert_eq!(replies, (true, Some("a1".into()), 1, 1, 2.0));
        let sums: Vec<i64> = client.pipeline().incr("n").incr("n").incr("n").execute().unwrap();
        assert_eq!(sums, [1, 2, 3]);
        let sums: [i64; 2] = client.pipeline().atomic().incr("n").incr("n").execute().unwrap();
        assert_eq!(sums, [4, 5]);
        client.pipeline().incr("n").del("n").execute::<()>().unwrap();
        assert_eq!(client.exists("n").unwrap(), 0);
    });
}

#[test]
fn empty_pipelines_send_nothing_and_atomic_ones_come_in_one_piece() {
    each_way(|server, config| {
        let client = config.clone().client();
        client.ping().unwrap();
        let seen = server.monitored(|| {
            client.pipeline().execute::<()>().unwrap();
            assert_eq!(client.pipeline().atomic().execute::<Vec<i64>>().unwrap(), [0; 0]);
            let empty: [&str; 0] = [];
            let nameless = client.pipeline().incr("n").add(empty).execute::<()>().unwrap_err();
            assert_eq!(nameless.to_string(), "command 2 of the pipeline: the command has no name");
            let wrong = client.pipeline().incr("n").execute::<(i64, i64)>().unwrap_err();
            assert!(wrong.to_string().contains("has 1 commands and the result 2 elements"), "{wrong}");
        });
        assert_eq!(seen, [""; 0]);
        let seen = server.monitored(|| {
            client.pipeline().atomic().incr("n").get("n").execute::<(i64, String)>().unwrap();
            client.pipeline().incr("n").execute::<()>().unwrap();
        });
        assert_eq!(seen, ["MULTI", "INCR n", "GET n", "EXEC", "INCR n"]);
    });
}

#[test]
fn an_error_names_its_command_and_the_others_are_executed() {
    each_way(|_, config| {
        let client = config.clone().client();
        for atomic in [false, true] {
            client.set("c", "text").unwrap();
            let mut pipeline = client.pipeline();
            if atomic {
                pipeline.atomic();
            }
            let error = pipeline.set("a", 1).lpush("c", 3).set("d", 4).execute::<()>().unwrap_err();
            let of = if atomic { "transaction" } else { "pipeline" };
            let expected = format!("command 2 (LPUSH) of the {of}: WRONGTYPE Operation");
            assert!(error.to_string().contains(&expected), "{error}");
            assert_eq!((error.position(), error.command()), (Some(2), Some("LPUSH")));
            assert_eq!(error.code(), Some(ErrorCode::WrongType));
            assert!(matches!(error.kind(), ErrorKind::Server(_)) && !error.is_retryable());
            // What `main` shows when it returns the error.
            assert_eq!(format!("{error:?}"), error.to_string());
            assert!(format!("{error:#?}").contains("kind: Server("), "{error:#?}");
            assert_eq!(client.get::<i64>("d").unwrap(), 4);
            // It is empty now, and can be used again.
            assert!(pipeline.is_empty());
            assert_eq!(pipeline.get("a").execute::<(i64,)>().unwrap(), (1,));

            let (a, c, d): (bool, Result<u64, Error>, bool) =
                pipeline.set("a", 1).lpush("c", 3).set("d", 4).execute().unwrap();
            assert!(a && d);
            assert_eq!(c.unwrap_err().code(), Some(ErrorCode::WrongType));
        }
    });
}

#[test]
fn an_error_that_is_a_value_says_as_much_and_keeps_nothing_from_being_read() {
    each_way(|_, config| {
        let client = config.clone().client();
        for of in ["pipeline", "transaction"] {
            client.flushall().unwrap();
            client.set("text", "text").unwrap();
            let mut pipeline = client.pipeline();
            if of == "transaction" {
                pipeline.atomic();
            }
            type Replies = (i64, Result<u64, ServerError>, Option<Result<u16, ServerError>>, Value);
            pipeline.incr("n").lpush("text", 1).incrby("n", 999).lpush("text", 2);
            let (one, pushed, large, value): Replies = pipeline.execute().unwrap();
            assert_eq!((one, large.unwrap()), (1, Ok(1000)));
            // It takes errors of the server as they are.
            assert!(value.error().is_some(), "{value:?}");
            assert_eq!(pushed.unwrap_err().code(), ErrorCode::WrongType);
            // What is no error of the server is one of the whole.
            let error = pipeline.get("n").get("none").execute::<[Result<i64, ServerError>; 2]>().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Mismatch(_)), "{error}");
            assert!(
                error.to_string().contains(&format!(": command 2 (GET) of the {of}: asked for ")),
                "{error}"
            );
            assert_eq!(error.position(), Some(2));
            assert!(pipeline.get("text").execute::<Vec<Result<i64, Code>>>().is_err());
            let codes = pipeline.lpush("text", 1).execute::<Vec<Result<i64, Code>>>().unwrap();
            assert_eq!(codes, [Err(Code(ErrorCode::WrongType))]);
        }
    });
}

/// An error type that keeps the code alone.
#[derive(Debug, PartialEq)]
struct Code(ErrorCode);

impl From<ErrorReply<'_>> for Code {
    fn from(error: ErrorReply<'_>) -> Self {
        Code(error.code())
    }
}

#[test]
fn a_transaction_with_a_command_that_is_refused_is_not_executed() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut pipeline = client.pipeline();
        let error =
            pipeline.atomic().set("a", 1).add(["NOSUCH", "secret"]).set("b", 2).execute::<()>().unwrap_err();
        assert!(error.to_string().contains("command 2 (NOSUCH) of the transaction: ERR"), "{error}");
        assert!(error.to_string().ends_with("; nothing of the transaction was executed"), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Aborted(_)), "{error:?}");
        assert_eq!(error.code(), Some(ErrorCode::Err));
        assert!(!error.maybe_executed() && !error.is_retryable());
        assert_eq!(client.exists(["a", "b"]).unwrap(), 0);
        assert_eq!(client.echo::<String>("in step").unwrap(), "in step");
        let replies = pipeline.set("a", 1).add(["NOSUCH"]).execute::<Vec<Result<(), Error>>>();
        assert_eq!(replies.unwrap_err().position(), Some(2));
    });
}

#[test]
fn debug_shows_commands_without_their_arguments() {
    let server = Server::start();
    let client = server.client();
    client.set("k", "sesame").unwrap();
    let mut pipeline = client.pipeline();
    pipeline.set("k", "sesame").get("k");
    let shown = format!("{pipeline:?}");
    assert!(shown.contains(r#"["SET", "GET"]"#) && !shown.contains("sesame"), "{shown}");
    // Nor as bytes.
    assert!(!shown.contains("115, 101, 115, 97, 109, 101"), "{shown}");
}

#[test]
fn ten_thousand_small_and_two_thousand_large_ones() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut pipeline = client.pipeline();
        for number in 0..10_000 {
            pipeline.set(format!("k{number}"), number);
        }
        assert_eq!(pipeline.len(), 10_000);
        assert_eq!(pipeline.execute::<Vec<bool>>().unwrap(), vec![true; 10_000]);
        for atomic in [false, true] {
            let value = vec![b'v'; 20_000];
            if atomic {
                pipeline.atomic();
            }
            for number in 0..2_000 {
                pipeline.set(format!("large{number}"), &value).echo(&value);
            }
            let replies: Vec<Vec<u8>> = pipeline.execute().unwrap();
            assert_eq!(replies.len(), 4_000);
            for pair in replies.chunks(2) {
                assert!(pair[0] == b"OK" && pair[1] == value);
            }
        }
    });
}

/// A peer that reads nothing as long as its own replies are not read: with full buffers on both sides. Those of a Unix
/// domain socket are small.
#[test]
fn a_peer_that_does_not_buffer_is_no_deadlock() {
    use std::io::{Read, Write};
    let path = std::env::temp_dir().join(format!("redwire-peer-{}.sock", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut scanner = redwire::resp::Scanner::growing(Default::default());
            let mut received = Vec::new();
            let mut part = vec![0; 100_000];
            let reply = [b"$1000000\r\n".as_slice(), &vec![b'r'; 1_000_000], b"\r\n"].concat();
            loop {
                use redwire::resp::{Parser, Progress};
                match scanner.parse(&received).unwrap() {
                    Progress::Frame { length, .. } => {
                        let hello = received.starts_with(b"*2\r\n$5\r\nHELLO");
                        let client = received.starts_with(b"*4\r\n$6\r\nCLIENT");
                        received.drain(..length);
                        let reply: &[u8] = match (hello, client) {
                            (true, _) => b"%1\r\n+proto\r\n:3\r\n",
                            (_, true) => b"+OK\r\n",
                            _ => &reply,
                        };
                        stream.write_all(reply).unwrap();
                    }
                    _ => match stream.read(&mut part) {
                        Ok(0) | Err(_) => return,
                        Ok(count) => received.extend_from_slice(&part[..count]),
                    },
                }
            }
        });
        let client = ClientConfig::unix(path.to_str().unwrap()).client();
        let value = vec![b'v'; 500_000];
        let mut pipeline = client.pipeline();
        for _ in 0..60 {
            pipeline.echo(&value);
        }
        let replies: Vec<Vec<u8>> = pipeline.execute().unwrap();
        assert!(replies.len() == 60 && replies.iter().all(|reply| reply.len() == 1_000_000));
    });
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_connection_that_dies_in_a_pipeline() {
    each_way(|server, config| {
        let client = config.clone().client();
        let id = client.client_id().unwrap();
        let error = client
            .pipeline()
            .incr("n")
            .add(client_kill().id(id).skipme(false))
            .incr("n")
            .execute::<()>()
            .unwrap_err();
        // The server answers what comes before it closes, or not even that.
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert!(error.maybe_executed() && !error.is_retryable());
        assert!(error.to_string().contains(" of the pipeline: the "), "{error}");
        assert_eq!(server.client().get::<i64>("n").unwrap(), 1);
        assert_eq!(client.incr("n").unwrap(), 2);
    });
}

#[test]
fn a_transaction_is_repeated_until_nobody_was_in_between() {
    each_way(|server, config| {
        let client = config.clone().client();
        let other = server.client();
        let mut rounds = 0;
        let next = client
            .transaction(["seq"], |tx| {
                rounds += 1;
                let next = tx.get::<Option<u64>>("seq")?.unwrap_or(0) + 1;
                if rounds < 3 {
                    other.set("seq", rounds * 10)?;
                }
                tx.multi().set("seq", next);
                Ok(next)
            })
            .unwrap();
        assert_eq!((rounds, next), (3, 21));
        assert_eq!(client.get::<u64>("seq").unwrap(), 21);

        let (sum, all): (i64, Vec<String>) = client
            .transaction("seq", |tx| {
                tx.get::<u64>("seq")?;
                tx.multi().incr("seq").lrange("none", 0, -1).execute()
            })
            .unwrap();
        assert_eq!((sum, all), (22, vec![]));
    });
}

#[test]
fn an_empty_transaction_notices_conflicts_too() {
    each_way(|server, config| {
        let client = config.clone().client();
        let other = server.client();
        let mut rounds = 0;
        client
            .transaction(["k"], |tx| {
                rounds += 1;
                if rounds == 1 {
                    other.set("k", 1)?;
                }
                tx.multi();
                Ok(())
            })
            .unwrap();
        assert_eq!(rounds, 2);
    });
}

#[test]
fn what_a_transaction_leaves_behind() {
    each_way(|server, config| {
        let client = config.clone().client();
        client.ping().unwrap();
        let done = server.monitored(|| {
            client
                .transaction(["k"], |tx| {
                    tx.multi().set("k", 1);
                    Ok(())
                })
                .unwrap();
        });
        assert_eq!(done, ["WATCH k", "MULTI", "SET k 1", "EXEC"]);
        let read_only = server.monitored(|| {
            assert_eq!(client.transaction(["k"], |tx| tx.get::<i64>("k")).unwrap(), 1);
        });
        assert_eq!(read_only, ["WATCH k", "GET k", "UNWATCH"]);
        let failed = server.monitored(|| {
            let result = client.transaction(["k"], |tx| {
                tx.multi().set("k", 2);
                tx.incr("k")?;
                tx.execute::<_, i64>(["LLEN", "k"])
            });
            assert_eq!(result.unwrap_err().code(), Some(ErrorCode::WrongType));
        });
        assert_eq!(failed, ["WATCH k", "INCR k", "LLEN k", "UNWATCH"]);
        let twice = client.transaction(["k"], |tx| {
            tx.multi().incr("k").execute::<()>()?;
            tx.multi().incr("k").execute::<()>()
        });
        assert!(matches!(twice.unwrap_err().kind(), ErrorKind::AlreadyExecuted));
        assert_eq!(client.get::<i64>("k").unwrap(), 3);
    });
}

#[test]
fn a_lost_watch_is_not_repeated_in_silence() {
    each_way(|server, config| {
        let client = config.clone().client();
        let mut rounds = 0;
        let mut attempt = |before: bool| {
            client.transaction(["k"], |tx| {
                rounds += 1;
                let id = tx.client_id()?;
                server.client().execute(client_kill().id(id))?;
                server.settle();
                if before {
                    tx.get::<Option<String>>("k")?;
                }
                tx.multi().set("k", 1);
                Ok(())
            })
        };
        let error = attempt(true).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert!(!error.maybe_executed() && error.is_retryable());
        let error = attempt(false).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert!(!error.maybe_executed() && error.is_retryable());
        assert!(error.to_string().ends_with("; it was not executed"), "{error}");
        assert!(!error.to_string().contains("MULTI"), "{error}");
        assert_eq!(rounds, 2);
        assert_eq!(client.exists("k").unwrap(), 0);
    });
}

#[test]
fn a_watch_that_is_lost_with_a_command_leaves_open_whether_it_was_executed() {
    each_way(|server, config| {
        let client = config.clone().client();
        let kill = || {
            let list: String = server.client().execute(["CLIENT", "LIST"]).unwrap();
            let blocked = list.lines().find(|line| line.contains("cmd=blpop"));
            let id = blocked?.split([' ', '=']).nth(1).unwrap().to_owned();
            server.client().execute::<_, u64>(["CLIENT", "KILL", "ID", &id]).ok()
        };
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                while kill().is_none() {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            });
            let read = client.transaction(["k"], |tx| {
                tx.blpop::<Value>("none", std::time::Duration::from_secs(60))?;
                Ok(())
            });
            read.unwrap_err()
        });
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert!(error.maybe_executed() && !error.is_retryable());
        let shown = error.to_string();
        assert!(shown.contains(": BLPOP: the connection was lost"), "{shown}");
        assert!(shown.ends_with("; it may have been executed"), "{shown}");

        // The server executes EXEC, in which it is told to end the connection.
        let error = client
            .transaction(["k"], |tx| {
                let id = tx.client_id()?;
                tx.multi().set("k", 1).add(client_kill().id(id).skipme(false)).set("l", vec![0; 3 << 20]);
                Ok(())
            })
            .unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert!(error.maybe_executed() && !error.is_retryable(), "{error:?}");
        assert!(error.to_string().contains(": the transaction: the connection was lost"), "{error}");
    });
}

#[test]
fn scripts_are_loaded_when_they_have_to_be() {
    each_way(|server, config| {
        let client = config.clone().client();
        client.script_flush().unwrap();
        client.set("foo", 2).unwrap();
        let multiply = Script::new("return redis.call('GET', KEYS[1]) * ARGV[1]");
        let call = multiply.key("foo").arg(5);
        let sha = multiply.digest();
        let names = |seen: Vec<String>| -> Vec<String> {
            seen.into_iter()
                .filter(|line| !line.starts_with("GET"))
                .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .collect()
        };
        let first = server.monitored(|| assert_eq!(call.call::<i64>(&client).unwrap(), 10));
        assert_eq!(names(first), [format!("EVALSHA {sha}"), "SCRIPT LOAD".into(), format!("EVALSHA {sha}")]);
        let second = server.monitored(|| assert_eq!(call.call::<i64>(&client).unwrap(), 10));
        assert_eq!(names(second), [format!("EVALSHA {sha}")]);

        for atomic in [false, true] {
            client.script_flush().unwrap();
            let other = Script::new("return ARGV[1]");
            let mut pipeline = client.pipeline();
            if atomic {
                pipeline.atomic();
            }
            pipeline.set("foo", 3).script(&call).script(&other.arg("x")).script(&call);
            let replies: (bool, i64, String, i64) = pipeline.execute().unwrap();
            assert_eq!(replies, (true, 15, "x".into(), 15));
        }
        let unknown = client.evalsha::<i64>("0".repeat(40), (), ()).unwrap_err();
        assert_eq!(unknown.code(), Some(ErrorCode::NoScript));

        let text = Script::new("return '\u{e4}\u{4f60}'");
        assert_eq!(text.prepare().call::<String>(&client).unwrap(), "\u{e4}\u{4f60}");
        let failing = Script::new("return redis.call('NOSUCH')");
        let (a, b): (Result<i64, Error>, String) =
            client.pipeline().script(&failing.prepare()).echo("b").execute().unwrap();
        assert_eq!((a.unwrap_err().code(), b.as_str()), (Some(ErrorCode::Err), "b"));
    });
}

#[test]
fn scripts_in_transactions() {
    let server = Server::start();
    let client = server.client();
    let increment = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    let sum = client.transaction("n", |tx| {
        let by = tx.get::<Option<i64>>("n")?.unwrap_or(7);
        let (sum,): (i64,) = tx.multi().script(&increment.key("n").arg(by)).execute()?;
        Ok(sum)
    });
    assert_eq!(sum.unwrap(), 7);
}

#[test]
fn a_pipeline_does_not_log_in_as_somebody_else() {
    each_way(|_, config| {
        let client = config.clone().client();
        let mut pipeline = client.pipeline();
        let error = pipeline.add(["ACL", "WHOAMI"]).add(["AUTH", "alice", "pw"]).execute::<()>().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Misuse(Misuse::OwnConnection)), "{error:?}");
        assert_eq!((error.position(), error.command()), (Some(2), Some("AUTH")));
        let who: String = client.execute(["ACL", "WHOAMI"]).unwrap();
        assert_eq!(who, "default");
    });
}

#[test]
fn what_fails_behind_exec_does_not_ask_for_a_second_one() {
    each_way(|server, config| {
        let client = config.clone().client();
        let error = client
            .transaction(["k"], |tx| {
                let id = tx.client_id()?;
                tx.multi().incr("n").execute::<()>()?;
                server.client().execute(client_kill().id(id))?;
                tx.get::<Option<String>>("k")
            })
            .unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error:?}");
        assert!(error.maybe_executed() && !error.is_retryable(), "{error:?}");
        assert_eq!(client.get::<i64>("n").unwrap(), 1);
    });
}

#[test]
fn a_panic_while_a_reply_is_read_leaves_no_error_behind() {
    #[derive(Debug)]
    struct Panics;
    impl<'a> FromReply<'a> for Panics {
        fn from_reply(_: redwire::reply::Reply<'_, 'a>) -> Result<Self, redwire::reply::DecodeError<'a>> {
            panic!("as it should")
        }
    }
    let server = Server::start();
    let client = server.client();
    client.set("text", "text").unwrap();
    let read = || client.pipeline().add(["NOSUCH"]).execute::<(Panics,)>();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).is_err());
    let error = client.incr("text").unwrap_err();
    assert_eq!((error.command(), error.position()), (Some("INCR"), None), "{error}");
    assert!(error.to_string().contains("INCR: ERR value is not an integer"), "{error}");
}

#[test]
fn no_command_of_a_transaction_ends_it() {
    each_way(|_, config| {
        let client = config.clone().client();
        let large = vec![b'x'; 200_000];
        for end in ["EXEC", "DISCARD", "RESET", "QUIT"] {
            let mut pipeline = client.pipeline();
            pipeline.atomic().set("before", &large).add([end]).set("behind", &large).set("last", 1);
            let error = pipeline.execute::<()>().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Misuse(_)), "{end}: {error:?}");
            assert_eq!((error.command(), error.position()), (Some(end), Some(2)));
            assert!(!error.maybe_executed());
            assert_eq!(client.exists(["before", "behind", "last"]).unwrap(), 0, "{end}");
        }
    });
}

#[test]
fn a_queue_read_as_too_few_types_stays_queued() {
    each_way(|_, config| {
        let client = config.clone().client();
        let (a, b) = client
            .transaction(["k"], |tx| {
                let error = tx.multi().incr("a").incr("b").execute::<(i64,)>().unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Length { commands: 2, replies: 1 }));
                tx.multi().execute::<(i64, i64)>()
            })
            .unwrap();
        assert_eq!((a, b), (1, 1));
    });
}
