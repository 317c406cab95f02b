/* SPDX-License-Identifier: Apache-2.0 */
/* stock_client.c: a client that is libtirpc and rpcgen and nothing of ours.
 *
 *     stock_client HOST PORT
 *
 * What it proves: the wire is ordinary ONC RPC, described completely by rpc/outboard.x. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rpc/rpc.h>

#include "outboard.h"

#define N 1000

static const char ptx[] =
	".version 6.4\n.target sm_75\n.address_size 64\n"
	".visible .entry scale(.param .u64 p, .param .u32 n, .param .u32 k)\n{\n"
	".reg .pred %p<2>; .reg .b32 %r<8>; .reg .b64 %rd<4>;\n"
	"ld.param.u64 %rd1, [p]; ld.param.u32 %r1, [n]; ld.param.u32 %r2, [k];\n"
	"mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x; mov.u32 %r5, %tid.x;\n"
	"mad.lo.s32 %r6, %r3, %r4, %r5;\n"
	"setp.ge.u32 %p1, %r6, %r1; @%p1 bra DONE;\n"
	"cvta.to.global.u64 %rd1, %rd1; mul.wide.u32 %rd2, %r6, 4; add.s64 %rd3, %rd1, %rd2;\n"
	"ld.global.u32 %r7, [%rd3]; mul.lo.s32 %r7, %r7, %r2; st.global.u32 [%rd3], %r7;\n"
	"DONE: ret;\n}\n";

static CLIENT *client;

#define FAIL(...)                                   \
	do {                                        \
		fprintf(stderr, "FAIL: " __VA_ARGS__); \
		fprintf(stderr, "\n");              \
		exit(1);                            \
	} while (0)

/* A call that is answered. */
static void
ask(rpcproc_t number, xdrproc_t args_xdr, void *args, xdrproc_t ret_xdr, void *ret,
	const char *name)
{
	enum clnt_stat stat = clnt_call(client, number, args_xdr, (char *)args, ret_xdr,
		(char *)ret, ((struct timeval){ 20, 0 }));

	if (stat != RPC_SUCCESS) {
		FAIL("%s: %s", name, clnt_sperror(client, "rpc"));
	}
}

/* A one-way call: libtirpc's batching, no result, no time to wait. */
static void
tell(rpcproc_t number, xdrproc_t args_xdr, void *args, const char *name)
{
	enum clnt_stat stat = clnt_call(client, number, args_xdr, (char *)args, NULL, NULL,
		((struct timeval){ 0, 0 }));

	if (stat != RPC_SUCCESS && stat != RPC_TIMEDOUT) {
		FAIL("%s: %s", name, clnt_sperror(client, "rpc"));
	}
}

#define ASK(call, ret)                                                                  \
	ask(CALL_##call, (xdrproc_t)xdr_##call##_args, &call, (xdrproc_t)xdr_##call##_ret, \
		&ret, #call)
#define TELL(call) tell(CALL_##call, (xdrproc_t)xdr_##call##_args, &call, #call)

static void
connect_to(const char *host, const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)) };
	struct netbuf netbuf = { sizeof(address), sizeof(address), &address };

	inet_pton(AF_INET, host, &address.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		FAIL("cannot connect to %s:%s", host, port);
	}
	client = clnt_vc_create(fd, &netbuf, OUTBOARD_PROGRAM, OUTBOARD_VERSION, 0, 0);
	if (client == NULL) {
		FAIL("%s", clnt_spcreateerror("clnt_vc_create"));
	}
}

static void
hello(void)
{
	session_hello_args session_hello = { .guest_version = OUTBOARD_VERSION,
		.pid = (uint64_t)getpid(), .program_name = (char[]){ "stock_client" } };
	session_hello_ret ret = { 0 };

	ASK(session_hello, ret);
	if (ret.u.result != 0) {
		FAIL("HELLO: CUDA error %d", ret.u.result);
	}
	session_hello_out *out = &ret.u.session_hello_result_u.out;
	if (out->devices.call_devices_len == 0) {
		FAIL("HELLO: no device");
	}
	printf("device: %s, %d attributes\n", out->devices.call_devices_val[0].name,
		(int)out->devices.call_devices_val[0].attributes.attributes_len);
	xdr_free((xdrproc_t)xdr_session_hello_ret, (char *)&ret);
}

