//! Prints what each client for devices allocates: lines of work, name, allocations, allocated bytes, and bytes that stay
//! allocated, for one GET, separated by tabs. A binary of its own, so that counting costs nothing where time is
//! measured; `embedded` runs it.

use redwire_embedded_benches::{CANCELLED, CLIENTS, EmbeddedClient, SIZES};

fn main() {
    for size in SIZES {
        CLIENTS.iter().for_each(|client| print(&size.to_string(), client, size));
    }
    CANCELLED.iter().for_each(|client| print("cancelled", client, SIZES[1]));
}

fn print(work: &str, client: &EmbeddedClient, size: usize) {
    (client.run)(size, &mut |_, get| {
        // What is allocated once and for all.
        get();
        let counted = allocation_counter::measure(&mut *get);
        println!(
            "{work}\t{}\t{}\t{}\t{}",
            client.name, counted.count_total, counted.bytes_total, counted.bytes_current
        );
    });
}
