"""Keeps the posts of the blog: one JSON object a line in, one a line out. Usage: ipc.py PORT"""

import json
import socketserver
import sys

POSTS = ["Hello"]


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            question = json.loads(line)
            if "add" in question:
                POSTS.append(question["add"])
            self.wfile.write(json.dumps({"posts": POSTS}).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


print("ipc: listening", flush=True)
Server(("127.0.0.1", int(sys.argv[1])), Talk).serve_forever()
