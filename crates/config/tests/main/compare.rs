//! Which options differ between two readings, and where they stand.

use upkeep_config::options::Effect;
use upkeep_config::{CommandLine, Comparison, Environment, Sources};

/// What differs for a section between two texts, as `SECTION OPTION FILE:LINE`; `.env` files may change as well.
fn causes(name: &str, old: &str, new: &str, files: &[(&str, &str, &str)], section: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let write = |at: &std::path::Path, text: &str| std::fs::write(at, text).expect("written");
    let configuration = Some(path.to_string_lossy().into_owned());
    let cli = CommandLine { configuration, ..CommandLine::default() };
    write(&path, old);
    files.iter().for_each(|(name, old, _)| write(&folder.path().join(name), old));
    let before = Sources::read(&cli, Environment::of_this_process()).expect("sources");
    write(&path, new);
    files.iter().for_each(|(name, _, new)| write(&folder.path().join(name), new));
    let after = before.reread().expect("read again");
    let comparison = Comparison::new(&before, &after);
    let here = format!("{}/", folder.path().display());
    let text = |cause: upkeep_config::Cause| {
        let file = cause.file.replace(&here, "");
        format!("{} {} {file}:{}", cause.section, cause.option, cause.line)
    };
    comparison.causes(section).into_iter().map(text).collect()
}

fn ini(old: &str, new: &str) -> Vec<String> {
    let head = "[supervisord]\n";
    causes("x.conf", &format!("{head}{old}"), &format!("{head}{new}"), &[], "program:a")
}

const A: &str = "[program:a]\ncommand=a\n";

#[test]
fn what_is_written_otherwise_is_named_with_its_line() {
    for (old, new, expected) in [
        (A.to_owned(), A.to_owned(), vec![]),
        (A.to_owned(), format!("; moved\n\n{A}"), vec![]),
        (A.to_owned(), "[program:a]\ncommand=b\n".to_owned(), vec!["program:a command x.conf:3"]),
        (A.to_owned(), format!("{A}umask=022\nx_mine=1\n"), vec!["program:a umask x.conf:4"]),
        (format!("{A}umask=022\n"), A.to_owned(), vec!["program:a umask x.conf:4"]),
        (String::new(), A.to_owned(), vec!["program:a  x.conf:2"]),
        (A.to_owned(), String::new(), vec![]),
        (
            format!("[DEFAULT]\numask=1\n{A}"),
            format!("[DEFAULT]\numask=2\n{A}"),
            vec!["program:a umask x.conf:3"],
        ),
        (
            format!("environment=X=\"1\"\n{A}"),
            format!("environment=X=\"2\"\n{A}"),
            vec!["supervisord environment x.conf:2"],
        ),
        (format!("environment=X=\"1\"\n{A}"), A.to_owned(), vec!["supervisord environment x.conf:2"]),
        (A.to_owned(), format!("environment=X=\"1\"\n{A}"), vec!["supervisord environment x.conf:2"]),
        (
            format!("[template:t]\numask=1\nenvironment=A=\"1\"\n{A}extends=t\n"),
            format!("[template:t]\numask=2\nenvironment=A=\"2\"\n{A}extends=t\n"),
            vec!["program:a umask x.conf:3", "program:a environment x.conf:4"],
        ),
        (
            format!("[defaults]\nstartsecs=1\n{A}"),
            format!("[defaults]\nstartsecs=2\n{A}startsecs=1\n"),
            vec![],
        ),
    ] {
        assert_eq!(ini(&old, &new), expected, "{old:?} {new:?}");
    }
}

/// A group as such has no environment.
#[test]
fn what_every_program_has_is_no_cause_of_a_group() {
    let text = |value: &str, priority: u32| {
        format!("[supervisord]\nenvironment=X=\"{value}\"\n{A}[group:g]\nprograms=a\npriority={priority}\n")
    };
    assert_eq!(causes("x.conf", &text("1", 1), &text("2", 2), &[], "group:g"), ["group:g priority x.conf:7"]);
}

#[test]
fn other_dialects_and_files_of_variables() {
    let yaml =
        |value: &str| format!("programs:\n  a:\n    command: [a, b]\n    environment:\n      A: {value}\n");
    assert_eq!(causes("x.yaml", &yaml("1"), &format!("# c\n{}", yaml("1")), &[], "program:a"), [""; 0]);
    assert_eq!(
        causes("x.yaml", &yaml("1"), &yaml("2"), &[], "program:a"),
        ["program:a environment x.yaml:4"]
    );
    let text = format!("[supervisord]\n{A}env_files=.env\n[program:b]\ncommand=b\nenv_files=b.env\n");
    let files = [(".env", "A=1", "A=2"), ("b.env", "B=1", "B=1")];
    assert_eq!(causes("x.conf", &text, &text, &files, "program:a"), ["program:a env_files .env:0"]);
    assert_eq!(causes("x.conf", &text, &text, &files, "program:b"), [""; 0]);
}

#[test]
fn each_says_when_it_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let read = |options: &str| {
        std::fs::write(&path, format!("[supervisord]\n{A}{options}")).expect("written");
        let configuration = Some(path.to_string_lossy().into_owned());
        let cli = CommandLine { configuration, ..CommandLine::default() };
        Sources::read(&cli, Environment::of_this_process()).expect("sources")
    };
    let (old, new) = (read(""), read("startsecs=9\numask=022\nstopwaitsecs=4\n"));
    let effects: Vec<(String, Effect)> = Comparison::new(&old, &new)
        .causes("program:a")
        .into_iter()
        .map(|cause| (cause.option, cause.effect))
        .collect();
    let expected =
        [("startsecs", Effect::NextStart), ("stopwaitsecs", Effect::Live), ("umask", Effect::Restart)];
    assert_eq!(effects, expected.map(|(option, effect)| (option.to_owned(), effect)));
}
