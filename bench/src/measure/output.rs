//! What workers write, on its way into files.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Sheet;
use crate::scene::Scene;
use crate::{Outcome, because};

/// Bytes of a line; its first twelve are its number.
const LINE: usize = 100;
/// After so long without a change nothing is expected any more.
const SILENCE: Duration = Duration::from_secs(10);

/// Opens the gate for the writers, waits until every byte is in a file, and reads them all.
///
/// # Errors
/// Bytes do not arrive.
pub fn measure(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    let Some((each, _)) = scene.job.output else { return Err("nobody writes".to_owned()) };
    let logs = scene.home.join("logs");
    let whole = each * scene.job.processes as u64;
    let (cpu, begin) = (scene.cpu_ms()?, Instant::now());
    OpenOptions::new().write(true).open(scene.home.join("gate")).map_err(because("gate"))?;
    let arrived = arrival(&logs, whole, scene.patience())?;
    let (took, cpu) = (begin.elapsed(), scene.cpu_ms()? - cpu);
    let due = arrived.max(whole);
    let lost = due - settled(&logs, scene.job.processes, due, scene.patience().min(SILENCE))?;
    sheet.add("log-lost", lost as f64);
    sheet.add("log", whole as f64 / 1e6 / took.as_secs_f64());
    sheet.add("log-cpu", cpu / 1e3 / (whole as f64 / f64::from(1 << 30)));
    if lost == 0 { Ok(()) } else { Err(format!("{lost} bytes lost or out of place")) }
}

/// Waits until so many bytes are there, and no longer when none comes any more.
fn arrival(logs: &Path, whole: u64, patience: Duration) -> Outcome<u64> {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let now = size(logs)?;
        // Twice, since a file that is just being renamed may be seen under both names.
        if now >= whole && size(logs)? >= whole {
            return Ok(now);
        }
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > patience.min(SILENCE) {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Bytes that are where they belong. The last one may have begun a rotation, of which some files have their new names already: then
/// they are looked at again.
fn settled(logs: &Path, processes: usize, due: u64, patience: Duration) -> Outcome<u64> {
    let began = Instant::now();
    loop {
        let late = began.elapsed() > patience;
        match (0..processes).map(|index| in_order(logs, index)).sum::<Outcome<u64>>() {
            Ok(good) if good >= due => return Ok(due),
            good if late => return good,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn size(logs: &Path) -> Outcome<u64> {
    let files = fs::read_dir(logs).map_err(because("logs"))?.flatten();
    Ok(files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum())
}

/// Bytes of one worker that are where they belong: its lines in order, from the oldest file to the newest.
fn in_order(logs: &Path, index: usize) -> Outcome<u64> {
    let newest = logs.join(format!("{index:05}.log"));
    let rotated = |number: usize| PathBuf::from(format!("{}.{number}", newest.display()));
    let mut files: Vec<PathBuf> = (1..).map(rotated).take_while(|path| path.exists()).collect();
    files.reverse();
    files.push(newest.clone());
    let empty: Box<dyn Read> = Box::new(std::io::empty());
    let all = files.iter().try_fold(empty, |all, path| {
        File::open(path).map(|file| Box::new(all.chain(file)) as Box<dyn Read>).map_err(because("log"))
    })?;
    let mut all = BufReader::with_capacity(1 << 18, all);
    let (mut line, mut number) = ([0; LINE], 0_u64);
    while all.read_exact(&mut line).is_ok() && is_line(&line, number) {
        number += 1;
    }
    Ok(number * LINE as u64)
}

fn is_line(line: &[u8; LINE], number: u64) -> bool {
    line.starts_with(format!("{number:012}x").as_bytes()) && line.ends_with(b"x\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(numbers: std::ops::Range<u64>) -> String {
        let line = |number| format!("{number:012}{}\n", "x".repeat(LINE - 13));
        numbers.map(line).collect()
    }

    #[test]
    fn what_is_being_rotated_is_looked_at_again_and_what_is_lost_is_lost() {
        let home = tempfile::tempdir().unwrap();
        let logs = home.path();
        fs::write(logs.join("00000.log.2"), lines(0..3)).unwrap();
        fs::write(logs.join("00000.log"), lines(3..5)).unwrap();
        assert_eq!(settled(logs, 1, 500, Duration::ZERO), Ok(0));
        let found = std::thread::scope(|scope| {
            let found = scope.spawn(|| settled(logs, 1, 500, SILENCE));
            fs::rename(logs.join("00000.log.2"), logs.join("00000.log.1")).unwrap();
            found.join().unwrap()
        });
        assert_eq!(found, Ok(500));
        fs::write(logs.join("00000.log"), lines(4..6)).unwrap();
        assert_eq!(settled(logs, 1, 500, Duration::ZERO), Ok(300));
    }
}
