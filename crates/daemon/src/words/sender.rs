//! Whether a process may speak for another one.

use upkeep_os::Datagram;

/// Generations that are looked through for an ancestor: who started so many is nobody's child any more.
const GENERATIONS: usize = 32;

/// Who may speak for a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speakers {
    /// Its child.
    pub(super) child: u32,
    /// What that has named as its main process.
    pub(super) main: Option<u32>,
    /// The user it was started as.
    pub(super) user: u32,
}

impl Speakers {
    /// Whether the sender is the child, one of its descendants or group, or its main process. One that has ended meanwhile (a command
    /// that only tells, such as systemd-notify) has to be of the same user: who is could do worse to the process than this.
    pub(super) fn include(&self, datagram: &Datagram) -> bool {
        if datagram.pid == self.child || Some(datagram.pid) == self.main {
            return true;
        }
        let mut next = datagram.pid;
        for generation in 0..GENERATIONS {
            match about(next) {
                Some(seen) if [seen.parent, seen.group, seen.session].contains(&self.child) => return true,
                Some(seen) => next = seen.parent,
                None if generation == 0 => {
                    return datagram.uid.is_some_and(|uid| uid == self.user || uid == 0);
                }
                None => return false,
            }
        }
        false
    }
}

struct Seen {
    parent: u32,
    group: u32,
    session: u32,
}

/// What /proc tells of a process (proc_pid_stat(5)); `None` if it is gone.
fn about(pid: u32) -> Option<Seen> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and brackets: fields are counted behind the last one.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(1).map(|field| field.parse().ok());
    Some(Seen { parent: fields.next()??, group: fields.next()??, session: fields.next()?? })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    fn datagram(pid: u32, uid: u32) -> Datagram {
        Datagram { length: 0, is_whole: true, pid, uid: Some(uid) }
    }

    #[test]
    fn descendants_speak_and_strangers_do_not() {
        let me = std::process::id();
        // In a process group of its own, it is ours by descent alone.
        let mut child = std::process::Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let speakers = |child, main| Speakers { child, main, user: 12_345 };
        assert!(speakers(me, None).include(&datagram(me, 0)));
        assert!(speakers(me, None).include(&datagram(child.id(), 7)), "a descendant, whatever its user");
        assert!(
            !speakers(child.id(), None).include(&datagram(me, 0)),
            "not even root, if it lives elsewhere"
        );
        assert!(speakers(child.id(), Some(me)).include(&datagram(me, 7)));
        let gone = child.id();
        child.kill().unwrap();
        child.wait().unwrap();
        for (uid, may) in [(12_345, true), (0, true), (7, false)] {
            assert_eq!(speakers(1_999_999_999, None).include(&datagram(gone, uid)), may, "{uid}");
        }
        let nobody = Datagram { uid: None, ..datagram(0, 0) };
        assert!(!speakers(me, None).include(&nobody), "who says nothing about himself");
    }
}
