#include "hv_kernel/kvm/late_ring.h"

#include "hv_kernel/kvm/transfer.h"

namespace hv::kvm {
namespace {

constexpr uint64_t kPorts = 0x10000;

bool MakesSense(const kvm_coalesced_mmio& cell) {
  if (cell.pio > 1 || cell.len == 0 || cell.len > sizeof(cell.data)) return false;
  if (cell.pio == 0) return cell.phys_addr + cell.len > cell.phys_addr;
  return (cell.len == 1 || cell.len == 2 || cell.len == 4) && cell.phys_addr < kPorts;
}

uint32_t LoadLast(const LateRingPage& page) {
  // Pairs with KVM's store after it has written a cell, which it orders.
  return std::atomic_ref<uint32_t>(const_cast<uint32_t&>(page.last))
      .load(std::memory_order_acquire);
}

}  // namespace

bool LateRing::Empty() const {
  if (page_ == nullptr) return true;
  // `last` first: what is given back between the two looks was in the ring at the first.
  const uint32_t last = LoadLast(*page_);
  // Pairs with the store in GiveBack.
  return last == given_back_.load(std::memory_order_acquire) || last >= LateRingPage::kCells;
}

uint32_t LateRing::End() const {
  const uint32_t last = LoadLast(*page_);
  return last < LateRingPage::kCells ? last : next_;
}

size_t LateRing::Take(uint32_t end, std::span<Exit> to) {
  size_t count = 0;
  for (; next_ != end && to.size() - count >= kMostAccesses;
       next_ = (next_ + 1) % LateRingPage::kCells) {
    count += Decode(page_->cells[next_], to.subspan(count));  // a copy
  }
  return count;
}

void LateRing::GiveBack() {
  given_back_.store(next_, std::memory_order_release);
  // For KVM, which looks for room: the copies are made before.
  std::atomic_ref<uint32_t>(page_->first).store(next_, std::memory_order_release);
}

size_t LateRing::Decode(kvm_coalesced_mmio cell, std::span<Exit> to) {
  if (!MakesSense(cell)) {
    malformed_.fetch_add(1, std::memory_order_relaxed);
    return 0;
  }
  const auto bytes = static_cast<uint8_t>(cell.len);
  Transfer transfer = cell.pio != 0
                          ? Transfer::Ports(/*write=*/true, static_cast<uint16_t>(cell.phys_addr),
                                            bytes, 1, cell.data)
                          : Transfer::Memory(/*write=*/true, cell.phys_addr, bytes, cell.data);
  size_t count = 0;
  while (transfer.left()) to[count++] = transfer.Next();
  return count;
}

}  // namespace hv::kvm
