//! A private server, and a plain connection that asks it what it thinks of others.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use redwire_kit::real::Server;

/// How many databases a server has: few, so that a look into all of them is cheap.
pub const DATABASES: u32 = 4;

/// A server of its own.
pub fn start() -> Server {
    Server::start_with(&["--databases", &DATABASES.to_string()])
}

/// A reply, read without any part of the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Text(String),
    Error(String),
    Integer(i64),
    Null,
    Array(Vec<Answer>),
}

/// What CLIENT LIST says of one connection, by field.
pub type Line = BTreeMap<String, String>;

/// The connection beside the conversation. It is a user of its own, which the rules for the talkers do not touch.
pub struct Control {
    stream: BufReader<UnixStream>,
    socket: PathBuf,
    /// The number of the newest connection that was seen.
    newest: u64,
    /// The version in numbers: 70015 is 7.0.15.
    pub version: u32,
    pub valkey: bool,
}

impl Control {
    pub fn of(server: &Server) -> Self {
        let socket = server.socket();
        let stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut control =
            Control { stream: BufReader::new(stream), socket, newest: 0, version: 0, valkey: false };
        control.ask(&["ACL", "SETUSER", "control", "on", ">control", "~*", "&*", "+@all"]);
        control.ask(&["AUTH", "control", "control"]);
        let Answer::Text(info) = control.ask(&["INFO", "server"]) else { panic!("no INFO") };
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let version = field("valkey_version").or_else(|| field("redis_version")).unwrap_or_default();
        control.valkey = field("valkey_version").is_some();
        control.version =
            version.split('.').take(3).fold(0, |sum, part| sum * 100 + part.parse::<u32>().unwrap_or(0));
        control
    }

    /// Runs one command.
    pub fn ask<W: AsRef<str>>(&mut self, words: &[W]) -> Answer {
        self.ask_all(&[words]).pop().unwrap()
    }

    /// Runs several commands in one round trip.
    pub fn ask_all<W: AsRef<str>, C: AsRef<[W]>>(&mut self, commands: &[C]) -> Vec<Answer> {
        let mut bytes = Vec::new();
        for words in commands {
            let words = words.as_ref();
            write!(bytes, "*{}\r\n", words.len()).unwrap();
            for word in words {
                let word = word.as_ref();
                write!(bytes, "${}\r\n{word}\r\n", word.len()).unwrap();
            }
        }
        self.stream.get_mut().write_all(&bytes).unwrap();
        commands.iter().map(|_| self.read()).collect()
    }

    fn read(&mut self) -> Answer {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server does not answer the control connection");
        let (kind, rest) =
            line.trim_end().split_at_checked(1).expect("the server has closed the control connection");
        let number = || rest.parse::<i64>().unwrap();
        match kind {
            "+" => Answer::Text(rest.to_string()),
            "-" => Answer::Error(rest.to_string()),
            ":" => Answer::Integer(number()),
            "$" => {
                let Ok(length) = usize::try_from(number()) else { return Answer::Null };
                let mut bytes = vec![0; length + 2];
                self.stream.read_exact(&mut bytes).unwrap();
                bytes.truncate(length);
                Answer::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            "*" => match usize::try_from(number()) {
                Ok(length) => Answer::Array((0..length).map(|_| self.read()).collect()),
                Err(_) => Answer::Null,
            },
            _ => panic!("not RESP2: {line}"),
        }
    }

    /// Waits until the server has read and answered everything that was written to it before, by anybody.
    ///
    /// It works in turns: reads what can be read, then writes all answers. What was written before this call is read in
    /// the turn that reads the first PING, or an earlier one, and answered before the second is read.
    pub fn settle(&mut self) {
        self.ask(&["PING"]);
        self.ask(&["PING"]);
    }

    /// Another connection, and its number: the highest that CLIENT LIST shows.
    pub fn join(&mut self) -> (UnixStream, u64) {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_nonblocking(true).unwrap();
        for _ in 0..1000 {
            let Answer::Text(list) = self.ask(&["CLIENT", "LIST"]) else { panic!("no CLIENT LIST") };
            let numbers = list.lines().filter_map(|line| fields(line).get("id")?.parse::<u64>().ok());
            let highest = numbers.max().unwrap_or(0);
            // The first time the control connection itself is there alone.
            if highest > self.newest.max(self.first()) {
                self.newest = highest;
                return (stream, highest);
            }
        }
        panic!("the server does not accept another connection");
    }

    fn first(&mut self) -> u64 {
        if self.newest > 0 {
            return 0;
        }
        match self.ask(&["CLIENT", "ID"]) {
            Answer::Integer(number) => number.unsigned_abs(),
            other => panic!("CLIENT ID: {other:?}"),
        }
    }

    /// What the server says of a connection; nothing if it is gone.
    pub fn line(&mut self, id: u64) -> Option<Line> {
        let Answer::Text(list) = self.ask(&["CLIENT", "LIST", "ID", &id.to_string()]) else {
            panic!("no CLIENT LIST ID");
        };
        list.lines().next().map(fields)
    }
}

fn fields(line: &str) -> Line {
    line.split(' ')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}
