/* SPDX-License-Identifier: Apache-2.0 */
/* launch.c: kernels, checked when they are launched and run by their stream.
 *
 * What can be known without running is answered at once, with the codes of the device;
 * what goes wrong in the kernel becomes the failure of its context. */
#include "soft-device/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "soft-device/allocation.h"
#include "soft-device/device.h"
#include "soft-device/exec.h"
#include "soft-device/module.h"
#include "soft-device/occupancy.h"
#include "soft-device/stream.h"

/* Pairs in the `extra` form; there are only two kinds. */
#define EXTRA_MAX 8

struct launch_task {
	struct task task;
	struct function *function; /* reference */
	struct exec_launch launch;
	unsigned char params[];
};

static uint64_t next_grid_id = 1; /* atomic */

static void
print_text(void *opaque, const char *text, size_t text_len)
{
	fwrite(text, 1, text_len, stdout);
}

static void
print_assertion(void *opaque, const char *text, size_t text_len)
{
	fwrite(text, 1, text_len, stderr);
}

static const struct exec_output output = {
	.print = print_text,
	.assertion = print_assertion,
};

static CUresult
result_of_fault(enum exec_fault fault)
{
	switch (fault) {
	case EXEC_OK: return CUDA_SUCCESS;
	case EXEC_ILLEGAL_ADDRESS: return CUDA_ERROR_ILLEGAL_ADDRESS;
	case EXEC_MISALIGNED: return CUDA_ERROR_MISALIGNED_ADDRESS;
	case EXEC_ASSERT: return CUDA_ERROR_ASSERT;
	case EXEC_INVALID_PC: return CUDA_ERROR_INVALID_PC;
	case EXEC_LAUNCH_FAILED: return CUDA_ERROR_LAUNCH_FAILED;
	case EXEC_TIMEOUT: return CUDA_ERROR_LAUNCH_TIMEOUT;
	case EXEC_INVALID_VALUE: return CUDA_ERROR_INVALID_VALUE;
	case EXEC_NOT_SUPPORTED: return CUDA_ERROR_NOT_SUPPORTED;
	case EXEC_OUT_OF_MEMORY: return CUDA_ERROR_OUT_OF_MEMORY;
	}
	return CUDA_ERROR_UNKNOWN;
}

static CUresult
launch_run(struct task *task, CUresult failure)
{
	struct launch_task *t = (struct launch_task *)task;
	struct exec_result result = { .fault = EXEC_OK };

	if (exec_run(&t->launch, &result) != EXEC_OK) {
		log_warning("soft-device: %s", result.message);
	}
	return result_of_fault(result.fault);
}

static void
launch_release(struct task *task)
{
	object_put(((struct launch_task *)task)->function);
}

