"""Boots one kernel in hv and in QEMU's TCG in turn; prints times to init, their ratio, and what hv's
processes keep resident beyond guest RAM. Or in hv alone, with guest RAM paged in one way and another."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import linux

INIT_LINE = b"hv: init reached"
SHELL_PROMPT = b"~ # "
COMMAND_LINE = "console=ttyS0 panic=-1"


def private_bytes(pid):
    with open("/proc/%d/smaps_rollup" % pid) as rollup:
        return sum(int(line.split()[1]) * 1024 for line in rollup
                   if line.startswith(("Private_Clean:", "Private_Dirty:")))


def resident_beyond_guest_ram(options, socket):
    """Bytes that all processes of the VM keep for themselves, standbys included."""
    services = json.loads(subprocess.check_output(
        [options.hvctl, "--socket", socket, "services", "bench", "--json"]))["services"]
    by_name = {one["name"]: int(one["private_bytes"]) for one in services}
    hvd = [one["pid"] for one in services if one["name"] == "hvd"][0]
    by_name["hvd"] = private_bytes(hvd)
    by_name["standbys"] = sum(private_bytes(one["standby_pid"]) for one in services
                              if one["standby_pid"])
    keepers = subprocess.run(["pgrep", "-x", "hv_keeper", "-P", str(hvd)], stdout=subprocess.PIPE)
    by_name["hv_keeper"] = sum(private_bytes(int(pid)) for pid in keepers.stdout.split())
    return by_name


def check_cpus(guest, cpus):
    """A guest that found fewer has less to do."""
    if cpus > 1 and b"Brought up 1 node, %d CPUs" % cpus not in guest.seen:
        guest.kill()
        sys.exit("boot: %s: not all of %d CPUs came up" % (guest.process.args[0], cpus))


def guest_memory(options, socket):
    return json.loads(subprocess.check_output(
        [options.hvctl, "--socket", socket, "memory", "bench", "--json"]))


def boot_hv(options, folder, cpus, paging="auto"):
    socket = os.path.join(folder, "hvd.sock")
    guest = linux.Console(linux.hv_command(options, socket, COMMAND_LINE, cpus)
                          + ["--paging", paging])
    seconds = guest.wait_for(INIT_LINE)
    guest.wait_for(SHELL_PROMPT)
    check_cpus(guest, cpus)
    resident = resident_beyond_guest_ram(options, socket)
    memory = guest_memory(options, socket)
    guest.type(b"poweroff\n")
    guest.end()
    return seconds, resident, memory


def boot_qemu(options, cpus):
    guest = linux.Console(linux.qemu_command(options, COMMAND_LINE, cpus))
    seconds = guest.wait_for(INIT_LINE)
    guest.wait_for(SHELL_PROMPT)
    check_cpus(guest, cpus)
    guest.kill()
    return seconds


def measure(options, folder, counts):
    """What was measured with each number of CPUs, all of them in each round."""
    hv, tcg = {cpus: [] for cpus in counts}, {cpus: [] for cpus in counts}
    resident = {}
    for number in range(options.rounds):
        for cpus in counts:
            seconds, resident[cpus], _ = boot_hv(options, folder, cpus)
            hv[cpus].append(seconds)
            tcg[cpus].append(boot_qemu(options, cpus))
            print("round %d, %d CPUs: hv %.2f s, TCG %.2f s"
                  % (number + 1, cpus, hv[cpus][-1], tcg[cpus][-1]), file=sys.stderr)
    return [{"cpus": cpus, "hv_seconds": statistics.median(hv[cpus]),
             "tcg_seconds": statistics.median(tcg[cpus]),
             "ratio": statistics.median(hv[cpus]) / statistics.median(tcg[cpus]),
             "resident_bytes": resident[cpus],
             "resident_total_bytes": sum(resident[cpus].values())} for cpus in counts]


def measure_paging(options, folder, counts, ways):
    """Each way of paging with each number of CPUs, all of them in each round."""
    seconds = {(cpus, way): [] for cpus in counts for way in ways}
    memory = {}
    for number in range(options.rounds):
        for cpus, way in seconds:
            took, _, memory[cpus, way] = boot_hv(options, folder, cpus, way)
            seconds[cpus, way].append(took)
            print("round %d, %d CPUs, paging %s: %.3f s" % (number + 1, cpus, way, took),
                  file=sys.stderr)
    return [{"cpus": cpus, "paging": way, "seconds": statistics.median(times),
             "least_seconds": min(times), "most_seconds": max(times),
             "guest_bytes": int(memory[cpus, way]["allocated_bytes"]),
             "faults": int(memory[cpus, way]["paging"]["faults"]),
             "pages": int(memory[cpus, way]["paging"]["pages"])}
            for (cpus, way), times in seconds.items()]


def show_paging(options, results):
    for result in results:
        if options.json:
            print(json.dumps(result))
            continue
        print("%d CPUs, paging %s: to init, median of %d: %.3f s (%.3f to %.3f); guest RAM at the "
              "shell: %.1f MiB; %d faults, %d pages given"
              % (result["cpus"], result["paging"], options.rounds, result["seconds"],
                 result["least_seconds"], result["most_seconds"], result["guest_bytes"] / 2**20,
                 result["faults"], result["pages"]))


def main():
    parser = argparse.ArgumentParser()
    linux.add_options(parser)
    parser.add_argument("--cpus", default="1", help="of the guests; several numbers, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--paging", help="instead of with QEMU, compare ways of paging: host,demand")
    options = parser.parse_args()
    if options.paging:
        with tempfile.TemporaryDirectory() as folder:
            show_paging(options, measure_paging(
                options, folder, [int(cpus) for cpus in options.cpus.split(",")],
                options.paging.split(",")))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = measure(options, folder, [int(cpus) for cpus in options.cpus.split(",")])
    for result in results:
        if options.json:
            print(json.dumps(result))
            continue
        print("%d CPUs, to the first line of init, median of %d: hv %.2f s, TCG %.2f s, ratio %.2f"
              % (result["cpus"], options.rounds, result["hv_seconds"], result["tcg_seconds"],
                 result["ratio"]))
        print("resident beyond guest RAM: %.1f MiB (%s)"
              % (result["resident_total_bytes"] / 2**20,
                 ", ".join("%s %.1f" % (name, size / 2**20)
                           for name, size in result["resident_bytes"].items())))


main()
