//! Going back to a configuration: it becomes the last one that was read, as if its files were there, and the same requests as in an
//! update apply it. So nothing is done in a way of its own, and a daemon that dies on the way goes on as in any update.

use std::io;
use std::sync::Arc;

use upkeep_api::{Fault, FaultCode};
use upkeep_config::{CommandLine, LoadError, Sources};

use super::unpack;
use crate::generations::Loaded;
use crate::reading::Place;
use crate::shell::{Message, Responder, Shell};
use crate::tasks;

/// Where the files of a configuration are, for a thread that makes sense of them.
#[derive(Debug)]
pub(crate) enum Origin {
    /// In the files themselves, now.
    Disk,
    /// In a memory file.
    Packed(Vec<u8>),
    /// As they were read.
    Read(Arc<Sources>),
}

impl Origin {
    /// Reads it, in the surroundings of the last one.
    pub(crate) fn load(
        &self,
        latest: &Loaded,
        cli: &CommandLine,
        place: &Place,
    ) -> Result<Loaded, LoadError> {
        let sources = match self {
            Self::Disk => return latest.again(cli, place),
            Self::Packed(bytes) => unpack(bytes).map_err(|error| wrong(error.to_string()))?,
            Self::Read(sources) => (**sources).clone(),
        };
        if sources.path() != latest.sources.path() {
            let (then, now) = (sources.path().display(), latest.sources.path().display());
            return Err(wrong(format!("it was read from {then}, and this daemon goes by {now}")));
        }
        Loaded::new(sources.in_surroundings_of(&latest.sources), cli, &upkeep_config::Host)
    }
}

fn wrong(message: String) -> LoadError {
    LoadError { message, diagnostics: Vec::new() }
}

impl Shell {
    /// Where the files of a number are.
    ///
    /// # Errors
    /// It is not kept.
    pub(super) fn origin_of(&self, number: i64) -> Result<Origin, Fault> {
        let number = u64::try_from(number).unwrap_or(0);
        let Some(entry) = self.applied.entry(number) else {
            // Going back to it may have been what it had to make room for.
            let back = self.applied.back.filter(|(_, from)| *from == number);
            if let Some(loaded) = back.and_then(|(generation, _)| self.generations.get(generation)) {
                return Ok(Origin::Read(loaded.sources.clone()));
            }
            let text =
                format!("there is no configuration {number}; `upkeep config list` shows those that are kept");
            return Err(Fault::about(FaultCode::Failed, text));
        };
        let lost = |error: io::Error| {
            Fault::about(FaultCode::Failed, format!("configuration {number} cannot be read: {error}"))
        };
        match &entry.held {
            Some(fd) => upkeep_os::read_memfd(fd).map(Origin::Packed).map_err(lost),
            None => {
                self.applied.sources(entry.record.number, &self.generations).map(Origin::Read).map_err(lost)
            }
        }
    }

    /// A configuration of before becomes the last one that was read; nothing that runs changes.
    pub(super) fn roll_back(&mut self, number: i64, reply: Responder) {
        let origin = match self.origin_of(number) {
            Ok(origin) => origin,
            Err(fault) => return self.respond(reply, Err(fault)),
        };
        let (latest, cli, messages) =
            (self.generations.latest().clone(), self.cli.clone(), self.messages.clone());
        let (reading, back) = (self.reading.clone(), u64::try_from(number).ok());
        tasks::spawn(async move {
            let result = reading.configuration(move |place| origin.load(&latest, &cli, place)).await;
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Reread { result, back, reply });
        });
    }

    /// The last configuration that was read came out of one of before, or did not.
    pub(crate) fn note_read(&mut self, back: Option<u64>) {
        self.applied.back = back.map(|number| (self.generations.latest, number));
    }
}
