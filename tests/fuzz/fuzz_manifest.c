/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_manifest.c - any bytes at all as a manifest (libFuzzer's entry; clang
 * -fsanitize=fuzzer,address,undefined). What is accepted must lie within the bounds that
 * manifest.h promises. */
#include <stdlib.h>
#include <string.h>

#include "init/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise)
{
	if (!promise)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest m;
	char reason[96] = "";
	if (manifest_parse("fuzz", (const char *)data, size, reason, sizeof reason, &m) != OK) {
		require(strnlen(reason, sizeof reason) < sizeof reason && !strncmp(reason, "fuzz:", 5));
		return 0;
	}
	require(m.name[0] && m.binary[0] && m.stack_bytes < m.memory_bytes);
	require(m.zone_count <= MANIFEST_ZONES_MAX && m.service_count <= MANIFEST_NAMES_MAX);
	require(m.mounts_count <= MANIFEST_MOUNTS_MAX && m.resource_count <= MANIFEST_RESOURCES_MAX);
	require(m.activations >= 1 && m.argument_count <= MANIFEST_ARGUMENTS_MAX);
	for (uint32_t i = 0; i < m.argument_count; i++)
		require(manifest_argument(&m, i)[0] != '\0');
	return 0;
}
