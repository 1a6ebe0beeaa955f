//! Pools and listeners, by tables of what they say and what becomes of events.

use upkeep_core::event::EventKind::{
    self, Event, ProcessLogStdout, ProcessStateExited, ProcessStateRunning, Tick, Tick5, Tick60, Tick3600,
};
use upkeep_core::listener::{ListenerState, PoolEffect, Pools, Queued, SavedListener, Ticks};
use upkeep_core::spec::ListenerSpec;
use upkeep_core::{Level, ProcId};

const ONE: ProcId = ProcId(1);
const TWO: ProcId = ProcId(2);

/// Pools whose events have names for payloads, and a listener that takes whatever comes.
struct Bench {
    pools: Pools<&'static str>,
    /// Listeners that cannot be written to.
    broken: Vec<ProcId>,
    sent: Vec<String>,
}

fn spec(events: &[EventKind], buffer_size: i64) -> ListenerSpec {
    ListenerSpec { events: events.to_vec(), buffer_size, ..ListenerSpec::default() }
}

impl Bench {
    /// A pool `p` of two listeners, RUNNING and quiet.
    fn new(spec: &ListenerSpec) -> Self {
        let mut pools = Pools::default();
        pools.add("p", spec);
        for (id, name) in [(ONE, "one"), (TWO, "two")] {
            pools.join("p", id, name);
            pools.running(id, true);
        }
        Self { pools, broken: Vec::new(), sent: Vec::new() }
    }

    fn say(&mut self, id: ProcId, words: &str) -> &mut Self {
        self.pools.heard(id, words.as_bytes());
        self.dispatch()
    }

    fn dispatch(&mut self) -> &mut Self {
        let (sent, broken) = (&mut self.sent, &self.broken);
        self.pools.dispatch(|delivery| {
            let event = delivery.event;
            sent.push(format!("{}<{}#{}/{}", delivery.id.0, event.payload, event.serial, event.pool_serial));
            !broken.contains(&delivery.id)
        });
        self
    }

    fn publish(&mut self, kind: EventKind, payload: &'static str) -> &mut Self {
        self.pools.publish(kind, &payload);
        self.dispatch()
    }

    /// What was sent since the last look.
    fn sent(&mut self) -> String {
        std::mem::take(&mut self.sent).join(" ")
    }

    /// Log lines since the last look, each with the initial of its level.
    fn log(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(effect) = self.pools.poll_effect() {
            if let PoolEffect::Log(notice) = effect {
                let level = match notice.level() {
                    Level::Critical => 'C',
                    Level::Error => 'E',
                    Level::Warn => 'W',
                    Level::Info => 'I',
                    Level::Debug => 'D',
                };
                lines.push(format!("{level} {notice}"));
            }
        }
        lines
    }

    fn state(&self, id: ProcId) -> ListenerState {
        self.pools.saved(id).expect("a listener").state
    }

    fn waiting(&self) -> (u64, u64) {
        let status = self.pools.status();
        (status[0].waiting, status[0].discarded)
    }
}

const LOST: &str = "W one: has entered the UNKNOWN state and will no longer receive events, this usually indicates the \
                    process violated the eventlistener protocol";

