//! Strings and counters.

use super::{Cmd, Fixed, Open, argument::CountedPairs};

macro_rules! string_commands {
    ($emit:ident) => {
        $emit! {
            /// Appends to the string at a key, which is empty when the key does not exist, and gives its new
            /// length in bytes.
            ///
            /// [APPEND](https://redis.io/docs/latest/commands/append/), Redis 2.0.0.
            fn append(key: Argument, value: Argument) -> Fixed<u64> = "APPEND", key, value;
                example append("key", "more") => ["APPEND", "key", "more"];

            /// Takes one from the integer at a key, which is 0 when the key does not exist, and gives the
            /// difference.
            ///
            /// Errors: the value is no integer, or the result does not fit 64 bits.
            ///
            /// [DECR](https://redis.io/docs/latest/commands/decr/), Redis 1.0.0.
            fn decr(key: Argument) -> Fixed<i64> = "DECR", key;
                example decr("key") => ["DECR", "key"];

            /// Takes a number from the integer at a key, which is 0 when the key does not exist, and gives
            /// the difference.
            ///
            /// Errors: the value is no integer, or the result does not fit 64 bits.
            ///
            /// [DECRBY](https://redis.io/docs/latest/commands/decrby/), Redis 1.0.0.
            fn decrby(key: Argument, decrement: i64) -> Fixed<i64> = "DECRBY", key, decrement;
                example decrby("key", 5) => ["DECRBY", "key", "5"];

            /// Deletes a key if its string compares as an option says; without an option, whatever it holds.
            /// Gives whether it was deleted.
            ///
            /// [DELEX](https://redis.io/docs/latest/commands/delex/), Redis 8.4.0.
            fn delex(key: Argument) -> Fixed<bool> with DelEx = "DELEX", key;
                example delex("key") => ["DELEX", "key"];

            /// The digest of the string at a key, as 16 hexadecimal digits, for [`SET`](set) and
            /// [`DELEX`](delex) to compare with; null when there is no key.
            ///
            /// [DIGEST](https://redis.io/docs/latest/commands/digest/), Redis 8.4.0.
            fn digest(key: Argument) -> Open = "DIGEST", key;
                example digest("key") => ["DIGEST", "key"];

            /// The string at a key; null when there is no key.
            ///
            /// Errors: the key holds another type.
            ///
            /// [GET](https://redis.io/docs/latest/commands/get/), Redis 1.0.0.
            fn get(key: Argument) -> Open = "GET", key;
                example get("key") => ["GET", "key"];

            /// The string at a key, which is deleted; null when there is no key.
            ///
            /// [GETDEL](https://redis.io/docs/latest/commands/getdel/), Redis 6.2.0.
            fn getdel(key: Argument) -> Open = "GETDEL", key;
                example getdel("key") => ["GETDEL", "key"];

            /// The string at a key, whose time to live changes as an option says; null when there is no key.
            ///
            /// [GETEX](https://redis.io/docs/latest/commands/getex/), Redis 6.2.0.
            fn getex(key: Argument) -> Open with GetEx = "GETEX", key;
                example getex("key") => ["GETEX", "key"];

            /// The bytes of a string from `start` to `end`, both included; a negative position counts from
            /// the end. Empty when there is no key.
            ///
            /// [GETRANGE](https://redis.io/docs/latest/commands/getrange/), Redis 2.4.0.
            fn getrange(key: Argument, start: i64, end: i64) -> Open = "GETRANGE", key, start, end;
                example getrange("key", 0, -1) => ["GETRANGE", "key", "0", "-1"];

            /// Sets a key to a string and gives the one that was there, or null. Redis deprecates it for
            /// [`SET`](set) with [`get`](Set::get).
            ///
            /// [GETSET](https://redis.io/docs/latest/commands/getset/), Redis 1.0.0.
            fn getset(key: Argument, value: Argument) -> Open = "GETSET", key, value;
                example getset("key", "new") => ["GETSET", "key", "new"];

            /// Adds one to the integer at a key, which is 0 when the key does not exist, and gives the sum.
            ///
            /// Errors: the value is no integer, or the result does not fit 64 bits.
            ///
            /// [INCR](https://redis.io/docs/latest/commands/incr/), Redis 1.0.0.
            fn incr(key: Argument) -> Fixed<i64> = "INCR", key;
                example incr("key") => ["INCR", "key"];

            /// Adds a number to the integer at a key, which is 0 when the key does not exist, and gives the
            /// sum.
            ///
            /// Errors: the value is no integer, or the result does not fit 64 bits.
            ///
            /// [INCRBY](https://redis.io/docs/latest/commands/incrby/), Redis 1.0.0.
            fn incrby(key: Argument, increment: i64) -> Fixed<i64> = "INCRBY", key, increment;
                example incrby("key", -5) => ["INCRBY", "key", "-5"];

            /// Adds a number to the floating point number at a key, which is 0 when the key does not exist,
            /// and gives the sum. The server calculates with more digits than an `f64` has.
            ///
            /// Errors: the value is no number, or the result is infinite or none.
            ///
            /// [INCRBYFLOAT](https://redis.io/docs/latest/commands/incrbyfloat/), Redis 2.6.0.
            fn incrbyfloat(key: Argument, increment: f64) -> Fixed<f64> = "INCRBYFLOAT", key, increment;
                example incrbyfloat("key", 0.5) => ["INCRBYFLOAT", "key", "0.5"];

            /// Adds to the number at a key within bounds, and sets when the key expires: a rate limiter in
            /// one command. Without options it adds one. Gives two numbers: the new value and what was added,
            /// which is 0 when a bound forbade it.
            ///
            /// [INCREX](https://redis.io/docs/latest/commands/increx/), Redis 8.8.0.
            fn increx(key: Argument) -> Open with IncrEx = "INCREX", key;
                example increx("key") => ["INCREX", "key"];

            /// The longest common subsequence of the strings at two keys; empty when there is none.
            ///
            /// [LCS](https://redis.io/docs/latest/commands/lcs/), Redis 7.0.0.
            fn lcs(first_key: Argument, second_key: Argument) -> Open with Lcs = "LCS", first_key, second_key;
                example lcs("a", "b") => ["LCS", "a", "b"];

            /// The strings at several keys, in order; null for a key that does not exist or holds another
            /// type.
            ///
            /// [MGET](https://redis.io/docs/latest/commands/mget/), Redis 1.0.0.
            fn mget(keys: Arguments) -> Open = "MGET", keys;
                example mget(["a", "b"]) => ["MGET", "a", "b"];

            /// Sets several keys to strings at once: pairs of key and value.
            ///
            /// [MSET](https://redis.io/docs/latest/commands/mset/), Redis 1.0.1.
            fn mset(pairs: Arguments) -> Fixed<()> = "MSET", pairs;
                example mset([("a", 1), ("b", 2)]) => ["MSET", "a", "1", "b", "2"];

            /// Sets several keys to strings at once, with one time to live for all: pairs of key and value.
            /// Gives whether it did, which a condition may forbid.
            ///
            /// [MSETEX](https://redis.io/docs/latest/commands/msetex/), Redis 8.4.0.
            fn msetex(pairs: Arguments) -> Fixed<bool> with MSetEx = "MSETEX", CountedPairs(pairs);
                example msetex([("a", 1), ("b", 2)]) => ["MSETEX", "2", "a", "1", "b", "2"];

            /// Sets several keys to strings if none of them exists: pairs of key and value. Gives whether it
            /// did.
            ///
            /// [MSETNX](https://redis.io/docs/latest/commands/msetnx/), Redis 1.0.1.
            fn msetnx(pairs: Arguments) -> Fixed<bool> = "MSETNX", pairs;
                example msetnx([("a", 1), ("b", 2)]) => ["MSETNX", "a", "1", "b", "2"];

            /// Sets a key to a string that expires in this many milliseconds. Redis deprecates it for
            /// [`SET`](set) with [`px`](Set::px).
            ///
            /// Errors: `milliseconds` is 0.
            ///
            /// [PSETEX](https://redis.io/docs/latest/commands/psetex/), Redis 2.6.0.
            fn psetex(key: Argument, milliseconds: u64, value: Argument) -> Fixed<()> = "PSETEX", key, milliseconds, value;
                example psetex("key", 1500, "value") => ["PSETEX", "key", "1500", "value"];

            /// Sets a key to a string, whatever it held. Gives true; with a condition, whether it held.
            ///
            /// [SET](https://redis.io/docs/latest/commands/set/), Redis 1.0.0.
            fn set(key: Argument, value: Argument) -> Fixed<bool> with Set = "SET", key, value;
                example set("key", "value") => ["SET", "key", "value"];

            /// Sets a key to a string that expires in this many seconds. Redis deprecates it for [`SET`](set)
            /// with [`ex`](Set::ex).
            ///
            /// Errors: `seconds` is 0.
            ///
            /// [SETEX](https://redis.io/docs/latest/commands/setex/), Redis 2.0.0.
            fn setex(key: Argument, seconds: u64, value: Argument) -> Fixed<()> = "SETEX", key, seconds, value;
                example setex("key", 60, "value") => ["SETEX", "key", "60", "value"];

            /// Sets a key to a string if the key does not exist, and gives whether it did. Redis deprecates
            /// it for [`SET`](set) with [`nx`](Set::nx).
            ///
            /// [SETNX](https://redis.io/docs/latest/commands/setnx/), Redis 1.0.0.
            fn setnx(key: Argument, value: Argument) -> Fixed<bool> = "SETNX", key, value;
                example setnx("key", "value") => ["SETNX", "key", "value"];

            /// Overwrites a string from the byte at `offset` on, with zero bytes before it if the string is
            /// shorter, and gives its new length in bytes.
            ///
            /// [SETRANGE](https://redis.io/docs/latest/commands/setrange/), Redis 2.2.0.
            fn setrange(key: Argument, offset: u64, value: Argument) -> Fixed<u64> = "SETRANGE", key, offset, value;
                example setrange("key", 6, "Redis") => ["SETRANGE", "key", "6", "Redis"];

            /// The length of the string at a key in bytes; 0 when there is no key.
            ///
            /// [STRLEN](https://redis.io/docs/latest/commands/strlen/), Redis 2.2.0.
            fn strlen(key: Argument) -> Fixed<u64> = "STRLEN", key;
                example strlen("key") => ["STRLEN", "key"];

            /// The bytes of a string from `start` to `end`. Redis deprecates it for [`GETRANGE`](getrange),
            /// which is the same.
            ///
            /// [SUBSTR](https://redis.io/docs/latest/commands/substr/), Redis 1.0.0.
            fn substr(key: Argument, start: i64, end: i64) -> Open = "SUBSTR", key, start, end;
                example substr("key", 0, -1) => ["SUBSTR", "key", "0", "-1"];
        }
    };
}
pub(super) use string_commands;

