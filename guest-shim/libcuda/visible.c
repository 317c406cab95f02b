/* SPDX-License-Identifier: Apache-2.0 */
/* visible.c: which of the host's devices the program wants to see. */
#include "guest-shim/libcuda/visible.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* As nvidia-smi -L prints it: GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx. */
static void
uuid_text(const CUuuid *uuid, char text[64])
{
	const unsigned char *b = (const unsigned char *)uuid->bytes;

	snprintf(text, 64,
		"GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
		b[14], b[15]);
}

static int
by_uuid(const char *word, size_t len, const CUuuid *uuids, int n)
{
	int found = -1;

	for (int i = 0; i < n; i++) {
		char text[64];
		uuid_text(&uuids[i], text);
		if (len <= strlen(text) && strncasecmp(word, text, len) == 0) {
			if (found >= 0) {
				return -1; /* ambiguous */
			}
			found = i;
		}
	}
	return found;
}

static int
by_ordinal(const char *word, size_t len, int n)
{
	int ordinal = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)word[i]) || ordinal >= n) {
			return -1;
		}
		ordinal = ordinal * 10 + (word[i] - '0');
	}
	return len > 0 && ordinal < n ? ordinal : -1;
}

int
visible_devices(const char *text, const CUuuid *uuids, int n, int *visible)
{
	int n_visible = 0;

	if (text == NULL) {
		for (int i = 0; i < n; i++) {
			visible[i] = i;
		}
		return n;
	}
	while (true) {
		text += strspn(text, " \t");
		size_t len = strcspn(text, ", \t");
		int found = strncasecmp(text, "GPU-", 4) == 0 ? by_uuid(text, len, uuids, n)
							      : by_ordinal(text, len, n);
		if (found < 0) {
			return n_visible;
		}
		for (int i = 0; i < n_visible; i++) {
			if (visible[i] == found) {
				return 0;
			}
		}
		visible[n_visible++] = found;
		text += len;
		text += strspn(text, " \t");
		if (*text != ',') {
			return n_visible;
		}
		text++;
	}
}
