/* A fault that nothing can be done about: no handler for it, none for the double fault (SDM vol. 3,
 * 6.15). */
#include "integration_tests/guest_code/guest.inc"

BEGIN(triple_fault)
  mov $0x1234, %ebx
  mov $(1f - program_begin), %ecx
  lidt AT(no_table)
1:
  ud2
no_table:
  .word 0
  .quad 0
END(triple_fault)
