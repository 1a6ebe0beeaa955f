//! What is written otherwise than before, in words: pure.

use upkeep_api::Setting;
use upkeep_config::{Address, Config, RpcInterface, Server, Settings};

use crate::servers::{place, same_place};

/// What is told of a reload.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) applied: Vec<Setting>,
    pub(super) not_applied: Vec<Setting>,
}

/// What the daemon is, whatever was written when it started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub(super) foreground: bool,
    pub(super) uid: u32,
}

pub(super) fn setting(section: &str, option: &str, note: impl Into<String>) -> Setting {
    Setting { section: section.to_owned(), option: option.to_owned(), note: note.into() }
}

const DAEMON: &str = "supervisord";
/// Why something is not applied that only a new process can have.
const NEEDS_START: &str = "holds from the next start on: stop the daemon and start it again";
const NO_EFFECT: &str = "has no effect in the foreground";

impl Told {
    /// Compares everything. `taken` says which old server each new one takes the socket of.
    pub(super) fn compare(old: &Config, new: &Config, taken: &[Option<usize>], own: Own) -> Self {
        let mut told = Self::default();
        told.settings(&old.settings, &new.settings);
        told.place_of_work(&old.settings, &new.settings, own.foreground);
        told.identity(&old.settings, &new.settings, own);
        told.servers(&old.servers, &new.servers, taken);
        told.interfaces(&old.rpc_interfaces, &new.rpc_interfaces);
        told
    }

    fn settings(&mut self, old: &Settings, new: &Settings) {
        // All of them, so that nobody forgets one that is added; the last ones are told elsewhere.
        let Settings {
            logfile,
            logfile_maxbytes,
            logfile_backups,
            loglevel,
            silent,
            pidfile,
            identifier,
            childlogdir,
            nocleanup,
            strip_ansi,
            strict_update,
            orphans,
            log_prefix,
            exit_when,
            config_history,
            config_history_dir,
            minfds: _,
            minprocs: _,
            umask: _,
            directory: _,
            user: _,
            nodaemon: _,
            environment: _,
        } = old;
        let options = [
            ("logfile", *logfile != new.logfile),
            ("logfile_maxbytes", *logfile_maxbytes != new.logfile_maxbytes),
            ("logfile_backups", *logfile_backups != new.logfile_backups),
            ("loglevel", *loglevel != new.loglevel),
            ("silent", *silent != new.silent),
            ("pidfile", *pidfile != new.pidfile),
            ("identifier", *identifier != new.identifier),
            ("childlogdir", *childlogdir != new.childlogdir),
            ("nocleanup", *nocleanup != new.nocleanup),
            ("strip_ansi", *strip_ansi != new.strip_ansi),
            ("strict_update", *strict_update != new.strict_update),
            ("orphans", *orphans != new.orphans),
            ("log_prefix", *log_prefix != new.log_prefix),
            ("exit_when", *exit_when != new.exit_when),
            ("config_history", *config_history != new.config_history),
            ("config_history_dir", *config_history_dir != new.config_history_dir),
        ];
        let changed = options.iter().filter(|(_, differs)| *differs);
        self.applied.extend(changed.map(|(option, _)| setting(DAEMON, option, "")));
    }

    /// Mask and directory are those of a daemon in the background.
    fn place_of_work(&mut self, old: &Settings, new: &Settings, foreground: bool) {
        for (option, differs, gone) in [
            ("umask", old.umask != new.umask, false),
            ("directory", old.directory != new.directory, new.directory.is_none()),
        ] {
            match (differs, foreground, gone) {
                (false, _, _) => {}
                (true, true, _) => self.not_applied.push(setting(DAEMON, option, NO_EFFECT)),
                (true, false, true) => self.not_applied.push(setting(DAEMON, option, NEEDS_START)),
                (true, false, false) => {
                    self.applied.push(setting(DAEMON, option, "for processes from their next start on"));
                }
            }
        }
    }

    /// What a running daemon cannot become: told each time, as long as it is not what is written.
    fn identity(&mut self, old: &Settings, new: &Settings, own: Own) {
        let uid = |settings: &Settings| settings.user.as_ref().map(|user| user.uid);
        if uid(old) != uid(new) || uid(new).is_some_and(|uid| uid != own.uid) {
            self.not_applied.push(setting(DAEMON, "user", NEEDS_START));
        }
        if new.nodaemon != own.foreground {
            self.not_applied.push(setting(DAEMON, "nodaemon", NEEDS_START));
        }
    }

