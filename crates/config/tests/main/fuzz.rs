//! No bytes make the reader or the loader panic, and what was read can be kept and read back.

use proptest::prelude::*;
use upkeep_config::{
    CommandLine, CtlInvocation, Environment, Host, Invocation, Sources, check, ctl_invocation, invocation,
    load,
};

use crate::properties;

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[supervisord]\n".to_owned()),
        Just("[program:x]\ncommand=".to_owned()),
        Just("numprocs=3\nprocess_name=%(process_num)s\n".to_owned()),
        Just("environment=".to_owned()),
        Just("[include]\nfiles=".to_owned()),
        Just("[inet_http_server]\nport=".to_owned()),
        "[ -~\n]{0,20}",
        "%[(][a-z_]{0,12}[)][-+ #0-9.*]{0,4}[a-zA-Z]?",
        any::<String>(),
    ]
}

/// Bytes made of the words that mean something to a parser, and of some that mean nothing.
fn words(known: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        6 => proptest::sample::select(known).prop_map(|word| word.as_bytes().to_vec()),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

const INI: &[&str] = &[
    "[a]",
    "[b]",
    "[DEFAULT]",
    "[",
    "]",
    "=",
    ":",
    ";",
    "#",
    " ",
    "\n",
    "\n",
    "\n ",
    "\r",
    "\t",
    "K",
    "key",
    "v",
    "İ",
    "\u{feff}",
    "\u{85}",
    "\u{1c}",
    "\u{2028}",
];
const SHELL: &[&str] = &["'", "\"", "\\", " ", "\n", "\t", "a", "b c", "é", "#", "$x", "=", "\u{3000}"];
const PERCENT: &[&str] = &[
    "%",
    "%%",
    "%(here)",
    "%(process_num)",
    "%(ENV_HOME)s",
    "(",
    ")",
    "s",
    "d",
    "r",
    "c",
    "x",
    "e",
    "f",
    "G",
    "0",
    "-",
    "+",
    " ",
    "#",
    ".",
    "*",
    "3",
    "99999",
    "1048576",
    "l",
    "text",
];
const PAIRS: &[&str] =
    &["A", "=", ",", "'", "\"", "|", " ", "#", ";", "/p:q", "é", "$", "\\", "%", "B=\"2,3\"", "\u{85}"];
const ENV_FILE: &[&str] = &[
    "A", "B", "=", "=", "\n", "\n", "'", "\"", "\\", "$", "${", "${A}", ":-", "}", "#", " ", "\t", "\r",
    "export ", "é", "x y", "\0", "\u{feff}", "-", ".", "1",
];
const SECTIONS: &[&str] = &[
    "[supervisord]\n",
    "[program:x]\n",
    "[group:g]\n",
    "[eventlistener:l]\n",
    "[fcgi-program:f]\n",
    "[include]\n",
    "[inet_http_server]\n",
    "[unix_http_server]\n",
    "[DEFAULT]\n",
    "[defaults]\n",
    "[template:t]\n",
    "[template:x]\n",
    "extends=t\n",
    "extends=x\n",
    "env_files=?x\n",
    "command=c\n",
    "numprocs=12\n",
    "programs=x,f\n",
    "process_name=%(process_num)d\n",
    "events=TICK_5\n",
    "socket=tcp://h:1\n",
    "port=1\n",
    "file=/s\n",
    "files=*\n",
    "environment=A=\"b\"\n",
    "stopsignal=HUP\n",
    "exitcodes=0,2\n",
    "user=nobody\n",
    "umask=022\n",
    "priority=-1\n",
    "stdout_logfile=NONE\n",
    "stdout_logfile_maxbytes=99GB\n",
    "=\n",
    "\n",
    "x",
];
const TREES: &[&str] = &[
    "programs",
    "web",
    "command",
    "environment",
    "numprocs",
    "include",
    "rpc_interfaces",
    "unix_http_server",
    "DEFAULT",
    ": ",
    " = ",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "]\n",
    "[programs.web]\n",
    ", ",
    "\"",
    "'",
    "\"a b\"",
    "'x'",
    "&a ",
    "*a",
    "<<: *a\n",
    "|\n",
    ">-\n",
    "!!str ",
    "---\n",
    "# c\n",
    "7",
    "true",
    "null",
    "0o22",
    "%(here)s",
    "%",
    "\\",
    "\t",
    "\r",
    "{\"programs\": {\"web\": {\"command\": ",
    "é",
    "\u{feff}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn files_cfg_020_to_036(bytes in words(INI)) {
        properties::ini(&bytes);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        properties::ini(&bytes);
        properties::snapshot(&bytes);
        properties::dialects(&bytes);
    }

    #[test]
    fn commands_cfg_233(bytes in words(SHELL)) {
        properties::command(&bytes);
    }

    #[test]
    fn expansion_cfg_052(bytes in words(PERCENT)) {
        properties::percent(&bytes);
    }

    #[test]
    fn environments_cfg_220_to_232(bytes in words(PAIRS)) {
        properties::environment(&bytes);
    }

    #[test]
    fn files_of_variables(bytes in words(ENV_FILE)) {
        properties::env_file(&bytes);
    }

    #[test]
    fn whole_configurations(bytes in words(SECTIONS)) {
        properties::whole(&bytes);
    }

    #[test]
    fn other_dialects(bytes in words(TREES)) {
        properties::dialects(&bytes);
    }

    #[test]
    fn any_text_is_loaded_or_refused(pieces in proptest::collection::vec(piece(), 0..12)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.conf");
        std::fs::write(&path, pieces.concat()).expect("written");
        let name = path.to_string_lossy().into_owned();
        let env = Environment { cwd: folder.path().to_owned(), ..Environment::default() };
        let report = check(Some(&name), "supervisord", env.clone(), &Host);
        let _ = (report.render(), report.to_json());
        let cli = CommandLine { configuration: Some(name), ..CommandLine::default() };
        if let Ok(sources) = Sources::read(&cli, env) {
            let loaded = load(&sources, &cli, &Host);
            let kept = Sources::from_bytes(&sources.to_bytes());
            prop_assert_eq!(kept.as_ref(), Ok(&sources));
            prop_assert_eq!(load(&kept.expect("just compared"), &cli, &Host), loaded);
        }
    }

    #[test]
    fn any_arguments_are_taken_or_refused(args in proptest::collection::vec("-{0,2}[a-z_=?]{0,12}|.{0,8}", 0..5)) {
        match invocation("p", &args) {
            Ok(Invocation::Run(line)) => prop_assert_eq!(line.args, args.clone()),
            Ok(Invocation::Print(_)) | Err(_) => {}
        }
        let env = Environment::default();
        if let Ok(CtlInvocation::Run(options)) = ctl_invocation("/nowhere/bin/p", &args, &env) {
            prop_assert!(args.ends_with(&options.words));
        }
    }
}
