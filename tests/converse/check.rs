//! What has to be true: of a reply, by what was asked; of the engine, by what the server says of the connection.

use std::fmt;

use redwire::connection::{Changes, Connection, Mode, SubscriptionKind};
use redwire::resp::{Frame, Protocol};

use crate::plan::{Login, Setup, line};
use crate::server::Line;

/// What was found to be wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which promise was broken: the same for all conversations that break it in the same way.
    pub kind: String,
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

pub fn problem(kind: impl Into<String>, detail: impl fmt::Display) -> Problem {
    Problem { kind: kind.into(), detail: detail.to_string() }
}

/// What a command is answered with, unless it is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    Any,
    Text(String),
    /// This text, or null.
    Maybe(String),
    /// A number.
    Integer,
    /// As a subscriber under RESP2 it is answered with an array.
    Pong(String),
    Multi,
    Exec,
    Discard,
    Reset,
    /// The confirmations of a (un)subscription: so many, for these names, or for all there are.
    Confirmations {
        subscribe: bool,
        kind: SubscriptionKind,
    },
}

impl Expect {
    pub fn of(words: &[String]) -> Self {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = |text: &str| Expect::Text(text.to_string());
        let name = words[0].to_ascii_uppercase();
        match (&name[..], &words[1..]) {
            ("ECHO", [word]) => text(word),
            ("GET", [key]) if key.starts_with('u') => Expect::Maybe(key[1..].to_string()),
            ("SET", [_, _]) | ("WATCH", [_, ..]) | ("UNWATCH", []) | ("SELECT", [_]) => text("OK"),
            ("AUTH", [_, ..]) | ("MONITOR" | "QUIT" | "READONLY" | "READWRITE" | "ASKING", []) => text("OK"),
            ("SCRIPT", ["FLUSH"]) => text("OK"),
            ("CLIENT", ["SETNAME" | "NO-EVICT" | "NO-TOUCH" | "TRACKING" | "SETINFO" | "REPLY", ..]) => {
                text("OK")
            }
            ("INCR" | "LPUSH" | "PUBLISH" | "SPUBLISH", _) => Expect::Integer,
            ("EVAL", ["return ARGV[1]", "0", word]) | ("EVALSHA", [_, "0", word]) => text(word),
            ("PING", []) => Expect::Pong(String::new()),
            ("PING", [word]) => Expect::Pong((*word).to_string()),
            ("MULTI", []) => Expect::Multi,
            ("EXEC", []) => Expect::Exec,
            ("DISCARD", []) => Expect::Discard,
            ("RESET", []) => Expect::Reset,
            (name, [_, ..]) | (name @ ("UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE"), []) => {
                let kinds = [SubscriptionKind::Channel, SubscriptionKind::Pattern, SubscriptionKind::Shard];
                let find = |un: &str| {
                    kinds.into_iter().find(|kind| {
                        let (prefix, rest) =
                            kind.command().split_at(kind.command().len() - "SUBSCRIBE".len());
                        name == format!("{prefix}{un}{rest}")
                    })
                };
                match (find(""), find("UN")) {
                    (Some(kind), _) => Expect::Confirmations { subscribe: true, kind },
                    (_, Some(kind)) => Expect::Confirmations { subscribe: false, kind },
                    _ => Expect::Any,
                }
            }
            _ => Expect::Any,
        }
    }
}

/// Checks a reply that is not EXEC's.
pub fn reply(words: &[String], expect: &Expect, frame: Frame<'_>) -> Result<(), Problem> {
    let wrong = || {
        let kind = match frame.error() {
            Some(_) => "the error of another command answers",
            None => "the reply of another command answers",
        };
        Err(problem(format!("{kind} {}", words[0]), format!("{} got {frame:?}", line(words))))
    };
    if let Some(error) = frame.error() {
        let text = String::from_utf8_lossy(error.text()).into_owned();
        return if error_fits(words, &text) { Ok(()) } else { wrong() };
    }
    let is = |text: &str| frame.text() == Some(text.as_bytes());
    let fits = match expect {
        Expect::Any | Expect::Exec => true,
        Expect::Text(text) => is(text),
        Expect::Maybe(text) => is(text) || frame.is_null(),
        Expect::Integer => frame.integer().is_some(),
        Expect::Pong(text) => {
            let array: Vec<_> = frame.elements().map(|element| element.text()).collect();
            is(if text.is_empty() { "PONG" } else { text })
                || array == [Some(b"pong".as_slice()), Some(text.as_bytes())]
        }
        Expect::Multi | Expect::Discard => is("OK"),
        Expect::Reset => is("RESET"),
        // They are events of their own; only errors are replies.
        Expect::Confirmations { .. } => false,
    };
    if fits { Ok(()) } else { wrong() }
}

