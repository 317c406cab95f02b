/* SPDX-License-Identifier: Apache-2.0 */
/* test-rows.c: rows in memory, packed, unpacked and in pieces. */
#include "rpc/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ROOM 4096

static struct rows
random_rows(uint8_t *memory)
{
	struct rows rows = { .first = memory + rand() % 50, .width = 1 + (size_t)rand() % 40,
		.height = 1 + (size_t)rand() % 40 };

	rows.pitch = rows.width + (size_t)rand() % 50;
	return rows;
}

static void
fill(uint8_t *memory, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		memory[i] = (uint8_t)rand();
	}
}

static void
pieces_are_the_packed_bytes_from_any_place(void **state)
{
	static uint8_t memory[ROOM], packed[ROOM], gathered[ROOM];

	for (int round = 0; round < 2000; round++) {
		struct rows rows = random_rows(memory);
		struct iovec pieces[7];
		size_t size = rows_size(&rows), from = (size_t)rand() % size;
		int n_max = 1 + rand() % 7;

		fill(memory, ROOM);
		rows_pack(&rows, packed, size);
		for (size_t at = from; at < size;) {
			int n = rows_pieces(&rows, at, pieces, n_max);
			assert_in_range(n, 1, n_max);
			for (int i = 0; i < n; i++) {
				memcpy(gathered + at, pieces[i].iov_base, pieces[i].iov_len);
				at += pieces[i].iov_len;
			}
			assert_true(at <= size);
		}
		assert_memory_equal(gathered + from, packed + from, size - from);
		assert_int_equal(rows_pieces(&rows, size, pieces, n_max), 0);
	}
}

/* Byte for byte against the definition, and nothing else is touched. */
static void
unpacking_undoes_packing(void **state)
{
	static uint8_t memory[ROOM], before[ROOM], packed[ROOM], from[ROOM];

	for (int round = 0; round < 2000; round++) {
		struct rows rows = random_rows(memory);
		size_t part = (size_t)rand() % (rows_size(&rows) + 1);
		size_t offset = (size_t)((uint8_t *)rows.first - memory);

		fill(memory, ROOM);
		fill(from, ROOM);
		memcpy(before, memory, ROOM);
		rows_unpack(&rows, from, part);
		for (size_t i = 0; i < part; i++) {
			before[offset + i / rows.width * rows.pitch + i % rows.width] = from[i];
		}
		assert_memory_equal(memory, before, ROOM);
		rows_pack(&rows, packed, part);
		assert_memory_equal(packed, from, part);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_the_packed_bytes_from_any_place),
		cmocka_unit_test(unpacking_undoes_packing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
