//! `[supervisorctl]` and `[ctlplugin:x]`.

use super::{Effect, Kind, OptionRow};

pub(super) const SUPERVISORCTL: &[OptionRow] = &[
    OptionRow::new(
        "serverurl",
        Kind::Url,
        "http://localhost:9001",
        "unix:///path or http://host:port of the daemon",
    )
    .sample("unix:///tmp/supervisor.sock")
    .effect(Effect::NextCall),
    OptionRow::without_default("username", Kind::Text, "user", "as in the server's section")
        .effect(Effect::NextCall),
    OptionRow::without_default("password", Kind::Text, "123", "as in the server's section")
        .effect(Effect::NextCall),
    OptionRow::new("prompt", Kind::Text, "supervisor", "what the interactive shell shows")
        .effect(Effect::NextCall),
    OptionRow::without_default(
        "history_file",
        Kind::Path,
        "~/.supervisorctl_history",
        "where the shell keeps its history",
    )
    .effect(Effect::NextCall),
    OptionRow::new("strict_names", Kind::Boolean, "false", "take names literally, as Supervisor does")
        .effect(Effect::NextCall)
        .ours(),
];

pub(super) const CTL_PLUGIN: &[OptionRow] = &[OptionRow::without_default(
    "supervisor.ctl_factory",
    Kind::Factory,
    "package.module:factory",
    "a Python plugin of the client",
)
.effect(Effect::NextCall)];
