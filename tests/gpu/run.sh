#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh STAGE [OUT]: on a machine with a GPU: every sample natively, then through the daemon
# on NVIDIA's driver over TCP and over a unix socket, and the microbenchmark.  Ends with tables.
# STAGE comes from tests/gpu/stage.sh.  Logs go to OUT.
set -uo pipefail
stage=$(realpath "$1") out=${2:-$(mktemp -d)}
mkdir -p "$out"
port=${PORT:-18661}
cudart=${CUDA_HOME:-/usr/local/cuda}/lib64
export OUTBOARD_LIBDIR=$stage/lib/outboard
server=tcp://127.0.0.1:$port
rows=()

# timed LOG COMMAND...: PASS, or why not.
timed() {
	local log=$1
	shift
	timeout 60 "$@" >"$log" 2>&1
	local rc=$?
	if [ $rc -eq 0 ] && [ "$(tail -n 1 "$log")" = PASS ]; then
		echo PASS
	elif [ $rc -eq 124 ]; then
		echo TIMEOUT
	else
		echo "FAIL($rc)"
	fi
}

through=(env LD_LIBRARY_PATH="$stage/deps" "$stage/bin/outboard" run --server "$server")
near=(env LD_LIBRARY_PATH="$stage/deps" "$stage/bin/outboard" run --server "unix://$out/socket")

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
LD_LIBRARY_PATH=$stage/deps "$stage/bin/outboardd" --listen "$server" \
	--listen "unix://$out/socket" --driver auto --workers 2 --cache "$out/cache" --log info \
	>"$out/daemon.log" 2>&1 &
daemon=$!
trap 'kill $daemon 2>/dev/null; wait' EXIT
for _ in $(seq 150); do
	LD_LIBRARY_PATH=$stage/deps "$stage/bin/outboard" status --server "$server" \
		>"$out/status" 2>/dev/null && grep -q 'workers  [1-9]' "$out/status" && break
	sleep 0.2
done
cat "$out/status"

for program in "$stage"/samples/*; do
	name=$(basename "$program")
	[ "$name" = busy ] && continue
	native=$(LD_LIBRARY_PATH=$cudart timed "$out/native-$name.log" "$program")
	remote=$(timed "$out/remote-$name.log" "${through[@]}" "$program")
	shared=$(timed "$out/unix-$name.log" "${near[@]}" "$program")
	runtime=-
	case $name in *_shared)
		runtime=$(LD_PRELOAD=$OUTBOARD_LIBDIR/guest/libcudart.so.13 \
			timed "$out/runtime-$name.log" "$program") ;;
	esac
	rows+=("$(printf '%-28s %-10s %-10s %-10s %-10s' "$name" "$native" "$remote" "$shared" "$runtime")")
	[ "$remote" = PASS ] || { echo "--- $name"; tail -n 8 "$out/remote-$name.log"; }
	[ "$shared" = PASS ] || { echo "--- unix $name"; tail -n 8 "$out/unix-$name.log"; }
	[ "$native" = PASS ] || { echo "--- native $name"; tail -n 4 "$out/native-$name.log"; }
done

# What the guest process has mapped and opened.
"${through[@]}" "$stage/samples/busy" forever >/dev/null 2>&1 &
sleep 2
guest=$(pgrep -x busy | head -n 1)
echo "--- libraries and devices of the guest process"
awk '{ print $6 }' "/proc/$guest/maps" | grep -E 'cuda|nvidia' | sort | uniq -c
find "/proc/$guest/fd" -lname '*nvidia*' | wc -l | sed 's/$/ descriptors of nvidia devices/'
if grep -qE '/dev/nvidia|libcuda\.so\.[0-9]{3}' "/proc/$guest/maps"; then
	echo "GUEST MAPS NVIDIA'S DRIVER"
fi
pkill -x busy
wait $! 2>/dev/null

bench() {
	PB_T0=$(date +%s.%N) timeout 100 "$@" 2>&1
}
if [ -x "$stage/bin/microbench_shared" ]; then
	export PB_BW_SECS=${PB_BW_SECS:-1}
	LD_LIBRARY_PATH=$cudart bench "$stage/bin/microbench_shared" >"$out/bench-native"
	bench "${through[@]}" "$stage/bin/microbench_shared" >"$out/bench-tcp"
	bench "${near[@]}" "$stage/bin/microbench_static" >"$out/bench-unix-static"
fi
kill $daemon
wait $daemon
echo "daemon ended with $?; its log has $(grep -ciE 'error|signal' "$out/daemon.log") lines with error or signal"
tail -n 3 "$out/daemon.log"

printf '\n%-28s %-10s %-10s %-10s %-10s\n' program native TCP unix 'our runtime, native driver'
printf '%s\n' "${rows[@]}"
if [ -e "$out/bench-native" ]; then
	printf '\n%-34s %12s %12s %14s %8s\n' metric native TCP unix-static ratio
	awk 'FNR == 1 { file++ }
		/^#/ || !NF { next }
		file == 1 { order[++n] = $1; unit[$1] = $3 }
		{ value[file, $1] = $2 }
		END { for (i = 1; i <= n; i++) { m = order[i]
			if (m ~ /_reps$|_median$/ && m !~ /^(sync|get|launch|malloc_free)/) continue
			r = value[1, m] > 0 ? sprintf("%.2f", value[2, m] / value[1, m]) : "-"
			printf "%-34s %12s %12s %14s %8s %s\n", m, value[1, m], value[2, m],
				value[3, m], r, unit[m] } }' \
		"$out/bench-native" "$out/bench-tcp" "$out/bench-unix-static"
	grep -h 'microbench:' "$out"/bench-* | head -n 5
fi
