//! Both command lines, side by side: what is accepted, what it means, and what is said of the rest.

use serde_json::{Value, json};
use upkeep_config::{
    CommandLine, CtlInvocation, Host, Invocation, Sources, ctl_invocation, invocation, load,
};

use crate::corpus::difference;
use crate::dice::every_case;
use crate::dump::dump;
use crate::reference::{corpus, environment, reference};

/// The message of a usage error.
fn message(text: &str) -> Value {
    let text = text.strip_prefix("Error: ").unwrap_or(text);
    let first = text.split("\nFor help, use ").next().unwrap_or_default();
    json!({ "error": first })
}

fn daemon(args: &[String]) -> Value {
    let line: CommandLine = match invocation("prog", args) {
        Ok(Invocation::Run(line)) => line,
        Ok(Invocation::Print(_)) => return json!({ "print": true }),
        Err(error) => return message(&error.to_string()),
    };
    dump(&Sources::read(&line, environment(&corpus())).and_then(|sources| load(&sources, &line, &Host)))
}

const DAEMON: &[&str] = &[
    "-c",
    "good/01-minimal.conf",
    "good/29-user-and-paths.conf",
    "-cgood/01-minimal.conf",
    "--configuration=good/16-numbers.conf",
    "-n",
    "-nt",
    "-k",
    "-s",
    "-v",
    "-h",
    "-?",
    "--help",
    "--ver",
    "--no",
    "--nod",
    "--noc",
    "-e",
    "-eblather",
    "--loglevel=x",
    "debug",
    "-l",
    "/tmp/x.log",
    "/no/such/x.log",
    "--logfile",
    "-l syslog",
    "-y",
    "1MB",
    "1XB",
    "-z",
    "3",
    "-j",
    "/tmp/x.pid",
    "-i",
    "name",
    "-q",
    "/tmp",
    "-d",
    "-u",
    "root",
    "nobody",
    "no-such-user",
    "0",
    "-m",
    "022",
    "9",
    "-a",
    "--minfds=12",
    "--minprocs",
    "--minp=5",
    "--profile_options=calls",
    "--profile",
    "-x",
    "--bogus",
    "--",
    "-",
    "word",
    "--strip_ansi",
    "--silent=1",
];

/// With CFG-097: an option that is taken and does nothing.
#[test]
fn the_daemons_command_line_is_the_same_cfg_400_to_409() {
    let mut reference = reference();
    // Paths on the command line are taken from where the process is; no other test depends on that.
    std::env::set_current_dir(corpus()).expect("the corpus is there");
    every_case(6, |dice| {
        let count = dice.below(6);
        let mut args: Vec<String> = (0..count).map(|_| dice.pick(DAEMON).to_owned()).collect();
        if dice.below(4) > 0 {
            args.splice(0..0, ["-c".to_owned(), "good/01-minimal.conf".to_owned()]);
        }
        let theirs = reference.ask(&json!({ "args": args }));
        // Without -c both search, each beside its own program.
        if theirs["error"].as_str().is_some_and(|text| text.starts_with("No config file found")) {
            return None;
        }
        difference(&daemon(&args), &theirs, "").map(|found| format!("{args:?}: {found}"))
    });
}

fn client(args: &[String]) -> Value {
    match ctl_invocation("prog", args, &environment(&corpus())) {
        Ok(CtlInvocation::Print(_)) => json!({ "print": true }),
        Err(error) => {
            let text = error.to_string();
            // Where and what to do is ours; it stands behind.
            message(text.split("\n  --> ").next().unwrap_or_default())
        }
        Ok(CtlInvocation::Run(options)) => json!({
            "serverurl": options.serverurl,
            "username": options.username,
            "password": options.password,
            "prompt": options.prompt,
            "history_file": options.history_file.map(|path| path.to_string_lossy().into_owned()),
            "interactive": options.interactive,
            "words": options.words,
        }),
    }
}

/// Without `-r`: the reference takes it and then uses the file's `history_file` all the same (CFG-134).
const CLIENT: &[&str] = &[
    "-c",
    "client/full.conf",
    "client/empty.conf",
    "client/plugin.conf",
    "client/percent.conf",
    "bad/empty.conf",
    "bad/bad-lines.conf",
    "bad/latin-1.conf",
    "good/31-plugins.conf",
    "nope.conf",
    ".",
    "-i",
    "--inter",
    "-s",
    "http://a:1",
    "unix:///tmp/s",
    "a",
    "a:b",
    "--serverurl=x://",
    "-u",
    "me",
    "-pword",
    "--pass",
    "-h",
    "--version",
    "-v",
    "status",
    "all",
    "-x",
    "--",
];

/// With CFG-075: `[include]` is not for the client, whatever it says.
#[test]
fn the_clients_command_line_is_the_same_ctl_001_to_004_cfg_130_to_135() {
    let mut reference = reference();
    every_case(7, |dice| {
        let count = dice.below(6);
        let mut args: Vec<String> = (0..count).map(|_| dice.pick(CLIENT).to_owned()).collect();
        if dice.below(4) > 0 {
            let file = CLIENT[1 + dice.below(9)];
            args.splice(0..0, ["-c".to_owned(), file.to_owned()]);
        }
        let theirs = reference.ask(&json!({ "ctl": args }));
        difference(&client(&args), &theirs, "").map(|found| format!("{args:?}: {found}"))
    });
}
