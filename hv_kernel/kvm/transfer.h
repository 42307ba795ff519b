// One exit of KVM for port or memory I/O, cut into the accesses it stands for.
#pragma once

#include <cstdint>

#include "hv_kernel/engine.h"

namespace hv::kvm {

// KVM hands over the elements of a string instruction together, and of an access to memory the part
// that lies in one page, which may be 3 bytes long or begin at an odd address. The loop gets them
// one by one; those to memory 1, 2, 4 or 8 bytes wide and aligned to that.
class Transfer {
 public:
  Transfer() = default;
  // `count` accesses of `width` bytes to the same port. `data` is where KVM left or wants them.
  static Transfer Ports(bool write, uint16_t port, uint8_t width, uint32_t count, uint8_t* data);
  // `bytes` (1 to 8) at `address`.
  static Transfer Memory(bool write, uint64_t address, uint8_t bytes, uint8_t* data);

  bool left() const { return bytes_left_ != 0; }
  // REQUIRES: left(); the last access, if it was a read, was answered.
  Exit Next();
  // Answers the last access. REQUIRES: it was a read.
  void Answer(uint64_t value);

 private:
  ExitReason reason_ = ExitReason::kPortRead;
  uint8_t port_bytes_ = 0;  // 0: to memory
  uint32_t bytes_left_ = 0;
  uint64_t address_ = 0;
  uint8_t* data_ = nullptr;
  uint8_t answer_bytes_ = 0;
  uint8_t* answer_ = nullptr;
};

}  // namespace hv::kvm
