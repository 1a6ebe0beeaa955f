//! Commands that run beside a program, and how it reads its configuration again.

use upkeep_core::spec::{HOOK_TIMEOUT, Hooks, ProcessSpec};

use super::scope::Scope;
use crate::ini::Form;
use crate::value::hooks;

/// The keys of commands.
const COMMANDS: [&str; 6] =
    ["pre_start", "post_start", "pre_stop", "stop_command", "post_stop", "reload_command"];

impl Scope<'_, '_> {
    /// What all processes of a section have in common.
    pub(super) fn hooks(&mut self, spec: &mut ProcessSpec) {
        let timeout = self.read("hook_timeout", hooks::timeout).unwrap_or(HOOK_TIMEOUT);
        let reload_signal = self.read("reload_signal", hooks::reload_signal);
        if self.entry("reload_command").is_some() {
            self.remark_vain(&["reload_signal"], "beside reload_command");
        }
        let commands = COMMANDS.iter().any(|key| self.entry(key).is_some());
        if commands || reload_signal.is_some() {
            spec.hooks = Some(Box::new(Hooks { reload_signal, timeout, ..Hooks::default() }));
        }
    }

    /// The commands, which each copy may have its own of.
    pub(super) fn hook_commands(&mut self, spec: &mut ProcessSpec) {
        let Some(hooks) = &mut spec.hooks else { return };
        hooks.pre_start = self.hook("pre_start");
        hooks.post_start = self.hook("post_start");
        hooks.pre_stop = self.hook("pre_stop");
        hooks.stop_command = self.hook("stop_command");
        hooks.post_stop = self.hook("post_stop");
        hooks.reload_command = self.hook("reload_command");
    }

    fn hook(&mut self, key: &str) -> Option<String> {
        if let Some(Form::Words(words)) = self.entry(key).map(|entry| &entry.form) {
            return self.command_of(key, words);
        }
        let text = self.text(key).ok().flatten()?;
        self.convert(key, &text, |text| hooks::command(key, text))
    }
}
