//! The conformance list, over the session of the client layer alone.

use std::task::Poll;

use redwire::client::{
    Attempts, Call, Commands, Error, ErrorKind, Exchange, Inbox, MessageKind, ScriptCall, Session, Watch,
};
use redwire::command::{evalsha, subscribe, unwatch, watch};
use redwire::connection::{Buffers, Config, Connection, SendOptions};
use redwire::resp::{Protocol, Scanner};
use redwire::script::Script;
use redwire::time::{Duration, Instant};
use redwire_kit::conformance::{
    ATTEMPTS, Ability, Act, COMMAND_TIMEOUT_MILLIS, Peer, Shown, Transport, failed, hold, shown,
};

/// The smallest of all transports: it never waits, and time passes when nothing else happens.
struct Bare {
    session: Session<'static>,
    peer: Peer,
    connection: usize,
    now: Instant,
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

impl Bare {
    fn run(&mut self, exchange: &mut dyn Exchange<Scanner<'static>>) -> Result<(), Error> {
        self.connected()?;
        self.run_here(exchange)
    }

    /// Over the connection that is there.
    fn run_here(&mut self, exchange: &mut dyn Exchange<Scanner<'static>>) -> Result<(), Error> {
        loop {
            match self.session.poll(self.now, exchange) {
                Poll::Ready(result) => return result,
                Poll::Pending => self.turn(),
            }
        }
    }

    /// Makes sure that there is a connection, which was not lost while nobody looked.
    fn connected(&mut self) -> Result<(), Error> {
        loop {
            if self.session.engine().is_idle() {
                self.connection = self.peer.connect().ok_or_else(|| Error::new(ErrorKind::Connect))?;
                self.session.engine_mut().connected(self.now).unwrap();
                loop {
                    self.session.catch_up()?;
                    if self.session.engine().is_ready() {
                        break;
                    }
                    self.turn();
                }
            }
            if self.peer.readable(self.connection).is_some() {
                return Ok(());
            }
            self.session.engine_mut().handle_eof();
            let _ = self.session.catch_up();
        }
    }

    fn turn(&mut self) {
        let engine = self.session.engine_mut();
        if let Some(bytes) = engine.poll_transmit() {
            match self.peer.write(self.connection, bytes) {
                Some(count) => engine.transmitted(count),
                None => engine.handle_eof(),
            }
            return;
        }
        match self.peer.read(self.connection, engine.receive_buffer()) {
            None => engine.handle_eof(),
            Some(0) => {
                let (due, _) = engine.poll_timeout().expect("it waits for what will not come");
                self.now = due;
                engine.handle_timeout(due);
            }
            Some(count) => engine.received(self.now, count),
        }
    }

    fn call(&mut self, line: &str, options: SendOptions) -> Result<Shown, Error> {
        let command = words(line);
        let command = &command[..];
        let mut call = Call::with_options(&command, options);
        self.run_here(&mut call)?;
        call.read(&self.session)
    }

    fn batch(&mut self, commands: &Commands<'_>, atomic: bool) -> Result<Vec<Shown>, Error> {
        let mut batch = if atomic && !commands.is_empty() { commands.atomic() } else { commands.batch() }?;
        self.run_here(&mut batch)?;
        batch.finish()
    }

    /// `body` reads, and gives what is queued; none gives up.
    fn transaction(&mut self, key: &str, reads: &str, queues: Option<&[&str]>) -> Result<String, Error> {
        let mut attempts = Attempts::new(ATTEMPTS);
        for round in 1.. {
            self.connected()?;
            self.run_here(&mut Call::with_options(&watch(key), SendOptions::new()))?;
            self.call(reads, SendOptions::new().shared())?;
            let mut state = Watch::new();
            let result = match queues {
                Some(queues) => {
                    state.begin()?;
                    let result = self.batch(&kept(queues), true);
                    state.executed(&result);
                    result
                }
                None => Ok(Vec::new()),
            };
            if self.session.engine().is_watching() {
                self.run_here(&mut Call::with_options(&unwatch(), SendOptions::new()))?;
            }
            if queues.is_none() {
                return Ok("given up".into());
            }
            if !state.is_conflict() || attempts.again(0).is_none() {
                return result.map(|replies| format!("{} after {round}", shown(&replies)));
            }
        }
        unreachable!()
    }

    fn try_act(&mut self, act: Act) -> Result<String, Error> {
        if !matches!(act, Act::Message) {
            self.connected()?;
        }
        Ok(match act {
            Act::Call(line) => shown(&[self.call(line, SendOptions::new().shared())?]),
            Act::Batch(lines) => shown(&self.batch(&kept(lines), false)?),
            Act::BatchOf(lines, _) => {
                let commands = kept(lines);
                let mut batch = commands.batch::<[Shown; 1]>()?;
                self.run_here(&mut batch)?;
                shown(&batch.finish()?)
            }
            Act::Atomic(lines) => shown(&self.batch(&kept(lines), true)?),
            Act::Transaction { keys, reads, queues } => self.transaction(keys, reads, Some(queues))?,
            Act::GivesUp { keys, reads } => self.transaction(keys, reads, None)?,
            Act::Script(source) => {
                let script = Script::new(source);
                let evalsha = evalsha(script.digest(), "k", "a");
                let mut call = ScriptCall::new(script, &evalsha);
                self.run_here(&mut call)?;
                shown(&[call.read(&self.session)?])
            }
            Act::ScriptTwice(source) => {
                let script = Script::new(source);
                let mut commands = Commands::growing();
                commands.script(&script, "k", "a");
                commands.script(&script, "l", "b");
                shown(&self.batch(&commands, true)?)
            }
            Act::Subscribe(channel) => {
                self.run(&mut Call::with_options(&subscribe(channel), SendOptions::new()))?;
                "subscribed".into()
            }
            Act::Message => loop {
                match self.session.poll_message() {
                    Poll::Ready(Err(error)) if *error.kind() == ErrorKind::Disconnected => {
                        self.connected()?;
                        continue;
                    }
                    Poll::Ready(found) => found?,
                    Poll::Pending => {
                        self.turn();
                        continue;
                    }
                }
                let message = self.session.message().expect("it was found");
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                break match message.kind {
                    MessageKind::Gap => format!("gap {}", message.count.unwrap_or_default()),
                    _ => format!("{}: {}", text(message.channel), text(message.payload)),
                };
            },
        })
    }
}

fn kept(lines: &[&str]) -> Commands<'static> {
    let mut commands = Commands::growing();
    for line in lines {
        commands.add(&&words(line)[..]);
    }
    commands
}

impl Transport for Bare {
    const LACKS: &'static [Ability] = &[];

    fn new(peer: Peer, protocol: Protocol, deadlines: bool) -> Self {
        let mut config = Config::default().protocol(protocol);
        if deadlines {
            config = config.command_timeout(Duration::from_millis(COMMAND_TIMEOUT_MILLIS));
        }
        let engine = Connection::new(config, Buffers::growing());
        let session = Session::new(engine, Inbox::growing(1 << 16).confirmations(false));
        Bare { session, peer, connection: 0, now: Instant::from_millis(1) }
    }

    fn act(&mut self, act: Act) -> String {
        self.try_act(act).unwrap_or_else(|error| failed(&error))
    }
}

#[test]
fn conversations() {
    hold::<Bare>("session", (1..=64).chain([usize::MAX]));
}
