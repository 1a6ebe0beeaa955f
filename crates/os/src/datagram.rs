//! Datagrams of Unix sockets, with the credentials of who sent them (unix(7)): what sd_notify(3) sends.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::ptr;

use rustix::fs::{AtFlags, CWD, Mode, chownat, unlink};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use rustix::process::Uid;

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Bytes of it that are in the buffer.
    pub length: usize,
    /// The buffer was large enough for all of it.
    pub is_whole: bool,
    /// Pid of the process that sent it; 0 if it cannot be told.
    pub pid: u32,
    /// The user that sent it; `None` if nobody said.
    pub uid: Option<u32>,
}

/// A socket for datagrams, with this name in the abstract namespace, that tells who sent them.
///
/// # Errors
/// There are no descriptors, or the name is taken.
pub fn datagram_socket(name: &[u8]) -> io::Result<OwnedFd> {
    let socket = unnamed()?;
    rustix::net::bind(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
    Ok(socket)
}

/// The same at a path, for its owner alone: us, or this user.
///
/// # Errors
/// There are no descriptors, the path is too long (107 bytes) or taken, its folder cannot be written to, or we may not give it away.
pub fn datagram_socket_at(path: &Path, owner: Option<u32>) -> io::Result<OwnedFd> {
    let socket = unnamed()?;
    let address = SocketAddrUnix::new(path)?;
    // Of a socket without a name, this is the mode that its name will have (unix(7)).
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &address)?;
    let owner = owner.map(Uid::from_raw);
    if owner.is_some()
        && let Err(error) = chownat(CWD, path, owner, None, AtFlags::SYMLINK_NOFOLLOW)
    {
        // Nobody was told of it.
        let _ = unlink(path);
        return Err(error.into());
    }
    Ok(socket)
}

fn unnamed() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    // Before it has a name: nobody can send it anything without credentials.
    sockopt::set_socket_passcred(&socket, true)?;
    Ok(socket)
}

/// Room for the credentials, and for nothing else: descriptors that come along are closed by the kernel.
const CONTROL: usize = 32;
/// Length of a control message with credentials: its header, and three integers (cmsg(3)).
const CONTROL_LEN: usize = size_of::<libc::cmsghdr>() + size_of::<libc::ucred>();

#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; CONTROL]);

/// Receives the next datagram; with `keep` it stays where it is, and comes again.
///
/// # Errors
/// Those of recvmsg(2), `WouldBlock` among them.
pub fn recv_datagram(socket: BorrowedFd<'_>, bytes: &mut [u8], keep: bool) -> io::Result<Datagram> {
    let mut control = Control([MaybeUninit::uninit(); CONTROL]);
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    if keep {
        flags |= libc::MSG_PEEK;
    }
    // SAFETY: all zero is a header without anything; its pointers then point to `bytes` and `control`, with their lengths, and
    // both outlive the call. What recvmsg leaves in `control` is walked by the macros that are made for it, which stay
    // within the length that it has put down there; the credentials are read from there without regard to alignment, and any
    // bytes are a `ucred`.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = CONTROL as _;
        let length = libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut header, flags);
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        let is_whole = header.msg_flags & libc::MSG_TRUNC == 0;
        let mut datagram = Datagram { length, is_whole, pid: 0, uid: None };
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        if !first.is_null()
            && (*first).cmsg_level == libc::SOL_SOCKET
            && (*first).cmsg_type == libc::SCM_CREDENTIALS
            && (*first).cmsg_len as usize >= CONTROL_LEN
        {
            let sender = ptr::read_unaligned(libc::CMSG_DATA(first).cast::<libc::ucred>());
            datagram.pid = u32::try_from(sender.pid).unwrap_or(0);
            datagram.uid = Some(sender.uid);
        }
        Ok(datagram)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};

    use super::*;

    /// A socket, and one that sends to it.
    fn pair(name: &str) -> (OwnedFd, UnixDatagram) {
        let name = format!("upkeep-test-{name}-{}", std::process::id());
        let socket = datagram_socket(name.as_bytes()).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.connect_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        (socket, sender)
    }

    #[test]
    fn a_datagram_tells_who_sent_it_and_stays_if_it_is_to() {
        let (socket, sender) = pair("keep");
        let mut bytes = [0; 16];
        let error = recv_datagram(socket.as_fd(), &mut bytes, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        sender.send(b"READY=1").unwrap();
        let expected = Datagram {
            length: 7,
            is_whole: true,
            pid: std::process::id(),
            uid: Some(rustix::process::getuid().as_raw()),
        };
        for keep in [true, true, false] {
            assert_eq!(recv_datagram(socket.as_fd(), &mut bytes, keep).unwrap(), expected);
            assert_eq!(&bytes[..7], b"READY=1");
        }
        assert!(recv_datagram(socket.as_fd(), &mut bytes, false).is_err());
        sender.send(&[b'x'; 17]).unwrap();
        assert!(!recv_datagram(socket.as_fd(), &mut bytes, false).unwrap().is_whole);
    }

    #[test]
    fn descriptors_that_come_along_are_closed() {
        let (socket, sender) = pair("rights");
        let (ours, mut other) = UnixStream::pair().unwrap();
        let sent = crate::send_with_fds(sender.as_fd(), b"BARRIER=1", &[ours.as_fd()]).unwrap();
        assert_eq!(sent, 9);
        drop(ours);
        let mut bytes = [0; 16];
        for keep in [true, false] {
            let datagram = recv_datagram(socket.as_fd(), &mut bytes, keep).unwrap();
            assert_eq!((datagram.length, datagram.pid), (9, std::process::id()));
        }
        assert_eq!(other.read(&mut bytes).unwrap(), 0, "nobody has it any more");
    }
}
