//! What a command means for the conversation, told from its words.
//!
//! A command that changes the connection is one row of [`NAMES`] or [`MORE_NAMES`] here; one whose effect is new has a row in
//! [`TABLE`](super::transitions::TABLE) besides.

use super::Changes;
use super::transitions::SubscriptionKind;
use crate::parts::{MODES, SESSION};

/// What a command means for the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Verb {
    /// One reply, no effect on the conversation.
    Ordinary,
    Ping,
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
    Subscribe,
    Unsubscribe,
    Monitor,
    Quit,
    Reset,
    Auth,
    Hello,
    Select,
    ReplyOn,
    ReplyOff,
    ReplySkip,
    /// It makes the connection different from a fresh one.
    Change,
    /// It takes such a change back.
    Unchange,
    /// SYNC, PSYNC and REPLCONF: what follows is no reply.
    Replicate,
}

/// What the words of a command say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) verb: Verb,
    /// For `Change` and `Unchange`: what it changes.
    pub(super) changes: Changes,
    /// A credential may be among the arguments.
    pub(super) secret: bool,
}

impl Meaning {
    pub(super) const ORDINARY: Self = Meaning::of(Verb::Ordinary);

    const fn of(verb: Verb) -> Self {
        Meaning { verb, changes: Changes::NONE, secret: false }
    }
}

struct Name {
    name: &'static str,
    /// Its subcommand, or nothing.
    subcommand: &'static str,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    Is(Verb),
    /// It takes no arguments. With one it is an error, and nothing else.
    Alone(Verb),
    /// A credential is among the arguments.
    Login(Verb),
    /// ON, OFF or SKIP follows.
    Reply,
    /// It changes the connection, whatever follows.
    Sets(Changes),
    /// It takes the change back.
    Clears(Changes),
    /// OFF or NO takes changes back, the second ones; anything else makes the first.
    Switches(Changes, Changes),
    /// A credential may be among the arguments.
    Secret,
    /// One is if one of these words is there.
    SecretWith(&'static [&'static str]),
}

const fn name(name: &'static str, form: Form) -> Name {
    Name { name, subcommand: "", form }
}

const fn sub(name: &'static str, subcommand: &'static str, form: Form) -> Name {
    Name { name, subcommand, form }
}

/// The names that mean something to the conversation, but for subscriptions.
const NAMES: [Name; 16] = [
    name("PING", Form::Is(Verb::Ping)),
    name("MULTI", Form::Alone(Verb::Multi)),
    name("EXEC", Form::Is(Verb::Exec)),
    name("DISCARD", Form::Alone(Verb::Discard)),
    name("WATCH", Form::Is(Verb::Watch)),
    name("UNWATCH", Form::Is(Verb::Unwatch)),
    name("MONITOR", Form::Is(Verb::Monitor)),
    name("QUIT", Form::Is(Verb::Quit)),
    name("RESET", Form::Alone(Verb::Reset)),
    name("AUTH", Form::Login(Verb::Auth)),
    name("HELLO", Form::Login(Verb::Hello)),
    name("SELECT", Form::Is(Verb::Select)),
    name("SYNC", Form::Is(Verb::Replicate)),
    name("PSYNC", Form::Is(Verb::Replicate)),
    // Some of its forms are not answered.
    name("REPLCONF", Form::Is(Verb::Replicate)),
    sub("CLIENT", "REPLY", Form::Reply),
];

/// The names of what sticks to a connection, and of what may hold a credential.
const MORE_NAMES: [Name; 20] = [
    sub("CLIENT", "SETNAME", Form::Sets(Changes::NAME)),
    sub("CLIENT", "SETINFO", Form::Sets(Changes::LIBRARY)),
    sub("CLIENT", "TRACKING", Form::Switches(Changes::TRACKING, Changes::TRACKING.with(Changes::CACHING))),
    sub("CLIENT", "CACHING", Form::Sets(Changes::CACHING)),
    sub("CLIENT", "NO-EVICT", Form::Switches(Changes::NO_EVICT, Changes::NO_EVICT)),
    sub("CLIENT", "NO-TOUCH", Form::Switches(Changes::NO_TOUCH, Changes::NO_TOUCH)),
    sub("CLIENT", "CAPA", Form::Sets(Changes::CAPABILITIES)),
    sub("CLIENT", "IMPORT-SOURCE", Form::Switches(Changes::IMPORT_SOURCE, Changes::IMPORT_SOURCE)),
    sub("CLIENT", "MAINT_NOTIFICATIONS", Form::Switches(Changes::MAINTENANCE, Changes::MAINTENANCE)),
    name("READONLY", Form::Sets(Changes::READONLY)),
    name("READWRITE", Form::Clears(Changes::READONLY)),
    name("ASKING", Form::Sets(Changes::ASKING)),
    sub("SCRIPT", "DEBUG", Form::Switches(Changes::SCRIPT_DEBUG, Changes::SCRIPT_DEBUG)),
    sub("HIMPORT", "PREPARE", Form::Sets(Changes::FIELD_SETS)),
    sub("HIMPORT", "DISCARDALL", Form::Clears(Changes::FIELD_SETS)),
    sub("ACL", "SETUSER", Form::Secret),
    sub("SENTINEL", "SET", Form::Secret),
    sub("SENTINEL", "CONFIG", Form::Secret),
    sub("CONFIG", "SET", Form::SecretWith(SECRET_PARAMETERS)),
    name("MIGRATE", Form::SecretWith(&["AUTH", "AUTH2"])),
];

