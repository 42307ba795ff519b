#include "hv_kernel/kvm/memory_slots.h"

#include <linux/kvm.h>

#include <algorithm>

#include "base/check.h"
#include "hv_kernel/kvm/ioctl.h"

namespace hv::kvm {
namespace {

constexpr uint64_t kPageBytes = 4096;

// KVM changes nothing else of a slot that exists.
bool DifferInLoggingAlone(const hv_memory_slot& a, const hv_memory_slot& b) {
  return a.address == b.address && a.bytes == b.bytes && a.offset == b.offset &&
         ((a.flags ^ b.flags) & HV_MEMORY_READ_ONLY) == 0;
}

bool SameLogging(const hv_memory_slot& a, const hv_memory_slot& b) {
  return ((a.flags ^ b.flags) & HV_MEMORY_LOG_DIRTY) == 0;
}

uint32_t KvmFlags(uint32_t flags) {
  uint32_t result = 0;
  if ((flags & HV_MEMORY_READ_ONLY) != 0) result |= KVM_MEM_READONLY;
  if ((flags & HV_MEMORY_LOG_DIRTY) != 0) result |= KVM_MEM_LOG_DIRTY_PAGES;
  return result;
}

}  // namespace

std::vector<MemorySlots::Change> MemorySlots::Plan(std::span<const hv_memory_slot> slots,
                                                   MemorySlots& next) const {
  CHECK(slots.size() <= HV_MAX_MEMORY_SLOTS);
  next = {};
  std::vector<Change> changes, additions;
  std::vector<const hv_memory_slot*> fresh;
  for (const hv_memory_slot& slot : slots) {
    const auto* kept = std::find_if(std::begin(slots_), std::end(slots_), [&](const auto& old) {
      return old.bytes != 0 && DifferInLoggingAlone(old, slot);
    });
    if (kept == std::end(slots_)) {
      fresh.push_back(&slot);
      continue;
    }
    const auto id = static_cast<uint32_t>(kept - slots_);
    next.slots_[id] = slot;
    if (!SameLogging(*kept, slot)) additions.push_back({id, slot});
  }
  for (uint32_t id = 0; id < HV_MAX_MEMORY_SLOTS; ++id) {
    if (slots_[id].bytes != 0 && next.slots_[id].bytes == 0) changes.push_back({id, {}});
  }
  for (const hv_memory_slot* slot : fresh) {
    auto* free = std::find_if(std::begin(next.slots_), std::end(next.slots_),
                              [](const auto& taken) { return taken.bytes == 0; });
    *free = *slot;
    additions.push_back({static_cast<uint32_t>(free - next.slots_), *slot});
  }
  changes.insert(changes.end(), additions.begin(), additions.end());
  return changes;
}

absl::Status MemorySlots::Apply(std::span<const Change> changes, int vm_fd, std::byte* ram) {
  for (const Change& change : changes) {
    kvm_userspace_memory_region region{};
    region.slot = change.id;
    region.flags = KvmFlags(change.slot.flags);
    region.guest_phys_addr = change.slot.address;
    region.memory_size = change.slot.bytes;
    region.userspace_addr = reinterpret_cast<uint64_t>(ram + change.slot.offset);
    if (auto status = HV_KVM_CALL(vm_fd, KVM_SET_USER_MEMORY_REGION, &region); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

bool MemorySlots::Find(uint64_t physical, uint64_t& offset) const {
  for (const hv_memory_slot& slot : slots_) {
    if (physical < slot.address || physical - slot.address >= slot.bytes) continue;
    offset = slot.offset + (physical - slot.address);
    return true;
  }
  return false;
}

bool MemorySlots::logs_writes() const {
  return std::any_of(std::begin(slots_), std::end(slots_), [](const auto& slot) {
    return slot.bytes != 0 && (slot.flags & HV_MEMORY_LOG_DIRTY) != 0;
  });
}

void MemorySlots::MarkAll(std::atomic<uint64_t>* log) const {
  for (const hv_memory_slot& slot : slots_) {
    if ((slot.flags & HV_MEMORY_LOG_DIRTY) == 0) continue;
    for (uint64_t at = 0; at < slot.bytes; at += kPageBytes) {
      const uint64_t page = (slot.offset + at) / kPageBytes;
      log[page / 64].fetch_or(1ull << (page % 64), std::memory_order_relaxed);
    }
  }
}

}  // namespace hv::kvm
