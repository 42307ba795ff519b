/* A Multiboot kernel that asks one service again and again and says how long it had to wait when that
 * was long. A byte on COM1 chooses the service; another one ends it. With each answer goes a check: a
 * number that was left with the service before is asked back where it keeps one. */
#include "integration_tests/boot_kernels/print.inc"
#include "bench/guests/clock.inc"

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

/* Longer waits are told; in ticks of the time-stamp counter, some 60 us. */
#define LONG 150000
/* Rounds between two looks at COM1. */
#define ROUNDS 64

  MULTIBOOT_HEADER

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  SAY_CLOCK
  call take_byte
  mov $choices, %esi
2: cmp %al, (%esi)
  je 3f
  add $8, %esi
  jmp 2b
3: mov 4(%esi), %edi
  movl $1, %ebp
  rdtsc
  mov %eax, %esi
/* ESI: when the last answer came. EDI: what asks. EBP: the number. */
ask:
  mov $ROUNDS, %ecx
4: push %ecx
  inc %ebp
  call *%edi
  incl asked
  rdtsc
  mov %eax, %ecx
  sub %esi, %ecx
  mov %eax, %esi
  cmp $LONG, %ecx
  jb 5f
  SAY "gap "
  SAY_HEX %ecx
  SAY "\n"
  rdtsc
  mov %eax, %esi
5: pop %ecx
  dec %ecx
  jnz 4b
  mov $COM1_LINE_STATUS, %edx
  in %dx, %al
  test $COM1_DATA_READY, %al
  jnz 6f
  rdtsc
  mov %eax, %esi
  jmp ask
6: SAY "asked="
  SAY_HEX asked
  SAY " wrong="
  SAY_HEX wrong
  SAY "\n"
  call take_byte
  call take_byte
  LEAVE 0

/* AL must be the low byte of EBP. */
expect_byte:
  mov %ebp, %edx
  cmp %dl, %al
  je 1f
  incl wrong
  1: ret

ask_timer:
  mov $CMOS_FREE_BYTE, %al
  out %al, $CMOS_INDEX
  mov %ebp, %eax
  out %al, $CMOS_DATA
  in $CMOS_DATA, %al
  jmp expect_byte
ask_serial:
  mov $COM1_SCRATCH, %edx
  mov %ebp, %eax
  out %al, %dx
  in %dx, %al
  jmp expect_byte
ask_vcpu:
  mov %ebp, %eax
  shl $24, %eax
  mov %eax, APIC_LOGICAL_DESTINATION
  mov APIC_LOGICAL_DESTINATION, %eax
  shr $24, %eax
  jmp expect_byte
ask_ioapic:
  movl $ENTRY_20_HIGH, IOAPIC_SELECT
  mov %ebp, %eax
  shl $24, %eax
  mov %eax, IOAPIC_WINDOW
  mov IOAPIC_WINDOW, %eax
  shr $24, %eax
  jmp expect_byte
ask_power:
  mov %ebp, %eax
  and $1, %eax
  shl $POWER_BUTTON_ENABLE_BIT, %eax
  mov $PM1_ENABLE, %edx
  out %ax, %dx
  in %dx, %ax
  shr $POWER_BUTTON_ENABLE_BIT, %eax
  xor %ebp, %eax
  test $1, %eax
  jz 1f
  incl wrong
  1: ret
ask_mmu:
  mov $NOBODY, %edx
  in %dx, %al
  cmp $0xff, %al
  je 1f
  incl wrong
  1: ret

PRINT_ROUTINES

  .section .rodata
  .balign 4
choices:
  .long 't', ask_timer
  .long 's', ask_serial
  .long 'v', ask_vcpu
  .long 'i', ask_ioapic
  .long 'p', ask_power
  .long 'm', ask_mmu

  .bss
  .balign 4096
asked:
  .long 0
wrong:
  .long 0
  .balign 16
  .fill 4096
stack_top:
