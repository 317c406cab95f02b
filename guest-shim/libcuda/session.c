/* SPDX-License-Identifier: Apache-2.0 */
/* session.c: the guest's connection to its host, made once per process.
 *
 * The first cuInit connects and greets; the greeting brings all that never changes about
 * the devices.  The connection ends with the process.  A child of fork() has none: the
 * lane is its parent's, and CUDA does not survive a fork either. */
#include "guest-shim/libcuda/session.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/status.h"
#include "guest-shim/libcuda/arena.h"
#include "guest-shim/libcuda/bulk.h"
#include "guest-shim/libcuda/stats.h"
#include "guest-shim/libcuda/visible.h"
#include "rpc/stream.h"

#define SESSION_VERSION 1
/* Spin this long for a reply.  With processors to spare it covers what kernels and copies
 * usually take: waking up costs up to a quarter of a millisecond in a VM (measured), and
 * natively the program's thread spins until the device is done.  Else it is about one round
 * trip on a local network. */
#define SPIN_US_MANY_CPUS 10000
#define SPIN_US_FEW_CPUS 50
#define SPIN_US_MAX 10000
#define MANY_CPUS 4

static struct {
	pthread_mutex_t lock;
	bool tried;
	_Atomic CUresult error; /* why there is no lane */
	_Atomic(struct lane *) lane;
	atomic_bool lost;
	char url[512];
	int driver_version;
	uint32_t features;
	uint32_t host_ccs[CALL_DEVICES_MAX];
	size_t n_host_ccs;
	int n_devices;
	struct session_device *devices;
} session = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.error = CUDA_ERROR_NOT_INITIALIZED,
};

struct lane *
session_lane(void)
{
	return atomic_load_explicit(&session.lane, memory_order_acquire);
}

CUresult
session_error(void)
{
	return session_lane() != NULL ? CUDA_SUCCESS : atomic_load(&session.error);
}

CUresult
session_lost(int error)
{
	if (!atomic_exchange(&session.lost, true)) {
		log_error("the connection to %s was lost: %s; CUDA is of no use to this process "
			  "any more: see the log of outboardd and start the program again",
			session.url, strerror(-error));
	}
	/* From now on every call fails at once, even those that would not ask the host.  The
	 * lane stays: other threads may be in it. */
	atomic_store(&session.error, status_of_errno(error));
	atomic_store(&session.lane, NULL);
	return status_of_errno(error);
}

const char *
session_url(void)
{
	return session.url;
}

int
session_driver_version(void)
{
	return session.driver_version;
}

uint32_t
session_features(void)
{
	return session.features;
}

const uint32_t *
session_host_ccs(size_t *ret_n)
{
	*ret_n = session.n_host_ccs;
	return session.host_ccs;
}

int
session_n_devices(void)
{
	return session.n_devices;
}

const struct session_device *
session_device(int ordinal)
{
	return ordinal >= 0 && ordinal < session.n_devices ? &session.devices[ordinal] : NULL;
}

static void
session_forked(void)
{
	struct lane *lane = atomic_exchange(&session.lane, NULL);

	stats_forget();
	atomic_store(&session.error, CUDA_ERROR_NOT_INITIALIZED);
	bulk_abandon();
	if (lane != NULL) {
		lane_abandon(lane);
	}
}

static unsigned
spin_us(void)
{
	const char *text = getenv("OUTBOARD_SPIN_US");

	if (text != NULL && *text != '\0') {
		unsigned long value = strtoul(text, NULL, 10);
		return value < SPIN_US_MAX ? (unsigned)value : SPIN_US_MAX;
	}
	/* Alone on a processor, spinning keeps the peer from answering. */
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n >= MANY_CPUS ? SPIN_US_MANY_CPUS : n > 1 ? SPIN_US_FEW_CPUS : 0;
}

/* What the host says of a device, in the guest's words. */
static void
learn_device(const call_device *from, int host_ordinal, struct session_device *to)
{
	*to = (struct session_device){ .host_ordinal = host_ordinal,
		.total_memory = from->total_memory };
	strncpy(to->name, from->name, sizeof(to->name) - 1);
	memcpy(to->uuid.bytes, from->uuid, sizeof(to->uuid.bytes));
	for (u_int i = 0; i < from->attributes.attributes_len; i++) {
		const call_attribute *attribute = &from->attributes.attributes_val[i];
		if (attribute->attribute > 0 && attribute->attribute < CU_DEVICE_ATTRIBUTE_MAX) {
			to->has_attribute[attribute->attribute] = true;
			to->attributes[attribute->attribute] = attribute->value;
		}
	}
}

