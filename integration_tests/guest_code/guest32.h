/* For programs that spend some time in 32-bit protected mode: the way there and back, and an IDT of
 * 32-bit gates whose handlers note what came. */

#define IDT32 0x190000
#define STACK32 0x2f0000
/* What the handlers note, and where they go on. */
#define TRAP_VECTOR (SCRATCH + 0xf00)
#define TRAP_ERROR (SCRATCH + 0xf04)
#define TRAP_EIP (SCRATCH + 0xf08)
#define TRAP_RESUME (SCRATCH + 0xf0c)
#define MSR_EFER 0xc0000080

/* From 64-bit code to 32-bit code of ring 0, flat, without paging; long mode is off. */
#define TO_PROTECTED_MODE          \
  ljmp *AT(97f)                   ; \
  97: .long AT(98f)               ; \
  .word KERNEL_CODE32             ; \
  .code32                         ; \
  98:                             ; \
  mov $KERNEL_DATA, %eax          ; \
  mov %eax, %ds                   ; \
  mov %eax, %es                   ; \
  mov %eax, %ss                   ; \
  mov $STACK32, %esp              ; \
  mov %cr0, %eax                  ; \
  and $0x7fffffff, %eax           ; \
  mov %eax, %cr0                  ; \
  mov $MSR_EFER, %ecx             ; \
  rdmsr                           ; \
  and $~0x100, %eax               ; \
  wrmsr                           ; \
  lidt AT(idt32_pointer)

/* And back, whatever kind of paging was on; as the 32-bit code ends in it, nothing is kept. */
#define TO_LONG_MODE               \
  mov %cr0, %eax                  ; \
  and $0x7fffffff, %eax           ; \
  mov %eax, %cr0                  ; \
  mov %cr4, %eax                  ; \
  or $0x20, %eax                  ; \
  mov %eax, %cr4                  ; \
  mov $PML4, %eax                 ; \
  mov %eax, %cr3                  ; \
  mov $MSR_EFER, %ecx             ; \
  rdmsr                           ; \
  or $0x900, %eax                 ; \
  wrmsr                           ; \
  mov %cr0, %eax                  ; \
  or $0x80000000, %eax            ; \
  mov %eax, %cr0                  ; \
  ljmp $KERNEL_CODE, $AT(97f)     ; \
  .code64                         ; \
  97:

#define EXPECT32_TRAP(vector, error, ...) \
  movl $-1, TRAP_VECTOR           ; \
  movl $AT(98f), TRAP_RESUME      ; \
  97: __VA_ARGS__                 ; \
  98:                             ; \
  EXPECT_LONG(vector, TRAP_VECTOR) ; \
  EXPECT_LONG(error, TRAP_ERROR)
#define EXPECT32_FAULT(vector, error, ...) \
  EXPECT32_TRAP(vector, error, __VA_ARGS__) ; \
  EXPECT_LONG(AT(97b), TRAP_EIP)

/* Overwrites EAX. */
.macro SET_GATE32 vector, handler, dpl=0
  movl $AT(\handler), %eax
  mov %ax, IDT32 + \vector * 8
  movw $KERNEL_CODE32, IDT32 + \vector * 8 + 2
  movb $0, IDT32 + \vector * 8 + 4
  movb $(0x8e | (\dpl << 5)), IDT32 + \vector * 8 + 5
  shr $16, %eax
  mov %ax, IDT32 + \vector * 8 + 6
.endm

.macro TRAP32 vector, has_error
trap32_\vector:
  .if \has_error
  popl TRAP_ERROR
  .else
  movl $0, TRAP_ERROR
  .endif
  movl $\vector, TRAP_VECTOR
  popl TRAP_EIP
  pushl TRAP_RESUME
  iretl
.endm

#define SET_UP32                   \
  SET_GATE32 0, trap32_0          ; \
  SET_GATE32 3, trap32_3, 3       ; \
  SET_GATE32 4, trap32_4, 3       ; \
  SET_GATE32 5, trap32_5          ; \
  SET_GATE32 6, trap32_6          ; \
  SET_GATE32 10, trap32_10        ; \
  SET_GATE32 11, trap32_11        ; \
  SET_GATE32 12, trap32_12        ; \
  SET_GATE32 13, trap32_13        ; \
  SET_GATE32 14, trap32_14

#define TABLES32                   \
  .code32                         ; \
  TRAP32 0, 0                     ; \
  TRAP32 3, 0                     ; \
  TRAP32 4, 0                     ; \
  TRAP32 5, 0                     ; \
  TRAP32 6, 0                     ; \
  TRAP32 10, 1                    ; \
  TRAP32 11, 1                    ; \
  TRAP32 12, 1                    ; \
  TRAP32 13, 1                    ; \
  TRAP32 14, 1                    ; \
  .code64                         ; \
  idt32_pointer:                  ; \
  .word 0x7ff                     ; \
  .long IDT32
