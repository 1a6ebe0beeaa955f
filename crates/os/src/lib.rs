//! System calls without a safe wrapper elsewhere: the only room with `unsafe`.
//!
//! # Theory of operation
//!
//! Each file owns one matter. [`spawn::Nursery`] forks and execs by a plan that is complete before the fork: between fork and
//! exec the child only makes async-signal-safe calls and touches no heap. The rest are thin wrappers that turn raw
//! descriptors into owned ones at once and errno into `io::Error`.

mod datagram;
mod errno;
mod fdpass;
mod identity;
mod limits;
mod memory;
mod misc;
mod peer;
mod pidfd;
mod signals;
pub mod spawn;
mod strings;
mod users;
mod wait;

pub use datagram::{Datagram, datagram_socket, datagram_socket_at, recv_datagram};
pub use errno::errno_name;
pub use fdpass::{MAX_FDS, Received, recv_with_fds, send_with_fds};
pub use identity::{PrivilegeError, drop_privileges};
pub use limits::{Limit, lower_open_files, raise_limit, raise_limit_of, raise_open_files_to_hard};
pub use memory::{HEAP_VARIABLE, Thrift, forget_thrifty_heap, share_heap, thrifty_heap};
pub use misc::{
    exec_descriptor, fork_child, memfd_with, monotonic_ns, own_executable, own_inherited_fd, read_memfd,
    set_cloexec, set_cloexec_of, set_process_name, set_umask, stdio_to_null,
};
pub use peer::peer_uid;
pub use pidfd::{UNKNOWN_STATUS, ended_status, kill_pidfd, pidfd};
pub use signals::{SignalFd, ignore_control_signals, ignore_pipe_signals, kill_child, unblock_signals};
pub use strings::Strings;
pub use users::{User, user_by_uid};
pub use wait::{Ended, reap, wait_child};
