//! Becoming another user for good.

use std::io;

use crate::users::user_by_uid;

/// Why the user could not be switched; displays Supervisor's reason (PROC-060).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivilegeError {
    /// Only root can.
    NotRoot,
    /// There is no such user.
    UnknownUid(u32),
    /// setgroups(2) failed.
    Groups,
    /// setgid(2) failed.
    Group,
    /// setuid(2) failed.
    User,
}

impl std::fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotRoot | Self::User => f.write_str("Can't drop privilege as nonroot user"),
            Self::UnknownUid(uid) => write!(f, "Can't find uid {uid}"),
            Self::Groups => f.write_str("Could not set groups of effective user"),
            Self::Group => f.write_str("Could not set group id of effective user"),
        }
    }
}

impl std::error::Error for PrivilegeError {}

/// Becomes the user of this uid with its groups; nothing is done if it is the present one (PROC-069).
///
/// # Errors
/// [`PrivilegeError`].
pub fn drop_privileges(uid: u32) -> Result<(), PrivilegeError> {
    let current = rustix::process::getuid().as_raw();
    let user = user_by_uid(uid).ok().flatten().ok_or(PrivilegeError::UnknownUid(uid))?;
    if current == uid {
        return Ok(());
    }
    if current != 0 {
        return Err(PrivilegeError::NotRoot);
    }
    // SAFETY: `groups` points to as many group ids as given; the others take plain integers.
    unsafe {
        check(libc::setgroups(user.groups.len(), user.groups.as_ptr()))
            .map_err(|_| PrivilegeError::Groups)?;
        check(libc::setgid(user.gid)).map_err(|_| PrivilegeError::Group)?;
        check(libc::setuid(uid)).map_err(|_| PrivilegeError::User)
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
