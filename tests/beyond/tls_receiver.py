"""A syslog server over TLS: `tls_receiver.py DIRECTORY [PORT]`.

Its certificate is `server.pem` of the directory, and clients have to show one that `ca.pem` has signed. Writes what comes, a message a
line, to the file `tls`, with a line for each connection that ended: `-- closed` if its end was told, `-- cut` if not, and
`-- refused` for those that were not made. When it listens, its port is in the file `port`.
"""

import os
import socket
import ssl
import sys

os.chdir(sys.argv[1])
port = int(sys.argv[2]) if len(sys.argv) > 2 else 0

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations("ca.pem")

listener = socket.create_server(("127.0.0.1", port))
with open("port.new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename("port.new", "port")


def note(text):
    with open("tls", "a") as file:
        file.write(text + "\n")


def messages(data):
    """Writes the whole messages of a stream, and returns what is left."""
    while b" " in data:
        length, rest = data.split(b" ", 1)
        if len(rest) < int(length):
            break
        note(rest[: int(length)].decode())
        data = rest[int(length):]
    return data


while True:
    plain, _ = listener.accept()
    try:
        stream = context.wrap_socket(plain, server_side=True)
    except OSError:
        note("-- refused")
        plain.close()
        continue
    data = b""
    end = "-- closed"
    try:
        while more := stream.recv(65536):
            data = messages(data + more)
    except OSError:
        end = "-- cut"
    note(end)
    stream.close()
