// What an exit costs with nothing but KVM: a guest that reads the time-stamp counter before and
// after a port read and a read of absent memory, and a loop of KVM_RUN that answers zero. One line
// a kind, as guests/exit.S has them, in nanoseconds.
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/unique_fd.h"

namespace {

constexpr size_t kSamples = 20000;
constexpr uint64_t kRamBytes = 0x10000, kEntry = 0x1000, kAbsent = 0x200000;
constexpr uint8_t kReadPort = 0x80, kSamplePort = 0x84;

// 32-bit code, without paging. EBX: kAbsent. RDTSC changes EDX, so ports stand in the instructions.
constexpr uint8_t kPortReads[] = {0x0f, 0x31,        0x89, 0xc6,    // rdtsc; mov esi, eax
                                  0xe4, kReadPort,                  // in al, kReadPort
                                  0x0f, 0x31,        0x29, 0xf0,    // rdtsc; sub eax, esi
                                  0xe7, kSamplePort,                // out kSamplePort, eax
                                  0xeb, 0xf2};                      // jmp to the first
constexpr uint8_t kMemoryReads[] = {0x0f, 0x31,        0x89, 0xc6,  // rdtsc; mov esi, eax
                                    0x8b, 0x0b,                     // mov ecx, [ebx]
                                    0x0f, 0x31,        0x29, 0xf0,  // rdtsc; sub eax, esi
                                    0xe7, kSamplePort,              // out kSamplePort, eax
                                    0xeb, 0xf2};                    // jmp to the first

double NsPerTick() {
  const auto now = [] {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + static_cast<double>(time.tv_nsec);
  };
  const double begin = now();
  const uint64_t ticks = __builtin_ia32_rdtsc();
  while (now() - begin < 2e7) {
  }
  return (now() - begin) / static_cast<double>(__builtin_ia32_rdtsc() - ticks);
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

  template <size_t bytes>
  std::vector<uint32_t> Measure(const uint8_t (&code)[bytes]) {
    std::memcpy(ram_ + kEntry, code, bytes);
    Enter();
    std::vector<uint32_t> samples;
    while (samples.size() < kSamples) {
      CHECK(ioctl(vcpu_.get(), KVM_RUN, 0) == 0);
      auto* data = reinterpret_cast<uint8_t*>(run_) + run_->io.data_offset;
      if (run_->exit_reason == KVM_EXIT_MMIO) {
        std::memset(run_->mmio.data, 0, sizeof(run_->mmio.data));
      } else if (run_->exit_reason == KVM_EXIT_IO && run_->io.direction == KVM_EXIT_IO_IN) {
        *data = 0;
      } else {
        CHECK(run_->exit_reason == KVM_EXIT_IO && run_->io.port == kSamplePort);
        uint32_t ticks;
        std::memcpy(&ticks, data, sizeof(ticks));
        samples.push_back(ticks);
      }
    }
    return samples;
  }

 private:
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
    regs.rbx = kAbsent;
    CHECK(ioctl(vcpu_.get(), KVM_SET_REGS, &regs) == 0);
  }

  const hv::UniqueFd vm_;
  hv::UniqueFd vcpu_;
  uint8_t* ram_;
  kvm_run* run_;
};

void Report(const char* name, std::vector<uint32_t> ticks, double ns_per_tick) {
  std::sort(ticks.begin(), ticks.end());
  const auto at = [&](size_t percent) {
    return ticks[(ticks.size() - 1) * percent / 100] * ns_per_tick;
  };
  std::printf("%s %.0f %.0f %.0f\n", name, at(0), at(50), at(99));
}

}  // namespace

int main() {
  const hv::UniqueFd device(open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!device.valid()) {
    std::perror("kvm_bare: /dev/kvm");
    return 1;
  }
  const double ns_per_tick = NsPerTick();
  Guest guest(device.get());
  Report("port-read", guest.Measure(kPortReads), ns_per_tick);
  Report("mmio-read", guest.Measure(kMemoryReads), ns_per_tick);
}
