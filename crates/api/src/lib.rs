//! The one list of verbs: what can be asked of the daemon, what it answers, and how that travels.
//!
//! Every dialect (XML-RPC, JSON, web pages, the command line) turns its input into a [`Request`], sends it through a
//! [`Handle`] and renders the [`Reply`] or [`Fault`] that comes back. Nobody outside the daemon knows more of it
//! than this.

#![forbid(unsafe_code)]

mod apart;
mod fault;
mod file_id;
mod handle;
mod info;
mod processes;
mod verb;
pub mod verbs;
pub mod xmlrpc;

pub use apart::apart;
pub use fault::{Fault, FaultCode};
pub use file_id::{FileId, NoFileId};
pub use handle::{Board, Call, Handle, Mailbox, Responder, Socket, mailbox};
pub use info::{
    ActionResult, Channel, ConfigFile, ConfigGeneration, ConfigInfo, DaemonState, GroupUpdate, HealthInfo,
    KeptReload, Listener, ListenerPool, LogFile, LogLoss, LogTail, OutputInfo, PlannedCause, PlannedChange,
    PlannedDependant, ProcessInfo, ProcessState, Reread, RollingInfo, RollingMember, RollingProgress,
    ScheduleInfo, Setting, UpgradeState,
};
pub use processes::{ProcessList, ProcessView, SharedList};
pub use verb::{Reply, Request};

/// Version of the XML-RPC interface (RPC-070).
pub const API_VERSION: &str = "3.0";
/// The version of Supervisor that this one stands in for (D-65).
pub const SUPERVISOR_VERSION: &str = "4.3.0";
