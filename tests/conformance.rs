//! The conversations that all transports have, over the client layer alone: a session, a loop that moves bytes, and a clock
//! that goes on when nothing else does.

use std::io;
use std::task::Poll;

use redwire::client::{
    Attempts, Call, Commands, Error, ErrorKind, Exchange, FromReplies, Inbox, MessageKind, ScriptCall,
    Session, Watch,
};
use redwire::command::{cmd, evalsha, unwatch};
use redwire::connection::{Buffers, Config, Connection, SendOptions};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Scanner};
use redwire::script::Script;
use redwire_kit::clock::Clock;
use redwire_kit::conformance::{
    Ability, Body, End, Entry, Failure, Line, Outcome, Peer, SOURCE, Setup, Transport, Want, run, shown,
};
use redwire_kit::wanted;

const ABILITIES: [Ability; 5] =
    [Ability::Watch, Ability::Scripts, Ability::Messages, Ability::Deadlines, Ability::Reconnects];

#[test]
fn with_a_server_that_plays() {
    run(&ABILITIES, |setup, peer| Box::new(Client::new(setup, peer)));
}

/// One connection at a time, for everything.
struct Client {
    session: Session<'static>,
    peer: Peer,
    line: Option<Line>,
    clock: Clock,
    attempts: u32,
}

impl Client {
    fn new(setup: Setup, peer: Peer) -> Self {
        let mut config = Config::default().protocol(setup.protocol);
        if let Some(timeout) = setup.timeout {
            config = config.command_timeout(timeout);
        }
        let engine = Connection::new(config, Buffers::growing());
        let session = Session::new(engine, Inbox::growing(1 << 16).confirmations(false));
        Client { session, peer, line: None, clock: Clock::default(), attempts: setup.attempts }
    }

    /// A connection that is not known to be lost.
    fn connected(&mut self) -> Result<(), Error> {
        if self.session.engine().is_idle() {
            self.line = None;
        } else {
            while self.read() {}
            // That it is over is nobody's loss: nothing was written.
            let _ = self.session.catch_up();
        }
        while !self.session.engine().is_ready() {
            if self.session.engine().is_idle() {
                let line = self.peer.open().map_err(|_| Error::new(ErrorKind::Connect))?;
                self.line = Some(line);
                self.session.engine_mut().connected(self.clock.now()).expect("it is idle");
            }
            self.turn();
            self.session.catch_up()?;
        }
        Ok(())
    }

    /// Writes and reads. When nothing moves, time passes.
    fn turn(&mut self) {
        let moved = self.write();
        if self.read() || moved {
            return;
        }
        match self.session.engine().poll_timeout() {
            Some((due, _)) => {
                self.clock.pass(due.since(self.clock.now()));
                self.session.engine_mut().handle_timeout(self.clock.now());
            }
            None => {
                self.peer.hangs();
                self.lost();
            }
        }
    }

    /// Writes all there is. False: that is nothing.
    fn write(&mut self) -> bool {
        let mut moved = false;
        while let (Some(line), Some(bytes)) = (&mut self.line, self.session.engine_mut().poll_transmit()) {
            moved = true;
            match line.write(bytes) {
                Ok(count) => self.session.engine_mut().transmitted(count),
                Err(_) => break,
            }
        }
        moved
    }

