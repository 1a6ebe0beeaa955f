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
use upkeep_core::{Input, ProcId, RunId};

use crate::prepare::Order;
use crate::shell::{Message, Shell};

/// How long finding a command and opening logs may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Shell {
    /// Prepares starts; each is told by [`Message::Prepared`].
    pub(crate) fn prepare(&mut self, starts: Vec<(RunId, Order)>) {
        let mut orders = VecDeque::with_capacity(starts.len());
        for (run, order) in starts {
            let process = self.core.process_of(run);
            if self.stuck.values().any(|&stuck| Some(stuck) == process) {
                self.start_overdue(run, process);
            } else {
                orders.push_back((run, order));
            }
        }
        if orders.is_empty() {
            return;
        }
        let (messages, overdue) = (self.messages.clone(), self.messages.clone());
        let work = move |run, order: Order| {
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Prepared { run, result: order.prepare().map(Box::new) });
        };
        tokio::spawn(one_by_one(orders, PATIENCE, work, move |run| {
            let _ = overdue.send(Message::Overdue { run });
        }));
    }

    /// A start could not be prepared in time.
    pub(crate) fn overdue(&mut self, run: RunId) {
        let process = self.core.process_of(run);
        self.stuck.extend(process.map(|process| (run, process)));
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

/// Does `work` with each item on a thread of its own; where one takes longer than `patience`, says `overdue` and leaves the
/// thread to it.
pub(crate) async fn one_by_one<T: Send + 'static>(
    items: VecDeque<(RunId, T)>,
    patience: Duration,
    work: impl Fn(RunId, T) + Clone + Send + 'static,
    overdue: impl Fn(RunId),
) {
    let mut left: VecDeque<RunId> = items.iter().map(|(run, _)| *run).collect();
    let queue = Arc::new(Mutex::new(Queue { items, turn: 0 }));
    loop {
        let (done, mut steps) = mpsc::unbounded_channel();
        let (queue_of_worker, work) = (Arc::clone(&queue), work.clone());
        let turn = queue.lock().unwrap_or_else(PoisonError::into_inner).turn;
        tokio::spawn(apart(move || take_turn(&queue_of_worker, turn, &work, &done)));
        while step(&mut steps, patience, &queue).await {
            left.pop_front();
        }
        match left.pop_front() {
            Some(run) => overdue(run),
            None => return,
        }
        if left.is_empty() {
            return;
        }
    }
}

/// Waits for the next item to be done. False when that takes too long, and the turn is over, or when all are done.
async fn step<T>(steps: &mut UnboundedReceiver<()>, patience: Duration, queue: &Shared<T>) -> bool {
    if let Ok(step) = tokio::time::timeout(patience, steps.recv()).await {
        return step.is_some();
    }
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    // What was done in the last moment was told before the next item was taken.
    if steps.try_recv().is_ok() {
        return true;
    }
    queue.turn += 1;
    false
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

    use super::*;

    #[test]
    fn one_that_hangs_holds_up_no_other() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let hangs = Arc::new(Barrier::new(2));
        let (done, list) = std::sync::mpsc::channel();
        let hang = Arc::clone(&hangs);
        let work = move |run: RunId, stuck: bool| {
            if stuck {
                hang.wait();
            }
            done.send(run.0).expect("a reader");
        };
        let overdue = Mutex::new(Vec::new());
        let items = [(1, false), (2, true), (3, false), (4, false)];
        let items = items.map(|(run, stuck)| (RunId(run), stuck)).into();
        let tell = |run: RunId| overdue.lock().expect("a list").push(run.0);
        runtime.block_on(one_by_one(items, Duration::from_millis(300), work, tell));
        assert_eq!(*overdue.lock().expect("a list"), [2]);
        assert_eq!(list.try_iter().collect::<Vec<_>>(), [1, 3, 4]);
        hangs.wait();
        assert_eq!(list.iter().collect::<Vec<_>>(), [2], "it goes on when it can, and takes nobody's turn");
    }
}
