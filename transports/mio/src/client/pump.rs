//! Bytes, time, and streams: writing, reading, what is due, and when to connect.

use std::io::{self, Read, Write};

use mio::event::Source;
use redwire::client::{LinkState, Next};
use redwire::connection::Mode;
use redwire::time;

use super::{BOTH, Client, TURN_BYTES};
use crate::{Connector, Stream};

impl<C: Connector> Client<C> {
    /// When something is due that is not an event of the stream.
    pub(super) fn due(&self) -> Option<time::Instant> {
        let engine = self.session.engine();
        let idle = engine.is_idle();
        let link = match self.link.state() {
            LinkState::Waiting(_) | LinkState::Connecting if idle => self.link.poll_timeout(),
            LinkState::Handshake if self.stream.is_some() => self.link.poll_timeout(),
            _ => None,
        };
        let timer = engine.poll_timeout().map(|(due, _)| due);
        let write = match (self.write_timeout, self.refused_since) {
            (Some(timeout), Some(since)) => Some(since + timeout),
            _ => None,
        };
        let due = link.into_iter().chain(timer).chain(write).chain(self.table.deadline()).min();
        due.filter(|due| due.as_micros() < u64::MAX)
    }

    pub(super) fn is_due(&self, now: time::Instant) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// Does what is due. All was read that was there.
    pub(super) fn do_what_is_due(&mut self, now: time::Instant) {
        self.connect_if_due(now);
        self.session.engine_mut().handle_timeout(now);
        self.send_waiting(now);
        let overdue = self.link.state() == LinkState::Handshake && self.link.is_overdue(now);
        let refused = match (self.write_timeout, self.refused_since) {
            (Some(timeout), Some(since)) => since + timeout <= now,
            _ => false,
        };
        if self.stream.is_some() && (overdue || refused) {
            let what = if overdue { "the handshake took too long" } else { "the server takes nothing" };
            self.lost(Some(io::Error::new(io::ErrorKind::TimedOut, what)));
        }
    }

    /// Begins to connect if it is time to, or ends an attempt that has taken too long.
    pub(super) fn connect_if_due(&mut self, now: time::Instant) {
        if !self.session.engine().is_idle() {
            // The end of the last connection is still to be taken.
            return;
        }
        while let LinkState::Waiting(_) | LinkState::Connecting = self.link.state() {
            if self.link.addresses() != self.connector.choices().max(1) {
                self.link.set_addresses(self.connector.choices().max(1));
            }
            match self.link.next(now, self.random.next()) {
                Next::Connect { address } => match self.open_stream(address) {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        return;
                    }
                    Err(error) => self.attempt_failed(now, error),
                },
                Next::Abandon { .. } => {
                    self.drop_stream();
                    self.error = Some(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long"));
                    self.quit_if_asked(now);
                }
                _ => return self.quit_if_asked(now),
            }
        }
    }

    /// QUIT waits for a connection that is not to be had.
    pub(super) fn quit_if_asked(&mut self, now: time::Instant) {
        let tried = self.link.attempts_failed() > 0 || self.link.lost_since().is_some();
        let waits = matches!(self.link.state(), LinkState::Waiting(due) if due.is_none_or(|due| due > now));
        if tried && waits && self.session.engine().mode() == Mode::Closing {
            self.link.quit(now);
            // Without a stream the engine fails what waits.
            self.session.engine_mut().handle_eof();
        }
    }

    pub(super) fn open_stream(&mut self, address: usize) -> io::Result<C::Stream> {
        let mut stream = self.connector.connect(address)?;
        if let Some((registry, token)) = &self.registration {
            stream.register(registry, *token, BOTH)?;
        }
        Ok(stream)
    }

    pub(super) fn attempt_failed(&mut self, now: time::Instant, error: io::Error) {
        self.drop_stream();
        self.error = Some(error);
        self.link.failed(now, self.random.next());
        self.quit_if_asked(now);
    }

    /// Does what can be done with the stream. True: there may be events.
    pub(super) fn pump(&mut self, now: time::Instant) -> bool {
        if self.link.state() == LinkState::Connecting {
            return self.finish_connect(now);
        }
        if self.table.has_waiting() || self.session.engine().unfinished().is_some() {
            self.send_waiting(now);
        }
        self.write(now);
        self.read(now)
    }

    pub(super) fn finish_connect(&mut self, now: time::Instant) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| self.readable || self.writable) else {
            return false;
        };
        (self.readable, self.writable) = (false, false);
        match stream.finish_connect() {
            Ok(true) => {
                self.link.connected(now);
                // What happened while it connected has been announced already.
                (self.readable, self.writable) = (true, true);
                // It has no stream: it was told of none since the last one ended.
                let _ = self.session.engine_mut().connected(now);
                true
            }
            Ok(false) => false,
            Err(error) if is_passing(&error) => false,
            Err(error) => {
                self.attempt_failed(now, error);
                self.connect_if_due(now);
                true
            }
        }
    }

    pub(super) fn can_write(&self) -> bool {
        self.writable && self.stream.is_some() && self.link.state() != LinkState::Connecting
    }

    /// Writes what is to be written, as far as the stream takes it.
    pub(super) fn write(&mut self, now: time::Instant) {
        if !self.can_write() {
            return;
        }
        let Some(stream) = &mut self.stream else { return };
        let engine = self.session.engine_mut();
        let error = loop {
            let result = match engine.poll_transmit() {
                Some(bytes) => stream.write(bytes),
                None if self.unflushed => stream.flush().map(|()| 0),
                None => return,
            };
            let writing = engine.poll_transmit().is_some();
            match result {
                Ok(0) if writing => break io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    self.unflushed = writing;
                    self.refused_since = None;
                    engine.transmitted(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    self.refused_since.get_or_insert(now);
                    return;
                }
                Err(error) => break error,
            }
        };
        // What the server has said before it closed the stream can be read all the same.
        self.error = Some(error);
        self.broken = true;
        self.writable = false;
        self.readable = true;
    }

    /// Reads once. True: there may be events, or more to read.
    pub(super) fn read(&mut self, now: time::Instant) -> bool {
        if !self.readable || self.stream.is_none() {
            return false;
        }
        let late = self.is_due(now);
        let Some(stream) = &mut self.stream else { return false };
        let buffer = self.session.engine_mut().receive_buffer();
        if buffer.is_empty() {
            // The allocator has none left. A read would look like the end of the stream.
            self.lost(Some(io::ErrorKind::OutOfMemory.into()));
            return true;
        }
        let most = buffer.len().min(TURN_BYTES);
        match stream.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => self.lost(None),
            Ok(count) => {
                self.turn.bytes += count;
                self.late = if late { self.late + count } else { 0 };
                self.session.engine_mut().received(now, count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                if !self.broken {
                    return false;
                }
                self.lost(None);
            }
            Err(error) => self.lost(Some(error)),
        }
        true
    }

    /// The stream has ended: the engine delivers what is complete, and fails the rest.
    pub(super) fn lost(&mut self, error: Option<io::Error>) {
        if error.is_some() || !self.broken {
            self.error = error;
        }
        self.drop_stream();
        self.session.engine_mut().handle_eof();
    }

    pub(super) fn drop_stream(&mut self) {
        if let (Some(mut stream), Some((registry, _))) = (self.stream.take(), &self.registration) {
            let _ = stream.deregister(registry);
        }
        (self.readable, self.writable, self.unflushed, self.broken) = (false, false, false, false);
        (self.refused_since, self.late) = (None, 0);
    }
}

/// Whether an error says no more than that it has to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
