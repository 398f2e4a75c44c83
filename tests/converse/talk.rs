//! One conversation: a plan is carried out between the engine and a server, and both sides are compared.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use redwire::connection::{Buffers, Config, Connection, Mode, SendOptions, Slot, SubscriptionKind};
use redwire::resp::{Level, Protocol};
use redwire::storage::Storage;
use redwire::time::{Duration, Instant};

use crate::check::{self, Known, Problem, problem};
use crate::ledger::{Fate, Ledger};
use crate::plan::{Login, Setup, Step, line};
use crate::server::{Answer, Control, DATABASES, Line};

struct Talk<'t> {
    setup: &'t Setup,
    control: &'t mut Control,
    engine: Connection<'t>,
    ledger: Ledger<'t>,
    stream: Option<UnixStream>,
    id: u64,
    now: Instant,
    fresh: Option<Line>,
}

/// Carries out a plan.
pub fn hold(control: &mut Control, setup: &Setup, steps: &[Step], tracing: bool) -> Result<(), Problem> {
    prepare(control, setup, steps);
    let mut config = Config::default();
    if !setup.resp3 {
        config = config.protocol(Protocol::Resp2);
    }
    config = match setup.login {
        Login::None => config,
        Login::Password => config.password("word"),
        Login::User => config.credentials("talker", "secret"),
        Login::Wrong => config.credentials("talker", "wrong"),
    };
    if let Some(name) = setup.name {
        config = config.client_name(name);
    }
    if !setup.library {
        config = config.no_library();
    }
    if let Some(timeout) = setup.timeout {
        config = config.command_timeout(Duration::from_millis(timeout));
    }
    if let Some(interval) = setup.health_check {
        config = config.health_check(Duration::from_millis(interval));
    }
    let mut buffers = Buffers::growing_to(setup.receive, setup.transmit);
    let (mut slots, mut names) = ([Slot::default(); 6], [0; 40]);
    let mut levels = [Level::default(); 8];
    if setup.lent {
        buffers.in_flight = Storage::from(&mut slots[..]);
        buffers.subscriptions = Storage::from(&mut names[..]);
        buffers.levels = Storage::from(&mut levels[..]);
    }
    let mut talk = Talk {
        setup,
        control,
        engine: Connection::new(config.database(setup.database), buffers),
        ledger: Ledger::new(setup, tracing),
        stream: None,
        id: 0,
        now: Instant::from_millis(1000),
        fresh: None,
    };
    talk.ledger.trace(format_args!("{setup:?}"));
    for step in steps {
        talk.ledger.trace(format_args!("{step}"));
        talk.step(step)?;
    }
    talk.look_for_keys()
}

/// Brings the server back to where every conversation begins.
fn prepare(control: &mut Control, setup: &Setup, steps: &[Step]) {
    let old = control.version < 70000 && !control.valkey;
    // Before 7.0 a part of a command cannot be forbidden, only the whole.
    let rules = setup.forbidden.iter().filter(|rule| !(old && rule.contains('|')) && knows(control, rule));
    let rules: Vec<String> = rules.map(|rule| format!("-{rule}")).collect();
    let user = |name: &str, password: &str, restricted: bool| {
        let mut words: Vec<String> =
            ["ACL", "SETUSER", name, "reset", "on", password, "~*", "+@all"].map(str::to_string).to_vec();
        if restricted {
            words.extend(rules.iter().cloned());
        }
        if restricted && setup.some_channels {
            words.extend(["resetchannels", "&a", "&b", "&a*"].map(str::to_string));
        } else {
            words.push("&*".to_string());
        }
        words
    };
    let words = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
    let password = if setup.login == Login::Password { ">word" } else { "nopass" };
    let mut commands = vec![
        words("FLUSHALL"),
        user("default", password, setup.user() == "default"),
        user("talker", ">secret", setup.user() == "talker"),
        user("other", ">secret", false),
    ];
    let loads =
        |step: &Step| matches!(step, Step::Send { words, .. } if matches!(&words[0][..], "EVAL" | "SCRIPT"));
    if steps.iter().any(loads) {
        commands.push(words("SCRIPT FLUSH"));
    }
    // Whatever the conversation before has left unread in its stream must not be run in this one.
    let kills = ["CLIENT KILL TYPE normal SKIPME yes", "CLIENT KILL TYPE pubsub SKIPME yes"].map(words);
    control.ask_all(&kills);
    for (answer, command) in control.ask_all(&commands).iter().zip(&commands) {
        assert_eq!(*answer, Answer::Text("OK".to_string()), "{command:?}");
    }
}

