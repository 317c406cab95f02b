/* SPDX-License-Identifier: Apache-2.0 */
/* elf.c: bounded reading of a cubin. */
#include "cubin-loader/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "common/checked.h"
#include "cubin-loader/nvinfo.h"

/* Kernels are marked in the upper bits of st_other; device functions are not (compared
 * with what nvcc makes of __global__ and __device__ functions). */
#define STO_KERNEL 0x10

static Elf64_Shdr
section_header(const struct elf *elf, size_t i)
{
	struct reader r = elf->file;
	Elf64_Shdr header = { 0 };

	reader_seek(&r, elf->section_table + i * sizeof(header));
	const void *bytes = reader_bytes(&r, sizeof(header));
	if (bytes != NULL) {
		memcpy(&header, bytes, sizeof(header));
	}
	return header;
}

static void
extend(struct elf *elf, size_t end)
{
	if (end > elf->end) {
		elf->end = end;
	}
}

/* Take [offset, offset + size) into account; false if it is not inside the file. */
static bool
cover(struct elf *elf, uint64_t offset, uint64_t size)
{
	if (!checked_range(offset, size, elf->file.size)) {
		return false;
	}
	extend(elf, offset + size);
	return true;
}

static int
open_segments(struct elf *elf, const Elf64_Ehdr *header)
{
	if (header->e_phnum == 0) {
		return 0;
	}
	if (header->e_phentsize != sizeof(Elf64_Phdr) ||
		!cover(elf, header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr))) {
		return -EBADMSG;
	}
	for (size_t i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;
		memcpy(&segment, elf->file.data + header->e_phoff + i * sizeof(segment),
			sizeof(segment));
		if (!cover(elf, segment.p_offset, segment.p_filesz)) {
			return -EBADMSG;
		}
	}
	return 0;
}

/* With 65280 sections or more the header holds 0, and entry 0 of the table the number. */
static int
count_sections(struct elf *elf, const Elf64_Ehdr *header, size_t *ret_names)
{
	elf->n_sections = header->e_shnum;
	*ret_names = header->e_shstrndx;
	if (header->e_shoff == 0) {
		elf->n_sections = 0;
		return header->e_shnum == 0 ? 0 : -EBADMSG;
	}
	if (header->e_shentsize != sizeof(Elf64_Shdr) ||
		!checked_range(header->e_shoff, sizeof(Elf64_Shdr), elf->file.size)) {
		return -EBADMSG;
	}
	elf->section_table = header->e_shoff;

	Elf64_Shdr first = section_header(elf, 0);
	if (header->e_shnum == 0) {
		if (first.sh_size > ELF_SECTIONS_MAX) {
			return -E2BIG;
		}
		elf->n_sections = first.sh_size;
	}
	if (header->e_shstrndx == SHN_XINDEX) {
		*ret_names = first.sh_link;
	}
	if (!cover(elf, header->e_shoff, elf->n_sections * sizeof(Elf64_Shdr))) {
		return -EBADMSG;
	}
	return 0;
}

static int
open_sections(struct elf *elf, const Elf64_Ehdr *header)
{
	size_t names_index;
	int r = count_sections(elf, header, &names_index);
	if (r < 0) {
		return r;
	}

	/* Entry 0 describes nothing; its sh_size may be the number of sections. */
	for (size_t i = 1; i < elf->n_sections; i++) {
		Elf64_Shdr section = section_header(elf, i);
		if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL &&
			!cover(elf, section.sh_offset, section.sh_size)) {
			return -EBADMSG;
		}
	}

	if (names_index == SHN_UNDEF || elf->n_sections == 0) {
		return 0;
	}
	if (names_index >= elf->n_sections) {
		return -EBADMSG;
	}
	Elf64_Shdr names = section_header(elf, names_index);
	if (names.sh_type != SHT_STRTAB || names.sh_size == 0) {
		return -EBADMSG;
	}
	elf->names = (const char *)elf->file.data + names.sh_offset;
	elf->names_size = names.sh_size;
	if (elf->names[elf->names_size - 1] != '\0') {
		return -EBADMSG;
	}
	for (size_t i = 0; i < elf->n_sections; i++) {
		if (section_header(elf, i).sh_name >= elf->names_size) {
			return -EBADMSG;
		}
	}
	return 0;
}

int
elf_open_any(const void *data, size_t size, struct elf *ret_elf)
{
	struct elf elf = { .file = reader_of(data, size) };
	struct reader r = elf.file;
	const void *bytes = reader_bytes(&r, sizeof(Elf64_Ehdr));
	Elf64_Ehdr header;

	if (bytes == NULL) {
		return -EBADMSG;
	}
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
		header.e_ident[EI_CLASS] != ELFCLASS64 ||
		header.e_ident[EI_DATA] != ELFDATA2LSB) {
		return -EBADMSG;
	}
	elf.is_cuda = header.e_machine == EM_CUDA;
	elf.end = sizeof(header);

	int result = open_segments(&elf, &header);
	if (result == 0) {
		result = open_sections(&elf, &header);
	}
	if (result < 0) {
		return result;
	}
	*ret_elf = elf;
	return 0;
}

int
elf_open(const void *data, size_t size, struct elf *ret_elf)
{
	struct elf elf;
	int result = elf_open_any(data, size, &elf);

	if (result == 0 && !elf.is_cuda) {
		result = -EBADMSG;
	}
	if (result == 0) {
		*ret_elf = elf;
	}
	return result;
}

