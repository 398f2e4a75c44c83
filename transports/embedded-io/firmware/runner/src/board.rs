//! The emulated board.

use std::path::Path;
use std::process::{Command, Output};

/// Runs a program with all three serial lines wired to a server, for so many seconds at most. Its output is what the
/// program wrote by semihosting.
///
/// # Errors
/// It cannot be run, takes too long, or its exit status is not 0; with its output.
pub fn run(program: &Path, socket: &str, seconds: u32) -> Result<Vec<u8>, (String, Vec<u8>)> {
    let line = format!("unix:{socket}");
    // `timeout` ends it even if nobody is left who waits for it; in the foreground, so that a signal to all of us ends both.
    let output = Command::new("timeout")
        .args(["--foreground", &seconds.to_string()])
        .args(["qemu-system-arm", "-cpu", "cortex-m3", "-machine", "lm3s6965evb"])
        .args(["-nographic", "-monitor", "none", "-semihosting-config", "enable=on,target=native"])
        .args(["-serial", &line, "-serial", &line, "-serial", &line, "-kernel"])
        .arg(program)
        .stdin(std::process::Stdio::null())
        .output();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    match output {
        Ok(Output { status, stdout, .. }) if status.success() => Ok(stdout),
        Ok(Output { status, stdout, .. }) if status.code() == Some(124) => {
            Err((format!("{name} was not done after {seconds} seconds"), stdout))
        }
        Ok(Output { status, stdout, stderr }) => {
            Err((format!("{name}: {status}\n{}", String::from_utf8_lossy(&stderr)), stdout))
        }
        Err(error) => Err((format!("{name}: cannot run timeout qemu-system-arm: {error}"), Vec::new())),
    }
}
