//! What each command does to the connection it is sent on, from the pages of the commands.
//!
//! One row for each form. What has no row runs, is answered once, and leaves the connection as it is.

use super::{Changes, Kind};

/// What a command that succeeds does to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that the next command would see.
    None,
    /// <https://redis.io/docs/latest/commands/multi/>
    Multi,
    /// <https://redis.io/docs/latest/commands/exec/>
    Exec,
    /// <https://redis.io/docs/latest/commands/discard/>
    Discard,
    /// <https://redis.io/docs/latest/commands/watch/>
    Watch,
    /// <https://redis.io/docs/latest/commands/unwatch/>
    Unwatch,
    /// <https://redis.io/docs/latest/commands/subscribe/>, `psubscribe`, `ssubscribe`
    Subscribe(Kind),
    /// <https://redis.io/docs/latest/commands/unsubscribe/>, `punsubscribe`, `sunsubscribe`
    Unsubscribe(Kind),
    /// <https://redis.io/docs/latest/commands/monitor/>
    Monitor,
    /// <https://redis.io/docs/latest/commands/quit/>
    Quit,
    /// <https://redis.io/docs/latest/commands/reset/>
    Reset,
    /// <https://redis.io/docs/latest/commands/select/>
    Select,
    /// <https://redis.io/docs/latest/commands/auth/>
    Auth,
    /// <https://redis.io/docs/latest/commands/hello/>
    Hello,
    /// <https://redis.io/docs/latest/commands/client-reply/>
    ReplyOn,
    ReplyOff,
    ReplySkip,
    /// SYNC, PSYNC, REPLCONF: what comes then is no reply, <https://redis.io/docs/latest/commands/psync/>.
    Replicate,
    /// Something stays with the connection.
    Sets(Changes),
    /// Something that stayed is taken off.
    Clears(Changes),
}

/// What the page says that comes back when the command succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `+OK`.
    Ok,
    /// `+OK`, of a command whose wrong reply leaves nothing but a flag in doubt.
    OkMore,
    /// `+RESET`.
    Reset,
    /// An array, or null where a watched key has changed.
    Exec,
    /// A map under RESP3, an array under RESP2.
    Hello,
    /// A confirmation for each name.
    Confirmations,
    /// Nothing at all.
    Nothing,
    /// Whatever there is to say.
    Any,
}

/// Whether MULTI queues it. Measured on Redis 6.2, 7.0, 8.0, 8.2, 8.6, Valkey 8.1 and 9.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InMulti {
    /// It is queued, and does what it does when EXEC runs it.
    Queued,
    /// It is done at once: EXEC, DISCARD, QUIT, RESET.
    AtOnce,
    /// The server refuses it, or what it does would make EXEC's reply unreadable. It must not be sent.
    Refused,
}

/// One form of a command.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The first words, in capitals.
    pub words: &'static [&'static str],
    pub effect: Effect,
    pub shape: Shape,
    pub in_multi: InMulti,
}

const fn row(words: &'static [&'static str], effect: Effect, shape: Shape, in_multi: InMulti) -> Row {
    Row { words, effect, shape, in_multi }
}

/// What has no row of its own.
pub const ORDINARY: Row = row(&[], Effect::None, Shape::Any, InMulti::Queued);

