/* What CPUID does not show takes #UD, whatever the host has; hypercalls are answered (SDM vol. 2). */
#include "integration_tests/guest_code/guest.inc"

#define UNDEFINED(...) EXPECT_FAULT(6, 0, __VA_ARGS__)

BEGIN(undefined)
  SET_UP
  mov $SCRATCH, %eax
  UNDEFINED(ud2)
  UNDEFINED(.byte 0x0f, 0xff, 0xc0)
  UNDEFINED(.byte 0x0f, 0xb9, 0xc0)
  UNDEFINED(.byte 0x0f, 0x04)
  UNDEFINED(.byte 0xd6)
  UNDEFINED(monitor)
  UNDEFINED(mwait)
  UNDEFINED(monitorx)
  UNDEFINED(mwaitx)
  UNDEFINED(umonitor %rax)
  UNDEFINED(umwait %ecx)
  UNDEFINED(tpause %ecx)
  UNDEFINED(xbegin 1f)
1:
  UNDEFINED(xend)
  UNDEFINED(xtest)
  UNDEFINED(rdpkru)
  UNDEFINED(wrpkru)
  UNDEFINED(clzero)
  UNDEFINED(rdpru)
  UNDEFINED(mcommit)
  UNDEFINED(xsaves SCRATCH)
  UNDEFINED(xrstors SCRATCH)
  UNDEFINED(movdiri %ecx, SCRATCH)
  UNDEFINED(movdir64b SCRATCH, %rax)
  UNDEFINED(enqcmd SCRATCH, %rax)
  UNDEFINED(ptwrite %ecx)
  UNDEFINED(xsusldtrk)
  UNDEFINED(tilerelease)
  UNDEFINED(sttilecfg SCRATCH)
  UNDEFINED(hreset $0)
  UNDEFINED(loadiwkey %xmm0, %xmm1)
  UNDEFINED(aesenc128kl SCRATCH, %xmm0)
  /* Virtualization is not nested. */
  UNDEFINED(vmxon SCRATCH)
  UNDEFINED(vmlaunch)
  UNDEFINED(vmfunc)
  UNDEFINED(vmrun)
  UNDEFINED(vmload)
  UNDEFINED(clgi)
  UNDEFINED(stgi)
  UNDEFINED(skinit)
  UNDEFINED(invlpga)
  UNDEFINED(encls)
  UNDEFINED(enclu)
  UNDEFINED(getsec)
  UNDEFINED(rsm)
  UNDEFINED(.byte 0x66, 0x0f, 0x01, 0xcc)      /* tdcall */
  UNDEFINED(.byte 0xf2, 0x0f, 0x01, 0xff)      /* pvalidate */
  UNDEFINED(.byte 0xf3, 0x0f, 0x01, 0xff)      /* psmash */
  /* Vectors beyond AVX2, and those AMD alone had. */
  UNDEFINED(vaddps %zmm0, %zmm1, %zmm2)
  UNDEFINED(vaddps %xmm16, %xmm1, %xmm2)
  UNDEFINED(kmovw %k1, %eax)
  UNDEFINED(vpdpbusd %ymm0, %ymm1, %ymm16)
  UNDEFINED(extrq $1, $2, %xmm0)
  UNDEFINED(vfmaddps %xmm0, %xmm1, %xmm2, %xmm3)
  UNDEFINED(vprotb $1, %xmm0, %xmm1)
  UNDEFINED(bextr $1, %eax, %ecx)
  UNDEFINED(pfadd %mm0, %mm1)
  /* Encodings that are older instructions where they are not offered. */
  mov $SCRATCH, %eax
  .byte 0xf3, 0x0f, 0x1e, 0xfa                 /* endbr64 */
  .byte 0xf3, 0x0f, 0x09                       /* wbnoinvd */
  .byte 0x0f, 0x1c, 0x04, 0x25                 /* cldemote */
  .long SCRATCH
  .byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8           /* rdsspq %rax */
  EXPECT_EQ($SCRATCH, %eax)
  /* No performance counter is there to be read. */
  xor %ecx, %ecx
  EXPECT_FAULT(13, 0, rdpmc)
  /* Hypercalls: both vendors' instruction, -KVM_ENOSYS in ring 0, -KVM_EPERM in ring 3. */
  mov $0, %eax
  vmcall
  EXPECT_EQ($-1000, %rax)
  mov $0, %eax
  vmmcall
  EXPECT_EQ($-1000, %rax)
  SET_GATE 0x40, leave_user, 3
  ENTER_USER(user)
user:
  mov $0, %eax
  vmcall
  EXPECT_EQ($-1, %rax)
  EXPECT_FAULT(13, 0, .byte 0xf3, 0x0f, 0x09)
  EXPECT_FAULT(13, 0, rdpmc)
  UNDEFINED(monitor)
  int $0x40
leave_user:
  hlt
TABLES
END(undefined)
