#include "boot/elf_image.h"

#include <elf.h>
#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

class ElfImageTest : public ::testing::TestWithParam<int> {
 protected:
  ElfSpec Spec() const { return {.bits = GetParam()}; }
  absl::StatusOr<LoadedElf> Load(std::span<const std::byte> file) {
    return LoadElf(file, ram_.memory());
  }
  // Of one field of the only program header, in the layout of the class.
  size_t FieldAt(size_t in_32, size_t in_64) const {
    return ElfProgramHeaderAt(GetParam()) + (GetParam() == 64 ? in_64 : in_32);
  }
  void PatchAddress(FileBytes& file, size_t at, uint64_t value) const {
    if (GetParam() == 64)
      Patch<uint64_t>(file, at, value);
    else
      Patch<uint32_t>(file, at, static_cast<uint32_t>(value));
  }
  void ExpectRefusal(std::span<const std::byte> file, const std::vector<std::string>& parts) {
    const auto loaded = Load(file);
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
    for (const std::string& part : parts) {
      EXPECT_NE(loaded.status().message().find(part), absl::string_view::npos) << loaded.status();
    }
  }

  TestRam ram_;
};

TEST_P(ElfImageTest, CopiesSegmentsAndZeroesTheRest) {
  ElfSpec spec = Spec();
  spec.physical = 0x123456;
  const auto loaded = Load(MakeElf(spec));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->entry, 0x123456u);
  EXPECT_EQ(loaded->lowest, 0x123456u);
  EXPECT_EQ(loaded->end, 0x123456 + spec.contents.size() + spec.bss);
  EXPECT_EQ(ram_.String(0x123456, 20), "kernel code and data");
  for (uint64_t i = 0; i < spec.bss; ++i) {
    ASSERT_EQ(ram_.At<uint8_t>(0x123456 + spec.contents.size() + i), 0) << i;
  }
  EXPECT_EQ(ram_.At<uint8_t>(0x123455), 0xaa);
  EXPECT_EQ(ram_.At<uint8_t>(loaded->end), 0xaa);
}

TEST_P(ElfImageTest, EntryOfAKernelLinkedHighIsTakenToWhereItLies) {
  ElfSpec spec = Spec();
  spec.physical = 0x200000;
  spec.virtual_address = 0xc0200000;
  spec.entry = 0xc0200010;
  EXPECT_EQ(Load(MakeElf(spec))->entry, 0x200010u);
  spec.entry = 0x200010;
  EXPECT_EQ(Load(MakeElf(spec))->entry, 0x200010u);
  spec.entry = 0x700000;  // nowhere: for the caller to refuse
  EXPECT_EQ(Load(MakeElf(spec))->entry, 0x700000u);
}

TEST_P(ElfImageTest, ContainsWhatItLoads) {
  const auto loaded = Load(MakeElf(Spec()));
  ASSERT_TRUE(loaded.ok());
  EXPECT_TRUE(loaded->Contains(loaded->lowest));
  EXPECT_TRUE(loaded->Contains(loaded->end - 1));
  EXPECT_FALSE(loaded->Contains(loaded->lowest - 1));
  EXPECT_FALSE(loaded->Contains(loaded->end));
}

TEST_P(ElfImageTest, RefusesSegmentsWhereNoMemoryIs) {
  ElfSpec spec = Spec();
  spec.physical = 0x1000;  // the loader's own
  ExpectRefusal(MakeElf(spec), {"segment 0", "0x1000", "0x100000", "0x800000"});
  spec.physical = (8 << 20) - 100;  // contents fit, bss does not
  ExpectRefusal(MakeElf(spec), {"segment 0", "wants 120 bytes", "--memory"});
  spec.physical = 0xfffffff0;
  ExpectRefusal(MakeElf(spec), {"0xfffffff0"});
}

