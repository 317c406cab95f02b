/* SPDX-License-Identifier: Apache-2.0 */
/* training_loop.cu: a small network is trained as programs train large ones: every step
 * copies a batch in and launches forward, backward and update; nobody looks at the loss
 * but every tenth step.  Usage: training_loop [steps] */
#include "check.h"

#include <math.h>

#define INPUTS 16
#define HIDDEN 32
#define BATCH 64
#define LOOK_EVERY 10
#define RATE 0.1f

/* What is learned: hidden = squash(x W + b), output = hidden V. */
struct network {
	float w[HIDDEN][INPUTS];
	float b[HIDDEN];
	float v[HIDDEN];
};

struct batch {
	float x[BATCH][INPUTS];
	float wanted[BATCH];
};

/* What a step computes on the way. */
struct step {
	float before[BATCH][HIDDEN]; /* squashing */
	float hidden[BATCH][HIDDEN];
	float error[BATCH];
	float loss;
};

/* In (-1, 1) as tanh is, and made of exact operations: every device rounds alike. */
__host__ __device__ static float
squash(float x)
{
	return x / (1 + fabsf(x));
}

__host__ __device__ static float
squash_slope(float x)
{
	return 1 / ((1 + fabsf(x)) * (1 + fabsf(x)));
}

/* ---- on the device ---- */

/* A block is one sample, a thread one hidden unit. */
__global__ void
forward(const network *net, const batch *in, step *out)
{
	__shared__ float parts[HIDDEN];
	int sample = blockIdx.x, unit = threadIdx.x;
	float sum = net->b[unit];

	for (int i = 0; i < INPUTS; i++) {
		sum += net->w[unit][i] * in->x[sample][i];
	}
	out->before[sample][unit] = sum;
	out->hidden[sample][unit] = squash(sum);
	parts[unit] = net->v[unit] * squash(sum);
	for (int half = HIDDEN / 2; half > 0; half /= 2) {
		__syncthreads();
		if (unit < half) {
			parts[unit] += parts[unit + half];
		}
	}
	if (unit == 0) {
		out->error[sample] = parts[0] - in->wanted[sample];
	}
}

/* A block is one hidden unit, a thread one of its weights; the last two are b and v. */
__global__ void
backward(const network *net, const batch *in, const step *from, network *gradient)
{
	int unit = blockIdx.x, i = threadIdx.x;
	float sum = 0;

	for (int sample = 0; sample < BATCH; sample++) {
		float error = from->error[sample];
		float through =
			error * net->v[unit] * squash_slope(from->before[sample][unit]);
		if (i < INPUTS) {
			sum += through * in->x[sample][i];
		} else {
			sum += i == INPUTS ? through : error * from->hidden[sample][unit];
		}
	}
	sum *= 2.0f / BATCH;
	if (i < INPUTS) {
		gradient->w[unit][i] = sum;
	} else if (i == INPUTS) {
		gradient->b[unit] = sum;
	} else {
		gradient->v[unit] = sum;
	}
}

__global__ void
update(float *weights, const float *gradient, int n, float rate)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		weights[i] -= rate * gradient[i];
	}
}

__global__ void
mean_square(step *of)
{
	float sum = 0;

	for (int sample = 0; sample < BATCH; sample++) {
		sum += of->error[sample] * of->error[sample];
	}
	of->loss = sum / BATCH;
}

/* ---- the same on the processor, in double precision ---- */

struct reference {
	double w[HIDDEN][INPUTS], b[HIDDEN], v[HIDDEN];
};

static double
reference_step(struct reference *net, const struct batch *in)
{
	struct reference gradient = {};
	double loss = 0;

	for (int sample = 0; sample < BATCH; sample++) {
		double before[HIDDEN], hidden[HIDDEN], error = -in->wanted[sample];
		for (int unit = 0; unit < HIDDEN; unit++) {
			before[unit] = net->b[unit];
			for (int i = 0; i < INPUTS; i++) {
				before[unit] += net->w[unit][i] * in->x[sample][i];
			}
			hidden[unit] = before[unit] / (1 + fabs(before[unit]));
			error += net->v[unit] * hidden[unit];
		}
		loss += error * error / BATCH;
		for (int unit = 0; unit < HIDDEN; unit++) {
			double slope = 1 / pow(1 + fabs(before[unit]), 2);
			double through = 2 * error * net->v[unit] * slope / BATCH;
			for (int i = 0; i < INPUTS; i++) {
				gradient.w[unit][i] += through * in->x[sample][i];
			}
			gradient.b[unit] += through;
			gradient.v[unit] += 2 * error * hidden[unit] / BATCH;
		}
	}
	double *weights = &net->w[0][0], *slopes = &gradient.w[0][0];
	for (size_t i = 0; i < sizeof(*net) / sizeof(double); i++) {
		weights[i] -= RATE * slopes[i];
	}
	return loss;
}

