//! Fuzzes `export`.
//!
//! Must never hold a rule of its own: they are in `flowdeck-fuzz`.
//! Tests: `cargo xtask soak fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flowdeck_fuzz::export(data));
