/* SPDX-License-Identifier: Apache-2.0 */
/* microbench.cu: what CUDA's common calls cost a program: natively, remoted, anywhere.
 *
 * Usage: microbench [NAME=NUMBER...]     only the runtime API is used; the data are checked
 *   started=NS     CLOCK_MONOTONIC before exec; adds exec_to_first_kernel
 *   launches=20000 launches before one synchronisation       bursts=7      of them; the median
 *   rounds=2000    of latencies
 *   mallocs=500    pairs of malloc and free                  loop=0       of the async loop
 *   queries=0      of the device's properties                syncs=0      more idle ones
 *   variables=0    copies to one, asynchronous
 *   threads=0      that launch and wait at once              thread_seconds=1  for so long
 *   copy_max=268435456   largest copy, bytes; 0: none        seconds=1    per size and way
 *   copy_min=4096  the smallest; each has four times the one before   pageable=1 pinned=1
 * Prints "name value unit" lines; PASS is the last one. */
#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#define CHECK(call)                                                                    \
	do {                                                                           \
		cudaError_t error_ = (call);                                           \
		if (error_ != cudaSuccess) {                                           \
			printf("FAIL: line %d: %s: %s\n", __LINE__, #call,             \
				cudaGetErrorString(error_));                           \
			exit(1);                                                       \
		}                                                                      \
	} while (0)

static struct {
	const char *name;
	double value;
} settings[] = { { "started", 0 }, { "launches", 20000 }, { "bursts", 7 },
	{ "rounds", 2000 }, { "mallocs", 500 }, { "loop", 0 }, { "queries", 0 }, { "syncs", 0 },
	{ "variables", 0 }, { "threads", 0 }, { "thread_seconds", 1 }, { "copy_max", 256 << 20 },
	{ "copy_min", 4096 }, { "pageable", 1 }, { "pinned", 1 }, { "seconds", 1 } };

__device__ uint32_t variable[2];

__global__ void
nothing()
{
}

/* Words that depend on their place and on the round. */
__global__ void
add(uint32_t *words, uint32_t n, uint32_t value)
{
	uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		words[i] += value + i;
	}
}

static double
setting(const char *name)
{
	for (auto &s : settings) {
		if (strcmp(s.name, name) == 0) {
			return s.value;
		}
	}
	abort();
}

static bool
set(const char *text)
{
	const char *equals = strchr(text, '=');

	for (auto &s : settings) {
		if (equals != NULL && strlen(s.name) == (size_t)(equals - text) &&
			strncmp(s.name, text, equals - text) == 0) {
			s.value = atof(equals + 1);
			return true;
		}
	}
	return false;
}

