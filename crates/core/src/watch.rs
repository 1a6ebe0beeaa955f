//! `watch`: what a program does when its files have changed.

use crate::depends::Along;
use crate::effect::Event;
use crate::process::{AfterStop, ProcId, State};
use crate::supervisor::Supervisor;
use crate::time::Now;

impl Supervisor {
    /// The processes of a section have new files: those that run end and start again, and those that ended by themselves
    /// start, since the change may be what they needed. What was stopped stays stopped, also if they depend on it.
    pub(crate) fn files_changed(&mut self, now: Now, section: &str) {
        if !self.phase.is_running() {
            return;
        }
        let of_section = self.processes.iter().filter(|(_, process)| *process.spec.section == *section);
        for id in of_section.map(|(id, _)| id).collect::<Vec<_>>() {
            self.start_anew(now, id);
        }
    }

    fn start_anew(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        match process.state {
            State::Starting { .. } | State::Running { .. } | State::Backoff { .. } => {
                if self.depends.is_put_off(id) {
                    return;
                }
                // Otherwise an earlier daemon died when it had begun with this.
                if process.after_stop == AfterStop::Stay {
                    process.after_stop = AfterStop::Replace { spec: process.spec.clone(), start: true };
                }
                self.publish(Event::WishChanged(id));
                self.stop_in_order(now, &[id], Along::Dependants);
            }
            State::Exited { .. } | State::Fatal if process.timer.is_none() => self.launch(now, id),
            State::Exited { .. } | State::Fatal => {}
            // It has the new files when it starts.
            State::Waiting | State::Stopping { .. } | State::Stopped | State::Unknown { .. } => {}
        }
    }
}
