//! Prints, for every decoder and encoder, how many allocations it makes: lines of work, name and count, separated by
//! tabs. A binary of its own, so that counting costs nothing where time is measured; `bench` runs it.

use std::hint::black_box;

use redwire_benches::decode::DECODERS;
use redwire_benches::encode::{ENCODERS, Sink};
use redwire_benches::workload::Workload;

fn main() {
    for workload in [
        Workload::mixed(10_000),
        Workload::array(10_000),
        Workload::bulks(1000),
        Workload::maps(300),
        Workload::messages(10_000),
    ] {
        for decoder in DECODERS.iter().filter(|decoder| decoder.speaks(&workload)) {
            for (way, run) in [("whole", decoder.whole), ("pieces", decoder.pieces)] {
                let Some(run) = run else { continue };
                let counted = allocation_counter::measure(|| {
                    black_box(run(&workload));
                });
                let each = counted.count_total as f64 / workload.nodes as f64;
                println!("{}, {way}\t{}\t{each:.3}", workload.name, decoder.name);
            }
        }
    }
    const COMMANDS: usize = 10_000;
    let mut sink = Sink::new(COMMANDS);
    for encoder in ENCODERS {
        let counted = allocation_counter::measure(|| (encoder.run)(&mut sink, COMMANDS));
        println!("encode\t{}\t{:.3}", encoder.name, counted.count_total as f64 / COMMANDS as f64);
    }
}
