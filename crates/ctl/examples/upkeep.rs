//! `upkeep` by itself, as the tests of this room run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args();
    args.next();
    let status = upkeep_ctl::upkeep(&args.collect::<Vec<_>>());
    ExitCode::from(u8::try_from(status).unwrap_or(1))
}
