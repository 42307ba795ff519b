#include "boot/test_images.h"

#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "base/check.h"

namespace hv::boot {
namespace {

template <typename T>
void AppendValue(FileBytes& to, const T& value) {
  Append(to, std::as_bytes(std::span(&value, 1)));
}

template <typename Header, typename ProgramHeader>
FileBytes MakeElfOf(const ElfSpec& spec, uint8_t elf_class, uint16_t machine) {
  const int segments = spec.notes.empty() ? 1 : 2;
  const size_t contents_at = sizeof(Header) + sizeof(ProgramHeader) * 2;
  Header header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = elf_class;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  using Address = decltype(header.e_entry);
  header.e_entry = static_cast<Address>(spec.entry.value_or(spec.physical));
  header.e_phoff = sizeof(Header);
  header.e_ehsize = sizeof(Header);
  header.e_phentsize = sizeof(ProgramHeader);
  header.e_phnum = static_cast<uint16_t>(segments);
  ProgramHeader load{};
  load.p_type = PT_LOAD;
  load.p_offset = static_cast<Address>(contents_at);
  load.p_paddr = static_cast<Address>(spec.physical);
  load.p_vaddr = static_cast<Address>(spec.virtual_address.value_or(spec.physical));
  load.p_filesz = static_cast<Address>(spec.contents.size());
  load.p_memsz = static_cast<Address>(spec.contents.size() + spec.bss);
  ProgramHeader note{};
  note.p_type = PT_NOTE;
  note.p_offset = static_cast<Address>(contents_at + spec.contents.size());
  note.p_filesz = static_cast<Address>(spec.notes.size());
  note.p_align = 4;
  FileBytes file;
  AppendValue(file, header);
  AppendValue(file, load);
  AppendValue(file, note);
  Append(file, spec.contents);
  Append(file, spec.notes);
  return file;
}

}  // namespace

FileBytes ToBytes(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void Append(FileBytes& to, std::span<const std::byte> more) {
  to.insert(to.end(), more.begin(), more.end());
}

FileBytes MakeElf(const ElfSpec& spec) {
  return spec.bits == 64 ? MakeElfOf<Elf64_Ehdr, Elf64_Phdr>(spec, ELFCLASS64, EM_X86_64)
                         : MakeElfOf<Elf32_Ehdr, Elf32_Phdr>(spec, ELFCLASS32, EM_386);
}

size_t ElfProgramHeaderAt(int bits) { return bits == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr); }

FileBytes MakeNote(const std::string& name, uint32_t type, std::span<const std::byte> descriptor) {
  FileBytes note;
  AppendValue(note, static_cast<uint32_t>(name.size() + 1));
  AppendValue(note, static_cast<uint32_t>(descriptor.size()));
  AppendValue(note, type);
  const auto pad = [&] { note.resize((note.size() + 3) & ~size_t{3}); };
  Append(note, std::as_bytes(std::span(name.c_str(), name.size() + 1)));
  pad();
  Append(note, descriptor);
  pad();
  return note;
}

FileBytes MakePvhNote(uint32_t entry) {
  constexpr uint32_t kPhys32Entry = 18;
  return MakeNote("Xen", kPhys32Entry, std::as_bytes(std::span(&entry, 1)));
}

namespace {

// Up to the protected-mode code.
FileBytes MakeSetup() {
  constexpr size_t kSetupSectors = 4, kProtectedMode = (kSetupSectors + 1) * 512;
  FileBytes file(kProtectedMode);
  Patch<uint8_t>(file, 0x1f1, kSetupSectors);
  Patch<uint16_t>(file, 0x1fe, 0xaa55);
  Patch<uint8_t>(file, 0x201, 0x268 - 0x202);  // the jump over the header
  Patch<uint32_t>(file, 0x202, 0x53726448);
  Patch<uint16_t>(file, 0x206, 0x20f);
  Patch<uint32_t>(file, 0x22c, 0x7fffffff);
  Patch<uint32_t>(file, 0x238, 2047);
  return file;
}

}  // namespace

FileBytes MakeBzImage(std::span<const std::byte> payload) {
  constexpr uint32_t kPayloadOffset = 0x40;
  FileBytes file = MakeSetup();
  file.resize(file.size() + kPayloadOffset);
  Patch<uint16_t>(file, 0x236, 1);  // there is a 64-bit entry
  Patch<uint32_t>(file, 0x248, kPayloadOffset);
  Patch<uint32_t>(file, 0x24c, static_cast<uint32_t>(payload.size()));
  Append(file, payload);
  return file;
}

FileBytes MakeBzImage32(std::span<const std::byte> code) {
  FileBytes file = MakeSetup();
  Append(file, code);
  return file;
}

FileBytes Gzip(std::span<const std::byte> bytes) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  FileBytes packed(deflateBound(&stream, bytes.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

FileBytes Xz(std::span<const std::byte> bytes) {
  lzma_options_lzma options;
  CHECK(!lzma_lzma_preset(&options, 0));
  const lzma_filter filters[] = {{.id = LZMA_FILTER_X86, .options = nullptr},
                                 {.id = LZMA_FILTER_LZMA2, .options = &options},
                                 {.id = LZMA_VLI_UNKNOWN, .options = nullptr}};
  lzma_stream stream = LZMA_STREAM_INIT;
  CHECK(lzma_stream_encoder(&stream, filters, LZMA_CHECK_CRC32) == LZMA_OK);
  FileBytes packed(lzma_stream_buffer_bound(bytes.size()));
  stream.next_in = reinterpret_cast<const uint8_t*>(bytes.data());
  stream.avail_in = bytes.size();
  stream.next_out = reinterpret_cast<uint8_t*>(packed.data());
  stream.avail_out = packed.size();
  CHECK(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END);
  packed.resize(stream.total_out);
  lzma_end(&stream);
  return packed;
}

FileBytes Zstd(std::span<const std::byte> bytes, bool checksum) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  CHECK(context != nullptr);
  CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0)));
  FileBytes packed(ZSTD_compressBound(bytes.size()));
  const size_t size =
      ZSTD_compress2(context, packed.data(), packed.size(), bytes.data(), bytes.size());
  CHECK(!ZSTD_isError(size));
  packed.resize(size);
  ZSTD_freeCCtx(context);
  return packed;
}

