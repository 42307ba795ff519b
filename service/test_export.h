// What holds for the exported state of every core: it comes back byte for byte, and what has been
// forged is refused and changes nothing.
#pragma once

#include <cstring>
#include <functional>
#include <span>
#include <string>

#include "gtest/gtest.h"
#include "service/core.h"

namespace hv::service {

template <typename S>
void ExpectSurvivesExport(const Core& core, const S& state) {
  const auto bytes = core.Export(&state);
  ASSERT_TRUE(bytes.ok());
  S back{};
  const absl::Status status = core.Import(&back, *bytes);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(std::memcmp(&back, &state, sizeof(S)), 0);
}

// `state` exports as a `Proto`; each of `forgeries` makes one of its values impossible.
template <typename Proto, typename S>
void ExpectForgeriesRefused(const Core& core, const S& state,
                            std::span<const std::function<void(Proto&)>> forgeries) {
  const std::string good = core.Export(&state).value();
  for (size_t i = 0; i < forgeries.size(); ++i) {
    Proto forged;
    ASSERT_TRUE(forged.ParseFromString(good));
    forgeries[i](forged);
    S target = state;
    EXPECT_EQ(core.Import(&target, forged.SerializeAsString()).code(),
              absl::StatusCode::kInvalidArgument)
        << "forgery " << i;
    EXPECT_EQ(std::memcmp(&target, &state, sizeof(S)), 0) << "forgery " << i;
  }
}

}  // namespace hv::service
