//! How a daemon comes to be: afresh, or going on where an earlier one stopped. The keeper's inventory says which.

use std::io;

use tokio::sync::mpsc;
use upkeep_config::{CommandLine, Environment, Host, Invocation, Lenient, LoadError, Sources};
use upkeep_core::Input;
use upkeep_core::ordered;
use upkeep_http::LogNews;
use upkeep_keeper::wire::{Detach, ToKeeper};
use upkeep_keeper::{Heritage, Link};
use upkeep_logs::{Engine, Level, LogEvent};

use crate::applied::Cause;
use crate::generations::{FIRST, Loaded, held_name};
use crate::inventory::Inventory;
use crate::journal::{self, journal_level};
use crate::keeperlink::KeeperLink;
use crate::logfiles::LogTable;
use crate::servers::{self, OpenError};
use crate::shell::{Active, Parts, Shell};
use crate::{descriptors, facade, held, reload};

/// Where the launcher leaves what it did before there was a log, a line each.
pub(crate) const NOTES: &str = "UPKEEP_INTERNAL_NOTES";

/// Why a daemon cannot start; displays Supervisor's text where it has one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The command line or the configuration is wrong.
    #[error("{}", .0.message)]
    Config(#[from] LoadError),
    /// A server cannot listen.
    #[error("{0}")]
    Server(OpenError),
    /// The daemon's log cannot be opened (PROC-172).
    #[error("cannot open the log file '{path}': {source}")]
    Log { path: String, source: io::Error },
    /// The log files of a group cannot be created.
    #[error("cannot create the log files of group '{group}': {source}")]
    ChildLogs { group: String, source: io::Error },
    /// The socket of a FastCGI program cannot be made (PROC-262).
    #[error(transparent)]
    Fcgi(#[from] crate::fcgi::SocketError),
    /// The system refused something else.
    #[error("cannot {action}: {source}")]
    System { action: &'static str, source: io::Error },
    /// What an earlier daemon left cannot be understood.
    #[error("cannot go on where the last daemon stopped: {0}")]
    Recovery(String),
}

impl StartError {
    /// The exit status (CFG-410).
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Server(_) => 2,
            Self::Log { .. }
            | Self::Fcgi(_)
            | Self::ChildLogs { .. }
            | Self::System { .. }
            | Self::Recovery(_) => 1,
        }
    }
}

/// Names a step for [`StartError::System`].
pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { action, source }
}

/// The daemon's own command line: the name it was called by, and Supervisor's options.
pub(crate) struct Called {
    pub(crate) program: String,
    pub(crate) cli: CommandLine,
}

