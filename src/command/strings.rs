//! Strings and counters.

use super::{Arguments, Cmd, Fixed, Open, table::*};

macro_rules! string_commands {
    ($emit:ident) => {
        $emit! {
            /// The value of a key, or null when there is none.
            ///
            /// [GET](https://redis.io/docs/latest/commands/get/), Redis 1.0.0.
            fn get(key: Argument) -> Open = "GET", key;
                example get("key") => ["GET", "key"];

            /// Adds one to the integer at a key, which is 0 when the key does not exist, and gives the sum.
            ///
            /// [INCR](https://redis.io/docs/latest/commands/incr/), Redis 1.0.0.
            fn incr(key: Argument) -> Fixed<i64> = "INCR", key;
                example incr("key") => ["INCR", "key"];

            /// The values of several keys, in order; null for a key that does not exist or holds no string.
            ///
            /// [MGET](https://redis.io/docs/latest/commands/mget/), Redis 1.0.0.
            fn mget(keys: Arguments) -> Open = "MGET", keys;
                example mget(["a", "b"]) => ["MGET", "a", "b"];
        }
    };
}
pub(super) use string_commands;

string_commands!(functions);

/// SET with its options.
#[derive(Debug, Clone, Copy)]
pub struct Set<A>(Cmd<A, Fixed<bool>>);

/// Sets a key to a value. TODO options
pub fn set(key: impl super::Argument, value: impl super::Argument) -> Set<impl Arguments> {
    Set(Cmd::new(("SET", key, value)))
}

impl<A: Arguments> super::Command for Set<A> {
    type Reply = Fixed<bool>;
    fn write_arguments(&self, out: &mut crate::resp::ArgumentWriter<'_, '_>) {
        self.0.write_arguments(out);
    }
}
