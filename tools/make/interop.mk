# SPDX-License-Identifier: BSD-2-Clause
# interop.mk - programs that were not written for Lintel, from Debian's source packages, unchanged: SQLite's speedtest1 and
# fuzzcheck, and PostMark. Built with lintel-cc, run on pmfs and checked by tools/interop.

INTEROP := $(SHARED)/interop
SQLITE := $(INTEROP)/sqlite3
SQLITE_TARBALL := sqlite3_3.40.1.orig.tar.xz
SQLITE_SHA256 := aaa776260ab4dc976db34aa7891819484c8676b5b2783123ebc6301e2ca5d655
POSTMARK := $(INTEROP)/postmark
POSTMARK_TARBALL := postmark_1.53.orig.tar.gz
POSTMARK_SHA256 := 8a88fd322e1c5f0772df759de73c42aa055b1cd36cbba4ce6ee610ac5a3c47d3
AMALGAMATION := $(INTEROP)/amalgamation/sqlite3.c
LINTEL_CC := $(SDK)/bin/lintel-cc
INTEROP_PROGRAMS := $(addprefix $(INTEROP)/,bin/speedtest1 bin/fuzzcheck bin/postmark host/speedtest1 host/postmark)

# What SQLite's configure would find in libc/, and what its Makefile says for these programs.
SQLITE_HAS := $(addsuffix =1,$(addprefix -DHAVE_,FCHOWN FDATASYNC GMTIME_R LOCALTIME_R LSTAT PREAD PWRITE READLINK USLEEP \
	UTIME)) -DSQLITE_OMIT_LOAD_EXTENSION
speedtest1_FLAGS := -DSQLITE_OS_KV_OPTIONAL
fuzzcheck_FLAGS := -DSQLITE_ENABLE_MEMSYS5 -DSQLITE_OSS_FUZZ -DSQLITE_MAX_MEMORY=50000000 \
	-DSQLITE_PRINTF_PRECISION_LIMIT=1000 $(addprefix -DSQLITE_ENABLE_,FTS4 FTS3_PARENTHESIS FTS5 RTREE GEOPOLY \
	DBSTAT_VTAB BYTECODE_VTAB) -I$(SQLITE)/test -I$(SQLITE)/ext/recover
speedtest1_PARTS := test/speedtest1
fuzzcheck_PARTS := test/fuzzcheck test/ossfuzz test/fuzzinvariants test/vt02 ext/recover/dbdata ext/recover/sqlite3recover

# $(call unpack,package,tarball,sha256): into $(INTEROP)/package
define unpack
@mkdir -p $(INTEROP)
$(Q)file=$$(tools/debian-source bookworm $(1) $(2) $(3)) && rm -rf $(INTEROP)/$(1) && mkdir $(INTEROP)/$(1) && \
	tar -xf "$$file" -C $(INTEROP)/$(1) --strip-components=1
$(Q)touch $@
endef

$(INTEROP)/$(SQLITE_TARBALL).stamp:
	$(call unpack,sqlite3,$(SQLITE_TARBALL),$(SQLITE_SHA256))

$(INTEROP)/$(POSTMARK_TARBALL).stamp:
	$(call unpack,postmark,$(POSTMARK_TARBALL),$(POSTMARK_SHA256))

# SQLite's own Makefile puts its sources together into one file; it wants a Tcl shell for it.
$(AMALGAMATION): $(INTEROP)/$(SQLITE_TARBALL).stamp
	@mkdir -p $(@D)
	$(Q)$(SAY) "  SQL   $@"
	$(Q)MAKEFLAGS= $(MAKE) -C $(@D) -f $(abspath $(SQLITE))/main.mk TOP=$(abspath $(SQLITE)) BCC=$(HOST_CC) TCC=$(HOST_CC) \
		OPTS= NAWK=awk sqlite3.c sqlite3.h >$(@D).log 2>&1 || { tail -3 $(@D).log; exit 1; }
	$(Q)touch $@

