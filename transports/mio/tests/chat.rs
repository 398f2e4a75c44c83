//! The example `chat`, as a user runs it, against real servers.

#[path = "../examples/chat/guest.rs"]
mod guest;
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use guest::Guest;
use redwire::command::{Commands, client_pause, cmd, script_flush};
use redwire_kit::real::Server;
use support::Outside;

const PATIENCE: Duration = Duration::from_secs(60);

/// A room that allows so many lines at once, and practically no other after that.
struct Room {
    program: Child,
    address: SocketAddr,
    log: Receiver<String>,
}

fn chat(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "redwire-mio", "--example", "chat", "--"]).args(arguments);
    command
}

fn url(server: &Server) -> String {
    format!("unix://{}", server.socket().display())
}

impl Room {
    fn open(server: &Server, lines: u32) -> Self {
        let mut program = chat(&["serve", "127.0.0.1:0", &url(server), &lines.to_string(), "100000000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = channel();
        let out = BufReader::new(program.stdout.take().unwrap());
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut room = Room { program, address: ([127, 0, 0, 1], 0).into(), log };
        let line = room.logs("listening on ");
        room.address = line.rsplit(' ').next().unwrap().parse().unwrap();
        room
    }

    /// Waits for a line of its log.
    fn logs(&self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no `{text}` in the log"));
            println!("{line}");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Somebody who can be heard.
    fn guest(&self, name: &str) -> Guest {
        let mut guest = Guest::enter(self.address, name).unwrap();
        guest.sees("* redis is").unwrap();
        guest
    }

    /// So many of them, when Redis is there.
    fn guests<const N: usize>(&self, names: [&str; N]) -> [Guest; N] {
        self.logs("redis is there");
        names.map(|name| self.guest(name))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// All of them see these lines next, in this order and nothing in between.
fn all_see<const N: usize>(guests: [&mut Guest; N], lines: &[&str]) {
    for guest in guests {
        let seen: Vec<String> = lines.iter().map(|_| guest.read().unwrap()).collect();
        assert_eq!(seen, lines, "{}", guest.name);
    }
}

#[test]
fn a_line_is_seen_by_all_and_so_is_what_others_publish() {
    let server = Server::start();
    let (room, second) = (Room::open(&server, 1000), Room::open(&server, 1000));
    let [mut ann, mut ben] = room.guests(["ann", "ben"]);
    let [mut cleo] = second.guests(["cleo"]);
    ann.say("hello").unwrap();
    all_see([&mut ann, &mut ben, &mut cleo], &["> ann: hello"]);
    // It cannot be mistaken for another line.
    let reached: u64 = server.client().publish("redwire-chat", "from outside\n* redis is away").unwrap();
    assert_eq!(reached, 2, "two rooms");
    all_see([&mut ann, &mut ben, &mut cleo], &["> from outside * redis is away"]);
    // The lines of one stay in their order, also if they are typed ahead.
    let lines: Vec<String> = (0..200).map(|number| format!("number {number}")).collect();
    ben.say(&lines.join("\n")).unwrap();
    let expected: Vec<String> = lines.iter().map(|line| format!("> ben: {line}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    all_see([&mut ann, &mut ben, &mut cleo], &expected);
    // A message that is too large is left out.
    let _: u64 = server.client().publish("redwire-chat", "x".repeat(100_000)).unwrap();
    let _: u64 = server.client().publish("redwire-chat", "small").unwrap();
    for guest in [&mut ann, &mut ben, &mut cleo] {
        assert!(guest.read().unwrap().ends_with(" bytes was left out"));
        assert_eq!(guest.read().unwrap(), "> small");
    }
}

#[test]
fn who_is_too_fast_is_told_how_long_to_wait() {
    let server = Server::start();
    let room = Room::open(&server, 3);
    let [mut ann, mut ben] = room.guests(["ann", "ben"]);
    let waits = |guest: &mut Guest| {
        let line = guest.read().unwrap();
        let wait = line.strip_prefix("! too fast: wait ").and_then(|rest| rest.strip_suffix(" ms"));
        let wait: u64 = wait.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        assert!(wait > 0 && wait <= 100_000_000, "{wait}");
        wait
    };
    for line in ["one", "two", "three"] {
        ann.say(line).unwrap();
        all_see([&mut ann, &mut ben], &[&format!("> ann: {line}")]);
        // The server may forget the script at any time.
        server.client().execute::<_, ()>(script_flush()).unwrap();
    }
    ann.say("four").unwrap();
    let first = waits(&mut ann);
    // The bucket is that of the name, and stands in Redis.
    drop(ann);
    room.logs("ann is dropped: ");
    let second_room = Room::open(&server, 3);
    let [mut ann] = second_room.guests(["ann"]);
    ann.say("five").unwrap();
    assert!(waits(&mut ann) <= first);
    // Nobody else has to wait, and nobody has seen what was refused.
    ben.say("mine").unwrap();
    all_see([&mut ann, &mut ben], &["> ben: mine"]);
    // What the server refuses is said, and costs no more than that line.
    let _: bool = server.client().set("redwire-chat:limit:ben", "no number").unwrap();
    ben.say("again").unwrap();
    all_see([&mut ann, &mut ben], &["> ben: again"]);
    let _: u64 = server.client().del("redwire-chat:limit:ben").unwrap();
    let _: u64 = server.client().lpush("redwire-chat:limit:ben", "no string").unwrap();
    ben.say("refused").unwrap();
    let refused = ben.read().unwrap();
    assert!(refused.starts_with("! not sent: ") && refused.contains("WRONGTYPE"), "{refused}");
}

/// Until the server holds back a command of the room, and has so many behind it.
fn until_blocked(server: &Server, behind: usize) {
    let client = server.client();
    let waits = |line: &str| {
        let field = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap_or_default();
        let queued: usize = field("qbuf=").parse().unwrap_or(0);
        // EVALSHA and a digest of 40 bytes take more than 100.
        field("name=").starts_with("redwire-chat-") && field("flags=").contains('b') && queued >= behind * 100
    };
    let end = Instant::now() + PATIENCE;
    while !client.client_list::<String>().unwrap().lines().any(waits) {
        assert!(Instant::now() < end, "{}", client.client_list::<String>().unwrap());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn who_leaves_while_a_reply_is_due() {
    let server = Server::start();
    let room = Room::open(&server, 1000);
    let [mut ann, ben, cleo] = room.guests(["ann", "ben", "cleo"]);
    server.client().execute(client_pause(600_000).write()).unwrap();
    // Bytes that were never read: the end of that socket is a reset.
    let mut dan = TcpStream::connect(room.address).unwrap();
    dan.write_all(b"dan\n").unwrap();
    let [mut ben, mut cleo] = [ben, cleo];
    ben.say("said before he left").unwrap();
    until_blocked(&server, 0);
    dan.write_all(b"never asked for\n").unwrap();
    cleo.say("said and left").unwrap();
    until_blocked(&server, 2);
    drop(dan);
    room.logs("dan is dropped: ");
    // An ordered end: what was said before counts, and he still sees it.
    cleo.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    server.client().client_unpause().unwrap();
    all_see([&mut ann, &mut ben, &mut cleo], &["> ben: said before he left", "> cleo: said and left"]);
    assert!(cleo.read().is_err());
    room.logs("cleo is dropped: it has left");
    // The replies went to whom they belong.
    let mut dan = room.guest("dan");
    dan.say("again").unwrap();
    ann.say("hello").unwrap();
    for guest in [&mut ann, &mut ben, &mut dan] {
        let mut seen = [guest.read().unwrap(), guest.read().unwrap()];
        seen.sort();
        assert_eq!(seen, ["> ann: hello", "> dan: again"]);
    }
}

#[test]
fn who_does_not_read_is_dropped_and_keeps_nobody_waiting() {
    let server = Server::start();
    let room = Room::open(&server, 1000);
    let [mut ann, mut slow] = room.guests(["ann", "slow"]);
    let client = server.client();
    let filler = "x".repeat(8000);
    let mut published = 0;
    let dropped = loop {
        // More than the sockets of the system hold.
        assert!(published < 16_000, "it was never dropped");
        let mut pipeline = client.pipeline();
        for number in published..published + 100 {
            pipeline.publish("redwire-chat", format!("{number} {filler}"));
        }
        pipeline.execute::<()>().unwrap();
        for number in published..published + 100 {
            let line = ann.read().unwrap();
            assert!(line.starts_with(&format!("> {number} ")) && line.len() > 8000);
        }
        published += 100;
        if let Some(line) = room.log.try_iter().find(|line| line.contains("slow is dropped")) {
            break line;
        }
    };
    assert!(dropped.contains("it does not read what it is sent"), "{dropped}");
    // What was on its way it still gets, without a gap, and not everything.
    let mut seen = 0;
    while let Ok(line) = slow.read() {
        if !line.starts_with(&format!("> {seen} ")) || line.len() < 8000 {
            break;
        }
        seen += 1;
    }
    assert!(seen < published);
    ann.say("still here").unwrap();
    all_see([&mut ann], &["> ann: still here"]);
}

#[test]
fn redis_goes_away_and_comes_back() {
    let mut server = Server::start();
    let room = Room::open(&server, 1000);
    let [mut ann, mut ben] = room.guests(["ann", "ben"]);
    ann.say("before").unwrap();
    all_see([&mut ann, &mut ben], &["> ann: before"]);
    for round in ["first", "second"] {
        server.stop();
        all_see([&mut ann, &mut ben], &["* redis is away; it will be tried again"]);
        ann.say("into the void").unwrap();
        all_see([&mut ann], &["! not sent: redis is away"]);
        let mut new = room.guest("new");
        server.start_again();
        all_see([&mut ann, &mut ben, &mut new], &["* redis is there"]);
        // Neither the script nor the bucket is there any more; the subscription is.
        ben.say(round).unwrap();
        all_see([&mut ann, &mut ben, &mut new], &[&format!("> ben: {round}")]);
        let reached: u64 = server.client().publish("redwire-chat", "from outside").unwrap();
        assert_eq!(reached, 1);
        all_see([&mut ann, &mut ben, &mut new], &["> from outside"]);
        drop(new);
        room.logs("new is dropped: ");
    }
}

#[test]
fn redis_goes_away_while_a_reply_is_due() {
    let mut server = Server::start();
    let room = Room::open(&server, 1000);
    let [mut ann, mut ben] = room.guests(["ann", "ben"]);
    server.client().execute(client_pause(600_000).write()).unwrap();
    ann.say("lost").unwrap();
    until_blocked(&server, 0);
    server.stop();
    all_see([&mut ann], &["! not sent: redis did not answer", "* redis is away; it will be tried again"]);
    all_see([&mut ben], &["* redis is away; it will be tried again"]);
    server.start_again();
    all_see([&mut ann, &mut ben], &["* redis is there"]);
    // It is not sent again by itself.
    ann.say("found").unwrap();
    all_see([&mut ann, &mut ben], &["> ann: found"]);
}

#[test]
fn the_room_is_there_before_redis_is() {
    let mut server = Server::start();
    server.stop();
    let room = Room::open(&server, 1000);
    let mut ann = Guest::enter(room.address, "ann").unwrap();
    all_see([&mut ann], &["* redis is away; it will be tried again"]);
    ann.say("too early").unwrap();
    all_see([&mut ann], &["! not sent: redis is away"]);
    room.logs("redis is still away");
    server.start_again();
    all_see([&mut ann], &["* redis is there"]);
    ann.say("hello").unwrap();
    all_see([&mut ann], &["> ann: hello"]);
}

#[test]
fn what_clients_send_is_bounded_and_comes_in_any_pieces() {
    let server = Server::start();
    let room = Room::open(&server, 1000);
    let [mut ann] = room.guests(["ann"]);
    let mut ben = Guest::enter(room.address, "ben").unwrap();
    all_see([&mut ben], &["* redis is there"]);
    // A line without an end is refused once, and passed over as far as its end.
    ben.say(&"x".repeat(1_000_000)).unwrap();
    ben.say("short\r").unwrap();
    all_see([&mut ben], &["! a line has at most 512 bytes", "> ben: short"]);
    for byte in b"in pieces\n\n \n" {
        ben.stream.get_mut().write_all(&[*byte]).unwrap();
    }
    let longest = "y".repeat(511);
    ben.say(&longest).unwrap();
    ben.say(&format!("{longest}y")).unwrap();
    ben.stream.get_mut().write_all(b"not \x1b[2J text \xff\n").unwrap();
    let mut bytes = Vec::new();
    all_see(
        [&mut ben],
        &["> ben: in pieces", &format!("> ben: {longest}"), "! a line has at most 512 bytes"],
    );
    ben.stream.read_until(b'\n', &mut bytes).unwrap();
    assert_eq!(bytes, b"> ben: not  [2J text \xff\n");
    all_see([&mut ann], &["> ben: short", "> ben: in pieces", &format!("> ben: {longest}")]);

    // Names.
    let mut third = BufReader::new(TcpStream::connect(room.address).unwrap());
    let names = ["ann", "two words", "b\u{e9}n", "colon:", "x".repeat(21).as_str(), "third"].join("\n");
    third.get_mut().write_all(names.as_bytes()).unwrap();
    third.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut seen = String::new();
    third.read_to_string(&mut seen).unwrap();
    let wrong = "! a name has 1 to 20 letters and digits of ASCII; another one?\n".repeat(4);
    // The last line has no end, and does not count.
    assert_eq!(seen, format!("* what is your name?\n! somebody has that name; another one?\n{wrong}"));
    room.logs("somebody is dropped: it has left");
}

#[test]
fn a_server_that_is_no_use_is_refused() {
    let ends = |server: &Server| {
        let output = chat(&["serve", "127.0.0.1:0", &url(server)]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let error = ends(&Server::start_with(&["--rename-command", "HELLO", ""]));
    assert!(error.contains("the server refused HELLO") && error.contains("needs RESP3"), "{error}");
    let server = Server::start();
    let _: bool = server.client().execute(cmd("ACL").arg(("SETUSER", "default", "resetchannels"))).unwrap();
    let error = ends(&server);
    assert!(error.contains("the server refused SUBSCRIBE: NOPERM"), "{error}");
}

#[test]
fn the_demonstration_shows_everything() {
    let server = Server::start();
    let output = chat(&["show", &url(&server)]).output().unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{seen}{}", String::from_utf8_lossy(&output.stderr));
    let lines = [
        "cleo sees   > ann: hello",
        "cleo sees   > news from outside",
        "ben sees   ! too fast: wait ",
        "ann sees   > ben: now I may",
        "cleo sees   * redis is away",
        "cleo sees   > ann: still here?",
        "ben sees   > ann: bye, cleo",
    ];
    let mut rest = seen.as_str();
    for line in lines {
        (_, rest) = rest.split_once(line).unwrap_or_else(|| panic!("no `{line}` in {seen}"));
    }
    // Nobody to talk to: it says so, and does not claim to have seen anything.
    drop(server);
    let output = chat(&["show", "redis://127.0.0.1:1"]).output().unwrap();
    assert!(!output.status.success());
}
