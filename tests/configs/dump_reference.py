"""What Supervisor 4.3.0 makes of configurations.

Run with a Python that has supervisor==4.3.0. Given file names, prints one JSON object per file: every setting, or the
error message. With --serve, reads one JSON request per line from stdin and answers each with one line:

    {"file": "good/x.conf"}   the same object for a file
    {"ini": "[a]\nb=c"}       {"sections": [[name, {key: value}], ...]} or {"error": "..."}
    {"percent": "%(x)s", "names": {...}}   {"text": "..."} or {"error": "..."}
    {"shlex": "a 'b'"}        {"words": [...]} or {"error": "..."}
    {"args": ["-c", "x"]}     the object for a command line of supervisord, or {"print": true}
    {"ctl": ["-i", "status"]} the client's options, or {"error": "..."}, or {"print": true}
"""

import io
import json
import os
import shlex
import sys

from configparser import ParsingError

from supervisor import datatypes, events
from supervisor.options import (
    ClientOptions,
    EventListenerPoolConfig,
    FastCGIGroupConfig,
    ServerOptions,
    UnhosedConfigParser,
    expand,
)

INI_NAME = "<text>"

SETTINGS = [
    "logfile", "logfile_maxbytes", "logfile_backups", "loglevel", "pidfile", "identifier", "nodaemon", "silent",
    "minfds", "minprocs", "umask", "directory", "uid", "childlogdir", "nocleanup", "strip_ansi",
]

PROCESS = [
    "name", "uid", "command", "directory", "umask", "priority", "autostart", "startsecs", "startretries",
    "stdout_capture_maxbytes", "stdout_events_enabled", "stdout_syslog", "stdout_logfile_backups",
    "stdout_logfile_maxbytes", "stderr_capture_maxbytes", "stderr_logfile_backups", "stderr_logfile_maxbytes",
    "stderr_events_enabled", "stderr_syslog", "stopsignal", "stopwaitsecs", "stopasgroup", "killasgroup", "exitcodes",
    "redirect_stderr", "environment", "serverurl",
]


class Exit(Exception):
    pass


def leave(code):
    raise Exit(code)


def plain(value):
    """Enumerations such as signal numbers become plain numbers."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return int(value)


def target(value):
    if value is datatypes.Automatic:
        return "AUTO"
    return value or None


def autorestart(value):
    if value is datatypes.RestartUnconditionally:
        return "always"
    if value is datatypes.RestartWhenExitUnexpected:
        return "unexpected"
    return "never"


def process(config):
    shown = {name: plain(getattr(config, name)) for name in PROCESS}
    shown["autorestart"] = autorestart(config.autorestart)
    for name in ("stdout_logfile", "stderr_logfile"):
        shown[name] = target(getattr(config, name))
    return shown


def event_name(kind):
    for name, value in vars(events.EventTypes).items():
        if value is kind:
            return name
    return None


def socket(config):
    shown = {"url": config.url, "backlog": config.backlog}
    if config.url.startswith("unix:"):
        shown["owner"] = list(config.owner) if config.owner else None
        shown["mode"] = config.mode
    return shown


def group(config):
    processes = {}
    for member in config.process_configs:
        processes[member.name] = process(member)
    shown = {"name": config.name, "priority": config.priority, "processes": list(processes.values())}
    if isinstance(config, EventListenerPoolConfig):
        shown["kind"] = "listener"
        shown["buffer_size"] = config.buffer_size
        shown["events"] = sorted(event_name(kind) for kind in config.pool_events)
    elif isinstance(config, FastCGIGroupConfig):
        shown["kind"] = "fcgi"
        shown["socket"] = socket(config.socket_config)
    else:
        shown["kind"] = "plain"
    return shown


def server(config):
    shown = {"section": config["section"], "username": config["username"] or None}
    shown["password"] = config["password"] if config["username"] else None
    if "file" in config:
        shown.update(file=config["file"], mode=config["chmod"], owner=list(config["chown"]))
    else:
        shown.update(host=config["host"], port=config["port"])
    return shown


def realize(options, args):
    """What keeps the program from running, if anything."""
    options.stdout = io.StringIO()
    options.stderr = io.StringIO()
    options.exit = leave
    try:
        options.realize(args, doc="", progname="prog")
    except Exit as exit:
        if exit.args[0] == 0:
            return {"print": True}
        message = options.stderr.getvalue()
        return {"error": message[len("Error: "):message.rindex("\nFor help, use ")]}
    except ParsingError as error:
        return {"error": str(error)}
    return None


def client(args):
    options = ClientOptions()
    end = realize(options, args)
    if end is not None:
        return end
    names = ["serverurl", "username", "password", "prompt", "history_file"]
    shown = {name: getattr(options, name) for name in names}
    shown["interactive"] = bool(options.interactive)
    shown["words"] = options.args
    return shown


def load(args):
    options = ServerOptions()
    end = realize(options, args)
    if end is not None:
        return end
    section = options.configroot.supervisord
    settings = {name: plain(getattr(options, name)) for name in SETTINGS}
    for switch in ("nodaemon", "silent", "nocleanup", "strip_ansi"):
        settings[switch] = bool(settings[switch])
    settings["environment"] = section.environment
    return {
        "settings": settings,
        "groups": [group(config) for config in options.process_group_configs],
        "servers": [server(config) for config in options.server_configs],
        "serverurl": options.serverurl,
        "rpc_interfaces": [
            [name, sorted(extras.items())] for name, _, extras in section.rpcinterface_factories
        ],
        "warnings": list(dict.fromkeys(options.parse_warnings)),
        "infos": options.parse_infos,
    }


def ini(text):
    parser = UnhosedConfigParser()
    try:
        parser.read_file(io.TextIOWrapper(io.BytesIO(text.encode("utf-8")), encoding="utf-8"), INI_NAME)
    except Exception as error:
        return {"error": str(error)}
    sections = [[name, dict(parser._sections[name])] for name in parser.sections()]
    if parser._defaults:
        sections.insert(0, ["DEFAULT", dict(parser._defaults)])
    return {"sections": sections}


def percent(text, names):
    try:
        return {"text": expand(text, names, "label")}
    except Exception as error:
        return {"error": str(error)}


def words(text):
    try:
        return {"words": shlex.split(text)}
    except Exception as error:
        return {"error": str(error)}


def answer(request):
    if "file" in request:
        return load(["-c", request["file"]])
    if "args" in request:
        return load(request["args"])
    if "ctl" in request:
        return client(request["ctl"])
    if "ini" in request:
        return ini(request["ini"])
    if "percent" in request:
        return percent(request["percent"], request["names"])
    return words(request["shlex"])


def main():
    if sys.argv[1:] == ["--serve"]:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)
        return
    for name in sys.argv[1:]:
        print(json.dumps(load(["-c", name]), indent=2, sort_keys=True))


if __name__ == "__main__":
    main()
