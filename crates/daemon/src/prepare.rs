//! Everything a start needs from the file system, done off the daemon's own task: find the command, open the logs,
//! look up the user.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use upkeep_config::py_repr;
use upkeep_core::ErrandKind;
use upkeep_core::spec::{OutputSpec, ProcessSpec, StdinKind};
use upkeep_keeper::wire::{SpawnPlan, StdinPlan, UserPlan};
use upkeep_logs::Sink;
use upkeep_os::Strings;
use upkeep_os::spawn::landlock_version;

use crate::console::is_standard_stream;
use crate::descriptors::Promise;
use crate::familiar::Learnt;
use crate::fcgi::{Shared, Sockets};
use crate::logfiles::{LogPaths, SinkContext, open_sink, sink_of_running};
use crate::program::{self, Program, ProgramError};
use crate::restraints::{restraints_of, weakness};
use crate::said;
use crate::unexecutable;
use crate::words::Vitals;

/// What all children have in common.
#[derive(Clone, Debug)]
pub(crate) struct ChildContext {
    /// The environment the daemon was started with.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// `SUPERVISOR_SERVER_URL`, if any server is configured (PROC-072).
    pub(crate) server_url: Option<String>,
    /// `strip_ansi` of `[supervisord]`.
    pub(crate) strip_ansi: bool,
    /// Show output in the daemon's log (PROC-169).
    pub(crate) echo: bool,
    /// Copy each line to our standard output with a name before it.
    pub(crate) log_prefix: bool,
    /// The name the daemon was called by.
    pub(crate) ident: String,
    /// What control groups are marked with that this supervisor makes: its pid file.
    pub(crate) owner: Vec<u8>,
    /// Instead of the keeper's.
    pub(crate) umask: Option<u32>,
    /// Instead of the keeper's.
    pub(crate) directory: Option<String>,
}

/// One start to prepare.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) group: String,
    pub(crate) spec: Arc<ProcessSpec>,
    pub(crate) paths: LogPaths,
    /// What stands before its lines on our standard output, if they are copied there.
    pub(crate) prefix: Option<String>,
    /// It is an event listener: its standard output is for its pool.
    pub(crate) listener: bool,
    /// It is a command beside the process, and has nothing to read.
    pub(crate) errand: Option<ErrandKind>,
    /// Where FastCGI programs get their sockets.
    pub(crate) sockets: Sockets,
    pub(crate) context: Arc<ChildContext>,
}

/// A start that is ready for the keeper.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) plan: SpawnPlan,
    /// Why it will not come to more than an attempt, for the log.
    pub(crate) trouble: Option<String>,
    /// What this kernel cannot keep it from, for the log.
    pub(crate) weakness: Option<String>,
    pub(crate) stdout: Sink,
    /// `None` with `redirect_stderr`.
    pub(crate) stderr: Option<Sink>,
    /// Its standard input, for a FastCGI program.
    pub(crate) socket: Option<Arc<Shared>>,
    /// By what it says how it is.
    pub(crate) vitals: Option<Box<Vitals>>,
    /// Room for its pipes.
    pub(crate) room: Promise,
    /// For the next start.
    pub(crate) learnt: Option<Box<Learnt>>,
}

/// Where a process's output goes, as far as it could be opened.
#[derive(Debug)]
pub(crate) struct Sinks {
    pub(crate) stdout: io::Result<Sink>,
    /// `None` with `redirect_stderr`.
    pub(crate) stderr: Option<io::Result<Sink>>,
}

impl Sinks {
    /// Whether anybody but the log files gets what is written there.
    pub(crate) fn are_heard(&self) -> bool {
        let both = [Some(&self.stdout), self.stderr.as_ref()];
        both.into_iter().flatten().flatten().any(is_heard)
    }
}

/// Whether anybody but the log file gets what is written there.
pub(crate) fn is_heard(sink: &Sink) -> bool {
    sink.events || sink.copy || sink.capture_maxbytes > 0
}

impl Prepared {
    /// Whether the keeper is to hold more of it than its pipes.
    pub(crate) fn is_held(&self) -> bool {
        self.stdout.spool.is_some() || self.vitals.is_some()
    }

