//! Single questions: the whole state over the socket, and the status command.

use std::time::Instant;

use super::{Sheet, repetitions};
use crate::Outcome;
use crate::ask::{count, request};
use crate::contender::Kind;
use crate::scene::Scene;

/// getAllProcessInfo, one client.
///
/// # Errors
/// An answer is missing or incomplete.
pub fn info(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    let (mut client, question) = (scene.client(), request("supervisor.getAllProcessInfo", ""));
    let few = if scene.job.processes >= 1000 { 3 } else { sheet.effort.calls };
    for _ in 0..repetitions(scene, sheet.effort.calls, few) {
        let begin = Instant::now();
        let answer = client.ask(&question)?;
        let took = begin.elapsed();
        let told = count(answer, "<name>statename</name>");
        if scene.contender.kind != Kind::Limit && told != scene.job.processes {
            return Err(format!("getAllProcessInfo tells of {told} processes of {}", scene.job.processes));
        }
        sheet.add_ms("info", took);
    }
    Ok(())
}

/// The status command, from its start to its end.
///
/// # Errors
/// It fails or shows too little.
pub fn status(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    let few = if scene.job.processes >= 1000 { 2 } else { 4 };
    for _ in 0..repetitions(scene, sheet.effort.statuses, few) {
        let begin = Instant::now();
        let output = scene.status()?;
        let took = begin.elapsed();
        let shown = count(&output, "RUNNING");
        if scene.contender.kind != Kind::Limit && shown != scene.job.processes {
            return Err(format!("status shows {shown} running processes of {}", scene.job.processes));
        }
        sheet.add_ms("status", took);
    }
    Ok(())
}
