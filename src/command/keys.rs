//! Keys of any type.

use super::{Cmd, Fixed, Open, Patience, argument::Milliseconds};
use crate::time::Duration;

macro_rules! key_commands {
    ($emit:ident) => {
        $emit! {
            /// Copies the value of a key and its time to live to another key, and gives whether it did: not
            /// when the source does not exist, or the destination does.
            ///
            /// [COPY](https://redis.io/docs/latest/commands/copy/), Redis 6.2.0.
            fn copy(source: Argument, destination: Argument) -> Fixed<bool> with CopyKey = "COPY", source, destination;
                example copy("a", "b") => ["COPY", "a", "b"];

            /// Deletes keys, and gives how many there were. Large values take the server a while; see
            /// [`unlink`].
            ///
            /// [DEL](https://redis.io/docs/latest/commands/del/), Redis 1.0.0.
            fn del(keys: Arguments) -> Fixed<u64> = "DEL", keys;
                example del(["a", "b"]) => ["DEL", "a", "b"];

            /// The value of a key as bytes for [`RESTORE`](restore), without its time to live; null when
            /// there is no key.
            ///
            /// [DUMP](https://redis.io/docs/latest/commands/dump/), Redis 2.6.0.
            fn dump(key: Argument) -> Open = "DUMP", key;
                example dump("key") => ["DUMP", "key"];

            /// How many of these keys exist; one that is given twice counts twice.
            ///
            /// [EXISTS](https://redis.io/docs/latest/commands/exists/), Redis 1.0.0.
            fn exists(keys: Arguments) -> Fixed<u64> = "EXISTS", keys;
                example exists("key") => ["EXISTS", "key"];

            /// Lets a key expire in this many seconds, at once when 0, and gives whether it did: not when there
            /// is no key, or a condition forbids it.
            ///
            /// [EXPIRE](https://redis.io/docs/latest/commands/expire/), Redis 1.0.0.
            fn expire(key: Argument, seconds: u64) -> Fixed<bool> with Expire = "EXPIRE", key, seconds;
                example expire("key", 60) => ["EXPIRE", "key", "60"];

            /// Lets a key expire at a Unix time in seconds, and gives whether it did.
            ///
            /// [EXPIREAT](https://redis.io/docs/latest/commands/expireat/), Redis 1.2.0.
            fn expireat(key: Argument, unix_seconds: u64) -> Fixed<bool> with Expire = "EXPIREAT", key, unix_seconds;
                example expireat("key", 1893456000) => ["EXPIREAT", "key", "1893456000"];

            /// When a key expires, as Unix time in seconds; -1 if it does not, -2 when there is no key.
            ///
            /// [EXPIRETIME](https://redis.io/docs/latest/commands/expiretime/), Redis 7.0.0.
            fn expiretime(key: Argument) -> Fixed<i64> = "EXPIRETIME", key;
                example expiretime("key") => ["EXPIRETIME", "key"];

            /// All keys that match a pattern. It looks at every key of the database and holds up all clients
            /// meanwhile; see [`scan`].
            ///
            /// [KEYS](https://redis.io/docs/latest/commands/keys/), Redis 1.0.0.
            fn keys(pattern: Argument) -> Open = "KEYS", pattern;
                example keys("user:*") => ["KEYS", "user:*"];

            /// Moves a key to another server, and gives `OK`, or `NOKEY` when there is no key. The timeout is
            /// how long the transfer may stand still, a second when zero; the reply is waited for that much
            /// longer than usual, or without limit when zero. With an empty key it moves those of
            /// [`keys`](Migrate::keys).
            ///
            /// Errors: `IOERR` when the transfer failed; the key may then be on both servers. `BUSYKEY` when
            /// the other server has the key.
            ///
            /// [MIGRATE](https://redis.io/docs/latest/commands/migrate/), Redis 2.6.0.
            fn migrate(host: Argument, port: u16, key: Argument, database: u64, timeout: Duration) -> Open with Migrate
                waits timeout = "MIGRATE", host, port, key, database, Milliseconds(timeout);
                example migrate("10.0.0.2", 6379, "key", 0, Duration::from_secs(5)) =>
                    ["MIGRATE", "10.0.0.2", "6379", "key", "0", "5000"];

            /// Moves a key to another database of the server, and gives whether it did: not when there is no
            /// such key here, or one there.
            ///
            /// [MOVE](https://redis.io/docs/latest/commands/move/), Redis 1.0.0.
            fn move_(key: Argument, database: u64) -> Fixed<bool> = "MOVE", key, database;
                example move_("key", 1) => ["MOVE", "key", "1"];

            /// How the server stores the value of a key, as text; null when there is no key.
            ///
            /// [OBJECT ENCODING](https://redis.io/docs/latest/commands/object-encoding/), Redis 2.2.3.
            fn object_encoding(key: Argument) -> Open = "OBJECT", "ENCODING", key;
                example object_encoding("key") => ["OBJECT", "ENCODING", "key"];

            /// How often a key is used, on a logarithmic scale up to 255; null when there is no key.
            ///
            /// Errors: the server's `maxmemory-policy` is none of the LFU ones.
            ///
            /// [OBJECT FREQ](https://redis.io/docs/latest/commands/object-freq/), Redis 4.0.0.
            fn object_freq(key: Argument) -> Open = "OBJECT", "FREQ", key;
                example object_freq("key") => ["OBJECT", "FREQ", "key"];

            /// The seconds since a key was last used, about 10 exact; null when there is no key.
            ///
            /// Errors: the server's `maxmemory-policy` is one of the LFU ones.
            ///
            /// [OBJECT IDLETIME](https://redis.io/docs/latest/commands/object-idletime/), Redis 2.2.3.
            fn object_idletime(key: Argument) -> Open = "OBJECT", "IDLETIME", key;
                example object_idletime("key") => ["OBJECT", "IDLETIME", "key"];

            /// How many references the server has to the value of a key; null when there is no key.
            ///
            /// [OBJECT REFCOUNT](https://redis.io/docs/latest/commands/object-refcount/), Redis 2.2.3.
            fn object_refcount(key: Argument) -> Open = "OBJECT", "REFCOUNT", key;
                example object_refcount("key") => ["OBJECT", "REFCOUNT", "key"];

            /// Takes the time to live from a key, and gives whether it had one.
            ///
            /// [PERSIST](https://redis.io/docs/latest/commands/persist/), Redis 2.2.0.
            fn persist(key: Argument) -> Fixed<bool> = "PERSIST", key;
                example persist("key") => ["PERSIST", "key"];

            /// Lets a key expire in this many milliseconds, at once when 0, and gives whether it did.
            ///
            /// [PEXPIRE](https://redis.io/docs/latest/commands/pexpire/), Redis 2.6.0.
            fn pexpire(key: Argument, milliseconds: u64) -> Fixed<bool> with Expire = "PEXPIRE", key, milliseconds;
                example pexpire("key", 1500) => ["PEXPIRE", "key", "1500"];

            /// Lets a key expire at a Unix time in milliseconds, and gives whether it did.
            ///
            /// [PEXPIREAT](https://redis.io/docs/latest/commands/pexpireat/), Redis 2.6.0.
            fn pexpireat(key: Argument, unix_milliseconds: u64) -> Fixed<bool> with Expire = "PEXPIREAT", key, unix_milliseconds;
                example pexpireat("key", 1893456000000) => ["PEXPIREAT", "key", "1893456000000"];

            /// When a key expires, as Unix time in milliseconds; -1 if it does not, -2 when there is no key.
            ///
            /// [PEXPIRETIME](https://redis.io/docs/latest/commands/pexpiretime/), Redis 7.0.0.
            fn pexpiretime(key: Argument) -> Fixed<i64> = "PEXPIRETIME", key;
                example pexpiretime("key") => ["PEXPIRETIME", "key"];

            /// The time to live of a key in milliseconds; -1 if it does not expire, -2 when there is no key.
            ///
            /// [PTTL](https://redis.io/docs/latest/commands/pttl/), Redis 2.6.0.
            fn pttl(key: Argument) -> Fixed<i64> = "PTTL", key;
                example pttl("key") => ["PTTL", "key"];

            /// Any key of the database; null when it is empty.
            ///
            /// [RANDOMKEY](https://redis.io/docs/latest/commands/randomkey/), Redis 1.0.0.
            fn randomkey() -> Open = "RANDOMKEY";
                example randomkey() => ["RANDOMKEY"];

            /// Gives a key another name, in place of the key that may have it.
            ///
            /// Errors: there is no key.
            ///
            /// [RENAME](https://redis.io/docs/latest/commands/rename/), Redis 1.0.0.
            fn rename(key: Argument, name: Argument) -> Fixed<()> = "RENAME", key, name;
                example rename("a", "b") => ["RENAME", "a", "b"];

            /// Gives a key another name if no key has it, and gives whether it did.
            ///
            /// Errors: there is no key.
            ///
            /// [RENAMENX](https://redis.io/docs/latest/commands/renamenx/), Redis 1.0.0.
            fn renamenx(key: Argument, name: Argument) -> Fixed<bool> = "RENAMENX", key, name;
                example renamenx("a", "b") => ["RENAMENX", "a", "b"];

            /// Makes a key from the bytes of a [`DUMP`](dump). It lives for this many milliseconds, for ever
            /// when 0.
            ///
            /// Errors: `BUSYKEY` when the key exists; the bytes are damaged or of a newer version.
            ///
            /// [RESTORE](https://redis.io/docs/latest/commands/restore/), Redis 2.6.0.
            fn restore(key: Argument, milliseconds: u64, dump: Argument) -> Fixed<()> with Restore =
                "RESTORE", key, milliseconds, dump;
                example restore("key", 0, "bytes") => ["RESTORE", "key", "0", "bytes"];

            /// Some keys of the database, and the cursor for the next call. Begin with cursor 0, and end when
            /// 0 comes back. The reply is a cursor and a list, which may be empty before the end; a key may
            /// come twice.
            ///
            /// [SCAN](https://redis.io/docs/latest/commands/scan/), Redis 2.8.0.
            fn scan(cursor: u64) -> Open with Scan = "SCAN", cursor;
                example scan(0) => ["SCAN", "0"];

            /// The elements of a list, set or sorted set, in the order of their numbers.
            ///
            /// Errors: an element is no number, unless [`alpha`](Sort::alpha).
            ///
            /// [SORT](https://redis.io/docs/latest/commands/sort/), Redis 1.0.0.
            fn sort(key: Argument) -> Open with Sort = "SORT", key;
                example sort("key") => ["SORT", "key"];

            /// As [`SORT`](sort), but it never writes, so replicas take it.
            ///
            /// [SORT_RO](https://redis.io/docs/latest/commands/sort_ro/), Redis 7.0.0.
            fn sort_ro(key: Argument) -> Open with SortRo = "SORT_RO", key;
                example sort_ro("key") => ["SORT_RO", "key"];

            /// Says that keys were used just now, and gives how many of them exist.
            ///
            /// [TOUCH](https://redis.io/docs/latest/commands/touch/), Redis 3.2.1.
            fn touch(keys: Arguments) -> Fixed<u64> = "TOUCH", keys;
                example touch(["a", "b"]) => ["TOUCH", "a", "b"];

            /// The time to live of a key in seconds; -1 if it does not expire, -2 when there is no key.
            ///
            /// [TTL](https://redis.io/docs/latest/commands/ttl/), Redis 1.0.0.
            fn ttl(key: Argument) -> Fixed<i64> = "TTL", key;
                example ttl("key") => ["TTL", "key"];

            /// The type of a key as text: `string`, `list`, `set`, `zset`, `hash`, `stream`, ...; `none` when
            /// there is no key.
            ///
            /// [TYPE](https://redis.io/docs/latest/commands/type/), Redis 1.0.0.
            fn type_(key: Argument) -> Open = "TYPE", key;
                example type_("key") => ["TYPE", "key"];

            /// Deletes keys, and gives how many there were. The memory is freed in the background.
            ///
            /// [UNLINK](https://redis.io/docs/latest/commands/unlink/), Redis 4.0.0.
            fn unlink(keys: Arguments) -> Fixed<u64> = "UNLINK", keys;
                example unlink(["a", "b"]) => ["UNLINK", "a", "b"];

            /// Waits until this many replicas have what this connection wrote before, or the timeout has
            /// passed, and gives how many have it. A timeout of zero is for ever.
            ///
            /// [WAIT](https://redis.io/docs/latest/commands/wait/), Redis 3.0.0.
            fn wait(replicas: u64, timeout: Duration) -> Fixed<u64> waits timeout = "WAIT", replicas, Milliseconds(timeout);
                example wait(2, Duration::from_millis(500)) => ["WAIT", "2", "500"];

            /// Waits until what this connection wrote before is on the disk of this server (0 or 1) and of so
            /// many replicas, or the timeout has passed, and gives on how many of each it is. A timeout of
            /// zero is for ever.
            ///
            /// [WAITAOF](https://redis.io/docs/latest/commands/waitaof/), Redis 7.2.0.
            fn waitaof(local: u64, replicas: u64, timeout: Duration) -> Fixed<(u64, u64)> waits timeout =
                "WAITAOF", local, replicas, Milliseconds(timeout);
                example waitaof(1, 2, Duration::ZERO) => ["WAITAOF", "1", "2", "0"];
        }
    };
}
pub(super) use key_commands;

