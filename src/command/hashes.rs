//! Hashes: keys that hold fields with values, each of which may expire by itself.

use super::{
    Cmd, Fixed, Open,
    argument::{Counted, CountedPairs},
};

macro_rules! hash_commands {
    ($emit:ident) => {
        $emit! {
            /// Deletes fields, and gives how many there were.
            ///
            /// [HDEL](https://redis.io/docs/latest/commands/hdel/), Redis 2.0.0.
            fn hdel(key: Argument, fields: Arguments) -> Fixed<u64> = "HDEL", key, fields;
                example hdel("h", ["f", "g"]) => ["HDEL", "h", "f", "g"];

            /// Whether a field exists.
            ///
            /// [HEXISTS](https://redis.io/docs/latest/commands/hexists/), Redis 2.0.0.
            fn hexists(key: Argument, field: Argument) -> Fixed<bool> = "HEXISTS", key, field;
                example hexists("h", "f") => ["HEXISTS", "h", "f"];

            /// Lets fields expire in this many seconds. Gives a number for each: 1 when it will, 2 when it was
            /// deleted at once since that time is 0, 0 when a condition forbade it, -2 when there is no such
            /// field.
            ///
            /// [HEXPIRE](https://redis.io/docs/latest/commands/hexpire/), Redis 7.4.0.
            fn hexpire(key: Argument, seconds: u64, fields: Arguments) -> Open with HExpire =
                "HEXPIRE", key, seconds => "FIELDS", Counted(fields);
                example hexpire("h", 60, ["f", "g"]) => ["HEXPIRE", "h", "60", "FIELDS", "2", "f", "g"];

            /// Lets fields expire at a Unix time in seconds. Gives the numbers of [`HEXPIRE`](hexpire).
            ///
            /// [HEXPIREAT](https://redis.io/docs/latest/commands/hexpireat/), Redis 7.4.0.
            fn hexpireat(key: Argument, unix_seconds: u64, fields: Arguments) -> Open with HExpire =
                "HEXPIREAT", key, unix_seconds => "FIELDS", Counted(fields);
                example hexpireat("h", 1893456000, "f") => ["HEXPIREAT", "h", "1893456000", "FIELDS", "1", "f"];

            /// When fields expire, as Unix time in seconds: a number for each, -1 if it does not, -2 when
            /// there is no such field.
            ///
            /// [HEXPIRETIME](https://redis.io/docs/latest/commands/hexpiretime/), Redis 7.4.0.
            fn hexpiretime(key: Argument, fields: Arguments) -> Open = "HEXPIRETIME", key, "FIELDS", Counted(fields);
                example hexpiretime("h", "f") => ["HEXPIRETIME", "h", "FIELDS", "1", "f"];

            /// The value of a field; null when there is none.
            ///
            /// [HGET](https://redis.io/docs/latest/commands/hget/), Redis 2.0.0.
            fn hget(key: Argument, field: Argument) -> Open = "HGET", key, field;
                example hget("h", "f") => ["HGET", "h", "f"];

            /// All fields and their values; an empty map when there is no key.
            ///
            /// [HGETALL](https://redis.io/docs/latest/commands/hgetall/), Redis 2.0.0.
            fn hgetall(key: Argument) -> Open = "HGETALL", key;
                example hgetall("h") => ["HGETALL", "h"];

            /// The values of fields, which are deleted: in order, null for a field that there is not.
            ///
            /// [HGETDEL](https://redis.io/docs/latest/commands/hgetdel/), Redis 8.0.0.
            fn hgetdel(key: Argument, fields: Arguments) -> Open = "HGETDEL", key, "FIELDS", Counted(fields);
                example hgetdel("h", ["f", "g"]) => ["HGETDEL", "h", "FIELDS", "2", "f", "g"];

            /// The values of fields, whose time to live changes as an option says: in order, null for a field
            /// that there is not.
            ///
            /// [HGETEX](https://redis.io/docs/latest/commands/hgetex/), Redis 8.0.0.
            fn hgetex(key: Argument, fields: Arguments) -> Open with HGetEx = "HGETEX", key => "FIELDS", Counted(fields);
                example hgetex("h", "f") => ["HGETEX", "h", "FIELDS", "1", "f"];

            /// Adds a number to the integer of a field, which is 0 when there is none, and gives the sum.
            ///
            /// Errors: the value is no integer, or the result does not fit 64 bits.
            ///
            /// [HINCRBY](https://redis.io/docs/latest/commands/hincrby/), Redis 2.0.0.
            fn hincrby(key: Argument, field: Argument, increment: i64) -> Fixed<i64> = "HINCRBY", key, field, increment;
                example hincrby("h", "f", -5) => ["HINCRBY", "h", "f", "-5"];

            /// Adds a number to the floating point number of a field, which is 0 when there is none, and
            /// gives the sum.
            ///
            /// Errors: the value is no number, or the result is infinite or none.
            ///
            /// [HINCRBYFLOAT](https://redis.io/docs/latest/commands/hincrbyfloat/), Redis 2.6.0.
            fn hincrbyfloat(key: Argument, field: Argument, increment: f64) -> Fixed<f64> =
                "HINCRBYFLOAT", key, field, increment;
                example hincrbyfloat("h", "f", 0.5) => ["HINCRBYFLOAT", "h", "f", "0.5"];

            /// All fields.
            ///
            /// [HKEYS](https://redis.io/docs/latest/commands/hkeys/), Redis 2.0.0.
            fn hkeys(key: Argument) -> Open = "HKEYS", key;
                example hkeys("h") => ["HKEYS", "h"];

            /// How many fields there are; 0 when there is no key.
            ///
            /// [HLEN](https://redis.io/docs/latest/commands/hlen/), Redis 2.0.0.
            fn hlen(key: Argument) -> Fixed<u64> = "HLEN", key;
                example hlen("h") => ["HLEN", "h"];

            /// The values of fields: in order, null for a field that there is not.
            ///
            /// [HMGET](https://redis.io/docs/latest/commands/hmget/), Redis 2.0.0.
            fn hmget(key: Argument, fields: Arguments) -> Open = "HMGET", key, fields;
                example hmget("h", ["f", "g"]) => ["HMGET", "h", "f", "g"];

            /// Sets fields: pairs of field and value. Redis deprecates it for [`HSET`](hset).
            ///
            /// [HMSET](https://redis.io/docs/latest/commands/hmset/), Redis 2.0.0.
            fn hmset(key: Argument, pairs: Arguments) -> Fixed<()> = "HMSET", key, pairs;
                example hmset("h", [("f", 1), ("g", 2)]) => ["HMSET", "h", "f", "1", "g", "2"];

            /// Takes the time to live from fields. Gives a number for each: 1 when it did, -1 when it had
            /// none, -2 when there is no such field.
            ///
            /// [HPERSIST](https://redis.io/docs/latest/commands/hpersist/), Redis 7.4.0.
            fn hpersist(key: Argument, fields: Arguments) -> Open = "HPERSIST", key, "FIELDS", Counted(fields);
                example hpersist("h", "f") => ["HPERSIST", "h", "FIELDS", "1", "f"];

            /// Lets fields expire in this many milliseconds. Gives the numbers of [`HEXPIRE`](hexpire).
            ///
            /// [HPEXPIRE](https://redis.io/docs/latest/commands/hpexpire/), Redis 7.4.0.
            fn hpexpire(key: Argument, milliseconds: u64, fields: Arguments) -> Open with HExpire =
                "HPEXPIRE", key, milliseconds => "FIELDS", Counted(fields);
                example hpexpire("h", 1500, "f") => ["HPEXPIRE", "h", "1500", "FIELDS", "1", "f"];

            /// Lets fields expire at a Unix time in milliseconds. Gives the numbers of [`HEXPIRE`](hexpire).
            ///
            /// [HPEXPIREAT](https://redis.io/docs/latest/commands/hpexpireat/), Redis 7.4.0.
            fn hpexpireat(key: Argument, unix_milliseconds: u64, fields: Arguments) -> Open with HExpire =
                "HPEXPIREAT", key, unix_milliseconds => "FIELDS", Counted(fields);
                example hpexpireat("h", 1893456000000, "f") => ["HPEXPIREAT", "h", "1893456000000", "FIELDS", "1", "f"];

            /// When fields expire, as Unix time in milliseconds: a number for each, -1 if it does not, -2
            /// when there is no such field.
            ///
            /// [HPEXPIRETIME](https://redis.io/docs/latest/commands/hpexpiretime/), Redis 7.4.0.
            fn hpexpiretime(key: Argument, fields: Arguments) -> Open = "HPEXPIRETIME", key, "FIELDS", Counted(fields);
                example hpexpiretime("h", "f") => ["HPEXPIRETIME", "h", "FIELDS", "1", "f"];

            /// The times to live of fields in milliseconds: a number for each, -1 if it does not expire, -2
            /// when there is no such field.
            ///
            /// [HPTTL](https://redis.io/docs/latest/commands/hpttl/), Redis 7.4.0.
            fn hpttl(key: Argument, fields: Arguments) -> Open = "HPTTL", key, "FIELDS", Counted(fields);
                example hpttl("h", "f") => ["HPTTL", "h", "FIELDS", "1", "f"];

            /// Any field; null when there is no key.
            ///
            /// [HRANDFIELD](https://redis.io/docs/latest/commands/hrandfield/), Redis 6.2.0.
            fn hrandfield(key: Argument) -> Open with HRandField = "HRANDFIELD", key;
                example hrandfield("h") => ["HRANDFIELD", "h"];

            /// Some fields and values, and the cursor for the next call. Begin with cursor 0, and end when 0
            /// comes back. The reply is a cursor and a list of fields and values in turn, which may be empty
            /// before the end.
            ///
            /// [HSCAN](https://redis.io/docs/latest/commands/hscan/), Redis 2.8.0.
            fn hscan(key: Argument, cursor: u64) -> Open with HScan = "HSCAN", key, cursor;
                example hscan("h", 0) => ["HSCAN", "h", "0"];

            /// Sets fields: pairs of field and value, more than one since Redis 4.0.0. Gives how many fields
            /// are new.
            ///
            /// [HSET](https://redis.io/docs/latest/commands/hset/), Redis 2.0.0.
            fn hset(key: Argument, pairs: Arguments) -> Fixed<u64> = "HSET", key, pairs;
                example hset("h", [("f", 1), ("g", 2)]) => ["HSET", "h", "f", "1", "g", "2"];

            /// Sets fields and their time to live: pairs of field and value. Gives whether it did, which a
            /// condition may forbid.
            ///
            /// [HSETEX](https://redis.io/docs/latest/commands/hsetex/), Redis 8.0.0.
            fn hsetex(key: Argument, pairs: Arguments) -> Fixed<bool> with HSetEx =
                "HSETEX", key => "FIELDS", CountedPairs(pairs);
                example hsetex("h", [("f", 1), ("g", 2)]) => ["HSETEX", "h", "FIELDS", "2", "f", "1", "g", "2"];

            /// Sets a field if there is none, and gives whether it did.
            ///
            /// [HSETNX](https://redis.io/docs/latest/commands/hsetnx/), Redis 2.0.0.
            fn hsetnx(key: Argument, field: Argument, value: Argument) -> Fixed<bool> = "HSETNX", key, field, value;
                example hsetnx("h", "f", 1) => ["HSETNX", "h", "f", "1"];

            /// The length of the value of a field in bytes; 0 when there is none.
            ///
            /// [HSTRLEN](https://redis.io/docs/latest/commands/hstrlen/), Redis 3.2.0.
            fn hstrlen(key: Argument, field: Argument) -> Fixed<u64> = "HSTRLEN", key, field;
                example hstrlen("h", "f") => ["HSTRLEN", "h", "f"];

            /// The times to live of fields in seconds: a number for each, -1 if it does not expire, -2 when
            /// there is no such field.
            ///
            /// [HTTL](https://redis.io/docs/latest/commands/httl/), Redis 7.4.0.
            fn httl(key: Argument, fields: Arguments) -> Open = "HTTL", key, "FIELDS", Counted(fields);
                example httl("h", ["f", "g"]) => ["HTTL", "h", "FIELDS", "2", "f", "g"];

            /// All values.
            ///
            /// [HVALS](https://redis.io/docs/latest/commands/hvals/), Redis 2.0.0.
            fn hvals(key: Argument) -> Open = "HVALS", key;
                example hvals("h") => ["HVALS", "h"];
        }
    };
}
pub(super) use hash_commands;

