//! The shell: one task owns the core, feeds it facts and requests, and carries out what it orders.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};
use upkeep_api::{Call, Fault, Handle, Mailbox, Reply, Request};
use upkeep_config::{CommandLine, LoadError};
use upkeep_core::health::Finding;
use upkeep_core::spec::GroupSpec;
use upkeep_core::{CallId, Input, Mono, Now, ProcId, Refusal, RunEnd, RunId, Supervisor};
use upkeep_http::LogNews;
use upkeep_keeper::Heritage;
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::{Engine, Lease, Level, LogEvent, Passage, Sink};
use upkeep_os::Thrift;

use crate::active::ActiveGroups;
use crate::applied::{Applied, FromDisk};
use crate::breath::{Breath, only_asks};
use crate::cgroups::{Cgroups, Left};
use crate::changes::Changes;
use crate::checks::{FirstLine, Room};
use crate::clients::HeldClient;
use crate::daemonised::{Daemonised, Suspect};
use crate::descriptors::Promise;
use crate::familiar::Familiar;
use crate::fcgi::{Shared, Sockets};
use crate::generations::{Generations, Loaded};
use crate::growing::Growing;
use crate::keep::Ready;
use crate::keeperlink::KeeperLink;
use crate::listeners::{Listeners, Told};
use crate::listening::Listening;
use crate::logcalls::{Renewal, Renewing};
use crate::logfiles::LogTable;
use crate::losses::HeldLosses;
use crate::memory::{Measured, Measuring, Unmeasured};
use crate::orphans::{Register, RunFile};
use crate::planned::Planned;
use crate::prepare::{ChildContext, Prepared, Sinks};
use crate::reading::Reading;
use crate::records::{Half, Standing, Unsaved};
use crate::recovery;
use crate::rolling::Behind;
use crate::said::Said;
use crate::schedules::Schedules;
use crate::stdin::Stdin;
use crate::succession::{KeeperProcess, Made};
use crate::telling::Telling;
use crate::undrained::Undrained;
use crate::unsent::{Unsent, again};
use crate::upgrade::{Unfit, Upgrade, Upgraded};
use crate::watching::{Noticed, Seen, Watching};
use crate::words::{GoneSockets, Heard, Vitals};

/// Messages taken in one turn before orders are carried out: many exits or answers share one round of system calls.
pub(crate) const BATCH: usize = 256;

pub(crate) use upkeep_api::Responder;

/// What the shell's helpers tell it when they are done.
#[derive(Debug)]
pub(crate) enum Message {
    /// The log thread has something to say.
    Log(LogEvent),
    /// A start was prepared, or cannot be.
    Prepared { run: RunId, result: Result<Box<Prepared>, String> },
    /// A start is not prepared yet and nobody waits any longer.
    Overdue { run: RunId },
    /// The commands of processes that are to be started were looked at.
    Checked {
        targets: Vec<(ProcId, Option<Refusal>)>,
        many: bool,
        asked: String,
        wait: bool,
        reply: Responder,
    },
    /// The configuration was read again, or came out of the one of this number.
    Reread { result: Result<Loaded, LoadError>, back: Option<u64>, reply: Responder },
    /// The configuration was read before a restart; nobody waits if a signal asked for it.
    RestartChecked { result: Result<Loaded, LoadError>, reply: Option<Responder> },
    /// The configuration was read for a reload that keeps everything, and what it needs was opened.
    Kept { result: Result<Box<Ready>, Fault>, reply: Responder },
    /// A helper has the answer.
    Told { answer: Result<Reply, Fault>, reply: Responder },
    /// It is over.
    Reloaded { answer: Result<Reply, Fault>, reply: Responder },
    /// The logs of a group that is to be added or updated have names.
    Named {
        spec: Box<GroupSpec>,
        generation: u64,
        update: bool,
        result: io::Result<LogTable>,
        reply: Responder,
    },
    /// About configurations that are kept on disk.
    History(FromDisk),
    /// About events that are kept on disk.
    Queue(Told),
    /// The program of an upgrade was looked at.
    Candidate { path: PathBuf, result: Result<File, Unfit>, reply: Responder },
    /// It may be time to leave.
    LookWhetherToLeave,
    /// A health check is over.
    Found { run: RunId, number: u64, finding: Finding },
    /// Somebody said something to a run; `taken` is dropped when what follows is written down.
    Heard { run: RunId, what: Heard, taken: oneshot::Sender<()> },
    /// A child has ended that may have put itself into the background.
    Suspected(Box<Suspect>),
    /// About files that programs watch.
    Noticed(Noticed),
    /// The memory of a run was measured, or cannot be.
    Measured { run: RunId, memory: Measured },
    /// That takes too long, or cannot be done.
    NotMeasured { run: RunId, why: Unmeasured },
    /// It was tried to remove control groups.
    Vacated { left: Vec<(String, Left)> },
    /// New sinks for a process whose log options changed.
    Sinks { run: RunId, number: u64, sinks: Box<Sinks> },
}

