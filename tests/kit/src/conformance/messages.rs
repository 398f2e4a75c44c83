//! Subscriptions and their messages.

use super::Act::{Lose, Message, Say, Subscribe};
use super::{Ability, Conversation, on};

const NEEDS: &[Ability] = &[Ability::Messages];

macro_rules! subscribed {
    ($name:literal, $count:literal) => {
        concat!(">3\r\n$9\r\nsubscribe\r\n$1\r\n", $name, "\r\n:", $count, "\r\n")
    };
}

macro_rules! message {
    ($channel:literal, $payload:literal) => {
        concat!(">3\r\n$7\r\nmessage\r\n$1\r\n", $channel, "\r\n$1\r\n", $payload, "\r\n")
    };
}

pub(super) const LIST: &[Conversation] = &[
    Conversation::new(
        "messages come in order",
        &[&[on("SUBSCRIBE a", subscribed!("a", "1"))]],
        &[
            (Subscribe("a"), "()"),
            (Say(concat!(message!("a", "1"), message!("a", "2"))), ""),
            (Message, "a 1"),
            (Message, "a 2"),
            (Say(message!("a", "3")), ""),
            (Message, "a 3"),
        ],
    )
    .needs(NEEDS),
    Conversation::new(
        "messages between confirmations and replies are kept",
        &[&[
            on("SUBSCRIBE a", concat!(subscribed!("a", "1"), message!("a", "1"))),
            on(
                "SUBSCRIBE b c",
                concat!(
                    message!("a", "2"),
                    subscribed!("b", "2"),
                    message!("b", "3"),
                    subscribed!("c", "3"),
                    message!("c", "4")
                ),
            ),
        ]],
        &[
            (Subscribe("a"), "()"),
            (Subscribe("b c"), "()"),
            (Message, "a 1"),
            (Message, "a 2"),
            (Message, "b 3"),
            (Message, "c 4"),
        ],
    )
    .needs(NEEDS),
    Conversation::new(
        "a subscription that is refused",
        &[&[
            on("SUBSCRIBE a", subscribed!("a", "1")),
            on("SUBSCRIBE b", concat!("-NOPERM no\r\n", message!("a", "1"))),
        ]],
        &[(Subscribe("a"), "()"), (Subscribe("b"), "()"), (Message, "! Server(NOPERM no)"), (Message, "a 1")],
    )
    .needs(NEEDS),
    Conversation::new(
        "a gap is told once when another connection has the subscriptions",
        &[
            &[on("SUBSCRIBE a b", concat!(subscribed!("a", "1"), subscribed!("b", "2"), message!("a", "1")))],
            &[on("SUBSCRIBE a b", concat!(subscribed!("a", "1"), subscribed!("b", "2"), message!("b", "2")))],
        ],
        &[
            (Subscribe("a b"), "()"),
            (Message, "a 1"),
            (Lose, ""),
            (Message, "gap 2"),
            (Message, "b 2"),
            (Say(message!("a", "3")), ""),
            (Message, "a 3"),
        ],
    )
    .needs(&[Ability::Messages, Ability::Reconnects]),
    Conversation::new(
        "what had come before the connection was lost comes before the gap",
        &[
            &[on("SUBSCRIBE a", subscribed!("a", "1"))],
            &[on("SUBSCRIBE a", concat!(subscribed!("a", "1"), message!("a", "2")))],
        ],
        &[
            (Subscribe("a"), "()"),
            (Say(message!("a", "1")), ""),
            (Lose, ""),
            (Message, "a 1"),
            (Message, "gap 1"),
            (Message, "a 2"),
        ],
    )
    .needs(&[Ability::Messages, Ability::Reconnects]),
];
