//! Event listeners: what they are sent and what becomes of what they say, side by side with the original; and what
//! the listeners that people run with the original do under ours.

mod durable;
mod health;
mod pools;
mod recovery;
mod restarts;
mod scenes;
mod speech;
mod superlance;

/// A listener that records every event, a JSON object a line, and answers as its arguments tell.
///
/// `record FILE [ANSWER…]`: the n-th event gets the n-th answer, further ones `OK`. `die` ends without an answer;
/// `hold NAME` waits until the file NAME exists. SIGTERM is ignored, so that the last events are seen too.
const LISTENER: &str = r#"
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
record, answers = sys.argv[1], sys.argv[2:]
source = os.fdopen(0, "rb", 0)
def line():
    text = b""
    while not text.endswith(b"\n"):
        byte = source.read(1)
        if not byte:
            sys.exit()
        text += byte
    return text.decode()
def characters(count):
    """`len` counts characters: read until there are so many."""
    text = b""
    while True:
        try:
            if len(text.decode()) == count:
                return text.decode()
        except UnicodeDecodeError:
            pass
        text += source.read(1)
def say(text):
    os.write(1, text.encode())
while True:
    say("READY\n")
    head = line()
    fields = dict(word.split(":", 1) for word in head.split())
    data = characters(int(fields["len"]))
    with open(record, "a") as file:
        file.write(json.dumps({"head": head.rstrip("\n"), "data": data}, ensure_ascii=False) + "\n")
    answer = answers.pop(0) if answers else "OK"
    if answer == "die":
        sys.exit(1)
    if answer.startswith("hold "):
        while not os.path.exists(answer[5:]):
            time.sleep(0.02)
        answer = "OK"
    say("RESULT %d\n%s" % (len(answer), answer))
"#;

/// The section of a recording listener whose script is `listen.py` and whose record is `NAME.events`.
fn section(name: &str, more: &str) -> String {
    section_answering(name, "", more)
}

fn section_answering(name: &str, answers: &str, more: &str) -> String {
    format!(
        "[eventlistener:{name}]\ncommand=python3 %(here)s/listen.py %(here)s/{name}.events {answers}\n\
         stopwaitsecs=1\nstartsecs=0\nstderr_logfile=%(here)s/{name}.err\n{more}\n"
    )
}

/// One recorded event.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Recorded {
    /// The header without `serial:`, `poolserial:` and `len:`, which are looked at apart.
    head: String,
    serial: i64,
    pool_serial: i64,
    data: String,
}

impl Recorded {
    fn name(&self) -> &str {
        self.head.rsplit("eventname:").next().unwrap_or_default()
    }
}

/// What a listener has recorded so far.
fn recorded(home: &crate::rig::home::Home, name: &str) -> Vec<Recorded> {
    let text = home.read(&format!("{name}.events"));
    // A line that is being written is not there yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(parse).collect()
}

fn parse(line: &str) -> Recorded {
    let value: serde_json::Value = serde_json::from_str(line).expect("a recorded event");
    let full = value["head"].as_str().expect("a header");
    let words = full.split(' ');
    let number = |key: &str| {
        let field = full.split(' ').find_map(|word| word.strip_prefix(key));
        field.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {key} in {full}"))
    };
    let counted = ["serial:", "poolserial:", "len:"];
    let head: Vec<&str> = words.filter(|word| !counted.iter().any(|key| word.starts_with(key))).collect();
    Recorded {
        head: head.join(" "),
        serial: number("serial:"),
        pool_serial: number("poolserial:"),
        data: value["data"].as_str().expect("data").to_owned(),
    }
}
