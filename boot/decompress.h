// Decompression of kernel payloads by the libraries made for it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace hv::boot {

// gzip, XZ, LZ4 (legacy frames, as kernels have them) or zstd, by magic number; bytes after the end
// of a stream are of no interest. InvalidArgument: another format, named if it is known; corrupt or
// cut short; more than `limit` bytes come out, or the decoder itself needs too much memory.
//
// Damage is found as far as the format can tell: by the CRC32 of gzip, the check of XZ, the
// checksum of zstd if the packer wrote one (the zstd tool, which packs kernels, does). LZ4's legacy
// frames have none: what still decodes, to the appended size, is taken.
absl::StatusOr<std::vector<std::byte>> Decompress(std::span<const std::byte> payload, size_t limit);

}  // namespace hv::boot
