//! `env_files`: which files are read, whose values count, and what is said of mistakes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use upkeep_config::{CommandLine, Config, Environment, Host, LoadError, Severity, Sources, check, load};
use upkeep_core::spec::ProcessSpec;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        for inner in ["app", "conf.d"] {
            std::fs::create_dir(folder.0.path().join(inner)).expect("made");
        }
        folder
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.0.path().join(name), text).expect("written");
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn cli(&self, name: &str) -> CommandLine {
        let configuration = Some(self.path().join(name).to_string_lossy().into_owned());
        CommandLine { configuration, ..CommandLine::default() }
    }

    fn sources(&self) -> Sources {
        let mut env = Environment::of_this_process();
        env.vars.insert("FROM_DAEMON".to_owned(), "daemon".to_owned());
        Sources::read(&self.cli("x.conf"), env).expect("sources")
    }

    fn load(&self) -> Result<Config, LoadError> {
        load(&self.sources(), &self.cli("x.conf"), &Host)
    }
}

fn variables(config: &Config, name: &str) -> String {
    let mut all = config.groups.iter().flat_map(|group| &group.processes);
    let spec: &ProcessSpec = all.find(|process| process.name == name).expect("it is there");
    let pairs: Vec<String> = spec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

#[test]
fn later_files_and_environment_count_more() {
    let folder = Folder::new();
    folder.write(".env", "A=1\nB=1\nC=${S}\n").write(".env.local", "B=2\nD=${A}${FROM_DAEMON}\nE=5\n");
    let text = "[supervisord]\nenvironment=A=\"0\",S=\"0\"\n[program:a]\ncommand=a %(ENV_D)s\n\
        env_files=.env, ?.env.local, ?none\nenvironment=E=\"%(ENV_B)s\"\n";
    folder.write("x.conf", text);
    let config = folder.load().expect("good");
    assert_eq!(variables(&config, "a"), "A=1 B=2 C=0 D=1daemon E=2 S=0");
    assert_eq!(config.groups[0].processes[0].command, "a 1daemon");
}

/// A relative path begins at the program's directory, or at the file in which it stands.
#[test]
fn relative_paths() {
    let folder = Folder::new();
    folder
        .write(".env", "A=main")
        .write("app/.env", "A=app")
        .write("conf.d/.env", "A=conf")
        .write("app/a.env", "A=name");
    let text = "[supervisord]\n[include]\nfiles=conf.d/*\n[template:t]\nenv_files=.env\n\
        [program:a]\ncommand=a\nenv_files=.env\n[program:b]\ncommand=b\ndirectory=%(here)s/app\nextends=t\n\
        [program:c]\ncommand=c\ndirectory=%(here)s/%(process_num)d\nenv_files=%(here)s/app/%(program_name)s.env\n";
    folder.write("x.conf", text).write("app/c.env", "A=c");
    folder.write("conf.d/d.conf", "[program:d]\ncommand=d\nenv_files=.env\n");
    folder.write("conf.d/e.yaml", "programs: {e: {command: e, env_files: [ .env, '?.no' ]}}\n");
    let config = folder.load().expect("good");
    for (name, expected) in [("a", "main"), ("b", "app"), ("c", "c"), ("d", "conf"), ("e", "conf")] {
        assert_eq!(variables(&config, name), format!("A={expected}"), "{name}");
    }
}

#[test]
fn a_changed_file_is_seen_when_it_is_read_again_and_not_before() {
    let folder = Folder::new();
    folder.write(".env", "A=1").write("x.conf", "[supervisord]\n[program:a]\ncommand=a\nenv_files=.env\n");
    let first = folder.sources();
    folder.write(".env", "A=2");
    let kept = Sources::from_bytes(&first.to_bytes()).expect("a snapshot");
    let again = first.reread().expect("read again");
    for (sources, expected) in [(first, "A=1"), (kept, "A=1"), (again, "A=2")] {
        let config = load(&sources, &folder.cli("x.conf"), &Host).expect("good");
        assert_eq!(variables(&config, "a"), expected);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_without_values() {
    let folder = Folder::new();
    folder.write("bad.env", "A=1\nmy secret\nB=${NO}\n").write("big.env", &"#".repeat(256 * 1024 + 1));
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let many = vec!["x"; 33].join(",");
    for (written, place, messages, hint) in [
        ("none", None, vec![format!("env_files: {} is not there", path("none"))], "write ?"),
        ("app", None, vec![format!("env_files: {} cannot be read: it is no file", path("app"))], ""),
        ("fifo", None, vec![format!("env_files: {} cannot be read: it is no file", path("fifo"))], ""),
        (
            "big.env",
            None,
            vec![format!("env_files: {} cannot be read: it is larger than 256 KB", path("big.env"))],
            "",
        ),
        ("a,,b", None, vec!["env_files has an empty name".to_owned()], "there is a comma too many"),
        ("%(nope)s", None, vec!["Format string '%(nope)s' for 'program:a.env_files'".to_owned()], ""),
        ("%(process_num)d.env", None, vec!["Format string '%(process_num)d.env'".to_owned()], ""),
        (many.as_str(), None, vec!["env_files has more than 32 files".to_owned()], ""),
        (
            "bad.env",
            Some("bad.env"),
            vec![
                format!("no = in this line (env_files of [program:a]: {}, line 2)", path("bad.env")),
                format!("${{NO}} is not set (env_files of [program:a]: {}, line 3)", path("bad.env")),
            ],
            "write NAME=value",
        ),
    ] {
        let text =
            format!("[supervisord]\n[program:a]\ncommand=a\nenv_files={written}\n[program:b]\ncommand=b\n");
        folder.write("x.conf", &text);
        let error = folder.load().expect_err(written);
        assert_eq!(error.diagnostics.len(), messages.len(), "{error:?}");
        for (problem, message) in error.diagnostics.iter().zip(&messages) {
            assert!(problem.message.starts_with(message), "{written}: {problem:?}");
            assert_eq!(problem.key.as_deref(), Some("env_files"));
            assert_eq!(problem.file, Some(path(place.unwrap_or("x.conf"))));
        }
        let first = &error.diagnostics[0];
        assert_eq!(first.line, Some(if place.is_some() { 2 } else { 4 }), "{first:?}");
        assert!(first.hint.as_deref().unwrap_or_default().starts_with(hint), "{first:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

/// Who may put links where a program's variables are read chooses no file that only others may read.
#[test]
fn links_of_others_are_not_followed() {
    let own = rustix::process::geteuid();
    let folder = Folder::new();
    folder.write("secret.env", "A=1");
    folder.write("x.conf", "[supervisord]\n[program:a]\ncommand=a\nenv_files=app/.env\n");
    let (link, target) = (folder.path().join("app/.env"), folder.path().join("secret.env"));
    std::os::unix::fs::symlink("../secret.env", &link).expect("a link");
    let said = || folder.load().map(|config| variables(&config, "a")).map_err(|error| error.message);
    assert_eq!(said().as_deref(), Ok("A=1"), "our own link");
    if !own.is_root() {
        return;
    }
    let (app, user) = (folder.path().join("app"), Some(12345));
    std::os::unix::fs::lchown(&link, user, None).expect("given away");
    let refused = said().expect_err("a link of somebody else");
    let start = format!("env_files: {} cannot be read: the link {0} belongs to user 12345", link.display());
    assert!(refused.starts_with(&start) && refused.contains("to user 0"), "{refused}");
    assert!(refused.contains(&format!("chown -h root {}", link.display())), "{refused}");
    assert!(!refused.contains("A=1"), "{refused}");
    std::os::unix::fs::chown(&target, user, None).expect("given away");
    assert_eq!(said().as_deref(), Ok("A=1"), "its owner's own file");
    std::os::unix::fs::chown(&target, Some(0), None).expect("taken back");
    // A directory on the way is no better, nor is a link that another link leads to.
    std::fs::remove_file(&link).expect("gone");
    std::fs::create_dir(folder.path().join("real")).expect("made");
    folder.write("real/.env", "A=2");
    std::fs::remove_dir(&app).expect("gone");
    std::os::unix::fs::symlink(folder.path().join("way"), &app).expect("a link");
    std::os::unix::fs::symlink("real", folder.path().join("way")).expect("a link");
    assert_eq!(said().as_deref(), Ok("A=2"));
    std::os::unix::fs::lchown(folder.path().join("way"), user, None).expect("given away");
    let refused = said().expect_err("a directory of somebody else");
    assert!(refused.contains("/way belongs to user 12345, the file it leads to, "), "{refused}");
}

/// Another name of root's file in a directory of somebody else is as good as a link.
#[test]
fn hard_links_of_others_are_not_followed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = Folder::new();
    folder.write("secret.env", "A=1");
    folder.write("x.conf", "[supervisord]\n[program:a]\ncommand=a\nenv_files=app/.env\n");
    let app = folder.path().join("app");
    std::fs::hard_link(folder.path().join("secret.env"), app.join(".env")).expect("a link");
    assert_eq!(variables(&folder.load().expect("root's directory"), "a"), "A=1");
    std::os::unix::fs::chown(&app, Some(12345), None).expect("given away");
    let refused = folder.load().expect_err("a directory of somebody else").message;
    assert!(refused.contains("it is one of several names (hard links) of a file of user 0"), "{refused}");
}

#[test]
fn links_in_a_circle_are_said_to_be_that() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(".env", folder.path().join("app/.env")).expect("a link");
    folder.write("x.conf", "[supervisord]\n[program:a]\ncommand=a\nenv_files=app/.env\n");
    let refused = folder.load().expect_err("a circle").message;
    assert!(refused.contains("cannot be read: ") && refused.contains("symbolic links"), "{refused}");
}

#[test]
fn a_relative_path_needs_one_directory() {
    let folder = Folder::new();
    let text = "[supervisord]\n[program:a]\ncommand=a\nenv_files=.env\ndirectory=/srv/%(process_num)d\n";
    folder.write("x.conf", text);
    let error = folder.load().expect_err("several directories");
    assert!(
        error.message.starts_with("env_files: .env is looked for in directory, which is not the same"),
        "{error}"
    );
}

#[test]
fn the_file_of_everybody_is_a_warning() {
    let folder = Folder::new();
    folder.write(".env", "A=1").write("x.conf", "[supervisord]\n[program:a]\ncommand=cat\nenv_files=.env\n");
    std::fs::set_permissions(folder.path().join(".env"), std::fs::Permissions::from_mode(0o666))
        .expect("mode");
    let path = folder.path().join("x.conf").to_string_lossy().into_owned();
    let report = check(Some(&path), "supervisord", Environment::of_this_process(), &Host);
    let told: Vec<(Severity, &str)> =
        report.problems.iter().map(|problem| (problem.severity, problem.message.as_str())).collect();
    let message =
        format!("[program:a] env_files: everybody may write to {}", folder.path().join(".env").display());
    assert_eq!(told, [(Severity::Warning, message.as_str())]);
}

/// The same in every dialect, and what is not even a list.
#[test]
fn other_dialects_have_lists() {
    let folder = Folder::new();
    folder.write(".env", "A=1").write("b.env", "B=2");
    for (name, text, expected) in [
        ("x.yaml", "programs:\n  a:\n    command: a\n    env_files: [.env, b.env]\n", Ok("A=1 B=2")),
        ("x.toml", "[programs.a]\ncommand = \"a\"\nenv_files = \".env\"\n", Ok("A=1")),
        (
            "x.json",
            "{\"programs\": {\"a\": {\"command\": \"a\", \"env_files\": [\"?no\", \"b.env\"]}}}",
            Ok("B=2"),
        ),
        ("x.yaml", "programs:\n  a:\n    command: a\n    env_files: {A: 1}\n", Err(4)),
        ("x.toml", "[programs.a]\ncommand = \"a\"\nenv_files = 1\n", Err(3)),
    ] {
        folder.write(name, text);
        let cli = folder.cli(name);
        let sources = Sources::read(&cli, Environment::of_this_process()).expect("sources");
        match (load(&sources, &cli, &Host), expected) {
            (Ok(config), Ok(expected)) => assert_eq!(variables(&config, "a"), expected, "{text}"),
            (Err(error), Err(line)) => {
                assert_eq!(error.diagnostics[0].line, Some(line), "{error}");
                assert!(
                    error.message.starts_with("[program:a] env_files: expected a list of names"),
                    "{error}"
                );
            }
            (got, _) => panic!("{text}: {got:?}"),
        }
    }
}
