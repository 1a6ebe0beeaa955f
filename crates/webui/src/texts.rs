//! Every word of the pages, in every language. The English messages are Supervisor's: scripts read them.

use upkeep_api::ProcessState;

use crate::language::Language;

macro_rules! table {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// The texts of one language; `{}` stands for what is filled in, in this order.
        #[derive(Debug)]
        pub(crate) struct Texts { $(pub(crate) $name: &'static str,)* }

        static ENGLISH: Texts = Texts { $($name: $english,)* };
        static CHINESE: Texts = Texts { $($name: $chinese,)* };

        #[cfg(test)]
        const ROWS: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $chinese),)*];
    };
}

table! {
    // Messages, RPC-209 … RPC-212, RPC-215.
    date: "%a %b %e %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S";
    refreshed: "Page refreshed at {}", "页面已于 {} 刷新";
    all_stopped: "All stopped at {}", "已于 {} 全部停止";
    all_restarted: "All restarted at {}", "已于 {} 全部重启";
    not_stopped: "ERROR: not stopped: {}", "错误：未能停止：{}";
    not_restarted: "ERROR: not restarted: {}", "错误：未能重启：{}";
    started: "Process {} started", "进程 {} 已启动";
    stopped_one: "Process {} stopped", "进程 {} 已停止";
    restarted: "Process {} restarted", "进程 {} 已重启";
    cleared: "Log for {} cleared", "进程 {} 的日志已清空";
    rolling_begun: "Rolling restart of {} has begun, one batch after another", "{} 的滚动重启已开始，逐批进行";
    nothing_rolls: "Nothing to restart: no process of {} runs", "没有需要重启的：{} 没有进程在运行";
    no_such_process: "No such process named {}", "没有名为 {} 的进程";
    start_error: "ERROR: Process {}: {}", "错误：进程 {}：{}";
    no_such_file: "no such file", "没有这个文件";
    not_executable: "file not executable", "文件不可执行";
    already_started: "already started", "已经启动";
    spawn_error: "spawn error", "启动失败";
    abnormal_termination: "abnormal termination", "异常终止";
    fault: "unexpected rpc fault [{}] {}", "意外的 RPC 错误 [{}] {}";
    failure: "{} ({})", "{}（{}）";
    comma: ", ", "、";
    and_more: "{} and {} more", "{}，另有 {} 个";
    no_name: "No process name found", "没有指定进程名";
    no_file: "No file for {}", "{} 没有日志文件";
    tail_error: "ERROR: {}", "错误：{}";
    // The status page, RPC-201 … RPC-204.
    status_title: "Supervisor Status", "Supervisor 状态";
    refresh: "Refresh", "刷新";
    restart_all: "Restart All", "全部重启";
    stop_all: "Stop All", "全部停止";
    rolling_restart: "Rolling restart", "滚动重启";
    confirm_rolling: "Restart the processes of {} bit by bit?", "确定要逐批重启 {} 的进程吗？";
    rolling_under_way: "rolling restart {}: {} of {}", "滚动重启 {}：{}/{}";
    rolling_failed: "rolling restart {} failed: {}", "滚动重启 {} 失败：{}";
    confirm_restart_all: "Restart all processes?", "确定要重启所有进程吗？";
    confirm_stop_all: "Stop all processes?", "确定要停止所有进程吗？";
    state: "State", "状态";
    description: "Description", "说明";
    name: "Name", "名称";
    action: "Action", "操作";
    start: "Start", "启动";
    restart: "Restart", "重启";
    stop: "Stop", "停止";
    clear_log: "Clear Log", "清空日志";
    tail_stdout: "Tail -f Stdout", "跟踪标准输出";
    tail_stderr: "Tail -f Stderr", "跟踪标准错误";
    no_programs: "No programs to manage", "没有需要管理的程序";
    filter: "Filter by name", "按名称筛选";
    offline: "No answer from the server. What is shown may be out of date.", "服务器没有响应，显示的内容可能已过时。";
    main_log: "Main log", "主日志";
    version: "Upkeep {}, works as Supervisor {}", "Upkeep {}，兼容 Supervisor {}";
    // States.
    stopped: "stopped", "已停止";
    starting: "starting", "启动中";
    running: "running", "运行中";
    backoff: "backoff", "等待重试";
    stopping: "stopping", "停止中";
    exited: "exited", "已退出";
    fatal: "fatal", "启动失败";
    unknown: "unknown", "未知";
    // Descriptions, as the daemon words them; what is not here is shown as it comes.
    uptime: "pid {}, uptime {}", "pid {}，已运行 {}";
    not_started: "Not started", "尚未启动";
    too_quickly: "Exited too quickly (process log may have details)", "退出过快（详情可能在进程日志中）";
    // The page of a log's end.
    tail_title: "Supervisor tail of process {}", "进程 {} 的日志";
    back: "All processes", "所有进程";
    stdout: "Stdout", "标准输出";
    stderr: "Stderr", "标准错误";
    more: "Show more", "显示更多";
    empty: "The log is empty.", "日志为空。";
    // Pages instead of what was asked for.
    refused_title: "Refused", "已拒绝";
    refused: "This request was sent by a page of another site, which may not control processes. Nothing was changed.",
        "该请求来自其他网站的页面，不允许它控制进程。没有做任何更改。";
    refused_hint: "If you want this, do it on the status page. Behind a proxy, let it pass on the Host header that \
        the browser sent, or tell it in X-Forwarded-Host.",
        "如需执行该操作，请在状态页面上进行。如果使用了反向代理，请让它转发浏览器发送的 Host 头，或通过 X-Forwarded-Host 告知。";
    unavailable_title: "Not available", "暂不可用";
    unavailable: "Supervisor is shutting down or restarting.", "Supervisor 正在关闭或重启。";
}