hash_commands!(functions);

// What HIMPORT prepares belongs to the connection, so these are no methods.
functions! {
    /// Forgets a fieldset of the connection, and gives whether there was one.
    ///
    /// [HIMPORT DISCARD](https://redis.io/docs/latest/commands/himport-discard/), Redis 8.10.0.
    fn himport_discard(fieldset: Argument) -> Fixed<bool> = "HIMPORT", "DISCARD", fieldset;
        example himport_discard("user") => ["HIMPORT", "DISCARD", "user"];

    /// Forgets all fieldsets of the connection, and gives how many there were.
    ///
    /// [HIMPORT DISCARDALL](https://redis.io/docs/latest/commands/himport-discardall/), Redis 8.10.0.
    fn himport_discardall() -> Fixed<u64> = "HIMPORT", "DISCARDALL";
        example himport_discardall() => ["HIMPORT", "DISCARDALL"];

    /// Gives a list of fields a name, for as long as the connection lasts: a fieldset for [`HIMPORT
    /// SET`](himport_set).
    ///
    /// [HIMPORT PREPARE](https://redis.io/docs/latest/commands/himport-prepare/), Redis 8.10.0.
    fn himport_prepare(fieldset: Argument, fields: Arguments) -> Fixed<()> = "HIMPORT", "PREPARE", fieldset, fields;
        example himport_prepare("user", ["name", "age"]) => ["HIMPORT", "PREPARE", "user", "name", "age"];

    /// Makes a hash of the fields of a fieldset and as many values, in place of what the key may hold.
    ///
    /// Errors: this connection has not prepared the fieldset; it has another number of fields.
    ///
    /// [HIMPORT SET](https://redis.io/docs/latest/commands/himport-set/), Redis 8.10.0.
    fn himport_set(key: Argument, fieldset: Argument, values: Arguments) -> Fixed<()> =
        "HIMPORT", "SET", key, fieldset, values;
        example himport_set("user:1", "user", ("Alice", 30)) => ["HIMPORT", "SET", "user:1", "user", "Alice", "30"];
}