/// What calls want that have been taken in.
#[derive(PartialEq)]
enum Calls {
    /// To know something, all of them.
    OnlyAsk,
    /// That something is done.
    Act,
}

/// One life of a process, as far as descriptors are concerned.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Opened before the child exists, taken when its pipes come.
    pub(crate) sinks: Option<Box<(Sink, Option<Sink>)>>,
    /// Inode numbers of its pipes, 0 for those it has not.
    pub(crate) pipes: [u64; 3],
    /// The child, once it exists.
    pub(crate) made: Option<Made>,
    pub(crate) stdin: Option<Stdin>,
    /// It has nothing to read, and so no pipe for that.
    pub(crate) without_stdin: bool,
    pub(crate) has_stdout: bool,
    pub(crate) has_stderr: bool,
    /// What it writes matters to listeners, or it is one: its end is told after its last words.
    pub(crate) heard: bool,
    /// What it says, if it is a listener.
    pub(crate) said: Option<Said>,
    /// What it is told, if it is a listener that has no standard input yet.
    pub(crate) told: Option<Box<Telling>>,
    /// How and when the child ended, until its last words are heard.
    pub(crate) end: Option<(RunEnd, Mono)>,
    /// Room for its pipes, until they have come.
    pub(crate) room: Option<Promise>,
    /// Its share in the socket of its FastCGI program.
    pub(crate) socket: Option<Arc<Shared>>,
    /// The beginning of what it says, if it is a health check.
    pub(crate) line: Option<Box<FirstLine>>,
    /// What looks after its health.
    pub(crate) vitals: Option<Box<Vitals>>,
    /// Channels whose last bytes are not yet in the log, once the child has exited.
    pub(crate) draining: Option<u8>,
}

impl Run {
    /// What it is told, if it is a listener.
    pub(crate) fn told(&self) -> Option<&Telling> {
        self.told.as_deref().or_else(|| self.stdin.as_ref()?.told())
    }
}

/// What is done when the core answers a request.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) reply: Responder,
    pub(crate) purpose: Purpose,
}

/// Why the core was asked.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// To control processes.
    Control,
    /// To add this group.
    Add(String),
    /// To remove this group.
    Remove(String),
    /// To update this group.
    Update,
}

/// How the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// On purpose, with this status.
    Exit(u8),
    /// The keeper is gone.
    Orphaned,
    /// Another daemon takes over.
    Left,
}

/// An active group's options and the generation they come from.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) spec: GroupSpec,
    pub(crate) generation: u64,
}

