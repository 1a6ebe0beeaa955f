//! The log thread with real pipes and real files.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod bench;
mod engine;
mod files;
mod flow;
mod journal;
mod passage;
mod properties;
mod random;
mod scarce;
