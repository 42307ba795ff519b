#include "boot/loader.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr uint64_t kParams = 0x7000;

class LoaderTest : public ::testing::Test {
 protected:
  std::string Refusal(const LoadRequest& request) {
    const auto loaded = LoadKernel(request, ram_.memory());
    return loaded.ok() ? "accepted" : std::string(loaded.status().message());
  }
  std::string Protocol(const LoadRequest& request) {
    const auto loaded = LoadKernel(request, ram_.memory());
    return loaded.ok() ? loaded->protocol : std::string(loaded.status().message());
  }
  TestRam ram_;
};

FileBytes MultibootElf() {
  FileBytes contents = MakeMultibootHeader(0);
  Append(contents, ToBytes("and code"));
  return MakeElf({.bits = 32, .contents = contents});
}

TEST_F(LoaderTest, ABzImageIsUnpackedWhateverItIsPackedWith) {
  const FileBytes vmlinux = MakeElf({.physical = 0x200000, .contents = ToBytes("vmlinux")});
  for (const FileBytes& payload : {Gzip(vmlinux), Xz(vmlinux), Zstd(vmlinux), Lz4(vmlinux)}) {
    TestRam ram;
    const FileBytes kernel = MakeBzImage(payload);
    const auto loaded = LoadKernel({.kernel = kernel}, ram.memory());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_STREQ(loaded->protocol, "linux64");
    EXPECT_EQ(loaded->state.rip, 0x200000u);
    EXPECT_EQ(ram.String(0x200000, 7), "vmlinux");
  }
}

TEST_F(LoaderTest, LinuxGetsItsCommandLineInitrdMapAndTables) {
  const FileBytes kernel = MakeBzImage(Lz4(MakeElf({}))), initrd = ToBytes("the initrd");
  const auto loaded = LoadKernel(
      {.kernel = kernel, .initrd = initrd, .command_line = "console=ttyS0"}, ram_.memory());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state.gpr[HV_RSI], kParams);
  EXPECT_EQ(ram_.String(ram_.At<uint32_t>(kParams + 0x228)), "console=ttyS0");
  EXPECT_EQ(ram_.String(ram_.At<uint32_t>(kParams + 0x218), 10), "the initrd");
  EXPECT_EQ(ram_.At<uint8_t>(kParams + 0x1e8), 3);
  EXPECT_EQ(ram_.String(ram_.At<uint64_t>(kParams + 0x070), 8), "RSD PTR ");
}

TEST_F(LoaderTest, PayloadsThatCannotBeUnpackedAreNamed) {
  const auto refusal = [this](const FileBytes& payload) {
    const FileBytes kernel = MakeBzImage(payload);
    return Refusal({.kernel = kernel});
  };
  EXPECT_NE(refusal(ToBytes("BZh91AY")).find("packed with bzip2"), std::string::npos);
  EXPECT_NE(refusal(ToBytes("\x89LZO\r\n")).find("packed with LZO"), std::string::npos);
  EXPECT_NE(refusal(ToBytes("?!")).find("something unknown"), std::string::npos);
  EXPECT_NE(refusal(MakeElf({})).find("not packed"), std::string::npos);
}

TEST_F(LoaderTest, ABzImageWithoutA64BitPayloadUnpacksItself) {
  FileBytes kernel = MakeBzImage32(ToBytes("32-bit code"));
  const FileBytes initrd = ToBytes("the initrd");
  const auto loaded =
      LoadKernel({.kernel = kernel, .initrd = initrd, .command_line = "quiet"}, ram_.memory());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_STREQ(loaded->protocol, "linux32");
  EXPECT_EQ(loaded->state.rip, 0x100000u);
  EXPECT_EQ(loaded->state.efer, 0u);
  EXPECT_EQ(loaded->state.segment[HV_CS].selector, 0x10);
  EXPECT_EQ(loaded->state.segment[HV_DS].selector, 0x18);
  EXPECT_EQ(loaded->state.gpr[HV_RSI], kParams);
  for (const int zero : {HV_RBX, HV_RBP, HV_RDI}) EXPECT_EQ(loaded->state.gpr[zero], 0u);
  EXPECT_EQ(ram_.String(0x100000, 11), "32-bit code");
  EXPECT_EQ(ram_.String(ram_.At<uint32_t>(kParams + 0x228)), "quiet");
  EXPECT_EQ(ram_.String(ram_.At<uint32_t>(kParams + 0x218), 10), "the initrd");
  Patch<uint32_t>(kernel, 0x260, 0x7fffffff);
  EXPECT_NE(Refusal({.kernel = kernel}).find("needs 2147483647 bytes"), std::string::npos);
}