string_commands!(functions);

builder! {
    /// DELEX and its conditions, of which it takes one.
    DelEx -> Fixed<bool> {
        /// Only if the string equals this one.
        fn ifeq(value: Argument) = "IFEQ", value;
        /// Only if the string differs from this one.
        fn ifne(value: Argument) = "IFNE", value;
        /// Only if the string has this [`digest`].
        fn ifdeq(digest: Argument) = "IFDEQ", digest;
        /// Only if the string has another [`digest`].
        fn ifdne(digest: Argument) = "IFDNE", digest;
    }
    example delex("key").ifeq("a").ifne("b").ifdeq("c").ifdne("d") =>
        ["DELEX", "key", "IFEQ", "a", "IFNE", "b", "IFDEQ", "c", "IFDNE", "d"];
}

builder! {
    /// GETEX and what becomes of the time to live; it takes one.
    GetEx -> Open {
        /// Expires in this many seconds.
        fn ex(seconds: u64) = "EX", seconds;
        /// Expires in this many milliseconds.
        fn px(milliseconds: u64) = "PX", milliseconds;
        /// Expires at this Unix time in seconds.
        fn exat(unix_seconds: u64) = "EXAT", unix_seconds;
        /// Expires at this Unix time in milliseconds.
        fn pxat(unix_milliseconds: u64) = "PXAT", unix_milliseconds;
        /// Never expires.
        fn persist() = "PERSIST";
    }
    example getex("key").ex(1).px(2).exat(3).pxat(4).persist() =>
        ["GETEX", "key", "EX", "1", "PX", "2", "EXAT", "3", "PXAT", "4", "PERSIST"];
}

