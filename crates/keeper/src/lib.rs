//! The process that holds: parent of the daemon and of every child, the pid that users know.
//!
//! # Theory of operation
//!
//! [`launch()`] turns the launcher into the keeper by exec, so the pid stays, or forks one into the background. [`run()`] is
//! its whole life: one loop over a signalfd and the daemon's socket. It starts programs the daemon asks for, reaps
//! everything, keeps a duplicate of every pipe end and whatever else the daemon wants held, and passes signals on. When
//! the daemon dies it starts a new one and hands it all that in an inventory.
//!
//! It knows no configuration and takes one decision: how fast to start a daemon that keeps dying.
//!
//! It can be replaced by another program in place (`replace`): what it holds is written down (`estate`), a new daemon is
//! tried first, and only then the keeper executes the program, keeping its pid and its children.
//!
//! # What is lost when this dies
//!
//! Nothing that the daemon knows: it starts another keeper ([`Heritage`]) and hands it the children, which are not that
//! one's by parentage any more. How they end is learnt from the kernel where it keeps that (Linux 6.15), else it may be
//! unknown.

#![forbid(unsafe_code)]

mod children;
mod daemon;
mod ends;
mod estate;
mod heir;
mod hold;
mod launch;
mod link;
mod replace;
mod run;
mod serve;
mod takeover;
mod telling;
mod unseen;
mod watch;
pub mod wire;

pub use heir::Heritage;
pub use launch::{Boot, BootData, boot_from_env, launch, take_back_stderr};
pub use link::Link;
pub use run::run;
