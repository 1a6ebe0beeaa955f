//! What Supervisor does not do.

mod config;
mod delegated;
mod depends;
mod files;
mod health;
mod hooks;
mod isolation;
mod limits;
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
