//! A client of the room: its socket, and a bounded buffer each way. Nothing here waits, and nothing lets others wait.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};

use mio::event::Event;
use mio::net::TcpStream;
use redwire_mio::redwire::connection::Ticket;

/// The longest line, its end included. It is all that is kept of what a client types ahead; the rest stays in its socket.
pub(crate) const LINE_LIMIT: usize = 512;

/// What may wait to be written. Who is behind by more is dropped, as Redis does with its own subscribers
/// (`client-output-buffer-limit`): others neither wait for him nor pay for him, and he cannot miss a line unnoticed.
pub(crate) const OUTPUT_LIMIT: usize = 64 << 10;

pub(crate) struct Member {
    pub(crate) stream: TcpStream,
    pub(crate) name: Option<String>,
    /// What Redis is asked about its line. The next line is not looked at before that is answered.
    pub(crate) pending: Option<Pending>,
    input: Vec<u8>,
    /// The line has been refused, and what is left of it is passed over.
    overlong: bool,
    output: VecDeque<u8>,
    /// The socket may have something to read, or room to write: it has not said otherwise since the last event.
    readable: bool,
    writable: bool,
    /// It has ended its side: what it has said before is still worked through.
    ended: bool,
    /// Why it is to be dropped.
    gone: Option<String>,
}

pub(crate) enum Pending {
    /// The limit is asked whether it may say this.
    Check {
        ticket: Ticket,
        line: Vec<u8>,
    },
    Publish {
        ticket: Ticket,
    },
}

pub(crate) enum Line {
    Text(Vec<u8>),
    TooLong,
}

impl Member {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Member {
            stream,
            name: None,
            pending: None,
            input: Vec::with_capacity(LINE_LIMIT),
            overlong: false,
            output: VecDeque::new(),
            readable: true,
            writable: true,
            ended: false,
            gone: None,
        }
    }

    pub(crate) fn on_event(&mut self, event: &Event) {
        let either = event.is_error();
        self.readable |= event.is_readable() || event.is_read_closed() || either;
        self.writable |= event.is_writable() || event.is_write_closed() || either;
    }

    /// Reads once, if there is room.
    pub(crate) fn fill(&mut self) {
        let room = LINE_LIMIT - self.input.len();
        if !self.readable || room == 0 {
            return;
        }
        let mut bytes = [0; LINE_LIMIT];
        match self.stream.read(&mut bytes[..room]) {
            Ok(0) => (self.readable, self.ended) = (false, true),
            Ok(count) => self.input.extend_from_slice(&bytes[..count]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => self.readable = false,
                ErrorKind::Interrupted => {}
                _ => self.leave(error.to_string()),
            },
        }
    }

    /// The next line, without its end.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        while let Some(end) = self.line_end() {
            let mut line: Vec<u8> = self.input.drain(..=end).collect();
            if !std::mem::take(&mut self.overlong) {
                line.truncate(line.trim_ascii_end().len());
                return Some(Line::Text(line));
            }
        }
        if self.input.len() < LINE_LIMIT {
            return None;
        }
        self.input.clear();
        let known = std::mem::replace(&mut self.overlong, true);
        (!known).then_some(Line::TooLong)
    }

    /// Whether it can go on without an event.
    pub(crate) fn is_awake(&self) -> bool {
        let has_line = self.line_end().is_some() || self.input.len() == LINE_LIMIT;
        (self.readable && self.input.len() < LINE_LIMIT) || (has_line && self.pending.is_none())
    }

    /// Queues a line: its mark, then the text, without anything that would look like another line or do things to a
    /// terminal.
    pub(crate) fn say(&mut self, mark: char, text: &[u8]) {
        let clean = text.iter().map(|&byte| if byte.is_ascii_control() { b' ' } else { byte });
        self.output.extend([mark as u8, b' '].into_iter().chain(clean).chain([b'\n']));
        if self.output.len() > OUTPUT_LIMIT {
            self.flush();
        }
        if self.output.len() > OUTPUT_LIMIT {
            self.leave("it does not read what it is sent".into());
        }
    }

    /// Writes as much as the socket takes.
    pub(crate) fn flush(&mut self) {
        while self.writable && self.gone.is_none() && !self.output.is_empty() {
            let (bytes, _) = self.output.as_slices();
            match self.stream.write(bytes) {
                Ok(0) => self.leave("nothing can be written".into()),
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.writable = false,
                    ErrorKind::Interrupted => {}
                    _ => self.leave(error.to_string()),
                },
            }
        }
    }

    /// Why it is to be dropped, if it is: an error, or it has left and everything is said and done.
    pub(crate) fn gone(&self) -> Option<&str> {
        let done =
            self.ended && self.pending.is_none() && self.line_end().is_none() && self.output.is_empty();
        self.gone.as_deref().or(done.then_some("it has left"))
    }

    fn leave(&mut self, why: String) {
        self.readable = false;
        self.gone.get_or_insert(why);
    }

    fn line_end(&self) -> Option<usize> {
        self.input.iter().position(|&byte| byte == b'\n')
    }
}
