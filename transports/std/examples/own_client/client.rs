//! A blocking client over any `Read + Write`: commands, batches, transactions, scripts, subscriptions, and a new connection
//! when the old one is lost. All that it knows of Redis is in `redwire::client`; it moves bytes and asks the clock.

use std::io::{Read, Write};
use std::task::Poll;
use std::time::Instant as Moment;

use redwire::client::{
    Attempts, Call, Commands, Error, ErrorKind, Exchange, FromReplies, Inbox, Message, ScriptCall, Session,
    Watch,
};
use redwire::command::{self, Arguments, Lent};
use redwire::connection::{Buffers, Config, Connection, SendOptions};
use redwire::reply::FromReply;
use redwire::resp::{Encode, Scanner};
use redwire::script::Script;
use redwire::time::Instant;

pub(crate) struct Client<S, F> {
    session: Session<'static>,
    connect: F,
    stream: Option<S>,
    start: Moment,
}

impl<S: Read + Write, F: FnMut() -> std::io::Result<S>> Client<S, F> {
    pub(crate) fn new(config: Config<'static>, connect: F) -> Self {
        let engine = Connection::new(config, Buffers::growing());
        let session = Session::new(engine, Inbox::growing(1 << 20).confirmations(false));
        Client { session, connect, stream: None, start: Moment::now() }
    }

    pub(crate) fn execute<'c, R: FromReply<'c>>(&'c mut self, command: &dyn Encode) -> Result<R, Error> {
        let mut call = Call::new(command);
        self.run(&mut call)?;
        call.read(&self.session)
    }

    pub(crate) fn script<'c, R: FromReply<'c>>(
        &'c mut self,
        script: &Script<'_>,
        keys: impl Arguments,
        arguments: impl Arguments,
    ) -> Result<R, Error> {
        let evalsha = command::evalsha(script.digest(), keys, arguments);
        let mut call = ScriptCall::new(*script, &evalsha);
        self.run(&mut call)?;
        call.read(&self.session)
    }

    pub(crate) fn pipeline<T: FromReplies>(&mut self, commands: &Commands<'_>) -> Result<T, Error> {
        let mut batch = commands.batch()?;
        self.run(&mut batch).and_then(|()| batch.finish())
    }

    pub(crate) fn atomic<T: FromReplies>(&mut self, commands: &Commands<'_>) -> Result<T, Error> {
        let mut batch = commands.atomic()?;
        self.run(&mut batch).and_then(|()| batch.finish())
    }

    /// `body` reads, and says what is to be executed if no key has changed since.
    pub(crate) fn transaction<T: FromReplies>(
        &mut self,
        keys: impl Arguments,
        mut body: impl FnMut(&mut Self) -> Result<Commands<'static>, Error>,
    ) -> Result<T, Error> {
        let mut attempts = Attempts::default();
        loop {
            self.change(&command::watch(Lent(&keys)))?;
            let mut watch = Watch::new();
            let result = body(self).and_then(|commands| match self.session.engine().is_watching() {
                true => self.atomic(&commands),
                // Another connection watches nothing.
                false => Err(Error::new(ErrorKind::Disconnected)),
            });
            watch.executed(&result);
            if self.session.engine().is_watching() {
                self.change(&command::unwatch())?;
            }
            match watch.is_conflict().then(|| attempts.again(self.now().as_micros() << 44)).flatten() {
                Some(pause) => std::thread::sleep(pause),
                None => return result,
            }
        }
    }

    /// WATCH, SUBSCRIBE and their like.
    pub(crate) fn change(&mut self, command: &dyn Encode) -> Result<(), Error> {
        self.run(&mut Call::with_options(command, SendOptions::new()))
    }

    pub(crate) fn next_message(&mut self) -> Result<Option<Message<'_>>, Error> {
        while self.session.is_subscribed() {
            self.connected()?;
            match self.session.poll_message() {
                Poll::Ready(Err(error)) if *error.kind() == ErrorKind::Disconnected => {}
                Poll::Ready(found) => return found.map(|()| self.session.message()),
                Poll::Pending => self.turn(true),
            }
        }
        Ok(None)
    }

    fn run(&mut self, exchange: &mut impl Exchange<Scanner<'static>>) -> Result<(), Error> {
        self.connected()?;
        loop {
            match self.session.poll(self.now(), exchange) {
                Poll::Ready(result) => return result,
                Poll::Pending => self.turn(exchange.is_sent()),
            }
        }
    }

    fn connected(&mut self) -> Result<(), Error> {
        if self.session.engine().is_idle() {
            self.stream = Some((self.connect)().map_err(|_| Error::new(ErrorKind::Connect))?);
            let now = self.now();
            self.session.engine_mut().connected(now).map_err(|why| Error::new(ErrorKind::Misuse(why)))?;
        }
        while !self.session.engine().is_ready() {
            self.turn(true);
            self.session.catch_up()?;
        }
        Ok(())
    }

    /// Writes what is to be written, and reads, unless there is more to be said first.
    fn turn(&mut self, all_sent: bool) {
        let now = self.now();
        let (Some(stream), engine) = (&mut self.stream, self.session.engine_mut()) else { return };
        while let Some(bytes) = engine.poll_transmit() {
            match stream.write(bytes) {
                Ok(0) | Err(_) => return engine.handle_eof(),
                Ok(count) => engine.transmitted(count),
            }
        }
        if all_sent {
            match stream.read(engine.receive_buffer()) {
                Ok(0) | Err(_) => engine.handle_eof(),
                Ok(count) => engine.received(now, count),
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }
}