static double
now_us()
{
	timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

static void
print(const char *name, double value, const char *unit)
{
	printf("%s %.4f %s\n", name, value, unit);
	fflush(stdout);
}

static void
print_latencies(const char *name, std::vector<double> &us)
{
	char text[64];

	if (us.empty()) {
		return;
	}
	std::sort(us.begin(), us.end());
	print(name, us[us.size() / 2], "us");
	snprintf(text, sizeof(text), "%s_p95", name);
	print(text, us[us.size() * 95 / 100], "us");
}

static uint32_t random_state = 12345;

static uint32_t
random_u32()
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static void
fill(void *to, size_t size)
{
	uint32_t *words = (uint32_t *)to;

	for (size_t i = 0; i < size / 4; i++) {
		words[i] = random_u32();
	}
}

/* ---- latencies ---- */

static void
first_kernel()
{
	double start = now_us();

	nothing<<<1, 1>>>();
	CHECK(cudaGetLastError());
	CHECK(cudaDeviceSynchronize());
	double end = now_us();
	print("main_to_first_kernel", (end - start) / 1e3, "ms");
	if (setting("started") > 0) {
		print("exec_to_first_kernel", end / 1e3 - setting("started") / 1e6, "ms");
	}
}

/* One burst differs from the next by a third, natively as well. */
static void
launches()
{
	long n = (long)setting("launches");
	std::vector<double> issue, each;

	if (n == 0) {
		return;
	}
	nothing<<<1, 1>>>();
	CHECK(cudaDeviceSynchronize());
	for (long burst = 0; burst < (long)setting("bursts"); burst++) {
		double start = now_us();
		for (long i = 0; i < n; i++) {
			nothing<<<1, 1>>>();
		}
		issue.push_back((now_us() - start) / n);
		CHECK(cudaGetLastError());
		CHECK(cudaDeviceSynchronize());
		each.push_back((now_us() - start) / n);
	}
	print_latencies("launch_issue", issue);
	print_latencies("launch_each", each);
}

static void
latencies()
{
	long rounds = (long)setting("rounds");
	std::vector<double> both, idle, device;
	int ordinal;

	for (long i = 0; i < rounds; i++) {
		double start = now_us();
		nothing<<<1, 1>>>();
		CHECK(cudaDeviceSynchronize());
		both.push_back(now_us() - start);
	}
	CHECK(cudaGetLastError());
	for (long i = 0; i < rounds; i++) {
		double start = now_us();
		CHECK(cudaDeviceSynchronize());
		idle.push_back(now_us() - start);
		start = now_us();
		CHECK(cudaGetDevice(&ordinal));
		device.push_back(now_us() - start);
	}
	print_latencies("launch_sync", both);
	print_latencies("sync_idle", idle);
	print_latencies("get_device", device);
}

static void
mallocs()
{
	std::vector<double> us;
	void *memory;

	for (long i = 0; i < (long)setting("mallocs"); i++) {
		double start = now_us();
		CHECK(cudaMalloc(&memory, 1 << 20));
		CHECK(cudaFree(memory));
		us.push_back(now_us() - start);
	}
	print_latencies("malloc_free", us);
}

/* Threads that launch and wait, each in its own stream; as many a second as they get. */
static void
threads()
{
	std::vector<std::thread> all;
	std::atomic<long> n(0);
	double start = now_us(), until = start + setting("thread_seconds") * 1e6;

	for (long i = 0; i < (long)setting("threads"); i++) {
		all.emplace_back([&n, until] {
			cudaStream_t stream;
			CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
			while (now_us() < until) {
				nothing<<<1, 1, 0, stream>>>();
				CHECK(cudaStreamSynchronize(stream));
				n++;
			}
			CHECK(cudaStreamDestroy(stream));
		});
	}
	for (auto &thread : all) {
		thread.join();
	}
	if (!all.empty()) {
		print("threads_launch_sync", n / (now_us() - start) * 1e6, "per_s");
	}
}

/* ---- what should not wait ---- */

static void
quiet_calls()
{
	cudaDeviceProp properties;
	cudaPointerAttributes attributes;
	int value;

	for (long i = 0; i < (long)setting("syncs"); i++) {
		CHECK(cudaDeviceSynchronize());
		CHECK(cudaStreamSynchronize(0));
	}
	for (long i = 0; i < (long)setting("queries"); i++) {
		CHECK(cudaGetDeviceCount(&value));
		CHECK(cudaGetDevice(&value));
		CHECK(cudaSetDevice(value));
		CHECK(cudaGetDeviceProperties(&properties, value));
		CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, value));
		CHECK(cudaPointerGetAttributes(&attributes, &value));
	}
}

static void
variables()
{
	long rounds = (long)setting("variables");
	uint32_t values[2] = { 0, 0 }, back[2];

	for (long i = 0; i < rounds; i++) {
		values[i % 2] = random_u32();
		CHECK(cudaMemcpyToSymbolAsync(variable, &values[i % 2], sizeof(*values),
			i % 2 * sizeof(*values), cudaMemcpyHostToDevice, 0));
	}
	if (rounds > 0) {
		CHECK(cudaMemcpyFromSymbol(back, variable, sizeof(back)));
		if (memcmp(back, values, sizeof(back)) != 0) {
			printf("FAIL: a variable has another value\n");
			exit(2);
		}
	}
}

