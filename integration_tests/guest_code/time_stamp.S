/* The time-stamp counter: reading, setting, adjusting it, TSC_AUX, CR4.TSD (SDM vol. 3, 17.17). */
#include "integration_tests/guest_code/guest.inc"

#define MSR_TSC 0x10
#define MSR_TSC_ADJUST 0x3b
#define MSR_TSC_AUX 0xc0000103
#define TSD (1 << 2)

/* The counter in `to`. */
#define READ_TSC(to)               \
  rdtsc                           ; \
  shl $32, %rdx                   ; \
  or %rdx, %rax                   ; \
  mov %rax, to
/* An MSR in RAX; one from RAX. */
#define READ_MSR(msr)              \
  mov $msr, %ecx                  ; \
  rdmsr                           ; \
  shl $32, %rdx                   ; \
  or %rdx, %rax
#define WRITE_RAX(msr)             \
  mov $msr, %ecx                  ; \
  mov %rax, %rdx                  ; \
  shr $32, %rdx                   ; \
  wrmsr
#define EXPECT_NOT_BELOW(low, value) \
  cmp low, value                  ; \
  jae 99f                         ; \
  FAIL                            ; \
  99:

BEGIN(time_stamp)
  SET_UP
  READ_TSC(%r8)
  READ_TSC(%r9)
  EXPECT_NOT_BELOW(%r8, %r9)
  READ_MSR(MSR_TSC)
  EXPECT_NOT_BELOW(%r9, %rax)
  /* A counter that is set goes on from there, and the adjustment says by how much it was moved. */
  movabs $0x4000000000000000, %rbx
  mov %rbx, %rax
  WRITE_RAX(MSR_TSC)
  READ_TSC(%r8)
  EXPECT_NOT_BELOW(%rbx, %r8)
  sub %rbx, %r8
  mov $0x1000000000, %rax
  EXPECT_NOT_BELOW(%r8, %rax)
  READ_MSR(MSR_TSC_ADJUST)
  mov %rax, %r10
  test %rax, %rax
  jnz 1f
  FAIL
1:
  /* An adjustment that is changed moves the counter as much. */
  movabs $0x0100000000000000, %r11
  mov %r10, %rax
  add %r11, %rax
  mov %rax, %r12
  WRITE_RAX(MSR_TSC_ADJUST)
  READ_MSR(MSR_TSC_ADJUST)
  EXPECT_EQ(%r12, %rax)
  READ_TSC(%r8)
  add %r11, %rbx
  EXPECT_NOT_BELOW(%rbx, %r8)
  sub %rbx, %r8
  mov $0x1000000000, %rax
  EXPECT_NOT_BELOW(%r8, %rax)
  /* TSC_AUX by both its readers; its upper half is reserved. */
  mov $0x12345678, %eax
  WRITE_RAX(MSR_TSC_AUX)
  mov $-1, %rcx
  rdtscp
  EXPECT_EQ($0x12345678, %rcx)
  mov $-1, %rcx
  rdpid %rcx
  EXPECT_EQ($0x12345678, %rcx)
  mov $1, %edx
  mov $MSR_TSC_AUX, %ecx
  EXPECT_FAULT(13, 0, wrmsr)
  /* CR4.TSD keeps ring 3 from the counter, not ring 0, and not from TSC_AUX. */
  mov %cr4, %rax
  or $TSD, %eax
  mov %rax, %cr4
  rdtsc
  rdtscp
  SET_GATE 0x40, leave_user, 3
  ENTER_USER(user)
user:
  EXPECT_FAULT(13, 0, rdtsc)
  EXPECT_FAULT(13, 0, rdtscp)
  rdpid %rcx
  EXPECT_EQ($0x12345678, %rcx)
  int $0x40
leave_user:
  mov %cr4, %rax
  and $~TSD, %eax
  mov %rax, %cr4
  hlt
TABLES
END(time_stamp)
