"""A syslog server and a journald: `receiver.py DIRECTORY [PORT]`.

Writes what comes, a message a line, to the files `udp`, `tcp` and `journal` of the directory. When it listens, the port of
both protocols is in the file `port`. TCP messages are counted by octets; anything else ends the program.
"""

import os
import select
import socket
import sys

folder = sys.argv[1]
port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
os.chdir(folder)

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen()
port = listener.getsockname()[1]
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", port))
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
if os.path.exists("journal.sock"):
    os.unlink("journal.sock")
journal.bind("journal.sock")
with open("port.new", "w") as file:
    file.write(str(port))
os.rename("port.new", "port")


def note(name, text):
    with open(name, "a") as file:
        file.write(text + "\n")


def messages(data):
    """Whole messages of a stream, and what is left."""
    found = []
    while b" " in data:
        length, rest = data.split(b" ", 1)
        if len(rest) < int(length):
            break
        found.append(rest[: int(length)].decode())
        data = rest[int(length):]
    return found, data


def fields(data):
    """The fields of journald's protocol as a dictionary."""
    found = {}
    while data:
        line, data = data.split(b"\n", 1)
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, length = line, int.from_bytes(data[:8], "little")
            value, data = data[8:8 + length], data[8 + length + 1:]
        found[name.decode()] = value.decode()
    return found


streams = {}
while True:
    ready, _, _ = select.select([listener, datagrams, journal, *streams], [], [])
    for source in ready:
        if source is listener:
            stream, _ = listener.accept()
            streams[stream] = b""
        elif source is datagrams:
            note("udp", datagrams.recv(65536).decode())
        elif source is journal:
            known = fields(journal.recv(1 << 20))
            note("journal", " ".join(f"{name}={value}" for name, value in sorted(known.items())))
        else:
            data = source.recv(65536)
            found, streams[source] = messages(streams[source] + data)
            for message in found:
                note("tcp", message)
            if not data:
                del streams[source]
