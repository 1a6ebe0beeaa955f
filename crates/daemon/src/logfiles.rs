//! Where each process's logs are: named files as configured, AUTO files as made up when a group is added.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use upkeep_core::spec::{
    GroupSpec, LogDestination, LogFormat, LogPeriod, LogTarget, OutputSpec, ProcessSpec,
};
use upkeep_logs::auto::Channel;
use upkeep_logs::{
    Destination, Every, FileRules, LineFormat, LineRules, MODE_AUTO, MODE_NAMED, Origin, Rate, RotatingFile,
    Sink, SyslogTag, TlsRules, Unit,
};

/// The log files of one process; `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogPaths {
    pub(crate) stdout: Option<String>,
    pub(crate) stderr: Option<String>,
}

/// The AUTO logs by group and process name; those that are none are told by the options alone.
pub(crate) type LogTable = BTreeMap<(String, String), LogPaths>;

impl LogPaths {
    /// The logs of a process, of which `auto` has the AUTO ones.
    pub(crate) fn of(spec: &ProcessSpec, auto: Option<&Self>) -> Self {
        let [stdout, stderr] = Self::borrowed(spec, auto).map(|path| path.map(str::to_owned));
        Self { stdout, stderr }
    }

    /// The same, to look at.
    pub(crate) fn borrowed<'a>(spec: &'a ProcessSpec, auto: Option<&'a Self>) -> [Option<&'a str>; 2] {
        let stdout = path(&spec.stdout, auto.and_then(|auto| auto.stdout.as_deref()));
        [stdout, path(&spec.stderr, auto.and_then(|auto| auto.stderr.as_deref()))]
    }
}

fn path<'a>(output: &'a OutputSpec, auto: Option<&'a str>) -> Option<&'a str> {
    match &output.target {
        LogTarget::None => None,
        LogTarget::File(path) => Some(path),
        LogTarget::Auto => auto,
    }
}

/// What AUTO names are made of.
#[derive(Clone, Debug)]
pub(crate) struct AutoNaming {
    pub(crate) directory: PathBuf,
    pub(crate) identifier: String,
}

impl AutoNaming {
    /// Names and creates the AUTO logs of a group's processes; `known` ones keep theirs.
    ///
    /// # Errors
    /// An AUTO file could not be created.
    pub(crate) fn name_group(&self, group: &GroupSpec, known: &LogTable) -> io::Result<LogTable> {
        let mut table = LogTable::new();
        for spec in &group.processes {
            let key = (group.name.clone(), spec.name.clone());
            let old = known.get(&key);
            let paths = LogPaths {
                stdout: self.name(
                    spec,
                    Channel::Stdout,
                    &spec.stdout,
                    old.and_then(|old| old.stdout.as_ref()),
                )?,
                stderr: self.name(
                    spec,
                    Channel::Stderr,
                    &spec.stderr,
                    old.and_then(|old| old.stderr.as_ref()),
                )?,
            };
            if paths != LogPaths::default() {
                table.insert(key, paths);
            }
        }
        Ok(table)
    }

    fn name(
        &self,
        spec: &ProcessSpec,
        channel: Channel,
        output: &OutputSpec,
        known: Option<&String>,
    ) -> io::Result<Option<String>> {
        match &output.target {
            LogTarget::None | LogTarget::File(_) => Ok(None),
            LogTarget::Auto => match known.filter(|path| self.is_ours(path)) {
                Some(path) => Ok(Some(path.clone())),
                None => {
                    let path =
                        upkeep_logs::auto::create(&self.directory, &spec.name, channel, &self.identifier)?;
                    Ok(Some(path.to_string_lossy().into_owned()))
                }
            },
        }
    }

    /// Whether a path looks like one of our AUTO names rather than a configured file.
    fn is_ours(&self, path: &str) -> bool {
        Path::new(path).parent() == Some(self.directory.as_path())
            && path.contains(&format!("---{}-", self.identifier))
    }
}

/// What a sink needs to know besides the options of its channel.
#[derive(Clone, Debug)]
pub(crate) struct SinkContext {
    /// Name of its group.
    pub(crate) group: String,
    /// Name of the process, for syslog.
    pub(crate) process: String,
    /// It is its standard error.
    pub(crate) is_stderr: bool,
    /// `strip_ansi` of `[supervisord]`.
    pub(crate) strip_ansi: bool,
    /// What stands before its lines on our standard output, if they are copied there.
    pub(crate) console: Option<String>,
    /// Show the output in the daemon's log (PROC-169).
    pub(crate) echo: bool,
    /// The name the daemon was called by, for syslog.
    pub(crate) ident: String,
    /// It is what a listener says to its pool (PROC-153, CFG-195).
    pub(crate) protocol: bool,
}

