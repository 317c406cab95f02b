/* SPDX-License-Identifier: Apache-2.0 */
/* matrix_mul.cu: C = A B by tiles in shared memory.  Usage: matrix_mul [rows] */
#include "check.h"

#include <math.h>

#define TILE 16

/* a is rows x inner, b is inner x columns; none need be a multiple of TILE. */
__global__ void
matrix_mul(const float *a, const float *b, float *c, int rows, int inner, int columns)
{
	__shared__ float tile_a[TILE][TILE];
	__shared__ float tile_b[TILE][TILE];
	int x = threadIdx.x, y = threadIdx.y;
	int row = blockIdx.y * TILE + y, column = blockIdx.x * TILE + x;
	float sum = 0;

	for (int k = 0; k < inner; k += TILE) {
		tile_a[y][x] = row < rows && k + x < inner ? a[row * inner + k + x] : 0;
		tile_b[y][x] = column < columns && k + y < inner
				       ? b[(k + y) * columns + column]
				       : 0;
		__syncthreads();
		for (int i = 0; i < TILE; i++) {
			sum += tile_a[y][i] * tile_b[i][x];
		}
		__syncthreads();
	}
	if (row < rows && column < columns) {
		c[row * columns + column] = sum;
	}
}

static float *
random_matrix(int n)
{
	float *matrix = (float *)malloc((size_t)n * sizeof(float));

	for (int i = 0; i < n; i++) {
		matrix[i] = random_float();
	}
	return matrix;
}

int
main(int argc, char **argv)
{
	int rows = (int)size_argument(argc, argv, 150);
	int inner = rows + 27, columns = rows - 9;
	if (rows < 16 || rows > 10000) {
		FAIL("rows must lie between 16 and 10000");
	}
	seed_random();
	float *a = random_matrix(rows * inner);
	float *b = random_matrix(inner * columns);
	float *c = (float *)malloc((size_t)rows * columns * sizeof(float));
	size_t a_size = (size_t)rows * inner * sizeof(float);
	size_t b_size = (size_t)inner * columns * sizeof(float);
	size_t c_size = (size_t)rows * columns * sizeof(float);
	float *device_a, *device_b, *device_c;

	CHECK(cudaMalloc(&device_a, a_size));
	CHECK(cudaMalloc(&device_b, b_size));
	CHECK(cudaMalloc(&device_c, c_size));
	CHECK(cudaMemcpy(device_a, a, a_size, cudaMemcpyHostToDevice));
	CHECK(cudaMemcpy(device_b, b, b_size, cudaMemcpyHostToDevice));
	dim3 block(TILE, TILE);
	dim3 grid((columns + TILE - 1) / TILE, (rows + TILE - 1) / TILE);
	matrix_mul<<<grid, block>>>(device_a, device_b, device_c, rows, inner, columns);
	CHECK(cudaGetLastError());
	CHECK(cudaDeviceSynchronize());
	CHECK(cudaMemcpy(c, device_c, c_size, cudaMemcpyDeviceToHost));

	for (int row = 0; row < rows; row++) {
		for (int column = 0; column < columns; column++) {
			double sum = 0;
			for (int k = 0; k < inner; k++) {
				sum += (double)a[row * inner + k] *
				       b[k * columns + column];
			}
			float got = c[row * columns + column];
			/* The device may fuse and reorders: bounded by the length of the
			 * sum. */
			if (!(fabs(got - sum) <= 1e-6 * inner)) {
				FAIL("row %d, column %d: %g, not %g", row, column, got,
					sum);
			}
		}
	}
	CHECK(cudaFree(device_a));
	CHECK(cudaFree(device_b));
	CHECK(cudaFree(device_c));
	free(a);
	free(b);
	free(c);
	printf("PASS\n");
	return 0;
}
