/* SPDX-License-Identifier: Apache-2.0 */
/* call.c: finding a message's description by its number. */
#include "rpc/call.h"

const struct call_info *
call_find(uint32_t number)
{
	uint32_t high = number >> 8, low = number & 0xff;

	if (high >= CALL_DOMAINS_MAX || low >= call_domains[high].n_calls) {
		return NULL;
	}
	const struct call_info *info = &call_domains[high].calls[low];
	return info->name != NULL ? info : NULL;
}

const char *
call_name(uint32_t number)
{
	const struct call_info *info = call_find(number);

	return info != NULL ? info->name : "?";
}
