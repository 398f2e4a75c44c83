//! From a fresh stream to a connection that runs commands: HELLO or AUTH, then everything that does not depend on each
//! other at once, then the subscriptions of an earlier connection.

use super::in_flight::NEVER;
use super::subscriptions::ENTRY_OVERHEAD;
use super::{Connection, Death, Found, Mode, Phase, SubscriptionKind};
use crate::command::{Arguments, Command, Open};
use crate::log::{debug, info, warn};
use crate::parts::{DEADLINES, RESP3, SETTINGS, SUBSCRIPTIONS};
use crate::resp::{ArgumentWriter, Encoder, ErrorReply, Frame, Kind, Parser, Protocol};
use crate::storage::Text;
use crate::time::Instant;

/// What the next reply during the handshake belongs to, in the order of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Step {
    Hello,
    Auth,
    ClientName,
    Database,
    LibraryName,
    LibraryVersion,
    /// Confirmations of a SUBSCRIBE.
    Subscriptions,
}

/// What is sent all at once when the user is known, in this order.
const STEPS: [Step; 4] = [Step::ClientName, Step::Database, Step::LibraryName, Step::LibraryVersion];

/// Progress of the handshake.
#[derive(Debug)]
pub(super) struct Handshake {
    step: Step,
    pub(super) deadline: Instant,
    /// Confirmations of a SUBSCRIBE that are to come, and that have come.
    awaited: usize,
    restored: usize,
}

impl Handshake {
    pub(super) const fn new() -> Self {
        Handshake { step: Step::Hello, deadline: NEVER, awaited: 0, restored: 0 }
    }
}

/// What a server may say about a reply that would repeat a credential.
const WITHHELD: &[u8] = b"ERR (the server's text is withheld, since it repeats a credential)";

