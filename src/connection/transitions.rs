//! The rules of the conversation, as data: which command may be sent in which mode, what comes back, and which mode
//! follows. Nothing else in the engine decides this.

use super::Misuse;
use crate::parts::{MODES, SESSION, SUBSCRIPTIONS};

/// What the server is in once it has worked through everything that was sent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Mode {
    /// Commands are run and answered.
    Ready,
    /// Behind MULTI: commands are queued until EXEC.
    Transaction,
    /// Behind SUBSCRIBE under RESP2: only subscriptions, PING, QUIT and RESET are understood.
    Subscribed,
    /// Behind MONITOR: the server reports what others do.
    Monitor,
    /// Behind CLIENT REPLY OFF: commands are run and not answered.
    ReplyOff,
    /// Behind CLIENT REPLY SKIP: the next command is run and not answered.
    ReplySkip,
    /// Behind QUIT: the server closes the connection.
    Closing,
}

const MODE_COUNT: usize = 7;

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
    Select,
    ReplyOn,
    ReplyOff,
    ReplySkip,
    ScriptLoad,
    ScriptFlush,
    /// HELLO: the engine's own.
    Hello,
    /// SYNC, PSYNC and REPLCONF: what follows is no reply.
    Replicate,
}

/// What comes back for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// One reply.
    Reply,
    /// `+QUEUED`; the reply itself comes with EXEC's.
    Queued,
    /// One confirmation for each channel, or one error.
    Confirmations,
    Nothing,
    /// It must not be sent.
    Refused(Misuse),
}

/// The mode that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Same,
    To(Mode),
    /// Under RESP2, subscribed as long as there are subscriptions; under RESP3 the same.
    BySubscriptions,
}

pub(super) struct Row {
    pub(super) verb: Verb,
    /// In the order of [`Mode`].
    pub(super) answers: [Answer; MODE_COUNT],
    pub(super) next: Next,
}

use Answer::{Confirmations as C, Nothing as N, Queued as Q, Refused as X, Reply as R};
use Misuse::{
    Closing as END, Handshake as OWN, InTransaction as IN, Monitoring as MON, NoTransaction as OUT,
    Replication as REP, RepliesOff as OFF, Subscribed as SUB,
};

#[rustfmt::skip]
pub(super) const TABLE: [Row; 21] = [
    //                               Ready  Transaction Subscribed Monitor ReplyOff ReplySkip Closing
    Row { verb: Verb::Ordinary,    answers: [R,      Q,      X(SUB), X(MON), N,      N,      X(END)], next: Next::Same },
    Row { verb: Verb::Ping,        answers: [R,      Q,      R,      X(MON), N,      N,      X(END)], next: Next::Same },
    Row { verb: Verb::Multi,       answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], next: Next::To(Mode::Transaction) },
    Row { verb: Verb::Exec,        answers: [X(OUT), R,      X(OUT), X(OUT), X(OUT), X(OUT), X(END)], next: Next::To(Mode::Ready) },
    Row { verb: Verb::Discard,     answers: [X(OUT), R,      X(OUT), X(OUT), X(OUT), X(OUT), X(END)], next: Next::To(Mode::Ready) },
    Row { verb: Verb::Watch,       answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], next: Next::Same },
    Row { verb: Verb::Unwatch,     answers: [R,      Q,      X(SUB), X(MON), N,      N,      X(END)], next: Next::Same },
    Row { verb: Verb::Subscribe,   answers: [C,      X(IN),  C,      X(MON), X(OFF), X(OFF), X(END)], next: Next::BySubscriptions },
    Row { verb: Verb::Unsubscribe, answers: [C,      X(IN),  C,      X(MON), X(OFF), X(OFF), X(END)], next: Next::BySubscriptions },
    Row { verb: Verb::Monitor,     answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], next: Next::To(Mode::Monitor) },
    Row { verb: Verb::Quit,        answers: [R,      R,      R,      R,      N,      N,      X(END)], next: Next::To(Mode::Closing) },
    Row { verb: Verb::Reset,       answers: [R,      R,      R,      R,      R,      X(OFF), X(END)], next: Next::To(Mode::Ready) },
    Row { verb: Verb::Auth,        answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], next: Next::Same },
    Row { verb: Verb::Select,      answers: [R,      Q,      X(SUB), X(MON), X(OFF), X(OFF), X(END)], next: Next::Same },
    Row { verb: Verb::ReplyOn,     answers: [R,      X(IN),  X(SUB), X(MON), R,      R,      X(END)], next: Next::To(Mode::Ready) },
    Row { verb: Verb::ReplyOff,    answers: [N,      X(IN),  X(SUB), X(MON), N,      N,      X(END)], next: Next::To(Mode::ReplyOff) },
    Row { verb: Verb::ReplySkip,   answers: [N,      X(IN),  X(SUB), X(MON), X(OFF), N,      X(END)], next: Next::To(Mode::ReplySkip) },
    Row { verb: Verb::ScriptLoad,  answers: [R,      Q,      X(SUB), X(MON), N,      N,      X(END)], next: Next::Same },
    Row { verb: Verb::ScriptFlush, answers: [R,      Q,      X(SUB), X(MON), N,      N,      X(END)], next: Next::Same },
    Row { verb: Verb::Hello,       answers: [X(OWN), X(OWN), X(OWN), X(OWN), X(OWN), X(OWN), X(END)], next: Next::Same },
    Row { verb: Verb::Replicate,   answers: [X(REP), X(REP), X(REP), X(REP), X(REP), X(REP), X(END)], next: Next::Same },
];

