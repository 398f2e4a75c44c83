//! The server itself.

use super::{Cmd, Fixed, Flush, Open};

macro_rules! server_commands {
    ($emit:ident) => {
        $emit! {
            /// How many commands the server has.
            ///
            /// [COMMAND COUNT](https://redis.io/docs/latest/commands/command-count/), Redis 2.8.13.
            fn command_count() -> Fixed<u64> = "COMMAND", "COUNT";
                example command_count() => ["COMMAND", "COUNT"];

            /// The configuration parameters that match patterns, with their values: a map. More than one
            /// pattern since Redis 7.0.0.
            ///
            /// [CONFIG GET](https://redis.io/docs/latest/commands/config-get/), Redis 2.0.0.
            fn config_get(patterns: Arguments) -> Open = "CONFIG", "GET", patterns;
                example config_get("maxmemory*") => ["CONFIG", "GET", "maxmemory*"];

            /// Sets the counters of [`INFO`](info) back to 0.
            ///
            /// [CONFIG RESETSTAT](https://redis.io/docs/latest/commands/config-resetstat/), Redis 2.0.0.
            fn config_resetstat() -> Fixed<()> = "CONFIG", "RESETSTAT";
                example config_resetstat() => ["CONFIG", "RESETSTAT"];

            /// Writes the configuration to the file that the server was started with.
            ///
            /// Errors: there is no file, or it cannot be written.
            ///
            /// [CONFIG REWRITE](https://redis.io/docs/latest/commands/config-rewrite/), Redis 2.8.0.
            fn config_rewrite() -> Fixed<()> = "CONFIG", "REWRITE";
                example config_rewrite() => ["CONFIG", "REWRITE"];

            /// Sets configuration parameters: pairs of name and value, more than one since Redis 7.0.0.
            ///
            /// Errors: a name is unknown, or a value is wrong; none is set then.
            ///
            /// [CONFIG SET](https://redis.io/docs/latest/commands/config-set/), Redis 2.0.0.
            fn config_set(pairs: Arguments) -> Fixed<()> = "CONFIG", "SET", pairs;
                example config_set(("maxmemory", "100mb")) => ["CONFIG", "SET", "maxmemory", "100mb"];

            /// How many keys the database has.
            ///
            /// [DBSIZE](https://redis.io/docs/latest/commands/dbsize/), Redis 1.0.0.
            fn dbsize() -> Fixed<u64> = "DBSIZE";
                example dbsize() => ["DBSIZE"];

            /// Deletes all keys of all databases.
            ///
            /// [FLUSHALL](https://redis.io/docs/latest/commands/flushall/), Redis 1.0.0.
            fn flushall() -> Fixed<()> with Flush = "FLUSHALL";
                example flushall() => ["FLUSHALL"];

            /// Deletes all keys of the database.
            ///
            /// [FLUSHDB](https://redis.io/docs/latest/commands/flushdb/), Redis 1.0.0.
            fn flushdb() -> Fixed<()> with Flush = "FLUSHDB";
                example flushdb() => ["FLUSHDB"];

            /// What the server tells about itself: lines of `name:value`, in sections that begin with `#
            /// Name`.
            ///
            /// [INFO](https://redis.io/docs/latest/commands/info/), Redis 1.0.0.
            fn info() -> Open with Info = "INFO";
                example info() => ["INFO"];

            /// When the database was last saved, as Unix time in seconds.
            ///
            /// [LASTSAVE](https://redis.io/docs/latest/commands/lastsave/), Redis 1.0.0.
            fn lastsave() -> Fixed<u64> = "LASTSAVE";
                example lastsave() => ["LASTSAVE"];

            /// The role of the server and its replication, of another shape for each role: a list that begins
            /// with `master`, `slave` or `sentinel`.
            ///
            /// [ROLE](https://redis.io/docs/latest/commands/role/), Redis 2.8.12.
            fn role() -> Open = "ROLE";
                example role() => ["ROLE"];

            /// The time of the server: Unix time in seconds, and the microseconds of the second.
            ///
            /// [TIME](https://redis.io/docs/latest/commands/time/), Redis 2.6.0.
            fn time() -> Fixed<(u64, u64)> = "TIME";
                example time() => ["TIME"];
        }
    };
}
pub(super) use server_commands;

server_commands!(functions);

// It turns the connection into a stream of lines, so it is no method.
functions! {
    /// Makes the server send a line for every command of every client, until the connection is closed or
    /// [`reset`](super::reset).
    ///
    /// [MONITOR](https://redis.io/docs/latest/commands/monitor/), Redis 1.0.0.
    fn monitor() -> Fixed<()> = "MONITOR";
        example monitor() => ["MONITOR"];
}

builder! {
    /// INFO and its sections.
    Info -> Open {
        /// Only these sections: `server`, `replication`, ...; `everything` for all. More than one since Redis
        /// 7.0.0.
        fn sections(names: Arguments) = names;
    }
    example info().sections(["server", "memory"]) => ["INFO", "server", "memory"];
}
