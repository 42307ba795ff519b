#include "bench/ring_bench/partners.h"

#include <immintrin.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/check.h"

namespace hv::bench {
namespace {

constexpr int kSpinsBeforeYield = 1000;

}  // namespace

Cores::Cores() : asker_(-1), answerer_(-1) {
  cpu_set_t allowed;
  CHECK(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
  for (int cpu = 0; cpu < CPU_SETSIZE && answerer_ < 0; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) (asker_ < 0 ? asker_ : answerer_) = cpu;
  }
  if (answerer_ < 0) {
    std::fprintf(stderr, "ring: needs two CPUs, this process may use one\n");
    std::exit(1);
  }
}

void Cores::Pin(Role role) const {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(of(role), &one);
  CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

MeetingPoint::MeetingPoint() : mapping_(SharedMemory(sizeof(Shared))) {}

void MeetingPoint::Meet(Role role, uint64_t n) {
  auto& arrived = mapping_.As<Shared>()->arrived;
  const int self = role == Role::kAsker ? 0 : 1;
  arrived[self].store(n, std::memory_order_release);
  // Pairs with the store above, of the other.
  for (int spins = 0; arrived[1 - self].load(std::memory_order_acquire) < n; ++spins) {
    if (spins < kSpinsBeforeYield) {
      _mm_pause();
    } else {
      sched_yield();
    }
  }
}

ring::Mapping SharedMemory(uint64_t bytes) {
  auto fd = ring::CreateSegment("bench", bytes);
  CHECK(fd.ok());
  auto mapping = ring::Mapping::Map(fd->get(), bytes, true);
  CHECK(mapping.ok());
  return *std::move(mapping);
}

}  // namespace hv::bench
