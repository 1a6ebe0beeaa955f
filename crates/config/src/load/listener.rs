//! `[eventlistener:x]`: a pool (CFG-190 … CFG-195).

use upkeep_core::spec::{GroupKind, GroupSpec, ListenerSpec, StdinKind};

use super::Loader;
use crate::ini::Section;
use crate::options::SectionKind;
use crate::value::{self, Wrong};

/// What judges results when nothing else is asked for; the only one that is understood (D-67).
const STANDARD: &str = "supervisor.dispatchers:default_handler";

impl<'a> Loader<'a> {
    /// A pool's own keys, then its processes. Its name is checked as a program's only (CFG-051).
    pub(super) fn listener(&mut self, section: &'a Section) -> Option<GroupSpec> {
        let name = section.name.split_once(':').map_or("", |(_, name)| name).to_owned();
        let mut scope = self.group_scope(section, SectionKind::Listener);
        let priority = scope.read("priority", value::integer).unwrap_or(-1);
        let buffer_size = scope.read("buffer_size", value::integer).unwrap_or(10);
        if buffer_size < 1 {
            scope.fail(
                "buffer_size",
                format!("[{}] section sets invalid buffer_size ({buffer_size})", section.name),
            );
        }
        let result_handler = scope.string("result_handler").unwrap_or_default();
        if result_handler != STANDARD && !result_handler.is_empty() {
            scope.loader.unloadable(&result_handler, section, "result_handler");
        }
        let events = match scope.text("events") {
            Ok(text) => {
                scope.convert("events", &text.unwrap_or_default(), |text| value::events(text, &section.name))
            }
            Err(_) => None,
        };
        if scope.read("redirect_stderr", value::boolean) == Some(true) {
            let message = format!(
                "[{}] section sets redirect_stderr=true but this is not allowed because it will interfere with the \
                 eventlistener protocol",
                section.name
            );
            scope.fail(
                "redirect_stderr",
                Wrong::new(message, "remove redirect_stderr; stderr has a log of its own"),
            );
        }
        if scope.read("stdin", value::stdin) == Some(StdinKind::Null) {
            let message =
                format!("[{}] section sets stdin=null, but events come on standard input", section.name);
            scope.fail("stdin", Wrong::new(message, "remove stdin"));
        }
        let durable = scope.read("event_queue", value::event_queue).unwrap_or_default();
        let machine = scope.loader.machine;
        let queue_directory = scope.read("event_queue_directory", |text| machine.directory(text));
        let queue_maxbytes = scope.read("event_queue_maxbytes", value::bytes).unwrap_or_default();
        let length_in_bytes = scope.read("event_length", value::event_length).unwrap_or_default();
        let processes = self.processes(section, &name);
        let listener = ListenerSpec {
            buffer_size,
            events: events.unwrap_or_default(),
            result_handler,
            durable,
            queue_directory,
            queue_maxbytes,
            length_in_bytes,
        };
        Some(GroupSpec { name, priority, kind: GroupKind::Listener(listener), processes })
    }
}