/// The parameters of servers that hold a credential; `primaryauth` is that of Valkey 8.0.
const SECRET_PARAMETERS: &[&str] =
    &["requirepass", "masterauth", "primaryauth", "tls-key-file-pass", "tls-client-key-file-pass"];

/// All names that are built.
fn names() -> impl Iterator<Item = &'static Name> {
    NAMES.iter().chain(if SESSION { MORE_NAMES.as_slice() } else { &[] })
}

/// The letters that all names and those of subscriptions begin with, as bits: most commands begin otherwise.
const INITIALS: u32 = {
    let mut bits = 1 << (b'S' - b'A') | 1 << (b'U' - b'A') | 1 << (b'P' - b'A');
    let mut at = 0;
    while at < NAMES.len() {
        bits |= 1 << (NAMES[at].name.as_bytes()[0] - b'A');
        at += 1;
    }
    at = 0;
    while at < MORE_NAMES.len() {
        bits |= 1 << (MORE_NAMES[at].name.as_bytes()[0] - b'A');
        at += 1;
    }
    bits
};

/// All names that change what a connection is, for a build that knows none of them.
const NOT_BUILT: &[u8] =
    b"EXEC AUTH QUIT SYNC MULTI WATCH HELLO RESET PSYNC SELECT DISCARD UNWATCH MONITOR REPLCONF \
    SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE";

/// What a command means, from its words as they stand in the transmit buffer.
pub(super) fn classify<'w>(name: &[u8], mut words: impl Iterator<Item = &'w [u8]> + Clone) -> Meaning {
    if !MODES {
        // They are all refused, so that it does not matter which it is: one that is not built stands for all.
        let same = |other: &[u8]| other.eq_ignore_ascii_case(name);
        let refused =
            NOT_BUILT.split(|&byte| byte == b' ').any(same) || same(b"CLIENT") && is(words.next(), "REPLY");
        return Meaning::of(if refused { Verb::Replicate } else { Verb::Ordinary });
    }
    let initial = name.first().map_or(0, |letter| letter.to_ascii_uppercase().wrapping_sub(b'A'));
    if !(3..=12).contains(&name.len()) || initial >= 26 || INITIALS >> initial & 1 == 0 {
        return Meaning::ORDINARY;
    }
    let found = names().find(|row| {
        is(Some(name), row.name) && (row.subcommand.is_empty() || is(words.clone().next(), row.subcommand))
    });
    let Some(row) = found else {
        return Meaning::of(match SubscriptionKind::from_name(name) {
            Some((_, true)) => Verb::Subscribe,
            Some((_, false)) => Verb::Unsubscribe,
            None => Verb::Ordinary,
        });
    };
    if !row.subcommand.is_empty() {
        words.next();
    }
    meaning(row.form, words)
}

fn meaning<'w>(form: Form, mut words: impl Iterator<Item = &'w [u8]>) -> Meaning {
    let sticks = |verb, changes| match SESSION {
        true => Meaning { verb, changes, secret: false },
        false => Meaning::ORDINARY,
    };
    match form {
        Form::Alone(_) if words.next().is_some() => Meaning::ORDINARY,
        Form::Is(verb) | Form::Alone(verb) => Meaning::of(verb),
        Form::Login(verb) => Meaning { secret: true, ..Meaning::of(verb) },
        Form::Reply => Meaning::of(reply_form(words)),
        Form::Sets(changes) => sticks(Verb::Change, changes),
        Form::Clears(changes) => sticks(Verb::Unchange, changes),
        Form::Switches(on, off) => match words.next() {
            how if is(how, "OFF") || is(how, "NO") => sticks(Verb::Unchange, off),
            _ => sticks(Verb::Change, on),
        },
        Form::Secret => Meaning { secret: true, ..Meaning::ORDINARY },
        Form::SecretWith(names) => {
            let secret = words.any(|word| names.iter().any(|name| is(Some(word), name)));
            Meaning { secret, ..Meaning::ORDINARY }
        }
    }
}

