//! What is not a reply: messages, confirmations of subscriptions, and the end of a subscription that nobody asked for.
//!
//! Under RESP3 they are pushes, under RESP2 arrays that look like replies.

use super::closing::End;
use super::handshake::contains;
use super::in_flight::{Flags, Listener, Slot};
use super::name_index::hash;
use super::receive::Reply;
use super::replies::Found;
use super::subscriptions::Unsubscribed;
use super::verb::Verb;
use super::{Connection, Message, Mode, Phase, SubscriptionKind};
use crate::log::debug;
use crate::parts::{SESSION, SUBSCRIPTIONS};
use crate::resp::{ErrorReply, Frame, Parser, Protocol};

impl<P: Parser> Connection<'_, P> {
    /// Whether a frame is what RESP3 has pushes for, a message or a confirmation, though it is an array.
    pub(super) fn is_message(&self, length: usize) -> bool {
        let bytes = self.receive.part(0, length);
        if !matches!(bytes, [b'*', b'3' | b'4', ..]) || !self.expects_messages() {
            return false;
        }
        let name = Frame::new_unchecked(bytes).elements().next_text();
        name.is_some_and(|name| message_kind(name).is_some() || SubscriptionKind::from_name(name).is_some())
    }

    /// Whether the server can send messages of itself, or confirmations are due.
    pub(super) fn expects_messages(&self) -> bool {
        self.link.active != [0; 3] || self.link.phase == Phase::Handshake || self.is_confirming()
    }

    /// Whether the oldest command is one that confirmations answer.
    fn is_confirming(&self) -> bool {
        self.in_flight.front().is_some_and(|slot| matches!(slot.verb, Verb::Subscribe | Verb::Unsubscribe))
    }

    /// A push, or what stands for one under RESP2.
    pub(super) fn push(&mut self, start: usize, end: usize) -> Option<Found> {
        if !SUBSCRIPTIONS {
            return Some(Found::Push { start, end });
        }
        let frame = Frame::new_unchecked(self.receive.part(start, end));
        let name = frame.elements().next_text().unwrap_or_default();
        if let Some(kind) = message_kind(name) {
            return Some(Found::Message { start, end, kind });
        }
        let Some(Confirmation { kind, subscribed, name, count }) = confirmation(frame) else {
            return Some(Found::Push { start, end });
        };
        count_active(&mut self.link.active, kind, count);
        if subscribed && self.link.phase == Phase::Handshake {
            return self.handshake_confirmed(kind, start, end);
        }
        let expected = if subscribed { Verb::Subscribe } else { Verb::Unsubscribe };
        let number = self.in_flight.front_ticket().sequence;
        let slot = self
            .in_flight
            .front()
            .filter(|slot| slot.verb == expected && slot.subscription == kind)
            .filter(|slot| self.link.phase == Phase::Ready && self.transmit.was_handed_out(slot));
        let sum = name.map_or(0, |name| hash(kind as u8, name));
        let asked = match (slot, name) {
            (Some(_), Some(name)) if subscribed => self.subscriptions.subscribed(kind, name, number),
            (slot, Some(name)) if !subscribed => {
                let number = slot.map(|_| number);
                match (self.subscriptions.unsubscribed(kind, name, number), slot) {
                    (Unsubscribed::Unasked, None) => return Some(Found::Ended { start, end }),
                    // It crosses an unsubscription of other names.
                    (Unsubscribed::Unasked, Some(slot)) if slot.is_fenced() => {
                        return Some(Found::Ended { start, end });
                    }
                    // Of the last name that is to be confirmed it is known which it is.
                    (Unsubscribed::Pending, Some(slot))
                        if slot.is_fenced()
                            && !slot.is(Flags::EVERYTHING)
                            && slot.argument <= 1
                            && slot.names != sum =>
                    {
                        return Some(Found::Ended { start, end });
                    }
                    (Unsubscribed::Asked | Unsubscribed::Pending, Some(_)) => true,
                    (Unsubscribed::Unknown, Some(slot)) if slot.is_fenced() => {
                        if slot.argument == 1 && slot.names != sum {
                            return None;
                        }
                        true
                    }
                    (Unsubscribed::Unknown, Some(slot)) => !slot.is(Flags::EVERYTHING),
                    // The server ends what it has ended already: nobody needs to know.
                    (Unsubscribed::Unknown, None) if kind == SubscriptionKind::Shard => return None,
                    _ => false,
                }
            }
            // There was nothing to unsubscribe from.
            (Some(slot), None) => !subscribed && slot.is(Flags::EVERYTHING),
            _ => false,
        };
        if !asked {
            // It confirms what was not asked.
            self.end(End::OutOfStep);
            return None;
        }
        self.confirm(kind, sum, start, end)
    }

    /// A confirmation for the command at the front; `name` is the hash of what it names.
    fn confirm(&mut self, kind: SubscriptionKind, name: u32, start: usize, end: usize) -> Option<Found> {
        let ticket = self.in_flight.front_ticket();
        let none_left = self.link.active.get(kind as usize) == Some(&0);
        let slot = self.in_flight.front_mut()?;
        if slot.is(Flags::CONFIRMED) || slot.is(Flags::REFUSED) {
            // The server has ended it by itself besides.
            return None;
        }
        if SESSION && slot.is(Flags::AFTER_SILENCE) {
            self.unanswered_done();
        }
        let slot = self.in_flight.front_mut()?;
        let everything = slot.is(Flags::EVERYTHING);
        slot.argument = slot.argument.saturating_sub(1);
        slot.names = slot.names.wrapping_sub(name);
        let last = if everything { none_left } else { slot.argument == 0 };
        let heard = slot.listener == Listener::Caller;
        let other_names = !everything && !slot.is_fenced() && slot.names != 0;
        if last && other_names {
            self.end(End::OutOfStep);
            return None;
        }
        if last && slot.is_fenced() {
            // The PONG after it is still to come.
            slot.mark(Flags::CONFIRMED);
            slot.listener = Listener::Nobody;
        } else if last {
            if SESSION {
                self.known.end_one_shots(slot);
            }
            self.in_flight.pop();
        }
        Some(Found::Subscription { ticket: heard.then_some(ticket), start, end, last })
    }

    /// What comes in turn while a SUNSUBSCRIBE is the oldest command: its error, or the PONG after it.
    ///
    /// The server ends subscriptions to shard channels by itself, with the same push that confirms SUNSUBSCRIBE, when their
    /// slot moves. If that crosses a SUNSUBSCRIBE, Redis answers it with another push and Valkey with an error. A PING
    /// after each SUNSUBSCRIBE is a fence: what comes before its PONG is about the subscription, however much it is.
    pub(super) fn fence_reply(&mut self, slot: Slot, reply: Reply) -> Option<Found> {
        let answered = slot.is(Flags::CONFIRMED) || slot.is(Flags::REFUSED);
        let about_ping = |error: ErrorReply<'_>| {
            error.code_word() == Some(b"NOPERM")
                && contains(error.text(), b"'ping'", <[u8]>::eq_ignore_ascii_case)
        };
        let ticket = self.in_flight.front_ticket();
        match self.receive.error(reply) {
            // The user may not PING, so that this is the fence.
            Some(error) if answered && about_ping(error) => {}
            // It may be the PING's, and then nobody knows what the next one is.
            Some(error)
                if slot.is(Flags::REFUSED)
                    || slot.is(Flags::AFTER_SILENCE)
                    || answered && !is_redirect(error) =>
            {
                self.end(End::OutOfStep);
                return None;
            }
            Some(error) => {
                debug!("error reply: {}", error.code().name());
                self.link.expected_is_stale = true;
                self.subscriptions.refused(ticket.sequence, usize::MAX);
                if let Some(slot) = self.in_flight.front_mut() {
                    slot.mark(Flags::REFUSED);
                    slot.listener = Listener::Nobody;
                }
                let length = if let Reply::Whole { length } = reply { length } else { 0 };
                return (slot.listener == Listener::Caller).then_some(Found::Reply { ticket, length });
            }
            None if !answered || !self.is_pong(reply) => {
                self.end(End::OutOfStep);
                return None;
            }
            None => {}
        }
        if SESSION {
            self.known.end_one_shots(&slot);
        }
        self.in_flight.pop();
        None
    }

    /// Whether a reply is that to a PING: a subscriber under RESP2 gets an array.
    fn is_pong(&self, reply: Reply) -> bool {
        let Some(frame) = self.receive.whole(reply) else { return false };
        frame.text() == Some(b"PONG") || frame.elements().next_text() == Some(b"pong")
    }

    /// Whether the beginning of a frame says that it answers nothing.
    pub(super) fn begins_aside(&self) -> bool {
        const MESSAGES: [&[u8]; 3] = [b"3\r\n$7\r\nmessage", b"4\r\n$8\r\npmessage", b"3\r\n$8\r\nsmessage"];
        let Some((first, rest)) = self.receive.received().split_first() else { return false };
        match first {
            b'+' => {
                SESSION && self.known.mode == Mode::Monitor && rest.first().is_some_and(u8::is_ascii_digit)
            }
            _ if !SUBSCRIPTIONS => false,
            b'*' if self.known.protocol == Protocol::Resp3 || !self.expects_messages() => false,
            b'*' | b'>' => MESSAGES.iter().any(|message| rest.starts_with(message)),
            _ => false,
        }
    }

    /// Whether the frame that does not fit might confirm a subscription, or under RESP2 be a message in disguise.
    pub(super) fn awaits_confirmation(&self) -> bool {
        if !SUBSCRIPTIONS {
            return false;
        }
        match self.receive.received() {
            [b'>', ..] => self.link.phase == Phase::Handshake || self.is_confirming(),
            // A list is no reply to what a subscriber can send, but for a PING.
            [b'*', ..] => self.known.protocol == Protocol::Resp2 && self.expects_messages(),
            _ => false,
        }
    }
}

