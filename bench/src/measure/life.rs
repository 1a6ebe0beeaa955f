//! From the start of a contender to its end.

use std::time::{Duration, Instant};

use super::Sheet;
use crate::Outcome;
use crate::ask::{count, request};
use crate::contender::Kind;
use crate::scene::Scene;

/// Start, all alive, all reported as running, shutdown; with no processes the time to the first answer.
///
/// # Errors
/// It does not start, does not end, or leaves somebody behind.
pub fn measure(scene: Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    if scene.job.processes == 0 {
        let answered = scene.client().insist(&request("supervisor.getState", ""))?;
        sheet.add_ms("first", answered - scene.begun);
    } else {
        let alive = scene.census().complete(scene.patience())?;
        sheet.add_ms("start", alive - scene.begun);
        let running =
            if scene.contender.kind == Kind::Limit { alive } else { running(&scene, sheet, alive)? };
        // Whoever has just begun is not ended at once.
        let quiet = running + Duration::from_millis(300);
        std::thread::sleep(quiet.saturating_duration_since(Instant::now()));
    }
    let took = scene.shut_down()?;
    sheet.add_ms("shutdown", took);
    Ok(())
}

/// When the last process is reported as running.
fn running(scene: &Scene<'_>, sheet: &mut Sheet<'_>, alive: Instant) -> Outcome<Instant> {
    let (mut client, question) = (scene.client(), request("supervisor.getAllProcessInfo", ""));
    let startsecs = Duration::from_secs(scene.job.startsecs.into());
    // Nobody is due before; from then on each question costs the answerer.
    let early = alive + startsecs.saturating_sub(Duration::from_millis(20));
    std::thread::sleep(early.saturating_duration_since(Instant::now()));
    client.insist(&question)?;
    loop {
        let running = count(client.ask(&question)?, "<string>RUNNING</string>");
        let now = Instant::now();
        if running == scene.job.processes {
            let late = now.saturating_duration_since(alive + startsecs);
            sheet.add_ms("running", late);
            return Ok(now);
        }
        if now - alive > scene.patience() {
            return Err(format!("{running} of {} processes reported as running", scene.job.processes));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
