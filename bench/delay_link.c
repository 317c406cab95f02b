/* SPDX-License-Identifier: Apache-2.0 */
/* delay_link.c: a cable as long as one likes, for kernels without netem.
 *
 * Usage: delay_link MICROSECONDS     of one way
 * Makes two network devices (root is needed), prints their names in one line, and carries
 * every packet from each to the other, that much later, until its stdin ends.  Where the
 * devices are, and what addresses they have, is for the caller to arrange: network.py.
 *
 * Packets and not bytes of a connection are held back, so TCP behaves as it does with
 * distance: its handshake, windows and slow start take the round trips that they take.
 * Packets of up to 64 KiB go through in one piece, as they do between two ends of a veth,
 * so that this is not what limits.
 *
 * While packets come or are about to go nobody sleeps here: to be woken takes longer than
 * the shortest distances. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"

#define PACKET_MAX (sizeof(struct virtio_net_hdr) + 65536)
#define PACKETS 2048 /* on their way at a time; a window of TCP is smaller */
#define AWAKE_NS 200000

struct packet {
	uint64_t due_ns;
	size_t size;
	uint8_t bytes[PACKET_MAX];
};

/* One direction. */
struct way {
	int from, to;
	struct packet *packets;
	unsigned first, end; /* of those on their way; both only grow */
};

static void
die(const char *what)
{
	fprintf(stderr, "delay_link: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A device whose packets are read and written here. */
static int
new_device(char name[IFNAMSIZ])
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };

	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(request.ifr_name, IFNAMSIZ, "delay%%d");
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0 ||
		ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) {
		die("/dev/net/tun");
	}
	snprintf(name, IFNAMSIZ, "%s", request.ifr_name);
	return fd;
}

static struct way
new_way(int from, int to)
{
	struct packet *packets = calloc(PACKETS, sizeof(*packets));

	if (packets == NULL) {
		die("memory");
	}
	return (struct way){ .from = from, .to = to, .packets = packets };
}

/* Take what has come.  Whether there was any. */
static bool
take(struct way *way, uint64_t delay_ns)
{
	bool any = false;

	while (way->end - way->first < PACKETS) {
		struct packet *packet = &way->packets[way->end % PACKETS];
		ssize_t n = read(way->from, packet->bytes, sizeof(packet->bytes));
		if (n < 0) {
			break; /* nothing there, or the device is down */
		}
		packet->size = (size_t)n;
		packet->due_ns = clock_ns() + delay_ns;
		way->end++;
		any = true;
	}
	return any;
}

/* Let go what has been on its way for long enough.  When the next one is due. */
static uint64_t
give(struct way *way)
{
	while (way->first != way->end) {
		struct packet *packet = &way->packets[way->first % PACKETS];
		if (packet->due_ns > clock_ns()) {
			return packet->due_ns;
		}
		if (write(way->to, packet->bytes, packet->size) < 0) {
			/* Lost, as packets may be. */
		}
		way->first++;
	}
	return UINT64_MAX;
}

/* Until a packet comes, or shortly before one is due.  False: stdin has ended. */
static bool
rest(const struct way *ways, uint64_t until_ns)
{
	struct pollfd entries[] = { { ways[0].from, POLLIN, 0 }, { ways[1].from, POLLIN, 0 },
		{ STDIN_FILENO, POLLIN, 0 } };
	uint64_t left = until_ns - clock_ns() - AWAKE_NS / 2;
	struct timespec timeout = { (time_t)(left / 1000000000u), (long)(left % 1000000000u) };

	if (ppoll(entries, 3, until_ns != UINT64_MAX ? &timeout : NULL, NULL) < 0) {
		return errno == EINTR;
	}
	return entries[2].revents == 0;
}

int
main(int argc, char **argv)
{
	uint64_t delay_ns = argc > 1 ? (uint64_t)(atof(argv[1]) * 1000) : 0, busy_ns = 0;
	char names[2][IFNAMSIZ];

	if (argc != 2) {
		fprintf(stderr, "Usage: delay_link MICROSECONDS\n");
		return 2;
	}
	int one = new_device(names[0]), other = new_device(names[1]);
	struct way ways[2] = { new_way(one, other), new_way(other, one) };
	printf("%s %s\n", names[0], names[1]);
	fflush(stdout);
	prctl(PR_SET_TIMERSLACK, 1000UL);
	for (;;) {
		bool any = take(&ways[0], delay_ns) | take(&ways[1], delay_ns);
		uint64_t due = give(&ways[0]), other_due = give(&ways[1]), now = clock_ns();
		due = other_due < due ? other_due : due;
		busy_ns = any ? now : busy_ns;
		if (now - busy_ns < AWAKE_NS || due < now + AWAKE_NS) {
			sched_yield();
		} else if (!rest(ways, due)) {
			return 0;
		}
	}
}
