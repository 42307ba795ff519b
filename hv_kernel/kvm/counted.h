// KVM's structures that end in an array whose length is not in the type.
#pragma once

#include <linux/kvm.h>

#include <cstddef>
#include <cstdint>

namespace hv::kvm {

// The fixed parts of kvm_cpuid2, kvm_msrs, kvm_msr_list and kvm_xsave. In C++ the kernel's own
// declarations are longer than in C, for a structure without members has a size there: the array
// would lie elsewhere and the requests, which carry the size, have other numbers.
struct CpuidHead {
  uint32_t nent;
  uint32_t padding;
};
struct MsrsHead {
  uint32_t nmsrs;
  uint32_t pad;
};
struct MsrListHead {
  uint32_t nmsrs;
};
struct XsaveArea {
  uint32_t region[1024];
};
constexpr uint64_t kGetSupportedCpuid = _IOWR(KVMIO, 0x05, CpuidHead);
constexpr uint64_t kSetCpuid2 = _IOW(KVMIO, 0x90, CpuidHead);
constexpr uint64_t kGetMsrIndexList = _IOWR(KVMIO, 0x02, MsrListHead);
constexpr uint64_t kGetMsrs = _IOWR(KVMIO, 0x88, MsrsHead);
constexpr uint64_t kSetMsrs = _IOW(KVMIO, 0x89, MsrsHead);
constexpr uint64_t kGetXsave = _IOR(KVMIO, 0xa4, XsaveArea);
constexpr uint64_t kSetXsave = _IOW(KVMIO, 0xa5, XsaveArea);

// A `Head` and up to `most` of the `Entry` it ends in, all zero at first. Sound: the bytes are
// aligned for both, both are plain words of the kernel's interface, and the array of such a
// structure begins where the structure ends.
template <typename Head, typename Entry, size_t most>
class Counted {
 public:
  static_assert(sizeof(Head) % alignof(Entry) == 0);

  Head& head() { return *reinterpret_cast<Head*>(bytes_); }
  Entry* entries() { return reinterpret_cast<Entry*>(bytes_ + sizeof(Head)); }

 private:
  alignas(Head) alignas(Entry) std::byte bytes_[sizeof(Head) + most * sizeof(Entry)] = {};
};

}  // namespace hv::kvm
