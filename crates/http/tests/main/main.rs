//! Real sockets against a stub of the daemon, and the same bytes against the original.
#![forbid(unsafe_code)]

mod client;
mod deadlines;
mod descriptors;
mod journal;
mod pages;
mod parity;
mod python;
mod reference;
mod requests;
mod stub;
mod tails;
