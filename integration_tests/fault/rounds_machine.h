// A machine whose guest goes round its services, asks each for what it left there, and says how far
// it is (guests/rounds.S); with faults set by hvctl.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "integration_tests/harness/hvctl.h"
#include "proto/hv/v1/fault.pb.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::testing {

// What the guest says on a line.
struct Progress {
  uint32_t round = 0;
  uint32_t ticks = 0;   // timer interrupts taken
  uint32_t absent = 0;  // answers of all ones where something else was to be
};

class RoundsMachine {
 public:
  // Running, and in its first rounds. `more`: arguments of hvctl run.
  explicit RoundsMachine(const std::vector<std::string>& more = {});

  // Waits for two lines that begin after now: whatever was asked of a service before has been
  // answered. Checks that each line follows the one before, and that timer interrupts come.
  Progress GoOn();
  // The guest stops its rounds and says how often it has read where nobody is.
  uint32_t StopRounds();
  // Ends the guest, which must have nothing more to say.
  void Leave();

  // hvctl fault set; the fault's number.
  uint32_t Set(const std::string& service, const std::string& point, const std::string& action,
               const std::vector<std::string>& more = {});
  // Waits until it has fired so often, while the guest goes on.
  void AwaitFired(uint32_t id, uint64_t times);
  void ClearFaults();
  hv::v1::Fault FaultOf(uint32_t id);
  hv::v1::ServiceStatus Service(const std::string& name);
  // Cells refused by every part of the machine together, and for one reason.
  uint64_t Refused(const std::string& reason = "");
  uint64_t HoleReads();
  Hvctl& hvctl() { return hvctl_; }

 private:
  void TakeLine();

  Hvctl hvctl_;
  std::unique_ptr<Child> guest_;
  size_t parsed_to_ = 0;
  Progress last_;
};

}  // namespace hv::testing
