//! Memory that much work took is given back once it is quiet.

use std::time::Duration;

/// Facts and calls after which it is worth looking: a start of many processes, a crowd of clients, a day of restarts.
const MUCH: u32 = 64;
/// How long nothing must have happened since.
const QUIET: Duration = Duration::from_millis(500);

/// How much was done since memory was last given back.
#[derive(Debug)]
pub(crate) struct Thrift(u32);

impl Default for Thrift {
    /// To come up is much.
    fn default() -> Self {
        Self(MUCH)
    }
}

impl Thrift {
    /// Something was done.
    pub(crate) fn worked(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    /// Whether there may be something to give back.
    pub(crate) fn is_due(&self) -> bool {
        self.0 >= MUCH
    }

    /// Done when it has been quiet for long enough.
    pub(crate) async fn quiet(&self) {
        tokio::time::sleep(QUIET).await;
    }

    /// Gives back what is not needed. Code that is needed again comes back for some 0.1 ms in all.
    pub(crate) fn give_back(&mut self) {
        self.0 = 0;
        upkeep_os::trim_heap();
        upkeep_os::let_go_of_code();
    }
}