static uint32_t
compute_capability(const call_device *device)
{
	uint32_t major = 0, minor = 0;

	for (u_int i = 0; i < device->attributes.attributes_len; i++) {
		const call_attribute *attribute = &device->attributes.attributes_val[i];
		if (attribute->attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) {
			major = (uint32_t)attribute->value;
		}
		if (attribute->attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) {
			minor = (uint32_t)attribute->value;
		}
	}
	return major * 10 + minor;
}

static CUresult
learn(const session_hello_out *hello)
{
	int n = (int)hello->devices.call_devices_len;
	CUuuid uuids[CALL_DEVICES_MAX];
	int visible[CALL_DEVICES_MAX];

	for (int i = 0; i < n; i++) {
		memcpy(uuids[i].bytes, hello->devices.call_devices_val[i].uuid, 16);
		session.host_ccs[i] = compute_capability(&hello->devices.call_devices_val[i]);
	}
	int n_visible = visible_devices(getenv("CUDA_VISIBLE_DEVICES"), uuids, n, visible);
	session.driver_version = hello->driver_version;
	session.features = hello->host_features;
	session.n_host_ccs = (size_t)n;
	session.devices = calloc((size_t)n_visible + 1, sizeof(*session.devices));
	if (session.devices == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	for (int i = 0; i < n_visible; i++) {
		learn_device(&hello->devices.call_devices_val[visible[i]], visible[i],
			&session.devices[i]);
	}
	session.n_devices = n_visible;
	return n_visible > 0 ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

static CUresult
greet(struct lane *lane)
{
	session_hello_args args = { .guest_version = SESSION_VERSION,
		.guest_features = arena_wanted_features() | bulk_wanted_features(),
		.pid = (uint64_t)getpid(), .program_name = program_invocation_short_name };
	session_hello_ret ret = { 0 };
	struct lane_reply reply = { .ret = &ret };

	uint64_t began = stats_begin();
	int r = lane_call(lane,
		&(struct lane_message){ .info = call_find(CALL_session_hello), .args = &args },
		&reply);
	stats_called(call_find(CALL_session_hello), 0, began);
	if (r < 0) {
		log_error("%s did not answer our greeting: %s; is it really outboardd that "
			  "listens there?", session.url, strerror(-r));
		return status_of_errno(r);
	}
	CUresult result = (CUresult)ret.u.result;
	if (result != CUDA_SUCCESS) {
		log_error("%s refused this program (CUDA error %d); the log of outboardd says "
			  "why", session.url, (int)result);
	} else if (ret.u.session_hello_result_u.out.host_version != SESSION_VERSION) {
		log_error("%s speaks version %u of our protocol, this library version %u: "
			  "install the same release of Outboard on both sides", session.url,
			ret.u.session_hello_result_u.out.host_version, SESSION_VERSION);
		result = CUDA_ERROR_SYSTEM_DRIVER_MISMATCH;
	} else {
		arena_greeted(ret.u.session_hello_result_u.out.host_features);
		bulk_greeted(ret.u.session_hello_result_u.out.host_features,
			ret.u.session_hello_result_u.out.guest_id);
		result = learn(&ret.u.session_hello_result_u.out);
	}
	xdr_free((xdrproc_t)xdr_session_hello_ret, (char *)&ret);
	return result;
}

static CUresult
session_connect(void)
{
	struct stream *stream;
	struct lane *lane;
	char why[512] = "";

	stream_configured_url(session.url, sizeof(session.url));
	stats_start(session.url);
	int r = stream_connect(session.url, &stream, why, sizeof(why));
	if (r < 0) {
		log_error("cannot reach %s: %s; start outboardd there, or name the right place in "
			  "OUTBOARD_SERVER or in /etc/outboard/client.conf", session.url,
			why[0] != '\0' ? why : strerror(-r));
		return r == -ENOMEM ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_SYSTEM_NOT_READY;
	}
	r = lane_new(stream, &(struct lane_options){ .spin_us = spin_us() }, &lane);
	if (r < 0) {
		return status_of_errno(r);
	}
	CUresult result = greet(lane);
	if (result == CUDA_SUCCESS && pthread_atfork(NULL, NULL, session_forked) != 0) {
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (result != CUDA_SUCCESS) {
		lane_free(lane);
		return result;
	}
	stats_connected(lane);
	arena_begin(lane);
	if (lane_error(lane) < 0) {
		return status_of_errno(lane_error(lane));
	}
	atomic_store_explicit(&session.lane, lane, memory_order_release);
	return CUDA_SUCCESS;
}

CUresult
session_open(void)
{
	if (session_lane() != NULL) {
		return CUDA_SUCCESS;
	}
	HOLD_LOCK(&session.lock);
	if (!session.tried) {
		session.tried = true;
		CUresult result = session_connect();
		atomic_store(&session.error, result);
	}
	return session_error();
}
