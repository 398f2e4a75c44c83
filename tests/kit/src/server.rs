//! A server that speaks enough of the protocol to hold the engine's conversations with, and can be told to misbehave.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use redwire::resp::Protocol;
use redwire::script::Digest;

use crate::words;

/// A server.
#[derive(Debug)]
pub struct Server {
    /// What it has said and nobody has taken.
    pub out: Vec<u8>,
    /// It has closed the stream after what is in `out`.
    pub closed: bool,
    /// Every command that was received, in words.
    pub seen: Vec<String>,
    /// Knows HELLO (Redis 6.0).
    pub knows_hello: bool,
    /// Refuses RESP3 with this error.
    pub refuses_resp3: Option<&'static str>,
    /// That of the default user.
    pub password: Option<&'static str>,
    /// Commands to be answered with these bytes instead, once.
    pub answers: BTreeMap<String, Vec<u8>>,
    /// Does not answer any more, but keeps what it would have said.
    pub stalled: bool,
    /// Its keys.
    pub values: BTreeMap<String, String>,
    /// The digests of the scripts that it has.
    pub scripts: HashSet<String>,
    /// What it speaks to this client.
    pub protocol: Protocol,
    /// What was received and is not a whole command.
    pub received: Vec<u8>,
    /// Between MULTI and EXEC: what is queued.
    pub queue: Option<Vec<Vec<String>>>,
    /// A command was refused since MULTI.
    pub spoiled: bool,
    /// After WATCH: whether a key has changed since.
    pub watched_changed: Option<bool>,
    /// Channels, patterns and shard channels.
    pub subscriptions: [BTreeSet<String>; 3],
    /// The client has given the password.
    pub authenticated: bool,
    /// After CLIENT REPLY OFF.
    pub reply_off: bool,
    /// How many replies are left out from now on.
    pub skip: u8,
    /// What it would have said, had it not stalled.
    pub waiting: Vec<u8>,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            out: Vec::new(),
            closed: false,
            seen: Vec::new(),
            knows_hello: true,
            refuses_resp3: None,
            password: None,
            answers: BTreeMap::new(),
            stalled: false,
            values: BTreeMap::new(),
            scripts: HashSet::new(),
            protocol: Protocol::Resp2,
            received: Vec::new(),
            queue: None,
            spoiled: false,
            watched_changed: None,
            subscriptions: Default::default(),
            authenticated: false,
            reply_off: false,
            skip: 0,
            waiting: Vec::new(),
        }
    }
}

const FAMILIES: [&str; 3] = ["", "P", "S"];

impl Server {
    /// It knows RESP2 alone.
    pub fn resp2() -> Self {
        Server { knows_hello: false, ..Server::default() }
    }

    /// Answers a command with these bytes, once.
    #[must_use]
    pub fn answer(mut self, command: &str, bytes: &[u8]) -> Self {
        self.answers.insert(command.to_string(), bytes.to_vec());
        self
    }

    /// Another stream begins.
    pub fn disconnect(&mut self) {
        *self = Server {
            seen: std::mem::take(&mut self.seen),
            knows_hello: self.knows_hello,
            refuses_resp3: self.refuses_resp3,
            password: self.password,
            answers: std::mem::take(&mut self.answers),
            values: std::mem::take(&mut self.values),
            scripts: std::mem::take(&mut self.scripts),
            ..Server::default()
        };
    }

