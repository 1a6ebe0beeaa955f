//! Does every row three times where Callgrind can tell it apart, and says which rows those were, in their order.
//!
//! Run by `cargo xtask instructions` under Callgrind, which writes down one count for each call of [`measured`]. Arguments: beginnings of
//! names of rows; none are all.

#![forbid(unsafe_code)]

use std::io::Write;

use upkeep_measure::rows;

fn main() -> std::io::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    for row in rows() {
        if !wanted.is_empty() && !wanted.iter().any(|beginning| row.name.starts_with(beginning)) {
            continue;
        }
        let mut work = (row.prepare)();
        // The first time grows buffers that stay.
        work();
        // Once in a while the allocator tidies up, or a socket takes less at once: of three times the cheapest one counts.
        (0..3).for_each(|_| measured(&mut work));
        writeln!(out, "{}", row.name)?;
    }
    Ok(())
}

/// What is counted; its name is known to `xtask/src/instructions.rs`.
#[inline(never)]
fn measured(work: &mut upkeep_measure::Work) {
    work();
    // Something has to follow, or the call becomes a jump, and nobody sees this function return.
    std::hint::black_box(());
}
