//! What a change must pass.

use std::path::PathBuf;
use std::process::Command;

use crate::install::{REFERENCE, run};
use crate::{parity, say};

/// Format, lints as errors, licences and sources of dependencies, every item of the ledger with its tests.
///
/// # Errors
/// The first check that fails.
pub(crate) fn lint() -> Result<(), String> {
    say("format");
    run(cargo().args(["fmt", "--all", "--check"]))?;
    say("clippy");
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    let without =
        ["clippy", "--package", "upkeep-logs", "--no-default-features", "--quiet", "--", "-D", "warnings"];
    run(cargo().args(without))?;
    say("dependencies");
    run(cargo().args(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]))?;
    say("parity");
    parity::check()
}

/// The reference of every crate.
///
/// # Errors
/// A broken link or a missing sentence.
pub(crate) fn docs() -> Result<(), String> {
    /// The pages show private items, so links to them are fine.
    const FLAGS: &str = "-D warnings -A rustdoc::private_intra_doc_links";
    say("reference");
    run(cargo()
        .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
        .env("RUSTDOCFLAGS", FLAGS))
}

/// Writes the JSON schema of configurations; a test of its crate sees that it is fresh.
///
/// # Errors
/// The crate does not build, or the file cannot be written.
pub(crate) fn schema() -> Result<(), String> {
    const FILE: &str = "docs/schema/upkeep.schema.json";
    let printed = cargo()
        .args(["run", "--quiet", "--package", "upkeep-config", "--example", "schema"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !printed.status.success() {
        return Err("the schema could not be made".to_owned());
    }
    std::fs::write(root().join(FILE), printed.stdout).map_err(|error| format!("cannot write {FILE}: {error}"))
}

/// Every test, or those with one of `names` in their own.
///
/// # Errors
/// A test fails, or there is none of that name.
pub(crate) fn tests(names: &[String]) -> Result<(), String> {
    say("tests");
    let python = root().join(REFERENCE).join("bin/python");
    let given = std::env::var_os("UPKEEP_REFERENCE_PYTHON").map(PathBuf::from);
    let python = given.filter(|given| given.exists()).unwrap_or(python);
    let all = ["nextest", "run", "--workspace"];
    run(cargo().args(all).args(names).env("UPKEEP_REFERENCE_PYTHON", python))
}

/// The tests of what is another thing in a build without TLS, the only feature of the executable.
///
/// # Errors
/// A test fails.
pub(crate) fn tests_without_tls() -> Result<(), String> {
    say("tests without TLS");
    let narrow = ["--package", "upkeep-logs", "--no-default-features", "--lib", "forward::"];
    run(cargo().args(["nextest", "run"]).args(narrow))
}

/// The cargo that runs this chore.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// The checkout.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where cargo puts executables of the release profile.
pub(crate) fn built() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root().join(target).join("release")
}
