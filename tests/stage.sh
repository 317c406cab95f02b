#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# stage.sh BUILD GUEST_BUILD: the libraries as they lie when installed, as links into the
# build folders.
set -eu
lib=$1/lib/outboard guest=$2/guest-shim
mkdir -p "$lib/guest" "$lib/soft"
ln -sf "$guest/libcuda/libcuda.so.1" "$lib/guest/libcuda.so.1"
for major in 12 13; do
	ln -sf "$guest/libcudart/libcudart.so.$major" "$lib/guest/libcudart.so.$major"
done
ln -sf "$1/soft-device/libcuda.so.1" "$lib/soft/libcuda.so.1"
ln -sf "$1/host-server/outboard-worker" "$lib/outboard-worker"
