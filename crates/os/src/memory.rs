//! What this process keeps of the machine's memory.

use std::ffi::{OsStr, OsString};
#[cfg(target_os = "linux")]
use std::ffi::{c_int, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

/// How long nothing must have happened before memory is given back.
const QUIET: Duration = Duration::from_millis(500);
/// When it is looked once more if there were clients: the last of them may have taken their time.
const LATER: Duration = Duration::from_secs(10);
/// Work after which that is worth looking: a start of many processes, a crowd of clients, a day of restarts.
const MUCH: u32 = 64;
/// A call among that work: its answer may be large.
const A_CALL: u32 = 4;

/// How much was done since memory was last given back. A heap does not do so by itself: whatever lives behind what was freed
/// keeps it, and a process that makes and forgets small things of many sizes grows for hours.
#[derive(Debug)]
pub struct Thrift {
    work: u32,
    /// Some of it was for a client.
    clients: bool,
    /// Something is kept for more of them that is worth the look.
    lent: bool,
    once_more: bool,
}

impl Default for Thrift {
    /// To come up is much.
    fn default() -> Self {
        Self { work: MUCH, clients: false, lent: false, once_more: false }
    }
}

impl Thrift {
    /// Something small was done.
    pub fn worked(&mut self) {
        self.work = self.work.saturating_add(1);
    }

    /// A client asked for something, maybe for much.
    pub fn served(&mut self) {
        self.work = self.work.saturating_add(A_CALL);
        self.clients = true;
    }

    /// Something large is kept for clients that may ask for the same again.
    pub fn lent(&mut self) {
        self.lent = true;
    }

    /// How long it has to be quiet until memory should be given back; `None` if there is no need.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        if self.work >= MUCH || self.lent { Some(QUIET) } else { self.once_more.then_some(LATER) }
    }

    /// Gives back what is not needed. Code that is needed again comes back for some 0.1 ms in all. `alone` is whether no client is
    /// connected: then there is nothing to come.
    pub fn give_back(&mut self, alone: bool) {
        trim_heap();
        self.lent = false;
        if std::mem::take(&mut self.work) >= MUCH {
            let_go_of_code();
        }
        self.once_more = std::mem::take(&mut self.clients) && !alone;
    }
}

/// The variable by which the C library's heap is told how to work when a program starts.
pub const HEAP_VARIABLE: &str = "GLIBC_TUNABLES";
/// No store of small pieces that were freed, as each thread has one by default: they count as used, so each keeps its page,
/// wherever it is. After 16,000 restarts of 200 children a keeper had grown by 240 KiB with it and by 0 without, its daemon by
/// 390 and 100 KiB.
const NO_STORE: &str = "glibc.malloc.tcache_count=0";

/// The value of [`HEAP_VARIABLE`] for a program that is to work thriftily, from what it would be otherwise.
#[must_use]
pub fn thrifty_heap(before: Option<&OsStr>) -> OsString {
    let mut value = before.map(OsStr::to_owned).unwrap_or_default();
    if !value.is_empty() {
        value.push(":");
    }
    value.push(NO_STORE);
    value
}

/// Takes what [`thrifty_heap`] has added out of this process's environment, which is that of its children. To be called before
/// there is a second thread; else it stays.
pub fn forget_thrifty_heap() {
    let Some(before) = std::env::var_os(HEAP_VARIABLE).as_deref().and_then(before_thrift) else { return };
    // Where that cannot be seen it is so: this is called first.
    if std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() != 1) {
        return;
    }
    if before.is_empty() {
        // SAFETY: there is one thread, so nobody else reads or writes the environment.
        unsafe { std::env::remove_var(HEAP_VARIABLE) }
    } else {
        // SAFETY: as above.
        unsafe { std::env::set_var(HEAP_VARIABLE, before) }
    }
}

