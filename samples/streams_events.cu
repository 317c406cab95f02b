/* SPDX-License-Identifier: Apache-2.0 */
/* streams_events.cu: work in several streams, ordered between them by events.
 * Usage: streams_events [elements per stream] */
#include "check.h"

#define STREAMS 4

__global__ void
scale(uint32_t *data, size_t n, uint32_t factor, uint32_t addend)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		data[i] = data[i] * factor + addend;
	}
}

static unsigned
blocks(size_t n)
{
	return (unsigned)((n + 127) / 128);
}

/* Each stream copies in, computes and copies out for itself; all run at once. */
static void
overlap(cudaStream_t *streams, size_t n)
{
	uint32_t *host, *expected = (uint32_t *)malloc(STREAMS * n * sizeof(uint32_t));
	uint32_t *device;

	CHECK(cudaMallocHost(&host, STREAMS * n * sizeof(uint32_t)));
	CHECK(cudaMalloc(&device, STREAMS * n * sizeof(uint32_t)));
	for (size_t i = 0; i < STREAMS * n; i++) {
		host[i] = random_u32();
		expected[i] = host[i] * (uint32_t)(i / n + 3) + 17;
	}
	for (int s = 0; s < STREAMS; s++) {
		size_t at = (size_t)s * n;
		CHECK(cudaMemcpyAsync(device + at, host + at, n * sizeof(uint32_t),
			cudaMemcpyHostToDevice, streams[s]));
		scale<<<blocks(n), 128, 0, streams[s]>>>(
			device + at, n, (uint32_t)s + 3, 17);
		CHECK(cudaGetLastError());
		CHECK(cudaMemcpyAsync(host + at, device + at, n * sizeof(uint32_t),
			cudaMemcpyDeviceToHost, streams[s]));
	}
	for (int s = 0; s < STREAMS; s++) {
		CHECK(cudaStreamSynchronize(streams[s]));
		CHECK(cudaStreamQuery(streams[s]));
	}
	for (size_t i = 0; i < STREAMS * n; i++) {
		if (host[i] != expected[i]) {
			FAIL("overlap: element %zu is %u, not %u", i, host[i],
				expected[i]);
		}
	}
	CHECK(cudaFree(device));
	CHECK(cudaFreeHost(host));
	free(expected);
}

/* One buffer goes round all streams, none of which may start before its turn. */
static void
order(cudaStream_t *streams, size_t n)
{
	enum { TURNS = 24 };
	uint32_t *device, *host = (uint32_t *)malloc(n * sizeof(uint32_t));
	uint32_t *expected = (uint32_t *)malloc(n * sizeof(uint32_t));
	cudaEvent_t events[TURNS];

	CHECK(cudaMalloc(&device, n * sizeof(uint32_t)));
	for (size_t i = 0; i < n; i++) {
		host[i] = expected[i] = random_u32();
	}
	CHECK(cudaMemcpy(device, host, n * sizeof(uint32_t), cudaMemcpyHostToDevice));
	for (int turn = 0; turn < TURNS; turn++) {
		cudaStream_t stream = streams[turn % STREAMS];
		uint32_t factor = random_u32() | 1, addend = random_u32();
		CHECK(cudaEventCreateWithFlags(&events[turn], cudaEventDisableTiming));
		if (turn > 0) {
			CHECK(cudaStreamWaitEvent(stream, events[turn - 1], 0));
		}
		scale<<<blocks(n), 128, 0, stream>>>(device, n, factor, addend);
		CHECK(cudaGetLastError());
		CHECK(cudaEventRecord(events[turn], stream));
		for (size_t i = 0; i < n; i++) {
			expected[i] = expected[i] * factor + addend;
		}
	}
	CHECK(cudaEventSynchronize(events[TURNS - 1]));
	for (int turn = 0; turn < TURNS; turn++) {
		CHECK(cudaEventQuery(events[turn]));
		CHECK(cudaEventDestroy(events[turn]));
	}
	CHECK(cudaMemcpy(host, device, n * sizeof(uint32_t), cudaMemcpyDeviceToHost));
	for (size_t i = 0; i < n; i++) {
		if (host[i] != expected[i]) {
			FAIL("order: element %zu is %u, not %u", i, host[i], expected[i]);
		}
	}
	CHECK(cudaFree(device));
	free(host);
	free(expected);
}

static void
elapsed(cudaStream_t stream, size_t n)
{
	uint32_t *device;
	cudaEvent_t start, middle, stop;
	float first = -1, second = -1, both = -1;

	CHECK(cudaMalloc(&device, n * sizeof(uint32_t)));
	CHECK(cudaMemset(device, 0, n * sizeof(uint32_t)));
	CHECK(cudaEventCreate(&start));
	CHECK(cudaEventCreate(&middle));
	CHECK(cudaEventCreate(&stop));
	CHECK(cudaEventRecord(start, stream));
	scale<<<blocks(n), 128, 0, stream>>>(device, n, 3, 1);
	CHECK(cudaEventRecord(middle, stream));
	scale<<<blocks(n), 128, 0, stream>>>(device, n, 3, 1);
	CHECK(cudaEventRecord(stop, stream));
	CHECK(cudaEventSynchronize(stop));
	CHECK(cudaEventElapsedTime(&first, start, middle));
	CHECK(cudaEventElapsedTime(&second, middle, stop));
	CHECK(cudaEventElapsedTime(&both, start, stop));
	printf("elapsed %.3f + %.3f = %.3f ms\n", first, second, both);
	/* Half a microsecond is the resolution that is promised. */
	if (first < 0 || second < 0 || both <= 0 || first + second > both + 0.01f ||
		first + second < both - 0.01f) {
		FAIL("elapsed times do not add up");
	}
	CHECK(cudaEventDestroy(start));
	CHECK(cudaEventDestroy(middle));
	CHECK(cudaEventDestroy(stop));
	CHECK(cudaFree(device));
}

int
main(int argc, char **argv)
{
	size_t n = size_argument(argc, argv, 100003);
	cudaStream_t streams[STREAMS];

	seed_random();
	for (int s = 0; s < STREAMS; s++) {
		CHECK(cudaStreamCreateWithFlags(&streams[s],
			s % 2 == 0 ? cudaStreamNonBlocking : cudaStreamDefault));
	}
	overlap(streams, n);
	order(streams, n / 8 + 1);
	elapsed(streams[0], n);
	for (int s = 0; s < STREAMS; s++) {
		CHECK(cudaStreamDestroy(streams[s]));
	}
	printf("PASS\n");
	return 0;
}
