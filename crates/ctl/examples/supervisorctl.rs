//! `supervisorctl` by itself, as the tests of this room run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    let status = upkeep_ctl::supervisorctl(&program, &args.collect::<Vec<_>>());
    ExitCode::from(u8::try_from(status).unwrap_or(1))
}
