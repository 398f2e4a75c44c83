//! The table of sizes, here and in the README.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// What a program takes, in bytes.
pub struct Size {
    pub title: &'static str,
    pub flash: u64,
    /// Static memory besides the buffers.
    pub ram: u64,
    /// The memory that the program lends to the client.
    pub buffers: u64,
    pub stack: u64,
}

/// The lines of the README around the table.
const BEGIN: &str = "<!-- sizes: `make firmware UPDATE=1` writes them -->\n";
const END: &str = "<!-- end of sizes -->\n";

/// By how many percent the figures in the README may be wrong.
const TOLERANCE: u64 = 2;

/// The table as Markdown.
pub fn table(sizes: &[Size]) -> String {
    let mut table =
        String::from("| program | flash | static RAM | buffers | stack |\n|---|---:|---:|---:|---:|\n");
    for Size { title, flash, ram, buffers, stack } in sizes {
        let _ = writeln!(table, "| {title} | {flash} | {ram} | {buffers} | {stack} |");
    }
    table
}

/// Writes the table into the README.
///
/// # Errors
/// It has no place for it.
pub fn write(readme: &Path, table: &str) -> io::Result<()> {
    let text = std::fs::read_to_string(readme)?;
    let (before, _, after) = split(&text)?;
    std::fs::write(readme, format!("{before}{BEGIN}{table}{END}{after}"))
}

/// Compares the table with the one in the README. Gives what differs too much.
///
/// # Errors
/// It has none.
pub fn compare(readme: &Path, table: &str) -> io::Result<Vec<String>> {
    let text = std::fs::read_to_string(readme)?;
    let (_, written, _) = split(&text)?;
    if written.lines().count() != table.lines().count() {
        return Ok(vec![stale("the README has another number of programs")]);
    }
    let mut problems = Vec::new();
    for (line, written) in table.lines().zip(written.lines()) {
        let same = line.split('|').count() == written.split('|').count()
            && line
                .split('|')
                .zip(written.split('|'))
                .all(|(cell, written)| close(cell.trim(), written.trim()));
        if !same {
            problems.push(stale(&format!("in the README is `{written}`, and it should be `{line}`")));
        }
    }
    Ok(problems)
}

fn close(cell: &str, written: &str) -> bool {
    match (cell.parse::<u64>(), written.parse::<u64>()) {
        (Ok(now), Ok(then)) => now.abs_diff(then) * 100 <= then * TOLERANCE,
        _ => cell == written,
    }
}

fn stale(problem: &str) -> String {
    format!("{problem}; `make firmware UPDATE=1` writes it anew")
}

fn split(readme: &str) -> io::Result<(&str, &str, &str)> {
    readme
        .split_once(BEGIN)
        .and_then(|(before, rest)| rest.split_once(END).map(|(table, after)| (before, table, after)))
        .ok_or_else(|| io::Error::other("the README has no place for the sizes"))
}