TEST_P(ElfImageTest, RefusesFilesCutShortAnywhere) {
  const FileBytes file = MakeElf(Spec());
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(Load(std::span(file).first(size)).ok()) << size;
  }
  ExpectRefusal(std::span(file).first(40), {"header", "40 bytes"});
  ExpectRefusal(std::span(file).first(file.size() - 1), {"segment 0", "of 20 bytes", "cut short"});
}

TEST_P(ElfImageTest, RefusesSegmentsBeyondArithmetic) {
  const size_t offset = FieldAt(4, 8), file_size = FieldAt(16, 32), memory_size = FieldAt(20, 40);
  FileBytes file = MakeElf(Spec());
  PatchAddress(file, offset, ~uint64_t{0});
  EXPECT_FALSE(Load(file).ok());
  file = MakeElf(Spec());
  PatchAddress(file, file_size, ~uint64_t{0});
  EXPECT_FALSE(Load(file).ok());
  file = MakeElf(Spec());
  PatchAddress(file, memory_size, ~uint64_t{0});
  ExpectRefusal(file, {"segment 0 wants"});
  file = MakeElf(Spec());
  PatchAddress(file, memory_size, 3);  // less than in the file
  ExpectRefusal(file, {"20 bytes", "takes 3"});
}

TEST_P(ElfImageTest, RefusesOtherMachinesAndKinds) {
  FileBytes file = MakeElf(Spec());
  Patch<uint16_t>(file, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64);
  ExpectRefusal(file, {"machine 183"});
  file = MakeElf(Spec());
  Patch<uint16_t>(file, offsetof(Elf64_Ehdr, e_type), ET_REL);
  ExpectRefusal(file, {"type 1", "link"});
  file = MakeElf(Spec());
  Patch<uint8_t>(file, EI_DATA, ELFDATA2MSB);
  ExpectRefusal(file, {"byte order 2"});
  file = MakeElf(Spec());
  Patch<uint8_t>(file, EI_CLASS, 7);
  ExpectRefusal(file, {"class 7"});
}

TEST_P(ElfImageTest, RefusesSegmentTablesOfOtherShapes) {
  const size_t count =
      GetParam() == 64 ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum);
  const size_t entry_bytes = count - 2;
  FileBytes file = MakeElf(Spec());
  Patch<uint16_t>(file, count, 0);
  ExpectRefusal(file, {"0 segments"});
  Patch<uint16_t>(file, count, 65);
  ExpectRefusal(file, {"65 segments"});
  Patch<uint16_t>(file, count, 1);
  Patch<uint16_t>(file, entry_bytes, 17);
  ExpectRefusal(file, {"17 bytes a header"});
  file = MakeElf(Spec());
  Patch<uint32_t>(file, ElfProgramHeaderAt(GetParam()), PT_NULL);
  ExpectRefusal(file, {"nothing to load"});
}

TEST_P(ElfImageTest, RefusesTablesBeyondTheFile) {
  FileBytes file = MakeElf(Spec());
  const size_t table =
      GetParam() == 64 ? offsetof(Elf64_Ehdr, e_phoff) : offsetof(Elf32_Ehdr, e_phoff);
  PatchAddress(file, table, ~uint64_t{0} - 10);
  ExpectRefusal(file, {"segment table"});
}

INSTANTIATE_TEST_SUITE_P(Classes, ElfImageTest, ::testing::Values(32, 64),
                         ::testing::PrintToStringParamName());

TEST(ElfKindTest, IsToldByTheFirstBytes) {
  EXPECT_FALSE(IsElf(ToBytes("")));
  EXPECT_FALSE(
      IsElf(ToBytes("\x7f"
                    "ELF")));  // shorter than e_ident
  EXPECT_FALSE(IsElf(ToBytes("#!/bin/sh and more")));
  EXPECT_TRUE(IsElf(MakeElf({.bits = 32})));
  EXPECT_FALSE(IsElf64(MakeElf({.bits = 32})));
  EXPECT_TRUE(IsElf64(MakeElf({.bits = 64})));
}

}  // namespace
}  // namespace hv::boot
