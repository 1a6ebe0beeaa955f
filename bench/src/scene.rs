//! One contender at work: started, looked at, ended.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::ask::{Client, request};
use crate::census::{Census, is_worker};
use crate::contender::{Contender, Kind};
use crate::proc::{children, comm, cpu_ms, pss_mib, wakeups};
use crate::programs::Programs;
use crate::{Outcome, because};

/// After so long everybody has done with what was, and has given back what that took.
pub const QUIET: Duration = Duration::from_secs(1);

/// From how many processes on a job is bare.
pub const BARE: usize = 10_000;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Job {
    /// How many processes.
    pub processes: usize,
    /// `startsecs`, in seconds.
    pub startsecs: u32,
    /// Bytes that each process writes, and the size at which a log is rotated.
    pub output: Option<(u64, u64)>,
}

impl Job {
    /// Processes that do nothing.
    #[must_use]
    pub fn idle(processes: usize, startsecs: u32) -> Self {
        Self { processes, startsecs, output: None }
    }

    /// Whether there are so many that each gets no more than it must: nothing to read, one pipe for what it writes, and no log.
    /// With all that a process usually has they need more descriptors than most machines let a process have.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.processes >= BARE
    }

    /// What the worker is told.
    #[must_use]
    pub fn worker_args(&self, home: &Path) -> Vec<String> {
        match self.output {
            None => Vec::new(),
            Some((bytes, _)) => {
                vec!["write".into(), bytes.to_string(), home.join("gate").display().to_string()]
            }
        }
    }
}

/// A contender that does a job in a directory of its own. Dropped, it is killed with all that it started.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Who works here.
    pub contender: &'a Contender,
    /// What it does.
    pub job: Job,
    /// Its directory.
    pub home: PathBuf,
    /// When it was started.
    pub begun: Instant,
    programs: &'a Programs,
    main: Child,
    patience: Duration,
}

impl<'a> Scene<'a> {
    /// Starts a contender.
    ///
    /// # Errors
    /// Its files cannot be written, or it cannot be executed.
    pub fn start(
        contender: &'a Contender,
        job: Job,
        home: &Path,
        programs: &'a Programs,
        patience: Duration,
    ) -> Outcome<Self> {
        let _ = fs::remove_dir_all(home);
        fs::create_dir_all(home.join("logs")).map_err(because("cannot make a directory"))?;
        fs::write(home.join("conf"), configuration(&job, home, &programs.worker)).map_err(because("conf"))?;
        if job.output.is_some() {
            make_gate(&home.join("gate"))?;
        }
        let said = fs::File::create(home.join("stderr")).map_err(because("stderr"))?;
        let mut command = contender.command(&job, home, programs);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let begun = Instant::now();
        let main = command.spawn().map_err(because(&contender.name))?;
        let home = home.to_owned();
        Ok(Self { contender, job, home, begun, programs, main, patience })
    }

    /// The process that was started.
    #[must_use]
    pub fn main_pid(&self) -> i32 {
        self.main.id().cast_signed()
    }

    /// Upkeep's daemon, a child of its keeper.
    #[must_use]
    pub fn daemon_pid(&self) -> Option<i32> {
        let ours = || {
            children(self.main_pid()).into_iter().find(|&pid| comm(pid).as_deref() == Some("upkeep-daemon"))
        };
        if self.contender.kind == Kind::Upkeep { ours() } else { None }
    }

    /// How long anything may take here.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// A count of its workers, begun anew.
    #[must_use]
    pub fn census(&self) -> Census {
        Census::new(self.main_pid(), self.job.processes)
    }

