/* SPDX-License-Identifier: Apache-2.0 */
/* program.c: from an image to parsed PTX. */
#include "soft-device/module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "cubin-loader/image.h"

#define FATBIN_MAGIC 0xba55ed50
#define ELF_MAGIC 0x464c457f
#define FILE_MAX ((size_t)1 << 30)

void
load_log_init(struct load_log *log, unsigned int n_options, const CUjit_option *options,
	void **values)
{
	*log = (struct load_log){ .error = NULL };
	for (unsigned int i = 0; i < n_options; i++) {
		switch (options[i]) {
		case CU_JIT_ERROR_LOG_BUFFER: log->error = values[i]; break;
		case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
			log->error_size = (uint32_t)(uintptr_t)values[i];
			log->ret_error_size = &values[i];
			break;
		case CU_JIT_INFO_LOG_BUFFER: log->info = values[i]; break;
		case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
			log->info_size = (uint32_t)(uintptr_t)values[i];
			log->ret_info_size = &values[i];
			break;
		default: break; /* for a compiler; we have none */
		}
	}
	if (log->error != NULL && log->error_size > 0) {
		log->error[0] = '\0';
	}
	if (log->info != NULL && log->info_size > 0) {
		log->info[0] = '\0';
	}
}

static void
buffer_write(char *buffer, size_t size, void **ret_size, const char *text)
{
	if (buffer == NULL || size == 0) {
		return;
	}
	size_t len = strnlen(text, size - 1);

	memcpy(buffer, text, len);
	buffer[len] = '\0';
	if (ret_size != NULL) {
		*ret_size = (void *)(uintptr_t)(len + 1);
	}
}

static CUresult
load_failed(struct load_log *log, CUresult result, const char *message)
{
	log_warning("soft-device: %s", message);
	buffer_write(log->error, log->error_size, log->ret_error_size, message);
	return result;
}

/* Say in the information log what will be refused when it is launched. */
static void
load_tell(struct load_log *log, const struct ptx_module *ptx)
{
	char text[512] = "";

	for (uint32_t i = 0; i < ptx->n_functions && text[0] == '\0'; i++) {
		const struct ptx_function *f = ptx->functions[i];

		if (f->is_entry && f->unsupported != NULL) {
			snprintf(text, sizeof(text), "kernel %.200s: %.250s", f->name,
				f->unsupported);
		}
	}
	buffer_write(log->info, log->info_size, log->ret_info_size, text);
}

struct program *
program_ref(struct program *program)
{
	__atomic_fetch_add(&program->n_references, 1, __ATOMIC_RELAXED);
	return program;
}

void
program_put(struct program *program)
{
	if (program == NULL ||
		__atomic_sub_fetch(&program->n_references, 1, __ATOMIC_ACQ_REL) != 0) {
		return;
	}
	ptx_module_free(program->ptx);
	for (size_t i = 0; i < program->n_texts; i++) {
		free((void *)program->texts[i].text);
	}
	free(program->texts);
	free(program);
}

static CUresult
program_parse(const struct ptx_text *texts, size_t n_texts, struct load_log *log,
	struct ptx_module **ret_module)
{
	struct ptx_error error = { .message = "" };
	int result = ptx_module_new(texts, n_texts, NULL, &error, ret_module);

	switch (result) {
	case 0: return CUDA_SUCCESS;
	case -ENOMEM:
		return load_failed(
			log, CUDA_ERROR_OUT_OF_MEMORY, "no memory for the PTX");
	case -E2BIG: return load_failed(log, CUDA_ERROR_OUT_OF_MEMORY, error.message);
	default: return load_failed(log, CUDA_ERROR_INVALID_PTX, error.message);
	}
}

/* Take over the texts, and parse them. */
static CUresult
program_of_texts(struct image_ptx *texts, size_t n, struct load_log *log,
	struct program **ret_program)
{
	struct program *program = calloc(1, sizeof(*program));

	if (program != NULL) {
		program->n_references = 1;
		program->texts = calloc(n, sizeof(*program->texts));
	}
	if (program == NULL || program->texts == NULL) {
		program_put(program);
		image_ptx_free(texts, n);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	program->n_texts = n;
	for (size_t i = 0; i < n; i++) {
		program->texts[i] =
			(struct ptx_text){ TAKE(texts[i].text), texts[i].len };
	}
	image_ptx_free(texts, n);

	CUresult result = program_parse(program->texts, n, log, &program->ptx);

	if (result != CUDA_SUCCESS) {
		program_put(program);
		return result;
	}
	load_tell(log, program->ptx);
	*ret_program = program;
	return CUDA_SUCCESS;
}

static CUresult
program_of_image(
	const struct image *image, struct load_log *log, struct program **ret_program)
{
	struct image_ptx *texts;
	size_t n;
	int result = image_ptx(image, &texts, &n);

	switch (result) {
	case 0: break;
	case -ENOENT:
		return load_failed(log, CUDA_ERROR_NO_BINARY_FOR_GPU,
			"the program holds machine code only, and the software device "
			"runs PTX: "
			"rebuild it with -gencode arch=compute_75,code=compute_75");
	case -ENOMEM: return CUDA_ERROR_OUT_OF_MEMORY;
	default:
		return load_failed(
			log, CUDA_ERROR_INVALID_IMAGE, "the image is malformed");
	}
	return program_of_texts(texts, n, log, ret_program);
}

CUresult
program_new(const void *data, struct load_log *log, struct program **ret_program)
{
	struct image image = IMAGE_INIT;

	if (data == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	int measured = image_measure(data, &image);

	if (measured == -ENOMEM) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (measured != 0) {
		return load_failed(log, CUDA_ERROR_INVALID_IMAGE,
			"this is neither a fat binary, nor a cubin, nor PTX");
	}
	CUresult result = program_of_image(&image, log, ret_program);

	image_deinit(&image);
	return result;
}

CUresult
program_new_file(const char *path, struct load_log *log, struct program **ret_program)
{
	cleanup_fclose FILE *file = path == NULL ? NULL : fopen(path, "re");
	struct stat st;

	if (path == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (file == NULL || fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode)) {
		return CUDA_ERROR_FILE_NOT_FOUND;
	}
	size_t size = (size_t)st.st_size;

	if (size > FILE_MAX || size < 4) {
		return CUDA_ERROR_INVALID_IMAGE;
	}
	cleanup_free char *data = calloc(1, size + 1);

	if (data == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (fread(data, 1, size, file) != size) {
		return CUDA_ERROR_INVALID_IMAGE;
	}
	uint32_t magic;

	memcpy(&magic, data, sizeof(magic));
	/* Here the length is known, and the image need not be trusted. */
	struct image_part part = { data, size };
	struct image image = {
		.kind = magic == FATBIN_MAGIC ? IMAGE_FATBIN
			: magic == ELF_MAGIC  ? IMAGE_ELF
					      : IMAGE_PTX,
		.n_parts = 1,
		.parts = &part,
	};

	return program_of_image(&image, log, ret_program);
}

size_t
program_n_entries(const struct program *program)
{
	size_t n = 0;

	for (uint32_t i = 0; i < program->ptx->n_functions; i++) {
		n += program->ptx->functions[i]->is_entry &&
		     program->ptx->functions[i]->is_defined;
	}
	return n;
}

const struct ptx_function *
program_entry(const struct program *program, size_t i)
{
	for (uint32_t k = 0; k < program->ptx->n_functions; k++) {
		const struct ptx_function *f = program->ptx->functions[k];

		if (f->is_entry && f->is_defined && i-- == 0) {
			return f;
		}
	}
	return NULL;
}