/// The daemon's state besides the core's.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) core: Supervisor,
    pub(crate) link: KeeperLink,
    pub(crate) keeper_pid: u32,
    /// What the keeper says of its version.
    pub(crate) keeper_speaks: u16,
    /// What another keeper needs to know, should this one die.
    pub(crate) heritage: Heritage,
    pub(crate) keeper_process: KeeperProcess,
    /// The keeper has died.
    pub(crate) keeper_gone: bool,
    /// An upgrade that is under way.
    pub(crate) upgrade: Option<Upgrade>,
    /// What became of the last one.
    pub(crate) last_upgrade: Option<Upgraded>,
    /// The last one that the log tells of.
    pub(crate) told_upgrade: u64,
    /// Where the records of the processes are.
    pub(crate) half: Half,
    /// Signals that the keeper was asked to send and has not said to have, by token.
    pub(crate) signals: BTreeMap<u64, ToKeeper>,
    pub(crate) engine: Engine,
    /// For those who follow logs.
    pub(crate) news: LogNews,
    pub(crate) cli: CommandLine,
    /// The name the daemon was called by.
    pub(crate) program: String,
    pub(crate) environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    pub(crate) generations: Generations,
    pub(crate) applied: Applied,
    pub(crate) active: ActiveGroups,
    /// What the keeper has of the daemon's own record.
    pub(crate) record: Growing,
    /// What of it is to be written down.
    pub(crate) unsaved: Unsaved,
    pub(crate) logs: LogTable,
    pub(crate) context: Arc<ChildContext>,
    /// In boxes, since half of a tree's room may be free.
    pub(crate) runs: BTreeMap<RunId, Box<Run>>,
    pub(crate) undrained: Undrained,
    pub(crate) askers: BTreeMap<CallId, Asker>,
    /// Answers that are given when the keeper has what belongs to them: whoever hears that something is done may kill this daemon, and
    /// the next one has to know of it.
    pub(crate) answers: Vec<(Responder, Result<Reply, Fault>)>,
    /// Logs that are being opened for those who run.
    pub(crate) renewals: BTreeMap<RunId, Renewal>,
    pub(crate) next_renewal: u64,
    pub(crate) renewing: Vec<Renewing>,
    pub(crate) tokens: BTreeMap<u64, oneshot::Sender<bool>>,
    pub(crate) listening: Listening,
    pub(crate) listeners: Listeners,
    pub(crate) schedules: Schedules,
    /// Sockets of FastCGI programs.
    pub(crate) sockets: Sockets,
    /// Shares of runs that have ended, until all that follows from that is done.
    pub(crate) leaving: Vec<Arc<Shared>>,
    /// Shares for starts that are being prepared.
    pub(crate) kept: BTreeMap<RunId, Arc<Shared>>,
    /// Starts that a disk holds up and that count as failed, with their processes.
    pub(crate) stuck: BTreeMap<RunId, (ProcId, bool)>,
    /// Starts that a thread prepares.
    pub(crate) preparing: BTreeSet<RunId>,
    /// What starts need that are not prepared by a thread.
    pub(crate) familiar: Familiar,
    pub(crate) reading: Reading,
    /// Directories of logs are looked at in a queue of their own: who has read everything waits for nobody who has not.
    pub(crate) naming_logs: Reading,
    /// Keys of what the keeper holds of open captures.
    pub(crate) captures: BTreeSet<u64>,
    /// For what of captures is still on its way to the keeper: a child that writes faster than that waits.
    pub(crate) capture_leases: Vec<Lease>,
    pub(crate) standing: Standing,
    /// A reload that keeps everything is being prepared.
    pub(crate) reloading: bool,
    /// Restarts that wait until it is over.
    pub(crate) restarts_waiting: Vec<(Result<Loaded, LoadError>, Option<Responder>)>,
    pub(crate) pidfile_written: bool,
    /// Writes it when it can be.
    pub(crate) pidfile_retry: Option<tokio::task::AbortHandle>,
    pub(crate) run_file: Option<RunFile>,
    pub(crate) register: Option<Register>,
    /// What the log thread moves output through, or will: any keeper has to hold it.
    pub(crate) passage: Option<[Arc<OwnedFd>; 3]>,
    /// The log thread is given it once the keeper has it.
    pub(crate) new_passage: Option<Passage>,
    /// When it was told last that the keeper has no room for what it is to hold.
    pub(crate) refused_at: Option<Instant>,
    /// Length of the longest label; `None` when it is not known any more.
    pub(crate) label_width: Cell<Option<usize>>,
    /// Runs of an earlier daemon whose children are not held by descriptors yet.
    pub(crate) unheld: Vec<RunId>,
    pub(crate) daemonised: Daemonised,
    pub(crate) handle: Handle,
    pub(crate) mailbox: Mailbox,
    pub(crate) inbox: mpsc::UnboundedReceiver<Message>,
    pub(crate) messages: mpsc::UnboundedSender<Message>,
    pub(crate) end: Option<End>,
    /// A process has ended since the rule of `exit_when` was looked at.
    pub(crate) something_ended: bool,
    pub(crate) breath: Breath,
    /// It was said what to do when there are no descriptors for programs.
    pub(crate) advised: bool,
    /// What was said of programs that this kernel cannot confine as they should be.
    pub(crate) warned: BTreeSet<String>,
    /// The status of an end in order.
    pub(crate) exit_status: u8,
    pub(crate) next_call: u64,
    next_token: u64,
    /// The keeper holds lines of the log.
    pub(crate) journal_held: bool,
    pub(crate) losses: HeldLosses,
    pub(crate) thrift: Thrift,
    /// The second in which all processes were last asked for.
    pub(crate) asked_for_all: Option<i64>,
    /// Starts that wait until earlier ones are answered.
    pub(crate) later: VecDeque<(RunId, Box<Prepared>)>,
    /// The last time that something was done.
    worked_at: Instant,
    /// Until memory may be given back: one timer, since each that is made anew costs a system call.
    rest: Pin<Box<Sleep>>,
    /// Room for health checks.
    pub(crate) checks: Room,
    /// Words of processes that are heard, until what follows from them is written down.
    taken: Vec<oneshot::Sender<()>>,
    /// Names of sockets of runs that have ended.
    pub(crate) gone_sockets: GoneSockets,
    /// Requests whose clients the keeper holds.
    pub(crate) held_clients: BTreeMap<CallId, HeldClient>,
    pub(crate) measuring: Measuring,
    pub(crate) cgroups: Cgroups,
    pub(crate) planned: Planned,
    /// Looks at files, if any program watches some.
    pub(crate) watching: Option<Box<Watching>>,
    /// What files are like, to be written down.
    pub(crate) seen_files: Vec<(Arc<str>, Seen)>,
    /// Who has older options than its group.
    pub(crate) behind: Behind,
    /// What the keeper has of rolling restarts.
    pub(crate) rolling_record: Growing,
    /// What clients wait for.
    pub(crate) changes: Changes,
    /// What the keeper is to hold and has not been sent.
    pub(crate) unsent: Unsent,
}

