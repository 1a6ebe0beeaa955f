//! Preparing starts one after the other, on a thread that may wait for the disk.
//!
//! A disk that hangs (a dead NFS server) holds up the start that needs it and no other: a start that takes too long
//! counts as failed, and the rest go on with a thread of their own. The thread that hangs ends when the disk answers; until
//! then no second one is sent after the same process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use upkeep_api::apart;
use upkeep_core::{ErrandKind, Input, ProcId, RunId};

use crate::patience::Patience;
use crate::prepare::Order;
use crate::shell::{Message, Shell};
use crate::tasks;

/// Why a start fails that there was no thread for.
const NO_THREAD: &str = "no thread can be had to find its command and open its logs: a limit of processes is reached (ulimit -u, pids.max)";

/// Starts of one turn that are made without a thread: many would let clients wait.
const MOST_AT_ONCE: usize = 16;

/// How long finding a command and opening logs may take.
const PATIENCE: Patience = Patience::For(Duration::from_secs(10));

impl Shell {
    /// Prepares starts in their order. Those that are not made at once are told by [`Message::Prepared`].
    pub(crate) fn prepare(&mut self, starts: Vec<(RunId, Order)>) {
        let mut orders = VecDeque::new();
        for (number, (run, order)) in starts.into_iter().enumerate() {
            let process = self.core.process_of(run);
            let asks = self.core.errand_of(run) == Some(ErrandKind::Check);
            // A check whose command lies on a disk that hangs must not keep its process from being started, or stopped.
            if self.stuck.values().any(|&(stuck, checks)| Some(stuck) == process && checks == asks) {
                self.start_overdue(run, process);
                continue;
            }
            let is_next = self.preparing.is_empty() && number < MOST_AT_ONCE;
            match is_next.then(|| order.prepare_at_once(&self.familiar)).flatten() {
                Some(prepared) => self.prepared(run, Ok(Box::new(prepared))),
                None => {
                    self.preparing.insert(run);
                    orders.push_back((run, order));
                }
            }
        }
        if orders.is_empty() {
            return;
        }
        let (messages, overdue) = (self.messages.clone(), self.messages.clone());
        let first = orders.front().map(|(run, _)| *run);
        let work = move |run, order: Order| {
            let mut result = order.prepare().map(Box::new);
            // The others are like it, or learnt about when they are the first.
            if let Some(prepared) = result.as_mut().ok().filter(|_| first == Some(run)) {
                prepared.learnt = order.learnt(prepared);
            }
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Prepared { run, result });
        };
        tasks::spawn(one_by_one(orders, PATIENCE, work, move |run, why| {
            let _ = overdue.send(match why {
                Undone::Late => Message::Overdue { run },
                Undone::NoThread => Message::Prepared { run, result: Err(NO_THREAD.to_owned()) },
            });
        }));
    }

    /// A start could not be prepared in time.
    pub(crate) fn overdue(&mut self, run: RunId) {
        let process = self.core.process_of(run);
        let asks = self.core.errand_of(run) == Some(ErrandKind::Check);
        self.preparing.remove(&run);
        self.stuck.extend(process.map(|process| (run, (process, asks))));
        self.start_overdue(run, process);
    }

    fn start_overdue(&mut self, run: RunId, process: Option<ProcId>) {
        self.leaving.extend(self.kept.remove(&run));
        let name = process.and_then(|id| self.core.process(id)).map_or("?", |process| process.name());
        let text = format!("a disk that the command or the logs of '{name}' lie on does not answer");
        self.cannot_ask(run);
        self.tell(Input::SpawnFailed { run, text });
    }
}

/// What is still to be done, and by which thread.
struct Queue<T> {
    items: VecDeque<(RunId, T)>,
    turn: u64,
}

type Shared<T> = Arc<Mutex<Queue<T>>>;

/// Why nobody waits for an item any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// It takes too long; it may yet be done.
    Late,
    /// There is no thread for it, or that has failed: nobody will do it.
    NoThread,
}

/// What became of a step.
enum Step {
    Done,
    Undone(Undone),
}

