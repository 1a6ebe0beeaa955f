//! The time that each row takes on this machine: `cargo bench -p upkeep-measure [PART OF A NAME]`.

#![forbid(unsafe_code)]

use divan::Bencher;

fn main() {
    divan::main();
}

fn names() -> Vec<&'static str> {
    upkeep_measure::rows().into_iter().map(|row| row.name).collect()
}

#[divan::bench(args = names())]
fn step(bencher: Bencher<'_, '_>, name: &str) {
    let mut work = upkeep_measure::work(name).expect("a name of the list");
    bencher.bench_local(&mut work);
}
