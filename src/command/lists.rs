//! Lists: keys that hold elements in order, cheap to add and take at both ends.
//!
//! Those that block wait up to a timeout, and for ever if it is zero. It goes to the server rounded up to milliseconds;
//! servers before Redis 6.0 take whole seconds alone. Inside a transaction they do not wait.

use super::{
    Argument, Cmd, Fixed, Open, Patience,
    argument::{Counted, Seconds},
};
use crate::{resp::ArgumentWriter, time::Duration};

/// An end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Side {
    /// The first element, the head.
    Left,
    /// The last element, the tail.
    Right,
}

impl Argument for Side {
    fn write_argument(&self, out: &mut ArgumentWriter<'_, '_>) {
        out.bytes(match self {
            Side::Left => b"LEFT",
            Side::Right => b"RIGHT",
        });
    }
}

macro_rules! list_commands {
    ($emit:ident) => {
        $emit! {
            /// Takes an element from one list, adds it to another, and gives it; waits while the source is
            /// empty. Null when the timeout has passed.
            ///
            /// [BLMOVE](https://redis.io/docs/latest/commands/blmove/), Redis 6.2.0.
            fn blmove(source: Argument, destination: Argument, from: Side, to: Side, timeout: Duration) -> Open
                waits timeout = "BLMOVE", source, destination, from, to, Seconds(timeout);
                example blmove("a", "b", Side::Left, Side::Right, Duration::from_secs(5)) =>
                    ["BLMOVE", "a", "b", "LEFT", "RIGHT", "5"];

            /// Takes elements from one list, adds them to another, and gives them as a list; waits while
            /// there are not enough. Null when the timeout has passed.
            ///
            /// [BLMOVEM](https://redis.io/docs/latest/commands/blmovem/), Redis 8.10.0.
            fn blmovem(source: Argument, destination: Argument, from: Side, to: Side, timeout: Duration) -> Open
                with LMoveM waits timeout = "BLMOVEM", source, destination, from, to, Seconds(timeout);
                example blmovem("a", "b", Side::Left, Side::Right, Duration::ZERO) =>
                    ["BLMOVEM", "a", "b", "LEFT", "RIGHT", "0"];

            /// Takes elements from the first of these lists that has any, and gives its key and a list of
            /// them; waits while all are empty. Null when the timeout has passed.
            ///
            /// [BLMPOP](https://redis.io/docs/latest/commands/blmpop/), Redis 7.0.0.
            fn blmpop(timeout: Duration, keys: Arguments, side: Side) -> Open with LMPop waits timeout =
                "BLMPOP", Seconds(timeout), Counted(keys), side;
                example blmpop(Duration::from_millis(250), ["a", "b"], Side::Left) =>
                    ["BLMPOP", "0.250", "2", "a", "b", "LEFT"];

            /// Takes the first element from the first of these lists that has any, and gives its key and the
            /// element; waits while all are empty. Null when the timeout has passed.
            ///
            /// [BLPOP](https://redis.io/docs/latest/commands/blpop/), Redis 2.0.0.
            fn blpop(keys: Arguments, timeout: Duration) -> Open waits timeout = "BLPOP", keys, Seconds(timeout);
                example blpop(["a", "b"], Duration::from_secs(5)) => ["BLPOP", "a", "b", "5"];

            /// Takes the last element from the first of these lists that has any, and gives its key and the
            /// element; waits while all are empty. Null when the timeout has passed.
            ///
            /// [BRPOP](https://redis.io/docs/latest/commands/brpop/), Redis 2.0.0.
            fn brpop(keys: Arguments, timeout: Duration) -> Open waits timeout = "BRPOP", keys, Seconds(timeout);
                example brpop("a", Duration::ZERO) => ["BRPOP", "a", "0"];

            /// Takes the last element from one list, adds it before the first of another, and gives it; waits
            /// while the source is empty. Null when the timeout has passed. Redis deprecates it for
            /// [`BLMOVE`](blmove).
            ///
            /// [BRPOPLPUSH](https://redis.io/docs/latest/commands/brpoplpush/), Redis 2.2.0.
            fn brpoplpush(source: Argument, destination: Argument, timeout: Duration) -> Open waits timeout =
                "BRPOPLPUSH", source, destination, Seconds(timeout);
                example brpoplpush("a", "b", Duration::from_secs(5)) => ["BRPOPLPUSH", "a", "b", "5"];

            /// The element at a position, 0 for the first and -1 for the last; null when there is none.
            ///
            /// [LINDEX](https://redis.io/docs/latest/commands/lindex/), Redis 1.0.0.
            fn lindex(key: Argument, index: i64) -> Open = "LINDEX", key, index;
                example lindex("l", -1) => ["LINDEX", "l", "-1"];

            /// Inserts an element after the first one that equals `pivot`, and gives the new length; -1 when
            /// none does, 0 when there is no key.
            ///
            /// [LINSERT](https://redis.io/docs/latest/commands/linsert/), Redis 2.2.0.
            fn linsert_after(key: Argument, pivot: Argument, element: Argument) -> Fixed<i64> =
                "LINSERT", key, "AFTER", pivot, element;
                example linsert_after("l", "a", "b") => ["LINSERT", "l", "AFTER", "a", "b"];

            /// Inserts an element before the first one that equals `pivot`, and gives the new length; -1 when
            /// none does, 0 when there is no key.
            ///
            /// [LINSERT](https://redis.io/docs/latest/commands/linsert/), Redis 2.2.0.
            fn linsert_before(key: Argument, pivot: Argument, element: Argument) -> Fixed<i64> =
                "LINSERT", key, "BEFORE", pivot, element;
                example linsert_before("l", "b", "a") => ["LINSERT", "l", "BEFORE", "b", "a"];

            /// How many elements there are; 0 when there is no key.
            ///
            /// [LLEN](https://redis.io/docs/latest/commands/llen/), Redis 1.0.0.
            fn llen(key: Argument) -> Fixed<u64> = "LLEN", key;
                example llen("l") => ["LLEN", "l"];

            /// Takes an element from one list, adds it to another, and gives it; null when the source is
            /// empty.
            ///
            /// [LMOVE](https://redis.io/docs/latest/commands/lmove/), Redis 6.2.0.
            fn lmove(source: Argument, destination: Argument, from: Side, to: Side) -> Open =
                "LMOVE", source, destination, from, to;
                example lmove("a", "b", Side::Right, Side::Left) => ["LMOVE", "a", "b", "RIGHT", "LEFT"];

            /// Takes elements from one list, adds them to another, and gives them as a list; one without an
            /// option. Null when none was moved.
            ///
            /// [LMOVEM](https://redis.io/docs/latest/commands/lmovem/), Redis 8.10.0.
            fn lmovem(source: Argument, destination: Argument, from: Side, to: Side) -> Open with LMoveM =
                "LMOVEM", source, destination, from, to;
                example lmovem("a", "b", Side::Right, Side::Left) => ["LMOVEM", "a", "b", "RIGHT", "LEFT"];

            /// Takes elements from the first of these lists that has any, and gives its key and a list of
            /// them; null when all are empty.
            ///
            /// [LMPOP](https://redis.io/docs/latest/commands/lmpop/), Redis 7.0.0.
            fn lmpop(keys: Arguments, side: Side) -> Open with LMPop = "LMPOP", Counted(keys), side;
                example lmpop(["a", "b"], Side::Left) => ["LMPOP", "2", "a", "b", "LEFT"];

            /// Takes the first element and gives it; null when there is none.
            ///
            /// [LPOP](https://redis.io/docs/latest/commands/lpop/), Redis 1.0.0.
            fn lpop(key: Argument) -> Open with Pop = "LPOP", key;
                example lpop("l") => ["LPOP", "l"];

            /// The position of the first element that equals this one; null when none does.
            ///
            /// [LPOS](https://redis.io/docs/latest/commands/lpos/), Redis 6.0.6.
            fn lpos(key: Argument, element: Argument) -> Open with LPos = "LPOS", key, element;
                example lpos("l", "a") => ["LPOS", "l", "a"];

            /// Adds elements one by one before the first, so that the last of them comes first, and gives the
            /// new length.
            ///
            /// [LPUSH](https://redis.io/docs/latest/commands/lpush/), Redis 1.0.0.
            fn lpush(key: Argument, elements: Arguments) -> Fixed<u64> = "LPUSH", key, elements;
                example lpush("l", ["a", "b"]) => ["LPUSH", "l", "a", "b"];

            /// As [`LPUSH`](lpush), but only if the key exists; otherwise it gives 0.
            ///
            /// [LPUSHX](https://redis.io/docs/latest/commands/lpushx/), Redis 2.2.0.
            fn lpushx(key: Argument, elements: Arguments) -> Fixed<u64> = "LPUSHX", key, elements;
                example lpushx("l", "a") => ["LPUSHX", "l", "a"];

            /// The elements from `start` to `stop`, both included; a negative position counts from the end.
            ///
            /// [LRANGE](https://redis.io/docs/latest/commands/lrange/), Redis 1.0.0.
            fn lrange(key: Argument, start: i64, stop: i64) -> Open = "LRANGE", key, start, stop;
                example lrange("l", 0, -1) => ["LRANGE", "l", "0", "-1"];

            /// Deletes elements that equal this one, and gives how many: up to `count` from the first on, or
            /// from the last on if it is negative, or all if it is 0.
            ///
            /// [LREM](https://redis.io/docs/latest/commands/lrem/), Redis 1.0.0.
            fn lrem(key: Argument, count: i64, element: Argument) -> Fixed<u64> = "LREM", key, count, element;
                example lrem("l", -2, "a") => ["LREM", "l", "-2", "a"];

            /// Sets the element at a position, 0 for the first and -1 for the last.
            ///
            /// Errors: there is no such position.
            ///
            /// [LSET](https://redis.io/docs/latest/commands/lset/), Redis 1.0.0.
            fn lset(key: Argument, index: i64, element: Argument) -> Fixed<()> = "LSET", key, index, element;
                example lset("l", 0, "a") => ["LSET", "l", "0", "a"];

            /// Deletes all elements but those from `start` to `stop`, both included; a negative position
            /// counts from the end.
            ///
            /// [LTRIM](https://redis.io/docs/latest/commands/ltrim/), Redis 1.0.0.
            fn ltrim(key: Argument, start: i64, stop: i64) -> Fixed<()> = "LTRIM", key, start, stop;
                example ltrim("l", 0, 99) => ["LTRIM", "l", "0", "99"];

            /// Takes the last element and gives it; null when there is none.
            ///
            /// [RPOP](https://redis.io/docs/latest/commands/rpop/), Redis 1.0.0.
            fn rpop(key: Argument) -> Open with Pop = "RPOP", key;
                example rpop("l") => ["RPOP", "l"];

            /// Takes the last element from one list, adds it before the first of another, and gives it; null
            /// when the source is empty. Redis deprecates it for [`LMOVE`](lmove).
            ///
            /// [RPOPLPUSH](https://redis.io/docs/latest/commands/rpoplpush/), Redis 1.2.0.
            fn rpoplpush(source: Argument, destination: Argument) -> Open = "RPOPLPUSH", source, destination;
                example rpoplpush("a", "b") => ["RPOPLPUSH", "a", "b"];

            /// Adds elements after the last one, and gives the new length.
            ///
            /// [RPUSH](https://redis.io/docs/latest/commands/rpush/), Redis 1.0.0.
            fn rpush(key: Argument, elements: Arguments) -> Fixed<u64> = "RPUSH", key, elements;
                example rpush("l", ["a", "b"]) => ["RPUSH", "l", "a", "b"];

            /// As [`RPUSH`](rpush), but only if the key exists; otherwise it gives 0.
            ///
            /// [RPUSHX](https://redis.io/docs/latest/commands/rpushx/), Redis 2.2.0.
            fn rpushx(key: Argument, elements: Arguments) -> Fixed<u64> = "RPUSHX", key, elements;
                example rpushx("l", "a") => ["RPUSHX", "l", "a"];
        }
    };
}
pub(super) use list_commands;

