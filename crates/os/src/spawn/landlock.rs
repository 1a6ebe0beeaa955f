//! A child that may write beneath some paths only (landlock(7)), whoever it is.

use std::ffi::{CStr, CString};

use super::restraint::{check, last_error};

const WRITE_FILE: u64 = 1 << 1;
const REMOVE_DIR: u64 = 1 << 4;
/// Removing and making everything that is no file: nine rights in a row.
const CHANGE_FOLDER: u64 = ((1 << 9) - 1) * REMOVE_DIR;
/// Since version 2.
const REFER: u64 = 1 << 13;
/// Since version 3.
const TRUNCATE: u64 = 1 << 14;
/// `LANDLOCK_CREATE_RULESET_VERSION`.
const ASK_VERSION: u32 = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: u32 = 1;

/// What every program may write to: there is nothing in it.
const DEVICES: [&CStr; 7] =
    [c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/tty", c"/dev/ptmx", c"/dev/pts", c"/dev/shm"];

#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: i32,
}

/// Restrains this process; it has no new privileges already.
///
/// # Errors
/// errno: ENOSYS and EOPNOTSUPP where there is no Landlock, ENOENT for a path that is not there.
///
/// SAFETY: for the child between fork(2) and exec.
pub(super) unsafe fn only_write_beneath(paths: &[CString]) -> Result<(), i32> {
    // SAFETY: the structures are the kernel's, live locals, with their sizes; the descriptor is nobody else's, and goes with
    // the execution of the program.
    unsafe {
        let none = std::ptr::null::<u64>();
        let version = libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, ASK_VERSION);
        check(version)?;
        let handled = handled(version);
        let ruleset =
            libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size_of::<u64>(), 0u32);
        check(ruleset)?;
        let ruleset = libc::c_int::try_from(ruleset).unwrap_or(-1);
        for device in DEVICES {
            // Not everywhere are there all.
            let _ = allow(ruleset, device, handled);
        }
        for path in paths {
            allow(ruleset, path, handled)?;
        }
        check(libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0u32))
    }
}

/// The version of Landlock that this kernel has; `None` if it has none, or it is off.
#[must_use]
pub fn landlock_version() -> Option<u32> {
    let none = std::ptr::null::<u64>();
    // SAFETY: asked like this it reads nothing and makes nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, ASK_VERSION) };
    u32::try_from(version).ok()
}

/// The rights of this version that are about writing.
fn handled(version: libc::c_long) -> u64 {
    let mut rights = WRITE_FILE | CHANGE_FOLDER;
    if version >= 2 {
        rights |= REFER;
    }
    if version >= 3 {
        rights |= TRUNCATE;
    }
    rights
}

/// SAFETY: for the child between fork(2) and exec.
unsafe fn allow(ruleset: libc::c_int, path: &CStr, rights: u64) -> Result<(), i32> {
    // SAFETY: the path ends with a zero; the descriptor is nobody else's.
    unsafe {
        let parent = libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        check(parent.into())?;
        let mut allowed = add(ruleset, parent, rights);
        if allowed == Err(libc::EINVAL) {
            // It is no folder.
            allowed = add(ruleset, parent, rights & (WRITE_FILE | TRUNCATE));
        }
        libc::close(parent);
        allowed
    }
}

/// SAFETY: for the child between fork(2) and exec; the descriptors are open.
unsafe fn add(ruleset: libc::c_int, parent: libc::c_int, allowed: u64) -> Result<(), i32> {
    let rule = Beneath { allowed, parent };
    // SAFETY: the structure is the kernel's, a live local.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset, PATH_BENEATH, &raw const rule, 0u32) };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}
