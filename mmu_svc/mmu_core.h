// mmu_svc as a state machine: the owner of the guest-physical map. It publishes who answers where,
// and answers itself for what nobody owns.
#pragma once

#include <cstdint>

#include "abi/route_table.h"
#include "service/core.h"

namespace hv::mmu {

// Plain data: the whole of the state.
struct State {
  uint32_t generation;  // of the table as published; even
  uint32_t route_count;
  uint32_t slot_count;
  uint32_t reserved;
  hv_route routes[HV_MAX_ROUTES];
  hv_memory_slot slots[HV_MAX_MEMORY_SLOTS];
  uint64_t hole_reads;
  uint64_t hole_writes;
  uint64_t rom_writes;
};

class MmuCore final : public service::TypedCore<State> {
 public:
  struct Config {
    State initial;                    // validated: see CheckMap
    hv_route_table* table = nullptr;  // where the map is published; null in tests
  };
  explicit MmuCore(const Config& config) : config_(config) {}

  uint32_t state_layout() const override { return 1; }

 protected:
  void Reset(State& state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(State& state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(State& state, uint64_t now_ns, service::Actions& actions) const override;
  void Project(const State& state) override;
  absl::StatusOr<std::string> Export(const State& state) const override;
  absl::Status Import(State& state, absl::string_view bytes) const override;

 private:
  const Config config_;
};

// Sorts the routes by space and address and checks the map: ranges that are none, overlap, or memory
// that is not page aligned or wraps are InvalidArgument, naming the entry.
absl::Status CheckMap(State& map);

}  // namespace hv::mmu
