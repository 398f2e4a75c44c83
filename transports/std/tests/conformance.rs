//! The conformance list, over streams in memory.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use redwire::resp::Protocol;
use redwire_kit::conformance::{
    ATTEMPTS, Ability, Act, COMMAND_TIMEOUT_MILLIS, Peer, Shown, Transport, failed, hold, shown,
};
use redwire_std::prelude::*;
use redwire_std::{PubSub, Stream, Wait};

/// A client, and its subscriptions.
struct Std {
    client: Client,
    news: Option<PubSub>,
}

/// One connection to the peer.
#[derive(Debug)]
struct Line {
    peer: Peer,
    connection: usize,
}

impl Stream for Line {
    fn read(&mut self, buffer: &mut [u8], wait: Wait) -> io::Result<usize> {
        let until = match wait {
            Wait::Not => Some(Instant::now()),
            Wait::For(timeout) => Some(Instant::now() + timeout),
            // Nothing comes by itself: who waits for ever waits in vain.
            Wait::Forever => Some(Instant::now() + Duration::from_secs(5)),
        };
        loop {
            match self.peer.read(self.connection, buffer) {
                None => return Ok(0),
                Some(0) if until.is_some_and(|until| until <= Instant::now()) => {
                    assert_ne!(wait, Wait::Forever, "it waits for what will not come");
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Some(0) => thread::sleep(Duration::from_millis(1)),
                Some(count) => return Ok(count),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.peer.write(self.connection, bytes).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// What a closure of the user's fails with.
enum Failed {
    GaveUp,
    Redis(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Redis(error)
    }
}

impl Std {
    fn try_act(&mut self, act: Act) -> Result<String, Error> {
        let client = &self.client;
        let batch = |lines: &[&str]| {
            let mut pipeline = client.pipeline();
            for line in lines {
                pipeline.add(&words(line)[..]);
            }
            pipeline
        };
        Ok(match act {
            Act::Call(line) => shown(&[client.execute::<_, Shown>(&words(line)[..])?]),
            Act::Batch(lines) => shown(&batch(lines).execute::<Vec<Shown>>()?),
            Act::BatchOf(lines, 1) => shown(&batch(lines).execute::<[Shown; 1]>()?),
            Act::BatchOf(..) => unreachable!(),
            Act::Atomic(lines) => shown(&batch(lines).atomic().execute::<Vec<Shown>>()?),
            Act::Transaction { keys, reads, queues } => {
                let mut rounds = 0;
                let replies = client.transaction(keys, |tx| {
                    rounds += 1;
                    tx.execute::<_, Shown>(&words(reads)[..])?;
                    for line in queues {
                        tx.multi().add(&words(line)[..]);
                    }
                    tx.multi().execute::<Vec<Shown>>()
                })?;
                format!("{} after {rounds}", shown(&replies))
            }
            Act::GivesUp { keys, reads } => {
                let result = client.try_transaction(keys, |tx| {
                    tx.execute::<_, Shown>(&words(reads)[..])?;
                    Err::<(), _>(Failed::GaveUp)
                });
                match result {
                    Err(Failed::Redis(error)) => return Err(error),
                    Err(Failed::GaveUp) => "given up".into(),
                    Ok(()) => "executed".into(),
                }
            }
            Act::Script(source) => shown(&[Script::new(source).key("k").arg("a").call::<Shown>(client)?]),
            Act::ScriptTwice(source) => {
                let script = Script::new(source);
                let mut pipeline = client.atomic();
                pipeline.script(&script.key("k").arg("a")).script(&script.key("l").arg("b"));
                shown(&pipeline.execute::<Vec<Shown>>()?)
            }
            Act::Subscribe(channel) => {
                let news = self.news.get_or_insert_with(|| client.pubsub());
                news.subscribe(channel)?;
                let message = news.get_message(Duration::from_secs(5))?;
                assert!(message.is_some_and(|message| !message.is_message()));
                "subscribed".into()
            }
            Act::Message => {
                let news = self.news.as_mut().expect("something was subscribed to");
                match news.get_message(Duration::from_secs(5))? {
                    Some(message) if message.kind() == MessageKind::Gap => {
                        format!("gap {}", message.count().unwrap_or_default())
                    }
                    Some(message) => format!("{}: {}", message.channel(), message.payload()),
                    None => "nothing".into(),
                }
            }
        })
    }
}

impl Transport for Std {
    // The pool takes another one then.
    const LACKS: &'static [Ability] = &[Ability::OneConnection];

    fn new(peer: Peer, protocol: Protocol, deadlines: bool) -> Self {
        let mut config = ClientConfig::default().protocol(protocol).transaction_attempts(ATTEMPTS);
        if deadlines {
            config = config.read_timeout(Duration::from_millis(COMMAND_TIMEOUT_MILLIS));
        }
        let connect = move |_: &_, _| match peer.connect() {
            Some(connection) => Ok(Box::new(Line { peer: peer.clone(), connection }) as Box<dyn Stream>),
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        };
        Std { client: Client::with_connector(config, connect), news: None }
    }

    fn act(&mut self, act: Act) -> String {
        self.try_act(act).unwrap_or_else(|error| failed(&error))
    }
}

#[test]
fn conversations() {
    hold::<Std>("std", [1, 2, 3, 5, 7, 11, 16, 23, 40, 64, usize::MAX]);
}
