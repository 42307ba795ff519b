/* How the headers of abi/ pin down their structs, in C11 and in C++ alike: whoever compiles one
 * with another layout is told at once. */
#ifndef HV_ABI_LAYOUT_H_
#define HV_ABI_LAYOUT_H_

#include <assert.h>
#include <stddef.h>

#define HV_SIZE(type, bytes) \
  static_assert(sizeof(struct type) == (bytes), #type " is " #bytes " bytes")
#define HV_OFFSET(type, member, bytes) \
  static_assert(offsetof(struct type, member) == (bytes), #type "." #member " lies at " #bytes)

#endif /* HV_ABI_LAYOUT_H_ */
