//! Work that may wait for a disk, for ever if it hangs.

use std::thread;

use tokio::sync::oneshot;

/// Does `job` on a thread of its own and waits for it; `None` if it panicked or there is no thread to be had.
///
/// Not on one of the runtime's: they are few, and a dead disk would hold up everybody who needs one. Who stops waiting
/// leaves the thread to the disk.
pub async fn apart<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = oneshot::channel();
    let run = move || {
        // Nobody may wait any more.
        let _ = done.send(job());
    };
    start(Box::new(run))?;
    result.await.ok()
}

/// The code that makes a thread is in the executable once for each type of what it is given: of a box there is one.
fn start(run: Box<dyn FnOnce() + Send>) -> Option<()> {
    thread::Builder::new().name("apart".to_owned()).spawn(run).ok().map(drop)
}
