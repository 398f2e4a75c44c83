//! Lua scripts and functions.
//!
//! Keys and arguments are any number each; `()` where there are none.

use super::{Cmd, Fixed, Open, argument::Counted};

macro_rules! scripting_commands {
    ($emit:ident) => {
        $emit! {
            /// Runs a Lua script, and gives what it returns. It finds the keys in `KEYS` and the arguments in
            /// `ARGV`.
            ///
            /// Errors: the script has one, or raises one.
            ///
            /// [EVAL](https://redis.io/docs/latest/commands/eval/), Redis 2.6.0.
            fn eval(script: Argument, keys: Arguments, arguments: Arguments) -> Open = "EVAL", script, Counted(keys), arguments;
                example eval("return ARGV[1]", ["a", "b"], 5) => ["EVAL", "return ARGV[1]", "2", "a", "b", "5"];

            /// As [`EVAL`](eval), but the script must not write, so replicas take it.
            ///
            /// [EVAL_RO](https://redis.io/docs/latest/commands/eval_ro/), Redis 7.0.0.
            fn eval_ro(script: Argument, keys: Arguments, arguments: Arguments) -> Open =
                "EVAL_RO", script, Counted(keys), arguments;
                example eval_ro("return 1", (), ()) => ["EVAL_RO", "return 1", "0"];

            /// Runs a Lua script that the server has, by its SHA1 in hexadecimal digits, and gives what it
            /// returns.
            ///
            /// Errors: `NOSCRIPT` when the server does not have it.
            ///
            /// [EVALSHA](https://redis.io/docs/latest/commands/evalsha/), Redis 2.6.0.
            fn evalsha(sha: Argument, keys: Arguments, arguments: Arguments) -> Open =
                "EVALSHA", sha, Counted(keys), arguments;
                example evalsha("e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "a", (1, "x")) =>
                    ["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "1", "a", "1", "x"];

            /// As [`EVALSHA`](evalsha), but the script must not write, so replicas take it.
            ///
            /// [EVALSHA_RO](https://redis.io/docs/latest/commands/evalsha_ro/), Redis 7.0.0.
            fn evalsha_ro(sha: Argument, keys: Arguments, arguments: Arguments) -> Open =
                "EVALSHA_RO", sha, Counted(keys), arguments;
                example evalsha_ro("e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "a", ()) =>
                    ["EVALSHA_RO", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "1", "a"];

            /// Calls a function of a library, and gives what it returns.
            ///
            /// Errors: there is no such function, or it raises an error.
            ///
            /// [FCALL](https://redis.io/docs/latest/commands/fcall/), Redis 7.0.0.
            fn fcall(function: Argument, keys: Arguments, arguments: Arguments) -> Open =
                "FCALL", function, Counted(keys), arguments;
                example fcall("f", ["a", "b"], [1, 2]) => ["FCALL", "f", "2", "a", "b", "1", "2"];

            /// As [`FCALL`](fcall), but the function must not write, so replicas take it.
            ///
            /// [FCALL_RO](https://redis.io/docs/latest/commands/fcall_ro/), Redis 7.0.0.
            fn fcall_ro(function: Argument, keys: Arguments, arguments: Arguments) -> Open =
                "FCALL_RO", function, Counted(keys), arguments;
                example fcall_ro("f", "a", ()) => ["FCALL_RO", "f", "1", "a"];

            /// Deletes a library and its functions.
            ///
            /// Errors: there is no such library.
            ///
            /// [FUNCTION DELETE](https://redis.io/docs/latest/commands/function-delete/), Redis 7.0.0.
            fn function_delete(library: Argument) -> Fixed<()> = "FUNCTION", "DELETE", library;
                example function_delete("lib") => ["FUNCTION", "DELETE", "lib"];

            /// All libraries as bytes for [`FUNCTION RESTORE`](function_restore).
            ///
            /// [FUNCTION DUMP](https://redis.io/docs/latest/commands/function-dump/), Redis 7.0.0.
            fn function_dump() -> Open = "FUNCTION", "DUMP";
                example function_dump() => ["FUNCTION", "DUMP"];

            /// Deletes all libraries.
            ///
            /// [FUNCTION FLUSH](https://redis.io/docs/latest/commands/function-flush/), Redis 7.0.0.
            fn function_flush() -> Fixed<()> with Flush = "FUNCTION", "FLUSH";
                example function_flush() => ["FUNCTION", "FLUSH"];

            /// Stops the function that runs, unless it has written.
            ///
            /// Errors: `NOTBUSY` when none runs, `UNKILLABLE` when it has written.
            ///
            /// [FUNCTION KILL](https://redis.io/docs/latest/commands/function-kill/), Redis 7.0.0.
            fn function_kill() -> Fixed<()> = "FUNCTION", "KILL";
                example function_kill() => ["FUNCTION", "KILL"];

            /// The libraries and their functions: a list of maps.
            ///
            /// [FUNCTION LIST](https://redis.io/docs/latest/commands/function-list/), Redis 7.0.0.
            fn function_list() -> Open with FunctionList = "FUNCTION", "LIST";
                example function_list() => ["FUNCTION", "LIST"];

            /// Adds a library, whose code begins with a line such as `#!lua name=lib`, and gives its name.
            ///
            /// Errors: there is one of that name; the code has an error.
            ///
            /// [FUNCTION LOAD](https://redis.io/docs/latest/commands/function-load/), Redis 7.0.0.
            fn function_load(code: Argument) -> Open with FunctionLoad = "FUNCTION", "LOAD" => code;
                example function_load("#!lua name=lib\n") => ["FUNCTION", "LOAD", "#!lua name=lib\n"];

            /// Adds the libraries of a [`FUNCTION DUMP`](function_dump).
            ///
            /// Errors: there is one of that name, unless an option says what to do.
            ///
            /// [FUNCTION RESTORE](https://redis.io/docs/latest/commands/function-restore/), Redis 7.0.0.
            fn function_restore(dump: Argument) -> Fixed<()> with FunctionRestore = "FUNCTION", "RESTORE", dump;
                example function_restore("bytes") => ["FUNCTION", "RESTORE", "bytes"];

            /// The function that runs, if any, and how many libraries and functions each engine has: a map.
            ///
            /// [FUNCTION STATS](https://redis.io/docs/latest/commands/function-stats/), Redis 7.0.0.
            fn function_stats() -> Open = "FUNCTION", "STATS";
                example function_stats() => ["FUNCTION", "STATS"];

            /// Whether the server has each of these scripts, by SHA1: a list of 0 and 1.
            ///
            /// [SCRIPT EXISTS](https://redis.io/docs/latest/commands/script-exists/), Redis 2.6.0.
            fn script_exists(shas: Arguments) -> Open = "SCRIPT", "EXISTS", shas;
                example script_exists(["a", "b"]) => ["SCRIPT", "EXISTS", "a", "b"];

            /// Makes the server forget all scripts.
            ///
            /// [SCRIPT FLUSH](https://redis.io/docs/latest/commands/script-flush/), Redis 2.6.0.
            fn script_flush() -> Fixed<()> with Flush = "SCRIPT", "FLUSH";
                example script_flush() => ["SCRIPT", "FLUSH"];

            /// Stops the script that runs, unless it has written.
            ///
            /// Errors: `NOTBUSY` when none runs, `UNKILLABLE` when it has written.
            ///
            /// [SCRIPT KILL](https://redis.io/docs/latest/commands/script-kill/), Redis 2.6.0.
            fn script_kill() -> Fixed<()> = "SCRIPT", "KILL";
                example script_kill() => ["SCRIPT", "KILL"];

            /// Gives the server a script without running it, and gives its SHA1 as 40 hexadecimal digits.
            ///
            /// Errors: the script has one.
            ///
            /// [SCRIPT LOAD](https://redis.io/docs/latest/commands/script-load/), Redis 2.6.0.
            fn script_load(script: Argument) -> Open = "SCRIPT", "LOAD", script;
                example script_load("return 1") => ["SCRIPT", "LOAD", "return 1"];
        }
    };
}
pub(super) use scripting_commands;

scripting_commands!(functions);

// It belongs to the connection, so it is no method.
functions! {
    /// Says whether scripts that this connection runs stop for the debugger: `YES`, `SYNC` or `NO`.
    ///
    /// [SCRIPT DEBUG](https://redis.io/docs/latest/commands/script-debug/), Redis 3.2.0.
    fn script_debug(mode: Argument) -> Fixed<()> = "SCRIPT", "DEBUG", mode;
        example script_debug("NO") => ["SCRIPT", "DEBUG", "NO"];
}

builder! {
    /// FLUSHALL, FLUSHDB, FUNCTION FLUSH or SCRIPT FLUSH, and when the memory is freed; the server's
    /// configuration says it by default.
    Flush -> Fixed<()> {
        /// In the background.
        fn async_() = "ASYNC";
        /// Before the reply. Redis 6.2.0.
        fn sync() = "SYNC";
    }
    example flushall().async_() => ["FLUSHALL", "ASYNC"];
    example script_flush().sync() => ["SCRIPT", "FLUSH", "SYNC"];
}

builder! {
    /// FUNCTION LIST and its options.
    FunctionList -> Open {
        /// Only libraries whose name matches.
        fn libraryname(pattern: Argument) = "LIBRARYNAME", pattern;
        /// Gives the code too.
        fn withcode() = "WITHCODE";
    }
    example function_list().libraryname("lib*").withcode() =>
        ["FUNCTION", "LIST", "LIBRARYNAME", "lib*", "WITHCODE"];
}

builder! {
    /// FUNCTION LOAD and its option.
    FunctionLoad -> Open {
        /// In place of the library that may have the name.
        fn replace() = "REPLACE";
    }
    example function_load("#!lua name=lib\n").replace() => ["FUNCTION", "LOAD", "REPLACE", "#!lua name=lib\n"];
}

builder! {
    /// FUNCTION RESTORE and what becomes of the libraries that the server has; it takes one.
    FunctionRestore -> Fixed<()> {
        /// They are deleted first.
        fn flush() = "FLUSH";
        /// They stay, and one of the same name is an error, as by default.
        fn append() = "APPEND";
        /// They stay, except for those of the same name.
        fn replace() = "REPLACE";
    }
    example function_restore("bytes").flush() => ["FUNCTION", "RESTORE", "bytes", "FLUSH"];
    example function_restore("bytes").append() => ["FUNCTION", "RESTORE", "bytes", "APPEND"];
    example function_restore("bytes").replace() => ["FUNCTION", "RESTORE", "bytes", "REPLACE"];
}