/// What a shell is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) link: KeeperLink,
    pub(crate) keeper_pid: u32,
    /// What the keeper says of its version.
    pub(crate) keeper_speaks: u16,
    pub(crate) heritage: Heritage,
    pub(crate) engine: Engine,
    /// For those who follow logs.
    pub(crate) news: LogNews,
    pub(crate) cli: CommandLine,
    pub(crate) program: String,
    pub(crate) generations: Generations,
    pub(crate) inbox: mpsc::UnboundedReceiver<Message>,
    pub(crate) messages: mpsc::UnboundedSender<Message>,
}

/// The present, from both clocks.
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Now { mono: Mono(upkeep_os::monotonic_ns()), wall: i64::try_from(wall).unwrap_or(i64::MAX) }
}

impl Shell {
    pub(crate) fn new(parts: Parts) -> Self {
        let (handle, mailbox) = upkeep_api::mailbox(BATCH);
        let environment = crate::environment::inherited();
        let context = {
            let Parts { generations, program, .. } = &parts;
            crate::environment::context(generations, &environment, program, &Standing::default())
        };
        Self {
            core: Supervisor::new(),
            link: parts.link,
            keeper_pid: parts.keeper_pid,
            keeper_speaks: parts.keeper_speaks,
            heritage: parts.heritage,
            keeper_process: KeeperProcess::of(parts.keeper_pid),
            keeper_gone: false,
            upgrade: None,
            last_upgrade: None,
            told_upgrade: 0,
            half: Half::default(),
            signals: BTreeMap::new(),
            engine: parts.engine,
            news: parts.news,
            cli: parts.cli,
            program: parts.program,
            environment,
            generations: parts.generations,
            applied: Applied::default(),
            active: ActiveGroups::default(),
            record: Growing::default(),
            unsaved: Unsaved::default(),
            logs: LogTable::new(),
            context,
            runs: BTreeMap::new(),
            undrained: Undrained::default(),
            askers: BTreeMap::new(),
            answers: Vec::new(),
            renewals: BTreeMap::new(),
            next_renewal: 0,
            renewing: Vec::new(),
            tokens: BTreeMap::new(),
            listening: Listening::default(),
            listeners: Listeners::default(),
            schedules: Schedules::default(),
            sockets: Sockets::default(),
            leaving: Vec::new(),
            kept: BTreeMap::new(),
            stuck: BTreeMap::new(),
            preparing: BTreeSet::new(),
            familiar: Familiar::default(),
            reading: Reading::default(),
            naming_logs: Reading::default(),
            captures: BTreeSet::new(),
            capture_leases: Vec::new(),
            standing: Standing::default(),
            reloading: false,
            restarts_waiting: Vec::new(),
            pidfile_written: false,
            pidfile_retry: None,
            run_file: None,
            register: None,
            passage: None,
            new_passage: None,
            refused_at: None,
            label_width: Cell::new(None),
            unheld: Vec::new(),
            daemonised: Daemonised::default(),
            handle,
            mailbox,
            inbox: parts.inbox,
            messages: parts.messages,
            end: None,
            something_ended: false,
            breath: Breath::default(),
            advised: false,
            warned: BTreeSet::new(),
            exit_status: 0,
            next_call: 0,
            next_token: 0,
            journal_held: false,
            losses: HeldLosses::default(),
            thrift: Thrift::default(),
            asked_for_all: None,
            later: VecDeque::new(),
            worked_at: Instant::now(),
            rest: Box::pin(tokio::time::sleep(Duration::ZERO)),
            checks: Room::default(),
            taken: Vec::new(),
            gone_sockets: GoneSockets::default(),
            held_clients: BTreeMap::new(),
            measuring: Measuring::default(),
            cgroups: Cgroups::default(),
            planned: Planned::default(),
            watching: None,
            seen_files: Vec::new(),
            behind: Behind::new(),
            rolling_record: Growing::default(),
            changes: Changes::default(),
            unsent: Unsent::default(),
        }
    }

