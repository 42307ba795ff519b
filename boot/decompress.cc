#include "boot/decompress.h"

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace hv::boot {
namespace {

using Bytes = std::vector<std::byte>;

constexpr uint32_t kLz4LegacyMagic = 0x184c2102;
constexpr size_t kLz4BlockBytes = 8 << 20;  // of the legacy format
constexpr size_t kFirstGuess = 32 << 20;

absl::Status Corrupt(const char* format) {
  return absl::InvalidArgumentError(
      absl::StrCat("kernel: its ", format, " payload is corrupt or cut short"));
}
absl::Status TooLarge(size_t limit) {
  return absl::InvalidArgumentError(absl::StrCat("kernel: unpacks to more than ", limit >> 20,
                                                 " MiB; give the machine more --memory"));
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

// Makes room for more output, up to the limit. False: there is none.
bool Grow(Bytes& out, size_t limit) {
  if (out.size() >= limit) return false;
  out.resize(std::min(limit, std::max(kFirstGuess, out.size() * 2)));
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
    if (done == out.size() && !Grow(out, limit)) return TooLarge(limit);
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
  if (lzma_stream_decoder(&stream, UINT64_MAX, 0) != LZMA_OK) return Corrupt("XZ");
  const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> guard(&stream, lzma_end);
  stream.next_in = reinterpret_cast<const uint8_t*>(in.data());
  stream.avail_in = in.size();
  Bytes out;
  size_t done = 0;
  for (;;) {
    if (done == out.size() && !Grow(out, limit)) return TooLarge(limit);
    stream.next_out = reinterpret_cast<uint8_t*>(out.data() + done);
    stream.avail_out = out.size() - done;
    const lzma_ret result = lzma_code(&stream, LZMA_RUN);
    done = out.size() - stream.avail_out;
    if (result == LZMA_STREAM_END) break;
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
    if (done == out.size() && !Grow(out, limit)) return TooLarge(limit);
    ZSTD_outBuffer output{out.data(), out.size(), done};
    const size_t result = ZSTD_decompressStream(stream.get(), &output, &input);
    done = output.pos;
    if (ZSTD_isError(result)) return Corrupt("zstd");
    if (result == 0) break;
    if (input.pos == input.size && output.pos < output.size) return Corrupt("zstd");
  }
  out.resize(done);
  return out;
}

// Blocks of a length and that many bytes, each 8 MiB when unpacked but for the last.
absl::StatusOr<Bytes> Unlz4(std::span<const std::byte> in, size_t limit) {
  in = in.subspan(sizeof(uint32_t));
  Bytes out;
  while (in.size() >= sizeof(uint32_t)) {
    const uint32_t length = ReadU32(in);
    in = in.subspan(sizeof(uint32_t));
    if (length == kLz4LegacyMagic) continue;  // another frame follows
    // Kernels append the unpacked size, which is no block.
    if (length > in.size()) break;
    const size_t at = out.size();
    if (at + kLz4BlockBytes > limit + kLz4BlockBytes) return TooLarge(limit);
    out.resize(at + kLz4BlockBytes);
    const int got = LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()),
                                        reinterpret_cast<char*>(out.data() + at),
                                        static_cast<int>(length), static_cast<int>(kLz4BlockBytes));
    if (got < 0) return Corrupt("LZ4");
    out.resize(at + static_cast<size_t>(got));
    in = in.subspan(length);
  }
  if (out.empty()) return Corrupt("LZ4");
  if (out.size() > limit) return TooLarge(limit);
  return out;
}

}  // namespace

absl::StatusOr<Bytes> Decompress(std::span<const std::byte> payload, size_t limit) {
  if (StartsWith(payload, {0x1f, 0x8b})) return Gunzip(payload, limit);
  if (StartsWith(payload, {0xfd, '7', 'z', 'X', 'Z', 0})) return Unxz(payload, limit);
  if (StartsWith(payload, {0x02, 0x21, 0x4c, 0x18})) return Unlz4(payload, limit);
  if (StartsWith(payload, {0x28, 0xb5, 0x2f, 0xfd})) return Unzstd(payload, limit);
  return absl::InvalidArgumentError(
      "kernel: its payload is neither gzip, XZ, LZ4 nor zstd; pass the unpacked vmlinux instead");
}

}  // namespace hv::boot
