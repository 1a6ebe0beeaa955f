//! Bytes of what the daemon asks of the keeper. A kind keeps its number and its fields for ever.

use super::body::{Reader, Writer};
use super::to_daemon::{read_exit, write_exit};
use super::{Detach, Message, SpawnPlan, StdinPlan, ToKeeper, UserPlan, WireError, restraint};

const SPAWN: u16 = 1;
const SIGNAL: u16 = 2;
const PUT: u16 = 3;
const DELETE: u16 = 4;
const RELEASE: u16 = 5;
const CLOSE_STDIN: u16 = 6;
const HOLD: u16 = 7;
const UNHOLD: u16 = 8;
const READY: u16 = 9;
const QUIT: u16 = 10;
const SEEN: u16 = 11;
const ADOPT: u16 = 12;
const REPLACE: u16 = 13;
const EXTEND: u16 = 14;
const LEND: u16 = 15;

impl Message for ToKeeper {
    fn kind(&self) -> u16 {
        match self {
            Self::Spawn { .. } => SPAWN,
            Self::Signal { .. } => SIGNAL,
            Self::Put { .. } => PUT,
            Self::Delete { .. } => DELETE,
            Self::Release { .. } => RELEASE,
            Self::CloseStdin { .. } => CLOSE_STDIN,
            Self::Hold { .. } => HOLD,
            Self::Unhold { .. } => UNHOLD,
            Self::Ready { .. } => READY,
            Self::Quit { .. } => QUIT,
            Self::Seen { .. } => SEEN,
            Self::Adopt { .. } => ADOPT,
            Self::Replace { .. } => REPLACE,
            Self::Extend { .. } => EXTEND,
            Self::Lend { .. } => LEND,
        }
    }

    fn write(&self, body: &mut Writer) {
        match self {
            Self::Spawn { run, plan } => write_plan(body.u64(*run), plan),
            Self::Signal { token, run, signo, group } => {
                body.u64(*token).u64(*run).i32(*signo).bool(*group);
            }
            Self::Put { key, value } => {
                body.u64(*key).bytes(value);
            }
            Self::Delete { key } => {
                body.u64(*key);
            }
            Self::Release { run } | Self::CloseStdin { run } => {
                body.u64(*run);
            }
            Self::Hold { name } | Self::Unhold { name } => {
                body.bytes(name.as_bytes());
            }
            Self::Ready { detach } => {
                body.option(detach.as_ref(), write_detach);
            }
            Self::Quit { code } => {
                body.u8(*code);
            }
            Self::Seen { signo } => {
                body.i32(*signo);
            }
            Self::Adopt { run, pid, start_ns, exited, has_pidfd, has_stdin, has_stdout, has_stderr } => {
                body.u64(*run).u32(*pid).u64(*start_ns).option(exited.as_ref(), write_exit);
                body.bool(*has_pidfd).bool(*has_stdin).bool(*has_stdout).bool(*has_stderr);
            }
            Self::Extend { key, keep, value } => {
                body.u64(*key).u64(*keep).bytes(value);
            }
            Self::Lend { run, number } => {
                body.u64(*run).i32(*number);
            }
            Self::Replace { token, patience_ns } => {
                body.u64(*token).u64(*patience_ns);
            }
        }
    }

    fn decode(kind: u16, body: &mut Reader<'_>) -> Result<Option<Self>, WireError> {
        let message = match kind {
            SPAWN => Self::Spawn { run: body.u64()?, plan: read_plan(body)? },
            SIGNAL => {
                Self::Signal { token: body.u64()?, run: body.u64()?, signo: body.i32()?, group: body.bool()? }
            }
            PUT => Self::Put { key: body.u64()?, value: body.bytes()? },
            DELETE => Self::Delete { key: body.u64()? },
            RELEASE => Self::Release { run: body.u64()? },
            CLOSE_STDIN => Self::CloseStdin { run: body.u64()? },
            HOLD => Self::Hold { name: body.text()? },
            UNHOLD => Self::Unhold { name: body.text()? },
            READY => Self::Ready { detach: body.option(read_detach)? },
            QUIT => Self::Quit { code: body.u8()? },
            SEEN => Self::Seen { signo: body.i32()? },
            EXTEND => Self::Extend { key: body.u64()?, keep: body.u64()?, value: body.bytes()? },
            ADOPT => read_adopt(body)?,
            LEND => Self::Lend { run: body.u64()?, number: body.i32()? },
            REPLACE => Self::Replace { token: body.u64()?, patience_ns: body.u64()? },
            _ => return Ok(None),
        };
        Ok(Some(message))
    }
}

