//! What must hold for any bytes: each function takes some, and panics if it does not. The tests here feed them what
//! proptest makes up, the targets under `fuzz/` what libFuzzer finds.

mod command;
mod env_file;
mod ini;
mod values;

pub(crate) use command::command;
pub(crate) use env_file::env_file;
pub(crate) use ini::ini;
pub(crate) use values::{dialects, environment, percent, snapshot, whole};
