//! When a process is started again after it ended or failed to start: the options, and the waits they come to.
//!
//! At its defaults a policy changes nothing: ended processes start again at once, failed starts are tried again after one
//! second more each time, `startretries` limits them, and the end is FATAL.

use std::time::Duration;

use crate::time::Mono;

/// How a process is started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// `restart_delay`: the wait before the first restart. Default 0: none after an exit, Supervisor's after a failed start.
    #[doc(alias = "restart_delay")]
    pub delay: Duration,
    /// `restart_delay_max`: what the wait grows to. `None` is [`Self::delay`]: it does not grow.
    #[doc(alias = "restart_delay_max")]
    pub delay_max: Option<Duration>,
    /// `restart_backoff`, in thousandths: each wait is so many times the last one. Default 2000, at least 1000.
    #[doc(alias = "restart_backoff")]
    pub backoff_thousandths: u32,
    /// `restart_jitter`: each wait is by chance up to so many percent shorter. Default 0, at most 100.
    #[doc(alias = "restart_jitter")]
    pub jitter_percent: u8,
    /// `restart_limit`: restarts within the window before it is given up; `None` leaves that to `startretries`.
    #[doc(alias = "restart_limit")]
    pub limit: Option<u32>,
    /// `max_restarts_per_day`: restarts in 24 hours before it is given up, whatever else is said.
    #[doc(alias = "max_restarts_per_day")]
    pub per_day: Option<u32>,
    /// `restart_window`. Default one minute.
    #[doc(alias = "restart_window")]
    pub window: Duration,
    /// `restart_reset_after`: who ran so long begins again with the first wait. Default one minute.
    #[doc(alias = "restart_reset_after")]
    pub reset_after: Duration,
    /// `on_giveup`. Default [`OnGiveup::Fatal`].
    pub on_giveup: OnGiveup,
}

/// What becomes of a process that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnGiveup {
    /// It stays FATAL.
    Fatal,
    /// It is tried again, each time after so long, until it has run for `restart_reset_after`.
    RetryEvery(Duration),
    /// Everything is stopped and the daemon ends.
    Shutdown,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            delay_max: None,
            backoff_thousandths: 2000,
            jitter_percent: 0,
            limit: None,
            per_day: None,
            window: Duration::from_secs(60),
            reset_after: Duration::from_secs(60),
            on_giveup: OnGiveup::Fatal,
        }
    }
}

impl RestartPolicy {
    /// Whether it decides anything about a restart; else everything is as in Supervisor.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.delay.is_zero() || self.limit.is_some() || self.per_day.is_some()
    }

    /// How far back restarts matter.
    fn horizon(&self) -> Duration {
        let window = self.limit.map_or(Duration::ZERO, |_| self.window);
        self.per_day.map_or(window, |_| window.max(DAY))
    }

    /// The limit that the next restart would exceed: its option, its number, and the time in which it counts.
    pub(crate) fn exceeded(&self, restarts: &Restarts, now: Mono) -> Option<Exceeded> {
        let limits =
            [("restart_limit", self.limit, self.window), ("max_restarts_per_day", self.per_day, DAY)];
        let full =
            |limit: u32, window| restarts.within(window, now) >= usize::try_from(limit).unwrap_or(usize::MAX);
        limits.into_iter().find_map(|(key, limit, window)| {
            let restarts = limit.filter(|limit| full(*limit, window))?;
            Some(Exceeded { key, restarts, window })
        })
    }

    /// The longest wait.
    #[must_use]
    pub fn longest_delay(&self) -> Duration {
        self.delay_max.unwrap_or(self.delay).max(self.delay)
    }

    /// The wait after one of `last`, before chance has its say; zero begins the series.
    #[must_use]
    pub fn grown(&self, last: Duration) -> Duration {
        let grown = last.as_nanos().saturating_mul(u128::from(self.backoff_thousandths)) / 1000;
        let longest = self.longest_delay();
        Duration::from_nanos(u64::try_from(grown.min(longest.as_nanos())).unwrap_or(u64::MAX)).max(self.delay)
    }

    /// A wait with chance applied: any number makes it up to `restart_jitter` shorter.
    pub(crate) fn shortened(&self, wait: Duration, chance: u64) -> Duration {
        let most = wait.as_nanos() * u128::from(self.jitter_percent) / 100;
        let cut = most * u128::from(chance % PARTS) / u128::from(PARTS - 1);
        wait.saturating_sub(Duration::from_nanos(u64::try_from(cut).unwrap_or(u64::MAX)))
    }
}

