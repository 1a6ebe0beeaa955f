//! What must hold for any words of a listener; also fed by the fuzzer (`fuzz/targets/listener.rs`).

use upkeep_core::ProcId;
use upkeep_core::event::EventKind;
use upkeep_core::listener::{ListenerState, PoolEffect, Pools};
use upkeep_core::spec::ListenerSpec;

const LISTENER: ProcId = ProcId(1);
const EVENTS: u64 = 3;

/// However the words are cut they mean the same, and no event is lost, doubled or given to a listener that is not ready.
pub(crate) fn listener(bytes: &[u8]) {
    let whole = outcome(&[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(outcome(&single), whole);
    let halves: Vec<&[u8]> = bytes.chunks(bytes.len() / 2 + 1).collect();
    assert_eq!(outcome(&halves), whole);
}

/// Where a busy listener stands after these words, what waits, and what the log says.
fn outcome(chunks: &[&[u8]]) -> (ListenerState, u64, Vec<String>) {
    let spec = ListenerSpec { events: vec![EventKind::Event], ..ListenerSpec::default() };
    let mut pools: Pools<u64> = Pools::default();
    pools.add("p", &spec);
    pools.join("p", LISTENER, "one");
    pools.running(LISTENER, true);
    (0..EVENTS).for_each(|event| pools.publish(EventKind::Tick5, &event));
    pools.heard(LISTENER, b"READY\n");
    pools.dispatch(|_| true);
    chunks.iter().for_each(|chunk| pools.heard(LISTENER, chunk));
    let mut given = 0;
    pools.dispatch(|_| {
        given += 1;
        true
    });
    let effects = std::iter::from_fn(|| pools.poll_effect());
    let log: Vec<String> = effects
        .filter_map(|effect| match effect {
            PoolEffect::Log(notice) => Some(notice.to_string()),
            _ => None,
        })
        .collect();
    let done = log.iter().filter(|line| line.ends_with("event was processed")).count() as u64;
    let saved = pools.saved(LISTENER).expect("a listener");
    assert!(given <= 1, "one listener was given {given} events at once");
    assert_eq!(saved.state == ListenerState::Busy, saved.event.is_some());
    let waiting = pools.status()[0].waiting;
    assert_eq!(waiting + u64::from(saved.event.is_some()) + done, EVENTS, "an event was lost or doubled");
    (saved.state, waiting, log)
}