key_commands!(functions);

builder! {
    /// COPY and its options.
    CopyKey -> Fixed<bool> {
        /// Copies into this database of the server.
        fn db(database: u64) = "DB", database;
        /// In place of the destination, if it exists.
        fn replace() = "REPLACE";
    }
    example copy("a", "b").db(1).replace() => ["COPY", "a", "b", "DB", "1", "REPLACE"];
}

builder! {
    /// EXPIRE, PEXPIRE, EXPIREAT or PEXPIREAT and its conditions, of which it takes one. Redis 7.0.0.
    Expire -> Fixed<bool> {
        /// Only if the key does not expire.
        fn nx() = "NX";
        /// Only if the key expires.
        fn xx() = "XX";
        /// Only if the key expires sooner.
        fn gt() = "GT";
        /// Only if the key expires later or never.
        fn lt() = "LT";
    }
    example expire("key", 60).nx() => ["EXPIRE", "key", "60", "NX"];
    example expireat("key", 60).xx().gt() => ["EXPIREAT", "key", "60", "XX", "GT"];
    example pexpire("key", 60).lt() => ["PEXPIRE", "key", "60", "LT"];
}

builder! {
    /// MIGRATE and its options; [`keys`](Self::keys) comes last.
    Migrate -> Open {
        /// Leaves the key here too. Redis 3.0.0.
        fn copy() = "COPY";
        /// In place of the key that the other server may have. Redis 3.0.0.
        fn replace() = "REPLACE";
        /// The password of the other server. Redis 4.0.7.
        fn auth(password: Argument) = "AUTH", password;
        /// A user of the other server and the password. Redis 6.0.0.
        fn auth2(user: Argument, password: Argument) = "AUTH2", user, password;
        /// Moves these keys; the key of the command has to be empty. Redis 3.0.6.
        fn keys(keys: Arguments) = "KEYS", keys;
    }
    example migrate("h", 6379, "", 0, Duration::ZERO).copy().replace().auth("p").auth2("u", "p").keys(["a", "b"]) =>
        ["MIGRATE", "h", "6379", "", "0", "0", "COPY", "REPLACE", "AUTH", "p", "AUTH2", "u", "p", "KEYS", "a", "b"];
}