struct elf_section
elf_section_at(const struct elf *elf, size_t i)
{
	Elf64_Shdr header = section_header(elf, i);
	bool has_bytes =
		i > 0 && header.sh_type != SHT_NOBITS && header.sh_type != SHT_NULL;

	return (struct elf_section){
		.name = elf->names != NULL ? elf->names + header.sh_name : "",
		.type = header.sh_type,
		.link = header.sh_link,
		.info = header.sh_info,
		.data = has_bytes ? elf->file.data + header.sh_offset : NULL,
		.size = header.sh_size,
	};
}

bool
elf_section_find(const struct elf *elf, const char *name, struct elf_section *ret_section)
{
	for (size_t i = 1; i < elf->n_sections; i++) {
		struct elf_section section = elf_section_at(elf, i);
		if (strcmp(section.name, name) == 0) {
			*ret_section = section;
			return true;
		}
	}
	return false;
}

/* The names of a symbol table, if its link is good. */
static bool
symbol_names(const struct elf *elf, const struct elf_section *table,
	struct elf_section *ret_names)
{
	if (table->link >= elf->n_sections) {
		return false;
	}
	struct elf_section names = elf_section_at(elf, table->link);
	if (names.type != SHT_STRTAB || names.data == NULL || names.size == 0 ||
		((const char *)names.data)[names.size - 1] != '\0') {
		return false;
	}
	*ret_names = names;
	return true;
}

static int
table_symbols(const struct elf *elf, const struct elf_section *table,
	int (*visit)(void *user, const struct elf *elf, const struct elf_symbol *symbol),
	void *user)
{
	struct elf_section names;

	if (table->data == NULL || table->size % sizeof(Elf64_Sym) != 0 ||
		!symbol_names(elf, table, &names)) {
		return -EBADMSG;
	}
	for (size_t at = 0; at < table->size; at += sizeof(Elf64_Sym)) {
		Elf64_Sym symbol;
		memcpy(&symbol, (const char *)table->data + at, sizeof(symbol));
		if (symbol.st_name >= names.size) {
			return -EBADMSG;
		}
		bool is_function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
		int r = visit(user, elf,
			&(struct elf_symbol){
				.name = (const char *)names.data + symbol.st_name,
				.is_function = is_function,
				.is_kernel = is_function &&
					     (symbol.st_other & STO_KERNEL) != 0,
				.section = symbol.st_shndx,
				.value = symbol.st_value,
				.size = symbol.st_size,
			});
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int
elf_symbols(const struct elf *elf,
	int (*visit)(void *user, const struct elf *elf, const struct elf_symbol *symbol),
	void *user)
{
	/* Tables that lie over each other would make little input much work. */
	size_t work = 0;

	for (size_t i = 1; i < elf->n_sections; i++) {
		struct elf_section section = elf_section_at(elf, i);
		if (section.type != SHT_SYMTAB) {
			continue;
		}
		if (!checked_add(work, section.size, &work) || work > elf->file.size) {
			return -EBADMSG;
		}
		int r = table_symbols(elf, &section, visit, user);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int
validate_symbol(void *user, const struct elf *elf, const struct elf_symbol *symbol)
{
	if (symbol->section >= SHN_LORESERVE) {
		return 0;
	}
	if (symbol->section >= elf->n_sections) {
		return -EBADMSG;
	}
	if (symbol->section != SHN_UNDEF && symbol->is_function) {
		struct elf_section code = elf_section_at(elf, symbol->section);
		if (!checked_range(symbol->value, symbol->size, code.size)) {
			return -EBADMSG;
		}
	}
	return 0;
}

/* Both kinds of relocation begin with offset and info. */
static int
validate_relocations(const struct elf *elf, const struct elf_section *section)
{
	size_t entry_size =
		section->type == SHT_RELA ? sizeof(Elf64_Rela) : sizeof(Elf64_Rel);

	if (section->link >= elf->n_sections || section->info >= elf->n_sections ||
		section->size % entry_size != 0) {
		return -EBADMSG;
	}
	struct elf_section symbols = elf_section_at(elf, section->link);
	struct elf_section target = elf_section_at(elf, section->info);
	for (size_t at = 0; at < section->size; at += entry_size) {
		Elf64_Rel relocation;
		memcpy(&relocation, (const char *)section->data + at, sizeof(relocation));
		if (symbols.type != SHT_SYMTAB ||
			ELF64_R_SYM(relocation.r_info) >=
				symbols.size / sizeof(Elf64_Sym) ||
			relocation.r_offset >= target.size) {
			return -EBADMSG;
		}
	}
	return 0;
}

int
elf_validate(const struct elf *elf)
{
	size_t work = 0;

	for (size_t i = 1; i < elf->n_sections; i++) {
		struct elf_section section = elf_section_at(elf, i);
		bool is_relocations = section.type == SHT_REL || section.type == SHT_RELA;
		bool is_info = section.type == ELF_SHT_CUDA_INFO;

		if (section.link >= elf->n_sections) {
			return -EBADMSG;
		}
		if (!is_relocations && !is_info) {
			continue;
		}
		if (!checked_add(work, section.size, &work) || work > elf->file.size) {
			return -EBADMSG;
		}
		int r = is_info ? nvinfo_validate(section.data, section.size)
				: validate_relocations(elf, &section);
		if (r < 0) {
			return r;
		}
	}
	return elf_symbols(elf, validate_symbol, NULL);
}
