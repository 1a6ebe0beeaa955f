//! Virtual time and fake children around the supervisor: behaviour over hours, tested in milliseconds.
//!
//! # Theory of operation
//!
//! [`Sim`] plays the shell and the keeper. It owns a [`Supervisor`](upkeep_core::Supervisor), feeds it facts and
//! requests, and carries out its orders on children that exist only as [`Plan`]s: how long a start takes, when the
//! child ends by itself, which signals it ignores, whether it may be signalled at all. The clock jumps from one thing
//! that happens to the next. What the supervisor said is kept for the test to look at: [`Sim::log`], [`Sim::events`],
//! [`Sim::answers`]; so is what became of the children: [`Sim::deeds`], [`Sim::signals`].
//!
//! [`Sim::crash`] throws the supervisor away and goes on with a new one from what the keeper would have held: the
//! children and the record of each process. [`Sim::crash_after`] does so between any two orders.
//!
//! It reads no clock, starts nothing, and decides nothing that the supervisor should decide. [`groups`] alone touches
//! the disk, because configurations are files. A test that asks for
//! something that cannot be (a process that is not there, a condition that never holds) panics, with the last steps.

#![forbid(unsafe_code)]

mod ask;
mod carry;
mod conf;
mod crash;
mod dice;
mod look;
mod machine;
mod outcome;
mod plan;
mod sim;
mod tell;

pub use ask::Ask;
pub use conf::groups;
pub use crash::{Crash, InFlight};
pub use dice::Dice;
pub use machine::{Deed, Did};
pub use outcome::Call;
pub use plan::{Plan, Reaction, Signalling};
pub use sim::Sim;

use std::time::Duration;

/// Seconds, short enough for a table.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds, short enough for a table.
#[must_use]
pub const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
