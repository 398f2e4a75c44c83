//! Runs the list against the server that plays.

use std::time::Duration;

use redwire::resp::Protocol;

use super::{Ability, Act, Conversation, Peer, Setup, Transport, list};

/// The longest piece that a line is cut into, but for those that are not cut: longer than any answer's first line.
const LONGEST: usize = 64;

/// Where time really passes not every piece is worth it.
const FEW: [usize; 4] = [1, 2, 7, usize::MAX];

/// Runs all conversations that need no more than these abilities, under both protocols and with the line cut into pieces
/// of every length.
///
/// # Panics
/// Something else comes of one of them: the message names it.
pub fn run(abilities: &[Ability], make: impl Fn(Setup, Peer) -> Box<dyn Transport>) {
    let list = list();
    let all = list.len();
    let mine = list.into_iter().filter(|one| one.needs.iter().all(|need| abilities.contains(need)));
    let mut failures = Vec::new();
    let mut count = 0;
    for conversation in mine {
        count += 1;
        let pieces: Vec<usize> = match conversation.timeout {
            Some(_) => FEW.into(),
            None => (1..=LONGEST).chain([usize::MAX]).collect(),
        };
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            // One cut says enough.
            let failure = pieces.iter().find_map(|&piece| {
                let named = format!("{}: {protocol:?}, {}", conversation.name, Piece(piece));
                let naming = Naming(&named);
                let result = play(conversation, protocol, piece, &make);
                drop(naming);
                result.err().map(|why| format!("{named}: {why}"))
            });
            failures.extend(failure);
        }
    }
    println!("{count} of {all} conversations");
    assert!(failures.is_empty(), "{} do not hold:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 0, "there is none");
}

fn play(
    conversation: &Conversation,
    protocol: Protocol,
    piece: usize,
    make: impl Fn(Setup, Peer) -> Box<dyn Transport>,
) -> Result<(), String> {
    let peer = Peer::new(conversation, protocol, piece);
    let mut transport = make(conversation.setup(protocol), peer.clone());
    for (number, (act, expected)) in conversation.acts.iter().enumerate() {
        match act {
            Act::Say(text) => peer.say(text),
            Act::Lose => peer.lose(),
            act => {
                let outcome = act.run(&mut *transport, &mut |_| {});
                if outcome != *expected {
                    let faults = peer.faults().join("; ");
                    return Err(format!("step {}: {outcome}, not {expected}; {faults}", number + 1));
                }
            }
        }
    }
    match &peer.faults()[..] {
        [] => Ok(()),
        faults => Err(faults.join("; ")),
    }
}

impl Conversation {
    pub(super) fn setup(&self, protocol: Protocol) -> Setup {
        Setup { protocol, timeout: self.timeout.map(Duration::from_millis), attempts: 3 }
    }
}

impl Act {
    /// What comes of what a user does, as text; failures behind `!`.
    pub(super) fn run(&self, transport: &mut dyn Transport, interfere: &mut dyn FnMut(&str)) -> String {
        let outcome = match *self {
            Act::Execute(command, want) => transport.execute(command, want),
            Act::Batch(commands, want) => transport.batch(commands, false, want),
            Act::Atomic(commands, want) => transport.batch(commands, true, want),
            Act::Watch(keys, body, mut times) => transport.watch(keys, &body, &mut || {
                if times > 0 {
                    times -= 1;
                    interfere(keys);
                }
            }),
            Act::Script(key, argument, want) => transport.script(key, argument, want),
            Act::Subscribe(channels) => transport.subscribe(channels),
            Act::Message => transport.message(),
            Act::Say(_) | Act::Lose => Ok(String::new()),
        };
        outcome.unwrap_or_else(|failure| format!("! {failure}"))
    }
}

/// Names a conversation whose adapter panics.
struct Naming<'n>(&'n str);

impl Drop for Naming<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the conversation {}", self.0);
        }
    }
}

struct Piece(usize);

impl std::fmt::Display for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            usize::MAX => f.write_str("in one piece"),
            bytes => write!(f, "in pieces of {bytes}"),
        }
    }
}
