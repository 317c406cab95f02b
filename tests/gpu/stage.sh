#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# stage.sh BUILD STAGE [MICROBENCH.cu]: gather what tests/gpu/run.sh needs on a machine with
# a GPU that has neither our sources' dependencies nor a network: binaries, libraries,
# samples, and the microbenchmark built as a user would build it.
set -euo pipefail
build=$1 stage=$2 microbench=${3:-}
cuda=${CUDA_HOME:-/usr/local/cuda}
rm -rf "$stage"
mkdir -p "$stage/bin" "$stage/samples" "$stage/lib/outboard" "$stage/deps"
cp -L "$build/cli/outboard" "$build/host-server/outboardd" "$stage/bin/"
cp -rL "$build/lib/outboard/." "$stage/lib/outboard/"
for sample in "$build"/samples/*_shared "$build"/samples/*_static "$build"/samples/driver_ptx \
	"$build"/tests/e2e/busy "$build"/tests/e2e/driver_api; do
	[ -d "$sample" ] || cp "$sample" "$stage/samples/"
done
if [ -n "$microbench" ]; then
	for kind in shared static; do
		"$cuda/bin/nvcc" -O2 -arch=sm_90 -cudart $kind "$microbench" \
			-o "$stage/samples/microbench_$kind"
	done
	mv "$stage"/samples/microbench_* "$stage/bin/"
fi
# Libraries of ours that a GPU machine may lack; libc and its friends stay behind.
for binary in "$stage"/bin/outboard* "$stage"/lib/outboard/outboard-worker \
	"$stage"/lib/outboard/*/*.so*; do
	ldd "$binary" 2>/dev/null | awk '$3 ~ /^\// { print $3 }'
done | sort -u | grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv|ld-linux.*|libcuda|libstdc\+\+|libgcc_s)\.so' |
	xargs -r -I{} cp -L {} "$stage/deps/"
find "$stage" -type f -not -name '*.so*' -size +100k -exec strip --strip-debug {} + 2>/dev/null || true
find "$stage/lib" -type f -exec strip --strip-debug {} +
du -sh "$stage"
