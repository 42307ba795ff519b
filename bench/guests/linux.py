"""A Linux guest in hv and in QEMU's TCG: the same kernel ELF, the same initramfs, the same memory."""

import os
import select
import subprocess
import sys
import time

TIMEOUT_SECONDS = 600
MEMORY_MIB = 512


class Console:
    """A running process with a guest's console, or what stands for it, on its standard streams."""

    def __init__(self, command):
        self.start = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seen = b""

    def pump(self):
        """Takes what comes next; what was seen before it."""
        left = self.start + TIMEOUT_SECONDS - time.monotonic()
        ready = left > 0 and select.select([self.process.stdout], [], [], left)[0]
        piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
        if not piece:
            self.process.kill()
            sys.exit("%s ended too early; its console ends with:\n%s"
                     % (self.process.args[0], self.seen[-2000:].decode(errors="replace")))
        self.seen += piece

    def wait_for(self, text):
        """Seconds from the start to when `text` was seen."""
        while text not in self.seen:
            self.pump()
        return time.monotonic() - self.start

    def type(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self):
        self.process.communicate(timeout=TIMEOUT_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.communicate()


def qemu_command(options, command_line, cpus):
    # What boots fastest. Without ACPI microvm tells the kernel of one CPU, whatever it has, and with it Linux
    # finds no timer there.
    machine = "microvm,acpi=off" if cpus == 1 else "q35"
    return ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-machine", machine,
            "-m", str(MEMORY_MIB), "-smp", str(cpus), "-kernel", options.kernel,
            "-initrd", options.initrd, "-append", command_line + " reboot=t", "-nodefaults",
            "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"]


def hv_command(options, socket, command_line, cpus):
    return [options.hvctl, "--socket", socket, "run", "--name", "bench", "--kernel", options.kernel,
            "--initrd", options.initrd, "--append", command_line, "--memory", "%dM" % MEMORY_MIB,
            "--cpus", str(cpus)]


def add_options(parser):
    parser.add_argument("--hvctl", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--initrd", required=True)
    parser.add_argument("--json", action="store_true")
