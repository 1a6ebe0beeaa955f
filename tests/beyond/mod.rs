//! What Supervisor does not do.

mod config;
mod depends;
mod files;
mod health;
mod hooks;
mod isolation;
mod logs;
mod plan;
mod probes;
mod receiver;
mod rolling;
mod schedule;
mod stdin;
#[cfg(feature = "tls")]
mod tls;
mod watch;
