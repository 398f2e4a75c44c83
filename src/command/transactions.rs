//! Transactions, as single commands.
//!
//! All are functions and none is a method: MULTI, and WATCH even more, belong to one connection and to the commands
//! around them. On a client that is shared they would draw the commands of other users into the transaction. Clients have a
//! type for transactions, which keeps the connection to itself.

use super::{Cmd, Fixed, Open};

functions! {
    /// Drops the commands queued since [`MULTI`](multi), and forgets the watched keys.
    ///
    /// Errors: there is no transaction.
    ///
    /// [DISCARD](https://redis.io/docs/latest/commands/discard/), Redis 2.0.0.
    fn discard() -> Fixed<()> = "DISCARD";
        example discard() => ["DISCARD"];

    /// Executes the commands queued since [`MULTI`](multi), gives their replies in order, and forgets the
    /// watched keys. Null when a watched key has changed: nothing was executed.
    ///
    /// Errors: `EXECABORT` when a command was refused while it was queued; nothing was executed. The error of
    /// a command while it was executed is one of the replies, and the others were executed all the same.
    ///
    /// [EXEC](https://redis.io/docs/latest/commands/exec/), Redis 1.2.0.
    fn exec() -> Open = "EXEC";
        example exec() => ["EXEC"];

    /// Begins a transaction: the commands that follow are queued until [`EXEC`](exec).
    ///
    /// Errors: there is a transaction already.
    ///
    /// [MULTI](https://redis.io/docs/latest/commands/multi/), Redis 1.2.0.
    fn multi() -> Fixed<()> = "MULTI";
        example multi() => ["MULTI"];

    /// Forgets the watched keys.
    ///
    /// [UNWATCH](https://redis.io/docs/latest/commands/unwatch/), Redis 2.2.0.
    fn unwatch() -> Fixed<()> = "UNWATCH";
        example unwatch() => ["UNWATCH"];

    /// Makes the next transaction execute only if none of these keys changes until then.
    ///
    /// Errors: a transaction has begun already.
    ///
    /// [WATCH](https://redis.io/docs/latest/commands/watch/), Redis 2.2.0.
    fn watch(keys: Arguments) -> Fixed<()> = "WATCH", keys;
        example watch(["a", "b"]) => ["WATCH", "a", "b"];
}
