/* Who takes part in a machine: the names of the two sides of every channel. */
#ifndef HV_ABI_ENDPOINT_H_
#define HV_ABI_ENDPOINT_H_

#include <stdint.h>

enum hv_role {
  HV_ROLE_NONE = 0,
  HV_ROLE_KERNEL = 1, /* hv_kernel; one endpoint for each vCPU thread, instance = vCPU index */
  HV_ROLE_VCPU = 2,   /* vcpu_svc */
  HV_ROLE_MMU = 3,    /* mmu_svc */
  HV_ROLE_IOAPIC = 4, /* ioapic_svc */
  HV_ROLE_TIMER = 5,  /* timer_svc */
  HV_ROLE_SERIAL = 6, /* serial_svc; instance = 0 for COM1 ... 3 for COM4 */
  HV_ROLE_POWER = 7,  /* power_svc */
  HV_ROLE_HOST = 8,   /* hvd */
  HV_ROLE_COUNT = 9
};

/* An endpoint in one 32-bit number: role in bits 31:16, instance in bits 15:0. */
#define HV_ENDPOINT(role, instance) (((uint32_t)(role) << 16) | (uint32_t)(instance))
#define HV_ENDPOINT_ROLE(endpoint) ((uint32_t)(endpoint) >> 16)
#define HV_ENDPOINT_INSTANCE(endpoint) ((uint32_t)(endpoint)&0xffffu)

#define HV_MAX_VCPUS 64u

#endif /* HV_ABI_ENDPOINT_H_ */
