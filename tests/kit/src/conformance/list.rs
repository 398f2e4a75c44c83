//! The conversations.

use super::Ability::{Deadlines, Notices, OneConnection};
use super::Act::{
    Atomic, Batch, BatchOf, Call, GivesUp, Message, Script, ScriptTwice, Subscribe, Transaction,
};
use super::Answer::{Says, SaysAndCloses};
use super::Conversation;

const OK: super::Answer = Says("+OK\r\n");
const QUEUED: super::Answer = Says("+QUEUED\r\n");
const NOSCRIPT: super::Answer = Says("-NOSCRIPT No matching script.\r\n");
const LOADED: super::Answer = Says("$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n");

const SOURCE: &str = "return 1";
const EVALSHA: &str = "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 k a";
const LOAD: &str = "SCRIPT LOAD return 1";

const INCREMENT: super::Act = Transaction { keys: "n", reads: "GET n", queues: &["SET n 2"] };

/// A conversation over one connection.
macro_rules! one {
    ($name:literal: $($act:expr => $outcome:expr),+; [$($play:expr),* $(,)?]) => {
        Conversation { name: $name, play: &[&[$($play),*]], acts: &[$(($act, $outcome)),+], needs: &[] }
    };
}

/// All of them.
pub const LIST: &[Conversation] = &[
    // One command.
    one!("a command": Call("GET a") => "x"; [("GET a", Says("$1\r\nx\r\n"))]),
    one!("null": Call("GET a") => "null"; [("GET a", Says("$-1\r\n"))]),
    one!("an error, and the next command": Call("INCR a") => "server: ERR no", Call("GET a") => "x";
        [("INCR a", Says("-ERR no\r\n")), ("GET a", Says("$1\r\nx\r\n"))]),
    // What changes a shared connection is refused before a byte is written, and the connection goes on.
    one!("SELECT": Call("GET a") => "1", Call("SELECT 1") => "misuse OwnConnection", Call("GET a") => "1";
        [("GET a", Says(":1\r\n")), ("GET a", Says(":1\r\n"))]),
    one!("MULTI": Call("GET a") => "1", Call("MULTI") => "misuse OwnConnection", Call("GET a") => "1";
        [("GET a", Says(":1\r\n")), ("GET a", Says(":1\r\n"))]),
    one!("WATCH": Call("GET a") => "1", Call("WATCH k") => "misuse OwnConnection", Call("GET a") => "1";
        [("GET a", Says(":1\r\n")), ("GET a", Says(":1\r\n"))]),
    one!("MONITOR": Call("GET a") => "1", Call("MONITOR") => "misuse OwnConnection", Call("GET a") => "1";
        [("GET a", Says(":1\r\n")), ("GET a", Says(":1\r\n"))]),
    one!("CLIENT REPLY OFF": Call("GET a") => "1", Call("CLIENT REPLY OFF") => "misuse OwnConnection", Call("GET a") => "1";
        [("GET a", Says(":1\r\n")), ("GET a", Says(":1\r\n"))]),
    one!("SUBSCRIBE as a command": Call("GET a") => "1", Call("SUBSCRIBE c") => "misuse OwnConnection", Call("GET a") => "1";
        [("GET a", Says(":1\r\n")), ("GET a", Says(":1\r\n"))]),
    // Batches.
    one!("a batch": Batch(&["INCR a", "GET b"]) => "1, x"; [("INCR a", Says(":1\r\n")), ("GET b", Says("$1\r\nx\r\n"))]),
    one!("an error in the middle of a batch": Batch(&["INCR a", "INCR b", "INCR c"]) => "server: ERR no at 2", Call("GET a") => "x";
        [("INCR a", Says(":1\r\n")), ("INCR b", Says("-ERR no\r\n")), ("INCR c", Says(":1\r\n")), ("GET a", Says("$1\r\nx\r\n"))]),
    one!("a batch with results for others": Call("GET a") => "1", BatchOf(&["INCR a", "INCR b"], 1) => "2 commands, 1 replies";
        [("GET a", Says(":1\r\n"))]),
    one!("an empty batch": Call("GET a") => "1", Batch(&[]) => ""; [("GET a", Says(":1\r\n"))]),
    one!("an empty transaction": Call("GET a") => "1", Atomic(&[]) => ""; [("GET a", Says(":1\r\n"))]),
    one!("a batch that changes the connection": Call("GET a") => "1",
        Batch(&["INCR a", "SELECT 1"]) => "misuse OwnConnection at 2", Call("GET a") => "1";
        [("GET a", Says(":1\r\n")), ("GET a", Says(":1\r\n"))]),
    // Transactions.
    one!("a transaction": Atomic(&["INCR a", "GET b"]) => "1, x"; [
        ("MULTI", OK), ("INCR a", QUEUED), ("GET b", QUEUED), ("EXEC", Says("*2\r\n:1\r\n$1\r\nx\r\n")),
    ]),
    one!("a command that is refused while it is queued": Atomic(&["INCR a", "NOSUCH"]) => "aborted: ERR unknown at 2", Call("GET a") => "1"; [
        ("MULTI", OK), ("INCR a", QUEUED), ("NOSUCH", Says("-ERR unknown\r\n")), ("EXEC", Says("-EXECABORT x\r\n")),
        ("GET a", Says(":1\r\n")),
    ]),
    one!("an error among the results": Atomic(&["INCR a", "INCR b"]) => "server: ERR no at 2"; [
        ("MULTI", OK), ("INCR a", QUEUED), ("INCR b", QUEUED), ("EXEC", Says("*2\r\n:1\r\n-ERR no\r\n")),
    ]),
    one!("DISCARD in a transaction": Call("GET a") => "1", Atomic(&["INCR a", "DISCARD"]) => "misuse InTransaction at 2";
        [("GET a", Says(":1\r\n"))]),
    // WATCH.
    one!("read and written": INCREMENT => "OK after 1"; [
        ("WATCH n", OK), ("GET n", Says("$1\r\n1\r\n")), ("MULTI", OK), ("SET n 2", QUEUED), ("EXEC", Says("*1\r\n+OK\r\n")),
    ]),
    one!("a conflict, then none": INCREMENT => "OK after 2"; [
        ("WATCH n", OK), ("GET n", Says("$1\r\n1\r\n")), ("MULTI", OK), ("SET n 2", QUEUED), ("EXEC", Says("*-1\r\n")),
        ("WATCH n", OK), ("GET n", Says("$1\r\n1\r\n")), ("MULTI", OK), ("SET n 2", QUEUED), ("EXEC", Says("*1\r\n+OK\r\n")),
    ]),
    one!("conflicts without end": INCREMENT => "conflict"; [
        ("WATCH n", OK), ("GET n", Says("$1\r\n1\r\n")), ("MULTI", OK), ("SET n 2", QUEUED), ("EXEC", Says("*-1\r\n")),
        ("WATCH n", OK), ("GET n", Says("$1\r\n1\r\n")), ("MULTI", OK), ("SET n 2", QUEUED), ("EXEC", Says("*-1\r\n")),
        ("WATCH n", OK), ("GET n", Says("$1\r\n1\r\n")), ("MULTI", OK), ("SET n 2", QUEUED), ("EXEC", Says("*-1\r\n")),
    ]),
    one!("given up after reading": GivesUp { keys: "n", reads: "GET n" } => "given up", Call("GET a") => "1"; [
        ("WATCH n", OK), ("GET n", Says("$1\r\n1\r\n")), ("UNWATCH", OK), ("GET a", Says(":1\r\n")),
    ]),
    Conversation {
        name: "lost between WATCH and EXEC",
        play: &[&[("WATCH n", OK), ("GET n", SaysAndCloses("$1\r\n1\r\n"))], &[("GET a", Says(":1\r\n"))]],
        acts: &[(INCREMENT, "disconnected"), (Call("GET a"), "1")],
        needs: &[Notices],
    },
    one!("lost after EXEC was written": INCREMENT => "disconnected, maybe executed"; [
        ("WATCH n", OK), ("GET n", Says("$1\r\n1\r\n")), ("MULTI", OK), ("SET n 2", QUEUED), ("EXEC", SaysAndCloses("")),
    ]),
    // Scripts.
    one!("a script that the server has": Script(SOURCE) => "1"; [(EVALSHA, Says(":1\r\n"))]),
    one!("a script that the server lacks": Script(SOURCE) => "1"; [(EVALSHA, NOSCRIPT), (LOAD, LOADED), (EVALSHA, Says(":1\r\n"))]),
    one!("a script that stays unknown": Script(SOURCE) => "server: NOSCRIPT again", Call("GET a") => "1"; [
        (EVALSHA, NOSCRIPT), (LOAD, LOADED), (EVALSHA, Says("-NOSCRIPT again\r\n")), ("GET a", Says(":1\r\n")),
    ]),
    one!("an error of a script": Script(SOURCE) => "server: ERR of its own"; [(EVALSHA, Says("-ERR of its own\r\n"))]),
    one!("a script in a transaction": ScriptTwice(SOURCE) => "1, 2"; [
        ("MULTI", OK), ("EVAL return 1 1 k a", QUEUED),
        ("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 l b", QUEUED), ("EXEC", Says("*2\r\n:1\r\n:2\r\n")),
    ]),
    // Connections that end.
    Conversation {
        name: "a connection that ended while nobody looked",
        play: &[&[("GET a", SaysAndCloses(":1\r\n"))], &[("INCR a", Says(":2\r\n"))]],
        acts: &[(Call("GET a"), "1"), (Call("INCR a"), "2")],
        needs: &[Notices],
    },
    Conversation {
        name: "a command without a reply",
        play: &[&[("INCR a", SaysAndCloses(""))], &[("GET a", Says(":1\r\n"))]],
        acts: &[(Call("INCR a"), "disconnected, maybe executed"), (Call("GET a"), "1")],
        needs: &[],
    },
    Conversation {
        name: "a batch that ends in the middle",
        play: &[&[("INCR a", Says(":1\r\n")), ("INCR b", SaysAndCloses(""))], &[("GET a", Says(":1\r\n"))]],
        acts: &[(Batch(&["INCR a", "INCR b"]), "disconnected at 2, maybe executed"), (Call("GET a"), "1")],
        needs: &[],
    },
    Conversation {
        name: "what is no reply",
        play: &[&[("INCR a", Says("?\r\n"))], &[("GET a", Says(":1\r\n"))]],
        acts: &[(Call("INCR a"), "protocol: UnknownType, maybe executed"), (Call("GET a"), "1")],
        needs: &[],
    },
    // Time.
    Conversation {
        name: "a late reply is never that of the next command",
        play: &[&[("GET a", Says("")), ("GET b", Says("$1\r\na\r\n$1\r\nb\r\n"))]],
        acts: &[(Call("GET a"), "timedout, maybe executed"), (Call("GET b"), "b")],
        needs: &[Deadlines, OneConnection],
    },
    Conversation {
        name: "no reply",
        play: &[&[("GET a", Says(""))]],
        acts: &[(Call("GET a"), "timedout, maybe executed")],
        needs: &[Deadlines],
    },
    Conversation {
        name: "a late batch",
        play: &[&[
            ("GET a", Says("$1\r\na\r\n")),
            ("GET b", Says("")),
            ("GET c", Says("$1\r\nb\r\n$1\r\nc\r\n")),
        ]],
        acts: &[(Batch(&["GET a", "GET b"]), "timedout at 2, maybe executed"), (Call("GET c"), "c")],
        needs: &[Deadlines, OneConnection],
    },
    // Messages.
    one!("messages": Subscribe("c") => "subscribed", Message => "c: x", Message => "c: y"; [
        ("SUBSCRIBE c", Says(
            ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n\
             >3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\ny\r\n",
        )),
    ]),
    Conversation {
        name: "a gap is told once",
        play: &[
            &[(
                "SUBSCRIBE c",
                SaysAndCloses(
                    ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n",
                ),
            )],
            &[(
                "SUBSCRIBE c",
                Says(
                    ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\ny\r\n",
                ),
            )],
        ],
        acts: &[(Subscribe("c"), "subscribed"), (Message, "c: x"), (Message, "gap 1"), (Message, "c: y")],
        needs: &[],
    },
];
