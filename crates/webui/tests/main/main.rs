//! The pages and the actions, with a stand-in for the daemon.
#![forbid(unsafe_code)]

mod actions;
mod daemon;
mod pages;
mod tails;
