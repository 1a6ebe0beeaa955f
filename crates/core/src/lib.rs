//! The supervisor's decisions, and nothing else.
//!
//! # Theory of operation
//!
//! [`Supervisor`] owns every group and process as plain data. The shell (the daemon, or a simulation) feeds it
//! facts and requests with [`Supervisor::handle`], then carries out the orders it takes from
//! [`Supervisor::poll_effect`] until there are none left, and calls again at [`Supervisor::next_deadline`].
//!
//! This crate does no I/O, reads no clock, starts no thread and cannot fail: time is an argument, and whatever goes
//! wrong outside arrives as an input.

#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

mod bounds;
mod confine;
mod depends;
mod effect;
mod errand;
pub mod event;
mod group;
pub mod health;
mod input;
pub mod listener;
mod names;
mod notice;
pub mod ordered;
pub mod plan;
mod policy;
mod process;
pub mod reload;
mod request;
mod restore;
mod rolling;
mod schedule;
mod shutdown;
pub mod signal;
mod slots;
pub mod spec;
mod supervisor;
mod time;
mod unstopped;
mod update;
mod wait;
mod watch;

pub use bounds::{Breach, Meter, Usage};
pub use depends::Obstacle;
pub use effect::{Answer, Effect, Event, Outcome, Update};
pub use errand::{Errand, ErrandKind, Errands, Fate, Killing};
pub use group::Group;
pub use input::{CallId, Input, PlannedRun, Refusal, Request, SignalFailure, SignalId};
pub use notice::{Level, Notice};
pub use policy::Restarts;
pub use process::{Child, ProcId, Process, RunEnd, RunId, State, StateName};
pub use restore::{Saved, StopOptions};
pub use rolling::{Batch, LeftBehind, Member, Rolling, RollingEnd, Stage};
pub use schedule::{LastRun, Timer, Timetable};
pub use shutdown::Phase;
pub use supervisor::Supervisor;
pub use time::{Mono, Now, Span, seconds};
pub use wait::{Aim, Awaited, Waiting};
