//! The capabilities of a child (capabilities(7)).

use super::restraint::check;

/// Drops what is not in the set; what is not there anyway needs no privilege.
///
/// SAFETY: for the child between fork(2) and exec.
pub(super) unsafe fn keep_bounding(set: u64) -> Result<(), i32> {
    for capability in 0..u64::BITS {
        // SAFETY: plain integers.
        unsafe {
            match libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) {
                // There are no more.
                ..=-1 => break,
                1.. if set & (1 << capability) == 0 => {
                    check(libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0).into())?;
                }
                _ => {}
            }
        }
    }
    // SAFETY: as here.
    unsafe { keep_inheritable(set) }
}

/// Lets go of what the child could pass on beyond the bounding set: what root inherits it gets whatever that set is, and what is
/// ambient everybody gets. What is not inheritable any more is not ambient either (capabilities(7)).
///
/// SAFETY: for the child between fork(2) and exec.
unsafe fn keep_inheritable(set: u64) -> Result<(), i32> {
    // SAFETY: as here.
    let mut words = unsafe { capabilities()? };
    for (at, word) in words.iter_mut().enumerate() {
        word.inheritable &= half(set, at);
    }
    // SAFETY: as here.
    unsafe { set_capabilities(&words) }
}

/// `_LINUX_CAPABILITY_VERSION_3` (capget(2)).
const CAPABILITY_VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Capabilities {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The capabilities of this process.
///
/// SAFETY: for the child between fork(2) and exec.
unsafe fn capabilities() -> Result<[Capabilities; 2], i32> {
    let mut header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    let mut words = [Capabilities::default(); 2];
    // SAFETY: the structures are those of the kernel for this version, live locals.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    Ok(words)
}

/// SAFETY: for the child between fork(2) and exec.
unsafe fn set_capabilities(words: &[Capabilities; 2]) -> Result<(), i32> {
    let mut header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    // SAFETY: the structures are those of the kernel for this version, and live.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) })
}

/// The first or the second 32 bits of a set.
fn half(set: u64, at: usize) -> u32 {
    u32::try_from((set >> (32 * at)) & u64::from(u32::MAX)).unwrap_or(0)
}

/// Those that the child has kept become inheritable, and then ambient.
///
/// SAFETY: for the child between fork(2) and exec.
pub(super) unsafe fn raise_ambient(set: u64) -> Result<(), i32> {
    // SAFETY: as here; the rest are plain integers.
    unsafe {
        let mut words = capabilities()?;
        for (at, word) in words.iter_mut().enumerate() {
            word.inheritable |= half(set, at);
        }
        set_capabilities(&words)?;
        for capability in (0..u64::BITS).filter(|capability| set & (1 << capability) != 0) {
            let raise = libc::PR_CAP_AMBIENT_RAISE;
            check(libc::prctl(libc::PR_CAP_AMBIENT, raise, capability, 0, 0).into())?;
        }
    }
    Ok(())
}

/// Lets what is permitted outlive the change of the user, for [`What::AmbientSet`](super::What::AmbientSet).
///
/// SAFETY: for the child between fork(2) and exec.
pub(super) unsafe fn keep_capabilities() {
    // SAFETY: plain integers. If it were refused the ambient set could not be raised, which says so.
    unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of this thread's status that begins so.
    fn line(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        u64::from_str_radix(line.trim(), 16).expect("bits")
    }

    /// A thread has capabilities of its own, so this one may lose them.
    #[test]
    fn what_is_inheritable_or_ambient_is_bounded_too() {
        let (chown, kill, setpcap) = (1, 1 << 5, 1 << 8);
        let needed = chown | kill | setpcap;
        if line("CapEff:") & line("CapBnd:") & needed != needed {
            // Whoever is not root has nothing to pass on.
            return;
        }
        // SAFETY: the thread ends with this test, and makes nothing that needs capabilities.
        unsafe {
            assert_eq!(raise_ambient(chown | kill), Ok(()));
            assert_eq!((line("CapInh:") & kill, line("CapAmb:")), (kill, chown | kill));
            assert_eq!(keep_bounding(chown), Ok(()));
        }
        assert_eq!((line("CapBnd:"), line("CapInh:"), line("CapAmb:")), (chown, chown, chown));
    }
}
