//! Prints how long redwire and its peers take to decode and encode, as Markdown tables.
//!
//! Everything runs in one process, in turns: one round of all, then the next, after a round that does not count. The
//! tables give the median of the rounds and the fastest one.

use std::collections::HashMap;
use std::env;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use redwire_benches::decode::{DECODERS, Decoder};
use redwire_benches::encode::{COMMAND, ENCODERS, Sink};
use redwire_benches::workload::Workload;

const ROUNDS: usize = 5;
const COMMANDS: usize = 1_000_000;

/// Allocations by work and name.
type Allocations = HashMap<(String, String), String>;

fn main() {
    let allocations = allocations();
    if allocations.is_empty() {
        eprintln!("target/release/allocations did not run: the allocations are missing");
    }
    for workload in [
        Workload::mixed(1_000_000),
        Workload::array(1_000_000),
        Workload::bulks(1000),
        Workload::maps(10_000),
        Workload::messages(200_000),
    ] {
        decode(&workload, "whole", |decoder| decoder.whole, |_| true, &allocations);
        // Peers that begin anew with every piece would take minutes for an array of a million.
        let large = workload.replies == 1;
        decode(
            &workload,
            "pieces",
            |decoder| decoder.pieces,
            |decoder| !(large && decoder.restarts),
            &allocations,
        );
        if large {
            decode(&Workload::array(20_000), "pieces", |decoder| decoder.pieces, |_| true, &allocations);
        }
    }
    encode(&allocations);
}

fn allocations() -> Allocations {
    let output = env::current_exe()
        .ok()
        .and_then(|binary| Command::new(binary.with_file_name("allocations")).output().ok())
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let lines = output.lines().filter_map(|line| {
        let (key, count) = line.rsplit_once('\t')?;
        let (work, name) = key.split_once('\t')?;
        Some(((work.to_owned(), name.to_owned()), count.to_owned()))
    });
    lines.collect()
}

fn decode(
    workload: &Workload,
    way: &str,
    run: fn(&Decoder) -> Option<fn(&Workload) -> u64>,
    wanted: impl Fn(&Decoder) -> bool,
    allocations: &Allocations,
) {
    let decoders: Vec<(&Decoder, fn(&Workload) -> u64)> = DECODERS
        .iter()
        .filter(|decoder| decoder.speaks(workload) && wanted(decoder))
        .filter_map(|decoder| Some((decoder, run(decoder)?)))
        .collect();
    let mut copy = vec![1u8; workload.bytes.len()];
    let mut jobs: Vec<Box<dyn FnMut() + '_>> = Vec::new();
    for &(_, run) in &decoders {
        jobs.push(Box::new(move || {
            black_box(run(workload));
        }));
    }
    jobs.push(Box::new(|| {
        copy.copy_from_slice(black_box(&workload.bytes));
        black_box(&copy);
    }));
    let times = measure(&mut jobs);
    let names = decoders.iter().map(|(decoder, _)| decoder.name).chain(["floor: memcpy"]);
    let pieces = if way == "pieces" { ", in 1448 B pieces" } else { "" };
    println!("### {}: {} nodes, {} bytes{pieces}\n", workload.name, workload.nodes, workload.bytes.len());
    println!("| decoder | ms | ms, fastest | MB/s | ns a node | allocations a node | x memcpy |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    rows(names, &times, workload.nodes, workload.bytes.len(), |name| {
        allocations.get(&(format!("{}, {way}", workload.name), name.to_owned()))
    });
}

fn encode(allocations: &Allocations) {
    let mut sink = Sink::new(COMMANDS);
    assert!(sink.check(), "redwire writes what is measured");
    let sink = std::cell::RefCell::new(sink);
    let mut jobs: Vec<Box<dyn FnMut() + '_>> = Vec::new();
    for encoder in ENCODERS {
        jobs.push(Box::new(|| (encoder.run)(&mut sink.borrow_mut(), COMMANDS)));
    }
    let times = measure(&mut jobs);
    println!(
        "### Encode SET, key of 16 B, value of 64 B: {COMMANDS} commands, {} bytes\n",
        COMMANDS * COMMAND
    );
    println!("| encoder | ms | ms, fastest | MB/s | ns a command | allocations a command | x memcpy |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let names = ENCODERS.iter().map(|encoder| encoder.name);
    rows(names, &times, COMMANDS, COMMANDS * COMMAND, |name| {
        allocations.get(&("encode".to_owned(), name.to_owned()))
    });
}

/// Median and fastest time of each job.
fn measure(jobs: &mut [Box<dyn FnMut() + '_>]) -> Vec<(Duration, Duration)> {
    let mut times = vec![Vec::new(); jobs.len()];
    for round in 0..=ROUNDS {
        for (job, times) in jobs.iter_mut().zip(&mut times) {
            let start = Instant::now();
            job();
            let took = start.elapsed();
            // The first round warms up.
            if round > 0 {
                times.push(took);
            }
        }
    }
    let summary = times.iter_mut().map(|times| {
        times.sort();
        (times[times.len() / 2], times[0])
    });
    summary.collect()
}

/// Prints a row for each name; the last is the floor that the others are compared with.
fn rows<'a>(
    names: impl Iterator<Item = &'static str>,
    times: &[(Duration, Duration)],
    units: usize,
    bytes: usize,
    allocations: impl Fn(&str) -> Option<&'a String>,
) {
    let floor = times.last().map_or(1.0, |(median, _)| median.as_secs_f64());
    for (name, (median, fastest)) in names.zip(times) {
        let seconds = median.as_secs_f64();
        println!(
            "| {name} | {:.2} | {:.2} | {:.0} | {:.1} | {} | {:.1} |",
            seconds * 1e3,
            fastest.as_secs_f64() * 1e3,
            bytes as f64 / seconds / 1e6,
            seconds * 1e9 / units as f64,
            allocations(name).map_or("", String::as_str),
            seconds / floor,
        );
    }
    println!();
}
