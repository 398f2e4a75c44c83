//! The end of a connection: why it is over, and what becomes of the commands in flight.

use super::in_flight::{Flags, Listener, NEVER, Slot};
use super::replies::Found;
use super::transitions::{Effect, Mode, row};
use super::{CloseReason, Connection, Failure, FailureReason, Link, Phase, Silence};
use crate::log::{info, warn};
use crate::parts::{DEADLINES, MODES, SESSION, SUBSCRIPTIONS};
use crate::resp::{Parser, ProtocolError};

/// Why a connection is over: [`CloseReason`] without the text of the server, which stands in the receive buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Disconnected,
    Quit,
    Closed,
    Protocol(ProtocolError),
    /// The server refused a step of the handshake with an error of so many bytes.
    Refused {
        step: &'static str,
        length: usize,
    },
    OutOfStep,
    HandshakeTimedOut,
    Unresponsive,
    Capacity,
}

impl End {
    /// The name of the variant of [`CloseReason`], for the log.
    const fn name(self) -> &'static str {
        match self {
            End::Disconnected => "Disconnected",
            End::Quit => "Quit",
            End::Closed => "Closed",
            End::Protocol(_) => "Protocol",
            End::Refused { .. } => "Refused",
            End::OutOfStep => "OutOfStep",
            End::HandshakeTimedOut => "HandshakeTimedOut",
            End::Unresponsive => "Unresponsive",
            End::Capacity => "Capacity",
        }
    }
}

/// Of the transaction that was open when the connection ended: the command that would have ended it.
#[derive(Debug, Clone, Copy)]
pub(super) enum TransactionEnd {
    /// No transaction was open, or its end has been reached.
    None,
    /// The server has executed the commands before the one with this number, if `executed`.
    At { sequence: u32, executed: bool },
    /// It was never ended.
    Never,
}

impl<P: Parser> Connection<'_, P> {
    #[cold]
    #[inline(never)]
    pub(super) fn end(&mut self, end: End) {
        if self.link.phase == Phase::Over {
            return;
        }
        if matches!(end, End::Quit | End::Closed) {
            info!("connection is over: {}, commands that fail: {}", end.name(), self.in_flight.awaited());
        } else {
            warn!("connection is over: {}, commands that fail: {}", end.name(), self.in_flight.awaited());
        }
        if SESSION {
            self.link.transaction_end = self.transaction_end();
        }
        if MODES {
            self.link.at_the_end = (self.mode(), self.is_watching());
        }
        self.link.phase = Phase::Over;
        self.link.announce = None;
        self.end = end;
    }

    pub(super) fn reason(&self) -> CloseReason<'_> {
        match self.end {
            End::Disconnected => CloseReason::Disconnected,
            End::Quit if SESSION => CloseReason::Quit,
            End::Closed => CloseReason::Closed,
            End::Protocol(error) => CloseReason::Protocol(error),
            End::Refused { step, length } => {
                let error = self.receive.frame(0, length).error();
                CloseReason::Refused { step, error: error.unwrap_or(crate::resp::ErrorReply::new(b"")) }
            }
            End::HandshakeTimedOut if DEADLINES => CloseReason::HandshakeTimedOut,
            End::Unresponsive if DEADLINES => CloseReason::Unresponsive,
            End::Capacity => CloseReason::Capacity,
            _ => CloseReason::OutOfStep,
        }
    }

    /// Fails the commands in flight one by one, then says that it is over.
    pub(super) fn close_down(&mut self) -> Found {
        while let Some(&slot) = self.in_flight.front() {
            let ticket = self.in_flight.front_ticket();
            let maybe_executed = self.may_have_run(&slot, ticket.sequence);
            self.in_flight.pop();
            if slot.listener == Listener::Caller {
                let failure = Failure { reason: FailureReason::Disconnected, maybe_executed };
                return Found::Failed { ticket, failure };
            }
        }
        let (mode, watching) = self.link.at_the_end;
        self.start_over();
        Found::Closed { mode, watching }
    }

    /// Whether the server may have executed the oldest command, which has this number and was not answered.
    fn may_have_run(&mut self, slot: &Slot, sequence: u32) -> bool {
        let unfinished = self.transmit.unfinished().is_some() && self.in_flight.len() == 1;
        // A server executes whole commands only.
        let handed_out = self.transmit.was_handed_out(slot) && !unfinished;
        if !SESSION {
            return handed_out;
        }
        match self.link.transaction_end {
            TransactionEnd::None => handed_out,
            TransactionEnd::Never => false,
            TransactionEnd::At { sequence: at, .. } if at == sequence => {
                self.link.transaction_end = TransactionEnd::None;
                handed_out
            }
            TransactionEnd::At { executed, .. } => handed_out && executed,
        }
    }

    /// What ends the transaction that the server has confirmed. One whose MULTI is not answered does not count: had the
    /// server refused it, the commands after it would run one by one.
    fn transaction_end(&self) -> TransactionEnd {
        if self.known.mode != Mode::Transaction {
            return TransactionEnd::None;
        }
        let first = self.in_flight.front_ticket().sequence;
        for (position, slot) in self.in_flight.iter().enumerate() {
            let effect = row(slot.verb).effect;
            if slot.is(Flags::TAKEN_BACK) {
                continue;
            }
            if matches!(effect, Effect::Execute | Effect::Discard | Effect::Reset | Effect::Quit) {
                let executed = effect == Effect::Execute && self.transmit.was_handed_out(slot);
                return TransactionEnd::At { sequence: first.wrapping_add(position as u32), executed };
            }
        }
        TransactionEnd::Never
    }

    /// Back to a connection without a stream; subscriptions, database and configuration stay.
    fn start_over(&mut self) {
        let shown = if let End::Refused { length, .. } = self.end { length } else { 0 };
        // The text of a refusal is shown once more: it goes with the next call.
        self.receive.clear(shown);
        self.transmit.clear();
        self.in_flight.next_generation();
        self.timers.reset();
        if SUBSCRIPTIONS {
            self.subscriptions.lost();
        }
        self.link = Link::without_stream(self.config.protocol);
        if MODES {
            self.known = super::State::fresh(self.config.protocol, self.known.database);
        }
        if DEADLINES {
            self.handshake.deadline = NEVER;
        }
    }

    /// The oldest command whose deadline has passed without anybody having heard of it.
    pub(super) fn report_expired(&mut self) -> Option<Found> {
        // None stands before `expired_from`, however many have been reported.
        let first = self.in_flight.front_ticket().sequence;
        let passed = self.link.expired_from.wrapping_sub(first) as usize;
        let begin = if passed > self.in_flight.len() { 0 } else { passed };
        for position in begin..self.in_flight.len() {
            let Some(slot) = self.in_flight.get_mut(position) else { break };
            if slot.listener == Listener::Overdue {
                slot.listener = Listener::Nobody;
                let maybe_executed = !slot.is(Flags::TAKEN_BACK);
                let failure = Failure { reason: FailureReason::TimedOut, maybe_executed };
                self.link.expired -= 1;
                let ticket = self.in_flight.ticket_at(position);
                self.link.expired_from = ticket.sequence.wrapping_add(1);
                self.in_flight.drop_taken_back();
                return Some(Found::Failed { ticket, failure });
            }
        }
        self.link.expired = 0;
        None
    }

    /// Whether QUIT was sent, and answered if it is to be.
    pub(super) fn is_closing(&self) -> bool {
        self.known.mode == Mode::Closing || self.link.silence == Silence::Quit
    }
}
