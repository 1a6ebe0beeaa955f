//! Reading of configurations: from bytes to sections, and from sections to what they mean.

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;

use upkeep_config::{CommandLine, Environment, Host, Sources, load, raw_sections};

use crate::{Row, Work};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "reader/sample", prepare: || read(upkeep_config::sample().to_owned()) },
    Row { name: "reader/programs/100", prepare: || read(programs(100)) },
    Row { name: "reader/programs/1000", prepare: || read(programs(1000)) },
    Row { name: "reader/programs/10000", prepare: || read(programs(10_000)) },
    Row { name: "reader/load/100", prepare: || whole(100) },
    Row { name: "reader/load/1000", prepare: || whole(1000) },
    Row { name: "reader/copies/100", prepare: || copies(100) },
    Row { name: "reader/copies/1000", prepare: || copies(1000) },
    Row { name: "reader/included/100", prepare: || included(100) },
    Row { name: "reader/included/1000", prepare: || included(1000) },
    Row { name: "reader/keys/100", prepare: || read(keys(100)) },
    Row { name: "reader/keys/1000", prepare: || read(keys(1000)) },
];

fn read(text: String) -> Work {
    Box::new(move || {
        black_box(raw_sections("bench.conf", black_box(text.as_bytes())).expect("a configuration"));
    })
}

/// A folder that goes with the work.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("upkeep-measure-{}-{name}", std::process::id()));
        fs::create_dir_all(path.join("conf.d")).expect("a folder of ours");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("room for a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Everything that a daemon does with a configuration before it begins.
fn load_from(folder: Folder) -> Work {
    let main = folder.0.join("main.conf").to_string_lossy().into_owned();
    let cli = CommandLine { configuration: Some(main), ..CommandLine::default() };
    let env = Environment { cwd: "/".into(), ..Environment::default() };
    Box::new(move || {
        let sources = Sources::read(&cli, env.clone()).expect("a configuration");
        black_box(load(&sources, &cli, &Host).expect("a configuration"));
        black_box(&folder);
    })
}

/// All programs in one file.
fn whole(count: usize) -> Work {
    let folder = Folder::new("whole");
    folder.write("main.conf", &programs(count));
    load_from(folder)
}

/// One program, so many times.
fn copies(count: usize) -> Work {
    let folder = Folder::new("copies");
    let copies = format!(
        "process_name=%(program_name)s-%(process_num)04d\nnumprocs={count}\nstdout_logfile=/var/log/%(program_name)s-%(process_num)04d.log\n"
    );
    let text = "[supervisord]\n".to_owned() + &program(0);
    folder.write("main.conf", &text.replace("stdout_logfile=/var/log/worker-00000.log\n", &copies));
    load_from(folder)
}

/// A file for each program.
fn included(count: usize) -> Work {
    let folder = Folder::new("included");
    folder.write("main.conf", "[supervisord]\n[include]\nfiles=conf.d/*.conf\n");
    for number in 0..count {
        folder.write(&format!("conf.d/{number:05}.conf"), &program(number));
    }
    load_from(folder)
}

fn programs(count: usize) -> String {
    let text = "[supervisord]\nlogfile=/tmp/supervisord.log ; a comment\n\n".to_owned();
    (0..count).fold(text, |text, number| text + &program(number))
}

fn program(number: usize) -> String {
    format!(
        "[program:worker-{number:05}]\ncommand=/usr/bin/php artisan queue:work --queue=q{number} --tries=3\n\
         directory=/srv/app\nuser=nobody\nautostart=true\nautorestart=true\nredirect_stderr=true\n\
         stdout_logfile=/var/log/worker-{number:05}.log\nenvironment=APP_ENV=\"production\",\n    QUEUE=\"q{number}\"\n\n"
    )
}

fn keys(count: usize) -> String {
    let mut text = "[program:one]\n".to_owned();
    for number in 0..count {
        let _ = writeln!(text, "key_number_{number:05} = value {number} ; a comment");
    }
    text
}
