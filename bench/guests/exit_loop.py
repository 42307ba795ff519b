"""Loops that do nothing but leave the guest, through hv and with nothing but KVM, timed alike: once before
and once after each loop. What hv's own counters say of each loop beside it."""

import os
import re
import statistics
import subprocess
import sys
import tempfile

from guest import HPET_TICK_NS, TIMEOUT_SECONDS, Guest

ACCESSES = 5000  # as exit_loop.S has it
PASSES = 9
# (name in the guest, what it is, the loop of kvm_bare that it is compared with)
KINDS = [
    ("port-read-timer", "port read, PM timer (timer_svc)", "port-read"),
    ("port-read-serial", "port read, scratch register (serial_svc)", "port-read"),
    ("mmio-read-timer", "MMIO read, HPET counter (timer_svc)", "mmio-read"),
    ("mmio-read-vcpu", "MMIO read, local APIC (vcpu_svc)", "mmio-read"),
    ("mmio-write-posted", "posted MMIO write (vcpu_svc)", "mmio-write"),
    ("port-write-late", "posted port write, late (serial_svc)", "port-write"),
    ("port-write-counted", "counted port write", "port-write"),
]
LINE = re.compile(rb"(?:^|\n)([a-z-]+) ticks=(\w+)\r?\n")


def write_exits(guest):
    """Exits for writes of the machine so far."""
    stats = guest.ask("stats", "bench")
    exits = {}
    for vcpu in stats["vcpus"]:
        for one in vcpu["exits"]:
            exits[one["name"]] = exits.get(one["name"], 0) + int(one.get("value", 0))
    return exits["port_write"] + exits["mmio_write"]


def measure_bare(program, kind):
    """A loop with nothing but KVM: nanoseconds an exit."""
    return float(subprocess.check_output([program, kind], text=True))


def measure(options):
    """Every loop through hv, and at once the same with nothing but KVM, PASSES times in one machine. By kind,
    one of each pass: (ns an access through hv, ns with nothing but KVM, exits for writes an access)."""
    result = {name: [] for name, _, _ in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        guest = Guest(options.hvctl, options.loop_kernel, os.path.join(folder, "hvd.sock"),
                      ["--cpus", str(options.cpus), "--engine", options.engine])
        guest.wait_for(re.compile(rb"exit_loop: ready"))
        for name, _, alone in KINDS * PASSES:
            before = write_exits(guest)
            guest.type(b"\n")
            line = guest.wait_for(LINE)
            if line.group(1).decode() != name:
                sys.exit("exit_loop: the guest ran %r, not %s" % (line.group(1), name))
            result[name].append((int(line.group(2), 16) * HPET_TICK_NS / ACCESSES,
                                 measure_bare(options.bare, alone),
                                 (write_exits(guest) - before) / ACCESSES))
        guest.type(b"q")
        guest.process.communicate(timeout=TIMEOUT_SECONDS)
    return result


def compare(machines):
    """By kind, medians over all passes of all machines; of what hv adds, too, pass by pass."""
    result = {}
    for name, _, _ in KINDS:
        passes = [one for machine in machines for one in machine[name]]
        result[name] = {"hv_ns": statistics.median(hv for hv, _, _ in passes),
                        "bare_ns": statistics.median(bare for _, bare, _ in passes),
                        "added_ns": statistics.median(hv - bare for hv, bare, _ in passes),
                        "write_exits": statistics.median(exits for _, _, exits in passes)}
    return result


def print_table(result, machines):
    print("The same loop of %d accesses in turn with nothing but KVM and through hv, each timed as a whole: "
          "the\nmedian of %d. Exits are those for writes that hv counted, an access.\n"
          % (ACCESSES, machines * PASSES))
    print("%-46s %8s %8s %8s %8s" % ("ns an access", "bare KVM", "hv", "added", "exits"))
    for name, words, _ in KINDS:
        one = result[name]
        exits = "%8.4f" % one["write_exits"] if "write" in name else "%8s" % "-"
        print("%-46s %8.0f %8.0f %8.0f %s"
              % (words, one["bare_ns"], one["hv_ns"], one["added_ns"], exits))
