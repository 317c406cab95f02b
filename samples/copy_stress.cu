/* SPDX-License-Identifier: Apache-2.0 */
/* copy_stress.cu: copies of random size, place, kind and order, from several threads and on
 * several streams, compared with what a plain memory would hold.
 * Usage: copy_stress [steps [threads]] */
#include "check.h"

#include <string.h>
#include <thread>
#include <vector>

#define ROOM ((size_t)5 << 20)
#define STREAMS 3
#define BUFFERS 6

/* Not shared between threads: rand() is. */
struct dice {
	uint64_t state;

	uint32_t
	roll(void)
	{
		state = state * 6364136223846793005u + 1442695040888963407u;
		return (uint32_t)(state >> 33);
	}

	size_t
	below(size_t n)
	{
		return roll() % n;
	}

	/* Small ones often; and those around where transports change their ways. */
	size_t
	size(size_t max)
	{
		static const size_t edges[] = { 1, 4096, 16384, 32768, 65536, 131072,
			524288, 1048576, 2097152, 4194304 };
		size_t n = below(3) == 0 ? below(max) + 1
			: below(2) == 0	 ? below(300) + 1
					 : edges[below(10)] + below(3) - 1;
		return n < 1 ? 1 : n > max ? max : n;
	}
};

enum kind { PAGEABLE, PINNED, REGISTERED, KINDS };

/* Memory of the program, and what must be in it. */
struct buffer {
	enum kind kind;
	unsigned char *bytes;
	unsigned char *expected;
};

__global__ static void
add(unsigned char *bytes, size_t n, unsigned char what)
{
	for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n;
		i += (size_t)gridDim.x * blockDim.x) {
		bytes[i] = (unsigned char)(bytes[i] + what);
	}
}

struct worker {
	struct dice dice;
	struct buffer buffers[BUFFERS];
	unsigned char *device, *device_expected;
	cudaStream_t streams[STREAMS];

	void open(unsigned seed);
	void close(void);
	void step(unsigned number);
	void copy(cudaStream_t stream);
	void copy_rows(cudaStream_t stream);
	void compute(cudaStream_t stream);
	void renew(struct buffer *buffer);
	void check(const char *what, unsigned number);
};

static void
buffer_new(struct buffer *b, enum kind kind, struct dice *dice)
{
	b->kind = kind;
	b->expected = (unsigned char *)malloc(ROOM);
	if (kind == PINNED) {
		CHECK(cudaMallocHost(&b->bytes, ROOM));
	} else {
		b->bytes = (unsigned char *)malloc(ROOM);
	}
	if (kind == REGISTERED) {
		CHECK(cudaHostRegister(b->bytes, ROOM, cudaHostRegisterDefault));
	}
	for (size_t i = 0; i < ROOM; i += 4) {
		uint32_t word = dice->roll();
		memcpy(b->bytes + i, &word, 4);
	}
	memcpy(b->expected, b->bytes, ROOM);
}

static void
buffer_free(struct buffer *b)
{
	if (b->kind == PINNED) {
		CHECK(cudaFreeHost(b->bytes));
	} else {
		if (b->kind == REGISTERED) {
			CHECK(cudaHostUnregister(b->bytes));
		}
		free(b->bytes);
	}
	free(b->expected);
}

void
worker::open(unsigned seed)
{
	dice.state = seed * 7919u + 1;
	CHECK(cudaMalloc(&device, ROOM));
	CHECK(cudaMemset(device, 0, ROOM));
	CHECK(cudaDeviceSynchronize());
	device_expected = (unsigned char *)calloc(1, ROOM);
	for (int i = 0; i < BUFFERS; i++) {
		buffer_new(&buffers[i], (enum kind)(i % KINDS), &dice);
	}
	for (int i = 0; i < STREAMS; i++) {
		CHECK(cudaStreamCreateWithFlags(&streams[i],
			i == 0 ? cudaStreamDefault : cudaStreamNonBlocking));
	}
}

