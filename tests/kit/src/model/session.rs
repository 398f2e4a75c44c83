//! The state that a server keeps of one connection, and what each command does to it.

use std::collections::BTreeSet;

use super::table::{self, Effect, InMulti, Row};
use super::{Changes, Mode, Protocol};

/// Whether the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replies {
    On,
    /// Until CLIENT REPLY ON or RESET.
    Off,
    /// Not the next command.
    Skip,
}

/// What a server knows of one connection.
///
/// The names are those of the flags of [CLIENT LIST](https://redis.io/docs/latest/commands/client-list/) where it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub protocol: Protocol,
    pub database: u32,
    /// Behind MULTI, the commands that were queued.
    pub queued: Option<Vec<Vec<Vec<u8>>>>,
    /// A command was refused while the others were queued: EXEC will be refused with EXECABORT.
    /// <https://redis.io/docs/latest/develop/using-commands/transactions/#errors-inside-a-transaction>
    pub aborted: bool,
    pub watching: bool,
    pub replies: Replies,
    pub monitoring: bool,
    pub closing: bool,
    pub names: [BTreeSet<Vec<u8>>; 3],
    pub changes: Changes,
    /// Flags that servers disagree about, so that both is right.
    pub unsure: Changes,
}

impl Session {
    /// A connection that was just accepted.
    pub fn new() -> Self {
        Session {
            protocol: Protocol::Resp2,
            database: 0,
            queued: None,
            aborted: false,
            watching: false,
            replies: Replies::On,
            monitoring: false,
            closing: false,
            names: Default::default(),
            changes: Changes::NONE,
            unsure: Changes::NONE,
        }
    }

    pub fn mode(&self) -> Mode {
        if self.closing {
            Mode::Closing
        } else if self.monitoring {
            Mode::Monitor
        } else if self.replies == Replies::Off {
            Mode::ReplyOff
        } else if self.replies == Replies::Skip {
            Mode::ReplySkip
        } else if self.queued.is_some() {
            Mode::Transaction
        } else if self.protocol == Protocol::Resp2 && self.has_names() {
            // RESP3 has no such mode: <https://redis.io/docs/latest/develop/pubsub/#behavior-of-redis-cli-and-client-libraries>
            Mode::Subscribed
        } else {
            Mode::Ready
        }
    }

    pub fn has_names(&self) -> bool {
        self.names.iter().any(|names| !names.is_empty())
    }

    /// Whether the server says nothing to the command that comes next. CLIENT REPLY ON and the confirmations of
    /// subscriptions come in any case, RESET's `+RESET` after OFF but not after SKIP (measured, all versions alike).
    pub fn is_silent_for(&self, row: &Row) -> bool {
        match row.effect {
            Effect::ReplyOff | Effect::ReplySkip => true,
            Effect::ReplyOn | Effect::Subscribe(_) | Effect::Unsubscribe(_) => false,
            Effect::Reset => self.replies == Replies::Skip,
            _ => self.replies != Replies::On,
        }
    }

    /// Whether the command is queued instead of run.
    pub fn queues(&self, row: &Row) -> bool {
        self.queued.is_some() && row.in_multi != InMulti::AtOnce
    }

    /// The server has taken the command, and it succeeds; a queued one is queued.
    pub fn run(&mut self, words: &[Vec<u8>]) {
        let row = table::find(words);
        if self.queues(row) {
            self.queued.as_mut().unwrap().push(words.to_vec());
        } else if row.effect == Effect::Exec {
            self.exec(|_| true);
        } else {
            self.apply(words, row);
        }
        self.end_of_command(words, row);
    }

    /// EXEC has run, and says for each command whether it succeeded.
    pub fn exec(&mut self, succeeds: impl Fn(usize) -> bool) {
        self.watching = false;
        self.aborted = false;
        for (at, words) in self.queued.take().unwrap_or_default().iter().enumerate() {
            if succeeds(at) {
                self.apply(words, table::find(words));
            }
        }
    }

    /// EXEC has run nothing: a watched key has changed, or a command was refused before.
    /// Both [unwatch](https://redis.io/docs/latest/commands/exec/) all keys.
    pub fn exec_nothing(&mut self) {
        self.queued = None;
        self.aborted = false;
        self.watching = false;
    }

    /// The server has refused the command with an error.
    pub fn refuse(&mut self, words: &[Vec<u8>]) {
        let row = table::find(words);
        if self.queued.is_some() {
            match row.effect {
                // However EXEC is refused, the transaction is over with it: EXECABORT, and MOVED and the like in a cluster.
                Effect::Exec => self.exec_nothing(),
                Effect::Quit | Effect::Reset => {}
                _ => self.aborted = true,
            }
        }
        if row.effect == Effect::Hello {
            // Redis 7.0 and before had worked through the options in their order before the one that was wrong.
            for (word, flag) in [(&b"AUTH"[..], Changes::USER), (b"SETNAME", Changes::NAME)] {
                if words.iter().skip(2).any(|option| option.eq_ignore_ascii_case(word)) {
                    self.unsure = self.unsure | flag;
                }
            }
        }
        self.end_of_command(words, row);
    }

