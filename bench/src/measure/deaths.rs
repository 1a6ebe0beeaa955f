//! Workers that are killed: how soon they are back, and what that costs.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Sheet, repetitions};
use crate::Outcome;
use crate::census::Census;
use crate::scene::{QUIET, Scene, signal};

/// As many die at once.
const STORM: usize = 200;

/// One at a time.
///
/// # Errors
/// Somebody does not come back.
pub fn single(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    let mut census = scene.census();
    census.complete(scene.patience())?;
    for turn in 0..repetitions(scene, sheet.effort.kills, 7) {
        let workers = census.look();
        let victim = workers.get(turn % workers.len().max(1)).copied().unwrap_or_default();
        let took = kill(scene, &mut census, &[victim])?;
        sheet.add_ms("death", took);
        sheet.add_ms("death-p99", took);
        // Each death finds a contender that has done with the one before.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Two hundred at a time, or as many as there are.
///
/// # Errors
/// Somebody does not come back.
pub fn storm(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    let mut census = scene.census();
    census.complete(scene.patience())?;
    for _ in 0..sheet.effort.storms {
        let took = kill_many(scene, &mut census, STORM)?;
        sheet.add_ms("storm", took);
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// CPU and memory over many restarts.
///
/// # Errors
/// Somebody does not come back.
pub fn cost(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    let mut census = scene.census();
    census.complete(scene.patience())?;
    let batch = scene.job.processes.min(STORM);
    let rounds = repetitions(scene, sheet.effort.restarts.div_ceil(batch), 3);
    // What the first restarts cost is no growth: that is what the next ones add. The oldest are killed first, so here each of them is.
    let before = repetitions(scene, rounds.max(scene.job.processes.div_ceil(batch)), 3);
    for _ in 0..before {
        kill_many(scene, &mut census, batch)?;
    }
    let memory = settled_memory(scene, &mut census, batch, sheet.effort.readings)?;
    let cpu = scene.cpu_ms()?;
    for _ in 0..rounds {
        kill_many(scene, &mut census, batch)?;
    }
    std::thread::sleep(QUIET);
    sheet.add("restart-cpu", (scene.cpu_ms()? - cpu) / (rounds * batch) as f64);
    let after = settled_memory(scene, &mut census, batch, sheet.effort.readings)?;
    sheet.add("growth", (after - memory) * 1024.0);
    Ok(())
}

/// MiB that are usual after restarts: the middle of some readings, each after as many restarts as a storm has. Where the pieces of a heap lie makes a
/// hundred KiB more or less of a single one, in no order.
fn settled_memory(scene: &Scene<'_>, census: &mut Census, batch: usize, count: usize) -> Outcome<f64> {
    let mut readings = Vec::new();
    for _ in 0..count.max(1) {
        for _ in 0..repetitions(scene, STORM.div_ceil(batch), 1) {
            kill_many(scene, census, batch)?;
        }
        std::thread::sleep(QUIET);
        readings.push(scene.pss_mib()?);
    }
    readings.sort_by(f64::total_cmp);
    Ok(readings[readings.len() / 2])
}

fn kill_many(scene: &Scene<'_>, census: &mut Census, most: usize) -> Outcome<Duration> {
    let mut victims = census.look();
    victims.truncate(most);
    kill(scene, census, &victims)
}

/// From the first kill to the moment when all have somebody in their place.
fn kill(scene: &Scene<'_>, census: &mut Census, victims: &[i32]) -> Outcome<Duration> {
    let begin = Instant::now();
    victims.iter().for_each(|&pid| signal(pid, Signal::KILL));
    census.killed(victims);
    Ok(census.complete(scene.patience())? - begin)
}
