/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-ptx.c: hostile PTX text, alone or as two texts that are linked. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "soft-device/ptx.h"
#include "soft-device/ptx_report.h"

/* Two texts are separated by this byte, which PTX does not have. */
#define SEPARATOR 0x1e

static int
do_nothing(struct exec_context *x, const struct ptx_instr *instr)
{
	return 0;
}

/* Looks at all that an executor would look at. */
const char *
exec_bind(struct ptx_instr *instr)
{
	for (int k = 0; k < PTX_MIN_OPERANDS || k < instr->n_operands; k++) {
		const struct ptx_operand *operand = &instr->operands[k];

		if (operand->kind > PTX_OPERAND_LABEL ||
			(operand->kind == PTX_OPERAND_NONE && operand->offset != 0) ||
			(operand->base == PTX_BASE_VARIABLE &&
				operand->variable == NULL)) {
			abort();
		}
	}
	if (strlen(instr->text) == 0 ||
		(instr->opcode == PTX_OP_CALL && instr->call == NULL)) {
		abort();
	}
	instr->handler = do_nothing;
	return NULL;
}

ptx_handler
exec_builtin_for(const char *name)
{
	return strcmp(name, "vprintf") == 0 ? do_nothing : NULL;
}

static void
check_function(const struct ptx_function *function)
{
	if (function->unsupported != NULL || !function->is_defined) {
		return;
	}
	if (function->code[function->n_code - 1].opcode != PTX_OP_RET ||
		function->frame_size % PTX_FRAME_ALIGNMENT != 0) {
		abort();
	}
	for (uint32_t i = 0; i < function->n_code; i++) {
		const struct ptx_instr *instr = &function->code[i];

		if (instr->handler == NULL || instr->target >= function->n_code) {
			abort();
		}
		for (int k = 0; k < instr->n_operands; k++) {
			const struct ptx_operand *o = &instr->operands[k];
			uint32_t size =
				o->predicate ? 4 : (uint32_t)o->size * PTX_N_LANES;

			if (o->kind == PTX_OPERAND_REG &&
				(o->offset < PTX_FRAME_CARRY + 4 ||
					o->offset + size > function->frame_size)) {
				abort();
			}
		}
	}
}

static void
check_variable(struct ptx_variable *variable)
{
	if (variable->init_size > variable->size) {
		abort();
	}
	if (variable->size <= 1 << 20) {
		cleanup_free void *memory = malloc(variable->size + 1);

		variable->address = 4096;
		ptx_variable_fill(variable, memory);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ptx_limits limits = {
		.text_size = 1 << 20,
		.memory_size = 64 << 20,
		.n_functions = 1000,
		.n_instructions = 100000,
		.n_registers = 100000,
		.frame_size = 1 << 20,
		.variable_size = 1 << 30,
	};
	const uint8_t *separator = size > 0 ? memchr(data, SEPARATOR, size) : NULL;
	struct ptx_text texts[2] = { { (const char *)data, size } };
	struct ptx_module *module = NULL;
	struct ptx_error error;

	if (separator != NULL) {
		texts[0].size = (size_t)(separator - data);
		texts[1].text = (const char *)separator + 1;
		texts[1].size = size - texts[0].size - 1;
	}
	if (ptx_module_new(texts, separator != NULL ? 2 : 1, &limits, &error, &module) <
		0) {
		if (strlen(error.message) == 0) {
			abort();
		}
		return 0;
	}
	for (uint32_t i = 0; i < module->n_functions; i++) {
		check_function(module->functions[i]);
	}
	for (uint32_t i = 0; i < module->n_variables; i++) {
		check_variable(module->variables[i]);
	}
	struct ptx_report report = ptx_report_of(module, false);
	struct ptx_report_line line;

	while (ptx_report_next(&report, &line)) {
	}
	ptx_module_free(module);
	return 0;
}
