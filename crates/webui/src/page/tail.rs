//! The page with the end of a log (RPC-214, RPC-215).

use maud::{Markup, html};
use upkeep_api::{Channel, Fault, FaultCode, Handle, Reply, Request};

use super::document;
use crate::form::{Form, quote};
use crate::language::Language;
use crate::outcome::fault_text;
use crate::texts::{Texts, fill, texts};

/// Bytes that are shown at least, and if nothing else is asked for.
const LEAST: i64 = 1024;

/// Bytes that are shown at most: all of a page is made at once, and held in memory.
const MOST: i64 = 4 << 20;

/// Beyond this the page offers no more, and does not follow: it would fetch all of it again and again.
const MOST_OFFERED: i64 = 64 << 10;

/// How many times more "more" is.
const GROWTH: i64 = 8;

/// The end of one log, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    asked: Option<Asked>,
    answer: Result<Vec<u8>, Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    name: String,
    channel: Channel,
    limit: i64,
}

impl Asked {
    /// `channel=stderr` is ours; Supervisor's page shows the standard output only.
    fn of(form: &Form) -> Option<Self> {
        let channel = match form.get("channel") {
            Some("stderr") => Channel::Stderr,
            Some(_) | None => Channel::Stdout,
        };
        let name = form.get("processname")?.to_owned();
        Some(Self { name, channel, limit: limit(form.get("limit").unwrap_or_default()) })
    }

    fn address(&self, channel: Channel, limit: i64) -> String {
        let suffix = match channel {
            Channel::Stdout => "",
            Channel::Stderr => "&channel=stderr",
        };
        format!("tail.html?processname={}&limit={limit}{suffix}", quote(&self.name))
    }
}

/// A number of bytes between the least and the most; what is no number is the least.
fn limit(text: &str) -> i64 {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return LEAST;
    }
    text.parse().unwrap_or(MOST).clamp(LEAST, MOST)
}

impl Tail {
    /// Asks the daemon for what a form names.
    pub async fn ask(handle: &Handle, form: &Form) -> Self {
        let Some(asked) = Asked::of(form) else { return Self { asked: None, answer: Ok(Vec::new()) } };
        let Asked { name, channel, limit } = asked.clone();
        let request = Request::ReadProcessLog { name, channel, offset: -limit, length: 0 };
        let answer = match handle.call(request).await {
            Ok(Reply::Bytes(bytes)) => Ok(bytes),
            Ok(_) => Err(Fault::new(FaultCode::Failed)),
            Err(fault) => Err(fault),
        };
        Self { asked: Some(asked), answer }
    }

    fn text(&self, language: Language) -> String {
        let texts = texts(language);
        match (&self.asked, &self.answer) {
            (None, _) => texts.no_name.to_owned(),
            (Some(_), Ok(bytes)) => readable(bytes),
            (Some(asked), Err(fault)) if fault.code == FaultCode::NoFile => {
                fill(texts.no_file, &[&asked.name])
            }
            (Some(_), Err(fault)) => fill(texts.tail_error, &[&fault_text(language, fault)]),
        }
    }
}

/// The page at `/tail.html`.
#[must_use]
pub fn tail_page(language: Language, tail: &Tail) -> String {
    let texts = texts(language);
    let name = tail.asked.as_ref().map_or("", |asked| &asked.name);
    let title = fill(texts.tail_title, &[name]);
    let follows = tail.asked.as_ref().is_some_and(|asked| asked.limit <= MOST_OFFERED);
    let body = html! {
        header {
            a.back href="index.html" { (texts.back) }
            h1 { (title.trim_end()) }
        }
        main {
            @if let Some(asked) = &tail.asked { (links(texts, asked)) }
            p #offline .error hidden role="alert" { (texts.offline) }
            pre #tail data-empty=(texts.empty) { (tail.text(language)) }
        }
    };
    document(language, title.trim_end(), follows.then_some("scripts/tail.js"), &body)
}

fn links(texts: &Texts, asked: &Asked) -> Markup {
    let channel = |channel: Channel, label: &str| {
        let here = (channel == asked.channel).then_some("page");
        html! { a.button href=(asked.address(channel, asked.limit)) aria-current=[here] { (label) } }
    };
    let (follow, label) = match asked.channel {
        Channel::Stdout => (format!("logtail/{}", quote(&asked.name)), texts.tail_stdout),
        Channel::Stderr => (format!("logtail/{}/stderr", quote(&asked.name)), texts.tail_stderr),
    };
    html! {
        nav.buttons {
            a.button #refresh href=(asked.address(asked.channel, asked.limit)) { (texts.refresh) }
            (channel(Channel::Stdout, texts.stdout))
            (channel(Channel::Stderr, texts.stderr))
            @if asked.limit < MOST_OFFERED {
                a.button href=(asked.address(asked.channel, asked.limit * GROWTH)) { (texts.more) }
            }
            a.button href=(follow) target="_blank" rel="noopener" { (label) }
        }
    }
}

/// Output as a page can show it: colours and cursor movements of a terminal are left out, other control characters
/// and what is not UTF-8 become U+FFFD (D-03).
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' if rest.as_str().starts_with('[') => {
                // The sequence ends with its first letter, or with the text.
                let _ = rest.by_ref().skip(1).find(|c| ('@'..='~').contains(c));
            }
            '\n' | '\t' => shown.push(c),
            '\r' if rest.as_str().starts_with('\n') => {}
            c if c.is_control() => shown.push(char::REPLACEMENT_CHARACTER),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_rpc_214() {
        let rows = [("", LEAST), ("x", 1024), ("-5", 1024), ("7", 1024), ("3000", 3000), ("9999999", MOST)];
        for (text, bytes) in rows {
            assert_eq!(limit(text), bytes, "{text}");
        }
        assert_eq!(limit("99999999999999999999"), MOST);
    }

    #[test]
    fn output_is_made_readable() {
        let rows: [(&[u8], &str); 5] = [
            (b"plain\ttext\r\n", "plain\ttext\n"),
            (b"\x1b[1;31mred\x1b[0m", "red"),
            (b"cut \x1b[1;3", "cut "),
            (b"a\rb\0c\x1bd", "a\u{fffd}b\u{fffd}c\u{fffd}d"),
            (b"\xb8\xad\xe4\xb8\xad", "\u{fffd}\u{fffd}中"),
        ];
        for (bytes, shown) in rows {
            assert_eq!(readable(bytes), shown);
        }
    }
}
