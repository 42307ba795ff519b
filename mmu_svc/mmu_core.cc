#include "mmu_svc/mmu_core.h"

#include <algorithm>
#include <atomic>
#include <tuple>

#include "abi/message.h"
#include "absl/strings/str_cat.h"
#include "proto/hv/v1/mmu_state.pb.h"

namespace hv::mmu {
namespace {

using service::Actions;
using service::Message;

constexpr uint64_t kPage = 4096;

bool InRom(const State& s, const hv_access& access) {
  if (access.space != HV_SPACE_MMIO) return false;
  for (uint32_t i = 0; i < s.slot_count; ++i) {
    const hv_memory_slot& slot = s.slots[i];
    if ((slot.flags & HV_MEMORY_READ_ONLY) != 0 && access.address - slot.address < slot.bytes) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status CheckMap(State& map) {
  std::sort(map.routes, map.routes + map.route_count, [](const hv_route& a, const hv_route& b) {
    return std::tie(a.space, a.first) < std::tie(b.space, b.first);
  });
  for (uint32_t i = 0; i < map.route_count; ++i) {
    const hv_route& route = map.routes[i];
    const uint64_t end = route.space == HV_SPACE_PORT ? 0xffff : UINT64_MAX;
    if (route.first > route.last || route.last > end || route.space > HV_SPACE_MMIO) {
      return absl::InvalidArgumentError(absl::StrCat("routes: [0x", absl::Hex(route.first), ", 0x",
                                                     absl::Hex(route.last), "] in space ",
                                                     route.space, " is no range"));
    }
    if (i > 0 && map.routes[i - 1].space == route.space && map.routes[i - 1].last >= route.first) {
      return absl::InvalidArgumentError(
          absl::StrCat("routes: two answer at 0x", absl::Hex(route.first)));
    }
  }
  std::sort(map.slots, map.slots + map.slot_count,
            [](const auto& a, const auto& b) { return a.address < b.address; });
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    const hv_memory_slot& slot = map.slots[i];
    const bool aligned = (slot.address | slot.bytes | slot.offset) % kPage == 0;
    if (!aligned || slot.bytes == 0 || slot.address + slot.bytes < slot.address) {
      return absl::InvalidArgumentError(absl::StrCat("memory: 0x", absl::Hex(slot.bytes),
                                                     " bytes at 0x", absl::Hex(slot.address),
                                                     " are not whole pages"));
    }
    if (i > 0 && map.slots[i - 1].address + map.slots[i - 1].bytes > slot.address) {
      return absl::InvalidArgumentError(
          absl::StrCat("memory: two slots at 0x", absl::Hex(slot.address)));
    }
  }
  return absl::OkStatus();
}

void MmuCore::Reset(State& state, uint64_t, Actions&) const {
  state = config_.initial;
  state.generation = 2;
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
      ++(InRom(state, message.As<hv_access>()) ? state.rom_writes : state.hole_writes);
      if (message.kind == HV_KIND_WRITE) {
        actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
      }
      return true;
    default:
      return false;
  }
}

void MmuCore::Tick(State&, uint64_t, Actions&) const {}

void MmuCore::Project(const State& state) {
  if (config_.table == nullptr) return;
  hv_route_table& table = *config_.table;
  std::atomic_ref<uint32_t> generation(table.generation);
  if (generation.load(std::memory_order_relaxed) == state.generation) return;
  // Odd while the table changes (abi/route_table.h); the fence keeps the changes after it.
  generation.store(state.generation - 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  table.route_count = state.route_count;
  table.slot_count = state.slot_count;
  std::copy_n(state.routes, state.route_count, table.routes);
  std::copy_n(state.slots, state.slot_count, table.slots);
  // Pairs with the acquire load in hv_kernel's router.
  generation.store(state.generation, std::memory_order_release);
}

absl::StatusOr<std::string> MmuCore::Export(const State& state) const {
  hv::v1::MmuServiceState out;
  out.set_generation(state.generation);
  for (uint32_t i = 0; i < state.route_count; ++i) {
    auto& to = *out.add_routes();
    to.set_first(state.routes[i].first);
    to.set_last(state.routes[i].last);
    to.set_endpoint(state.routes[i].endpoint);
    to.set_space(state.routes[i].space);
    to.set_flags(state.routes[i].flags);
  }
  for (uint32_t i = 0; i < state.slot_count; ++i) {
    auto& to = *out.add_slots();
    to.set_address(state.slots[i].address);
    to.set_bytes(state.slots[i].bytes);
    to.set_offset(state.slots[i].offset);
    to.set_flags(state.slots[i].flags);
  }
  out.set_hole_reads(state.hole_reads);
  out.set_hole_writes(state.hole_writes);
  out.set_rom_writes(state.rom_writes);
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
  next.generation = (in.generation() & ~1u) + 2;  // a new map for whoever reads it
  for (const auto& route : in.routes()) {
    next.routes[next.route_count++] = {route.first(), route.last(), route.endpoint(),
                                       static_cast<uint16_t>(route.space()),
                                       static_cast<uint16_t>(route.flags()), 0};
  }
  for (const auto& slot : in.slots()) {
    next.slots[next.slot_count++] = {slot.address(), slot.bytes(), slot.offset(), slot.flags(), 0};
  }
  if (auto status = CheckMap(next); !status.ok()) return status;
  next.hole_reads = in.hole_reads();
  next.hole_writes = in.hole_writes();
  next.rom_writes = in.rom_writes();
  state = next;
  return absl::OkStatus();
}

}  // namespace hv::mmu
