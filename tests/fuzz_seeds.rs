//! Runs the bodies of the fuzz targets over their seeds, without a fuzzer.

// There it is a library, whose items are public.
#[allow(unreachable_pub)]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

fn run_seeds(target: &str, run: impl Fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        run(&std::fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} seeds of {target}");
}

#[test]
fn decode() {
    run_seeds("decode", fuzz::decode::run);
}

#[test]
fn differential() {
    run_seeds("differential", fuzz::differential::run);
}

#[test]
fn splits() {
    run_seeds("splits", fuzz::splits::run);
}

#[test]
fn roundtrip() {
    run_seeds("roundtrip", fuzz::roundtrip::run);
}

#[test]
fn connection() {
    run_seeds("connection", fuzz::connection::run);
}
