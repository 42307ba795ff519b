"""A machine with a kernel of the benchmarks, whose console is on our pipes."""

import json
import os
import re
import select
import subprocess
import sys

TIMEOUT_SECONDS = 300
HPET_TICK_NS = 10.0
CLOCK = re.compile(rb"clock ticks=(\w+) hpet=(\w+)\r?\n")


def tick_ns(clock):
    """How long a tick of the guest's time-stamp counter is, from its line CLOCK."""
    return int(clock.group(2), 16) * HPET_TICK_NS / int(clock.group(1), 16)


class Guest:
    def __init__(self, hvctl, kernel, socket, more):
        self.hvctl = [hvctl, "--socket", socket]
        self.output = b""  # not yet looked at
        self.process = subprocess.Popen(
            self.hvctl + ["run", "--name", "bench", "--debug-exit", "--memory", "64M",
                          "--kernel", kernel] + more,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_for(self, pattern):
        """The first match; what came before it is forgotten."""
        while True:
            match = pattern.search(self.output)
            if match:
                self.output = self.output[match.end():]
                return match
            if not self.pump(TIMEOUT_SECONDS):
                self.process.kill()
                sys.exit("no %r from the guest, only %r" % (pattern.pattern, self.output[-500:]))

    def pump(self, seconds):
        """Takes what the guest says within that time; whether it said anything."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return False
        piece = os.read(self.process.stdout.fileno(), 65536)
        self.output += piece
        return bool(piece)

    def type(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def ask(self, *command):
        """What hvctl answers, as JSON."""
        return json.loads(subprocess.check_output(self.hvctl + ["--json"] + list(command)))

    def processes(self):
        return {one["name"]: one["pid"] for one in self.ask("services", "bench")["services"]}
