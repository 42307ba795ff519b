// The pager behind the system-call filter of its process, and what an attacker there could do with
// the userfaultfd.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "mmu_svc/pager/pager.h"
#include "service/sandbox.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kBytes = 1 << 20, kWatched = 64 << 10;

class SandboxedPagerTest : public testing::Test {
 protected:
  void SetUp() override {
    fd_.Reset(
        static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY)));
    if (!fd_.valid()) GTEST_SKIP() << "SKIPPED: userfaultfd: " << std::strerror(errno);
    uffdio_api api{.api = UFFD_API,
                   .features = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_PAGEFAULT_FLAG_WP |
                               UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
                   .ioctls = 0};
    if (ioctl(fd_.get(), UFFDIO_API, &api) != 0) {
      GTEST_SKIP() << "SKIPPED: userfaultfd: no write protection of shared memory";
    }
    uffdio_register range{};
    range.range = {.start = window_.address, .len = kBytes};
    range.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
    ASSERT_EQ(ioctl(fd_.get(), UFFDIO_REGISTER, &range), 0);
  }
  ~SandboxedPagerTest() override { munmap(memory_, kBytes); }

  // Exit status of a process shut in as mmu_svc is, that does `body`.
  template <typename Body>
  int InSandbox(Body body) {
    const pid_t child = fork();
    if (child == 0) {
      service::SandboxReport report;
      service::CloseSystemCalls(report, {}, UserfaultRequests());
      _exit(body());
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  UniqueFd fd_;
  void* const memory_ =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const Window window_{reinterpret_cast<uint64_t>(memory_), kBytes};
};

TEST_F(SandboxedPagerTest, EveryCallOfThePagerIsLetThrough) {
  EXPECT_EQ(InSandbox([this] {
              UserfaultDescriptor userfault(UniqueFd(fd_.Release()));
              errno = 0;
              userfault.Wake(window_.address, kBytes);
              if (errno != 0) return errno;
              uffd_msg event;
              if (userfault.Read({&event, 1}) != -1 || errno != EAGAIN) return errno;
              if (int e = userfault.SetWrites(window_.address, kBytes, Writes::kTold)) return e;
              const Done given = userfault.GiveZeroPages(window_.address, kWatched, Writes::kTold);
              if (given.bytes != kWatched) return given.error;
              const uint64_t rest = window_.address + kWatched;
              const Done done = userfault.GiveZeroPages(rest, kBytes - kWatched, Writes::kFree);
              if (done.bytes != kBytes - kWatched) return done.error;
              return userfault.SetWrites(window_.address, kBytes, Writes::kFree);
            }),
            0);
  EXPECT_EQ(static_cast<volatile uint8_t*>(memory_)[0x5000], 0) << "there without a fault";
}

// With these it could fill pages of hv_kernel's that are no guest RAM, or stop their use.
TEST_F(SandboxedPagerTest, NothingElseCanBeDoneToTheMemoryOfHvKernel) {
  for (const uint64_t request : {UFFDIO_API, UFFDIO_REGISTER, UFFDIO_UNREGISTER, UFFDIO_CONTINUE}) {
    EXPECT_EQ(InSandbox([&] {
                uint64_t argument[8] = {window_.address, kBytes};
                return ioctl(fd_.get(), request, argument) == 0 ? 0 : errno;
              }),
              EPERM)
        << std::hex << request;
  }
}

// Those that it has do nothing where hv_kernel has registered nothing.
TEST_F(SandboxedPagerTest, MemoryThatIsNotRegisteredIsOutOfReach) {
  void* const other =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const uint64_t address = reinterpret_cast<uint64_t>(other);
  EXPECT_EQ(InSandbox([&] {
              UserfaultDescriptor userfault(UniqueFd(fd_.Release()));
              return userfault.GiveZeroPages(address, kBytes, Writes::kFree).error != 0 &&
                             userfault.GiveZeroPages(address, kBytes, Writes::kTold).error != 0 &&
                             userfault.SetWrites(address, kBytes, Writes::kTold) == ENOENT
                         ? 0
                         : 1;
            }),
            0);
  munmap(other, kBytes);
}

TEST_F(SandboxedPagerTest, ItCannotMakeOneOfItsOwn) {
  EXPECT_EQ(
      InSandbox([] { return syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY) >= 0 ? 0 : errno; }),
      EPERM);
}

}  // namespace
}  // namespace hv::mmu
