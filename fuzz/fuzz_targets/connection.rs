#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redwire_fuzz::connection::run(data));
