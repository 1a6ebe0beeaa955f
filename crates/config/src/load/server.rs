//! `[inet_http_server]` and `[unix_http_server]` (section 5 of the ledger).

use std::path::PathBuf;
use std::time::Duration;

use super::Loader;
use super::scope::{Reported, Scope};
use crate::expand::Names;
use crate::ini::Section;
use crate::options::SectionKind;
use crate::python::path::normalize;
use crate::python::text::strip;
use crate::server::{Address, Auth, Server, ServerLimits};
use crate::value::{self, Read, Wrong};

impl<'a> Loader<'a> {
    /// Inet servers, then unix ones (CFG-013).
    pub(super) fn servers(&mut self) -> Vec<Server> {
        let mut servers = Vec::new();
        for section in self.sections("inet_http_server") {
            servers.extend(self.inet_server(section));
        }
        for section in self.sections("unix_http_server") {
            servers.extend(self.unix_server(section));
        }
        servers
    }

    fn inet_server(&mut self, section: &'a Section) -> Option<Server> {
        let mut scope = self.scope(section, SectionKind::Inet, Names::new());
        let auth = scope.auth();
        let allow_unauthenticated = scope.read("allow_unauthenticated", value::boolean).unwrap_or_default();
        let limits = scope.limits();
        let text = scope.required("port")?;
        let (host, port) = scope.convert("port", &text, value::inet_address)?;
        let address = Address::Inet { host, port };
        Some(Server { section: section.name.clone(), address, auth, allow_unauthenticated, limits })
    }

    /// `here` can be expanded in `file` alone (CFG-056).
    fn unix_server(&mut self, section: &'a Section) -> Option<Server> {
        let machine = self.machine;
        let here = self.here_names();
        let mut scope = self.scope(section, SectionKind::Unix, here);
        let file = scope.required("file");
        scope.names.clear();
        let auth = scope.auth();
        let limits = scope.limits();
        let owner = scope.read("chown", |text| machine.owner(text, "Invalid sockchown value"));
        let mode = scope.read("chmod", |text| {
            value::octal(text).map_err(|_| Wrong::from(format!("Invalid chmod value {text}")))
        });
        let path = PathBuf::from(normalize(strip(&file?), machine.env, machine.world));
        let address = Address::Unix { path, mode: mode.unwrap_or(0o700), owner };
        Some(Server { section: section.name.clone(), address, auth, allow_unauthenticated: false, limits })
    }
}

impl Scope<'_, '_> {
    /// A key that a server cannot be without.
    fn required(&mut self, key: &str) -> Option<String> {
        match self.text(key) {
            Ok(Some(text)) => Some(text),
            Err(Reported) => None,
            Ok(None) => {
                self.fail(key, format!("section [{}] has no {key} value", self.section.name));
                None
            }
        }
    }

    /// Both or neither (CFG-113); an empty name is no authentication (CFG-114).
    fn auth(&mut self) -> Option<Auth> {
        let username = self.text("username").ok()?;
        let password = self.text("password").ok()?;
        match (username, password) {
            (None, None) => None,
            (Some(username), Some(password)) => (!username.is_empty()).then_some(Auth { username, password }),
            (Some(_), None) => self.incomplete("username"),
            (None, Some(_)) => self.incomplete("password"),
        }
    }

    fn limits(&mut self) -> ServerLimits {
        let mut read = |key, parse: fn(&str) -> Read<i64>| {
            self.read(key, |text| value::positive(key, text, parse)).unwrap_or(1)
        };
        ServerLimits {
            connections: read("max_connections", value::integer),
            request_bytes: read("request_maxbytes", value::bytes),
            idle: Duration::from_secs(read("idle_timeout", value::integer).into()),
        }
    }

    fn incomplete(&mut self, key: &str) -> Option<Auth> {
        let message = format!(
            "Section [{}] contains incomplete authentication: If a username or a password is specified, both the \
             username and password must be specified",
            self.section.name
        );
        self.fail(key, message);
        None
    }
}