builder! {
    /// HEXPIRE, HPEXPIRE, HEXPIREAT or HPEXPIREAT and its conditions, of which it takes one.
    HExpire -> Open {
        /// Only fields that do not expire.
        fn nx() = "NX";
        /// Only fields that expire.
        fn xx() = "XX";
        /// Only fields that expire sooner.
        fn gt() = "GT";
        /// Only fields that expire later or never.
        fn lt() = "LT";
    }
    example hexpire("h", 60, "f").nx() => ["HEXPIRE", "h", "60", "NX", "FIELDS", "1", "f"];
    example hexpireat("h", 60, "f").xx() => ["HEXPIREAT", "h", "60", "XX", "FIELDS", "1", "f"];
    example hpexpire("h", 60, "f").gt() => ["HPEXPIRE", "h", "60", "GT", "FIELDS", "1", "f"];
    example hpexpireat("h", 60, "f").lt() => ["HPEXPIREAT", "h", "60", "LT", "FIELDS", "1", "f"];
}

builder! {
    /// HGETEX and what becomes of the times to live; it takes one.
    HGetEx -> Open {
        /// They expire in this many seconds.
        fn ex(seconds: u64) = "EX", seconds;
        /// They expire in this many milliseconds.
        fn px(milliseconds: u64) = "PX", milliseconds;
        /// They expire at this Unix time in seconds.
        fn exat(unix_seconds: u64) = "EXAT", unix_seconds;
        /// They expire at this Unix time in milliseconds.
        fn pxat(unix_milliseconds: u64) = "PXAT", unix_milliseconds;
        /// They never expire.
        fn persist() = "PERSIST";
    }
    example hgetex("h", "f").ex(1).px(2).exat(3).pxat(4).persist() =>
        ["HGETEX", "h", "EX", "1", "PX", "2", "EXAT", "3", "PXAT", "4", "PERSIST", "FIELDS", "1", "f"];
}

