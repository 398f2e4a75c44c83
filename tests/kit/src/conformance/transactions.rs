//! Transactions whose keys are watched.

use super::Act::{Execute, Watch};
use super::Entry::Words;
use super::Want::{Number, Text};
use super::batches::QUEUED;
use super::{Ability, Body, Conversation, End, on};

const NEEDS: &[Ability] = &[Ability::Watch];

const BODY: Body = Body { reads: &["GET k"], queue: &[Words("INCR n")], end: End::Execute(Number) };

macro_rules! attempt {
    ($value:literal, $exec:literal) => {
        [
            on("WATCH k", "+OK\r\n"),
            on("GET k", concat!("$", $value, "\r\n")),
            on("MULTI", "+OK\r\n"),
            on("INCR n", QUEUED),
            on("EXEC", $exec),
        ]
    };
}

const CONFLICT: [super::Step; 5] = attempt!("1\r\nx", "_\r\n");
const SUCCESS: [super::Step; 5] = attempt!("1\r\nx", "*1\r\n:1\r\n");

/// One attempt after the other.
const fn twice(first: [super::Step; 5], second: [super::Step; 5]) -> [super::Step; 10] {
    let [a, b, c, d, e] = first;
    let [f, g, h, i, j] = second;
    [a, b, c, d, e, f, g, h, i, j]
}

const THRICE: [super::Step; 15] = {
    let [a, b, c, d, e] = CONFLICT;
    [a, b, c, d, e, a, b, c, d, e, a, b, c, d, e]
};

pub(super) const LIST: &[Conversation] = &[
    Conversation::new("no watched key changes", &[&SUCCESS], &[(Watch("k", BODY, 0), "[1]")])
        .needs(NEEDS)
        .real(&["SET k x"]),
    Conversation::new(
        "a watched key changes once",
        &[&twice(CONFLICT, SUCCESS)],
        &[(Watch("k", BODY, 1), "[1]")],
    )
    .needs(NEEDS)
    .real(&["SET k x"]),
    Conversation::new(
        "a watched key changes for ever",
        &[&THRICE],
        &[(Watch("k", BODY, u32::MAX), "! Conflict")],
    )
    .needs(NEEDS)
    .real(&["SET k x"]),
    Conversation::new(
        "a transaction that is given up executes nothing, and watches no more",
        &[&[
            on("WATCH k", "+OK\r\n"),
            on("GET k", "$1\r\nx\r\n"),
            on("UNWATCH", "+OK\r\n"),
            on("GET n", "_\r\n"),
        ]],
        &[(Watch("k", Body { end: End::GiveUp, ..BODY }, 0), "! given up"), (Execute("GET n", Text), "None")],
    )
    .needs(NEEDS)
    .real(&["SET k x"]),
    Conversation::new(
        "what cannot be read ends a transaction",
        &[&[
            on("WATCH k", "+OK\r\n"),
            on("GET k", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            on("UNWATCH", "+OK\r\n"),
        ]],
        &[(
            Watch("k", BODY, 0),
            "! Server(WRONGTYPE Operation against a key holding the wrong kind of value)",
        )],
    )
    .needs(NEEDS)
    .real(&["RPUSH k x"]),
    Conversation::new(
        "a watching transaction that the server aborts is not tried again",
        &[&[
            on("WATCH k", "+OK\r\n"),
            on("MULTI", "+OK\r\n"),
            on("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
            on("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"),
        ]],
        &[(
            Watch("k", Body { reads: &[], queue: &[Words("GET")], end: End::Execute(Number) }, 0),
            "! Aborted(ERR wrong number of arguments for 'get' command) at 1",
        )],
    )
    .needs(NEEDS)
    .real(&[]),
];
