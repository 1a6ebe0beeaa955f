//! `stdin`: what it may say, and where.

use upkeep_config::{CommandLine, Config, Environment, Host, LoadError, Sources, load};
use upkeep_core::spec::StdinKind;

fn read(program: &str) -> Result<Config, LoadError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    std::fs::write(&path, format!("[supervisord]\n{program}")).expect("written");
    let configuration = Some(path.to_string_lossy().into_owned());
    let cli = CommandLine { configuration, ..CommandLine::default() };
    load(&Sources::read(&cli, Environment::of_this_process())?, &cli, &Host)
}

#[test]
fn a_program_reads_a_pipe_or_nothing() {
    for (written, expected) in
        [("", StdinKind::Pipe), ("stdin=pipe\n", StdinKind::Pipe), ("stdin=NULL\n", StdinKind::Null)]
    {
        let config = read(&format!("[program:a]\ncommand=true\n{written}")).expect("right");
        assert_eq!(config.groups[0].processes[0].stdin, expected, "{written}");
    }
}

#[test]
fn wrong_values_say_what_would_be_right() {
    for (section, value, message, hint) in [
        ("program:a", "nul", "not a valid value for stdin: 'nul'", "did you mean \"null\"?"),
        (
            "eventlistener:a",
            "null",
            "[eventlistener:a] section sets stdin=null, but events come on standard input",
            "remove stdin",
        ),
    ] {
        let error =
            read(&format!("[{section}]\ncommand=true\nevents=EVENT\nstdin={value}\n")).expect_err("refused");
        let problem = &error.diagnostics[0];
        assert!(problem.message.starts_with(message), "{}", problem.message);
        assert_eq!(problem.hint.as_deref(), Some(hint));
        assert_eq!((problem.line, problem.key.as_deref()), (Some(5), Some("stdin")));
    }
}
