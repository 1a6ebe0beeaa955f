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

pub mod event;
pub mod signal;
pub mod spec;
