//! `[rpcinterface:x]`: which namespaces there are. Python code cannot be loaded (D-67).

use super::{At, Loader};
use crate::expand::Names;
use crate::ini::Section;
use crate::options::SectionKind;
use crate::settings::{Level, RpcInterface};
use crate::value::Wrong;

/// Publishes the standard methods (CFG-251).
const STANDARD: &str = "supervisor.rpcinterface:make_main_rpcinterface";

/// A plugin's section, read: its name, its factory and every other key.
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) factory: String,
    pub(crate) options: std::collections::BTreeMap<String, String>,
}

impl<'a> Loader<'a> {
    /// CFG-250 … CFG-253.
    pub(super) fn rpc_interfaces(&mut self) -> Vec<RpcInterface> {
        let mut interfaces = Vec::new();
        for section in self.sections("rpcinterface:") {
            let key = "supervisor.rpcinterface_factory";
            let Some(plugin) = self.plugin(section, SectionKind::RpcInterface, key) else { continue };
            if plugin.factory != STANDARD {
                self.unloadable(&plugin.factory, section, key);
            }
            interfaces.push(RpcInterface {
                namespace: plugin.name,
                factory: plugin.factory,
                options: plugin.options,
                file: self.document.file(section.place).to_owned(),
                line: section.place.line,
            });
        }
        interfaces
    }

    /// One plugin's section; `None` if it is wrong, which is reported.
    pub(crate) fn plugin(&mut self, section: &'a Section, kind: SectionKind, key: &str) -> Option<Plugin> {
        let name = section.name.split_once(':').map_or("", |(_, name)| name).to_owned();
        let document = self.document;
        let mut scope = self.scope(section, kind, Names::new());
        let factory = match scope.text(key) {
            Err(_) => return None,
            Ok(Some(factory)) => factory,
            Ok(None) => {
                scope.fail(key, format!("section [{}] does not specify a {key}", section.name));
                return None;
            }
        };
        let keys = section.entries().iter().chain(document.defaults.entries()).map(|entry| &entry.key);
        let mut options = std::collections::BTreeMap::new();
        for other in keys.filter(|other| *other != key) {
            if let Ok(Some(value)) = scope.text(other) {
                options.insert(other.clone(), value);
            }
        }
        Some(Plugin { name, factory, options })
    }

    /// Says that code written for Supervisor in Python is left out.
    pub(super) fn unloadable(&mut self, factory: &str, section: &Section, key: &str) {
        let at = At {
            section: section.name.clone(),
            key: Some(key.to_owned()),
            place: section.own(key).map_or(section.place, |entry| entry.place),
        };
        let message = format!("{factory} cannot be resolved within [{}]", section.name);
        let wrong = Wrong::new(message, "Python plugins are not loaded; everything else goes on without it");
        self.doubt(Level::Critical, wrong, &at);
    }

    /// The standard factory takes no options; it is called once there is a server to publish on (CFG-253).
    pub(super) fn check_rpc_interfaces(&mut self, interfaces: &[RpcInterface]) {
        for interface in interfaces {
            if interface.factory != STANDARD || interface.options.is_empty() {
                continue;
            }
            let name = format!("rpcinterface:{}", interface.namespace);
            let Some(section) = self.document.section(&name) else { continue };
            let keys: Vec<&str> = interface.options.keys().map(String::as_str).collect();
            let hint = format!("remove {}: the standard interface takes no options", keys.join(", "));
            let message = format!("Could not make {} rpc interface", interface.namespace);
            self.error(Wrong::new(message, hint), &At::section(section));
        }
    }
}
