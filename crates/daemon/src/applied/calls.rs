//! Questions about configurations that were applied.

use upkeep_api::{ConfigFile, ConfigGeneration, Fault, FaultCode, Reply};
use upkeep_config::{SourceFile, Sources};
use upkeep_logs::Level;

use super::back::Origin;
use super::{unpack, write};
use crate::calls::respond;
use crate::reading::Place;
use crate::shell::{Responder, Shell};
use crate::tasks;

/// What somebody is told who asks about a number before it is known what the disk has.
const UNKNOWN_YET: &str = "which configuration has that number is not known yet, because the disk of config_history_dir does not answer: \
                           try again, or take that option out (upkeep reload --keep)";

/// What is asked about configurations that were applied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    List,
    Files(i64),
    Plan(i64),
    RollBack(i64),
    Write(i64),
}

impl Asked {
    /// The number that it is about; 0 if none.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::List => 0,
            Self::Files(number) | Self::Plan(number) | Self::RollBack(number) | Self::Write(number) => number,
        }
    }
}

impl Shell {
    /// Somebody asks about configurations that were applied.
    pub(crate) fn applied_asked(&mut self, asked: Asked, reply: Responder) {
        if self.applied.opening {
            return self.wait_for_history(asked, reply);
        }
        self.tell_applied(asked, reply);
    }

    /// Answers. A number may come to be another's as long as it is not known what the disk has.
    pub(super) fn tell_applied(&mut self, asked: Asked, reply: Responder) {
        if self.applied.opening && asked.number() != 0 {
            return self.respond(reply, Err(Fault::about(FaultCode::Failed, UNKNOWN_YET)));
        }
        match asked {
            Asked::List => respond(reply, Ok(Reply::ConfigGenerations(self.applied_list()))),
            Asked::Files(number) => self.applied_files(number, reply),
            Asked::Plan(number) => match self.origin_of(number) {
                Ok(origin) => self.tell_plan(origin, reply),
                Err(fault) => self.respond(reply, Err(fault)),
            },
            Asked::RollBack(number) => self.roll_back(number, reply),
            Asked::Write(number) => self.write_applied(number, reply),
        }
    }

    /// What is kept, oldest first.
    fn applied_list(&self) -> Vec<ConfigGeneration> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let running = self.applied.running();
        let tell = |record: &super::AppliedRecord| ConfigGeneration {
            number: number(record.number),
            time: record.time,
            cause: record.cause.to_string(),
            changed: number(record.changed),
            running: Some(record.number) == running,
        };
        self.applied.list.iter().map(|entry| tell(&entry.record)).collect()
    }

    /// The text of every file of a number; 0 is what was read last.
    fn applied_files(&self, number: i64, reply: Responder) {
        if let Err(fault) = may_see(&reply) {
            return respond(reply, Err(fault));
        }
        let found = match number {
            0 => Ok(Origin::Read(self.generations.latest().sources.clone())),
            number => self.origin_of(number),
        };
        let origin = match found {
            Ok(origin) => origin,
            Err(fault) => return respond(reply, Err(fault)),
        };
        let text = |file: SourceFile| ConfigFile {
            path: file.path,
            text: file.text.map_or_else(String::new, |text| String::from_utf8_lossy(&text).into_owned()),
        };
        let files = files_of(origin).map(|files| Reply::ConfigFiles(files.into_iter().map(text).collect()));
        respond(reply, files);
    }

    /// Writes the files of a number back, off this task.
    fn write_applied(&self, number: i64, reply: Responder) {
        let origin = match may_see(&reply).and_then(|()| self.origin_of(number)) {
            Ok(origin) => origin,
            Err(fault) => return respond(reply, Err(fault)),
        };
        self.log(Level::Info, format!("the files of configuration {number} are written back"));
        let now = self.generations.latest().sources.clone();
        let reading = self.reading.clone();
        tasks::spawn(async move {
            let written = reading.of(move |place| write_all(origin, &now, number, place)).await;
            respond(reply, written.unwrap_or_else(|late| Err(Fault::about(FaultCode::Failed, late))));
        });
    }
}

fn files_of(origin: Origin) -> Result<Vec<SourceFile>, Fault> {
    let sources = match origin {
        Origin::Packed(bytes) => {
            unpack(&bytes).map_err(|error| Fault::about(FaultCode::Failed, error.to_string()))?
        }
        Origin::Read(sources) => (*sources).clone(),
        Origin::Disk => return Ok(Vec::new()),
    };
    Ok(sources.files())
}

/// What became of each file. Blocks on the file system.
fn write_all(origin: Origin, latest: &Sources, number: i64, place: &Place) -> Result<Reply, Fault> {
    let files = files_of(origin)?;
    let write = |file: &SourceFile| {
        place.set(&file.path);
        (!file.variables).then(|| write::write_back(file, || place.is_given_up()))
    };
    let written: Vec<Option<String>> = files.iter().map(write).collect();
    // Files that would be read by the next update, and were not there then. The main file is what it was now.
    let again =
        latest.reread_telling(&|what| place.set(what)).map(|sources| sources.files()).unwrap_or_default();
    let of_each = files.iter().zip(written).map(|(file, written)| {
        let text = written.unwrap_or_else(|| write::compare(file, &again).to_owned());
        ConfigFile { path: file.path.clone(), text }
    });
    let mut told: Vec<ConfigFile> = of_each.collect();
    for file in again {
        if !file.variables && !files.iter().any(|other| other.path == file.path) {
            let text = format!("was not there in {number}, and still is: remove it, or it is read again");
            told.push(ConfigFile { path: file.path, text });
        }
    }
    Ok(Reply::ConfigFiles(told))
}

/// Configurations hold passwords: only root and the daemon's own user see them, over a unix socket.
fn may_see(reply: &Responder) -> Result<(), Fault> {
    let refused = || {
        let text = "configurations hold passwords: ask as root or as the daemon's user, over its unix socket, and for nothing else in \
                    the same call";
        Fault::about(FaultCode::Failed, text)
    };
    let client = reply.client().ok_or_else(refused)?;
    let own = rustix::process::geteuid().as_raw();
    match upkeep_os::peer_uid(client.as_fd()) {
        Ok(Some(uid)) if uid == 0 || uid == own => Ok(()),
        _ => Err(refused()),
    }
}
