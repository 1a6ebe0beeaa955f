//! Who is at the other end of a socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::net::AddressFamily;

/// The user who connected to a unix socket; `None` for another kind of socket. What rustix has for this takes for granted that the peer
/// has a pid here, which one in another pid namespace has not.
///
/// # Errors
/// Those of getsockopt(2).
pub fn peer_uid(socket: impl AsFd) -> io::Result<Option<u32>> {
    if rustix::net::sockopt::socket_domain(socket.as_fd())? != AddressFamily::UNIX {
        return Ok(None);
    }
    let mut about = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // SAFETY: the descriptor is open, and the kernel writes no more than `length` bytes, which are those of `about`; any bytes are one.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut about).cast(),
            &raw mut length,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Some(about.uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unix_sockets_tell() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(peer_uid(&one).unwrap(), Some(rustix::process::geteuid().as_raw()));
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(peer_uid(&tcp).unwrap(), None);
    }
}
