#include "hv_kernel/kvm/dirty_ring.h"

#include <sys/mman.h>

#include <utility>

#include "hv_kernel/kvm/ioctl.h"

namespace hv::kvm {
namespace {

constexpr uint64_t kPageBytes = 4096;

}  // namespace

absl::StatusOr<DirtyRing> DirtyRing::Map(int vcpu_fd, uint32_t bytes) {
  void* cells = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd,
                     KVM_DIRTY_LOG_PAGE_OFFSET * kPageBytes);
  if (cells == MAP_FAILED) return CallFailed("mmap of the dirty ring", errno);
  return DirtyRing(static_cast<kvm_dirty_gfn*>(cells), bytes / sizeof(kvm_dirty_gfn));
}

DirtyRing::DirtyRing(DirtyRing&& other) noexcept
    : cells_(std::exchange(other.cells_, nullptr)), count_(other.count_), next_(other.next_) {}

DirtyRing::~DirtyRing() {
  if (cells_ != nullptr) munmap(cells_, count_ * sizeof(kvm_dirty_gfn));
}

bool DirtyRing::Collect(const MemorySlots& slots, std::atomic<uint64_t>* log) {
  return CollectCells(slots, log) < count_;
}

bool DirtyRing::MakeRoom(const MemorySlots& slots, std::atomic<uint64_t>* log,
                         absl::FunctionRef<void()> reset) {
  const uint32_t collected = CollectCells(slots, log);
  const bool stuck = next_ == std::exchange(full_at_, next_);
  if (stuck) {
    for (uint32_t i = 0; i < count_; ++i) {
      if (!IsTaken(next_ + i, reset)) continue;
      next_ += i + 1;
      for (const uint32_t end = next_ + count_ / 4; next_ != end; ++next_) GiveBack(next_);
      break;
    }
    full_at_ = next_;
  }
  reset();
  return !stuck && collected < count_;
}

bool DirtyRing::IsTaken(uint32_t number, absl::FunctionRef<void()> reset) {
  const uint32_t before = Flags(number).load(std::memory_order_acquire);  // as in CollectCells
  GiveBack(number);
  reset();
  uint32_t expected = KVM_DIRTY_GFN_F_RESET;
  // As it was, where KVM did not take it.
  return !Flags(number).compare_exchange_strong(expected, before, std::memory_order_acq_rel);
}

uint32_t DirtyRing::CollectCells(const MemorySlots& slots, std::atomic<uint64_t>* log) {
  for (uint32_t collected = 0;; ++collected, ++next_) {
    kvm_dirty_gfn& cell = cells_[next_ & (count_ - 1)];
    // Pairs with KVM's release store when it has written the cell.
    if ((Flags(next_).load(std::memory_order_acquire) & KVM_DIRTY_GFN_F_DIRTY) == 0) {
      return collected;
    }
    const hv_memory_slot& slot = slots.slot(cell.slot & 0xffff);  // above: the address space, 0
    const uint64_t page = slot.offset / kPageBytes + cell.offset;
    if (log != nullptr && cell.offset < slot.bytes / kPageBytes) {
      log[page / 64].fetch_or(1ull << (page % 64), std::memory_order_relaxed);
    }
    GiveBack(next_);
  }
}

void DirtyRing::GiveBack(uint32_t number) {
  // Pairs with KVM's acquire load when it takes cells back.
  Flags(number).store(KVM_DIRTY_GFN_F_RESET, std::memory_order_release);
}

}  // namespace hv::kvm
