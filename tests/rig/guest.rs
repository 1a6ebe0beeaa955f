//! A guest: a Linux of its own in which a test is root, for what the kernel beneath may not offer, such as controllers of control groups.
//!
//! It is User-Mode Linux, an ordinary process (Debian's package `user-mode-linux`). It sees all files of this machine and may write none but
//! those of the test's own folder. A test that is about the guest runs twice, first here, where it boots the guest, then in there:
//!
//! ```ignore
//! #[test]
//! fn groups_are_made() {
//!     in_guest(groups_are_made, |guest| { .. });
//! }
//! ```

use std::any::type_name;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::home::Home;
use super::maker::{Maker, SUBJECT};
use super::run::{ended, plain_environment};

/// The kernel.
const KERNEL: &str = "linux.uml";
/// Memory of the guest; only what it uses is taken.
const MEMORY: &str = "mem=512M";
/// How long a guest may take before it is killed.
const LIMIT: Duration = Duration::from_secs(100);
/// How long the test in it may take, which then can still say so; also if who booted it was killed.
const LIMIT_INSIDE: Duration = Duration::from_secs(80);
/// Names the folder of the guest, in the guest.
const INSIDE: &str = "UPKEEP_TEST_GUEST";

/// What a test has in a guest.
pub(crate) struct Guest {
    folder: PathBuf,
}

impl Guest {
    /// A folder on a disk. Temporary folders of the guest are in its memory: there alone are sockets possible.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }
}

/// Does `work` in a guest; `test` is the test that calls this. Fails as the work does. On processors that the kernel is not made for there
/// is no guest, and nothing is done.
pub(crate) fn in_guest<T: FnOnce()>(test: T, work: impl FnOnce(&Guest)) {
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    match std::env::var_os(INSIDE) {
        Some(folder) => work(&Guest { folder: folder.into() }),
        None => boot(&name_of(&test)),
    }
}

/// The name of a test as the test program knows it.
fn name_of<T>(_test: &T) -> String {
    let path = type_name::<T>();
    path.split_once("::").map_or(path, |(_, name)| name).to_owned()
}

fn boot(test: &str) {
    let home = Home::new();
    for folder in ["disk", "tmp", "kernel"] {
        std::fs::create_dir(home.join(folder)).expect("a folder");
    }
    let all_may_enter = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(home.path(), all_may_enter).expect("a mode");
    home.write("init", &init(&home, test));
    let mut kernel = Kernel::start(&home);
    let end = ended(&mut kernel.0, LIMIT);
    let (said, log) = (home.read("disk/said"), home.read("kernel/log"));
    assert!(
        home.read("disk/status") == "0\n" && said.contains("1 passed"),
        "{test} in a guest (it ended: {end:?}):\n{said}\n{KERNEL} said:\n{log}"
    );
}

/// What the first process of the guest does: it puts the program where every user may execute it, runs the test, and switches the guest off,
/// also if the test hangs.
fn init(home: &Home, test: &str) -> String {
    let program = std::env::current_exe().expect("the test program").display().to_string();
    let tested = Maker::Upkeep.program("supervisord").display().to_string();
    let (folder, limit) = (home.path().display(), LIMIT_INSIDE.as_secs());
    format!(
        "#!/bin/sh\n\
         mount -t proc proc /proc\n\
         mount -t sysfs sys /sys\n\
         mount -t hostfs -o {folder}/disk disk {folder}/disk\n\
         exec >{folder}/disk/said 2>&1\n\
         mount -t tmpfs run /run\n\
         mount -t tmpfs tmp {folder}/tmp\n\
         mount -t cgroup2 cgroup /sys/fs/cgroup\n\
         mkdir {folder}/tmp/bin\n\
         >{folder}/tmp/bin/upkeep; mount --bind '{tested}' {folder}/tmp/bin/upkeep\n\
         for name in supervisord supervisorctl echo_supervisord_conf pidproxy; do ln -s upkeep {folder}/tmp/bin/$name; done\n\
         off() {{ sync; echo o >/proc/sysrq-trigger; }}\n\
         (sleep {limit}; echo 'it took too long'; off) &\n\
         TMPDIR={folder}/tmp {SUBJECT}={folder}/tmp/bin {INSIDE}={folder} '{program}' --exact {test} --nocapture\n\
         echo $? >{folder}/disk/status\n\
         off\n\
         exec sleep {limit}\n"
    )
}

/// The kernel's process, the leader of a session of its own. It and all that it has started are killed at the end.
struct Kernel(Child);

impl Kernel {
    fn start(home: &Home) -> Kernel {
        let init = home.join("init");
        std::fs::set_permissions(&init, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
        let log = File::create(home.join("kernel/log")).expect("a file");
        let mut command = Command::new(KERNEL);
        plain_environment(&mut command);
        // Where it keeps its memory, and its own notes.
        command.envs(["TMPDIR", "HOME"].map(|name| (name, home.join("kernel"))));
        command.args([MEMORY, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "panic=1"]);
        command.args(["con=null", "con0=null,fd:1", "quiet"]).arg(format!("init={}", init.display()));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor")).stderr(log);
        let kernel = command.spawn();
        Kernel(kernel.unwrap_or_else(|error| {
            panic!("{KERNEL}, of user-mode-linux, which `cargo xtask setup` installs on x86_64: {error}")
        }))
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.0);
        if self.0.try_wait().ok().flatten().is_some_and(|status| status.success()) {
            return;
        }
        // It leads no group if it has only begun.
        let _ = kill_process_group(pid, Signal::KILL);
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
