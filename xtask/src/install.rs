//! What the tests stand on, installed only where it is missing.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::say;
use crate::steps::{cargo, root};

/// Where the original Supervisor lives.
pub(crate) const REFERENCE: &str = "target/reference";
/// What is installed there: the original, and event listeners that people run with it.
const PYTHON_PACKAGES: [(&str, &str); 3] =
    [("supervisor", "4.3.0"), ("superlance", "2.0.0"), ("supervisor-checks", "0.8.1")];
/// Where packages of Node.js live.
pub(crate) const NODE: &str = "target/node";
/// Browser control for the tests of the pages, and clients that people wrote for Supervisor.
const NODE_PACKAGES: [(&str, &str); 3] =
    [("playwright-core", "1.64.1"), ("node-supervisord", "1.0.6-rc.2"), ("xmlrpc", "1.3.2")];

/// A Debian package and a command that shows that it is there.
type Package = (&'static str, &'static [&'static str]);

const VALGRIND: Package = ("valgrind", &["valgrind", "--version"]);

const PACKAGES: [Package; 16] = [
    ("chromium", &["chromium", "--version"]),
    ("libfcgi-bin", &["sh", "-c", "command -v cgi-fcgi"]),
    ("librpc-xml-perl", &["perl", "-MRPC::XML::Client", "-e", "1"]),
    ("nodejs", &["node", "--version"]),
    ("npm", &["npm", "--version"]),
    ("openssl", &["openssl", "version"]),
    ("php-cgi", &["php-cgi", "--version"]),
    ("php-cli", &["php", "--version"]),
    ("php-redis", &["php", "-r", "exit(extension_loaded('redis') ? 0 : 1);"]),
    ("procps", &["ps", "--version"]),
    ("redis-server", &["redis-server", "--version"]),
    ("python3-venv", &["python3", "-c", "import ensurepip, venv"]),
    ("ruby", &["ruby", "--version"]),
    ("ruby-xmlrpc", &["ruby", "-rxmlrpc/client", "-e", "1"]),
    // Debian has it for this processor alone.
    ("user-mode-linux", &["sh", "-c", "command -v linux.uml || test $(uname -m) != x86_64"]),
    VALGRIND,
];

/// Everything.
///
/// # Errors
/// What could not be installed, and how to do it by hand.
pub(crate) fn everything() -> Result<(), String> {
    packages(&PACKAGES)?;
    reference()?;
    node()?;
    cargo_deny()?;
    cargo_tool("nextest", "cargo-nextest")
}

/// What counts instructions.
///
/// # Errors
/// It cannot be installed.
pub(crate) fn valgrind() -> Result<(), String> {
    packages(&[VALGRIND])
}

fn packages(wanted: &[Package]) -> Result<(), String> {
    let missing: Vec<&str> =
        wanted.iter().filter(|(_, probe)| !works(probe)).map(|&(package, _)| package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    let root = works(&["sh", "-c", "test $(id -u) = 0"]);
    if !root || !works(&["apt-get", "--version"]) {
        return Err(format!("please install first, as root: apt-get install {wanted}"));
    }
    say(&format!("installing {wanted}"));
    run(Command::new("apt-get").args(["update", "-q"]))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    run(install.args(["install", "-q", "-y", "--no-install-recommends"]).args(missing))
}

/// The original Supervisor, in a virtual environment.
///
/// # Errors
/// It cannot be installed.
pub(crate) fn reference() -> Result<(), String> {
    let home = root().join(REFERENCE);
    let python = home.join("bin/python");
    let wanted = PYTHON_PACKAGES.map(|(name, version)| format!("{name}=={version}"));
    let check = "import importlib.metadata as m, sys
for wanted in sys.argv[1:]:
    name, version = wanted.split('==')
    m.version(name) == version or sys.exit(1)";
    let shown = python.to_string_lossy();
    let probe: Vec<&str> =
        [&*shown, "-c", check].into_iter().chain(wanted.iter().map(String::as_str)).collect();
    if python.exists() && works(&probe) {
        return Ok(());
    }
    say(&format!("installing {} under {REFERENCE}", wanted.join(" ")));
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    run(Command::new(Path::new(&python)).args(["-m", "pip", "install", "--quiet"]).args(wanted))
}

fn node() -> Result<(), String> {
    let home = root().join(NODE);
    let there = NODE_PACKAGES.iter().all(|(name, version)| {
        let manifest = home.join("node_modules").join(name).join("package.json");
        let pinned = format!("\"version\":\"{version}\"");
        std::fs::read_to_string(manifest).is_ok_and(|text| text.replace(' ', "").contains(&pinned))
    });
    if there {
        return Ok(());
    }
    let wanted = NODE_PACKAGES.map(|(name, version)| format!("{name}@{version}"));
    say(&format!("installing {} under {NODE}", wanted.join(" ")));
    std::fs::create_dir_all(&home).map_err(|error| format!("cannot make {}: {error}", home.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"]);
    run(npm.arg("--prefix").arg(&home).args(wanted))
}

/// `cargo deny`.
///
/// # Errors
/// It cannot be installed.
pub(crate) fn cargo_deny() -> Result<(), String> {
    cargo_tool("deny", "cargo-deny")
}

/// A cargo command that a package of Rust provides.
fn cargo_tool(command: &str, package: &str) -> Result<(), String> {
    let there = quiet(cargo().args([command, "--version"])).status().is_ok_and(|status| status.success());
    if there {
        return Ok(());
    }
    say(&format!("installing {package}"));
    run(cargo().args(["install", "--quiet", "--locked", package]))
}

fn works(command: &[&str]) -> bool {
    let Some((program, args)) = command.split_first() else { return false };
    quiet(Command::new(program).args(args)).status().is_ok_and(|status| status.success())
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started, or fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{} {}", command.get_program().display(), shown_args(command));
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {shown}")),
        Err(error) => Err(format!("cannot run {shown}: {error}")),
    }
}

fn shown_args(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    args.collect::<Vec<_>>().join(" ")
}