/* A steady loop as programs have it: copy in, work, copy out; wait once, at the end. */
static void
async_loop()
{
	const size_t n = 8192, size = n * 4;
	long rounds = (long)setting("loop");
	uint32_t *in, *out, *device;
	cudaStream_t stream;

	if (rounds == 0) {
		return;
	}
	CHECK(cudaMallocHost(&in, size));
	CHECK(cudaMallocHost(&out, size));
	CHECK(cudaMalloc(&device, size));
	CHECK(cudaStreamCreate(&stream));
	fill(in, size);
	for (long i = 0; i < rounds; i++) {
		CHECK(cudaMemcpyAsync(device, in, size, cudaMemcpyHostToDevice, stream));
		add<<<n / 256, 256, 0, stream>>>(device, n, (uint32_t)i);
		CHECK(cudaMemcpyAsync(out, device, size, cudaMemcpyDeviceToHost, stream));
	}
	CHECK(cudaStreamSynchronize(stream));
	for (size_t i = 0; i < n; i++) {
		if (out[i] != in[i] + (uint32_t)(rounds - 1) + (uint32_t)i) {
			printf("FAIL: async loop: word %zu is wrong\n", i);
			exit(2);
		}
	}
	CHECK(cudaStreamDestroy(stream));
	CHECK(cudaFree(device));
	CHECK(cudaFreeHost(in));
	CHECK(cudaFreeHost(out));
}

/* ---- bandwidth ---- */

static void
bandwidth(const char *what, size_t size, void *to, const void *from, cudaMemcpyKind kind)
{
	double limit = setting("seconds") * 1e6;
	char name[64];
	long n = 0;

	CHECK(cudaMemcpy(to, from, size, kind));
	CHECK(cudaDeviceSynchronize());
	double start = now_us();
	do {
		CHECK(cudaMemcpy(to, from, size, kind));
		n++;
	} while (now_us() - start < limit && n < 5000 && (size_t)n * size < (2u << 30));
	CHECK(cudaDeviceSynchronize());
	double us = now_us() - start;
	snprintf(name, sizeof(name), "%s_%zu", what, size);
	print(name, (double)n * size / us * 1e6 / (1 << 30), "GiB/s");
}

static void
compare(const char *what, const void *a, const void *b, size_t size)
{
	if (memcmp(a, b, size) != 0) {
		printf("FAIL: %s: other data came back\n", what);
		exit(2);
	}
}

static void
copies_of(const char *kind, size_t size, char *host, char *back, char *device, char *other)
{
	char name[32];

	fill(host, size);
	snprintf(name, sizeof(name), "h2d_%s", kind);
	bandwidth(name, size, device, host, cudaMemcpyHostToDevice);
	bool is_first = strcmp(kind, "pageable") == 0;
	if (is_first) {
		bandwidth("d2d", size, other, device, cudaMemcpyDeviceToDevice);
	}
	snprintf(name, sizeof(name), "d2h_%s", kind);
	bandwidth(name, size, back, is_first ? other : device, cudaMemcpyDeviceToHost);
	compare(kind, host, back, size);
}

static void
copies()
{
	size_t least = (size_t)setting("copy_min"), most = (size_t)setting("copy_max");
	char *device, *other, *pinned, *pinned_back;

	if (most < least || least == 0) {
		return;
	}
	CHECK(cudaMalloc(&device, most));
	CHECK(cudaMalloc(&other, most));
	CHECK(cudaMallocHost(&pinned, most));
	CHECK(cudaMallocHost(&pinned_back, most));
	std::vector<char> host(most), back(most);
	for (size_t size = least; size <= most; size *= 4) {
		if (setting("pageable") != 0) {
			copies_of("pageable", size, host.data(), back.data(), device, other);
		}
		if (setting("pinned") != 0) {
			copies_of("pinned", size, pinned, pinned_back, device, other);
		}
	}
	CHECK(cudaFreeHost(pinned));
	CHECK(cudaFreeHost(pinned_back));
	CHECK(cudaFree(other));
	CHECK(cudaFree(device));
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!set(argv[i])) {
			fprintf(stderr, "microbench: no setting '%s'; see the source\n", argv[i]);
			return 2;
		}
	}
	first_kernel();
	launches();
	latencies();
	mallocs();
	threads();
	quiet_calls();
	variables();
	async_loop();
	copies();
	printf("PASS\n");
	return 0;
}
