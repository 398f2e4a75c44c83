//! A chat room: one loop that serves TCP clients and one Redis connection. Every line is first checked by a rate limit, a
//! Lua script in Redis; allowed lines are published to a channel, and what anybody publishes there is shown live to all
//! clients. Rooms on the same Redis are one room.
//!
//!     make chat                                                          # all of it, on a server of its own
//!     cargo run -p redwire-mio --example chat -- serve 127.0.0.1:7878    # then, as often as you like: nc 127.0.0.1 7878
//!
//! A client types a line and Enter; the first is its name. What it sees begins with `>` if it was published, with `*` if
//! the room has something to say, and with `!` if a line was refused.

mod guest;
mod limit;
mod member;
mod room;
mod show;

use std::env;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use limit::Limit;
use room::Room;

const USAGE: &str = "\
usage: chat serve HOST:PORT [URL [LINES [MILLISECONDS]]]
       chat show [URL]

serve   opens the room; each name may say LINES at once (3), and one more after each MILLISECONDS (1000)
show    opens a room, lets clients talk in it, and prints what they see
URL     the Redis server: REDIS_URL or redis://localhost if it is not there";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let default = env::var("REDIS_URL").unwrap_or_else(|_| "redis://localhost".into());
    let done = match words[..] {
        ["serve", address] => serve(address, &default, "3", "1000"),
        ["serve", address, url] => serve(address, url, "3", "1000"),
        ["serve", address, url, lines] => serve(address, url, lines, "1000"),
        ["serve", address, url, lines, pace] => serve(address, url, lines, pace),
        ["show"] => show::show(&default),
        ["show", url] => show::show(url),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str, url: &str, lines: &str, pace: &str) -> Result<(), Box<dyn Error>> {
    let limit = Limit::new(lines.parse()?, Duration::from_millis(pace.parse()?));
    let mut room = Room::open(address.parse()?, &url.parse()?, limit)?;
    log(&format!("listening on {}", room.address()?));
    let Err(error) = room.run();
    Err(error)
}

/// Who reads the log may leave: that must not end the room.
fn log(line: &str) {
    let _ = writeln!(std::io::stdout(), "{:>8}        {line}", "room");
}