/// Does `work` with each item on a thread of its own; where one takes longer than `patience`, says so by `undone` and leaves the
/// thread to it.
pub(crate) async fn one_by_one<T: Send + 'static>(
    items: VecDeque<(RunId, T)>,
    patience: Patience,
    work: impl Fn(RunId, T) + Clone + Send + 'static,
    undone: impl Fn(RunId, Undone),
) {
    let mut left: VecDeque<RunId> = items.iter().map(|(run, _)| *run).collect();
    let queue = Arc::new(Mutex::new(Queue { items, turn: 0 }));
    loop {
        let (done, mut steps) = mpsc::unbounded_channel();
        let (queue_of_worker, work) = (Arc::clone(&queue), work.clone());
        let turn = queue.lock().unwrap_or_else(PoisonError::into_inner).turn;
        tasks::spawn(async move {
            apart(move || take_turn(&queue_of_worker, turn, &work, &done)).await;
        });
        let why = loop {
            match step(&mut steps, &patience, &queue).await {
                Step::Done => left.pop_front(),
                Step::Undone(why) => break why,
            };
        };
        let Some(run) = left.pop_front() else { return };
        // Nobody may have taken it.
        queue.lock().unwrap_or_else(PoisonError::into_inner).items.retain(|(other, _)| *other != run);
        undone(run, why);
        if left.is_empty() {
            return;
        }
    }
}

/// Waits for the next item to be done. Where that takes too long the turn is over. There is no thread any more when all are done, too.
async fn step<T>(steps: &mut UnboundedReceiver<()>, patience: &Patience, queue: &Shared<T>) -> Step {
    match patience.wait_for(steps.recv()).await {
        Some(Some(())) => return Step::Done,
        Some(None) => return Step::Undone(Undone::NoThread),
        None => {}
    }
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    // What was done in the last moment was told before the next item was taken.
    if steps.try_recv().is_ok() {
        return Step::Done;
    }
    queue.turn += 1;
    Step::Undone(Undone::Late)
}

/// Works until nothing is left or the turn is over.
fn take_turn<T>(queue: &Shared<T>, turn: u64, work: &impl Fn(RunId, T), done: &UnboundedSender<()>) {
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.turn == turn { queue.items.pop_front() } else { None }
    };
    while let Some((run, item)) = next() {
        work(run, item);
        // Nobody counts any more when the turn is over.
        let _ = done.send(());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use tokio::sync::Semaphore;

    use super::*;

    #[test]
    fn one_that_hangs_holds_up_no_other() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let hangs = Arc::new(Barrier::new(2));
        let over = Arc::new(Semaphore::new(0));
        let (patience, tell_over) = (Patience::Told(over.clone()), over);
        let (done, list) = std::sync::mpsc::channel();
        let hang = Arc::clone(&hangs);
        let work = move |run: RunId, stuck: bool| {
            if stuck {
                tell_over.add_permits(1);
                hang.wait();
            }
            done.send(run.0).expect("a reader");
        };
        let overdue = Mutex::new(Vec::new());
        let items = [(1, false), (2, true), (3, false), (4, false)];
        let items = items.map(|(run, stuck)| (RunId(run), stuck)).into();
        let tell = |run: RunId, why| overdue.lock().expect("a list").push((run.0, why));
        runtime.block_on(one_by_one(items, patience, work, tell));
        assert_eq!(*overdue.lock().expect("a list"), [(2, Undone::Late)]);
        assert_eq!(list.try_iter().collect::<Vec<_>>(), [1, 3, 4]);
        hangs.wait();
        assert_eq!(list.iter().collect::<Vec<_>>(), [2], "it goes on when it can, and takes nobody's turn");
    }

    #[test]
    fn what_nobody_can_do_is_said_of_each_and_the_others_are_done() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (done, list) = std::sync::mpsc::channel();
        // A thread that fails is what a thread looks like that was never there.
        let work = move |run: RunId, fails: bool| {
            assert!(!fails, "as it shall");
            done.send(run.0).expect("a reader");
        };
        let undone = Mutex::new(Vec::new());
        let items = [(1, false), (2, true), (3, false), (4, true)];
        let items = items.map(|(run, fails)| (RunId(run), fails)).into();
        let tell = |run: RunId, why| undone.lock().expect("a list").push((run.0, why));
        runtime.block_on(one_by_one(items, Patience::For(Duration::from_secs(60)), work, tell));
        assert_eq!(*undone.lock().expect("a list"), [(2, Undone::NoThread), (4, Undone::NoThread)]);
        assert_eq!(list.iter().collect::<Vec<_>>(), [1, 3]);
    }
}