#[test]
fn words_and_what_they_mean_evt_060_to_evt_071_evt_062_evt_067_evt_069() {
    use ListenerState::{Acknowledged, Busy, Ready, Unknown};
    // Before an event: words, state.
    let rows: [(&[&str], ListenerState); 9] = [
        (&[], Acknowledged),
        (&["READY\n"], Ready),
        (&["REA", "DY", "\n"], Ready),
        (&["READY"], Acknowledged),
        (&["READY\r\n"], Unknown),
        (&["READYx"], Unknown),
        (&["hello"], Acknowledged),
        (&["READY\n", "x"], Unknown),
        (&["READY\nx"], Unknown),
    ];
    for (words, expected) in rows {
        let mut bench = Bench::new(&spec(&[Event], 10));
        for words in words {
            bench.say(ONE, words);
        }
        assert_eq!(bench.state(ONE), expected, "{words:?}");
    }
    // With an event: words, state, events that wait.
    let rows: [(&[&str], ListenerState, u64); 14] = [
        (&[], Busy, 0),
        (&["RESULT 2\nOK"], Acknowledged, 0),
        (&["RES", "ULT 2", "\nO", "K"], Acknowledged, 0),
        (&["RESULT 2\nO"], Busy, 0),
        (&["whatever 2\n"], Unknown, 1),
        (&["whateve2\nOK"], Acknowledged, 0),
        (&["RESULT 4\nFAIL"], Acknowledged, 1),
        (&["RESULT 5\nHELLO"], Acknowledged, 1),
        (&["RESULT 3\nOKx"], Acknowledged, 1),
        (&["RESULT 0\n"], Acknowledged, 1),
        (&["RESULT x\n"], Unknown, 1),
        (&["RESULT -1\n"], Unknown, 1),
        (&["RESULT 2\nOKREADY\n"], Ready, 0),
        (&["RESULT 2\nOKREADYx"], Unknown, 0),
    ];
    for (words, expected, waiting) in rows {
        let mut bench = Bench::new(&spec(&[Event], 10));
        bench.say(ONE, "READY\n").publish(Tick5, "a");
        for words in words {
            bench.say(ONE, words);
        }
        assert_eq!((bench.state(ONE), bench.waiting().0), (expected, waiting), "{words:?}");
    }
}

#[test]
fn lines_of_a_listeners_life_evt_070_evt_071_evt_073_evt_074_evt_098() {
    let mut bench = Bench::new(&spec(&[Event], 10));
    bench.say(ONE, "READY\n");
    assert_eq!(bench.log(), ["D one: ACKNOWLEDGED -> READY"]);
    bench.publish(Tick5, "a");
    assert_eq!(bench.log(), ["D event 0 sent to listener one"]);
    bench.say(ONE, "RESULT 2\nOK");
    assert_eq!(bench.log(), ["D one: event was processed", "D one: BUSY -> ACKNOWLEDGED"]);
    bench.say(ONE, "READY\n").publish(Tick5, "b").log();
    bench.say(ONE, "RESULT 4\nFAIL");
    assert_eq!(
        bench.log(),
        [
            "W one: event was rejected",
            "D one: BUSY -> ACKNOWLEDGED",
            "D rebuffering event 1 for pool p (buf size=0, max=10)"
        ]
    );
    bench.say(ONE, "READY\n").log();
    bench.say(ONE, "RESULT two\n");
    assert_eq!(
        bench.log(),
        [
            "W one: bad result line: 'RESULT two'",
            "D one: BUSY -> UNKNOWN",
            LOST,
            "D rebuffering event 1 for pool p (buf size=0, max=10)"
        ]
    );
}

#[test]
fn a_listener_that_broke_the_protocol_gets_nothing_until_it_starts_anew_evt_073_evt_063() {
    let mut bench = Bench::new(&spec(&[Event], 10));
    bench.say(ONE, "READY\n").say(ONE, "chatter");
    assert_eq!(bench.log().last().map(String::as_str), Some(LOST));
    bench.say(ONE, "READY\n").publish(Tick5, "a");
    assert_eq!((bench.sent(), bench.state(ONE)), (String::new(), ListenerState::Unknown));
    bench.pools.ended(ONE);
    assert_eq!(bench.state(ONE), ListenerState::Acknowledged);
    bench.say(ONE, "READY\n");
    assert_eq!(bench.sent(), "1<a#0/0");
}

#[test]
fn only_running_and_ready_listeners_get_events_first_ready_first_evt_064_evt_090() {
    let mut bench = Bench::new(&spec(&[Event], 10));
    bench.pools.running(ONE, false);
    bench.say(ONE, "READY\n").say(TWO, "READY\n").publish(Tick5, "a");
    assert_eq!(bench.sent(), "2<a#0/0");
    bench.publish(Tick5, "b");
    assert_eq!(bench.sent(), "", "one is not RUNNING, two is BUSY");
    bench.pools.running(ONE, true);
    bench.dispatch();
    assert_eq!(bench.sent(), "1<b#1/1");
    bench.say(TWO, "RESULT 2\nOKREADY\n").say(ONE, "RESULT 2\nOKREADY\n").publish(Tick5, "c");
    assert_eq!(bench.sent(), "1<c#2/2", "the first ready one in configuration order");
}

