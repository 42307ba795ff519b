"""Writes the ELF kernel inside a bzImage (first argument) to a file (second argument)."""

import gzip
import lzma
import os
import struct
import subprocess
import sys

# Linux/x86 boot protocol: offsets in the file.
SETUP_SECTORS = 0x1F1
PAYLOAD_OFFSET = 0x248
PAYLOAD_LENGTH = 0x24C
SECTOR = 512
SIZE_TRAILER = 4  # what build scripts append to formats without a length


def decompress(payload):
    if payload[:2] == b"\x1f\x8b":
        return gzip.decompress(payload)
    if payload[:6] == b"\xfd7zXZ\0":
        return lzma.decompress(payload[:-SIZE_TRAILER])
    for magic, tool in ((b"\x02\x21\x4c\x18", "lz4"), (b"\x28\xb5\x2f\xfd", "zstd")):
        if payload.startswith(magic):
            return subprocess.run([tool, "-dc"], input=payload[:-SIZE_TRAILER],
                                  stdout=subprocess.PIPE, check=True).stdout
    sys.exit("extract_kernel: payload begins with %s, which no known format does"
             % payload[:4].hex())


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        image = file.read()
    setup = ((image[SETUP_SECTORS] or 4) + 1) * SECTOR
    offset, length = struct.unpack_from("<II", image, PAYLOAD_OFFSET)
    kernel = decompress(image[setup + offset:setup + offset + length])
    with open(target + ".part", "wb") as file:
        file.write(kernel)
    os.rename(target + ".part", target)


main()
