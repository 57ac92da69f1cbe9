# SPDX-License-Identifier: BSD-2-Clause
# interop.mk - programs that were not written for Lintel, from Debian's source packages, unchanged: SQLite's speedtest1 and
# fuzzcheck, and PostMark. Built with lintel-cc, run on pmfs and checked by tools/interop.

INTEROP := $(SHARED)/interop
SQLITE := $(INTEROP)/sqlite3
POSTMARK := $(INTEROP)/postmark
AMALGAMATION := $(INTEROP)/amalgamation/sqlite3.c
LINTEL_CC := $(SDK)/bin/lintel-cc
INTEROP_PROGRAMS := $(INTEROP)/speedtest1 $(INTEROP)/fuzzcheck $(INTEROP)/postmark1

# What SQLite's configure would find in libc/, and what its Makefile says for these programs.
SQLITE_HAS := $(addsuffix =1,$(addprefix -DHAVE_,FCHOWN FDATASYNC GMTIME_R LOCALTIME_R LSTAT PREAD PWRITE READLINK USLEEP \
	UTIME)) -DSQLITE_OMIT_LOAD_EXTENSION
speedtest1_FLAGS := -DSQLITE_OS_KV_OPTIONAL
fuzzcheck_FLAGS := -DSQLITE_ENABLE_MEMSYS5 -DSQLITE_OSS_FUZZ -DSQLITE_MAX_MEMORY=50000000 \
	-DSQLITE_PRINTF_PRECISION_LIMIT=1000 $(addprefix -DSQLITE_ENABLE_,FTS4 FTS3_PARENTHESIS FTS5 RTREE GEOPOLY \
	DBSTAT_VTAB BYTECODE_VTAB) -I$(SQLITE)/test -I$(SQLITE)/ext/recover
speedtest1_PARTS := test/speedtest1
fuzzcheck_PARTS := test/fuzzcheck test/ossfuzz test/fuzzinvariants test/vt02 ext/recover/dbdata ext/recover/sqlite3recover

# $(call unpack,suite,package,file,sha256): into $(INTEROP)/package
define unpack
@mkdir -p $(INTEROP)
$(Q)file=$$(tools/debian-source $(1) $(2) $(3) $(4)) && rm -rf $(INTEROP)/$(2) && mkdir $(INTEROP)/$(2) && \
	tar -xf "$$file" -C $(INTEROP)/$(2) --strip-components=1
$(Q)touch $@
endef

$(SQLITE).stamp: tools/debian-source tools/make/interop.mk
	$(call unpack,bookworm,sqlite3,sqlite3_3.40.1.orig.tar.xz,aaa776260ab4dc976db34aa7891819484c8676b5b2783123ebc6301e2ca5d655)

$(POSTMARK).stamp: tools/debian-source tools/make/interop.mk
	$(call unpack,bookworm,postmark,postmark_1.53.orig.tar.gz,8a88fd322e1c5f0772df759de73c42aa055b1cd36cbba4ce6ee610ac5a3c47d3)

# SQLite's own Makefile puts its sources together into one file; it wants a Tcl shell for it.
$(AMALGAMATION): $(SQLITE).stamp
	@mkdir -p $(@D)
	$(Q)$(SAY) "  SQL   $@"
	$(Q)MAKEFLAGS= $(MAKE) -C $(@D) -f $(abspath $(SQLITE))/main.mk TOP=$(abspath $(SQLITE)) BCC=$(HOST_CC) TCC=$(HOST_CC) \
		OPTS= NAWK=awk sqlite3.c sqlite3.h >$(@D).log 2>&1 || { tail -3 $(@D).log; exit 1; }
	$(Q)touch $@

# Headers decide about the objects, the libraries about the programs.
define sqlite_program
$(1)_OBJECTS := $(INTEROP)/obj/$(1)/sqlite3.o $(patsubst %,$(INTEROP)/obj/$(1)/%.o,$($(1)_PARTS))

$(INTEROP)/obj/$(1)/%.o: $(AMALGAMATION) tools/sdk $(wildcard libc/include/*.h libc/include/*/*.h)
	@mkdir -p $$(@D)
	$$(Q)$$(SAY) "  CC    $(1): $$*.c"
	$$(Q)$$(LINTEL_CC) -O2 -w $$(SQLITE_HAS) $$($(1)_FLAGS) -I$$(dir $$(AMALGAMATION)) \
		-c $$(firstword $$(wildcard $$(SQLITE)/$$*.c) $$(AMALGAMATION)) -o $$@

$(INTEROP)/$(1): $$($(1)_OBJECTS) $$(LIBC_READY)
	$$(Q)$$(SAY) "  LINK  $$@"
	$$(Q)$$(LINTEL_CC) $$($(1)_OBJECTS) -lm -lpthread -o $$@
endef
$(foreach name,speedtest1 fuzzcheck,$(eval $(call sqlite_program,$(name))))

$(INTEROP)/postmark1: $(POSTMARK).stamp $(LIBC_READY)
	$(Q)$(SAY) "  CC    $@"
	$(Q)$(LINTEL_CC) -O2 -w $(POSTMARK)/postmark-*.c -o $@

# The same sources for this machine: what they compute is what Lintel's must compute.
$(INTEROP)/host/speedtest1: $(AMALGAMATION)
	@mkdir -p $(@D)
	$(Q)$(SAY) "  CC    $@"
	$(Q)$(HOST_CC) -O0 -w -DSQLITE_OMIT_LOAD_EXTENSION $(speedtest1_FLAGS) -I$(<D) $(SQLITE)/test/speedtest1.c $< -lm -lpthread -o $@

interop-programs: sdk
	$(Q)$(MAKE) $(INTEROP_PROGRAMS) $(INTEROP)/host/speedtest1 $(BUILD)/host/fsck.pmfs

PROGRAM ?=

interop: doctor-interop ## SQLite's speedtest1, its fuzzcheck (46,217 cases), PostMark, on pmfs, an hour; PROGRAM=name for one
	$(Q)$(MAKE) $(KERNEL) $(ARCHIVE)
	$(Q)$(MAKE) interop-programs
	$(Q)python3 -B tools/interop --build $(BUILD) --programs $(INTEROP) --only '$(PROGRAM)'

doctor-interop:
	$(Q)tools/doctor --install run interop

.PHONY: interop interop-programs doctor-interop
