#include "service/kind_name.h"

#include "abi/message.h"
#include "absl/strings/str_cat.h"

namespace hv::service {
namespace {

struct Entry {
  uint16_t kind;
  const char* name;
};

constexpr Entry kNames[] = {
    {HV_KIND_READ, "READ"},
    {HV_KIND_WRITE, "WRITE"},
    {HV_KIND_WRITE_POSTED, "WRITE_POSTED"},
    {HV_KIND_READ_DONE, "READ_DONE"},
    {HV_KIND_WRITE_DONE, "WRITE_DONE"},
    {HV_KIND_MSR_READ, "MSR_READ"},
    {HV_KIND_MSR_WRITE, "MSR_WRITE"},
    {HV_KIND_MSR_DONE, "MSR_DONE"},
    {HV_KIND_INJECTED, "INJECTED"},
    {HV_KIND_CR8_WRITE, "CR8_WRITE"},
    {HV_KIND_CR8_READ, "CR8_READ"},
    {HV_KIND_LINE, "LINE"},
    {HV_KIND_INTERRUPT, "INTERRUPT"},
    {HV_KIND_EOI, "EOI"},
    {HV_KIND_INTR, "INTR"},
    {HV_KIND_INTA, "INTA"},
    {HV_KIND_GSI_ROUTE, "GSI_ROUTE"},
    {HV_KIND_DEADLINE_SET, "DEADLINE_SET"},
    {HV_KIND_DEADLINE_EXPIRED, "DEADLINE_EXPIRED"},
    {HV_KIND_STORE, "STORE"},
    {HV_KIND_STORE_DONE, "STORE_DONE"},
    {HV_KIND_CONSOLE_OUTPUT, "CONSOLE_OUTPUT"},
    {HV_KIND_CONSOLE_INPUT, "CONSOLE_INPUT"},
    {HV_KIND_CONSOLE_CREDIT, "CONSOLE_CREDIT"},
    {HV_KIND_POWER_BUTTON, "POWER_BUTTON"},
};

}  // namespace

std::string KindName(uint16_t kind) {
  for (const Entry& entry : kNames) {
    if (entry.kind == kind) return entry.name;
  }
  return absl::StrCat("kind ", kind);
}

std::optional<uint16_t> KindNamed(absl::string_view name) {
  for (const Entry& entry : kNames) {
    if (entry.name == name) return entry.kind;
  }
  return std::nullopt;
}

}  // namespace hv::service
