//! The page with the end of a log.

use upkeep_api::{Channel, FaultCode, Reply, Request};
use upkeep_webui::{Form, Language, Tail, tail_page};

use crate::daemon::{Answers, fault, with};

fn page(query: &str, answers: Answers) -> (String, Vec<Request>) {
    let form = Form::read(query, b"");
    let (tail, asked) = with(answers, async |handle| Tail::ask(&handle, &form).await);
    (tail_page(Language::English, &tail), asked)
}

fn hello(_: &Request) -> Result<Reply, upkeep_api::Fault> {
    Ok(Reply::Bytes(b"<b>hello</b> \x1b[31mred\n".to_vec()))
}

#[test]
fn the_end_of_a_log_rpc_214() {
    let (page, asked) = page("processname=g%3Aa&limit=3000", hello);
    let request =
        |channel| Request::ReadProcessLog { name: "g:a".to_owned(), channel, offset: -3000, length: 0 };
    assert_eq!(asked, [request(Channel::Stdout)]);
    assert!(page.contains("<title>Supervisor tail of process g:a</title>"), "{page}");
    assert!(page.contains(">&lt;b&gt;hello&lt;/b&gt; red\n</pre>"), "{page}");
    assert!(page.contains("id=\"refresh\" href=\"tail.html?processname=g%3Aa&amp;limit=3000\""), "{page}");
    let (page, asked) = self::page("processname=g%3Aa&limit=3000&channel=stderr", hello);
    assert_eq!(asked, [request(Channel::Stderr)]);
    assert!(page.contains("limit=3000&amp;channel=stderr\""), "{page}");
}

/// A page that would fetch a lot again and again does not follow.
#[test]
fn large_tails_are_not_followed_rpc_214() {
    assert!(page("processname=a&limit=65536", hello).0.contains("scripts/tail.js"));
    let (large, _) = page("processname=a&limit=65537", hello);
    assert!(!large.contains("<script") && !large.contains("Show more"), "{large}");
}

#[test]
fn why_there_is_none_rpc_215() {
    let no_file: Answers = |_| fault(FaultCode::NoFile, "a");
    let bad_name: Answers = |_| fault(FaultCode::BadName, "<b>");
    let rows: [(&str, Answers, &str); 4] = [
        ("", hello, "No process name found"),
        ("processname=", hello, "No process name found"),
        ("processname=<a>", no_file, "No file for &lt;a&gt;"),
        ("processname=a", bad_name, "ERROR: unexpected rpc fault [10] BAD_NAME: &lt;b&gt;"),
    ];
    for (query, answers, text) in rows {
        let (page, _) = page(query, answers);
        assert!(page.contains(&format!(">{text}</pre>")), "{query}: {page}");
    }
}
