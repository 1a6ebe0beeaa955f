//! Captures with a limit.
#![no_main]

#[path = "../../crates/logs/tests/main/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::buffer(bytes));
