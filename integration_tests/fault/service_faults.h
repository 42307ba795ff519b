// The faults that every service must take, with the guest going on: a test file of each service
// says which it is.
#pragma once

namespace hv::testing {

struct FaultySubject {
  const char* service;  // process name
  // It tells another part something that can be out of range: forge-content can be done.
  bool forges_content;
};

// Defined by the service's own file.
extern const FaultySubject kSubject;

}  // namespace hv::testing
