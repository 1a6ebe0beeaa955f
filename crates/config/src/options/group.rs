//! `[group:x]`, and what `[eventlistener:x]` and `[fcgi-program:x]` have beyond a program's options.

use super::{Effect, Kind, OptionRow};

pub(super) const GROUP: &[OptionRow] = &[
    OptionRow::new("programs", Kind::List, "", "programs that form the group, with commas between")
        .sample("progname1,progname2")
        .effect(Effect::Restart),
    OptionRow::new("priority", Kind::Integer, "999", "lower starts first and stops last")
        .effect(Effect::Live),
];

pub(super) const LISTENER: &[OptionRow] = &[
    OptionRow::without_default(
        "events",
        Kind::List,
        "PROCESS_STATE",
        "event types to listen to, with commas between",
    )
    .effect(Effect::Restart),
    OptionRow::new("buffer_size", Kind::Integer, "10", "events kept while no listener is ready")
        .effect(Effect::Restart),
    OptionRow::new(
        "result_handler",
        Kind::Factory,
        "supervisor.dispatchers:default_handler",
        "judges what listeners answer",
    )
    .effect(Effect::Restart),
    OptionRow::new(
        "event_queue",
        Kind::Choice(&["memory", "durable"]),
        "memory",
        "durable: events for which the buffer has no room wait on disk instead of being discarded",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default(
        "event_queue_directory",
        Kind::Directory,
        "/var/lib/supervisor",
        "where a durable queue is kept; childlogdir if not set",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::new(
        "event_queue_maxbytes",
        Kind::Bytes,
        "256MB",
        "size of a durable queue's file beyond which new events are discarded; 0 is no limit",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::new(
        "event_length",
        Kind::Choice(&["characters", "bytes"]),
        "characters",
        "what len: in an event's header counts",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::new("priority", Kind::Integer, "-1", "of the pool; its processes have 999 unless it is set")
        .effect(Effect::Live),
];

pub(super) const FCGI: &[OptionRow] = &[
    OptionRow::without_default(
        "socket",
        Kind::Url,
        "unix:///tmp/php-fcgi.sock",
        "unix:///path or tcp://host:port",
    )
    .effect(Effect::Restart),
    OptionRow::without_default("socket_owner", Kind::Owner, "nobody:nogroup", "owner of a unix socket")
        .effect(Effect::NextStart),
    OptionRow::new("socket_mode", Kind::Octal, "0700", "mode of a unix socket").effect(Effect::NextStart),
    OptionRow::without_default("socket_backlog", Kind::Integer, "1024", "connections that may wait")
        .effect(Effect::NextStart),
];