/// The time in which `max_restarts_per_day` counts, ending now.
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// A limit of restarts that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) key: &'static str,
    pub(crate) restarts: u32,
    pub(crate) window: Duration,
}

/// How finely chance divides a wait.
const PARTS: u64 = 10_001;

/// A number that looks random and follows from these two alone: processes that failed together do not come back together.
pub(crate) fn chance(now: Mono, key: u64) -> u64 {
    // splitmix64, whose outputs differ in half of their bits even if the inputs differ in one.
    let mut mixed = now.0 ^ key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The restarts of a process that its policy looks back at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restarts {
    /// When each one within the window was decided, oldest first.
    pub times: Vec<Mono>,
    /// How many since it last ran for `restart_reset_after`.
    pub in_row: u32,
    /// The last wait, before chance had its say.
    pub delay: Duration,
    /// It was given up, and is tried again all the same.
    pub given_up: bool,
}

impl Restarts {
    /// How many restarts are in the window that ends now.
    #[must_use]
    pub fn within(&self, window: Duration, now: Mono) -> usize {
        self.times.iter().filter(|&&at| now.since(at) < window).count()
    }

    /// Notes one more restart and gives the wait before it.
    ///
    /// # Errors
    /// A limit is reached.
    pub(crate) fn next(
        &mut self,
        policy: &RestartPolicy,
        now: Mono,
        chance: u64,
    ) -> Result<Duration, Exceeded> {
        let horizon = policy.horizon();
        self.times.retain(|&at| now.since(at) < horizon);
        if let Some(exceeded) = policy.exceeded(self, now) {
            return Err(exceeded);
        }
        if !horizon.is_zero() {
            self.times.push(now);
        }
        self.in_row = self.in_row.saturating_add(1);
        self.delay = policy.grown(self.delay);
        Ok(policy.shortened(self.delay, chance))
    }

    /// It ran for long enough: the next wait is the first again. The window forgets by itself.
    pub(crate) fn calm_down(&mut self) {
        self.in_row = 0;
        self.delay = Duration::ZERO;
        if std::mem::take(&mut self.given_up) {
            self.times.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(change: impl FnOnce(&mut RestartPolicy)) -> RestartPolicy {
        let mut policy = RestartPolicy { delay: Duration::from_secs(1), ..RestartPolicy::default() };
        change(&mut policy);
        policy
    }

    fn series(policy: &RestartPolicy) -> Vec<u128> {
        let mut last = Duration::ZERO;
        let mut next = || {
            last = policy.grown(last);
            last.as_millis()
        };
        (0..5).map(|_| next()).collect()
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        assert_eq!(series(&policy(|_| {})), [1000; 5], "without restart_delay_max");
        let max = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(series(&policy(|policy| policy.delay_max = max(6))), [1000, 2000, 4000, 6000, 6000]);
        let slow = policy(|policy| (policy.delay_max, policy.backoff_thousandths) = (max(9), 1500));
        assert_eq!(series(&slow), [1000, 1500, 2250, 3375, 5062]);
        let huge = policy(|policy| policy.delay_max = Some(Duration::MAX));
        assert!(huge.grown(Duration::from_secs(u64::MAX)) > Duration::from_secs(1));
    }

    #[test]
    fn chance_shortens_by_no_more_than_the_jitter() {
        let policy = policy(|policy| policy.jitter_percent = 20);
        let wait = Duration::from_secs(10);
        let cut: Vec<Duration> = (0..1000).map(|run| policy.shortened(wait, chance(Mono(7), run))).collect();
        assert!(cut.iter().all(|cut| *cut >= Duration::from_secs(8) && *cut <= wait));
        assert!(cut.iter().min() < Some(&Duration::from_millis(8_100)), "{cut:?}");
        assert!(cut.iter().max() > Some(&Duration::from_millis(9_900)), "{cut:?}");
        assert_eq!(policy.shortened(wait, 0), wait);
    }

    #[test]
    fn the_window_forgets() {
        let policy = policy(|policy| policy.limit = Some(2));
        let mut restarts = Restarts::default();
        let at = |seconds: u64| Mono(seconds * 1_000_000_000);
        let mut next = |seconds| restarts.next(&policy, at(seconds), 0).is_ok();
        assert_eq!(
            [next(0), next(30), next(59), next(60), next(89), next(90)],
            [true, true, false, true, false, true]
        );
    }
}
