//! What the kernel will refuse to execute: said in the daemon's log in words, since the child can only tell the name of the
//! error (execve(2)), and `ENOENT` for a script that is there explains nothing.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind::NotFound;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};
use upkeep_keeper::wire::SpawnPlan;

/// What the kernel reads of a script's first line.
const FIRST_LINE: u64 = 256;
/// Longest argument or variable with its final zero: 32 pages of 4 KiB.
const LONGEST: usize = 32 * 4096;
/// What there is room for however small the stack is.
const LEAST_ROOM: u64 = 128 * 1024;
/// What there is room for however large the stack may become.
const MOST_ROOM: u64 = 6 * 1024 * 1024;

/// Why this start of the process `name` will fail, if that can be told. Blocks on the file system.
pub(crate) fn trouble(name: &str, plan: &SpawnPlan) -> Option<String> {
    let what = oversize(plan).or_else(|| missing_interpreter(Path::new(OsStr::from_bytes(&plan.path))))?;
    Some(format!("'{name}' cannot be executed: {what}"))
}

/// What a script's first line says it is to be executed with. Blocks on the file system.
pub(crate) fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(script).ok()?.take(FIRST_LINE).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let interpreter = line.split(is_blank).find(|word| !word.is_empty())?;
    Some(OsStr::from_bytes(interpreter).into())
}

/// The interpreter that a script names and that is not there (ENOENT).
fn missing_interpreter(script: &Path) -> Option<String> {
    let interpreter = interpreter(script)?;
    let is_missing = std::fs::metadata(&interpreter).is_err_and(|error| error.kind() == NotFound);
    is_missing.then(|| {
        let (script, interpreter) = (script.display(), interpreter.as_os_str().as_bytes().escape_ascii());
        format!("the first line of {script} names the interpreter '{interpreter}', which is not there")
    })
}

/// What is too long (E2BIG).
pub(crate) fn oversize(plan: &SpawnPlan) -> Option<String> {
    let stack = getrlimit(Resource::Stack).current.unwrap_or(u64::MAX);
    too_long(plan, (stack / 4).clamp(LEAST_ROOM, MOST_ROOM))
}

fn too_long(plan: &SpawnPlan, room: u64) -> Option<String> {
    let variable =
        plan.env.iter().find(|text| text.len() >= LONGEST).map(|text| (variable(text), text.len()));
    let argument = || plan.argv.iter().enumerate().find(|(_, text)| text.len() >= LONGEST);
    let long = variable.or_else(|| argument().map(|(at, text)| (format!("argument {at}"), text.len())));
    if let Some((what, length)) = long {
        return Some(format!("{what} has {length} bytes, of which the system takes {}", LONGEST - 1));
    }
    let strings = plan.argv.iter().map(Vec::as_slice).chain(plan.env.iter());
    // Each has a final zero and a pointer to it.
    let needed: usize =
        plan.path.len() + strings.map(|text| text.len() + 1 + size_of::<usize>()).sum::<usize>();
    (needed as u64 > room).then(|| {
        format!("command line and environment together need {needed} bytes, and there is room for {room}")
    })
}

/// The name of the variable in `NAME=VALUE`.
fn variable(text: &[u8]) -> String {
    let name = text.split(|byte| *byte == b'=').next().unwrap_or_default();
    format!("the variable {}", String::from_utf8_lossy(name))
}

#[cfg(test)]
mod tests {
    use upkeep_keeper::wire::{StdinPlan, UserPlan};

    use super::*;

    fn plan(argv: &[usize], env: &[usize]) -> SpawnPlan {
        let argv = argv.iter().map(|&length| vec![b'a'; length]).collect();
        let env = env.iter().map(|&length| [b"KEY=", vec![b'v'; length - 4].as_slice()].concat()).collect();
        SpawnPlan {
            path: b"/bin/true".to_vec(),
            argv,
            env,
            cwd: None,
            umask: None,
            user: UserPlan::Keep,
            stdin: StdinPlan::Pipe,
            stderr_to_stdout: false,
            restraints: Vec::new(),
        }
    }

    #[test]
    fn says_which_interpreter_is_missing() {
        let dir = tempfile::tempdir().expect("a directory");
        let script = dir.path().join("script");
        let rows: [(&[u8], Option<&str>); 7] = [
            (b"#!/no/such\n", Some("'/no/such'")),
            (b"#! /no/such -x\n", Some("'/no/such'")),
            (b"#!/bin/sh\r\n", Some(r"'/bin/sh\r'")),
            (b"#!/bin/sh\n", None),
            (b"#!\n", None),
            (b"\x7fELF", None),
            (b"", None),
        ];
        for (text, expected) in rows {
            std::fs::write(&script, text).expect("a script");
            let found = missing_interpreter(&script);
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
        assert_eq!(missing_interpreter(&dir.path().join("none")), None);
    }

    #[test]
    fn says_what_is_too_long() {
        let rows: [(&[usize], &[usize], Option<&str>); 5] = [
            (&[10, 10_000], &[100], None),
            (&[LONGEST - 1], &[LONGEST - 1; 7], None),
            (&[4, LONGEST], &[], Some("argument 1 has 131072 bytes, of which the system takes 131071")),
            (&[], &[9, LONGEST], Some("the variable KEY has 131072 bytes, of which the system takes 131071")),
            (
                &[],
                &[100_000; 11],
                Some(
                    "command line and environment together need 1100108 bytes, and there is room for 1048712",
                ),
            ),
        ];
        for (argv, env, expected) in rows {
            assert_eq!(too_long(&plan(argv, env), 1_048_712).as_deref(), expected);
        }
    }
}
