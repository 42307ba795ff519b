// How hvd is told to end, and what it asks of the system for itself.
#pragma once

namespace hv::hvd {

// In main, before any thread: SIGINT, SIGTERM and SIGHUP wait for AwaitEnd(), in every thread; a
// peer that hangs up is an error of a write, not a signal.
void HoldSignals();

// Returns when one of them has come or RequestEnd() was called.
void AwaitEnd();
// Any thread.
void RequestEnd();

// Descriptors as many as the hard limit allows: a machine of 64 vCPUs needs about 550.
void RaiseDescriptorLimit();

}  // namespace hv::hvd
