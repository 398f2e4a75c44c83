//! Two in-memory peers: a connection and a small server, a virtual clock between them, and a line that cuts what goes
//! over it into pieces.

use redwire::connection::{CloseReason, Connection, Event, SendError, SendOptions, Ticket};
use redwire::resp::{Encode, Parser, Scanner};
use redwire::time::{Duration, Instant};

use crate::server::Server;

/// A connection and a server, joined.
#[derive(Debug)]
pub struct Pair<'a, P = Scanner<'a>> {
    /// The engine. Its test makes it: what it is built with is the test's matter.
    pub client: Connection<'a, P>,
    /// What it talks to.
    pub server: Server,
    /// The time.
    pub now: Instant,
    /// The most bytes that go over the line at once, each way.
    pub piece: usize,
    /// What happened, as text; tickets are numbers in the order of sending.
    pub events: Vec<String>,
    /// In the order of sending.
    pub tickets: Vec<Ticket>,
    /// Bytes on their way to the client.
    pub inbound: Vec<u8>,
}

impl<'a, P: Parser> Pair<'a, P> {
    /// Joins them. The connection is not connected yet.
    pub fn over(client: Connection<'a, P>, server: Server) -> Self {
        Pair {
            client,
            server,
            now: Instant::from_millis(1000),
            piece: usize::MAX,
            events: Vec::new(),
            tickets: Vec::new(),
            inbound: Vec::new(),
        }
    }

    /// With the line cut into pieces.
    #[must_use]
    pub fn pieces_of(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    /// Connects and runs the handshake; its event is taken.
    pub fn connect(&mut self) {
        self.client.connected(self.now).unwrap();
        self.run();
        let connected = self.events.remove(0);
        assert!(connected.starts_with("connected"), "{connected}");
    }

    /// Sends the words of a command, separated by blanks.
    pub fn send(&mut self, line: &str) -> usize {
        self.try_send(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Like `send`, and it may be refused.
    ///
    /// # Errors
    /// What the engine says.
    pub fn try_send(&mut self, line: &str) -> Result<usize, SendError> {
        let words: Vec<&str> = line.split(' ').collect();
        self.send_command(&words[..], SendOptions::default())
    }

    /// Sends a command.
    ///
    /// # Errors
    /// What the engine says.
    pub fn send_command<C: Encode + ?Sized>(
        &mut self,
        command: &C,
        options: SendOptions,
    ) -> Result<usize, SendError> {
        let ticket = self.client.send_with(self.now, command, options)?;
        self.tickets.push(ticket);
        Ok(self.tickets.len() - 1)
    }

    /// Lets bytes and events flow until nothing moves any more, and gives the events.
    pub fn run(&mut self) -> Vec<String> {
        for _ in 0..1_000_000 {
            if !self.step() {
                return self.events.clone();
            }
        }
        panic!("the peers do not come to rest");
    }

    /// Like `run`, and forgets the events.
    pub fn take(&mut self) -> Vec<String> {
        self.run();
        std::mem::take(&mut self.events)
    }

    /// Moves one piece each way. Says whether anything moved.
    pub fn step(&mut self) -> bool {
        let mut moved = false;
        if let Some(bytes) = self.client.poll_transmit() {
            let count = bytes.len().min(self.piece);
            self.server.receive(&bytes[..count]);
            self.client.transmitted(count);
            moved = true;
        }
        self.inbound.append(&mut self.server.out);
        if !self.inbound.is_empty() && !self.client.is_idle() {
            let free = self.client.receive_buffer();
            assert!(!free.is_empty(), "no room to read into");
            let count = free.len().min(self.piece).min(self.inbound.len());
            free[..count].copy_from_slice(&self.inbound[..count]);
            self.inbound.drain(..count);
            self.client.received(self.now, count);
            moved = true;
        } else if self.server.closed && self.inbound.is_empty() {
            self.server.closed = false;
            self.client.handle_eof();
            moved = true;
        }
        moved | self.collect()
    }

    /// Takes all events.
    pub fn collect(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.client.poll_event() {
            self.events.push(describe(&event, &self.tickets));
            any = true;
        }
        any
    }

    /// Time passes; what is due happens.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.client.handle_timeout(self.now);
    }

    /// The stream breaks: what is on the line is lost.
    pub fn cut(&mut self) -> Vec<String> {
        self.inbound.clear();
        self.server.disconnect();
        self.client.handle_eof();
        self.collect();
        std::mem::take(&mut self.events)
    }
}

/// An event as text.
pub fn describe(event: &Event<'_>, tickets: &[Ticket]) -> String {
    let number = |ticket: &Ticket| match tickets.iter().rposition(|t| t == ticket) {
        Some(index) => format!("#{index}"),
        None => "#?".to_string(),
    };
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match event {
        Event::Connected { protocol, resubscribed } => format!("connected {protocol:?} {resubscribed}"),
        Event::Reply { ticket, frame } => format!("{} {frame:?}", number(ticket)),
        Event::Queued { ticket } => format!("{} queued", number(ticket)),
        Event::Chunk { ticket, bytes } => format!("{} chunk {}", number(ticket), text(bytes)),
        Event::ChunksEnd { ticket, length } => format!("{} end {length}", number(ticket)),
        Event::Skipped { ticket, length } => {
            format!("{} skipped {length}", ticket.as_ref().map_or("push".to_string(), number))
        }
        Event::Failed { ticket, failure } => {
            let maybe = if failure.maybe_executed { "maybe executed" } else { "not executed" };
            format!("{} {:?}, {maybe}", number(ticket), failure.reason)
        }
        Event::Message(m) => {
            let pattern = m.pattern.map_or(String::new(), |p| format!(" by {}", text(p)));
            format!("{:?} message {}{pattern}: {}", m.kind, text(m.channel), text(m.payload))
        }
        Event::Subscription(s) => format!(
            "{} {}{:?} {} {}{}",
            s.ticket.as_ref().map_or("-".to_string(), number),
            if s.subscribed { "+" } else { "-" },
            s.kind,
            s.name.map_or("(none)".to_string(), text),
            s.count,
            if s.last { " last" } else { "" }
        ),
        Event::SubscriptionEnd(s) => {
            let why = s.error.map_or("ended".to_string(), |error| error.to_string());
            format!("over {:?} {}: {why}", s.kind, text(s.name))
        }
        Event::Push { frame } => format!("push {frame:?}"),
        Event::Monitor { line } => format!("monitor {}", text(line)),
        Event::Closed { reason, mode, watching } => {
            let reason = match reason {
                CloseReason::Refused { step, error } => format!("refused {step}: {error}"),
                other => format!("{other:?}"),
            };
            format!("closed {reason} {mode:?}{}", if *watching { " watching" } else { "" })
        }
        other => format!("{other:?}"),
    }
}
