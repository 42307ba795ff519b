#include "mmu_svc/memory_view.h"

#include "service/role_name.h"

namespace hv::mmu {
namespace {

hv::v1::MemoryKind KindOf(const hv_memory_slot* slot) {
  if (slot == nullptr) return hv::v1::MEMORY_KIND_UNSPECIFIED;
  return IsRom(*slot) ? hv::v1::MEMORY_KIND_ROM : hv::v1::MEMORY_KIND_RAM;
}

hv::v1::TranslationOutcome ToProto(WalkOutcome outcome) {
  switch (outcome) {
    case WalkOutcome::kMapped: return hv::v1::TRANSLATION_OUTCOME_MAPPED;
    case WalkOutcome::kNotCanonical: return hv::v1::TRANSLATION_OUTCOME_NOT_CANONICAL;
    case WalkOutcome::kNotPresent: return hv::v1::TRANSLATION_OUTCOME_NOT_PRESENT;
    case WalkOutcome::kReservedBits: return hv::v1::TRANSLATION_OUTCOME_RESERVED_BITS;
    case WalkOutcome::kNoTable: return hv::v1::TRANSLATION_OUTCOME_NO_TABLE;
  }
  return hv::v1::TRANSLATION_OUTCOME_UNSPECIFIED;
}

hv::v1::PagingMode ToProto(PagingMode mode) {
  switch (mode) {
    case PagingMode::kNone: return hv::v1::PAGING_MODE_NONE;
    case PagingMode::k32Bit: return hv::v1::PAGING_MODE_32_BIT;
    case PagingMode::kPae: return hv::v1::PAGING_MODE_PAE;
    case PagingMode::k4Level: return hv::v1::PAGING_MODE_4_LEVEL;
  }
  return hv::v1::PAGING_MODE_UNSPECIFIED;
}

}  // namespace

void ShowMap(const State& state, hv::v1::GuestMemory& shown) {
  for (uint32_t i = 0; i < state.map.slot_count; ++i) {
    const hv_memory_slot& slot = state.map.slots[i];
    auto& region = *shown.add_regions();
    region.set_address(slot.address);
    region.set_bytes(slot.bytes);
    region.set_kind(KindOf(&slot));
    region.set_dirty_logging((slot.flags & HV_MEMORY_LOG_DIRTY) != 0);
    region.set_write_watch((slot.flags & HV_MEMORY_WATCHED) != 0);
    region.set_write_protected((slot.flags & HV_MEMORY_PROTECTED) != 0);
    region.set_offset(slot.offset);
  }
  for (uint32_t i = 0; i < state.map.route_count; ++i) {
    const hv_route& route = state.map.routes[i];
    auto& to = *shown.add_routes();
    to.set_space(route.space == HV_SPACE_PORT ? hv::v1::ROUTE_SPACE_PORT
                                              : hv::v1::ROUTE_SPACE_MMIO);
    to.set_first(route.first);
    to.set_last(route.last);
    to.set_service(service::EndpointName(route.endpoint));
    to.set_posted_writes((route.flags & HV_ROUTE_POSTED_WRITES) != 0);
    to.set_late_writes((route.flags & HV_ROUTE_LATE_WRITES) != 0);
    to.set_counted_writes((route.flags & HV_ROUTE_COUNTED_WRITES) != 0);
  }
  shown.set_hole_reads(state.hole_reads);
  shown.set_hole_writes(state.hole_writes);
  shown.set_rom_writes(state.rom_writes);
  shown.set_protected_writes(state.protected_writes);
  shown.set_generation(state.generation);
}

void ShowWalk(uint64_t linear, PagingMode mode, const Walk& walk, const GuestMap& map,
              hv::v1::Translation& shown) {
  shown.set_linear(linear);
  shown.set_mode(ToProto(mode));
  shown.set_outcome(ToProto(walk.outcome));
  for (uint8_t i = 0; i < walk.step_count; ++i) {
    auto& step = *shown.add_walk();
    step.set_level(walk.steps[i].level);
    step.set_address(walk.steps[i].address);
    step.set_value(walk.steps[i].entry);
  }
  shown.set_failed_level(walk.failed_level);
  if (walk.outcome != WalkOutcome::kMapped) return;
  shown.set_physical(walk.physical);
  shown.set_page_bytes(walk.page_bytes);
  shown.set_writable(walk.writable);
  shown.set_user(walk.user);
  shown.set_executable(walk.executable);
  shown.set_global(walk.global);
  shown.set_accessed(walk.accessed);
  shown.set_dirty(walk.dirty);
  shown.set_kind(KindOf(FindSlot(map, walk.physical)));
}

}  // namespace hv::mmu
