"""hv_proto_library: C++ messages and gRPC stubs of .proto files, made by Debian's protoc."""

def hv_proto_library(name, srcs, deps = [], services = False, visibility = None):
    """Generates and compiles .pb.{h,cc}, and for services .grpc.pb.{h,cc} too.

    Included by path from the root of the tree: #include "proto/hv/v1/machine.pb.h".

    Args:
      name: the cc_library; `name`_srcs is the filegroup of its .proto files.
      srcs: .proto files, named from this package.
      deps: other hv_proto_library targets whose files these import.
      services: whether the files define any; without, nothing of gRPC is linked.
      visibility: as everywhere.
    """
    native.filegroup(
        name = name + "_srcs",
        srcs = srcs + [dep + "_srcs" for dep in deps],
        visibility = ["//visibility:public"],
    )
    stems = [src[:-len(".proto")] for src in srcs]
    kinds = [".pb", ".grpc.pb"] if services else [".pb"]
    headers = [stem + kind + ".h" for stem in stems for kind in kinds]
    sources = [stem + kind + ".cc" for stem in stems for kind in kinds]
    grpc_options = [
        "--grpc_out=$(GENDIR)",
        "--plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin)",
    ]
    native.genrule(
        name = name + "_generate",
        srcs = [":" + name + "_srcs"],
        outs = headers + sources,
        cmd = " ".join(
            ["protoc -I. --cpp_out=$(GENDIR)"] + (grpc_options if services else []) +
            [native.package_name() + "/" + src for src in srcs],
        ),
    )
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        copts = ["-w"],
        visibility = visibility,
        deps = deps + ["//third_party:grpc" if services else "//third_party:protobuf"],
    )