#[test]
fn what_waits_is_sent_oldest_first_evt_092() {
    let mut bench = Bench::new(&spec(&[Event], 10));
    bench.publish(Tick5, "a").publish(Tick5, "b").publish(Tick5, "c").say(ONE, "READY\n").say(TWO, "READY\n");
    assert_eq!(bench.sent(), "1<a#0/0 2<b#1/1");
    bench.say(TWO, "RESULT 2\nOKREADY\n");
    assert_eq!(bench.sent(), "2<c#2/2");
}

#[test]
fn a_full_buffer_loses_its_oldest_event_and_counts_it_evt_094_evt_095() {
    let mut bench = Bench::new(&spec(&[Event], 2));
    bench.publish(Tick5, "a").publish(Tick5, "b").publish(Tick5, "c");
    assert_eq!(bench.log(), ["E pool p event buffer overflowed, discarding event 0"]);
    assert_eq!(bench.waiting(), (2, 1));
    bench.say(ONE, "READY\n").say(TWO, "READY\n");
    assert_eq!(bench.sent(), "1<b#1/1 2<c#2/2");
}

#[test]
fn a_rejected_event_comes_first_and_may_push_out_the_oldest_evt_096_evt_052() {
    let mut bench = Bench::new(&spec(&[Event], 2));
    bench.say(ONE, "READY\n").publish(Tick5, "a").publish(Tick5, "b").publish(Tick5, "c");
    bench.log();
    bench.say(ONE, "RESULT 4\nFAIL");
    assert_eq!(
        bench.log()[2..],
        [
            "D rebuffering event 0 for pool p (buf size=2, max=2)",
            "E pool p event buffer overflowed, discarding event 1"
        ]
    );
    bench.sent();
    bench.say(TWO, "READY\n").say(ONE, "READY\n");
    assert_eq!(bench.sent(), "2<a#0/0 1<c#2/2", "with the numbers it had");
}