/* Handles are ours to choose: type, generation 1, index. */
#define HANDLE(type, index) ((call_handle)(type) << 56 | (call_handle)1 << 32 | (index))

int
main(int argc, char **argv)
{
	uint32_t data[N], back[N], factor;

	if (argc != 3) {
		FAIL("usage: stock_client HOST PORT");
	}
	connect_to(argv[1], argv[2]);
	ask(NULLPROC, (xdrproc_t)(void (*)(void))xdr_void, NULL,
		(xdrproc_t)(void (*)(void))xdr_void, NULL, "NULL");
	hello();

	cuDevicePrimaryCtxRetain_args cuDevicePrimaryCtxRetain = { .pctx = HANDLE(1, 0) };
	cuDevicePrimaryCtxRetain_ret retained = { 0 };
	ASK(cuDevicePrimaryCtxRetain, retained);
	session_context_args session_context = { .ctx = HANDLE(1, 0) };
	TELL(session_context);

	cuMemAlloc_v2_args cuMemAlloc_v2 = { .bytesize = sizeof(data) };
	cuMemAlloc_v2_ret allocated = { 0 };
	ASK(cuMemAlloc_v2, allocated);
	if (allocated.u.result != 0) {
		FAIL("cuMemAlloc_v2: CUDA error %d", allocated.u.result);
	}
	uint64_t pointer = allocated.u.cuMemAlloc_v2_result_u.out.dptr;

	srand((unsigned)time(NULL));
	factor = (uint32_t)rand() | 1;
	for (int i = 0; i < N; i++) {
		data[i] = (uint32_t)rand();
	}
	copy_htod_args copy_htod = { .dst = pointer, .width = sizeof(data), .height = 1,
		.data = { sizeof(data), (char *)data } };
	TELL(copy_htod);

	image_put_args image_put = { .image = 1, .kind = 2, .n_parts = 1,
		.part_size = sizeof(ptx) - 1, .data = { sizeof(ptx) - 1, (char *)(uintptr_t)ptx } };
	TELL(image_put);
	cuModuleLoadData_args cuModuleLoadData = { .module = HANDLE(2, 1), .image = 1 };
	cuModuleLoadData_ret loaded = { 0 };
	ASK(cuModuleLoadData, loaded);
	if (loaded.result != 0) {
		FAIL("cuModuleLoadData: CUDA error %d", loaded.result);
	}
	cuModuleGetFunction_args cuModuleGetFunction = { .hfunc = HANDLE(3, 2),
		.hmod = HANDLE(2, 1), .name = (char[]){ "scale" } };
	TELL(cuModuleGetFunction);

	char params[16];
	uint32_t n = N;
	memcpy(params, &pointer, 8);
	memcpy(params + 8, &n, 4);
	memcpy(params + 12, &factor, 4);
	cuLaunchKernel_args cuLaunchKernel = { .f = HANDLE(3, 2), .gridDimX = (N + 127) / 128,
		.gridDimY = 1, .gridDimZ = 1, .blockDimX = 128, .blockDimY = 1, .blockDimZ = 1,
		.params = { sizeof(params), params } };
	TELL(cuLaunchKernel);

	copy_dtoh_args copy_dtoh = { .src = pointer, .width = sizeof(back), .height = 1 };
	copy_dtoh_ret copied = { 0 };
	ASK(copy_dtoh, copied);
	if (copied.lane.latched != 0 || copied.u.result != 0) {
		FAIL("CUDA error %d latched by procedure %#x, copy %d", copied.lane.latched,
			copied.lane.latched_call, copied.u.result);
	}
	call_payload *payload = &copied.u.copy_dtoh_result_u.out.data;
	if (payload->call_payload_len != sizeof(back)) {
		FAIL("%u bytes came back", payload->call_payload_len);
	}
	memcpy(back, payload->call_payload_val, sizeof(back));
	for (int i = 0; i < N; i++) {
		if (back[i] != data[i] * factor) {
			FAIL("element %d: %u * %u gave %u", i, data[i], factor, back[i]);
		}
	}
	xdr_free((xdrproc_t)xdr_copy_dtoh_ret, (char *)&copied);
	auth_destroy(client->cl_auth);
	clnt_destroy(client);
	puts("PASS");
	return 0;
}
