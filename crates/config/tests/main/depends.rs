//! `depends_on`: what names mean, and what is said about those that mean nothing or lead in a circle.

use upkeep_config::{CommandLine, Config, Environment, Host, LoadError, Sources, graph, load};

fn read(programs: &str) -> Result<Config, LoadError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    std::fs::write(&path, format!("[supervisord]\n{programs}")).expect("written");
    let configuration = Some(path.to_string_lossy().into_owned());
    let cli = CommandLine { configuration, ..CommandLine::default() };
    load(&Sources::read(&cli, Environment::of_this_process())?, &cli, &Host)
}

/// Programs `NAME DEPENDS_ON`, and further text.
fn programs(all: &[(&str, &str)], more: &str) -> String {
    let program = |&(name, depends_on): &(&str, &str)| {
        format!("[program:{name}]\ncommand=true\ndepends_on={depends_on}\n")
    };
    all.iter().map(program).collect::<String>() + more
}

/// What a program waits for, as `GROUP:PROCESS condition`.
fn targets(config: &Config, program: &str) -> Vec<String> {
    let mut processes = config.groups.iter().flat_map(|group| &group.processes);
    let spec =
        processes.find(|process| process.section.ends_with(&format!(":{program}"))).expect("it is there");
    let targets = spec.depends_on.iter().flat_map(|dependency| {
        dependency.targets.iter().map(move |target| {
            let process = target.process.as_deref().unwrap_or("*");
            format!("{}:{process} {:?}", target.group, dependency.condition).to_lowercase()
        })
    });
    targets.collect()
}

#[test]
fn a_name_is_a_group_a_process_or_a_program() {
    let more = "[group:g]\nprograms=pool,cache\n[program:pool]\ncommand=true\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n";
    for (written, expected) in [
        ("db", vec!["db:* running"]),
        ("DB:Healthy", vec![]),
        ("db:HEALTHY", vec!["db:* healthy"]),
        ("g", vec!["g:* running"]),
        ("g:*:started", vec!["g:* started"]),
        ("g:pool_1", vec!["g:pool_1 running"]),
        ("g:pool_1:completed", vec!["g:pool_1 completed"]),
        ("pool", vec!["g:pool_0 running", "g:pool_1 running"]),
        ("pool_0", vec!["g:pool_0 running"]),
        ("db , cache:started", vec!["db:* running", "g:cache started"]),
        ("", vec![]),
    ] {
        let config = read(&programs(&[("db", ""), ("cache", ""), ("web", written)], more));
        match config {
            Ok(config) => assert_eq!(targets(&config, "web"), expected, "{written}"),
            Err(error) => assert_eq!((written, expected.len()), ("DB:Healthy", 0), "{}", error.message),
        }
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (written, message, hint) in [
        ("bd", "depends_on names bd, which is no program and no group", "did you mean \"db:running\"?"),
        (
            "db:helthy:healthy",
            "depends_on names db:helthy, which is no program and no group",
            "write the name of",
        ),
        ("db:db:helthy", "not a condition of depends_on: 'helthy'", "did you mean \"db:db:healthy\"?"),
        ("db,,x", "depends_on has an empty name", "there is a comma too many"),
        ("web", "depends_on leads in a circle: web -> web", "a process cannot wait for itself"),
    ] {
        let error = read(&programs(&[("db", ""), ("web", written)], "")).expect_err(written);
        let problem = &error.diagnostics[0];
        assert!(problem.message.starts_with(message), "{written}: {problem:?}");
        assert!(problem.hint.as_deref().unwrap_or_default().starts_with(hint), "{written}: {problem:?}");
        assert_eq!((problem.line, problem.key.as_deref()), (Some(7), Some("depends_on")), "{written}");
    }
    let error = read(&programs(&[("a", "b")], "[program:b]\ncommand=true\non_dependency_stop=stopp\n"))
        .expect_err("refused");
    assert!(error.message.starts_with("not a valid value for on_dependency_stop: 'stopp'"), "{error:?}");
}

#[test]
fn a_circle_is_shown_whole() {
    let all = [("a", "x"), ("x", ""), ("b", "c:started"), ("c", "x, d"), ("d", "g"), ("m", "b"), ("z", "b")];
    let error = read(&programs(&all, "[group:g]\nprograms=m\n")).expect_err("a circle");
    assert_eq!(error.diagnostics.len(), 1);
    assert!(error.message.starts_with("depends_on leads in a circle: b -> c -> d -> m -> b"), "{error:?}");
}

#[test]
fn long_chains_are_no_trouble() {
    let chain: Vec<(String, String)> = (0..2000)
        .map(|n: u32| (format!("p{n}"), n.checked_sub(1).map_or(String::new(), |n| format!("p{n}"))))
        .collect();
    let all: Vec<(&str, &str)> = chain.iter().map(|(name, on)| (name.as_str(), on.as_str())).collect();
    let config = read(&programs(&all, "")).expect("no circle");
    let steps = graph(&config);
    assert_eq!((steps.len(), steps[1999].number), (2000, 2000));
}

#[test]
fn steps_follow_dependencies_then_priorities() {
    let more = "[program:first]\ncommand=true\npriority=1\n[group:g]\nprograms=db\n";
    let all = [("db", ""), ("web", "migrate:completed,cache"), ("migrate", "g:healthy"), ("cache", "")];
    let config = read(&programs(&all, more)).expect("good");
    let steps: Vec<String> = graph(&config)
        .iter()
        .map(|step| {
            let after: Vec<String> =
                step.after.iter().map(|after| format!("{}:{}", after.program, after.condition)).collect();
            format!("{} {} {}", step.number, step.program, after.join(" "))
        })
        .collect();
    let expected =
        ["1 first ", "1 cache ", "1 db ", "2 migrate db:healthy", "3 web cache:running migrate:completed"];
    assert_eq!(steps, expected);
}

#[test]
fn copies_of_a_program_share_what_they_wait_for() {
    let pool = "command=true\nnumprocs=3\nprocess_name=%(program_name)s_%(process_num)d\n";
    let text = format!("[group:g]\nprograms=a,b\n[program:a]\n{pool}[program:b]\n{pool}depends_on=a\n");
    let config = read(&text).expect("good");
    let [first, others @ ..] = &config.groups[0].processes[3..] else { panic!("six processes") };
    assert_eq!((first.depends_on[0].targets.len(), others.len()), (3, 2));
    assert!(others.iter().all(|other| std::sync::Arc::ptr_eq(&first.depends_on, &other.depends_on)));
}

#[test]
fn what_has_one_name_and_two_kinds_is_no_circle() {
    let listener = "[eventlistener:web]\ncommand=true\nevents=TICK_5\ndepends_on=g:web\n";
    let config =
        read(&programs(&[("web", "")], &format!("[group:g]\nprograms=web\n{listener}"))).expect("good");
    let steps: Vec<(String, usize)> =
        graph(&config).into_iter().map(|step| (step.program, step.number)).collect();
    assert_eq!(steps, [("web".to_owned(), 1), ("web".to_owned(), 2)]);
}