    /// Reads once. False: nothing came.
    fn read(&mut self) -> bool {
        let Some(line) = &mut self.line else { return false };
        match line.read(self.session.engine_mut().receive_buffer()) {
            Ok(0) => self.lost(),
            Ok(count) => self.session.engine_mut().received(self.clock.now(), count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => self.lost(),
        }
        true
    }

    fn lost(&mut self) {
        self.line = None;
        self.session.engine_mut().handle_eof();
    }

    /// Over the connection there is: WATCH belongs to it.
    fn drive(&mut self, exchange: &mut dyn Exchange<Scanner<'static>>) -> Result<(), Error> {
        loop {
            match self.session.poll(self.clock.now(), exchange) {
                Poll::Ready(result) => return result,
                Poll::Pending => self.turn(),
            }
        }
    }

    fn run(&mut self, exchange: &mut dyn Exchange<Scanner<'static>>) -> Result<(), Error> {
        self.connected()?;
        self.drive(exchange)
    }

    fn call<R: for<'a> FromReply<'a>>(&mut self, command: &dyn Encode) -> Result<R, Error> {
        let mut call = Call::new(command);
        self.drive(&mut call)?;
        call.read(&self.session)
    }

    fn change(&mut self, command: &dyn Encode) -> Result<(), Error> {
        let mut call = Call::with_options(command, SendOptions::new());
        self.drive(&mut call)
    }

    fn execute_batch<T: FromReplies>(&mut self, commands: &Commands<'_>, atomic: bool) -> Result<T, Error> {
        // Without commands there is nothing that has to be whole.
        let mut batch = if atomic && !commands.is_empty() { commands.atomic() } else { commands.batch() }?;
        self.run(&mut batch)?;
        batch.finish()
    }

    /// From WATCH on; whether a key has changed.
    fn attempt(&mut self, keys: &str, body: &Body, interfere: &mut dyn FnMut()) -> (Outcome, bool) {
        let mut watch = Watch::new();
        if let Err(error) = self.connected().and_then(|()| self.change(&cmd("WATCH").arg(words(keys)))) {
            return (Err(error.executed(false).into()), false);
        }
        let result = self.in_between(&mut watch, body, interfere);
        if self.session.engine().is_watching() {
            let _ = self.change(&unwatch());
        }
        (result, watch.is_conflict())
    }

    fn in_between(&mut self, watch: &mut Watch, body: &Body, interfere: &mut dyn FnMut()) -> Outcome {
        for line in body.reads {
            self.call::<Option<String>>(&&words(line)[..]).map_err(|error| watch.explain(error))?;
        }
        interfere();
        let End::Execute(want) = body.end else { return Err(Failure::given_up()) };
        let commands = commands(body.queue);
        // What has come before decides whether anything is sent.
        while self.read() {}
        self.session.catch_up()?;
        watch.begin()?;
        wanted!(all want, R => {
            let result = commands.atomic::<R>().and_then(|mut batch| {
                self.drive(&mut batch)?;
                batch.finish()
            });
            watch.executed(&result);
            result
        })
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn commands(entries: &[Entry]) -> Commands<'static> {
    let mut commands = Commands::growing();
    for entry in entries {
        match *entry {
            Entry::Words(line) => commands.add(&&words(line)[..]),
            Entry::Script(key, argument) => commands.script(&Script::new(SOURCE), key, argument),
        }
    }
    commands
}

impl Transport for Client {
    fn execute(&mut self, command: &'static str, want: Want) -> Outcome {
        self.connected()?;
        wanted!(want, R => self.call::<R>(&&words(command)[..]))
    }

    fn batch(&mut self, entries: &[Entry], atomic: bool, want: Want) -> Outcome {
        let commands = commands(entries);
        wanted!(all want, R => self.execute_batch::<R>(&commands, atomic))
    }

    fn watch(&mut self, keys: &'static str, body: &Body, interfere: &mut dyn FnMut()) -> Outcome {
        let mut attempts = Attempts::new(self.attempts);
        loop {
            let (outcome, conflict) = self.attempt(keys, body, interfere);
            match conflict.then(|| attempts.again(7)).flatten() {
                Some(pause) => self.clock.pass(pause),
                None => return outcome,
            }
        }
    }

    fn script(&mut self, key: &'static str, argument: &'static str, want: Want) -> Outcome {
        let script = Script::new(SOURCE);
        let evalsha = evalsha(script.digest(), key, argument);
        let mut call = ScriptCall::new(script, &evalsha);
        self.run(&mut call)?;
        wanted!(want, R => call.read::<_, R>(&self.session))
    }

    fn subscribe(&mut self, channels: &'static str) -> Outcome {
        self.connected()?;
        // The answer is for whoever takes messages.
        let command = cmd("SUBSCRIBE").arg(words(channels));
        let sent = self.session.engine_mut().send(self.clock.now(), &command);
        self.write();
        shown(sent.map(drop).map_err(Error::<()>::from))
    }

    fn message(&mut self) -> Outcome {
        loop {
            match self.session.poll_message() {
                Poll::Ready(Ok(())) => {
                    let message = self.session.message().expect("it was found");
                    let text = String::from_utf8_lossy;
                    return match message.kind {
                        MessageKind::Message => {
                            Ok(format!("{} {}", text(message.channel), text(message.payload)))
                        }
                        MessageKind::Gap => Ok(format!("gap {}", message.count.unwrap_or_default())),
                        other => Ok(format!("{other:?}")),
                    };
                }
                Poll::Ready(Err(error)) if *error.kind() == ErrorKind::Disconnected => self.connected()?,
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending => self.turn(),
            }
        }
    }
}
