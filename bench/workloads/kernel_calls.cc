#include "bench/workloads/kernel_calls.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace hv::bench {
namespace {

const char* self = nullptr;

struct Pipe {
  Pipe() { made = pipe(ends) == 0; }
  ~Pipe() {
    if (!made) return;
    close(ends[0]);
    close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  int ends[2];
  bool made;
};

bool WaitFor(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

void SetSelf(const char* path) { self = path; }

uint64_t CallKernel(uint32_t times) {
  uint64_t done = 0;
  for (uint64_t i = 0; i < times * uint64_t{10'000}; ++i) done += syscall(SYS_getppid) >= 0;
  return done;
}

uint64_t TouchPages(uint32_t times) {
  constexpr size_t kBytes = 4 << 20, kPage = 4096;
  uint64_t touched = 0;
  for (uint32_t time = 0; time < times; ++time) {
    void* mapped =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return 0;
    madvise(mapped, kBytes, MADV_NOHUGEPAGE);
    auto* bytes = static_cast<volatile uint8_t*>(mapped);
    for (size_t at = 0; at < kBytes; at += kPage, ++touched) bytes[at] = 1;
    munmap(mapped, kBytes);
  }
  return touched;
}

uint64_t PassToken(uint32_t times) {
  Pipe there, back;
  if (!there.made || !back.made) return 0;
  const uint64_t turns = times * uint64_t{1000};
  const pid_t child = fork();
  char token = 't';
  if (child == 0) {
    for (uint64_t i = 0; i < turns; ++i) {
      if (read(there.ends[0], &token, 1) != 1 || write(back.ends[1], &token, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  uint64_t done = 0;
  for (; done < turns; ++done) {
    if (write(there.ends[1], &token, 1) != 1 || read(back.ends[0], &token, 1) != 1) break;
  }
  return WaitFor(child) ? done : 0;
}

uint64_t ForkAndExec(uint32_t times) {
  uint64_t done = 0;
  for (uint64_t i = 0; i < times * uint64_t{10}; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      execl(self, self, kNothing, nullptr);
      _exit(1);
    }
    if (!WaitFor(child)) return 0;
    ++done;
  }
  return done;
}

uint64_t CopyThroughPipe(uint32_t times) {
  Pipe pipe;
  if (!pipe.made) return 0;
  std::vector<char> piece(4096);
  uint64_t done = 0;
  for (uint64_t i = 0; i < times * uint64_t{1024}; ++i) {
    const auto bytes = static_cast<ssize_t>(piece.size());
    if (write(pipe.ends[1], piece.data(), piece.size()) != bytes) return 0;
    if (read(pipe.ends[0], piece.data(), piece.size()) != bytes) return 0;
    ++done;
  }
  return done;
}

}  // namespace hv::bench
