/* SPDX-License-Identifier: Apache-2.0 */
/* message_launch.c: the launch, coded by hand. */
#include "rpc/message_launch.h"

#include <errno.h>

#include "rpc/message.h"

/* Function, seven words of dimensions and shared memory, stream, length of params. */
#define LAUNCH_HEAD (8 + 7 * 4 + 8 + 4)

static uint8_t *
put_u64(uint8_t *at, uint64_t value)
{
	at = message_put_u32(at, (uint32_t)(value >> 32));
	return message_put_u32(at, (uint32_t)value);
}

static uint64_t
get_u64(const uint8_t *at)
{
	return (uint64_t)message_get_u32(at) << 32 | message_get_u32(at + 4);
}

ssize_t
message_encode_launch(uint8_t *at, size_t room, const cuLaunchKernel_args *args)
{
	size_t len = args->params.call_params_len, padded = message_padded(len);
	uint8_t *start = at;

	if (len > CALL_PARAMS_MAX || room < LAUNCH_HEAD + padded) {
		return -EMSGSIZE;
	}
	at = put_u64(at, args->f);
	at = message_put_u32(at, args->gridDimX);
	at = message_put_u32(at, args->gridDimY);
	at = message_put_u32(at, args->gridDimZ);
	at = message_put_u32(at, args->blockDimX);
	at = message_put_u32(at, args->blockDimY);
	at = message_put_u32(at, args->blockDimZ);
	at = message_put_u32(at, args->sharedMemBytes);
	at = put_u64(at, args->hStream);
	at = message_put_u32(at, (uint32_t)len);
	if (len > 0) {
		memset(at + padded - 4, 0, 4);
		memcpy(at, args->params.call_params_val, len);
	}
	return at + padded - start;
}

int
message_decode_launch(const uint8_t *at, size_t size, cuLaunchKernel_args *ret_args)
{
	if (size < LAUNCH_HEAD) {
		return -EBADMSG;
	}
	uint32_t len = message_get_u32(at + LAUNCH_HEAD - 4);
	if (len > CALL_PARAMS_MAX || size != LAUNCH_HEAD + message_padded(len)) {
		return -EBADMSG;
	}
	*ret_args = (cuLaunchKernel_args){
		.f = get_u64(at),
		.gridDimX = message_get_u32(at + 8),
		.gridDimY = message_get_u32(at + 12),
		.gridDimZ = message_get_u32(at + 16),
		.blockDimX = message_get_u32(at + 20),
		.blockDimY = message_get_u32(at + 24),
		.blockDimZ = message_get_u32(at + 28),
		.sharedMemBytes = message_get_u32(at + 32),
		.hStream = get_u64(at + 36),
		.params = { len, (char *)(uintptr_t)(at + LAUNCH_HEAD) },
	};
	return 0;
}
