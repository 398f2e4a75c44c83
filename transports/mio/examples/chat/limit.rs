//! The rate limit: a token bucket for each name, kept in Redis, so that all rooms share it and a new connection does not
//! fill it.

use std::time::{Duration, Instant};

use redwire_mio::Client;
use redwire_mio::redwire::client::Error;
use redwire_mio::redwire::connection::Ticket;
use redwire_mio::redwire::script::Script;

/// A bucket is one number: when it will be full again, in milliseconds. It is gone when it is full. The clock is the
/// server's, which is the same for all rooms.
const SOURCE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lines, pace = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) or 0, now) + pace
local wait = full - now - lines * pace
if wait > 0 then
    return wait
end
redis.call('SET', KEYS[1], full, 'PX', full - now)
return 0
";

pub(crate) struct Limit {
    script: Script<'static>,
    lines: u32,
    pace: u64,
}

impl Limit {
    /// So many lines at once, and one more after each `pace`.
    pub(crate) fn new(lines: u32, pace: Duration) -> Self {
        // Numbers of Lua are exact up to 2^53.
        let pace = u64::try_from(pace.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 32);
        Limit { script: Script::new(SOURCE), lines: lines.max(1), pace }
    }

    /// Asks whether `name` may say a line: the reply is 0, or how many milliseconds there are to wait.
    pub(crate) fn ask(&self, redis: &mut Client, now: Instant, name: &str) -> Result<Ticket, Error> {
        redis.script(now, &self.script, format!("redwire-chat:limit:{name}"), (self.lines, self.pace))
    }
}
