#include "hvd/host/time_slice.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <thread>

namespace hv::hvd {
namespace {

// What the kernel makes of a slice cannot be asked before Linux 6.12; what must not change can.
TEST(TimeSliceTest, PolicyAndNicenessStay) {
  std::thread([] {
    ASSERT_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
    for (const std::chrono::nanoseconds slice :
         {std::chrono::nanoseconds(kPatientSlice), std::chrono::nanoseconds(kPromptSlice)}) {
      AskForTimeSlice(0, slice);
      EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 5);
      EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    }
  }).join();
}

TEST(TimeSliceTest, APolicyOfTheUsersOwnStays) {
  std::thread([] {
    const sched_param none{};
    ASSERT_EQ(sched_setscheduler(0, SCHED_IDLE, &none), 0);
    AskForTimeSlice(0, kPromptSlice);
    EXPECT_EQ(sched_getscheduler(0), SCHED_IDLE);
  }).join();
}

TEST(TimeSliceTest, AThreadThatIsNotThereIsNoError) { AskForTimeSlice(-1, kPromptSlice); }

}  // namespace
}  // namespace hv::hvd
