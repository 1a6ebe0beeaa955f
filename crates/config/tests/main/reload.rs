//! Reading again: the same file wherever the process is by now, nothing left of what was read before.

use std::fs;

use upkeep_config::{CommandLine, Environment, Host, Lenient, LogFile, Sources, load};

fn cli(args: &[&str]) -> CommandLine {
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    match upkeep_config::invocation("supervisord", &args) {
        Ok(upkeep_config::Invocation::Run(line)) => line,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_relative_name_stays_the_same_file_and_variables_do_not_linger_d_04_d_05_cfg_420_cfg_425() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let env = Environment { cwd: folder.path().to_owned(), ..Environment::default() };
    fs::write(&path, "[supervisord]\nenvironment=A=1\n[program:p]\ncommand=%(ENV_A)s\n").expect("written");
    let cli = cli(&["-c", "x.conf", "-i", "me", "-e", "debug"]);
    let sources = Sources::read(&cli, env).expect("read");
    let config = load(&sources, &cli, &Host).expect("loaded");
    assert_eq!(config.groups[0].processes[0].command, "1");
    assert_eq!(config.settings.identifier, "me");

    fs::write(&path, "[supervisord]\nidentifier=other\n[program:p]\ncommand=%(ENV_A)s\n").expect("written");
    let again = sources.reread().expect("read");
    let error = load(&again, &cli, &Host).expect_err("ENV_A is gone");
    assert!(
        error.message.contains("'ENV_A'") && error.message.contains("(file: 'x.conf')"),
        "{}",
        error.message
    );
    assert_eq!(load(&sources, &cli, &Host), Ok(config), "what was read stays as it was");

    fs::remove_file(&path).expect("removed");
    assert_eq!(sources.reread().expect_err("gone").message, "could not find config file x.conf");
}

#[test]
fn the_command_line_wins_over_the_file_cfg_402() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    fs::write(&path, "[supervisord]\nlogfile=/tmp/a\nminfds=1\nnodaemon=false\numask=077\nuser=nobody\n")
        .expect("written");
    let name = path.to_string_lossy().into_owned();
    let cli = cli(&["-c", &name, "-l", "syslog", "-a", "7", "-n", "-m", "027", "-u", "root"]);
    let sources = Sources::read(&cli, Environment::of_this_process()).expect("read");
    let settings = load(&sources, &cli, &Host).expect("loaded").settings;
    assert_eq!((settings.logfile, settings.minfds), (LogFile::Syslog, 7));
    assert_eq!((settings.nodaemon, settings.umask), (true, 0o27));
    assert_eq!(settings.user.map(|user| user.uid), Some(0));
}

#[test]
fn going_on_does_not_stumble_over_directories_that_are_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("made");
    let path = folder.path().join("x.conf");
    fs::write(&path, "[supervisord]\n[program:p]\ncommand=x\nstdout_logfile=%(here)s/logs/x.log\n")
        .expect("written");
    let cli = cli(&["-c", &path.to_string_lossy()]);
    let sources = Sources::read(&cli, Environment::of_this_process()).expect("read");
    load(&sources, &cli, &Host).expect("loaded");
    fs::remove_dir(&logs).expect("removed");
    assert!(load(&sources, &cli, &Host).is_err());
    assert!(load(&sources, &cli, &Lenient).is_ok());
}

/// A fifo that `[include]` matches is told of with its place, by whoever reads the configuration; nobody waits for its other end.
#[test]
fn a_fifo_that_is_included_is_an_error_cfg_072() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, extra) = (folder.path().join("x.conf"), folder.path().join("conf.d"));
    fs::create_dir_all(extra.join("directory.conf")).expect("made");
    fs::write(extra.join("a.conf"), "[program:a]\ncommand=a\n").expect("written");
    fs::write(&path, "[supervisord]\n[include]\nfiles=conf.d/*.conf\n").expect("written");
    let env = Environment { cwd: folder.path().to_owned(), ..Environment::default() };
    let cli = cli(&["-c", "x.conf"]);
    let sources = Sources::read(&cli, env.clone()).expect("a directory is passed over");
    assert_eq!(load(&sources, &cli, &Host).expect("loaded").groups.len(), 1);
    let report = upkeep_config::check(Some("x.conf"), "supervisord", env.clone(), &Host);
    let passed = format!(
        "warning: '{}', which [include] matches, cannot be read and is passed over\n  --> x.conf:3\nhint: it must be a file",
        extra.join("directory.conf").display()
    );
    assert!(report.render().starts_with(&passed) && !report.has_errors(), "{}", report.render());
    fs::remove_dir(extra.join("directory.conf")).expect("removed");
    let fifo = extra.join("b.conf");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let message = format!("'{}', which [include] matches, is a fifo and no file", fifo.display());
    let hint = "hint: move it away, or write a pattern that does not match it";
    for read in [sources.reread(), Sources::read_soon(&cli, env.clone())] {
        let error = read.expect_err("a fifo");
        assert_eq!(error.message, message);
        assert_eq!(error.to_string(), format!("{message}\n  --> x.conf:3\n{hint}"));
    }
    let report = upkeep_config::check(Some("x.conf"), "supervisord", env.clone(), &Host);
    assert_eq!(report.problems.iter().map(|problem| &problem.message).collect::<Vec<_>>(), [&message]);
    // Whoever starts something waits for its end.
    std::thread::scope(|threads| {
        threads.spawn(|| fs::write(&fifo, "[program:piped]\ncommand=x\n").expect("read by somebody"));
        let sources = Sources::read(&cli, env).expect("read");
        assert_eq!(load(&sources, &cli, &Host).expect("loaded").groups.len(), 2);
    });
}
