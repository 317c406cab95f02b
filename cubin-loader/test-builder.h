/* SPDX-License-Identifier: Apache-2.0 */
/* test-builder.h: images made byte by byte, for tests. */
#pragma once

#include <assert.h>
#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "cubin-loader/fatbin.h"

struct bytes {
	uint8_t data[16384];
	size_t size;
};

static inline size_t
bytes_put(struct bytes *b, const void *data, size_t size)
{
	size_t at = b->size;

	assert(size <= sizeof(b->data) - b->size);
	if (size > 0) {
		memcpy(b->data + at, data, size);
	}
	b->size += size;
	return at;
}

static inline void
bytes_u8(struct bytes *b, uint8_t value)
{
	bytes_put(b, &value, sizeof(value));
}

static inline void
bytes_u16(struct bytes *b, uint16_t value)
{
	bytes_put(b, &value, sizeof(value));
}

static inline void
bytes_u32(struct bytes *b, uint32_t value)
{
	bytes_put(b, &value, sizeof(value));
}

static inline void
bytes_u64(struct bytes *b, uint64_t value)
{
	bytes_put(b, &value, sizeof(value));
}

static inline void
bytes_pad(struct bytes *b, size_t multiple)
{
	while (b->size % multiple != 0) {
		bytes_u8(b, 0);
	}
}

/* ---- containers ---- */

static inline void
build_container(struct bytes *b)
{
	b->size = 0;
	bytes_u32(b, FATBIN_MAGIC);
	bytes_u16(b, 1);
	bytes_u16(b, 16);
	bytes_u64(b, 0);
}

/* Returns where the entry begins. */
static inline size_t
build_entry(struct bytes *b, uint16_t kind, uint32_t arch, uint64_t flags,
	const void *data, size_t size, uint32_t compressed_size, uint64_t full_size)
{
	size_t at = b->size;
	uint64_t padded = (size + 7) & ~(size_t)7;

	bytes_u16(b, kind);
	bytes_u16(b, 0x101);
	bytes_u32(b, 64);
	bytes_u64(b, padded);
	bytes_u32(b, compressed_size);
	bytes_u32(b, 0);
	bytes_u32(b, 8);
	bytes_u32(b, arch);
	bytes_u64(b, 0);
	bytes_u64(b, flags | 0x11);
	bytes_u64(b, 0);
	bytes_u64(b, full_size);
	bytes_put(b, data, size);
	bytes_pad(b, 8);

	uint64_t entries = b->size - 16;
	memcpy(b->data + 8, &entries, sizeof(entries));
	return at;
}

static inline size_t
build_plain_entry(
	struct bytes *b, uint16_t kind, uint32_t arch, const void *data, size_t size)
{
	return build_entry(b, kind, arch, 0, data, size, 0, 0);
}

/* ---- .nv.info ---- */

static inline void
build_param(struct bytes *b, uint16_t ordinal, uint16_t offset, uint16_t size)
{
	bytes_u8(b, 4);
	bytes_u8(b, 0x17);
	bytes_u16(b, 12);
	bytes_u32(b, 0);
	bytes_u16(b, ordinal);
	bytes_u16(b, offset);
	bytes_u32(b, (uint32_t)size << 18 | 0x1f000);
}

static inline void
build_wide_param(struct bytes *b, uint16_t ordinal, uint16_t offset, uint16_t size)
{
	bytes_u8(b, 4);
	bytes_u8(b, 0x45);
	bytes_u16(b, 12);
	bytes_u32(b, 0);
	bytes_u16(b, ordinal);
	bytes_u16(b, offset);
	bytes_u16(b, size);
	bytes_u16(b, 0);
}

static inline void
build_params_size(struct bytes *b, uint16_t size)
{
	bytes_u8(b, 3);
	bytes_u8(b, 0x19);
	bytes_u16(b, size);
}

/* ---- cubins ---- */

/* One kernel named k, and one device function d in the same section:
 * 1 .strtab (also names sections), 2 .symtab, 3 .text.k, 4 .nv.info.k, 5 .bss (NOBITS),
 * 6 .rela (of .text.k).  Section headers at *ret_table. */
static inline void
build_cubin(struct bytes *b, const struct bytes *info, size_t *ret_table)
{
	static const char strings[] =
		"\0k\0d\0.strtab\0.symtab\0.text.k\0.nv.info.k\0.bss\0.rela";
	static const uint32_t name[] = { 0, 5, 13, 21, 29, 40, 45 };
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1, 0x41, 8 },
		.e_type = ET_EXEC,
		.e_machine = EM_CUDA,
		.e_ehsize = sizeof(header),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 7,
		.e_shstrndx = 1,
	};
	Elf64_Sym symbols[] = {
		{ 0 },
		{ .st_name = 1,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			.st_other = 0x10,
			.st_shndx = 3,
			.st_size = 128 },
		{ .st_name = 3,
			.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
			.st_shndx = 3,
			.st_value = 64,
			.st_size = 64 },
	};
	Elf64_Rela relocation = { .r_offset = 120, .r_info = ELF64_R_INFO(2, 1) };
	Elf64_Shdr s[7] = {
		[1] = { .sh_type = SHT_STRTAB, .sh_size = sizeof(strings) },
		[2] = { .sh_type = SHT_SYMTAB, .sh_size = sizeof(symbols), .sh_link = 1 },
		[3] = { .sh_type = SHT_PROGBITS, .sh_size = 128, .sh_link = 2 },
		[4] = { .sh_type = 0x70000000,
			.sh_size = info->size,
			.sh_link = 2,
			.sh_info = 3 },
		[5] = { .sh_type = SHT_NOBITS, .sh_size = (uint64_t)1 << 40 },
		[6] = { .sh_type = SHT_RELA,
			.sh_size = sizeof(relocation),
			.sh_link = 2,
			.sh_info = 3 },
	};
	uint8_t code[128] = { 0x90 };

	b->size = 0;
	bytes_put(b, &header, sizeof(header));
	s[1].sh_offset = bytes_put(b, strings, sizeof(strings));
	bytes_pad(b, 8);
	s[2].sh_offset = bytes_put(b, symbols, sizeof(symbols));
	s[3].sh_offset = bytes_put(b, code, sizeof(code));
	s[4].sh_offset = bytes_put(b, info->data, info->size);
	s[5].sh_offset = b->size;
	bytes_pad(b, 8);
	s[6].sh_offset = bytes_put(b, &relocation, sizeof(relocation));
	for (size_t i = 0; i < 7; i++) {
		s[i].sh_name = name[i];
	}
	*ret_table = bytes_put(b, s, sizeof(s));
	uint64_t shoff = *ret_table;
	memcpy(b->data + offsetof(Elf64_Ehdr, e_shoff), &shoff, sizeof(shoff));
}
