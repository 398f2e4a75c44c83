//! Prints how many instructions redwire takes for a reply, as callgrind counts them, and fails when that is more
//! than its bar.
//!
//! The binary runs itself under valgrind, each work once and three times over; half the difference is the work,
//! without start, preparation and end.

use std::env;
use std::fmt::Write;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use redwire::resp::{Limits, NomParser, Parser, Scanner};
use redwire_benches::decode::{frames, frames_in_pieces, read, read_data, read_vector};
use redwire_benches::encode::{Sink, redwire_commands};
use redwire_benches::engine::{give_up, round_trips};
use redwire_benches::workload::Workload;

const REPLIES: usize = 20_000;
const MAPS: usize = 300;

/// What is measured, of what, and how much it may take.
struct Work {
    name: &'static str,
    /// What the number is given for.
    unit: &'static str,
    units: usize,
    bar: Option<f64>,
    /// Does it so many times over.
    run: fn(times: usize),
}

const fn work(name: &'static str, unit: &'static str, units: usize, run: fn(usize)) -> Work {
    Work { name, unit, units, bar: None, run }
}

impl Work {
    const fn at_most(mut self, bar: f64) -> Self {
        self.bar = Some(bar);
        self
    }
}

const WORKS: &[Work] = &[
    work("framing, small mixed replies", "reply", REPLIES, |n| whole(n, mixed(), scanner(), one))
        .at_most(130.0),
    work("framing, array of 16 B strings", "element", REPLIES, |n| whole(n, array(), scanner(), one))
        .at_most(110.0),
    work("framing, RESP3 maps", "node", MAPS * 37, |n| whole(n, maps(), scanner(), one)),
    work("framing, pushed messages", "message", REPLIES, |n| {
        whole(n, Workload::messages(REPLIES), scanner(), one);
    }),
    work("framing and reading, small mixed replies", "reply", REPLIES, |n| {
        whole(n, mixed(), scanner(), read)
    })
    .at_most(200.0),
    work("framing and reading, array of 16 B strings", "element", REPLIES, |n| {
        whole(n, array(), scanner(), read)
    })
    .at_most(175.0),
    work("framing and reading, array into Vec<&[u8]>", "element", REPLIES, |n| {
        whole(n, array(), scanner(), read_vector);
    })
    .at_most(175.0),
    work("framing and matching on Data, small mixed replies", "reply", REPLIES, |n| {
        whole(n, mixed(), scanner(), read_data);
    })
    .at_most(200.0),
    work("framing and matching on Data, array of 16 B strings", "element", REPLIES, |n| {
        whole(n, array(), scanner(), read_data);
    }),
    work("framing and reading, RESP3 maps", "node", MAPS * 37, |n| whole(n, maps(), scanner(), read)),
    work("framing in 1448 B pieces, small mixed replies", "reply", REPLIES, |n| {
        pieces(n, mixed(), scanner(), one)
    }),
    work("framing in 1448 B pieces, array of 16 B strings", "element", REPLIES, |n| {
        pieces(n, array(), scanner(), one)
    }),
    work("framing in 1448 B pieces, twice the array", "element", 2 * REPLIES, |n| {
        pieces(n, Workload::array(2 * REPLIES), scanner(), one);
    }),
    work("NomParser: framing, small mixed replies", "reply", REPLIES, |n| whole(n, mixed(), nom(), one)),
    work("NomParser: framing, array of 16 B strings", "element", REPLIES, |n| whole(n, array(), nom(), one)),
    work("encoding SET, 16 B key, 64 B value", "command", REPLIES, |n| {
        let mut sink = Sink::new(REPLIES);
        (0..n).for_each(|_| redwire_commands(&mut sink, REPLIES));
    }),
    work("a GET through the connection, one at a time", "command", REPLIES, |n| round_trips(n * REPLIES))
        .at_most(1750.0),
    work("sending and giving up one of 2,500 commands, oldest first", "command", FEW, |n| {
        give_up_all(n, FEW, |i| i)
    }),
    work("sending and giving up one of 40,000 commands, oldest first", "command", MANY, |n| {
        give_up_all(n, MANY, |i| i)
    })
    .at_most(1500.0),
    work("sending and giving up one of 40,000 commands, youngest first", "command", MANY, |n| {
        give_up_all(n, MANY, |i| MANY - 1 - i);
    })
    .at_most(1500.0),
    work("sending and giving up one of 40,000 commands, here and there", "command", MANY, |n| {
        give_up_all(n, MANY, |i| i * 7 % MANY);
    })
    .at_most(1500.0),
];

const FEW: usize = 2_500;
const MANY: usize = 40_000;

fn give_up_all(times: usize, count: usize, order: fn(usize) -> usize) {
    (0..times).for_each(|_| give_up(count, order));
}

fn scanner() -> impl Parser {
    Scanner::growing(Limits::default())
}

fn nom() -> impl Parser {
    NomParser::growing(Limits::default())
}

fn mixed() -> Workload {
    Workload::mixed(REPLIES)
}

fn array() -> Workload {
    Workload::array(REPLIES)
}

fn maps() -> Workload {
    Workload::maps(MAPS)
}

/// Framing alone.
fn one(_: &[u8]) -> u64 {
    1
}

fn whole(times: usize, workload: Workload, mut parser: impl Parser, read: impl Fn(&[u8]) -> u64) {
    for _ in 0..times {
        black_box(frames(&mut parser, black_box(&workload.bytes), &read));
    }
}

fn pieces(times: usize, workload: Workload, mut parser: impl Parser, read: impl Fn(&[u8]) -> u64) {
    for _ in 0..times {
        black_box(frames_in_pieces(&mut parser, black_box(&workload.bytes), &read));
    }
}

/// The instructions of this binary when it does the work of that index so many times over.
fn instructions(index: usize, times: usize) -> Result<u64, String> {
    let binary = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binary)
        .args([index.to_string(), times.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not run: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let count = report.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("callgrind gave no count:\n{report}"))
}

fn table() -> Result<(String, bool), String> {
    let mut table = String::from("| work | instructions | a | at most |\n|---|---:|---|---:|\n");
    let mut held = true;
    for (index, work) in WORKS.iter().enumerate() {
        let (once, thrice) = (instructions(index, 1)?, instructions(index, 3)?);
        let each = (thrice - once) as f64 / 2.0 / work.units as f64;
        let bar = match work.bar {
            Some(bar) if each > bar => {
                held = false;
                format!("**{bar}, exceeded**")
            }
            Some(bar) => bar.to_string(),
            None => String::new(),
        };
        writeln!(table, "| {} | {each:.1} | {} | {bar} |", work.name, work.unit)
            .map_err(|e| e.to_string())?;
    }
    Ok((table, held))
}

fn main() -> ExitCode {
    let arguments: Vec<usize> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if let [index, times] = arguments[..] {
        (WORKS[index].run)(times);
        return ExitCode::SUCCESS;
    }
    match table() {
        Ok((table, held)) => {
            print!("{table}");
            if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
