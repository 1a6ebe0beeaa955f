//! `[unix_http_server]` and `[inet_http_server]`.

use super::{Kind, OptionRow};

pub(super) const UNIX: &[OptionRow] = &[
    OptionRow::without_default("file", Kind::Path, "/tmp/supervisor.sock", "path of the socket file"),
    OptionRow::new("chmod", Kind::Octal, "0700", "mode of the socket file"),
    OptionRow::without_default("chown", Kind::Owner, "nobody:nogroup", "owner of the socket file"),
];

pub(super) const INET: &[OptionRow] = &[
    OptionRow::without_default(
        "port",
        Kind::Endpoint,
        "127.0.0.1:9001",
        "host:port; *:port is every interface",
    ),
    OptionRow::new(
        "allow_unauthenticated",
        Kind::Boolean,
        "false",
        "say that an open door without a password is meant",
    )
    .ours(),
];

pub(super) const SHARED: &[OptionRow] = &[
    OptionRow::without_default("username", Kind::Text, "user", "ask for this name ..."),
    OptionRow::without_default("password", Kind::Text, "123", "... and this password; both or neither"),
    OptionRow::new("max_connections", Kind::Integer, "128", "clients that are served at a time").ours(),
    OptionRow::new("request_maxbytes", Kind::Bytes, "8MB", "length of a request's body at most").ours(),
    OptionRow::new("idle_timeout", Kind::Seconds, "1800", "seconds between requests of a client at most")
        .ours(),
];
