/* SPDX-License-Identifier: Apache-2.0 */
/* binary.c: what the file of a program or library says about a CUDA runtime inside it. */
#include "guest-shim/redirect/binary.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* Real programs have tens; with -ffunction-sections and no linking, thousands. */
#define MAX_SECTIONS 4096
/* A program without device code may still hold the runtime; its names are searched up to
 * this size, which is what can be done in a fraction of a millisecond. */
#define MAX_NAMES_SEARCHED (4 << 20)
/* CUDA's longest names have some 60 characters. */
#define MAX_NAME 256

static bool
section_at(const struct binary *b, size_t i, Elf64_Shdr *ret_section)
{
	size_t at = i * sizeof(*ret_section);

	if (at >= b->sections.size) {
		return false;
	}
	/* The table may lie at an odd address. */
	memcpy(ret_section, b->sections.data + at, sizeof(*ret_section));
	return true;
}

static struct reader
section_part(const struct binary *b, const Elf64_Shdr *section)
{
	if (section->sh_type == SHT_NOBITS) {
		return (struct reader){ .failed = true };
	}
	return reader_part(&b->file, section->sh_offset, section->sh_size);
}

static void
take_symbols(struct binary *b, const Elf64_Shdr *section)
{
	Elf64_Shdr names;

	if (section->sh_entsize != sizeof(Elf64_Sym) ||
		!section_at(b, section->sh_link, &names) || names.sh_type != SHT_STRTAB) {
		return;
	}
	struct reader symbols = section_part(b, section);
	struct reader name_part = section_part(b, &names);
	if (symbols.failed || name_part.failed) {
		return;
	}
	if (section->sh_type == SHT_DYNSYM) {
		b->dynamic_names = name_part;
	}
	if (section->sh_type == SHT_SYMTAB || b->symbols.size == 0) {
		b->symbols = symbols;
		b->names = name_part;
	}
}

int
binary_parse(struct binary *ret_binary, const void *data, size_t size)
{
	struct binary b = { .file = reader_of(data, size) };
	Elf64_Ehdr header;
	Elf64_Shdr section;

	if (size < sizeof(header)) {
		return -EBADMSG;
	}
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
		header.e_ident[EI_CLASS] != ELFCLASS64 ||
		header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64 ||
		(header.e_type != ET_EXEC && header.e_type != ET_DYN) ||
		header.e_shentsize != sizeof(section) || header.e_shnum > MAX_SECTIONS) {
		return -EBADMSG;
	}
	b.sections =
		reader_part(&b.file, header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr));
	if (b.sections.failed) {
		return -EBADMSG;
	}
	struct reader section_names = { .failed = true };
	if (section_at(&b, header.e_shstrndx, &section)) {
		section_names = section_part(&b, &section);
	}
	for (size_t i = 0; section_at(&b, i, &section); i++) {
		const char *name = reader_string(&section_names, section.sh_name);
		if (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM) {
			take_symbols(&b, &section);
		} else if (name != NULL &&
			   (strcmp(name, ".nv_fatbin") == 0 ||
				   strcmp(name, ".nvFatBinSegment") == 0)) {
			b.has_fatbin = true;
		} else if (name != NULL && strcmp(name, BINARY_OURS) == 0) {
			b.is_ours = true;
		}
	}
	*ret_binary = b;
	return 0;
}

static bool
mentions(const struct reader *names, const char *text)
{
	return names->size > 0 &&
	       memmem(names->data, names->size, text, strlen(text)) != NULL;
}

static bool
symbol_at(const struct binary *b, size_t i, Elf64_Sym *ret_symbol)
{
	if (i >= b->symbols.size / sizeof(*ret_symbol)) {
		return false;
	}
	memcpy(ret_symbol, b->symbols.data + i * sizeof(*ret_symbol),
		sizeof(*ret_symbol));
	return true;
}

