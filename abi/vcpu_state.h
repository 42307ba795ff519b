/* The architectural registers of a vCPU, as boot sets them, engines run them and snapshots keep
 * them. Names and meanings are those of the Intel SDM. */
#ifndef HV_ABI_VCPU_STATE_H_
#define HV_ABI_VCPU_STATE_H_

#include <stdint.h>

enum hv_gpr {
  HV_RAX, HV_RCX, HV_RDX, HV_RBX, HV_RSP, HV_RBP, HV_RSI, HV_RDI,
  HV_R8, HV_R9, HV_R10, HV_R11, HV_R12, HV_R13, HV_R14, HV_R15
};

enum hv_segment_register { HV_ES, HV_CS, HV_SS, HV_DS, HV_FS, HV_GS };

/* attributes: the access-rights bits of the descriptor's second doubleword shifted right by 8:
 * type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15; bit 16 set = unusable (VMX layout, SDM
 * vol. 3, 25.4.1). limit is in bytes, the granularity already applied. */
struct hv_segment_state {
  uint64_t base;
  uint32_t limit;
  uint16_t selector;
  uint16_t reserved;
  uint32_t attributes;
  uint32_t reserved1;
};
#define HV_SEGMENT_UNUSABLE (1u << 16)

struct hv_descriptor_table {
  uint64_t base;
  uint16_t limit;
  uint8_t reserved[6];
};

#define HV_XSAVE_BYTES 4096u

struct hv_vcpu_state {
  uint64_t gpr[16]; /* enum hv_gpr */
  uint64_t rip;
  uint64_t rflags;
  struct hv_segment_state segment[6]; /* enum hv_segment_register */
  struct hv_segment_state ldtr;
  struct hv_segment_state tr;
  struct hv_descriptor_table gdtr;
  struct hv_descriptor_table idtr;
  uint64_t cr0, cr2, cr3, cr4, cr8;
  uint64_t dr[8]; /* 4 and 5 unused, zero */
  uint64_t xcr0;
  uint64_t efer, star, lstar, cstar, sfmask;
  uint64_t kernel_gs_base;
  uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
  uint64_t pat, tsc_aux;
  uint64_t tsc_offset; /* guest TSC = host TSC + tsc_offset */
  uint32_t activity;   /* enum hv_activity */
  uint32_t interrupt_shadow; /* 1: STI, 2: MOV SS */
  uint32_t nmi_blocked;
  uint32_t reserved;
  uint8_t xsave[HV_XSAVE_BYTES]; /* standard (not compacted) XSAVE format */
};

enum hv_activity { HV_ACTIVITY_RUNNING = 0, HV_ACTIVITY_HALTED = 1, HV_ACTIVITY_WAIT_FOR_SIPI = 2 };

#endif /* HV_ABI_VCPU_STATE_H_ */
