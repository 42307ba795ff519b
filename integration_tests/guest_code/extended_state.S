/* XSAVE and its kin, FXSAVE: what is stored comes back, and only what was asked for (SDM vol. 1,
 * chapter 13). */
#include "integration_tests/guest_code/guest.inc"

#define AREA SCRATCH
#define XSTATE_BV (SCRATCH + 512)

#define LOAD_XMM(value, reg)       \
  mov $value, %ebx                ; \
  movd %ebx, reg
#define EXPECT_XMM(value, reg)     \
  movd reg, %ebx                  ; \
  EXPECT_EQ($value, %ebx)
#define FEATURES(mask)             \
  mov $mask, %eax                 ; \
  xor %edx, %edx

BEGIN(extended_state)
  SET_UP
  fninit
  fld1
  LOAD_XMM(11, %xmm3)
  vpcmpeqd %ymm5, %ymm5, %ymm5
  mov $AREA, %edi
  mov $1024 / 8, %ecx
  xor %eax, %eax
  rep stosq
  FEATURES(7)
  xsave AREA
  mov XSTATE_BV, %rax
  EXPECT_EQ($7, %rax)
  LOAD_XMM(12, %xmm3)
  vzeroall
  fninit
  FEATURES(7)
  xrstor AREA
  EXPECT_XMM(11, %xmm3)
  vextracti128 $1, %ymm5, %xmm6
  EXPECT_XMM(-1, %xmm6)
  fistpl SCRATCH + 2048
  mov SCRATCH + 2048, %eax
  EXPECT_EQ($1, %eax)
  /* Only SSE is asked for: the upper halves stay as they are. */
  vpxor %xmm5, %xmm5, %xmm5
  LOAD_XMM(13, %xmm3)
  FEATURES(2)
  xrstor AREA
  EXPECT_XMM(11, %xmm3)
  vextracti128 $1, %ymm5, %xmm6
  EXPECT_XMM(0, %xmm6)
  /* A component whose bit is clear in the area is initialised. */
  movq $0, XSTATE_BV
  FEATURES(7)
  xrstor AREA
  EXPECT_XMM(0, %xmm3)
  /* Compacted. */
  LOAD_XMM(14, %xmm7)
  FEATURES(7)
  xsavec AREA
  mov XSTATE_BV + 8, %rax
  btr $63, %rax
  jc 1f
  FAIL
1:
  LOAD_XMM(15, %xmm7)
  FEATURES(7)
  xrstor AREA
  EXPECT_XMM(14, %xmm7)
  /* FXSAVE. */
  LOAD_XMM(16, %xmm9)
  fxsave64 AREA
  LOAD_XMM(17, %xmm9)
  fxrstor64 AREA
  EXPECT_XMM(16, %xmm9)
  /* Misaligned, and reserved bits of the header and of MXCSR. */
  FEATURES(7)
  EXPECT_FAULT(13, 0, xsave AREA + 8)
  FEATURES(7)
  xsave AREA
  movq $8, XSTATE_BV
  FEATURES(7)
  EXPECT_FAULT(13, 0, xrstor AREA)
  movq $7, XSTATE_BV
  movl $0x80000000, AREA + 24
  FEATURES(7)
  EXPECT_FAULT(13, 0, xrstor AREA)
  /* XCR0. */
  xor %ecx, %ecx
  xgetbv
  EXPECT_EQ($7, %eax)
  mov $5, %eax
  xor %edx, %edx
  EXPECT_FAULT(13, 0, xsetbv)
  mov $3, %eax
  xsetbv
  EXPECT_FAULT(6, 0, vpxor %ymm1, %ymm1, %ymm1)
  mov $7, %eax
  xsetbv
  vpxor %ymm1, %ymm1, %ymm1
  hlt
TABLES
END(extended_state)
