// The release that hvd and hvctl are of.
#pragma once

namespace hv::hvd {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace hv::hvd
