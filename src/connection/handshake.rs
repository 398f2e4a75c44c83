//! From a fresh stream to a connection that runs commands: HELLO or AUTH, then everything that does not depend on each
//! other at once, the PING among it whose echo shows that nothing old is on the line, then the subscriptions of an earlier
//! connection.
//!
//! What the configuration asks for has to succeed, or the connection is over. A name that cannot be subscribed to again is
//! dropped and reported, and the rest is restored.

use super::in_flight::NEVER;
use super::receive::{Header, Reply};
use super::replies::Found;
use super::secrets::withhold_rest;
use super::subscriptions::ENTRY_OVERHEAD;
use super::{Changes, Connection, End, Phase, SubscriptionKind};
use crate::command::Arguments;
use crate::log::{debug, info, warn};
use crate::parts::{DEADLINES, MODES, RESP3, SESSION, SETTINGS, SUBSCRIPTIONS};
use crate::resp::{ArgumentWriter, Encode, ErrorReply, Frame, Kind, Parser, Protocol};
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
    /// The echo of a PING.
    Echo,
    /// Confirmations of a SUBSCRIBE.
    Subscriptions,
}

/// What keeps a small number from being the text of the PING, which other replies are, too.
pub(super) const SIGN: u64 = u64::from_be_bytes(*b"Redwire!");

/// What is sent all at once when the user is known, in this order.
const STEPS: &[Step] = if SETTINGS {
    &[Step::ClientName, Step::Database, Step::LibraryName, Step::LibraryVersion, Step::Echo]
} else {
    &[Step::Echo]
};

/// Progress of the handshake.
#[derive(Debug)]
pub(super) struct Handshake {
    step: Step,
    /// The text of the PING that shows that replies answer what was asked on this stream; 0 is none.
    echo: u64,
    pub(super) deadline: Instant,
    /// What the SUBSCRIBE that was sent subscribes to.
    kind: SubscriptionKind,
    /// Confirmations of it that are to come, and all that have come.
    awaited: usize,
    restored: usize,
    /// How many names the next SUBSCRIBE has at most: fewer after a refusal, to find the name that it was for.
    most: usize,
    /// One name was refused, and is being reported.
    refused: bool,
}

impl Handshake {
    pub(super) const fn new(echo: u64) -> Self {
        Handshake {
            step: Step::Hello,
            echo,
            deadline: NEVER,
            kind: SubscriptionKind::Channel,
            awaited: 0,
            restored: 0,
            most: usize::MAX,
            refused: false,
        }
    }
}

