// The deterministic heart of a service: (state, message) -> (state', messages).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/actions.h"
#include "service/message.h"

namespace hv::service {

// A core owns no mutable data of its own: everything that changes lies in the state the runtime
// hands it, a plain struct without pointers that lives in shared memory. A core reads no clock,
// starts no thread, does no I/O. The same calls on the same bytes give the same bytes.
// Configuration is fixed at construction and comes from the manifest.
class Core {
 public:
  virtual ~Core() = default;

  virtual size_t state_bytes() const = 0;
  virtual uint32_t state_layout() const = 0;  // raised when the state struct changes

  // Power-on state, into zeroed bytes. May send, e.g. initial line levels.
  virtual void Reset(void* state, uint64_t now_ns, Actions& actions) const = 0;
  // One message. Unknown or malformed content is ignored or answered as hardware would, never
  // fatal; returns false to have it counted as refused.
  virtual bool Handle(void* state, const Message& message, uint64_t now_ns,
                      Actions& actions) const = 0;
  // The time asked for with WakeAt has come.
  virtual void Tick(void* state, uint64_t now_ns, Actions& actions) const = 0;

  // Writes what other processes read in shared pages (vCPU pages, route table) from committed
  // state. Called after each commit and on attach; must be idempotent. No other effect.
  virtual void Project(const void* state) { (void)state; }

  // State as serialized Protobuf (versioned, readable by another implementation), and back.
  virtual absl::StatusOr<std::string> Export(const void* state) const = 0;
  virtual absl::Status Import(void* state, absl::string_view bytes) const = 0;
};

// Same, typed. `S` is trivially copyable.
template <typename S>
class TypedCore : public Core {
 public:
  static_assert(std::is_trivially_copyable_v<S>);
  size_t state_bytes() const final { return sizeof(S); }
  void Reset(void* state, uint64_t now_ns, Actions& actions) const final {
    Reset(*static_cast<S*>(state), now_ns, actions);
  }
  bool Handle(void* state, const Message& message, uint64_t now_ns, Actions& actions) const final {
    return Handle(*static_cast<S*>(state), message, now_ns, actions);
  }
  void Tick(void* state, uint64_t now_ns, Actions& actions) const final {
    Tick(*static_cast<S*>(state), now_ns, actions);
  }
  void Project(const void* state) final { Project(*static_cast<const S*>(state)); }
  absl::StatusOr<std::string> Export(const void* state) const final {
    return Export(*static_cast<const S*>(state));
  }
  absl::Status Import(void* state, absl::string_view bytes) const final {
    return Import(*static_cast<S*>(state), bytes);
  }

 protected:
  virtual void Reset(S& state, uint64_t now_ns, Actions& actions) const = 0;
  virtual bool Handle(S& state, const Message& message, uint64_t now_ns,
                      Actions& actions) const = 0;
  virtual void Tick(S& state, uint64_t now_ns, Actions& actions) const = 0;
  virtual void Project(const S& state) { (void)state; }
  virtual absl::StatusOr<std::string> Export(const S& state) const = 0;
  virtual absl::Status Import(S& state, absl::string_view bytes) const = 0;
};

}  // namespace hv::service