fn read_adopt(body: &mut Reader<'_>) -> Result<ToKeeper, WireError> {
    Ok(ToKeeper::Adopt {
        run: body.u64()?,
        pid: body.u32()?,
        start_ns: body.u64()?,
        exited: body.option(read_exit)?,
        has_pidfd: body.bool()?,
        has_stdin: body.bool()?,
        has_stdout: body.bool()?,
        has_stderr: body.bool()?,
    })
}

fn write_plan(body: &mut Writer, plan: &SpawnPlan) {
    body.bytes(&plan.path)
        .list(&plan.argv, |body, arg| {
            body.bytes(arg);
        })
        .strings(&plan.env)
        .option(plan.cwd.as_ref(), |body, cwd| {
            body.bytes(cwd);
        })
        .option(plan.umask.as_ref(), |body, umask| {
            body.u32(*umask);
        });
    write_user(body, &plan.user);
    body.u8(stdin_code(plan.stdin)).bool(plan.stderr_to_stdout);
    if !plan.restraints.is_empty() {
        body.list(&plan.restraints, restraint::write);
    }
}

fn read_plan(body: &mut Reader<'_>) -> Result<SpawnPlan, WireError> {
    Ok(SpawnPlan {
        path: body.bytes()?,
        argv: body.list(Reader::bytes)?,
        env: body.strings()?,
        cwd: body.option(Reader::bytes)?,
        umask: body.option(Reader::u32)?,
        user: read_user(body)?,
        stdin: read_stdin(body)?,
        stderr_to_stdout: body.bool()?,
        restraints: if body.is_empty() { Vec::new() } else { body.list(restraint::read)? },
    })
}

fn write_user(body: &mut Writer, user: &UserPlan) {
    match user {
        UserPlan::Keep => {
            body.u8(0);
        }
        UserPlan::Switch { uid, gid, groups } => {
            body.u8(1).u32(*uid).u32(*gid).list(groups, |body, group| {
                body.u32(*group);
            });
        }
        UserPlan::Refuse { uid, reason } => {
            body.u8(2).u32(*uid).bytes(reason);
        }
    }
}

fn read_user(body: &mut Reader<'_>) -> Result<UserPlan, WireError> {
    match body.u8()? {
        0 => Ok(UserPlan::Keep),
        1 => Ok(UserPlan::Switch { uid: body.u32()?, gid: body.u32()?, groups: body.list(Reader::u32)? }),
        2 => Ok(UserPlan::Refuse { uid: body.u32()?, reason: body.bytes()? }),
        3.. => Err(WireError::Value),
    }
}

fn stdin_code(stdin: StdinPlan) -> u8 {
    match stdin {
        StdinPlan::Pipe => 0,
        StdinPlan::Null => 1,
        StdinPlan::Attached => 2,
    }
}

fn read_stdin(body: &mut Reader<'_>) -> Result<StdinPlan, WireError> {
    match body.u8()? {
        0 => Ok(StdinPlan::Pipe),
        1 => Ok(StdinPlan::Null),
        2 => Ok(StdinPlan::Attached),
        3.. => Err(WireError::Value),
    }
}

fn write_detach(body: &mut Writer, detach: &Detach) {
    body.option(detach.directory.as_ref(), |body, directory| {
        body.bytes(directory);
    })
    .option(detach.umask.as_ref(), |body, umask| {
        body.u32(*umask);
    });
}

fn read_detach(body: &mut Reader<'_>) -> Result<Detach, WireError> {
    Ok(Detach { directory: body.option(Reader::bytes)?, umask: body.option(Reader::u32)? })
}
