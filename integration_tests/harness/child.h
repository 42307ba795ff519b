// A program under test: started, spoken with, waited for.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace hv::testing {

// Ends the program with SIGKILL if it is still there at the end.
class Child {
 public:
  // Standard input, output and error are pipes; with `terminal`, one pseudo-terminal.
  Child(const std::vector<std::string>& command, bool terminal);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void Type(const std::string& text);
  void CloseInput();
  // Reads standard output (with a terminal: everything) until `text` has appeared after what an
  // earlier Expect found. False, and a failed expectation: it ended or took too long.
  bool Expect(const std::string& text);
  // Reads what there is now.
  void Pump();
  // Reads to the end and waits; the exit status, or 128 + the signal that ended it.
  int Wait();

  pid_t pid() const { return pid_; }
  const std::string& output() const { return output_; }
  const std::string& errors() const { return errors_; }

 private:
  // Reads a piece of whatever comes; false at the end of the output or after `timeout_ms`.
  bool Read(int timeout_ms);

  pid_t pid_;
  UniqueFd input_;
  UniqueFd out_;
  UniqueFd err_;
  std::string output_;
  std::string errors_;
  size_t expected_to_ = 0;
};

}  // namespace hv::testing
