#include "boot/decompress.h"

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"

namespace hv::boot {
namespace {

using Bytes = std::vector<std::byte>;

constexpr uint32_t kLz4LegacyMagic = 0x184c2102;
constexpr size_t kLz4BlockBytes = 8 << 20;  // of the legacy format
constexpr size_t kLz4MostRatio = 255;       // what a byte of the format can stand for
// Kernels unpack to four to six times their size.
constexpr size_t kUsualRatio = 6;
constexpr size_t kLeastGuess = 64 << 10;
// For the decoder's window; Linux packs with at most 128 MiB of it.
constexpr uint64_t kMostXzMemory = 256 << 20;
constexpr uint64_t kMostZstdMemory = 128 << 20;  // the library's own default

absl::Status Corrupt(const char* format) {
  return absl::InvalidArgumentError(
      absl::StrCat("kernel: its ", format, " payload is corrupt or cut short"));
}
absl::Status TooLarge(size_t limit) {
  return absl::InvalidArgumentError(absl::StrCat("kernel: unpacks to more than ", limit >> 20,
                                                 " MiB; give the machine more --memory"));
}

absl::Status WantsMemory(const char* format, uint64_t most) {
  return absl::InvalidArgumentError(absl::StrCat("kernel: unpacking its ", format,
                                                 " payload takes more than ", most >> 20,
                                                 " MiB; pass the unpacked vmlinux instead"));
}

uint32_t ReadU32(std::span<const std::byte> at) {
  uint32_t value;
  std::memcpy(&value, at.data(), sizeof(value));
  return value;
}

bool StartsWith(std::span<const std::byte> data, std::initializer_list<uint8_t> magic) {
  if (data.size() < magic.size()) return false;
  return std::equal(magic.begin(), magic.end(), data.begin(),
                    [](uint8_t a, std::byte b) { return std::byte{a} == b; });
}

// Makes room for more output of `packed` bytes, up to the limit. False: there is none.
bool Grow(Bytes& out, size_t packed, size_t limit) {
  if (out.size() >= limit) return false;
  const size_t wanted = out.empty() ? std::max(kLeastGuess, packed * kUsualRatio) : out.size() * 2;
  out.resize(std::min(limit, wanted));
  return true;
}

absl::StatusOr<Bytes> Gunzip(std::span<const std::byte> in, size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return Corrupt("gzip");
  const std::unique_ptr<z_stream, int (*)(z_streamp)> guard(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  Bytes out;
  size_t done = 0;
  for (;;) {
    if (done == out.size() && !Grow(out, in.size(), limit)) return TooLarge(limit);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    stream.avail_out = static_cast<uInt>(out.size() - done);
    const int result = inflate(&stream, Z_NO_FLUSH);
    done = out.size() - stream.avail_out;
    if (result == Z_STREAM_END) break;
    if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) return Corrupt("gzip");
  }
  out.resize(done);
  return out;
}

absl::StatusOr<Bytes> Unxz(std::span<const std::byte> in, size_t limit) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kMostXzMemory, 0) != LZMA_OK) return Corrupt("XZ");
  const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> guard(&stream, lzma_end);
  stream.next_in = reinterpret_cast<const uint8_t*>(in.data());
  stream.avail_in = in.size();
  Bytes out;
  size_t done = 0;
  for (;;) {
    if (done == out.size() && !Grow(out, in.size(), limit)) return TooLarge(limit);
    stream.next_out = reinterpret_cast<uint8_t*>(out.data() + done);
    stream.avail_out = out.size() - done;
    const lzma_ret result = lzma_code(&stream, LZMA_RUN);
    done = out.size() - stream.avail_out;
    if (result == LZMA_STREAM_END) break;
    if (result == LZMA_MEMLIMIT_ERROR) return WantsMemory("XZ", kMostXzMemory);
    if (result != LZMA_OK || (stream.avail_in == 0 && stream.avail_out != 0)) return Corrupt("XZ");
  }
  out.resize(done);
  return out;
}

