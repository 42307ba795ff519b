// How long threads run at a stretch.
#pragma once

#include <sys/types.h>

#include <chrono>

namespace hv::hvd {

// Of what somebody waits for: it gets a processor as soon as it wakes, from whoever has longer
// ones.
inline constexpr std::chrono::microseconds kPromptSlice{300};
// Of what nobody waits for yet.
inline constexpr std::chrono::milliseconds kPatientSlice{100};

// Asks the kernel to run a thread, and those it starts from then on, for stretches of that length,
// 0.1 to 100 ms (sched(7), sched_setattr(2)); its share of the processors stays what it was.
// `thread` 0: the caller. No effect on threads with a policy of their own, nor before Linux 6.12.
void AskForTimeSlice(pid_t thread, std::chrono::nanoseconds slice);

}  // namespace hv::hvd
