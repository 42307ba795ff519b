// Kernels loaded by hv's loader and entered on the soft engine: what they find is what the
// protocols promise.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include "boot/loader.h"
#include "integration_tests/boot_kernels/guest_run.h"

namespace hv::testing {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string ReadKernel(const std::string& name) {
  std::ifstream file("integration_tests/boot_kernels/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

class BootKernelsTest : public ::testing::Test {
 protected:
  static constexpr size_t kRamBytes = 8 << 20;

  // The engine wants RAM of whole pages.
  BootKernelsTest()
      : ram_(static_cast<std::byte*>(mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
             kRamBytes) {
    std::memset(ram_.data(), 0xaa, ram_.size());  // what is not zeroed is seen
  }
  ~BootKernelsTest() override { munmap(ram_.data(), ram_.size()); }

  GuestRun Boot(const boot::LoadRequest& request, const std::string& protocol) {
    const auto loaded = boot::LoadKernel(request, boot::GuestMemory(ram_));
    if (!loaded.ok()) {
      ADD_FAILURE() << loaded.status();
      return {};
    }
    EXPECT_EQ(loaded->protocol, protocol);
    return RunGuest(loaded->state, ram_);
  }

  void ExpectMultiboot(const std::string& name) {
    const std::string kernel = ReadKernel(name);
    const std::string first = "hello", second = "another one";
    const GuestRun run = Boot({.kernel = Bytes(kernel),
                               .command_line = "root=none quiet",
                               .modules = {{Bytes(first), "first arguments"}, {Bytes(second), ""}}},
                              "multiboot");
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_EQ(run.printed,
              "multiboot: magic=2badb002 cr0=00000011 eflags=00000002 bss=00000000 flags=0000024d "
              "lower=0000027f upper=00001c00 loader=[hv] command=[root=none quiet] "
              "modules=00000002 00202000-00202005=[first arguments][hello] "
              "00203000-0020300b=[][another one] "
              "map=0000000000000000+000000000009fc00:00000001 "
              "000000000009fc00+0000000000060400:00000002 "
              "0000000000100000+0000000000700000:00000001 end\n");
  }

  std::span<std::byte> ram_;
};

TEST_F(BootKernelsTest, MultibootElf) { ExpectMultiboot("multiboot.elf"); }

TEST_F(BootKernelsTest, MultibootImageWithAddressFields) { ExpectMultiboot("multiboot.bin"); }

TEST_F(BootKernelsTest, MultibootWithoutModules) {
  const std::string kernel = ReadKernel("multiboot.elf");
  const GuestRun run = Boot({.kernel = Bytes(kernel)}, "multiboot");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_NE(run.printed.find("command=[] modules=00000000 map="), std::string::npos) << run.printed;
}

TEST_F(BootKernelsTest, PvhIsEnteredByItsNote) {
  const std::string kernel = ReadKernel("pvh.elf");
  const std::string initrd = "the initrd";
  const GuestRun run = Boot(
      {.kernel = Bytes(kernel), .initrd = Bytes(initrd), .command_line = "console=ttyS0"}, "pvh");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.printed,
            "pvh: magic=336ec578 version=00000001 cr0=00000011 cr4=00000000 eflags=00000002 "
            "bss=00000000 flags=00000000 command=[console=ttyS0] rsdp=[RSD PTR ] modules=00000001 "
            "007ff000+0000000a=[the initrd] "
            "map=0000000000000000+000000000009fc00:00000001 "
            "000000000009fc00+0000000000060400:00000002 "
            "0000000000100000+0000000000700000:00000001 end\n");
}

TEST_F(BootKernelsTest, ABzImageWithoutA64BitEntryIsEnteredIn32BitMode) {
  const std::string kernel = ReadKernel("linux32.bin");
  const std::string initrd = "the initrd";
  const GuestRun run =
      Boot({.kernel = Bytes(kernel), .initrd = Bytes(initrd), .command_line = "console=ttyS0"},
           "linux32");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(
      run.printed,
      "linux32: eflags=00000002 magic=HdrS=HdrS zero=00000000 cs=00000010 ds=00000018 cr0=00000011 "
      "loader=000000ff command=[console=ttyS0] rsdp=[RSD PTR ] "
      "initrd=[the initrd] base=0000027f map=00000000+0009fc00:00000001 "
      "0009fc00+00060400:00000002 00100000+00700000:00000001 end\n");
}

TEST_F(BootKernelsTest, A64BitElfWithoutNoteIsEnteredIn64BitMode) {
  std::string kernel = ReadKernel("pvh.elf");
  const size_t name = kernel.find(std::string("Xen\0", 4));
  ASSERT_NE(name, std::string::npos);
  kernel[name] = 'Y';
  const GuestRun run = Boot({.kernel = Bytes(kernel)}, "linux64");
  EXPECT_EQ(run.exit_code, 1);  // its ELF entry
  EXPECT_EQ(run.printed, "");
}

}  // namespace
}  // namespace hv::testing