builder! {
    /// HRANDFIELD and its options: first [`count`](Self::count), then [`withvalues`](Self::withvalues).
    HRandField -> Open {
        /// Gives a list of up to this many different fields; of exactly this many, of which some may be the same,
        /// if negative.
        fn count(count: i64) = count;
        /// Gives the values too.
        fn withvalues() = "WITHVALUES";
    }
    example hrandfield("h").count(-5).withvalues() => ["HRANDFIELD", "h", "-5", "WITHVALUES"];
}

builder! {
    /// HSCAN and its options.
    HScan -> Open {
        /// Only fields that match. It is applied last, so a reply may well be empty.
        fn matching(pattern: Argument) = "MATCH", pattern;
        /// Looks at about this many fields, 10 by default. A small hash comes as a whole all the same.
        fn count(count: u64) = "COUNT", count;
        /// Gives the fields alone. Redis 7.4.0.
        fn novalues() = "NOVALUES";
    }
    example hscan("h", 0).matching("f*").count(100).novalues() =>
        ["HSCAN", "h", "0", "MATCH", "f*", "COUNT", "100", "NOVALUES"];
}

builder! {
    /// HSETEX and its options: one condition, one time to live.
    HSetEx -> Fixed<bool> {
        /// Only if none of the fields exists.
        fn fnx() = "FNX";
        /// Only if all of the fields exist.
        fn fxx() = "FXX";
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
    example hsetex("h", ("f", 1)).fnx().fxx().ex(1).px(2).exat(3).pxat(4).keepttl() =>
        ["HSETEX", "h", "FNX", "FXX", "EX", "1", "PX", "2", "EXAT", "3", "PXAT", "4", "KEEPTTL", "FIELDS", "1", "f", "1"];
}
