//! Random conversations of the engine with a real server, and what each side thinks of the connection.
//!
//! Every conversation comes from a seed: a configuration, what the server lets its user do, and a list of what happens:
//! commands right and wrong, forbidden ones, streams that break, connections that are killed, commands that are given up.
//! Every reply has to be one for its command, every command ends once and in order, and whenever all is answered the state
//! of the engine has to be what CLIENT LIST says of the connection.
//!
//! `CONVERSATIONS` is how many are held, `FROM` the first seed, `FINDINGS` how many of those that find something are made
//! short before they are shown. `REDWIRE_SEED` holds one, and shows what happens. `REDWIRE_SERVER` is the server's program.

mod check;
mod ledger;
mod plan;
mod server;
mod shrink;
mod talk;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use check::{Problem, problem};
use plan::{Setup, Step};
use server::{Control, start};

/// A server for each, so that their conversations do not meet.
const WORKERS: usize = 2;

#[test]
fn conversations() {
    if let Some(seed) = number("REDWIRE_SEED") {
        return replay(seed);
    }
    let count = number("CONVERSATIONS").unwrap_or(1000);
    let from = number("FROM").unwrap_or(1);
    let next = AtomicU64::new(from);
    let found: Mutex<BTreeMap<String, Vec<u64>>> = Mutex::new(BTreeMap::new());
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let server = start();
                let mut control = Control::of(&server);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        break;
                    }
                    let (setup, steps) = plan::plan(seed);
                    if let Some(problem) = hold(&mut control, &setup, &steps, false) {
                        found.lock().unwrap().entry(problem.kind).or_default().push(seed);
                    }
                }
            });
        }
    });
    println!("{count} conversations from seed {from} in {:.1} s", begin.elapsed().as_secs_f64());
    let found = found.into_inner().unwrap();
    if !found.is_empty() {
        panic!("{}", report(found));
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} has to be a number")))
}

/// Holds a conversation and says what was wrong with it, a panic included.
fn hold(control: &mut Control, setup: &Setup, steps: &[Step], tracing: bool) -> Option<Problem> {
    match catch_unwind(AssertUnwindSafe(|| talk::hold(control, setup, steps, tracing))) {
        Ok(Ok(())) => None,
        Ok(Err(problem)) => Some(problem),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Some(problem(format!("panic: {}", text.unwrap_or_default()), ""))
        }
    }
}

/// Holds one conversation, shows all of it, and then the shortest that finds the same.
fn replay(seed: u64) {
    let server = start();
    let mut control = Control::of(&server);
    let (setup, steps) = plan::plan(seed);
    if let Some(problem) = hold(&mut control, &setup, &steps, true) {
        println!("\n{problem}\n");
        panic!("{}", shortest(&mut control, seed));
    }
}

fn shortest(control: &mut Control, seed: u64) -> String {
    let (setup, steps) = plan::plan(seed);
    let Some(problem) = hold(control, &setup, &steps, false) else {
        return format!("seed {seed}: does not happen again\n");
    };
    let (setup, steps, problem) =
        shrink::shrink(setup, steps, problem, |setup, steps| hold(control, setup, steps, false));
    let mut text = format!("REDWIRE_SEED={seed}\n  {problem}\n  {setup:?}\n");
    for step in &steps {
        writeln!(text, "    {step}").unwrap();
    }
    text
}

/// What was found, by kind, with the shortest conversations of some seeds.
fn report(found: BTreeMap<String, Vec<u64>>) -> String {
    let server = start();
    let mut control = Control::of(&server);
    let each = number("FINDINGS").unwrap_or(8) as usize;
    let mut text = String::from("the engine and the server do not agree\n");
    for (kind, mut seeds) in found {
        seeds.sort_unstable();
        writeln!(text, "\n== {kind}: {} conversations", seeds.len()).unwrap();
        let mut lists: BTreeMap<String, String> = BTreeMap::new();
        for seed in seeds.into_iter().take(each) {
            let list = shortest(&mut control, seed);
            // Those that differ in when what is written are the same; the shortest is shown.
            let commands = list.lines().skip(3).filter(|line| !line.contains("--"));
            let shape = commands.flat_map(|line| line.split_whitespace().next()).collect();
            let shown = lists.entry(shape).or_default();
            if shown.is_empty() || list.len() < shown.len() {
                *shown = list;
            }
        }
        text.extend(lists.into_values());
    }
    text
}
