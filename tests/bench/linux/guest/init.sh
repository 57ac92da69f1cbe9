#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# init.sh - the first program of the Linux guest: modules, file systems, then /job.sh, which calls the functions here.
# Whatever goes wrong is said in one line `bench: problem: WHY`; the last line is `bench: end`.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo 1 >/proc/sys/kernel/printk
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled

problem() {
	echo "bench: problem: $*"
}

finish() {
	echo "bench: end"
	sync
	poweroff -f
}

# What the kernel says of itself: memory in use, less this archive's files, which are in it.
boot_facts() {
	total=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)
	free=$(awk '/MemFree/ { print $2 }' /proc/meminfo)
	files=$(du -sxk / | cut -f 1)
	echo "bench: fact memory_used_bytes $(((total - free - files) * 1024))"
	echo "bench: fact memory_total_bytes $((total * 1024))"
}

# Once, and only where a file system is wanted: no boot is longer than it has to be.
load_modules() {
	[ ! -e /tmp/modules ] || return
	touch /tmp/modules
	while read -r module; do
		insmod "/modules/$module" || problem "insmod $module"
	done </modules/order
}

# make_pmem NUMBER: the NVDIMM of that number as a block device that can be mapped directly.
make_pmem() {
	load_modules
	ndctl create-namespace -f -e "namespace$1.0" -m fsdax >/tmp/ndctl.log 2>&1 ||
		problem "ndctl namespace$1.0: $(tail -n 1 /tmp/ndctl.log)"
}

# Each mount_NAME gives /NAME, or says why not.
mount_ext4() {
	make_pmem 0
	mkdir -p /ext4
	{ mkfs.ext4 -q -F -b 4096 -E stride=512,stripe_width=512,lazy_itable_init=0,lazy_journal_init=0 /dev/pmem0 &&
		mount -t ext4 -o dax=always /dev/pmem0 /ext4; } >/tmp/mount.log 2>&1 ||
		problem "ext4: $(tail -n 1 /tmp/mount.log)"
}

mount_xfs() {
	make_pmem "${1:-0}"
	mkdir -p /xfs
	{ mkfs.xfs -q -f -m reflink=0 -d su=2m,sw=1 "/dev/pmem${1:-0}" &&
		mount -t xfs -o dax=always "/dev/pmem${1:-0}" /xfs; } >/tmp/mount.log 2>&1 ||
		problem "xfs: $(tail -n 1 /tmp/mount.log)"
}

mount_tmpfs() {
	mkdir -p /tmpfs
	mount -t tmpfs -o size=1g,huge=never tmpfs /tmpfs || problem "tmpfs"
}

# wait_mounted DIRECTORY NAME
wait_mounted() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		grep -q " $1 fuse" /proc/mounts && return
		usleep 100000
	done
	problem "FUSE $2 is not mounted: $(tail -n 1 "/tmp/$2.log")"
}

mount_fuse() {
	load_modules
	mkdir -p /fuse
	fuse_memory /fuse >/tmp/fuse_memory.log 2>&1 &
	wait_mounted /fuse fuse_memory
}

# libfuse's own example (passthrough_ll), over ext4-dax, without caching.
mount_pass() {
	grep -q /ext4 /proc/mounts || mount_ext4
	mkdir -p /pass /ext4/below
	fuse_passthrough -f -s -o source=/ext4/below,cache=never /pass >/tmp/fuse_passthrough.log 2>&1 &
	wait_mounted /pass fuse_passthrough
}

. /job.sh
finish
