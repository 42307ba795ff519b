// Damaged kernels of every kind: LoadKernel either loads or says what is wrong, and writes nowhere
// but in the machine's RAM.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "boot/loader.h"
#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr size_t kRamBytes = 6 << 20;
constexpr size_t kGuardBytes = 64 << 10;
constexpr std::byte kGuard{0x5c};

// RAM between two stretches that nobody may write.
class GuardedRam {
 public:
  GuardedRam() : bytes_(kGuardBytes + kRamBytes + kGuardBytes, kGuard) {}
  GuestMemory memory() { return GuestMemory(std::span(bytes_).subspan(kGuardBytes, kRamBytes)); }
  bool guards_untouched() const {
    const auto intact = [](std::byte byte) { return byte == kGuard; };
    return std::all_of(bytes_.begin(), bytes_.begin() + kGuardBytes, intact) &&
           std::all_of(bytes_.end() - kGuardBytes, bytes_.end(), intact);
  }

 private:
  std::vector<std::byte> bytes_;
};

FileBytes Vmlinux(int bits = 64) { return MakeElf({.bits = bits, .contents = FileBytes(3000)}); }

FileBytes PvhKernel() {
  FileBytes notes = MakeNote("Linux", 0x101, ToBytes("something else"));
  Append(notes, MakePvhNote(0x100010));
  return MakeElf({.contents = FileBytes(500), .notes = notes});
}

FileBytes MultibootElf() {
  FileBytes contents = MakeMultibootHeader(0x3);
  contents.resize(500);
  return MakeElf({.bits = 32, .contents = contents});
}

FileBytes FlatMultiboot() {
  FileBytes file(64);
  Append(file, MakeMultibootHeader(0x10003));
  const uint32_t addresses[] = {0x100040, 0x100000, 0x100200, 0x101000, 0x100060};
  Append(file, std::as_bytes(std::span(addresses)));
  file.resize(0x300);
  return file;
}

