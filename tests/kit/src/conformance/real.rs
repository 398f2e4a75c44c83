//! Runs those of the list on a real server that need no other.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use redwire::resp::Protocol;

use super::{Ability, Act, Setup, Transport, list};
use crate::real::Server;

/// Runs the conversations that a real server has too, under both protocols; the server is emptied before each.
///
/// # Panics
/// Something else comes of one of them: the message names it.
pub fn run_real(abilities: &[Ability], make: impl Fn(Setup, &Server) -> Box<dyn Transport>) {
    let server = Server::start();
    let mut count = 0;
    for conversation in list() {
        let Some(before) = conversation.real else { continue };
        if !conversation.needs.iter().all(|need| abilities.contains(need)) {
            continue;
        }
        count += 1;
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let named = format!("{}: {protocol:?}", conversation.name);
            let ask = |command: &str| {
                let reply = ask(&server, command);
                assert!(!reply.starts_with('-'), "{named}: {command}: {reply}");
            };
            ask("FLUSHALL");
            ask("SCRIPT FLUSH");
            before.iter().for_each(|command| ask(command));
            let mut transport = make(conversation.setup(protocol), &server);
            for (number, (act, expected)) in conversation.acts.iter().enumerate() {
                assert!(!matches!(act, Act::Say(_) | Act::Lose), "{named}: real servers do not");
                let outcome = act.run(&mut *transport, &mut |keys| ask(&format!("SET {keys} interference")));
                assert_eq!(outcome, *expected, "{named}: step {}", number + 1);
            }
        }
    }
    println!("{count} conversations with a real server");
    assert!(count > 0, "there is none");
}

/// The first line of the reply to a command.
fn ask(server: &Server, command: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply).unwrap();
    reply
}
