# SPDX-License-Identifier: Apache-2.0
# prepare.sh: sourced by ./quickstart and ./check: install what is missing, configure, build.
# Sets CUDA (the toolkit's folder).  Needs root or sudo only if packages are missing.

PACKAGES="meson ninja-build gcc g++ pkg-config python3 libc6-dev libtirpc-dev rpcsvc-proto
	rpcbind libzstd-dev liblz4-dev uthash-dev libcmocka-dev procps iproute2"
CUDA_VERSION=13.0
CUDA_WHEELS="nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-runtime nvidia-cuda-cccl
	nvidia-cuda-profiler-api"

say() {
	printf '==> %s\n' "$*"
}

die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "packages are missing, and neither root nor sudo is here; install them: $missing"
	fi
}

install_packages() {
	missing=
	for package in $PACKAGES "$@"; do
		state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
		[ "$state" = "install ok installed" ] || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	say "installing$missing"
	export DEBIAN_FRONTEND=noninteractive
	as_root apt-get update -qq
	# shellcheck disable=SC2086
	as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# The toolkit at the usual place, or NVIDIA's wheels in a folder of the build.
find_cuda() {
	for CUDA in "${CUDA_HOME:-}" /usr/local/cuda "$PWD/build/cuda"; do
		[ -x "$CUDA/bin/nvcc" ] && [ -e "$CUDA/include/cuda.h" ] && return 0
	done
	fetch_cuda
}

fetch_cuda() {
	CUDA=$PWD/build/cuda
	say "no nvcc here: fetching NVIDIA's compiler as Python wheels (about 130 MB)"
	install_packages python3-venv
	rm -rf build/cuda build/cuda-venv
	mkdir -p build
	python3 -m venv build/cuda-venv
	for wheel in $CUDA_WHEELS; do
		set -- "$@" "$wheel==$CUDA_VERSION.*"
	done
	build/cuda-venv/bin/pip install -q --no-deps --disable-pip-version-check "$@"
	site=$(echo build/cuda-venv/lib/python3*/site-packages/nvidia/cu13)
	[ -x "$site/bin/nvcc" ] || die "the wheels have no nvcc at $site/bin"
	ln -s lib "$site/lib64"
	ln -s libcudart.so.13 "$site/lib/libcudart.so"
	# Programs that use the driver API link with -lcuda; the names are all that it takes.
	mkdir -p "$site/lib/stubs"
	sed 's/.*/void &(void) {}/' rpc/driver-names.txt |
		gcc -x c - -w -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$site/lib/stubs/libcuda.so"
	ln -s "$PWD/$site" build/cuda
}

# configure FOLDER [MESON-OPTION...]
configure() {
	folder=$1
	shift
	if [ ! -e "$folder/build.ninja" ]; then
		meson setup "$folder" -Dcuda="$CUDA" "$@" >"$folder.log" 2>&1 ||
			{ tail -n 20 "$folder.log" >&2; die "cannot configure; see $folder.log"; }
		rm -f "$folder.log"
	fi
}