builder! {
    /// RESTORE and its options: [`idletime`](Self::idletime) or [`freq`](Self::freq), not both.
    Restore -> Fixed<()> {
        /// In place of the key, if it exists. Redis 3.0.0.
        fn replace() = "REPLACE";
        /// The time to live is the Unix time in milliseconds at which it ends. Redis 5.0.0.
        fn absttl() = "ABSTTL";
        /// As if last used this many seconds ago. Redis 5.0.0.
        fn idletime(seconds: u64) = "IDLETIME", seconds;
        /// As if used so often, on a logarithmic scale up to 255. Redis 5.0.0.
        fn freq(frequency: u64) = "FREQ", frequency;
    }
    example restore("key", 0, "bytes").replace().absttl().idletime(5).freq(7) =>
        ["RESTORE", "key", "0", "bytes", "REPLACE", "ABSTTL", "IDLETIME", "5", "FREQ", "7"];
}

builder! {
    /// SCAN and its options.
    Scan -> Open {
        /// Only keys that match. It is applied last, so a reply may well be empty.
        fn matching(pattern: Argument) = "MATCH", pattern;
        /// Looks at about this many keys, 10 by default.
        fn count(count: u64) = "COUNT", count;
        /// Only keys of a type, as [`TYPE`](type_) says it. Redis 6.0.0.
        fn type_(kind: Argument) = "TYPE", kind;
    }
    example scan(0).matching("user:*").count(100).type_("hash") =>
        ["SCAN", "0", "MATCH", "user:*", "COUNT", "100", "TYPE", "hash"];
}

