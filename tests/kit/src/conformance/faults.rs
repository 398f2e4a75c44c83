//! Connections that are lost, and replies that are late.

use super::Act::{Atomic, Batch, Execute, Lose, Say, Script, Watch};
use super::Entry::{self, Words};
use super::Want::{Number, Raw, Text};
use super::batches::QUEUED;
use super::{Ability, Body, Conversation, End, end, on};

const TWO: &[Entry] = &[Words("INCR a"), Words("INCR b")];
const BODY: Body = Body { reads: &["GET k"], queue: &[Words("INCR n")], end: End::Execute(Number) };

pub(super) const LIST: &[Conversation] = &[
    Conversation::new(
        "a connection that was lost before a byte was written is replaced in silence",
        &[&[on("GET a", "$1\r\nx\r\n")], &[on("INCR n", ":1\r\n"), on("INCR n", ":2\r\n")]],
        &[
            (Execute("GET a", Text), "Some(\"x\")"),
            (Lose, ""),
            (Execute("INCR n", Number), "1"),
            (Execute("INCR n", Number), "2"),
        ],
    )
    .needs(&[Ability::Reconnects]),
    Conversation::new(
        "a command whose connection is lost may have been executed, and is not repeated",
        &[&[end("INCR n", "")], &[on("GET n", "$1\r\n1\r\n")]],
        &[
            (Execute("INCR n", Number), "! Disconnected; maybe executed"),
            (Execute("GET n", Text), "Some(\"1\")"),
        ],
    )
    .needs(&[Ability::Reconnects]),
    Conversation::new(
        "half a reply is none",
        &[&[end("GET a", "$5\r\nhel")], &[on("GET a", "$5\r\nhello\r\n")]],
        &[
            (Execute("GET a", Text), "! Disconnected; maybe executed"),
            (Execute("GET a", Text), "Some(\"hello\")"),
        ],
    )
    .needs(&[Ability::Reconnects]),
    Conversation::new(
        "a reply counts though the connection ends behind it",
        &[&[end("GET a", "$1\r\nx\r\n")], &[on("GET a", "$1\r\ny\r\n")]],
        &[(Execute("GET a", Text), "Some(\"x\")"), (Execute("GET a", Text), "Some(\"y\")")],
    )
    .needs(&[Ability::Reconnects]),
    Conversation::new(
        "a batch whose connection is lost says how far it came",
        &[&[on("INCR a", ":1\r\n"), end("INCR b", "")]],
        &[(Batch(TWO, Raw), "! Disconnected at 2; maybe executed")],
    ),
    Conversation::new(
        "a transaction whose connection is lost at EXEC may have been executed",
        &[&[on("MULTI", "+OK\r\n"), on("INCR a", QUEUED), on("INCR b", QUEUED), end("EXEC", "")]],
        &[(Atomic(TWO, Raw), "! Disconnected; maybe executed")],
    ),
    Conversation::new(
        "a connection that is lost between WATCH and EXEC executes nothing, and no other does",
        &[&[on("WATCH k", "+OK\r\n"), end("GET k", "$1\r\nx\r\n")]],
        &[(Watch("k", BODY, 0), "! Disconnected")],
    )
    .needs(&[Ability::Watch]),
    Conversation::new(
        "a connection that is lost when EXEC was written may have executed it",
        &[&[
            on("WATCH k", "+OK\r\n"),
            on("GET k", "$1\r\nx\r\n"),
            on("MULTI", "+OK\r\n"),
            on("INCR n", QUEUED),
            end("EXEC", ""),
        ]],
        &[(Watch("k", BODY, 0), "! Disconnected; maybe executed")],
    )
    .needs(&[Ability::Watch]),
    Conversation::new(
        "a script call whose connection is lost may have been executed",
        &[&[end("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 k a", "")]],
        &[(Script("k", "a", Number), "! Disconnected; maybe executed")],
    )
    .needs(&[Ability::Scripts]),
    Conversation::new(
        "what no server says ends the connection",
        &[&[on("GET a", "?what\r\n")], &[on("GET a", "$1\r\nx\r\n")]],
        &[(Execute("GET a", Text), "! Protocol; maybe executed"), (Execute("GET a", Text), "Some(\"x\")")],
    )
    .needs(&[Ability::Reconnects]),
    Conversation {
        timeout: Some(50),
        ..Conversation::new(
            "a late reply is never that of the next command",
            &[&[on("GET a", ""), on("GET b", "$1\r\nb\r\n")]],
            &[
                (Execute("GET a", Text), "! TimedOut; maybe executed"),
                (Say("$4\r\nlate\r\n"), ""),
                (Execute("GET b", Text), "Some(\"b\")"),
            ],
        )
        .needs(&[Ability::Deadlines])
    },
    Conversation {
        timeout: Some(50),
        ..Conversation::new(
            "the late replies of a batch are never those of the next command",
            &[&[on("INCR a", ":1\r\n"), on("INCR b", ""), on("GET b", "$1\r\nb\r\n")]],
            &[
                (Batch(TWO, Raw), "! TimedOut at 2; maybe executed"),
                (Say(":7\r\n"), ""),
                (Execute("GET b", Text), "Some(\"b\")"),
            ],
        )
        .needs(&[Ability::Deadlines])
    },
];
