#include "service/forgery.h"

#include <cstring>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "service/admission.h"
#include "service/message.h"

namespace hv::service {
namespace {

constexpr uint64_t kStampFromNowhere = uint64_t{1} << 63;
constexpr int kEpochBits = 16;
constexpr int kKindBits = 16;

template <typename T, typename Spoil>
bool SpoilPayload(hv_cell& cell, Spoil spoil) {
  static_assert(sizeof(T) == HV_CELL_PAYLOAD_BYTES);
  T value;
  std::memcpy(&value, cell.payload, sizeof(value));
  spoil(value);
  std::memcpy(cell.payload, &value, sizeof(value));
  return true;
}

// A field that has a range, out of it.
bool SpoilContent(hv_cell& cell, uint64_t random) {
  const auto far = static_cast<uint32_t>(random) | 0x80000000;
  switch (cell.kind) {
    case HV_KIND_LINE: return SpoilPayload<hv_line>(cell, [&](auto& line) { line.gsi = far; });
    case HV_KIND_GSI_ROUTE:
      return SpoilPayload<hv_gsi_route>(cell, [&](auto& route) { route.gsi = far; });
    case HV_KIND_INTERRUPT:
      return SpoilPayload<hv_interrupt>(
          cell, [](auto& interrupt) { interrupt.delivery_mode = HV_DELIVERY_EXTINT + 1; });
    case HV_KIND_EOI: return SpoilPayload<hv_eoi>(cell, [&](auto& eoi) { eoi.vector = far; });
    case HV_KIND_INTR: return SpoilPayload<hv_intr>(cell, [&](auto& intr) { intr.vector = far; });
    case HV_KIND_DEADLINE_SET:
    case HV_KIND_DEADLINE_EXPIRED:
      return SpoilPayload<hv_deadline>(cell, [&](auto& deadline) { deadline.vcpu = far; });
    case HV_KIND_STORE:
      return SpoilPayload<hv_store>(cell, [&](auto& store) { store.length = far; });
    case HV_KIND_CONSOLE_OUTPUT:
      return SpoilPayload<hv_bytes>(cell, [&](auto& bytes) { bytes.length = far; });
    default: return false;
  }
}

void FlipBit(CellWay way, const hv_cell& honest, uint64_t random, hv_cell& forged) {
  const uint64_t which = random % (kEpochBits + kKindBits);
  if (which < kEpochBits) {
    forged.epoch = static_cast<uint16_t>(honest.epoch ^ (1u << which));
    return;
  }
  // Of the kind, the first bit from there that makes it one which may not go this way.
  for (uint64_t bit = which - kEpochBits;; ++bit) {
    forged.kind = static_cast<uint16_t>(honest.kind ^ (1u << bit % kKindBits));
    if (!MayReceive(way.from, way.to, forged.kind)) return;
  }
}

}  // namespace

bool ForgeCell(hv_fault_action action, CellWay way, const hv_cell& honest, uint64_t random,
               hv_cell& forged) {
  forged = honest;
  switch (action) {
    case HV_FAULT_ACTION_FORGE_STAMP: forged.stamp ^= kStampFromNowhere | random >> 1; return true;
    case HV_FAULT_ACTION_FORGE_EPOCH: ++forged.epoch; return true;
    case HV_FAULT_ACTION_FORGE_KIND:
      forged.kind = static_cast<uint16_t>(HV_KIND_COUNT + random % (UINT16_MAX - HV_KIND_COUNT));
      return true;
    case HV_FAULT_ACTION_FORGE_CONTENT: return SpoilContent(forged, random);
    case HV_FAULT_ACTION_FORGE_ANSWER:
      // A vCPU counts its tags up from 1: one so far off is none of its open ones.
      forged.kind = HV_KIND_READ_DONE;
      forged.tag = honest.tag ^ 0x80000000;
      std::memset(forged.payload, static_cast<int>(random & 0xff), sizeof(forged.payload));
      return true;
    case HV_FAULT_ACTION_FORGE_BIT: FlipBit(way, honest, random, forged); return true;
    default: return false;
  }
}

}  // namespace hv::service
