"""The guest of tools/soak, its faults, and what is watched."""

import argparse
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time

PROMPT = b"~ # "
# Prints numbered lines and digests of the same bytes for ever.
WORK = (b"i=0; while true; do echo line $i $(head -c 65536 /dev/zero | sha256sum | cut -c1-64); "
        b"i=$((i + 1)); done\r")
DIGEST = "de2f256064a0af797747c2b97505dc0b9f3df0de4f489eac731c23ae9ca9cc31"
LINE = re.compile(rb"^line (\d+) ([0-9a-f]{64})$", re.M)
SAMPLE_SECONDS = 30
STANDSTILL_SECONDS = 60
# What caches and allocators take in the beginning is no growth.
WARM_UP_SAMPLES = 4
GROWTH_BYTES = 4 << 20


class Soak:
    def __init__(self, options, folder):
        self.options = options
        self.hvctl = [options.hvctl, "--socket", os.path.join(folder, "hvd.sock")]
        self.guest = subprocess.Popen(
            self.hvctl + ["run", "--name", "soak", "--kernel", options.kernel, "--initrd",
                          options.initrd, "--append", "console=ttyS0 quiet", "--memory", "256M"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.output = b""
        self.next_line = 0
        self.heard_at = time.monotonic()
        self.sizes = {}  # by process name, private bytes of each sample

    def pump(self, seconds):
        if select.select([self.guest.stdout], [], [], seconds)[0]:
            piece = os.read(self.guest.stdout.fileno(), 65536)
            if not piece:
                sys.exit("soak: the guest has ended: %r" % self.output[-500:])
            self.output += piece.replace(b"\r", b"")
        if time.monotonic() - self.heard_at > STANDSTILL_SECONDS:
            sys.exit("soak: nothing from the guest for %d s" % STANDSTILL_SECONDS)

    def boot(self):
        while PROMPT not in self.output:
            self.pump(1)
            self.heard_at = time.monotonic()
        self.guest.stdin.write(WORK)
        self.guest.stdin.flush()
        self.output = b""

    def take_lines(self):
        whole, _, self.output = self.output.rpartition(b"\n")
        for number, digest in LINE.findall(whole):
            if int(number) != self.next_line:
                sys.exit("soak: line %d after line %d" % (int(number), self.next_line - 1))
            if digest.decode() != DIGEST:
                sys.exit("soak: line %d has digest %s" % (self.next_line, digest.decode()))
            self.next_line += 1
            self.heard_at = time.monotonic()

    def sample(self):
        """Private memory of every process; what has been replaced so far."""
        services = json.loads(subprocess.check_output(
            self.hvctl + ["--json", "services", "soak"]))["services"]
        for one in services:
            self.sizes.setdefault(one["name"], []).append(int(one["private_bytes"]))
        return sum(one["epoch"] - 1 for one in services)

    def growth(self):
        """By process, how much larger the last samples are than the first warm ones."""
        grown = {}
        for name, sizes in self.sizes.items():
            warm = sizes[WARM_UP_SAMPLES:]
            if len(warm) >= 2 * WARM_UP_SAMPLES:
                grown[name] = max(warm[-WARM_UP_SAMPLES:]) - max(warm[:WARM_UP_SAMPLES])
        return grown

    def run(self):
        self.boot()
        seconds = self.options.hours * 3600
        campaign = subprocess.Popen(
            self.hvctl + ["fault", "chaos", "soak", "--seed", str(self.options.seed), "--rate",
                          str(self.options.rate), "--duration", "%.1f" % seconds, "--do",
                          "kill,segv,abort,exit,stop,hang,delay,forge-stamp,forge-epoch,forge-kind,"
                          "forge-answer,forge-bit,drop-wake,double-wake,stick"],
            stdout=subprocess.DEVNULL)
        end = time.monotonic() + seconds
        sample_at = 0
        while time.monotonic() < end:
            self.pump(1)
            self.take_lines()
            if time.monotonic() >= sample_at:
                replaced = self.sample()
                print("%s  %d lines, %d replaced, private MiB: %s" % (
                    time.strftime("%H:%M:%S"), self.next_line, replaced,
                    " ".join("%s %.1f" % (name, sizes[-1] / 2**20)
                             for name, sizes in self.sizes.items())), flush=True)
                sample_at = time.monotonic() + SAMPLE_SECONDS
        if campaign.wait() != 0:
            sys.exit("soak: the campaign ended with status %d" % campaign.returncode)
        grown = {name: more for name, more in self.growth().items() if more > GROWTH_BYTES}
        if grown:
            sys.exit("soak: grown by bytes: %s" % grown)
        subprocess.check_call(self.hvctl + ["stop", "--force", "soak"])
        self.guest.communicate()
        growth = "no process grew" if self.growth() else "too short to say whether a process grew"
        print("soak: %d lines, none lost, all digests right, %s" % (self.next_line, growth))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hvctl", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--initrd", required=True)
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--rate", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Soak(options, folder).run()


main()