impl<P: Parser> Connection<'_, P> {
    /// Begins the handshake on a fresh stream, or behind RESET on the same one.
    pub(super) fn begin_handshake(&mut self, now: Instant) {
        self.link.phase = Phase::Handshake;
        self.link.gate = Some(0);
        self.handshake = Handshake::new();
        if SUBSCRIPTIONS {
            self.subscriptions.begin_restore();
        }
        if DEADLINES {
            self.handshake.deadline = self.config.handshake_timeout.map_or(NEVER, |timeout| now + timeout);
        }
        self.link.protocol = Protocol::Resp2;
        if RESP3 && self.config.protocol == Protocol::Resp3 {
            // The reply to HELLO 3 is RESP3 already.
            self.parser.set_protocol(Protocol::Resp3);
            self.handshake.step = Step::Hello;
            self.send_step();
        } else {
            self.begin_resp2();
        }
    }

    fn begin_resp2(&mut self) {
        self.parser.set_protocol(Protocol::Resp2);
        if self.config.password.is_some() {
            self.handshake.step = Step::Auth;
            self.send_step();
        } else {
            self.begin_settings();
        }
    }

    /// Sends what depends on nothing but being authenticated, all at once.
    fn begin_settings(&mut self) {
        if !SETTINGS {
            return self.begin_subscriptions();
        }
        let mut first = None;
        for step in STEPS {
            if self.applies(step) {
                self.handshake.step = step;
                self.send_step();
                first = first.or(Some(step));
            }
        }
        match first {
            _ if self.link.phase != Phase::Handshake => {}
            Some(step) => self.handshake.step = step,
            None => self.begin_subscriptions(),
        }
    }

    fn applies(&self, step: Step) -> bool {
        match step {
            // HELLO has set the name.
            Step::ClientName => {
                self.config.client_name.is_some() && (!RESP3 || self.link.protocol == Protocol::Resp2)
            }
            Step::Database => self.database != 0,
            Step::LibraryName | Step::LibraryVersion => self.config.library.is_some(),
            Step::Hello | Step::Auth | Step::Subscriptions => false,
        }
    }

    fn begin_subscriptions(&mut self) {
        self.handshake.step = Step::Subscriptions;
        self.restore_subscriptions();
    }

    /// Sends the next SUBSCRIBE of what has to be restored, or ends the handshake.
    fn restore_subscriptions(&mut self) {
        let sent = self.in_flight.sequences();
        for kind in SubscriptionKind::ALL {
            if !SUBSCRIPTIONS {
                break;
            }
            let command = self.subscriptions.resubscribe(kind, self.transmit.available(), sent);
            let take = command.take;
            if take > 0 {
                let before = self.transmit.len();
                if Encoder::new(&mut self.transmit).command(&command).is_err() {
                    self.die(Death::Capacity);
                    return;
                }
                self.subscriptions.took(kind, take, sent);
                self.open_gate_for(before);
                self.handshake.awaited = take;
                return;
            }
        }
        if self.link.gate != Some(0) {
            // The server has answered what it has not been sent yet.
            self.die(Death::OutOfStep);
            return;
        }
        self.link.phase = Phase::Ready;
        self.link.gate = None;
        if matches!(self.link.mode, Mode::Ready | Mode::Subscribed) {
            self.mode_by_subscriptions();
        }
        let connected = self.streams.greeted();
        info!(
            "{}, protocol {}, subscriptions restored: {}",
            connected,
            if self.link.protocol == Protocol::Resp3 { 3 } else { 2 },
            self.handshake.restored
        );
        self.link.announce = Some(self.handshake.restored);
    }

    /// A SUBSCRIBE of the handshake was confirmed for one name.
    pub(super) fn handshake_confirmed(&mut self) -> bool {
        if self.handshake.step != Step::Subscriptions || self.handshake.awaited == 0 {
            return false;
        }
        self.handshake.awaited -= 1;
        self.handshake.restored += 1;
        if self.handshake.awaited == 0 {
            self.restore_subscriptions();
        }
        true
    }

    /// Takes the reply to a step: `frame` is it, or it was skipped because it did not fit.
    pub(super) fn handshake_reply(&mut self, length: Option<usize>) -> Option<Found> {
        let step = self.handshake.step;
        if let Some(error) = self.error_in(length) {
            match step {
                Step::Hello if RESP3 && self.may_fall_back(error) => {
                    debug!("HELLO refused: {}, RESP2 will do", error.code().name());
                    self.begin_resp2();
                    return None;
                }
                Step::LibraryName | Step::LibraryVersion if SETTINGS => {
                    debug!("{} refused: {}, which is ignored", step_name(step), error.code().name());
                }
                // What it says is gone, and with it what to do about it.
                _ if length.is_none() => {
                    warn!("{} refused with an error that did not fit", step_name(step));
                    self.die(Death::Capacity);
                    return None;
                }
                _ => {
                    let withheld = self.repeats_credential(error.text());
                    warn!("{} refused: {}", step_name(step), error.code().name());
                    let death = self.refused(step_name(step), length, withheld);
                    self.die(death);
                    return None;
                }
            }
        }
        // Those behind HELLO are answered with OK, or not by this server.
        let text = length.map(|length| Frame::new_unchecked(self.receive.part(0, length)));
        let other =
            text.is_some_and(|frame| (!SETTINGS || frame.error().is_none()) && frame.text() != Some(b"OK"));
        if step != Step::Hello && other {
            self.die(Death::OutOfStep);
            return None;
        }
        match step {
            Step::Hello if !RESP3 => {}
            Step::Hello => {
                // A skipped reply that is no error is the map with a list of modules.
                let kind = length.map(|length| Frame::new_unchecked(self.receive.part(0, length)).kind());
                if kind.is_some_and(|kind| !matches!(kind, Kind::Map | Kind::Array)) {
                    self.die(Death::OutOfStep);
                    return None;
                }
                self.link.protocol = Protocol::Resp3;
                self.begin_settings();
            }
            Step::Auth => self.begin_settings(),
            Step::Subscriptions => self.die(Death::OutOfStep),
            _ if !SETTINGS => self.die(Death::OutOfStep),
            Step::ClientName | Step::Database | Step::LibraryName | Step::LibraryVersion => {
                let next = STEPS.into_iter().find(|&next| next > step && self.applies(next));
                match next {
                    Some(step) => self.handshake.step = step,
                    None => self.begin_subscriptions(),
                }
            }
        }
        None
    }

    /// Whether the server does not know HELLO, RESP3, or lets this user not say HELLO, and RESP2 will do.
    fn may_fall_back(&self, error: ErrorReply<'_>) -> bool {
        let text = error.text();
        let code = error.code_word().unwrap_or(b"ERR");
        let says = |part: &[u8]| contains(text, part, <[u8]>::eq_ignore_ascii_case);
        self.config.fallback
            && (code == b"NOPROTO"
                || code == b"ERR" && says(b"unknown command")
                || code == b"NOPERM" && says(b"'hello'"))
    }

    /// Servers quote the arguments of commands they do not know, and cut long ones short.
    fn repeats_credential(&self, text: &[u8]) -> bool {
        let secret = self.config.password.as_ref().map_or("", Text::as_str).as_bytes();
        let quotes = |part: &[u8]| contains(text, part, <[u8]>::eq);
        !secret.is_empty() && (quotes(secret) || quotes(b"args beginning with"))
    }

    fn send_step(&mut self) {
        let before = self.transmit.len();
        let command =
            StepCommand { config: &self.config, step: self.handshake.step, database: self.database };
        if Encoder::new(&mut self.transmit).command(&command).is_err() {
            self.die(Death::Capacity);
            return;
        }
        self.open_gate_for(before);
    }

    /// Puts what was appended behind `before` in front of the commands that wait, and lets it through.
    fn open_gate_for(&mut self, before: usize) {
        let gate = self.link.gate.unwrap_or(0);
        let length = self.transmit.len() - before;
        if let Some(part) = self.transmit.filled_mut().get_mut(gate..) {
            // All of it turned around, and then both parts, is a rotation.
            turn_around(part);
            let (front, back) = part.split_at_mut_checked(length).unwrap_or_default();
            turn_around(front);
            turn_around(back);
        }
        self.link.gate = Some(gate + length);
    }

    /// The most that a step of the handshake takes in the transmit buffer, in bytes.
    pub(super) fn handshake_reserve(&self) -> usize {
        let length = |text: &Option<Text<'_>>| text.as_ref().map_or(0, |text| text.as_str().len() + 16);
        if !SETTINGS && !RESP3 && !SUBSCRIPTIONS {
            return 48 + length(&self.config.username) + length(&self.config.password);
        }
        let library = self
            .config
            .library
            .as_ref()
            .map_or(0, |(name, version)| 2 * 56 + name.as_str().len() + version.as_str().len());
        let names = length(&self.config.client_name);
        let hello = 48 + length(&self.config.username) + length(&self.config.password) + names;
        let settings = 96 + names + library;
        let subscribe = match self.subscriptions.total() {
            0 => 0,
            _ if !SUBSCRIPTIONS => 0,
            _ => 32 + ENTRY_OVERHEAD + self.subscriptions.longest_name(),
        };
        hello.max(settings).max(subscribe)
    }
}

