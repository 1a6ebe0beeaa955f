//! Tasks and threads of the runtime. What they do is in a box: the runtime's code for a task, some 4 kB, is in the executable
//! once for each type of what it is given, and the daemon starts tasks in some fifty places.

use std::pin::Pin;

use tokio::task::JoinHandle;

/// Begins a task.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work);
    tokio::spawn(work)
}

/// Does something on a thread of the runtime's that may wait for a while, but not for ever: they are few.
pub(crate) fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let work: Box<dyn FnOnce() -> T + Send> = Box::new(work);
    tokio::task::spawn_blocking(work)
}
