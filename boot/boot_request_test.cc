#include "boot/boot_request.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/vcpu_state.h"
#include "abi/version.h"
#include "boot/test_images.h"
#include "ring/segment.h"

namespace hv::boot {
namespace {

constexpr uint64_t kRamBytes = 8 << 20;
enum Descriptor : uint32_t { kRam, kKernel, kFile, kPipe, kBeyond };

UniqueFd MakeFile(const FileBytes& contents) {
  UniqueFd fd(memfd_create("file", MFD_CLOEXEC));
  EXPECT_EQ(write(fd.get(), contents.data(), contents.size()),
            static_cast<ssize_t>(contents.size()));
  return fd;
}

class BootRequestTest : public ::testing::Test {
 protected:
  BootRequestTest() {
    UseKernel(MakeElf({}));
    request_.set_abi_major(HV_ABI_MAJOR);
    request_.set_memory_bytes(kRamBytes);
    request_.set_cpus(1);
    request_.set_command_line("quiet");
    request_.set_ram_fd(kRam);
    request_.set_kernel_fd(kKernel);
  }

  void UseKernel(const FileBytes& kernel) {
    descriptors_.clear();
    descriptors_.push_back(ring::CreateSegment("ram", kRamBytes).value());
    descriptors_.push_back(MakeFile(kernel));
    descriptors_.push_back(MakeFile(ToBytes("a file")));
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    descriptors_.emplace_back(ends[0]);
    close(ends[1]);
  }
  hv::v1::BootResponse Send() {
    return Answer(request_, descriptors_, [this] { ++shut_in_; });
  }
  std::string Refusal() {
    const hv::v1::BootResponse response = Send();
    EXPECT_NE(response.code(), 0);
    EXPECT_TRUE(response.vcpu_state().empty());
    return response.message();
  }
  std::string InRam(uint64_t address, size_t bytes) {
    const auto ram = ring::Mapping::Map(descriptors_[kRam].get(), kRamBytes, false);
    return {reinterpret_cast<const char*>(ram->bytes().data()) + address, bytes};
  }

  hv::v1::BootRequest request_;
  std::vector<UniqueFd> descriptors_;
  int shut_in_ = 0;
};

TEST_F(BootRequestTest, LoadsTheKernelIntoTheSegment) {
  const hv::v1::BootResponse response = Send();
  EXPECT_EQ(response.code(), 0) << response.message();
  EXPECT_EQ(response.protocol(), "linux64");
  ASSERT_EQ(response.vcpu_state().size(), sizeof(hv_vcpu_state));
  hv_vcpu_state state;
  std::memcpy(&state, response.vcpu_state().data(), sizeof(state));
  EXPECT_EQ(state.rip, 0x100000u);
  EXPECT_EQ(InRam(0x100000, 6), "kernel");
  EXPECT_EQ(shut_in_, 1);
}

TEST_F(BootRequestTest, PassesInitrdAndModulesOn) {
  request_.set_has_initrd(true);
  request_.set_initrd_fd(kFile);
  EXPECT_EQ(Send().code(), 0);
  EXPECT_EQ(InRam(kRamBytes - 4096, 6), "a file");

  FileBytes contents = MakeMultibootHeader(0);
  contents.resize(100);
  UseKernel(MakeElf({.bits = 32, .contents = contents}));
  request_.set_has_initrd(false);
  auto& module = *request_.add_modules();
  module.set_fd(kFile);
  module.set_command_line("arguments");
  EXPECT_EQ(Send().protocol(), "multiboot");
  EXPECT_EQ(InRam(0x101000, 6), "a file");
}

TEST_F(BootRequestTest, WhatIsWrongWithTheKernelIsInTheResponse) {
  UseKernel(ToBytes("no kernel"));
  EXPECT_NE(Refusal().find("kernel: the file of 9 bytes is neither"), std::string::npos);
  UseKernel({});
  EXPECT_EQ(Refusal(), "kernel: the file is empty");
}

// Before that, a file may not be looked at.
TEST_F(BootRequestTest, IsShutInOnlyWhenEverythingIsMapped) {
  request_.set_kernel_fd(kBeyond);
  Refusal();
  EXPECT_EQ(shut_in_, 0);
}

TEST_F(BootRequestTest, OtherAbisAreRefused) {
  request_.set_abi_major(HV_ABI_MAJOR + 1);
  EXPECT_EQ(Refusal(), absl::StrCat("hv_boot: asked for ABI major ", HV_ABI_MAJOR + 1, ", speaks ",
                                    HV_ABI_MAJOR));
}

TEST_F(BootRequestTest, DescriptorsThatDidNotComeAreRefused) {
  request_.set_kernel_fd(kBeyond);
  EXPECT_EQ(Refusal(), "kernel: descriptor 4 is named, but 4 came");
  request_.set_kernel_fd(kKernel);
  request_.add_modules()->set_fd(kFile);
  request_.add_modules()->set_fd(UINT32_MAX);
  EXPECT_EQ(Refusal(), "module 2: descriptor 4294967295 is named, but 4 came");
  request_.clear_modules();
  request_.set_has_initrd(true);
  request_.set_initrd_fd(kBeyond);
  EXPECT_EQ(Refusal(), "initrd: descriptor 4 is named, but 4 came");
  request_.set_ram_fd(kBeyond);
  EXPECT_EQ(Refusal(), "hv_boot: no RAM segment among 4 descriptors");
}

TEST_F(BootRequestTest, WhatIsNoRegularFileIsRefused) {
  request_.set_kernel_fd(kPipe);
  EXPECT_EQ(Refusal(), "kernel: not a regular file");
}

TEST_F(BootRequestTest, RamThatCouldShrinkOrIsTooSmallIsRefused) {
  request_.set_ram_fd(kFile);
  EXPECT_FALSE(Refusal().empty());
  request_.set_ram_fd(kRam);
  request_.set_memory_bytes(kRamBytes + 1);
  EXPECT_FALSE(Refusal().empty());
}

}  // namespace
}  // namespace hv::boot
