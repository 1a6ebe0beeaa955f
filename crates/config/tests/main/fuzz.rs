//! No bytes make the reader or the loader panic, and what was read can be kept and read back.

use proptest::prelude::*;
use upkeep_config::{
    CommandLine, CtlInvocation, Environment, Host, Invocation, Sources, check, ctl_invocation, invocation,
    load, raw_sections, shlex,
};

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

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = raw_sections("x", &bytes);
        if let Ok(sources) = Sources::from_bytes(&bytes) {
            prop_assert_eq!(Sources::from_bytes(&sources.to_bytes()), Ok(sources));
        }
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

    #[test]
    fn any_command_is_split_or_refused(text in any::<String>()) {
        let _ = shlex::split(&text);
    }
}