# Headers decide about the objects, the libraries about the programs.
define sqlite_program
$(1)_OBJECTS := $(INTEROP)/obj/$(1)/sqlite3.o $(patsubst %,$(INTEROP)/obj/$(1)/%.o,$($(1)_PARTS))

$(INTEROP)/obj/$(1)/%.o: $(AMALGAMATION) tools/make/interop.mk tools/sdk $(wildcard libc/include/*.h libc/include/*/*.h)
	@mkdir -p $$(@D)
	$$(Q)$$(SAY) "  CC    $(1): $$*.c"
	$$(Q)$$(LINTEL_CC) -O2 -w $$(SQLITE_HAS) $$($(1)_FLAGS) -I$$(dir $$(AMALGAMATION)) \
		-c $$(firstword $$(wildcard $$(SQLITE)/$$*.c) $$(AMALGAMATION)) -o $$@

$(INTEROP)/bin/$(1): $$($(1)_OBJECTS) $$(LIBC_READY)
	@mkdir -p $$(@D)
	$$(Q)$$(SAY) "  LINK  $$@"
	$$(Q)$$(LINTEL_CC) $$($(1)_OBJECTS) -lm -lpthread -o $$@
endef
$(foreach name,speedtest1 fuzzcheck,$(eval $(call sqlite_program,$(name))))

$(INTEROP)/bin/postmark: $(INTEROP)/$(POSTMARK_TARBALL).stamp $(LIBC_READY)
	@mkdir -p $(@D)
	$(Q)$(SAY) "  CC    $@"
	$(Q)$(LINTEL_CC) -O2 -w $(POSTMARK)/postmark-*.c -o $@

# The same sources for this machine: what they compute is what they must compute inside Lintel.
$(INTEROP)/host/speedtest1: $(AMALGAMATION)
	@mkdir -p $(@D)
	$(Q)$(SAY) "  CC    $@"
	$(Q)$(HOST_CC) -O0 -w -DSQLITE_OMIT_LOAD_EXTENSION $(speedtest1_FLAGS) -I$(<D) $(SQLITE)/test/speedtest1.c $< -lm -lpthread -o $@

$(INTEROP)/host/postmark: $(INTEROP)/$(POSTMARK_TARBALL).stamp
	@mkdir -p $(@D)
	$(Q)$(SAY) "  CC    $@"
	$(Q)$(HOST_CC) -O0 -w $(POSTMARK)/postmark-*.c -o $@

# And for the Linux that Lintel is set beside (make bench): static, with the optimisation that Lintel's have.
BENCH_PROGRAM_FILES := $(foreach system,bin linux,$(addprefix $(INTEROP)/$(system)/,postmark speedtest1))

$(INTEROP)/linux/speedtest1: $(AMALGAMATION)
	@mkdir -p $(@D)
	$(Q)$(SAY) "  CC    $@"
	$(Q)$(HOST_CC) -O2 -w -static $(SQLITE_HAS) $(speedtest1_FLAGS) -I$(<D) $(SQLITE)/test/speedtest1.c $< \
		-lm -lpthread -o $@

$(INTEROP)/linux/postmark: $(INTEROP)/$(POSTMARK_TARBALL).stamp
	@mkdir -p $(@D)
	$(Q)$(SAY) "  CC    $@"
	$(Q)$(HOST_CC) -O2 -w -static $(POSTMARK)/postmark-*.c -o $@

interop-programs: sdk
	$(Q)$(MAKE) $(INTEROP_PROGRAMS) $(BUILD)/host/fsck.pmfs

PROGRAM ?=

interop: doctor-interop ## SQLite's speedtest1, its fuzzcheck (46,217 cases), PostMark, on pmfs, an hour; PROGRAM=name for one
	$(Q)$(MAKE) $(KERNEL) $(ARCHIVE)
	$(Q)$(MAKE) interop-programs
	$(Q)python3 -B tools/interop --build $(BUILD) --programs $(INTEROP) --only '$(PROGRAM)'

doctor-interop:
	$(Q)tools/doctor --install run interop

.PHONY: interop interop-programs doctor-interop
