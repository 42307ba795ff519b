#include "boot/pvh_note.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr uint32_t kPhys32Entry = 18;

absl::StatusOr<std::optional<uint32_t>> Find(const FileBytes& notes, int bits = 64) {
  return FindPvhEntry(MakeElf({.bits = bits, .notes = notes}));
}

template <typename T>
FileBytes XenNote(T value) {
  return MakeNote("Xen", kPhys32Entry, std::as_bytes(std::span(&value, 1)));
}

TEST(PvhNoteTest, IsFoundWithFourAndWithEightBytes) {
  EXPECT_EQ(*Find(XenNote<uint32_t>(0x1000850)), 0x1000850u);
  EXPECT_EQ(*Find(XenNote<uint64_t>(0x1000850)), 0x1000850u);
  EXPECT_EQ(*Find(XenNote<uint32_t>(0x1000850), 32), 0x1000850u);
}

TEST(PvhNoteTest, IsFoundBehindOthers) {
  FileBytes notes = MakeNote("GNU", 3, ToBytes("a build id, of odd length"));
  Append(notes, MakeNote("Xen", 6, ToBytes("linux")));
  Append(notes, MakeNote("Linux", kPhys32Entry, ToBytes("four")));
  Append(notes, XenNote<uint32_t>(0x200000));
  EXPECT_EQ(*Find(notes), 0x200000u);
}

TEST(PvhNoteTest, IsNotTakenFromOthers) {
  EXPECT_EQ(*Find({}), std::nullopt);
  EXPECT_EQ(*Find(MakeNote("Xe", kPhys32Entry, ToBytes("four"))), std::nullopt);
  EXPECT_EQ(*Find(MakeNote("Xen", kPhys32Entry + 1, ToBytes("four"))), std::nullopt);
}

TEST(PvhNoteTest, NotesCutShortAreNone) {
  const FileBytes note = XenNote<uint32_t>(0x200000);
  for (size_t size = 1; size < note.size(); ++size) {
    const auto found = Find({note.begin(), note.begin() + static_cast<ptrdiff_t>(size)});
    ASSERT_TRUE(found.ok()) << size;
    EXPECT_EQ(*found, std::nullopt) << size;
  }
}

TEST(PvhNoteTest, NotesWithImpossibleLengthsAreNone) {
  for (const size_t field : {0, 4}) {  // name, descriptor
    FileBytes note = XenNote<uint32_t>(0x200000);
    Patch<uint32_t>(note, field, 0xfffffffe);
    EXPECT_EQ(*Find(note), std::nullopt);
  }
}

TEST(PvhNoteTest, ValuesThatAreNoAddressAreRefused) {
  const auto large = Find(XenNote<uint64_t>(0x1'0000'0000));
  ASSERT_FALSE(large.ok());
  EXPECT_NE(large.status().message().find("0x100000000"), absl::string_view::npos);
  const auto odd = Find(XenNote<uint16_t>(1));
  ASSERT_FALSE(odd.ok());
  EXPECT_NE(odd.status().message().find("has 2 bytes"), absl::string_view::npos);
}

TEST(PvhNoteTest, SegmentsAlignedToEightArePaddedToEight) {
  FileBytes notes = MakeNote("Xen", 6, ToBytes("linux"));  // 16 + 5 bytes
  notes.resize(24);
  FileBytes second = MakeNote("Xen", kPhys32Entry, {});
  Patch<uint32_t>(second, 4, 4);
  Append(second, std::as_bytes(std::span("\x00\x00\x20", 4)));
  Append(notes, second);
  FileBytes file = MakeElf({.notes = notes});
  const size_t alignment = ElfProgramHeaderAt(64) + 56 + 48;
  Patch<uint64_t>(file, alignment, 8);
  EXPECT_EQ(*FindPvhEntry(file), 0x200000u);
}

}  // namespace
}  // namespace hv::boot
