"""Plays the round with Python's own client: round.py ROUND unix SOCKET | tcp PORT USER PASSWORD."""

import json
import sys
import time
import urllib.parse
import xmlrpc.client


def connect(how, where, user=None, password=None):
    if how == "unix":
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(user, password, "unix://" + where)
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
    login = ":".join(urllib.parse.quote(part, safe="") for part in (user, password))
    return xmlrpc.client.ServerProxy(f"http://{login}@127.0.0.1:{where}/RPC2")


def argument(value):
    if isinstance(value, dict) and "base64" in value:
        return xmlrpc.client.Binary(value["base64"].encode())
    return value


def answer(server, step):
    method = server
    for part in step["call"].split("."):
        method = getattr(method, part)
    try:
        return {"value": method(*map(argument, step.get("with", [])))}
    except xmlrpc.client.Fault as fault:
        return {"fault": fault.faultCode, "text": fault.faultString}


def play(server, step):
    end = time.monotonic() + 30
    while True:
        told = answer(server, step)
        if step.get("until", "") in str(told.get("value", "")) or time.monotonic() > end:
            return told
        time.sleep(0.02)


def main(path, *where):
    if where[0] == "tcp":
        try:
            connect(*where[:3], "wrong").supervisor.getState()
        except xmlrpc.client.ProtocolError as error:
            print(json.dumps({"title": "a wrong password", "told": [error.errcode, error.errmsg]}))
    server = connect(*where)
    with open(path, encoding="utf-8") as file:
        for step in json.load(file):
            print(json.dumps({"title": step["title"], "told": play(server, step)}))


main(*sys.argv[1:])
