//! Runs the firmware on an emulated board that is wired to the server of `REDIS_URL`, and checks what came of it:
//!
//!     redwire-firmware-runner FOLDER TOOLCHAIN [update]
//!
//! FOLDER holds the programs, see `check.sh`. TOOLCHAIN is `debian` or `rustup`. With `update` the size table in the README
//! of the crate is written anew.

mod board;
mod programs;
mod sizes;
mod tour;

use std::path::Path;
use std::process::ExitCode;

use redwire_std::prelude::*;

fn main() -> ExitCode {
    match run() {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            problems.iter().for_each(|problem| eprintln!("firmware: {problem}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("firmware: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, toolchain, update) = match arguments.as_slice() {
        [folder, toolchain] => (Path::new(folder), toolchain.as_str(), false),
        [folder, toolchain, update] if update == "update" => (Path::new(folder), toolchain.as_str(), true),
        _ => return Err("usage: redwire-firmware-runner FOLDER TOOLCHAIN [update]".into()),
    };
    let url = std::env::var("REDIS_URL")?;
    let client = Client::open(&url)?;
    let socket = url.strip_prefix("unix://").ok_or("the server is not on a Unix socket")?;

    let mut problems = tour::check(&folder.join("thumbv7m-none-eabi/release/tour"), socket, &client)?;
    let mut sizes = Vec::new();
    for program in programs::PROGRAMS {
        let (size, found) = program.check(folder, socket, &client)?;
        problems.extend(found);
        sizes.push(size);
    }
    let table = sizes::table(&sizes);
    println!("{table}");
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    if update {
        sizes::write(&readme, &table)?;
    } else if toolchain == "debian" {
        problems.extend(sizes::compare(&readme, &table)?);
    } else {
        println!("Not compared with the README, whose figures are those of Debian's compiler.");
    }
    Ok(problems)
}