/// What comes back for `verb` in `mode`, and the mode that follows.
#[inline]
pub(super) fn rule(mode: Mode, verb: Verb) -> (Answer, Next) {
    if !is_built(verb) {
        return (Answer::Refused(Misuse::NotBuilt), Next::Same);
    }
    if !MODES {
        // There is but one mode.
        return (Answer::Reply, Next::Same);
    }
    // Verbs stand in the table in their order; the test below sees to it.
    let Some(row) = TABLE.get(verb as usize) else { return (Answer::Refused(OWN), Next::Same) };
    debug_assert_eq!(row.verb, verb);
    let answer = row.answers.get(mode as usize).copied().unwrap_or(Answer::Refused(END));
    // Skipping ends with the command that was skipped.
    let next = match (mode, row.next) {
        (Mode::ReplySkip, Next::Same) => Next::To(Mode::Ready),
        (_, next) => next,
    };
    (answer, next)
}

/// Whether the code for a command is there.
const fn is_built(verb: Verb) -> bool {
    match verb {
        Verb::Ordinary | Verb::Ping => true,
        Verb::Subscribe | Verb::Unsubscribe => SUBSCRIPTIONS,
        // These the table refuses.
        Verb::Hello | Verb::Replicate => MODES,
        _ => SESSION,
    }
}

/// Which set of subscriptions a command changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SubscriptionKind {
    /// SUBSCRIBE: a channel by its name.
    Channel,
    /// PSUBSCRIBE: all channels that match a pattern.
    Pattern,
    /// SSUBSCRIBE: a channel that belongs to a shard of a cluster (Redis 7.0).
    Shard,
}

impl SubscriptionKind {
    pub(super) const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];

    /// SUBSCRIBE, PSUBSCRIBE or SSUBSCRIBE.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Channel => "SUBSCRIBE",
            Self::Pattern => "PSUBSCRIBE",
            Self::Shard => "SSUBSCRIBE",
        }
    }

    /// The kind of a (un)subscription by its name on the wire, `sunsubscribe` say, and whether it subscribes.
    pub(super) fn from_name(name: &[u8]) -> Option<(Self, bool)> {
        let (name, kind) = match name.first()?.to_ascii_lowercase() {
            b'p' => (name.get(1..)?, Self::Pattern),
            b's' if name.get(1).is_some_and(|b| b.eq_ignore_ascii_case(&b's')) => {
                (name.get(1..)?, Self::Shard)
            }
            b's' if name.len() == b"sunsubscribe".len() => (name.get(1..)?, Self::Shard),
            _ => (name, Self::Channel),
        };
        if name.eq_ignore_ascii_case(b"subscribe") {
            Some((kind, true))
        } else if name.eq_ignore_ascii_case(b"unsubscribe") {
            Some((kind, false))
        } else {
            None
        }
    }
}

/// The names that mean something to the conversation, but for subscriptions and what has subcommands.
const NAMES: [(&str, Verb); 15] = [
    ("PING", Verb::Ping),
    ("EXEC", Verb::Exec),
    ("AUTH", Verb::Auth),
    ("QUIT", Verb::Quit),
    ("SYNC", Verb::Replicate),
    ("MULTI", Verb::Multi),
    ("WATCH", Verb::Watch),
    ("HELLO", Verb::Hello),
    ("RESET", Verb::Reset),
    ("PSYNC", Verb::Replicate),
    ("SELECT", Verb::Select),
    ("DISCARD", Verb::Discard),
    ("UNWATCH", Verb::Unwatch),
    ("MONITOR", Verb::Monitor),
    // Some of its forms are not answered.
    ("REPLCONF", Verb::Replicate),
];

/// All names that change what a connection is, for a build that knows none of them.
const NOT_BUILT: &[u8] =
    b"EXEC AUTH QUIT SYNC MULTI WATCH HELLO RESET PSYNC SELECT DISCARD UNWATCH MONITOR REPLCONF \
    SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE";

