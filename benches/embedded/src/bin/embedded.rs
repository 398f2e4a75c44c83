//! Prints what a GET costs redwire and embedded-redis on one stream in memory, what goes over the wire, and what happens
//! to a GET that is given up, as Markdown tables.
//!
//! Everything runs in one process, in turns: one round of all, then the next, after a round that does not count. The
//! tables give the median of the rounds and the fastest one. For the bytes that are copied the binary runs itself under
//! valgrind, with one GET and with eleven; the difference is ten, without start, connection and end.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, io, process};

use redwire_embedded_benches::{
    CANCELLED, CLIENTS, EmbeddedClient, JOINED, SEGMENT, SITUATIONS, SIZES, Traffic,
};

const ROUNDS: usize = 5;

/// How long GETs are made at least for one time.
const LONG_ENOUGH: Duration = Duration::from_millis(50);

fn main() {
    let arguments: Vec<usize> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if let [index, size, times] = arguments[..] {
        (CLIENTS[index].run)(size, &mut |_, get| (0..times).for_each(|_| get()));
        return;
    }
    let allocations = allocations();
    if allocations.is_empty() {
        eprintln!("embedded_allocations did not run: the allocations are missing");
    }
    SIZES.into_iter().for_each(|size| costs(size, &allocations));
    cancelled(&allocations);
    joined();
    situations();
    weight();
}

/// Allocations, allocated bytes, and bytes that stay allocated, by work and name.
type Allocations = HashMap<(String, String), [String; 3]>;

fn allocations() -> Allocations {
    let output = env::current_exe()
        .ok()
        .and_then(|binary| Command::new(binary.with_file_name("embedded_allocations")).output().ok())
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let lines = output.lines().filter_map(|line| {
        let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let [work, name, count, bytes, kept] = fields.try_into().ok()?;
        Some(((work, name), [count, bytes, kept]))
    });
    lines.collect()
}

/// What one GET of a value costs each client.
fn costs(size: usize, allocations: &Allocations) {
    let times = measure(size);
    let copies: Vec<Option<u64>> = (0..CLIENTS.len()).map(|index| copies(index, size)).collect();
    let (floor_time, floor_copies) = match (times.last(), copies.last()) {
        (Some((median, _)), Some(copied)) => (*median, *copied),
        _ => (1.0, None),
    };
    println!("### GET of {size} bytes, which come in pieces of {SEGMENT}\n");
    println!(
        "| client | µs a GET | µs, fastest | x floor | reads | allocations | bytes allocated | bytes copied \
         | copies of the value besides the stream's |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for ((client, (median, fastest)), copied) in CLIENTS.iter().zip(&times).zip(&copies) {
        let allocated = allocations.get(&(size.to_string(), client.name.to_owned()));
        let [count, bytes, _] = allocated.cloned().unwrap_or_default();
        let besides = copied.zip(floor_copies).map(|(copied, floor)| (copied - floor) as f64 / size as f64);
        println!(
            "| {} | {:.2} | {:.2} | {:.1} | {} | {count} | {bytes} | {} | {} |",
            client.name,
            median * 1e6,
            fastest * 1e6,
            median / floor_time,
            traffic(client, size).reads,
            copied.map_or(String::new(), |copied| copied.to_string()),
            besides.map_or(String::new(), |copies| format!("{copies:.2}")),
        );
    }
    println!();
}

/// Median and fastest time of each client for one GET, in seconds.
fn measure(size: usize) -> Vec<(f64, f64)> {
    let mut times = vec![Vec::new(); CLIENTS.len()];
    for round in 0..=ROUNDS {
        for (client, times) in CLIENTS.iter().zip(&mut times) {
            (client.run)(size, &mut |_, get| {
                let took = time(get);
                // The first round warms up.
                if round > 0 {
                    times.push(took);
                }
            });
        }
    }
    let summary = times.iter_mut().map(|times| {
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[0])
    });
    summary.collect()
}

/// How long one GET takes when so many are made that it can be told, in seconds.
fn time(get: &mut dyn FnMut()) -> f64 {
    let mut count = 1;
    loop {
        let start = Instant::now();
        (0..count).for_each(|_| get());
        let took = start.elapsed();
        if took >= LONG_ENOUGH {
            return took.as_secs_f64() / f64::from(count);
        }
        count *= 2;
    }
}

fn traffic(client: &EmbeddedClient, size: usize) -> Traffic {
    let mut traffic = Traffic::default();
    (client.run)(size, &mut |server, get| {
        server.traffic();
        get();
        traffic = server.traffic();
    });
    traffic
}

/// How many bytes memcpy and memmove copy for one GET of the client of that index.
fn copies(index: usize, size: usize) -> Option<u64> {
    let copied = |times: usize| match copied(index, size, times) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            eprintln!("{error}: the copies are missing");
            None
        }
    };
    // What the start of a program copies differs by a byte or two from run to run.
    let ten = copied(11)?.checked_sub(copied(1)?)?;
    Some((ten + 5) / 10)
}