fn turn_around(mut bytes: &mut [u8]) {
    while let [first, rest @ .., last] = bytes {
        core::mem::swap(first, last);
        bytes = rest;
    }
}

/// Whether a text of the server has a part that is the same as `part`.
pub(super) fn contains(text: &[u8], part: &[u8], same: fn(&[u8], &[u8]) -> bool) -> bool {
    text.windows(part.len().max(1)).any(|window| same(window, part))
}

/// The text of a refusal that may be shown.
pub(super) fn shown(error: Option<ErrorReply<'_>>, withheld: bool) -> ErrorReply<'_> {
    if withheld { ErrorReply::new(WITHHELD) } else { error.unwrap_or(ErrorReply::new(b"")) }
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Hello if RESP3 => "HELLO",
        Step::Hello | Step::Auth => "AUTH",
        Step::Subscriptions if SUBSCRIPTIONS => "SUBSCRIBE",
        _ if !SETTINGS => "AUTH",
        Step::ClientName => "CLIENT SETNAME",
        Step::Database => "SELECT",
        Step::LibraryName | Step::LibraryVersion => "CLIENT SETINFO",
        Step::Subscriptions => "SUBSCRIBE",
    }
}

struct StepCommand<'c, 'a> {
    config: &'c super::Config<'a>,
    step: Step,
    database: u32,
}

impl Command for StepCommand<'_, '_> {
    type Reply = Open;

    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        let config = self.config;
        let text = |text: &Option<Text<'_>>, out: &mut ArgumentWriter<'_, '_>| {
            if let Some(text) = text {
                out.bytes(text.as_str().as_bytes());
            }
        };
        match self.step {
            Step::Hello if !RESP3 => {}
            Step::Hello => {
                ("HELLO", "3").write_arguments(out);
                if config.password.is_some() {
                    out.bytes(b"AUTH");
                    // HELLO always takes a name; that of the user without one is `default`.
                    out.bytes(config.username.as_ref().map_or("default", Text::as_str).as_bytes());
                    text(&config.password, out);
                }
                if config.client_name.is_some() {
                    out.bytes(b"SETNAME");
                    text(&config.client_name, out);
                }
            }
            Step::Auth => {
                out.bytes(b"AUTH");
                // Before Redis 6.0 AUTH took the password alone.
                text(&config.username, out);
                text(&config.password, out);
            }
            _ if !SETTINGS => {}
            Step::ClientName => {
                ("CLIENT", "SETNAME").write_arguments(out);
                text(&config.client_name, out);
            }
            Step::Database => ("SELECT", self.database).write_arguments(out),
            Step::LibraryName | Step::LibraryVersion => {
                let (kind, value) = match (&config.library, self.step) {
                    (Some((name, _)), Step::LibraryName) => ("LIB-NAME", name.as_str()),
                    (Some((_, version)), _) => ("LIB-VER", version.as_str()),
                    (None, _) => return,
                };
                ("CLIENT", "SETINFO", kind, value).write_arguments(out);
            }
            Step::Subscriptions => {}
        }
    }
}
