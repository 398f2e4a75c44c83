//! A server that answers as the pages say, byte by byte.

use super::session::{Replies, Session};
use super::table::{self, Effect, InMulti, Shape};
use super::{Kind, Mode, Protocol};

/// A server with one connection.
#[derive(Debug, Clone, Default)]
pub struct Server {
    pub session: Session,
}

impl Server {
    /// What it says to a command that it runs; it refuses only what every server refuses.
    pub fn answer(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let row = table::find(words);
        let session = &self.session;
        let in_multi = session.queued.is_some();
        if session.mode() == Mode::Subscribed
            && !matches!(
                row.effect,
                Effect::Subscribe(_) | Effect::Unsubscribe(_) | Effect::Quit | Effect::Reset
            )
            && !words[0].eq_ignore_ascii_case(b"PING")
        {
            return self
                .refuse(words, "ERR Can't execute it: only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE are allowed");
        }
        match row.effect {
            Effect::Exec | Effect::Discard if !in_multi => {
                return self.refuse(words, "ERR EXEC without MULTI");
            }
            Effect::Subscribe(_) if words.len() == 1 => {
                return self.refuse(words, "ERR wrong number of arguments");
            }
            Effect::Multi | Effect::Watch if in_multi => {
                return self.refuse(words, "ERR Command not allowed inside a transaction");
            }
            Effect::Exec if session.aborted => {
                return self.refuse(words, "EXECABORT Transaction discarded because of previous errors.");
            }
            // It has been said once; the second time there is no answer at all.
            Effect::Monitor if session.monitoring => return Vec::new(),
            _ => {}
        }
        let silent = session.is_silent_for(row);
        let bytes = if session.queues(row) { b"+QUEUED\r\n".to_vec() } else { self.success(words) };
        self.session.run(words);
        if silent { Vec::new() } else { bytes }
    }

    /// It refuses the command.
    pub fn refuse(&mut self, words: &[Vec<u8>], error: &str) -> Vec<u8> {
        let off = self.session.replies != Replies::On && !words.is_empty();
        self.session.refuse(words);
        if off { Vec::new() } else { format!("-{error}\r\n").into_bytes() }
    }

    /// EXEC finds a watched key changed.
    pub fn conflict(&mut self) -> Vec<u8> {
        self.session.exec_nothing();
        self.null_array()
    }

    /// EXEC runs the transaction, and one element of it is an error.
    pub fn exec_with_error(&mut self, failing: usize) -> Vec<u8> {
        let queued = self.session.queued.clone().unwrap_or_default();
        let mut bytes = format!("*{}\r\n", queued.len()).into_bytes();
        for (at, words) in queued.iter().enumerate() {
            if at == failing {
                bytes.extend(b"-ERR it fails\r\n");
            } else {
                bytes.extend(self.success(words));
            }
        }
        self.session.exec(|at| at != failing);
        bytes
    }

    fn null_array(&self) -> Vec<u8> {
        if self.session.protocol == Protocol::Resp3 { b"_\r\n".to_vec() } else { b"*-1\r\n".to_vec() }
    }

    fn success(&self, words: &[Vec<u8>]) -> Vec<u8> {
        let session = &self.session;
        let row = table::find(words);
        match row.shape {
            Shape::Ok | Shape::OkMore => b"+OK\r\n".to_vec(),
            Shape::Reset => b"+RESET\r\n".to_vec(),
            Shape::Nothing => Vec::new(),
            Shape::Hello => {
                let protocol = match words.get(1).map(|word| &word[..]) {
                    Some(b"2") => Protocol::Resp2,
                    Some(b"3") => Protocol::Resp3,
                    _ => session.protocol,
                };
                if protocol == Protocol::Resp3 {
                    b"%1\r\n$5\r\nproto\r\n:3\r\n".to_vec()
                } else {
                    b"*2\r\n$5\r\nproto\r\n:2\r\n".to_vec()
                }
            }
            Shape::Exec => {
                let queued = session.queued.clone().unwrap_or_default();
                let mut bytes = format!("*{}\r\n", queued.len()).into_bytes();
                for words in &queued {
                    bytes.extend(self.success(words));
                }
                bytes
            }
            Shape::Confirmations => self.confirmations(words),
            Shape::Any if words[0].eq_ignore_ascii_case(b"PING") => {
                if session.protocol == Protocol::Resp2 && session.has_names() {
                    b"*2\r\n$4\r\npong\r\n$0\r\n\r\n".to_vec()
                } else {
                    b"+PONG\r\n".to_vec()
                }
            }
            // GET says the name of its key, so that replies can be told apart.
            Shape::Any => {
                let text = words.get(1).unwrap_or(&words[0]);
                let mut bytes = format!("${}\r\n", text.len()).into_bytes();
                bytes.extend(text);
                bytes.extend(b"\r\n");
                bytes
            }
        }
    }

    fn confirmations(&self, words: &[Vec<u8>]) -> Vec<u8> {
        let (Effect::Subscribe(kind) | Effect::Unsubscribe(kind)) = table::find(words).effect else {
            unreachable!("only these are confirmed");
        };
        let mut session = self.session.clone();
        let mut bytes = Vec::new();
        let mut names: Vec<Option<Vec<u8>>> = words[1..].iter().cloned().map(Some).collect();
        if names.is_empty() {
            names = session.names[kind as usize].iter().cloned().map(Some).collect();
        }
        if names.is_empty() {
            names.push(None);
        }
        for name in names {
            let subscribes = matches!(table::find(words).effect, Effect::Subscribe(_));
            if let Some(name) = &name {
                if subscribes {
                    session.names[kind as usize].insert(name.clone());
                } else {
                    session.names[kind as usize].remove(name);
                }
            }
            bytes.extend(confirmation(&session, kind, &words[0].to_ascii_lowercase(), name.as_deref()));
        }
        bytes
    }
}

/// One confirmation, with the count of what is left or there.
pub fn confirmation(session: &Session, kind: Kind, command: &[u8], name: Option<&[u8]>) -> Vec<u8> {
    let resp3 = session.protocol == Protocol::Resp3;
    let count = match kind {
        Kind::Shard => session.names[2].len(),
        _ => session.names[0].len() + session.names[1].len(),
    };
    let mut bytes = format!("{}3\r\n${}\r\n", if resp3 { '>' } else { '*' }, command.len()).into_bytes();
    bytes.extend(command);
    match name {
        Some(name) => {
            bytes.extend(format!("\r\n${}\r\n", name.len()).bytes());
            bytes.extend(name);
            bytes.extend(b"\r\n");
        }
        None if resp3 => bytes.extend(b"\r\n_\r\n"),
        None => bytes.extend(b"\r\n$-1\r\n"),
    }
    bytes.extend(format!(":{count}\r\n").bytes());
    bytes
}

/// Whether MULTI would queue the command.
pub fn can_be_queued(words: &[Vec<u8>]) -> bool {
    table::find(words).in_multi == InMulti::Queued
}