/// The texts of a language.
pub(crate) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    }
}

impl Language {
    /// How times are written in messages, for `strftime`.
    #[must_use]
    pub fn date_format(self) -> &'static str {
        texts(self).date
    }
}

/// A template with its gaps filled in; what is filled in is never taken for a gap.
pub(crate) fn fill(template: &str, values: &[&str]) -> String {
    let mut parts = template.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (part, value) in parts.zip(values) {
        text.push_str(value);
        text.push_str(part);
    }
    text
}

/// Whether a message tells of a failure: it begins as one of ours that does, in any language. A message comes back
/// in an address and brings nothing but its text.
pub(crate) fn is_failure(message: &str) -> bool {
    let failures = |texts: &'static Texts| {
        [texts.start_error, texts.not_stopped, texts.not_restarted, texts.fault, texts.no_such_process]
    };
    let begins = |template: &str| message.starts_with(template.split('{').next().unwrap_or_default());
    [&ENGLISH, &CHINESE].into_iter().flat_map(failures).any(begins)
}

/// The word for a state.
pub(crate) fn state_word(language: Language, state: ProcessState) -> &'static str {
    let texts = texts(language);
    match state {
        ProcessState::Stopped => texts.stopped,
        ProcessState::Starting => texts.starting,
        ProcessState::Running => texts.running,
        ProcessState::Backoff => texts.backoff,
        ProcessState::Stopping => texts.stopping,
        ProcessState::Exited => texts.exited,
        ProcessState::Fatal => texts.fatal,
        ProcessState::Unknown => texts.unknown,
    }
}

/// A description in the reader's words, if they are known.
pub(crate) fn description(language: Language, text: &str) -> String {
    let (english, own) = (&ENGLISH, texts(language));
    let uptime = text.strip_prefix("pid ").and_then(|rest| rest.split_once(", uptime "));
    if let Some((pid, uptime)) = uptime {
        fill(own.uptime, &[pid, uptime])
    } else if text == english.not_started {
        own.not_started.to_owned()
    } else if text == english.too_quickly {
        own.too_quickly.to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_the_same_gaps() {
        for (name, english, chinese) in ROWS {
            let gaps = |text: &str| text.matches("{}").count();
            assert_eq!(gaps(english), gaps(chinese), "{name}");
            assert!(!english.is_empty() && !chinese.is_empty(), "{name}");
        }
    }

    #[test]
    fn failures_are_recognised() {
        for good in ["", "Process ERROR: started", "Page refreshed at NOW", "进程 a 已启动", "anything"]
        {
            assert!(!is_failure(good), "{good}");
        }
        let failed = ["ERROR: Process a: spawn error", "unexpected rpc fault [70] NOT_RUNNING: a"];
        let named = ["ERROR: not restarted: a (spawn error)", "No such process named a", "没有名为 a 的进程"];
        for bad in failed.iter().chain(&named) {
            assert!(is_failure(bad), "{bad}");
        }
    }

    #[test]
    fn fills_gaps_in_order() {
        assert_eq!(fill("a {} b {}", &["{}", "2"]), "a {} b 2");
    }

    #[test]
    fn descriptions_in_the_readers_words() {
        let rows = [
            ("pid 7, uptime 0:01:02", "pid 7，已运行 0:01:02"),
            ("Not started", "尚未启动"),
            ("Exited too quickly (process log may have details)", "退出过快（详情可能在进程日志中）"),
            ("Nov 21 02:49 AM", "Nov 21 02:49 AM"),
        ];
        for (text, chinese) in rows {
            assert_eq!(description(Language::English, text), text);
            assert_eq!(description(Language::Chinese, text), chinese);
        }
    }
}
