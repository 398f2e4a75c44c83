//! What the source of a crate says of itself, for tests that hold something of all of it.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// The files in a folder and those in it, or the file itself.
pub fn files_in(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_path_buf()];
    }
    path.read_dir().unwrap().flat_map(|entry| files_in(&entry.unwrap().path())).collect()
}

/// The names of the public types that a file declares.
pub fn types_in(file: &Path) -> Vec<String> {
    let source = read_to_string(file).unwrap();
    let declared = source.lines().filter_map(|line| {
        let line = line.trim_start();
        let name =
            ["pub struct ", "pub enum ", "pub union "].iter().find_map(|begin| line.strip_prefix(begin))?;
        Some(name.split(|c: char| !c.is_alphanumeric()).next()?.to_string())
    });
    // A macro has `$name`.
    declared.filter(|name| !name.is_empty()).collect()
}
