//! What the reply to a command changes: effects and refusals as the table of [`transitions`](super::transitions) has them.

use super::closing::End;
use super::effects::{Greeting, QueuedEffects};
use super::handshake::{contains, greeted_protocol};
use super::in_flight::{Flags, Slot};
use super::receive::{Header, Reply};
use super::secrets::withhold_quoted;
use super::transitions::{Effect, Refusal, Shape, row};
use super::verb::Verb;
use super::{Changes, Connection, Mode};
use crate::log::{LOGS, debug};
use crate::parts::{MODES, SESSION, SUBSCRIPTIONS};
use crate::resp::{ErrorCode, ErrorReply, Frame, Kind, Parser};

/// What a reply has changed, besides answering.
pub(super) enum Outcome {
    /// It goes to the caller.
    Reply,
    /// The server has queued the command.
    Queued,
    /// The connection is over.
    Over,
}

impl<P: Parser> Connection<'_, P> {
    /// What a reply changes, besides answering.
    pub(super) fn outcome(&mut self, slot: &Slot, reply: Reply) -> Outcome {
        if !MODES && !LOGS {
            return Outcome::Reply;
        }
        if SESSION && slot.is(Flags::AFTER_SILENCE) {
            self.unanswered_done();
        }
        let refused = self.receive.may_be_error(reply);
        if SESSION && (slot.verb != Verb::Multi || refused) {
            self.known.end_one_shots(slot);
        }
        if let Some(error) = self.receive.error(reply) {
            debug!("error reply: {}", error.code().name());
            return self.error_outcome(slot, reply);
        }
        if !MODES {
            return Outcome::Reply;
        }
        if SESSION && self.known.queues(slot.verb) {
            if self.text_of(reply) != Some(b"QUEUED") {
                return self.out_of_step();
            }
            self.link.queued.push(slot);
            return Outcome::Queued;
        }
        let row = row(slot.verb);
        let right = match row.shape {
            Shape::Any => true,
            Shape::Ok => self.text_of(reply) == Some(b"OK"),
            Shape::OkOrCount => {
                self.text_of(reply) == Some(b"OK")
                    || self.receive.whole(reply).is_some_and(|frame| frame.kind() == Kind::Integer)
            }
            Shape::Reset => self.text_of(reply) == Some(b"RESET") && self.transmit.is_drained(),
            Shape::Greeting => self.takes_greeting(slot, reply),
            Shape::Results => self.takes_results(reply),
            Shape::Confirmations => false,
        };
        let ends = matches!(row.effect, Effect::Execute | Effect::Discard);
        // Without a transaction these are errors.
        let right = right && (!ends || self.known.mode == Mode::Transaction);
        if !right {
            return self.out_of_step();
        }
        if !SESSION {
            return Outcome::Reply;
        }
        if row.effect == Effect::Execute {
            match self.receive.whole(reply) {
                Some(results) if !results.is_null() => {
                    let fresh = self.fresh();
                    if !self.link.queued.apply(results, &mut self.known, fresh) {
                        return self.out_of_step();
                    }
                }
                Some(_) => {}
                // Whether they succeeded is gone with the reply.
                None if self.link.queued.is_empty() => {}
                None => {
                    self.end(End::Capacity);
                    return Outcome::Over;
                }
            }
        }
        if row.effect == Effect::Execute && self.link.queued.secret {
            self.withhold_in_results(reply);
        }
        self.known.apply(slot, self.fresh());
        match row.effect {
            Effect::Transaction | Effect::Execute | Effect::Discard => self.link.queued = QueuedEffects::NONE,
            Effect::User => self.transmit.open_gate(),
            Effect::Greeting => {
                self.transmit.open_gate();
                self.receive.set_protocol(self.known.protocol);
            }
            Effect::Reset => self.reset_answered(),
            _ => {}
        }
        Outcome::Reply
    }

    /// Withholds what may be a credential in the errors among the results of a transaction.
    fn withhold_in_results(&mut self, reply: Reply) {
        let mut from = 0;
        loop {
            let Some(results) = self.receive.whole(reply) else { return };
            let start = results.as_bytes().as_ptr().addr();
            let place = |result: &Frame<'_>| result.as_bytes().as_ptr().addr() - start;
            // Each pass finds the next error, since what is found cannot be changed while it is looked at.
            let error = results.elements().find(|result| place(result) >= from && result.error().is_some());
            let Some(error) = error else { return };
            let (at, end) = (place(&error), place(&error) + error.as_bytes().len());
            withhold_quoted(self.receive.whole_mut(reply).get_mut(at..end).unwrap_or_default(), false);
            from = end;
        }
    }

    /// The first command after those that were not answered is: they have done what they may have done.
    pub(super) fn unanswered_done(&mut self) {
        let number = self.in_flight.front_ticket().sequence;
        if number.wrapping_sub(self.link.unanswered_before) as i32 >= 0 {
            self.known.changes = self.known.changes | core::mem::take(&mut self.link.unanswered);
            self.link.expected_is_stale = true;
        }
    }

    /// All that RESET does besides what it does to the state.
    fn reset_answered(&mut self) {
        let number = self.in_flight.front_ticket().sequence;
        self.link.queued = QueuedEffects::NONE;
        self.link.active = [0; 3];
        self.subscriptions.reset(number);
        let now = self.timers.last_received;
        debug!("reset, handshake begins");
        self.begin_handshake(now, 0);
    }

    /// What an error does: nothing, for most commands.
    #[cold]
    fn error_outcome(&mut self, slot: &Slot, reply: Reply) -> Outcome {
        let Some(error) = self.receive.error(reply) else { return Outcome::Reply };
        let skipped = matches!(reply, Reply::Skipped(_));
        if SESSION && slot.is(Flags::AFTER_SILENCE) && (skipped || may_refuse_client_reply(error)) {
            // What was not to be answered will be.
            return self.out_of_step();
        }
        if MODES && !matches!(slot.verb, Verb::Ordinary | Verb::Ping) {
            // To derive it anew costs as much as there is in flight; an ordinary command has no part in it.
            self.link.expected_is_stale = true;
        }
        let in_transaction = SESSION && self.known.mode == Mode::Transaction;
        match row(slot.verb).refusal {
            Refusal::Names if SUBSCRIPTIONS => {
                let everything = slot.is(Flags::EVERYTHING);
                let names = if everything { usize::MAX } else { slot.argument as usize };
                self.subscriptions.refused(self.in_flight.front_ticket().sequence, names);
            }
            _ if !SESSION => {}
            Refusal::Nothing | Refusal::Names => {}
            // MULTI was refused before, so that this is what has to come.
            Refusal::Aborts | Refusal::Ends if !in_transaction => {}
            Refusal::Aborts if error.text().ends_with(b" without MULTI") => return self.out_of_step(),
            Refusal::Aborts => {
                self.known.apply(slot, self.fresh());
                self.link.queued = QueuedEffects::NONE;
            }
            Refusal::Ends => return self.out_of_step(),
            Refusal::Closes => {
                self.subscriptions.refused(self.in_flight.front_ticket().sequence, usize::MAX);
                self.refused("RESET", reply);
                return Outcome::Over;
            }
            Refusal::Greeting => self.greeting_refused(slot, reply),
        }
        if SESSION && slot.verb == Verb::Auth {
            self.transmit.open_gate();
        }
        if SESSION && slot.is(Flags::SECRET) {
            let rules = slot.verb == Verb::Ordinary && slot.argument != 0;
            withhold_quoted(self.receive.whole_mut(reply), rules);
        }
        Outcome::Reply
    }

    /// A HELLO of the user was refused. Before Redis 7.2 it is carried out word by word, so that the user and the name may
    /// have changed before another word was refused.
    fn greeting_refused(&mut self, slot: &Slot, reply: Reply) {
        self.transmit.open_gate();
        self.receive.set_protocol(self.known.protocol);
        let Some(error) = self.receive.error(reply) else { return };
        let code = error.code();
        let unknown = contains(error.text(), b"unknown command", <[u8]>::eq_ignore_ascii_case);
        if !matches!(code, ErrorCode::NoProto | ErrorCode::NoPerm | ErrorCode::Busy) && !unknown {
            let sets = Greeting::of(slot.argument).sets;
            let sets = if code == ErrorCode::WrongPass { sets.without(Changes::USER) } else { sets };
            self.known.changes = self.known.changes.with(sets);
        }
    }

    /// Whether the reply to a HELLO of the user says that the server did what it asked for.
    fn takes_greeting(&self, slot: &Slot, reply: Reply) -> bool {
        let asked = Greeting::of(slot.argument).protocol.unwrap_or(self.known.protocol);
        greeted_protocol(&self.receive.whole(reply), reply) == Some(asked)
    }

    /// Whether the reply to EXEC has a result for each command that was queued, or is null.
    fn takes_results(&self, reply: Reply) -> bool {
        let queued = self.link.queued.length as usize;
        match (self.receive.whole(reply), reply) {
            (Some(frame), _) => match frame.kind() {
                Kind::Array => frame.elements().len() == queued,
                Kind::Null => true,
                _ => false,
            },
            (None, Reply::Skipped(Header { first: b'*', count })) => {
                count.is_none_or(|count| count == queued)
            }
            _ => false,
        }
    }

    /// The text of a reply, if it is one.
    fn text_of(&self, reply: Reply) -> Option<&[u8]> {
        self.receive.whole(reply).and_then(|frame| frame.text())
    }

    fn out_of_step(&mut self) -> Outcome {
        self.end(End::OutOfStep);
        Outcome::Over
    }
}

/// Whether an error may be the answer to CLIENT REPLY OFF or SKIP: all may be but those about keys, scripts, or the data.
fn may_refuse_client_reply(error: ErrorReply<'_>) -> bool {
    !matches!(
        error.code(),
        ErrorCode::WrongType
            | ErrorCode::NoScript
            | ErrorCode::BusyGroup
            | ErrorCode::BusyKey
            | ErrorCode::NoGroup
            | ErrorCode::ReadOnly
            | ErrorCode::NoReplicas
            | ErrorCode::OutOfMemory
            | ErrorCode::Misconfigured
            | ErrorCode::TryAgain
            | ErrorCode::Moved
            | ErrorCode::Ask
            | ErrorCode::ClusterDown
            | ErrorCode::CrossSlot
    )
}
