/* Compatibility, protected and real mode, and the way back to 64-bit mode (SDM vol. 3, 9.8 and 9.9). */
#include "integration_tests/guest_code/guest.inc"

#define RESULT (SCRATCH + 0x100)
#define REAL_MARK 0x7800

/* In 32-bit code: notes the line and goes on. */
#define EXPECT32(value, to)        \
  cmp value, to                   ; \
  je 99f                          ; \
  movl $__LINE__, RESULT          ; \
  99:

BEGIN(legacy_modes)
  SET_UP
  movl $0, RESULT
  movl $0, REAL_MARK
  /* Compatibility mode. */
  mov $AT(real_begin), %esi
  mov $REAL_MODE_CODE, %edi
  mov $(real_end - real_begin), %ecx
  rep movsb
  ljmp *AT(to_compatibility)
to_compatibility:
  .long AT(compatibility)
  .word KERNEL_CODE32
.code32
compatibility:
  mov $KERNEL_DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $0x2f0000, %esp
  /* Instructions 64-bit mode does not have. */
  mov $0x0f, %eax
  add $1, %al
  daa
  EXPECT32($0x16, %al)
  mov $0x0105, %eax
  aad
  EXPECT32($15, %al)
  aam
  EXPECT32($0x0105, %ax)
  mov $0x000b, %eax
  aaa
  EXPECT32($0x0101, %ax)
  pushal
  mov %esp, %ebx
  popal
  EXPECT32($0x2f0000, %esp)
  inc %eax
  EXPECT32($0x0102, %ax)
  push %es
  pop %ecx
  EXPECT32($KERNEL_DATA, %cx)
  movl $0x1234, SCRATCH
  movw $KERNEL_DATA, SCRATCH + 4
  les SCRATCH, %edi
  EXPECT32($0x1234, %edi)
  /* Addresses wrap at 4 GiB. */
  mov $0xffffffff, %ebx
  mov SCRATCH + 1(%ebx), %ecx
  EXPECT32($0x1234, %ecx)
  enter $16, $0
  EXPECT32($(0x2f0000 - 20), %esp)
  leave
  EXPECT32($0x2f0000, %esp)
  /* To protected mode without paging, to real mode and back. */
  mov %cr0, %eax
  and $0x7fffffff, %eax
  mov %eax, %cr0
  mov $0xc0000080, %ecx
  rdmsr
  and $~0x100, %eax
  wrmsr
  lidt AT(real_idt_pointer)
  ljmp $KERNEL_CODE16, $(protected16 - real_begin)
back32:
  mov $KERNEL_DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $0x2f0000, %esp
  mov $0xc0000080, %ecx
  rdmsr
  or $0x100, %eax
  wrmsr
  mov %cr0, %eax
  or $0x80000000, %eax
  mov %eax, %cr0
  ljmp $KERNEL_CODE, $AT(back64)
.code64
back64:
  mov RESULT, %eax
  test %eax, %eax
  jz 1f
  out %eax, $FAIL_PORT
1:
  mov REAL_MARK, %eax
  EXPECT_EQ($0x4321, %eax)
  hlt
real_idt_pointer:
  .word 0x3ff
  .quad 0
real_begin:
.code16
protected16:
  mov $DATA16, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %ss
  mov %cr0, %eax
  and $~1, %al
  mov %eax, %cr0
  ljmp $(REAL_MODE_CODE >> 4), $(real - real_begin)
real:
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %ss
  mov $0x7000, %sp
  mov $0x9000, %ax
  mov %ax, %es
  /* Segment arithmetic, and 16-bit address wrap. */
  movw $0x4321, %es:0x10
  mov $0x9001, %ax
  mov %ax, %fs
  mov $0xffff, %bx
  mov %fs:1(%bx), %cx
  cmp $0x4321, %cx
  jne real_failed
  /* INT through the vector table, and IRET. */
  movw $(real_handler - real_begin), 0x20 * 4
  movw $(REAL_MODE_CODE >> 4), 0x20 * 4 + 2
  xor %dx, %dx
  stc
  int $0x20
  jnc real_failed
  cmp $1, %dx
  jne real_failed
  cmp $0x7000, %sp
  jne real_failed
  /* CALL and RET, near and far; LOOP counts CX. */
  mov $3, %ecx
1:
  call real_near
  loop 1b
  lcall $(REAL_MODE_CODE >> 4), $(real_far - real_begin)
  cmp $14, %dx
  jne real_failed
  movl $0x4321, REAL_MARK
real_failed:
  mov %cr0, %eax
  or $1, %al
  mov %eax, %cr0
  ljmpl $KERNEL_CODE32, $AT(back32)
real_near:
  inc %dx
  ret
real_far:
  add $10, %dx
  lret
real_handler:
  inc %dx
  iret
real_end:
.code64
TABLES
END(legacy_modes)