/* The symbol's name if it may be one of CUDA's, else NULL. */
static const char *
cuda_name(const struct binary *b, const Elf64_Sym *symbol)
{
	struct reader names = b->names;

	reader_seek(&names, symbol->st_name);
	size_t room = reader_left(&names) < MAX_NAME ? reader_left(&names) : MAX_NAME;
	const char *name = reader_bytes(&names, room);
	if (name == NULL || room < 6 ||
		(memcmp(name, "cuda", 4) != 0 && memcmp(name, "__cuda", 6) != 0) ||
		memchr(name, '\0', room) == NULL) {
		return NULL;
	}
	return name;
}

/* The bytes of the function in the file, if it lies in a section of code. */
static bool
take_bytes(const struct binary *b, const Elf64_Sym *symbol, struct binary_function *f)
{
	Elf64_Shdr section;

	if (!section_at(b, symbol->st_shndx, &section) ||
		(section.sh_flags & SHF_EXECINSTR) == 0) {
		return false;
	}
	struct reader code = section_part(b, &section);
	uint64_t offset = symbol->st_value - section.sh_addr;
	if (code.failed || symbol->st_value < section.sh_addr || offset >= code.size) {
		return false;
	}
	f->bytes = code.data + offset;
	f->n_bytes = code.size - offset;
	f->address = symbol->st_value;
	f->size = symbol->st_size < f->n_bytes ? symbol->st_size : f->n_bytes;
	return true;
}

bool
binary_next(const struct binary *b, size_t *at, struct binary_function *ret_function)
{
	struct binary_function f;
	Elf64_Sym symbol;

	while (symbol_at(b, *at, &symbol)) {
		(*at)++;
		if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
			symbol.st_shndx == SHN_UNDEF ||
			symbol.st_shndx >= SHN_LORESERVE) {
			continue;
		}
		f.name = cuda_name(b, &symbol);
		if (f.name != NULL && take_bytes(b, &symbol, &f)) {
			*ret_function = f;
			return true;
		}
	}
	return false;
}

uint64_t
binary_next_address(const struct binary *b, uint64_t address)
{
	uint64_t next = UINT64_MAX;
	Elf64_Sym symbol;

	for (size_t i = 0; symbol_at(b, i, &symbol); i++) {
		if (symbol.st_shndx != SHN_UNDEF && symbol.st_shndx < SHN_LORESERVE &&
			symbol.st_value > address && symbol.st_value < next) {
			next = symbol.st_value;
		}
	}
	return next;
}

/* The runtime is one object in its archive: all its functions are there or none.  So one
 * name that only one major version has tells which it is. */
static bool
functions_tell(const struct binary *b, int *ret_major)
{
	struct binary_function f;
	bool registers = false;
	int major = 13;

	for (size_t at = 0; binary_next(b, &at, &f);) {
		if (strcmp(f.name, "__cudaRegisterFatBinary") == 0) {
			registers = true;
		} else if (strcmp(f.name, "cudaGetDeviceProperties_v2") == 0) {
			major = 12;
		} else if (strcmp(f.name, "cudaBindTexture") == 0 ||
			   strcmp(f.name, "cudaUnbindTexture") == 0) {
			major = 11;
		}
	}
	if (registers) {
		*ret_major = major;
	}
	return registers;
}

enum binary_runtime
binary_runtime(const struct binary *b, int *ret_major)
{
	bool plausible =
		b->has_fatbin || (b->names.size <= MAX_NAMES_SEARCHED &&
					 mentions(&b->names, "__cudaRegisterFatBinary"));
	int major;

	if (!plausible || b->is_ours) {
		return BINARY_NO_RUNTIME;
	}
	if (functions_tell(b, &major)) {
		*ret_major = major;
		return BINARY_RUNTIME;
	}
	/* Whoever uses a shared runtime imports this function, or names the library. */
	if (!b->has_fatbin || mentions(&b->dynamic_names, "__cudaRegisterFatBinary") ||
		mentions(&b->dynamic_names, "libcudart.so.")) {
		return BINARY_NO_RUNTIME;
	}
	return BINARY_RUNTIME_STRIPPED;
}
