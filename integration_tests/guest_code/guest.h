/* What the guest programs of this folder share: where they lie, how they say that something is wrong,
 * and a set of descriptor tables. GNU assembler, run through the C preprocessor.
 *
 * A program is data to the test that runs it; it is entered in 64-bit mode, ring 0, with RAM mapped
 * one to one. It ends with HLT. A check that fails writes its line number to port 0xf4. */

#define LOAD_ADDRESS 0x100000
#define IDT 0x180000
#define SCRATCH 0x200000
/* Base of the 16-bit code segment: what real mode runs is copied there. */
#define REAL_MODE_CODE 0x8000

/* The tables that map RAM: one of each level, the directory's entries 2 MiB pages for everybody. */
#define PML4 0x1000
#define PAGE_DIRECTORY 0x3000

#define FAIL_PORT 0xf4
/* A vector written here comes as an interrupt as soon as it can be taken, or as an NMI. */
#define INTERRUPT_PORT 0xf5
#define NMI_PORT 0xf6

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE32 0x1b
#define USER_DATA 0x23
#define USER_CODE 0x2b
#define KERNEL_CODE32 0x30
#define KERNEL_CODE16 0x38
#define DATA16 0x40
#define TSS_SELECTOR 0x48
/* The first of eight descriptors that a program may fill. */
#define OWN_SELECTOR 0x58
/* A descriptor's place in memory. */
#define GDT_ENTRY(selector) (AT(gdt) + ((selector) & ~7))

#define RSP0 0x2f0000
#define IST1 0x2e0000

#define BEGIN(name)                \
  .section .rodata                ; \
  .globl name##_begin             ; \
  .globl name##_end               ; \
  .balign 16                      ; \
  program_begin:                  ; \
  name##_begin:                   ; \
  .code64

#define END(name) name##_end: .byte 0

/* The address of a label once the program is loaded. */
#define AT(label) ((label) - program_begin + LOAD_ADDRESS)

/* Reports this line and goes on. */
#define FAIL                       \
  mov $__LINE__, %eax             ; \
  out %eax, $FAIL_PORT

#define EXPECT_EQ(value, to)       \
  cmp value, to                   ; \
  je 99f                          ; \
  FAIL                            ; \
  99:

#define EXPECT_LONG(value, memory) \
  cmpl $value, memory             ; \
  je 99f                          ; \
  FAIL                            ; \
  99:

/* One instruction that must take an exception: R14 is then its vector, R13 its error code, R12 the
 * RIP that was pushed. */
#define EXPECT_TRAP(vector, error, ...) \
  mov $-1, %r14                   ; \
  lea 98f(%rip), %r15             ; \
  97: __VA_ARGS__                 ; \
  98:                             ; \
  EXPECT_EQ($vector, %r14)        ; \
  EXPECT_EQ($error, %r13)

/* As EXPECT_TRAP, a fault: what was pushed is the instruction itself. */
#define EXPECT_FAULT(vector, error, ...) \
  EXPECT_TRAP(vector, error, __VA_ARGS__) ; \
  lea 97b(%rip), %rax             ; \
  EXPECT_EQ(%rax, %r12)

/* To ring 3, 64-bit, at a label. */
#define ENTER_USER(label)          \
  pushq $USER_DATA                ; \
  pushq $0x280000                 ; \
  pushq $2                        ; \
  pushq $USER_CODE                ; \
  pushq $AT(label)                ; \
  iretq

/* Sets an IDT gate to `handler`. Overwrites RAX. */
.macro SET_GATE vector, handler, dpl=0, ist=0
  movl $AT(\handler), %eax
  mov %ax, IDT + \vector * 16
  movw $KERNEL_CODE, IDT + \vector * 16 + 2
  movb $\ist, IDT + \vector * 16 + 4
  movb $(0x8e | (\dpl << 5)), IDT + \vector * 16 + 5
  shr $16, %eax
  mov %ax, IDT + \vector * 16 + 6
  movl $0, IDT + \vector * 16 + 8
.endm

/* Loads descriptor tables and a gate for every exception the tests provoke. */
#define SET_UP                     \
  lgdt AT(gdt_pointer)            ; \
  lidt AT(idt_pointer)            ; \
  mov $TSS_SELECTOR, %ax          ; \
  ltr %ax                         ; \
  SET_GATE 0, trap0               ; \
  SET_GATE 1, trap1               ; \
  SET_GATE 3, trap3, 3            ; \
  SET_GATE 6, trap6               ; \
  SET_GATE 7, trap7               ; \
  SET_GATE 10, trap10             ; \
  SET_GATE 11, trap11             ; \
  SET_GATE 12, trap12             ; \
  SET_GATE 13, trap13             ; \
  SET_GATE 14, trap14             ; \
  SET_GATE 0x30, trap48, 3

.macro TRAP vector, has_error
trap\vector:
  .if \has_error
  pop %r13
  .else
  xor %r13d, %r13d
  .endif
  mov $\vector, %r14
  mov (%rsp), %r12
  mov %r15, (%rsp)
  iretq
.endm

/* Tables and handlers; after the program's HLT. The TSS lets ring 3 at the port of failures alone. */
#define TABLES                     \
  TRAP 0, 0                       ; \
  TRAP 1, 0                       ; \
  TRAP 3, 0                       ; \
  TRAP 6, 0                       ; \
  TRAP 7, 0                       ; \
  TRAP 10, 1                      ; \
  TRAP 11, 1                      ; \
  TRAP 12, 1                      ; \
  TRAP 13, 1                      ; \
  TRAP 14, 1                      ; \
  TRAP 48, 0                      ; \
  .balign 16                      ; \
  gdt:                            ; \
  .quad 0                         ; \
  .quad 0x00af9b000000ffff        ; \
  .quad 0x00cf93000000ffff        ; \
  .quad 0x00cffb000000ffff        ; \
  .quad 0x00cff3000000ffff        ; \
  .quad 0x00affb000000ffff        ; \
  .quad 0x00cf9b000000ffff        ; \
  .quad 0x00009b000000ffff | (REAL_MODE_CODE << 16) ; \
  .quad 0x000093000000ffff        ; \
  .quad 0x0000890000000088 | ((AT(tss) & 0xffffff) << 16) ; \
  .quad 0                         ; \
  .fill 8, 8                      ; \
  gdt_pointer:                    ; \
  .word gdt_pointer - gdt - 1     ; \
  .quad AT(gdt)                   ; \
  idt_pointer:                    ; \
  .word 0xfff                     ; \
  .quad IDT                       ; \
  .balign 16                      ; \
  tss:                            ; \
  .long 0                         ; \
  .quad RSP0                      ; \
  .fill 24                        ; \
  .quad IST1                      ; \
  .fill 58                        ; \
  .word 0x68                      ; \
  .fill 30, 1, 0xff               ; \
  .byte 0x0f                      ; \
  .fill 2, 1, 0xff