void
worker::close(void)
{
	for (int i = 0; i < STREAMS; i++) {
		CHECK(cudaStreamDestroy(streams[i]));
	}
	for (int i = 0; i < BUFFERS; i++) {
		buffer_free(&buffers[i]);
	}
	CHECK(cudaFree(device));
	free(device_expected);
}

void
worker::check(const char *what, unsigned number)
{
	for (int i = 0; i < BUFFERS; i++) {
		const struct buffer *b = &buffers[i];
		for (size_t k = 0; k < ROOM; k++) {
			if (b->bytes[k] != b->expected[k]) {
				FAIL("step %u, %s: byte %zu of buffer %d is %02x, not %02x",
					number, what, k, i, b->bytes[k], b->expected[k]);
			}
		}
	}
}

/* One row, to or from the device; asynchronous, or on the legacy stream and waited for.
 * Pinned memory is read when the stream comes to it, so it must not change before. */
void
worker::copy(cudaStream_t stream)
{
	struct buffer *b = &buffers[dice.below(BUFFERS)];
	size_t size = dice.size(ROOM), at = dice.below(ROOM - size + 1);
	size_t from = dice.below(ROOM - size + 1);
	bool wait = dice.below(3) == 0;

	if (wait) {
		/* Threads share the legacy stream, ours does not wait for it. */
		CHECK(cudaStreamSynchronize(stream));
	}
	if (dice.below(2) == 0) {
		if (wait) {
			CHECK(cudaMemcpy(device + at, b->bytes + from, size,
				cudaMemcpyHostToDevice));
		} else {
			CHECK(cudaMemcpyAsync(device + at, b->bytes + from, size,
				cudaMemcpyHostToDevice, stream));
		}
		memcpy(device_expected + at, b->expected + from, size);
	} else {
		if (wait) {
			CHECK(cudaMemcpy(b->bytes + from, device + at, size,
				cudaMemcpyDeviceToHost));
		} else {
			CHECK(cudaMemcpyAsync(b->bytes + from, device + at, size,
				cudaMemcpyDeviceToHost, stream));
		}
		memcpy(b->expected + from, device_expected + at, size);
	}
}

void
worker::copy_rows(cudaStream_t stream)
{
	struct buffer *b = &buffers[dice.below(BUFFERS)];
	bool large = dice.below(6) == 0;
	size_t width = 1 + (large ? 19000 : 0) + dice.below(3000);
	size_t height = 1 + (large ? 199 : dice.below(200));
	size_t device_pitch = width + dice.below(2) * dice.below(500);
	size_t host_pitch = width + dice.below(2) * dice.below(500);
	size_t at = dice.below(ROOM - device_pitch * height + 1);
	size_t from = dice.below(ROOM - host_pitch * height + 1);
	bool to_device = dice.below(2) == 0;

	if (to_device) {
		CHECK(cudaMemcpy2DAsync(device + at, device_pitch, b->bytes + from, host_pitch,
			width, height, cudaMemcpyHostToDevice, stream));
	} else {
		CHECK(cudaMemcpy2DAsync(b->bytes + from, host_pitch, device + at, device_pitch,
			width, height, cudaMemcpyDeviceToHost, stream));
	}
	for (size_t row = 0; row < height; row++) {
		unsigned char *there = device_expected + at + row * device_pitch;
		unsigned char *here = b->expected + from + row * host_pitch;
		memcpy(to_device ? there : here, to_device ? here : there, width);
	}
}

/* So that copies queue up behind something. */
void
worker::compute(cudaStream_t stream)
{
	size_t size = dice.size(20000), at = dice.below(ROOM - size + 1);
	unsigned char what = (unsigned char)dice.roll();

	add<<<2, 64, 0, stream>>>(device + at, size, what);
	CHECK(cudaGetLastError());
	for (size_t i = 0; i < size; i++) {
		device_expected[at + i] = (unsigned char)(device_expected[at + i] + what);
	}
}

