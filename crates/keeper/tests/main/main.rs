//! The keeper as a process of its own, spoken to as its daemons do; and the bytes they say it in.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that finds something else than it expects has failed")]

mod adopted;
mod background;
mod children;
mod frames;
mod golden;
mod heir;
mod messages;
mod properties;
mod recovery;
mod replaced;
mod rig;
mod signals;
mod spawn;
mod trouble;
