//! The listeners and what is served on them: XML-RPC under `/RPC2`, log tails, web pages.
//!
//! Knows nothing of the daemon but [`upkeep_api`]: a request comes in as bytes, goes to the daemon's mailbox, and
//! its answer goes out. Each connection is a task of its own on the one thread, with limits on everything a peer can
//! make it hold or wait for, so that no client can keep others from being served; no file is read on that thread.
//!
//! What it has to say goes through the `log` facade: a line's level is the facade's (trace is Supervisor's TRAC), but
//! for the target `critical`, which is CRIT.
//!
//! - `server` accepts, `room` says who has to leave when it is full; `connection` runs one connection under its deadlines, which `progress` keeps; `stream` is the
//!   socket beneath.
//! - `route` checks the password and chooses who answers: `rpc`, `tail`, `pages` or `files`; `receive` reads a request's body, and `again` knows the one that
//!   was read last.
//! - `tail` sends logs as they grow: `follow` reads them, `news` says when.
//! - `answer` and `body` make what is sent, `access` the line in the log about it.

#![forbid(unsafe_code)]

mod access;
mod again;
mod answer;
mod auth;
mod body;
mod connection;
mod files;
mod follow;
mod late;
mod limits;
mod news;
mod pages;
mod progress;
mod receive;
mod room;
mod route;
mod rpc;
mod server;
mod stream;
mod tail;

pub use auth::Auth;
pub use late::{answer_late, late_document};
pub use limits::Limits;
pub use news::LogNews;
pub use server::{Connected, Listener, Rules, Server, serve};
