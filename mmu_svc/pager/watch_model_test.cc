// A guest that writes, a pager, a watch that is switched and taken, and deaths before and after any
// call that they make: whatever comes in which order, a page that was written is reported.
//
// What is required of a write that is done while its page is watched: some answer to a take that
// returns afterwards has its page. Whoever copies pages then has its bytes.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>

#include "abi/route_table.h"
#include "mmu_svc/pager/fake_guest_memory.h"
#include "mmu_svc/pager/pager.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPages = 64;
constexpr Window kWindow{.address = 0x7f0000000000, .bytes = kPages * kPage};

struct Death {};

class WatchModelTest : public testing::Test {
 protected:
  // A process of mmu_svc. What is outside of it survives.
  struct Process {
    Process(FakeGuestMemory& memory, PageLog written, std::vector<Extent> watched,
            hv_pager_page& page)
        : watch(memory, kWindow, written, std::move(watched)),
          pager(memory, kWindow, ReadAhead({{0, kWindow.bytes}}), watch, page) {}
    WriteWatch watch;
    Pager pager;
  };

  WatchModelTest() {
    memory_.page = nullptr;
    memory_.on_written = [this](uint64_t offset) {
      ++writes_;
      if (in_force_.contains(offset / kPage)) unreported_.insert(offset / kPage);
    };
    memory_.around_call = [this] {
      // The guest's other CPUs go on meanwhile.
      if (random_() % 4 == 0) memory_.Write(random_() % kPages * kPage);
      if (mortal_ && random_() % 6 == 0) throw Death();
    };
    Succeed();
  }

  std::vector<Extent> Committed() const {
    if (!committed_) return {};
    return {*committed_};
  }
  void Succeed() {
    mortal_ = true;
    for (bool alive = false; !alive;) {
      process_ = std::make_unique<Process>(memory_, written_, Committed(), page_);
      alive = Try([&] { process_->pager.TakeOver(); });
    }
  }
  // False: the process died in it.
  bool Try(const std::function<void()>& what) {
    try {
      what();
    } catch (const Death&) {
      ++deaths_;
      return false;
    }
    return true;
  }

  // As hvd: asks the successor again until it is done.
  void SwitchOn(Extent extent) {
    for (bool done = false; !done;) {
      if (!committed_) written_.ClearAll(extent.begin / kPage, (extent.end - extent.begin) / kPage);
      committed_ = extent;
      done = Try([&] {
        process_->watch.SetWatched(Committed());
        EXPECT_TRUE(process_->watch.Arm(extent).ok());
      });
      if (!done) Succeed();
    }
    for (uint64_t at = extent.begin; at < extent.end; at += kPage) in_force_.insert(at / kPage);
  }
  void SwitchOff() {
    const Extent extent = *committed_;
    in_force_.clear();
    unreported_.clear();
    committed_.reset();
    if (!Try([&] {
          process_->watch.SetWatched({});
          process_->watch.Disarm(extent);
        })) {
      Succeed();
    }
  }
  void Take() {
    const uint64_t first = committed_->begin / kPage;
    const uint64_t count = (committed_->end - committed_->begin) / kPage;
    const std::string bitmap = written_.Read(first, count);
    // Once: after a death nobody knows whether it was done.
    if (!Try([&] { EXPECT_TRUE(process_->watch.Rearm(first, bitmap).ok()); })) Succeed();
    for (uint64_t i = 0; i < count; ++i) {
      if ((bitmap[i / 8] >> i % 8 & 1) != 0) unreported_.erase(first + i);
    }
  }
  void Serve() {
    if (!memory_.events.empty() && !Try([&] { process_->pager.ServeOnce(); })) Succeed();
  }
  // Everything that waits goes on.
  void Settle() {
    mortal_ = false;
    memory_.around_call = nullptr;
    while (!memory_.events.empty()) process_->pager.ServeOnce();
  }

  std::mt19937_64 random_{1};
  FakeGuestMemory memory_{kWindow};
  std::vector<uint64_t> words_ = std::vector<uint64_t>(sizeof(hv_dirty_log) / 8 + kPages / 64);
  PageLog written_ = PageLog::Open(std::as_writable_bytes(std::span(words_)), kPages).value();
  hv_pager_page page_{};
  std::optional<Extent> committed_;
  std::unique_ptr<Process> process_;
  bool mortal_ = false;
  std::set<uint64_t> in_force_;    // pages for which the watch was said to be on
  std::set<uint64_t> unreported_;  // of these, written and in no answer since
  uint64_t writes_ = 0;
  int deaths_ = 0;
};

TEST_F(WatchModelTest, NoWriteIsForgottenAndNobodyIsLeftWaiting) {
  for (int round = 0; round < 100'000; ++round) {
    switch (random_() % 8) {
      case 0:
        if (!committed_) {
          const uint64_t begin = random_() % (kPages - 8);
          SwitchOn({begin * kPage, (begin + 1 + random_() % 8) * kPage});
        } else if (random_() % 4 == 0) {
          SwitchOff();
        }
        break;
      case 1:
        if (committed_) Take();
        break;
      case 2:
      case 3: memory_.Write(random_() % kPages * kPage); break;
      case 4:  // a page that is given back to the host, so that pages go missing again
        memory_.present.erase(random_() % kPages * kPage);
        break;
      default: Serve();
    }
  }
  Settle();
  EXPECT_TRUE(memory_.waiting.empty());
  if (committed_) Take();
  EXPECT_TRUE(unreported_.empty());
  EXPECT_GT(writes_, 10'000u);
  EXPECT_GT(deaths_, 1000);
  EXPECT_GT(page_.writes, 1000u);
  EXPECT_EQ(page_.failed, 0u);
}

}  // namespace
}  // namespace hv::mmu