    /// Takes what a client has written, and answers every command that is complete.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        while let Some(words) = words::take(&mut self.received) {
            let words: Vec<String> =
                words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            self.seen.push(words.join(" "));
            self.command(words);
        }
    }

    /// Goes on after having stalled.
    pub fn resume(&mut self) {
        self.stalled = false;
        self.out.append(&mut self.waiting);
    }

    /// Publishes as another client would.
    pub fn publish(&mut self, channel: &str, message: &str) {
        let mut bytes = Vec::new();
        if self.subscriptions[0].contains(channel) {
            bytes.extend(self.pushed(&["message", channel, message], None));
        }
        for pattern in self.subscriptions[1].clone() {
            if pattern.strip_suffix('*').is_some_and(|prefix| channel.starts_with(prefix)) {
                bytes.extend(self.pushed(&["pmessage", &pattern, channel, message], None));
            }
        }
        self.say(&bytes);
    }

    /// Sends bytes that nobody has asked for.
    pub fn say(&mut self, bytes: &[u8]) {
        if self.stalled { self.waiting.extend_from_slice(bytes) } else { self.out.extend_from_slice(bytes) }
    }

    fn pushed(&self, words: &[&str], count: Option<usize>) -> Vec<u8> {
        let kind = if self.protocol == Protocol::Resp3 { '>' } else { '*' };
        let mut bytes = format!("{kind}{}\r\n", words.len() + usize::from(count.is_some())).into_bytes();
        for word in words {
            bytes.extend(
                match *word {
                    "(null)" if self.protocol == Protocol::Resp3 => "_\r\n".to_string(),
                    "(null)" => "$-1\r\n".to_string(),
                    word => format!("${}\r\n{word}\r\n", word.len()),
                }
                .bytes(),
            );
        }
        if let Some(count) = count {
            bytes.extend(format!(":{count}\r\n").bytes());
        }
        bytes
    }

    fn command(&mut self, words: Vec<String>) {
        let line = words.join(" ");
        if let Some(bytes) = self.answers.remove(&line) {
            self.say(&bytes);
            return;
        }
        let name = words[0].to_ascii_uppercase();
        let skipped = self.skip == 1;
        self.skip = self.skip.saturating_sub(1);
        let queued = !matches!(&name[..], "EXEC" | "DISCARD" | "RESET" | "QUIT");
        let bytes = match &mut self.queue {
            Some(_) if queued && name == "BAD" => {
                self.spoiled = true;
                b"-ERR unknown command\r\n".to_vec()
            }
            Some(queue) if queued => {
                queue.push(words);
                b"+QUEUED\r\n".to_vec()
            }
            _ => self.run(&name, &words),
        };
        if !self.reply_off && !skipped {
            self.say(&bytes);
        }
    }

    fn run(&mut self, name: &str, words: &[String]) -> Vec<u8> {
        let word = |index: usize| words.get(index).map(String::as_str).unwrap_or_default();
        let ok = || b"+OK\r\n".to_vec();
        let error = |text: &str| format!("-{text}\r\n").into_bytes();
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len()).into_bytes();
        if let Some((family, rest)) = FAMILIES.iter().enumerate().rev().find_map(|(index, prefix)| {
            let rest = name.strip_prefix(prefix)?;
            matches!(rest, "SUBSCRIBE" | "UNSUBSCRIBE").then_some((index, rest))
        }) {
            return self.subscription(family, rest == "SUBSCRIBE", &words[1..]);
        }
        match name {
            "HELLO" if !self.knows_hello => {
                let quoted: Vec<String> = words[1..].iter().map(|word| format!("`{word}`, ")).collect();
                error(&format!(
                    "ERR unknown command `HELLO`, with args beginning with: {}",
                    quoted.concat().trim_end()
                ))
            }
            "HELLO" => {
                if let Some(text) = self.refuses_resp3 {
                    return error(text);
                }
                if let Some(password) = self.password {
                    let given = words.iter().position(|word| word == "AUTH").map(|at| word(at + 2));
                    match given {
                        None => {
                            return error(
                                "NOAUTH HELLO must be called with the client already authenticated",
                            );
                        }
                        Some(given) if given != password => {
                            return error("WRONGPASS invalid username-password pair or user is disabled.");
                        }
                        Some(_) => {}
                    }
                }
                match word(1) {
                    "3" => self.protocol = Protocol::Resp3,
                    "2" => self.protocol = Protocol::Resp2,
                    "" => {}
                    _ => return error("NOPROTO unsupported protocol version"),
                }
                let (header, number) = if self.protocol == Protocol::Resp3 { ("%2", 3) } else { ("*4", 2) };
                format!("{header}\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:{number}\r\n")
                    .into_bytes()
            }
            "AUTH" => match self.password {
                None => {
                    error("ERR AUTH <password> called without any password configured for the default user.")
                }
                Some(password) if words.last().is_some_and(|given| given == password) => {
                    self.authenticated = true;
                    ok()
                }
                Some(_) => error("WRONGPASS invalid username-password pair or user is disabled."),
            },
            "PING" if self.protocol == Protocol::Resp2 && self.subscribed() => {
                self.pushed(&["pong", word(1)], None)
            }
            "PING" if words.len() > 1 => bulk(word(1)),
            "PING" => b"+PONG\r\n".to_vec(),
            "SELECT" if word(1) == "99" => error("ERR DB index is out of range"),
            "CLIENT" if word(1).eq_ignore_ascii_case("REPLY") => match &word(2).to_ascii_uppercase()[..] {
                "ON" => {
                    self.reply_off = false;
                    ok()
                }
                "OFF" => {
                    self.reply_off = true;
                    Vec::new()
                }
                _ => {
                    self.skip = 1;
                    Vec::new()
                }
            },
            "CLIENT" if word(1) == "SETINFO" => error("ERR unknown subcommand 'SETINFO'. Try CLIENT HELP."),
            "SELECT" | "CLIENT" | "UNWATCH" | "FAIL" => ok(),
            "WATCH" => {
                self.watched_changed = Some(false);
                ok()
            }
            "SET" => {
                self.values.insert(word(1).to_string(), word(2).to_string());
                if let Some(changed) = &mut self.watched_changed {
                    *changed = true;
                }
                ok()
            }
            "GET" => match self.values.get(word(1)) {
                Some(value) => bulk(value),
                None => self.null(),
            },
            "MULTI" => {
                self.queue = Some(Vec::new());
                self.spoiled = false;
                ok()
            }
            "DISCARD" => {
                self.queue = None;
                ok()
            }
            "EXEC" => {
                let Some(queue) = self.queue.take() else { return error("ERR EXEC without MULTI") };
                if self.spoiled {
                    return error("EXECABORT Transaction discarded because of previous errors.");
                }
                if self.watched_changed.take() == Some(true) {
                    return if self.protocol == Protocol::Resp3 {
                        b"_\r\n".to_vec()
                    } else {
                        b"*-1\r\n".to_vec()
                    };
                }
                let mut bytes = format!("*{}\r\n", queue.len()).into_bytes();
                for words in queue {
                    bytes.extend(self.run(&words[0].to_ascii_uppercase(), &words));
                }
                bytes
            }
            "PUBLISH" => {
                // Like Redis 7.0: the message comes first, even inside EXEC's array.
                let mut bytes = Vec::new();
                if self.subscriptions[0].contains(word(1)) {
                    bytes.extend(self.pushed(&["message", word(1), word(2)], None));
                }
                bytes.extend(b":1\r\n");
                bytes
            }
            "SCRIPT" if word(1) == "LOAD" => {
                let digest = Digest::of(words[2..].join(" ").as_bytes()).to_string();
                self.scripts.insert(digest.clone());
                bulk(&digest)
            }
            "SCRIPT" => {
                self.scripts.clear();
                ok()
            }
            "EVAL" => {
                self.scripts.insert(Digest::of(word(1).as_bytes()).to_string());
                bulk(word(words.len() - 1))
            }
            "EVALSHA"
                if self.scripts.contains(word(1))
                    && words.len() > 3 + word(2).parse().unwrap_or(words.len()) =>
            {
                bulk(word(words.len() - 1))
            }
            "EVALSHA" if self.scripts.contains(word(1)) => b":42\r\n".to_vec(),
            "EVALSHA" => error("NOSCRIPT No matching script. Please use EVAL."),
            "MONITOR" => ok(),
            "RESET" => {
                self.protocol = Protocol::Resp2;
                self.subscriptions = Default::default();
                self.queue = None;
                self.reply_off = false;
                b"+RESET\r\n".to_vec()
            }
            "QUIT" => {
                self.closed = true;
                ok()
            }
            _ => error("ERR unknown command"),
        }
    }

    fn null(&self) -> Vec<u8> {
        if self.protocol == Protocol::Resp3 { b"_\r\n".to_vec() } else { b"$-1\r\n".to_vec() }
    }

    fn subscribed(&self) -> bool {
        self.subscriptions.iter().any(|set| !set.is_empty())
    }

    fn subscription(&mut self, family: usize, subscribe: bool, names: &[String]) -> Vec<u8> {
        if names.iter().any(|name| name == "forbidden") {
            return b"-NOPERM this user has no permissions to access one of the channels used as arguments\r\n"
                .to_vec();
        }
        let word = format!("{}{}subscribe", ["", "p", "s"][family], if subscribe { "" } else { "un" });
        let mut names = names.to_vec();
        if !subscribe && names.is_empty() {
            names = self.subscriptions[family].iter().cloned().collect();
            if names.is_empty() {
                let count = self.count(family);
                return self.pushed(&[&word, "(null)"], Some(count));
            }
        }
        let mut bytes = Vec::new();
        for name in names {
            if subscribe {
                self.subscriptions[family].insert(name.clone());
            } else {
                self.subscriptions[family].remove(&name);
            }
            let count = self.count(family);
            bytes.extend(self.pushed(&[&word, &name], Some(count)));
        }
        bytes
    }

    fn count(&self, family: usize) -> usize {
        if family == 2 {
            self.subscriptions[2].len()
        } else {
            self.subscriptions[0].len() + self.subscriptions[1].len()
        }
    }
}
