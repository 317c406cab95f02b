/* SPDX-License-Identifier: Apache-2.0 */
/* two_runtimes.cu: a program and a plugin, each with a statically linked runtime.
 *
 * Usage: two_runtimes PLUGIN.  Natively each runtime has a last error of its own.  (CuPy
 * ignores the "not ready" of an event query in its runtime, and CUB, in another library
 * with another runtime, would take it for its own and not launch.) */
#include <cstdio>
#include <dlfcn.h>

static int
expect(const char *what, cudaError_t got, cudaError_t wanted)
{
	if (got != wanted) {
		printf("FAIL %s: %d, not %d\n", what, (int)got, (int)wanted);
		return 1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void *pointer;
	int bad = 0;

	if (plugin == NULL) {
		printf("FAIL cannot open the plugin: %s\n", dlerror());
		return 1;
	}
	auto peek = (cudaError_t(*)())dlsym(plugin, "plugin_peek");
	auto fail = (cudaError_t(*)())dlsym(plugin, "plugin_fail");
	auto sum = (int (*)(int))dlsym(plugin, "plugin_sum");

	bad += expect("our mistake", cudaMalloc(&pointer, (size_t)1 << 60),
		cudaErrorMemoryAllocation);
	bad += expect("the plugin's last error", peek(), cudaSuccess);
	bad += expect("the plugin's mistake", fail(), cudaErrorInvalidDevice);
	bad += expect("its last error then", peek(), cudaErrorInvalidDevice);
	bad += expect("ours", cudaGetLastError(), cudaErrorMemoryAllocation);
	bad += expect("ours again", cudaGetLastError(), cudaSuccess);
	bad += expect("the plugin's still", peek(), cudaErrorInvalidDevice);
	if (sum(1000) != 499500) {
		printf("FAIL the plugin's kernel: %d\n", sum(1000));
		bad++;
	}
	puts(bad == 0 ? "PASS" : "FAIL");
	return bad != 0;
}
