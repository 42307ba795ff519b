"""Drives `hvctl run ...` (the arguments) as a person would: waits for the shell, runs a command,
powers the machine off, and expects hvctl to end with status 0."""

import os
import pty
import select
import sys
import time

BOOT_SECONDS = 240
COMMAND_SECONDS = 60


def expect(fd, wanted, seconds, seen=b""):
    """Reads until `wanted` has appeared; returns everything read."""
    end = time.monotonic() + seconds
    while wanted not in seen:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit("smoke: no %r within %d s" % (wanted, seconds))
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            chunk = b""
        if not chunk:
            sys.exit("smoke: hvctl ended before %r" % wanted)
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
        seen += chunk
    return seen


def main():
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], sys.argv[1:])
    expect(fd, b"~ # ", BOOT_SECONDS)
    os.write(fd, b"echo sum is $((6 * 7)); uname -r\n")
    expect(fd, b"sum is 42", COMMAND_SECONDS)
    expect(fd, b"~ # ", COMMAND_SECONDS)
    os.write(fd, b"poweroff\n")
    while True:  # to the end of its output
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            break
        if not chunk:
            break
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print("smoke: hvctl ended with status %d" % status)
    sys.exit(status)


main()
