//! Both clients side by side: the original `supervisorctl` and ours, against original daemons in the same state.

mod config;
mod faults;
mod follow;
mod groups;
mod oneshot;
mod own;
mod reference;
mod rolling;
mod server;
mod shell;
mod unusable;
mod update;
