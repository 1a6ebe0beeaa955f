//! The log path: what the children write, and what the daemon says.
//!
//! # Theory of operation
//!
//! One thread, the [`Engine`]'s, owns the read ends of the children's pipes and every open log. It sleeps in epoll
//! until a child writes, an asked-for command arrives or a full target has room again; nothing wakes it otherwise. It
//! reads a chunk (at most 128 KiB), passes it through what the stream's [`Sink`] asks for (communication tags, ANSI
//! removal), appends it to the file, and rotates the file when it has reached its limit. What others must see (event
//! data, captures, the end of a stream) leaves as [`LogEvent`]s through one callback.
//!
//! The caller never waits for a disk: every method of [`Engine`] only queues. What may wait is opening a file
//! ([`RotatingFile::open`]) and reading one ([`read()`], [`tail`]); do that off the daemon's own task.
//!
//! # What is lost when this dies
//!
//! Bytes not yet read stay in the pipes, of which the keeper holds duplicates. Between the read and the write of one
//! chunk (microseconds) a `kill -9` loses that chunk, unless the kernel moves it: to a log file that nothing but the
//! bytes goes to, or to a [`Spool`]; they are in a [`Passage`] meanwhile. A capture without its end tag is lost, as is a held-back piece of
//! a tag.

#![forbid(unsafe_code)]

mod ansi;
pub mod auto;
mod capture;
mod engine;
mod file;
mod find;
mod forward;
mod journal;
mod level;
mod losses;
mod passage;
mod read;
mod since;
mod spool;
mod syslog;
mod tidy;
mod zone;

pub use ansi::AnsiFilter;
pub use capture::{CaptureBuffer, Piece, Scanner};
pub use engine::credit::Lease;
pub use engine::{
    Engine, Gathering, LineFormat, LineRules, LogEvent, Origin, Rate, Sink, StreamId, SyslogTag, Unit,
};
pub use file::{AS_OTHERS_SAY, Every, FileRules, MODE_AUTO, MODE_NAMED, Notice, RotatingFile, clear_path};
pub use forward::{Destination, TlsRules};
pub use journal::{Journal, Unwritten};
pub use level::Level;
pub use losses::Loss;
pub use passage::Passage;
pub use read::{READ_LIMIT, ReadError, Tail, read, tail};
pub use since::read_since;
pub use spool::Spool;
pub use zone::local_zone;