builder! {
    /// INCREX and its options.
    IncrEx -> Open {
        /// Adds this integer.
        fn byint(increment: i64) = "BYINT", increment;
        /// Adds this floating point number; the reply holds floating point numbers then.
        fn byfloat(increment: f64) = "BYFLOAT", increment;
        /// The result is at least this number.
        fn lbound(bound: Argument) = "LBOUND", bound;
        /// The result is at most this number.
        fn ubound(bound: Argument) = "UBOUND", bound;
        /// A result beyond a bound becomes the bound; otherwise the number stays as it is.
        fn saturate() = "SATURATE";
        /// Expires in this many seconds.
        fn ex(seconds: u64) = "EX", seconds;
        /// Expires in this many milliseconds.
        fn px(milliseconds: u64) = "PX", milliseconds;
        /// Expires at this Unix time in seconds.
        fn exat(unix_seconds: u64) = "EXAT", unix_seconds;
        /// Expires at this Unix time in milliseconds.
        fn pxat(unix_milliseconds: u64) = "PXAT", unix_milliseconds;
        /// Never expires.
        fn persist() = "PERSIST";
        /// Sets the time to live only if there is none.
        fn enx() = "ENX";
    }
    example increx("key").byint(-2).lbound(0).ubound(10).saturate().ex(60).enx() =>
        ["INCREX", "key", "BYINT", "-2", "LBOUND", "0", "UBOUND", "10", "SATURATE", "EX", "60", "ENX"];
    example increx("key").byfloat(0.5).px(1).exat(2).pxat(3).persist() =>
        ["INCREX", "key", "BYFLOAT", "0.5", "PX", "1", "EXAT", "2", "PXAT", "3", "PERSIST"];
}

