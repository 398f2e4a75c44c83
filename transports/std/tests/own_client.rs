//! The client of one's own that an example shows, against real servers.

#[path = "../examples/own_client/client.rs"]
mod own;

use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use own::Client;
use redwire::client::{Commands, ErrorKind};
use redwire::command::{Commands as _, client_kill, get, incr, publish, set, subscribe, unsubscribe};
use redwire::connection::Config;
use redwire::resp::Protocol;
use redwire::script::Script;
use redwire_kit::real::Server;
use redwire_std::Client as Admin;

/// All that it can do, over one kind of stream.
fn tour<S, F>(server: &Server, config: &Config<'static>, connect: F)
where
    S: std::io::Read + std::io::Write,
    F: FnMut() -> std::io::Result<S>,
{
    let admin = Admin::open(&format!("redis://127.0.0.1:{}", server.port())).unwrap();
    admin.flushall().unwrap();
    admin.script_flush().unwrap();
    let mut redis = Client::new(config.clone(), connect);
    redis.execute::<()>(&set("name", "engine")).unwrap();
    assert_eq!(redis.execute::<&str>(&get("name")).unwrap(), "engine");
    assert_eq!(redis.execute::<i64>(&incr("name")).unwrap_err().command(), Some("INCR"));

    let mut commands = Commands::growing();
    commands.incr("n").get("n").llen("list");
    assert_eq!(redis.pipeline::<(u8, String, u8)>(&commands).unwrap(), (1, "1".into(), 0));
    assert_eq!(redis.atomic::<Vec<u8>>(&commands).unwrap(), [2, 2, 0]);

    let mut rounds = 0;
    let (set_to,): (String,) = redis
        .transaction("n", |redis| {
            let n: i64 = redis.execute(&get("n"))?;
            rounds += 1;
            if rounds == 1 {
                admin.set("n", 40).unwrap();
            }
            let mut commands = Commands::growing();
            commands.add(&set("n", n + 1));
            Ok(commands)
        })
        .unwrap();
    assert_eq!((rounds, &set_to[..], admin.get::<i64>("n").unwrap()), (2, "OK", 41));

    let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    assert_eq!(redis.script::<i64>(&add, "n", 1).unwrap(), 42);
    assert_eq!(redis.script::<i64>(&add, "n", 1).unwrap(), 43);

    redis.change(&subscribe("news")).unwrap();
    let _: u64 = admin.publish("news", "a").unwrap();
    assert_eq!(redis.next_message().unwrap().unwrap().payload, b"a");
    // It is lost, and comes back with the subscription.
    admin.execute::<_, u64>(client_kill().type_("pubsub")).unwrap();
    let gap = redis.next_message().unwrap().unwrap();
    assert_eq!((gap.kind, gap.count), (redwire_std::MessageKind::Gap, Some(1)));
    admin.execute::<_, u64>(publish("news", "b")).unwrap();
    assert_eq!(redis.next_message().unwrap().unwrap().payload, b"b");
    redis.change(&unsubscribe("news")).unwrap();
    assert!(redis.next_message().unwrap().is_none());

    // What was lost with the connection is not executed over another one.
    let error = redis
        .transaction::<()>("n", |_| {
            admin.execute::<_, u64>(client_kill().type_("normal")).unwrap();
            let mut commands = Commands::growing();
            commands.incr("n");
            Ok(commands)
        })
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Disconnected);
    assert_eq!(admin.get::<i64>("n").unwrap(), 43);
    assert_eq!(redis.execute::<i64>(&get("n")).unwrap(), 43);
}

#[test]
fn all_that_it_can_do() {
    let server = Server::start();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let config = Config::default().protocol(protocol);
        tour(&server, &config, || TcpStream::connect(server.address()));
        tour(&server, &config, || UnixStream::connect(server.socket()));
    }
}
