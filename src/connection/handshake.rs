//! From a fresh stream to a connection that runs commands: HELLO or AUTH, then everything that does not depend on each
//! other at once, then the subscriptions of an earlier connection.

use super::in_flight::NEVER;
use super::subscriptions::ENTRY_OVERHEAD;
use super::{Connection, Death, Found, Mode, Phase, SubscriptionKind};
use crate::command::{Arguments, Command, Open};
use crate::log::{debug, info, warn};
use crate::resp::{ArgumentWriter, Encoder, ErrorCode, ErrorReply, Frame, Kind, Parser, Protocol};
use crate::storage::Text;
use crate::time::Instant;

/// What the next reply during the handshake belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
const SETTINGS: [Step; 4] = [Step::ClientName, Step::Database, Step::LibraryName, Step::LibraryVersion];

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
        self.phase = Phase::Handshake;
        self.gate = Some(0);
        self.handshake = Handshake::new();
        self.subscriptions.begin_restore();
        self.handshake.deadline = self.config.handshake_timeout.map_or(NEVER, |timeout| now + timeout);
        self.protocol = Protocol::Resp2;
        if self.config.protocol == Protocol::Resp3 {
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
        let mut first = None;
        for step in SETTINGS {
            if self.applies(step) {
                self.handshake.step = step;
                self.send_step();
                first = first.or(Some(step));
            }
        }
        match first {
            _ if self.phase != Phase::Handshake => {}
            Some(step) => self.handshake.step = step,
            None => self.begin_subscriptions(),
        }
    }

    fn applies(&self, step: Step) -> bool {
        match step {
            // HELLO has set the name.
            Step::ClientName => self.config.client_name.is_some() && self.protocol == Protocol::Resp2,
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
        let in_flight = self.in_flight.sequences();
        let sent = |sequence: u32| sequence.wrapping_sub(in_flight.0) < in_flight.1;
        for kind in SubscriptionKind::ALL {
            let command = self.subscriptions.resubscribe(kind, self.transmit.available(), sent);
            let take = command.take;
            if take > 0 {
                let before = self.transmit.len();
                if Encoder::new(&mut self.transmit).command(&command).is_err() {
                    self.die(Death::Capacity);
                    return;
                }
                self.subscriptions.mark_restored(kind, take, sent);
                self.open_gate_for(before);
                self.handshake.awaited = take;
                return;
            }
        }
        if self.gate != Some(0) {
            // The server has answered what it has not been sent yet.
            self.die(Death::OutOfStep);
            return;
        }
        self.phase = Phase::Ready;
        self.gate = None;
        if matches!(self.mode, Mode::Ready | Mode::Subscribed) {
            self.mode_by_subscriptions();
        }
        let connected = self.streams.greeted();
        info!(
            "{}, protocol {}, subscriptions restored: {}",
            connected,
            if self.protocol == Protocol::Resp3 { 3 } else { 2 },
            self.handshake.restored
        );
        self.announce = Some(self.handshake.restored);
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
        let bytes = self.receive.filled().get(..length.unwrap_or(0)).unwrap_or_default();
        let frame = length.map(|_| Frame::accepted(bytes));
        let error = match frame {
            Some(frame) => frame.error(),
            None => self.skipped_error(),
        };
        let step = self.handshake.step;
        if let Some(error) = error {
            match step {
                Step::Hello if self.may_fall_back(error) => {
                    debug!("HELLO refused: {}, RESP2 will do", error.code().name());
                    self.begin_resp2();
                    return None;
                }
                Step::LibraryName | Step::LibraryVersion => {
                    debug!("{} refused: {}, which is ignored", step_name(step), error.code().name());
                }
                // What it says is gone, and with it what to do about it.
                _ if frame.is_none() => {
                    warn!("{} refused with an error that did not fit", step_name(step));
                    self.die(Death::Capacity);
                    return None;
                }
                _ => {
                    let withheld = self.repeats_credential(error.text());
                    warn!("{} refused: {}", step_name(step), error.code().name());
                    self.die(Death::Refused { step: step_name(step), length: length.unwrap_or(0), withheld });
                    return None;
                }
            }
        }
        // Those behind HELLO are answered with OK, or not by this server.
        if step != Step::Hello && error.is_none() && frame.is_some_and(|frame| frame.text() != Some(b"OK")) {
            self.die(Death::OutOfStep);
            return None;
        }
        match step {
            Step::Hello => {
                // A skipped reply that is no error is the map with a list of modules.
                if frame.is_some_and(|frame| !matches!(frame.kind(), Kind::Map | Kind::Array)) {
                    self.die(Death::OutOfStep);
                    return None;
                }
                self.protocol = Protocol::Resp3;
                self.begin_settings();
            }
            Step::Auth => self.begin_settings(),
            Step::Subscriptions => self.die(Death::OutOfStep),
            Step::ClientName | Step::Database | Step::LibraryName | Step::LibraryVersion => {
                let mut next = SETTINGS.into_iter().skip_while(|&other| other != step).skip(1);
                match next.find(|&step| self.applies(step)) {
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
        let contains =
            |needle: &[u8]| text.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
        self.config.fallback
            && match error.code() {
                ErrorCode::NoProto => true,
                ErrorCode::Err => contains(b"unknown command"),
                ErrorCode::NoPerm => contains(b"'hello'"),
                _ => false,
            }
    }

    /// Servers quote the arguments of commands they do not know, and cut long ones short.
    fn repeats_credential(&self, text: &[u8]) -> bool {
        let secret = self.config.password.as_ref().map_or("", Text::as_str).as_bytes();
        let contains = |part: &[u8]| text.windows(part.len().max(1)).any(|window| window == part);
        !secret.is_empty() && (contains(secret) || contains(b"args beginning with"))
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
        let gate = self.gate.unwrap_or(0);
        let length = self.transmit.len() - before;
        if let Some(part) = self.transmit.filled_mut().get_mut(gate..) {
            part.rotate_right(length.min(part.len()));
        }
        self.gate = Some(gate + length);
    }

    /// The most that a step of the handshake takes in the transmit buffer, in bytes.
    pub(super) fn handshake_reserve(&self) -> usize {
        let length = |text: &Option<Text<'_>>| text.as_ref().map_or(0, |text| text.as_str().len() + 16);
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
            _ => 32 + ENTRY_OVERHEAD + self.subscriptions.longest_name(),
        };
        hello.max(settings).max(subscribe)
    }
}

/// The text of a refusal that may be shown.
pub(super) fn shown(error: ErrorReply<'_>, withheld: bool) -> ErrorReply<'_> {
    if withheld { ErrorReply::new(WITHHELD) } else { error }
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Hello => "HELLO",
        Step::Auth => "AUTH",
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
