// What an exit costs with nothing but KVM: a loop of guests/exit_loop.S, which does nothing but
// leave the guest, in a loop of KVM_RUN that answers zero. Timed on the host, once before and once
// after. Prints nanoseconds an exit.
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "base/unique_fd.h"

namespace {

constexpr int kExits = 5000;
constexpr uint64_t kRamBytes = 0x10000, kEntry = 0x1000, kAbsent = 0x200000;
constexpr uint16_t kPort = 0x80;

// 32-bit code without paging, as the assembler encodes it in guests/exit_loop.S. EDX: kPort, ESI:
// kAbsent. Each ends with DEC ECX and a jump to its begin.
constexpr uint8_t kPortRead[] = {0xec, 0x49, 0x75, 0xfc};           // in al, dx
constexpr uint8_t kPortWrite[] = {0xee, 0x49, 0x75, 0xfc};          // out dx, al
constexpr uint8_t kMemoryRead[] = {0x8b, 0x06, 0x49, 0x75, 0xfb};   // mov eax, [esi]
constexpr uint8_t kMemoryWrite[] = {0x89, 0x06, 0x49, 0x75, 0xfb};  // mov [esi], eax

double Now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + static_cast<double>(time.tv_nsec);
}

class Guest {
 public:
  explicit Guest(int device)
      : vm_(ioctl(device, KVM_CREATE_VM, 0)),
        ram_(static_cast<uint8_t*>(
            mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    kvm_userspace_memory_region region{};
    region.memory_size = kRamBytes;
    region.userspace_addr = reinterpret_cast<uint64_t>(ram_);
    CHECK(ioctl(vm_.get(), KVM_SET_TSS_ADDR, 0xfffbd000) == 0);
    CHECK(ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) == 0);
    vcpu_.Reset(ioctl(vm_.get(), KVM_CREATE_VCPU, 0));
    run_ = static_cast<kvm_run*>(mmap(nullptr, ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0),
                                      PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_.get(), 0));
    CHECK(run_ != MAP_FAILED);
  }

  // Nanoseconds an exit of the loop.
  template <size_t bytes>
  double Measure(const uint8_t (&code)[bytes]) {
    std::memcpy(ram_ + kEntry, code, bytes);
    Enter();
    Exit();  // brings the code into whatever caches there are
    const double begin = Now();
    for (int i = 0; i < kExits; ++i) Exit();
    return (Now() - begin) / kExits;
  }

 private:
  void Exit() {
    CHECK(ioctl(vcpu_.get(), KVM_RUN, 0) == 0);
    if (run_->exit_reason == KVM_EXIT_MMIO) {
      if (run_->mmio.is_write == 0) std::memset(run_->mmio.data, 0, sizeof(run_->mmio.data));
      return;
    }
    CHECK(run_->exit_reason == KVM_EXIT_IO && run_->io.port == kPort);
    if (run_->io.direction == KVM_EXIT_IO_IN) {
      reinterpret_cast<uint8_t*>(run_)[run_->io.data_offset] = 0;
    }
  }

  void Enter() {
    kvm_sregs sregs;
    CHECK(ioctl(vcpu_.get(), KVM_GET_SREGS, &sregs) == 0);
    kvm_segment flat{};
    flat.limit = 0xffffffff;
    flat.selector = 0x10;
    flat.present = flat.s = flat.db = flat.g = 1;
    flat.type = 3;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
    flat.selector = 8;
    flat.type = 0xb;
    sregs.cs = flat;
    sregs.cr0 = 0x11;
    CHECK(ioctl(vcpu_.get(), KVM_SET_SREGS, &sregs) == 0);
    kvm_regs regs{};
    regs.rip = kEntry;
    regs.rflags = 2;
    regs.rcx = UINT32_MAX;
    regs.rdx = kPort;
    regs.rsi = kAbsent;
    CHECK(ioctl(vcpu_.get(), KVM_SET_REGS, &regs) == 0);
  }

  const hv::UniqueFd vm_;
  hv::UniqueFd vcpu_;
  uint8_t* ram_;
  kvm_run* run_;
};

}  // namespace

int main(int argc, char** argv) {
  const hv::UniqueFd device(open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!device.valid()) {
    std::perror("kvm_bare: /dev/kvm");
    return 1;
  }
  Guest guest(device.get());
  const std::string_view kind = argc == 2 ? argv[1] : "";
  double ns;
  if (kind == "port-read") {
    ns = guest.Measure(kPortRead);
  } else if (kind == "port-write") {
    ns = guest.Measure(kPortWrite);
  } else if (kind == "mmio-read") {
    ns = guest.Measure(kMemoryRead);
  } else if (kind == "mmio-write") {
    ns = guest.Measure(kMemoryWrite);
  } else {
    std::fprintf(stderr, "usage: kvm_bare port-read|port-write|mmio-read|mmio-write\n");
    return 2;
  }
  std::printf("%.1f\n", ns);
}