/// Keeps how many subscriptions of each kind the server has: it counts channels and patterns together, shard channels by
/// themselves.
fn count_active(active: &mut [i64; 3], kind: SubscriptionKind, count: i64) {
    let [channels, patterns, shards] = active;
    match kind {
        SubscriptionKind::Channel => *channels = count.saturating_sub(*patterns).max(0),
        SubscriptionKind::Pattern => *patterns = count.saturating_sub(*channels).max(0),
        SubscriptionKind::Shard => *shards = count.max(0),
    }
}

/// Whether an error says that another node serves a shard channel.
fn is_redirect(error: ErrorReply<'_>) -> bool {
    matches!(error.code_word(), Some(b"MOVED" | b"ASK" | b"CROSSSLOT" | b"CLUSTERDOWN"))
}

pub(super) fn message_kind(name: &[u8]) -> Option<SubscriptionKind> {
    let (kind, name) = match name {
        [b'p', name @ ..] => (SubscriptionKind::Pattern, name),
        [b's', name @ ..] => (SubscriptionKind::Shard, name),
        name => (SubscriptionKind::Channel, name),
    };
    (name == b"message").then_some(kind)
}

pub(super) fn message(frame: Frame<'_>, kind: SubscriptionKind) -> Option<Message<'_>> {
    let mut elements = frame.elements();
    elements.next_text()?;
    let pattern = match kind {
        SubscriptionKind::Pattern => Some(elements.next_text()?),
        _ => None,
    };
    let channel = elements.next_text()?;
    let payload = elements.next_text()?;
    Some(Message { kind, channel, pattern, payload })
}

/// What a confirmation says.
pub(super) struct Confirmation<'f> {
    pub(super) kind: SubscriptionKind,
    pub(super) subscribed: bool,
    pub(super) name: Option<&'f [u8]>,
    pub(super) count: i64,
}

pub(super) fn confirmation(frame: Frame<'_>) -> Option<Confirmation<'_>> {
    let mut elements = frame.elements();
    let (kind, subscribed) = SubscriptionKind::from_name(elements.next_text()?)?;
    let name = elements.next()?.text();
    let count = elements.next()?.integer()?;
    Some(Confirmation { kind, subscribed, name, count })
}