    /// Whether the child gets a descriptor that the keeper has to pass on.
    pub(crate) fn lends(&self) -> bool {
        self.vitals.as_ref().is_some_and(|vitals| vitals.lends())
    }
}

impl ChildContext {
    /// The PATH a program is searched in: its own, else the daemon's (PROC-078).
    pub(crate) fn search_path(&self, spec: &ProcessSpec) -> Option<String> {
        let own = spec.environment.get("PATH").cloned();
        own.or_else(|| {
            let inherited = self.environment.iter().find(|(name, _)| name == "PATH");
            inherited.map(|(_, value)| value.to_string_lossy().into_owned())
        })
    }

    /// base < SUPERVISOR_* < configured (PROC-070 … PROC-073), as `K=V`.
    fn child_environment(&self, group: &str, spec: &ProcessSpec) -> Strings {
        let mut all: Vec<(&[u8], &[u8])> =
            Vec::with_capacity(self.environment.len() + spec.environment.len() + 4);
        all.extend(self.environment.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let mut set = |name: &'static str, value| all.push((name.as_bytes(), value));
        set("SUPERVISOR_ENABLED", b"1");
        let url = spec.serverurl.as_ref().or(self.server_url.as_ref());
        url.inspect(|url| set("SUPERVISOR_SERVER_URL", url.as_bytes()));
        set("SUPERVISOR_PROCESS_NAME", spec.name.as_bytes());
        set("SUPERVISOR_GROUP_NAME", group.as_bytes());
        all.extend(spec.environment.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        last_of_each(all)
    }

    fn sink_context(&self, group: &str, spec: &ProcessSpec) -> SinkContext {
        SinkContext {
            group: group.to_owned(),
            is_stderr: false,
            process: spec.name.clone(),
            strip_ansi: self.strip_ansi,
            console: None,
            echo: self.echo,
            ident: self.ident.clone(),
            protocol: false,
        }
    }
}

impl Order {
    /// Looks at the command as a start would, and at nothing else (PROC-052).
    ///
    /// # Errors
    /// What a start would fail with.
    pub(crate) fn check(&self) -> Result<(), ProgramError> {
        program::find(&self.spec.command, self.context.search_path(&self.spec).as_deref()).map(|_| ())
    }

    /// Where the output of a child goes that runs already: always somewhere. Blocks on the file system.
    pub(crate) fn open_sinks(&self) -> Sinks {
        self.sinks(|output, path, context| Ok(sink_of_running(output, path, context)))
    }

    /// Opens where the output is to go from now on. Blocks on the file system.
    pub(crate) fn open_new_sinks(&self) -> Sinks {
        self.sinks(open_sink)
    }

    /// Where its output goes, opened in this way.
    pub(crate) fn sinks(
        &self,
        open: impl Fn(&OutputSpec, Option<&str>, &SinkContext) -> io::Result<Sink>,
    ) -> Sinks {
        let mut context = self.context.sink_context(&self.group, &self.spec);
        context.console.clone_from(&self.prefix);
        let speech = SinkContext { protocol: self.listener, ..context.clone() };
        let stdout = open(&self.spec.stdout, Self::log_path(self.paths.stdout.as_deref(), &speech), &speech);
        context.is_stderr = true;
        let stderr = (!self.spec.redirect_stderr).then(|| {
            open(&self.spec.stderr, Self::log_path(self.paths.stderr.as_deref(), &context), &context)
        });
        Sinks { stdout, stderr }
    }

    /// Where the log is. Not on a standard stream of ours if the lines are copied there anyway.
    fn log_path<'a>(path: Option<&'a str>, context: &SinkContext) -> Option<&'a str> {
        let is_copied = context.console.is_some() && !context.protocol;
        path.filter(|path| !(is_copied && is_standard_stream(path)))
    }

    /// Prepares the start.
    ///
    /// # Errors
    /// The spawn error, ready to be shown (PROC-040 … PROC-047).
    pub(crate) fn prepare(&self) -> Result<Prepared, String> {
        let spec = &*self.spec;
        let program = program::find(&spec.command, self.context.search_path(spec).as_deref())
            .map_err(|error| error.to_string())?;
        let prepared = self.prepare_with(program, self.open_new_sinks())?;
        Ok(Prepared { trouble: unexecutable::trouble(&spec.name, &prepared.plan), ..prepared })
    }

