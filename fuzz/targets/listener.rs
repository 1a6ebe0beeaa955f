//! What an event listener says.
#![no_main]

#[path = "../../crates/core/tests/main/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::listener(bytes));