    fn servers(&mut self, old: &[Server], new: &[Server], taken: &[Option<usize>]) {
        for (server, from) in new.iter().zip(taken) {
            let before = from.and_then(|at| old.get(at));
            match before.or_else(|| old.iter().find(|other| other.section == server.section)) {
                Some(before) => self.server(before, server),
                None => {
                    let note = format!("listens on {}", place(server));
                    self.applied.push(setting(&server.section, "", note));
                }
            }
        }
        let is_left = |at: usize, server: &Server| {
            !taken.contains(&Some(at)) && new.iter().all(|other| other.section != server.section)
        };
        let left = old.iter().enumerate().filter(|(at, server)| is_left(*at, server));
        self.applied.extend(left.map(|(_, server)| setting(&server.section, "", "closed")));
    }

    /// A server that goes on, perhaps elsewhere.
    fn server(&mut self, old: &Server, new: &Server) {
        let mut changed = |option: &str, note: String| self.applied.push(setting(&new.section, option, note));
        if old.section != new.section {
            changed("", format!("was [{}]", old.section));
        }
        if !same_place(old, new) {
            let option = if matches!(new.address, Address::Unix { .. }) { "file" } else { "port" };
            changed(option, format!("{} instead of {}", place(new), place(old)));
        }
        let login = |server: &Server, password: bool| {
            let auth = server.auth.as_ref();
            auth.map(|auth| if password { auth.password.clone() } else { auth.username.clone() })
        };
        if login(old, false) != login(new, false) {
            changed("username", String::new());
        }
        if login(old, true) != login(new, true) {
            changed("password", String::new());
        }
        for (option, differs) in [
            ("max_connections", old.limits.connections != new.limits.connections),
            ("request_maxbytes", old.limits.request_bytes != new.limits.request_bytes),
            ("idle_timeout", old.limits.idle != new.limits.idle),
        ] {
            if differs {
                changed(option, String::new());
            }
        }
        if let (Address::Unix { mode, owner, .. }, Address::Unix { mode: new_mode, owner: new_owner, .. }) =
            (&old.address, &new.address)
        {
            if mode != new_mode {
                changed("chmod", String::new());
            }
            if owner != new_owner {
                changed("chown", String::new());
            }
        }
    }

    fn interfaces(&mut self, old: &[RpcInterface], new: &[RpcInterface]) {
        let section = |interface: &RpcInterface| format!("rpcinterface:{}", interface.namespace);
        for interface in new {
            let before = old.iter().find(|other| other.namespace == interface.namespace);
            match before {
                None => self.applied.push(setting(&section(interface), "", "new")),
                Some(before)
                    if (&before.factory, &before.options) != (&interface.factory, &interface.options) =>
                {
                    self.applied.push(setting(&section(interface), "", "changed"));
                }
                Some(_) => {}
            }
        }
        let gone = old.iter().filter(|other| new.iter().all(|kept| kept.namespace != other.namespace));
        self.applied.extend(gone.map(|interface| setting(&section(interface), "", "removed")));
    }
}

