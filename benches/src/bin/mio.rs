//! Prints how redwire-mio does beside its peers and beside loops that only move bytes, as Markdown tables, and fails when
//! a bar is not held.
//!
//! The server is a process of its own, private and on loopback TCP. Clients run in turns: one round of all, then the next,
//! after a round that does not count. The tables give the median of the rounds and the best one. Bars are held by the best
//! rounds: what else a machine does makes a round slower, never faster.
//!
//! Client and server want a core each. Where they have to share one, a bare loop has next to all of it for the server, and
//! each instruction of a client counts against it.

use std::env;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use redwire_benches::live::{Client, Measured, Result, Server, callers, in_flight, messages};

const ROUNDS: usize = 7;

const PIPELINE: in_flight::Work = in_flight::Work { operations: 1_000_000, in_flight: 1000 };
const MESSAGES: usize = 200_000;

/// What each client took in each round.
type Rounds = Vec<Vec<Measured>>;

/// What has to hold, and what was found.
#[derive(Default)]
struct Bars {
    table: String,
    failed: bool,
}

impl Bars {
    /// How many times as much one takes as the other has to be at least the bar, in their best rounds.
    fn at_least(&mut self, name: &str, bar: f64, more: Summary, less: Summary) {
        let (best, median) = (more.best / less.best, more.median / less.median);
        self.failed |= best < bar;
        let mark = if best < bar { format!("**{bar}, not held**") } else { bar.to_string() };
        let _ = writeln!(self.table, "| {name} | {best:.2} | {median:.2} | {mark} |");
    }
}

/// Seconds.
#[derive(Clone, Copy)]
struct Summary {
    median: f64,
    best: f64,
}

impl Summary {
    fn of(rounds: &[Measured], of: impl Fn(&Measured) -> Duration) -> Self {
        let mut all: Vec<f64> = rounds.iter().map(|measured| of(measured).as_secs_f64()).collect();
        all.sort_by(f64::total_cmp);
        Summary { median: all[all.len() / 2], best: all[0] }
    }

    /// The least of several clients, each number by itself.
    fn least(clients: &[Vec<Measured>], of: impl Fn(&Measured) -> Duration) -> Self {
        let none = Summary { median: f64::INFINITY, best: f64::INFINITY };
        clients.iter().map(|rounds| Summary::of(rounds, &of)).fold(none, |least, one| Summary {
            median: least.median.min(one.median),
            best: least.best.min(one.best),
        })
    }
}

fn rounds<W>(clients: &[Client<W>], server: &Server, work: &W) -> Result<Rounds> {
    let mut rounds = vec![Vec::new(); clients.len()];
    for round in 0..=ROUNDS {
        for (client, rounds) in clients.iter().zip(&mut rounds) {
            let measured = (client.run)(server, work).map_err(|error| format!("{}: {error}", client.name))?;
            // The first round warms up.
            if round > 0 {
                rounds.push(measured);
            }
        }
    }
    Ok(rounds)
}

/// Prints a row for each client; `unit` is what it is counted in.
fn table<W>(title: &str, unit: &str, units: usize, clients: &[Client<W>], rounds: &Rounds) {
    println!("### {title}\n");
    println!("| client | {unit}s/s | best | ms | best | client CPU, ns for each | best |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let units = units as f64;
    for (client, rounds) in clients.iter().zip(rounds) {
        let (time, cpu) = (Summary::of(rounds, time), Summary::of(rounds, cpu));
        println!(
            "| {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} |",
            client.name,
            units / time.median,
            units / time.best,
            time.median * 1e3,
            time.best * 1e3,
            cpu.median * 1e9 / units,
            cpu.best * 1e9 / units,
        );
    }
    println!();
}

fn time(measured: &Measured) -> Duration {
    measured.time
}

fn cpu(measured: &Measured) -> Duration {
    measured.cpu
}

fn run() -> Result<Bars> {
    let server = Server::start()?;
    let mut bars = Bars::default();

    for (name, writes) in [("GET", false), ("SET and GET", true)] {
        let work = callers::Work { operations: 300_000, writes };
        let found = rounds(callers::CLIENTS, &server, &work)?;
        let title = format!("{name}, {} callers on one connection", callers::CALLERS);
        table(&title, "operation", work.operations, callers::CLIENTS, &found);
        let (ours, peers) = found.split_at(callers::OURS);
        for (client, ours) in callers::CLIENTS.iter().zip(ours) {
            let name = format!("{title}: {}", client.name);
            let (peers_time, peers_cpu) = (Summary::least(peers, time), Summary::least(peers, cpu));
            bars.at_least(&format!("{name}, x the best peer"), 1.0, peers_time, Summary::of(ours, time));
            bars.at_least(&format!("{name}, CPU of the best peer"), 1.0, peers_cpu, Summary::of(ours, cpu));
        }
    }

    let found = rounds(in_flight::CLIENTS, &server, &PIPELINE)?;
    let title = format!("GET, {} in flight on one connection", PIPELINE.in_flight);
    table(&title, "operation", PIPELINE.operations, in_flight::CLIENTS, &found);
    if let [ours, .., raw] = &found[..] {
        bars.at_least(&format!("{title}: x raw"), 0.85, Summary::of(raw, time), Summary::of(ours, time));
    }

    for waiting in [false, true] {
        let work = messages::Work { messages: MESSAGES, waiting };
        let found = rounds(messages::CLIENTS, &server, &work)?;
        let way = if waiting { "that wait in the server" } else { "as they are published" };
        let title = format!("{MESSAGES} messages {way}");
        table(&title, "message", MESSAGES, messages::CLIENTS, &found);
        // What waits comes as fast as memory is copied: nothing that looks at it keeps up with that.
        if let ([ours, .., raw], false) = (&found[..], waiting) {
            bars.at_least(&format!("{title}: x raw"), 0.75, Summary::of(raw, time), Summary::of(ours, time));
        }
    }
    Ok(bars)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match &arguments[..] {
        [role, server, messages] if role == "publish" => match (server.parse(), messages.parse()) {
            (Ok(server), Ok(messages)) => messages::publish(server, messages).map(|()| true),
            _ => Err("publish ADDRESS MESSAGES".into()),
        },
        _ => run().map(|bars| {
            println!("### Bars\n\n| | best rounds | medians | at least |\n|---|---:|---:|---:|");
            print!("{}", bars.table);
            !bars.failed
        }),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
