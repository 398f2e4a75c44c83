//! The connection, and what the server knows about its clients.
//!
//! Those that change the connection they run on are functions only: on a client that others use too, or that has several
//! connections, they would do something else than they say.

use super::{
    Cmd, Fixed, Open,
    argument::{on_off, yes_no},
};

macro_rules! connection_commands {
    ($emit:ident) => {
        $emit! {
            /// The name of the connection; null when it has none.
            ///
            /// [CLIENT GETNAME](https://redis.io/docs/latest/commands/client-getname/), Redis 2.6.9.
            fn client_getname() -> Open = "CLIENT", "GETNAME";
                example client_getname() => ["CLIENT", "GETNAME"];

            /// The id of the client that gets the invalidation messages of this connection; 0 when it gets
            /// them itself, -1 when it has no tracking.
            ///
            /// [CLIENT GETREDIR](https://redis.io/docs/latest/commands/client-getredir/), Redis 6.0.0.
            fn client_getredir() -> Fixed<i64> = "CLIENT", "GETREDIR";
                example client_getredir() => ["CLIENT", "GETREDIR"];

            /// The id of the connection, which no other has had since the server started.
            ///
            /// [CLIENT ID](https://redis.io/docs/latest/commands/client-id/), Redis 5.0.0.
            fn client_id() -> Fixed<u64> = "CLIENT", "ID";
                example client_id() => ["CLIENT", "ID"];

            /// The connection as the server sees it: one line as in [`CLIENT LIST`](client_list).
            ///
            /// [CLIENT INFO](https://redis.io/docs/latest/commands/client-info/), Redis 6.2.0.
            fn client_info() -> Open = "CLIENT", "INFO";
                example client_info() => ["CLIENT", "INFO"];

            /// The connections to the server: a line for each, of `name=value` pairs.
            ///
            /// [CLIENT LIST](https://redis.io/docs/latest/commands/client-list/), Redis 2.4.0.
            fn client_list() -> Open with ClientList = "CLIENT", "LIST";
                example client_list() => ["CLIENT", "LIST"];

            /// Makes the server hold back the commands of all clients for this many milliseconds.
            ///
            /// [CLIENT PAUSE](https://redis.io/docs/latest/commands/client-pause/), Redis 3.0.0.
            fn client_pause(milliseconds: u64) -> Fixed<()> with ClientPause = "CLIENT", "PAUSE", milliseconds;
                example client_pause(500) => ["CLIENT", "PAUSE", "500"];

            /// What tracking the connection has: a map of flags, redirection and prefixes.
            ///
            /// [CLIENT TRACKINGINFO](https://redis.io/docs/latest/commands/client-trackinginfo/), Redis 6.2.0.
            fn client_trackinginfo() -> Open = "CLIENT", "TRACKINGINFO";
                example client_trackinginfo() => ["CLIENT", "TRACKINGINFO"];

            /// Ends the wait of another client in a blocking command, as if its timeout had passed, and gives
            /// whether that client was waiting.
            ///
            /// [CLIENT UNBLOCK](https://redis.io/docs/latest/commands/client-unblock/), Redis 5.0.0.
            fn client_unblock(id: u64) -> Fixed<bool> with ClientUnblock = "CLIENT", "UNBLOCK", id;
                example client_unblock(7) => ["CLIENT", "UNBLOCK", "7"];

            /// Ends a [`CLIENT PAUSE`](client_pause).
            ///
            /// [CLIENT UNPAUSE](https://redis.io/docs/latest/commands/client-unpause/), Redis 6.2.0.
            fn client_unpause() -> Fixed<()> = "CLIENT", "UNPAUSE";
                example client_unpause() => ["CLIENT", "UNPAUSE"];

            /// Gives the message back.
            ///
            /// [ECHO](https://redis.io/docs/latest/commands/echo/), Redis 1.0.0.
            fn echo(message: Argument) -> Open = "ECHO", message;
                example echo("hello") => ["ECHO", "hello"];

            /// Asks for a sign of life.
            ///
            /// [PING](https://redis.io/docs/latest/commands/ping/), Redis 1.0.0.
            fn ping() -> Fixed<()> with Ping = "PING";
                example ping() => ["PING"];
        }
    };
}
pub(super) use connection_commands;

