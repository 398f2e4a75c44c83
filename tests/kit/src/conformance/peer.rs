//! The server that plays, and its end of the lines.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use redwire::resp::Protocol;

use super::{Conversation, Step};
use crate::words;

/// A server that expects what a conversation says. Adapters make their streams from it; what it is asked is worked through
/// while they are written.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    protocol: Protocol,
    play: &'static [&'static [Step]],
    /// The most bytes that go over the line at once.
    piece: usize,
    lines: Vec<LineState>,
    /// What was done to it that it did not expect.
    faults: Vec<String>,
}

#[derive(Debug, Default)]
struct LineState {
    /// How much of the play is over.
    step: usize,
    received: Vec<u8>,
    inbound: Vec<u8>,
    closed: bool,
}

/// The client's end of a connection. It never waits.
#[derive(Debug)]
pub struct Line {
    peer: Peer,
    number: usize,
}

impl Peer {
    pub(super) fn new(conversation: &Conversation, protocol: Protocol, piece: usize) -> Self {
        let (lines, faults) = Default::default();
        Peer(Arc::new(Mutex::new(State { protocol, play: conversation.play, piece, lines, faults })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Opens the next connection.
    ///
    /// # Errors
    /// Nobody expects it.
    pub fn open(&self) -> io::Result<Line> {
        let mut state = self.state();
        let number = state.lines.len();
        if number >= state.play.len() {
            state.faults.push("a connection that nobody expects".into());
            return Err(ErrorKind::ConnectionRefused.into());
        }
        state.lines.push(LineState::default());
        Ok(Line { peer: self.clone(), number })
    }

    /// The client would wait for ever.
    pub fn hangs(&self) {
        self.state().faults.push("it waits for ever".into());
    }

    pub(super) fn say(&self, text: &str) {
        let mut state = self.state();
        let bytes = spoken(text, "", state.protocol);
        if let Some(line) = state.lines.last_mut() {
            line.inbound.extend(bytes);
        }
    }

    pub(super) fn lose(&self) {
        self.state().lines.iter_mut().for_each(|line| line.closed = true);
    }

    /// What was done that nobody expects, or was not done.
    pub(super) fn faults(&self) -> Vec<String> {
        let state = self.state();
        let mut faults = state.faults.clone();
        for (number, steps) in state.play.iter().enumerate() {
            let done = state.lines.get(number).map_or(0, |line| line.step);
            let missing = steps.iter().skip(done).map(|step| step.command);
            faults.extend(missing.map(|command| format!("not sent over connection {number}: {command}")));
        }
        faults
    }
}

impl Line {
    /// Takes as much as goes over the line at once.
    ///
    /// # Errors
    /// The server has closed it.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let state = &mut *self.peer.state();
        let line = &mut state.lines[self.number];
        if line.closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(state.piece);
        line.received.extend_from_slice(&bytes[..count]);
        while let Some(words) = words::take(&mut line.received).map(|words| words::line(&words)) {
            if line.closed {
                break;
            }
            if let Some(answer) = greeting(&words) {
                line.inbound.extend_from_slice(answer);
                continue;
            }
            match state.play[self.number].get(line.step) {
                Some(step) if step.command == words => {
                    line.step += 1;
                    line.inbound.extend(spoken(step.answer, step.command, state.protocol));
                    line.closed |= step.closes;
                }
                other => {
                    let instead = other.map_or("nothing", |step| step.command);
                    state.faults.push(format!("{words} was sent, and {instead} expected"));
                    line.closed = true;
                }
            }
        }
        Ok(count)
    }

    /// Gives what has come, as much as goes over the line at once; nothing at the end.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`]: nothing has.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.peer.state();
        let line = &mut state.lines[self.number];
        if line.inbound.is_empty() && !line.closed {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = buffer.len().min(state.piece).min(line.inbound.len());
        buffer[..count].copy_from_slice(&line.inbound[..count]);
        line.inbound.drain(..count);
        Ok(count)
    }

    /// The server it leads to.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

/// What a connection begins with is nobody's matter here.
fn greeting(words: &str) -> Option<&'static [u8]> {
    if words.starts_with("HELLO 3") {
        Some(b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n")
    } else if words.starts_with("HELLO") {
        Some(b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n")
    } else if words.starts_with("CLIENT SETINFO") {
        Some(b"+OK\r\n")
    } else {
        None
    }
}

/// An answer in the words of the protocol.
fn spoken(answer: &str, command: &str, protocol: Protocol) -> Vec<u8> {
    if protocol == Protocol::Resp3 {
        return answer.into();
    }
    let null = if command == "EXEC" { "*-1\r\n" } else { "$-1\r\n" };
    let lines = answer.split_inclusive("\r\n").map(|line| match line.strip_prefix('>') {
        Some(count) => format!("*{count}"),
        None if line == "_\r\n" => null.into(),
        None => line.into(),
    });
    lines.collect::<String>().into_bytes()
}
