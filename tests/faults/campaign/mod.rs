//! The campaign: a hundred processes, and faults drawn from a seed, while everything that is promised is looked at.
//!
//! `cargo xtask campaign` runs it for as long as wanted; every test run plays a short one. `README.md` beside the
//! folder tells what is done and what is looked at.

mod causes;
mod checks;
mod clients;
mod errand;
mod fault;
mod journal;
mod numbers;
mod random;
mod report;
mod scene;
mod workload;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use checks::Checks;
use clients::Waits;
use report::TimeLine;
use scene::Scene;

use crate::rig::redis::{Connection, Server};
use crate::rig::wait::PATIENCE;

const SEED: &str = "UPKEEP_CAMPAIGN_SEED";
const SECONDS: &str = "UPKEEP_CAMPAIGN_SECONDS";
/// How long an answer may take, in milliseconds.
const ANSWER: &str = "UPKEEP_CAMPAIGN_ANSWER";

/// From one look at everything to the next.
const LOOK: Duration = Duration::from_millis(700);

fn given(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Whatever happens, nothing is lost. By itself it is short, and waits longer for answers: other tests run beside it.
#[test]
fn nothing_is_lost() {
    let (seed, seconds) = (given(SEED, 1), given(SECONDS, 40));
    let limit = Duration::from_millis(given(ANSWER, 8000));
    let redis = Server::start();
    let mut scene = Scene::new(workload::start(&redis), seed);
    let mut checks = Checks::new(&scene);
    let (over, waits) = (AtomicBool::new(false), Mutex::new(Waits::default()));
    let mut queue = redis.connect();
    let socket = scene.daemon.socket();
    let table = std::thread::scope(|scope| {
        let over = Over(&over);
        begin(&mut scene, &mut checks, &mut queue);
        scope.spawn(|| clients::ask_all_the_time(&socket, limit, over.0, &waits));
        let mut time_line = TimeLine::new();
        let time = Duration::from_secs(seconds);
        let held = play(time, &mut scene, &mut checks, &mut queue, &mut time_line, &waits);
        let held = held.and_then(|()| {
            // The end of everything is not an answer that takes too long.
            checks.close(&mut scene, &mut queue, || over.0.store(true, Ordering::Relaxed))
        });
        if let Err(what) = held {
            panic!("{}", time_line.failure(seed, &what, &scene.daemon.home.read("supervisord.log")));
        }
        time_line.table(seed, &scene, &checks, &waits.lock().expect("the waits"))
    });
    say(&table);
}

/// Waits until everybody runs for the first time.
fn begin(scene: &mut Scene, checks: &mut Checks, queue: &mut Connection) {
    let since = Instant::now();
    while !checks.all_well() {
        scene.pass(Duration::from_millis(100));
        checks.look(scene, queue).expect("a start without faults");
        assert!(since.elapsed() < PATIENCE, "{}", scene.daemon.log());
    }
}

/// One fault after the other.
fn play(
    time: Duration,
    scene: &mut Scene,
    checks: &mut Checks,
    queue: &mut Connection,
    time_line: &mut TimeLine,
    waits: &Mutex<Waits>,
) -> Result<(), String> {
    let mut looked = Instant::now();
    while time_line.elapsed() < time {
        let fault = fault::draw(scene);
        if let Some(whom) = fault::inject(fault, scene) {
            time_line.add(fault, &whom);
        }
        let pause = scene.random.milliseconds(20, 240);
        scene.pass(pause);
        if looked.elapsed() > LOOK && !scene.suffers() {
            looked = Instant::now();
            checks.look(scene, queue)?;
            update_again(scene);
        }
        let seen = waits.lock().expect("the waits").fault.take();
        scene.fault.take().or(seen).map_or(Ok(()), Err)?;
    }
    Ok(())
}

/// After a command that was cut short: the configuration of now, whatever that left.
fn update_again(scene: &mut Scene) {
    let names = checks::names_that_may_go(scene.varying);
    if scene.update_again && scene.errands.has_room() && !names.iter().any(|name| scene.errands.concern(name))
    {
        scene.update_again = false;
        scene.errands.begin(&scene.causes, names, scene.daemon.home.path(), "supervisorctl", &["update"]);
    }
}

/// Says that it is over when it is dropped: the asking thread must end too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[expect(clippy::print_stdout, reason = "what somebody who runs a campaign wants to see")]
fn say(text: &str) {
    println!("{text}");
}
