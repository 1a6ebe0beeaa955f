//! What must hold for any bytes: each function takes some, and panics if it does not. The tests here feed them what
//! proptest makes up, the targets under `fuzz/` what libFuzzer finds.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use upkeep_keeper::wire::{Incoming, Message, Outgoing, ToDaemon, ToKeeper, WireError};

/// Frames are the same however they come: the first byte says in pieces of how many bytes, 0 at once. Each is sent as
/// it was understood. Longer than a socket's buffer is more than this is for.
pub(crate) fn frames(bytes: &[u8]) {
    let Some((&size, data)) = bytes.split_first() else { return };
    let data = &data[..data.len().min(8192)];
    frames_of::<ToKeeper>(size, data);
    frames_of::<ToDaemon>(size, data);
}

fn frames_of<M: Message + Debug + PartialEq>(size: u8, data: &[u8]) {
    let whole = read::<M>(data, data.len().max(1));
    assert_eq!(read::<M>(data, usize::from(size).max(1)), whole);
    for message in &whole.0 {
        let (again, error) = read::<M>(&bytes_of(message), usize::MAX);
        assert_eq!((again.as_slice(), error), (std::slice::from_ref(message), None));
    }
}

/// The messages that these bytes are, coming so many at a time, and the error if they end in one.
pub(crate) fn read<M: Message>(bytes: &[u8], size: usize) -> (Vec<M>, Option<WireError>) {
    let (mut here, there) = UnixStream::pair().expect("a pair");
    there.set_nonblocking(true).expect("a socket");
    let (mut incoming, mut messages) = (Incoming::default(), Vec::new());
    for piece in bytes.chunks(size) {
        here.write_all(piece).expect("room in the socket");
        while incoming.fill(there.as_fd()).expect("both ends are open") {
            loop {
                match incoming.take() {
                    Ok(Some((message, _))) => messages.push(message),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error)),
                }
            }
        }
    }
    (messages, None)
}

/// The bytes that a message is sent as.
pub(crate) fn bytes_of(message: &impl Message) -> Vec<u8> {
    let (here, mut there) = UnixStream::pair().expect("a pair");
    let mut outgoing = Outgoing::default();
    outgoing.push(message, Vec::new()).expect("a frame");
    assert!(outgoing.flush(here.as_fd()).expect("a socket"), "room in the socket");
    drop(here);
    let mut bytes = Vec::new();
    there.read_to_end(&mut bytes).expect("the other end");
    bytes
}
