"""Boots one kernel in hv and in QEMU's TCG in turn; prints times to init, their ratio, and what hv's
processes keep resident beyond guest RAM."""

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


def boot_hv(options, folder):
    socket = os.path.join(folder, "hvd.sock")
    guest = linux.Console(linux.hv_command(options, socket, COMMAND_LINE))
    seconds = guest.wait_for(INIT_LINE)
    guest.wait_for(SHELL_PROMPT)
    resident = resident_beyond_guest_ram(options, socket)
    guest.type(b"poweroff\n")
    guest.end()
    return seconds, resident


def boot_qemu(options):
    guest = linux.Console(linux.qemu_command(options, COMMAND_LINE))
    seconds = guest.wait_for(INIT_LINE)
    guest.wait_for(SHELL_PROMPT)
    guest.kill()
    return seconds


def main():
    parser = argparse.ArgumentParser()
    linux.add_options(parser)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    hv, tcg, resident = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            seconds, resident = boot_hv(options, folder)
            hv.append(seconds)
            tcg.append(boot_qemu(options))
            print("round %d: hv %.2f s, TCG %.2f s" % (number + 1, hv[-1], tcg[-1]),
                  file=sys.stderr)
    result = {"hv_seconds": statistics.median(hv), "tcg_seconds": statistics.median(tcg),
              "ratio": statistics.median(hv) / statistics.median(tcg),
              "resident_bytes": resident, "resident_total_bytes": sum(resident.values())}
    if options.json:
        print(json.dumps(result))
        return
    print("to the first line of init, median of %d: hv %.2f s, TCG %.2f s, ratio %.2f"
          % (options.rounds, result["hv_seconds"], result["tcg_seconds"], result["ratio"]))
    print("resident beyond guest RAM: %.1f MiB (%s)"
          % (result["resident_total_bytes"] / 2**20,
             ", ".join("%s %.1f" % (name, size / 2**20) for name, size in resident.items())))


main()