impl<P: Parser> Connection<'_, P> {
    /// Begins the handshake on a fresh stream, or after RESET on the same one.
    pub(super) fn begin_handshake(&mut self, now: Instant, echo: u64) {
        self.link.phase = Phase::Handshake;
        self.handshake = Handshake::new(echo);
        if SUBSCRIPTIONS {
            self.subscriptions.begin_restore();
        }
        if DEADLINES {
            self.handshake.deadline = self.config.handshake_timeout.map_or(NEVER, |timeout| now + timeout);
        }
        self.known.protocol = Protocol::Resp2;
        if RESP3 && self.config.protocol == Protocol::Resp3 {
            // The reply to HELLO 3 is RESP3 already.
            self.receive.set_protocol(Protocol::Resp3);
            self.handshake.step = Step::Hello;
            self.send_step();
        } else {
            self.begin_resp2();
        }
    }

    fn begin_resp2(&mut self) {
        self.receive.set_protocol(Protocol::Resp2);
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
        for &step in STEPS {
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
            Step::Echo => self.handshake.echo != 0,
            _ if !SETTINGS => false,
            // HELLO has set the name.
            Step::ClientName => {
                self.config.client_name.is_some() && (!RESP3 || self.known.protocol == Protocol::Resp2)
            }
            Step::Database => self.known.database != 0,
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
        for kind in SubscriptionKind::ALL {
            if !SUBSCRIPTIONS {
                break;
            }
            let command =
                self.subscriptions.resubscribe(kind, self.transmit.available(), self.handshake.most);
            let take = command.take;
            if take > 0 {
                let mark = self.transmit.mark();
                if self.transmit.append_command(&command).is_err() {
                    self.end(End::Capacity);
                    return;
                }
                self.subscriptions.sent(take);
                self.transmit.greet(mark);
                self.handshake.kind = kind;
                self.handshake.awaited = take;
                return;
            }
        }
        if !self.transmit.is_drained() {
            // The server has answered what it has not been sent yet.
            self.end(End::OutOfStep);
            return;
        }
        self.greeted();
    }

    /// The handshake is done.
    fn greeted(&mut self) {
        self.link.phase = Phase::Ready;
        if MODES {
            self.link.agreed = self.known.protocol;
            self.link.expected_is_stale = true;
        }
        self.transmit.open_gate();
        if SESSION && self.config.library.is_some() {
            // The handshake has set it anew.
            self.known.changes = self.known.changes.without(Changes::LIBRARY);
        }
        let connected = self.streams.greeted();
        info!(
            "{}, protocol {}, subscriptions restored: {}",
            connected,
            if self.known.protocol == Protocol::Resp3 { 3 } else { 2 },
            self.handshake.restored
        );
        self.link.announce = Some(self.handshake.restored);
    }

    /// A SUBSCRIBE of the handshake was confirmed for one name.
    pub(super) fn handshake_confirmed(
        &mut self,
        kind: SubscriptionKind,
        start: usize,
        end: usize,
    ) -> Option<Found> {
        let frame = Frame::new_unchecked(self.receive.part(start, end));
        let name = frame.elements().nth(1).and_then(|name| name.text()).unwrap_or_default();
        let handshake = &mut self.handshake;
        if handshake.step != Step::Subscriptions
            || handshake.awaited == 0
            || handshake.kind != kind
            || !self.subscriptions.restored(kind, name)
        {
            self.end(End::OutOfStep);
            return None;
        }
        handshake.awaited -= 1;
        handshake.restored += 1;
        if handshake.awaited == 0 {
            handshake.most = handshake.most.saturating_mul(2);
            self.restore_subscriptions();
        }
        let last = self.link.phase == Phase::Ready;
        Some(Found::Subscription { ticket: None, start, end, last })
    }

    /// A SUBSCRIBE of the handshake was refused. If it has one name that is given up; of several, fewer are tried.
    fn subscription_refused(&mut self) -> Option<Found> {
        let (kind, sent) = (self.handshake.kind, self.handshake.awaited);
        self.handshake.awaited = 0;
        if sent > 1 {
            self.handshake.most = sent / 2;
            self.subscriptions.send_again(sent);
            self.restore_subscriptions();
            return None;
        }
        self.handshake.refused = true;
        Some(Found::NotRestored { kind })
    }

    /// Goes on after the refusal of a name, which has been reported.
    pub(super) fn go_on_restoring(&mut self) {
        if SUBSCRIPTIONS && core::mem::take(&mut self.handshake.refused) {
            self.subscriptions.give_up();
            self.restore_subscriptions();
        }
    }

    /// Takes the reply to a step.
    pub(super) fn handshake_reply(&mut self, reply: Reply) -> Option<Found> {
        let step = self.handshake.step;
        if let Some(error) = self.receive.error(reply) {
            match step {
                Step::Hello if RESP3 && self.may_fall_back(error) => {
                    debug!("HELLO refused: {}, RESP2 will do", error.code().name());
                    self.begin_resp2();
                    return None;
                }
                Step::LibraryName | Step::LibraryVersion if SETTINGS && !error.is_full() => {
                    debug!("{} refused: {}, which is ignored", step_name(step), error.code().name());
                }
                Step::Subscriptions if SUBSCRIPTIONS && self.is_about_the_names(error) => {
                    warn!("{} refused: {}", self.handshake.kind.command(), error.code().name());
                    return self.subscription_refused();
                }
                _ => {
                    warn!("{} refused: {}", step_name(step), error.code().name());
                    return self.refused(step_name(step), reply);
                }
            }
        }
        // Those after HELLO are answered with OK, or not by this server.
        let frame = self.receive.whole(reply);
        let other = match frame {
            Some(frame) if step == Step::Echo => frame.decode().ok() != Some(self.handshake.echo),
            Some(frame) => (!SETTINGS || frame.error().is_none()) && frame.text() != Some(b"OK"),
            // What a status is that does not fit is not known.
            None => step == Step::Echo || !matches!(reply, Reply::Skipped(Header { first: b'+' | b'-', .. })),
        };
        if step != Step::Hello && other {
            self.end(End::OutOfStep);
            return None;
        }
        match step {
            Step::Hello if !RESP3 => {}
            Step::Hello => match greeted_protocol(&self.receive.whole(reply), reply) {
                Some(Protocol::Resp3) => {
                    self.known.protocol = Protocol::Resp3;
                    self.begin_settings();
                }
                // It says that it goes on in RESP2.
                Some(Protocol::Resp2) if self.config.fallback => {
                    self.receive.set_protocol(Protocol::Resp2);
                    self.begin_settings();
                }
                _ => self.end(End::OutOfStep),
            },
            Step::Auth => self.begin_settings(),
            Step::Subscriptions => self.end(End::OutOfStep),
            Step::Echo => self.begin_subscriptions(),
            _ if !SETTINGS => self.end(End::OutOfStep),
            Step::ClientName | Step::Database | Step::LibraryName | Step::LibraryVersion => {
                let next = STEPS.iter().copied().find(|&next| next > step && self.applies(next));
                match next {
                    Some(step) => self.handshake.step = step,
                    None => self.begin_subscriptions(),
                }
            }
        }
        None
    }

    /// The server refused what has to succeed: the connection ends, and shows what the server said.
    pub(super) fn refused(&mut self, step: &'static str, reply: Reply) -> Option<Found> {
        let Reply::Whole { length } = reply else {
            // What it says is gone, and with it what to do about it.
            self.end(End::Capacity);
            return None;
        };
        if let Some(password) = &self.config.password {
            // Texts of other codes than ERR quote names of commands alone.
            let error = self.receive.whole_mut(reply);
            if error.starts_with(b"-ERR") {
                withhold_rest(error, password.as_str().as_bytes());
            }
        }
        self.receive.keep();
        self.end(End::Refused { step, length });
        None
    }

    /// Whether a SUBSCRIBE was refused for its names, and not for a reason that passes: then all of them wait for the next
    /// stream.
    fn is_about_the_names(&self, error: ErrorReply<'_>) -> bool {
        !matches!(error.code_word(), Some(b"BUSY" | b"LOADING"))
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

    fn send_step(&mut self) {
        let mark = self.transmit.mark();
        let command =
            StepCommand { config: &self.config, handshake: &self.handshake, database: self.known.database };
        if self.transmit.append_command(&command).is_err() {
            self.end(End::Capacity);
            return;
        }
        self.transmit.greet(mark);
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
        // A name that a command is to take out which waits is restored before that.
        let subscribe = match self.subscriptions.is_empty() {
            true => 0,
            _ if !SUBSCRIPTIONS => 0,
            false => 32 + ENTRY_OVERHEAD + self.subscriptions.longest_name(),
        };
        hello.max(settings).max(subscribe)
    }
}

/// The protocol that the reply to HELLO says the server speaks from now on. None if it is no such reply.
pub(super) fn greeted_protocol(frame: &Option<Frame<'_>>, reply: Reply) -> Option<Protocol> {
    let Some(frame) = frame else {
        // A list of modules did not fit. Only RESP3 has maps.
        return match reply {
            Reply::Skipped(Header { first: b'%', .. }) => Some(Protocol::Resp3),
            Reply::Skipped(Header { first: b'*', .. }) => Some(Protocol::Resp2),
            _ => None,
        };
    };
    if !matches!(frame.kind(), Kind::Map | Kind::Array) {
        return None;
    }
    let mut elements = frame.elements();
    while let (Some(name), Some(value)) = (elements.next(), elements.next()) {
        if name.text() == Some(b"proto") {
            return match value.integer() {
                Some(2) => Some(Protocol::Resp2),
                Some(3) => Some(Protocol::Resp3),
                _ => None,
            };
        }
    }
    None
}

/// Whether a text of the server has a part that is the same as `part`.
pub(super) fn contains(text: &[u8], part: &[u8], same: fn(&[u8], &[u8]) -> bool) -> bool {
    text.windows(part.len().max(1)).any(|window| same(window, part))
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Hello if RESP3 => "HELLO",
        Step::Hello | Step::Auth => "AUTH",
        Step::Subscriptions if SUBSCRIPTIONS => "SUBSCRIBE",
        Step::Echo => "PING",
        _ if !SETTINGS => "AUTH",
        Step::ClientName => "CLIENT SETNAME",
        Step::Database => "SELECT",
        Step::LibraryName | Step::LibraryVersion => "CLIENT SETINFO",
        Step::Subscriptions => "SUBSCRIBE",
    }
}

struct StepCommand<'c, 'a> {
    config: &'c super::Config<'a>,
    handshake: &'c Handshake,
    database: u32,
}

impl Encode for StepCommand<'_, '_> {
    fn write_arguments(&self, out: &mut ArgumentWriter<'_, '_>) {
        let config = self.config;
        let text = |text: &Option<Text<'_>>, out: &mut ArgumentWriter<'_, '_>| {
            if let Some(text) = text {
                out.bytes(text.as_str().as_bytes());
            }
        };
        let step = self.handshake.step;
        match step {
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
            Step::Echo => {
                out.bytes(b"PING");
                out.unsigned(self.handshake.echo);
            }
            _ if !SETTINGS => {}
            Step::ClientName => {
                ("CLIENT", "SETNAME").write_arguments(out);
                text(&config.client_name, out);
            }
            Step::Database => ("SELECT", self.database).write_arguments(out),
            Step::LibraryName | Step::LibraryVersion => {
                let (kind, value) = match (&config.library, step) {
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
