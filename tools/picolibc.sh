#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# picolibc.sh - fetches, checks and builds picolibc, and prints the folder where it is installed (include/, lib/).
#
# Source, first that works: PICOLIBC=/path/to/tarball; the cache; Debian's source archive (tools/debian-source); upstream's
# release. Whatever the way, the tarball must be one whose SHA-256 is pinned below.
# Cache: ${XDG_CACHE_HOME:-~/.cache}/lintel/picolibc-<hash of version, options, compiler and this recipe>.
set -euo pipefail

version=1.8.10
suite=trixie
# Debian's orig tarball, and upstream's release tarball.
pins="d1fc2a20f217472f8d9da084a519a25678e8d91852a41c7f3f1840d3508f7163"
upstream=https://github.com/picolibc/picolibc/releases/download/$version/picolibc-$version.tar.xz

cc=${PICOLIBC_CC:-gcc}
flags="-O3 -g1 -fno-pic -fno-pie -ffunction-sections -fdata-sections -fno-stack-protector
	-fno-omit-frame-pointer -fcf-protection=none -DBUFSIZ=4096 -DATEXIT_MAX=64"
options="-Dmultilib=false -Dpicocrt=false -Dpicocrt-lib=false -Dsemihost=false -Dtests=false
	-Dthread-local-storage=true -Dtls-model=local-exec -Dtinystdio=true -Dposix-console=true
	-Dstdio-locking=true -Dfast-bufio=true -Dio-long-long=true -Dio-long-double=true -Dmb-capable=true
	-Dprintf-percent-n=true -Dinitfini=false -Dspecsdir=none"

die() {
	echo "picolibc: $*" >&2
	exit 1
}

cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/lintel
mkdir -p "$cache" 2>/dev/null || die "cannot write to $cache; set XDG_CACHE_HOME to a folder that can be written"
tarball=$cache/picolibc-$version.tar

is_pinned() {
	[ -f "$1" ] || return 1
	local sum
	sum=$(sha256sum "$1" | cut -d' ' -f1)
	case " $pins " in *" $sum "*) return 0 ;; esac
	return 1
}

fetch_from_debian() {
	local file=picolibc_$version.orig.tar.gz
	file=$("$(dirname "$0")/debian-source" $suite picolibc "$file" "${pins%% *}" 2>/dev/null) || return 1
	cp "$file" "$work/debian" && keep "$work/debian"
}

fetch_from_upstream() {
	command -v curl >/dev/null || return 1
	curl -fsSL --max-time 120 -o "$work/upstream" "$upstream" 2>/dev/null || return 1
	keep "$work/upstream"
}

keep() {
	is_pinned "$1" || die "$(basename "$1") has the SHA-256 $(sha256sum "$1" | cut -c1-64), which is not pinned; refused"
	mv "$1" "$tarball.$$" && mv "$tarball.$$" "$tarball"
}

get_source() {
	if [ -n "${PICOLIBC:-}" ]; then
		[ -f "$PICOLIBC" ] || die "PICOLIBC=$PICOLIBC: no such file"
		is_pinned "$PICOLIBC" || die "PICOLIBC=$PICOLIBC is not picolibc $version: its SHA-256 is not pinned"
		tarball=$PICOLIBC
		return
	fi
	is_pinned "$tarball" && return
	echo "picolibc: fetching $version" >&2
	fetch_from_debian || fetch_from_upstream ||
		die "cannot fetch $version (no network?); put the tarball somewhere and set PICOLIBC=/path/to/it"
}

write_cross_file() {
	local list="'$cc'" flag
	for flag in -march=x86-64 $flags -nostdlib; do
		list="$list, '$flag'"
	done
	cat >"$1" <<-END
		[binaries]
		c = [$list]
		ar = 'ar'
		as = 'as'
		nm = 'nm'
		strip = 'strip'
		[host_machine]
		system = 'lintel'
		cpu_family = 'x86_64'
		cpu = 'x86_64'
		endian = 'little'
		[properties]
		skip_sanity_check = true
		needs_exe_wrapper = true
	END
}

build() {
	local log=$work/build.log
	mkdir "$work/source"
	tar -xf "$tarball" -C "$work/source" --strip-components=1 || die "cannot unpack $tarball"
	write_cross_file "$work/cross.txt"
	echo "picolibc: building $version (once; kept in $cache)" >&2
	# shellcheck disable=SC2086
	if ! (cd "$work" && meson setup build source --cross-file cross.txt --prefix=/ --includedir=include \
			--libdir=lib --buildtype=plain -Ddebug=false $options && ninja -C build -j "${JOBS:-$(nproc)}" &&
			DESTDIR="$work/installed" meson install -C build --no-rebuild) >"$log" 2>&1; then
		cp "$log" "$cache/picolibc-build.log"
		die "the build failed: $(grep -m1 -E 'ERROR|error:|FAILED' "$log" || tail -1 "$log") (log: $cache/picolibc-build.log)"
	fi
	cp "$work"/source/COPYING.picolibc "$work/installed/"
}

for tool in meson ninja "$cc" tar sha256sum; do
	command -v "$tool" >/dev/null || die "$tool is missing; install it (Debian: apt-get install meson ninja-build gcc)"
done
key=$({ echo "$version" "$options" "$flags" "$cc"; "$cc" -dumpfullversion -dumpmachine; } | sha256sum | cut -c1-16)
installed=$cache/picolibc-$key
if [ ! -f "$installed/lib/libc.a" ]; then
	work=$(mktemp -d "$cache/work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	get_source
	build
	# Two builds at once are harmless: the first to finish wins.
	mv -T "$work/installed" "$installed" 2>/dev/null || [ -f "$installed/lib/libc.a" ] ||
		die "cannot move the build to $installed"
fi
echo "$installed"
