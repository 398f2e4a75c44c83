//! Time holds under load: deadlines are looked at while bytes keep coming, and writes end though replies flow. A server
//! that misbehaves in such a way cannot be had: these are threads that play one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redwire::resp::Protocol;
use redwire_std::prelude::*;

/// Much longer than what is tested may take, and much shorter than for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a server that plays with each stream; it ends with the test.
fn server(play: impl Fn(TcpStream) + Send + Sync + 'static) -> ClientConfig {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let play = Arc::new(play);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let play = play.clone();
            thread::spawn(move || play(stream.unwrap()));
        }
    });
    ClientConfig::tcp("127.0.0.1", port).protocol(Protocol::Resp2)
}

/// Answers what the handshake says: HELLO where it comes, and CLIENT SETINFO, for the library's name and its version.
fn greet(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    let mut answered = 0;
    while answered < 2 {
        let count = stream.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return;
        }
        seen.extend_from_slice(&buffer[..count]);
        if seen.windows(5).any(|window| window == b"HELLO") {
            let _ = stream.write_all(b"%1\r\n+proto\r\n:3\r\n");
            seen.retain(|&byte| byte != b'H');
        }
        let known = seen.windows(7).filter(|window| window == b"SETINFO").count();
        let _ = stream.write_all(&b"+OK\r\n".repeat(known - answered));
        answered = known;
    }
}

/// Confirms the subscription that comes next.
fn subscribe(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 1024]);
    let _ = stream.write_all(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
}

/// Says something that is no reply, without end.
fn flood(mut stream: TcpStream, what: &[u8]) {
    let many = what.repeat(1000);
    while stream.write_all(&many).is_ok() {}
}

const OTHER_MESSAGE: &[u8] = b"*3\r\n$12\r\nsunsubscribe\r\n$1\r\nz\r\n:0\r\n";

#[test]
fn pushes_without_end_do_not_keep_a_reply_from_being_late() {
    let config = server(|mut stream| {
        greet(&mut stream);
        flood(stream, b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
    });
    let client = config.protocol(Protocol::Resp3).read_timeout(Duration::from_millis(300)).client();
    let start = Instant::now();
    let error = client.get::<Option<String>>("k").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut), "{error}");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    // Nor does it keep the pool busy.
    let start = Instant::now();
    client.get::<Option<String>>("k").unwrap_err();
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn get_message_keeps_its_time_while_something_else_comes() {
    let config = server(|mut stream| {
        greet(&mut stream);
        subscribe(&mut stream);
        flood(stream, OTHER_MESSAGE);
    });
    let mut news = config.client().pubsub();
    news.subscribe("a").unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(500) {
        match news.get_message(Duration::from_millis(50)) {
            Ok(message) => assert!(message.is_none_or(|message| !message.is_message())),
            // The server says what was not asked for.
            Err(error) => return assert!(matches!(error.kind(), ErrorKind::OutOfStep), "{error}"),
        }
        assert!(start.elapsed() < PATIENCE);
    }
}

#[test]
fn a_write_that_nobody_takes_ends_though_replies_flow() {
    let config = server(|mut stream| {
        greet(&mut stream);
        // It reads nothing, and talks.
        flood(stream, OTHER_MESSAGE);
    });
    let client = config.write_timeout(Duration::from_millis(300)).client();
    let start = Instant::now();
    let value = vec![b'x'; 24 << 20];
    let error = client.set("k", &value).unwrap_err();
    assert!(!matches!(error.kind(), ErrorKind::Server(_)), "{error}");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn a_silent_write_ends_by_its_timeout() {
    let config = server(|mut stream| {
        greet(&mut stream);
        thread::sleep(4 * PATIENCE);
    });
    let client = config.write_timeout(Duration::from_millis(200)).client();
    let start = Instant::now();
    let error = client.set("k", vec![b'x'; 24 << 20]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Disconnected), "{error}");
    assert!(error.maybe_executed());
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn the_time_of_a_call_includes_connecting() {
    // It accepts, and never says a word.
    let config = server(|stream| {
        thread::sleep(4 * PATIENCE);
        drop(stream);
    });
    let client = config.read_timeout(Duration::from_millis(200)).client();
    let start = Instant::now();
    let error = client.ping().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::HandshakeTimedOut), "{error}");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    let mut news = client.pubsub();
    let start = Instant::now();
    // The first subscription connects with the time of the configuration for that.
    assert!(news.get_message(Duration::from_millis(100)).unwrap().is_none());
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn reconnecting_is_part_of_the_time_for_a_message() {
    let silent = Arc::new(AtomicBool::new(false));
    let accepted = Arc::new(AtomicUsize::new(0));
    let config = server({
        let (silent, accepted) = (silent.clone(), accepted.clone());
        move |mut stream| {
            accepted.fetch_add(1, Ordering::SeqCst);
            if silent.load(Ordering::SeqCst) {
                return thread::sleep(4 * PATIENCE);
            }
            greet(&mut stream);
            subscribe(&mut stream);
            // Then it closes.
        }
    });
    let mut news = config.client().pubsub();
    news.subscribe("a").unwrap();
    silent.store(true, Ordering::SeqCst);
    assert!(news.get_message(PATIENCE).unwrap().is_some());
    let start = Instant::now();
    let error = news.get_message(Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::HandshakeTimedOut), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(290) && start.elapsed() < PATIENCE);
    assert!(accepted.load(Ordering::SeqCst) < 5);
}