/// What [`thrifty_heap`] was given; `None` if it did not make this value.
fn before_thrift(value: &OsStr) -> Option<OsString> {
    let before = value.as_bytes().strip_suffix(NO_STORE.as_bytes())?;
    Some(OsString::from_vec(before.strip_suffix(b":").unwrap_or(before).to_vec()))
}

/// Lets all threads share one heap, so that what one of them gives back is of use to the others, and [`trim_heap`] finds it.
/// For a process whose threads mostly wait. To be called before there is a second thread.
pub fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a number in, a number out; mallopt(3) may be called at any time.
    unsafe {
        // Refused by nothing that matters: without it there are more heaps.
        let _ = libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives back to the system what the heap does not need at present: malloc_trim(3). It walks through the whole heap.
fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only returns pages that no allocation touches.
    unsafe {
        let _ = libc::malloc_trim(0);
    }
}

/// Takes the pages of the program's code, its constants and its libraries out of this process: those that are used again
/// come back by themselves, from the system's cache. What only a start needs is not this process's then.
fn let_go_of_code() {
    #[cfg(target_os = "linux")]
    // SAFETY: the callback has the type that dl_iterate_phdr(3) asks for, and nothing is passed through to it.
    unsafe {
        libc::dl_iterate_phdr(Some(let_go_of_object), std::ptr::null_mut());
    }
}

/// What of one object nothing has written to.
#[cfg(target_os = "linux")]
unsafe extern "C" fn let_go_of_object(info: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: dl_iterate_phdr(3) passes a description that is valid during this call.
    let info = unsafe { &*info };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: it has so many headers, as valid as itself.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in
        headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0)
    {
        let begin = address(info.dlpi_addr.wrapping_add(header.p_vaddr));
        let end = begin + address(header.p_memsz);
        // Whole pages only: the first and the last may be shared with a segment that is written to.
        let page = rustix::param::page_size();
        let (begin, end) = (begin.next_multiple_of(page), end / page * page);
        if begin < end {
            // SAFETY: a mapping of a file that this process never writes to, so what comes back is what was there.
            unsafe { libc::madvise(begin as *mut c_void, end - begin, libc::MADV_DONTNEED) };
        }
    }
    0
}

/// Addresses have the width of the machine, whatever the headers call it.
#[cfg(target_os = "linux")]
fn address(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Bytes of this process that are files, or not, in memory.
    fn resident(what: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    #[test]
    fn what_users_tell_their_heaps_stays() {
        let theirs = OsStr::new("glibc.malloc.check=1");
        assert_eq!(thrifty_heap(Some(theirs)), "glibc.malloc.check=1:glibc.malloc.tcache_count=0");
        assert_eq!(before_thrift(&thrifty_heap(Some(theirs))).as_deref(), Some(theirs));
        assert_eq!(before_thrift(&thrifty_heap(None)), Some(OsString::new()));
        assert_eq!(before_thrift(theirs), None);
    }

    #[test]
    fn what_was_freed_is_given_back() {
        const PIECE: usize = 1000;
        let pieces: Vec<Vec<u8>> = (0..20_000).map(|_| vec![1; PIECE]).collect();
        // Every hundredth stays: without being asked the heap gives back only what is behind the last.
        let kept: Vec<Vec<u8>> = pieces.into_iter().step_by(100).collect();
        let before = resident("RssAnon:");
        trim_heap();
        let freed = before.saturating_sub(resident("RssAnon:"));
        assert!(kept.iter().all(|piece| piece == &[1; PIECE]));
        assert!(freed > 10 << 20, "{freed} bytes");
    }

    #[test]
    fn code_that_is_used_comes_back() {
        let start = std::time::Instant::now();
        let before = resident("RssFile:");
        let_go_of_code();
        let after = resident("RssFile:");
        assert!(after < before, "{after} < {before}");
        let mut numbers = Vec::from_iter((0..1000).rev());
        numbers.sort_unstable();
        assert_eq!(format!("{:?}", &numbers[..3]), "[0, 1, 2]");
        assert!(std::time::Instant::now() >= start, "the clock is read through a page of the kernel's");
    }
}
