"""Runs a guest that times its own exits, several machines one after the other, and prints what each
kind of exit costs the guest in time and the host in system calls and context switches."""

import argparse
import glob
import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import exit_loop
from guest import CLOCK, TIMEOUT_SECONDS, Guest, tick_ns

ACCESSES = 100000
# (name in the guest, what it is, limit of the p50 in ns)
KINDS = [
    ("nothing", "two reads of the counter alone", None),
    ("port-read-timer", "port read, PM timer (timer_svc)", 1000),
    ("port-read-serial", "port read, scratch register (serial_svc)", 1000),
    ("mmio-read-timer", "MMIO read, HPET counter (timer_svc)", 1000),
    ("mmio-read-vcpu", "MMIO read, local APIC (vcpu_svc)", 1000),
    ("port-write-serial", "answered port write (serial_svc)", None),
    ("posted-write-full", "posted MMIO write without pause (vcpu_svc)", None),
    ("posted-write-burst", "posted MMIO write, bursts of 16 (vcpu_svc)", 200),
    ("posted-port-write-burst", "posted port write, bursts of 16 (serial_svc)", 200),
]
LINE = re.compile(rb"(?:^|\n)([a-z-]+) min=(\w+) p50=(\w+) p99=(\w+)\r?\n")


def context_switches(pid):
    """(voluntary, involuntary) of all threads of a process."""
    total = [0, 0]
    for name in glob.glob("/proc/%d/task/*/status" % pid):
        with open(name) as status:
            for line in status:
                if line.startswith("voluntary_ctxt"):
                    total[0] += int(line.split()[1])
                elif line.startswith("nonvoluntary_ctxt"):
                    total[1] += int(line.split()[1])
    return total


class CallCount:
    """Counts the system calls of processes with perf; None where perf cannot."""

    def __init__(self, pids):
        self.perf = None
        if shutil.which("perf"):
            self.perf = subprocess.Popen(
                ["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter",
                 "-p", ",".join(str(pid) for pid in pids)],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            # perf says nothing when it has begun; what it misses are calls before the first exit.
            select.select([self.perf.stderr], [], [], 0.2)

    def end(self):
        if self.perf is None:
            return None
        self.perf.send_signal(signal.SIGINT)
        fields = self.perf.communicate()[1].decode().strip().split(",")
        return int(fields[0]) if fields[0].isdigit() else None


def measure_kind(guest, processes, name):
    """One kind: its line in ticks and what the host did meanwhile in all processes of the machine."""
    calls = CallCount(processes.values())
    before = [context_switches(pid) for pid in processes.values()]
    guest.type(b"\n")
    line = guest.wait_for(LINE)
    after = [context_switches(pid) for pid in processes.values()]
    if line.group(1).decode() != name:
        sys.exit("exit: the guest measured %r, not %s" % (line.group(1), name))
    return {"min": int(line.group(2), 16), "p50": int(line.group(3), 16),
            "p99": int(line.group(4), 16), "system_calls": calls.end(),
            "sleeps": sum(b[0] - a[0] for a, b in zip(before, after)),
            "preemptions": sum(b[1] - a[1] for a, b in zip(before, after))}


def pin(processes):
    """The vCPU to one CPU and all services to another, as if these two had nothing else to do."""
    vcpu_cpu, service_cpu = sorted(os.sched_getaffinity(0))[:2]
    for name, pid in processes.items():
        for task in os.listdir("/proc/%d/task" % pid):
            os.sched_setaffinity(int(task), {vcpu_cpu if name == "hv_kernel" else service_cpu})


def measure(options):
    """All kinds in one machine, times in nanoseconds."""
    with tempfile.TemporaryDirectory() as folder:
        guest = Guest(options.hvctl, options.kernel, os.path.join(folder, "hvd.sock"),
                      ["--cpus", str(options.cpus), "--engine", options.engine])
        guest.wait_for(re.compile(rb"exit: ready"))
        processes = guest.processes()
        if options.pin:
            pin(processes)
        kinds = {name: measure_kind(guest, processes, name) for name, _, _ in KINDS}
        guest.type(b"\n")
        clock = guest.wait_for(CLOCK)
        guest.process.communicate(timeout=TIMEOUT_SECONDS)
    scale = tick_ns(clock)
    for kind in kinds.values():
        for key in ("min", "p50", "p99"):
            kind[key + "_ns"] = kind.pop(key) * scale
    return kinds


def median_of(rounds, name):
    """The median over the machines of each number of a kind; None where one has none."""
    result = {}
    for key in rounds[0][name]:
        values = [one[name][key] for one in rounds]
        result[key] = None if None in values else statistics.median(values)
    return result


def print_table(result, rounds):
    print("Times are what the guest sees: RDTSC before and after each of %d accesses, the median of %d "
          "machines.\nSystem calls (perf), sleeps and preemptions are of all processes of the machine, "
          "for all accesses of the kind.\n" % (ACCESSES, rounds))
    print("%-46s %8s %8s %8s %8s %8s %8s" % ("", "min ns", "p50 ns", "p99 ns", "calls", "sleeps",
                                             "preempt"))
    for name, words, limit in KINDS:
        one = result[name]
        calls = "-" if one["system_calls"] is None else "%d" % one["system_calls"]
        verdict = "" if limit is None else "  p50 under %d ns: %s" % (
            limit, "holds" if one["p50_ns"] < limit else "DOES NOT HOLD")
        print("%-46s %8.0f %8.0f %8.0f %8s %8d %8d%s"
              % (words, one["min_ns"], one["p50_ns"], one["p99_ns"], calls, one["sleeps"],
                 one["preemptions"], verdict))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hvctl", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--bare", help="what measures KVM alone, in turn with --loop-kernel")
    parser.add_argument("--loop-kernel")
    parser.add_argument("--loops", action="store_true", help="only what is compared with --bare")
    parser.add_argument("--pin", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.loops and not options.bare:
        parser.error("--loops: only with --engine kvm is there something to compare with")
    rounds, loops = [], []
    for number in range(options.rounds):
        if not options.loops:
            rounds.append(measure(options))
        if options.bare:
            loops.append(exit_loop.measure(options))
        print("round %d done" % (number + 1), file=sys.stderr)
    result = {name: median_of(rounds, name) for name, _, _ in KINDS} if rounds else {}
    compared = exit_loop.compare(loops) if loops else {}
    if options.json:
        print(json.dumps({"accesses": ACCESSES, "rounds": options.rounds, "kinds": result,
                          "loop_accesses": exit_loop.ACCESSES, "loops": compared}))
        return
    if result:
        print_table(result, options.rounds)
    if compared:
        print("" if not result else "\n", end="")
        exit_loop.print_table(compared, options.rounds)


main()
