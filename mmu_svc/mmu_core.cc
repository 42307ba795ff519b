#include "mmu_svc/mmu_core.h"

#include "abi/message.h"
#include "absl/strings/str_cat.h"
#include "mmu_svc/guest_ram.h"
#include "mmu_svc/map_publisher.h"
#include "proto/hv/v1/mmu_state.pb.h"

namespace hv::mmu {
namespace {

using service::Actions;
using service::Message;

// What a write that came here is counted as. Memory that is no ROM was write-protected when the
// vCPU made it, even if that has been taken back meanwhile.
uint64_t& WriteCounter(State& s, const hv_access& access) {
  if (access.space != HV_SPACE_MMIO) return s.hole_writes;
  const hv_memory_slot* slot = FindSlot(s.map, access.address);
  if (slot == nullptr) return s.hole_writes;
  return IsRom(*slot) ? s.rom_writes : s.protected_writes;
}

}  // namespace

void MmuCore::Reset(State& state, uint64_t, Actions&) const {
  state.map = config_.map;
  state.generation = NextGeneration(0);
}

bool MmuCore::Handle(State& state, const Message& message, uint64_t, Actions& actions) const {
  switch (message.kind) {
    case HV_KIND_READ:
      ++state.hole_reads;
      actions.Send(message.from, HV_KIND_READ_DONE, message.tag,
                   hv_access_done{.data = UINT64_MAX});
      return true;
    case HV_KIND_WRITE:
    case HV_KIND_WRITE_POSTED:
      ++WriteCounter(state, message.As<hv_access>());
      if (message.kind == HV_KIND_WRITE) {
        actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
      }
      return true;
    case HV_KIND_STORE: {
      const bool stored = Store(state, message.As<hv_store>());
      actions.Send(message.from, HV_KIND_STORE_DONE, message.tag,
                   hv_store_done{.refused = stored ? 0u : 1u});
      return stored;
    }
    default: return false;
  }
}

// An effect outside of the state, so an idempotent one: a successor that handles the message again
// stores the same bytes, before the answer tells anybody of them.
bool MmuCore::Store(const State& state, const hv_store& store) const {
  if (store.length == 0 || store.length > HV_STORE_MAX || !config_.logs) return false;
  PageLogs logs = *config_.logs;
  return GuestRam(state.map, config_.ram).Store(store.address, {store.bytes, store.length}, logs);
}

void MmuCore::Tick(State&, uint64_t, Actions&) const {}

void MmuCore::Project(const State& state) {
  if (config_.table == nullptr) return;
  if (config_.on_new_map && ring::LoadRelaxed(config_.table->generation) != state.generation) {
    config_.on_new_map(state.map);
  }
  ring::DirectStores direct;
  PublishMap(state.map, state.generation, *config_.table, direct);
}

absl::StatusOr<std::string> MmuCore::Export(const State& state) const {
  hv::v1::MmuServiceState out;
  out.set_generation(state.generation);
  for (uint32_t i = 0; i < state.map.route_count; ++i) {
    const hv_route& from = state.map.routes[i];
    auto& to = *out.add_routes();
    to.set_first(from.first);
    to.set_last(from.last);
    to.set_endpoint(from.endpoint);
    to.set_space(from.space);
    to.set_flags(from.flags);
  }
  for (uint32_t i = 0; i < state.map.slot_count; ++i) {
    const hv_memory_slot& from = state.map.slots[i];
    auto& to = *out.add_slots();
    to.set_address(from.address);
    to.set_bytes(from.bytes);
    to.set_offset(from.offset);
    to.set_flags(from.flags);
  }
  out.set_hole_reads(state.hole_reads);
  out.set_hole_writes(state.hole_writes);
  out.set_rom_writes(state.rom_writes);
  out.set_protected_writes(state.protected_writes);
  return out.SerializeAsString();
}

absl::Status MmuCore::Import(State& state, absl::string_view bytes) const {
  hv::v1::MmuServiceState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.MmuServiceState");
  }
  if (in.routes_size() > static_cast<int>(HV_MAX_ROUTES) ||
      in.slots_size() > static_cast<int>(HV_MAX_MEMORY_SLOTS)) {
    return absl::InvalidArgumentError(absl::StrCat("routes, slots: ", in.routes_size(), " and ",
                                                   in.slots_size(), " are too many"));
  }
  State next{};
  // Not the imported one: it must differ from what has been published here.
  next.generation = NextGeneration(state.generation);
  for (const auto& route : in.routes()) {
    // What does not fit the map's words; CheckMap looks at the rest.
    if (route.space() > HV_SPACE_MMIO || route.flags() > UINT16_MAX) {
      return absl::InvalidArgumentError(absl::StrCat("routes: space ", route.space(), ", flags 0x",
                                                     absl::Hex(route.flags()), " at 0x",
                                                     absl::Hex(route.first())));
    }
    next.map.routes[next.map.route_count++] = {route.first(),
                                               route.last(),
                                               route.endpoint(),
                                               static_cast<uint16_t>(route.space()),
                                               static_cast<uint16_t>(route.flags()),
                                               0};
  }
  for (const auto& slot : in.slots()) {
    next.map.slots[next.map.slot_count++] = {slot.address(), slot.bytes(), slot.offset(),
                                             slot.flags(), 0};
  }
  if (auto status = CheckMap(next.map); !status.ok()) return status;
  next.hole_reads = in.hole_reads();
  next.hole_writes = in.hole_writes();
  next.rom_writes = in.rom_writes();
  next.protected_writes = in.protected_writes();
  state = next;
  return absl::OkStatus();
}

}  // namespace hv::mmu
