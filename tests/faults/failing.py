"""A file system that fails on demand: what is in DIRECTORY lies in BEHIND, as long as MODE says nothing.

usage: failing.py DIRECTORY BEHIND MODE

MODE is a file. While it is empty everything works; the name of an error in it (EIO, EROFS) makes every write and every
opening for writing fail with that error; the word `hang` lets nothing be answered, `hang-writes` nothing from the first
write on, `hang-opens` neither opening nor making a file, but all else, and MODE.hangs appears when somebody waits. Speaks the kernel's FUSE protocol,
version 7.31, for a flat directory.
"""

import ctypes
import errno
import os
import select
import struct
import sys
import time

LOOKUP, FORGET, GETATTR, SETATTR, UNLINK, RENAME, OPEN, READ, WRITE = 1, 2, 3, 4, 10, 12, 14, 15, 16
STATFS, RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, CREATE = 17, 18, 25, 26, 27, 28, 29, 35
INTERRUPT, BATCH_FORGET, RENAME2 = 36, 42, 45
OPENING = (OPEN, CREATE)
CHANGING = (UNLINK, RENAME, WRITE, CREATE, RENAME2)
HEADER = 40
DIRECT_IO = 1


class Failing:
    def __init__(self, behind, mode):
        self.behind, self.mode = behind, mode
        self.names, self.nodes = {1: ""}, {}

    def path(self, node, name=None):
        inside = self.names[node] if name is None else name
        return os.path.join(self.behind, inside) if inside else self.behind

    def word(self):
        with open(self.mode) as file:
            return file.read().strip()

    def waits(self):
        with open(self.mode + ".hangs", "w"):
            pass

    def is_for_later(self, opcode):
        return opcode in OPENING and self.word() == "hang-opens"

    def wait(self, opcode):
        """Returns the error of the moment, when something may be answered."""
        while True:
            word = self.word()
            if word != "hang" and (word != "hang-writes" or opcode != WRITE):
                return getattr(errno, word, 0)
            self.waits()
            time.sleep(0.005)

    def answer(self, opcode, node, body):
        error = self.wait(opcode)
        writing = opcode == OPEN and struct.unpack_from("<I", body)[0] & os.O_ACCMODE != os.O_RDONLY
        if error and (opcode in CHANGING or writing):
            raise OSError(error, "on demand")
        return self.ACTIONS[opcode](self, node, body)

    def init(self, node, body):
        return struct.pack("<IIIIHHIIHHI", 7, 31, 65536, 0, 16, 12, 131072, 1, 0, 0, 0) + bytes(24)

    def attributes(self, node, path):
        stat = os.stat(path)
        times = [int(when) for when in (stat.st_atime, stat.st_mtime, stat.st_ctime)]
        return struct.pack(
            "<6Q10I", node, stat.st_size, stat.st_blocks, *times, 0, 0, 0,
            stat.st_mode, stat.st_nlink, stat.st_uid, stat.st_gid, 0, 4096, 0,
        )

    def getattr(self, node, body):
        return struct.pack("<QII", 0, 0, 0) + self.attributes(node, self.path(node))

    def setattr(self, node, body):
        valid, _, _, size = struct.unpack_from("<IIQQ", body)
        if valid & 8:
            os.truncate(self.path(node), size)
        return self.getattr(node, body)

    def entry(self, name):
        path = self.path(1, name)
        os.stat(path)
        node = self.nodes.setdefault(name, len(self.nodes) + 2)
        self.names[node] = name
        return struct.pack("<QQQQII", node, 0, 0, 0, 0, 0) + self.attributes(node, path)

    def lookup(self, node, body):
        return self.entry(text(body))

    def opened(self, path, flags, mode=0):
        fd = os.open(path, flags & ~(os.O_APPEND | os.O_NONBLOCK | os.O_ACCMODE) | os.O_RDWR, mode)
        return struct.pack("<QII", fd, DIRECT_IO, 0)

    def open(self, node, body):
        return self.opened(self.path(node), struct.unpack_from("<I", body)[0])

    def create(self, node, body):
        flags, mode = struct.unpack_from("<II", body)
        name = text(body[16:])
        opened = self.opened(self.path(1, name), flags | os.O_CREAT, mode)
        return self.entry(name) + opened

    def read(self, node, body):
        handle, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(handle, size, offset)

    def write(self, node, body):
        handle, offset, size = struct.unpack_from("<QQI", body)
        return struct.pack("<II", os.pwrite(handle, body[40:40 + size], offset), 0)

    def release(self, node, body):
        os.close(struct.unpack_from("<Q", body)[0])
        return b""

    def unlink(self, node, body):
        os.unlink(self.path(1, text(body)))
        self.nodes.pop(text(body), None)
        return b""

    def rename(self, node, body, skip=8):
        old, new = (part.decode() for part in body[skip:].split(b"\0")[:2])
        os.rename(self.path(1, old), self.path(1, new))
        self.nodes.pop(new, None)
        moved = self.nodes.pop(old, None)
        if moved:
            self.nodes[new], self.names[moved] = moved, new
        return b""

    def rename2(self, node, body):
        return self.rename(node, body, 16)

    def statfs(self, node, body):
        return struct.pack("<5Q4I", 1000, 1000, 1000, 1000, 1000, 4096, 255, 4096, 0) + bytes(24)

    def opendir(self, node, body):
        return bytes(16)

    def nothing(self, node, body):
        return b""

    ACTIONS = {
        INIT: init, LOOKUP: lookup, GETATTR: getattr, SETATTR: setattr, OPEN: open, CREATE: create, READ: read,
        WRITE: write, RELEASE: release, FLUSH: nothing, UNLINK: unlink, RENAME: rename, RENAME2: rename2,
        STATFS: statfs, OPENDIR: opendir, READDIR: nothing, RELEASEDIR: nothing,
    }


def text(body):
    return body.split(b"\0")[0].decode()


def main(directory, behind, mode):
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"failing", os.fsencode(directory), b"fuse", 0, options):
        raise OSError(ctypes.get_errno(), "mount")
    served, later = Failing(behind, mode), []
    while True:
        if later and not served.is_for_later(OPEN):
            for request in later:
                serve(served, device, request)
            later = []
        if not select.select([device], [], [], 0.005 if later else None)[0]:
            continue
        try:
            request = os.read(device, 1 << 20)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                continue
            return
        opcode = struct.unpack_from("<II", request)[1]
        if served.is_for_later(opcode):
            later.append(request)
            served.waits()
        elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
            serve(served, device, request)


def serve(served, device, request):
    _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
    error, body = 0, b""
    try:
        body = served.answer(opcode, node, request[HEADER:])
    except KeyError:
        error = errno.ENOSYS
    except OSError as failure:
        error = failure.errno
    try:
        os.write(device, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
    except OSError:
        # Nobody waits for that answer any more.
        pass


main(*sys.argv[1:])
