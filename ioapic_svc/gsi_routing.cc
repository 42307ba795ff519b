#include "ioapic_svc/gsi_routing.h"

namespace hv::ioapic {

MsiRoute* GsiRouting::Find(uint32_t gsi) {
  if (gsi < HV_IOAPIC_INPUTS || gsi >= HV_GSI_COUNT) return nullptr;
  return &s_.msi[gsi - HV_IOAPIC_INPUTS];
}

bool GsiRouting::SetRoute(uint32_t from, const hv_gsi_route& route) {
  MsiRoute* entry = Find(route.gsi);
  if (entry == nullptr || (entry->owner != 0 && entry->owner != from)) return false;
  if (route.enabled == 0) {
    *entry = {};
    return true;
  }
  entry->address = route.address;
  entry->data = route.data;
  entry->owner = from;
  return true;
}

bool GsiRouting::SetLine(uint32_t from, uint32_t gsi, bool level,
                         std::optional<hv_interrupt>& interrupt) {
  MsiRoute* entry = Find(gsi);
  if (entry == nullptr || entry->owner != from) return false;
  const bool rising = level && entry->level == 0;
  entry->level = level ? 1 : 0;
  if (rising) interrupt = Translate({.address = entry->address, .data = entry->data});
  return true;
}

}  // namespace hv::ioapic
