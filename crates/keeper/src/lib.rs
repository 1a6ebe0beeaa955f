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
//! # What is lost when this dies
//!
//! The children live on without a supervisor; their unread output too, as long as the daemon lives. Exit statuses from
//! then on are lost.

#![forbid(unsafe_code)]

mod children;
mod daemon;
mod hold;
mod launch;
mod link;
mod run;
mod unseen;
pub mod wire;

pub use launch::{Boot, BootData, boot_from_env, launch};
pub use link::Link;
pub use run::run;