struct Kind {
  const char* name;
  FileBytes (*make)();
  const char* protocol;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

const Kind kKinds[] = {
    {"BzImageGzip", [] { return MakeBzImage(Gzip(Vmlinux())); }, "linux64"},
    {"BzImageXz", [] { return MakeBzImage(Xz(Vmlinux())); }, "linux64"},
    {"BzImageZstd", [] { return MakeBzImage(Zstd(Vmlinux())); }, "linux64"},
    {"BzImage32", [] { return MakeBzImage32(Vmlinux()); }, "linux32"},
    {"BzImageLz4", [] { return MakeBzImage(Lz4(Vmlinux())); }, "linux64"},
    {"Elf64", [] { return Vmlinux(); }, "linux64"},
    {"Pvh", PvhKernel, "pvh"},
    {"MultibootElf", MultibootElf, "multiboot"},
    {"MultibootFlat", FlatMultiboot, "multiboot"},
};

// Values at which sizes and addresses break.
constexpr uint64_t kExtremes[] = {0,          1,
                                  0x7f,       0xff,
                                  0x7fff,     0xffff,
                                  0xfffff,    0x100000,
                                  kRamBytes,  kRamBytes - 1,
                                  0x7fffffff, 0x80000000,
                                  0xfffffff0, 0xffffffff,
                                  UINT64_MAX, uint64_t{1} << 63};

void FlipBytes(FileBytes& file, std::mt19937& random) {
  for (uint32_t n = random() % 8 + 1; n != 0; --n) {
    file[random() % file.size()] = static_cast<std::byte>(random());
  }
}

// Most of what a loader believes stands at the beginning of the file or, of a bzImage, at 1F1H.
void GrowField(FileBytes& file, std::mt19937& random) {
  const size_t width = size_t{1} << (random() % 4);
  const size_t reach = std::min<size_t>(file.size() - width, random() % 2 == 0 ? 0x100 : 0x270);
  const size_t at = random() % (reach + 1);
  uint64_t value = kExtremes[random() % std::size(kExtremes)];
  if (random() % 2 == 0) value += random() % 16;
  std::memcpy(file.data() + at, &value, width);
}

FileBytes Damage(FileBytes file, std::mt19937& random) {
  for (uint32_t n = random() % 3 + 1; n != 0; --n) {
    switch (random() % 3) {
      case 0: FlipBytes(file, random); break;
      case 1: GrowField(file, random); break;
      case 2: file.resize(std::max<size_t>(file.size() - random() % file.size(), 16)); break;
    }
  }
  return file;
}

class LoadFuzzTest : public ::testing::TestWithParam<Kind> {};

TEST_P(LoadFuzzTest, TheUndamagedLoads) {
  GuardedRam ram;
  const FileBytes kernel = GetParam().make();
  const auto loaded = LoadKernel({.kernel = kernel}, ram.memory());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_STREQ(loaded->protocol, GetParam().protocol);
}

TEST_P(LoadFuzzTest, TheDamagedLoadsOrIsRefusedWithAReason) {
  std::mt19937 random(1);
  GuardedRam ram;
  const FileBytes kernel = GetParam().make(), initrd = ToBytes("initrd");
  int loads = 0, refusals = 0;
  for (int i = 0; i < 2000; ++i) {
    const FileBytes damaged = Damage(kernel, random);
    LoadRequest request{.kernel = damaged, .command_line = "console=ttyS0", .cpus = 2};
    if (random() % 2 == 0) request.initrd = initrd;
    if (random() % 2 == 0) request.modules = {{initrd, "module"}};
    const auto loaded = LoadKernel(request, ram.memory());
    if (loaded.ok()) {
      ++loads;
      EXPECT_GE(loaded->state.rip, kHighMemoryStart);
      EXPECT_LT(loaded->state.rip, kRamBytes);
    } else {
      ++refusals;
      EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_NE(loaded.status().message().find(": "), absl::string_view::npos)
          << "names no file: " << loaded.status();
    }
  }
  EXPECT_TRUE(ram.guards_untouched());
  // Both were reached.
  EXPECT_GT(loads, 20);
  EXPECT_GT(refusals, 100);
}

TEST_P(LoadFuzzTest, EveryCutIsSurvived) {
  GuardedRam ram;
  const FileBytes kernel = GetParam().make();
  for (size_t size = 0; size < kernel.size(); ++size) {
    const auto cut = std::span(kernel).first(size);
    const auto loaded = LoadKernel({.kernel = cut}, ram.memory());
    EXPECT_TRUE(loaded.ok() || !loaded.status().message().empty()) << size;
  }
  EXPECT_TRUE(ram.guards_untouched());
}

INSTANTIATE_TEST_SUITE_P(Kinds, LoadFuzzTest, ::testing::ValuesIn(kKinds),
                         [](const auto& info) { return info.param.name; });

TEST(LoadFuzzTest, RandomBytesBehindEachMagicAreRefused) {
  const FileBytes magics[] = {ToBytes("\x7f"
                                      "ELF\2\1\1"),
                              ToBytes("\x7f"
                                      "ELF\1\1\1"),
                              MakeMultibootHeader(0), MakeMultibootHeader(0x10000),
                              MakeBzImage(ToBytes("\x1f\x8b\x08"))};
  std::mt19937 random(1);
  GuardedRam ram;
  for (int i = 0; i < 2000; ++i) {
    FileBytes file = magics[random() % std::size(magics)];
    for (uint32_t n = random() % 500; n != 0; --n) file.push_back(static_cast<std::byte>(random()));
    const auto loaded = LoadKernel({.kernel = file}, ram.memory());
    ASSERT_FALSE(loaded.ok());
    EXPECT_FALSE(loaded.status().message().empty());
  }
  EXPECT_TRUE(ram.guards_untouched());
}

}  // namespace
}  // namespace hv::boot
