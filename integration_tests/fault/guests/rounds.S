/* A Multiboot kernel that goes round the machine's services: in each round it leaves a number of its
 * own with every one that keeps numbers, and asks it back; the timer's interrupts come all the while.
 * Every 256 rounds it says on a line how far it is. An answer of all ones, which is what absent
 * hardware gives, is counted and asked for again; any other that is not what was left ends it. A byte
 * on COM1 makes it say what it has counted, another one leave. */
#include "integration_tests/boot_kernels/print.inc"
#include "integration_tests/boot_kernels/timer_interrupts.inc"

#define COM1_SCRATCH 0x3ff
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_FREE_BYTE 0x40
#define PM1_ENABLE 0x602
#define POWER_BUTTON_ENABLE_BIT 8
#define NOBODY 0x1234
#define IOAPIC_SELECT 0xfec00000
#define IOAPIC_WINDOW 0xfec00010
#define ENTRY_20_HIGH 0x39 /* masked from reset on */
#define APIC_LOGICAL_DESTINATION 0xfee000d0
#define APIC_INITIAL_COUNT 0xfee00380

#define DIVISOR 2386        /* 2 ms */
#define ROUNDS_A_LINE 256

.macro OUT_DX port, value
  mov $\port, %dx
  out \value, %dx
.endm
/* Does `ask`, which leaves an answer in EAX, until that is not `ones`; it must be EBX. */
.macro EXPECT name, ones, ask:vararg
  9994: \ask
  cmp %ebx, %eax
  je 9996f
  cmp $\ones, %eax
  jne 9995f
  incl absent
  jmp 9994b
  9995: mov %eax, answer
  SAY "WRONG: \name said "
  SAY_HEX answer
  SAY " for "
  SAY_HEX %ebx
  SAY " in round "
  SAY_HEX %ebp
  SAY "\n"
  LEAVE 1
  9996:
.endm

  MULTIBOOT_HEADER

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  SET_UP_TIMER_INTERRUPTS DIVISOR
  sti
  xor %ebp, %ebp
round:
  inc %ebp
  call go_round
  test $ROUNDS_A_LINE - 1, %ebp
  jnz round
  SAY "round "
  SAY_HEX %ebp
  SAY " ticks "
  SAY_HEX ticks
  SAY " absent "
  SAY_HEX absent
  SAY "\n"
  mov $COM1_LINE_STATUS, %dx
  in %dx, %al
  test $COM1_DATA_READY, %al
  jz round
  cli
  SAY "end: holes read "
  SAY_HEX holes
  SAY " unexpected "
  SAY_HEX unexpected
  SAY "\n"
  call take_byte
  call take_byte
  LEAVE 0

go_round:
  /* timer_svc: a byte of CMOS memory. */
  mov %ebp, %ebx
  and $0xff, %ebx
  WRITE_PORT CMOS_INDEX, CMOS_FREE_BYTE
  mov %bl, %al
  out %al, $CMOS_DATA
  EXPECT "timer_svc", 0xff, call read_cmos
  /* serial_svc: the scratch register. */
  mov %bl, %al
  OUT_DX COM1_SCRATCH, %al
  EXPECT "serial_svc", 0xff, call read_scratch
  /* vcpu_svc: the logical destination of an APIC to which nothing is sent; and its timer, whose
   * interrupt is masked, so that it has something to say to timer_svc. */
  movl $0xffffffff, APIC_INITIAL_COUNT
  shl $24, %ebx
  mov %ebx, APIC_LOGICAL_DESTINATION
  EXPECT "vcpu_svc", 0xffffffff, mov APIC_LOGICAL_DESTINATION, %eax
  /* ioapic_svc: the destination of an entry that is masked. */
  movl $ENTRY_20_HIGH, IOAPIC_SELECT
  mov %ebx, IOAPIC_WINDOW
  EXPECT "ioapic_svc", 0xffffffff, mov IOAPIC_WINDOW, %eax
  /* power_svc: the power button's enable bit. */
  mov %ebp, %ebx
  and $1, %ebx
  shl $POWER_BUTTON_ENABLE_BIT, %ebx
  mov %ebx, %eax
  OUT_DX PM1_ENABLE, %ax
  EXPECT "power_svc", 0xffff, call read_pm1_enable
  /* mmu_svc: nobody there. */
  mov $0xff, %ebx
  EXPECT "mmu_svc", 0x100, call read_nobody
  ret

read_cmos:
  xor %eax, %eax
  in $CMOS_DATA, %al
  ret
read_scratch:
  xor %eax, %eax
  mov $COM1_SCRATCH, %dx
  in %dx, %al
  ret
read_pm1_enable:
  xor %eax, %eax
  mov $PM1_ENABLE, %dx
  in %dx, %ax
  ret
read_nobody:
  xor %eax, %eax
  mov $NOBODY, %dx
  in %dx, %al
  incl holes
  ret

timer_interrupt:
  push %eax
  incl ticks
  WRITE_PORT PIC_MASTER, END_OF_INTERRUPT
  pop %eax
  iret

unexpected_interrupt:
  incl unexpected
  iret

PRINT_ROUTINES
  .text
TIMER_INTERRUPT_ROUTINES

  .bss
  /* Away from the code: an engine that translates has to watch pages with code for writes. */
  .balign 4096
ticks:
  .long 0
absent:
  .long 0
holes:
  .long 0
unexpected:
  .long 0
answer:
  .long 0
  .balign 16
  .fill 4096
stack_top:
