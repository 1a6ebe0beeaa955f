//! Upkeep, the original Supervisor and a limit program of ours, measured side by side in one run.
//!
//! Every contender gets the same job: so many small processes, each with a pipe and a log file, and a socket that answers.
//! The limit program (`limit/limit.c`) does only the kernel's part of it, so its figures say what nobody can go below on this
//! machine. Everything is measured from outside, by `/proc`, the clock and the socket, and of whole processes: Upkeep's
//! figures are those of its keeper and its daemon together.
//!
//! A run goes through sizes ([`plan::Plan`]); at each size the contenders take turns ([`run::run`]), each in a fresh
//! [`scene::Scene`], and the measures ([`measure`]) write samples into [`results::Results`]. The [`rows`] are the lines of the
//! table that [`markdown`] and [`json`] print. A measure checks the work that it times (processes that really live, bytes that
//! really are in the files); what fails that check is a failure of the run, and no figure.

#![forbid(unsafe_code)]

pub mod ask;
pub mod ballast;
pub mod census;
pub mod contender;
pub mod json;
pub mod machine;
pub mod markdown;
pub mod measure;
pub mod pages;
pub mod plan;
pub mod proc;
pub mod programs;
pub mod results;
pub mod rows;
pub mod run;
pub mod scene;
pub mod words;

/// What a step of the benchmark gives, or a sentence that says what went wrong.
pub type Outcome<T> = Result<T, String>;

/// Puts what was being done before an error.
pub(crate) fn because<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}
