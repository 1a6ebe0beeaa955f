//! What runs during a campaign: a hundred processes of every kind that people have.

use std::collections::BTreeSet;

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::{Home, repository};
use crate::rig::maker::Maker;
use crate::rig::redis::Server;

/// How many processes each program has; that of [`VARYING`] is given by the configuration of the moment.
const PROGRAMS: [(&str, usize); 10] = [
    ("php", 12),
    ("plain", 20),
    ("turning", 14),
    ("merged", 4),
    ("tight", 2),
    ("sleeping", 26),
    ("deaf", 4),
    ("flapping", 8),
    ("hasty", 2),
    ("watching", 8),
];

/// The program whose `numprocs` changes.
pub(super) const VARYING: &str = "sleeping";
pub(super) const VARYING_AT_FIRST: usize = 26;

/// Programs that end by themselves.
const RESTLESS: [&str; 2] = ["flapping", "hasty"];

/// Programs whose numbers must be in their logs without a gap: how many files a log may have been turned into.
pub(super) const COUNTING: [(&str, usize); 3] = [("plain", 0), ("turning", 200), ("merged", 0)];

/// A small file system for two logs, seen by the daemon and its children alone.
const INSIDE: &str = "\
set -e
mkdir small
mount -t tmpfs -o size=256k none small
export REDIS_SOCKET=@redis@
exec bin/supervisord -n -c supervisord.conf
";

const SECTIONS: &str = "\
[program:php]
command=php %(here)s/laravel/artisan queue:work redis --queue=campaign --tries=3 --timeout=60 --sleep=1 --name=php_%(process_num)02d
redirect_stderr=true
stdout_logfile=%(here)s/php_%(process_num)02d
[program:plain]
command=perl %(here)s/worker.pl count name=plain_%(process_num)02d %(here)s
stdout_logfile=%(here)s/plain_%(process_num)02d
stdout_logfile_maxbytes=0
[program:turning]
command=perl %(here)s/worker.pl count name=turning_%(process_num)02d %(here)s
stdout_logfile=%(here)s/turning_%(process_num)02d
stdout_logfile_maxbytes=16KB
stdout_logfile_backups=200
[program:merged]
command=/bin/sh -c 'exec \"$@\" >&2' sh perl %(here)s/worker.pl count name=merged_%(process_num)02d %(here)s
redirect_stderr=true
stdout_logfile=%(here)s/merged_%(process_num)02d
stdout_logfile_maxbytes=0
[program:tight]
command=perl %(here)s/worker.pl count name=tight_%(process_num)02d %(here)s
stdout_logfile=%(here)s/small/tight_%(process_num)02d
stdout_logfile_maxbytes=20KB
stdout_logfile_backups=1
[program:sleeping]
command=perl %(here)s/worker.pl sleep name=sleeping_%(process_num)02d %(here)s
pre_start=/bin/sh -c 'sleep 0.1'
post_start=/bin/true
pre_stop=/bin/true
stop_command=/bin/sh -c 'kill $UPKEEP_MAINPID'
post_stop=/bin/sh -c 'sleep 0.1'
[program:deaf]
command=perl %(here)s/worker.pl deaf name=deaf_%(process_num)02d %(here)s
stopwaitsecs=1
[program:flapping]
command=perl %(here)s/worker.pl flap name=flapping_%(process_num)02d %(here)s
startsecs=0
[program:hasty]
command=perl %(here)s/worker.pl flap name=hasty_%(process_num)02d %(here)s
startsecs=8
startretries=1000000
[eventlistener:watching]
command=perl %(here)s/worker.pl listen name=watching_%(process_num)02d %(here)s
events=PROCESS_STATE_EXITED,TICK_5
buffer_size=100000
";

/// The configuration with so many processes of [`VARYING`].
pub(super) fn configuration(varying: usize) -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS.split_inclusive('\n') {
        text += section;
        let name = section.trim_end().trim_end_matches(']').rsplit(':').next().unwrap_or_default();
        if let Some((_, count)) =
            PROGRAMS.iter().find(|(program, _)| section.starts_with('[') && *program == name)
        {
            let count = if name == VARYING { varying } else { *count };
            text += &format!(
                "process_name=%(program_name)s_%(process_num)02d\nnumprocs={count}\nautorestart=true\n"
            );
        }
    }
    text
}

/// The names of all processes, without their groups.
pub(super) fn names(varying: usize) -> BTreeSet<String> {
    let count = |program: &str, count: usize| if program == VARYING { varying } else { count };
    let of = |(program, many): &(&str, usize)| {
        let program = (*program).to_owned();
        (0..count(&program, *many)).map(move |number| format!("{program}_{number:02}"))
    };
    PROGRAMS.iter().flat_map(of).collect()
}

/// `php_03` is `php:php_03`.
pub(super) fn full(name: &str) -> String {
    format!("{}:{name}", program(name))
}

/// The program that a process belongs to.
pub(super) fn program(name: &str) -> &str {
    name.rsplit_once('_').map_or(name, |(program, _)| program)
}

/// Whether a process ends by itself.
pub(super) fn restless(name: &str) -> bool {
    RESTLESS.contains(&program(name))
}

/// Starts everything.
pub(super) fn start(redis: &Server) -> Daemon {
    let home = Home::new();
    home.copy_in(&repository("examples/laravel"));
    home.write("worker.pl", include_str!("worker.pl"));
    home.write("inside", &INSIDE.replace("@redis@", &redis.socket().display().to_string()));
    std::fs::create_dir(home.join("seen")).expect("a directory");
    let prelude = "exec unshare --mount --propagation private /bin/sh ./inside";
    let body = configuration(VARYING_AT_FIRST).split_off(HEAD.len());
    Daemon::start_after(prelude, home, Maker::Upkeep, &body)
}

/// Puts another number of processes into the configuration.
pub(super) fn write(daemon: &Daemon, varying: usize) {
    daemon.home.write("next.conf", &configuration(varying));
    std::fs::rename(daemon.home.join("next.conf"), daemon.home.join("supervisord.conf")).expect("a rename");
}
