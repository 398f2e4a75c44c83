//! Commands that are sent together.

use super::Act::{Atomic, Batch, Execute};
use super::Entry::{self, Words};
use super::Want::{Either, Nothing, Number, Raw, Text, Two};
use super::commands::WRONGTYPE;
use super::{Conversation, Step, on};

const THREE: &[Entry] = &[Words("INCR a"), Words("GET l"), Words("INCR b")];
const TWO: &[Entry] = &[Words("INCR a"), Words("GET b")];

/// What three commands are answered, one of which fails.
const PLAIN: &[Step] = &[on("INCR a", ":1\r\n"), on("GET l", WRONGTYPE), on("INCR b", ":1\r\n")];

pub(super) const QUEUED: &str = "+QUEUED\r\n";

pub(super) const LIST: &[Conversation] = &[
    Conversation::new(
        "a batch",
        &[&[on("INCR a", ":1\r\n"), on("GET b", "$1\r\nx\r\n"), on("GET c", "_\r\n")]],
        &[(
            Batch(&[Words("INCR a"), Words("GET b"), Words("GET c")], Either),
            "[Ok(1), Ok(\"x\"), Ok(null)]",
        )],
    )
    .real(&["SET b x"]),
    Conversation::new(
        "an error in the middle of a batch names its command, and the others are executed",
        &[PLAIN],
        &[(
            Batch(THREE, Number),
            "! Server(WRONGTYPE Operation against a key holding the wrong kind of value) at 2",
        )],
    )
    .real(&["RPUSH l 1"]),
    Conversation::new(
        "an error in the middle of a batch as a value",
        &[PLAIN],
        &[(
            Batch(THREE, Either),
            r#"[Ok(1), Err(ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")), Ok(1)]"#,
        )],
    )
    .real(&["RPUSH l 1"]),
    Conversation::new(
        "an error in a batch is one though no result is wanted",
        &[PLAIN],
        &[(
            Batch(THREE, Nothing),
            "! Server(WRONGTYPE Operation against a key holding the wrong kind of value) at 2",
        )],
    )
    .real(&["RPUSH l 1"]),
    Conversation::new(
        "a reply of another type in a batch",
        &[&[on("INCR a", ":1\r\n"), on("GET b", "$1\r\nx\r\n"), on("GET a", "$1\r\n1\r\n")]],
        &[(Batch(TWO, Number), "! Mismatch at 2"), (Execute("GET a", Text), "Some(\"1\")")],
    )
    .real(&["SET b x"]),
    Conversation::new(
        "a batch with another number of results is not sent",
        &[&[]],
        &[(Batch(THREE, Two), "! Length"), (Atomic(THREE, Two), "! Length")],
    )
    .real(&[]),
    Conversation::new(
        "an empty batch is not sent",
        &[&[]],
        &[
            (Batch(&[], Nothing), "()"),
            (Batch(&[], Raw), "[]"),
            (Atomic(&[], Nothing), "()"),
            (Atomic(&[], Raw), "[]"),
        ],
    )
    .real(&[]),
    Conversation::new(
        "what changes the connection keeps a batch from being sent",
        &[&[on("GET a", "_\r\n")]],
        &[
            (Batch(&[Words("INCR a"), Words("SELECT 1")], Raw), "! Misuse(OwnConnection) at 2"),
            (Atomic(&[Words("INCR a"), Words("MULTI")], Raw), "! Misuse(InTransaction) at 2"),
            (Execute("GET a", Text), "None"),
        ],
    )
    .real(&[]),
    Conversation::new(
        "an atomic batch",
        &[&[
            on("MULTI", "+OK\r\n"),
            on("INCR a", QUEUED),
            on("GET b", QUEUED),
            on("EXEC", "*2\r\n:1\r\n_\r\n"),
        ]],
        &[(Atomic(TWO, Two), "(1, null)")],
    )
    .real(&[]),
    Conversation::new(
        "a transaction that the server aborts names the command that it has refused",
        &[&[
            on("MULTI", "+OK\r\n"),
            on("INCR a", QUEUED),
            on("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
            on("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"),
            on("GET a", "_\r\n"),
        ]],
        &[
            (
                Atomic(&[Words("INCR a"), Words("GET")], Raw),
                "! Aborted(ERR wrong number of arguments for 'get' command) at 2",
            ),
            (Execute("GET a", Text), "None"),
        ],
    )
    .real(&[]),
    Conversation::new(
        "an error among the results of a transaction names its command",
        &[&[
            on("MULTI", "+OK\r\n"),
            on("INCR a", QUEUED),
            on("GET l", QUEUED),
            on("INCR b", QUEUED),
            on(
                "EXEC",
                "*3\r\n:1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n:1\r\n",
            ),
            on("GET b", "$1\r\n1\r\n"),
        ]],
        &[
            (
                Atomic(THREE, Number),
                "! Server(WRONGTYPE Operation against a key holding the wrong kind of value) at 2",
            ),
            (Execute("GET b", Text), "Some(\"1\")"),
        ],
    )
    .real(&["RPUSH l 1"]),
    Conversation::new(
        "a null instead of results is a conflict",
        &[&[on("MULTI", "+OK\r\n"), on("INCR a", QUEUED), on("GET b", QUEUED), on("EXEC", "_\r\n")]],
        &[(Atomic(TWO, Raw), "! Conflict")],
    ),
];
