"""Counts the test targets in a Bazel build event file: prints "passed failed"."""

import json
import sys

passed = failed = 0
with open(sys.argv[1], encoding="utf-8") as events:
    for line in events:
        summary = json.loads(line).get("testSummary")
        if summary is None:
            continue
        if summary.get("overallStatus") in ("PASSED", "FLAKY"):
            passed += 1
        else:
            failed += 1
print(passed, failed)
