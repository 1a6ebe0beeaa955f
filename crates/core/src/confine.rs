//! What a program is confined to from its start on: limits, priorities, privileges, what it may write.

/// The options that a child has before it executes its program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// `rlimit_*`.
    pub rlimits: Vec<Rlimit>,
    /// `nice`, −20 to 19.
    pub nice: Option<i32>,
    /// `ionice`.
    pub ionice: Option<Ionice>,
    /// `oom_score_adj`, −1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// `no_new_privileges`. Default false.
    pub no_new_privileges: bool,
    /// `capability_bounding_set`, as bits: all that it may ever have.
    pub capability_bounding_set: Option<u64>,
    /// `ambient_capabilities`, as bits: what it has whoever it is. Default none.
    pub ambient_capabilities: u64,
    /// `cgroup` and its limits.
    pub cgroup: Option<Cgroup>,
    /// `private_tmp`. Default false.
    pub private_tmp: bool,
    /// `writable_paths`: beneath these alone may it write; empty is everywhere.
    pub writable_paths: Vec<String>,
}

/// The control group that it joins, with all copies of its program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// `cgroup`: its folder.
    #[doc(alias = "cgroup")]
    pub folder: String,
    /// `cpu_limit`: percent of one processor.
    pub cpu_limit: Option<u32>,
    /// `pids_limit`: processes and threads.
    pub pids_limit: Option<u32>,
}

/// One `rlimit_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// Of what.
    pub resource: Resource,
    /// What is enforced; `None` is unlimited.
    pub soft: Option<u64>,
    /// What the program may raise that to; `None` is unlimited.
    pub hard: Option<u64>,
}

/// `ionice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ionice {
    /// Before everybody else; 0 is first, 7 last.
    Realtime(u8),
    /// As usual; 0 is first, 7 last.
    BestEffort(u8),
    /// When nobody else wants the disk.
    Idle,
}

/// What a resource limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

macro_rules! resources {
    ($($variant:ident $key:literal $unit:ident $help:literal;)*) => {
        /// What a resource limit is about (getrlimit(2)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Resource {
            $(#[doc = $help] $variant,)*
        }

        impl Resource {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The option of it.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)* }
            }

            /// What it counts.
            #[must_use]
            pub fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)* }
            }
        }
    };
}

resources! {
    Nofile "rlimit_nofile" Count "Open files.";
    Nproc "rlimit_nproc" Count "Processes and threads of its user.";
    Core "rlimit_core" Bytes "Core files.";
    Fsize "rlimit_fsize" Bytes "Files that it writes.";
    Stack "rlimit_stack" Bytes "The stack.";
    Memlock "rlimit_memlock" Bytes "Memory that is locked.";
    As "rlimit_as" Bytes "Address space.";
    Cpu "rlimit_cpu" Seconds "Processor time.";
}