/// CLIENT REPLY by what follows it. With one word too many it is an error, which is answered.
fn reply_form<'w>(mut words: impl Iterator<Item = &'w [u8]>) -> Verb {
    let (how, none) = (words.next(), words.next().is_none());
    match none {
        true if is(how, "ON") => Verb::ReplyOn,
        true if is(how, "OFF") => Verb::ReplyOff,
        true if is(how, "SKIP") => Verb::ReplySkip,
        _ => Verb::Ordinary,
    }
}

/// Whether the last word of a command may come in pieces, after it has been classified: it cannot change what the command
/// means. Of the words, the last is the one that is to come.
pub(super) fn can_be_open<'w>(name: &[u8], mut words: impl Iterator<Item = &'w [u8]>) -> bool {
    let container = names().any(|row| !row.subcommand.is_empty() && is(Some(name), row.name));
    !name.is_empty() && !is(Some(name), "CLIENT") && (!container || words.nth(1).is_some())
}

/// Whether a word is there and the same but for its case.
pub(super) fn is(word: Option<&[u8]>, other: &str) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn meaning_of(line: &str) -> Meaning {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        classify(words[0], words[1..].iter().copied())
    }

    #[test]
    fn names_in_any_case() {
        let verb = |line| meaning_of(line).verb;
        assert_eq!(verb("get k"), Verb::Ordinary);
        assert_eq!(verb("multi"), Verb::Multi);
        assert_eq!(verb("Client reply Off"), Verb::ReplyOff);
        assert_eq!(verb("client reply off x"), Verb::Ordinary);
        assert_eq!(verb("CLIENT"), Verb::Ordinary);
        assert_eq!(verb("CLIENT ID"), Verb::Ordinary);
        assert_eq!(verb("ssubscribe a"), Verb::Subscribe);
        assert_eq!(verb("SUNSUBSCRIBE"), Verb::Unsubscribe);
        assert_eq!(verb("PSYNC ? -1"), Verb::Replicate);
        assert_eq!(verb("replconf ack 0"), Verb::Replicate);
        assert_eq!(verb("hello 3"), Verb::Hello);
        assert_eq!(verb("RESET"), Verb::Reset);
        assert_eq!(verb("RESET now"), Verb::Ordinary);
        assert_eq!(verb("script load x"), Verb::Ordinary);
        assert_eq!(verb(""), Verb::Ordinary);
    }

    #[test]
    fn what_sticks() {
        let sticks = |line| {
            let Meaning { verb, changes, secret } = meaning_of(line);
            assert!(!secret);
            (verb, changes)
        };
        assert_eq!(sticks("client no-evict on"), (Verb::Change, Changes::NO_EVICT));
        assert_eq!(sticks("CLIENT NO-EVICT off"), (Verb::Unchange, Changes::NO_EVICT));
        assert_eq!(sticks("CLIENT TRACKING ON BCAST"), (Verb::Change, Changes::TRACKING));
        assert_eq!(sticks("SCRIPT DEBUG sync"), (Verb::Change, Changes::SCRIPT_DEBUG));
        assert_eq!(sticks("SCRIPT DEBUG NO"), (Verb::Unchange, Changes::SCRIPT_DEBUG));
        assert_eq!(sticks("READWRITE"), (Verb::Unchange, Changes::READONLY));
        assert_eq!(sticks("HIMPORT DISCARD s"), (Verb::Ordinary, Changes::NONE));
    }

    #[test]
    fn what_may_hold_a_credential() {
        for line in
            ["AUTH pw", "HELLO 3 AUTH u pw", "ACL SETUSER u <pw", "config set maxmemory 1 RequirePass pw"]
        {
            assert!(meaning_of(line).secret, "{line}");
        }
        for line in ["GET AUTH", "CONFIG SET maxmemory 1", "MIGRATE h 1 k 0 1", "ACL LIST"] {
            assert!(!meaning_of(line).secret, "{line}");
        }
    }
}
