//! Who uses whom in the engine: no module names one that stands above it.

use std::path::Path;

use redwire_kit::source::files_in;

/// From below to above.
const LAYERS: [&[&str]; 6] =
    [&["storage", "time", "log", "parts"], &["resp"], &["reply"], &["command"], &["connection"], &["client"]];

#[test]
fn no_module_uses_one_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (number, layer) in LAYERS.iter().enumerate() {
        let above = LAYERS[number + 1..].concat();
        for module in *layer {
            let (folder, file) = (source.join(module), source.join(format!("{module}.rs")));
            for file in files_in(if folder.is_dir() { &folder } else { &file }) {
                let text = std::fs::read_to_string(&file).unwrap();
                for (number, line) in text.lines().enumerate() {
                    let used = used_in(line).find(|name| above.contains(name));
                    assert_eq!(used, None, "{}:{}", file.display(), number + 1);
                }
            }
        }
    }
}

/// The names in what a line of code says of the crate, if it does.
fn used_in(line: &str) -> impl Iterator<Item = &str> {
    let code = if line.trim_start().starts_with("//") { "" } else { line };
    let path = code.split_once("crate::").map_or("", |(_, path)| path);
    path.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '_')
}