connection_commands!(functions);

functions! {
    /// Authenticates the connection as the default user. A connection does so by itself when it is made with
    /// a password; this is for changing the user later.
    ///
    /// Errors: `WRONGPASS`, or `ERR` when the server has no password.
    ///
    /// [AUTH](https://redis.io/docs/latest/commands/auth/), Redis 1.0.0.
    fn auth(password: Argument) -> Fixed<()> = "AUTH", password;
        example auth("secret") => ["AUTH", "secret"];

    /// Authenticates the connection as a user. A connection does so by itself when it is made with a user and
    /// a password; this is for changing the user later.
    ///
    /// Errors: `WRONGPASS`.
    ///
    /// [AUTH](https://redis.io/docs/latest/commands/auth/), Redis 6.0.0.
    fn auth_user(user: Argument, password: Argument) -> Fixed<()> = "AUTH", user, password;
        example auth_user("alice", "secret") => ["AUTH", "alice", "secret"];

    /// Says whether the keys of the next command are tracked, where tracking is with
    /// [`optin`](ClientTracking::optin) (yes) or [`optout`](ClientTracking::optout) (no).
    ///
    /// [CLIENT CACHING](https://redis.io/docs/latest/commands/client-caching/), Redis 6.0.0.
    fn client_caching(yes: bool) -> Fixed<()> = "CLIENT", "CACHING", yes_no(yes);
        example client_caching(true) => ["CLIENT", "CACHING", "YES"];

    /// Closes the connections to which all filters apply, and gives how many those were. Without a filter it
    /// is an error, which is why it is no method.
    ///
    /// [CLIENT KILL](https://redis.io/docs/latest/commands/client-kill/), Redis 2.8.12.
    fn client_kill() -> Fixed<u64> with ClientKill = "CLIENT", "KILL";
        example client_kill().id(7) => ["CLIENT", "KILL", "ID", "7"];

    /// Says whether the connection is spared when the server closes some to free memory.
    ///
    /// [CLIENT NO-EVICT](https://redis.io/docs/latest/commands/client-no-evict/), Redis 7.0.0.
    fn client_no_evict(on: bool) -> Fixed<()> = "CLIENT", "NO-EVICT", on_off(on);
        example client_no_evict(true) => ["CLIENT", "NO-EVICT", "ON"];

    /// Says whether commands of the connection leave alone when a key was last used.
    ///
    /// [CLIENT NO-TOUCH](https://redis.io/docs/latest/commands/client-no-touch/), Redis 7.2.0.
    fn client_no_touch(on: bool) -> Fixed<()> = "CLIENT", "NO-TOUCH", on_off(on);
        example client_no_touch(false) => ["CLIENT", "NO-TOUCH", "OFF"];

    /// Says whether the server replies: `ON`, `OFF`, or `SKIP` for no reply to the next command. Only `ON` is
    /// replied to.
    ///
    /// [CLIENT REPLY](https://redis.io/docs/latest/commands/client-reply/), Redis 3.2.0.
    fn client_reply(mode: Argument) -> Fixed<()> = "CLIENT", "REPLY", mode;
        example client_reply("ON") => ["CLIENT", "REPLY", "ON"];

    /// Says what the library is called that speaks on the connection.
    ///
    /// Errors: the name holds blanks or other bytes than printable ASCII.
    ///
    /// [CLIENT SETINFO](https://redis.io/docs/latest/commands/client-setinfo/), Redis 7.2.0.
    fn client_setinfo_lib_name(name: Argument) -> Fixed<()> = "CLIENT", "SETINFO", "LIB-NAME", name;
        example client_setinfo_lib_name("redwire") => ["CLIENT", "SETINFO", "LIB-NAME", "redwire"];

    /// Says which version of the library speaks on the connection.
    ///
    /// Errors: the version holds blanks or other bytes than printable ASCII.
    ///
    /// [CLIENT SETINFO](https://redis.io/docs/latest/commands/client-setinfo/), Redis 7.2.0.
    fn client_setinfo_lib_ver(version: Argument) -> Fixed<()> = "CLIENT", "SETINFO", "LIB-VER", version;
        example client_setinfo_lib_ver("1.0.0") => ["CLIENT", "SETINFO", "LIB-VER", "1.0.0"];

    /// Gives the connection a name, as [`CLIENT LIST`](client_list) shows it; an empty one takes it away.
    ///
    /// Errors: the name holds blanks or other bytes than printable ASCII.
    ///
    /// [CLIENT SETNAME](https://redis.io/docs/latest/commands/client-setname/), Redis 2.6.9.
    fn client_setname(name: Argument) -> Fixed<()> = "CLIENT", "SETNAME", name;
        example client_setname("worker-1") => ["CLIENT", "SETNAME", "worker-1"];

    /// Makes the server tell when keys change that this connection has read.
    ///
    /// [CLIENT TRACKING](https://redis.io/docs/latest/commands/client-tracking/), Redis 6.0.0.
    fn client_tracking_on() -> Fixed<()> with ClientTracking = "CLIENT", "TRACKING", "ON";
        example client_tracking_on() => ["CLIENT", "TRACKING", "ON"];

    /// Ends the tracking of keys.
    ///
    /// [CLIENT TRACKING](https://redis.io/docs/latest/commands/client-tracking/), Redis 6.0.0.
    fn client_tracking_off() -> Fixed<()> = "CLIENT", "TRACKING", "OFF";
        example client_tracking_off() => ["CLIENT", "TRACKING", "OFF"];

    /// Begins to speak a version of the protocol, 2 or 3, and gives a map about the server. A connection says
    /// it by itself and refuses it from a user, since it would no longer know how to read; it is here for
    /// those who write proxies.
    ///
    /// Errors: `NOPROTO` for another version, `NOAUTH`, `WRONGPASS`.
    ///
    /// [HELLO](https://redis.io/docs/latest/commands/hello/), Redis 6.0.0.
    fn hello(version: u64) -> Open with Hello = "HELLO", version;
        example hello(3) => ["HELLO", "3"];

    /// Asks the server to close the connection once it has sent all replies. Closing the connection does as
    /// well, and Redis deprecates this.
    ///
    /// [QUIT](https://redis.io/docs/latest/commands/quit/), Redis 1.0.0.
    fn quit() -> Fixed<()> = "QUIT";
        example quit() => ["QUIT"];

    /// Makes the connection as if new: no transaction, no subscription, no tracking, the default user,
    /// database 0, and RESP2.
    ///
    /// [RESET](https://redis.io/docs/latest/commands/reset/), Redis 6.2.0.
    fn reset() -> Fixed<()> = "RESET";
        example reset() => ["RESET"];

    /// Chooses the database that the next commands of the connection work on.
    ///
    /// Errors: there is no database of that number.
    ///
    /// [SELECT](https://redis.io/docs/latest/commands/select/), Redis 1.0.0.
    fn select(database: u64) -> Fixed<()> = "SELECT", database;
        example select(2) => ["SELECT", "2"];
}

