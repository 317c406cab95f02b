/* SPDX-License-Identifier: Apache-2.0 */
/* call.c: the names of calls. */
#include "rpc/call.h"

const char *
call_name(uint32_t number)
{
	const struct call_info *info = call_find(number);

	return info != NULL ? info->name : "?";
}