builder! {
    /// LCS and its options.
    Lcs -> Open {
        /// Gives the length alone.
        fn len() -> Fixed<u64> = "LEN";
        /// Gives where the matches are in both strings, and the length.
        fn idx() = "IDX";
        /// With [`idx`](Self::idx): leaves out matches shorter than this many bytes.
        fn minmatchlen(length: u64) = "MINMATCHLEN", length;
        /// With [`idx`](Self::idx): gives the length of each match too.
        fn withmatchlen() = "WITHMATCHLEN";
    }
    example lcs("a", "b").len() => ["LCS", "a", "b", "LEN"];
    example lcs("a", "b").idx().minmatchlen(4).withmatchlen() =>
        ["LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN"];
}

builder! {
    /// MSETEX and its options: one condition, one time to live.
    MSetEx -> Fixed<bool> {
        /// Only if none of the keys exists.
        fn nx() = "NX";
        /// Only if all of the keys exist.
        fn xx() = "XX";
        /// They expire in this many seconds.
        fn ex(seconds: u64) = "EX", seconds;
        /// They expire in this many milliseconds.
        fn px(milliseconds: u64) = "PX", milliseconds;
        /// They expire at this Unix time in seconds.
        fn exat(unix_seconds: u64) = "EXAT", unix_seconds;
        /// They expire at this Unix time in milliseconds.
        fn pxat(unix_milliseconds: u64) = "PXAT", unix_milliseconds;
        /// They keep the times to live they have.
        fn keepttl() = "KEEPTTL";
    }
    example msetex(("a", 1)).nx().xx().ex(1).px(2).exat(3).pxat(4).keepttl() =>
        ["MSETEX", "1", "a", "1", "NX", "XX", "EX", "1", "PX", "2", "EXAT", "3", "PXAT", "4", "KEEPTTL"];
}

builder! {
    /// SET and its options: one condition, one time to live, and [`get`](Self::get).
    Set -> Fixed<bool> {
        /// Only if the key does not exist. Redis 2.6.12.
        fn nx() = "NX";
        /// Only if the key exists. Redis 2.6.12.
        fn xx() = "XX";
        /// Only if the key holds this string. Redis 8.4.0.
        fn ifeq(value: Argument) = "IFEQ", value;
        /// Only if the key holds another string, or does not exist. Redis 8.4.0.
        fn ifne(value: Argument) = "IFNE", value;
        /// Only if the string has this [`digest`]. Redis 8.4.0.
        fn ifdeq(digest: Argument) = "IFDEQ", digest;
        /// Only if the string has another [`digest`], or the key does not exist. Redis 8.4.0.
        fn ifdne(digest: Argument) = "IFDNE", digest;
        /// Gives the string that was there, or null, instead of whether it was set. Redis 6.2.0.
        fn get() -> Open = "GET";
        /// Expires in this many seconds. Redis 2.6.12.
        fn ex(seconds: u64) = "EX", seconds;
        /// Expires in this many milliseconds. Redis 2.6.12.
        fn px(milliseconds: u64) = "PX", milliseconds;
        /// Expires at this Unix time in seconds. Redis 6.2.0.
        fn exat(unix_seconds: u64) = "EXAT", unix_seconds;
        /// Expires at this Unix time in milliseconds. Redis 6.2.0.
        fn pxat(unix_milliseconds: u64) = "PXAT", unix_milliseconds;
        /// Keeps the time to live that the key has. Redis 6.0.0.
        fn keepttl() = "KEEPTTL";
    }
    example set("key", 1).nx().ifeq("a").ifdeq("b").ex(1).exat(2).keepttl() =>
        ["SET", "key", "1", "NX", "IFEQ", "a", "IFDEQ", "b", "EX", "1", "EXAT", "2", "KEEPTTL"];
    example set("key", 1).xx().ifne("a").ifdne("b").get().px(1).pxat(2) =>
        ["SET", "key", "1", "XX", "IFNE", "a", "IFDNE", "b", "GET", "PX", "1", "PXAT", "2"];
}
