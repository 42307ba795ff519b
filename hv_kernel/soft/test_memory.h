// What the machines of tests have in common: RAM, page tables that map the first GiB as it lies, an
// engine that has the RAM.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "abi/vcpu_state.h"
#include "hv_kernel/soft/soft_engine.h"
#include "hv_kernel/soft/translate/translation_cache.h"

namespace hv::soft {

class TestMemory {
 public:
  static constexpr uint64_t kRamBytes = 16 << 20;
  static constexpr uint64_t kTables = 0x1000;  // PML4, PDPT, PD of 2 MiB pages

  // With as little room for code as can be, so that it is evicted all the time, and loops
  // translated as such at once.
  TestMemory()
      : TestMemory(
            CreateSoftEngine({.code_bytes = TranslationCache::kMinCodeBytes, .cold_turns = 0})
                .value()) {}
  explicit TestMemory(std::unique_ptr<Engine> engine)
      : ram_(static_cast<std::byte*>(
            mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))),
        engine_(std::move(engine)) {
    Poke<uint64_t>(kTables, (kTables + 0x1000) | 7);
    Poke<uint64_t>(kTables + 0x1000, (kTables + 0x2000) | 7);
    for (uint64_t i = 0; i < 512; ++i) Poke<uint64_t>(kTables + 0x2000 + i * 8, i << 21 | 0xe7);
    const hv_memory_slot slot{.address = 0, .bytes = kRamBytes};
    if (!engine_->SetMemory({&slot, 1}, {ram_, kRamBytes}, nullptr).ok()) std::abort();
  }
  ~TestMemory() { munmap(ram_, kRamBytes); }
  TestMemory(const TestMemory&) = delete;
  TestMemory& operator=(const TestMemory&) = delete;

  template <typename T>
  void Poke(uint64_t physical, T value) {
    std::memcpy(ram_ + physical, &value, sizeof(value));
  }
  template <typename T>
  T Peek(uint64_t physical) const {
    T value;
    std::memcpy(&value, ram_ + physical, sizeof(value));
    return value;
  }
  void Load(uint64_t physical, std::span<const uint8_t> bytes) {
    std::memcpy(ram_ + physical, bytes.data(), bytes.size());
  }
  Engine& engine() { return *engine_; }
  const Engine& engine() const { return *engine_; }
  std::span<std::byte> ram() { return {ram_, kRamBytes}; }

 private:
  std::byte* ram_;
  std::unique_ptr<Engine> engine_;
};

// 64-bit mode of ring 0 with the memory's page tables, all else as after a boot loader.
inline hv_vcpu_state LongMode() {
  hv_vcpu_state state{};
  state.rflags = 2;
  for (auto& segment : state.segment) {
    segment.limit = 0xffffffff;
    segment.selector = 0x10;
    segment.attributes = 0xc093;
  }
  state.segment[HV_CS].selector = 8;
  state.segment[HV_CS].attributes = 0xa09b;
  state.tr.attributes = 0x8b;
  state.tr.limit = 0x67;
  state.ldtr.attributes = HV_SEGMENT_UNUSABLE;
  state.cr0 = 0x80010033;
  state.cr3 = TestMemory::kTables;
  state.cr4 = 0x406a0;  // PAE, PGE, OSFXSR, OSXMMEXCPT, OSXSAVE
  state.efer = 0xd01;
  state.xcr0 = 7;
  state.pat = 0x0007040600070406;
  state.dr[6] = 0xffff0ff0;
  state.dr[7] = 0x400;
  const uint32_t mxcsr = 0x1f80;
  std::memcpy(state.xsave + 24, &mxcsr, sizeof(mxcsr));
  const uint16_t fcw = 0x37f;
  std::memcpy(state.xsave, &fcw, sizeof(fcw));
  return state;
}

}  // namespace hv::soft