fn copied(index: usize, size: usize, times: usize) -> Result<u64, String> {
    let binary = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=dhat", "--mode=copy", "--dhat-out-file=/dev/null"])
        .arg(binary)
        .args([index, size, times].map(|argument| argument.to_string()))
        .output()
        .map_err(|error| format!("valgrind does not run: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let total = report.lines().find_map(|line| line.split_once("Total:")?.1.trim().split(' ').next());
    total
        .and_then(|bytes| bytes.replace(',', "").parse().ok())
        .ok_or_else(|| format!("dhat gave no count:\n{report}"))
}

fn cancelled(allocations: &Allocations) {
    println!(
        "### What stays allocated after a cancelled GET of {} bytes, and ten GETs after it\n",
        SIZES[1]
    );
    println!("| client | bytes |");
    println!("|---|---:|");
    for client in CANCELLED {
        let allocated = allocations.get(&("cancelled".to_owned(), client.name.to_owned()));
        let [_, _, kept] = allocated.cloned().unwrap_or_default();
        println!("| {} | {kept} |", client.name);
    }
    println!();
}

fn joined() {
    println!("### GETs that are made together\n");
    println!(
        "| client | GETs | commands | bytes | writes | sent before the first reply | waits for the server |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for joined in JOINED {
        let Traffic { writes, written, commands, together, round_trips, .. } = (joined.run)();
        println!(
            "| {} | {} | {commands} | {written} | {writes} | {together} | {round_trips} |",
            joined.name, joined.calls
        );
    }
    println!();
}

fn situations() {
    println!("### GETs after one that was given up, whose reply comes late\n");
    println!("| the GET that was given up | it gave | the next GET got | the one after that |");
    println!("|---|---|---|---|");
    for situation in SITUATIONS {
        let happened = (situation.run)();
        println!("| {} | {} | {} | {} |", situation.name, happened.first, happened.second, happened.third);
    }
    println!();
}

/// How much comes with each crate.
fn weight() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = here.join("../../transports/embedded-io");
    let crates = [
        ("redwire-embedded-io", format!("{{ path = {ours:?} }}"), Some(here.join("../../src/command"))),
        (
            "embedded-redis",
            "\"0.10\"".to_owned(),
            source("embedded-redis").map(|root| root.join("src/commands")),
        ),
    ];
    println!("### What comes with it\n");
    println!("| crate | crates besides it | commands with a function or type of their own |");
    println!("|---|---:|---:|");
    for (name, requirement, commands) in crates {
        let (name, crates) = match dependencies(name, &requirement) {
            Ok((name, crates)) => (name, crates.to_string()),
            Err(error) => {
                eprintln!("cargo tree does not run: {error}");
                (name.to_owned(), String::new())
            }
        };
        let commands = commands.and_then(|folder| typed_commands(&folder).ok());
        let commands = commands.map_or(String::new(), |commands| commands.to_string());
        println!("| {name} | {crates} | {commands} |");
    }
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// That crate with its version, and how many others a program needs for it.
fn dependencies(name: &str, requirement: &str) -> io::Result<(String, usize)> {
    let program = env::temp_dir().join(format!("redwire-embedded-{}", process::id()));
    fs::create_dir_all(program.join("src"))?;
    fs::write(program.join("src/lib.rs"), "")?;
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"), program.join("Cargo.lock"))?;
    fs::write(
        program.join("Cargo.toml"),
        format!(
            "[package]\nname = \"program\"\nedition = \"2024\"\n\n[dependencies]\n{name} = {requirement}\n\n[workspace]\n"
        ),
    )?;
    let output = cargo()
        .args(["tree", "--offline", "--prefix", "none", "--edges", "normal", "--manifest-path"])
        .arg(program.join("Cargo.toml"))
        .output();
    fs::remove_dir_all(&program)?;
    let output = output?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    // The program, the crate, and what it needs.
    let crates: Vec<String> = tree.lines().filter(|line| !line.is_empty()).map(name_and_version).collect();
    let named = crates.get(1).cloned().unwrap_or_default();
    let others: BTreeSet<String> = crates.into_iter().skip(2).collect();
    Ok((named, others.len()))
}

/// Where the source of a crate is.
fn source(name: &str) -> Option<PathBuf> {
    let output = cargo()
        .args(["metadata", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .ok()?;
    let metadata = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut paths = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let manifest = paths.find(|path| path.contains(&format!("/{name}-")))?;
    Some(Path::new(manifest).parent()?.to_owned())
}

/// How many commands have a name of their own in the files of a folder: the lines of redwire's tables, each of which has
/// an example, and the types with embedded-redis's trait.
fn typed_commands(folder: &Path) -> io::Result<usize> {
    let mut commands = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            let source = fs::read_to_string(path)?;
            commands.extend(source.lines().filter_map(typed_command));
        }
    }
    Ok(commands.len())
}

fn typed_command(line: &str) -> Option<String> {
    let name = match line.trim_start().strip_prefix("example ") {
        Some(example) => example,
        None => line.strip_prefix("impl").filter(|line| line.contains(" Command<"))?.split_once(" for ")?.1,
    };
    let name = name.split(['(', '<', ' ']).next()?;
    // The one for any command.
    (name != "CustomCommand" && !name.starts_with('$')).then(|| name.to_owned())
}
