//! Fifty clients that all want the whole state, again and again.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Sheet;
use crate::ask::{is_answer, request};
use crate::scene::Scene;
use crate::{Outcome, because};

/// How many ask at once.
const CLIENTS: usize = 50;

struct Asker {
    stream: UnixStream,
    got: Vec<u8>,
}

/// Answers per second, all clients together, from one thread of ours.
///
/// # Errors
/// An answer is missing or is none.
pub fn measure(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    let question = request("supervisor.getAllProcessInfo", "");
    let mut askers = (0..CLIENTS).map(|_| begin(scene, &question)).collect::<Outcome<Vec<_>>>()?;
    let (started, mut answers) = (Instant::now(), 0_u32);
    // Somebody slow gets time for one answer to everybody.
    while started.elapsed() < sheet.effort.crowd || (answers < 50 && started.elapsed() < scene.patience()) {
        for index in ready(&askers)? {
            let Some(asker) = askers.get_mut(index) else { continue };
            if finished(asker)? {
                answers += 1;
                let buffer = std::mem::take(&mut asker.got);
                *asker = begin(scene, &question)?;
                asker.got = buffer;
                asker.got.clear();
            }
        }
    }
    sheet.add("clients", f64::from(answers) / started.elapsed().as_secs_f64());
    Ok(())
}

fn begin(scene: &Scene<'_>, question: &[u8]) -> Outcome<Asker> {
    let mut stream = UnixStream::connect(scene.home.join("sock")).map_err(because("connect"))?;
    stream.write_all(question).map_err(because("ask"))?;
    stream.set_nonblocking(true).map_err(because("nonblocking"))?;
    Ok(Asker { stream, got: Vec::new() })
}

fn ready(askers: &[Asker]) -> Outcome<Vec<usize>> {
    let mut fds: Vec<_> = askers.iter().map(|asker| PollFd::new(&asker.stream, PollFlags::IN)).collect();
    let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    poll(&mut fds, Some(&wait)).map_err(because("poll"))?;
    Ok(fds.iter().enumerate().filter(|(_, fd)| !fd.revents().is_empty()).map(|(index, _)| index).collect())
}

/// Reads what is there; whether that was the end of the answer.
fn finished(asker: &mut Asker) -> Outcome<bool> {
    match asker.stream.read_to_end(&mut asker.got) {
        Ok(_) if is_answer(&asker.got) => Ok(true),
        Ok(_) => Err("one of fifty clients got no answer".to_owned()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(format!("one of fifty clients: {error}")),
    }
}
