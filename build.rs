//! How the executable is linked.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |part: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    // At an address of its own no pointer in it has to be adjusted at each start, which takes time and copies every page
    // that has one, in the keeper, the daemon and each client. Heap, stack and libraries are at random addresses all the
    // same.
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