/// Which old server each new one takes the socket of: the one at the same place.
pub(super) fn taken(old: &[Server], new: &[Server]) -> Vec<Option<usize>> {
    let mut free: Vec<Option<&Server>> = old.iter().map(Some).collect();
    new.iter()
        .map(|server| {
            let at = free.iter().position(|other| other.is_some_and(|other| same_place(other, server)))?;
            free[at] = None;
            Some(at)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use upkeep_config::{Auth, Environment, Lenient, ServerLimits, Sources};

    fn config(text: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("supervisord.conf");
        let common = "[supervisord]\nlogfile=/l\npidfile=/p\nchildlogdir=/\n";
        std::fs::write(&path, format!("{common}{text}\n[program:a]\ncommand=/a\n")).unwrap();
        let cli = upkeep_config::CommandLine {
            configuration: Some(path.to_string_lossy().into_owned()),
            ..Default::default()
        };
        let sources = Sources::read(&cli, Environment::of_this_process()).unwrap();
        upkeep_config::load(&sources, &cli, &Lenient).unwrap()
    }

    /// `applied | not applied`, each as `section option (note)`.
    fn told(old: &Config, new: &Config, foreground: bool) -> (Vec<String>, Vec<String>) {
        let own = Own { foreground, uid: 0 };
        let told = Told::compare(old, new, &taken(&old.servers, &new.servers), own);
        let text = |setting: &Setting| format!("{} {} ({})", setting.section, setting.option, setting.note);
        (told.applied.iter().map(text).collect(), told.not_applied.iter().map(text).collect())
    }

    #[test]
    fn every_option_is_told() {
        let old = config("");
        assert_eq!(told(&old, &old, false), (vec![], vec![]));
        for (line, applied) in [
            ("logfile_maxbytes=1", "logfile_maxbytes ()"),
            ("logfile_backups=1", "logfile_backups ()"),
            ("loglevel=debug", "loglevel ()"),
            ("silent=true", "silent ()"),
            ("identifier=i", "identifier ()"),
            ("nocleanup=true", "nocleanup ()"),
            ("strip_ansi=true", "strip_ansi ()"),
            ("strict_update=true", "strict_update ()"),
            ("orphans=ignore", "orphans ()"),
            ("log_prefix=true", "log_prefix ()"),
            ("exit_when=fatal", "exit_when ()"),
            ("umask=077", "umask (for processes from their next start on)"),
            ("directory=/", "directory (for processes from their next start on)"),
        ] {
            let expected = vec![format!("supervisord {applied}")];
            assert_eq!(told(&old, &config(line), false), (expected, vec![]), "{line}");
        }
        for (line, option) in [("umask=077", "umask"), ("directory=/", "directory")] {
            let text = format!("{line}\nnodaemon=true");
            let expected = vec![format!("supervisord {option} ({NO_EFFECT})")];
            assert_eq!(told(&old, &config(&text), true), (vec![], expected), "{line}");
        }
    }

    /// Also when it is asked for a second time.
    #[test]
    fn what_a_process_cannot_become_is_told_each_time() {
        let new = config("user=1\nnodaemon=true");
        let expected = vec![
            format!("supervisord user ({NEEDS_START})"),
            format!("supervisord nodaemon ({NEEDS_START})"),
        ];
        assert_eq!(told(&config(""), &new, false), (vec![], expected.clone()));
        assert_eq!(told(&new, &new, false), (vec![], expected));
        let gone = told(&config("directory=/"), &config(""), false);
        assert_eq!(gone, (vec![], vec![format!("supervisord directory ({NEEDS_START})")]));
    }

    #[test]
    fn servers_by_what_becomes_of_them() {
        let inet = |section: &str, host: &str, port: u16, password: Option<&str>| Server {
            section: section.to_owned(),
            address: Address::Inet { host: host.to_owned(), port },
            auth: password.map(|password| Auth { username: "u".to_owned(), password: password.to_owned() }),
            allow_unauthenticated: false,
            limits: ServerLimits::default(),
        };
        let unix = |mode, owner| Server {
            section: "unix_http_server".to_owned(),
            address: Address::Unix { path: "/s".into(), mode, owner },
            auth: None,
            allow_unauthenticated: false,
            limits: ServerLimits::default(),
        };
        let rows: Vec<(Vec<Server>, Vec<Server>, Vec<&str>)> = vec![
            (vec![], vec![inet("a", "", 1, None)], vec!["a  (listens on *:1)"]),
            (vec![inet("a", "", 1, None)], vec![], vec!["a  (closed)"]),
            (
                vec![inet("a", "h", 1, None)],
                vec![inet("a", "h", 2, None)],
                vec!["a port (h:2 instead of h:1)"],
            ),
            (vec![inet("a", "h", 1, None)], vec![inet("b", "h", 1, None)], vec!["b  (was [a])"]),
            (vec![inet("a", "h", 1, Some("x"))], vec![inet("a", "h", 1, Some("y"))], vec!["a password ()"]),
            (
                vec![inet("a", "h", 1, None)],
                vec![inet("a", "h", 1, Some("y"))],
                vec!["a username ()", "a password ()"],
            ),
            (
                vec![unix(0o700, None)],
                vec![unix(0o770, Some((1, None)))],
                vec!["unix_http_server chmod ()", "unix_http_server chown ()"],
            ),
            (
                vec![inet("a", "h", 1, None), inet("b", "h", 2, None)],
                vec![inet("a", "h", 2, None), inet("b", "h", 1, None)],
                vec!["a  (was [b])", "b  (was [a])"],
            ),
        ];
        for (old, new, expected) in rows {
            let mut all = Told::default();
            all.servers(&old, &new, &taken(&old, &new));
            let text =
                |setting: &Setting| format!("{} {} ({})", setting.section, setting.option, setting.note);
            assert_eq!(all.applied.iter().map(text).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn limits_of_servers() {
        let server = |line: &str| config(&format!("[inet_http_server]\nport=127.0.0.1:1\n{line}"));
        for line in ["max_connections=9", "request_maxbytes=9", "idle_timeout=9"] {
            let option = line.trim_end_matches("=9");
            let expected = vec![format!("inet_http_server {option} ()")];
            assert_eq!(told(&server(""), &server(line), false), (expected, vec![]));
        }
    }

    #[test]
    fn namespaces() {
        let text = |name: &str, factory: &str| {
            format!("[rpcinterface:{name}]\nsupervisor.rpcinterface_factory={factory}")
        };
        let (a, b, c) = (config(&text("x", "f:f")), config(&text("y", "f:f")), config(&text("x", "g:g")));
        assert_eq!(told(&a, &b, false).0, ["rpcinterface:y  (new)", "rpcinterface:x  (removed)"]);
        assert_eq!(told(&a, &c, false).0, ["rpcinterface:x  (changed)"]);
    }
}