TEST_F(LoaderTest, A32BitKernelInA64BitBzImageIsRefused) {
  for (const FileBytes& payload : {Gzip(MakeElf({.bits = 32})), Gzip(ToBytes("no ELF"))}) {
    const FileBytes kernel = MakeBzImage(payload);
    EXPECT_NE(Refusal({.kernel = kernel}).find("no 64-bit ELF"), std::string::npos);
  }
}

TEST_F(LoaderTest, TheFirstProtocolAKernelOffersIsTaken) {
  const FileBytes plain = MakeElf({}), pvh = MakeElf({.notes = MakePvhNote(0x100004)}),
                  multiboot = MultibootElf();
  EXPECT_EQ(Protocol({.kernel = plain}), "linux64");
  EXPECT_EQ(Protocol({.kernel = pvh}), "pvh");
  EXPECT_EQ(Protocol({.kernel = multiboot}), "multiboot");
}

TEST_F(LoaderTest, A32BitElfNeedsAWayIn) {
  const FileBytes plain = MakeElf({.bits = 32});
  EXPECT_NE(Refusal({.kernel = plain}).find("no way to enter it"), std::string::npos);
  const FileBytes pvh = MakeElf({.bits = 32, .notes = MakePvhNote(0x100004)});
  EXPECT_EQ(Protocol({.kernel = pvh}), "pvh");
}

TEST_F(LoaderTest, ModulesAreForMultibootAndInitrdsForTheRest) {
  const FileBytes elf = MakeElf({}), bzimage = MakeBzImage(Gzip(elf)), multiboot = MultibootElf();
  const FileBytes file = ToBytes("file");
  EXPECT_EQ(Protocol({.kernel = multiboot, .modules = {{file, ""}}}), "multiboot");
  EXPECT_NE(Refusal({.kernel = multiboot, .initrd = file}).find("--module"), std::string::npos);
  for (const auto& kernel : {elf, bzimage}) {
    EXPECT_EQ(Protocol({.kernel = kernel, .initrd = file}), "linux64");
    EXPECT_NE(Refusal({.kernel = kernel, .modules = {{file, ""}}}).find("--initrd"),
              std::string::npos);
  }
}

TEST_F(LoaderTest, EntriesOutsideOfTheKernelAreRefused) {
  const FileBytes elf = MakeElf({.entry = 0x300000});
  EXPECT_NE(Refusal({.kernel = elf}).find("entry 0x300000 lies outside"), std::string::npos);
  const FileBytes pvh = MakeElf({.notes = MakePvhNote(0x7000)});
  EXPECT_NE(Refusal({.kernel = pvh}).find("entry 0x7000 lies outside"), std::string::npos);
}

TEST_F(LoaderTest, FilesOfNoKindAreRefused) {
  const FileBytes text = ToBytes("#!/bin/sh\n");
  EXPECT_NE(Refusal({.kernel = text}).find("10 bytes is neither"), std::string::npos);
  EXPECT_NE(Refusal({}).find("file is empty"), std::string::npos);
  FileBytes multiboot2(16);
  Patch<uint32_t>(multiboot2, 0, 0xe85250d6);
  Patch<uint32_t>(multiboot2, 8, 16);
  Patch<uint32_t>(multiboot2, 12, 0u - 0xe85250d6 - 16);
  EXPECT_NE(Refusal({.kernel = multiboot2}).find("Multiboot 2"), std::string::npos);
}

TEST_F(LoaderTest, MachinesThatCannotBeAreRefused) {
  const FileBytes elf = MakeElf({});
  EXPECT_NE(Refusal({.kernel = elf, .cpus = 0}).find("cpus: 0, 1 to 255"), std::string::npos);
  EXPECT_NE(Refusal({.kernel = elf, .cpus = 256}).find("cpus: 256"), std::string::npos);
  EXPECT_EQ(Protocol({.kernel = elf, .cpus = 255}), "linux64");
  TestRam small((4 << 20) - 4096);
  EXPECT_NE(LoadKernel({.kernel = elf}, small.memory()).status().message().find("at least 4"),
            absl::string_view::npos);
}

}  // namespace
}  // namespace hv::boot