/* ---- the program ---- */

/* What the network should find out: one bent plane. */
static void
new_batch(struct batch *batch, const float *plane)
{
	for (int sample = 0; sample < BATCH; sample++) {
		float sum = 0;
		for (int i = 0; i < INPUTS; i++) {
			batch->x[sample][i] = random_float();
			sum += plane[i] * batch->x[sample][i];
		}
		batch->wanted[sample] = squash(sum);
	}
}

static void
compare(const char *what, size_t step, double got, double wanted)
{
	if (!(fabs(got - wanted) <= 1e-3 * (1 + fabs(wanted)))) {
		FAIL("%s of step %zu is %g, not %g", what, step, got, wanted);
	}
}

int
main(int argc, char **argv)
{
	size_t steps = size_argument(argc, argv, 100);
	const int n_weights = sizeof(network) / sizeof(float);
	struct network net, *device_net, *device_gradient;
	struct reference expected;
	/* As many batches as there are steps between two looks: until then they are read.
	 */
	struct batch *batches, *device_batch;
	struct step *device_step;
	float plane[INPUTS], *weights = &net.w[0][0], loss = 0;
	double expected_loss = 0, first_loss = 0;
	cudaStream_t stream;

	seed_random();
	for (float &slope : plane) {
		slope = random_float();
	}
	for (int i = 0; i < n_weights; i++) {
		weights[i] = random_float() / 2;
		(&expected.w[0][0])[i] = weights[i];
	}
	CHECK(cudaStreamCreate(&stream));
	CHECK(cudaMallocHost(&batches, LOOK_EVERY * sizeof(*batches)));
	CHECK(cudaMalloc(&device_batch, sizeof(*device_batch)));
	CHECK(cudaMalloc(&device_step, sizeof(*device_step)));
	CHECK(cudaMalloc(&device_net, sizeof(net)));
	CHECK(cudaMalloc(&device_gradient, sizeof(net)));
	CHECK(cudaMemcpy(device_net, &net, sizeof(net), cudaMemcpyHostToDevice));
	for (size_t i = 0; i < steps; i++) {
		struct batch *batch = &batches[i % LOOK_EVERY];
		new_batch(batch, plane);
		CHECK(cudaMemcpyAsync(device_batch, batch, sizeof(*batch),
			cudaMemcpyHostToDevice, stream));
		forward<<<BATCH, HIDDEN, 0, stream>>>(
			device_net, device_batch, device_step);
		backward<<<HIDDEN, INPUTS + 2, 0, stream>>>(
			device_net, device_batch, device_step, device_gradient);
		update<<<(n_weights + 127) / 128, 128, 0, stream>>>(
			(float *)device_net, (float *)device_gradient, n_weights, RATE);
		CHECK(cudaGetLastError());
		expected_loss = reference_step(&expected, batch);
		first_loss = i == 0 ? expected_loss : first_loss;
		if (i % LOOK_EVERY == LOOK_EVERY - 1) {
			mean_square<<<1, 1, 0, stream>>>(device_step);
			CHECK(cudaMemcpyAsync(&loss, &device_step->loss, sizeof(loss),
				cudaMemcpyDeviceToHost, stream));
			CHECK(cudaStreamSynchronize(stream));
			compare("the loss", i, loss, expected_loss);
		}
	}
	CHECK(cudaMemcpyAsync(
		&net, device_net, sizeof(net), cudaMemcpyDeviceToHost, stream));
	CHECK(cudaStreamSynchronize(stream));
	for (int i = 0; i < n_weights; i++) {
		compare("a weight", steps, weights[i], (&expected.w[0][0])[i]);
	}
	printf("loss %g in the beginning, %g after %zu steps\n", first_loss,
		expected_loss, steps);
	if (steps >= 100 && !(expected_loss < first_loss / 2)) {
		FAIL("nothing was learned");
	}
	CHECK(cudaFree(device_gradient));
	CHECK(cudaFree(device_net));
	CHECK(cudaFree(device_step));
	CHECK(cudaFree(device_batch));
	CHECK(cudaFreeHost(batches));
	CHECK(cudaStreamDestroy(stream));
	printf("PASS\n");
	return 0;
}
