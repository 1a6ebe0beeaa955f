//! A TCP port for a daemon.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below what the kernel gives to outgoing connections, so that nobody gets the port between this look and the bind.
const FIRST: u32 = 10_240;
const COUNT: u32 = 20_000;

/// A port of 127.0.0.1 that nobody listens at. Test processes with neighbouring pids get different ones.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let own = std::process::id().wrapping_mul(8);
    let mut ports = std::iter::repeat_with(|| {
        let offset = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        u16::try_from(FIRST + offset).expect("a port")
    });
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.by_ref().take(COUNT as usize).find(free).expect("a free port")
}
