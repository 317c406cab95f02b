/* SPDX-License-Identifier: Apache-2.0 */
/* elf.h: bounded reading of a cubin, which is a little-endian ELF64 file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/reader.h"

/* Ten times what the largest cubin of NVIDIA's libraries has. */
#define ELF_SECTIONS_MAX (1u << 20)

/* Section type of .nv.info and .nv.info.KERNEL (readelf shows LOPROC+0). */
#define ELF_SHT_CUDA_INFO 0x70000000u

struct elf {
	struct reader file;
	size_t section_table; /* offset */
	size_t n_sections;    /* may be 0 */
	const char *names;    /* .shstrtab; its last byte is NUL */
	size_t names_size;
	bool is_cuda;
	size_t end; /* the first byte that no header, table or section covers */
};

struct elf_section {
	const char *name; /* "" if the file names no sections */
	uint32_t type;
	uint32_t link;
	uint32_t info;
	const void *data; /* NULL for NOBITS */
	uint64_t size;
};

struct elf_symbol {
	const char *name;
	bool is_function;
	bool is_kernel;	  /* a function that the host can launch */
	uint16_t section; /* 0: undefined; 0xff00 and above: no section index */
	uint64_t value;
	uint64_t size;
};

/* Read header, tables and the extent of every section and segment.  data may be longer
 * than the file.  *ret_elf borrows data.  0, -EBADMSG, -E2BIG. */
int elf_open(const void *data, size_t size, struct elf *ret_elf);
/* The same for an ELF64 file of any machine, such as a program that holds fat binaries. */
int elf_open_any(const void *data, size_t size, struct elf *ret_elf);
/* i < n_sections. */
struct elf_section elf_section_at(const struct elf *elf, size_t i);
/* The first section of this name. */
bool elf_section_find(
	const struct elf *elf, const char *name, struct elf_section *ret_section);

/* Call visit for every symbol of every symbol table until it returns negative. */
int elf_symbols(const struct elf *elf,
	int (*visit)(void *user, const struct elf *elf, const struct elf_symbol *symbol),
	void *user);

/* What elf_open does not look at: that links between sections, symbols, relocations and
 * .nv.info records stay inside.  0, -EBADMSG. */
int elf_validate(const struct elf *elf);