builder! {
    /// CLIENT KILL and its filters.
    ClientKill -> Fixed<u64> {
        /// The client with this id. Redis 2.8.12.
        fn id(id: u64) = "ID", id;
        /// Clients of a type: `normal`, `master`, `replica` or `pubsub`. Redis 2.8.12.
        fn type_(kind: Argument) = "TYPE", kind;
        /// Clients authenticated as this user. Redis 6.0.0.
        fn user(name: Argument) = "USER", name;
        /// The client at this address: `host:port`. Redis 2.8.12.
        fn addr(address: Argument) = "ADDR", address;
        /// Clients that connected to this address of the server: `host:port`. Redis 6.2.0.
        fn laddr(address: Argument) = "LADDR", address;
        /// Whether this connection is spared, as it is by default. Redis 2.8.12.
        fn skipme(yes: bool) = "SKIPME", yes_no(yes);
        /// Clients that are connected for at least this many seconds. Redis 7.4.0.
        fn maxage(seconds: u64) = "MAXAGE", seconds;
    }
    example client_kill().id(7).type_("normal").user("alice").addr("h:1").laddr("h:2").skipme(false).maxage(60) =>
        ["CLIENT", "KILL", "ID", "7", "TYPE", "normal", "USER", "alice", "ADDR", "h:1", "LADDR", "h:2", "SKIPME", "NO",
         "MAXAGE", "60"];
}