/// Opens where one channel's output goes. Blocks on the file system.
///
/// # Errors
/// The log file could not be opened (PROC-045, PROC-046).
pub(crate) fn open_sink(output: &OutputSpec, path: Option<&str>, context: &SinkContext) -> io::Result<Sink> {
    open_sink_by(output, path, context, |path, maxbytes, backups, mode| {
        RotatingFile::open(path, maxbytes, backups, mode)
    })
}

/// The same with another way of opening a log: from its path, limit, number of old files, and mode.
///
/// # Errors
/// Those of that way.
pub(crate) fn open_sink_by(
    output: &OutputSpec,
    path: Option<&str>,
    context: &SinkContext,
    open: impl Fn(&str, i64, i64, u32) -> io::Result<RotatingFile>,
) -> io::Result<Sink> {
    let open = |path| {
        let file = open(path, output.maxbytes, output.backups, mode_of(output))?;
        Ok::<_, io::Error>(file.with_rules(file_rules(output)))
    };
    Ok(sink_to(path.map(open).transpose()?, output, context))
}

/// The same for a child that runs already: the log is opened when there is something to write. While it cannot be, what
/// would go there is dropped and counted.
pub(crate) fn sink_of_running(output: &OutputSpec, path: Option<&str>, context: &SinkContext) -> Sink {
    let later = |path| {
        let file = RotatingFile::later(path, output.maxbytes, output.backups, mode_of(output));
        file.with_rules(file_rules(output))
    };
    sink_to(path.map(later), output, context)
}

/// What the log file is asked for beyond size and number; `None` is nothing.
fn file_rules(output: &OutputSpec) -> Option<FileRules> {
    let rules = output.rules.as_ref()?;
    let every = rules.rotate.map(|period| match period {
        LogPeriod::Hourly => Every::Hour,
        LogPeriod::Daily => Every::Day,
        LogPeriod::Weekly => Every::Week,
        LogPeriod::Monthly => Every::Month,
    });
    let (gzip, max_age, max_total, dated) = (rules.gzip, rules.max_age, rules.max_total, rules.dated);
    let rules = FileRules { every, gzip, max_age, max_total, dated };
    (rules != FileRules::default()).then_some(rules)
}

/// What each line is asked for; `None` is nothing.
fn line_rules(output: &OutputSpec, context: &SinkContext) -> Option<LineRules> {
    let rules = output.rules.as_ref()?;
    let format = match rules.format {
        LogFormat::Raw => LineFormat::Raw,
        LogFormat::Timestamps => LineFormat::Timestamps,
        LogFormat::Json => LineFormat::Json,
    };
    let rate = rules.rate.map(|rate| Rate {
        unit: if rate.in_bytes { Unit::Bytes } else { Unit::Lines },
        a_second: rate.a_second,
        burst: rate.burst,
    });
    let forward: Vec<Destination> = rules.forward.iter().map(destination).collect();
    if format == LineFormat::Raw && rate.is_none() && forward.is_empty() {
        return None;
    }
    let (group, process) = (context.group.clone(), context.process.clone());
    let origin = Origin { group, process, is_stderr: context.is_stderr, pid: 0 };
    Some(LineRules { format, rate, forward, origin, begun: Vec::new() })
}

fn destination(configured: &LogDestination) -> Destination {
    match configured.clone() {
        LogDestination::Udp { host, port } => Destination::Udp { host, port },
        LogDestination::Tcp { host, port } => Destination::Tcp { host, port },
        LogDestination::Tls { host, port, tls } => {
            let identity = tls.identity.as_ref().map(|(cert, key)| (cert.into(), key.into()));
            let tls = TlsRules { ca: tls.ca.as_ref().map(Into::into), identity, name: tls.name.clone() };
            Destination::Tls { host, port, tls }
        }
        LogDestination::Journald { path } => Destination::Journald { path: path.into() },
    }
}

fn mode_of(output: &OutputSpec) -> u32 {
    if output.target == LogTarget::Auto { MODE_AUTO } else { MODE_NAMED }
}

fn sink_to(file: Option<RotatingFile>, output: &OutputSpec, context: &SinkContext) -> Sink {
    let tag = SyslogTag { ident: context.ident.clone(), name: context.process.clone() };
    if context.protocol {
        return Sink { file, strip_ansi: context.strip_ansi, raw: true, copy: true, ..Sink::default() };
    }
    Sink {
        file,
        syslog: output.syslog.then_some(tag),
        console: context.console.clone(),
        lines: line_rules(output, context).map(Box::new),
        strip_ansi: context.strip_ansi,
        capture_maxbytes: usize::try_from(output.capture_maxbytes).unwrap_or(0),
        capture_begun: Vec::new(),
        events: output.events_enabled,
        copy: context.echo,
        raw: false,
        spool: None,
    }
}
