"""The blog itself: GET / lists the posts, POST / adds one, GET /health is 200 while the posts can be had.

Usage: app.py PORT PORT-OF-IPC
"""

import http.server
import json
import socket
import sys


def ask(question):
    with socket.create_connection(("127.0.0.1", int(sys.argv[2])), timeout=2) as ipc:
        ipc.sendall(json.dumps(question).encode() + b"\n")
        return json.loads(ipc.makefile().readline())["posts"]


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({})

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer({"add": text.decode()})

    def answer(self, question):
        try:
            status, text = 200, "\n".join(ask(question))
        except (OSError, ValueError) as error:
            status, text = 503, f"no posts: {error}"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode() + b"\n")


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
