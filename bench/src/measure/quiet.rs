//! What a contender costs while nothing happens.

use std::time::Instant;

use super::Sheet;
use crate::Outcome;
use crate::scene::Scene;

/// Memory.
///
/// # Errors
/// The contender is gone.
pub fn memory(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    sheet.add("pss", scene.pss_mib()?);
    Ok(())
}

/// CPU and wake-ups per second, over one long time in the first turn.
///
/// # Errors
/// The contender is gone.
pub fn idle(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    if sheet.turn > 0 {
        return Ok(());
    }
    let (cpu, wakeups, begin) = (scene.cpu_ms()?, scene.wakeups()?, Instant::now());
    std::thread::sleep(sheet.effort.idle);
    let seconds = begin.elapsed().as_secs_f64();
    sheet.add("idle-cpu", (scene.cpu_ms()? - cpu) / seconds);
    sheet.add("idle-wakeups", (scene.wakeups()? - wakeups) / seconds);
    Ok(())
}
