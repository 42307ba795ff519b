"""What Python's interpreter and its C modules compute, printed to the last digit."""

import bz2
import decimal
import fractions
import hashlib
import heapq
import json
import lzma
import math
import os
import random
import re
import signal
import struct
import sys
import threading
import unicodedata
import zlib

numbers = random.Random(2024)


def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else repr(data).encode()).hexdigest()


def text_and_data():
    records = [{"id": i, "name": "name %d" % (i * 7919 % 1000), "values": [numbers.random() for _ in range(8)],
                "nested": {"even": i % 2 == 0, "none": None, "text": "zażółć \u2603 %c" % (0x4e00 + i)}}
               for i in range(3000)]
    text = json.dumps(records, sort_keys=True)
    print("json", len(text), digest(text), json.loads(text) == records)
    print(json.dumps(records[17], indent=1, ensure_ascii=False))
    words = re.findall(r"\b[a-z]+ \d{2,}\b", text)
    swapped = re.sub(r'"id": (\d+), "name": "(\w+) (\d+)"', r'\3 \2 \1', text)
    print("re", len(words), words[:5], digest(swapped),
          len(re.findall(r"(?:[0-9]+\.[0-9]*?[1-9])(?=[,\]])", text)))
    records.sort(key=lambda record: (record["name"], -record["id"]))
    print("sort", digest([record["id"] for record in records]),
          heapq.nsmallest(3, (record["values"] for record in records)))
    print("unicode", unicodedata.normalize("NFKD", "ﬁancé ① Ångström Straße".casefold()).encode())
    return text.encode()


def compress_and_hash(data):
    for name, pack, unpack in [("zlib", lambda all: zlib.compress(all, 9), zlib.decompress),
                               ("bz2", bz2.compress, bz2.decompress),
                               ("lzma", lzma.compress, lzma.decompress)]:
        packed = pack(data)
        print(name, len(packed), digest(packed), unpack(packed) == data)
    print("crc32 %08x adler32 %08x" % (zlib.crc32(data), zlib.adler32(data)))
    for name in sorted(hashlib.algorithms_guaranteed):
        one = hashlib.new(name, data)
        print(name, one.hexdigest(32) if name.startswith("shake") else one.hexdigest())
    print("pbkdf2", hashlib.pbkdf2_hmac("sha512", b"password", b"salt", 3000).hex())


def floats():
    functions = [math.sin, math.cos, math.tan, math.exp, math.expm1, math.atan, math.sinh, math.erf, math.cbrt]
    positive = [math.log, math.log2, math.log1p, math.sqrt, math.gamma, math.lgamma, math.asinh]
    for function in functions + positive:
        values = [function(numbers.uniform(1e-3, 30)) for _ in range(2000)]
        print(function.__name__, digest(values), repr(math.fsum(values)), float(values[7]).hex())
    for value in (0.1, 1 / 3, 1e22, 1e23, 5e-324, 2.0 ** 1023, -0.0, math.inf, math.pi * 1e100, 123456789.125):
        print(repr(value), "%.17g %.3e %f" % (value, value, value), struct.pack("<d", value).hex(),
              struct.pack("<f", value).hex() if abs(value) < 1e38 else "too large")
    print("parsed", digest([float("%de%d" % (numbers.getrandbits(60), numbers.randint(-340, 290)))
                            for _ in range(20000)]))


def exact_numbers():
    decimal.getcontext().prec = 1000
    pi, last, t, n, na, d, da = map(decimal.Decimal, (3, 0, 3, 1, 0, 0, 24))
    while pi != last:
        last, n, na, d, da = pi, n + na, na + 8, d + da, da + 32
        t = t * n / d
        pi += t
    print("pi", pi)
    print("sqrt", decimal.Decimal(2).sqrt() ** 3, decimal.Decimal("1e-5").exp().ln())
    print("harmonic", digest(str(sum(fractions.Fraction(1, i) for i in range(1, 600)))))
    sys.set_int_max_str_digits(0)
    power = 3 ** 20000 - 7 ** 9000
    print("big", power.bit_length(), digest(str(power)), math.isqrt(power) % 10 ** 20, power // 7 ** 5000 % 10 ** 20)
    print("prime", all(pow(base, 2 ** 521 - 2, 2 ** 521 - 1) == 1 for base in (2, 3, 5, 7)),
          pow(numbers.getrandbits(2000), numbers.getrandbits(2000), 2 ** 2203 - 1))


def kernel():
    total, lock, alarms = [0], threading.Lock(), []

    def add():
        for _ in range(20000):
            with lock:
                total[0] += 1
    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("threads", total[0])
    signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    computed = 0
    while len(alarms) < 50:
        computed = (computed * 1.5 + 1) % 1000.5
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("alarms", len(alarms) >= 50, 0 <= computed < 1000.5)
    for child in range(8):
        reads, writes = os.pipe()
        if os.fork() == 0:
            os.write(writes, digest(b"child %d" % child).encode())
            os._exit(child)
        print("child", os.read(reads, 64).decode(), os.waitstatus_to_exitcode(os.wait()[1]))
    try:
        [][1 // 0]
    except ZeroDivisionError as error:
        print("caught", error)


compress_and_hash(text_and_data())
floats()
exact_numbers()
kernel()