    /// Serves until the end.
    pub(crate) async fn run(&mut self) -> End {
        self.breath.serves = true;
        self.read_link();
        loop {
            self.carry_out().await;
            self.follow_exit_rule();
            self.carry_out().await;
            self.save_seen_files();
            self.remove_vacant_cgroups();
            self.save_plans();
            self.flush_link();
            self.follow_schedules();
            self.catch_up();
            self.succeed().await;
            if !self.link.has_waiting() {
                self.taken.clear();
                self.give_answers();
            }
            self.breath.serves = self.end.is_none();
            // Even at the end: the next daemon does not know of them.
            if self.take_postponed() {
                continue;
            }
            if let Some(end) = self.end {
                return end;
            }
            // While the keeper always has something to tell, and then the log thread, nothing else comes in `wait`, nor do the
            // tasks of clients come to anything.
            tokio::task::yield_now().await;
            if self.take_calls(None).is_some() {
                self.look_around().await;
            } else {
                self.wait().await;
            }
            // A flood of messages must not keep the clock from being looked at: it comes last in `wait`.
            if self.core.next_deadline().is_some_and(|at| at <= now().mono) {
                self.tell(Input::Tick);
            }
        }
    }

    /// Takes in what has happened, without waiting.
    async fn look_around(&mut self) {
        tokio::select! {
            biased;
            () = self.wait() => {}
            () = std::future::ready(()) => {}
        }
    }

