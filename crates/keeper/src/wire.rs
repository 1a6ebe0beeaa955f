//! What keeper and daemon say to each other: versioned, length-prefixed frames with descriptors beside them.
//!
//! A frame is: length of what follows (u32), version (u16), kind (u16), number of descriptors (u16), body. Integers are
//! little-endian; byte strings have a u32 length in front. Descriptors travel as SCM_RIGHTS with the frame's first
//! bytes and belong to frames in order. A kind that is not known is skipped, and bytes behind the known fields of a body
//! are ignored, so that a keeper understands daemons newer than itself: kinds keep their numbers, fields are only added at
//! the end of a body.

mod body;
mod buffer;
mod restraint;
mod to_daemon;
mod to_keeper;

use std::fmt;

use upkeep_os::Strings;

pub(crate) use body::{Reader as BodyReader, Writer as BodyWriter};
pub use buffer::{Incoming, Outgoing};
pub(crate) use to_daemon::{read_exit, write_exit};
pub use upkeep_os::spawn::{Restraint, What};

/// Version of the frames.
pub const VERSION: u16 = 1;
/// What a keeper of this version says in its `Welcome`.
pub const SPOKEN: u16 = 2;
/// Keepers that say less would start a program without what [`SpawnPlan::restraints`] asks for.
pub const RESTRAINS: u16 = 2;
/// Under this name daemons give the register of births to hold (`upkeep_os::spawn::register`), in which children then write
/// themselves down.
pub const REGISTER: &str = "register";
/// Longest frame. A child's arguments and environment fit: the kernel takes at most 6 MiB by default.
pub const MAX_FRAME: usize = 16 << 20;

/// Bytes before the body.
const HEADER: usize = 10;

/// Something that is not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Longer than [`MAX_FRAME`], or shorter than a header.
    Length(usize),
    /// A body ends in the middle of a field.
    Truncated,
    /// A field has a value that means nothing.
    Value,
    /// The frame announces descriptors that did not come.
    Descriptors,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(f, "a frame of {length} bytes"),
            Self::Truncated => f.write_str("a frame that ends in the middle of a field"),
            Self::Value => f.write_str("a frame with a field that means nothing"),
            Self::Descriptors => f.write_str("a frame without its descriptors"),
        }
    }
}

impl std::error::Error for WireError {}

impl From<WireError> for std::io::Error {
    fn from(error: WireError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

/// What the daemon asks of the keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToKeeper {
    /// Start a program; answered by `Spawned` or `SpawnFailed`. One descriptor if `stdin` is attached.
    Spawn {
        /// The daemon's number for this child, never used before.
        run: u64,
        /// The program.
        plan: SpawnPlan,
    },
    /// Send a signal to a child that has not been reaped; answered by `Signalled`.
    Signal {
        /// Names it in the answer.
        token: u64,
        /// Which child.
        run: u64,
        /// Which signal; 0 only asks.
        signo: i32,
        /// To its process group.
        group: bool,
    },
    /// Keep this for the next daemon.
    Put {
        /// Its name.
        key: u64,
        /// Anything.
        value: Vec<u8>,
    },
    /// Forget what was put.
    Delete {
        /// Its name.
        key: u64,
    },
    /// The exit is handled and the pipes are empty: forget the child. Ignored while it lives.
    Release {
        /// Which.
        run: u64,
    },
    /// Close the duplicate of the child's standard input, so that it sees the end when the daemon closes its own.
    CloseStdin {
        /// Which child.
        run: u64,
    },
    /// Keep this descriptor for the next daemon; answered by `NotHeld` if there is no room for it.
    Hold {
        /// Its name.
        name: String,
    },
    /// Let go of a descriptor.
    Unhold {
        /// Its name.
        name: String,
    },
    /// The daemon serves.
    Ready {
        /// Go into the background; only the first counts.
        detach: Option<Detach>,
    },
    /// The daemon is about to end on purpose: end with this status too.
    Quit {
        /// The status.
        code: u8,
    },
    /// A `SignalReceived` has arrived; until then the next daemon would be told again. [`crate::Link`] says it by itself.
    Seen {
        /// Which signal.
        signo: i32,
    },
    /// Cut what was put to its first `keep` bytes and add these; for what grows in small pieces.
    Extend {
        /// Its name.
        key: u64,
        /// How many bytes stay; all, if there are fewer.
        keep: u64,
        /// What is added.
        value: Vec<u8>,
    },
    /// Take care of a child that an earlier keeper made. Descriptors, those that are there: the process itself
    /// (pidfd_open(2)), then its pipes as in [`ToDaemon::Child`]. One that has neither ended nor a descriptor has ended
    /// unseen.
    Adopt {
        /// Its number.
        run: u64,
        /// Its pid.
        pid: u32,
        /// When it was forked, CLOCK_MONOTONIC.
        start_ns: u64,
        /// How it ended, if it has.
        exited: Option<Exit>,
        /// A descriptor of the process comes.
        has_pidfd: bool,
        /// The write end of its standard input comes.
        has_stdin: bool,
        /// The read end of its standard output comes.
        has_stdout: bool,
        /// The read end of its standard error comes.
        has_stderr: bool,
    },
    /// The child of a `Spawn` that comes next gets the descriptor that comes, besides its standard ones.
    Lend {
        /// Its number.
        run: u64,
        /// What number the descriptor has there, above 2.
        number: i32,
    },
    /// Replace daemon and keeper by the program behind the descriptor that comes. Answered by `Leave` if that program
    /// understands what the keeper holds, and in the end by `Replaced`.
    Replace {
        /// Names it in the answers.
        token: u64,
        /// How long each step may take.
        patience_ns: u64,
    },
}

/// What going into the background means besides letting go of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detach {
    /// Where to go.
    pub directory: Option<Vec<u8>>,
    /// File mode creation mask.
    pub umask: Option<u32>,
}

