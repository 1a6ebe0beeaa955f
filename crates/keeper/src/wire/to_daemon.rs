//! Bytes of what the keeper tells the daemon. A kind keeps its number and its fields for ever.

use super::body::{Reader, Writer};
use super::{Exit, Message, SpawnStep, ToDaemon, WireError};

const WELCOME: u16 = 101;
const RECORD: u16 = 102;
const HELD: u16 = 103;
const CHILD: u16 = 104;
const INVENTORY_END: u16 = 105;
const SPAWNED: u16 = 106;
const SPAWN_FAILED: u16 = 107;
const EXITED: u16 = 108;
const REAPED: u16 = 109;
const SIGNALLED: u16 = 110;
const SIGNAL_RECEIVED: u16 = 111;
const DETACH_FAILED: u16 = 112;
const LEAVE: u16 = 113;
const REPLACED: u16 = 114;
const NOT_HELD: u16 = 115;

impl Message for ToDaemon {
    fn kind(&self) -> u16 {
        match self {
            Self::Welcome { .. } => WELCOME,
            Self::Record { .. } => RECORD,
            Self::Held { .. } => HELD,
            Self::Child { .. } => CHILD,
            Self::InventoryEnd => INVENTORY_END,
            Self::Spawned { .. } => SPAWNED,
            Self::SpawnFailed { .. } => SPAWN_FAILED,
            Self::Exited { .. } => EXITED,
            Self::Reaped { .. } => REAPED,
            Self::Signalled { .. } => SIGNALLED,
            Self::SignalReceived { .. } => SIGNAL_RECEIVED,
            Self::DetachFailed { .. } => DETACH_FAILED,
            Self::Leave { .. } => LEAVE,
            Self::Replaced { .. } => REPLACED,
            Self::NotHeld { .. } => NOT_HELD,
        }
    }

    fn write(&self, body: &mut Writer) {
        match self {
            Self::Welcome { wire_version, keeper_pid, generation, detached } => {
                body.u16(*wire_version).u32(*keeper_pid).u32(*generation).bool(*detached);
            }
            Self::Record { key, value } => {
                body.u64(*key).bytes(value);
            }
            Self::Held { name } | Self::NotHeld { name } => {
                body.bytes(name.as_bytes());
            }
            Self::Child { run, pid, start_ns, exited, has_stdin, has_stdout, has_stderr } => {
                body.u64(*run).u32(*pid).u64(*start_ns).option(exited.as_ref(), write_exit);
                body.bool(*has_stdin).bool(*has_stdout).bool(*has_stderr);
            }
            Self::InventoryEnd => {}
            Self::Spawned { run, pid, at_ns } => {
                body.u64(*run).u32(*pid).u64(*at_ns);
            }
            Self::SpawnFailed { run, errno, step } => {
                write_step(body.u64(*run).i32(*errno), step);
            }
            Self::Exited { run, pid, exit } => write_exit(body.u64(*run).u32(*pid), exit),
            Self::Reaped { pid, status } => {
                body.u32(*pid).i32(*status);
            }
            Self::Signalled { token, errno } => {
                body.u64(*token).i32(*errno);
            }
            Self::SignalReceived { signo } => {
                body.i32(*signo);
            }
            Self::DetachFailed { errno } => {
                body.i32(*errno);
            }
            Self::Leave { token } => {
                body.u64(*token);
            }
            Self::Replaced { token, failure } => {
                body.u64(*token).option(failure.as_ref(), |body, text| {
                    body.bytes(text);
                });
            }
        }
    }

    fn decode(kind: u16, body: &mut Reader<'_>) -> Result<Option<Self>, WireError> {
        let message = match kind {
            WELCOME => Self::Welcome {
                wire_version: body.u16()?,
                keeper_pid: body.u32()?,
                generation: body.u32()?,
                detached: body.bool()?,
            },
            RECORD => Self::Record { key: body.u64()?, value: body.bytes()? },
            HELD => Self::Held { name: body.text()? },
            CHILD => read_child(body)?,
            INVENTORY_END => Self::InventoryEnd,
            SPAWNED => Self::Spawned { run: body.u64()?, pid: body.u32()?, at_ns: body.u64()? },
            SPAWN_FAILED => {
                Self::SpawnFailed { run: body.u64()?, errno: body.i32()?, step: read_step(body)? }
            }
            EXITED => Self::Exited { run: body.u64()?, pid: body.u32()?, exit: read_exit(body)? },
            REAPED => Self::Reaped { pid: body.u32()?, status: body.i32()? },
            SIGNALLED => Self::Signalled { token: body.u64()?, errno: body.i32()? },
            SIGNAL_RECEIVED => Self::SignalReceived { signo: body.i32()? },
            DETACH_FAILED => Self::DetachFailed { errno: body.i32()? },
            LEAVE => Self::Leave { token: body.u64()? },
            REPLACED => Self::Replaced { token: body.u64()?, failure: body.option(Reader::bytes)? },
            NOT_HELD => Self::NotHeld { name: body.text()? },
            _ => return Ok(None),
        };
        Ok(Some(message))
    }
}

fn read_child(body: &mut Reader<'_>) -> Result<ToDaemon, WireError> {
    Ok(ToDaemon::Child {
        run: body.u64()?,
        pid: body.u32()?,
        start_ns: body.u64()?,
        exited: body.option(read_exit)?,
        has_stdin: body.bool()?,
        has_stdout: body.bool()?,
        has_stderr: body.bool()?,
    })
}

pub(crate) fn write_exit(body: &mut Writer, exit: &Exit) {
    body.i32(exit.status).u64(exit.at_ns).u64(exit.utime_us).u64(exit.stime_us).u64(exit.maxrss_kib);
}

pub(crate) fn read_exit(body: &mut Reader<'_>) -> Result<Exit, WireError> {
    Ok(Exit {
        status: body.i32()?,
        at_ns: body.u64()?,
        utime_us: body.u64()?,
        stime_us: body.u64()?,
        maxrss_kib: body.u64()?,
    })
}

fn write_step(body: &mut Writer, step: &SpawnStep) {
    match step {
        SpawnStep::Pipe => body.u8(0),
        SpawnStep::Fork => body.u8(1),
        SpawnStep::Restrain(key) => body.u8(2).bytes(key),
    };
}

fn read_step(body: &mut Reader<'_>) -> Result<SpawnStep, WireError> {
    match body.u8()? {
        0 => Ok(SpawnStep::Pipe),
        1 => Ok(SpawnStep::Fork),
        2 => Ok(SpawnStep::Restrain(body.bytes()?)),
        3.. => Err(WireError::Value),
    }
}
