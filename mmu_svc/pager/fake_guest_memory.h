// hv_kernel's mapping of guest RAM as the host's kernel keeps it, for tests: what is there, what is
// write-protected, who is woken. A test brings the events, or has a guest write (Write).
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <set>
#include <type_traits>
#include <vector>

#include "abi/pager_page.h"
#include "mmu_svc/pager/fault_event.h"
#include "mmu_svc/pager/read_ahead.h"
#include "mmu_svc/pager/userfault.h"

namespace hv::mmu {

class FakeGuestMemory final : public Userfault {
 public:
  static constexpr uint64_t kPage = 4096;
  explicit FakeGuestMemory(const Window& window) : window_(window) {}

  uffd_msg Fault(uint64_t offset, uint64_t flags = 0) const {
    uffd_msg message{};
    message.event = UFFD_EVENT_PAGEFAULT;
    message.arg.pagefault.address = window_.address + offset;
    message.arg.pagefault.flags = flags;
    return message;
  }
  uffd_msg WriteFault(uint64_t offset) const {
    return Fault(offset, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
  }
  // A guest's thread writes to a page: at once, or once it need not wait any more.
  void Write(uint64_t offset) {
    if (present.contains(offset) && !is_protected.contains(offset)) {
      if (on_written) on_written(offset);
      return;
    }
    waiting.insert(offset);
    events.push_back(present.contains(offset) ? WriteFault(offset) : Fault(offset));
  }

  bool Await() override { return !events.empty(); }
  int Read(std::span<uffd_msg> into) override {
    if (page != nullptr) turn_while_reading = page->turn;
    size_t count = 0;
    for (; count < into.size() && !events.empty(); ++count) {
      into[count] = events.front();
      events.pop_front();
    }
    errno = read_error;
    return read_error == 0 ? static_cast<int>(count) : -1;
  }
  Done GiveZeroPages(uint64_t address, uint64_t bytes, Writes writes) override {
    return Call([&] { return Give(address - window_.address, bytes, writes); });
  }
  int SetWrites(uint64_t address, uint64_t bytes, Writes writes) override {
    return Call([&] {
      const uint64_t begin = address - window_.address;
      EXPECT_LE(begin + bytes, window_.bytes);
      if (error != 0) return error;
      for (uint64_t offset = begin; offset < begin + bytes; offset += kPage) {
        if (writes == Writes::kTold) is_protected.insert(offset);
        if (writes == Writes::kFree) is_protected.erase(offset);
      }
      if (writes == Writes::kFree) TryAgain({begin, begin + bytes});
      return 0;
    });
  }
  void Wake(uint64_t address, uint64_t bytes) override {
    Call([&] {
      const uint64_t begin = address - window_.address;
      wakes.push_back({begin, begin + bytes});
      TryAgain(wakes.back());
      return 0;
    });
  }

  std::deque<uffd_msg> events;
  std::set<uint64_t> present;
  std::set<uint64_t> is_protected;  // pages that are there, and such as will be
  std::multiset<uint64_t> waiting;
  std::vector<Extent> wakes;
  uint64_t most_at_once = UINT64_MAX;
  int error = 0;
  int read_error = 0;
  const hv_pager_page* page = nullptr;
  uint64_t turn_while_reading = 0;
  std::function<void(uint64_t offset)> on_written;
  // Before and after each call that changes something.
  std::function<void()> around_call;

 private:
  template <typename Body>
  std::invoke_result_t<Body> Call(Body body) {
    if (around_call) around_call();
    auto result = body();
    if (around_call) around_call();
    return result;
  }
  Done Give(uint64_t begin, uint64_t bytes, Writes writes) {
    if (page != nullptr) {
      EXPECT_EQ(page->turn & 1, 1u);
    }
    EXPECT_LE(begin + bytes, window_.bytes);
    Done done;
    while (done.bytes < bytes) {
      const uint64_t offset = begin + done.bytes;
      if (error != 0) {
        done.error = error;
      } else if (present.contains(offset)) {
        done.error = EEXIST;
      } else if (done.bytes == most_at_once) {
        done.error = EAGAIN;
      } else {
        present.insert(offset);
        if (writes == Writes::kTold) is_protected.insert(offset);
        if (writes == Writes::kFree) is_protected.erase(offset);
        done.bytes += kPage;
        continue;
      }
      // As the kernel: what came of a request that did something is how far it came.
      if (done.bytes != 0) done.error = EAGAIN;
      break;
    }
    TryAgain({begin, begin + done.bytes});
    return done;
  }
  void TryAgain(Extent extent) {
    const auto begin = waiting.lower_bound(extent.begin), end = waiting.lower_bound(extent.end);
    const std::vector<uint64_t> woken(begin, end);
    waiting.erase(begin, end);
    for (const uint64_t offset : woken) Write(offset);
  }

  const Window window_;
};

}  // namespace hv::mmu