/// A program to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnPlan {
    /// The executable.
    pub path: Vec<u8>,
    /// The arguments; the first is the name as written.
    pub argv: Vec<Vec<u8>>,
    /// `K=V`.
    pub env: Strings,
    /// Working directory; `None` is the keeper's.
    pub cwd: Option<Vec<u8>>,
    /// File mode creation mask; `None` is the keeper's.
    pub umask: Option<u32>,
    /// Whom it becomes.
    pub user: UserPlan,
    /// Its standard input.
    pub stdin: StdinPlan,
    /// Standard error is standard output.
    pub stderr_to_stdout: bool,
    /// What is done to the child before; for keepers that know [`RESTRAINS`].
    pub restraints: Vec<Restraint>,
}

/// Whom a child becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserPlan {
    /// Stays who the keeper is.
    Keep,
    /// Becomes this user.
    Switch {
        /// User.
        uid: u32,
        /// Primary group.
        gid: u32,
        /// All groups, the primary one first.
        groups: Vec<u32>,
    },
    /// Says that it cannot, and ends.
    Refuse {
        /// The wanted user.
        uid: u32,
        /// Why not.
        reason: Vec<u8>,
    },
}

/// A child's standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdinPlan {
    /// A pipe from the daemon.
    Pipe,
    /// `/dev/null`.
    Null,
    /// The descriptor that comes with the frame.
    Attached,
}

/// What the keeper tells the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToDaemon {
    /// First of the inventory.
    Welcome {
        /// Version of the keeper's frames.
        wire_version: u16,
        /// The pid users know.
        keeper_pid: u32,
        /// 0 for the first daemon, one more for each.
        generation: u32,
        /// The keeper is in the background already.
        detached: bool,
    },
    /// What an earlier daemon put.
    Record {
        /// Its name.
        key: u64,
        /// Anything.
        value: Vec<u8>,
    },
    /// What an earlier daemon asked to hold; one descriptor.
    Held {
        /// Its name.
        name: String,
    },
    /// A child that was not released; its pipes' ends in this order, those that are there.
    Child {
        /// Its number.
        run: u64,
        /// Its pid.
        pid: u32,
        /// When it was forked, CLOCK_MONOTONIC.
        start_ns: u64,
        /// How it ended, if it has.
        exited: Option<Exit>,
        /// The write end of its standard input comes.
        has_stdin: bool,
        /// The read end of its standard output comes.
        has_stdout: bool,
        /// The read end of its standard error comes.
        has_stderr: bool,
    },
    /// Last of the inventory.
    InventoryEnd,
    /// A child exists. Descriptors: standard input (with [`StdinPlan::Pipe`]), output, error (unless the same).
    Spawned {
        /// Its number.
        run: u64,
        /// Its pid.
        pid: u32,
        /// When it was forked, CLOCK_MONOTONIC.
        at_ns: u64,
    },
    /// A child could not be made.
    SpawnFailed {
        /// Its number.
        run: u64,
        /// Why.
        errno: i32,
        /// Where.
        step: SpawnStep,
    },
    /// A child ended.
    Exited {
        /// Its number.
        run: u64,
        /// Its pid.
        pid: u32,
        /// How.
        exit: Exit,
    },
    /// A child that nobody asked for ended (an orphan, under pid 1).
    Reaped {
        /// Its pid.
        pid: u32,
        /// Raw wait status.
        status: i32,
    },
    /// What became of a signal.
    Signalled {
        /// Which.
        token: u64,
        /// 0 if it was sent.
        errno: i32,
    },
    /// The keeper received a signal. Not said again before `Seen`: signals are no queue (PROC-237).
    SignalReceived {
        /// Which.
        signo: i32,
    },
    /// Going into the background worked but for the directory.
    DetachFailed {
        /// Why.
        errno: i32,
    },
    /// A replacement can go on: the daemon shall end, and not say `Quit`.
    Leave {
        /// Which.
        token: u64,
    },
    /// What became of a replacement. Every later daemon is told of the last one.
    Replaced {
        /// Which.
        token: u64,
        /// Why everything is as it was before; `None` if it worked.
        failure: Option<Vec<u8>>,
    },
    /// There was no room for a descriptor that was to be held. What had that name before is held still.
    NotHeld {
        /// Its name.
        name: String,
    },
}

/// How and when a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Raw wait status (wait(2)).
    pub status: i32,
    /// When it was reaped, CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// User CPU time in microseconds.
    pub utime_us: u64,
    /// System CPU time in microseconds.
    pub stime_us: u64,
    /// Peak resident memory in KiB.
    pub maxrss_kib: u64,
}

/// Which step of making a child failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpawnStep {
    /// Making its pipes.
    Pipe,
    /// Forking.
    Fork,
    /// What this option asks for.
    Restrain(Vec<u8>),
}

/// A message that travels in a frame.
pub trait Message: Sized {
    /// Number of its kind.
    fn kind(&self) -> u16;

    /// Appends its body.
    fn write(&self, body: &mut BodyWriter);

    /// The message of this kind; `None` for a kind that is not known.
    ///
    /// # Errors
    /// The body is not one of this kind.
    fn decode(kind: u16, body: &mut BodyReader<'_>) -> Result<Option<Self>, WireError>;
}
