//! Single commands.

use super::Act::Execute;
use super::Want::{Either, Number, Raw, Text};
use super::{Conversation, Step, on};

/// What a server says of a GET of a list.
pub(super) const WRONGTYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

const REFUSED: &str = "! Misuse(OwnConnection)";

/// Nothing is written, and the connection is as it was.
const fn refused(name: &'static str, acts: &'static [(super::Act, &'static str)]) -> Conversation {
    const PLAY: &[&[Step]] = &[&[on("GET a", "$1\r\nx\r\n")]];
    Conversation::new(name, PLAY, acts).real(&["SET a x"])
}

pub(super) const LIST: &[Conversation] = &[
    Conversation::new(
        "a command and its reply",
        &[&[on("GET a", "$1\r\nx\r\n"), on("INCR n", ":1\r\n"), on("GET a", "$1\r\nx\r\n")]],
        &[
            (Execute("GET a", Text), "Some(\"x\")"),
            (Execute("INCR n", Number), "1"),
            (Execute("GET a", Raw), "\"x\""),
        ],
    )
    .real(&["SET a x"]),
    Conversation::new(
        "the server's error",
        &[&[on("GET l", WRONGTYPE), on("GET a", "$1\r\nx\r\n")]],
        &[
            (
                Execute("GET l", Text),
                "! Server(WRONGTYPE Operation against a key holding the wrong kind of value)",
            ),
            (Execute("GET a", Text), "Some(\"x\")"),
        ],
    )
    .real(&["RPUSH l 1", "SET a x"]),
    Conversation::new(
        "the server's error as a value",
        &[&[on("GET l", WRONGTYPE), on("GET a", "$1\r\nx\r\n")]],
        &[
            (
                Execute("GET l", Either),
                r#"Err(ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value"))"#,
            ),
            (Execute("GET a", Either), "Ok(\"x\")"),
        ],
    )
    .real(&["RPUSH l 1", "SET a x"]),
    Conversation::new(
        "a reply of another type",
        &[&[on("GET a", "$1\r\nx\r\n"), on("GET a", "$1\r\nx\r\n")]],
        &[(Execute("GET a", Number), "! Mismatch"), (Execute("GET a", Text), "Some(\"x\")")],
    )
    .real(&["SET a x"]),
    Conversation::new(
        "a null",
        &[&[on("GET a", "_\r\n"), on("GET a", "_\r\n")]],
        &[(Execute("GET a", Text), "None"), (Execute("GET a", Number), "! Mismatch")],
    )
    .real(&[]),
    refused(
        "SELECT is refused",
        &[(Execute("SELECT 1", Raw), REFUSED), (Execute("GET a", Text), "Some(\"x\")")],
    ),
    refused("MULTI is refused", &[(Execute("MULTI", Raw), REFUSED), (Execute("GET a", Text), "Some(\"x\")")]),
    refused(
        "WATCH is refused",
        &[(Execute("WATCH k", Raw), REFUSED), (Execute("GET a", Text), "Some(\"x\")")],
    ),
    refused(
        "MONITOR is refused",
        &[(Execute("MONITOR", Raw), REFUSED), (Execute("GET a", Text), "Some(\"x\")")],
    ),
    refused(
        "CLIENT REPLY OFF is refused",
        &[(Execute("CLIENT REPLY OFF", Raw), REFUSED), (Execute("GET a", Text), "Some(\"x\")")],
    ),
    refused(
        "SUBSCRIBE is refused",
        &[(Execute("SUBSCRIBE c", Raw), REFUSED), (Execute("GET a", Text), "Some(\"x\")")],
    ),
    refused(
        "QUIT and RESET are refused",
        &[
            (Execute("QUIT", Raw), REFUSED),
            (Execute("RESET", Raw), REFUSED),
            (Execute("GET a", Text), "Some(\"x\")"),
        ],
    ),
];
