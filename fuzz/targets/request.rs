//! XML-RPC requests.
#![no_main]

#[path = "../../crates/api/tests/main/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::request(bytes));
