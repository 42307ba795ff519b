#!/usr/bin/env bash
# Verifies commit.pml (the argument) exhaustively, and that each defect it can be seeded with is found.
set -uo pipefail
model=$(realpath "$1")
work=${TEST_TMPDIR:-$(mktemp -d)}
failures=0

# verify NAME COMPILE-FLAGS RUN-FLAGS MODEL-DEFINES...: leaves the verifier's report in $work/NAME/report.
verify() {
  local folder=$work/$1 compile=$2 run=$3
  shift 3
  mkdir -p "$folder" && cd "$folder" || exit 1
  # A kill is a rendezvous that escapes from whatever the process does; partial-order reduction
  # would not be sound with it, hence NOREDUCE.
  # shellcheck disable=SC2086
  spin -a "$@" "$model" >spin.log 2>&1 &&
    gcc -w -O2 -DNOREDUCE -DCOLLAPSE -DMEMLIM=2000 $compile -o pan pan.c >gcc.log 2>&1 ||
    { cat spin.log gcc.log; exit 1; }
  # shellcheck disable=SC2086
  ./pan -m100000 $run >report 2>&1
}
holds() {
  verify "$@"
  local report=$work/$1/report
  # Not only without errors: to the end, within the bounds of depth and memory.
  if grep -q 'errors: 0$' "$report" && ! grep -qE 'max search depth too small|reached -DMEMLIM' "$report"; then
    echo "$1: holds in $(awk '/states, stored/ {print $1}' "$report") states," \
      "$(awk '/total actual memory usage/ {print $1}' "$report") MB," \
      "$(awk '/elapsed time/ {print $4}' "$report") s"
  else
    echo "$1: DOES NOT HOLD"
    cat "$report"
    failures=$((failures + 1))
  fi
}
is_found() {
  verify "$1" -DSAFETY "" -D"$1"
  if grep -q 'errors: 1$' "$work/$1/report"; then
    echo "$1: found: $(grep -m1 '^pan:1:' "$work/$1/report" | cut -c8-100)"
  else
    echo "$1: NOT FOUND"
    cat "$work/$1/report"
    failures=$((failures + 1))
  fi
}

is_found PUBLISH_BEFORE_COMMIT
is_found ACKNOWLEDGE_BEFORE_COMMIT
is_found FORGET_OUTBOX
is_found STAMP_FIRST
holds one-cell-rings -DSAFETY "" -DCAPACITY=1
holds two-cell-rings -DSAFETY "" -DCAPACITY=2
holds progress "" -a -DPROGRESS -DCAPACITY=1
[ "$failures" -eq 0 ]
