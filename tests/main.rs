//! Black-box tests of the whole program: everything here starts real daemons and real children.
//!
//! * `parity`: the same scene with the original Supervisor and with Upkeep, side by side
//! * `workloads`: the Laravel example with real PHP and Redis
//! * `faults`: what is left when something is killed
//! * `listeners`: event listeners, side by side with the original and beyond it
//! * `containers`: the daemon as PID 1, and as long-lived as its programs
//! * `beyond`: what Supervisor does not do
//! * `broken`: configurations that must be refused
//! * `clients`: clients for Python, Perl, Ruby and Node.js
//! * `figures`: the benchmark works; what it measures is never a reason to fail
//! * `ui`: the web pages in a real browser
//! * `rig`: what the others stand on

#![forbid(unsafe_code)]

mod beyond;
mod broken;
mod clients;
mod containers;
mod faults;
mod figures;
mod listeners;
mod parity;
mod rig;
mod ui;
mod workloads;