/// The longest fitting row counts.
pub const TABLE: &[Row] = &[
    row(&["MULTI"], Effect::Multi, Shape::Ok, InMulti::Refused),
    row(&["EXEC"], Effect::Exec, Shape::Exec, InMulti::AtOnce),
    row(&["DISCARD"], Effect::Discard, Shape::Ok, InMulti::AtOnce),
    row(&["WATCH"], Effect::Watch, Shape::Ok, InMulti::Refused),
    row(&["UNWATCH"], Effect::Unwatch, Shape::Ok, InMulti::Queued),
    row(&["SUBSCRIBE"], Effect::Subscribe(Kind::Channel), Shape::Confirmations, InMulti::Refused),
    row(&["PSUBSCRIBE"], Effect::Subscribe(Kind::Pattern), Shape::Confirmations, InMulti::Refused),
    row(&["SSUBSCRIBE"], Effect::Subscribe(Kind::Shard), Shape::Confirmations, InMulti::Refused),
    row(&["UNSUBSCRIBE"], Effect::Unsubscribe(Kind::Channel), Shape::Confirmations, InMulti::Refused),
    row(&["PUNSUBSCRIBE"], Effect::Unsubscribe(Kind::Pattern), Shape::Confirmations, InMulti::Refused),
    row(&["SUNSUBSCRIBE"], Effect::Unsubscribe(Kind::Shard), Shape::Confirmations, InMulti::Refused),
    // Inside MULTI it is queued and then refused: "MONITOR isn't allowed for DENY BLOCKING client".
    row(&["MONITOR"], Effect::Monitor, Shape::Ok, InMulti::Refused),
    row(&["QUIT"], Effect::Quit, Shape::Ok, InMulti::AtOnce),
    row(&["RESET"], Effect::Reset, Shape::Reset, InMulti::AtOnce),
    row(&["SELECT"], Effect::Select, Shape::Ok, InMulti::Queued),
    // Both would be queued; what HELLO answers there is not to be told apart.
    row(&["AUTH"], Effect::Auth, Shape::Ok, InMulti::Refused),
    row(&["HELLO"], Effect::Hello, Shape::Hello, InMulti::Refused),
    // Inside MULTI Redis runs OFF and SKIP and then answers nothing to EXEC; Valkey refuses them.
    row(&["CLIENT", "REPLY", "ON"], Effect::ReplyOn, Shape::Ok, InMulti::Refused),
    row(&["CLIENT", "REPLY", "OFF"], Effect::ReplyOff, Shape::Nothing, InMulti::Refused),
    row(&["CLIENT", "REPLY", "SKIP"], Effect::ReplySkip, Shape::Nothing, InMulti::Refused),
    row(&["SYNC"], Effect::Replicate, Shape::Any, InMulti::Refused),
    row(&["PSYNC"], Effect::Replicate, Shape::Any, InMulti::Refused),
    row(&["REPLCONF"], Effect::Replicate, Shape::Any, InMulti::Refused),
    // <https://redis.io/docs/latest/commands/client-setname/>
    row(&["CLIENT", "SETNAME"], Effect::Sets(Changes::NAME), Shape::OkMore, InMulti::Queued),
    // <https://redis.io/docs/latest/commands/client-setinfo/>
    row(&["CLIENT", "SETINFO"], Effect::Sets(Changes::LIBRARY), Shape::OkMore, InMulti::Queued),
    // <https://redis.io/docs/latest/commands/client-tracking/>
    row(&["CLIENT", "TRACKING", "ON"], Effect::Sets(Changes::TRACKING), Shape::OkMore, InMulti::Queued),
    row(&["CLIENT", "TRACKING", "OFF"], Effect::Clears(Changes::TRACKING), Shape::OkMore, InMulti::Queued),
    // <https://redis.io/docs/latest/commands/client-caching/>
    row(&["CLIENT", "CACHING", "YES"], Effect::Sets(Changes::CACHING), Shape::OkMore, InMulti::Queued),
    row(&["CLIENT", "CACHING", "NO"], Effect::Sets(Changes::CACHING), Shape::OkMore, InMulti::Queued),
    // <https://redis.io/docs/latest/commands/client-no-evict/>
    row(&["CLIENT", "NO-EVICT", "ON"], Effect::Sets(Changes::NO_EVICT), Shape::OkMore, InMulti::Queued),
    row(&["CLIENT", "NO-EVICT", "OFF"], Effect::Clears(Changes::NO_EVICT), Shape::OkMore, InMulti::Queued),
    // <https://redis.io/docs/latest/commands/client-no-touch/>
    row(&["CLIENT", "NO-TOUCH", "ON"], Effect::Sets(Changes::NO_TOUCH), Shape::OkMore, InMulti::Queued),
    row(&["CLIENT", "NO-TOUCH", "OFF"], Effect::Clears(Changes::NO_TOUCH), Shape::OkMore, InMulti::Queued),
    // <https://valkey.io/commands/client-capa/>
    row(&["CLIENT", "CAPA"], Effect::Sets(Changes::CAPABILITIES), Shape::OkMore, InMulti::Queued),
    // <https://valkey.io/commands/client-import-source/>
    row(
        &["CLIENT", "IMPORT-SOURCE", "ON"],
        Effect::Sets(Changes::IMPORT_SOURCE),
        Shape::OkMore,
        InMulti::Queued,
    ),
    row(
        &["CLIENT", "IMPORT-SOURCE", "OFF"],
        Effect::Clears(Changes::IMPORT_SOURCE),
        Shape::OkMore,
        InMulti::Queued,
    ),
    // <https://redis.io/docs/latest/commands/readonly/>
    row(&["READONLY"], Effect::Sets(Changes::READONLY), Shape::OkMore, InMulti::Queued),
    row(&["READWRITE"], Effect::Clears(Changes::READONLY), Shape::OkMore, InMulti::Queued),
    // <https://redis.io/docs/latest/commands/asking/>
    row(&["ASKING"], Effect::Sets(Changes::ASKING), Shape::OkMore, InMulti::Queued),
    // <https://redis.io/docs/latest/commands/script-debug/>
    row(&["SCRIPT", "DEBUG", "YES"], Effect::Sets(Changes::SCRIPT_DEBUG), Shape::OkMore, InMulti::Queued),
    row(&["SCRIPT", "DEBUG", "SYNC"], Effect::Sets(Changes::SCRIPT_DEBUG), Shape::OkMore, InMulti::Queued),
    row(&["SCRIPT", "DEBUG", "NO"], Effect::Clears(Changes::SCRIPT_DEBUG), Shape::OkMore, InMulti::Queued),
    // <https://redis.io/docs/latest/commands/himport-prepare/>
    row(&["HIMPORT", "PREPARE"], Effect::Sets(Changes::FIELD_SETS), Shape::OkMore, InMulti::Queued),
    row(&["HIMPORT", "DISCARDALL"], Effect::Clears(Changes::FIELD_SETS), Shape::OkMore, InMulti::Queued),
];

/// The row of a command.
pub fn find(words: &[Vec<u8>]) -> &'static Row {
    let fits = |row: &&Row| {
        // A word too much is an error, and nothing else. EXEC with one is refused, and ends the transaction all the same.
        let is_reply = row.words.len() == 3 && row.words[1] == "REPLY";
        let alone = is_reply || matches!(row.words, ["MULTI" | "DISCARD" | "RESET"]);
        row.words.len() <= words.len()
            && (!alone || words.len() == row.words.len())
            && row.words.iter().zip(words).all(|(want, word)| word.eq_ignore_ascii_case(want.as_bytes()))
    };
    TABLE.iter().filter(fits).max_by_key(|row| row.words.len()).unwrap_or(&ORDINARY)
}
