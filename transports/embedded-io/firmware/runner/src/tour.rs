//! The tour: its log, and what it leaves in the server.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use defmt_decoder::{DecodeError, Table};
use redwire_std::prelude::*;

use crate::board;

/// The log that there should be.
const LOG: &str = include_str!("../../tour.log");

/// The bytes of the value that the tour reads, and of the one that it writes.
const READ: usize = 128 << 10;
const WRITTEN: usize = 1 << 20;

/// The other keys that the tour leaves, with their values.
const KEYS: &[(&str, &str)] = &[
    ("tour:boots", "4294967297"),
    ("tour:count", "3"),
    ("tour:lock", "token"),
    ("tour:name", "sensor 7"),
    ("tour:other", "no subscriber any more"),
    ("tour:seq", "42"),
    ("tour:temperature", "-12.625"),
];

/// The list that the tour leaves.
const LIST: (&str, &[&str]) = ("tour:list", &["1", "two", "3", "4", "5"]);

/// Runs the tour. Gives what is not as it should be.
///
/// # Errors
/// Something is missing, or the server is not there.
pub fn check(program: &Path, socket: &str, client: &Client) -> Result<Vec<String>, Box<dyn Error>> {
    client.flushall()?;
    client.set("tour:large", large(READ))?;
    // On a busy machine most of the time goes into the value that is read, byte by byte.
    let (output, mut problems) = match board::run(program, socket, 300) {
        Ok(output) => (output, Vec::new()),
        Err((problem, output)) => (output, vec![problem]),
    };
    let log = decode(&std::fs::read(program)?, &output)?;
    log.iter().for_each(|line| println!("{line}"));
    problems.extend(compare(&log));
    problems.extend(compare_keys(client)?);
    Ok(problems)
}

/// The lines of a log. Behind what is no log line there are none.
fn decode(program: &[u8], output: &[u8]) -> Result<Vec<String>, Box<dyn Error>> {
    let table = Table::parse(program)?.ok_or("the tour has no defmt section")?;
    let mut decoder = table.new_stream_decoder();
    decoder.received(output);
    let mut lines = Vec::new();
    loop {
        match decoder.decode() {
            Ok(frame) => {
                let level = frame.level().map_or("", |level| level.as_str());
                lines.push(format!("{level:5} {}", frame.display_message()));
            }
            Err(DecodeError::UnexpectedEof) => return Ok(lines),
            Err(DecodeError::Malformed) => {
                lines.push("what follows is no log".into());
                return Ok(lines);
            }
        }
    }
}

fn compare(log: &[String]) -> Option<String> {
    let expected: Vec<&str> = LOG.lines().collect();
    if log.iter().eq(&expected) {
        return None;
    }
    let same = log.iter().zip(&expected).take_while(|(line, expected)| line == expected).count();
    let there = |line: Option<&str>| line.map_or("nothing".to_owned(), |line| format!("`{line}`"));
    Some(format!(
        "line {} of the log is {}; by tour.log it should be {}",
        same + 1,
        there(log.get(same).map(String::as_str)),
        there(expected.get(same).copied())
    ))
}

fn compare_keys(client: &Client) -> Result<Vec<String>, Box<dyn Error>> {
    let mut problems = Vec::new();
    let mut expected: BTreeMap<String, Vec<u8>> =
        KEYS.iter().map(|&(key, value)| (key.to_owned(), value.as_bytes().to_vec())).collect();
    expected.insert("tour:large".into(), large(READ));
    expected.insert("tour:written".into(), large(WRITTEN));
    let mut keys: Vec<String> = client.keys("*")?;
    keys.sort();
    let list: Vec<String> = client.lrange(LIST.0, 0, -1)?;
    if list != LIST.1 {
        problems.push(format!("{} holds {list:?}", LIST.0));
    }
    let names =
        expected.keys().map(String::as_str).chain([LIST.0]).collect::<std::collections::BTreeSet<_>>();
    if !keys.iter().map(String::as_str).eq(names.iter().copied()) {
        problems.push(format!("the keys are {keys:?}, and should be {names:?}"));
    }
    for (key, value) in expected {
        let found: Option<Vec<u8>> = client.get(key.as_str())?;
        if found.as_ref() != Some(&value) {
            problems.push(format!("{key} does not hold the {} bytes that it should", value.len()));
        }
    }
    Ok(problems)
}

/// The bytes of the large values; the tour makes and expects the same.
fn large(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place ^ place >> 8 ^ place >> 16) as u8).collect()
}
