//! Wakes the daemon when a second of the wall clock comes, and when the clock is set.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that can be waited for.
///
/// # Errors
/// The runtime cannot watch it.
#[expect(
    deprecated,
    reason = "sound for an OwnedFd, which stays open and the same as long as it is registered"
)]
pub(crate) fn watched(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}

/// Why an alarm rang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rang {
    /// Its second has come.
    Due,
    /// The clock was set.
    ClockSet,
}

/// An alarm on the wall clock. Costs nothing until it is first set.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    timer: Option<AsyncFd<OwnedFd>>,
    set: bool,
}

impl Alarm {
    /// Rings at this second, or never. Says whether the clock was set since that was last looked at: it does not ring for that any
    /// more.
    ///
    /// # Errors
    /// The system has no timer for us.
    pub(crate) fn set(&mut self, second: Option<i64>) -> io::Result<bool> {
        self.set = second.is_some();
        let Some(second) = second else { return Ok(false) };
        let timer = match self.timer.take() {
            Some(timer) => timer,
            None => {
                let fd =
                    timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
                watched(fd, Interest::READABLE)?
            }
        };
        // A clock that is set cancels the timer, which ends the wait too (timerfd_create(2)).
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let at = Timespec { tv_sec: second, tv_nsec: 0 };
        let set = timerfd_settime(&timer, flags, &Itimerspec { it_interval: never, it_value: at });
        self.timer = Some(timer);
        match set {
            Ok(_) => Ok(false),
            // The timer is set all the same.
            Err(Errno::CANCELED) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it will ring.
    pub(crate) fn is_set(&self) -> bool {
        self.set
    }

    /// Waits until it rings, or the clock is set. Set it again afterwards.
    pub(crate) async fn rings(&self) -> Rang {
        let Some(timer) = &self.timer else { return std::future::pending().await };
        loop {
            let Ok(mut ready) = timer.readable().await else { return std::future::pending().await };
            let mut expirations = [0; 8];
            match rustix::io::read(ready.get_inner(), &mut expirations) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                Ok(_) => return Rang::Due,
                Err(_) => return Rang::ClockSet,
            }
        }
    }
}
