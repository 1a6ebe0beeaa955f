//! The status page (RPC-200 … RPC-205).

use maud::{Markup, html};
use upkeep_api::{ProcessInfo, ProcessState, SUPERVISOR_VERSION};

use super::document;
use crate::action::Step;
use crate::form::quote;
use crate::language::Language;
use crate::status::{Status, name_of};
use crate::texts::{Texts, description, fill, is_failure, state_word, texts};

/// The page at `/`; `message` is what an action before it had to say.
#[must_use]
pub fn status_page(language: Language, status: &Status, message: Option<&str>) -> String {
    let texts = texts(language);
    let body = html! {
        (header(texts, status))
        main {
            (message_area(message))
            p #offline .error hidden role="alert" { (texts.offline) }
            (tools(language, status))
            form #processes action="index.html" method="post" {
                div.buttons {
                    a.button href="index.html?action=refresh" { (texts.refresh) }
                    (for_all("restartall", texts.restart_all, texts.confirm_restart_all))
                    (for_all("stopall", texts.stop_all, texts.confirm_stop_all))
                }
                (rolling(texts, status))
                (table(language, status))
            }
        }
        (footer(texts))
    };
    document(language, texts.status_title, Some("scripts/status.js"), &body)
}

fn header(texts: &Texts, status: &Status) -> Markup {
    html! {
        header {
            img src="images/icon.svg" alt="" width="32" height="32";
            h1 { (texts.status_title) }
            p.identifier { (status.identifier) }
        }
    }
}

/// The place is there without a message too: a screen reader tells what appears in it.
fn message_area(message: Option<&str>) -> Markup {
    let text = message.unwrap_or_default();
    html! {
        p #message .status_msg .error[is_failure(text)] role="status" hidden[message.is_none()] { (text) }
    }
}

/// Outside of the form, so that the return key in the field cannot press one of its buttons.
fn tools(language: Language, status: &Status) -> Markup {
    let label = texts(language).filter;
    html! {
        div.tools {
            p #summary { (status.summary(language)) }
            input #filter type="search" placeholder=(label) aria-label=(label) autocomplete="off" hidden;
        }
    }
}

fn for_all(action: &str, label: &str, question: &str) -> Markup {
    let address = format!("index.html?action={action}");
    html! { button type="submit" formaction=(address) data-confirm=(question) { (label) } }
}

/// Folded up, and not there where every group has but one process.
fn rolling(texts: &Texts, status: &Status) -> Markup {
    let groups = status.several();
    if groups.is_empty() {
        return html! {};
    }
    html! {
        details.rolling {
            summary { (texts.rolling_restart) }
            div.buttons {
                @for group in groups { (button_of_group(texts, group)) }
            }
        }
    }
}

fn button_of_group(texts: &Texts, group: &str) -> Markup {
    let name = format!("{group}:*");
    let address = format!("index.html?processname={}&action=rolling", quote(&name));
    let question = fill(texts.confirm_rolling, &[&name]);
    html! { button type="submit" formaction=(address) data-confirm=(question) { (name) } }
}

fn table(language: Language, status: &Status) -> Markup {
    let texts = texts(language);
    if status.processes.is_empty() {
        return html! { p.empty { (texts.no_programs) } };
    }
    html! {
        table {
            thead {
                tr {
                    th.state scope="col" { (texts.state) }
                    th.desc scope="col" { (texts.description) }
                    th.name scope="col" { (texts.name) }
                    th.action scope="col" { (texts.action) }
                }
            }
            tbody {
                @for process in &status.processes { (row(language, process)) }
            }
        }
    }
}

fn row(language: Language, process: &ProcessInfo) -> Markup {
    let name = name_of(process);
    let quoted = quote(&name);
    html! {
        tr data-name=(name) data-state=(process.state.name()) {
            td.state { span class=(state_class(process.state)) { (state_word(language, process.state)) } }
            td.desc { (description(language, &process.description)) }
            td.name { a href={ "tail.html?processname=" (quoted) } { (name) } }
            td.action { (actions(texts(language), process.state, &quoted)) }
        }
    }
}

fn state_class(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Running => "statusrunning",
        ProcessState::Fatal | ProcessState::Backoff => "statuserror",
        ProcessState::Stopped
        | ProcessState::Starting
        | ProcessState::Stopping
        | ProcessState::Exited
        | ProcessState::Unknown => "statusnominal",
    }
}

/// What can be done to a process in this state (RPC-203).
fn steps(state: ProcessState) -> &'static [Step] {
    match state {
        ProcessState::Running => &[Step::Restart, Step::Stop, Step::ClearLog],
        ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal => &[Step::Start, Step::ClearLog],
        ProcessState::Starting | ProcessState::Backoff | ProcessState::Stopping | ProcessState::Unknown => {
            &[Step::ClearLog]
        }
    }
}

/// Buttons for what changes something, links for what only looks.
fn actions(texts: &Texts, state: ProcessState, quoted: &str) -> Markup {
    html! {
        ul {
            @for step in steps(state) { li { (button(texts, *step, quoted)) } }
            li { a href={ "logtail/" (quoted) } target="_blank" rel="noopener" { (texts.tail_stdout) } }
            li { a href={ "logtail/" (quoted) "/stderr" } target="_blank" rel="noopener" { (texts.tail_stderr) } }
        }
    }
}

fn button(texts: &Texts, step: Step, quoted: &str) -> Markup {
    let label = match step {
        Step::Start => texts.start,
        Step::Stop => texts.stop,
        Step::Restart => texts.restart,
        Step::ClearLog => texts.clear_log,
    };
    let address = format!("index.html?processname={quoted}&action={}", step.name());
    html! { button type="submit" class=(step.name()) formaction=(address) { (label) } }
}

fn footer(texts: &Texts) -> Markup {
    let version = fill(texts.version, &[env!("CARGO_PKG_VERSION"), SUPERVISOR_VERSION]);
    html! {
        footer {
            span { (version) }
            a href="mainlogtail" target="_blank" rel="noopener" { (texts.main_log) }
        }
    }
}
