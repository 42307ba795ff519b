#include "hv_kernel/kvm/transfer.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace hv::kvm {
namespace {

constexpr uint8_t kMostBytes = 8;

// The widest access at `address` of at most `bytes`.
uint8_t AlignedWidth(uint64_t address, uint32_t bytes) {
  const uint64_t alignment = address == 0 ? kMostBytes : address & (0 - address);
  return static_cast<uint8_t>(
      std::min({uint64_t{std::bit_floor(bytes)}, alignment, uint64_t{kMostBytes}}));
}

}  // namespace

Transfer Transfer::Ports(bool write, uint16_t port, uint8_t width, uint32_t count, uint8_t* data) {
  Transfer transfer;
  transfer.reason_ = write ? ExitReason::kPortWrite : ExitReason::kPortRead;
  transfer.port_bytes_ = width;
  transfer.bytes_left_ = width * count;
  transfer.address_ = port;
  transfer.data_ = data;
  return transfer;
}

Transfer Transfer::Memory(bool write, uint64_t address, uint8_t bytes, uint8_t* data) {
  Transfer transfer;
  transfer.reason_ = write ? ExitReason::kMmioWrite : ExitReason::kMmioRead;
  transfer.bytes_left_ = bytes;
  transfer.address_ = address;
  transfer.data_ = data;
  return transfer;
}

Exit Transfer::Next() {
  const bool port = port_bytes_ != 0;
  const uint8_t width = port ? port_bytes_ : AlignedWidth(address_, bytes_left_);
  Exit exit{.reason = reason_, .width = width, .address = address_};
  if (reason_ == ExitReason::kPortWrite || reason_ == ExitReason::kMmioWrite) {
    std::memcpy(&exit.data, data_, width);
  }
  answer_ = data_;
  answer_bytes_ = width;
  data_ += width;
  bytes_left_ -= width;
  if (!port) address_ += width;
  return exit;
}

void Transfer::Answer(uint64_t value) { std::memcpy(answer_, &value, answer_bytes_); }

}  // namespace hv::kvm