    /// A client of its socket.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.home.join("sock"), self.patience)
    }

    /// Runs what a person runs to see who lives, and gives its output.
    ///
    /// # Errors
    /// It fails.
    pub fn status(&self) -> Outcome<Vec<u8>> {
        let done = self.contender.status(&self.home, self.programs).stdin(Stdio::null()).output();
        let done = done.map_err(because("status"))?;
        if done.status.success() { Ok(done.stdout) } else { Err(format!("status: {}", done.status)) }
    }

    /// Memory of the whole contender, in MiB.
    ///
    /// # Errors
    /// It is gone.
    pub fn pss_mib(&self) -> Outcome<f64> {
        self.all(pss_mib)
    }

    /// CPU time of the whole contender, in milliseconds.
    ///
    /// # Errors
    /// It is gone.
    pub fn cpu_ms(&self) -> Outcome<f64> {
        self.all(cpu_ms)
    }

    /// Wake-ups of the whole contender.
    ///
    /// # Errors
    /// It is gone.
    pub fn wakeups(&self) -> Outcome<f64> {
        self.all(wakeups)
    }

    fn all(&self, of: impl Fn(i32) -> Outcome<f64>) -> Outcome<f64> {
        let daemon = self.daemon_pid().map_or(Ok(0.0), &of)?;
        Ok(of(self.main_pid())? + daemon)
    }

    /// Waits until it works: every process lives, the socket answers.
    ///
    /// # Errors
    /// It does not in time.
    pub fn settled(&self) -> Outcome<()> {
        self.census().complete(self.patience)?;
        self.client().insist(&request("supervisor.getState", ""))?;
        std::thread::sleep(QUIET);
        Ok(())
    }

    /// Ends it the way users do, and says how long that took.
    ///
    /// # Errors
    /// It does not end in time, or leaves a process behind.
    pub fn shut_down(mut self) -> Outcome<Duration> {
        let workers = self.census().look();
        let begin = Instant::now();
        signal(self.main_pid(), Signal::TERM);
        while self.main.try_wait().map_err(because("wait"))?.is_none() {
            if begin.elapsed() > self.patience {
                return Err(format!("{} has not ended after {:?}", self.contender.name, self.patience));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        let took = begin.elapsed();
        let left: Vec<i32> = workers.into_iter().filter(|&pid| is_worker(pid)).collect();
        left.iter().for_each(|&pid| signal(pid, Signal::KILL));
        if left.is_empty() {
            Ok(took)
        } else {
            Err(format!("{} left {} processes", self.contender.name, left.len()))
        }
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        let mut all = children(self.main_pid());
        if matches!(self.main.try_wait(), Ok(None)) {
            // Halted first: keeper and daemon start each other anew.
            all.push(self.main_pid());
            all.extend(self.daemon_pid());
            all.iter().for_each(|&pid| signal(pid, Signal::STOP));
            all.iter().for_each(|&pid| signal(pid, Signal::KILL));
            let _ = self.main.wait();
            remove_registers(&self.home);
        }
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// A keeper that is killed leaves the register of its children in memory, for a next one that here never comes. It begins with the
/// place of the run file.
fn remove_registers(home: &Path) {
    let place = home.as_os_str().as_bytes();
    for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let mut title = [0; 4096];
        let is_ours = entry.file_name().as_bytes().starts_with(b"upkeep-")
            && File::open(entry.path()).and_then(|mut file| file.read(&mut title)).is_ok()
            && title.windows(place.len()).any(|part| part == place);
        if is_ours {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Sends a signal; whoever is gone has no need of it.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn make_gate(path: &Path) -> Outcome<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).map_err(because("mkfifo"))
}

fn configuration(job: &Job, home: &Path, worker: &Path) -> String {
    let home = home.display();
    let server = format!(
        "[supervisord]\nlogfile={home}/main.log\npidfile={home}/pid\nchildlogdir={home}/logs\nnodaemon=true\n\
         minfds={}\n[unix_http_server]\nfile={home}/sock\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://{home}/sock\n",
        descriptors(job),
    );
    if job.processes == 0 { server } else { server + &program(job, home, worker) }
}

fn program(job: &Job, home: std::path::Display<'_>, worker: &Path) -> String {
    let path = Path::new("").join(home.to_string());
    let mut text = format!(
        "[program:s]\ncommand={} {}\nprocess_name=s%(process_num)05d\nnumprocs={}\nstartsecs={}\nautorestart=true\n\
         redirect_stderr=true\n",
        worker.display(),
        job.worker_args(&path).join(" "),
        job.processes,
        job.startsecs,
    );
    if job.is_bare() {
        text += "stdin=null\nstdout_logfile=NONE\n";
    } else {
        text += &format!("stdout_logfile={home}/logs/%(process_num)05d.log\n");
    }
    if let Some((_, rotated)) = job.output {
        text += &format!("stdout_logfile_maxbytes={rotated}\nstdout_logfile_backups=100\n");
    }
    text
}

/// What the configuration asks for (`minfds`): two pipes and a log for each process, or one pipe. No more, since Supervisor closes as
/// many in every child.
fn descriptors(job: &Job) -> usize {
    let each = if job.is_bare() { 1 } else { 3 };
    (job.processes * each + 200).max(1024)
}