void
worker::renew(struct buffer *buffer)
{
	enum kind kind = buffer->kind;

	/* Not waited for by us: freeing must do that itself where it matters. */
	if (kind != PINNED) {
		CHECK(cudaDeviceSynchronize());
	}
	buffer_free(buffer);
	buffer_new(buffer, kind, &dice);
}

void
worker::step(unsigned number)
{
	/* One stream at a time, so that the order is ours; several in turn. */
	cudaStream_t stream = streams[number % STREAMS];
	unsigned n = 1 + (unsigned)dice.below(12);

	for (unsigned i = 0; i < n; i++) {
		switch (dice.below(8)) {
		case 0: copy_rows(stream); break;
		case 1: compute(stream); break;
		default: copy(stream); break;
		}
	}
	if (dice.below(4) == 0) {
		cudaEvent_t event;
		CHECK(cudaEventCreate(&event));
		CHECK(cudaEventRecord(event, stream));
		while (cudaEventQuery(event) == cudaErrorNotReady) {
			(void)cudaGetLastError(); /* it counts as one */
			std::this_thread::yield();
		}
		CHECK(cudaEventDestroy(event));
	} else if (dice.below(6) == 0) {
		renew(&buffers[dice.below(BUFFERS)]);
		CHECK(cudaStreamSynchronize(stream));
	} else {
		CHECK(cudaStreamSynchronize(stream));
	}
	if (number % 8 == 0) {
		check("compared", number);
	}
}

static void
work(unsigned seed, unsigned steps)
{
	struct worker w = {};

	w.open(seed);
	for (unsigned i = 1; i <= steps; i++) {
		w.step(i);
	}
	unsigned char *all = (unsigned char *)malloc(ROOM);
	CHECK(cudaMemcpy(all, w.device, ROOM, cudaMemcpyDeviceToHost));
	w.check("at the end", steps);
	if (memcmp(all, w.device_expected, ROOM) != 0) {
		FAIL("thread %u: the device's memory differs at the end", seed);
	}
	free(all);
	w.close();
}

/* Pinned memory that is freed under a copy, and given out again, is not written by it. */
static void
free_under_a_copy(void)
{
	const size_t size = 65536;
	unsigned char *device, *pinned;
	cudaStream_t stream;

	CHECK(cudaMalloc(&device, ROOM));
	CHECK(cudaMemset(device, 1, ROOM));
	CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
	CHECK(cudaDeviceSynchronize());
	for (int round = 0; round < 4; round++) {
		CHECK(cudaMallocHost(&pinned, size));
		add<<<2, 64, 0, stream>>>(device, ROOM / 4, 1); /* takes a while */
		CHECK(cudaGetLastError());
		CHECK(cudaMemcpyAsync(
			pinned, device, size, cudaMemcpyDeviceToHost, stream));
		CHECK(cudaFreeHost(pinned));
		CHECK(cudaMallocHost(&pinned, size));
		memset(pinned, 0, size);
		CHECK(cudaStreamSynchronize(stream));
		for (size_t i = 0; i < size; i++) {
			if (pinned[i] != 0) {
				FAIL("byte %zu of new memory was written by an old copy", i);
			}
		}
		CHECK(cudaFreeHost(pinned));
	}
	CHECK(cudaStreamDestroy(stream));
	CHECK(cudaFree(device));
}

int
main(int argc, char **argv)
{
	unsigned steps = argc > 1 ? (unsigned)atoi(argv[1]) : 60;
	unsigned n = argc > 2 ? (unsigned)atoi(argv[2]) : 3;
	std::vector<std::thread> threads;

	free_under_a_copy();
	for (unsigned i = 0; i < n; i++) {
		threads.emplace_back(work, i + 1, steps);
	}
	for (std::thread &thread : threads) {
		thread.join();
	}
	printf("%u threads, %u steps each\n", n, steps);
	printf("PASS\n");
	return 0;
}
