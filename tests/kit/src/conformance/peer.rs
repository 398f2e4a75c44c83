//! The server of a conversation: it plays what it is told to, over a line that is cut.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Answer;
use crate::words;

/// A server in memory. Its clones are the same one: a stream of the transport under test holds one.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    play: VecDeque<&'static [(&'static str, Answer)]>,
    /// What is still to come on this connection.
    left: VecDeque<(&'static str, Answer)>,
    resp3: bool,
    received: Vec<u8>,
    out: VecDeque<u8>,
    open: bool,
    /// The number of the connection, from 1.
    connection: usize,
    piece: usize,
    /// What should not have come.
    wrong: Option<String>,
}

impl Peer {
    pub(super) fn new(play: &'static [&'static [(&'static str, Answer)]], piece: usize) -> Self {
        Peer(Arc::new(Mutex::new(State {
            play: play.iter().copied().collect(),
            left: VecDeque::new(),
            resp3: false,
            received: Vec::new(),
            out: VecDeque::new(),
            open: false,
            connection: 0,
            piece,
            wrong: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection, if there is to be another; its number.
    pub fn connect(&self) -> Option<usize> {
        let mut state = self.state();
        let next = state.play.pop_front()?;
        if !state.left.is_empty() {
            state.wrong = Some(format!("it connects again while {:?} is still to come", state.left));
        }
        state.left = next.iter().copied().collect();
        state.resp3 = false;
        state.received.clear();
        state.out.clear();
        state.open = true;
        state.connection += 1;
        Some(state.connection)
    }

    /// Writes over a connection. None: it is closed.
    pub fn write(&self, connection: usize, bytes: &[u8]) -> Option<usize> {
        let mut state = self.state();
        if !state.open || state.connection != connection {
            return None;
        }
        let count = bytes.len().min(state.piece);
        state.received.extend_from_slice(&bytes[..count]);
        while let Some(command) = words::take(&mut state.received) {
            state.answer(&words::line(&command));
        }
        Some(count)
    }

    /// How many bytes can be read: none for now, or, if it is `None`, none any more.
    pub fn readable(&self, connection: usize) -> Option<usize> {
        let state = self.state();
        match state.out.len() {
            _ if state.connection != connection => None,
            0 if !state.open => None,
            count => Some(count),
        }
    }

    /// Reads from a connection as much as there is. None: it is closed.
    pub fn read(&self, connection: usize, buffer: &mut [u8]) -> Option<usize> {
        let available = self.readable(connection)?;
        let mut state = self.state();
        let count = available.min(buffer.len()).min(state.piece);
        for (place, byte) in buffer.iter_mut().zip(state.out.drain(..count)) {
            *place = byte;
        }
        Some(count)
    }

    /// Fails if something came that should not have.
    pub(super) fn assert_sane(&self, context: &dyn Fn() -> String) {
        if let Some(wrong) = &self.state().wrong {
            panic!("{}: {wrong}", context());
        }
    }

    /// Fails if not all has come that should have.
    pub(super) fn assert_over(&self, context: &dyn Fn() -> String) {
        self.assert_sane(context);
        let state = self.state();
        assert!(state.left.is_empty(), "{}: {:?} never came", context(), state.left);
        assert!(state.play.is_empty(), "{}: it never connected for {:?}", context(), state.play);
    }
}

impl State {
    fn answer(&mut self, line: &str) {
        if line.starts_with("HELLO 3") {
            self.resp3 = true;
            self.out.extend(b"%1\r\n+proto\r\n:3\r\n");
            return;
        }
        if line.starts_with("CLIENT SETINFO") {
            self.out.extend(b"+OK\r\n");
            return;
        }
        let (says, closes) = match self.left.pop_front() {
            Some((expected, answer)) if expected == line => match answer {
                Answer::Says(says) => (says, false),
                Answer::SaysAndCloses(says) => (says, true),
            },
            other => {
                let expected = other.map_or("nothing", |(expected, _)| expected);
                self.wrong.get_or_insert(format!("{line:?} came, expected is {expected:?}"));
                ("-ERR unexpected\r\n", true)
            }
        };
        let mut line_begins = true;
        for byte in says.bytes() {
            let push = line_begins && byte == b'>' && !self.resp3;
            self.out.push_back(if push { b'*' } else { byte });
            line_begins = byte == b'\n';
        }
        self.open &= !closes;
    }
}
