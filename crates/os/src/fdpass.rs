//! Descriptors over a Unix socket (SCM_RIGHTS).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Most descriptors in one message.
pub const MAX_FDS: usize = 8;

/// Sends bytes with descriptors attached to the first of them; returns how many bytes went.
///
/// # Errors
/// Those of sendmsg(2), `WouldBlock` among them; nothing was sent then.
pub fn send_with_fds(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(sendmsg(socket, &[io::IoSlice::new(bytes)], &mut control, flags)?)
}

/// What came at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes; 0 is the end.
    pub length: usize,
    /// This process had no room for the last of the descriptors that came with them, or for all: those are lost.
    pub lost: bool,
}

/// Receives bytes, and appends the descriptors that came with them (close-on-exec). All of them came in one message, whose first byte
/// may be any of these, and whose last is the last of these unless there was no room for it.
///
/// # Errors
/// Those of recvmsg(2), `WouldBlock` among them.
pub fn recv_with_fds(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let message = recvmsg(socket, &mut [io::IoSliceMut::new(bytes)], &mut control, flags)?;
    for item in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = item {
            fds.extend(rights);
        }
    }
    Ok(Received { length: message.bytes, lost: message.flags.contains(ReturnFlags::CTRUNC) })
}