#[test]
fn a_rejected_event_stays_in_its_own_pool_evt_097_d_01() {
    let mut bench = Bench::new(&spec(&[Tick], 10));
    bench.pools.add("q", &spec(&[ProcessStateExited], 10));
    bench.pools.join("q", ProcId(3), "three");
    bench.pools.running(ProcId(3), true);
    bench.say(ONE, "READY\n").say(ProcId(3), "READY\n").publish(Tick5, "a").say(ONE, "RESULT 4\nFAIL");
    assert_eq!(bench.sent(), "1<a#0/0");
    assert_eq!(bench.pools.status().iter().map(|pool| pool.waiting).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn a_listener_that_dies_busy_has_rejected_its_event_evt_075() {
    let mut bench = Bench::new(&spec(&[Event], 10));
    bench.say(ONE, "READY\n").publish(Tick5, "a");
    bench.pools.running(ONE, false);
    bench.pools.ended(ONE);
    bench.say(TWO, "READY\n");
    assert_eq!(bench.sent(), "1<a#0/0 2<a#0/0");
    bench.say(TWO, "RESULT 2\nOK");
    bench.pools.ended(TWO);
    assert_eq!(bench.waiting().0, 0, "an exit after the result rejects nothing (EVT-078)");
}

#[test]
fn that_a_listener_has_died_with_its_event_is_written_down() {
    let mut bench = Bench::new(&spec(&[Event], 10));
    bench.say(ONE, "READY\n").publish(Tick5, "a");
    let saves = |bench: &mut Bench| {
        let effects = std::iter::from_fn(|| bench.pools.poll_effect());
        effects.filter(|effect| matches!(effect, PoolEffect::Save { id } if *id == ONE)).count()
    };
    assert!(saves(&mut bench) > 0);
    bench.pools.ended(ONE);
    assert_eq!(saves(&mut bench), 1);
    bench.pools.ended(ONE);
    assert_eq!(saves(&mut bench), 0, "nothing is new");
}

#[test]
fn a_listener_that_cannot_be_written_to_is_passed_over_evt_076_evt_093() {
    let mut bench = Bench::new(&spec(&[Event], 10));
    bench.say(ONE, "READY\n").say(TWO, "READY\n").log();
    bench.broken = vec![ONE];
    bench.publish(Tick5, "a");
    assert_eq!(bench.sent(), "1<a#0/0 2<a#0/0");
    assert_eq!(
        bench.log(),
        [
            "D epipe occurred while sending event 0 to listener one, listener state unchanged",
            "D event 0 sent to listener two"
        ]
    );
    assert_eq!(bench.state(ONE), ListenerState::Ready);
    bench.publish(Tick5, "b");
    assert_eq!(bench.log()[1], "D rebuffering event 1 for pool p (buf size=0, max=10)");
    assert_eq!(bench.waiting(), (1, 0));
}

#[test]
fn subscriptions_and_serials_evt_051_evt_091_evt_101_d_16() {
    // "p" names a type and its parent: each event comes once.
    let mut bench = Bench::new(&spec(&[Tick, Tick60], 10));
    bench.pools.add("q", &spec(&[Event], 10));
    bench.pools.join("q", ProcId(3), "three");
    bench.pools.running(ProcId(3), true);
    assert!(bench.pools.wants(ProcessLogStdout));
    bench.say(ONE, "READY\n").say(ProcId(3), "READY\n").publish(ProcessStateRunning, "a");
    assert_eq!(bench.sent(), "3<a#0/0");
    bench.say(ProcId(3), "RESULT 2\nOKREADY\n").publish(Tick60, "b");
    assert_eq!(bench.sent(), "1<b#1/0 3<b#1/1");
    bench.pools.remove("q");
    assert!(!bench.pools.wants(ProcessLogStdout));
    bench.publish(ProcessStateRunning, "nobody").say(ONE, "RESULT 2\nOKREADY\n").publish(Tick5, "c");
    assert_eq!(bench.sent(), "1<c#2/1", "an event that nobody took has no number");
}

#[test]
fn counters_go_on_after_a_restart_and_wrap_evt_040_evt_055() {
    let mut bench = Bench::new(&spec(&[Event], 10));
    bench.publish(Tick5, "a").publish(Tick5, "b");
    bench.pools.clear();
    bench.pools.add("p", &spec(&[Event], 10));
    bench.pools.join("p", ONE, "one");
    bench.pools.running(ONE, true);
    bench.say(ONE, "READY\n").publish(Tick5, "c");
    assert_eq!(bench.sent(), "1<c#2/0");
    let mut serials = bench.pools.serials();
    serials.next = i64::MAX;
    serials.pools.insert("p".to_owned(), (i64::MAX, 7));
    bench.pools.restore_serials(&serials);
    bench.say(ONE, "RESULT 2\nOKREADY\n").publish(Tick5, "last").say(ONE, "RESULT 2\nOKREADY\n");
    bench.publish(Tick5, "first");
    assert_eq!(bench.sent(), format!("1<last#{0}/{0} 1<first#0/0", i64::MAX));
    assert_eq!(bench.waiting(), (0, 7));
}

#[test]
fn a_new_daemon_goes_on_where_a_listener_stood() {
    let mut before = Bench::new(&spec(&[Event], 10));
    before.say(ONE, "READY\n").say(TWO, "READY\n").publish(Tick5, "a");
    let mut after = Bench::new(&spec(&[Event], 10));
    for id in [ONE, TWO] {
        let saved: SavedListener<_> = before.pools.saved(id).expect("a listener");
        after.pools.restore(id, saved);
    }
    after.pools.restore_serials(&before.pools.serials());
    after.publish(Tick5, "b");
    assert_eq!(after.sent(), "2<b#1/1", "one is still busy");
    after.say(ONE, "RESULT 4\nFAILREADY\n");
    assert_eq!(after.sent(), "1<a#0/0");
}

#[test]
fn what_waits_is_written_down_when_it_changes() {
    let mut before = Bench::new(&spec(&[Event], 10));
    before.say(ONE, "READY\n").publish(Tick5, "a");
    assert_eq!(before.pools.buffers_to_write(), [], "nothing waits, and nothing was written");
    before.publish(Tick5, "b").publish(Tick5, "c");
    let written = before.pools.buffers_to_write();
    assert_eq!(written.len(), 1);
    assert_eq!(before.pools.buffers_to_write(), [], "once");
    let mut after = Bench::new(&spec(&[Event], 10));
    after.pools.restore(ONE, before.pools.saved(ONE).expect("a listener"));
    after.pools.restore_buffer("p", written[0].1.clone());
    after.publish(Tick5, "d").say(TWO, "READY\n").say(ONE, "RESULT 2\nOKREADY\n");
    assert_eq!(after.sent(), "2<b#1/1 1<c#2/2");
    after.say(TWO, "RESULT 2\nOKREADY\n");
    assert_eq!(after.sent(), "2<d#3/3");
    assert_eq!(after.pools.buffers_to_write(), [("p".to_owned(), vec![])], "and that it is empty, once");
    assert_eq!(after.pools.buffers_to_write(), []);
}

#[test]
fn a_durable_pool_discards_nothing_and_fetches_what_it_put_away() {
    let durable = ListenerSpec { durable: true, ..spec(&[Event], 2) };
    let mut bench = Bench::new(&durable);
    bench.publish(Tick5, "early");
    assert_eq!(
        (bench.pools.poll_effect(), bench.waiting().0),
        (None, 1),
        "it has no number before the disk is known"
    );
    bench.pools.found("p", 1, Some(4));
    let mut disk = vec![Queued { serial: 9, pool_serial: 4, kind: Tick5, payload: "old" }];
    let mut loads = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        bench.publish(Tick5, name);
    }
    while let Some(effect) = bench.pools.poll_effect() {
        match effect {
            PoolEffect::Store { event, .. } => disk.push(event),
            PoolEffect::Load { after, count, .. } => loads.push((after, count)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((disk.len(), bench.waiting()), (7, (7, 0)));
    bench.say(ONE, "READY\n").say(TWO, "READY\n");
    assert_eq!(bench.sent(), "", "what is on disk comes first");
    let load = |bench: &mut Bench| {
        let mut effects = std::iter::from_fn(|| bench.pools.poll_effect());
        effects.find(|effect| matches!(effect, PoolEffect::Load { .. }))
    };
    assert_eq!((loads, load(&mut bench)), (vec![(None, 2)], None), "asked for once");
    bench.pools.loaded("p", disk[..2].to_vec());
    bench.dispatch();
    assert_eq!(bench.sent(), "1<old#9/4 2<early#0/5");
    assert_eq!(load(&mut bench), Some(PoolEffect::Load { pool: "p".to_owned(), after: Some(5), count: 2 }));
    assert_eq!(bench.pools.busy("p"), [4, 5]);
    bench.say(ONE, "RESULT 2\nOKREADY\n");
    let done = PoolEffect::Done { pool: "p".to_owned(), pool_serial: 4 };
    assert!(std::iter::from_fn(|| bench.pools.poll_effect()).any(|effect| effect == done));
    bench.pools.loaded("p", disk[2..4].to_vec());
    bench.dispatch();
    assert_eq!((bench.sent(), bench.waiting().0), ("1<a#1/6".to_owned(), 4));
    bench.say(TWO, "RESULT 4\nFAIL");
    bench.publish(Tick5, "f");
    assert_eq!(bench.waiting(), (6, 0), "a rejected event has room beyond the buffer");
    bench.pools.lost("p", 9);
    assert_eq!(bench.waiting(), (5, 1), "the disk could not keep it");
    bench.pools.lost("p", 6);
    assert_eq!(bench.waiting(), (5, 1), "it is in hand");
}

#[test]
fn a_durable_pool_takes_nothing_that_another_of_its_name_asked_for() {
    let mut bench = Bench::new(&ListenerSpec { durable: true, ..spec(&[Event], 2) });
    bench.say(ONE, "READY\n");
    bench.pools.loaded("p", vec![Queued { serial: 9, pool_serial: 4, kind: Tick5, payload: "second" }]);
    bench.dispatch();
    assert_eq!(bench.sent(), "");
    bench.pools.found("p", 2, Some(4));
    bench.dispatch();
    let load = std::iter::from_fn(|| bench.pools.poll_effect());
    let load: Vec<_> = load.filter(|effect| matches!(effect, PoolEffect::Load { .. })).collect();
    assert_eq!(
        load,
        [PoolEffect::Load { pool: "p".to_owned(), after: None, count: 2 }],
        "the first comes first"
    );
}

#[test]
fn a_pool_that_becomes_durable_fetches_what_an_earlier_time_left_and_leaves_nothing_twice() {
    let memory = spec(&[Event], 2);
    let mut bench = Bench::new(&memory);
    bench.publish(Tick5, "a");
    assert_eq!(bench.pools.buffers_to_write().len(), 1);
    assert!(bench.pools.add("p", &ListenerSpec { durable: true, ..memory }));
    assert_eq!(bench.pools.buffers_to_write(), [("p".to_owned(), vec![])], "it would come again");
    assert_eq!(bench.pools.buffers_to_write(), []);
    bench.pools.found("p", 1, Some(0));
    bench.say(ONE, "READY\n");
    assert_eq!(bench.sent(), "1<a#0/0");
    let mut effects = std::iter::from_fn(|| bench.pools.poll_effect());
    let load = effects.find(|effect| matches!(effect, PoolEffect::Load { .. }));
    assert_eq!(load, Some(PoolEffect::Load { pool: "p".to_owned(), after: None, count: 2 }));
}

#[test]
fn a_durable_pool_without_a_disk_does_as_others() {
    let mut bench = Bench::new(&ListenerSpec { durable: true, ..spec(&[Event], 2) });
    bench.publish(Tick5, "a").publish(Tick5, "b").publish(Tick5, "c");
    bench.pools.not_stored("p");
    assert_eq!(bench.log(), ["E pool p event buffer overflowed, discarding event 0"]);
    bench.say(ONE, "READY\n");
    assert_eq!(bench.sent(), "1<b#1/1");
}

#[test]
fn ticks_come_when_a_slice_begins_evt_020_evt_035() {
    let mut ticks = Ticks::default();
    assert_eq!((ticks.next(), ticks.turn(1_000)), (None, vec![]), "nobody wants them");
    ticks.follow(1_003, |kind| kind != Tick60);
    assert_eq!(ticks.turn(1_004), [], "none at start");
    assert_eq!(ticks.next(), Some(1_005));
    assert_eq!(ticks.turn(1_005), [(Tick5, 1_005)]);
    assert_eq!(ticks.turn(1_019), [(Tick5, 1_015)], "what was missed is not made up");
    assert_eq!(ticks.turn(3_600), [(Tick5, 3_600), (Tick3600, 3_600)]);
    assert_eq!(ticks.turn(3_590), [(Tick5, 3_590), (Tick3600, 0)], "the clock was set back");
    ticks.follow(3_591, |kind| kind == Tick60);
    assert_eq!(ticks.next(), Some(3_600));
    assert_eq!(ticks.turn(3_660), [(Tick60, 3_660)]);
}

proptest::proptest! {
    /// However the words are cut, they mean the same: EVT-069, EVT-061.
    #[test]
    fn cuts_make_no_difference(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "READY\n", "READY", "\n", "RESULT 2\nOK", "RESULT 4\nFAIL", "RESULT 2\n", "OK", "RESULT -1\n", "x",
                "RESULT 0\n", "é",
            ]),
            0..12,
        ),
    ) {
        crate::properties::listener(words.concat().as_bytes());
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        crate::properties::listener(&bytes);
    }
}
