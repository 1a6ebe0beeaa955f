//! How long somebody waits for what a disk may hold up for ever.

use std::time::Duration;

/// How long.
#[derive(Clone, Debug)]
pub(crate) enum Patience {
    /// So long.
    For(Duration),
    /// In tests: until somebody says that it is over, once for each.
    #[cfg(test)]
    Told(std::sync::Arc<tokio::sync::Semaphore>),
}

impl Patience {
    /// What comes of `work`; `None` if that takes too long.
    pub(crate) async fn wait_for<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.is_over() => None,
        }
    }

    async fn is_over(&self) {
        match self {
            Self::For(time) => tokio::time::sleep(*time).await,
            #[cfg(test)]
            Self::Told(times) => times.acquire().await.expect("a time").forget(),
        }
    }
}
