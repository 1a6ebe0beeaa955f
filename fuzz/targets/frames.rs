//! Frames between keeper and daemon.
#![no_main]

#[path = "../../crates/keeper/tests/main/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::frames(bytes));
