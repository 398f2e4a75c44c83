//! The words that are said: commands right and wrong, by what they are about.
//!
//! `#` is a number that nothing else in the conversation has, `@` one that was used before, `%` some thousand bytes, `~` a
//! blank within a word, `''` an empty word, `{sha}` the digest of [`ECHOING`].

#[rustfmt::skip]
pub const PLAIN: &[&str] = &[
    "ECHO e#", "ECHO e#", "ECHO e#", "ECHO e#%", "SET u# #", "SET u# #", "SET u# #", "GET u@", "GET u@",
    "INCR n", "SET a x", "GET a", "LPUSH l x", "GET l", "PING", "PING p#", "GET", "SET a", "NOSUCH a b",
    "ECHO a b", "PUBLISH a m#", "PING a b", "CLIENT", "CLIENT NOSUCH",
];

#[rustfmt::skip]
pub const TRANSACTIONS: &[&str] = &[
    "MULTI", "MULTI", "MULTI", "MULTI", "EXEC", "EXEC", "EXEC", "DISCARD", "DISCARD", "MULTI x", "EXEC x",
    "DISCARD x", "SET u# #", "ECHO e#",
];

#[rustfmt::skip]
pub const WATCH: &[&str] = &[
    "WATCH a", "WATCH a b", "WATCH", "UNWATCH", "UNWATCH x", "SET a x", "WATCH a",
];

#[rustfmt::skip]
pub const SELECT: &[&str] = &[
    "SELECT 0", "SELECT 1", "SELECT 2", "SELECT 3", "SELECT 99", "SELECT x", "SELECT", "SELECT 1 2",
    "SELECT -1", "SELECT 01", "SELECT +1", "SELECT 4294967297",
];

#[rustfmt::skip]
pub const CHANNELS: &[&str] = &[
    "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "PUBLISH a m#",
    "PING p#", "SPUBLISH a m#",
];

/// Channels and patterns.
#[rustfmt::skip]
pub const NAMES: &[&str] = &[
    "a", "b", "c", "no", "a*",
];

#[rustfmt::skip]
pub const SESSION: &[&str] = &[
    "AUTH talker secret", "AUTH other secret", "AUTH wrong", "AUTH other wrong", "AUTH", "AUTH word", "RESET",
    "RESET", "RESET x", "HELLO 3", "HELLO 2", "HELLO 3 AUTH other secret", "HELLO 3 SETNAME x", "HELLO 4",
    "HELLO x", "HELLO", "ACL WHOAMI",
];

#[rustfmt::skip]
pub const REPLIES: &[&str] = &[
    "CLIENT REPLY ON", "CLIENT REPLY ON", "CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT REPLY SKIP",
    "CLIENT REPLY x", "CLIENT REPLY", "CLIENT REPLY ON x", "CLIENT REPLY OFF x",
];

#[rustfmt::skip]
pub const STICKY: &[&str] = &[
    "CLIENT SETNAME x", "CLIENT SETNAME ''", "CLIENT SETNAME", "CLIENT SETNAME bad~name", "CLIENT GETNAME",
    "CLIENT NO-EVICT on", "CLIENT NO-EVICT off", "CLIENT NO-EVICT x", "CLIENT NO-TOUCH on",
    "CLIENT NO-TOUCH off", "CLIENT TRACKING ON", "CLIENT TRACKING OFF", "CLIENT TRACKING x",
    "CLIENT TRACKING ON BCAST PREFIX u", "CLIENT TRACKING ON OPTIN", "CLIENT TRACKING ON OPTOUT NOLOOP",
    "CLIENT TRACKING ON REDIRECT 99999", "CLIENT CACHING YES", "CLIENT CACHING NO", "CLIENT CACHING x",
    "CLIENT TRACKINGINFO", "CLIENT SETINFO LIB-NAME x", "CLIENT SETINFO lib-ver 1", "CLIENT SETINFO x y",
    "READONLY", "READWRITE", "ASKING", "CLIENT CAPA redirect", "CLIENT IMPORT-SOURCE ON",
    "CLIENT IMPORT-SOURCE OFF", "RESET",
];

#[rustfmt::skip]
pub const SCRIPTS: &[&str] = &[
    "EVAL return~ARGV[1] 0 s#", "EVALSHA {sha} 0 s#", "EVALSHA {sha} 0 s#", "SCRIPT LOAD return~ARGV[1]",
    "SCRIPT FLUSH", "SCRIPT EXISTS {sha}", "SCRIPT", "SCRIPT LOAD", "SCRIPT FLUSH x", "SCRIPT NOSUCH",
    "EVAL return~redis.error_reply('ERR~client~no') 0",
    "EVAL return~redis.error_reply('ERR~EXEC~without~MULTI') 0",
    "EVAL return~redis.error_reply('NOSCRIPT~no') 0", "EVAL return~redis.status_reply('QUEUED') 0",
    "EVAL return~redis.status_reply('RESET') 0", "EVAL return~{'message','a','b'} 0",
    "EVAL return~{'subscribe','a',1} 0", "EVAL return~{'unsubscribe','a',0} 0", "EVAL return~{'pong',''} 0",
    "EVAL return~redis.call('nosuch') 0", "EVAL return~redis.call('select','1') 0", "EVAL", "EVAL x y",
];

#[rustfmt::skip]
pub const MONITOR: &[&str] = &[
    "MONITOR", "MONITOR x", "RESET", "RESET",
];

#[rustfmt::skip]
pub const QUIT: &[&str] = &[
    "QUIT", "QUIT x",
];

/// What a user may be forbidden to do. The server forbids nobody AUTH, HELLO, QUIT and RESET.
#[rustfmt::skip]
pub const FORBIDDEN: &[&str] = &[
    "multi", "exec", "discard", "watch", "unwatch", "select", "subscribe", "psubscribe", "ssubscribe",
    "unsubscribe", "punsubscribe", "sunsubscribe", "client|reply", "client|setname", "client|setinfo",
    "client|tracking", "client|no-evict", "ping", "monitor", "eval", "script|load", "script|flush", "echo",
    "set", "publish", "client",
];

/// What the control connection does; `{user}` is the user of the conversation.
#[rustfmt::skip]
pub const CONTROL: &[&str] = &[
    "SET a y", "SET a y", "PUBLISH a m#", "PUBLISH b m#", "SCRIPT FLUSH", "ACL SETUSER {user} resetchannels &a",
    "ACL SETUSER {user} resetchannels", "ACL SETUSER {user} allchannels", "ACL SETUSER {user} -subscribe",
    "ACL SETUSER {user} -unsubscribe", "ACL SETUSER {user} -multi", "ACL SETUSER {user} -exec",
    "ACL SETUSER {user} -select", "ACL SETUSER {user} +@all",
];

/// A script that gives back what it is given.
pub const ECHOING: &str = "return ARGV[1]";
