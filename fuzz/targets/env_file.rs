//! Files of variables.
#![no_main]

#[path = "../../crates/config/tests/main/properties/mod.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::env_file(bytes));
