//! How soon a client is answered while another one has everything stopped and started again.

use std::time::{Duration, Instant};

use super::Sheet;
use crate::Outcome;
use crate::ask::request;
use crate::scene::Scene;

/// getState, again and again, meanwhile.
///
/// # Errors
/// An answer is missing, or not everybody lives afterwards.
pub fn measure(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    for method in ["supervisor.stopAllProcesses", "supervisor.startAllProcesses"] {
        std::thread::scope(|scope| {
            let other = scope.spawn(|| scene.client().ask(&request(method, "")).map(|_| ()));
            let (mut client, question) = (scene.client(), request("supervisor.getState", ""));
            while !other.is_finished() {
                let begin = Instant::now();
                client.ask(&question)?;
                sheet.add_ms("groups", begin.elapsed());
                std::thread::sleep(Duration::from_millis(1));
            }
            other.join().map_err(|_| format!("{method} did not come to its end"))?
        })?;
    }
    scene.census().complete(scene.patience()).map(|_| ())
}
