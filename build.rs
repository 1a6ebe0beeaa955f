//! How the executable is linked.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Code of functions that are the same byte by byte is there once. Where libraries compare addresses of functions (zlib-rs does) those that
/// are folded do the same, and what follows is right for both.
const FOLD: &str = "-Wl,--icf=all";

/// What the linker reads instead of the library for unwinding, so that it takes the static one: a library less to be found, mapped
/// and adjusted whenever anything starts.
const UNWINDER: &str = "INPUT(-lgcc_eh)";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |part: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    // At an address of its own no pointer in it has to be adjusted at each start, which takes time and copies every page
    // that has one, in the keeper, the daemon and each client. Heap, stack and libraries are at random addresses all the
    // same.
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
        let folder = PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("unwinder");
        let option = format!("-L{}", folder.display());
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join("libgcc_s.so"), UNWINDER));
        if written.is_ok() && links_with(&option) {
            println!("cargo::rustc-link-arg-bins={option}");
        }
    }
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && links_with(FOLD) {
        println!("cargo::rustc-link-arg-bins={FOLD}");
    }
}

/// Whether the linker of this build knows an option: LLVM's, which Rust has for some targets, knows more than others.
fn links_with(option: &str) -> bool {
    let var = |name| env::var(name).unwrap_or_default();
    let out = PathBuf::from(var("OUT_DIR"));
    let source = out.join("links.rs");
    let mut rustc = Command::new(var("RUSTC"));
    rustc
        .args(["--target", &var("TARGET"), "-C", &format!("link-arg={option}"), "-o"])
        .arg(out.join("links"));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={linker}"));
    }
    rustc.args(var("CARGO_ENCODED_RUSTFLAGS").split('\u{1f}').filter(|flag| !flag.is_empty()));
    let linked = std::fs::write(&source, "fn main() {}").and_then(|()| rustc.arg(&source).output());
    linked.is_ok_and(|linked| linked.status.success())
}
