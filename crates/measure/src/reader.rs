//! Reading of configurations, from bytes in memory.

use std::fmt::Write;
use std::hint::black_box;

use upkeep_config::raw_sections;

use crate::{Row, Work};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "reader/sample", prepare: || read(upkeep_config::sample().to_owned()) },
    Row { name: "reader/programs/100", prepare: || read(programs(100)) },
    Row { name: "reader/programs/1000", prepare: || read(programs(1000)) },
    Row { name: "reader/programs/10000", prepare: || read(programs(10_000)) },
    Row { name: "reader/keys/100", prepare: || read(keys(100)) },
    Row { name: "reader/keys/1000", prepare: || read(keys(1000)) },
];

fn read(text: String) -> Work {
    Box::new(move || {
        black_box(raw_sections("bench.conf", black_box(text.as_bytes())).expect("a configuration"));
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