list_commands!(functions);

builder! {
    /// LMOVEM or BLMOVEM and its options: first how many elements, then in which order, always both.
    LMoveM -> Open {
        /// Up to this many elements.
        fn count(count: u64) = "COUNT", count;
        /// Exactly this many elements, or none.
        fn exactly(count: u64) = "EXACTLY", count;
        /// One by one, as that many LMOVE would.
        fn obo() = "OBO";
        /// All at once, in the order they have in the source.
        fn bulk() = "BULK";
    }
    example lmovem("a", "b", Side::Left, Side::Left).count(5).obo() =>
        ["LMOVEM", "a", "b", "LEFT", "LEFT", "COUNT", "5", "OBO"];
    example blmovem("a", "b", Side::Left, Side::Left, Duration::ZERO).exactly(5).bulk() =>
        ["BLMOVEM", "a", "b", "LEFT", "LEFT", "0", "EXACTLY", "5", "BULK"];
}

builder! {
    /// LMPOP or BLMPOP and its option.
    LMPop -> Open {
        /// Takes up to this many elements, 1 by default.
        fn count(count: u64) = "COUNT", count;
    }
    example lmpop("l", Side::Right).count(10) => ["LMPOP", "1", "l", "RIGHT", "COUNT", "10"];
    example blmpop(Duration::ZERO, "l", Side::Right).count(10) => ["BLMPOP", "0", "1", "l", "RIGHT", "COUNT", "10"];
}

builder! {
    /// LPOS and its options.
    LPos -> Open {
        /// Begins at the match of this rank, 1 for the first; if negative, from the last on backwards.
        fn rank(rank: i64) = "RANK", rank;
        /// Gives a list of up to this many positions, of all when 0.
        fn count(count: u64) = "COUNT", count;
        /// Compares this many elements at most, all when 0.
        fn maxlen(length: u64) = "MAXLEN", length;
    }
    example lpos("l", "a").rank(-1).count(0).maxlen(1000) =>
        ["LPOS", "l", "a", "RANK", "-1", "COUNT", "0", "MAXLEN", "1000"];
}

builder! {
    /// LPOP or RPOP and its option.
    Pop -> Open {
        /// Takes up to this many elements and gives a list of them; null when there is no key. Redis 6.2.0.
        fn count(count: u64) = count;
    }
    example lpop("l").count(10) => ["LPOP", "l", "10"];
    example rpop("l").count(10) => ["RPOP", "l", "10"];
}
