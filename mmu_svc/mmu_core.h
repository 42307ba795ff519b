// mmu_svc as a state machine: the owner of the guest-physical map. It publishes who answers where,
// and answers itself for what nobody owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "abi/message.h"
#include "abi/route_table.h"
#include "mmu_svc/guest_map.h"
#include "mmu_svc/page_log.h"
#include "service/core.h"

namespace hv::mmu {

// Plain data: the whole of the state.
struct State {
  uint32_t generation;  // of the table as published; even, never 0
  uint32_t reserved;
  GuestMap map;
  uint64_t hole_reads;
  uint64_t hole_writes;
  uint64_t rom_writes;
  uint64_t protected_writes;
};

// The generation after `generation`: 0 is that of a table never published.
constexpr uint32_t NextGeneration(uint32_t generation) {
  const uint32_t next = (generation & ~1u) + 2;
  return next == 0 ? 2 : next;
}

class MmuCore final : public service::TypedCore<State> {
 public:
  struct Config {
    GuestMap map;                     // validated: see CheckMap
    hv_route_table* table = nullptr;  // where the map is published
    std::span<std::byte> ram;         // the RAM segment, for HV_KIND_STORE
    std::optional<PageLogs> logs;     // REQUIRES: there, if `ram` is not empty
    // Told of each new map before it is published.
    std::function<void(const GuestMap&)> on_new_map = nullptr;
  };
  explicit MmuCore(const Config& config) : config_(config) {}

  uint32_t state_layout() const override { return 3; }

 protected:
  void Reset(State& state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(State& state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(State& state, uint64_t now_ns, service::Actions& actions) const override;
  void Project(const State& state) override;
  absl::StatusOr<std::string> Export(const State& state) const override;
  absl::Status Import(State& state, absl::string_view bytes) const override;

 private:
  bool Store(const State& state, const hv_store& store) const;

  const Config config_;
};

}  // namespace hv::mmu
