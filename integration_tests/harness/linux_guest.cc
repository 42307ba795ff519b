#include "integration_tests/harness/linux_guest.h"

#include <gtest/gtest.h>

#include <sstream>

#include "integration_tests/harness/child.h"

namespace hv::testing {
namespace {

struct Guest {
  std::string kernel;
  std::string initrd;
};

// Asked once a test program; makes what is missing.
const Guest& TheGuest() {
  static const Guest guest = [] {
    Child maker({"tools/guest"}, false);
    maker.CloseInput();
    const int status = maker.Wait();
    Guest made;
    std::istringstream lines(maker.output());
    std::getline(lines, made.kernel);
    std::getline(lines, made.initrd);
    EXPECT_TRUE(status == 0 && !made.initrd.empty()) << "tools/guest: " << maker.errors();
    return made;
  }();
  return guest;
}

}  // namespace

std::string LinuxKernel() { return TheGuest().kernel; }

std::string LinuxInitrd() { return TheGuest().initrd; }

std::vector<std::string> RunLinux(const std::string& name, const std::string& more) {
  return {"run",         "--name",      name,
          "--kernel",    LinuxKernel(), "--initrd",
          LinuxInitrd(), "--append",    "console=ttyS0 panic=-1 " + more,
          "--memory",    "256M",        "--engine",
          "soft"};
}

}  // namespace hv::testing
