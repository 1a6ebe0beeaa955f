//! Ctrl-C as something to wait for, where it ends what is being shown and not the program (CTL-074, CTL-144).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use upkeep_os::SignalFd;

const SIGINT: i32 = 2;

/// Ctrl-C made readable. From here on it no longer ends this process by itself.
pub(crate) struct Interrupts {
    signals: SignalFd,
    /// The same as `signals`, for those who only wait.
    shared: Arc<OwnedFd>,
}

impl Interrupts {
    pub(crate) fn new() -> io::Result<Self> {
        let signals = SignalFd::new(&[SIGINT])?;
        let shared = Arc::new(signals.as_fd().try_clone_to_owned()?);
        Ok(Self { signals, shared })
    }

    /// Readable while an interrupt is there that nobody took.
    pub(crate) fn descriptor(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.shared)
    }

    /// Forgets the interrupts that have come.
    pub(crate) fn clear(&mut self) {
        while let Ok(Some(_)) = self.signals.take() {}
    }
}

impl AsFd for Interrupts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.as_fd()
    }
}
