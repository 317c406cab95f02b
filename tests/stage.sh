#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# stage.sh BUILD: the libraries as they lie when installed, as links into the build folder.
set -eu
lib=$1/lib/outboard
mkdir -p "$lib/guest" "$lib/soft"
ln -sf ../../../guest-shim/libcuda/libcuda.so.1 "$lib/guest/libcuda.so.1"
for major in 12 13; do
	ln -sf ../../../guest-shim/libcudart/libcudart.so.$major "$lib/guest/libcudart.so.$major"
done
ln -sf ../../../soft-device/libcuda.so.1 "$lib/soft/libcuda.so.1"
ln -sf ../../host-server/outboard-worker "$lib/outboard-worker"
