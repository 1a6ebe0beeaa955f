"""Runs a program on a terminal: COUNT, then COUNT pairs (text to wait for, text to type), then the program.

Everything the terminal showed goes to stdout; exits as the program did, or with 99 when a text did not come.
"""

import os
import pty
import select
import signal
import sys
import time

LIMIT = 30


def read(fd, deadline):
    ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
    if not ready:
        return None
    try:
        return os.read(fd, 4096)
    except OSError:
        return b""


def main(args):
    count = int(args[0])
    pairs = args[1 : 1 + 2 * count]
    program = args[1 + 2 * count :]
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(program[0], program)
    shown, seen, deadline = b"", 0, time.monotonic() + LIMIT
    for wanted, typed in zip(pairs[::2], pairs[1::2]):
        wanted = wanted.encode()
        while wanted not in shown[seen:]:
            piece = read(fd, deadline)
            if not piece:
                os.kill(pid, signal.SIGKILL)
                sys.stdout.buffer.write(shown + b"\n*** waited in vain for " + wanted)
                return 99
            shown += piece
        seen = shown.index(wanted, seen) + len(wanted)
        os.write(fd, typed.encode())
    while piece := read(fd, deadline):
        shown += piece
    sys.stdout.buffer.write(shown)
    if piece is None:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


sys.exit(main(sys.argv[1:]))
