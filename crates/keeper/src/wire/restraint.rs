//! Bytes of what is done to a child before it executes its program: number, option, then what belongs to that number, with
//! its length in front, so that a keeper can skip what it does not know, and refuse it when the child is to be made.

use upkeep_os::spawn::{Restraint, What};

use super::WireError;
use super::body::{Reader, Writer};

const NICE: u8 = 1;
const IONICE: u8 = 2;
const OOM_SCORE_ADJ: u8 = 3;
const CGROUP: u8 = 4;
const PRIVATE_TMP: u8 = 5;
const ONLY_WRITE_BENEATH: u8 = 6;
const RLIMIT: u8 = 7;
const NO_NEW_PRIVILEGES: u8 = 8;
const BOUNDING_SET: u8 = 9;
const AMBIENT_SET: u8 = 10;

pub(super) fn write(body: &mut Writer, restraint: &Restraint) {
    let mut own = Writer::default();
    let kind = write_what(&mut own, &restraint.what);
    body.u8(kind).bytes(restraint.key.as_bytes()).bytes(&own.into_bytes());
}

fn write_what(body: &mut Writer, what: &What) -> u8 {
    match what {
        What::Nice(value) => {
            body.i32(*value);
            NICE
        }
        What::Ionice { class, level } => {
            body.u8(*class).u8(*level);
            IONICE
        }
        What::OomScoreAdj(value) => {
            body.i32(*value);
            OOM_SCORE_ADJ
        }
        What::Cgroup(directory) => {
            body.bytes(directory);
            CGROUP
        }
        What::PrivateTmp => PRIVATE_TMP,
        What::OnlyWriteBeneath(paths) => {
            body.list(paths, |body, path| {
                body.bytes(path);
            });
            ONLY_WRITE_BENEATH
        }
        What::Rlimit { resource, soft, hard } => {
            body.u32(*resource);
            for limit in [soft, hard] {
                body.option(limit.as_ref(), |body, limit| {
                    body.u64(*limit);
                });
            }
            RLIMIT
        }
        What::NoNewPrivileges => NO_NEW_PRIVILEGES,
        What::BoundingSet(set) => {
            body.u64(*set);
            BOUNDING_SET
        }
        What::AmbientSet(set) => {
            body.u64(*set);
            AMBIENT_SET
        }
        What::Unknown(kind) => *kind,
    }
}

pub(super) fn read(body: &mut Reader<'_>) -> Result<Restraint, WireError> {
    let (kind, key, own) = (body.u8()?, body.text()?, body.bytes()?);
    let mut own = Reader::new(&own);
    let what = match kind {
        NICE => What::Nice(own.i32()?),
        IONICE => What::Ionice { class: own.u8()?, level: own.u8()? },
        OOM_SCORE_ADJ => What::OomScoreAdj(own.i32()?),
        CGROUP => What::Cgroup(own.bytes()?),
        PRIVATE_TMP => What::PrivateTmp,
        ONLY_WRITE_BENEATH => What::OnlyWriteBeneath(own.list(Reader::bytes)?),
        RLIMIT => What::Rlimit {
            resource: own.u32()?,
            soft: own.option(Reader::u64)?,
            hard: own.option(Reader::u64)?,
        },
        NO_NEW_PRIVILEGES => What::NoNewPrivileges,
        BOUNDING_SET => What::BoundingSet(own.u64()?),
        AMBIENT_SET => What::AmbientSet(own.u64()?),
        other => What::Unknown(other),
    };
    Ok(Restraint { key, what })
}
