//! Any message there is, for the tests of frames.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use upkeep_keeper::wire::{
    Detach, Exit, Restraint, SpawnPlan, SpawnStep, StdinPlan, ToDaemon, ToKeeper, UserPlan, What,
};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn user() -> impl Strategy<Value = UserPlan> {
    prop_oneof![
        Just(UserPlan::Keep),
        (any::<u32>(), any::<u32>(), vec(any::<u32>(), 0..20))
            .prop_map(|(uid, gid, groups)| UserPlan::Switch { uid, gid, groups }),
        (any::<u32>(), bytes()).prop_map(|(uid, reason)| UserPlan::Refuse { uid, reason }),
    ]
}

fn stdin() -> impl Strategy<Value = StdinPlan> {
    prop_oneof![Just(StdinPlan::Pipe), Just(StdinPlan::Null), Just(StdinPlan::Attached)]
}

fn restraint() -> impl Strategy<Value = Restraint> {
    let what = prop_oneof![
        any::<i32>().prop_map(What::Nice),
        (any::<u8>(), any::<u8>()).prop_map(|(class, level)| What::Ionice { class, level }),
        any::<i32>().prop_map(What::OomScoreAdj),
        bytes().prop_map(What::Cgroup),
        Just(What::PrivateTmp),
        vec(bytes(), 0..5).prop_map(What::OnlyWriteBeneath),
        (any::<u32>(), option::of(any::<u64>()), option::of(any::<u64>()))
            .prop_map(|(resource, soft, hard)| What::Rlimit { resource, soft, hard }),
        Just(What::NoNewPrivileges),
        any::<u64>().prop_map(What::BoundingSet),
        any::<u64>().prop_map(What::AmbientSet),
        (11..=u8::MAX).prop_map(What::Unknown),
    ];
    ("[a-z_]{0,20}", what).prop_map(|(key, what)| Restraint { key, what })
}

fn plan() -> impl Strategy<Value = SpawnPlan> {
    let texts = (bytes(), vec(bytes(), 0..5), vec(bytes(), 0..5), option::of(bytes()));
    (texts, option::of(any::<u32>()), user(), stdin(), (any::<bool>(), vec(restraint(), 0..4))).prop_map(
        |((path, argv, env, cwd), umask, user, stdin, (stderr_to_stdout, restraints))| SpawnPlan {
            path,
            argv,
            env: env.iter().collect(),
            cwd,
            umask,
            user,
            stdin,
            stderr_to_stdout,
            restraints,
        },
    )
}

fn exit() -> impl Strategy<Value = Exit> {
    (any::<i32>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
        |(status, at_ns, utime_us, stime_us, maxrss_kib)| Exit {
            status,
            at_ns,
            utime_us,
            stime_us,
            maxrss_kib,
        },
    )
}

fn detach() -> impl Strategy<Value = Detach> {
    (option::of(bytes()), option::of(any::<u32>())).prop_map(|(directory, umask)| Detach { directory, umask })
}

/// Anything that a daemon may say.
pub(crate) fn to_keeper() -> impl Strategy<Value = ToKeeper> {
    prop_oneof![
        (any::<u64>(), plan()).prop_map(|(run, plan)| ToKeeper::Spawn { run, plan }),
        (any::<u64>(), any::<u64>(), any::<i32>(), any::<bool>())
            .prop_map(|(token, run, signo, group)| ToKeeper::Signal { token, run, signo, group }),
        (any::<u64>(), bytes()).prop_map(|(key, value)| ToKeeper::Put { key, value }),
        any::<u64>().prop_map(|key| ToKeeper::Delete { key }),
        any::<u64>().prop_map(|run| ToKeeper::Release { run }),
        any::<u64>().prop_map(|run| ToKeeper::CloseStdin { run }),
        ".{0,20}".prop_map(|name| ToKeeper::Hold { name }),
        ".{0,20}".prop_map(|name| ToKeeper::Unhold { name }),
        option::of(detach()).prop_map(|detach| ToKeeper::Ready { detach }),
        any::<u8>().prop_map(|code| ToKeeper::Quit { code }),
        any::<i32>().prop_map(|signo| ToKeeper::Seen { signo }),
        (any::<u64>(), any::<u32>(), any::<u64>(), option::of(exit()), any::<[bool; 4]>()).prop_map(
            |(run, pid, start_ns, exited, [has_pidfd, has_stdin, has_stdout, has_stderr])| ToKeeper::Adopt {
                run,
                pid,
                start_ns,
                exited,
                has_pidfd,
                has_stdin,
                has_stdout,
                has_stderr,
            }
        ),
        (any::<u64>(), any::<u64>(), bytes()).prop_map(|(key, keep, value)| ToKeeper::Extend {
            key,
            keep,
            value
        }),
        (any::<u64>(), any::<i32>()).prop_map(|(run, number)| ToKeeper::Lend { run, number }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(token, patience_ns)| ToKeeper::Replace { token, patience_ns }),
    ]
}

/// Anything that the keeper may say.
pub(crate) fn to_daemon() -> impl Strategy<Value = ToDaemon> {
    let step =
        prop_oneof![Just(SpawnStep::Pipe), Just(SpawnStep::Fork), bytes().prop_map(SpawnStep::Restrain)];
    prop_oneof![
        (any::<u16>(), any::<u32>(), any::<u32>(), any::<bool>()).prop_map(
            |(wire_version, keeper_pid, generation, detached)| ToDaemon::Welcome {
                wire_version,
                keeper_pid,
                generation,
                detached,
            }
        ),
        (any::<u64>(), bytes()).prop_map(|(key, value)| ToDaemon::Record { key, value }),
        ".{0,20}".prop_map(|name| ToDaemon::Held { name }),
        (any::<u64>(), any::<u32>(), any::<u64>(), option::of(exit()), any::<[bool; 3]>()).prop_map(
            |(run, pid, start_ns, exited, [has_stdin, has_stdout, has_stderr])| ToDaemon::Child {
                run,
                pid,
                start_ns,
                exited,
                has_stdin,
                has_stdout,
                has_stderr,
            }
        ),
        Just(ToDaemon::InventoryEnd),
        (any::<u64>(), any::<u32>(), any::<u64>()).prop_map(|(run, pid, at_ns)| ToDaemon::Spawned {
            run,
            pid,
            at_ns
        }),
        (any::<u64>(), any::<i32>(), step).prop_map(|(run, errno, step)| ToDaemon::SpawnFailed {
            run,
            errno,
            step
        }),
        (any::<u64>(), any::<u32>(), exit()).prop_map(|(run, pid, exit)| ToDaemon::Exited { run, pid, exit }),
        (any::<u32>(), any::<i32>()).prop_map(|(pid, status)| ToDaemon::Reaped { pid, status }),
        (any::<u64>(), any::<i32>()).prop_map(|(token, errno)| ToDaemon::Signalled { token, errno }),
        any::<i32>().prop_map(|signo| ToDaemon::SignalReceived { signo }),
        any::<i32>().prop_map(|errno| ToDaemon::DetachFailed { errno }),
        any::<u64>().prop_map(|token| ToDaemon::Leave { token }),
        (any::<u64>(), option::of(bytes()))
            .prop_map(|(token, failure)| ToDaemon::Replaced { token, failure }),
        any::<String>().prop_map(|name| ToDaemon::NotHeld { name }),
    ]
}
