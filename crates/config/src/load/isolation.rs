//! What a program is confined to from its start on.

use std::sync::Arc;

use upkeep_core::spec::{Cgroup, Confinement, Resource};

use super::scope::Scope;
use crate::value::{self, isolation};

impl Scope<'_, '_> {
    /// `None` if it is not confined at all.
    pub(super) fn confinement(&mut self) -> Option<Arc<Confinement>> {
        let rlimits = Resource::ALL
            .iter()
            .filter_map(|&resource| self.read(resource.key(), |text| isolation::rlimit(resource, text)));
        let rlimits = rlimits.collect();
        let mut set = |key| self.read(key, |text| isolation::capabilities(key, text));
        let capability_bounding_set = set("capability_bounding_set");
        let ambient_capabilities = set("ambient_capabilities").unwrap_or_default();
        let paths = self.read("writable_paths", |text| isolation::paths("writable_paths", text));
        let cgroup = self.cgroup();
        let confinement = Confinement {
            rlimits,
            cgroup,
            nice: self.read("nice", |text| isolation::within("nice", text, -20, 19)),
            ionice: self.read("ionice", isolation::ionice),
            oom_score_adj: self
                .read("oom_score_adj", |text| isolation::within("oom_score_adj", text, -1000, 1000)),
            no_new_privileges: self.read("no_new_privileges", value::boolean).unwrap_or_default(),
            capability_bounding_set,
            ambient_capabilities,
            private_tmp: self.read("private_tmp", value::boolean).unwrap_or_default(),
            writable_paths: paths.unwrap_or_default(),
        };
        self.check_capabilities(&confinement);
        (confinement != Confinement::default()).then(|| Arc::new(confinement))
    }

    fn cgroup(&mut self) -> Option<Cgroup> {
        let folder = self.read("cgroup", |text| isolation::folder("cgroup", text));
        let cpu_limit = self.read("cpu_limit", isolation::cpu_limit);
        let pids_limit = self.read("pids_limit", isolation::pids_limit);
        let alone = [("cpu_limit", cpu_limit), ("pids_limit", pids_limit)];
        for (key, _) in alone.into_iter().filter(|(_, limit)| limit.is_some()) {
            if folder.is_none() && self.entry("cgroup").is_none() {
                let hint = "write cgroup=/sys/fs/cgroup/…, the folder of a control group that the daemon may write to";
                self.fail(key, value::Wrong::new(format!("{key} needs cgroup"), hint));
            }
        }
        Some(Cgroup { folder: folder?, cpu_limit, pids_limit })
    }

    fn check_capabilities(&mut self, confinement: &Confinement) {
        let beyond = |set: u64| confinement.ambient_capabilities & !set != 0;
        if confinement.capability_bounding_set.is_some_and(beyond) {
            let message = "ambient_capabilities has more than capability_bounding_set";
            let hint = "write them into capability_bounding_set, too";
            self.fail("ambient_capabilities", value::Wrong::new(message, hint));
        }
    }
}
