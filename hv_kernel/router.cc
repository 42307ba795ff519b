#include "hv_kernel/router.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>

#include "abi/endpoint.h"
#include "absl/strings/str_cat.h"

namespace hv {
namespace {

constexpr int kSnapshotAttempts = 1000;
constexpr uint64_t kPageBytes = 4096;

// Copies word by word with relaxed loads: the writer may be storing meanwhile, and the generation
// tells afterwards whether it was.
void CopyRacing(void* to, const void* from, size_t bytes) {
  auto* target = static_cast<uint32_t*>(to);
  auto* source = static_cast<uint32_t*>(const_cast<void*>(from));
  for (size_t i = 0; i < bytes / sizeof(uint32_t); ++i) {
    target[i] = std::atomic_ref<uint32_t>(source[i]).load(std::memory_order_relaxed);
  }
}

uint32_t LoadGeneration(const hv_route_table& shared) {
  auto& word = const_cast<uint32_t&>(shared.generation);
  // Pairs with mmu_svc's release store of the even generation after the table.
  return std::atomic_ref<uint32_t>(word).load(std::memory_order_acquire);
}

// Flags that are not known are a newer mmu_svc's, and may be ignored (HV_ABI_MINOR).
bool IsConsistent(uint16_t flags) {
  const bool posted = (flags & HV_ROUTE_POSTED_WRITES) != 0;
  const bool late = (flags & HV_ROUTE_LATE_WRITES) != 0;
  const bool counted = (flags & HV_ROUTE_COUNTED_WRITES) != 0;
  return (posted || !late) && !(posted && counted);
}

absl::Status CheckRoutes(const std::vector<hv_route>& routes, uint64_t last_address,
                         const char* space) {
  for (size_t i = 0; i < routes.size(); ++i) {
    const hv_route& route = routes[i];
    if (route.first > route.last || route.last > last_address) {
      return absl::InvalidArgumentError(absl::StrCat("route table: ", space, " route ", i,
                                                     " is [0x", absl::Hex(route.first), ", 0x",
                                                     absl::Hex(route.last), "], not a range"));
    }
    if (!IsConsistent(route.flags)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "route table: ", space, " route ", i, " has flags 0x", absl::Hex(route.flags),
          ": late writes are posted, counted ones are neither"));
    }
    if (i > 0 && routes[i - 1].last >= route.first) {
      return absl::InvalidArgumentError(
          absl::StrCat("route table: ", space, " routes ", i - 1, " and ", i,
                       " overlap or are out of order at 0x", absl::Hex(route.first)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Router::Load(const hv_route_table& shared) {
  auto copy = std::make_unique<hv_route_table>();
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    const uint32_t before = LoadGeneration(shared);
    if (before == 0) {
      return absl::UnavailableError("route table: mmu_svc has published none yet");
    }
    if (before % 2 != 0) continue;
    CopyRacing(copy.get(), &shared, sizeof(hv_route_table));
    // Keeps the copy's loads before the second look at the generation.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (LoadGeneration(shared) != before) continue;
    copy->generation = before;
    return Adopt(*copy);
  }
  return absl::UnavailableError("route table: it kept changing while it was read");
}

absl::Status Router::Adopt(const hv_route_table& copy) {
  if (copy.header.magic != HV_SEGMENT_MAGIC || copy.header.segment != HV_SEGMENT_ROUTE_TABLE) {
    return absl::InvalidArgumentError("route table: not a route table segment");
  }
  if (copy.header.major != HV_ABI_MAJOR) {
    return absl::FailedPreconditionError(absl::StrCat(
        "route table: written for ABI major ", copy.header.major, ", this is ", HV_ABI_MAJOR));
  }
  if (copy.route_count > HV_MAX_ROUTES || copy.slot_count > HV_MAX_MEMORY_SLOTS) {
    return absl::InvalidArgumentError(absl::StrCat("route table: ", copy.route_count,
                                                   " routes and ", copy.slot_count,
                                                   " memory slots are too many"));
  }
  std::vector<hv_route> ports;
  std::vector<hv_route> mmio;
  for (uint32_t i = 0; i < copy.route_count; ++i) {
    (copy.routes[i].space == HV_SPACE_PORT ? ports : mmio).push_back(copy.routes[i]);
  }
  if (auto status = CheckRoutes(ports, 0xffff, "port"); !status.ok()) return status;
  if (auto status = CheckRoutes(mmio, UINT64_MAX, "MMIO"); !status.ok()) return status;
  if (ports.size() >= kHole) {
    return absl::InvalidArgumentError(
        absl::StrCat("route table: ", ports.size(), " port routes, at most ", kHole - 1));
  }
  for (uint32_t i = 0; i < copy.slot_count; ++i) {
    const hv_memory_slot& slot = copy.slots[i];
    const bool aligned =
        (slot.address | slot.bytes | slot.offset) % kPageBytes == 0 && slot.bytes != 0;
    if (!aligned || slot.address + slot.bytes < slot.address) {
      return absl::InvalidArgumentError(absl::StrCat("route table: memory slot ", i, " at 0x",
                                                     absl::Hex(slot.address), " of 0x",
                                                     absl::Hex(slot.bytes), " bytes is malformed"));
    }
  }
  port_index_.fill(kHole);
  for (size_t i = 0; i < ports.size(); ++i) {
    std::fill(port_index_.begin() + ports[i].first, port_index_.begin() + ports[i].last + 1,
              static_cast<uint8_t>(i));
  }
  port_routes_ = ports.size();
  routes_ = std::move(ports);
  routes_.insert(routes_.end(), mmio.begin(), mmio.end());
  memory_.assign(copy.slots, copy.slots + copy.slot_count);
  generation_ = copy.generation;
  return absl::OkStatus();
}

}  // namespace hv