    /// Waits for something to happen, then takes in all that has. Whoever only asks is answered meanwhile.
    pub(crate) async fn wait(&mut self) {
        while self.wait_once().await {
            // Many who ask must not keep the clock from being looked at, nor what is tried again or done bit by bit: that
            // comes last.
            let is_late = self.core.next_deadline().is_some_and(|at| at <= now().mono);
            let is_behind = !self.unheld.is_empty() || self.schedules.failing;
            if is_late || is_behind || self.has_to_try_again() {
                return;
            }
        }
    }

    /// Waits for something to happen, and takes it in; whether nothing is left to be done about it.
    async fn wait_once(&mut self) -> bool {
        let deadline = self.core.next_deadline();
        tokio::select! {
            biased;
            () = self.link.readable() => self.read_link(),
            () = self.link.writable() => {}
            Some(message) = self.inbox.recv() => {
                self.take(message);
                self.take_more_messages();
            }
            Some(call) = self.mailbox.recv() => {
                if self.take_calls(Some(call)) == Some(Calls::OnlyAsk) && self.answers.is_empty() {
                    return true;
                }
            }
            _ = self.listeners.alarm.rings(), if self.listeners.alarm.is_set() => self.alarm_rang(),
            rang = self.schedules.alarm.rings(), if self.schedules.alarm.is_set() => self.schedule_rang(rang),
            () = sleep_until(deadline), if deadline.is_some() => self.tell(Input::Tick),
            () = &mut self.rest, if self.thrift.wait().is_some() => {
                self.rested();
                // Nothing follows from that, and a whole turn would take back what was let go.
                return true;
            }
            () = tokio::time::sleep(recovery::PAUSE), if !self.unheld.is_empty() => {}
            () = again(), if self.has_to_try_again() => {}
        }
        false
    }

    /// The timer has run out: memory is given back if nothing was done meanwhile, else it is waited for that much longer.
    fn rested(&mut self) {
        let Some(quiet) = self.thrift.wait() else { return };
        let mut since = self.worked_at;
        if since.elapsed() >= quiet {
            self.handle.board().clear();
            self.thrift.give_back(self.listening.connected.nobody());
            since = Instant::now();
        }
        if let Some(quiet) = self.thrift.wait() {
            self.rest.as_mut().reset(since + quiet);
        }
    }

    /// There is something to give back earlier than the timer would run out.
    pub(crate) fn rest_soon(&mut self) {
        if let Some(quiet) = self.thrift.wait() {
            self.rest.as_mut().reset(self.worked_at + quiet);
        }
    }

    fn take_more_messages(&mut self) {
        for _ in 1..BATCH {
            let Ok(message) = self.inbox.try_recv() else { return };
            self.take(message);
        }
    }

    /// Takes in this one and those that wait behind it; `None` if there were none.
    fn take_calls(&mut self, mut first: Option<Call>) -> Option<Calls> {
        let mut taken = None;
        for _ in 0..BATCH {
            let Some(call) = first.take().or_else(|| self.mailbox.try_recv().ok()) else { break };
            let asks = only_asks(&call.request) && taken != Some(Calls::Act);
            taken = Some(if asks { Calls::OnlyAsk } else { Calls::Act });
            self.take_call(call);
        }
        taken
    }

