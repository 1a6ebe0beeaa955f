//! How many instructions single steps take (crates/measure), counted by Callgrind and compared with what was written down.
//!
//! A count does not vary with what else runs: twice the same program gives the same figures, but for those rows whose hash tables
//! are seeded anew in each process, which stay within half a percent. It does vary with the compiler, by some percent from version
//! to version, and a little with the C library: so the file names the compiler, and with another one only the growth is judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::say;
use crate::steps::{cargo, root};

/// Where the counts are written down.
const BASELINE: &str = "crates/measure/counts.tsv";
/// What Callgrind counts one call after the other, in `crates/measure/src/count.rs`.
const MEASURED: &str = "upkeep_count::measured";
/// How often that calls it for each row; the lowest count is the row's.
const CALLS: usize = 3;
/// A count may be this much higher, in percent. Moving code about within a crate shifts what is inlined by two or three; a
/// needless copy or look-up in a turn is ten.
const TOLERANCE: u64 = 5;

/// From one size to a larger one a count may grow this many times: what belongs to one process must not cost more the more
/// others there are (but for the depth of trees), and what is done for all of them no more for each.
const GROWTH: [(&str, &str, f64); 11] = [
    ("core/tick/100", "core/tick/10000", 1.1),
    ("core/restart/100", "core/restart/10000", 2.0),
    ("core/stop-start/100", "core/stop-start/10000", 2.0),
    ("core/all/100", "core/all/1000", 15.0),
    ("core/life/100", "core/life/1000", 15.0),
    ("codec/answer-written/1", "codec/answer-written/1000", 1000.0),
    ("reader/programs/100", "reader/programs/10000", 110.0),
    ("reader/load/100", "reader/load/1000", 11.0),
    ("reader/included/100", "reader/included/1000", 12.0),
    ("reader/keys/100", "reader/keys/1000", 12.0),
    ("frames/inventory/100", "frames/inventory/1000", 11.0),
];

/// What was counted: rows in the order of the program.
type Counts = Vec<(String, u64)>;

/// Counts and compares; with `--write` writes down instead. `core` counts the rows of that room alone.
///
/// # Errors
/// A count is higher than it may be, or cannot be had.
pub(crate) fn instructions(words: &[String]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => judge(&count(false)?),
        ["core"] => judge(&count(true)?),
        ["--write"] => write(&count(false)?),
        _ => Err("instructions [core | --write]".to_owned()),
    }
}

fn judge(counts: &Counts) -> Result<(), String> {
    let path = root().join(BASELINE);
    let text = fs::read_to_string(&path).map_err(|error| format!("{BASELINE}: {error}"))?;
    let (compiler, expected) = parse(&text);
    let mut wrong = grown(counts);
    if compiler == compiler_here()? {
        wrong.extend(compare(counts, &expected));
    } else {
        say(&format!("{BASELINE} is of {compiler}: only growth is judged. Please write it anew"));
    }
    if wrong.is_empty() {
        say(&format!("{} counts of instructions are as they should be", counts.len()));
        return Ok(());
    }
    Err(format!(
        "more instructions than there were:\n  {}\nMake it cheaper, or say in the commit why it costs more, and run: cargo xtask \
         instructions --write",
        wrong.join("\n  ")
    ))
}

fn write(counts: &Counts) -> Result<(), String> {
    let wrong = grown(counts);
    if !wrong.is_empty() {
        return Err(format!("more for each the more there are:\n  {}", wrong.join("\n  ")));
    }
    let rows: String = counts.iter().map(|(row, count)| format!("{row}\t{count}\n")).collect();
    let text = format!(
        "# Instructions of each row, written by `cargo xtask instructions --write`.\ncompiler\t{}\n{rows}",
        compiler_here()?
    );
    fs::write(root().join(BASELINE), text).map_err(|error| format!("{BASELINE}: {error}"))
}

/// The compiler, and the counts of its program.
fn parse(text: &str) -> (String, BTreeMap<String, u64>) {
    let mut rows = text.lines().filter_map(|line| line.split_once('\t'));
    let compiler = rows.next().map(|(_, compiler)| compiler.to_owned()).unwrap_or_default();
    let counts = rows.filter_map(|(row, count)| Some((row.to_owned(), count.parse().ok()?))).collect();
    (compiler, counts)
}

/// What is counted and costs more than is written down, or is not written down at all.
fn compare(counts: &Counts, expected: &BTreeMap<String, u64>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (row, count) in counts {
        let Some(&before) = expected.get(row) else {
            wrong.push(format!("{row}: {count}, and no count is written down"));
            continue;
        };
        if count * 100 > before * (100 + TOLERANCE) {
            wrong.push(format!("{row}: {count}, {} more than {before}", percent(*count - before, before)));
        } else if count * 100 < before * (100 - TOLERANCE) {
            say(&format!(
                "{row}: {count}, {} less than {before}: worth writing down",
                percent(before - *count, before)
            ));
        }
    }
    wrong
}

