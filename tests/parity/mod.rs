//! The same configuration and the same scene with Supervisor 4.3.0 and with Upkeep.
//!
//! What is compared is everything a script or a client can see, after pids, times, paths and random names are
//! taken out (`rig::plain`). The ids in the comments are those of the compatibility ledger.

mod children;
mod commands;
mod faults;
mod fcgi;
mod files;
mod http;
mod info;
mod journal;
mod order;
mod pidproxy;
mod privileges;
mod promises;
mod reloads;
mod rereads;
mod signals;
mod startup;
mod stops;
mod syslog;
mod updates;
mod web;
