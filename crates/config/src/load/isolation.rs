//! What a program is confined to from its start on.

use std::sync::Arc;

use upkeep_core::spec::{Confinement, Resource};

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
        let confinement = Confinement {
            rlimits,
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

    fn check_capabilities(&mut self, confinement: &Confinement) {
        let beyond = |set: u64| confinement.ambient_capabilities & !set != 0;
        if confinement.capability_bounding_set.is_some_and(beyond) {
            let message = "ambient_capabilities has more than capability_bounding_set";
            let hint = "write them into capability_bounding_set, too";
            self.fail("ambient_capabilities", value::Wrong::new(message, hint));
        }
    }
}