/// Whether an error can be meant for a command: many name it.
fn error_fits(words: &[String], text: &str) -> bool {
    let names = text.starts_with("NOPERM")
        || text.starts_with("ERR wrong number of arguments for '")
        || text.contains("unknown command")
        || text.contains("Can't execute '");
    // `Can't` has a quote of its own.
    let quoted = text.replacen("Can't", "", 1);
    let quoted = quoted.split(['\'', '`']).nth(1);
    match quoted {
        // What a script says is its own matter.
        _ if words[0].starts_with("EVAL") => true,
        Some(quoted) if names => {
            quoted.split('|').next().is_some_and(|name| name.eq_ignore_ascii_case(&words[0]))
        }
        _ => match text {
            "EXECABORT Transaction discarded because of previous errors." => words[0] == "EXEC",
            text if text.contains("DB index") => words[0] == "SELECT",
            text if text.starts_with("WRONGPASS") => words[0] == "AUTH" || words[0] == "HELLO",
            _ => true,
        },
    }
}

/// What the conversation itself knows at a quiet point.
pub struct Known<'k> {
    pub setup: &'k Setup,
    /// How many commands stand in the transaction, where that is known.
    pub queued: Option<usize>,
    /// What the server said of the connection when nothing had been done with it.
    pub fresh: Option<&'k Line>,
}

/// Compares a connection at which everything is answered with what the server says of it.
pub fn compare(engine: &Connection<'_>, server: &Line, known: &Known<'_>) -> Result<(), Problem> {
    let number = |field: &str| server.get(field).and_then(|value| value.parse::<i64>().ok());
    let differs = |what: &str, ours: &dyn fmt::Debug, theirs: &dyn fmt::Debug| {
        Err(problem(format!("{what} differs"), format!("the engine says {ours:?}, the server {theirs:?}")))
    };
    let flags = server.get("flags").map_or("", String::as_str);
    if let Some(db) = number("db")
        && db != i64::from(engine.database())
    {
        return differs("database()", &engine.database(), &db);
    }
    let kinds = [SubscriptionKind::Channel, SubscriptionKind::Pattern, SubscriptionKind::Shard];
    for (kind, field) in kinds.into_iter().zip(["sub", "psub", "ssub"]) {
        if let Some(theirs) = number(field)
            && theirs != engine.subscriptions(kind) as i64
        {
            return differs(&format!("subscriptions({kind:?})"), &engine.subscriptions(kind), &theirs);
        }
    }
    // Valkey has a count of queued commands outside of a transaction, too.
    let transaction = flags.contains('x');
    let resp2 = number("resp").map_or(engine.protocol() == Protocol::Resp2, |version| version == 2);
    if resp2 != (engine.protocol() == Protocol::Resp2) {
        return differs("protocol()", &engine.protocol(), &number("resp"));
    }
    let subscribed = ["sub", "psub", "ssub"].into_iter().any(|field| number(field).unwrap_or(0) > 0);
    let mode = if transaction {
        Mode::Transaction
    } else if flags.contains('O') {
        Mode::Monitor
    } else if resp2 && subscribed {
        Mode::Subscribed
    } else {
        Mode::Ready
    };
    // The server does not tell whether it answers.
    let silent = mode == Mode::Ready && matches!(engine.mode(), Mode::ReplyOff | Mode::ReplySkip);
    if mode != engine.mode() && !silent {
        return differs("mode()", &engine.mode(), &mode);
    }
    if let Some(queued) = known.queued
        && transaction
        && let Some(multi) = number("multi")
        && queued as i64 != multi
    {
        return differs("the number of queued commands", &queued, &multi);
    }
    // Once a watched key has changed the server forgets the keys, and keeps that EXEC has to fail.
    let conflict = server.get("flags").is_some_and(|flags| flags.contains('d'));
    if let Some(watch) = number("watch")
        && (watch > 0 || conflict) != engine.is_watching()
    {
        return differs("is_watching()", &engine.is_watching(), &watch);
    }
    changes(engine, server, known)?;
    if let Some(fresh) = known.fresh
        && engine.is_clean()
    {
        for field in KEPT {
            if server.get(field) != fresh.get(field) {
                let (fresh, now) = (fresh.get(field), server.get(field));
                let text = |value: Option<&String>| value.map_or(String::new(), String::clone);
                let before = text(fresh);
                let gained = text(now).chars().find(|flag| !before.contains(*flag));
                let flag =
                    gained.filter(|_| field == "flags").map_or(String::new(), |flag| format!(" {flag}"));
                return Err(problem(
                    format!("is_clean() in spite of `{field}`{flag}"),
                    format!("fresh {fresh:?}, now {now:?}"),
                ));
            }
        }
    }
    Ok(())
}

