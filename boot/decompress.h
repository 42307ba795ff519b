// Decompression of kernel payloads by the libraries made for it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace hv::boot {

// gzip, XZ, LZ4 (legacy frames, as kernels have them) or zstd, by magic number. InvalidArgument: no
// such format, corrupt, or more than `limit` bytes come out.
absl::StatusOr<std::vector<std::byte>> Decompress(std::span<const std::byte> payload, size_t limit);

}  // namespace hv::boot
