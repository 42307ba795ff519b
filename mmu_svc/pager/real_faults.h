// Faults of a real process resolved by another one over its userfaultfd, which is killed wherever
// it makes a call. What guards the tests is that the touching threads come to an end.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "mmu_svc/pager/pager.h"

namespace hv::mmu {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kBytes = 8 << 20;
inline constexpr int kServedToTheEnd = 0, kDiedAsPlanned = 7;

// Shared memory without a page, of which a userfaultfd watches one of two mappings.
class WatchedMemory {
 public:
  WatchedMemory()
      : file_(memfd_create("ram", MFD_CLOEXEC)),
        fd_(static_cast<int>(
            syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY))) {
    if (!fd_.valid()) {
      refusal = std::string("userfaultfd: ") + std::strerror(errno);
      return;
    }
    EXPECT_EQ(ftruncate(file_.get(), kBytes), 0);
    watched_ = Map();
    other_ = Map();
    if (Enable(kMissing | kWrites)) {
      has_writes = Register(UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
    } else if (!Enable(kMissing) || !Register(UFFDIO_REGISTER_MODE_MISSING)) {
      refusal = std::string("userfaultfd of shared memory: ") + std::strerror(errno);
    }
  }
  ~WatchedMemory() {
    munmap(watched_, kBytes);
    munmap(other_, kBytes);
  }
  Window window() const { return {reinterpret_cast<uint64_t>(watched_), kBytes}; }
  UniqueFd CopyFd() const { return UniqueFd(dup(fd_.get())); }

  std::string refusal;
  bool has_writes = false;
  volatile uint8_t* watched_bytes() const { return static_cast<volatile uint8_t*>(watched_); }
  volatile uint8_t* other_bytes() const { return static_cast<volatile uint8_t*>(other_); }

 private:
  static constexpr uint64_t kMissing = UFFD_FEATURE_MISSING_SHMEM;
  static constexpr uint64_t kWrites =
      UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
  bool Enable(uint64_t features) const {
    uffdio_api api{.api = UFFD_API, .features = features, .ioctls = 0};
    return ioctl(fd_.get(), UFFDIO_API, &api) == 0;
  }
  bool Register(uint64_t mode) const {
    uffdio_register range{};
    range.range = {.start = window().address, .len = kBytes};
    range.mode = mode;
    return ioctl(fd_.get(), UFFDIO_REGISTER, &range) == 0;
  }
  void* Map() const {
    return mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  }
  UniqueFd file_;
  UniqueFd fd_;
  void* watched_ = MAP_FAILED;
  void* other_ = MAP_FAILED;
};

// Dies before the call numbered `last`, or instead of returning from it.
class MortalUserfault final : public Userfault {
 public:
  MortalUserfault(UniqueFd fd, int last, bool after)
      : real_(std::move(fd)), last_(last), after_(after) {}
  bool Await() override {
    return Do([&] { return real_.Await(); });
  }
  int Read(std::span<uffd_msg> events) override {
    return Do([&] { return real_.Read(events); });
  }
  Done GiveZeroPages(uint64_t address, uint64_t bytes, Writes writes) override {
    return Do([&] { return real_.GiveZeroPages(address, bytes, writes); });
  }
  int SetWrites(uint64_t address, uint64_t bytes, Writes writes) override {
    return Do([&] { return real_.SetWrites(address, bytes, writes); });
  }
  void Wake(uint64_t address, uint64_t bytes) override {
    Do([&] {
      real_.Wake(address, bytes);
      return 0;
    });
  }

 private:
  template <typename Call>
  std::invoke_result_t<Call> Do(Call call) {
    const bool last = ++calls_ == last_;
    if (last && !after_) _exit(kDiedAsPlanned);
    auto result = call();
    if (last) _exit(kDiedAsPlanned);
    return result;
  }
  UserfaultDescriptor real_;
  const int last_;
  const bool after_;
  int calls_ = 0;
};

class RealFaults : public testing::Test {
 protected:
  void SetUp() override {
    if (!memory_->refusal.empty()) GTEST_SKIP() << "SKIPPED: " << memory_->refusal;
    page_ = static_cast<hv_pager_page*>(MapShared());
    log_ = static_cast<std::byte*>(MapShared());
  }
  ~RealFaults() override {
    munmap(page_, kPage);
    munmap(log_, kPage);
  }
  static void* MapShared() {
    return mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  }
  PageLog Written() const { return PageLog::Open({log_, kPage}, kBytes / kPage).value(); }

  // A process of mmu_svc's kind: `last` 0 lives on.
  pid_t StartPager(int last = 0, bool after = false) {
    const pid_t child = fork();
    if (child != 0) return child;
    MortalUserfault userfault(memory_->CopyFd(), last, after);
    WriteWatch watch(userfault, memory_->window(), Written(), watched_);
    Pager pager(userfault, memory_->window(), ReadAhead({{0, kBytes}}), watch, *page_);
    pager.TakeOver();
    while (pager.ServeOnce()) {
    }
    _exit(kServedToTheEnd);
  }
  static int End(pid_t child) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // Ends it once it has nothing in hand.
  void EndIdle(pid_t pager) {
    while ((std::atomic_ref(page_->turn).load() & 1) != 0) std::this_thread::yield();
    kill(pager, SIGKILL);
    End(pager);
  }
  // Touches a page each 128 KiB and each of 1 MiB, some for reading and some for writing.
  void Touch() {
    volatile uint8_t* bytes = memory_->watched_bytes();
    for (uint64_t at = 0; at < 4 << 20; at += 128 << 10) EXPECT_EQ(bytes[at], 0);
    for (uint64_t at = 4 << 20; at < 5 << 20; at += kPage) bytes[at] = 1;
    done_ = true;
  }

  std::optional<WatchedMemory> memory_{std::in_place};
  hv_pager_page* page_ = nullptr;
  std::byte* log_ = nullptr;
  std::vector<Extent> watched_;
  std::atomic<bool> done_ = false;
};

}  // namespace hv::mmu
