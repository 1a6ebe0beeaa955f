//! The rows of the table, in order.

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Time, memory, CPU.
    Less,
    /// Throughput.
    More,
}

/// What Upkeep means to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// A figure, whatever the machine.
    Absolute(f64),
    /// So many times the limit of the same run.
    TimesLimit(f64),
    /// So much more than the limit of the same run.
    AboveLimit(f64),
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// Its name in the samples and in JSON.
    pub id: &'static str,
    /// What a reader sees.
    pub title: &'static str,
    /// The same in Chinese.
    pub chinese: &'static str,
    /// The unit of its samples.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// Which sample stands for all: 0.5 is the median.
    pub quantile: f64,
    /// Targets by size; [`ANY`] is every size.
    pub targets: &'static [(usize, Target)],
}

use Better::{Less, More};
use Target::{AboveLimit, Absolute, TimesLimit};

const fn row(
    id: &'static str,
    title: &'static str,
    chinese: &'static str,
    unit: &'static str,
    better: Better,
    targets: &'static [(usize, Target)],
) -> Row {
    Row { id, title, chinese, unit, better, quantile: 0.5, targets }
}

const fn p99(
    id: &'static str,
    title: &'static str,
    chinese: &'static str,
    unit: &'static str,
    targets: &'static [(usize, Target)],
) -> Row {
    Row { id, title, chinese, unit, better: Less, quantile: 0.99, targets }
}

/// Stands for every size.
pub const ANY: usize = usize::MAX;

/// Every row.
pub const ROWS: &[Row] = &[
    row(
        "start",
        "start, all N alive",
        "启动，N 个全部存活",
        "ms",
        Less,
        &[(19, Absolute(30.0)), (200, Absolute(120.0)), (1000, Absolute(600.0)), (3000, Absolute(2_000.0))],
    ),
    row(
        "running",
        "all RUNNING reported, after all alive + startsecs",
        "全部报告 RUNNING（全部存活并过 startsecs 之后）",
        "ms",
        Less,
        &[(ANY, Absolute(20.0))],
    ),
    row(
        "pss",
        "PSS",
        "PSS 内存",
        "MiB",
        Less,
        &[(0, Absolute(3.5)), (200, Absolute(4.5)), (1000, Absolute(7.0)), (3000, Absolute(13.0))],
    ),
    row(
        "growth",
        "PSS growth over the restarts below",
        "下列重启之后 PSS 的增长",
        "KiB",
        Less,
        &[(ANY, Absolute(64.0))],
    ),
    row("restart-cpu", "CPU per restart", "每次重启的 CPU", "ms", Less, &[(ANY, Absolute(0.3))]),
    row("idle-cpu", "idle CPU", "空闲时的 CPU", "ms/s", Less, &[(ANY, Absolute(0.01))]),
    row("idle-wakeups", "idle wake-ups", "空闲时的唤醒", "/s", Less, &[(ANY, Absolute(0.2))]),
    row("death", "restart after kill -9, p50", "kill -9 之后重启，p50", "ms", Less, &[(19, Absolute(1.5))]),
    p99("death-p99", "restart after kill -9, p99", "kill -9 之后重启，p99", "ms", &[(19, AboveLimit(1.0))]),
    row(
        "storm",
        "storm: 200 (or all) killed at once, all back",
        "风暴：同时杀死 200 个（不足则全部），全部恢复",
        "ms",
        Less,
        &[(ANY, TimesLimit(1.3))],
    ),
    row(
        "log",
        "log capture, N writers of 100-byte lines",
        "日志采集，N 个进程写 100 字节的行",
        "MB/s",
        More,
        &[(1, Absolute(1_100.0)), (8, Absolute(1_250.0))],
    ),
    row("log-cpu", "log capture, CPU", "日志采集，CPU", "s/GiB", Less, &[(ANY, Absolute(0.8))]),
    row(
        "log-lost",
        "log capture, bytes lost or out of place",
        "日志采集，丢失或错位的字节",
        "bytes",
        Less,
        &[(ANY, Absolute(0.0))],
    ),
    row(
        "info",
        "getAllProcessInfo, p50",
        "getAllProcessInfo，p50",
        "ms",
        Less,
        &[(19, Absolute(0.06)), (200, Absolute(0.5)), (1000, Absolute(2.0)), (3000, Absolute(7.0))],
    ),
    row(
        "clients",
        "getAllProcessInfo, 50 clients at once",
        "getAllProcessInfo，50 个客户端同时",
        "req/s",
        More,
        &[(19, Absolute(15_000.0)), (1000, Absolute(500.0))],
    ),
    row(
        "status",
        "`supervisorctl status`",
        "`supervisorctl status`",
        "ms",
        Less,
        &[(19, Absolute(3.0)), (200, Absolute(4.0)), (1000, Absolute(10.0))],
    ),
    row(
        "shutdown",
        "shutdown, none left behind",
        "关闭，无一残留",
        "ms",
        Less,
        &[(19, Absolute(10.0)), (200, Absolute(40.0)), (1000, Absolute(120.0)), (3000, Absolute(500.0))],
    ),
    row("first", "start to first answer", "启动到第一次应答", "ms", Less, &[(0, Absolute(10.0))]),
    row(
        "recovery",
        "kill -9 of the daemon to first answer",
        "kill -9 守护进程到第一次应答",
        "ms",
        Less,
        &[(19, Absolute(10.0)), (1000, Absolute(50.0))],
    ),
    p99(
        "groups",
        "getState, p99, while all are stopped and started",
        "全部停止再启动期间 getState，p99",
        "ms",
        &[(ANY, Absolute(50.0))],
    ),
];

impl Row {
    /// What is meant to be reached at a size, given the limit's figure there.
    #[must_use]
    pub fn target(&self, size: usize, limit: Option<f64>) -> Option<f64> {
        let (_, target) = self.targets.iter().find(|(of, _)| *of == size || *of == ANY)?;
        match target {
            Absolute(value) => Some(*value),
            TimesLimit(times) => limit.map(|limit| limit * times),
            AboveLimit(more) => limit.map(|limit| limit + more),
        }
    }

    /// Whether a figure reaches a target.
    #[must_use]
    pub fn holds(&self, value: f64, target: f64) -> bool {
        match self.better {
            Less => value <= target,
            More => value >= target,
        }
    }
}