    /// The rest, once the program is found and it was tried to open the logs.
    ///
    /// # Errors
    /// The spawn error, ready to be shown.
    pub(crate) fn prepare_with(&self, program: Program, sinks: Sinks) -> Result<Prepared, String> {
        let spec = &*self.spec;
        let log_error = |error: io::Error| dispatcher_error(&spec.name, &error);
        let Sinks { stdout, stderr } = sinks;
        let mut stdout = stdout.map_err(log_error)?;
        if self.listener {
            said::keep(&mut stdout, None, None);
        }
        // What a check says is for us.
        stdout.copy |= self.errand == Some(ErrandKind::Check);
        let stderr = stderr.transpose().map_err(log_error)?;
        let socket = spec.socket.as_ref().map(|socket| self.sockets.share(&spec.section, socket));
        let socket = socket.transpose().map_err(|error| error.to_string())?;
        let mut plan = SpawnPlan {
            path: program.path.into_bytes(),
            argv: program.argv.into_iter().map(String::into_bytes).collect(),
            env: self.context.child_environment(&self.group, spec),
            cwd: spec.directory.clone().or_else(|| self.context.directory.clone()).map(String::into_bytes),
            umask: spec.umask.or(self.context.umask),
            user: user_plan(spec.uid),
            stdin: match &socket {
                Some(_) => StdinPlan::Attached,
                None if self.errand.is_some() || spec.stdin == StdinKind::Null => StdinPlan::Null,
                None => StdinPlan::Pipe,
            },
            stderr_to_stdout: spec.redirect_stderr,
            restraints: restraints_of(spec, &self.context.owner)?,
        };
        let room = Promise::of_pipes(pipes_of(&plan)).map_err(log_error)?;
        // Last: a socket has a name, which somebody has to remove.
        let vitals = Vitals::of(spec, &mut plan.env).map_err(log_error)?;
        let weakness = spec.confinement.as_ref().and_then(|_| weakness(spec, landlock_version()));
        let (trouble, learnt) = (None, None);
        Ok(Prepared { plan, trouble, weakness, stdout, stderr, socket, vitals, room, learnt })
    }
}

/// Sorted by name; of those with the same name the last one counts.
fn last_of_each(mut all: Vec<(&[u8], &[u8])>) -> Strings {
    all.sort_by_key(|(name, _)| *name);
    let bytes = all.iter().map(|(name, value)| name.len() + 1 + value.len()).sum();
    let mut strings = Strings::with_capacity(all.len(), bytes);
    for (at, (name, value)) in all.iter().enumerate() {
        if all.get(at + 1).is_none_or(|(next, _)| next != name) {
            strings.push(&[name, b"=", value]);
        }
    }
    strings
}

/// The pipes whose other ends come to us.
fn pipes_of(plan: &SpawnPlan) -> u64 {
    1 + u64::from(matches!(plan.stdin, StdinPlan::Pipe)) + u64::from(!plan.stderr_to_stdout)
}

/// How a spawn error begins that is about descriptors.
pub(crate) const TOO_MANY_FILES: &str = "too many open files to spawn";

/// PROC-045, PROC-046.
fn dispatcher_error(name: &str, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::MFILE.raw_os_error() => {
            format!("{TOO_MANY_FILES} {}", py_repr(name))
        }
        Some(code) => {
            format!("unknown error making dispatchers for '{name}': {}", upkeep_os::errno_name(code))
        }
        None => format!("unknown error making dispatchers for '{name}': {error}"),
    }
}

/// Whom to become; what cannot be done is said by the child itself (PROC-060, PROC-069).
fn user_plan(uid: Option<u32>) -> UserPlan {
    let Some(uid) = uid else { return UserPlan::Keep };
    let current = rustix::process::getuid().as_raw();
    if current == uid {
        return UserPlan::Keep;
    }
    let refuse = |reason: String| UserPlan::Refuse { uid, reason: reason.into_bytes() };
    match upkeep_os::user_by_uid(uid) {
        Err(_) | Ok(None) => refuse(format!("Can't find uid {uid}")),
        Ok(Some(_)) if current != 0 => refuse("Can't drop privilege as nonroot user".to_owned()),
        Ok(Some(user)) => UserPlan::Switch { uid, gid: user.gid, groups: user.groups },
    }
}
