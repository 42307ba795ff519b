// Decompression of kernel payloads by the libraries made for it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace hv::boot {

// gzip, XZ, LZ4 (legacy frames, as kernels have them) or zstd, by magic number; bytes after the end of
// a stream are of no interest. InvalidArgument: another format, named if it is known; corrupt or cut
// short; more than `limit` bytes come out, or the decoder itself needs too much memory.
absl::StatusOr<std::vector<std::byte>> Decompress(std::span<const std::byte> payload, size_t limit);

}  // namespace hv::boot
