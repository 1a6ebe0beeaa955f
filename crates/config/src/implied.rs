//! What goes without saying in YAML, TOML and JSON: sections that the INI dialect asks for though everybody writes the
//! same into them.

use crate::ini::{Document, Entry, Form, Place};

const FACTORY: &str = "supervisor.rpcinterface:make_main_rpcinterface";

impl Document {
    /// Adds `[supervisord]`, the standard `[rpcinterface:supervisor]` and a `[supervisorctl]` that reaches the first
    /// server, each if the document has none.
    pub(crate) fn imply(&mut self) {
        let place = Place { file: 0, line: 1, column: 1 };
        self.begin("supervisord", place);
        let has_interface = self.sections.iter().any(|section| section.name.starts_with("rpcinterface:"));
        if !has_interface && !self.no_interfaces {
            let section = self.begin("rpcinterface:supervisor", place);
            section.set(entry("supervisor.rpcinterface_factory", FACTORY.to_owned(), place));
        }
        if self.section("supervisorctl").is_none() {
            let entries = self.client_entries();
            let section = self.begin("supervisorctl", place);
            entries.into_iter().for_each(|entry| {
                section.set(entry);
            });
        }
    }

    /// How a client reaches the first server.
    fn client_entries(&self) -> Vec<Entry> {
        let server = |prefix: &str| self.sections.iter().find(|section| section.name.starts_with(prefix));
        let file = server("unix_http_server").and_then(|section| Some((section, section.own("file")?)));
        let port = server("inet_http_server").and_then(|section| Some((section, section.own("port")?)));
        let (section, address, url) = match (file, port) {
            (Some((section, file)), _) => (section, file, format!("unix://{}", file.value)),
            (None, Some((section, port))) => (section, port, format!("http://{}", host(&port.value))),
            (None, None) => return Vec::new(),
        };
        let credentials = ["username", "password"].into_iter().filter_map(|key| section.own(key).cloned());
        credentials.chain([entry("serverurl", url, address.place)]).collect()
    }
}

fn entry(key: &str, value: String, place: Place) -> Entry {
    Entry { key: key.to_owned(), value, place, cut: false, form: Form::Text }
}

/// Where a client finds what listens at this address.
fn host(port: &str) -> String {
    match port.rsplit_once(':') {
        None => format!("localhost:{port}"),
        Some(("" | "*", port)) => format!("localhost:{port}"),
        Some(_) => port.to_owned(),
    }
}