/// Whether a rule is about a command that this server has.
fn knows(control: &Control, rule: &str) -> bool {
    let shards = control.valkey || control.version >= 70000;
    let library = control.valkey || control.version >= 70200;
    match rule {
        "ssubscribe" | "sunsubscribe" => shards,
        "client|setinfo" => library,
        _ => true,
    }
}

impl Talk<'_> {
    fn step(&mut self, step: &Step) -> Result<(), Problem> {
        match step {
            Step::Send { words, streamed, timeout } => {
                let mut options = SendOptions::default();
                if *streamed {
                    options = options.streamed();
                }
                if let Some(timeout) = timeout {
                    options = options.timeout(Duration::from_millis(*timeout));
                }
                let command: Vec<&str> = words.iter().map(String::as_str).collect();
                let sent = self.engine.send_with(self.now, &command[..], options);
                self.ledger.keep(words.clone(), sent)?;
            }
            Step::Begin { words, length } => {
                let command: Vec<&str> = words.iter().map(String::as_str).collect();
                let sent = self.engine.begin(self.now, &command[..], *length, SendOptions::default());
                let mut words = words.clone();
                words.push("x".repeat(*length));
                self.ledger.keep(words, sent)?;
            }
            Step::Append(count) => {
                self.engine.append("x".repeat(*count).as_bytes());
            }
            Step::Discard(which) => self.discard(*which)?,
            Step::DiscardFrom(which) => {
                let live = self.ledger.waiting().nth(*which);
                // Nothing is done for a MULTI that is not the one of the open transaction.
                if let Some(ticket) = live.map(|sent| sent.ticket)
                    && self.engine.discard_from(ticket)
                {
                    self.ledger.blind = true;
                    let first = self.ledger.sent.iter().position(|sent| sent.ticket == ticket).unwrap_or(0);
                    self.ledger.sent.range_mut(first..).for_each(|sent| sent.gone = true);
                }
            }
            Step::Write(count) => self.write(*count)?,
            Step::Read(count) => {
                self.control.settle();
                self.read(*count)?;
            }
            Step::Quiet => self.quiet()?,
            Step::Cut => self.end()?,
            Step::Kill => {
                self.ledger.stream.may_end |= self.stream.is_some();
                let id = self.id.to_string();
                self.control.ask(&["CLIENT", "KILL", "ID", &id]);
            }
            Step::Close => {
                self.ledger.stream.closed_here = true;
                self.engine.close();
                self.events()?;
                self.stream = None;
            }
            Step::Connect => self.connect()?,
            Step::Pass(time) => {
                self.now = self.now + Duration::from_millis(*time);
                self.ledger.stream.passed = true;
                self.engine.handle_timeout(self.now);
                self.events()?;
            }
            Step::Admin(words) => {
                let words: Vec<String> =
                    words.iter().map(|word| word.replace("{user}", self.setup.user())).collect();
                if words[0] == "ACL" {
                    // Who loses a channel that it has subscribed to is disconnected.
                    self.ledger.stream.may_end |= self.stream.is_some();
                    self.ledger.rules_changed = true;
                }
                let answer = self.control.ask(&words);
                if let ("PUBLISH", Answer::Integer(count)) = (&words[0][..], &answer) {
                    self.ledger.stream.published += count;
                }
                self.ledger.trace(format_args!("   {answer:?}"));
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Problem> {
        if !self.engine.is_idle() || self.ledger.ends > 8 {
            return Ok(());
        }
        let (stream, id) = self.control.join();
        self.stream = Some(stream);
        self.id = id;
        self.ledger.stream.touched = self.engine.queued_bytes() > 0;
        self.engine.connected(self.now).map_err(|error| problem("connected() is refused", error))?;
        self.events()
    }

    fn discard(&mut self, which: usize) -> Result<(), Problem> {
        let live = self.ledger.sent.iter_mut().filter(|sent| !sent.gone).nth(which);
        let Some(sent) = live else { return Ok(()) };
        sent.gone = true;
        let (ticket, words) = (sent.ticket, line(&sent.words));
        self.ledger.blind = true;
        if !self.engine.is_pending(ticket) {
            return Err(problem("is_pending() is false for a command that waits", words));
        }
        if !self.engine.discard(ticket) {
            return Err(problem("discard() does not know a command that waits", words));
        }
        Ok(())
    }

    fn write(&mut self, mut count: usize) -> Result<(), Problem> {
        while count > 0
            && let Some(bytes) = self.engine.poll_transmit()
        {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            let bytes = &bytes[..bytes.len().min(self.setup.piece).min(count)];
            match stream.write(bytes) {
                Ok(written) => {
                    count -= written;
                    self.engine.transmitted(written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => {
                    // What came before the end is still read.
                    return self.read(usize::MAX);
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, mut count: usize) -> Result<(), Problem> {
        while count > 0 {
            self.events()?;
            let Some(stream) = &mut self.stream else { return Ok(()) };
            let buffer = self.engine.receive_buffer();
            if buffer.is_empty() {
                return Err(problem("there is nothing to read into", ""));
            }
            let most = buffer.len().min(self.setup.piece).min(count);
            match stream.read(&mut buffer[..most]) {
                Ok(0) => {
                    if !self.ledger.stream.may_end && !self.ledger.stream.quit {
                        let words = self.ledger.sent.front().map_or(String::new(), |sent| line(&sent.words));
                        return Err(problem("the server ends the connection", words));
                    }
                    return self.end();
                }
                Ok(read) => {
                    self.ledger.stream.error_seen |= buffer[..read].contains(&b'-');
                    count -= read;
                    self.engine.received(self.now, read);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return self.end(),
            }
        }
        self.events()
    }

    /// The stream has ended.
    fn end(&mut self) -> Result<(), Problem> {
        self.ledger.stream.may_end = true;
        self.stream = None;
        self.engine.handle_eof();
        self.events()?;
        // The server has to see it before it is asked for anything else.
        self.control.settle();
        Ok(())
    }

    fn events(&mut self) -> Result<(), Problem> {
        for _ in 0..100_000 {
            match self.engine.poll_event() {
                Some(event) => self.ledger.event(event)?,
                None => {
                    if self.engine.is_idle() {
                        self.stream = None;
                    }
                    return Ok(());
                }
            }
        }
        Err(problem("events do not end", ""))
    }

    /// Lets everything go out and come in until nothing is due any more.
    fn flow(&mut self) -> Result<(), Problem> {
        let mut still = 0;
        while still < 3 {
            if let Some(left) = self.engine.unfinished() {
                self.engine.append("x".repeat(left.max(1)).as_bytes());
            }
            let state = self.due();
            self.write(usize::MAX)?;
            self.control.settle();
            self.read(usize::MAX)?;
            if self.engine.is_idle() {
                return Ok(());
            }
            let now = self.due();
            if now == (0, 0, true, None) {
                return Ok(());
            }
            still = if state == now { still + 1 } else { 0 };
        }
        let oldest =
            self.ledger.sent.front().map_or("what was given up".to_string(), |sent| sent.words[0].clone());
        let oldest = if self.engine.is_ready() { oldest } else { "the handshake".to_string() };
        Err(problem(format!("no answer to {oldest}"), format!("mode {:?}", self.engine.mode())))
    }

    /// What has still to happen.
    fn due(&self) -> (usize, usize, bool, Option<usize>) {
        let engine = &self.engine;
        (engine.in_flight(), engine.queued_bytes(), engine.is_ready(), engine.unfinished())
    }

    fn quiet(&mut self) -> Result<(), Problem> {
        if self.engine.is_idle() {
            return Ok(());
        }
        self.flow()?;
        if self.engine.is_idle() || self.engine.mode() == Mode::Closing {
            return Ok(());
        }
        if let Some(waits) = self.ledger.waiting().next() {
            return Err(problem("nothing is in flight and a command waits", line(&waits.words)));
        }
        self.ledger.sent.clear();
        self.ledger.messages_are_there()?;
        let Some(server) = self.control.line(self.id) else {
            // It has gone meanwhile.
            self.control.settle();
            self.read(usize::MAX)?;
            return if self.engine.is_idle() {
                Ok(())
            } else {
                Err(problem("the end of the stream goes unseen", ""))
            };
        };
        self.ledger.trace(format_args!("   {}", self.both(&server)));
        if !self.ledger.stream.touched && !self.ledger.rules_changed {
            if !self.engine.is_clean()
                && self.engine.database() == self.setup.database
                && self.is_unsubscribed()
            {
                return Err(problem("is_clean() is false for a fresh connection", self.both(&server)));
            }
            if self.fresh.is_none() && self.engine.is_clean() {
                self.fresh = Some(server.clone());
            }
        }
        let known = !self.ledger.blind
            && !self.ledger.spoiled
            && server.get("flags").is_none_or(|flags| !flags.contains('d'));
        let queued = known.then_some(self.ledger.queue.len());
        let fresh = self.fresh.as_ref().filter(|_| !self.ledger.rules_changed);
        let known = Known { setup: self.setup, queued, fresh };
        check::compare(&self.engine, &server, &known).map_err(|found| Problem {
            detail: format!("{}; {}", found.detail, self.both(&server)),
            ..found
        })?;
        self.ledger.unanswered_ran();
        self.ask()
    }

    /// What only the connection itself can ask: CLIENT TRACKINGINFO, which does not end CLIENT CACHING, then ACL WHOAMI.
    fn ask(&mut self) -> Result<(), Problem> {
        let can_tell = !self.ledger.rules_changed && !self.setup.is_small() && !self.ledger.stream.silenced;
        if !can_tell || self.engine.mode() != Mode::Ready {
            return Ok(());
        }
        let changes = self.engine.changes();
        if let Some(answer) = self.question(&["CLIENT", "TRACKINGINFO"])? {
            check::tracking(&answer, changes)?;
        }
        if let Some(answer) = self.question(&["ACL", "WHOAMI"])? {
            check::user(&answer, self.setup, changes)?;
        }
        Ok(())
    }

    /// The answer to a command that is none of the conversation's, if there is one.
    fn question(&mut self, words: &[&str]) -> Result<Option<String>, Problem> {
        let Ok(ticket) = self.engine.send(self.now, words) else { return Ok(None) };
        self.ledger.question = Some(ticket);
        for _ in 0..1000 {
            self.write(usize::MAX)?;
            self.control.settle();
            self.read(usize::MAX)?;
            if self.ledger.answer.is_some() || self.engine.is_idle() {
                break;
            }
        }
        self.ledger.question = None;
        Ok(self.ledger.answer.take().filter(|answer| !answer.starts_with('-')))
    }

    fn is_unsubscribed(&self) -> bool {
        use SubscriptionKind::{Channel, Pattern, Shard};
        [Channel, Pattern, Shard].into_iter().all(|kind| self.engine.subscriptions(kind) == 0)
    }

    fn both(&self, server: &Line) -> String {
        let fields =
            ["db", "sub", "psub", "ssub", "multi", "watch", "flags", "user", "resp", "name", "redir"];
        let theirs: Vec<String> =
            fields.iter().filter_map(|field| Some(format!("{field}={}", server.get(*field)?))).collect();
        format!(
            "engine: {:?} {:?} db={} watching={} clean={}; server: {}",
            self.engine.mode(),
            self.engine.protocol(),
            self.engine.database(),
            self.engine.is_watching(),
            self.engine.is_clean(),
            theirs.join(" ")
        )
    }

    /// Looks in all databases for the keys that one command alone sets.
    fn look_for_keys(&mut self) -> Result<(), Problem> {
        let known: Vec<(&String, Fate)> = self
            .ledger
            .keys
            .iter()
            .map(|(key, fate)| (key, *fate))
            .filter(|(_, fate)| *fate != Fate::Unknown)
            .collect();
        if known.is_empty() {
            return Ok(());
        }
        self.control.settle();
        let script = format!(
            "local found = {{}} for i = 1, #ARGV do found[i] = 0 end for db = 0, {} do redis.call('select', db) for i = \
             1, #ARGV do found[i] = found[i] + redis.call('exists', ARGV[i]) end end return found",
            DATABASES - 1
        );
        let mut command = vec!["EVAL", &script, "0"];
        command.extend(known.iter().map(|(key, _)| key.as_str()));
        let Answer::Array(found) = self.control.ask(&command) else { panic!("no answer to EVAL") };
        for ((key, fate), found) in known.iter().zip(found) {
            let there = found != Answer::Integer(0);
            match fate {
                Fate::Absent if there => {
                    return Err(problem("a command ran that is said not to have run", format!("SET {key}")));
                }
                Fate::Present if !there => {
                    return Err(problem(
                        "a command did not run that is said to have run",
                        format!("SET {key}"),
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
