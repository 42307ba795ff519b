// Numbers of KVM's calls whose argument ends in an array. A call's number holds the size of its
// argument, and up to Linux 6.7 the headers' flexible arrays take 4 bytes more in C++ than in C, so
// that what <linux/kvm.h> makes of them here is refused with EINVAL.
#pragma once

#include <linux/kvm.h>

#include <cstdint>

namespace hv::hvd {

struct KvmCpuidHeader {  // kvm_cpuid2 before its entries
  uint32_t entries;
  uint32_t padding;
};
struct KvmSignalMaskHeader {  // kvm_signal_mask before its bits
  uint32_t bytes;
};

inline constexpr unsigned long kKvmGetSupportedCpuid = _IOWR(KVMIO, 0x05, KvmCpuidHeader);
inline constexpr unsigned long kKvmSetCpuid2 = _IOW(KVMIO, 0x90, KvmCpuidHeader);
inline constexpr unsigned long kKvmSetSignalMask = _IOW(KVMIO, 0x8b, KvmSignalMaskHeader);

}  // namespace hv::hvd
