//! Reads configurations: from files and command lines to typed specs, with every problem found at once.
//!
//! # Theory of operation
//!
//! [`invocation()`] turns the arguments of `supervisord` into a [`CommandLine`]. [`Sources::read`] finds the
//! configuration file and reads it and what it includes: from then on the loader is pure over these bytes, the
//! [`Environment`] they came with and a [`World`] of users and directories. [`load()`] merges them into a document of
//! sections, every value with its file and line, expands and converts every value by its option's row, checks what
//! must agree, and yields a [`Config`]: what Supervisor 4.3.0 would make of the same files. It goes on after an error,
//! so a [`LoadError`] lists all of them; the first is the one Supervisor would have stopped at.
//!
//! [`check()`] is the same walk with warnings. The client's own section is read by [`ctl_invocation`].
//!
//! This crate starts no thread, opens no socket and writes nothing; it reads configuration files, `/etc/passwd` and
//! `/etc/group`. Nothing behind it looks an option up by name.

#![forbid(unsafe_code)]

mod check;
mod command_line;
mod compare;
mod contents;
mod convert;
mod cron;
mod ctl;
mod diagnostic;
mod dialect;
mod dotenv;
mod envfiles;
mod environment;
mod expand;
mod getopt;
mod graph;
mod implied;
mod inherit;
mod ini;
mod kept;
mod load;
mod names;
pub mod options;
mod python;
mod raw;
mod remembered;
mod sample;
mod schema;
mod search;
mod server;
mod settings;
pub mod shlex;
mod snapshot;
mod sources;
mod suggest;
mod trusted;
mod usage;
mod value;
mod wildcard;
mod world;

pub use check::{Report, check};
pub use command_line::{CommandLine, Invocation, invocation, invocation_in};
pub use compare::{Cause, Comparison};
pub use convert::{Converted, convert};
pub use ctl::{CtlInvocation, CtlOptions, ctl_invocation};
pub use diagnostic::{Diagnostic, LoadError, Severity};
pub use dialect::Dialect;
pub use environment::Environment;
pub use graph::{After, Step, graph};
pub use kept::SourceFile;
pub use load::load;
pub use python::repr::py_repr;
pub use raw::{RawKey, RawSection, raw_sections};
pub use sample::sample;
pub use schema::schema;
pub use search::{find_config, program_path};
pub use server::{Address, Auth, Server, ServerLimits, server_url};
pub use settings::{Config, ExitWhen, Level, LogFile, Note, Orphans, RpcInterface, Settings};
pub use snapshot::SnapshotError;
pub use sources::Sources;
pub use usage::UsageError;
pub use value::schedule::knows_time_zone;
pub use wildcard::name_matches;
pub use world::{Host, Lenient, User, World};
