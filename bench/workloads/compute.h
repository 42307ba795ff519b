// User-level work: what a translator does to straight code, branches, floating point, vectors and
// loads that miss.
#pragma once

#include <cstdint>

namespace hv::bench {

// Each does its work `times` times and returns a number that depends on all of it.
uint64_t Sha256(uint32_t times);     // integer: of 64 KiB
uint64_t Sort(uint32_t times);       // branches: 100,000 numbers
uint64_t Interpret(uint32_t times);  // indirect jumps: a million instructions of a small machine
uint64_t NBody(uint32_t times);      // scalar floating point: 20,000 steps of five bodies
uint64_t Multiply(uint32_t times);   // vectors: 192x192 matrices, AVX2 and FMA where there are
uint64_t ChasePointers(uint32_t times);  // loads: 262,144 of a list over 16 MiB

}  // namespace hv::bench
