//! What a peer may make a server hold, and how long it may take.

use std::time::Duration;

/// Limits of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time, but no more than an eighth of the descriptors that the process may have. When one more
    /// comes, whoever can best be spared is closed. Default 128: descriptors are needed for children too.
    pub connections: usize,
    /// Bytes of a request's line and headers. Default 64 KiB.
    pub header_bytes: usize,
    /// Bytes of a request's body. Default 8 MiB.
    pub body_bytes: usize,
    /// From the first byte of a request to the end of its headers. Default 30 s.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body. Default 60 s.
    pub body_timeout: Duration,
    /// Between requests. Default 30 min, as with Supervisor (RPC-030): interactive clients keep a connection.
    pub idle_timeout: Duration,
    /// Between requests while more than three quarters of `connections` are in use. Default 5 s.
    pub crowded_idle_timeout: Duration,
    /// How long a client may take nothing of its answer. Default 60 s; for a tail, which a paused terminal holds up
    /// at no cost to us, `idle_timeout` counts.
    pub write_timeout: Duration,
    /// How often a followed log is looked at of whose changes the kernel does not tell. Default 150 ms.
    pub tail_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            header_bytes: 64 << 10,
            body_bytes: 8 << 20,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(30 * 60),
            crowded_idle_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(60),
            tail_interval: Duration::from_millis(150),
        }
    }
}
