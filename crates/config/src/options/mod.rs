//! Every option there is, one row each. From the rows come the defaults, the detection of unknown keys, the sample
//! configuration and the command line's help; nothing here reads a value.

use std::sync::OnceLock;

use upkeep_core::ordered;

mod client;
mod daemon;
mod group;
mod program;
mod server;

/// A kind of section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionKind {
    /// `[supervisord]`.
    Supervisord,
    /// `[unix_http_server]`.
    Unix,
    /// `[inet_http_server]`.
    Inet,
    /// `[supervisorctl]`.
    Supervisorctl,
    /// `[include]`.
    Include,
    /// `[defaults]`: values for all programs.
    Defaults,
    /// `[template:x]`: what programs may extend.
    Template,
    /// `[program:x]`.
    Program,
    /// `[group:x]`.
    Group,
    /// `[eventlistener:x]`.
    Listener,
    /// `[fcgi-program:x]`.
    Fcgi,
    /// `[rpcinterface:x]`.
    RpcInterface,
    /// `[ctlplugin:x]`.
    CtlPlugin,
}

/// What kind of value an option takes (section 3 of the ledger).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// A whole number of seconds.
    Seconds,
    /// Seconds, or a number with ms, s, m, h or d.
    Time,
    /// A number from 1 to 100, such as 1.5.
    Factor,
    /// A percentage.
    Percent,
    /// A whole number, or a percentage.
    Share,
    /// A whole number, or `none`.
    Limit,
    /// An amount or `unlimited`, or two of them with a colon between.
    Rlimit,
    /// `fatal`, `retry_every TIME` or `shutdown`.
    Giveup,
    /// `true` or `false`.
    Boolean,
    /// Bytes, or a number with KB, MB or GB.
    Bytes,
    /// A file mode in octal.
    Octal,
    /// A log level.
    Level,
    /// A signal's name or number.
    Signal,
    /// Exit codes with commas between.
    ExitCodes,
    /// A directory that exists.
    Directory,
    /// A file in a directory that exists.
    Path,
    /// A user's name or id.
    User,
    /// `user` or `user:group`.
    Owner,
    /// Any text.
    Text,
    /// Names with commas between.
    List,
    /// Lines of five or six fields, as in a crontab.
    Schedule,
    /// File name patterns with blanks between.
    Globs,
    /// `KEY="value"` pairs with commas between.
    Pairs,
    /// A command line.
    Command,
    /// A log file, or one of the words for none or an automatic one.
    LogTarget,
    /// `true`, `false` or `unexpected`.
    Autorestart,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `host:port`.
    Endpoint,
    /// A URL.
    Url,
    /// A Python entry point.
    Factory,
}

/// When a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// With the next `update`, while the process runs on.
    Live,
    /// With the next `update`, which starts the process anew.
    Restart,
    /// With the next `update`, for starts and stops from then on.
    NextStart,
    /// With `reload`, or when the daemon is started anew.
    DaemonRestart,
    /// When the client is next called.
    NextCall,
}

/// An option's place on the command line of `supervisord`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// `-x`.
    pub short: Option<char>,
    /// `--long`.
    pub long: &'static str,
    /// What its argument is called in the help; `None` if it takes none.
    pub argument: Option<&'static str>,
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionRow {
    /// The key, lower-case.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The value that an absent key has; `None` if there is none, or none that can be written.
    pub default: Option<&'static str>,
    /// What it is for, in one line.
    pub help: &'static str,
    /// When a change counts.
    pub effect: Effect,
    /// What the sample configuration shows.
    pub sample: &'static str,
    /// Whether it is ours: Supervisor ignores it.
    pub ours: bool,
    /// Its place on the command line.
    pub flag: Option<Flag>,
}

impl OptionRow {
    const fn new(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Self {
        let mut row = Self::without_default(name, kind, default, help);
        row.default = Some(default);
        row
    }

    const fn without_default(
        name: &'static str,
        kind: Kind,
        sample: &'static str,
        help: &'static str,
    ) -> Self {
        let effect = Effect::DaemonRestart;
        Self { name, kind, default: None, help, effect, sample, ours: false, flag: None }
    }

    const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    const fn sample(mut self, sample: &'static str) -> Self {
        self.sample = sample;
        self
    }

    const fn ours(mut self) -> Self {
        self.ours = true;
        self
    }

    const fn flag(mut self, short: char, long: &'static str, argument: &'static str) -> Self {
        self.flag = Some(Flag { short: Some(short), long, argument: Some(argument) });
        self
    }

    const fn long_flag(mut self, long: &'static str, argument: &'static str) -> Self {
        self.flag = Some(Flag { short: None, long, argument: Some(argument) });
        self
    }

    const fn switch(mut self, short: char, long: &'static str) -> Self {
        self.flag = Some(Flag { short: Some(short), long, argument: None });
        self
    }
}

impl SectionKind {
    /// Every kind, in the order of the sample configuration.
    pub const ALL: [Self; 13] = [
        Self::Unix,
        Self::Inet,
        Self::Supervisord,
        Self::RpcInterface,
        Self::Supervisorctl,
        Self::CtlPlugin,
        Self::Defaults,
        Self::Template,
        Self::Program,
        Self::Listener,
        Self::Fcgi,
        Self::Group,
        Self::Include,
    ];

