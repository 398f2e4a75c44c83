//! The conversations that all transports have: with a server that plays, and with a real one.

use std::io;
use std::thread;
use std::time::Duration;

use redwire::client::MessageKind;
use redwire_kit::conformance::{
    Ability, Body, End, Entry, Failure, Line, Outcome, SOURCE, Setup, Transport, Want, run, run_real, shown,
};
use redwire_kit::real::Server;
use redwire_kit::wanted;
use redwire_std::{Client, ClientConfig, PubSub, Script, Stream, Wait};

const ABILITIES: [Ability; 5] =
    [Ability::Watch, Ability::Scripts, Ability::Messages, Ability::Deadlines, Ability::Reconnects];

#[test]
fn with_a_server_that_plays() {
    run(&ABILITIES, |setup, peer| {
        let connect = move |_: &_, _| Ok(Box::new(Wire(peer.open()?)) as Box<dyn Stream>);
        Adapter::boxed(Client::with_connector(config(ClientConfig::default(), setup), connect))
    });
}

#[test]
fn with_a_real_server() {
    run_real(&ABILITIES, |setup, server: &Server| {
        let at = ClientConfig::tcp("127.0.0.1", server.port());
        Adapter::boxed(Client::with_config(config(at, setup)))
    });
}

fn config(config: ClientConfig, setup: Setup) -> ClientConfig {
    let config = config.protocol(setup.protocol).transaction_attempts(setup.attempts);
    match setup.timeout {
        Some(timeout) => config.read_timeout(timeout),
        None => config,
    }
}

/// A stream to the server that plays. Waiting changes nothing there, but time passes.
#[derive(Debug)]
struct Wire(Line);

impl Stream for Wire {
    fn read(&mut self, buffer: &mut [u8], wait: Wait) -> io::Result<usize> {
        let result = self.0.read(buffer);
        match (&result, wait) {
            (Ok(_), _) | (Err(_), Wait::Not) => {}
            (Err(_), Wait::For(timeout)) => thread::sleep(timeout),
            (Err(_), Wait::Forever) => {
                self.0.peer().hangs();
                return Err(io::ErrorKind::Other.into());
            }
        }
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
}

struct Adapter {
    client: Client,
    subscriptions: PubSub,
}

impl Adapter {
    fn boxed(client: Client) -> Box<dyn Transport> {
        Box::new(Adapter { subscriptions: client.pubsub(), client })
    }
}

fn words(line: &'static str) -> Vec<&'static str> {
    line.split(' ').collect()
}

impl Transport for Adapter {
    fn execute(&mut self, command: &'static str, want: Want) -> Outcome {
        let words = words(command);
        wanted!(want, R => self.client.execute::<_, R>(&words[..]))
    }

    fn batch(&mut self, commands: &[Entry], atomic: bool, want: Want) -> Outcome {
        let script = Script::new(SOURCE);
        let mut pipeline = if atomic { self.client.atomic() } else { self.client.pipeline() };
        for entry in commands {
            match *entry {
                Entry::Words(line) => pipeline.add(&words(line)[..]),
                Entry::Script(key, argument) => pipeline.script(&script.key(key).arg(argument)),
            };
        }
        wanted!(all want, R => pipeline.execute::<R>())
    }

    fn watch(&mut self, keys: &'static str, body: &Body, interfere: &mut dyn FnMut()) -> Outcome {
        self.client.try_transaction(words(keys), |transaction| -> Result<String, Failure> {
            for line in body.reads {
                transaction.execute::<_, Option<String>>(&words(line)[..])?;
            }
            interfere();
            let queue = transaction.multi();
            for entry in body.queue {
                let Entry::Words(line) = *entry else { panic!("no scripts") };
                queue.add(&words(line)[..]);
            }
            match body.end {
                End::Execute(want) => wanted!(all want, R => queue.execute::<R>()),
                End::GiveUp => Err(Failure::given_up()),
            }
        })
    }

    fn script(&mut self, key: &'static str, argument: &'static str, want: Want) -> Outcome {
        let script = Script::new(SOURCE);
        wanted!(want, R => script.key(key).arg(argument).call::<R>(&self.client))
    }

    fn subscribe(&mut self, channels: &'static str) -> Outcome {
        shown(self.subscriptions.subscribe(words(channels)))
    }

    fn message(&mut self) -> Outcome {
        loop {
            let message = self.subscriptions.get_message(Duration::MAX)?;
            let message = message.expect("subscribed to something");
            match message.kind() {
                MessageKind::Message => return Ok(format!("{} {}", message.channel(), message.payload())),
                MessageKind::Gap => return Ok(format!("gap {}", message.count().unwrap_or_default())),
                _ => {}
            }
        }
    }
}
