/* The architectural registers of a vCPU, as boot sets them, engines run them and snapshots keep
 * them. Names and meanings are those of the Intel SDM. */
#ifndef HV_ABI_VCPU_STATE_H_
#define HV_ABI_VCPU_STATE_H_

#include <stdint.h>

#include "abi/layout.h"

enum hv_gpr {
  HV_RAX,
  HV_RCX,
  HV_RDX,
  HV_RBX,
  HV_RSP,
  HV_RBP,
  HV_RSI,
  HV_RDI,
  HV_R8,
  HV_R9,
  HV_R10,
  HV_R11,
  HV_R12,
  HV_R13,
  HV_R14,
  HV_R15
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
HV_SIZE(hv_segment_state, 24);
HV_OFFSET(hv_segment_state, base, 0);
HV_OFFSET(hv_segment_state, limit, 8);
HV_OFFSET(hv_segment_state, selector, 12);
HV_OFFSET(hv_segment_state, attributes, 16);
#define HV_SEGMENT_UNUSABLE (1u << 16)

struct hv_descriptor_table {
  uint64_t base;
  uint16_t limit;
  uint8_t reserved[6];
};
HV_SIZE(hv_descriptor_table, 16);
HV_OFFSET(hv_descriptor_table, base, 0);
HV_OFFSET(hv_descriptor_table, limit, 8);

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
  uint64_t tsc_offset;       /* guest TSC = host TSC + tsc_offset */
  uint64_t tsc_adjust;       /* IA32_TSC_ADJUST: how far the guest itself has moved its TSC */
  uint32_t activity;         /* enum hv_activity */
  uint32_t interrupt_shadow; /* 1: STI, 2: MOV SS */
  uint32_t nmi_blocked;
  uint32_t reserved;
  uint8_t xsave[HV_XSAVE_BYTES]; /* standard (not compacted) XSAVE format */
};
HV_SIZE(hv_vcpu_state, 4696);
HV_OFFSET(hv_vcpu_state, gpr, 0);
HV_OFFSET(hv_vcpu_state, rip, 128);
HV_OFFSET(hv_vcpu_state, rflags, 136);
HV_OFFSET(hv_vcpu_state, segment, 144);
HV_OFFSET(hv_vcpu_state, ldtr, 288);
HV_OFFSET(hv_vcpu_state, tr, 312);
HV_OFFSET(hv_vcpu_state, gdtr, 336);
HV_OFFSET(hv_vcpu_state, idtr, 352);
HV_OFFSET(hv_vcpu_state, cr0, 368);
HV_OFFSET(hv_vcpu_state, cr2, 376);
HV_OFFSET(hv_vcpu_state, cr3, 384);
HV_OFFSET(hv_vcpu_state, cr4, 392);
HV_OFFSET(hv_vcpu_state, cr8, 400);
HV_OFFSET(hv_vcpu_state, dr, 408);
HV_OFFSET(hv_vcpu_state, xcr0, 472);
HV_OFFSET(hv_vcpu_state, efer, 480);
HV_OFFSET(hv_vcpu_state, star, 488);
HV_OFFSET(hv_vcpu_state, lstar, 496);
HV_OFFSET(hv_vcpu_state, cstar, 504);
HV_OFFSET(hv_vcpu_state, sfmask, 512);
HV_OFFSET(hv_vcpu_state, kernel_gs_base, 520);
HV_OFFSET(hv_vcpu_state, sysenter_cs, 528);
HV_OFFSET(hv_vcpu_state, sysenter_esp, 536);
HV_OFFSET(hv_vcpu_state, sysenter_eip, 544);
HV_OFFSET(hv_vcpu_state, pat, 552);
HV_OFFSET(hv_vcpu_state, tsc_aux, 560);
HV_OFFSET(hv_vcpu_state, tsc_offset, 568);
HV_OFFSET(hv_vcpu_state, tsc_adjust, 576);
HV_OFFSET(hv_vcpu_state, activity, 584);
HV_OFFSET(hv_vcpu_state, interrupt_shadow, 588);
HV_OFFSET(hv_vcpu_state, nmi_blocked, 592);
HV_OFFSET(hv_vcpu_state, xsave, 600);

enum hv_activity { HV_ACTIVITY_RUNNING = 0, HV_ACTIVITY_HALTED = 1, HV_ACTIVITY_WAIT_FOR_SIPI = 2 };

#endif /* HV_ABI_VCPU_STATE_H_ */
