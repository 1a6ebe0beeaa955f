//! Reading of configurations: from bytes to sections, and from sections to what they mean.

use std::fmt::Write;
use std::hint::black_box;

use upkeep_config::{CommandLine, Environment, Host, Sources, load, raw_sections};

use crate::{Row, Work};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "reader/sample", prepare: || read(upkeep_config::sample().to_owned()) },
    Row { name: "reader/programs/100", prepare: || read(programs(100)) },
    Row { name: "reader/programs/1000", prepare: || read(programs(1000)) },
    Row { name: "reader/programs/10000", prepare: || read(programs(10_000)) },
    Row { name: "reader/load/100", prepare: || whole(&programs(100)) },
    Row { name: "reader/load/1000", prepare: || whole(&programs(1000)) },
    Row { name: "reader/keys/100", prepare: || read(keys(100)) },
    Row { name: "reader/keys/1000", prepare: || read(keys(1000)) },
];

fn read(text: String) -> Work {
    Box::new(move || {
        black_box(raw_sections("bench.conf", black_box(text.as_bytes())).expect("a configuration"));
    })
}

/// Everything that a daemon does with a configuration before it begins, but for reading the file.
fn whole(text: &str) -> Work {
    let path = std::env::temp_dir().join(format!("upkeep-measure-{}.conf", std::process::id()));
    std::fs::write(&path, text).expect("room for a file");
    let cli =
        CommandLine { configuration: Some(path.to_string_lossy().into_owned()), ..CommandLine::default() };
    let env = Environment { cwd: "/".into(), ..Environment::default() };
    let sources = Sources::read(&cli, env);
    std::fs::remove_file(&path).expect("the file of above");
    let sources = sources.expect("a configuration");
    Box::new(move || {
        black_box(load(black_box(&sources), &cli, &Host).expect("a configuration"));
    })
}

fn programs(count: usize) -> String {
    let mut text = "[supervisord]\nlogfile=/tmp/supervisord.log ; a comment\n\n".to_owned();
    for number in 0..count {
        let _ = write!(
            text,
            "[program:worker-{number:05}]\ncommand=/usr/bin/php artisan queue:work --queue=q{number} --tries=3\n\
             directory=/srv/app\nuser=nobody\nautostart=true\nautorestart=true\nredirect_stderr=true\n\
             stdout_logfile=/var/log/worker-{number:05}.log\nenvironment=APP_ENV=\"production\",\n    QUEUE=\"q{number}\"\n\n"
        );
    }
    text
}

fn keys(count: usize) -> String {
    let mut text = "[program:one]\n".to_owned();
    for number in 0..count {
        let _ = writeln!(text, "key_number_{number:05} = value {number} ; a comment");
    }
    text
}
