//! The examples with loops of their own, as a user runs them, against real servers; and the text that explains them.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use redwire::command::{Commands, client_pause};
use redwire_kit::real::Server;
use support::Outside;

const OWN_POLL: &str = include_str!("../examples/own_poll.rs");
const README: &str = include_str!("../../../README.md");

fn start(example: &str, server: &Server) -> Child {
    Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "redwire-mio", "--example", example, "--"])
        .arg(server.address().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a program wrote, if it ended well or badly as expected.
fn written(output: Output, well: bool) -> (String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, error) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.success(), well, "{out}{error}");
    (out, error)
}

#[test]
fn each_ends_its_conversation() {
    let server = Server::start();
    for (example, expected) in [
        ("own_poll", "Ok(\"hello\")\n1000 echoes, it works\n"),
        (
            "own_calloop",
            "late: the reply did not come in time; the command may have been executed\n5 ticks\nnews: it works\n",
        ),
        ("own_tokio", "Some(\"hello\")\ntrue\n1 2 3\n1 listening, news: it works\n"),
    ] {
        let output = start(example, &server).wait_with_output().unwrap();
        assert_eq!(written(output, true), (expected.into(), String::new()), "{example}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let server = Server::start();
    server.client().execute(client_pause(600_000)).unwrap();
    for example in ["own_poll", "own_calloop", "own_tokio"] {
        let (_, error) = written(start(example, &server).wait_with_output().unwrap(), false);
        assert!(error.contains("the handshake took too long"), "{example}: {error}");
    }
}

#[test]
fn late_replies_are_discarded_and_the_next_are_right() {
    let server = Server::start();
    // The first command is a write: it waits, and the others after it, until its deadline has passed.
    server.client().execute(client_pause(600_000).write()).unwrap();
    let mut program = start("own_poll", &server);
    let mut error = BufReader::new(program.stderr.take().unwrap());
    let mut line = String::new();
    error.read_line(&mut line).unwrap();
    assert_eq!(line, "the reply did not come in time; the command may have been executed\n");
    server.client().client_unpause().unwrap();
    let (out, _) = written(program.wait_with_output().unwrap(), true);
    assert!(out.ends_with(" echoes, it works\n"), "{out}");
}

#[test]
fn the_end_of_the_server_is_the_end_of_the_loop() {
    for example in ["own_poll", "own_calloop", "own_tokio"] {
        let mut server = Server::start();
        server.client().execute(client_pause(600_000).write()).unwrap();
        let program = start(example, &server);
        let client = server.client();
        // Until its first write waits: `flags=b`, or `flags=Pb` for a subscriber.
        let waits = |line: &str| line.split(' ').any(|word| word.starts_with("flags=") && word.contains('b'));
        let patience = Instant::now() + Duration::from_secs(60);
        while !client.client_list::<String>().unwrap().lines().any(waits) {
            assert!(Instant::now() < patience);
            std::thread::sleep(Duration::from_millis(5));
        }
        server.stop();
        let (_, error) = written(program.wait_with_output().unwrap(), false);
        assert!(error.contains("the connection ended: Some("), "{example}: {error}");
    }
}

#[test]
fn the_loop_to_copy_has_fewer_than_80_lines() {
    assert!(OWN_POLL.lines().count() < 80);
}

#[test]
fn the_chapter_quotes_the_example() {
    let (_, chapter) = README.split_once("\n## Your own loop\n").unwrap();
    let (chapter, _) = chapter.split_once("\n## ").unwrap();
    let code: String = OWN_POLL.lines().map(|line| format!("{}\n", line.trim())).collect();
    let mut quoted = 0;
    // Other blocks run by themselves, as doctests.
    for block in chapter.split("```rust,ignore").skip(1) {
        let (_, block) = block.split_once('\n').unwrap();
        let (block, _) = block.split_once("```").unwrap();
        let block: String = block.lines().map(|line| format!("{}\n", line.trim())).collect();
        assert!(code.contains(&block), "not in own_poll.rs:\n{block}");
        quoted += block.lines().filter(|line| !line.is_empty()).count();
    }
    // All of it, but for its title; blank lines are quoted within a block and not between two.
    let blank = |line: &&str| line.starts_with("//!") || line.is_empty();
    assert_eq!(quoted, code.lines().filter(|line| !blank(line)).count());
    let rustix = include_str!("../Cargo.toml").lines().find(|line| line.starts_with("rustix = ")).unwrap();
    assert!(chapter.contains(rustix));
}
