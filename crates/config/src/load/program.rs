//! The keys that every program-like section has, read once per section (CFG-058).

use std::sync::Arc;

use upkeep_core::ordered;
use upkeep_core::spec::ProcessSpec;

use super::process::Copies;
use super::{At, Loader};
use crate::expand::Names;
use crate::ini::Section;
use crate::names;
use crate::options::SectionKind;
use crate::python::repr::py_repr;
use crate::value::{self, Wrong};

use super::group::distinct;
use super::scope::Scope;

/// More copies than any machine runs; beyond it a slip of the keyboard would use up all memory.
const MOST_COPIES: i64 = 100_000;

impl<'a> Loader<'a> {
    /// The processes of a program-like section, as members of `group`, by (priority, name) (CFG-169, CFG-170).
    pub(super) fn processes(&mut self, section: &'a Section, group: &str) -> Vec<Arc<ProcessSpec>> {
        let Some(names) = self.program_names(section, group) else { return Vec::new() };
        let mut scope = self.scope(section, SectionKind::Program, names);
        scope.in_context = true;
        let base = scope.shared();
        let copies = scope.copies();
        scope.check_kill(&base);
        let mut made = scope.each(&base, &copies);
        ordered::sort_by(&mut made, |a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
        distinct(made)
    }

    fn program_names(&mut self, section: &'a Section, group: &str) -> Option<Names> {
        let name = section.name.split_once(':').map_or("", |(_, name)| name);
        match value::name(name) {
            Ok(program) => Some(names::texts(&[
                ("here", &self.here),
                ("program_name", &program),
                ("group_name", group),
                ("host_node_name", &self.machine.env.hostname),
            ])),
            Err(wrong) => {
                let file = py_repr(self.document.file(section.place));
                let message =
                    format!("{} in section {} (file: {file})", wrong.message, py_repr(&section.name));
                self.error(message.into(), &At::section(section));
                None
            }
        }
    }
}

impl Scope<'_, '_> {
    /// What all processes of the section have in common, in Supervisor's order of reading up to `umask`, then what is ours; `numprocs`
    /// and its like are [`Scope::copies`]'.
    fn shared(&mut self) -> ProcessSpec {
        let machine = self.loader.machine;
        let mut spec = ProcessSpec::new("", "");
        spec.section = self.section.name.as_str().into();
        set(&mut spec.priority, self.read("priority", value::integer));
        set(&mut spec.autostart, self.read("autostart", value::boolean));
        set(&mut spec.autorestart, self.read("autorestart", value::autorestart));
        set(&mut spec.startsecs, self.read("startsecs", value::integer));
        set(&mut spec.startretries, self.read("startretries", value::integer));
        set(&mut spec.stopsignal, self.read("stopsignal", value::signal));
        set(&mut spec.stopwaitsecs, self.read("stopwaitsecs", value::integer));
        set(&mut spec.stopasgroup, self.read("stopasgroup", value::boolean));
        spec.killasgroup = self.read("killasgroup", value::boolean).unwrap_or(spec.stopasgroup);
        set(&mut spec.exitcodes, self.read("exitcodes", value::exit_codes).map(Arc::from));
        set(&mut spec.stdin, self.read("stdin", value::stdin));
        set(&mut spec.redirect_stderr, self.read("redirect_stderr", value::boolean));
        // Read here for the order of errors; their values are `copies`'.
        let _ = self.read("numprocs", value::integer);
        let _ = self.read("numprocs_start", value::integer);
        set(&mut spec.stdout.capture_maxbytes, self.read("stdout_capture_maxbytes", value::bytes));
        set(&mut spec.stdout.events_enabled, self.read("stdout_events_enabled", value::boolean));
        set(&mut spec.stderr.capture_maxbytes, self.read("stderr_capture_maxbytes", value::bytes));
        set(&mut spec.stderr.events_enabled, self.read("stderr_events_enabled", value::boolean));
        spec.serverurl = self
            .string("serverurl")
            .filter(|url| !crate::python::text::strip(url).eq_ignore_ascii_case("auto"));
        spec.uid = self.read("user", |text| machine.user(text)).map(|user| user.uid);
        spec.umask = self.read("umask", value::octal);
        [spec.stdout.rules, spec.stderr.rules] = self.all_log_rules();
        spec.restart = Arc::new(self.restart_policy());
        self.stop_sequence(&mut spec);
        self.files = self.file_variables();
        self.hooks(&mut spec);
        spec.watch = self.watch().map(Arc::new);
        self.schedule(&mut spec);
        spec.confinement = self.confinement();
        spec.bounds = self.bounds();
        set(&mut spec.depends_on, self.read("depends_on", value::dependencies).map(Into::into));
        set(&mut spec.on_dependency_stop, self.read("on_dependency_stop", value::on_dependency_stop));
        spec.rolling = self.rolling();
        self.check_health_keys();
        spec
    }

    /// How many processes there are and what they are called, before expansion (CFG-141 … CFG-143).
    fn copies(&mut self) -> Copies {
        let count = self.read("numprocs", value::integer).unwrap_or(1);
        let first = self.read("numprocs_start", value::integer).unwrap_or(0);
        let raw = self.raw("process_name").unwrap_or_default();
        let name = self.convert("process_name", &raw, value::name).unwrap_or_default();
        if count > 1 && !raw.is_empty() && !name.contains("%(process_num)") {
            let message = "%(process_num) must be present within process_name when numprocs > 1";
            let hint = "write process_name=%(program_name)s_%(process_num)02d";
            self.fail("process_name", Wrong::new(message, hint));
        }
        if count > MOST_COPIES {
            self.fail("numprocs", format!("numprocs {count} is more than {MOST_COPIES}"));
        }
        Copies { first, count: count.min(MOST_COPIES), name }
    }

    /// CFG-153.
    fn check_kill(&mut self, spec: &ProcessSpec) {
        if spec.stopasgroup && !spec.killasgroup {
            let message = "Cannot set stopasgroup=true and killasgroup=false";
            self.fail("killasgroup", Wrong::new(message, "remove killasgroup, or set it to true"));
        }
    }
}

/// Keeps the default where nothing was read: then an error was reported.
fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
