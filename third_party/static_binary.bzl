"""Programs with Debian's libraries linked into them."""

# What libgrpc++, libprotobuf and the other libraries of a part need, as pkg-config --static says.
# A group, as they refer to each other in circles.
_ABSL = [
    "bad_optional_access",
    "bad_variant_access",
    "base",
    "city",
    "civil_time",
    "cord",
    "cord_internal",
    "cordz_functions",
    "cordz_handle",
    "cordz_info",
    "debugging_internal",
    "demangle_internal",
    "exponential_biased",
    "graphcycles_internal",
    "hash",
    "hashtablez_sampler",
    "int128",
    "log_severity",
    "low_level_hash",
    "malloc_internal",
    "random_distributions",
    "random_internal_platform",
    "random_internal_pool_urbg",
    "random_internal_randen",
    "random_internal_randen_hwaes",
    "random_internal_randen_hwaes_impl",
    "random_internal_randen_slow",
    "random_internal_seed_material",
    "random_seed_gen_exception",
    "random_seed_sequences",
    "raw_hash_set",
    "raw_logging_internal",
    "spinlock_wait",
    "stacktrace",
    "status",
    "statusor",
    "str_format_internal",
    "strerror",
    "strings",
    "strings_internal",
    "symbolize",
    "synchronization",
    "throw_delegate",
    "time",
    "time_zone",
]
_OTHERS = [
    "grpc++",
    "grpc",
    "gpr",
    "upb",
    "address_sorting",
    "re2",
    "cares",
    "ssl",
    "crypto",
    "protobuf",
    "z",
]

_STATIC = [
    # At an address of chance, as any program; its relocations packed (gold cannot).
    "-static-pie",
    "-fuse-ld=bfd",
    "-Wl,-z,pack-relative-relocs",
    "-Wl,--gc-sections",
    "-Wl,--wrap=dlopen",
    "-Wl,--start-group",
] + ["-l" + name for name in _OTHERS] + ["-labsl_" + name for name in _ABSL] + [
    "-Wl,--end-group",
]

def static_binary(name, deps, **kwargs):
    """A cc_binary that needs no shared library, but in the sanitizers' configurations.

    Parts start while a guest waits and die while a guest waits: sixty libraries are most of what
    both cost (docs/decisions/011-static-parts.md).
    """
    native.cc_binary(
        name = name,
        linkopts = select({
            "//third_party:shared": [],
            "//conditions:default": _STATIC,
        }),
        deps = deps + select({
            "//third_party:shared": [],
            "//conditions:default": ["//third_party:no_names"],
        }),
        **kwargs
    )