    fn apply(&mut self, words: &[Vec<u8>], row: &Row) {
        match row.effect {
            Effect::None | Effect::Replicate | Effect::Exec => {}
            Effect::Multi => self.queued = Some(Vec::new()),
            Effect::Discard => self.exec_nothing(),
            Effect::Watch => self.watching = true,
            Effect::Unwatch => self.watching = false,
            Effect::Subscribe(kind) => self.names[kind as usize].extend(words[1..].iter().cloned()),
            Effect::Unsubscribe(kind) if words.len() == 1 => self.names[kind as usize].clear(),
            Effect::Unsubscribe(kind) => {
                self.names[kind as usize].retain(|name| !words[1..].contains(name));
            }
            Effect::Monitor => self.monitoring = true,
            Effect::Quit => self.closing = true,
            Effect::Reset => self.reset(),
            Effect::Select => {
                let number = words.get(1).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
                self.database = number.unwrap_or(self.database);
            }
            Effect::Auth => self.set(Changes::USER),
            Effect::Hello => {
                match words.get(1).map(|word| &word[..]) {
                    Some(b"2") => self.protocol = Protocol::Resp2,
                    Some(b"3") => self.protocol = Protocol::Resp3,
                    _ => {}
                }
                let mut at = 2;
                while let Some(option) = words.get(at) {
                    if option.eq_ignore_ascii_case(b"AUTH") {
                        self.set(Changes::USER);
                        at += 3;
                    } else if option.eq_ignore_ascii_case(b"SETNAME") {
                        self.set(Changes::NAME);
                        at += 2;
                    } else {
                        // A server refuses it.
                        at += 1;
                    }
                }
            }
            Effect::ReplyOn => self.replies = Replies::On,
            Effect::ReplyOff => self.replies = Replies::Off,
            // Behind OFF it changes nothing.
            Effect::ReplySkip if self.replies == Replies::Off => {}
            Effect::ReplySkip => self.replies = Replies::Skip,
            Effect::Sets(flag) => self.set(flag),
            Effect::Clears(flag) => {
                self.changes = self.changes - flag;
                self.unsure = self.unsure - flag;
                if flag == Changes::TRACKING {
                    // Without tracking there is nothing that it would be said of.
                    self.changes = self.changes - Changes::CACHING;
                }
            }
        }
    }

    fn set(&mut self, flag: Changes) {
        self.changes = self.changes | flag;
        self.unsure = self.unsure - flag;
    }

    /// What the server forgets after every command that is done, whether it succeeded or not.
    fn end_of_command(&mut self, words: &[Vec<u8>], row: &Row) {
        if self.replies == Replies::Skip && row.effect != Effect::ReplySkip {
            self.replies = Replies::On;
        }
        // MULTI and all after it count as one command, up to EXEC or DISCARD.
        if self.queued.is_some() {
            return;
        }
        if row.effect != Effect::Sets(Changes::ASKING) {
            self.changes = self.changes - Changes::ASKING;
            self.unsure = self.unsure - Changes::ASKING;
        }
        if row.effect != Effect::Sets(Changes::CACHING) {
            self.unsure = self.unsure - Changes::CACHING;
            // The page says "the next command"; in fact other CLIENT commands do not count as one.
            let is_client = words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"CLIENT"));
            if is_client && self.changes.contains(Changes::CACHING) {
                self.unsure = self.unsure | Changes::CACHING;
            } else {
                self.changes = self.changes - Changes::CACHING;
            }
        }
    }

    /// <https://redis.io/docs/latest/commands/reset/>, and what was measured:
    ///
    /// | | Redis 6.2 | 7.0 | 8.0 to 8.6 | Valkey 8.1 | 9.1 |
    /// |---|---|---|---|---|---|
    /// | MULTI, WATCH, subscriptions, MONITOR, CLIENT REPLY OFF | undone | undone | undone | undone | undone |
    /// | database, protocol, user, name, tracking, READONLY | undone | undone | undone | undone | undone |
    /// | CLIENT NO-EVICT | - | **stays** | undone | undone | undone |
    /// | CLIENT NO-TOUCH | - | - | undone | undone | undone |
    /// | CLIENT SETINFO | - | - | **stays** | **stays** | **stays** |
    /// | CLIENT CAPA | - | - | - | **stays** | **stays** |
    /// | CLIENT IMPORT-SOURCE | - | - | - | **stays** | undone |
    /// | SCRIPT DEBUG | **stays** | **stays** | **stays** | **stays** | **stays** |
    fn reset(&mut self) {
        let stays = Changes::LIBRARY | Changes::CAPABILITIES | Changes::SCRIPT_DEBUG;
        let differs = Changes::NO_EVICT | Changes::IMPORT_SOURCE;
        *self = Session {
            changes: self.changes & (stays | differs),
            unsure: (self.unsure & (stays | differs)) | (self.changes & differs),
            ..Session::new()
        };
    }
}

impl Default for Session {
    fn default() -> Self {
        Session::new()
    }
}
