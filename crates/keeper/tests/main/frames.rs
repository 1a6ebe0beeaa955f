//! Frames over a socket: what goes in comes out, with its own descriptors; what is no frame is an error, never more.

use std::fmt::Debug;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use upkeep_keeper::wire::{
    Incoming, MAX_FRAME, Message, Outgoing, SpawnPlan, StdinPlan, ToKeeper, UserPlan, WireError,
};

use crate::messages::{to_daemon, to_keeper};
use crate::properties::{self, bytes_of};

/// Descriptors whose files all differ.
fn files(count: usize) -> Vec<Arc<OwnedFd>> {
    (0..count).map(|_| Arc::new(upkeep_os::memfd_with("frame", b"").unwrap())).collect()
}

/// What tells files apart.
fn inodes(fds: impl IntoIterator<Item = impl AsFd>) -> Vec<u64> {
    let owned = fds.into_iter().map(|fd| fd.as_fd().try_clone_to_owned().unwrap());
    owned.map(|fd| File::from(fd).metadata().unwrap().ino()).collect()
}

/// Sends all messages, each with so many descriptors, and expects the same at the other end.
fn round_trip<M: Message + Debug + PartialEq>(messages: &[(M, usize)]) {
    let (here, there) = UnixStream::pair().unwrap();
    let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
    let mut expected = Vec::new();
    for (message, count) in messages {
        let fds = files(*count);
        expected.push(inodes(fds.iter().map(|fd| &**fd)));
        outgoing.push(message, fds).unwrap();
    }
    let mut received = Vec::new();
    while received.len() < messages.len() {
        outgoing.flush(here.as_fd()).unwrap();
        while let Some(frame) = incoming.take::<M>().unwrap() {
            received.push(frame);
        }
        incoming.fill(there.as_fd()).unwrap();
    }
    for (((message, _), inodes_sent), (found, fds)) in messages.iter().zip(expected).zip(received) {
        assert_eq!(*message, found);
        assert_eq!(inodes_sent, inodes(fds));
    }
    assert!(outgoing.is_empty());
}

/// The error that these bytes end in, if they do.
fn read<M: Message>(bytes: &[u8]) -> Option<WireError> {
    properties::read::<M>(bytes, usize::MAX).1
}

/// A frame of this kind.
fn frame(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(6 + body.len()).unwrap();
    [&length.to_le_bytes()[..], &[1, 0], &kind.to_le_bytes(), &[0, 0], body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn what_a_daemon_says_arrives_with_its_descriptors(messages in vec((to_keeper(), 0..4usize), 1..30)) {
        round_trip(&messages);
    }

    #[test]
    fn what_the_keeper_says_arrives_with_its_descriptors(messages in vec((to_daemon(), 0..4usize), 1..30)) {
        round_trip(&messages);
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(bytes in vec(any::<u8>(), 0..400)) {
        properties::frames(&bytes);
    }

    #[test]
    fn any_bodies_are_messages_or_an_error(size: u8, bodies in vec((body_kind(), vec(small(), 0..60)), 0..4)) {
        let frames = bodies.iter().map(|(kind, body)| frame(*kind, body));
        properties::frames(&std::iter::once(vec![size]).chain(frames).collect::<Vec<_>>().concat());
    }

    #[test]
    fn messages_are_the_same_however_they_come(size in 0..20_u8, asked in vec(to_keeper(), 0..4), told in vec(to_daemon(), 0..4)) {
        let asked: Vec<u8> = asked.iter().flat_map(bytes_of).collect();
        let told: Vec<u8> = told.iter().flat_map(bytes_of).collect();
        properties::frames(&[&[size][..], &asked].concat());
        properties::frames(&[&[size][..], &told].concat());
    }

    #[test]
    fn a_body_cut_short_is_an_error(message in to_keeper(), cut in 1..20usize) {
        let bytes = bytes_of(&message);
        let body = &bytes[10..];
        prop_assume!(!body.is_empty());
        let kept = body.len().saturating_sub(cut);
        let kind = u16::from_le_bytes([bytes[6], bytes[7]]);
        prop_assert_eq!(read::<ToKeeper>(&frame(kind, &body[..kept])), Some(WireError::Truncated));
    }
}

/// Kinds of both sides, and some that nobody knows.
fn body_kind() -> impl Strategy<Value = u16> {
    prop_oneof![0..15_u16, 100..115_u16]
}

/// Numbers are small, so that what comes after a length is often there.
fn small() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(0), 3 => 1..4_u8, 1 => any::<u8>()]
}

#[test]
fn a_large_frame_passes_in_pieces_and_one_too_large_not_at_all() {
    let large = |size: usize| ToKeeper::Put { key: 1, value: vec![3; size] };
    // Before the value: header, key, its length.
    let most = MAX_FRAME - 10 - 8 - 4;
    round_trip(&[(large(0), 3), (large(most), 3), (large(5), 1)]);
    let mut outgoing = Outgoing::default();
    assert_eq!(outgoing.push(&large(most + 1), Vec::new()), Err(WireError::Length(MAX_FRAME + 1)));
    assert!(outgoing.is_empty(), "nothing of it is queued");
    assert_eq!(outgoing.push(&large(0), files(9)), Err(WireError::Descriptors));
    assert!(outgoing.is_empty());
}

#[test]
fn a_long_list_that_is_not_there_costs_no_memory() {
    // A plan with an empty path that says it has 4 billion arguments.
    let body = [&[0; 8][..], &[0; 4], &u32::MAX.to_le_bytes()].concat();
    assert_eq!(read::<ToKeeper>(&frame(1, &body)), Some(WireError::Truncated));
}

#[test]
fn every_plan_of_a_users_and_input_is_told_apart() {
    let plan = |user, stdin| ToKeeper::Spawn {
        run: 1,
        plan: SpawnPlan {
            path: b"/bin/x".to_vec(),
            argv: Vec::new(),
            env: upkeep_os::Strings::default(),
            cwd: None,
            umask: None,
            user,
            stdin,
            stderr_to_stdout: false,
            restraints: Vec::new(),
        },
    };
    let mut seen = std::collections::BTreeSet::new();
    for stdin in [StdinPlan::Pipe, StdinPlan::Null, StdinPlan::Attached] {
        assert!(seen.insert(bytes_of(&plan(UserPlan::Keep, stdin))));
    }
    for user in [
        UserPlan::Switch { uid: 1, gid: 1, groups: Vec::new() },
        UserPlan::Refuse { uid: 1, reason: vec![1] },
    ] {
        assert!(seen.insert(bytes_of(&plan(user, StdinPlan::Pipe))));
    }
}
