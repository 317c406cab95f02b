/* SPDX-License-Identifier: Apache-2.0 */
/* test-message.c: the bytes on the wire, compared with libtirpc's and with arrays. */
#include "rpc/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rpc/message_launch.h"

static void
call_header_is_what_libtirpc_writes(void **state)
{
	uint8_t ours[MESSAGE_MARK_SIZE + MESSAGE_CALL_SIZE], theirs[MESSAGE_CALL_SIZE];
	struct rpc_msg message = { .rm_xid = 0x01020304, .rm_direction = CALL };
	XDR xdr;

	message.rm_call.cb_rpcvers = RPC_MSG_VERSION;
	message.rm_call.cb_prog = OUTBOARD_PROGRAM;
	message.rm_call.cb_vers = OUTBOARD_VERSION;
	message.rm_call.cb_proc = CALL_cuMemAlloc_v2;
	message.rm_call.cb_cred = _null_auth;
	message.rm_call.cb_verf = _null_auth;
	xdrmem_create(&xdr, (char *)theirs, sizeof(theirs), XDR_ENCODE);
	assert_true(xdr_callmsg(&xdr, &message));
	assert_int_equal(xdr_getpos(&xdr), MESSAGE_CALL_SIZE);

	message_put_call(ours, 0x01020304, CALL_cuMemAlloc_v2, 8);
	assert_int_equal(message_get_u32(ours), MESSAGE_LAST | (MESSAGE_CALL_SIZE + 8));
	assert_memory_equal(ours + MESSAGE_MARK_SIZE, theirs, sizeof(theirs));
}

static void
reply_header_is_what_libtirpc_writes(void **state)
{
	uint8_t ours[MESSAGE_MARK_SIZE + MESSAGE_REPLY_SIZE], theirs[64];
	struct rpc_msg message = { .rm_xid = 77, .rm_direction = REPLY };
	XDR xdr;

	message.rm_reply.rp_stat = MSG_ACCEPTED;
	message.acpted_rply.ar_verf = _null_auth;
	message.acpted_rply.ar_stat = SUCCESS;
	message.acpted_rply.ar_results.proc = (xdrproc_t)(void (*)(void))xdr_void;
	xdrmem_create(&xdr, (char *)theirs, sizeof(theirs), XDR_ENCODE);
	assert_true(xdr_replymsg(&xdr, &message));
	assert_int_equal(xdr_getpos(&xdr), MESSAGE_REPLY_SIZE);

	message_put_reply(ours, 77, SUCCESS, 0);
	assert_memory_equal(ours + MESSAGE_MARK_SIZE, theirs, MESSAGE_REPLY_SIZE);
}

static void
a_launch_is_these_bytes(void **state)
{
	static const uint8_t expected[] = {
		0x03, 0, 0, 1, 0, 0, 0, 9,              /* f: type 3, generation 1, index 9 */
		0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1,     /* grid */
		0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1,     /* block */
		0, 0, 4, 0,                             /* dynamic shared memory */
		0, 0, 0, 0, 0, 0, 0, 0,                 /* stream: CUDA's default */
		0, 0, 0, 5, 'p', 'a', 'r', 'a', 'm', 0, 0, 0, /* parameters, padded */
	};
	cuLaunchKernel_args args = {
		.f = handle_make(HANDLE_CUfunction, 1, 9),
		.gridDimX = 2, .gridDimY = 1, .gridDimZ = 1,
		.blockDimX = 256, .blockDimY = 1, .blockDimZ = 1,
		.sharedMemBytes = 1024,
		.params = { .call_params_len = 5, .call_params_val = (char[]){ "param" } },
	};
	uint8_t bytes[256];

	ssize_t n = message_encode(bytes, sizeof(bytes), (xdrproc_t)xdr_cuLaunchKernel_args, &args);
	assert_int_equal(n, sizeof(expected));
	assert_memory_equal(bytes, expected, sizeof(expected));

	cuLaunchKernel_args back;
	assert_int_equal(message_decode(bytes, sizeof(expected),
		(xdrproc_t)xdr_cuLaunchKernel_args, &back, sizeof(back)), 0);
	assert_int_equal(back.f, args.f);
	assert_memory_equal(back.params.call_params_val, "param", 5);
	xdr_free((xdrproc_t)xdr_cuLaunchKernel_args, &back);
}

