//! Servers are there, are private, and leave nothing behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, panic, thread};

use redwire_kit::real::Server;

/// What a server replies to a command, which is the last.
fn reply(mut stream: impl Read + Write, command: &str) -> String {
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.strip_suffix("+OK\r\n").unwrap().to_string()
}

fn gone((address, socket): &(SocketAddr, PathBuf)) -> bool {
    TcpStream::connect(address).is_err() && !socket.parent().unwrap().exists()
}

#[test]
fn each_is_its_own_at_both_places() {
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let mut server = Server::start();
                let tcp = || TcpStream::connect(server.address()).unwrap();
                let unix = || UnixStream::connect(server.socket()).unwrap();
                assert_eq!(reply(tcp(), "DBSIZE"), ":0\r\n");
                assert_eq!(reply(tcp(), &format!("SET number {number}")), "+OK\r\n");
                assert_eq!(reply(unix(), "GET number"), format!("$1\r\n{number}\r\n"));
                // What tests do with it, under every version.
                assert_eq!(reply(unix(), "DEBUG SLEEP 0"), "+OK\r\n");
                let (major, minor) = server.version();
                let name = if server.is_valkey() { "valkey_version" } else { "redis_version" };
                let info = reply(unix(), "INFO server");
                assert!(info.contains(&format!("\n{name}:{major}.{minor}.")), "{info}");
                let seen = server.monitored(|| drop(reply(tcp(), "GET number")));
                assert_eq!(seen[0], "GET number");

                server.freeze();
                let stream = tcp();
                (&stream).write_all(b"INCR number\r\n").unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                assert!((&stream).read(&mut [0; 10]).is_err());
                server.thaw();
                stream.set_read_timeout(None).unwrap();
                assert_eq!(reply(stream, "PING"), format!(":{}\r\n+PONG\r\n", number + 1));

                server.stop();
                assert!(TcpStream::connect(server.address()).is_err());
                assert!(UnixStream::connect(server.socket()).is_err());
                server.start_again();
                assert_eq!(reply(TcpStream::connect(server.address()).unwrap(), "DBSIZE"), ":0\r\n");
            });
        }
    });
}

#[test]
fn options_are_those_of_the_command_line() {
    let server = Server::start_with(&["--requirepass", "two words"]);
    let tcp = TcpStream::connect(server.address()).unwrap();
    assert!(reply(tcp, "PING").starts_with("-NOAUTH"));
    let refused = panic::catch_unwind(|| Server::start_with(&["--no-such-option", "yes"])).unwrap_err();
    let said = refused.downcast_ref::<String>().unwrap();
    assert!(said.contains(" does not start:\n") && said.contains("no-such-option"), "{said}");
}

#[test]
fn none_is_left_when_it_is_dropped_or_a_test_panics() {
    let server = Server::start();
    let places = (server.address(), server.socket());
    assert!(!gone(&places));
    drop(server);
    assert!(gone(&places));

    let mut places = None;
    let test = panic::AssertUnwindSafe(|| {
        let server = Server::start();
        places = Some((server.address(), server.socket()));
        panic!("as it should");
    });
    assert!(panic::catch_unwind(test).is_err());
    assert!(gone(&places.unwrap()));
}

#[test]
fn none_is_left_when_the_process_is_killed() {
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "starts_a_server_and_waits", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let places = BufReader::new(process.stdout.take().unwrap())
        .lines()
        .find_map(|line| {
            let line = line.unwrap();
            let (address, socket) = line.split_once("listens at ")?.1.split_once(" and ")?;
            Some((address.parse().unwrap(), PathBuf::from(socket)))
        })
        .unwrap();
    assert!(!gone(&places));
    process.kill().unwrap();
    process.wait().unwrap();
    let patience = Instant::now() + Duration::from_secs(30);
    while !gone(&places) {
        assert!(Instant::now() < patience, "the server is left");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "the process that is killed by the test above"]
fn starts_a_server_and_waits() {
    let server = Server::start();
    println!("listens at {} and {}", server.address(), server.socket().display());
    thread::sleep(Duration::from_secs(60));
}