fn percent(part: u64, whole: u64) -> String {
    format!("{} %", part * 100 / whole.max(1))
}

/// Where counts grow faster than the number of processes allows.
fn grown(counts: &Counts) -> Vec<String> {
    let of = |name: &str| counts.iter().find(|(row, _)| row == name).map(|&(_, count)| count);
    let mut wrong = Vec::new();
    for (small, large, most) in GROWTH {
        let (Some(few), Some(many)) = (of(small), of(large)) else { continue };
        #[expect(clippy::cast_precision_loss, reason = "for a ratio of two figures")]
        let ratio = many as f64 / few as f64;
        if ratio > most {
            wrong.push(format!("{large}: {many}, {ratio:.1} times {small}, and may be {most} times"));
        }
    }
    wrong
}

/// The release and the machine of the compiler, such as `1.95.0 x86_64-unknown-linux-gnu`.
fn compiler_here() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).current_dir(root()).arg("-vV").output();
    let output = output.map_err(|error| format!("cannot run rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    Ok(format!("{} {}", field("release:"), field("host:")))
}

/// Builds and runs the program, under Callgrind, and reads what that left behind.
fn count(core_alone: bool) -> Result<Counts, String> {
    let folder = root().join("target/instructions");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    say("counting instructions");
    let rows = run_program(&folder, core_alone)?;
    let totals: Vec<u64> = (1..=rows.len() * CALLS).map_while(|number| total(&folder, number)).collect();
    if totals.len() != rows.len() * CALLS || rows.is_empty() {
        return Err(format!("{} rows, but Callgrind counted {}", rows.len(), totals.len()));
    }
    let lowest = totals.chunks(CALLS).filter_map(|calls| calls.iter().min().copied());
    Ok(rows.into_iter().zip(lowest).collect())
}

/// The rows that were done, in their order.
fn run_program(folder: &Path, core_alone: bool) -> Result<Vec<String>, String> {
    let mut cargo = cargo();
    cargo.args([
        "run",
        "--quiet",
        "--profile",
        "bench",
        "--package",
        "upkeep-measure",
        "--bin",
        "upkeep-count",
    ]);
    if core_alone {
        cargo.arg("--no-default-features");
    }
    let output = cargo.arg("--config").arg(runner(&folder.join("count"))).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("the program that is counted failed ({})", output.status));
    }
    let rows = String::from_utf8_lossy(&output.stdout);
    Ok(rows.lines().map(str::to_owned).collect())
}

/// Cargo's setting that lets Callgrind run the program: with an empty environment, and with those forms of the C library's functions
/// that every processor has, so that the machine does not matter.
fn runner(out: &Path) -> String {
    let plain = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load";
    let words = [
        "env".to_owned(),
        "-i".to_owned(),
        format!("GLIBC_TUNABLES={plain}"),
        "valgrind".to_owned(),
        "--quiet".to_owned(),
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", out.display()),
        format!("--zero-before={MEASURED}"),
        format!("--dump-after={MEASURED}"),
    ];
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("target.'cfg(all())'.runner=[{}]", words.join(","))
}

/// The sum that Callgrind left after this call.
fn total(folder: &Path, number: usize) -> Option<u64> {
    let path: PathBuf = folder.join(format!("count.{number}"));
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("totals:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, u64)]) -> Counts {
        rows.iter().map(|&(row, count)| (row.to_owned(), count)).collect()
    }

    #[test]
    fn what_costs_more_is_told_and_what_costs_less_is_not_wrong() {
        let (compiler, expected) = parse("# a comment\ncompiler\t1.0 here\na\t1000\nb\t1000\nc\t1000\n");
        assert_eq!(compiler, "1.0 here");
        let wrong = compare(&counts(&[("a", 1050), ("b", 1060), ("c", 10), ("d", 1)]), &expected);
        assert_eq!(wrong, ["b: 1060, 6 % more than 1000", "d: 1, and no count is written down"]);
    }

    #[test]
    fn a_turn_that_looks_at_everybody_is_told() {
        let flat = counts(&[("core/restart/100", 5000), ("core/restart/10000", 8000)]);
        assert_eq!(grown(&flat), Vec::<String>::new());
        let steep = counts(&[("core/restart/100", 5000), ("core/restart/10000", 50_000)]);
        let told = "core/restart/10000: 50000, 10.0 times core/restart/100, and may be 2 times";
        assert_eq!(grown(&steep), [told]);
    }

    #[test]
    fn every_row_that_may_not_grow_is_written_down() {
        let (_, expected) = parse(&fs::read_to_string(root().join(BASELINE)).unwrap());
        for (small, large, _) in GROWTH {
            assert!(expected.contains_key(small) && expected.contains_key(large), "{small} {large}");
        }
    }
}