impl Called {
    /// From the arguments behind `upkeep daemon`.
    ///
    /// # Errors
    /// They are not what the launcher accepted: only when called by hand.
    pub(crate) fn from_args(args: &[String]) -> Result<Self, String> {
        let Some((program, options)) = args.split_first() else {
            return Err("this role is for the keeper alone".to_owned());
        };
        // The launcher has accepted them; a directory that has gone since must not end a recovery.
        match upkeep_config::invocation_in(program, options, &Lenient) {
            Ok(Invocation::Run(cli)) => Ok(Self { program: program.clone(), cli }),
            Ok(Invocation::Print(_)) => Err("the options only print something".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Builds a daemon on top of what the keeper holds. Runs inside the runtime.
///
/// # Errors
/// [`StartError`]; nothing is left open then.
pub(crate) async fn boot(called: Called, link: Link, inventory: Inventory) -> Result<Shell, StartError> {
    let record = inventory.daemon_record().map_err(StartError::Recovery)?;
    let (generations, lost) = match &record {
        None => (reload::fresh(read_afresh(&called.cli, &inventory)?), None),
        Some(record) => {
            let found = held::read(&called.cli, record, &inventory)?;
            (found.generations, found.lost)
        }
    };
    let configured = generations.base().config.groups.iter().map(|group| group.processes.len()).sum();
    descriptors::make_room(inventory.children.len().max(configured));
    let (messages, inbox) = mpsc::unbounded_channel();
    let (log_messages, news) = (messages.clone(), LogNews::default());
    let log_news = news.clone();
    let engine = Engine::start(move |event| match event {
        // Whoever follows a log looks at it without troubling the daemon's task.
        LogEvent::Grew { path } => log_news.grew(&path),
        // Fails only when the daemon has ended.
        event => drop(log_messages.send(crate::shell::Message::Log(event))),
    })
    .map_err(system("start the log thread"))?;
    news.watch_with(engine.watcher());
    facade::install(&engine);
    let mut shell = Shell::new(Parts {
        keeper_pid: inventory.keeper_pid,
        keeper_speaks: inventory.keeper_speaks,
        heritage: Heritage::of(inventory.keeper_pid, inventory.detached),
        link: KeeperLink::new(link).map_err(system("watch the keeper"))?,
        engine,
        news,
        cli: called.cli,
        program: called.program,
        generations,
        inbox,
        messages,
    });
    if let Some(record) = &record {
        shell.recall(&record.standing);
    }
    shell.open_journal()?;
    shell.remove_left_sockets();
    lost.into_iter().for_each(|lost| shell.make_good(lost));
    match record {
        None => shell.begin_afresh(&inventory).await?,
        Some(record) => shell.go_on(&record, inventory).await?,
    }
    Ok(shell)
}

/// What the launcher has read: it may come out of a pipe, or nobody may read it who is not root, and it may have changed since.
fn read_afresh(cli: &CommandLine, inventory: &Inventory) -> Result<Loaded, StartError> {
    let sources = match held::sources(FIRST, inventory) {
        Ok(sources) => sources,
        Err(_) => Sources::read_soon(cli, Environment::of_this_process())?,
    };
    Ok(Loaded::new(sources, cli, &Host)?)
}

impl Shell {
    /// Opens the daemon's own log as configured (PROC-165, PROC-168, PROC-172).
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open_journal(&mut self) -> Result<(), StartError> {
        let journal = journal::open(self.settings(), self.in_foreground(), &self.context.ident)?;
        facade::set_journal(&self.engine, journal);
        Ok(())
    }

    async fn begin_afresh(&mut self, inventory: &Inventory) -> Result<(), StartError> {
        self.set_up()?;
        if !inventory.held.contains_key(&held_name(self.generations.base)) {
            self.hold_generation(self.generations.base);
        }
        self.note_applied(self.generations.base, Cause::Start, None);
        self.prune_generations();
        self.become_ready(inventory.detached);
        self.announce();
        self.meet_orphans().await;
        self.sweep_cgroups();
        let plans = self.plans_of_before();
        self.recall_plans(plans);
        self.tell(Input::Begin { recovered: false });
        self.follow_files();
        Ok(())
    }

    /// Everything between reading the configuration and serving (PROC-200), for a start and for a restart. Sockets
    /// come before the clean-up of AUTO logs, so that a second daemon harms nothing (D-06).
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) fn set_up(&mut self) -> Result<(), StartError> {
        self.log_notes();
        let sockets = self.open_sockets()?;
        self.clean_auto_logs();
        let generation = self.generations.base;
        let naming = self.naming();
        let groups = self.generations.base().config.groups.clone();
        for spec in groups {
            let named = naming.name_group(&spec, &LogTable::new());
            let table = named.map_err(|source| StartError::ChildLogs { group: spec.name.clone(), source });
            let table = match table.and_then(|table| Ok(self.try_sockets(&spec).map(|()| table)?)) {
                Ok(table) => table,
                Err(error) => {
                    sockets.iter().for_each(|(server, _)| servers::remove_file(server));
                    return Err(error);
                }
            };
            if self.core.group(&spec.name).is_none() {
                self.logs.extend(table);
                self.active.put(Active { spec: spec.clone(), generation });
            }
            self.tell(Input::Setup(spec));
        }
        self.survey_cgroups();
        self.introduce_servers();
        self.serve(sockets).map_err(system("serve on a socket"))
    }

    /// What was found while reading the configuration, gravest first (PROC-173).
    fn log_notes(&self) {
        let settings = self.settings();
        let mut notes: Vec<(Level, String)> = Vec::new();
        for note in &self.generations.base().config.notes {
            notes.push((journal_level(note.level), note.text.clone()));
        }
        match &settings.user {
            None if rustix::process::getuid().is_root() => notes.push((Level::Critical, ROOT.to_owned())),
            None => {}
            Some(user) => notes.push((Level::Info, format!("Set uid to user {} succeeded", user.uid))),
        }
        if settings.nodaemon && (settings.directory.is_some() || settings.umask != DEFAULT_UMASK) {
            notes.push((Level::Warn, IGNORED.to_owned()));
        }
        let launcher = std::env::var(NOTES).unwrap_or_default();
        notes.extend(launcher.lines().map(|line| (Level::Info, line.to_owned())));
        ordered::sort_by_key(&mut notes, |(level, _)| std::cmp::Reverse(*level));
        for (level, text) in notes {
            self.log(level, text);
        }
    }

    fn clean_auto_logs(&self) {
        let settings = self.settings();
        if settings.nocleanup {
            return;
        }
        let keep = std::collections::HashSet::new();
        for warning in upkeep_logs::auto::clean(&settings.childlogdir, &settings.identifier, &keep) {
            self.log(Level::Warn, warning);
        }
    }

    /// Tells the keeper that this daemon serves; the first one goes into the background if it should.
    fn become_ready(&mut self, detached: bool) {
        let settings = self.settings();
        let background = !settings.nodaemon && !detached;
        let detach = background.then(|| Detach {
            directory: settings.directory.as_ref().map(|path| path.to_string_lossy().as_bytes().to_vec()),
            umask: Some(settings.umask),
        });
        if background {
            self.log(Level::Info, "daemonizing the supervisord process");
            self.follow_into_background();
            self.heritage.detached = true;
        }
        self.send(&ToKeeper::Ready { detach });
    }

    /// Does to this process what the keeper does to itself (PROC-203).
    fn follow_into_background(&self) {
        let settings = self.settings();
        if let Some(directory) = &settings.directory {
            let shown = directory.display();
            match std::env::set_current_dir(directory) {
                Ok(()) => self.log(Level::Info, format!("set current directory: '{shown}'")),
                Err(error) => self.log(Level::Critical, format!("can't chdir into '{shown}': {error}")),
            }
        }
        upkeep_os::set_umask(settings.umask);
        if let Err(error) = upkeep_os::stdio_to_null() {
            self.log(Level::Warn, format!("cannot let go of the terminal: {error}"));
        }
    }

    /// Pid file and the line that says it is up (PROC-205, PROC-210).
    pub(crate) fn announce(&mut self) {
        self.write_pidfile();
        self.log(Level::Info, format!("supervisord started with pid {}", self.keeper_pid));
    }

    /// The keeper could not go to the configured directory.
    pub(crate) fn detach_failed(&mut self, errno: i32) {
        let error = io::Error::from_raw_os_error(errno);
        self.log(Level::Critical, format!("can't chdir into the configured directory: {error}"));
    }
}

/// What `[supervisord] umask` is when it is not written (CFG-084).
const DEFAULT_UMASK: u32 = 0o022;

/// Nobody should wonder why an option does nothing (PROC-204, D-34).
const IGNORED: &str = "[supervisord] directory and umask are not applied in the foreground";

/// What is said when nobody else is to be become (PROC-206).
const ROOT: &str = "Supervisor is running as root.  Privileges were not dropped because no user is specified in the \
                    config file.  If you intend to run as root, you can set user=root in the config file to avoid \
                    this message.";