absl::StatusOr<Bytes> Unzstd(std::span<const std::byte> in, size_t limit) {
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                        ZSTD_freeDStream);
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  Bytes out;
  size_t done = 0;
  for (;;) {
    if (done == out.size() && !Grow(out, in.size(), limit)) return TooLarge(limit);
    ZSTD_outBuffer output{out.data(), out.size(), done};
    const size_t result = ZSTD_decompressStream(stream.get(), &output, &input);
    done = output.pos;
    if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge) {
      return WantsMemory("zstd", kMostZstdMemory);
    }
    if (ZSTD_isError(result)) return Corrupt("zstd");
    if (result == 0) break;
    if (input.pos == input.size && output.pos < output.size) return Corrupt("zstd");
  }
  out.resize(done);
  return out;
}

// Blocks of a length and that many bytes, each 8 MiB when unpacked but for the last. Kernels have
// the unpacked size appended, which is no block.
absl::StatusOr<Bytes> Unlz4(std::span<const std::byte> in, size_t limit) {
  in = in.subspan(sizeof(kLz4LegacyMagic));
  Bytes out;
  size_t done = 0;
  while (in.size() >= sizeof(uint32_t)) {
    const uint32_t length = ReadU32(in);
    in = in.subspan(sizeof(uint32_t));
    if (length == kLz4LegacyMagic) continue;  // another frame follows
    if (in.empty()) {
      if (length != done) return Corrupt("LZ4");
      break;
    }
    if (length > in.size() || length > LZ4_COMPRESSBOUND(kLz4BlockBytes)) return Corrupt("LZ4");
    const size_t room = std::min(kLz4BlockBytes, length * kLz4MostRatio);
    if (out.size() - done < room) out.resize(done + room);
    const int got = LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()),
                                        reinterpret_cast<char*>(out.data() + done),
                                        static_cast<int>(length), static_cast<int>(room));
    if (got < 0) return Corrupt("LZ4");
    done += static_cast<size_t>(got);
    if (done > limit) return TooLarge(limit);
    in = in.subspan(length);
  }
  if (done == 0 || !in.empty()) return Corrupt("LZ4");
  out.resize(done);
  return out;
}

// What this loader cannot unpack, by the first bytes; kernels can be packed with each.
const char* NameOfOther(std::span<const std::byte> payload) {
  if (StartsWith(payload, {'B', 'Z', 'h'})) return "bzip2";
  if (StartsWith(payload, {0x89, 'L', 'Z', 'O'})) return "LZO";
  if (StartsWith(payload, {0x5d, 0, 0})) return "LZMA";
  return nullptr;
}

absl::Status CannotUnpack(std::span<const std::byte> payload) {
  if (StartsWith(payload, {0x7f, 'E', 'L', 'F'})) {
    return absl::InvalidArgumentError(
        "kernel: its payload is not packed but an ELF as it is; pass that, the vmlinux, itself");
  }
  std::string found;
  if (const char* name = NameOfOther(payload); name != nullptr) {
    found = name;
  } else {
    found = "something unknown that begins with";
    for (std::byte byte : payload.first(std::min<size_t>(payload.size(), 6))) {
      absl::StrAppend(&found, " ", absl::Hex(static_cast<uint8_t>(byte), absl::kZeroPad2));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "kernel: its payload is packed with ", found,
      "; only gzip, XZ, LZ4 and zstd are unpacked. "
      "Pass the vmlinux instead: scripts/extract-vmlinux of the Linux source gets it out"));
}

}  // namespace

absl::StatusOr<Bytes> Decompress(std::span<const std::byte> payload, size_t limit) {
  if (StartsWith(payload, {0x1f, 0x8b})) return Gunzip(payload, limit);
  if (StartsWith(payload, {0xfd, '7', 'z', 'X', 'Z', 0})) return Unxz(payload, limit);
  if (StartsWith(payload, {0x02, 0x21, 0x4c, 0x18})) return Unlz4(payload, limit);
  if (StartsWith(payload, {0x28, 0xb5, 0x2f, 0xfd})) return Unzstd(payload, limit);
  return CannotUnpack(payload);
}

}  // namespace hv::boot
