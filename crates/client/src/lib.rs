//! Speaks to a daemon, ours or the original Supervisor's, over a unix socket or TCP.
//!
//! # Theory of operation
//!
//! A [`Client`] is an address, a login and nothing else: every call is its own connection with one POST on it, so a
//! daemon that restarts between two calls is not noticed, and there is no state to repair. Calls block. A call that
//! waits for processes (`start`, `stop`, …) waits without limit; any other gives up after [`SILENCE_LIMIT`] without a
//! byte. A caller that has other things to watch, such as Ctrl-C, hands in a descriptor with [`Client::breaking_on`]:
//! when it becomes readable, the call ends with [`ClientError::Interrupted`].
//!
//! This room prints nothing, reads no configuration and knows no command line.

#![forbid(unsafe_code)]

mod address;
mod answer;
mod call;
mod decode;
mod error;
mod follow;
mod verbs;
mod wire;

pub use address::Address;
pub use call::{Client, SILENCE_LIMIT};
pub use decode::{Configured, Outcome};
pub use error::ClientError;
pub use follow::{Follow, Log, Place};
