//! Side by side with the original and with what the kernel charges: `bench/README.md`.

use std::process::{Command, Stdio};

use crate::install::{self, REFERENCE, run};
use crate::steps::{built, cargo, root};
use crate::{say, size};

/// Builds what is measured and what measures, and runs it; the words go to `upkeep-bench`.
///
/// # Errors
/// It cannot be built, or something could not be measured.
pub(crate) fn bench(words: &[String]) -> Result<(), String> {
    install::reference()?;
    say("building");
    let given = words.iter().any(|word| word == "--binary");
    if !given {
        run(cargo().args(["build", "--release", "--quiet", "--package", "upkeep"]))?;
        size::check(&built().join("upkeep"))?;
    }
    // The same profile would have it optimised as a whole for minutes, which a client that waits does not need.
    let light = ["lto=false", "codegen-units=16"].map(|setting| format!("profile.release.{setting}"));
    let mut build = cargo();
    build.args(["build", "--release", "--quiet", "--package", "upkeep-bench"]);
    run(build.args(light.iter().flat_map(|setting| ["--config", setting.as_str()])))?;
    let mut bench = Command::new(built().join("upkeep-bench"));
    if !given {
        bench.arg("--binary").arg(built().join("upkeep"));
    }
    bench.arg("--supervisor").arg(root().join(REFERENCE).join("bin")).args(words).stdin(Stdio::null());
    run(&mut bench)
}
