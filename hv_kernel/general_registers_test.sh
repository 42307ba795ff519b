#!/usr/bin/env bash
# Code that runs with a guest's vector registers in the host's (base/general_registers.bzl) must not reach
# any other code, but where it has released them. The arguments are its archives: together they may
# refer to nothing beside what is listed here, nor use a copy of a function that the linker might take
# from elsewhere.
set -euo pipefail

# Called after ReleaseRegisters(), or touching general registers alone by what they are.
allowed_calls='hv::RunControl::(Leave|Proceed)
hv::Injector::(Reset|StartUp)
hv::VcpuLoop::Report(Event|Failure)
hv::soft::SoftVcpu::Satisfy
hv::soft::BindThread
hv::soft::CodeExchange::DropTags
hv::soft::internal::fault_context
syscall
operator delete
vtable for __cxxabiv1::
std::ios_base::Init::
_GLOBAL_OFFSET_TABLE_|_Unwind_Resume|__cxa_atexit|__dso_handle|__gxx_personality_v0'
# Functions whose copies are all compiled so, or empty, or of no exit's path.
allowed_copies='hv::VcpuEngine::(ReleaseRegisters|RunHolding)
hv::soft::EventStack::Push
hv::RingLine::~RingLine'

work=$TEST_TMPDIR
failed=0
nm --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u > "$work/defined"
nm --undefined-only "$@" | awk 'NF == 2 { print $2 }' | sort -u > "$work/undefined"
[[ $(wc -l < "$work/defined") -gt 100 ]] || { echo "no archives to look at: $*"; exit 1; }

comm -23 "$work/undefined" "$work/defined" | c++filt |
  grep -vE "^($(paste -sd'|' <<< "$allowed_calls"))" > "$work/calls" || true
if [[ -s $work/calls ]]; then
  echo "calls code that may use vector registers:"; cat "$work/calls"; failed=1
fi
nm --defined-only "$@" | awk '$2 == "W" || $2 == "u" { print $3 }' | sort -u | c++filt |
  grep -vE "^($(paste -sd'|' <<< "$allowed_copies"))" > "$work/copies" || true
if [[ -s $work/copies ]]; then
  echo "the linker may take these from code that uses vector registers:"; cat "$work/copies"; failed=1
fi
exit $failed