/* Both coders of the launch, on random arguments, and on every length near a boundary. */
static void
a_launch_by_hand_is_rpcgens(void **state)
{
	static uint8_t ours[40000], theirs[40000], params[CALL_PARAMS_MAX];

	for (int round = 0; round < 2000; round++) {
		cuLaunchKernel_args args, back;
		for (size_t i = 0; i < sizeof(args); i++) {
			((uint8_t *)&args)[i] = (uint8_t)rand();
		}
		u_int len = round < 40 ? (u_int)round : (u_int)rand() % (CALL_PARAMS_MAX + 1);
		for (u_int i = 0; i < len; i++) {
			params[i] = (uint8_t)rand();
		}
		args.params.call_params_len = len;
		args.params.call_params_val = (char *)params;
		ssize_t n = message_encode(theirs, sizeof(theirs),
			(xdrproc_t)xdr_cuLaunchKernel_args, &args);
		assert_int_equal(message_encode_launch(ours, sizeof(ours), &args), n);
		assert_memory_equal(ours, theirs, (size_t)n);
		assert_int_equal(message_decode_launch(ours, (size_t)n, &back), 0);
		assert_int_equal(back.f, args.f);
		assert_int_equal(back.hStream, args.hStream);
		assert_memory_equal(&back.gridDimX, &args.gridDimX, 7 * sizeof(u_int));
		assert_int_equal(back.params.call_params_len, len);
		assert_memory_equal(back.params.call_params_val, params, len);
		assert_int_equal(message_decode_launch(ours, (size_t)n - 1, &back), -EBADMSG);
		assert_int_equal(message_decode_launch(ours, (size_t)n + 1, &back), -EBADMSG);
	}
}

static void
headers_are_refused_when_they_lie(void **state)
{
	uint8_t bytes[MESSAGE_MARK_SIZE + MESSAGE_CALL_SIZE];
	uint8_t *header = bytes + MESSAGE_MARK_SIZE;
	struct message_call call;

	message_put_call(bytes, 5, 1, 0);
	assert_int_equal(message_get_call(header, MESSAGE_CALL_SIZE, &call), 0);
	assert_int_equal(call.size, MESSAGE_CALL_SIZE);
	for (size_t size = 0; size < MESSAGE_CALL_SIZE; size++) {
		assert_int_equal(message_get_call(header, size, &call), -EAGAIN);
	}
	message_put_u32(header + 28, MAX_AUTH_BYTES + 1); /* length of the credentials */
	assert_int_equal(message_get_call(header, MESSAGE_CALL_SIZE, &call), -EPROTO);
	message_put_u32(header + 4, REPLY);
	assert_int_equal(message_get_call(header, MESSAGE_CALL_SIZE, &call), -EPROTO);
}

/* As libtirpc writes them, of every length, with a flavour or without. */
static void
headers_may_have_credentials(void **state)
{
	char credentials[MAX_AUTH_BYTES] = "", verifier[MAX_AUTH_BYTES] = "";
	uint8_t header[MESSAGE_CALL_SIZE_MAX];
	struct message_call call;

	for (u_int round = 0; round < 3000; round++) {
		struct rpc_msg message = { .rm_xid = round, .rm_direction = CALL };
		u_int lens[2] = { 0, 0 };
		for (int i = 0; i < 2; i++) {
			lens[i] = rand() % 2 ? 0 : (u_int)rand() % (MAX_AUTH_BYTES + 1);
		}
		message.rm_call.cb_rpcvers = RPC_MSG_VERSION;
		message.rm_call.cb_proc = 9;
		message.rm_call.cb_cred = (struct opaque_auth){ .oa_flavor = rand() % 3,
			.oa_base = credentials, .oa_length = lens[0] };
		message.rm_call.cb_verf = (struct opaque_auth){ .oa_flavor = rand() % 3,
			.oa_base = verifier, .oa_length = lens[1] };
		XDR xdr;
		xdrmem_create(&xdr, (char *)header, sizeof(header), XDR_ENCODE);
		assert_true(xdr_callmsg(&xdr, &message));
		size_t size = xdr_getpos(&xdr);
		assert_int_equal(message_get_call(header, sizeof(header), &call), 0);
		assert_int_equal(call.size, size);
		assert_int_equal(call.xid, round);
		assert_int_equal(call.proc, 9);
		assert_int_equal(message_get_call(header, size, &call), 0);
		assert_int_equal(message_get_call(header, size - 1, &call), -EAGAIN);
	}
}

static void
every_payload_is_where_the_table_says(void **state)
{
	int n_found = 0;

	for (size_t d = 0; d < CALL_DOMAINS_MAX; d++) {
		for (size_t i = 0; i < call_domains[d].n_calls; i++) {
			const struct call_info *info = &call_domains[d].calls[i];
			if (info->name == NULL || !info->payload.has) {
				continue;
			}
			uint8_t bytes[512], args[512] = { 0 };
			assert_true(info->args_size <= sizeof(args));
			call_payload payload = { 3, (char[]){ "abc" } };
			memcpy(args + info->payload.struct_at, &payload, sizeof(payload));
			ssize_t n = message_encode(bytes, sizeof(bytes), info->args_xdr, args);
			assert_int_equal(n, info->payload.wire_at + 8);
			assert_int_equal(message_get_u32(bytes + info->payload.wire_at), 3);
			n_found++;
		}
	}
	assert_true(n_found >= 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_header_is_what_libtirpc_writes),
		cmocka_unit_test(reply_header_is_what_libtirpc_writes),
		cmocka_unit_test(a_launch_is_these_bytes),
		cmocka_unit_test(a_launch_by_hand_is_rpcgens),
		cmocka_unit_test(headers_are_refused_when_they_lie),
		cmocka_unit_test(headers_may_have_credentials),
		cmocka_unit_test(every_payload_is_where_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
