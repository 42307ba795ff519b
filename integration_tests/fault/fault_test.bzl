"""hv_fault_test: the faults of one service, with real processes."""

def hv_fault_test(name, srcs):
    native.cc_test(
        name = name,
        srcs = srcs,
        tags = [
            # Each has a guest that keeps the host's cores busy.
            "exclusive",
            # Guests on sanitized engines take minutes and show what the unit tests show sooner.
            "no-asan",
            "no-tsan",
        ],
        deps = [
            "//integration_tests/fault:service_faults",
            "//third_party:gtest",
        ],
    )