    pub(crate) fn take(&mut self, message: Message) {
        self.handle.board().clear();
        match message {
            Message::Log(event) => self.log_event(event),
            Message::Prepared { run, result } => self.prepared(run, result),
            Message::Overdue { run } => self.overdue(run),
            Message::Checked { targets, many, asked, wait, reply } => {
                self.start_checked(targets, many, asked, wait, reply);
            }
            Message::Reread { result, back, reply } => self.reread_done(result, back, reply),
            Message::History(told) => self.history_told(told),
            Message::RestartChecked { result, reply } => self.restart_checked(result, reply),
            Message::Kept { result, reply } => self.keep_ready(result, reply),
            Message::Told { answer, reply } => self.respond(reply, answer),
            Message::Reloaded { answer, reply } => self.reloaded(answer, reply),
            Message::Named { spec, generation, update, result, reply } => {
                self.group_named(*spec, generation, update, result, reply);
            }
            Message::Candidate { path, result, reply } => self.candidate(path, result, reply),
            Message::LookWhetherToLeave => self.leave_if_idle(),
            Message::Queue(told) => self.queue_told(told),
            Message::Noticed(noticed) => self.files_noticed(noticed),
            Message::Found { run, number, finding } => self.check_over(run, number, finding),
            Message::Heard { run, what, taken } => {
                self.words_heard(run, what);
                self.taken.push(taken);
            }
            Message::Suspected(suspect) => self.suspected(*suspect),
            Message::Measured { run, memory } => self.tell(Input::Measured { run, memory }),
            Message::NotMeasured { run, why } => self.not_measured(run, why),
            Message::Vacated { left } => self.vacated(left),
            Message::Sinks { run, number, sinks } => self.new_sinks(run, number, sinks),
        }
    }

    pub(crate) fn take_call(&mut self, call: Call) {
        // Nothing is done for that.
        if !matches!(call.request, Request::LogPath { .. }) {
            self.thrift.served();
            self.worked_at = Instant::now();
        }
        self.answer(call.request, call.reply);
    }

    /// Tells the core something that is true now.
    pub(crate) fn tell(&mut self, input: Input) {
        self.handle.board().clear();
        self.thrift.worked();
        self.worked_at = Instant::now();
        self.core.handle(now(), input);
    }

    /// Asks the core, and remembers who waits for the answer.
    pub(crate) fn ask(&mut self, request: upkeep_core::Request, purpose: Purpose, reply: Responder) {
        let call = self.ask_alone(request, purpose, reply);
        self.hold_client(call);
    }

    /// The same; what the client waits for is not written down yet.
    pub(crate) fn ask_alone(
        &mut self,
        request: upkeep_core::Request,
        purpose: Purpose,
        reply: Responder,
    ) -> CallId {
        let call = reply.held().map_or_else(
            || {
                self.next_call += 1;
                CallId(self.next_call)
            },
            CallId,
        );
        self.askers.insert(call, Asker { reply, purpose });
        self.tell(Input::Request { call, request });
        call
    }

    /// A token for the log thread, and where its answer will come.
    pub(crate) fn new_token(&mut self) -> (u64, oneshot::Receiver<bool>) {
        self.next_token += 1;
        let (done, answer) = oneshot::channel();
        self.tokens.insert(self.next_token, done);
        (self.next_token, answer)
    }

    /// Sends a frame to the keeper, without descriptors. It goes out with the others of this turn.
    pub(crate) fn send(&mut self, frame: &ToKeeper) {
        self.send_with(frame, &[]);
    }

    /// Sends a frame to the keeper, with duplicates of these descriptors.
    pub(crate) fn send_with(&mut self, frame: &ToKeeper, fds: &[BorrowedFd<'_>]) {
        if let Err(error) = self.link.send(frame, fds) {
            self.log(Level::Critical, format!("the keeper cannot be told something: {error}"));
        }
    }

    /// A line for the daemon's log.
    pub(crate) fn log(&self, level: Level, text: impl Into<String>) {
        self.engine.journal(level, text.into());
    }

    pub(crate) fn flush_link(&mut self) {
        self.send_unsent();
        self.hold_unwritten();
        if self.breath.serves {
            // An event that goes to a listener, or comes back, must be known to be in one place.
            self.save_buffers();
        }
        if self.link.flush().is_err() {
            return self.keeper_lost();
        }
        if !self.link.has_waiting() {
            self.capture_leases.clear();
            self.use_new_passage();
            self.tell_listeners();
        }
    }
}

async fn sleep_until(deadline: Option<Mono>) {
    let Some(deadline) = deadline else { return };
    let wait: Duration = deadline.since(Mono(upkeep_os::monotonic_ns()));
    tokio::time::sleep_until(Instant::now() + wait).await;
}
