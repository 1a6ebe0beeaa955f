//! A thread that writes things down, one order after the other, so that a slow disk holds up nobody else.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

/// The handle; the thread ends with it.
#[derive(Debug)]
pub(crate) struct Clerk<T> {
    orders: Sender<T>,
    ended: Receiver<()>,
}

impl<T: Send + 'static> Clerk<T> {
    /// A thread of this name that takes orders until there can be no more.
    ///
    /// # Errors
    /// No thread could be had.
    pub(crate) fn start(name: &str, work: impl FnOnce(&Receiver<T>) + Send + 'static) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            work(&inbox);
            // Nobody waits when the handle is gone.
            let _ = end.send(());
        })?;
        Ok(Self { orders, ended })
    }

    /// Gives an order.
    pub(crate) fn order(&self, order: T) {
        // Fails only if the thread is gone, which nothing but the end of the process brings about.
        let _ = self.orders.send(order);
    }

    /// Waits until all that was ordered is done, unless the disk hangs. Whether it is.
    pub(crate) fn finish(self, limit: Duration) -> bool {
        drop(self.orders);
        self.ended.recv_timeout(limit).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_was_ordered_is_done_and_a_disk_that_hangs_is_left() {
        let (done, results) = mpsc::channel();
        let clerk = Clerk::start("test", move |inbox| {
            inbox.iter().for_each(|order: u32| done.send(order).expect("heard"));
        });
        let clerk = clerk.expect("a thread");
        (0..100).for_each(|order| clerk.order(order));
        assert!(clerk.finish(Duration::from_secs(30)));
        assert_eq!(results.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        let (release, hangs) = mpsc::channel::<()>();
        let clerk = Clerk::<()>::start("test", move |_| assert!(hangs.recv().is_err())).expect("a thread");
        assert!(!clerk.finish(Duration::from_millis(1)));
        drop(release);
    }
}
