/* SPDX-License-Identifier: BSD-2-Clause */
/* info.h - what system_info tells: one fixed structure a topic, by index where there are several.
 * Structures only grow at their end; the caller's buffer length says how much it knows. Counters never go back. */
#pragma once

#include <lintel/types.h>

enum info_topic {
	INFO_SYSTEM = 0,   /* struct info_system */
	INFO_CPU = 1,      /* struct info_cpu, index = CPU */
	INFO_ZONE = 2,     /* struct info_zone, index = zone */
	INFO_PROCESS = 3,  /* struct info_process, index = 0.. ; ERR_NOT_FOUND past the last */
	INFO_DOOR = 4,     /* struct info_door, index = 0.. */
	INFO_ACTIVATION = 5, /* struct info_activation, index = (door index << 16) | CPU */
	INFO_TOPICS
};

enum cpu_feature {
	CPU_NX = 1u << 0, CPU_SMEP = 1u << 1, CPU_SMAP = 1u << 2, CPU_UMIP = 1u << 3, CPU_FSGSBASE = 1u << 4,
	CPU_PCID = 1u << 5, CPU_INVPCID = 1u << 6, CPU_X2APIC = 1u << 7, CPU_TSC_DEADLINE = 1u << 8,
	CPU_HUGE_PAGES = 1u << 9, CPU_CLWB = 1u << 10, CPU_CLFLUSHOPT = 1u << 11, CPU_XSAVE = 1u << 12,
	CPU_AVX = 1u << 13, CPU_AVX2 = 1u << 14, CPU_ERMS = 1u << 15, CPU_RDTSCP = 1u << 16, CPU_LA57 = 1u << 17,
	CPU_PKU = 1u << 18, CPU_INVARIANT_TSC = 1u << 19, CPU_XSAVEOPT = 1u << 20, CPU_AVX512 = 1u << 21
};

enum boot_path { BOOT_PVH = 0, BOOT_MULTIBOOT2 = 1, BOOT_UEFI = 2 };

struct info_system {
	uint32_t cpus;
	uint32_t zones;
	uint32_t processes;
	uint32_t threads;
	uint32_t features;         /* enum cpu_feature */
	uint32_t boot_path;        /* enum boot_path */
	uint64_t ram_pages;        /* managed, 4 KiB */
	uint64_t ram_free_pages;
	uint64_t kernel_pages;     /* held by the kernel itself: tables, stacks, pools, image */
	uint64_t handles;          /* in all tables */
	uint64_t activations;      /* donated */
	uint64_t activations_busy;
	uint64_t vmos;
	uint64_t regions;
	uint64_t uptime_ns;
	uint64_t tsc_hz;
	uint32_t debug_build;      /* 1 or 0 */
	uint32_t pad;
	char version[32];
	char cpu_name[64];
};

struct info_cpu {
	uint32_t apic_id;
	uint32_t node;
	uint64_t idle_ns;
	uint64_t system_calls;
	uint64_t door_calls;
	uint64_t faults;
	uint64_t switches;
	uint64_t interrupts;
	uint64_t timer_interrupts;
	uint64_t ipis_sent;
	uint64_t ipis_received;
	uint64_t tlb_flushes_page;  /* single pages, this CPU */
	uint64_t tlb_flushes_all;   /* whole address spaces, this CPU */
	uint64_t tlb_rounds;        /* IPI rounds that this CPU started */
	uint64_t root_switches;
	uint64_t window_maps;       /* pages mapped into windows */
	uint64_t pager_calls;
};

struct info_zone {
	uint32_t kind;             /* enum zone_kind */
	uint32_t node;
	uint64_t base;             /* physical, bytes */
	uint64_t bytes;
	uint64_t used_pages;       /* RAM: allocated; others: mapped or handed out */
	uint64_t extents;
	uint64_t extents_split;
	uint64_t metadata_bytes;   /* what the kernel spends to manage it */
	char name[32];
};

struct info_process {
	uint32_t pid;
	uint32_t parent_pid;
	uint32_t threads;
	uint32_t handles;
	uint64_t memory_pages;     /* charged to it */
	uint64_t memory_limit_pages;
	uint64_t cpu_ns;
	uint32_t state;            /* 0 running, 1 ending, 2 ended */
	int32_t exit_status;
	char name[32];
};

struct info_door {
	uint32_t server_pid;
	uint32_t badges;           /* minted and not closed */
	uint64_t calls;
	uint32_t activations;
	uint32_t activations_busy;
	uint32_t waiting;
	uint32_t pad;
	char name[32];
};

struct info_activation {
	uint64_t calls;
	uint32_t activations;
	uint32_t activations_busy;
	uint32_t waiting;
	uint32_t pad;
};

/* log_read. The kernel writes its log to the first serial port itself, but not while some process holds that port's
 * interrupt: that process reads the log and shows it. LOG_UNSHOWN is where the kernel has stopped. What the holder asks
 * for next counts as its having shown everything before: the kernel goes on there when the interrupt is given back. */
#define LOG_UNSHOWN UINT64_MAX
#define LOG_READ_MAX 512 /* bytes; a line has no more */
