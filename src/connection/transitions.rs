//! The rules of the conversation, as data: which command may be sent in which mode, what comes back, and what that does.
//! Nothing else in the engine decides this; [`effects`](super::effects) carries it out.
//!
//! ADVICE TO WHO CHANGES THIS. A command that changes the connection and can be taken back by RESET is a row in
//! `verb.rs` and nothing here. A command with an effect of its own is a verb in `verb.rs`, a row in
//! [`TABLE`], and if the effect is new a variant of [`Effect`] and its line in `State::apply`. The rows stand in the order
//! of the verbs. `tests/effects.rs` runs the whole product of modes, verbs and outcomes against a model that was written
//! from the Redis documentation: extend the model first.

use super::Misuse;
use super::verb::Verb;
use crate::parts::{MODES, SESSION, SUBSCRIPTIONS};

/// What the server is in once it has worked through everything that was sent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Mode {
    /// Commands are run and answered.
    Ready,
    /// After MULTI: commands are queued until EXEC.
    Transaction,
    /// After SUBSCRIBE under RESP2: only subscriptions, PING, QUIT and RESET are understood.
    Subscribed,
    /// After MONITOR: the server reports what others do.
    Monitor,
    /// After CLIENT REPLY OFF: commands are run and not answered.
    ReplyOff,
    /// After CLIENT REPLY SKIP: the next command is run and not answered.
    ReplySkip,
    /// After QUIT: the server closes the connection.
    Closing,
}

const MODE_COUNT: usize = 7;

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

/// What a command does: to what is expected as soon as it is sent, to what is known when it is answered. In a transaction
/// that is EXEC, which answers for each of its commands. A command that is refused, taken back, or lost does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    Transaction,
    /// EXEC: what was queued has its effects, and nothing is watched any more.
    Execute,
    /// DISCARD: what was queued has none.
    Discard,
    Watch,
    Unwatch,
    Monitor,
    Quit,
    /// All is as after the handshake, which follows.
    Reset,
    /// The names are subscribed to, or not any more.
    Subscriptions,
    User,
    /// HELLO: protocol, user and name, as far as it names them.
    Greeting,
    Database,
    Change,
    Unchange,
}

/// What a reply has to be that is no error. Where Redis fixes it, another one would leave the state wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Any,
    /// `+OK`
    Ok,
    /// `+OK`, or how many were forgotten: HIMPORT DISCARDALL.
    OkOrCount,
    /// `+RESET`
    Reset,
    /// An element for each command that was queued, or null.
    Results,
    /// A map, or under RESP2 an array, with `proto` in it.
    Greeting,
    /// Confirmations only.
    Confirmations,
}

/// What an error does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing: the command has not been executed.
    Nothing,
    /// The transaction is over, and nothing of it was executed.
    Aborts,
    /// The transaction goes on though its end was announced: the connection ends.
    Ends,
    /// The connection cannot go on as it is, and says why.
    Closes,
    /// Names are taken back.
    Names,
    /// User and name may have changed before something else was refused.
    Greeting,
}

pub(super) struct Row {
    pub(super) verb: Verb,
    /// What comes back, by [`Mode`].
    pub(super) answers: [Answer; MODE_COUNT],
    pub(super) shape: Shape,
    pub(super) effect: Effect,
    pub(super) refusal: Refusal,
}

use Answer::{Confirmations as C, Nothing as N, Queued as Q, Refused as X, Reply as R};
use Misuse::{
    Closing as END, InTransaction as IN, Monitoring as MON, NoTransaction as OUT, Replication as REP,
    RepliesOff as OFF, Subscribed as SUB,
};