builder! {
    /// SORT and its options.
    Sort -> Open {
        /// Sorts by the value of the key that this becomes with the element in place of `*`; `by("nosort")`
        /// leaves the order.
        fn by(pattern: Argument) = "BY", pattern;
        /// Skips `offset` elements and gives at most `count`.
        fn limit(offset: u64, count: i64) = "LIMIT", offset, count;
        /// Gives the value of the key that this becomes with the element in place of `*`; `#` is the element
        /// itself. May be given several times.
        fn get(pattern: Argument) = "GET", pattern;
        /// In ascending order, as by default.
        fn asc() = "ASC";
        /// In descending order.
        fn desc() = "DESC";
        /// Sorts as text.
        fn alpha() = "ALPHA";
        /// Stores the elements in a list at this key and gives how many there are.
        fn store(destination: Argument) -> Fixed<u64> = "STORE", destination;
    }
    example sort("key").by("weight_*").limit(0, 10).get("name_*").get("#").desc().alpha().store("to") =>
        ["SORT", "key", "BY", "weight_*", "LIMIT", "0", "10", "GET", "name_*", "GET", "#", "DESC", "ALPHA", "STORE", "to"];
    example sort("key").asc() => ["SORT", "key", "ASC"];
}

builder! {
    /// SORT_RO and its options, which are those of [`Sort`] without `store`.
    SortRo -> Open {
        /// As [`Sort::by`].
        fn by(pattern: Argument) = "BY", pattern;
        /// As [`Sort::limit`].
        fn limit(offset: u64, count: i64) = "LIMIT", offset, count;
        /// As [`Sort::get`].
        fn get(pattern: Argument) = "GET", pattern;
        /// As [`Sort::asc`].
        fn asc() = "ASC";
        /// As [`Sort::desc`].
        fn desc() = "DESC";
        /// As [`Sort::alpha`].
        fn alpha() = "ALPHA";
    }
    example sort_ro("key").by("weight_*").limit(0, 10).get("name_*").asc().desc().alpha() =>
        ["SORT_RO", "key", "BY", "weight_*", "LIMIT", "0", "10", "GET", "name_*", "ASC", "DESC", "ALPHA"];
}
