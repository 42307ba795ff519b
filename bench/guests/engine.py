"""Runs the same workloads natively, in QEMU's TCG and in hv in turn, and prints how they compare."""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time

import linux

COMPUTE = ["sha256", "sort", "interpret", "nbody", "multiply", "chase"]
KERNEL = ["syscall", "fault", "switch", "exec", "pipe"]
PARALLEL = ["alone", "together"]
COMMAND_LINE = "console=ttyS0 quiet panic=-1 rdinit=/workloads"
# What docs promise: hv's time by native's, TCG's by hv's; of each and in the geometric mean.
MOST_BY_NATIVE, MOST_BY_NATIVE_MEAN = 2.0, 1.6
LEAST_BY_TCG, LEAST_BY_TCG_MEAN = 2.5, 4.0
LEAST_KERNEL_BY_TCG_MEAN = 3.0
LEAST_OF_TWO = 1.8


def lines_of(console):
    """Each line with the time at which its end was seen, on our clock: guests' may be wrong."""
    at = 0
    while True:
        end = console.seen.find(b"\n", at)
        if end < 0:
            console.pump()
            continue
        yield time.monotonic(), console.seen[at:end].decode(errors="replace").split()
        at = end + 1


def measure(console, names):
    """Seconds and result of each workload."""
    begun, measured = {}, {}
    for now, words in lines_of(console):
        if len(words) >= 2 and words[0] == "begin":
            begun[words[1]] = now
        elif len(words) >= 3 and words[0] == "end" and words[1] in begun:
            measured[words[1]] = (now - begun[words[1]], words[2])
            if set(measured) == set(names):
                return measured


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def run(options, system, names, folder):
    wanted = COMMAND_LINE + " -- " + " ".join(names)
    if system == "native":
        console = linux.Console([options.workloads] + names)
    elif system == "tcg":
        console = linux.Console(linux.qemu_command(options, wanted, options.cpus))
    else:
        console = linux.Console(linux.hv_command(
            options, os.path.join(folder, "hvd.sock"), wanted, options.cpus))
    measured = measure(console, names)
    if system == "tcg":
        console.kill()
    else:
        console.end()
    return measured


def compare(rounds, names):
    """For each workload: median seconds in each system and their ratios."""
    table = {}
    for name in names:
        seconds = {system: statistics.median(one[system][name][0] for one in rounds)
                   for system in ("native", "tcg", "hv")}
        table[name] = {"native_seconds": seconds["native"], "tcg_seconds": seconds["tcg"],
                       "hv_seconds": seconds["hv"], "by_native": seconds["hv"] / seconds["native"],
                       "tcg_by_native": seconds["tcg"] / seconds["native"],
                       "by_tcg": seconds["tcg"] / seconds["hv"]}
    return table


def check_results(rounds, names):
    """A guest that computes something else is not fast."""
    for name in names:
        results = {one[system][name][1] for one in rounds for system in one}
        if len(results) != 1:
            sys.exit("engine: %s came to different results: %s" % (name, ", ".join(results)))


def print_group(title, table, names, by_native, by_tcg):
    print("\n%-10s %9s %9s %9s %11s %11s %11s" % (title, "native s", "TCG s", "hv s", "TCG/native",
                                                 "hv/native", "TCG/hv"))
    for name in names:
        row = table[name]
        print("%-10s %9.3f %9.3f %9.3f %11.2f %11.2f %11.2f"
              % (name, row["native_seconds"], row["tcg_seconds"], row["hv_seconds"],
                 row["tcg_by_native"], row["by_native"], row["by_tcg"]))
    print("%-10s %9s %9s %9s %11.2f %11.2f %11.2f"
          % ("mean", "", "", "", geometric_mean([table[name]["tcg_by_native"] for name in names]),
             geometric_mean([table[name]["by_native"] for name in names]),
             geometric_mean([table[name]["by_tcg"] for name in names])))
    if by_native:
        print("wanted: hv/native at most %.1f, mean %.1f; TCG/hv at least %.1f, mean %.1f"
              % (by_native + by_tcg))
    else:
        print("wanted: TCG/hv mean at least %.1f" % by_tcg)


def print_parallel(table, cpus):
    """How many times the work of one CPU all of them do."""
    print("\n%d CPUs    %9s %9s %9s" % (cpus, "native", "TCG", "hv"))
    print("%-10s" % "throughput" + "".join(
        " %9.2f" % (cpus * table["alone"][key] / table["together"][key])
        for key in ("native_seconds", "tcg_seconds", "hv_seconds")))
    print("wanted of two: hv at least %.1f" % LEAST_OF_TWO)


def main():
    parser = argparse.ArgumentParser()
    linux.add_options(parser)
    parser.add_argument("--workloads", required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="workloads, by name, with commas between")
    options = parser.parse_args()
    every = COMPUTE + KERNEL + (PARALLEL if options.cpus > 1 else [])
    names = [name for name in every if options.only is None or name in options.only.split(",")]
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            rounds.append({system: run(options, system, names, folder)
                           for system in ("native", "tcg", "hv")})
            print("engine: round %d of %d" % (number + 1, options.rounds), file=sys.stderr)
    check_results(rounds, names)
    table = compare(rounds, names)
    if options.json:
        print(json.dumps(table))
        return
    compute = [name for name in COMPUTE if name in names]
    kernel = [name for name in KERNEL if name in names]
    if compute:
        print_group("compute", table, compute, (MOST_BY_NATIVE, MOST_BY_NATIVE_MEAN),
                    (LEAST_BY_TCG, LEAST_BY_TCG_MEAN))
    if kernel:
        print_group("kernel", table, kernel, None, LEAST_KERNEL_BY_TCG_MEAN)
    if set(PARALLEL) <= set(names):
        print_parallel(table, options.cpus)


main()