/// What a command means, from its words as they stand in the transmit buffer.
pub(super) fn classify<'w>(name: &[u8], mut words: impl Iterator<Item = &'w [u8]>) -> Verb {
    let is = |word: Option<&[u8]>, other: &str| {
        word.is_some_and(|word| word.eq_ignore_ascii_case(other.as_bytes()))
    };
    if !MODES {
        // They are all refused, so that it does not matter which it is: one that is not built stands for all.
        let same = |other: &[u8]| other.eq_ignore_ascii_case(name);
        let refused =
            NOT_BUILT.split(|&byte| byte == b' ').any(same) || same(b"CLIENT") && is(words.next(), "REPLY");
        return if refused { Verb::Hello } else { Verb::Ordinary };
    }
    if !(4..=12).contains(&name.len()) {
        return Verb::Ordinary;
    }
    if let Some((_, verb)) = NAMES.iter().find(|(other, _)| is(Some(name), other)) {
        return *verb;
    }
    if SESSION && is(Some(name), "SCRIPT") {
        return match words.next() {
            word if is(word, "LOAD") => Verb::ScriptLoad,
            word if is(word, "FLUSH") => Verb::ScriptFlush,
            _ => Verb::Ordinary,
        };
    }
    if is(Some(name), "CLIENT") && is(words.next(), "REPLY") {
        let how = words.next();
        return match words.next() {
            // With one word too many it is an error, which is answered.
            Some(_) => Verb::Ordinary,
            None if is(how, "ON") => Verb::ReplyOn,
            None if is(how, "OFF") => Verb::ReplyOff,
            None if is(how, "SKIP") => Verb::ReplySkip,
            None => Verb::Ordinary,
        };
    }
    match SubscriptionKind::from_name(name) {
        Some((_, true)) => Verb::Subscribe,
        Some((_, false)) => Verb::Unsubscribe,
        None => Verb::Ordinary,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    const ALL_MODES: [Mode; MODE_COUNT] = [
        Mode::Ready,
        Mode::Transaction,
        Mode::Subscribed,
        Mode::Monitor,
        Mode::ReplyOff,
        Mode::ReplySkip,
        Mode::Closing,
    ];

    #[test]
    fn rows_stand_in_the_order_of_verbs() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.verb as usize, index, "{:?}", row.verb);
        }
        for (index, mode) in ALL_MODES.iter().enumerate() {
            assert_eq!(*mode as usize, index);
        }
    }

    #[test]
    fn the_whole_product() {
        for mode in ALL_MODES {
            for row in &TABLE {
                let (answer, next) = rule(mode, row.verb);
                let refused = matches!(answer, Answer::Refused(_));
                match mode {
                    Mode::Closing => assert_eq!(answer, Answer::Refused(Misuse::Closing)),
                    // The only ways out of MONITOR.
                    Mode::Monitor => assert_eq!(!refused, matches!(row.verb, Verb::Quit | Verb::Reset)),
                    // Exactly what a RESP2 server accepts from a subscriber.
                    Mode::Subscribed => assert_eq!(
                        !refused,
                        matches!(
                            row.verb,
                            Verb::Subscribe | Verb::Unsubscribe | Verb::Ping | Verb::Quit | Verb::Reset
                        ),
                        "{:?}",
                        row.verb
                    ),
                    // What the server does not queue is answered at once, and ends the transaction.
                    Mode::Transaction => {
                        if answer == Answer::Reply {
                            assert!(matches!(next, Next::To(Mode::Ready | Mode::Closing)), "{:?}", row.verb);
                        } else {
                            assert!(matches!(answer, Answer::Queued | Answer::Refused(_)));
                        }
                    }
                    Mode::ReplyOff | Mode::ReplySkip => {
                        if answer == Answer::Reply {
                            assert!(matches!(row.verb, Verb::ReplyOn | Verb::Reset));
                        }
                    }
                    Mode::Ready => assert_ne!(answer, Answer::Queued),
                }
                if answer == Answer::Queued {
                    assert_eq!(mode, Mode::Transaction);
                    assert_eq!(next, Next::Same);
                }
                if matches!(answer, Answer::Confirmations) {
                    assert_eq!(next, Next::BySubscriptions);
                }
            }
        }
    }

    #[test]
    fn names_in_any_case() {
        let verb = |line: &str| {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            classify(words[0], words[1..].iter().copied())
        };
        assert_eq!(verb("get k"), Verb::Ordinary);
        assert_eq!(verb("multi"), Verb::Multi);
        assert_eq!(verb("Client reply Off"), Verb::ReplyOff);
        assert_eq!(verb("CLIENT NO-EVICT on"), Verb::Ordinary);
        assert_eq!(verb("ssubscribe a"), Verb::Subscribe);
        assert_eq!(verb("SUNSUBSCRIBE"), Verb::Unsubscribe);
        assert_eq!(verb("script load x"), Verb::ScriptLoad);
        assert_eq!(verb("PSYNC ? -1"), Verb::Replicate);
        assert_eq!(verb("replconf ack 0"), Verb::Replicate);
        assert_eq!(verb("client reply off x"), Verb::Ordinary);
    }

    #[test]
    fn subscription_names() {
        for kind in SubscriptionKind::ALL {
            assert_eq!(SubscriptionKind::from_name(kind.command().as_bytes()), Some((kind, true)));
        }
        assert_eq!(SubscriptionKind::from_name(b"unsubscribe"), Some((SubscriptionKind::Channel, false)));
        assert_eq!(SubscriptionKind::from_name(b"punsubscribe"), Some((SubscriptionKind::Pattern, false)));
        assert_eq!(SubscriptionKind::from_name(b"sunsubscribe"), Some((SubscriptionKind::Shard, false)));
        assert_eq!(SubscriptionKind::from_name(b"message"), None);
    }
}