FileBytes Lz4(std::span<const std::byte> bytes) {
  constexpr size_t kBlock = 8 << 20;
  FileBytes packed;
  AppendValue(packed, uint32_t{0x184c2102});
  for (size_t at = 0; at < bytes.size(); at += kBlock) {
    const auto block = bytes.subspan(at, std::min(kBlock, bytes.size() - at));
    FileBytes out(static_cast<size_t>(LZ4_compressBound(static_cast<int>(block.size()))));
    const int size = LZ4_compress_default(
        reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(out.data()),
        static_cast<int>(block.size()), static_cast<int>(out.size()));
    CHECK(size > 0);
    out.resize(static_cast<size_t>(size));
    AppendValue(packed, static_cast<uint32_t>(size));
    Append(packed, out);
  }
  AppendValue(packed, static_cast<uint32_t>(bytes.size()));
  return packed;
}

uint32_t Crc32(std::span<const std::byte> bytes) {
  return lzma_crc32(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), 0);
}

FileBytes MakeMultibootHeader(uint32_t flags) {
  constexpr uint32_t kMagic = 0x1badb002;
  FileBytes header;
  AppendValue(header, kMagic);
  AppendValue(header, flags);
  AppendValue(header, uint32_t{0} - kMagic - flags);
  return header;
}

std::string TestRam::String(uint64_t address) const {
  return reinterpret_cast<const char*>(bytes_.data() + address);
}

std::string TestRam::String(uint64_t address, size_t bytes) const {
  return {reinterpret_cast<const char*>(bytes_.data() + address), bytes};
}

}  // namespace hv::boot
