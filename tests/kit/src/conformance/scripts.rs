//! Scripts, which the server may have to be given first.

use super::Act::{Atomic, Batch, Execute, Script};
use super::Entry;
use super::Want::{Either, Number, Raw, Text};
use super::batches::QUEUED;
use super::{Ability, Conversation, Step, on};

const NEEDS: &[Ability] = &[Ability::Scripts];

const EVALSHA: &str = "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 k a";
const LACKING: Step = on(EVALSHA, "-NOSCRIPT No matching script. Please use EVAL.\r\n");
const LOAD: Step = on("SCRIPT LOAD return 1", "$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n");

const CALLS: &[Entry] = &[Entry::Script("k", "a"), Entry::Script("l", "b")];

pub(super) const LIST: &[Conversation] = &[
    Conversation::new(
        "a script that the server has",
        &[&[on(EVALSHA, ":1\r\n")]],
        &[(Script("k", "a", Number), "1")],
    )
    .needs(NEEDS)
    .real(&["SCRIPT LOAD \"return 1\""]),
    Conversation::new(
        "a script that the server lacks is brought along",
        &[&[LACKING, LOAD, on(EVALSHA, ":1\r\n"), on(EVALSHA, ":1\r\n")]],
        &[(Script("k", "a", Number), "1"), (Script("k", "a", Number), "1")],
    )
    .needs(NEEDS)
    .real(&[]),
    Conversation::new(
        "it is brought along whatever its reply is read as",
        &[&[LACKING, LOAD, on(EVALSHA, ":1\r\n")]],
        &[(Script("k", "a", Raw), "1")],
    )
    .needs(NEEDS)
    .real(&[]),
    Conversation::new(
        "it is brought along though an error would be a value",
        &[&[LACKING, LOAD, on(EVALSHA, ":1\r\n")]],
        &[(Script("k", "a", Either), "Ok(1)")],
    )
    .needs(NEEDS)
    .real(&[]),
    Conversation::new(
        "a script that the server never keeps is not brought along twice",
        &[&[LACKING, LOAD, LACKING, on("GET a", "_\r\n")]],
        &[
            (Script("k", "a", Number), "! Server(NOSCRIPT No matching script. Please use EVAL.)"),
            (Execute("GET a", Text), "None"),
        ],
    )
    .needs(NEEDS),
    Conversation::new(
        "a script that fails",
        &[&[on(EVALSHA, "-ERR it fails\r\n"), on("GET a", "_\r\n")]],
        &[(Script("k", "a", Number), "! Server(ERR it fails)"), (Execute("GET a", Text), "None")],
    )
    .needs(NEEDS),
    Conversation::new(
        "a transaction brings a script along once",
        &[&[
            on("MULTI", "+OK\r\n"),
            on("EVAL return 1 1 k a", QUEUED),
            on("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 l b", QUEUED),
            on("EXEC", "*2\r\n:1\r\n:1\r\n"),
        ]],
        &[(Atomic(CALLS, Number), "[1, 1]")],
    )
    .needs(NEEDS)
    .real(&[]),
    Conversation::new(
        "a batch brings a script along once",
        &[&[
            on("EVAL return 1 1 k a", ":1\r\n"),
            on("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 l b", ":1\r\n"),
        ]],
        &[(Batch(CALLS, Number), "[1, 1]")],
    )
    .needs(NEEDS)
    .real(&[]),
];
