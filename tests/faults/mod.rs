//! What is left when something is killed.
//!
//! The process that decides is the child `upkeep-daemon` of the pid in the pid file. It is killed here at the worst
//! moments: no worker, no exit, no byte of output and no request may be lost.

mod both;
mod campaign;
mod children;
mod clients;
mod deaths;
mod descriptors;
mod disks;
mod failing;
mod growth;
mod keep;
mod keepers;
mod moved;
mod output;
mod questions;
mod requests;
mod restarts;
mod stopping;
mod upgrades;
mod waits;