/// What CLIENT LIST says of a connection that stays until it is changed.
const KEPT: [&str; 13] = [
    "db", "sub", "psub", "ssub", "watch", "flags", "user", "redir", "resp", "name", "lib-name", "lib-ver",
    "capa",
];

/// Compares what the server is known to have confirmed with the flags it shows.
fn changes(engine: &Connection<'_>, server: &Line, known: &Known<'_>) -> Result<(), Problem> {
    let changes = engine.changes();
    let flags = server.get("flags").map_or("", String::as_str);
    let shown = [
        ('t', Changes::TRACKING),
        ('e', Changes::NO_EVICT),
        ('T', Changes::NO_TOUCH),
        ('r', Changes::READONLY),
    ];
    let other = |field: &str| known.fresh.is_some_and(|fresh| fresh.get(field) != server.get(field));
    // On both sides of each: whether the server shows it, and whether the engine knows it.
    let pairs = shown.map(|(flag, change)| (flags.contains(flag), change)).into_iter().chain([
        (flags.contains('I'), Changes::IMPORT_SOURCE),
        (server.get("user").is_some_and(|user| user != known.setup.user()), Changes::USER),
        (other("name"), Changes::NAME),
        (other("lib-name") || other("lib-ver"), Changes::LIBRARY),
        (other("capa"), Changes::CAPABILITIES),
        (other("resp"), Changes::PROTOCOL),
    ]);
    for (there, change) in pairs {
        // What was set to what it was before may count as a change: only what is there has to be known.
        if there && !changes.contains(change) {
            return Err(problem(
                format!("changes() lacks {change:?}"),
                format!("the server says {server:?}"),
            ));
        }
    }
    Ok(())
}

/// Whether a step of the handshake may have been refused.
pub fn refusal_is_fair(setup: &Setup, changed: bool, step: &str) -> bool {
    match step {
        "HELLO" | "AUTH" => setup.login == Login::Wrong,
        "CLIENT SETNAME" => setup.forbids("client|setname"),
        "SELECT" => setup.forbids("select") || changed,
        // A subscription that is refused is dropped, and the connection goes on.
        _ => false,
    }
}

/// What CLIENT TRACKINGINFO says, beside what the engine knows.
pub fn tracking(answer: &str, changes: Changes) -> Result<(), Problem> {
    let says = |flag: &str| answer.contains(&format!("\"{flag}\""));
    let caching = says("caching-yes") || says("caching-no");
    let pairs = [
        (Changes::TRACKING, says("on") != changes.contains(Changes::TRACKING)),
        // CLIENT without a subcommand ends it, which is not worth knowing: it may be gone and count as there.
        (Changes::CACHING, caching && !changes.contains(Changes::CACHING)),
    ];
    for (change, wrong) in pairs {
        if wrong {
            return Err(problem(
                format!("CLIENT TRACKINGINFO and {change:?}"),
                format!("the engine knows {changes:?}, the server says {answer}"),
            ));
        }
    }
    Ok(())
}

/// What ACL WHOAMI says, beside what the engine knows. A user may have logged in as the one it was.
pub fn user(answer: &str, setup: &Setup, changes: Changes) -> Result<(), Problem> {
    let other = answer.trim_matches('"') != setup.user();
    if other && !changes.contains(Changes::USER) {
        return Err(problem("ACL WHOAMI and USER", format!("the server says {answer}")));
    }
    Ok(())
}