#[rustfmt::skip]
pub(super) const TABLE: [Row; 21] = [
    //                               Ready  Transaction Subscribed Monitor ReplyOff ReplySkip Closing
    Row { verb: Verb::Ordinary,    answers: [R,      Q,      X(SUB), X(MON), N,      N,      X(END)], shape: Shape::Any,           effect: Effect::Nothing,       refusal: Refusal::Nothing },
    Row { verb: Verb::Ping,        answers: [R,      Q,      R,      X(MON), N,      N,      X(END)], shape: Shape::Any,           effect: Effect::Nothing,       refusal: Refusal::Nothing },
    Row { verb: Verb::Multi,       answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Ok,            effect: Effect::Transaction,   refusal: Refusal::Nothing },
    Row { verb: Verb::Exec,        answers: [X(OUT), R,      X(OUT), X(OUT), X(OUT), X(OUT), X(END)], shape: Shape::Results,       effect: Effect::Execute,       refusal: Refusal::Aborts },
    Row { verb: Verb::Discard,     answers: [X(OUT), R,      X(OUT), X(OUT), X(OUT), X(OUT), X(END)], shape: Shape::Ok,            effect: Effect::Discard,       refusal: Refusal::Ends },
    Row { verb: Verb::Watch,       answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Ok,            effect: Effect::Watch,         refusal: Refusal::Nothing },
    Row { verb: Verb::Unwatch,     answers: [R,      Q,      X(SUB), X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Ok,            effect: Effect::Unwatch,       refusal: Refusal::Nothing },
    Row { verb: Verb::Subscribe,   answers: [C,      X(IN),  C,      X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Confirmations, effect: Effect::Subscriptions, refusal: Refusal::Names },
    Row { verb: Verb::Unsubscribe, answers: [C,      X(IN),  C,      X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Confirmations, effect: Effect::Subscriptions, refusal: Refusal::Names },
    Row { verb: Verb::Monitor,     answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Ok,            effect: Effect::Monitor,       refusal: Refusal::Nothing },
    Row { verb: Verb::Quit,        answers: [R,      R,      R,      R,      N,      N,      X(END)], shape: Shape::Ok,            effect: Effect::Quit,          refusal: Refusal::Nothing },
    Row { verb: Verb::Reset,       answers: [R,      R,      R,      R,      R,      X(OFF), X(END)], shape: Shape::Reset,         effect: Effect::Reset,         refusal: Refusal::Closes },
    Row { verb: Verb::Auth,        answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Ok,            effect: Effect::User,          refusal: Refusal::Nothing },
    Row { verb: Verb::Hello,       answers: [R,      X(IN),  X(SUB), X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Greeting,      effect: Effect::Greeting,      refusal: Refusal::Greeting },
    Row { verb: Verb::Select,      answers: [R,      Q,      X(SUB), X(MON), X(OFF), X(OFF), X(END)], shape: Shape::Ok,            effect: Effect::Database,      refusal: Refusal::Nothing },
    Row { verb: Verb::ReplyOn,     answers: [R,      X(IN),  X(SUB), X(MON), R,      R,      X(END)], shape: Shape::Ok,            effect: Effect::Nothing,       refusal: Refusal::Nothing },
    Row { verb: Verb::ReplyOff,    answers: [N,      X(IN),  X(SUB), X(MON), N,      N,      X(END)], shape: Shape::Any,           effect: Effect::Nothing,       refusal: Refusal::Nothing },
    Row { verb: Verb::ReplySkip,   answers: [N,      X(IN),  X(SUB), X(MON), X(OFF), N,      X(END)], shape: Shape::Any,           effect: Effect::Nothing,       refusal: Refusal::Nothing },
    Row { verb: Verb::Change,      answers: [R,      Q,      X(SUB), X(MON), N,      N,      X(END)], shape: Shape::Ok,            effect: Effect::Change,        refusal: Refusal::Nothing },
    Row { verb: Verb::Unchange,    answers: [R,      Q,      X(SUB), X(MON), N,      N,      X(END)], shape: Shape::OkOrCount,     effect: Effect::Unchange,      refusal: Refusal::Nothing },
    Row { verb: Verb::Replicate,   answers: [X(REP), X(REP), X(REP), X(REP), X(REP), X(REP), X(END)], shape: Shape::Any,           effect: Effect::Nothing,       refusal: Refusal::Nothing },
];

/// The row of a verb. Without any modes there is but the first.
#[inline]
pub(super) fn row(verb: Verb) -> &'static Row {
    const FIRST: Row = {
        let [first, ..] = TABLE;
        first
    };
    if !MODES {
        return &FIRST;
    }
    // Verbs stand in the table in their order; a test below sees to it.
    let row = TABLE.get(verb as usize).unwrap_or(&FIRST);
    debug_assert_eq!(row.verb, verb);
    row
}

/// What comes back for `verb` in `mode`.
#[inline]
pub(super) fn answer(mode: Mode, verb: Verb) -> Answer {
    if !is_built(verb) {
        return Answer::Refused(Misuse::NotBuilt);
    }
    if !MODES {
        // There is but one mode.
        return Answer::Reply;
    }
    row(verb).answers.get(mode as usize).copied().unwrap_or(Answer::Refused(END))
}

/// Whether the code for a command is there.
const fn is_built(verb: Verb) -> bool {
    match verb {
        Verb::Ordinary | Verb::Ping => true,
        Verb::Subscribe | Verb::Unsubscribe => SUBSCRIPTIONS,
        // The table refuses them.
        Verb::Replicate => MODES,
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

#[cfg(test)]
mod tests {
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
    fn what_may_be_sent_in_which_mode() {
        for mode in ALL_MODES {
            for row in &TABLE {
                let answer = answer(mode, row.verb);
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
                    Mode::Transaction => match row.effect {
                        Effect::Execute | Effect::Discard | Effect::Reset | Effect::Quit => {
                            assert_eq!(answer, Answer::Reply);
                        }
                        _ => assert!(matches!(answer, Answer::Queued | Answer::Refused(_))),
                    },
                    Mode::ReplyOff | Mode::ReplySkip => {
                        if answer == Answer::Reply {
                            assert!(matches!(row.verb, Verb::ReplyOn | Verb::Reset));
                        }
                    }
                    Mode::Ready => assert_ne!(answer, Answer::Queued),
                }
                assert_eq!(answer == Answer::Confirmations && !refused, {
                    row.effect == Effect::Subscriptions && matches!(mode, Mode::Ready | Mode::Subscribed)
                });
            }
        }
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
