//! What Supervisor does not do.

mod depends;
mod files;
mod logs;
