//! The user database, through the C library, so that every configured source counts.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Largest buffer tried for one entry.
const BUFFER_LIMIT: usize = 1 << 20;

/// A user and the groups a login would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// All groups, the primary one first (PROC-068).
    pub groups: Vec<u32>,
}

/// The user of this id; `None` if there is none.
///
/// # Errors
/// The database cannot be asked.
pub fn user_by_uid(uid: u32) -> io::Result<Option<User>> {
    let mut size = 1024;
    loop {
        let mut buffer = vec![0; size];
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: every pointer is to writable memory that lives through the call; the length is the buffer's.
        let code = unsafe {
            libc::getpwuid_r(uid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found)
        };
        if code == libc::ERANGE && size < BUFFER_LIMIT {
            size *= 4;
            continue;
        }
        if code != 0 {
            return Err(io::Error::from_raw_os_error(code));
        }
        if found.is_null() {
            return Ok(None);
        }
        // SAFETY: `found` is not null, so the entry is filled in and its name points into `buffer`, still alive.
        let (gid, name) = unsafe {
            let entry = entry.assume_init();
            (entry.pw_gid, CStr::from_ptr(entry.pw_name).to_owned())
        };
        let groups = groups_of(&name, gid);
        return Ok(Some(User { name: name.to_string_lossy().into_owned(), uid, gid, groups }));
    }
}

fn groups_of(name: &CStr, gid: u32) -> Vec<u32> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the name ends with NUL; `groups` has room for `count` ids; `count` is writable.
        let result = unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
        let needed = usize::try_from(count).unwrap_or(0);
        if result >= 0 {
            groups.truncate(needed);
            break;
        }
        groups.resize(needed.max(groups.len() * 2), 0);
    }
    groups.retain(|&group| group != gid);
    groups.insert(0, gid);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_and_its_primary_group_comes_first() {
        let root = user_by_uid(0).unwrap().unwrap();
        assert_eq!((root.name.as_str(), root.gid), ("root", 0));
        assert_eq!(root.groups[0], 0);
        assert_eq!(user_by_uid(4_000_000_000).unwrap(), None);
    }
}