builder! {
    /// CLIENT LIST and its filters. Redis 7 takes one of them, not both.
    ClientList -> Open {
        /// Clients of a type: `normal`, `master`, `replica` or `pubsub`. Redis 5.0.0.
        fn type_(kind: Argument) = "TYPE", kind;
        /// The clients with these ids. Redis 6.2.0.
        fn id(ids: Arguments) = "ID", ids;
    }
    example client_list().type_("pubsub").id([7, 8]) => ["CLIENT", "LIST", "TYPE", "pubsub", "ID", "7", "8"];
}

builder! {
    /// CLIENT PAUSE and which commands it holds back. Redis 6.2.0.
    ClientPause -> Fixed<()> {
        /// Only those that write.
        fn write() = "WRITE";
        /// All, as by default.
        fn all() = "ALL";
    }
    example client_pause(500).write() => ["CLIENT", "PAUSE", "500", "WRITE"];
    example client_pause(500).all() => ["CLIENT", "PAUSE", "500", "ALL"];
}

builder! {
    /// CLIENT TRACKING ON and its options.
    ClientTracking -> Fixed<()> {
        /// Sends the messages to the client with this id.
        fn redirect(id: u64) = "REDIRECT", id;
        /// Only keys that begin so; once for each prefix. Needs [`bcast`](Self::bcast).
        fn prefix(prefix: Argument) = "PREFIX", prefix;
        /// Tells of all keys, whether this connection has read them or not.
        fn bcast() = "BCAST";
        /// Tracks the keys of a command only after [`client_caching`]`(true)`.
        fn optin() = "OPTIN";
        /// Tracks the keys of a command unless after [`client_caching`]`(false)`.
        fn optout() = "OPTOUT";
        /// Does not tell of keys that this connection changes itself.
        fn noloop() = "NOLOOP";
    }
    example client_tracking_on().redirect(7).prefix("a:").prefix("b:").bcast().optin().optout().noloop() =>
        ["CLIENT", "TRACKING", "ON", "REDIRECT", "7", "PREFIX", "a:", "PREFIX", "b:", "BCAST", "OPTIN", "OPTOUT", "NOLOOP"];
}

builder! {
    /// CLIENT UNBLOCK and how the wait ends.
    ClientUnblock -> Fixed<bool> {
        /// As if the timeout had passed, which is the default.
        fn timeout() = "TIMEOUT";
        /// With an `UNBLOCKED` error.
        fn error() = "ERROR";
    }
    example client_unblock(7).timeout() => ["CLIENT", "UNBLOCK", "7", "TIMEOUT"];
    example client_unblock(7).error() => ["CLIENT", "UNBLOCK", "7", "ERROR"];
}

builder! {
    /// HELLO and its options.
    Hello -> Open {
        /// Authenticates as a user, `default` where there are no others.
        fn auth(user: Argument, password: Argument) = "AUTH", user, password;
        /// Gives the connection a name.
        fn setname(name: Argument) = "SETNAME", name;
    }
    example hello(3).auth("default", "secret").setname("worker-1") =>
        ["HELLO", "3", "AUTH", "default", "secret", "SETNAME", "worker-1"];
}

builder! {
    /// PING and its message.
    Ping -> Fixed<()> {
        /// Gives this message back. Redis 2.8.0.
        fn message(message: Argument) -> Open = message;
    }
    example ping().message("hello") => ["PING", "hello"];
}