/* The buffer of the `extra` form. */
static CUresult
params_of_extra(void **extra, const void **ret_buffer, size_t *ret_size)
{
	const void *buffer = NULL;
	const size_t *size = NULL;

	for (size_t i = 0; i < EXTRA_MAX && extra[2 * i] != CU_LAUNCH_PARAM_END; i++) {
		if (extra[2 * i] == CU_LAUNCH_PARAM_BUFFER_POINTER) {
			buffer = extra[2 * i + 1];
		} else if (extra[2 * i] == CU_LAUNCH_PARAM_BUFFER_SIZE) {
			size = extra[2 * i + 1];
		} else {
			return CUDA_ERROR_INVALID_VALUE;
		}
	}
	if (size == NULL || (buffer == NULL && *size > 0)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*ret_buffer = buffer;
	*ret_size = *size;
	return CUDA_SUCCESS;
}

static CUresult
params_fill(const struct ptx_function *ptx, unsigned char *params, void **kernel_params,
	void **extra)
{
	if (extra != NULL) {
		const void *buffer;
		size_t size;

		if (kernel_params != NULL) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		TRY(params_of_extra(extra, &buffer, &size));
		if (size < ptx->params_size) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		if (ptx->params_size > 0) {
			memcpy(params, buffer, ptx->params_size);
		}
		return CUDA_SUCCESS;
	}
	if (ptx->n_params > 0 && kernel_params == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	for (uint32_t i = 0; i < ptx->n_params; i++) {
		if (kernel_params[i] == NULL) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		memcpy(params + ptx->params[i].offset, kernel_params[i],
			ptx->params[i].size);
	}
	return CUDA_SUCCESS;
}

static CUresult
dimensions_check(const struct ptx_function *ptx, const struct function_settings *settings,
	const CUlaunchConfig *c)
{
	uint64_t n_threads = (uint64_t)c->blockDimX * c->blockDimY * c->blockDimZ;

	if (c->gridDimX == 0 || c->gridDimY == 0 || c->gridDimZ == 0 ||
		c->gridDimX > INT32_MAX || c->gridDimY > 65535 || c->gridDimZ > 65535 ||
		c->blockDimX == 0 || c->blockDimY == 0 || c->blockDimZ == 0 ||
		c->blockDimX > 1024 || c->blockDimY > 1024 || c->blockDimZ > 64 ||
		n_threads > 1024) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct exec_attributes a;

	exec_attributes(ptx, &a);
	if (a.required_block[0] != 0 &&
		((unsigned int)a.required_block[0] != c->blockDimX ||
			(unsigned int)a.required_block[1] != c->blockDimY ||
			(unsigned int)a.required_block[2] != c->blockDimZ)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (n_threads > (unsigned int)a.max_threads) {
		return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
	}
	if (c->sharedMemBytes > function_max_dynamic(ptx, settings)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

/* All blocks of a cooperative launch must be resident at once. */
static CUresult
residency_check(const struct function *function, const CUlaunchConfig *c)
{
	unsigned int n_threads = c->blockDimX * c->blockDimY * c->blockDimZ;
	uint64_t n_blocks = (uint64_t)c->gridDimX * c->gridDimY * c->gridDimZ;
	int per_processor = occupancy_blocks(
		function->ptx, function->settings, (int)n_threads, c->sharedMemBytes);

	return n_blocks > (uint64_t)per_processor * (uint64_t)device_processors()
		       ? CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE
		       : CUDA_SUCCESS;
}

static CUresult
support_check(const struct ptx_function *ptx)
{
	if (ptx->unsupported == NULL) {
		return CUDA_SUCCESS;
	}
	const char *where =
		ptx->unsupported_in != NULL ? ptx->unsupported_in->name : ptx->name;

	log_warning("soft-device: cannot run kernel %.200s: %.300s in %.200s", ptx->name,
		ptx->unsupported, where);
	return CUDA_ERROR_NOT_SUPPORTED;
}

/* CUDA_LAUNCH_BLOCKING is the driver's to obey. */
static bool
launches_block(void)
{
	static int answer = -1; /* atomic */
	int known = __atomic_load_n(&answer, __ATOMIC_RELAXED);

	if (known < 0) {
		const char *text = getenv("CUDA_LAUNCH_BLOCKING");

		known = text != NULL && atoi(text) != 0;
		__atomic_store_n(&answer, known, __ATOMIC_RELAXED);
	}
	return known != 0;
}

static CUresult
launch(CUfunction f, const CUlaunchConfig *c, bool cooperative, void **kernel_params,
	void **extra)
{
	USE_STREAM(stream, c->hStream);
	USE_FUNCTION(function, f);
	const struct ptx_function *ptx = function->ptx;

	if (function->module->context != stream->context) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	TRY(dimensions_check(ptx, function->settings, c));
	TRY(support_check(ptx));
	if (cooperative) {
		TRY(residency_check(function, c));
	}
	struct launch_task *t =
		task_new(sizeof(*t) + ptx->params_size, launch_run, launch_release);

	if (t == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	t->function = object_ref(function);

	CUresult result = params_fill(ptx, t->params, kernel_params, extra);

	if (result != CUDA_SUCCESS) {
		task_free(&t->task);
		return result;
	}
	t->launch = (struct exec_launch){
		.function = ptx,
		.grid = { c->gridDimX, c->gridDimY, c->gridDimZ },
		.block = { c->blockDimX, c->blockDimY, c->blockDimZ },
		.params = t->params,
		.params_size = ptx->params_size,
		.dynamic_shared_size = c->sharedMemBytes,
		.cooperative = cooperative,
		.grid_id = __atomic_fetch_add(&next_grid_id, 1, __ATOMIC_RELAXED),
		.stack_size = (uint32_t)__atomic_load_n(
			&stream->context->stack_size, __ATOMIC_RELAXED),
		.memory = allocation_memory(stream->context->device),
		.output = &output,
	};
	return stream_submit(stream, &t->task, launches_block(), NULL);
}

CUresult
cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
	unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
	unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
	void **kernelParams, void **extra)
{
	return launch(f,
		&(CUlaunchConfig){ .gridDimX = gridDimX,
			.gridDimY = gridDimY,
			.gridDimZ = gridDimZ,
			.blockDimX = blockDimX,
			.blockDimY = blockDimY,
			.blockDimZ = blockDimZ,
			.sharedMemBytes = sharedMemBytes,
			.hStream = hStream },
		false, kernelParams, extra);
}

CUresult
cuLaunchCooperativeKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
	unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
	unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
	void **kernelParams)
{
	return launch(f,
		&(CUlaunchConfig){ .gridDimX = gridDimX,
			.gridDimY = gridDimY,
			.gridDimZ = gridDimZ,
			.blockDimX = blockDimX,
			.blockDimY = blockDimY,
			.blockDimZ = blockDimZ,
			.sharedMemBytes = sharedMemBytes,
			.hStream = hStream },
		true, kernelParams, NULL);
}

static CUresult
attribute_refused(const char *what, bool *said)
{
	unsupported_call(what, said);
	return CUDA_ERROR_NOT_SUPPORTED;
}

static CUresult
attribute_take(const CUlaunchAttribute *a, bool *cooperative)
{
	static bool said_cluster;
	static bool said_other;

	switch (a->id) {
	case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
		*cooperative = a->value.cooperative != 0;
		return CUDA_SUCCESS;
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
	case CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION:
		if (a->value.clusterDim.x <= 1 && a->value.clusterDim.y <= 1 &&
			a->value.clusterDim.z <= 1) {
			return CUDA_SUCCESS;
		}
		return attribute_refused(
			"cuLaunchKernelEx with clusters of blocks", &said_cluster);
	/* About speed only, or about overlap that is allowed and not required. */
	case CU_LAUNCH_ATTRIBUTE_IGNORE:
	case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
	case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
	case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
	case CU_LAUNCH_ATTRIBUTE_PRIORITY:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
	case CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
	case CU_LAUNCH_ATTRIBUTE_NVLINK_UTIL_CENTRIC_SCHEDULING: return CUDA_SUCCESS;
	case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
	case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
	case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE:
		return attribute_refused(
			"cuLaunchKernelEx with events or graph nodes", &said_other);
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult
cuLaunchKernelEx(
	const CUlaunchConfig *config, CUfunction f, void **kernelParams, void **extra)
{
	if (config == NULL || (config->numAttrs > 0 && config->attrs == NULL)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	bool cooperative = false;

	for (unsigned int i = 0; i < config->numAttrs; i++) {
		TRY(attribute_take(&config->attrs[i], &cooperative));
	}
	return launch(f, config, cooperative, kernelParams, extra);
}