    /// The kind of a section of this name, as Supervisor recognises it; `None` if it ignores the section.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "supervisord" => return Some(Self::Supervisord),
            "supervisorctl" => return Some(Self::Supervisorctl),
            "include" => return Some(Self::Include),
            "defaults" => return Some(Self::Defaults),
            _ => {}
        }
        if name.starts_with("inet_http_server") {
            return Some(Self::Inet);
        }
        if name.starts_with("unix_http_server") {
            return Some(Self::Unix);
        }
        let (kind, _) = name.split_once(':')?;
        Self::ALL.into_iter().find(|known| known.named() && known.prefix() == kind)
    }

    /// What stands before the colon, or is the whole name.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Supervisord => "supervisord",
            Self::Unix => "unix_http_server",
            Self::Inet => "inet_http_server",
            Self::Supervisorctl => "supervisorctl",
            Self::Include => "include",
            Self::Defaults => "defaults",
            Self::Template => "template",
            Self::Program => "program",
            Self::Group => "group",
            Self::Listener => "eventlistener",
            Self::Fcgi => "fcgi-program",
            Self::RpcInterface => "rpcinterface",
            Self::CtlPlugin => "ctlplugin",
        }
    }

    /// Whether sections of this kind have a name after a colon.
    #[must_use]
    pub fn named(self) -> bool {
        match self {
            Self::Supervisord
            | Self::Unix
            | Self::Inet
            | Self::Supervisorctl
            | Self::Include
            | Self::Defaults => false,
            Self::Template
            | Self::Program
            | Self::Group
            | Self::Listener
            | Self::Fcgi
            | Self::RpcInterface
            | Self::CtlPlugin => true,
        }
    }

    /// Whether keys without a row belong to a plugin and are its own affair.
    #[must_use]
    pub fn open(self) -> bool {
        match self {
            Self::RpcInterface | Self::CtlPlugin => true,
            Self::Supervisord
            | Self::Unix
            | Self::Inet
            | Self::Supervisorctl
            | Self::Include
            | Self::Defaults
            | Self::Template
            | Self::Program
            | Self::Group
            | Self::Listener
            | Self::Fcgi => false,
        }
    }

    /// The options of such a section.
    pub fn rows(self) -> impl Iterator<Item = &'static OptionRow> {
        let (own, shared): (&[OptionRow], &[OptionRow]) = match self {
            Self::Supervisord => (daemon::SUPERVISORD, &[]),
            Self::Include => (daemon::INCLUDE, &[]),
            Self::RpcInterface => (daemon::RPC_INTERFACE, &[]),
            Self::Unix => (server::UNIX, server::SHARED),
            Self::Inet => (server::INET, server::SHARED),
            Self::Supervisorctl => (client::SUPERVISORCTL, &[]),
            Self::CtlPlugin => (client::CTL_PLUGIN, &[]),
            Self::Program | Self::Defaults | Self::Template => (program::PROGRAM, &[]),
            Self::Group => (group::GROUP, &[]),
            Self::Listener => (group::LISTENER, program::PROGRAM),
            Self::Fcgi => (group::FCGI, program::PROGRAM),
        };
        let hidden = |row: &&OptionRow| own.iter().any(|mine| mine.name == row.name);
        // What a template says may be meant for a program of any kind.
        let more =
            [group::LISTENER, group::FCGI].into_iter().filter(move |_| self == Self::Template).flatten();
        let more = more.filter(|row| program::PROGRAM.iter().all(|own| own.name != row.name));
        let all = own.iter().chain(shared.iter().filter(move |row| !hidden(row))).chain(more);
        all.filter(move |row| self != Self::Defaults || !program::OF_ONE.contains(&row.name))
    }

    /// The option of this name.
    #[must_use]
    pub fn row(self, name: &str) -> Option<&'static OptionRow> {
        // A configuration asks for each option of each program that does not say it: a hundred times for each of a thousand.
        static ORDERED: [OnceLock<Box<[&'static OptionRow]>>; SectionKind::ALL.len()] =
            [const { OnceLock::new() }; SectionKind::ALL.len()];
        let by =
            |row: &&OptionRow, name: &str| row.name.len().cmp(&name.len()).then_with(|| row.name.cmp(name));
        let rows = ORDERED[self as usize].get_or_init(|| {
            let mut rows: Vec<&OptionRow> = self.rows().collect();
            ordered::sort_by(&mut rows, |a, b| by(a, b.name));
            rows.into()
        });
        rows.binary_search_by(|row| by(row, name)).ok().and_then(|at| rows.get(at).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_unique() {
        for kind in SectionKind::ALL {
            let mut names: Vec<&str> = kind.rows().map(|row| row.name).collect();
            assert!(names.iter().all(|name| *name == name.to_lowercase()), "{kind:?}");
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{kind:?}");
        }
    }

    #[test]
    fn sections_are_recognised_as_supervisor_does_cfg_012_cfg_119() {
        for (name, kind) in [
            ("supervisord", Some(SectionKind::Supervisord)),
            ("SUPERVISORD", None),
            ("program:x", Some(SectionKind::Program)),
            ("program", None),
            ("programs:x", None),
            ("inet_http_serverX", Some(SectionKind::Inet)),
            ("unix_http_server:b", Some(SectionKind::Unix)),
            ("fcgi-program:", Some(SectionKind::Fcgi)),
            ("supervisord:x", None),
        ] {
            assert_eq!(SectionKind::of(name), kind, "{name}");
        }
    }
}
