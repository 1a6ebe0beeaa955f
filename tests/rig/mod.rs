//! The rig: directories, daemons, clients and waiting for the scenes. It knows nothing of what is tested.
//!
//! Everything that is started is a child of a guard that ends it when the test ends, whichever way.

pub(crate) mod background;
pub(crate) mod cgroups;
pub(crate) mod daemon;
pub(crate) mod guest;
pub(crate) mod home;
pub(crate) mod http;
pub(crate) mod maker;
pub(crate) mod plain;
pub(crate) mod port;
pub(crate) mod procfs;
pub(crate) mod redis;
pub(crate) mod run;
pub(crate) mod smtp;
pub(crate) mod stage;
pub(crate) mod wait;
